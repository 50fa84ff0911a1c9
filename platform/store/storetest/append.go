// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
)

const dayLong = 24 * time.Hour

var appendTests = []test{
	{"events come back as they were, with numbers in the order of append", func(e *env) {
		e.fill()
		got := e.pages(store.Query{Limit: 1000, Oldest: true}, nil)
		e.same("all", got, answer(e.all, store.Query{Oldest: true}, nil))
		first, last, err := e.Last(e.ctx())
		if err != nil || first != 1 || last != e.seq {
			e.Errorf("first %d, last %d, %v: want 1 and %d", first, last, err, e.seq)
		}
	}},
	{"appending needs the lead", func(e *env) {
		err := e.Append(e.ctx(), store.Position{Stream: "s", Seq: 1}, Records(e, 1, 1, Base, 0))
		if !errors.Is(err, store.ErrNoLead) {
			e.Fatalf("without: %v", err)
		}
		release, err := e.Lead(e.ctx(), false)
		if err != nil {
			e.Fatal(err)
		}
		if err := e.Append(e.ctx(), store.Position{Stream: "s", Seq: 1}, Records(e, 1, 1, Base, 0)); err != nil {
			e.Fatal(err)
		}
		release()
		release() // twice is once
		if err := e.Append(e.ctx(), store.Position{Stream: "s", Seq: 2}, Records(e, 1, 1, Base, 0)); !errors.Is(err, store.ErrNoLead) {
			e.Fatalf("after release: %v", err)
		}
	}},
	{"one leads at a time, and the next goes on where the last ended", func(e *env) {
		other := e.other()
		release, err := e.Lead(e.ctx(), false)
		if err != nil {
			e.Fatal(err)
		}
		if _, err := other.Lead(e.ctx(), false); !errors.Is(err, store.ErrBusy) {
			e.Fatalf("second lead: %v", err)
		}
		recs := Records(e, 1, 1500, Base, time.Hour)
		if err := e.Append(e.ctx(), store.Position{Stream: "s", Seq: 4}, recs[:1100]); err != nil {
			e.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(e.ctx(), 50*time.Millisecond)
		if _, err := other.Lead(ctx, true); !errors.Is(err, context.DeadlineExceeded) {
			e.Fatalf("waiting for the lead: %v", err)
		}
		cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			release2, err := other.Lead(e.ctx(), true)
			if err != nil {
				e.Error(err)
				return
			}
			defer release2()
			if p, err := other.Position(e.ctx(), "s"); p != 4 || err != nil {
				e.Errorf("position %d, %v", p, err)
			}
			if err := other.Append(e.ctx(), store.Position{Stream: "s", Seq: 5}, recs[1100:]); err != nil {
				e.Error(err)
			}
		})
		release()
		wg.Wait()
		got, _, err := e.After(e.ctx(), 0, store.Query{}, 10_000)
		if err != nil {
			e.Fatal(err)
		}
		for i := range recs {
			recs[i].Seq = uint64(i + 1)
		}
		e.same("all", got, recs)
	}},
	{"a position that is not after the stored one changes nothing", func(e *env) {
		e.add(Records(e, 1, 5, Base, time.Minute))
		for _, pos := range []uint64{0, 1} {
			if err := e.Append(e.ctx(), store.Position{Stream: "s", Seq: pos}, Records(e, 2, 5, Base, time.Minute)); err != nil {
				e.Errorf("position %d: %v", pos, err)
			}
		}
		if err := e.Append(e.ctx(), store.Position{Stream: "other", Seq: 1}, Records(e, 3, 2, Base, time.Minute)); err != nil {
			e.Fatal(err)
		}
		if _, last, err := e.Last(e.ctx()); last != 7 || err != nil {
			e.Errorf("last %d, %v: want 7", last, err)
		}
		for stream, want := range map[string]uint64{"s": 1, "other": 1, "none": 0} {
			if p, err := e.Position(e.ctx(), stream); p != want || err != nil {
				e.Errorf("position of %s: %d, %v: want %d", stream, p, err, want)
			}
		}
	}},
	{"an append of no records moves the position", func(e *env) {
		e.add(nil)
		if p, err := e.Position(e.ctx(), "s"); p != 1 || err != nil {
			e.Errorf("position %d, %v", p, err)
		}
	}},
	{"an append that is too large is refused as a whole", func(e *env) {
		e.add(nil)
		recs := make([]record.Record, store.MaxAppend+1)
		for i := range recs {
			recs[i].Time = Base
		}
		if err := e.Append(e.ctx(), store.Position{Stream: "s", Seq: 2}, recs); !errors.Is(err, store.ErrTooLarge) {
			e.Errorf("too many: %v", err)
		}
		recs = recs[:2]
		recs[1].Data = make([]byte, 17<<20)
		if err := e.Append(e.ctx(), store.Position{Stream: "s", Seq: 2}, recs); !errors.Is(err, store.ErrTooLarge) {
			e.Errorf("too long: %v", err)
		}
		if p, _ := e.Position(e.ctx(), "s"); p != 1 {
			e.Errorf("position %d", p)
		}
	}},
	{"the largest append and the largest event are stored", func(e *env) {
		recs := Records(e, 1, store.MaxAppend, Base, 20*time.Hour)
		recs[7].Data = make([]byte, 16<<20)
		recs[8].Data = make([]byte, 3<<20)
		recs[9].Data = nil
		e.add(recs)
		for _, i := range []int{6, 7, 8, 9, 10, store.MaxAppend - 1} {
			r, err := e.Get(e.ctx(), uint64(i+1))
			if err != nil {
				e.Fatal(err)
			}
			e.same("get", []record.Record{r}, e.all[i:i+1])
		}
	}},
	{"times that cannot be right are kept and found, in few places", func(e *env) {
		recs := Records(e, 1, 400, Base, time.Minute)
		for i := range recs {
			switch i % 4 {
			case 0:
				recs[i].Time = int64(i) * int64(dayLong) * 20 // from 1970 on
			case 1:
				recs[i].Time = Base + int64(i)*int64(dayLong)*30 // far ahead
			case 2:
				recs[i].Time = -int64(i) * int64(dayLong)
			}
		}
		recs[3].Time, recs[7].Time = 1<<63-2, -1<<63+1
		e.add(recs)
		for _, oldest := range []bool{false, true} {
			q := store.Query{Limit: 33, Oldest: oldest}
			e.same("all", e.pages(q, nil), answer(e.all, q, nil))
		}
		q := store.Query{Limit: 100, From: Base + int64(300*dayLong), To: Base + int64(3000*dayLong)}
		e.same("far ahead", e.pages(q, nil), answer(e.all, q, nil))
		s, err := e.Stats(e.ctx())
		if err != nil || len(s.Days) > 10 || s.Events != 400 {
			e.Errorf("%d days, %d events, %v", len(s.Days), s.Events, err)
		}
		h, err := e.Histogram(e.ctx(), store.Query{}, 50)
		n := uint64(0)
		for _, st := range h.Steps {
			for _, c := range st.By {
				n += c
			}
		}
		if err != nil || n != 400 {
			e.Errorf("histogram of %d events, %v", n, err)
		}
	}},
	{"wait returns for what is stored, in this process and another", func(e *env) {
		e.add(Records(e, 1, 3, Base, time.Minute))
		if err := e.Wait(e.ctx(), 2); err != nil {
			e.Fatal(err)
		}
		waiters := []store.Store{e.Store}
		if e.reopen != nil {
			waiters = append(waiters, e.reopen(e.T, e.Store))
		}
		done := make(chan error, len(waiters))
		for _, w := range waiters {
			go func() { done <- w.Wait(e.ctx(), 3) }()
		}
		select {
		case err := <-done:
			e.Fatalf("returned before there was anything: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
		e.add(Records(e, 2, 1, Base, time.Minute))
		for range waiters {
			if err := <-done; err != nil {
				e.Error(err)
			}
		}
	}},
	{"a reader never finds a number below one that it has seen", func(e *env) {
		readers := []store.Store{e.Store}
		if e.reopen != nil {
			readers = append(readers, e.reopen(e.T, e.Store))
		}
		e.add(nil)
		const total = 6000
		var wg sync.WaitGroup
		for _, s := range readers {
			wg.Go(func() {
				seq := uint64(0)
				seen := uint64(0)
				for seq < total {
					recs, next, err := s.After(e.ctx(), seq, store.Query{}, 1000)
					if err != nil {
						e.Error(err)
						return
					}
					for _, r := range recs {
						if r.Seq != seen+1 {
							e.Errorf("number %d after %d", r.Seq, seen)
							return
						}
						seen = r.Seq
					}
					if next == seq {
						if err := s.Wait(e.ctx(), seq); err != nil {
							e.Error(err)
							return
						}
					}
					seq = next
				}
			})
		}
		for n, i := 0, uint64(0); n < total; i++ {
			size := min(1+int(i*37%400), total-n)
			// Over midnight, so that an append is in two days.
			e.add(Records(e, i, size, Base+int64(90*time.Minute), time.Hour))
			n += size
		}
		wg.Wait()
	}},
	{"stats add up", func(e *env) {
		e.fill()
		s, err := e.Stats(e.ctx())
		if err != nil {
			e.Fatal(err)
		}
		days := map[string]uint64{}
		first, last := e.all[0].Time, e.all[0].Time
		for _, r := range e.all {
			days[time.Unix(0, r.Time).UTC().Format(time.DateOnly)]++
			first, last = min(first, r.Time), max(last, r.Time)
		}
		if s.Events != e.seq || s.First != first || s.Last != last || s.Bytes <= 0 || s.Engine == "" || s.Schema < 1 || s.Damaged != 0 {
			e.Errorf("%+v", s)
		}
		if len(s.Days) != len(days) || len(days) < 2 {
			e.Errorf("%d days, want %d", len(s.Days), len(days))
		}
		for i, d := range s.Days {
			if d.Events != days[d.Day] || d.Bytes <= 0 || i > 0 && s.Days[i-1].Day >= d.Day {
				e.Errorf("day %d: %+v, want %d events", i, d, days[d.Day])
			}
		}
		if err := e.Ping(e.ctx()); err != nil {
			e.Error(err)
		}
	}},
	{"many use it at once", func(e *env) {
		e.add(Records(e, 1, 100, Base, time.Minute))
		var wg sync.WaitGroup
		ctx, cancel := context.WithCancel(e.ctx())
		for i := range 6 {
			wg.Go(func() {
				for ctx.Err() == nil {
					if _, err := e.Query(ctx, store.Query{Limit: 50, Oldest: i%2 == 0, Text: []string{"", "storage"}[i%2]}); err != nil && ctx.Err() == nil {
						e.Error(err)
					}
					if _, err := e.Top(ctx, store.Query{}, store.FieldDevice, 3); err != nil && ctx.Err() == nil {
						e.Error(err)
					}
					if err := e.Commit(ctx, []store.Write{{Kind: "k", ID: string(rune('a' + i)), Expect: store.AnyRevision, Body: []byte("{}")}}); err != nil && ctx.Err() == nil {
						e.Error(err)
					}
				}
			})
		}
		for i := range uint64(60) {
			e.add(Records(e, 2+i, 80, Base, 4*time.Hour))
		}
		cancel()
		wg.Wait()
		e.same("all", e.pages(store.Query{Limit: 1000}, nil), answer(e.all, store.Query{}, nil))
	}},
}
