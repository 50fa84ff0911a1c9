// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/see/detect/alert"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
	"github.com/asepsis/asepsis/see/detect/suppress"
)

// BacktestInput is what a backtest runs over. It reads the store and changes nothing.
type BacktestInput struct {
	Store     store.Store
	Content   *Content
	World     *scene.World
	From, To  int64
	MaxEvents uint64        // 0 for 5,000,000
	MaxTime   time.Duration // 0 for 5 minutes
	// Progress is told now and then how far it is, from 0 to 1, over how many events.
	Progress func(done float64, events uint64)
}

// BacktestResult says what a rule would have found, or a suppression hidden.
type BacktestResult struct {
	Complete    bool  // false: a bound came first
	Reached     int64 // how far it came
	Events      uint64
	Findings    int
	Occurrences uint64
	StillOpen   int // of a suppression: hidden ones that are open
	TrueHidden  int // of a suppression: hidden ones that people closed as true
	ByDay       []BacktestCount
	ByDevice    []BacktestCount // at most 100, most first
	BySeverity  map[finding.Severity]int
	Examples    []finding.Alert // at most 20, the worst first
}

// BacktestCount counts findings, and occurrences, of a day or a device.
type BacktestCount struct {
	Key         string
	Findings    int
	Occurrences uint64
}

const (
	backtestPage   = 5000
	backtestEvents = 5_000_000
	backtestTime   = 5 * time.Minute
	examples       = 20
	dayForm        = "2006-01-02"
)

// counts gathers what the answer sums up.
type counts struct {
	day, device map[string]*BacktestCount
	seen        map[string]bool // day or device, with an alert
}

func newCounts() *counts {
	return &counts{day: map[string]*BacktestCount{}, device: map[string]*BacktestCount{}, seen: map[string]bool{}}
}

func (c *counts) add(key string, at int64, devices []string, n uint64) {
	put := func(m map[string]*BacktestCount, kind, k string) {
		x := m[k]
		if x == nil {
			if len(m) >= MaxAlerts {
				return
			}
			x = &BacktestCount{Key: k}
			m[k] = x
		}
		x.Occurrences += n
		if id := kind + k + keySep + key; !c.seen[id] && len(c.seen) < 20*MaxAlerts {
			c.seen[id] = true
			x.Findings++
		}
	}
	put(c.day, "day ", time.Unix(0, at).UTC().Format(dayForm))
	for _, d := range devices {
		put(c.device, "device ", d)
	}
}

func (c *counts) into(r *BacktestResult) {
	for _, k := range slices.Sorted(maps.Keys(c.day)) {
		r.ByDay = append(r.ByDay, *c.day[k])
	}
	for _, x := range c.device {
		r.ByDevice = append(r.ByDevice, *x)
	}
	slices.SortFunc(r.ByDevice, func(a, b BacktestCount) int {
		return cmp.Or(cmp.Compare(b.Findings, a.Findings), cmp.Compare(b.Occurrences, a.Occurrences), cmp.Compare(a.Key, b.Key))
	})
	r.ByDevice = r.ByDevice[:min(len(r.ByDevice), 100)]
}

// Backtest runs a rule over stored events, and nothing but those that it asks for. The world
// is today's, except for the theatre of each event.
func Backtest(ctx context.Context, in BacktestInput, r *rule.Rule) (BacktestResult, error) {
	res := BacktestResult{Reached: in.From, BySeverity: map[finding.Severity]int{}}
	c, sums := NewCollector(), newCounts()
	cases, err := newClock(Default())
	if err != nil {
		return res, err
	}
	cases.Know(in.World.Theatres())
	one := *r
	one.Disabled = false
	e, err := NewEngine(Deps{Content: in.Content.Only(&one), Learner: c, Clock: cases, Emit: func(o *alert.Occurrence) {
		c.Add(o)
		if !o.More || c.byKey[keyOf(o)] != nil {
			res.Occurrences += o.Count
			sums.add(keyOf(o), o.Time, o.Devices, o.Count)
		}
	}})
	if err != nil {
		return res, err
	}
	e.World = in.World
	q := store.Query{From: in.From, To: in.To, Oldest: true, Limit: backtestPage, Budget: 5 * time.Second, Terms: e.terms()}
	var dec record.Decoder
	most, deadline := cmp.Or(in.MaxEvents, backtestEvents), time.Now().Add(cmp.Or(in.MaxTime, backtestTime))
	for {
		page, err := in.Store.Query(ctx, q)
		if err != nil {
			return res, err
		}
		for i := range page.Records {
			rec := &page.Records[i]
			ev, err := dec.Decode(rec.Data)
			if err != nil {
				continue
			}
			s := in.World.Scene(rec, ev)
			e.Feed(&s)
			res.Reached = rec.Time
		}
		res.Events += uint64(len(page.Records))
		if in.Progress != nil && in.To > in.From {
			in.Progress(float64(max(page.Reached, res.Reached)-in.From)/float64(in.To-in.From), res.Events)
		}
		if page.Next == "" {
			res.Complete, res.Reached = true, in.To
			break
		}
		if res.Events >= most || time.Now().After(deadline) {
			break
		}
		q.Cursor = page.Next
	}
	e.Advance(res.Reached)
	for _, h := range e.Health() {
		if h.Off != "" {
			return res, fmt.Errorf("the rule was switched off: %s", h.Off)
		}
	}
	for _, a := range c.Alerts() {
		res.Findings++
		res.BySeverity[a.Severity]++
		if len(res.Examples) < examples {
			res.Examples = append(res.Examples, a)
		}
	}
	sums.into(&res)
	return res, nil
}

