// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/asepsis/asepsis/respond/client"
)

// findingsCommand lists findings of a running server and decides about them.
func findingsCommand() *cobra.Command {
	var r remote
	c := &cobra.Command{Use: "findings", Short: "List findings of a running server and decide about them", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	r.flags(c)
	c.AddCommand(listFindings(&r), &cobra.Command{Use: "show ID", Short: "Show one finding with its evidence and what to do", Args: wants(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			return r.print(c, "/findings/"+url.PathEscape(args[0]), nil, client.WriteFinding)
		}})
	var d decision
	add := func(action, use, short string, more func(*cobra.Command)) {
		x := &cobra.Command{Use: use, Short: short, Args: wants(1, 1), RunE: func(c *cobra.Command, args []string) error { return d.send(c, &r, action, args[0]) }}
		x.Flags().StringVar(&d.Note, "note", "", "what others should know")
		if more != nil {
			more(x)
		}
		c.AddCommand(x)
	}
	add("acknowledge", "ack ID", "Say that you look at it", nil)
	add("assign", "assign ID --to USER", "Give it to somebody; without --to nobody has it", func(x *cobra.Command) { x.Flags().StringVar(&d.Assignee, "to", "", "user name") })
	add("close", "close ID --as OUTCOME", "Close it", func(x *cobra.Command) {
		x.Flags().StringVar(&d.Outcome, "as", "", "true, false, benign or wont-fix")
		x.Flags().StringVar(&d.Reason, "reason", "", "why; needed unless it was true")
	})
	add("reopen", "reopen ID", "Open it again", nil)
	add("note", "note ID --note TEXT", "Write something to it", nil)
	add("snooze", "snooze ID --until TIME", "Put it off", func(x *cobra.Command) {
		x.Flags().StringVar(&d.Until, "until", "", "RFC 3339, or +4h, +1d; left out, it is put off no longer")
	})
	return c
}

// decision is what a person says about a finding.
type decision struct {
	Revision uint64 `json:"revision,omitempty"`
	Note     string `json:"note,omitempty"`
	Assignee string `json:"assignee,omitempty"`
	Outcome  string `json:"outcome,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Until    string `json:"until,omitempty"`
}

// send decides about the finding as it is now.
func (d *decision) send(c *cobra.Command, r *remote, action, id string) error {
	if action == "close" && d.Outcome == "" {
		return withHint(errors.New("findings close: no outcome named"), "--as true, false, benign or wont-fix")
	}
	cl, err := r.client()
	if err != nil {
		return err
	}
	path := "/findings/" + url.PathEscape(id)
	var now struct{ Revision uint64 }
	if err := cl.Get(c.Context(), path, nil, &now); err != nil {
		return explain(err)
	}
	d.Revision = now.Revision
	var raw json.RawMessage
	if err := cl.Post(c.Context(), path+"/"+action, d, &raw); err != nil {
		return explain(err)
	}
	if r.format == "json" {
		_, err := fmt.Fprintf(c.OutOrStdout(), "%s\n", strings.TrimSpace(string(raw)))
		return err
	}
	return client.WriteFinding(c.OutOrStdout(), raw)
}

func listFindings(r *remote) *cobra.Command {
	q := map[string]*string{}
	limit := 0
	list := &cobra.Command{Use: "list", Short: "List findings, the worst first", Args: cobra.NoArgs,
		Example: "  asepsis findings list --min-severity high\n  asepsis findings list --theatre OR-3 --state all --format json",
		RunE: func(c *cobra.Command, _ []string) error {
			query := url.Values{}
			for k, v := range q {
				if *v != "" {
					query.Set(k, *v)
				}
			}
			if limit > 0 {
				query.Set("limit", strconv.Itoa(limit))
			}
			return r.print(c, "/findings", query, client.WriteFindings)
		}}
	for _, f := range [][3]string{{"state", "state", "open, acknowledged, closed, active or all"}, {"min_severity", "min-severity", "info, low, medium, high or critical"},
		{"rule", "rule", "rule, or a family as dicom.*"}, {"device", "device", "device's ID"}, {"theatre", "theatre", "theatre's ID"}, {"assignee", "assignee", "user name, me or none"},
		{"q", "query", "words of title, device, rule"}, {"suppressed", "suppressed", "no, yes or all"}, {"sort", "sort", "severity, last, first, count ..."}} {
		q[f[0]] = list.Flags().String(f[1], "", f[2])
	}
	list.Flags().IntVar(&limit, "limit", 0, "at most so many")
	return list
}
