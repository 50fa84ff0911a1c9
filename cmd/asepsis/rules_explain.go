// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/asepsis/asepsis/see/detect"
	verdict "github.com/asepsis/asepsis/see/detect/explain"
)

// explained is the answer of rules explain.
type explained struct {
	Event    string            `json:"event"` // what happened, in words
	Verdicts []verdict.Verdict `json:"rules"`
}

func (f *ruleFlags) explain() *cobra.Command {
	var q ruleFilter
	var all bool
	c := &cobra.Command{Use: "explain CAPTURE INDEX | EVENT", Short: "Say what each rule made of an event",
		Long: "Say what each rule made of an event: that it asks for others, which condition was false and with\n" +
			"what values, that its matcher counted it, or what it found. The event is the INDEXth of a capture, from 1,\n" +
			"with what was seen before it; or one that a running server keeps, by its number or uid.",
		Example: "  asepsis rules explain morning.pcap 17\n  asepsis rules explain 482913 --rule dicom.*",
		Args:    wants(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			var answer explained
			if len(args) == 1 {
				if f.format != "table" && f.format != "json" {
					return unknownFormat(f.format, "table", "json")
				}
				cl, err := f.client()
				if err != nil {
					return err
				}
				var raw json.RawMessage
				if err := cl.Get(c.Context(), "/events/"+url.PathEscape(args[0])+"/explain", nil, &raw); err != nil {
					return explain(err)
				}
				if err := json.Unmarshal(raw, &answer); err != nil {
					return fmt.Errorf("the server's answer: %w", err)
				}
			} else {
				index, err := strconv.Atoi(args[1])
				if err != nil {
					return withHint(fmt.Errorf("event %q: want its number in the capture, from 1", args[1]), c.UseLine())
				}
				content, err := f.load()
				if err != nil {
					return err
				}
				dir, name := filepath.Split(args[0])
				if dir == "" {
					dir = "."
				}
				events, devices, err := detect.Capture(c.Context(), os.DirFS(dir), name)
				if err != nil {
					return err
				}
				e, verdicts, err := verdict.Run(c.Context(), content, events, devices, index)
				if err != nil {
					return fmt.Errorf("%s: %w", args[0], err)
				}
				answer = explained{describe(e.Class().Caption()+": "+e.Class().ActivityCaption(e.Activity), e.Sentence()), verdicts}
			}
			answer.Verdicts = slices.DeleteFunc(answer.Verdicts, func(v verdict.Verdict) bool {
				family, _, _ := strings.Cut(v.Rule, ".")
				return len(q.ids) > 0 && !slices.ContainsFunc(q.ids, func(id string) bool { return matchesID(id, v.Rule) }) ||
					len(q.families) > 0 && !slices.Contains(q.families, family)
			})
			if f.format == "json" {
				return writeJSON(c.OutOrStdout(), answer)
			}
			writeExplained(c.OutOrStdout(), &answer, all || len(q.ids) > 0)
			return nil
		}}
	c.Flags().StringSliceVar(&q.ids, "rule", nil, "only rules with this ID; dicom.* for a family; may be given several times")
	c.Flags().StringSliceVar(&q.families, "family", nil, "only this family")
	c.Flags().BoolVar(&all, "all", false, "list rules that ask for other events, too")
	return c
}

func describe(what, sentence string) string {
	if sentence == "" {
		return what
	}
	return what + ": " + sentence
}

// writeExplained prints the verdicts, what came furthest first.
func writeExplained(w io.Writer, a *explained, all bool) {
	_, _ = fmt.Fprintf(w, "%s\n", printable(a.Event))
	order := []verdict.Outcome{verdict.Found, verdict.Selected, verdict.Failed, verdict.False, verdict.Disabled, verdict.NotAsked}
	hidden := 0
	for _, o := range order {
		for _, v := range a.Verdicts {
			if v.Outcome != o {
				continue
			}
			if o == verdict.NotAsked && !all {
				hidden++
				continue
			}
			_, _ = fmt.Fprintf(w, "\n%s  %s (%s)\n", label(o), v.Rule, v.Matcher)
			if v.Title != "" {
				_, _ = fmt.Fprintf(w, "  found: %s\n", printable(v.Title))
			} else {
				_, _ = fmt.Fprintf(w, "  %s\n", printable(v.Why))
			}
			for _, p := range v.Parts {
				mark := "true "
				switch {
				case p.Error != "":
					mark = "error"
				case !p.Holds:
					mark = "false"
				}
				_, _ = fmt.Fprintf(w, "  %s  %s\n", mark, printable(p.Text))
				for _, x := range p.Fields {
					_, _ = fmt.Fprintf(w, "           %s = %s\n", x.Name, printable(strconv.Quote(x.Value)))
				}
				if p.Error != "" {
					_, _ = fmt.Fprintf(w, "           %s\n", printable(p.Error))
				}
			}
		}
	}
	if hidden > 0 {
		_, _ = fmt.Fprintf(w, "\n%d rules ask for other events; --all lists them.\n", hidden)
	}
}

func label(o verdict.Outcome) string {
	switch o {
	case verdict.Found:
		return "FOUND   "
	case verdict.Selected:
		return "COUNTED "
	case verdict.Failed:
		return "ERROR   "
	case verdict.False:
		return "FALSE   "
	case verdict.Disabled:
		return "OFF     "
	}
	return "NO      "
}

// printable keeps what came from the network from steering a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '\ufffd'
		}
		return r
	}, s)
}
