// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/respond/access"
	"github.com/asepsis/asepsis/respond/problem"
	"github.com/asepsis/asepsis/see/detect"
)

// BaselineList answers GET /baselines.
type BaselineList struct {
	Baselines []Baseline `json:"baselines"`
	More      bool       `json:"more"`
}

// Baseline is what a rule learned for a key.
type Baseline struct {
	Rule       string          `json:"rule"`
	Key        string          `json:"key"`
	Label      string          `json:"label"`
	State      string          `json:"state"`
	Since      string          `json:"since"`
	ReadySince *string         `json:"ready_since"`
	Samples    uint64          `json:"samples"`
	Values     []BaselineValue `json:"values"`
	Distrusted int             `json:"distrusted"`
}

// BaselineValue is one value that was learned.
type BaselineValue struct {
	Value   string `json:"value"`
	First   string `json:"first"`
	Last    string `json:"last"`
	Count   uint64 `json:"count"`
	Trusted bool   `json:"trusted"`
	By      string `json:"by"`
}

// getBaselines asks all processes that detect what they learned.
func (s *Server) getBaselines(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	q := detect.BaselineRequest{Action: "list", Rule: p.text("rule", 256), Text: p.text("q", 256), Limit: 1000}
	state := p.choice("state", "learning", "ready", "frozen", "distrusted")
	limit := p.number("limit", 1, 1000, 200)
	if err := p.end(); err != nil {
		return err
	}
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	out := BaselineList{Baselines: []Baseline{}}
	err = s.askDetection(r.Context(), q, func(body []byte) error {
		var a detect.BaselineAnswer
		if err := json.Unmarshal(body, &a); err != nil {
			return problem.Internal(err)
		}
		out.More = out.More || a.More
		for _, b := range a.Baselines {
			x := Baseline{Rule: b.Rule, Key: b.Key, Label: labelOf(world, b.Key), State: "learning", Since: stamp(b.Since), ReadySince: stampOrNil(b.Ready), Samples: b.Samples, Values: []BaselineValue{}}
			if b.Ready != 0 {
				x.State = "ready"
			}
			if b.Frozen {
				x.State = "frozen"
			}
			for _, v := range b.Values {
				y := BaselineValue{Value: v.Value, First: stamp(v.First), Last: stamp(v.Last), Count: v.Count, Trusted: !v.Distrusted}
				if v.Accepted {
					y.By = "person"
				}
				if v.Distrusted {
					x.Distrusted++
				}
				x.Values = append(x.Values, y)
			}
			if state == "distrusted" && x.Distrusted == 0 || state != "" && state != "distrusted" && x.State != state {
				continue
			}
			out.Baselines = append(out.Baselines, x)
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(out.Baselines, func(a, b Baseline) int { return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Key, b.Key)) })
	if len(out.Baselines) > limit {
		out.Baselines, out.More = out.Baselines[:limit], true
	}
	return send(w, r, http.StatusOK, out)
}

// labelOf writes a key for people: parts by names of devices where they are some.
func labelOf(w *world, key string) string {
	parts := strings.Split(key, "\x1f")
	for i, p := range parts {
		parts[i] = cmp.Or(w.deviceName(p), p, "–")
	}
	return strings.Join(parts, " · ")
}

// askDetection asks every process that detects.
func (s *Server) askDetection(ctx context.Context, q detect.BaselineRequest, answer func([]byte) error) error {
	reports, err := s.engines(ctx)
	if err != nil {
		return err
	}
	if len(reports) == 0 {
		return problem.Unavailable("Detection does not run.", "see under System", 5*time.Second, nil)
	}
	body, err := json.Marshal(q)
	if err != nil {
		return problem.Internal(err)
	}
	for _, rep := range reports {
		a, err := s.dep.Bus.Ask(ctx, detect.BaselineSubject(rep.Name), body)
		if errors.Is(err, bus.ErrNobody) {
			continue
		}
		if err != nil {
			return err
		}
		if err := answer(a); err != nil {
			return err
		}
	}
	return nil
}

// postBaseline changes what was learned.
func (s *Server) postBaseline(w http.ResponseWriter, r *http.Request) error {
	type request struct {
		Rule   string `json:"rule"`
		Key    string `json:"key"`
		Action string `json:"action"`
		Value  string `json:"value"`
		Reason string `json:"reason"`
	}
	q, p := problem.DecodeJSON[request](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	if !slices.Contains([]string{"accept", "remove", "reset", "freeze", "thaw"}, q.Action) {
		return fields([]problem.Field{{Field: "action", Message: "must be one of accept, remove, reset, freeze, thaw"}})
	}
	done := false
	var last error
	err := s.askDetection(r.Context(), detect.BaselineRequest{Action: q.Action, Rule: q.Rule, Key: q.Key, Value: q.Value}, func([]byte) error { done = true; return nil })
	var refused *bus.Error
	switch {
	case err == nil:
	case errors.As(err, &refused) && refused.Kind == "not-found":
		return problem.NotFound(refused.Text)
	case errors.As(err, &refused) && refused.Kind == "refused":
		last = problem.Conflict(refused.Text, "")
	default:
		return err
	}
	if !done {
		return cmp.Or(last, noRule())
	}
	who, _ := access.ActorOf(r.Context())
	after, err := json.Marshal(map[string]string{"key": q.Key, "value": q.Value, "by": who.Name})
	if err != nil {
		return problem.Internal(err)
	}
	audit := s.audit(r, "baseline."+q.Action, "rule:"+q.Rule)
	audit.After, audit.Note = after, q.Reason
	if err := s.dep.Store.Commit(r.Context(), nil, audit); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
