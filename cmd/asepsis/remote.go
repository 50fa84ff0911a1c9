// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/respond/client"
)

// remote are the flags of commands that ask a running server.
type remote struct {
	server, tokenFile, caFile, format string
}

func (r *remote) flags(c *cobra.Command) {
	c.PersistentFlags().StringVar(&r.server, "server", envOr("ASEPSIS_SERVER", "https://127.0.0.1:8443"), "address of the server (ASEPSIS_SERVER)")
	c.PersistentFlags().StringVar(&r.tokenFile, "token-file", os.Getenv("ASEPSIS_TOKEN_FILE"), "file with an API token, mode 0600 (ASEPSIS_TOKEN_FILE)")
	c.PersistentFlags().StringVar(&r.caFile, "ca-file", os.Getenv("ASEPSIS_CA_FILE"), "certificates that the server's must come from (ASEPSIS_CA_FILE); the one that a server on this machine made itself is found")
	c.PersistentFlags().StringVar(&r.format, "format", "table", "table or json")
}

func envOr(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

func (r *remote) client() (*client.Client, error) {
	if r.format != "table" && r.format != "json" {
		return nil, unknownFormat(r.format, "table", "json")
	}
	if r.tokenFile == "" {
		return nil, withHint(errors.New("no API token named"), "make one in the console under Settings, Tokens; put it into a file with mode 0600; name the file with --token-file or ASEPSIS_TOKEN_FILE")
	}
	token, err := config.SecretFile(r.tokenFile).Read()
	if err != nil {
		return nil, fmt.Errorf("token file: %w", err)
	}
	ca := r.caFile
	if own := filepath.Join(defaultDataDir(), "tls", "console.crt"); ca == "" && (strings.HasPrefix(r.server, "https://127.0.0.1:") || strings.HasPrefix(r.server, "https://localhost:")) {
		if _, err := os.Stat(own); err == nil {
			ca = own
		}
	}
	return client.New(client.Options{Server: r.server, Token: strings.TrimSpace(string(token)), CAFile: ca, Agent: "asepsis/" + version})
}

// explain adds what to do to errors of reaching the server.
func explain(err error) error {
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return withHint(err, "name the server's certificate with --ca-file: it is tls/console.crt in its data directory, unless it was given another")
	}
	var unreached *net.OpError
	if errors.As(err, &unreached) && unreached.Op == "dial" {
		return withHint(err, "nobody answers there: --server or ASEPSIS_SERVER names the address that asepsis up printed")
	}
	return err
}

