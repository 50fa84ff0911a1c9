// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
)

type queryCase struct {
	name    string
	q       store.Query
	needles []needle // of q.Text
}

func term(f store.Field, not bool, values ...string) store.Term {
	return store.Term{Field: f, Values: values, Not: not}
}

// cases are queries of every kind; from and to are within the events.
func cases(from, to int64) []queryCase {
	list := []queryCase{
		{"everything", store.Query{}, nil},
		{"a range of time", store.Query{From: from, To: to}, nil},
		{"from a time on", store.Query{From: from}, nil},
		{"up to a time", store.Query{To: to}, nil},
		{"an empty range", store.Query{From: to, To: to}, nil},
		{"of at least medium severity", store.Query{MinSeverity: finding.Medium}, nil},
		{"critical ones", store.Query{MinSeverity: finding.Critical}, nil},
		{"one of two protocols", store.Query{Terms: []store.Term{term(store.FieldProtocol, false, "dicom", "hl7")}}, nil},
		{"without a protocol", store.Query{Terms: []store.Term{term(store.FieldProtocol, false, "")}}, nil},
		{"with any protocol", store.Query{Terms: []store.Term{term(store.FieldProtocol, true, "")}}, nil},
		{"of a class", store.Query{Terms: []store.Term{term(store.FieldClass, false, "4003")}}, nil},
		{"not of a class", store.Query{Terms: []store.Term{term(store.FieldClass, true, "4003", "4001")}}, nil},
		{"of an activity", store.Query{Terms: []store.Term{term(store.FieldActivity, false, "4003/2", "4001/1")}}, nil},
		{"failed", store.Query{Terms: []store.Term{term(store.FieldStatus, false, "failure")}}, nil},
		{"high or low", store.Query{Terms: []store.Term{term(store.FieldSeverity, false, "high", "low")}}, nil},
		{"in no theatre", store.Query{Terms: []store.Term{term(store.FieldTheatre, false, "")}}, nil},
		{"in no theatre or the first", store.Query{Terms: []store.Term{term(store.FieldTheatre, false, "", "theatre-1")}}, nil},
		{"of a device at either end", store.Query{Terms: []store.Term{term(store.FieldDevice, false, "dev-03")}}, nil},
		{"not of a device at either end", store.Query{Terms: []store.Term{term(store.FieldDevice, true, "dev-03")}}, nil},
		{"of no device", store.Query{Terms: []store.Term{term(store.FieldDevice, false, "")}}, nil},
		{"of no device or one", store.Query{Terms: []store.Term{term(store.FieldDevice, false, "", "dev-01")}}, nil},
		{"from a device", store.Query{Terms: []store.Term{term(store.FieldSrcDevice, false, "dev-02")}}, nil},
		{"from no device", store.Query{Terms: []store.Term{term(store.FieldSrcDevice, false, "")}}, nil},
		{"to a device", store.Query{Terms: []store.Term{term(store.FieldDstDevice, false, "dev-02")}}, nil},
		{"of an address at either end", store.Query{Terms: []store.Term{term(store.FieldIP, false, "10.20.0.7")}}, nil},
		{"of an IPv6 address", store.Query{Terms: []store.Term{term(store.FieldIP, false, "2001:db8::11")}}, nil},
		{"of no address", store.Query{Terms: []store.Term{term(store.FieldIP, false, "")}}, nil},
		{"from an address to another", store.Query{Terms: []store.Term{term(store.FieldSrcIP, false, "10.20.0.1"), term(store.FieldDstIP, true, "10.20.0.2")}}, nil},
		{"of a sensor", store.Query{Terms: []store.Term{term(store.FieldSensor, false, "or-2")}}, nil},
		{"of a value that no event has", store.Query{Terms: []store.Term{term(store.FieldProtocol, false, "gopher")}}, nil},
		{"severe ones of a protocol and device", store.Query{MinSeverity: finding.Medium, Terms: []store.Term{
			term(store.FieldProtocol, false, "dicom", "hl7"), term(store.FieldDevice, false, "dev-01", "dev-02", "dev-03", "dev-04")}}, nil},
		{"severe ones of no theatre and an address", store.Query{MinSeverity: finding.Low, Terms: []store.Term{
			term(store.FieldTheatre, false, ""), term(store.FieldIP, false, "10.20.0.1", "10.20.0.2", "2001:db8::11"), term(store.FieldStatus, true, "failure")}}, nil},
		{"several terms", store.Query{From: from, MinSeverity: finding.Info, Terms: []store.Term{
			term(store.FieldProtocol, true, "dns"), term(store.FieldDevice, false, "dev-01", "dev-02", "dev-03"), term(store.FieldTheatre, false, "theatre-2")}}, nil},

		{"a word", store.Query{Text: "storage"}, []needle{{word: "storage"}}},
		{"a word in another case", store.Query{Text: "STORAGE echo"}, []needle{{word: "storage"}, {word: "echo"}}},
		{"letters beyond ASCII", store.Query{Text: "GRÖSSE überlauf"}, []needle{{word: "grösse"}, {word: "überlauf"}}},
		{"letters beyond ASCII in another case", store.Query{Text: "größe ÜBERLAUF"}, []needle{{word: "größe"}, {word: "überlauf"}}},
		{"a part of a word does not match", store.Query{Text: "stor"}, []needle{{word: "stor"}}},
		{"a prefix", store.Query{Text: "stor*"}, []needle{{word: "stor", prefix: true}}},
		{"a word that must not occur", store.Query{Text: "echo -storage"}, []needle{{word: "echo"}, {word: "storage", not: true}}},
		{"a prefix that must not occur", store.Query{Text: "-re*"}, []needle{{word: "re", prefix: true, not: true}}},
		{"a phrase", store.Query{Text: `"commitment storage"`}, []needle{{word: "commitment storage"}}},
		{"a phrase that must not occur", store.Query{Text: `echo -"commitment storage" stow*`}, []needle{{word: "echo"}, {word: "commitment storage", not: true}, {word: "stow", prefix: true}}},
		{"a whole UID", store.Query{Text: "1.2.840.3.0"}, []needle{{word: "1.2.840.3.0"}}},
		{"a part of a UID", store.Query{Text: "840.3"}, []needle{{word: "840.3"}}},
		{"a prefix of a UID", store.Query{Text: "1.2.840.4*"}, []needle{{word: "1.2.840.4", prefix: true}}},
		{"an address", store.Query{Text: "10.20.0.7"}, []needle{{word: "10.20.0.7"}}},
		{"a hardware address", store.Query{Text: "02:00:00:00:00:05"}, []needle{{word: "02:00:00:00:00:05"}}},
		{"a device", store.Query{Text: "dev-04 theatre-2"}, []needle{{word: "dev-04"}, {word: "theatre-2"}}},
		{"a word that no event has", store.Query{Text: "laparoscope"}, []needle{{word: "laparoscope"}}},
		{"text and terms", store.Query{Text: "released", From: from, To: to, Terms: []store.Term{term(store.FieldProtocol, false, "tls")}}, []needle{{word: "released"}}},
		{"nothing but signs", store.Query{Text: `* - ""`}, nil},
	}
	oldest := slices.Clone(list)
	for i := range oldest {
		oldest[i].name += ", oldest first"
		oldest[i].q.Oldest = true
	}
	return append(list, oldest...)
}

