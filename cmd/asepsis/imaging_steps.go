// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/asepsis/asepsis/respond/client"
)

func imagingSteps() *cobra.Command {
	var r gatewayRemote
	c := &cobra.Command{Use: "steps", Short: "List procedure steps, which say whose images a room makes; end one", Args: cobra.NoArgs,
		Long: "A device that begins a procedure step (MPPS) says whose case is in its room: images of another patient\n" +
			"from there are held until the step ends. A device that never ends it holds up the next patient.",
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	r.flags(c)
	open, theatre := false, ""
	list := &cobra.Command{Use: "list", Short: "List those in progress, and those that ended lately", Args: wants(0, 0), RunE: func(c *cobra.Command, _ []string) error {
		only := ""
		if open {
			only = "open"
		}
		return r.print(c, "/imaging/steps", r.query("only", only, "theatre", theatre), client.WriteSteps)
	}}
	list.Flags().BoolVar(&open, "open", false, "only those in progress")
	list.Flags().StringVar(&theatre, "theatre", "", "theatre's ID")
	reason := ""
	end := &cobra.Command{Use: "end UID --reason TEXT", Short: "End a step that its device left open", Args: wants(1, 1),
		Long: "End a step that its device left open. What was held because of it stays held: asepsis gateway quarantine\n" +
			"releases it, two people together.",
		Example: "  asepsis gateway steps list --open\n  asepsis gateway steps end 1.2.840.113619.2.77 --reason \"the C-arm was switched off\"",
		RunE: func(c *cobra.Command, args []string) error {
			return r.send(c, http.MethodPost, "/imaging/steps/"+url.PathEscape(args[0])+"/end", map[string]string{"reason": reason}, client.WriteStep)
		}}
	end.Flags().StringVar(&reason, "reason", "", "why; the audit trail and the ledger keep it (required)")
	_ = end.MarkFlagRequired("reason")
	c.AddCommand(list, end)
	return c
}
