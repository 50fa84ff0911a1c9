// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"cmp"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
)

// counts adds up the steps of a histogram.
func counts(steps []store.Step) (all uint64) {
	for _, s := range steps {
		for _, n := range s.By {
			all += n
		}
	}
	return all
}

// tops counts by the values of a field as the contract says.
func tops(recs []record.Record, f store.Field, n int) store.TopValues {
	count := map[string]uint64{}
	for i := range recs {
		for _, v := range values(&recs[i], f) {
			count[v]++
		}
	}
	t := store.TopValues{Complete: true}
	for v, c := range count {
		t.Values = append(t.Values, store.Value{Value: v, Count: c})
	}
	slices.SortFunc(t.Values, func(a, b store.Value) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
	})
	if len(t.Values) > n {
		for _, v := range t.Values[n:] {
			t.Others += v.Count
		}
		t.Values = t.Values[:n]
	}
	return t
}

func (e *env) checkHistogram(q store.Query, needles []needle, n int) {
	e.Helper()
	q.Budget = time.Minute
	h, err := e.Histogram(e.ctx(), q, n)
	if err != nil {
		e.Fatal(err)
	}
	if len(h.Steps) != n || !h.Complete {
		e.Fatalf("%d steps, complete %v", len(h.Steps), h.Complete)
	}
	want := make([]store.Step, n)
	for i := range want {
		want[i].Start = h.Steps[i].Start
		if i > 0 && want[i].Start < want[i-1].Start {
			e.Fatal("steps go backwards")
		}
	}
	if q.From != 0 && h.From != q.From || q.To != 0 && h.To != q.To || h.Steps[0].Start != h.From {
		e.Fatalf("from %d to %d", h.From, h.To)
	}
	for _, r := range answer(e.all, q, needles) {
		i := n - 1
		for i > 0 && want[i].Start > r.Time {
			i--
		}
		want[i].By[r.Severity]++
	}
	for i := range want {
		if h.Steps[i] != want[i] {
			e.Fatalf("step %d is %+v, want %+v", i, h.Steps[i], want[i])
		}
	}
}

