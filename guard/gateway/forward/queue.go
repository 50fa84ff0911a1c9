// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"container/heap"
	"slices"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// item is a delivery that waits.
type item struct {
	number   uint64
	study    string
	theatre  string
	class    string
	syntax   string
	open     bool // its route lets pass when the ledger fails
	bytes    int64
	received time.Time
	next     time.Time
	attempts int
	took     uint64 // what the destination had taken when it was interrupted over this one last

	state itemState
}

type itemState uint8

const (
	gone itemState = iota
	delayed
	ready
	taken
)

// queue holds what waits for one destination. It is not safe for concurrent use.
type queue struct {
	items  map[uint64]*item
	later  timeHeap            // delayed
	groups map[groupKey]*group // ready
	ready  int
	taken  int
	bytes  int64
	pairs  map[pair]int   // what is there, taken or not
	places map[string]int // the same, by theatre
	byAge  numberHeap     // all, and some that are gone
}

// groupKey tells apart what may be sent now and what first.
type groupKey struct {
	theatre string
	open    bool
}

// pair is what a presentation context is made of.
type pair struct{ class, syntax string }

// group is what is ready of one theatre.
type group struct {
	all     numberHeap
	studies map[string]*study
	n       int
}

type study struct {
	items  numberHeap
	newest time.Time
	n      int
}

func newQueue() *queue {
	return &queue{items: map[uint64]*item{}, groups: map[groupKey]*group{}, pairs: map[pair]int{}, places: map[string]int{}}
}

// put adds a delivery or notes what changed of it.
func (q *queue) put(r *instance.Record, d *instance.Delivery, theatre string, open bool, now time.Time) {
	it := q.items[r.Number]
	if it == nil {
		if theatre == "" {
			theatre = r.Sender.Theatre
		}
		it = &item{number: r.Number, study: r.Study, theatre: theatre, class: r.SOPClass, syntax: r.TransferSyntax, bytes: r.Bytes, received: r.Received}
		q.items[r.Number] = it
		q.bytes += it.bytes
		q.pairs[pair{it.class, it.syntax}]++
		q.places[it.theatre]++
		q.byAge.compact(len(q.items), func(it *item) bool { return q.items[it.number] == it })
		heap.Push(&q.byAge, it)
	}
	it.attempts = d.Attempts
	if it.state == taken {
		return // whoever has it brings it back
	}
	q.unready(it)
	it.next, it.open = d.Next, open
	q.place(it, now)
}

// place puts an item that nobody has where it belongs.
func (q *queue) place(it *item, now time.Time) {
	if it.next.After(now) {
		it.state = delayed
		if len(q.later) > 2*len(q.items)+slack {
			q.later = slices.DeleteFunc(q.later, q.stale)
			heap.Init(&q.later)
		}
		heap.Push(&q.later, timed{it, it.next})
		return
	}
	it.state = ready
	q.ready++
	key := groupKey{it.theatre, it.open}
	g := q.groups[key]
	if g == nil {
		g = &group{studies: map[string]*study{}}
		q.groups[key] = g
	}
	g.all.compact(g.n, isReady)
	heap.Push(&g.all, it)
	g.n++
	s := g.studies[it.study]
	if s == nil {
		s = &study{}
		g.studies[it.study] = s
	}
	s.items.compact(s.n, isReady)
	heap.Push(&s.items, it)
	s.n++
	if it.received.After(s.newest) {
		s.newest = it.received
	}
}

// unready takes an item off what is ready. It stays in the heaps, which pass over it.
func (q *queue) unready(it *item) {
	if it.state != ready {
		return
	}
	it.state = gone
	q.ready--
	key := groupKey{it.theatre, it.open}
	g := q.groups[key]
	g.n--
	if s := g.studies[it.study]; s != nil {
		if s.n--; s.n == 0 {
			delete(g.studies, it.study)
		}
	}
	if g.n == 0 {
		delete(q.groups, key)
	}
}

// due moves what has waited long enough, and returns when the next will have.
func (q *queue) due(now time.Time) time.Time {
	for len(q.later) > 0 {
		t := q.later[0]
		if q.stale(t) {
			heap.Pop(&q.later)
			continue
		}
		if t.at.After(now) {
			return t.at
		}
		heap.Pop(&q.later)
		q.place(t.it, now)
	}
	return time.Time{}
}

