// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"hash/fnv"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/respond/access"
	"github.com/asepsis/asepsis/respond/problem"
	"github.com/asepsis/asepsis/see/detect"
	"github.com/asepsis/asepsis/see/detect/alert"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/suppress"
	"github.com/asepsis/asepsis/see/recorder"
)

// alertsEvery is how often all alerts are read, beside those of which a notice says that
// they changed.
const alertsEvery = 10 * time.Second

// readFindings makes the findings of a world: what detection found, and what the
// inventory cannot reconcile, as long as detection did not take that over.
func (k *knowledge) readFindings(ctx context.Context, w *world) error {
	if now := k.now(); k.loaded.IsZero() || now.Sub(k.loaded) >= alertsEvery || now.Before(k.loaded) {
		if err := k.alerts.Load(ctx); err != nil && !errors.Is(err, alert.ErrUnreadable) {
			return err // one that cannot be read is left out; detection reports it
		}
		k.loaded = now
	}
	docs, err := documents(ctx, k.store, kindFinding, maxFindings)
	if err != nil {
		return err
	}
	rows, rev := k.alerts.Rows()
	h := fnv.New64a()
	_, _ = h.Write(strconv.AppendUint(nil, rev, 10))
	all := make([]Finding, 0, len(rows)+len(docs))
	for _, r := range rows {
		all = append(all, ofRow(r))
	}
	for _, d := range docs {
		var f recorder.Finding
		if err := json.Unmarshal(d.Body, &f); err != nil {
			k.log.Error("a finding cannot be read and is left out", "finding", d.ID, "error", err)
			continue
		}
		o := detect.OfConflict(&f, d.ID)
		key := alert.Key(o.Rule.ID, o.Group)
		if k.alerts.Row(key) != nil {
			continue
		}
		_, _ = h.Write(strconv.AppendUint([]byte(d.ID+" "), d.Revision, 10))
		doc := alert.New(key)
		doc.Apply(o)
		all = append(all, ofRow(&alert.Row{Alert: doc.Alert}))
	}
	if sum := h.Sum64() >> 11; sum != w.findRev || w.all == nil {
		w.findRev, w.all = sum, all
	}
	return nil
}

// ofRow is an alert as lists show it. Devices have no names yet.
func ofRow(r *alert.Row) Finding {
	a := &r.Alert
	f := Finding{ID: a.ID, Rule: a.Rule, Family: a.Family, Severity: Severity(a.Severity), SeverityWhy: orEmpty(a.Why), Confidence: a.Confidence, Title: a.Title, Room: a.Room,
		Devices: []NamedDevice{}, Theatre: a.Theatre, CaseState: string(a.Case), Count: a.Count, First: stamp(a.First), Last: stamp(a.Last), Attack: orEmpty(a.Attack), Evidence: []string{},
		State: string(cmp.Or(a.Triage.State, finding.Open)), Assignee: a.Triage.Assignee, Outcome: string(a.Triage.Outcome), SnoozedUntil: stampOrNil(a.Triage.Until),
		SuppressedBy: a.Suppressed, SuppressedCount: a.Hidden, Revision: r.Decisions + 1, first: a.First, last: a.Last, until: a.Triage.Until}
	for _, id := range a.Devices {
		f.Devices = append(f.Devices, NamedDevice{ID: id})
	}
	for _, e := range a.Evidence[max(0, len(a.Evidence)-3):] {
		f.Evidence = append(f.Evidence, e.Sentence)
	}
	var b strings.Builder
	for _, t := range []string{a.ID, a.Rule, a.Title, a.Theatre, a.Triage.Assignee} {
		b.WriteString(t + "\n")
	}
	for _, v := range a.Entities {
		b.WriteString(v + "\n")
	}
	f.search = b.String()
	return f
}

