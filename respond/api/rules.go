// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"context"
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/respond/problem"
	"github.com/asepsis/asepsis/see/detect"
	"github.com/asepsis/asepsis/see/detect/rule"
)

// engines reads what the processes that detect say.
func (s *Server) engines(ctx context.Context) ([]detect.Report, error) {
	l, err := s.dep.Bus.Reports(ctx, detect.ReportKind)
	if err != nil {
		return nil, err
	}
	var out []detect.Report
	for _, x := range l {
		var r detect.Report
		if s.now().Sub(x.At) > reportGone || json.Unmarshal(x.Body, &r) != nil {
			continue
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b detect.Report) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// ruleRows makes the rows of all rules.
func (s *Server) ruleRows(ctx context.Context) ([]RuleRow, []detect.Report, *detect.Content, error) {
	c, site, revs, broken, err := s.rules.snapshot(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	reports, err := s.engines(ctx)
	if err != nil {
		s.log.Debug("the reports of detection cannot be read", "error", err)
	}
	health := map[string]*detect.RuleHealth{}
	for _, rep := range reports {
		for _, h := range rep.Rules {
			x := health[h.ID]
			if x == nil {
				health[h.ID] = &h
				continue
			}
			x.Off, x.Error = cmp.Or(x.Off, h.Off), cmp.Or(x.Error, h.Error)
			x.Evaluations += h.Evaluations
			x.Errors += h.Errors
			x.Keys += h.Keys
			x.Evicted += h.Evicted
			x.Learning += h.Learning
			x.Ready += h.Ready
			x.Distrusted += h.Distrusted
			x.Nanoseconds, x.Last = max(x.Nanoseconds, h.Nanoseconds), max(x.Last, h.Last)
		}
	}
	kept := s.ruleNoise()
	rows := make([]RuleRow, 0, len(c.Rules))
	add := func(r *rule.Rule, internal bool) {
		row := rowOfRule(r)
		row.Revision = revs[r.ID]
		if internal {
			row.Origin, row.Kind = "internal", "internal"
		}
		x, h := site[r.ID], health[r.ID]
		switch {
		case r.Disabled:
			row.State, row.Why = "off", x.Reason
		case broken[r.ID] != nil:
			row.State, row.Why = "failing", broken[r.ID].Error()
		case h != nil && h.Off != "":
			row.State, row.Why = "failing", h.Off
		case h != nil && h.Evaluations > 0 && h.Errors*100 > h.Evaluations:
			row.State, row.Why = "failing", h.Error
		}
		if h != nil {
			row.Evaluations, row.Errors, row.Nanoseconds, row.Keys, row.Evicted = h.Evaluations, h.Errors, h.Nanoseconds, h.Keys, h.Evicted
			row.Learning, row.Ready, row.Distrusted = h.Learning, h.Ready, h.Distrusted
			row.LastFired = stampOrNil(h.Last)
		}
		if k := row.Kind; k == "baseline" || k == "rate" || k == "absence" {
			row.Baseline = "learning"
			if row.Ready > 0 {
				row.Baseline = "ready"
			}
		}
		if n := kept[r.ID]; n != nil {
			row.Alerts, row.Open, row.PerDay = n.all, n.open, float64(n.week)/7
			if n.closed > 0 {
				row.Noise = 100 * n.noise / n.closed
			}
			if last := stamp(n.last); row.LastFired == nil || *row.LastFired < last {
				row.LastFired = &last
			}
		}
		rows = append(rows, row)
	}
	for _, r := range c.Rules {
		add(r, false)
	}
	for _, r := range detect.InternalRules() {
		add(r, true)
	}
	return rows, reports, c, nil
}

type noise struct {
	all, open, closed, noise, week int
	last                           int64
}

// ruleNoise counts the findings that are kept by rule.
func (s *Server) ruleNoise() map[string]*noise {
	rows, _ := s.know.alerts.Rows()
	week := s.now().Add(-7 * 24 * time.Hour).UnixNano()
	out := map[string]*noise{}
	for _, a := range rows {
		n := out[a.Rule]
		if n == nil {
			n = &noise{}
			out[a.Rule] = n
		}
		n.all++
		n.last = max(n.last, a.Last)
		if a.First >= week {
			n.week++
		}
		if a.Triage.State != finding.Closed {
			n.open++
			continue
		}
		n.closed++
		if a.Triage.Outcome == finding.FalsePositive || a.Triage.Outcome == finding.Harmless {
			n.noise++
		}
	}
	return out
}

func rowOfRule(r *rule.Rule) RuleRow {
	row := RuleRow{ID: r.ID, Family: r.Family, Title: r.Title, Version: r.Version, Origin: "shipped", Kind: r.Match.Kind(), Severity: Severity(r.Severity.Base), InCase: Severity(r.Severity.InCase),
		Confidence: r.Confidence, Attack: orEmpty(r.Attack), State: "on", Noise: -1, Baseline: "none"}
	switch first, _, _ := strings.Cut(r.Origin, " "); first {
	case "sigma", "suricata":
		row.Origin = first
	case "own":
		row.Origin = "own"
	}
	return row
}

func (s *Server) getRules(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	family, words, state := p.text("family", 64), strings.Fields(strings.ToLower(p.text("q", 256))), p.choice("state", "on", "off", "failing", "learning")
	if err := p.end(); err != nil {
		return err
	}
	rows, reports, _, err := s.ruleRows(r.Context())
	if err != nil {
		return err
	}
	out := RuleList{Rules: []RuleRow{}, Families: []string{}, Engines: []RuleEngine{}}
	for _, row := range rows {
		if !slices.Contains(out.Families, row.Family) {
			out.Families = append(out.Families, row.Family)
		}
		text := strings.ToLower(row.ID + " " + row.Title + " " + strings.Join(row.Attack, " "))
		if family != "" && row.Family != family || state != "" && row.State != state && !(state == "learning" && row.Baseline == "learning") ||
			slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) }) {
			continue
		}
		out.Rules = append(out.Rules, row)
	}
	slices.Sort(out.Families)
	slices.SortFunc(out.Rules, func(a, b RuleRow) int { return cmp.Compare(a.ID, b.ID) })
	for _, rep := range reports {
		out.Engines = append(out.Engines, RuleEngine{Name: rep.Name, At: stamp(rep.At), Partitions: rep.Partitions, BehindEvents: rep.Behind, BehindSeconds: float64(rep.BehindMS) / 1000,
			EventsPerSecond: rep.PerSecond, Rules: len(rep.Rules), Problem: rep.Problem})
	}
	return send(w, r, http.StatusOK, out)
}

