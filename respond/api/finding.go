// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/access"
	"github.com/asepsis/asepsis/respond/problem"
	"github.com/asepsis/asepsis/respond/triage"
	"github.com/asepsis/asepsis/see/detect/alert"
)

// getFinding answers with one finding in full.
func (s *Server) getFinding(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	id := r.PathValue("id")
	if len(id) > store.MaxID {
		return noFinding()
	}
	doc, err := s.dep.Store.Document(r.Context(), alert.Kind, id)
	if errors.Is(err, store.ErrNotFound) {
		return s.undetected(w, r, id)
	}
	if err != nil {
		return err
	}
	d, err := alert.Read(doc.Body)
	if err != nil {
		return problem.Internal(err)
	}
	return s.sendFinding(w, r, d)
}

// undetected answers with a finding of the inventory that detection has not taken over.
func (s *Server) undetected(w http.ResponseWriter, r *http.Request, id string) error {
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	i := slices.IndexFunc(world.all, func(f Finding) bool { return f.ID == id })
	if i < 0 {
		return noFinding()
	}
	f := world.all[i]
	out := detailOf(f)
	for _, e := range f.Evidence {
		out.Occurrences = append(out.Occurrences, FindingEvidence{Time: f.Last, Sentence: e, Fields: []FindingField{}})
	}
	return send(w, r, http.StatusOK, out)
}

func detailOf(f Finding) FindingDetail {
	return FindingDetail{Finding: f, Playbook: []string{}, References: []string{}, FalsePositives: []string{}, Entities: []FindingEntity{}, Occurrences: []FindingEvidence{},
		Pace: []FindingPace{}, History: []FindingStep{}, Related: []Finding{}}
}

// sendFinding writes a finding in full.
func (s *Server) sendFinding(w http.ResponseWriter, r *http.Request, d *alert.Document) error {
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	a := &d.Alert
	f := ofRow(&alert.Row{Alert: *a, Decisions: d.Decisions})
	for i := range f.Devices {
		f.Devices[i].Name = cmp.Or(world.deviceName(f.Devices[i].ID), f.Devices[i].ID)
	}
	out := detailOf(f)
	out.Description, out.Playbook, out.References, out.FalsePositives = a.Description, orEmpty(a.Playbook), orEmpty(a.References), orEmpty(a.Benign)
	out.Reason, out.RuleVersion = a.Triage.Reason, a.RuleVersion
	for _, k := range slices.Sorted(maps.Keys(a.Entities)) {
		out.Entities = append(out.Entities, FindingEntity{k, a.Entities[k]})
	}
	for _, e := range a.Evidence {
		x := FindingEvidence{Time: stamp(e.Time), Sentence: e.Sentence, Expected: e.Expected, Fields: []FindingField{}}
		if e.Seq != 0 {
			id := strconv.FormatUint(e.Seq, 10)
			x.Event = &id
		}
		for _, v := range e.Fields {
			x.Fields = append(x.Fields, FindingField{v.Name, v.Value, v.Decided})
		}
		out.Occurrences = append(out.Occurrences, x)
	}
	for _, p := range a.Pace {
		out.Pace = append(out.Pace, FindingPace{stamp(p.Hour), p.Count})
	}
	for _, h := range a.Triage.History {
		var was struct{ State, Assignee string }
		_ = json.Unmarshal(h.Detail, &was) // what was before is a help, not needed
		out.History = append(out.History, FindingStep{stamp(h.At), h.Who, h.Action, h.Note, was.State, was.Assignee})
	}
	if a.Previous != "" {
		out.Previous = &a.Previous
	}
	if next := alert.ID(alert.KeyOf(a.ID), d.Generation+1); s.know.alerts.Row(next) != nil {
		out.Following = &next
	}
	out.Related = related(world, &f)
	if c, err := s.rules.content(r.Context()); err == nil {
		out.RuleKnown = c.Rule(a.Rule) != nil
	}
	out.EventsQuery = eventsAround(a)
	draft := &Suppression{Rules: []string{a.Rule}, Devices: orEmpty(a.Devices), Theatres: []string{}, Entities: map[string]string{}, State: "draft", Expires: stamp(s.now().Add(30 * 24 * time.Hour).UnixNano())}
	maps.Copy(draft.Entities, a.Entities)
	who, _ := access.ActorOf(r.Context())
	draft.Owner = who.Name
	out.Suppression = draft
	return send(w, r, http.StatusOK, out)
}

