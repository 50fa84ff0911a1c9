// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/instance"
)

func nobodyUrgent(string) bool { return false }

// The queue against the plainest thing that does the same, over random operations.
func TestTheQueueGivesWhatIsDueInItsOrder(t *testing.T) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 1))
		q := newQueue(held)
		now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
		type model struct {
			next    time.Time
			open    bool
			doubted bool
			taken   *item
		}
		all := map[uint64]*model{}
		next := uint64(1)
		for step := range 3000 {
			switch op := r.IntN(10); {
			case op < 4: // something comes
				at := now
				if r.IntN(3) == 0 {
					at = now.Add(time.Duration(r.IntN(100)) * time.Second)
				}
				m := &model{next: at, open: r.IntN(2) == 0}
				all[next] = m
				q.put(&instance.Record{Number: next, Bytes: 10, Study: fmt.Sprint(next % 7), Received: now}, &instance.Delivery{Next: at}, fmt.Sprint("OR-", next%3), m.open, now)
				next++
			case op < 8: // something is taken
				onlyOpen := r.IntN(4) == 0
				q.due(now)
				var want uint64
				for _, doubted := range []bool{false, true} {
					for n, m := range all {
						if m.taken == nil && !m.next.After(now) && (m.open || !onlyOpen) && m.doubted == doubted && (want == 0 || n < want) {
							want = n
						}
					}
					if want > 0 {
						break
					}
				}
				it := q.take(nobodyUrgent, onlyOpen)
				if it == nil != (want == 0) || it != nil && it.number != want {
					t.Fatalf("seed %d, step %d: %+v, want %d", seed, step, it, want)
				}
				if it != nil {
					all[want].taken = it
				}
			case op == 8: // something comes back, or is done
				for n, m := range all {
					if m.taken == nil {
						continue
					}
					if r.IntN(2) == 0 {
						q.remove(n)
						delete(all, n)
						break
					}
					m.next = now.Add(time.Duration(r.IntN(20)-10) * time.Second)
					m.taken.next = m.next
					if r.IntN(3) == 0 {
						q.doubt(m.taken)
						m.doubted = true
					}
					q.back(m.taken, now)
					m.taken = nil
					break
				}
			default:
				now = now.Add(time.Duration(r.IntN(10)) * time.Second)
				if r.IntN(5) == 0 {
					q.due(now)
					q.trust(now)
					for _, m := range all {
						m.doubted = false
					}
				}
				if n := r.Uint64N(next); all[n] != nil && r.IntN(3) == 0 {
					q.remove(n)
					delete(all, n)
				}
			}
			taken := 0
			for _, m := range all {
				if m.taken != nil {
					taken++
				}
			}
			doubted := 0
			for _, m := range all {
				if m.doubted {
					doubted++
				}
			}
			if len(q.doubts) != doubted {
				t.Fatalf("seed %d, step %d: %d doubted, want %d", seed, step, len(q.doubts), doubted)
			}
			if len(q.items) != len(all) || q.bytes != int64(10*len(all)) || q.taken != taken {
				t.Fatalf("seed %d, step %d: %d items, %d bytes, %d taken; want %d and %d", seed, step, len(q.items), q.bytes, q.taken, len(all), taken)
			}
		}
	}
}

func TestUrgentItemsGoFirstNewestStudyFirst(t *testing.T) {
	q := newQueue(held)
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	put := func(n uint64, theatre, study string, minute int) {
		q.put(&instance.Record{Number: n, Study: study, Received: now.Add(time.Duration(minute) * time.Minute)}, &instance.Delivery{}, theatre, true, now)
	}
	put(1, "OR-1", "a", 0)
	put(2, "OR-3", "b", 1)
	put(3, "OR-3", "c", 2)
	put(4, "OR-4", "d", 3)
	put(5, "OR-3", "b", 4)
	put(6, "OR-3", "c", 3)
	urgent := func(theatre string) bool { return theatre != "OR-1" }
	if n := q.urgents(urgent); n != 5 {
		t.Errorf("%d urgent", n)
	}
	var got []uint64
	for it := q.take(urgent, false); it != nil; it = q.take(urgent, false) {
		got = append(got, it.number)
	}
	if !slices.Equal(got, []uint64{2, 5, 3, 6, 4, 1}) && !slices.Equal(got, []uint64{2, 5, 4, 3, 6, 1}) {
		t.Error(got)
	}
}

func TestOneOfAnotherTheatreGoesBeforeAnUrgentOneThatIsDoubted(t *testing.T) {
	q := newQueue(held)
	now := time.Now()
	for n, theatre := range []string{1: "OR-3", 2: "OR-3", 3: "OR-1"} {
		if n > 0 {
			q.put(&instance.Record{Number: uint64(n), Study: "s", Received: now}, &instance.Delivery{}, theatre, true, now)
		}
	}
	urgent := func(theatre string) bool { return theatre == "OR-3" }
	var got []uint64
	breaks := func(n uint64) {
		it := q.take(urgent, false)
		got = append(got, it.number)
		if it.number == n {
			q.doubt(it)
		} else {
			q.trust(now)
		}
		q.back(it, now)
	}
	for range 6 {
		breaks(1) // broken off, 2 taken, and so on
	}
	if !slices.Equal(got, []uint64{1, 2, 1, 2, 1, 2}) {
		t.Error(got)
	}
	q.doubt(q.take(urgent, false))
	q.doubt(q.take(urgent, false))
	if it := q.take(urgent, false); it.number != 3 {
		t.Errorf("%d goes before what is not doubted", it.number)
	}
}

func TestTheQueueForgetsWhatWasTakenThoughSomethingIsStuck(t *testing.T) {
	q := newQueue(held)
	now := time.Now()
	put := func(n uint64, next time.Time) {
		q.put(&instance.Record{Number: n, Study: "s", Received: now}, &instance.Delivery{Next: next}, "OR-1", true, now)
	}
	put(1, now.Add(time.Hour)) // is the oldest all the time
	for n := uint64(2); n < 50000; n++ {
		put(1, now.Add(time.Duration(n)*time.Hour)) // and is put off over and over
		put(n, time.Time{})
		q.remove(q.take(nobodyUrgent, false).number)
	}
	if len(q.byAge) > 2*slack || len(q.later) > 2*slack || len(q.groups) > 0 {
		t.Errorf("%d, %d and %d entries for %d items", len(q.byAge), len(q.later), len(q.groups), len(q.items))
	}
}
