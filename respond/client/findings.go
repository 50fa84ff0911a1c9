// SPDX-License-Identifier: Apache-2.0

package client

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

type findingRow struct {
	ID       string
	Rule     string
	Severity string
	State    string
	Title    string
	Room     string
	Theatre  string
	Count    uint64
	First    string
	Last     string
	Assignee string
	Outcome  string
	Why      []string `json:"severity_why"`
	Devices  []struct{ ID, Name string }
	Revision uint64
}

// WriteFindings writes the answer of GET /findings.
func WriteFindings(w io.Writer, raw json.RawMessage) error {
	var l struct {
		Findings []findingRow
		Total    int
	}
	if err := json.Unmarshal(raw, &l); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "ID\tSEVERITY\tSTATE\tTIMES\tLAST\tTHEATRE\tFINDING")
	for _, f := range l.Findings {
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", f.ID, f.Severity, f.State, f.Count, local(f.Last), f.Theatre, f.Title)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d of %d findings\n", len(l.Findings), l.Total)
	return err
}

// WriteFinding writes the answer of GET /findings/{id}.
func WriteFinding(w io.Writer, raw json.RawMessage) error {
	var f struct {
		findingRow
		Description string
		Playbook    []string
		Occurrences []struct{ Time, Sentence, Expected string }
		History     []struct{ At, Who, Action, Note string }
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return err
	}
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("%s", f.Title)
	line("%s, %s, %d times, %s to %s", f.Severity, f.State, f.Count, local(f.First), local(f.Last))
	for _, y := range f.Why {
		line("  severity: %s", y)
	}
	line("rule %s, theatre %s, assigned to %s", f.Rule, orNone(f.Theatre), orNone(f.Assignee))
	for _, d := range f.Devices {
		line("  device %s (%s)", d.Name, d.ID)
	}
	line("\n%s\n\nIn the room: %s\n", f.Description, f.Room)
	for i, p := range f.Playbook {
		line("  %d. %s", i+1, p)
	}
	line("\nWhat happened:")
	for _, o := range f.Occurrences {
		line("  %s  %s", o.Time, o.Sentence)
		if o.Expected != "" {
			line("      usual: %s", o.Expected)
		}
	}
	for _, h := range f.History {
		line("%s  %s: %s %s", h.At, h.Who, h.Action, h.Note)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