// related are other findings of the same devices or room around that time, and others of
// the same rule, the closest first.
func related(w *world, f *Finding) []Finding {
	const near = int64(time.Hour)
	type scored struct {
		f     *Finding
		score int
	}
	var l []scored
	for i := range w.all {
		x := &w.all[i]
		if x.ID == f.ID {
			continue
		}
		score := 0
		for _, d := range f.Devices {
			if slices.ContainsFunc(x.Devices, func(n NamedDevice) bool { return n.ID == d.ID }) {
				score += 4
			}
		}
		together := x.first <= f.last+near && x.last >= f.first-near
		if score > 0 && together {
			score += 4
		}
		if f.Theatre != "" && x.Theatre == f.Theatre && together {
			score += 3
		}
		if x.Rule == f.Rule {
			score++
		}
		if score > 0 {
			l = append(l, scored{x, score})
		}
	}
	slices.SortStableFunc(l, func(a, b scored) int { return cmp.Or(cmp.Compare(b.score, a.score), worstFirst(*a.f, *b.f)) })
	out := []Finding{}
	for _, x := range l[:min(len(l), 20)] {
		out = append(out, *x.f)
	}
	return out
}

// eventsAround is the query of the events page for what the devices did around it.
func eventsAround(a *finding.Alert) string {
	q := url.Values{}
	const around = int64(5 * time.Minute)
	q.Set("from", stamp(max(a.First, a.Last-int64(6*time.Hour))-around))
	q.Set("to", stamp(a.Last+around))
	for _, d := range a.Devices[:min(len(a.Devices), 10)] {
		q.Add("is", "device:"+d)
	}
	return q.Encode()
}

// decisionRequest is a decision as a person sends it.
type decisionRequest struct {
	Revision uint64 `json:"revision"`
	Note     string `json:"note"`
	Assignee string `json:"assignee"`
	Outcome  string `json:"outcome"`
	Reason   string `json:"reason"`
	Until    string `json:"until"`
}

func (q *decisionRequest) change(a triage.Action, now time.Time) (triage.Change, error) {
	c := triage.Change{Action: a, Assignee: q.Assignee, Outcome: finding.Outcome(q.Outcome), Note: cmp.Or(q.Note, q.Reason), Revision: q.Revision}
	if a == triage.Close {
		c.Note = cmp.Or(q.Reason, q.Note)
	}
	if q.Until != "" {
		t, ok := parseUntil(q.Until, now)
		if !ok {
			return c, fields([]problem.Field{{Field: "until", Message: "must be a time such as 2026-03-16T08:30:00Z, or from now: +4h, +1d"}})
		}
		c.Until = t
	}
	return c, nil
}

// parseUntil reads a time to come: RFC 3339, or from now: "+4h".
func parseUntil(s string, now time.Time) (int64, bool) {
	if rest, ok := strings.CutPrefix(s, "+"); ok {
		t, ok := parseTime("-"+rest, now)
		return 2*now.UnixNano() - t, ok
	}
	return parseTime(s, now)
}

// decide returns the handler of a decision about one finding.
func (s *Server) decide(a triage.Action) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		q, p := problem.DecodeJSON[decisionRequest](r, int64(s.cfg.MaxBody))
		if p != nil {
			return p
		}
		c, err := q.change(a, s.now())
		if err != nil {
			return err
		}
		id := r.PathValue("id")
		if s.know.alerts.Row(id) == nil {
			if err := s.takenOver(r, id); err != nil {
				return err
			}
		}
		if c.Revision == 0 && a != triage.Note {
			return fields([]problem.Field{{Field: "revision", Message: "is needed: the one that was read"}})
		}
		if a == triage.Note {
			c.Revision = 0
		}
		d, err := triage.Apply(r.Context(), s.dep.Store, id, c, s.decider(r), s.now())
		if err != nil {
			return triageProblem(err)
		}
		s.decided(r, []string{id})
		return s.sendFinding(w, r, d)
	}
}

// takenOver reports whether detection has a finding already.
func (s *Server) takenOver(r *http.Request, id string) error {
	if len(id) > store.MaxID {
		return noFinding()
	}
	if _, err := s.dep.Store.Document(r.Context(), alert.Kind, id); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(world.all, func(f Finding) bool { return f.ID == id }) {
		return noFinding()
	}
	return problem.Conflict("Detection has not taken this finding over yet.", "try again in a few seconds; if that does not help, see under System whether detection runs")
}

func (s *Server) decider(r *http.Request) triage.Who {
	a := s.audit(r, "", "")
	return triage.Who{Name: a.Who, From: a.From}
}

