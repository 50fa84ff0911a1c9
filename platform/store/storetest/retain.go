// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"errors"
	"slices"
	"time"

	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
)

// retain calls Retain until it removes no more.
func (e *env) retain(r store.Retention) (all store.Removed) {
	e.Helper()
	for calls := 0; ; calls++ {
		got, err := e.Retain(e.ctx(), r)
		if err != nil {
			e.Fatal(err)
		}
		if got.Events == 0 {
			return all
		}
		if got.Before == 0 {
			e.Error("removed events, but not said until when")
		}
		all.Events += got.Events
		all.Bytes += got.Bytes
		all.Before = max(all.Before, got.Before)
		if calls > 1000 {
			e.Fatal("retain has no end")
		}
	}
}

// kept drops from what the test remembers what the store does not have any
// more, and returns how many went.
func (e *env) kept() int {
	e.Helper()
	got, before := e.pages(store.Query{Limit: 5000, Oldest: true}, nil), len(e.all)
	has := map[uint64]bool{}
	for _, r := range got {
		has[r.Seq] = true
	}
	e.all = slices.DeleteFunc(e.all, func(r record.Record) bool { return !has[r.Seq] })
	e.same("kept", got, answer(e.all, store.Query{Oldest: true}, nil))
	return before - len(e.all)
}

// consistent holds sums, first steps and stats to the events that are left.
func (e *env) consistent() {
	e.Helper()
	s, err := e.Stats(e.ctx())
	if err != nil || s.Events != uint64(len(e.all)) {
		e.Errorf("stats say %d events, %v; want %d", s.Events, err, len(e.all))
	}
	start := Base - Base%int64(24*time.Hour)
	e.checkHistogram(store.Query{From: start - int64(72*time.Hour), To: start + int64(72*time.Hour)}, nil, 144)
	for _, f := range store.Fields() {
		got, err := e.Top(e.ctx(), store.Query{Budget: time.Minute}, f, 100)
		want := tops(e.all, f, 100)
		if err != nil || !slices.Equal(got.Values, want.Values) {
			e.Errorf("top %s: %v, %v; want %v", f, got.Values, err, want.Values)
		}
	}
	links, _, err := e.Links(e.ctx(), 0, 0, 100_000)
	if err != nil {
		e.Fatal(err)
	}
	flows, want := uint64(0), uint64(0)
	first := map[[4]string]int64{}
	for _, r := range e.all {
		if r.Link != nil {
			want += r.Link.BytesIn
			k := [4]string{r.SrcDevice, r.DstDevice, r.Protocol, r.Link.Transport}
			at := r.Time - r.Time%int64(store.LinkStep)
			if old, ok := first[k]; !ok || at < old {
				first[k] = at
			}
		}
	}
	for _, l := range links {
		flows += l.BytesIn
		if k := ([4]string{l.From, l.To, l.Protocol, l.Transport}); l.Since < first[k] {
			e.Errorf("link %+v since before all that is kept, %d", l, first[k])
		}
	}
	if flows != want {
		e.Errorf("links of %d bytes, want %d", flows, want)
	}
	firstSeq, last, err := e.Last(e.ctx())
	if err != nil || last != e.seq {
		e.Errorf("last %d, %v", last, err)
	}
	for _, r := range e.all {
		if r.Seq < firstSeq {
			e.Errorf("first is %d, but %d is kept", firstSeq, r.Seq)
			break
		}
	}
}

