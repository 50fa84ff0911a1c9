// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/rules"
	"github.com/asepsis/asepsis/see/detect"
	"github.com/asepsis/asepsis/see/detect/rule"
)

// ruleFlags are what the commands about rules share.
type ruleFlags struct {
	remote
	dirs []string
}

func rulesCommand() *cobra.Command {
	var f ruleFlags
	c := &cobra.Command{
		Use:   "rules",
		Short: "List, test, explain and import detection rules",
		Long: "The rules are those of the program, and those below each --dir: a rule there takes the\n" +
			"place of one with the same ID. How to write one is in docs/rules.md.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	f.flags(c)
	c.PersistentFlags().StringArrayVar(&f.dirs, "dir", nil, "folder with rules, <family>/<name>.yaml, and lists; may be given several times")
	c.AddCommand(f.list(), f.show(), f.test(), f.explain(), f.importing())
	return c
}

// load reads the rules of the program and of the folders.
func (f *ruleFlags) load() (*detect.Content, error) {
	if f.format != "table" && f.format != "json" {
		return nil, unknownFormat(f.format, "table", "json")
	}
	systems := []fs.FS{rules.FS}
	for _, d := range f.dirs {
		if st, err := os.Stat(d); err != nil || !st.IsDir() {
			return nil, withHint(fmt.Errorf("rules: %s is not a folder", d), "name the folder above the families: rules, not rules/dicom")
		}
		systems = append(systems, os.DirFS(d))
	}
	content, err := detect.Load(systems...)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	return content, nil
}

// ruleFilter are the flags that choose rules.
type ruleFilter struct {
	ids, families             []string
	technique, severity, kind string
}

func (q *ruleFilter) flags(c *cobra.Command) {
	c.Flags().StringSliceVar(&q.ids, "rule", nil, "only rules with this ID; dicom.* for a family; may be given several times")
	c.Flags().StringSliceVar(&q.families, "family", nil, "only this family: dicom, network ...")
	c.Flags().StringVar(&q.technique, "technique", "", "only rules for this ATT&CK technique, and its sub-techniques")
	c.Flags().StringVar(&q.severity, "min-severity", "", "only rules that can reach this severity: info, low, medium, high, critical")
	c.Flags().StringVar(&q.kind, "matcher", "", "only rules with this matcher: trigger, count, unique, sequence, absence, rate, baseline, ioc, go")
}

func (q *ruleFilter) choose(all []*rule.Rule) ([]*rule.Rule, error) {
	var least finding.Severity
	if q.severity != "" {
		s, err := finding.ParseSeverity(q.severity)
		if err != nil {
			return nil, err
		}
		least = s
	}
	var out []*rule.Rule
	for _, r := range all {
		switch {
		case len(q.ids) > 0 && !slices.ContainsFunc(q.ids, func(id string) bool { return matchesID(id, r.ID) }):
		case len(q.families) > 0 && !slices.Contains(q.families, r.Family):
		case q.technique != "" && !slices.ContainsFunc(r.Attack, func(t string) bool { return t == q.technique || strings.HasPrefix(t, q.technique+".") }):
		case q.kind != "" && r.Match.Kind() != q.kind:
		case worst(r) < least:
		default:
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return nil, withHint(errors.New("rules: none is like that"), "asepsis rules list shows all")
	}
	return out, nil
}

func matchesID(want, id string) bool {
	family, all := strings.CutSuffix(want, ".*")
	return want == id || all && strings.HasPrefix(id, family+".")
}

// worst is the highest severity that a rule can have.
func worst(r *rule.Rule) finding.Severity {
	s := max(r.Severity.Base, r.Severity.InCase)
	for _, x := range r.Severity.Criticality {
		s = max(s, x)
	}
	return s
}

// ruleRow is a rule in a list.
type ruleRow struct {
	ID         string           `json:"id"`
	Version    int              `json:"version"`
	Family     string           `json:"family"`
	Title      string           `json:"title"`
	Severity   finding.Severity `json:"severity"`
	Worst      finding.Severity `json:"highest_severity"`
	Confidence uint8            `json:"confidence"`
	Matcher    string           `json:"matcher"`
	Attack     []string         `json:"attack"`
	Needs      []string         `json:"needs"`
	Samples    int              `json:"samples"`
	Origin     string           `json:"origin,omitempty"`
	Disabled   bool             `json:"disabled,omitempty"`
}

func (f *ruleFlags) list() *cobra.Command {
	var q ruleFilter
	c := &cobra.Command{Use: "list", Short: "List rules", Args: cobra.NoArgs,
		Example: "  asepsis rules list --family dicom\n  asepsis rules list --technique T0846 --format json",
		RunE: func(c *cobra.Command, _ []string) error {
			content, err := f.load()
			if err != nil {
				return err
			}
			chosen, err := q.choose(content.Rules)
			if err != nil {
				return err
			}
			rows := make([]ruleRow, 0, len(chosen))
			for _, r := range chosen {
				rows = append(rows, ruleRow{r.ID, r.Version, r.Family, r.Title, r.Severity.Base, worst(r), r.Confidence, r.Match.Kind(), notNil(r.Attack), notNil(r.Needs), len(r.Samples), r.Origin, r.Disabled})
			}
			if f.format == "json" {
				return writeJSON(c.OutOrStdout(), rows)
			}
			t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			_, _ = fmt.Fprintln(t, "ID\tSEVERITY\tMATCHER\tATT&CK\tSAMPLES\tTITLE")
			for _, r := range rows {
				sev := r.Severity.String()
				if r.Worst > r.Severity {
					sev += " to " + r.Worst.String()
				}
				_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\n", r.ID, sev, r.Matcher, strings.Join(r.Attack, " "), r.Samples, r.Title)
			}
			return t.Flush()
		}}
	q.flags(c)
	return c
}

func notNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func (f *ruleFlags) show() *cobra.Command {
	return &cobra.Command{Use: "show ID", Short: "Print a rule as it is written", Args: wants(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			content, err := f.load()
			if err != nil {
				return err
			}
			r := content.Rule(args[0])
			if r == nil {
				return withHint(fmt.Errorf("rule %q: there is none", args[0]), "asepsis rules list shows all")
			}
			for _, d := range slices.Backward(f.dirs) {
				if data, err := os.ReadFile(filepath.Join(d, filepath.FromSlash(r.File))); err == nil {
					_, err = c.OutOrStdout().Write(data)
					return err
				}
			}
			data, err := fs.ReadFile(rules.FS, r.File)
			if err != nil {
				return fmt.Errorf("rule %s: it is part of the program and has no file", r.ID)
			}
			_, err = c.OutOrStdout().Write(data)
			return err
		}}
}

// sampleRow is the result of a sample.
type sampleRow struct {
	Rule     string `json:"rule"`
	Sample   string `json:"sample"`
	Fires    bool   `json:"fires"`
	Passed   bool   `json:"passed"`
	Expected string `json:"expected"`
	Found    string `json:"found"`
	Error    string `json:"error,omitempty"`
	LeftOut  bool   `json:"left_out,omitempty"` // its capture is not on this machine
}

func (f *ruleFlags) test() *cobra.Command {
	var q ruleFilter
	var captures string
	var verbose bool
	c := &cobra.Command{Use: "test", Short: "Run the samples of rules", Args: cobra.NoArgs,
		Long: "Run the samples of rules: what must fire fires, what must not is quiet. It ends with 1 when one\n" +
			"does not hold, and says what was expected and what was found.",
		Example: "  asepsis rules test\n  asepsis rules test --dir my-rules --rule dicom.move-unknown-destination",
		RunE: func(c *cobra.Command, _ []string) error {
			content, err := f.load()
			if err != nil {
				return err
			}
			chosen, err := q.choose(content.Rules)
			if err != nil {
				return err
			}
			results := detect.RunSamples(c.Context(), content, chosen, os.DirFS(captures))
			if err := c.Context().Err(); err != nil {
				return fmt.Errorf("rules test: %w", err)
			}
			// The captures of the shipped rules come with the source. Who has none, and names none, tests the rest.
			_, err = os.Stat(captures)
			absent := errors.Is(err, fs.ErrNotExist) && !c.Flags().Changed("captures")
			return f.results(c, chosen, results, verbose, absent)
		}}
	q.flags(c)
	c.Flags().StringVar(&captures, "captures", filepath.Join("testdata", "captures"), "folder of the captures that samples name")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "list samples that hold, too")
	return c
}

func (f *ruleFlags) results(c *cobra.Command, chosen []*rule.Rule, results []detect.SampleResult, verbose, absent bool) error {
	failed, without, leftOut := 0, 0, 0
	rows := make([]sampleRow, 0, len(results))
	for _, r := range results {
		x := sampleRow{Rule: r.Rule, Sample: r.Sample, Fires: r.Fires, Passed: r.Err == nil, Expected: r.Expected, Found: r.Found}
		switch {
		case r.Err != nil && absent && errors.Is(r.Err, fs.ErrNotExist):
			x.LeftOut = true
			leftOut++
		case r.Err != nil:
			x.Error = r.Err.Error()
			failed++
		}
		rows = append(rows, x)
	}
	for _, r := range chosen {
		if len(r.Samples) == 0 {
			without++
		}
	}
	out := c.OutOrStdout()
	if f.format == "json" {
		if err := writeJSON(out, rows); err != nil {
			return err
		}
	} else {
		for _, x := range rows {
			switch {
			case x.LeftOut:
			case !x.Passed:
				_, _ = fmt.Fprintf(out, "FAIL  %s: %s\n      expected: %s\n      found:    %s\n      %s\n", x.Rule, x.Sample, x.Expected, orNothing(x.Found), x.Error)
			case verbose:
				_, _ = fmt.Fprintf(out, "ok    %s: %s\n", x.Rule, x.Sample)
			}
		}
		_, _ = fmt.Fprintf(out, "%d rules, %d samples, %d failed", len(chosen), len(rows)-leftOut, failed)
		if leftOut > 0 {
			_, _ = fmt.Fprintf(out, "; %d left out: their captures are not here (--captures names their folder)", leftOut)
		}
		if without > 0 {
			_, _ = fmt.Fprintf(out, "; %d imported rules have no samples", without)
		}
		_, _ = fmt.Fprintln(out)
	}
	if failed > 0 {
		return &aboveThresholdError{}
	}
	return nil
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}