func noRule() error { return problem.NotFound("There is no rule with this ID.") }

// sendRule answers with one rule in full.
func (s *Server) sendRule(w http.ResponseWriter, r *http.Request, id string, status int) error {
	rows, _, c, err := s.ruleRows(r.Context())
	if err != nil {
		return err
	}
	i := slices.IndexFunc(rows, func(x RuleRow) bool { return x.ID == id })
	x := c.Rule(id)
	if i < 0 || x == nil {
		return noRule()
	}
	out := RuleDetail{RuleRow: rows[i], Description: x.Analyst, Room: x.Room, Playbook: orEmpty(x.Playbook), References: orEmpty(x.References), FalsePositives: orEmpty(x.FalsePositives),
		Needs: orEmpty(x.Needs), Samples: []RuleSample{}}
	for _, t := range x.Samples {
		out.Samples = append(out.Samples, RuleSample{t.Name, t.Fires != nil})
	}
	_, site, _, _, err := s.rules.snapshot(r.Context())
	if err != nil {
		return err
	}
	if y, ok := site[id]; ok {
		out.ChangedBy, out.ChangedAt, out.Text = y.Who, stampOrNil(y.At), y.Text
	}
	if out.Text == "" && out.Origin != "internal" {
		out.Text = s.ruleText(x)
	}
	return send(w, r, status, out)
}

// ruleText is a rule's YAML as it was written.
func (s *Server) ruleText(x *rule.Rule) string {
	name := strings.Replace(x.ID, ".", "/", 1) + ".yaml"
	if s.dep.RulesDir != "" {
		if root, err := os.OpenRoot(s.dep.RulesDir); err == nil {
			defer func() { _ = root.Close() }()
			if b, err := fs.ReadFile(root.FS(), name); err == nil {
				return string(b)
			}
		}
	}
	if b, err := fs.ReadFile(s.dep.Rules, name); err == nil {
		return string(b)
	}
	return string(rule.Encode(x))
}

func (s *Server) getRule(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	return s.sendRule(w, r, r.PathValue("id"), http.StatusOK)
}