var retainTests = []test{
	{"without limits nothing goes", func(e *env) {
		e.fill()
		if r, err := e.Retain(e.ctx(), store.Retention{}); err != nil || r != (store.Removed{}) {
			e.Errorf("%+v, %v", r, err)
		}
		if n := e.kept(); n != 0 {
			e.Errorf("%d events went", n)
		}
	}},
	{"retain needs the lead", func(e *env) {
		if _, err := e.Retain(e.ctx(), store.Retention{Age: time.Hour}); !errors.Is(err, store.ErrNoLead) {
			e.Error(err)
		}
	}},
	{"what is older than the age goes, what is younger stays", func(e *env) {
		e.fill()
		for _, age := range []time.Duration{29 * time.Hour, 28 * time.Hour, 26 * time.Hour, 20 * time.Hour} {
			r := e.retain(store.Retention{Age: age})
			before := Clock().Add(-age).UnixNano()
			young := 0
			for _, rec := range e.all {
				if rec.Time >= before {
					young++
				}
			}
			if n := e.kept(); uint64(n) != r.Events {
				e.Errorf("%d events went, removed says %d", n, r.Events)
			}
			left := 0
			for _, rec := range e.all {
				if rec.Time >= before {
					left++
				}
			}
			// Segments go as a whole: some that is older may stay beside what is not.
			if left != young || len(e.all)-left > 4096 {
				e.Errorf("%v: %d of %d younger events left, %d older ones", age, left, young, len(e.all)-left)
			}
			e.consistent()
			e.add(Records(e, 99, 10, Base+int64(28*time.Hour), time.Minute))
		}
	}},
	{"everything may go, and numbers go on", func(e *env) {
		e.fill()
		e.retain(store.Retention{Age: 1})
		if n := e.kept(); n != int(e.seq) {
			e.Errorf("%d of %d events went", n, e.seq)
		}
		first, last, err := e.Last(e.ctx())
		if first != 0 || last != e.seq || err != nil {
			e.Errorf("first %d, last %d, %v", first, last, err)
		}
		if links, _, err := e.Links(e.ctx(), 0, 0, 10); len(links) != 0 || err != nil {
			e.Errorf("links: %v, %v", links, err)
		}
		e.add(Records(e, 99, 10, Base, time.Minute))
		e.kept()
		e.consistent()
		recs, next, err := e.After(e.ctx(), 3, store.Query{}, 100)
		if len(recs) != 10 || next != e.seq || err != nil {
			e.Errorf("after a removed number: %d records, next %d, %v", len(recs), next, err)
		}
	}},
	{"what exceeds the size goes, oldest first", func(e *env) {
		for i := range int64(6) {
			e.add(Records(e, uint64(i), 3000, Base-int64(dayLong)*(4-i), 20*time.Hour))
		}
		s, err := e.Stats(e.ctx())
		if err != nil {
			e.Fatal(err)
		}
		total := int64(0)
		for _, d := range s.Days {
			total += d.Bytes
		}
		e.retain(store.Retention{MaxBytes: total / 2})
		if n := e.kept(); n == 0 || len(e.all) == 0 {
			e.Errorf("%d of %d events went", n, e.seq)
		}
		for _, r := range e.all {
			if r.Time < Base-3*int64(dayLong) {
				e.Error("the oldest is still there")
				break
			}
		}
		if p, err := e.Query(e.ctx(), store.Query{Limit: 1}); err != nil || len(p.Records) != 1 || p.Records[0].Time < Base+int64(dayLong) {
			e.Errorf("the newest went: %v", err)
		}
		e.consistent()
		if s, err = e.Stats(e.ctx()); err != nil {
			e.Fatal(err)
		}
		left := int64(0)
		for _, d := range s.Days {
			left += d.Bytes
		}
		if left > total/2 {
			e.Errorf("%d bytes left, want at most %d", left, total/2)
		}
	}},
	{"a page in what was removed ends, or goes on with what is left", func(e *env) {
		e.fill()
		p, err := e.Query(e.ctx(), store.Query{Limit: 100, Oldest: true})
		if err != nil || p.Next == "" {
			e.Fatal(err)
		}
		e.retain(store.Retention{Age: 1})
		p, err = e.Query(e.ctx(), store.Query{Limit: 100, Oldest: true, Cursor: p.Next})
		if err != nil || len(p.Records) != 0 || p.Next != "" || !p.Complete {
			e.Errorf("%+v, %v", p, err)
		}
	}},
	{"documents, devices and young audit entries stay", func(e *env) {
		e.fill()
		if err := e.Commit(e.ctx(), []store.Write{{Kind: "k", ID: "i", Body: []byte("{}")}},
			store.Audit{Time: Clock().Add(-48 * time.Hour).UnixNano(), Who: "old", Action: "a.b"}, store.Audit{Time: Clock().UnixNano(), Who: "young", Action: "a.b"}); err != nil {
			e.Fatal(err)
		}
		e.retain(store.Retention{Age: 1, AuditAge: 24 * time.Hour})
		if _, err := e.Document(e.ctx(), "k", "i"); err != nil {
			e.Error(err)
		}
		trail, err := e.AuditTrail(e.ctx(), store.AuditQuery{Limit: 10})
		if err != nil || len(trail) != 1 || trail[0].Who != "young" {
			e.Errorf("%+v, %v", trail, err)
		}
	}},
}