// nameFindings puts the names of devices into the findings, and says which need somebody
// now.
func nameFindings(w *world, now int64) {
	w.all = slices.Clone(w.all)
	w.findings = w.findings[:0:0]
	for i := range w.all {
		f := &w.all[i]
		f.Devices = slices.Clone(f.Devices)
		var b strings.Builder
		b.WriteString(f.search)
		for j := range f.Devices {
			d := &f.Devices[j]
			d.Name = cmp.Or(w.deviceName(d.ID), d.ID)
			b.WriteString(d.ID + "\n" + d.Name + "\n")
			if row, ok := w.row(d.ID); ok && f.Theatre == "" {
				f.Theatre = row.Theatre
			}
		}
		f.search = strings.ToLower(b.String())
		f.Site = w.siteOf(f)
		if f.State != string(finding.Closed) && f.SuppressedBy == "" && f.until <= now {
			w.findings = append(w.findings, *f)
		}
	}
	slices.SortStableFunc(w.findings, worstFirst)
}

func worstFirst(a, b Finding) int {
	return cmp.Or(int(b.Severity)-int(a.Severity), cmp.Compare(b.last, a.last), cmp.Compare(a.ID, b.ID))
}

// heardFindings is called with notices about alerts.
func (s *Server) heardFindings(body []byte) {
	var x detect.Changed
	if len(body) > 64<<10 || json.Unmarshal(body, &x) != nil || len(x.IDs) > 1000 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.know.alerts.Refresh(ctx, x.IDs); err != nil {
		s.log.Debug("findings that changed could not be read", "error", err)
	}
	s.know.noticed(true)
}

// findingQuery is what a list of findings is filtered by.
type findingQuery struct {
	state, rule, family, theatre, device, caseState, assignee, outcome, suppressed, snoozed string
	severity, min                                                                           finding.Severity
	words                                                                                   []string
	from, to                                                                                int64
	me                                                                                      string
	now                                                                                     int64
}

// findings reads the parameters of a filter.
func (p *params) findings(me string) findingQuery {
	q := findingQuery{state: p.choice("state", "open", "acknowledged", "closed", "active", "all"), severity: p.severity("severity"), min: p.severity("min_severity"), rule: p.text("rule", 256), family: p.text("family", 64),
		theatre: p.text("theatre", 64), device: p.text("device", 256), caseState: p.choice("case", "idle", "in-case", "maintenance"), assignee: p.text("assignee", 256),
		outcome: p.choice("outcome", "true", "false", "benign", "wont-fix"), words: strings.Fields(strings.ToLower(p.text("q", 256))), suppressed: p.choice("suppressed", "no", "yes", "all"),
		snoozed: p.choice("snoozed", "no", "yes", "all"), from: p.time("from"), to: p.time("to"), me: me, now: p.now.UnixNano()}
	if q.assignee == "me" {
		q.assignee = me
	}
	return q
}

func (q *findingQuery) matches(w *world, f *Finding) bool {
	switch q.state {
	case "", "active":
		if f.State == string(finding.Closed) {
			return false
		}
	case "all":
	default:
		if f.State != q.state {
			return false
		}
	}
	hidden, snoozed := f.SuppressedBy != "", f.until > q.now
	switch {
	case q.suppressed != "all" && hidden != (q.suppressed == "yes"),
		q.snoozed != "all" && q.snoozed != "" && snoozed != (q.snoozed == "yes"), q.snoozed == "" && snoozed && f.State != string(finding.Closed),
		q.severity != 0 && f.Severity != Severity(q.severity), f.Severity < Severity(q.min),
		q.rule != "" && !suppress.MatchRule(q.rule, f.Rule), q.family != "" && f.Family != q.family, q.theatre != "" && f.Theatre != q.theatre,
		q.caseState != "" && f.CaseState != q.caseState, q.outcome != "" && f.Outcome != q.outcome,
		q.assignee == "none" && f.Assignee != "", q.assignee != "" && q.assignee != "none" && f.Assignee != q.assignee,
		q.from != 0 && f.last < q.from, q.to != 0 && f.last >= q.to:
		return false
	}
	if q.device != "" && !slices.ContainsFunc(f.Devices, func(n NamedDevice) bool {
		row, ok := w.row(n.ID)
		return n.ID == q.device || ok && row.ID == q.device
	}) {
		return false
	}
	return !slices.ContainsFunc(q.words, func(word string) bool { return !strings.Contains(f.search, word) })
}

