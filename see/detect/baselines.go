// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/see/detect/match"
)

// BaselineRequest asks an instance what it learned, or changes that.
type BaselineRequest struct {
	Action string `json:"action"` // list, accept, remove, reset, freeze, thaw
	Rule   string `json:"rule,omitempty"`
	Key    string `json:"key,omitempty"`
	Value  string `json:"value,omitempty"`
	Text   string `json:"text,omitempty"` // of list: in keys or values
	Limit  int    `json:"limit,omitempty"`
}

// BaselineAnswer answers a list.
type BaselineAnswer struct {
	Baselines []RuleBaseline `json:"baselines"`
	More      bool           `json:"more"`
}

// RuleBaseline is what a rule learned for a key.
type RuleBaseline struct {
	Rule string `json:"rule"`
	match.Baseline
}

// BaselineSubject is where an instance answers about what it learned.
func BaselineSubject(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	return "detect." + b.String() + ".baselines"
}

// asked is a request that waits for the goroutine of the room.
type asked struct {
	q      BaselineRequest
	answer chan<- answered
}

type answered struct {
	body []byte
	err  error
}

// serveBaselines hands requests to the goroutine of the room, which owns what was learned.
func (r *Room) serveBaselines(ctx context.Context, body []byte) ([]byte, error) {
	var q BaselineRequest
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, err
	}
	answer := make(chan answered, 1)
	select {
	case r.asks <- asked{q, answer}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case a := <-answer:
		return a.body, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// answerAsked answers what waits.
func (r *Room) answerAsked() {
	for {
		select {
		case a := <-r.asks:
			body, err := r.engine.baselines(a.q)
			a.answer <- answered{body, err}
		default:
			return
		}
	}
}

const maxBaselines = 1000

// baselines answers a request.
func (e *Engine) baselines(q BaselineRequest) ([]byte, error) {
	if q.Action == "list" {
		return e.listBaselines(q)
	}
	i := slices.IndexFunc(e.rules, func(c *compiled) bool { return c.rule.ID == q.Rule })
	if i < 0 {
		return nil, &bus.Error{Kind: "not-found", Text: "There is no rule with this ID, or it is switched off."}
	}
	l, ok := e.rules[i].matcher.(match.Learning)
	if !ok {
		return nil, &bus.Error{Kind: "refused", Text: "This rule learns nothing."}
	}
	var err error
	switch q.Action {
	case "accept":
		err = l.Accept(q.Key, q.Value)
	case "remove":
		err = l.Remove(q.Key, q.Value)
	case "reset":
		err = l.Reset(q.Key)
	case "freeze", "thaw":
		err = l.Freeze(q.Key, q.Action == "freeze")
	default:
		err = errors.New("there is no such action")
	}
	if err != nil {
		return nil, &bus.Error{Kind: "refused", Text: err.Error()}
	}
	return []byte("{}"), nil
}

func (e *Engine) listBaselines(q BaselineRequest) ([]byte, error) {
	limit := q.Limit
	if limit <= 0 || limit > maxBaselines {
		limit = maxBaselines
	}
	out := BaselineAnswer{Baselines: []RuleBaseline{}}
	text := strings.ToLower(q.Text)
	size := 0
	for _, c := range e.rules {
		l, ok := c.matcher.(match.Learning)
		if !ok || q.Rule != "" && c.rule.ID != q.Rule {
			continue
		}
		all := l.Baselines("", 10*maxBaselines)
		slices.SortStableFunc(all, func(a, b match.Baseline) int { return cmp.Compare(a.Key, b.Key) })
		for _, b := range all {
			if text != "" && !strings.Contains(strings.ToLower(b.Key), text) && !slices.ContainsFunc(b.Values, func(v match.Learned) bool { return strings.Contains(strings.ToLower(v.Value), text) }) {
				continue
			}
			if len(b.Values) > 200 {
				b.Values = b.Values[:200]
			}
			size += 200 + 120*len(b.Values)
			if len(out.Baselines) >= limit || size > bus.MaxBody/2 {
				out.More = true
				return json.Marshal(out)
			}
			out.Baselines = append(out.Baselines, RuleBaseline{c.rule.ID, b})
		}
	}
	return json.Marshal(out)
}