var sumTests = []test{
	{"a histogram of whole minutes is exact", func(e *env) {
		e.fill()
		start := Base - Base%int64(24*time.Hour)
		for _, c := range cases(0, 0) {
			if c.q.Oldest {
				continue
			}
			e.Run(c.name, func(t *testing.T) {
				sub := &env{T: t, Store: e.Store, all: e.all}
				for _, r := range []struct {
					from, to int64
					n        int
				}{
					{start, start + int64(48*time.Hour), 48}, {start, start + int64(48*time.Hour), 96}, {start, start + int64(48*time.Hour), 2},
					{start + int64(22*time.Hour), start + int64(24*time.Hour), 120}, {start + int64(23*time.Hour) + int64(7*time.Minute), start + int64(25*time.Hour), 113},
				} {
					q := c.q
					q.From, q.To = r.from, r.to
					sub.checkHistogram(q, c.needles, r.n)
				}
			})
		}
	}},
	{"steps below a minute are exact", func(e *env) {
		e.fill()
		from := e.all[100].Time
		e.checkHistogram(store.Query{From: from, To: from + int64(7*time.Minute)}, nil, 61)
		e.checkHistogram(store.Query{From: from, To: from + 17}, nil, 10)
	}},
	{"a range that begins within a minute counts the part of it", func(e *env) {
		e.fill()
		for _, q := range []store.Query{
			{From: e.all[50].Time, To: e.all[3000].Time},
			{From: e.all[50].Time},
			{To: e.all[3000].Time},
			{},
			{From: e.all[900].Time, To: e.all[900].Time + int64(61*time.Second), MinSeverity: finding.Low},
		} {
			for _, n := range []int{1, 7} {
				h, err := e.Histogram(e.ctx(), q, n)
				if err != nil {
					e.Fatal(err)
				}
				if got, want := counts(h.Steps), uint64(len(answer(e.all, q, nil))); got != want {
					e.Errorf("%d events, want %d", got, want)
				}
			}
		}
	}},
	{"a histogram that cannot be is refused", func(e *env) {
		for _, n := range []int{0, -1, 100_000} {
			if _, err := e.Histogram(e.ctx(), store.Query{}, n); !errors.Is(err, store.ErrInvalid) {
				e.Errorf("%d steps: %v", n, err)
			}
		}
		if _, err := e.Top(e.ctx(), store.Query{}, "colour", 5); !errors.Is(err, store.ErrInvalid) {
			e.Errorf("top: %v", err)
		}
		if _, err := e.Top(e.ctx(), store.Query{}, store.FieldIP, 0); !errors.Is(err, store.ErrInvalid) {
			e.Errorf("top: %v", err)
		}
	}},
	{"top values of every field are exact", func(e *env) {
		e.fill()
		mid := len(e.all) / 2
		for _, c := range cases(e.all[mid/2].Time, e.all[mid].Time+1) {
			if c.q.Oldest {
				continue
			}
			want := answer(e.all, c.q, c.needles)
			q := c.q
			q.Budget = time.Minute
			for _, f := range store.Fields() {
				for _, n := range []int{3, 100}[len(want)%2:] {
					got, err := e.Top(e.ctx(), q, f, n)
					if err != nil {
						e.Fatal(c.name, f, err)
					}
					got.Reached = 0
					w := tops(want, f, n)
					if len(got.Values) == 0 && len(w.Values) == 0 {
						got.Values, w.Values = nil, nil
					}
					if !reflect.DeepEqual(got, w) {
						e.Fatalf("%s of %s, %d:\n%+v, want\n%+v", f, c.name, n, got, w)
					}
				}
			}
		}
	}},
	{"what ends with its budget says how far it came", func(e *env) {
		e.fill()
		q := store.Query{Budget: 1, Text: "st*"}
		h, err := e.Histogram(e.ctx(), q, 10)
		if err != nil {
			e.Fatal(err)
		}
		if h.Complete {
			e.Fatal("complete in no time")
		}
		newer := q
		newer.From = h.Reached + 1
		if got, want := counts(h.Steps), len(answer(e.all, newer, []needle{{word: "st", prefix: true}})); got < uint64(want) || want == 0 {
			e.Errorf("%d events, want at least the %d after what was reached", got, want)
		}
		top, err := e.Top(e.ctx(), q, store.FieldDevice, 5)
		if err != nil || top.Complete || top.Reached == 0 {
			e.Errorf("top: %+v, %v", top, err)
		}
	}},
	{"links add up over any range, rounded outwards", func(e *env) {
		e.fill()
		type key struct {
			from, to, protocol, transport string
			port                          uint16
		}
		step := int64(store.LinkStep)
		sum := func(from, to int64) []store.Link {
			m := map[key]*store.Link{}
			since := map[key]int64{}
			for _, r := range e.all {
				if r.Link == nil {
					continue
				}
				end := func(dev string, a string) string {
					if dev != "" || a == "invalid IP" {
						return dev
					}
					return a
				}
				k := key{end(r.SrcDevice, r.Src.String()), end(r.DstDevice, r.Dst.String()), r.Protocol, r.Link.Transport, r.Link.Port}
				at := r.Time - r.Time%step
				if old, ok := since[k]; !ok || at < old {
					since[k] = at
				}
				if from != 0 && at+step <= from || to != 0 && at >= to {
					continue
				}
				l := m[k]
				if l == nil {
					l = &store.Link{From: k.from, To: k.to, Protocol: k.protocol, Transport: k.transport, Port: k.port, First: at, Last: at}
					m[k] = l
				}
				l.Flows += r.Link.Flows
				l.Failed += r.Link.Failed
				l.BytesOut += r.Link.BytesOut
				l.BytesIn += r.Link.BytesIn
				l.First, l.Last = min(l.First, at), max(l.Last, at)
			}
			var out []store.Link
			for k, l := range m {
				l.Since = since[k]
				out = append(out, *l)
			}
			slices.SortFunc(out, func(a, b store.Link) int {
				return cmp.Or(cmp.Compare(b.BytesOut+b.BytesIn, a.BytesOut+a.BytesIn), cmp.Compare(b.Flows, a.Flows), cmp.Compare(a.From, b.From),
					cmp.Compare(a.To, b.To), cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Transport, b.Transport), cmp.Compare(a.Port, b.Port))
			})
			return out
		}
		check := func() {
			e.Helper()
			for _, r := range [][2]int64{{0, 0}, {Base, Base + int64(time.Hour)}, {Base + 1, Base + 2}, {Base + int64(3*time.Hour), 0}, {0, Base + int64(3*time.Hour) + 1}, {Base - int64(time.Hour), Base + int64(48*time.Hour)}} {
				want := sum(r[0], r[1])
				got, more, err := e.Links(e.ctx(), r[0], r[1], 100_000)
				if err != nil || more {
					e.Fatal(more, err)
				}
				if len(got) != len(want) {
					e.Fatalf("%d links, want %d", len(got), len(want))
				}
				for i := range got {
					if got[i] != want[i] {
						e.Fatalf("link %d is\n%+v, want\n%+v", i, got[i], want[i])
					}
				}
				if got, more, err = e.Links(e.ctx(), r[0], r[1], 7); err != nil || !more || !slices.Equal(got, want[:7]) {
					e.Errorf("the first seven: %v, %v", more, err)
				}
			}
		}
		check()
		check()                                                      // what is remembered of the first time is the same
		e.add(Records(e, 99, 200, Base+int64(time.Hour), time.Hour)) // into a day that was asked about
		check()                                                      // and is not taken for what it is now
	}},
	{"activity of a device counts its events by class", func(e *env) {
		e.fill()
		start := Base - Base%int64(time.Hour)
		for _, r := range []struct {
			from, to int64
			n        int
		}{
			{start, start + int64(24*time.Hour), 24}, {start, start + int64(24*time.Hour), 288}, {start, start + int64(2*time.Hour), 120},
			{start + int64(time.Hour), start + int64(3*time.Hour), 3},
		} {
			got, err := e.Activity(e.ctx(), "dev-03", r.from, r.to, r.n)
			if err != nil || len(got) != r.n {
				e.Fatal(len(got), err)
			}
			want := make([]store.ActivityStep, r.n)
			for i := range want {
				want[i] = store.ActivityStep{Start: got[i].Start, Classes: map[uint32]uint64{}}
			}
			for _, rec := range answer(e.all, store.Query{From: r.from, To: r.to, Terms: []store.Term{term(store.FieldDevice, false, "dev-03")}}, nil) {
				i := r.n - 1
				for i > 0 && want[i].Start > rec.Time {
					i--
				}
				want[i].Classes[uint32(rec.Class)]++
				want[i].Worst = max(want[i].Worst, rec.Severity)
			}
			if !reflect.DeepEqual(got, want) {
				e.Errorf("from %d, %d steps:\n%v, want\n%v", r.from, r.n, got, want)
			}
		}
		// A range that begins and ends anywhere has exactly its events.
		from, to := e.all[200].Time, e.all[4000].Time
		got, err := e.Activity(e.ctx(), "dev-03", from, to, 5)
		if err != nil {
			e.Fatal(err)
		}
		n := uint64(0)
		for _, s := range got {
			for _, c := range s.Classes {
				n += c
			}
		}
		if want := len(answer(e.all, store.Query{From: from, To: to, Terms: []store.Term{term(store.FieldDevice, false, "dev-03")}}, nil)); n != uint64(want) {
			e.Errorf("%d events, want %d", n, want)
		}
		if _, err := e.Activity(e.ctx(), "", from, to, 5); !errors.Is(err, store.ErrInvalid) {
			e.Errorf("no device: %v", err)
		}
		if got, err = e.Activity(e.ctx(), "nobody", from, to, 5); err != nil || len(got) != 5 || len(got[0].Classes) != 0 {
			e.Errorf("unknown device: %v, %v", got, err)
		}
	}},
}