func (e *env) pages(q store.Query, check func(p store.Page)) []record.Record {
	e.Helper()
	var out []record.Record
	for pages := 0; ; pages++ {
		p, err := e.Query(e.ctx(), q)
		if err != nil {
			e.Fatal(err)
		}
		if len(p.Records) > q.Limit {
			e.Fatalf("%d records on a page of %d", len(p.Records), q.Limit)
		}
		if check != nil {
			check(p)
		}
		out = append(out, p.Records...)
		if p.Next == "" {
			return out
		}
		if pages > 20_000 {
			e.Fatal("the pages have no end")
		}
		q.Cursor = p.Next
	}
}

// same compares records field by field.
func (e *env) same(what string, got, want []record.Record) {
	e.Helper()
	for i := range min(len(got), len(want)) {
		if !reflect.DeepEqual(normal(got[i]), normal(want[i])) {
			e.Fatalf("%s: record %d of %d is\n%+v, want\n%+v", what, i, len(got), got[i], want[i])
		}
	}
	if len(got) != len(want) {
		e.Fatalf("%s: %d records, want %d", what, len(got), len(want))
	}
}

func normal(r record.Record) record.Record {
	if len(r.Data) == 0 {
		r.Data = nil
	}
	return r
}

var queryTests = []test{
	{"every query gives what a plain list gives, on one page and on many", func(e *env) {
		e.fill()
		mid := len(e.all) / 2
		for _, c := range cases(e.all[mid/2].Time, e.all[mid].Time+1) {
			e.Run(c.name, func(t *testing.T) {
				sub := &env{T: t, Store: e.Store}
				want := answer(e.all, c.q, c.needles)
				q := c.q
				q.Limit, q.Budget = store.MaxLimit, time.Minute
				sub.same("one page", sub.pages(q, func(p store.Page) {
					if !p.Complete {
						t.Error("not complete within a minute")
					}
				}), want)
				q.Limit = 97
				sub.same("pages of 97", sub.pages(q, nil), want)
				// Each page ends at once, but each gets on.
				q.Budget = 1
				sub.same("pages without time", sub.pages(q, nil), want)
			})
		}
	}},
	{"cases find something, or the test would show nothing", func(e *env) {
		e.fill()
		mid := len(e.all) / 2
		empty := []string{"an empty range", "of a value that no event has", "a word that no event has", "a part of a word does not match", "letters beyond ASCII"}
		for _, c := range cases(e.all[mid/2].Time, e.all[mid].Time+1) {
			name, _, _ := strings.Cut(c.name, ", oldest")
			if n := len(answer(e.all, c.q, c.needles)); (n == 0) != slices.Contains(empty, name) {
				e.Errorf("%s: %d events", c.name, n)
			}
		}
	}},
	{"an empty store has empty answers", func(e *env) {
		p, err := e.Query(e.ctx(), store.Query{Limit: 10})
		if err != nil || len(p.Records) != 0 || p.Next != "" || !p.Complete {
			e.Errorf("query: %+v, %v", p, err)
		}
		recs, next, err := e.After(e.ctx(), 0, store.Query{}, 10)
		if err != nil || len(recs) != 0 || next != 0 {
			e.Errorf("after: %v, %d, %v", recs, next, err)
		}
		if _, err := e.Get(e.ctx(), 1); !errors.Is(err, store.ErrNotFound) {
			e.Errorf("get: %v", err)
		}
		if first, last, err := e.Last(e.ctx()); first != 0 || last != 0 || err != nil {
			e.Errorf("last: %d, %d, %v", first, last, err)
		}
		h, err := e.Histogram(e.ctx(), store.Query{}, 5)
		if err != nil || len(h.Steps) != 5 || !h.Complete {
			e.Errorf("histogram: %+v, %v", h, err)
		}
		top, err := e.Top(e.ctx(), store.Query{}, store.FieldDevice, 5)
		if err != nil || len(top.Values) != 0 {
			e.Errorf("top: %+v, %v", top, err)
		}
		links, more, err := e.Links(e.ctx(), 0, 0, 10)
		if err != nil || len(links) != 0 || more {
			e.Errorf("links: %v, %v, %v", links, more, err)
		}
		if a, err := e.Activity(e.ctx(), "dev-01", Base, Base+1e9, 3); err != nil || len(a) != 3 {
			e.Errorf("activity: %v, %v", a, err)
		}
		s, err := e.Stats(e.ctx())
		if err != nil || s.Events != 0 || len(s.Days) != 0 || s.First != 0 || s.Last != 0 {
			e.Errorf("stats: %+v, %v", s, err)
		}
	}},
	{"a query that cannot be is refused", func(e *env) {
		many := make([]string, 101)
		for name, q := range map[string]store.Query{
			"no limit":           {},
			"too large a limit":  {Limit: store.MaxLimit + 1},
			"an unknown field":   {Limit: 1, Terms: []store.Term{{Field: "colour", Values: []string{"red"}}}},
			"a term of nothing":  {Limit: 1, Terms: []store.Term{{Field: store.FieldIP}}},
			"too many values":    {Limit: 1, Terms: []store.Term{{Field: store.FieldProtocol, Values: many}}},
			"a bad address":      {Limit: 1, Terms: []store.Term{{Field: store.FieldIP, Values: []string{"10.20"}}}},
			"a bad class":        {Limit: 1, Terms: []store.Term{{Field: store.FieldClass, Values: []string{"dicom"}}}},
			"a bad activity":     {Limit: 1, Terms: []store.Term{{Field: store.FieldActivity, Values: []string{"4001"}}}},
			"a bad severity":     {Limit: 1, Terms: []store.Term{{Field: store.FieldSeverity, Values: []string{"bad"}}}},
			"a bad status":       {Limit: 1, Terms: []store.Term{{Field: store.FieldStatus, Values: []string{"ok"}}}},
			"a bad cursor":       {Limit: 1, Cursor: "x"},
			"a bad min severity": {Limit: 1, MinSeverity: 9},
			"a long text":        {Limit: 1, Text: strings.Repeat("a ", 600)},
			"many words":         {Limit: 1, Text: strings.Repeat("a ", 51)},
			"text not in UTF-8":  {Limit: 1, Text: "\xff"},
		} {
			if _, err := e.Query(e.ctx(), q); !errors.Is(err, store.ErrInvalid) {
				e.Errorf("%s: %v", name, err)
			}
		}
		e.add(Records(e, 1, 10, Base, time.Minute))
		p, err := e.Query(e.ctx(), store.Query{Limit: 3})
		if err != nil || p.Next == "" {
			e.Fatal(p, err)
		}
		if _, err := e.Query(e.ctx(), store.Query{Limit: 3, Cursor: p.Next, Oldest: true}); !errors.Is(err, store.ErrInvalid) {
			e.Errorf("cursor of the other order: %v", err)
		}
	}},
	{"get gives each event, and not found for others", func(e *env) {
		e.fill()
		for i := 0; i < len(e.all); i += 37 {
			r, err := e.Get(e.ctx(), e.all[i].Seq)
			if err != nil {
				e.Fatal(err)
			}
			e.same("get", []record.Record{r}, e.all[i:i+1])
		}
		for _, seq := range []uint64{0, e.seq + 1, 1 << 63, ^uint64(0)} {
			if _, err := e.Get(e.ctx(), seq); !errors.Is(err, store.ErrNotFound) {
				e.Errorf("get %d: %v", seq, err)
			}
		}
	}},
	{"after gives events in the order of their numbers, and always gets on", func(e *env) {
		e.fill()
		// One handle has appended them, and knows some; another reads what is stored.
		handles := []store.Store{e.Store}
		if e.reopen != nil {
			handles = append(handles, e.other())
		}
		for _, c := range cases(0, 0) {
			if c.q.Oldest {
				continue
			}
			q := c.q
			q.From, q.To = 0, 0
			want := answer(e.all, q, c.needles)
			slices.SortFunc(want, func(a, b record.Record) int { return int(a.Seq) - int(b.Seq) })
			// Range, order and cursor do not count.
			q.From, q.To, q.Oldest, q.Cursor = 5, 6, true, "ignored"
			for i, s := range handles {
				for _, budget := range []time.Duration{time.Minute, 1} {
					q.Budget = budget
					e.same(fmt.Sprintf("%s, handle %d", c.name, i), e.follow(s, q, 200), want)
				}
			}
		}
		recs, next, err := e.After(e.ctx(), e.seq, store.Query{}, 10)
		if len(recs) != 0 || next != e.seq || err != nil {
			e.Errorf("after the last: %v, %d, %v", recs, next, err)
		}
		recs, next, err = e.After(e.ctx(), e.seq+5, store.Query{}, 10)
		if len(recs) != 0 || next != e.seq+5 || err != nil {
			e.Errorf("after what is still to come: %v, %d, %v", recs, next, err)
		}
	}},
	{"what was appended just now is given whole, whoever appended it", func(e *env) {
		other := e.other()
		q := store.Query{Terms: []store.Term{{Field: store.FieldProtocol, Values: []string{protocols[0]}}}}
		for i := range uint64(8) {
			before := e.seq
			e.add(Records(e, i, []int{1, 2500, 3}[i%3], Base+int64(i)*int64(time.Hour), time.Minute))
			for n, s := range []store.Store{e.Store, other} {
				for _, from := range []uint64{before, before + 1, 0} {
					recs, next, err := s.After(e.ctx(), from, store.Query{}, 10_000)
					if err != nil || next != max(from, e.seq) {
						e.Fatalf("handle %d, after %d: next %d, %v", n, from, next, err)
					}
					e.same("all", recs, e.all[from:])
				}
				want := answer(e.all, q, nil)
				slices.SortFunc(want, func(a, b record.Record) int { return int(a.Seq) - int(b.Seq) })
				e.same("of a protocol", e.follow(s, q, 7), want)
			}
			if i == 4 { // the other one leads for a while
				e.handOver(other, Records(e, 100, 20, Base, time.Minute))
				e.same("after a change of the lead", e.follow(e.Store, store.Query{}, 1000), e.all)
			}
		}
	}},
	{"a cancelled query ends with the context's error", func(e *env) {
		e.fill()
		ctx, cancel := context.WithCancel(e.ctx())
		cancel()
		if _, err := e.Query(ctx, store.Query{Limit: 10}); !errors.Is(err, context.Canceled) {
			e.Errorf("query: %v", err)
		}
		if _, _, err := e.After(ctx, 0, store.Query{}, 10); !errors.Is(err, context.Canceled) {
			e.Errorf("after: %v", err)
		}
		if err := e.Wait(ctx, e.seq); !errors.Is(err, context.Canceled) {
			e.Errorf("wait: %v", err)
		}
	}},
}

// follow reads everything that matches, from the first number.
func (e *env) follow(s store.Store, q store.Query, limit int) (got []record.Record) {
	e.Helper()
	seq := uint64(0)
	for calls := 0; seq < e.seq; calls++ {
		recs, next, err := s.After(e.ctx(), seq, q, limit)
		if err != nil {
			e.Fatal(err)
		}
		if next <= seq || calls > 10_000 {
			e.Fatalf("from %d to %d", seq, next)
		}
		got = append(got, recs...)
		seq = next
	}
	return got
}