// stale reports an entry of what is delayed that says nothing any more.
func (q *queue) stale(t timed) bool {
	return t.it.state != delayed || !t.it.next.Equal(t.at) || q.items[t.it.number] != t.it
}

// take gives out the next delivery, nil when none is ready. With onlyOpen those of routes that
// fail closed stay.
func (q *queue) take(urgent func(theatre string) bool, onlyOpen bool) *item {
	var newest *study
	var first *item
	for key, g := range q.groups {
		if onlyOpen && !key.open {
			continue
		}
		if urgent(key.theatre) {
			if s := g.newest(); newest == nil || s.before(newest) {
				newest = s
			}
		} else if it := g.all.first(); first == nil || it.number < first.number {
			first = it
		}
	}
	if newest != nil {
		first = newest.items.first()
	}
	if first == nil {
		return nil
	}
	return q.given(first)
}

func (q *queue) given(it *item) *item {
	q.unready(it)
	it.state = taken
	q.taken++
	return it
}

// back returns an item that was taken; its next and attempts may have changed.
func (q *queue) back(it *item, now time.Time) {
	if it.state != taken {
		return
	}
	it.state = gone
	q.taken--
	if q.items[it.number] == it {
		q.place(it, now)
	}
}

// remove forgets a delivery.
func (q *queue) remove(number uint64) {
	it := q.items[number]
	if it == nil {
		return
	}
	q.unready(it)
	if it.state == taken {
		q.taken--
	}
	it.state = gone
	delete(q.items, number)
	q.bytes -= it.bytes
	p := pair{it.class, it.syntax}
	if q.pairs[p]--; q.pairs[p] == 0 {
		delete(q.pairs, p)
	}
	if q.places[it.theatre]--; q.places[it.theatre] == 0 {
		delete(q.places, it.theatre)
	}
}

// oldest returns when the oldest was received.
func (q *queue) oldest() time.Time {
	for len(q.byAge) > 0 {
		if it := q.byAge[0]; q.items[it.number] == it {
			return it.received
		}
		heap.Pop(&q.byAge)
	}
	return time.Time{}
}

// urgents counts what is there for theatres where a case is in progress: also what is being sent, and what waits
// after an attempt.
func (q *queue) urgents(urgent func(theatre string) bool) int {
	n := 0
	for theatre, here := range q.places {
		if urgent(theatre) {
			n += here
		}
	}
	return n
}

func (g *group) newest() *study {
	var best *study
	for _, s := range g.studies {
		if best == nil || s.before(best) {
			best = s
		}
	}
	return best
}

// before reports whether a study goes first: the newest, and of two of the same moment always the same one, so that each
// stays together.
//
// Precondition: both have something that is ready.
func (s *study) before(other *study) bool {
	if !s.newest.Equal(other.newest) {
		return s.newest.After(other.newest)
	}
	return s.items.first().study < other.items.first().study
}

// numberHeap has items that came first in front, and some that are not ready any more.
type numberHeap []*item

func (h numberHeap) Len() int           { return len(h) }
func (h numberHeap) Less(i, j int) bool { return h[i].number < h[j].number }
func (h numberHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *numberHeap) Push(x any) { *h = append(*h, x.(*item)) }

// Pop implements heap.Interface.
func (h *numberHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return x
}

// slack is how many entries without meaning a heap may have besides as many as it has with.
const slack = 1000

// compact drops what does not count when that is most of the heap.
func (h *numberHeap) compact(n int, counts func(*item) bool) {
	if len(*h) > 2*n+slack {
		*h = slices.DeleteFunc(*h, func(it *item) bool { return !counts(it) })
		heap.Init(h)
	}
}

func isReady(it *item) bool { return it.state == ready }

// first returns the first item that is ready. Others are dropped: they are pushed again
// when they are. Precondition: one is ready.
func (h *numberHeap) first() *item {
	for (*h)[0].state != ready {
		heap.Pop(h)
	}
	return (*h)[0]
}

type timed struct {
	it *item
	at time.Time
}

type timeHeap []timed

func (h timeHeap) Len() int           { return len(h) }
func (h timeHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h timeHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *timeHeap) Push(x any) { *h = append(*h, x.(timed)) }

// Pop implements heap.Interface.
func (h *timeHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	old[len(old)-1] = timed{}
	*h = old[:len(old)-1]
	return x
}
