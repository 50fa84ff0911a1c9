// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/problem"
	"github.com/asepsis/asepsis/see/detect"
	"github.com/asepsis/asepsis/see/detect/explain"
	"github.com/asepsis/asepsis/see/detect/rule"
)

// RuleTest answers POST /rules/test.
type RuleTest struct {
	OK      bool             `json:"ok"`
	Errors  []string         `json:"errors"`
	Samples []RuleTestSample `json:"samples"`
}

// RuleTestSample is what became of a sample.
type RuleTestSample struct {
	Name     string `json:"name"`
	OK       bool   `json:"ok"`
	Expected string `json:"expected"`
	Found    string `json:"found"`
}

// postRuleTest checks a text and runs its samples.
func (s *Server) postRuleTest(w http.ResponseWriter, r *http.Request) error {
	q, p := problem.DecodeJSON[ruleTextRequest](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	out := RuleTest{Errors: []string{}, Samples: []RuleTestSample{}}
	x, c, err := s.parsed(r.Context(), q.Text)
	var bad *problem.Problem
	if err != nil {
		if c == nil || !errors.As(err, &bad) || len(bad.Errors) == 0 {
			return err
		}
		out.Errors = append(out.Errors, bad.Errors[0].Message)
		return send(w, r, http.StatusOK, out)
	}
	ctx, cancel := context.WithTimeout(r.Context(), detect.SampleDeadline)
	defer cancel()
	out.OK = true
	for _, res := range detect.RunSamples(ctx, c, []*rule.Rule{x}, nil) {
		one := RuleTestSample{Name: res.Sample, OK: res.Err == nil, Expected: res.Expected, Found: res.Found}
		if res.Err != nil {
			out.OK = false
			one.Found = cmp.Or(one.Found, res.Err.Error())
		}
		out.Samples = append(out.Samples, one)
	}
	return send(w, r, http.StatusOK, out)
}

// RuleExplanation answers GET /events/{id}/explain.
type RuleExplanation struct {
	Event string            `json:"event"` // what happened, in words
	Rules []explain.Verdict `json:"rules"`
}

// getExplain says what each rule makes of one stored event by itself, as devices,
// rooms and policy are now. What matchers had counted before is not known.
func (s *Server) getExplain(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	content, err := s.rules.content(r.Context())
	if err != nil {
		return err
	}
	rec, err := s.eventNamed(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	e, err := record.Decode(rec.Data)
	if err != nil {
		return problem.Internal(err)
	}
	world, err := detect.WorldOf(r.Context(), s.dep.Store, s.dep.Policy)
	if err != nil {
		return err
	}
	scene := world.Scene(&rec, e)
	out := RuleExplanation{Event: e.Class().Caption() + ": " + e.Class().ActivityCaption(e.Activity), Rules: explain.Scene(content, &scene)}
	if t := e.Sentence(); t != "" {
		out.Event += ": " + t
	}
	return send(w, r, http.StatusOK, out)
}

// eventNamed finds an event by its number, or by its uid.
func (s *Server) eventNamed(ctx context.Context, name string) (record.Record, error) {
	none := problem.NotFound("There is no event with this number or uid (any more).")
	if seq, err := strconv.ParseUint(name, 10, 63); err == nil {
		rec, err := s.dep.Store.Get(ctx, seq)
		if errors.Is(err, store.ErrNotFound) {
			return rec, none
		}
		return rec, err
	}
	if len(name) > 128 {
		return record.Record{}, none
	}
	page, err := s.dep.Store.Query(ctx, store.Query{Text: name, Limit: 100})
	if errors.Is(err, store.ErrInvalid) {
		return record.Record{}, none
	}
	if err != nil {
		return record.Record{}, err
	}
	for i := range page.Records {
		if e, err := record.Decode(page.Records[i].Data); err == nil && e.UID == name {
			return page.Records[i], nil
		}
	}
	return record.Record{}, none
}