// terms are conditions that the store can answer for what the rules ask for: by class, and by
// protocol where all of them name theirs.
func (e *Engine) terms() []store.Term {
	var classes, protocols []string
	all := false
	for _, c := range e.rules {
		for i := range c.ons {
			for _, k := range c.ons[i].classes {
				classes = append(classes, strconv.Itoa(int(k)))
			}
			if len(c.ons[i].protocols) == 0 {
				all = true
			}
			protocols = append(protocols, c.ons[i].protocols...)
		}
	}
	slices.Sort(classes)
	classes = slices.Compact(classes)
	slices.Sort(protocols)
	protocols = slices.Compact(protocols)
	var out []store.Term
	if len(classes) > 0 && len(classes) < len(event.Classes()) {
		out = append(out, store.Term{Field: store.FieldClass, Values: classes})
	}
	if !all && len(protocols) > 0 && len(protocols) <= 100 {
		out = append(out, store.Term{Field: store.FieldProtocol, Values: protocols})
	}
	return out
}

// BacktestSuppression says which findings that are kept a suppression would have hidden. An
// expression is asked about the events of their evidence that are still kept.
func BacktestSuppression(ctx context.Context, in BacktestInput, s suppress.Suppression) (BacktestResult, error) {
	res := BacktestResult{Reached: in.From, BySeverity: map[finding.Severity]int{}}
	s.Expires = in.To + 1
	set, broken := suppress.NewSet(in.Content.Env, []suppress.Suppression{s}, nil)
	if err := broken[s.ID]; err != nil {
		return res, err
	}
	sums := newCounts()
	index := alert.NewIndex(in.Store)
	if err := index.Load(ctx); err != nil && !errors.Is(err, alert.ErrUnreadable) {
		return res, err
	}
	rows, _ := index.Rows()
	for i, row := range rows {
		if ctx.Err() != nil {
			return res, ctx.Err()
		}
		if in.Progress != nil && i%100 == 0 {
			in.Progress(float64(i)/float64(len(rows)), res.Events)
		}
		if row.Last < in.From || row.First >= in.To {
			continue
		}
		hides, err := in.hides(ctx, set, &s, row, &res)
		if err != nil {
			return res, err
		}
		if !hides {
			continue
		}
		res.Findings++
		res.Occurrences += row.Count
		res.BySeverity[row.Severity]++
		sums.add(row.ID, row.Last, row.Devices, row.Count)
		switch {
		case row.Triage.State != finding.Closed:
			res.StillOpen++
		case row.Triage.Outcome == finding.TruePositive:
			res.TrueHidden++
		}
		res.Examples = append(res.Examples, row.Alert)
	}
	slices.SortStableFunc(res.Examples, func(a, b finding.Alert) int {
		return cmp.Or(int(b.Severity)-int(a.Severity), cmp.Compare(b.Last, a.Last))
	})
	res.Examples = res.Examples[:min(len(res.Examples), examples)]
	sums.into(&res)
	res.Complete, res.Reached = true, in.To
	return res, nil
}

// hides reports whether a suppression hides a finding that is kept.
func (in *BacktestInput) hides(ctx context.Context, set *suppress.Set, s *suppress.Suppression, row *alert.Row, res *BacktestResult) (bool, error) {
	c := suppress.Case{Rule: row.Rule, Devices: row.Devices, Theatre: row.Theatre, Entities: row.Entities, Severity: row.Severity, State: row.Case, Time: in.To}
	if s.Expression == "" {
		return set.Check(&c).Hidden != "", nil
	}
	for _, e := range row.Evidence {
		if e.Seq == 0 {
			continue
		}
		rec, err := in.Store.Get(ctx, e.Seq)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return false, err
		}
		ev, err := record.Decode(rec.Data)
		if err != nil {
			continue
		}
		res.Events++
		sc := in.World.Scene(&rec, ev)
		c.Scene = &sc
		if set.Check(&c).Hidden != "" {
			return true, nil
		}
	}
	return false, nil
}
