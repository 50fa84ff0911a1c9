// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/asepsis/asepsis/platform/lifecycle"
	"github.com/asepsis/asepsis/respond/client"
	"github.com/asepsis/asepsis/see/advisory"
)

// addAdvisories makes the room that compares devices with advisories.
func (p *platform) addAdvisories() error {
	w, err := advisory.New(p.set.Advisories, advisory.Deps{
		Store: p.store, Dir: filepath.Clean(p.dir), Log: p.log.With("room", "advisories"),
		Tell: func() { _ = p.bus.Tell("changed", []byte(`{"what":"findings"}`)) }, // who misses it sees it a little later
	})
	if err != nil {
		return err
	}
	p.rooms = append(p.rooms, lifecycle.Room{Name: "advisories", Run: w.Run, Ready: w.Ready})
	return nil
}

func advisoriesCommand() *cobra.Command {
	var r remote
	c := &cobra.Command{Use: "advisories", Short: "List published vulnerabilities and the devices that they concern", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	r.flags(c)
	var q struct {
		text, verdict, device, theatre, vendor, severity string
		exploited                                        bool
		limit                                            int
	}
	list := &cobra.Command{Use: "list", Short: "List advisories, those that concern devices here first", Args: cobra.NoArgs,
		Example: "  asepsis advisories list --verdict affected\n  asepsis advisories list --device dev-1f3c --format json",
		RunE: func(c *cobra.Command, _ []string) error {
			if q.device != "" {
				return r.print(c, "/devices/"+url.PathEscape(q.device)+"/advisories", nil, client.WriteDeviceAdvisories)
			}
			query := url.Values{}
			for k, v := range map[string]string{"q": q.text, "verdict": q.verdict, "theatre": q.theatre, "vendor": q.vendor, "min_severity": q.severity} {
				if v != "" {
					query.Set(k, v)
				}
			}
			if q.exploited {
				query.Set("exploited", "true")
			}
			query.Set("limit", strconv.Itoa(q.limit))
			return r.print(c, "/advisories", query, client.WriteAdvisories)
		}}
	list.Flags().StringVarP(&q.text, "query", "q", "", "words that must occur: an ID, a CVE, a product")
	list.Flags().StringVar(&q.verdict, "verdict", "any", "affected, unknown, not-affected, any, none, or all with an empty value")
	list.Flags().StringVar(&q.device, "device", "", "what is known about this device")
	list.Flags().StringVar(&q.theatre, "theatre", "", "theatre's ID")
	list.Flags().StringVar(&q.vendor, "vendor", "", "manufacturer")
	list.Flags().StringVar(&q.severity, "min-severity", "", "info, low, medium, high or critical")
	list.Flags().BoolVar(&q.exploited, "exploited", false, "only what is known to be exploited")
	list.Flags().IntVar(&q.limit, "limit", 500, "at most so many")
	show := &cobra.Command{Use: "show ID", Short: "Show one advisory, with the devices that it concerns and why", Args: wants(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			return r.print(c, "/advisories/"+url.PathEscape(args[0]), nil, client.WriteAdvisory)
		}}
	var vex struct{ as, device, advisory string }
	export := &cobra.Command{Use: "export", Short: "Print the verdicts as VEX: OpenVEX, or CSAF of the profile VEX", Args: cobra.NoArgs,
		Example: "  asepsis advisories export --as csaf >vex.json",
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := r.client()
			if err != nil {
				return err
			}
			query := url.Values{"format": {vex.as}}
			if vex.device != "" {
				query.Set("device", vex.device)
			}
			if vex.advisory != "" {
				query.Set("advisory", vex.advisory)
			}
			var raw json.RawMessage
			if err := cl.Get(c.Context(), "/advisories/export", query, &raw); err != nil {
				return explain(err)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s\n", strings.TrimSpace(string(raw)))
			return err
		}}
	export.Flags().StringVar(&vex.as, "as", "openvex", "openvex or csaf")
	export.Flags().StringVar(&vex.device, "device", "", "of this device alone")
	export.Flags().StringVar(&vex.advisory, "advisory", "", "of this advisory alone")
	c.AddCommand(list, show, export)
	return c
}