var findingSorts = map[string]func(a, b *Finding) int{
	"severity": func(a, b *Finding) int { return cmp.Compare(a.Severity, b.Severity) },
	"last":     func(a, b *Finding) int { return cmp.Compare(a.last, b.last) },
	"first":    func(a, b *Finding) int { return cmp.Compare(a.first, b.first) },
	"count":    func(a, b *Finding) int { return cmp.Compare(a.Count, b.Count) },
	"title":    func(a, b *Finding) int { return cmp.Compare(strings.ToLower(a.Title), strings.ToLower(b.Title)) },
	"rule":     func(a, b *Finding) int { return cmp.Compare(a.Rule, b.Rule) },
	"theatre":  func(a, b *Finding) int { return cmp.Compare(a.Theatre, b.Theatre) },
	"state":    func(a, b *Finding) int { return cmp.Compare(b.State, a.State) }, // open first when descending
	"device": func(a, b *Finding) int {
		name := func(f *Finding) string {
			if len(f.Devices) > 0 {
				return strings.ToLower(f.Devices[0].Name)
			}
			return ""
		}
		return cmp.Compare(name(a), name(b))
	},
}

// sortFindings sorts by a field, and what is the same there the worst first.
func sortFindings(l []*Finding, by, order string) {
	by = cmp.Or(by, "severity")
	f := findingSorts[by]
	desc := order == "desc" || order == "" && (by == "severity" || by == "last" || by == "first" || by == "count" || by == "state")
	slices.SortStableFunc(l, func(a, b *Finding) int {
		c := f(a, b)
		if desc {
			c = -c
		}
		return cmp.Or(c, worstFirst(*a, *b))
	})
}

// getFindings answers with what needs a person.
func (s *Server) getFindings(w http.ResponseWriter, r *http.Request) error {
	who, _ := access.ActorOf(r.Context())
	p := s.params(r)
	q := p.findings(who.Name)
	by := p.choice("sort", "severity", "last", "first", "count", "title", "rule", "device", "theatre", "state")
	order := p.choice("order", "asc", "desc")
	limit := p.number("limit", 1, 10_000, 500)
	group := p.choice("group", "rule", "device", "theatre")
	site := p.text("site", maxName)
	after := 0
	if c := p.text("cursor", 64); c != "" {
		n, err := strconv.Atoi(c)
		if err != nil || n < 0 {
			p.fail("cursor", "", "is none of this address")
		}
		after = n
	}
	if err := p.end(); err != nil {
		return err
	}
	world, err := s.world(r.Context(), site)
	if err != nil {
		return err
	}
	if row, ok := world.row(q.device); ok {
		q.device = row.ID
	}
	out := FindingList{Findings: []Finding{}, Revision: world.findRev, Facets: []FindingFacet{}, Groups: []FindingGroup{}}
	var hits []*Finding
	for i := range world.all {
		f := &world.all[i]
		out.Counts.add(f, who.Name, q.now)
		if q.matches(world, f) {
			hits = append(hits, f)
		}
	}
	sortFindings(hits, by, order)
	out.Total = len(hits)
	out.Facets = facets(world, hits)
	if group != "" {
		out.Groups = groupFindings(world, hits, group)
		if group == "rule" {
			s.entitle(r.Context(), out.Groups)
		}
	}
	for _, f := range hits[min(after, len(hits)):min(after+limit, len(hits))] {
		out.Findings = append(out.Findings, *f)
	}
	if after+limit < len(hits) {
		next := strconv.Itoa(after + limit)
		out.Next = &next
	}
	return send(w, r, http.StatusOK, out)
}

