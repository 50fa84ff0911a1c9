// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"cmp"
	"context"
	"encoding/json"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/platform/bus"
)

// ReportKind is the kind of a room's report on the bus; its name is the instance's.
const ReportKind = "detect"

// Report is what an instance says about itself and its rules.
type Report struct {
	Name       string       `json:"name"`
	At         int64        `json:"at"` // ns
	Partitions int          `json:"partitions"`
	Position   uint64       `json:"position"`
	Behind     uint64       `json:"behind"` // events
	BehindMS   int64        `json:"behind_ms"`
	PerSecond  float64      `json:"events_per_second"`
	Stats      EngineStats  `json:"stats"`
	Problem    string       `json:"problem,omitempty"`
	Rules      []RuleHealth `json:"rules"`
}

// RuleHealth is what a rule does in one instance.
type RuleHealth struct {
	ID          string `json:"id"`
	Off         string `json:"off,omitempty"` // why it is switched off
	Error       string `json:"error,omitempty"`
	Last        int64  `json:"last,omitempty"`
	Evaluations uint64 `json:"evals,omitempty"`
	Errors      uint64 `json:"errs,omitempty"`
	Hits        uint64 `json:"hits,omitempty"`
	Nanoseconds uint64 `json:"ns,omitempty"`
	Keys        int    `json:"keys,omitempty"`
	Evicted     uint64 `json:"evicted,omitempty"`
	Learning    int    `json:"learning,omitempty"`
	Ready       int    `json:"ready,omitempty"`
	Distrusted  int    `json:"distrusted,omitempty"`
}

// Health says what each rule does.
func (e *Engine) Health() []RuleHealth {
	out := make([]RuleHealth, 0, len(e.rules))
	for _, c := range e.rules {
		st := c.matcher.Stats()
		msg := c.errMsg
		if len(msg) > 200 {
			msg = msg[:200]
		}
		out = append(out, RuleHealth{ID: c.rule.ID, Off: c.off, Error: msg, Last: c.last, Evaluations: c.cost.Evaluations, Errors: c.cost.Errors, Hits: c.cost.Hits,
			Nanoseconds: c.cost.Nanoseconds(), Keys: st.Keys, Evicted: st.Evicted, Learning: st.Learning, Ready: st.Ready, Distrusted: st.Distrusts})
	}
	return out
}

// publish makes the report of now, at most once a second; the side goroutine sends it.
func (r *Room) publish() {
	now := r.deps.Now()
	r.mu.Lock()
	fresh := now.UnixNano()-r.report.At < int64(time.Second)
	r.mu.Unlock()
	if fresh {
		return
	}
	rep := Report{Name: r.name, At: now.UnixNano(), Partitions: bits.OnesCount32(r.own), Position: r.pos, Stats: r.engine.Stats, Rules: r.engine.Health(), PerSecond: r.rate.look(now)}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, last, err := r.deps.Store.Last(ctx); err == nil && last > r.pos {
		rep.Behind = last - r.pos
		if r.fedTime != 0 {
			rep.BehindMS = max(now.UnixNano()-r.fedTime, 0) / 1e6
		}
	}
	var problems []string
	for what, why := range r.problems {
		problems = append(problems, what+": "+why)
	}
	slices.Sort(problems)
	rep.Problem = strings.Join(problems, "; ")
	r.mu.Lock()
	r.report = rep
	r.mu.Unlock()
}

// Report returns what it said about itself last.
func (r *Room) Report() Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.report
}

// reports sends the report every two seconds until ctx ends.
func (r *Room) reports(ctx context.Context) {
	if r.deps.Bus == nil {
		return
	}
	t := time.NewTicker(2 * time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		rep := r.Report()
		body, err := json.Marshal(rep)
		if err == nil && len(body) > bus.MaxReport { // the rules that did most
			slices.SortFunc(rep.Rules, func(a, b RuleHealth) int { return cmp.Compare(b.Hits, a.Hits) })
			rep.Rules = rep.Rules[:len(rep.Rules)*bus.MaxReport/len(body)*9/10]
			body, err = json.Marshal(rep)
		}
		if err == nil {
			one, cancel := context.WithTimeout(ctx, 2*time.Second)
			err = r.deps.Bus.Report(one, ReportKind, r.name, body)
			cancel()
		}
		if err != nil && ctx.Err() == nil {
			r.deps.Log.Debug("the report of detection did not get through", "err", err)
		}
	}
}

// listen makes the room look at once when somebody changed something, and answers about
// baselines.
func (r *Room) listen(ctx context.Context) (stop func()) {
	if r.deps.Bus == nil {
		return func() {}
	}
	var stops []func()
	add := func(stop func(), err error) {
		if err != nil {
			r.deps.Log.Warn("notices are not heard; changes are found out a second later", "err", err)
			return
		}
		stops = append(stops, stop)
	}
	add(r.deps.Bus.Listen("changed", func([]byte) {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}))
	add(r.deps.Bus.Serve(BaselineSubject(r.name), r.serveBaselines))
	return func() {
		for _, s := range stops {
			s()
		}
	}
}

func (r *Room) woken() bool {
	select {
	case <-r.wake:
		return true
	default:
		return false
	}
}

// rateMeter says how many events a second are looked at.
type rateMeter struct {
	n, before uint64
	at        time.Time
	value     float64
}

func (m *rateMeter) look(now time.Time) float64 {
	if d := now.Sub(m.at); m.at.IsZero() || d >= time.Second {
		if !m.at.IsZero() {
			m.value = float64(m.n-m.before) / d.Seconds()
		}
		m.before, m.at = m.n, now
	}
	return m.value
}