// decided makes the change known here and elsewhere.
func (s *Server) decided(r *http.Request, ids []string) {
	if err := s.know.alerts.Refresh(r.Context(), ids); err != nil {
		s.log.Debug("findings that changed could not be read", "error", err)
	}
	s.know.changed()
	if body, err := json.Marshal(map[string]any{"ids": ids}); err == nil {
		if err := s.dep.Bus.Tell("findings", body); err != nil {
			s.log.Debug("a notice was not sent to other processes", "what", "findings", "error", err)
		}
	}
	s.tell("findings")
}

// triageProblem is why a decision was not made.
func triageProblem(err error) error {
	var invalid *triage.InvalidError
	var conflict *triage.ConflictError
	var state *triage.StateError
	switch {
	case errors.Is(err, triage.ErrNotFound):
		return noFinding()
	case errors.As(err, &invalid):
		return fields([]problem.Field{{Field: invalid.Field, Message: invalid.Message}})
	case errors.As(err, &conflict):
		t := conflict.Now.Alert.Triage
		return problem.Conflict(fmt.Sprintf("This finding was changed by someone else meanwhile: it is at revision %d, not %d, %s, assigned to %s.",
			conflict.Now.Decisions+1, conflict.Had, t.State, cmp.Or(t.Assignee, "nobody")), "load it again, look at what is new, and repeat the change").Coded(problem.RevisionConflict)
	case errors.As(err, &state):
		return problem.Conflict(state.Message, "load it again")
	}
	return err
}

// bulkRequest is a decision about many findings.
type bulkRequest struct {
	Action   string   `json:"action"`
	IDs      []string `json:"ids"`
	Search   string   `json:"search"`
	Note     string   `json:"note"`
	Assignee string   `json:"assignee"`
	Outcome  string   `json:"outcome"`
	Reason   string   `json:"reason"`
	Until    string   `json:"until"`
}

// postBulk decides about many findings, each by itself.
func (s *Server) postBulk(w http.ResponseWriter, r *http.Request) error {
	q, p := problem.DecodeJSON[bulkRequest](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	one := decisionRequest{Note: q.Note, Assignee: q.Assignee, Outcome: q.Outcome, Reason: q.Reason, Until: q.Until}
	c, err := one.change(triage.Action(q.Action), s.now())
	if err != nil {
		return err
	}
	ids := q.IDs
	if (len(ids) == 0) == (q.Search == "") {
		return fields([]problem.Field{{Field: "ids", Message: "or search is needed, and not both", Hint: "search takes the query of GET /findings"}})
	}
	if q.Search != "" {
		if ids, err = s.foundBy(r, q.Search); err != nil {
			return err
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	results, err := triage.Bulk(r.Context(), s.dep.Store, ids, c, s.decider(r), s.now())
	if err != nil && len(results) == 0 {
		return triageProblem(err)
	}
	out := FindingBulkResult{Results: []FindingBulkAnswer{}}
	for _, x := range results {
		a := FindingBulkAnswer{ID: x.ID, OK: x.Err == nil}
		if x.Err != nil {
			out.Failed++
			a.Message = problem.From(triageProblem(x.Err)).Detail
		} else {
			out.Done++
		}
		out.Results = append(out.Results, a)
	}
	for batch := range slices.Chunk(ids, 500) {
		s.decided(r, batch)
	}
	return send(w, r, http.StatusOK, out)
}

// foundBy returns the findings that a query of GET /findings lists.
func (s *Server) foundBy(r *http.Request, query string) ([]string, error) {
	who, _ := access.ActorOf(r.Context())
	inner := r.Clone(r.Context())
	inner.URL.RawQuery = strings.TrimPrefix(query, "?")
	p := s.params(inner)
	q := p.findings(who.Name)
	for _, name := range []string{"sort", "order", "limit", "cursor", "group"} {
		p.know(name) // what only shows the list differently
	}
	if err := p.end(); err != nil {
		return nil, err
	}
	world, err := s.know.get(r.Context())
	if err != nil {
		return nil, err
	}
	var ids []string
	for i := range world.all {
		if f := &world.all[i]; q.matches(world, f) {
			ids = append(ids, f.ID)
		}
	}
	if len(ids) > triage.MaxBulk {
		return nil, problem.BadRequest(fmt.Sprintf("The search finds %d findings, more than %d.", len(ids), triage.MaxBulk), "narrow it down")
	}
	return ids, nil
}