func (c *FindingCounts) add(f *Finding, me string, now int64) {
	if me != "" && f.Assignee == me && f.State != string(finding.Closed) {
		c.Mine++
	}
	switch {
	case f.State == string(finding.Closed):
		c.Closed++
		return
	case f.SuppressedBy != "":
		c.Suppressed++
		return
	case f.until > now:
		c.Snoozed++
		return
	case f.State == string(finding.Acknowledged):
		c.Acknowledged++
	default:
		c.Open++
	}
	switch finding.Severity(f.Severity) {
	case finding.Critical:
		c.Critical++
	case finding.High:
		c.High++
	}
}

const maxFacet = 50

// facets counts the values of what is shown beside the list.
func facets(w *world, hits []*Finding) []FindingFacet {
	var out []FindingFacet
	for _, field := range []string{"severity", "rule", "family", "theatre", "device", "state", "assignee"} {
		count := map[string]int{}
		for _, f := range hits {
			switch field {
			case "severity":
				count[f.Severity.String()]++
			case "rule":
				count[f.Rule]++
			case "family":
				count[f.Family]++
			case "theatre":
				count[f.Theatre]++
			case "state":
				count[f.State]++
			case "assignee":
				count[f.Assignee]++
			case "device":
				for _, d := range f.Devices {
					count[d.ID]++
				}
			}
		}
		x := FindingFacet{Field: field, Values: []FindingFacetValue{}}
		for v, n := range count {
			x.Values = append(x.Values, FindingFacetValue{v, facetLabel(w, field, v), n})
		}
		slices.SortFunc(x.Values, func(a, b FindingFacetValue) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
		})
		x.Values = x.Values[:min(len(x.Values), maxFacet)]
		out = append(out, x)
	}
	return out
}

func facetLabel(w *world, field, v string) string {
	switch {
	case field == "device":
		return cmp.Or(w.deviceName(v), v)
	case field == "theatre" && v == "":
		return "No theatre"
	case field == "theatre":
		return cmp.Or(w.roomNames[v], v)
	case field == "assignee" && v == "":
		return "Nobody"
	}
	return v
}

// entitle labels groups of findings of one rule with what the rule finds, in words that hold
// for all of them. Where no rule is known (findings of the inventory) the label stays.
func (s *Server) entitle(ctx context.Context, groups []FindingGroup) {
	c, err := s.rules.content(ctx)
	if err != nil {
		return
	}
	by := map[string]*rule.Rule{}
	for _, r := range c.Rules {
		by[r.ID] = r
	}
	for i := range groups {
		if r := by[groups[i].Key]; r != nil {
			groups[i].Label = r.Heading()
		}
	}
}

// groupFindings sums up by a field.
func groupFindings(w *world, hits []*Finding, by string) []FindingGroup {
	at := map[string]*FindingGroup{}
	for _, f := range hits {
		keys := []string{f.Rule}
		switch by {
		case "theatre":
			keys[0] = f.Theatre
		case "device":
			keys = keys[:0]
			for _, d := range f.Devices {
				keys = append(keys, d.ID)
			}
		}
		for _, k := range keys {
			g := at[k]
			if g == nil {
				g = &FindingGroup{Key: k, Label: facetLabel(w, by, k), first: f.first}
				at[k] = g
			}
			g.Findings++
			if f.State == string(finding.Open) {
				g.Open++
			}
			g.Occurrences += f.Count
			g.Worst = max(g.Worst, f.Severity)
			g.first, g.last = min(g.first, f.first), max(g.last, f.last)
		}
	}
	out := make([]FindingGroup, 0, len(at))
	for _, g := range at {
		g.First, g.Last = stamp(g.first), stamp(g.last)
		out = append(out, *g)
	}
	slices.SortFunc(out, func(a, b FindingGroup) int {
		return cmp.Or(int(b.Worst)-int(a.Worst), cmp.Compare(b.Findings, a.Findings), cmp.Compare(a.Key, b.Key))
	})
	return out[:min(len(out), 1000)]
}

// noFinding says that an ID is none.
func noFinding() error { return problem.NotFound("There is no finding with this ID.") }