func devicesCommand() *cobra.Command {
	var r remote
	c := &cobra.Command{Use: "devices", Short: "List and show the devices that a running server knows", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	r.flags(c)
	var q struct {
		text, class, theatre, zone, vendor, speaks, seen string
		limit                                            int
	}
	list := &cobra.Command{Use: "list", Short: "List devices", Args: cobra.NoArgs,
		Example: "  asepsis devices list --class infusion-pump\n  asepsis devices list --theatre OR-3 --format json",
		RunE: func(c *cobra.Command, _ []string) error {
			query := url.Values{}
			for k, v := range map[string]string{"q": q.text, "class": q.class, "theatre": q.theatre, "zone": q.zone, "vendor": q.vendor, "speaks": q.speaks, "seen_after": q.seen} {
				if v != "" {
					query.Set(k, v)
				}
			}
			if q.limit > 0 {
				query.Set("limit", strconv.Itoa(q.limit))
			}
			return r.print(c, "/devices", query, client.WriteDevices)
		}}
	list.Flags().StringVarP(&q.text, "query", "q", "", "part of a name, address, serial number ...")
	list.Flags().StringVar(&q.class, "class", "", "class, see docs/devices.md")
	list.Flags().StringVar(&q.theatre, "theatre", "", "theatre's ID")
	list.Flags().StringVar(&q.zone, "zone", "", "zone")
	list.Flags().StringVar(&q.vendor, "vendor", "", "manufacturer")
	list.Flags().StringVar(&q.speaks, "speaks", "", "protocol offered or used")
	list.Flags().StringVar(&q.seen, "seen-after", "", "seen after this time: RFC 3339, or -1h and the like")
	list.Flags().IntVar(&q.limit, "limit", 0, "at most so many; 0 for all")
	c.AddCommand(list, &cobra.Command{Use: "show ID", Short: "Show one device with the evidence for what is said of it", Args: wants(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			return r.print(c, "/devices/"+url.PathEscape(args[0]), nil, client.WriteDevice)
		}})
	return c
}

func eventsCommand() *cobra.Command {
	var r remote
	c := &cobra.Command{Use: "events", Short: "List, follow and show the events that a running server keeps", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	r.flags(c)
	var q eventQuery
	list := &cobra.Command{Use: "list", Short: "List events, newest first", Args: cobra.NoArgs,
		Example: "  asepsis events list --from -1h --is protocol:dicom\n  asepsis events list --query CT_OR3 --min-severity medium --format json",
		RunE: func(c *cobra.Command, _ []string) error {
			query := q.values()
			query.Set("limit", strconv.Itoa(q.limit))
			if q.oldest {
				query.Set("order", "oldest")
			}
			return r.print(c, "/events", query, client.WriteEvents)
		}}
	q.flags(list)
	list.Flags().StringVar(&q.from, "from", "-24h", "from this time: RFC 3339, or -1h and the like")
	list.Flags().StringVar(&q.to, "to", "", "up to this time")
	list.Flags().IntVar(&q.limit, "limit", 50, "at most so many")
	list.Flags().BoolVar(&q.oldest, "oldest", false, "oldest first")
	tail := &cobra.Command{Use: "tail", Short: "Print events as they happen", Args: cobra.NoArgs,
		Long: "Print events as they happen, until it is interrupted. Where the connection breaks it is made again, and goes on after the last event that was printed.",
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := r.client()
			if err != nil {
				return err
			}
			broken := func(why error, wait time.Duration) {
				_, _ = fmt.Fprintf(c.ErrOrStderr(), "asepsis: the stream of events broke: %v; trying again in %s\n", why, wait.Round(100*time.Millisecond))
			}
			return explain(cl.Follow(c.Context(), "/events/stream", q.values(), broken, func(kind, _ string, data []byte) error {
				if r.format == "json" {
					_, err := fmt.Fprintf(c.OutOrStdout(), "{\"kind\":%q,\"data\":%s}\n", kind, data)
					return err
				}
				return client.WriteStreamed(c.OutOrStdout(), kind, data)
			}))
		}}
	q.flags(tail)
	c.AddCommand(list, tail, &cobra.Command{Use: "show ID", Short: "Show one event, decoded", Args: wants(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			return r.print(c, "/events/"+url.PathEscape(args[0]), nil, client.WriteEvent)
		}})
	return c
}

// eventQuery are the flags by which events are searched.
type eventQuery struct {
	text, severity, from, to string
	is, not                  []string
	limit                    int
	oldest                   bool
}

func (q *eventQuery) flags(c *cobra.Command) {
	c.Flags().StringVarP(&q.text, "query", "q", "", `words that must occur; "a phrase", -not, prefix*`)
	c.Flags().StringVar(&q.severity, "min-severity", "", "info, low, medium, high or critical")
	c.Flags().StringArrayVar(&q.is, "is", nil, "field:value that must hold, for example protocol:dicom; may be given several times")
	c.Flags().StringArrayVar(&q.not, "not", nil, "field:value that must not hold")
}

func (q *eventQuery) values() url.Values {
	v := url.Values{}
	for k, s := range map[string]string{"q": q.text, "min_severity": q.severity, "from": q.from, "to": q.to} {
		if s != "" {
			v.Set(k, s)
		}
	}
	v["is"], v["not"] = q.is, q.not
	return v
}

// print asks and prints the answer, as it came or as a table.
func (r *remote) print(c *cobra.Command, path string, query url.Values, table client.Table) error {
	cl, err := r.client()
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := cl.Get(c.Context(), path, query, &raw); err != nil {
		return explain(err)
	}
	if r.format == "json" {
		_, err := fmt.Fprintf(c.OutOrStdout(), "%s\n", strings.TrimSpace(string(raw)))
		return err
	}
	return table(c.OutOrStdout(), raw)
}
