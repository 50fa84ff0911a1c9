// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/asepsis/asepsis/guard/gateway/firewall"
	"github.com/asepsis/asepsis/respond/client"
)

// gatewayRemote are the flags of commands that ask about a gateway.
type gatewayRemote struct {
	remote
	gateway string
}

func (r *gatewayRemote) flags(c *cobra.Command) *cobra.Command {
	r.remote.flags(c)
	c.PersistentFlags().StringVar(&r.gateway, "gateway", "", "which gateway, where the site has several")
	return c
}

// query is a query with the gateway and what has a value.
func (r *gatewayRemote) query(pairs ...string) url.Values {
	q := url.Values{}
	if r.gateway != "" {
		q.Set("gateway", r.gateway)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}

// send sends a request that changes something and prints the answer.
func (r *gatewayRemote) send(c *cobra.Command, method, path string, body any, table client.Table) error {
	cl, err := r.client()
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := cl.Send(c.Context(), method, path, r.query(), body, &raw); err != nil {
		return explain(err)
	}
	if r.format == "json" {
		_, err := fmt.Fprintf(c.OutOrStdout(), "%s\n", strings.TrimSpace(string(raw)))
		return err
	}
	return table(c.OutOrStdout(), raw)
}

// gatewayClientCommands are the commands that ask a running gateway, through the API of
// its site.
func gatewayClientCommands() []*cobra.Command {
	list := []*cobra.Command{
		imagingStatus(), imagingAssociations(), imagingDestinations(), imagingInstances(), imagingQuarantine(), imagingSteps(), imagingHeader(), imagingBindings(), imagingPolicy(), imagingReceipts(),
	}
	return list
}

func imagingStatus() *cobra.Command {
	var r gatewayRemote
	all := false
	c := &cobra.Command{Use: "status", Short: "Show a gateway at a glance, and what to do", Args: wants(0, 0), RunE: func(c *cobra.Command, _ []string) error {
		if all {
			return r.print(c, "/imaging/gateways", nil, client.WriteGateways)
		}
		return r.print(c, "/imaging/overview", r.query(), client.WriteImaging)
	}}
	c.Flags().BoolVar(&all, "all", false, "list the site's gateways instead")
	return r.flags(c)
}

func imagingAssociations() *cobra.Command {
	var r gatewayRemote
	var open, problems bool
	var device string
	c := &cobra.Command{Use: "associations", Short: "List conversations with peers: open ones, and those that ended lately", Args: wants(0, 0), RunE: func(c *cobra.Command, _ []string) error {
		only := ""
		switch {
		case open && problems:
			return withHint(errors.New("--open and --problems exclude each other"), "give one of them")
		case open:
			only = "open"
		case problems:
			only = "problems"
		}
		return r.print(c, "/imaging/associations", r.query("only", only, "device", device), client.WriteAssociations)
	}}
	c.Flags().BoolVar(&open, "open", false, "only those that are open")
	c.Flags().BoolVar(&problems, "problems", false, "only those with a problem")
	c.Flags().StringVar(&device, "device", "", "device's ID")
	return r.flags(c)
}

func imagingDestinations() *cobra.Command {
	var r gatewayRemote
	c := &cobra.Command{Use: "destinations", Short: "List where images go to; pause, resume, retry, drop or try one", Args: wants(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			return r.print(c, "/imaging/destinations", r.query(), client.WriteDestinations)
		}}
	r.flags(c)
	for _, x := range [][2]string{{"pause", "Send nothing to a destination for now"}, {"resume", "Send to a destination again"}, {"retry", "Try everything again now, also what was given up"}} {
		inCase := false
		one := &cobra.Command{Use: x[0] + " NAME", Short: x[1], Args: wants(1, 1), RunE: func(c *cobra.Command, args []string) error {
			return r.send(c, http.MethodPost, "/imaging/destinations/"+url.PathEscape(args[0])+"/"+x[0], map[string]bool{"confirm_in_case": inCase}, client.WriteDestination)
		}}
		if x[0] == "pause" {
			one.Flags().BoolVar(&inCase, "in-case", false, "also while a case is in progress in its theatre; that is recorded")
		}
		c.AddCommand(one)
	}
	var d struct {
		Reason        string `json:"reason"`
		ConfirmInCase bool   `json:"confirm_in_case"`
	}
	drop := &cobra.Command{Use: "drop NAME --reason TEXT", Short: "Give up for good what a destination did not take", Args: wants(1, 1),
		Long: "Gives up for good what was given up for a destination, and where the destination is not configured any\nmore, what waits for it. The images stay in the gateway as long as others do; nothing is sent again by itself.",
		RunE: func(c *cobra.Command, args []string) error {
			return r.send(c, http.MethodPost, "/imaging/destinations/"+url.PathEscape(args[0])+"/drop", &d, client.WriteDropped)
		}}
	drop.Flags().StringVar(&d.Reason, "reason", "", "why; the audit trail and the ledger keep it (required)")
	drop.Flags().BoolVar(&d.ConfirmInCase, "in-case", false, "also while a case is in progress where it goes to; that is recorded")
	_ = drop.MarkFlagRequired("reason")
	c.AddCommand(drop, &cobra.Command{Use: "echo NAME", Short: "Try the way to a destination, step by step", Args: wants(1, 1), RunE: func(c *cobra.Command, args []string) error {
		return r.send(c, http.MethodPost, "/imaging/destinations/"+url.PathEscape(args[0])+"/echo", nil, client.WriteEcho)
	}})
	return c
}

func imagingInstances() *cobra.Command {
	var r gatewayRemote
	q := map[string]*string{}
	var states []string
	var file string
	c := &cobra.Command{Use: "instances", Short: "List images that came, newest first", Args: wants(0, 0), Example: "  asepsis gateway instances --state quarantined --from -1d\n  asepsis gateway instances --file image.dcm\n  asepsis gateway instances show 4711",
		RunE: func(c *cobra.Command, _ []string) error {
			if file != "" {
				sum, err := dataSetOf(file)
				if err != nil {
					return err
				}
				*q["sha256"] = sum
			}
			query := r.query()
			for k, v := range q {
				if *v != "" {
					query.Set(k, *v)
				}
			}
			query["state"] = states
			return r.print(c, "/imaging/instances", query, client.WriteInstances)
		}}
	r.flags(c)
	for _, f := range [][3]string{{"study", "study", "study instance UID"}, {"series", "series", "series instance UID, under which it came"}, {"sop_instance", "sop-instance", "SOP instance UID, under which it came or went"}, {"sha256", "sha256", "SHA-256 of the data set, as it came or went"}, {"device", "device", "device's ID"}, {"destination", "destination", "destination's name"},
		{"delivery", "delivery", "waiting, delivered, committed, dead or dropped"}, {"theatre", "theatre", "theatre's ID"}, {"from", "from", "received from this time on: RFC 3339, or -1h and the like"}, {"to", "to", "received before this time"},
		{"before", "before", "with a lower number"}, {"limit", "limit", "at most so many (100)"}} {
		q[f[0]] = c.Flags().String(f[1], "", f[2])
	}
	c.Flags().StringVar(&file, "file", "", "DICOM file: those with its data set, as asepsis verify compares it; it stays here, only its SHA-256 is asked for")
	c.MarkFlagsMutuallyExclusive("file", "sha256")
	c.Flags().StringSliceVar(&states, "state", nil, "accepted, quarantined, released, destroyed, replaced or refused; may be given several times")
	c.AddCommand(&cobra.Command{Use: "show NUMBER", Short: "Show an image's record and the ledger's entries about it", Args: wants(1, 1), RunE: func(c *cobra.Command, args []string) error {
		return r.print(c, "/imaging/instances/"+url.PathEscape(args[0]), r.query(), client.WriteInstance)
	}})
	return c
}

// dataSetOf is the SHA-256 of a file's data set, in hexadecimal: what follows the head of a DICOM file, or else all of
// it, as some receivers keep the data set bare.
func dataSetOf(file string) (string, error) {
	sums, err := sumsOf(file)
	if err != nil {
		return "", err
	}
	if !sums.DICOM {
		return hex.EncodeToString(sums.Whole[:]), nil
	}
	return hex.EncodeToString(sums.DataSet[:]), nil
}

func imagingQuarantine() *cobra.Command {
	var r gatewayRemote
	c := &cobra.Command{Use: "quarantine", Short: "List what is held; release or destroy it, two people together", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	r.flags(c)
	before := ""
	list := &cobra.Command{Use: "list", Short: "List what is held, newest first", Args: wants(0, 0), RunE: func(c *cobra.Command, _ []string) error {
		return r.print(c, "/imaging/quarantine", r.query("before", before), client.WriteQuarantine)
	}}
	list.Flags().StringVar(&before, "before", "", "with a lower number")
	c.AddCommand(list, &cobra.Command{Use: "show NUMBER", Short: "Show what is held, and why", Args: wants(1, 1), RunE: func(c *cobra.Command, args []string) error {
		return r.print(c, "/imaging/instances/"+url.PathEscape(args[0]), r.query(), client.WriteInstance)
	}})
	for _, x := range [][2]string{{"release", "Ask that it goes on, or agree to it"}, {"destroy", "Ask that it is destroyed, or agree to it"}, {"withdraw", "Take back what was asked"}} {
		var d struct {
			Reason        string `json:"reason"`
			Revision      uint64 `json:"revision"`
			ConfirmInCase bool   `json:"confirm_in_case,omitempty"`
		}
		one := &cobra.Command{Use: x[0] + " NUMBER --reason TEXT --revision N", Short: x[1], Args: wants(1, 1),
			Long: x[1] + ".\n\nThe first person asks; it is done when a second person says the same. The revision is that which show printed:\nwhat changed since is not decided about.",
			RunE: func(c *cobra.Command, args []string) error {
				if d.Revision == 0 {
					return withHint(errors.New("no revision named"), "asepsis gateway quarantine show "+args[0]+" prints it; decide on what you have seen")
				}
				return r.send(c, http.MethodPost, "/imaging/quarantine/"+url.PathEscape(args[0])+"/"+x[0], &d, client.WriteHeld)
			}}
		one.Flags().StringVar(&d.Reason, "reason", "", "why; the audit trail and the ledger keep it (required)")
		one.Flags().Uint64Var(&d.Revision, "revision", 0, "revision that was looked at (required)")
		one.Flags().BoolVar(&d.ConfirmInCase, "in-case", false, "also while a case is in progress in a theatre that it concerns; that is recorded")
		_ = one.MarkFlagRequired("reason")
		c.AddCommand(one)
	}
	return c
}

func imagingHeader() *cobra.Command {
	var r gatewayRemote
	var clearText bool
	var reason string
	c := &cobra.Command{Use: "header NUMBER", Short: "Show the header of an image, without what identifies the patient", Args: wants(1, 1), RunE: func(c *cobra.Command, args []string) error {
		path := "/imaging/instances/" + url.PathEscape(args[0]) + "/header"
		if !clearText {
			return r.print(c, path, r.query(), client.WriteHeader)
		}
		if reason == "" {
			return withHint(errors.New("no reason named"), "--reason says why; that you read it is recorded")
		}
		return r.send(c, http.MethodPost, path+"/clear", map[string]string{"reason": reason}, client.WriteHeader)
	}}
	c.Flags().BoolVar(&clearText, "clear", false, "also what identifies the patient; it is recorded who read it and why")
	c.Flags().StringVar(&reason, "reason", "", "why it is read in clear")
	return r.flags(c)
}

func imagingBindings() *cobra.Command {
	var r gatewayRemote
	c := &cobra.Command{Use: "bindings", Short: "List what each device may do", Args: wants(0, 0), RunE: func(c *cobra.Command, _ []string) error {
		return r.print(c, "/imaging/bindings", r.query(), client.WriteBindings)
	}}
	return r.flags(c)
}

func imagingPolicy() *cobra.Command {
	var r gatewayRemote
	c := &cobra.Command{Use: "policy", Short: "Show, check, try and set the content firewall's policy", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	r.flags(c)
	c.AddCommand(&cobra.Command{Use: "show", Short: "Print the policy that is in force", Args: wants(0, 0), RunE: func(c *cobra.Command, _ []string) error {
		_, text, _, err := r.policyNow(c)
		if err == nil {
			_, err = fmt.Fprint(c.OutOrStdout(), text)
		}
		return err
	}}, &cobra.Command{Use: "check FILE", Short: "Say what is wrong with a policy; no server is asked", Args: wants(1, 1), RunE: func(c *cobra.Command, args []string) error {
		text, err := fileUpTo(args[0], 256<<10)
		if err != nil {
			return err
		}
		p, err := firewall.Parse(args[0], text)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "%s is right: sha256 %s\n", args[0], p.SHA256())
		return err
	}})
	limit := 0
	try := &cobra.Command{Use: "dry-run FILE", Short: "Say which stored images would be judged otherwise", Args: wants(1, 1), RunE: func(c *cobra.Command, args []string) error {
		text, err := fileUpTo(args[0], 256<<10)
		if err != nil {
			return err
		}
		return r.send(c, http.MethodPost, "/imaging/policy/dry-run", map[string]any{"yaml": string(text), "limit": limit}, client.WriteDryRun)
	}}
	try.Flags().IntVar(&limit, "limit", 200, "how many of the newest images are examined, at most 1000")
	set := &cobra.Command{Use: "set FILE", Short: "Put a policy in force", Args: wants(1, 1), RunE: func(c *cobra.Command, args []string) error {
		text, err := fileUpTo(args[0], 256<<10)
		if err != nil {
			return err
		}
		if _, err := firewall.Parse(args[0], text); err != nil {
			return err
		}
		cl, _, sum, err := r.policyNow(c)
		if err != nil {
			return err
		}
		var now struct{ SHA256 string }
		if err := cl.Send(c.Context(), http.MethodPut, "/imaging/policy", r.query(), map[string]string{"yaml": string(text), "sha256": sum}, &now); err != nil {
			return explain(err)
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "in force: sha256 %s\n", now.SHA256)
		return err
	}}
	c.AddCommand(try, set)
	return c
}

// policyNow asks for the policy that is in force.
func (r *gatewayRemote) policyNow(c *cobra.Command) (cl *client.Client, text, sum string, err error) {
	if cl, err = r.client(); err != nil {
		return nil, "", "", err
	}
	var now struct{ YAML, SHA256 string }
	if err := cl.Get(c.Context(), "/imaging/policy", r.query(), &now); err != nil {
		return nil, "", "", explain(err)
	}
	return cl, now.YAML, now.SHA256, nil
}

func imagingReceipts() *cobra.Command {
	var r gatewayRemote
	var out string
	c := &cobra.Command{Use: "receipts STUDY|SOP-INSTANCE|SHA256 -o DIR", Short: "Fetch the receipts of a study or an image, to verify them offline", Args: wants(1, 1),
		Example: "  asepsis gateway receipts 1.2.840.113619.2.1 -o receipts\n  asepsis verify receipts/receipts/receipt-4711.json image.dcm --trust receipts/trust.json",
		RunE: func(c *cobra.Command, args []string) error {
			if out == "" {
				return withHint(errors.New("no directory named"), "-o DIR is where the receipts go")
			}
			cl, err := r.client()
			if err != nil {
				return err
			}
			t, err := os.CreateTemp("", "asepsis-receipts-*.zip")
			if err != nil {
				return err
			}
			defer func() { _ = os.Remove(t.Name()); _ = t.Close() }()
			err = cl.Download(c.Context(), "/imaging/receipts/"+url.PathEscape(args[0])+"/bundle.zip", r.query(), t, maxBundle)
			var missing *client.Error
			if errors.As(err, &missing) && missing.Status == http.StatusNotFound && len(args[0]) != 64 {
				err = cl.Download(c.Context(), "/imaging/studies/"+url.PathEscape(args[0])+"/receipts.zip", r.query(), t, maxBundle)
			}
			if err != nil {
				return explain(err)
			}
			n, err := unpackReceipts(t, out)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %s; index.json says which is about which image\n", out, counted(n, "receipt"))
			return err
		}}
	c.Flags().StringVarP(&out, "output", "o", "", "directory for them (required)")
	return r.flags(c)
}

func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}
