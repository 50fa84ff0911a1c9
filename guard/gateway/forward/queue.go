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
	took     uint64        // what the destination had taken when it was interrupted over this one last
	doubted  bool          // an association broke over it, and the destination has taken nothing since
	noRoom   int           // how often in a row the destination had no room for it
	unread   int           // how often in a row the journal could not give its record
	before   time.Duration // how long it had waited when it came into the queue, by the clock
	since    time.Time     // when it did; never set, so that it is measured from whatever the clock is set to

	state itemState
	in    *group // where it is ready, else nil
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
	doubts map[uint64]*item    // doubted
	ready  int
	taken  int
	bytes  int64
	pairs  map[pair]int   // what is there, taken or not
	places map[string]int // the same, by theatre
	byAge  numberHeap     // all, and some that are gone

	longest time.Duration // that something waits for its next attempt
}

// groupKey tells apart what may be sent now and what first.
type groupKey struct {
	theatre string
	open    bool
	doubted bool
}

func (it *item) key() groupKey { return groupKey{it.theatre, it.open, it.doubted} }

// pair is what a presentation context is made of.
type pair struct{ class, syntax string }

// group is what is ready of one theatre.
type group struct {
	all     numberHeap
	studies map[string]*study
	n       int
}

func (g *group) has(it *item) bool { return it.in == g }

type study struct {
	of     *group
	items  numberHeap
	newest time.Time
	n      int
}

func newQueue(longest time.Duration) *queue {
	return &queue{longest: longest, items: map[uint64]*item{}, groups: map[groupKey]*group{}, doubts: map[uint64]*item{}, pairs: map[pair]int{}, places: map[string]int{}}
}

// put adds a delivery or notes what changed of it.
func (q *queue) put(r *instance.Record, d *instance.Delivery, theatre string, open bool, now time.Time) {
	it := q.items[r.Number]
	if it == nil {
		if theatre == "" {
			theatre = r.Sender.Theatre
		}
		it = &item{before: now.Sub(r.Received), since: time.Now(), number: r.Number, study: r.Study, theatre: theatre, class: r.SOPClass, syntax: r.TransferSyntax, bytes: r.Bytes, received: r.Received}
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
	if it.state == delayed && it.next.Equal(d.Next) {
		it.open = open
		return // it is where it belongs
	}
	q.unready(it)
	it.next, it.open = d.Next, open
	if late := it.next.Sub(now); late > q.longest && late < held { // written down by a clock that was ahead
		it.next = now.Add(q.longest)
	}
	q.place(it, now)
}

// waited is how long an item has waited, for what waits at most age. Of the time before it came into the queue, which
// is when the gateway started, it was retried, or it arrived, two thirds of age count at most: the clock may have
// been set since, and nothing was tried while the gateway was down.
func (it *item) waited(age time.Duration) time.Duration {
	return min(max(it.before, 0), age-age/3) + time.Since(it.since)
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
	g := q.groups[it.key()]
	if g == nil {
		g = &group{studies: map[string]*study{}}
		q.groups[it.key()] = g
	}
	it.state, it.in = ready, g
	q.ready++
	g.all.compact(g.n, g.has)
	heap.Push(&g.all, it)
	g.n++
	s := g.studies[it.study]
	if s == nil {
		s = &study{of: g}
		g.studies[it.study] = s
	}
	s.items.compact(s.n, g.has)
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
	g := it.in
	it.state, it.in = gone, nil
	q.ready--
	g.n--
	if s := g.studies[it.study]; s != nil {
		if s.n--; s.n == 0 {
			delete(g.studies, it.study)
		}
	}
	if g.n == 0 {
		delete(q.groups, it.key())
	}
}

// doubt puts an item that is taken behind all that are not doubted.
func (q *queue) doubt(it *item) {
	if q.items[it.number] == it && it.state == taken {
		it.doubted = true
		q.doubts[it.number] = it
	}
}

// trust takes all doubts back: the destination took something.
func (q *queue) trust(now time.Time) {
	for n, it := range q.doubts {
		delete(q.doubts, n)
		was := it.state
		q.unready(it)
		it.doubted = false
		if was == ready {
			q.place(it, now)
		}
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

// peek returns the next delivery, nil when none is ready. With onlyOpen those of routes that
// fail closed stay. What is doubted comes after all else, urgent or not: it is not tried again before
// another was.
func (q *queue) peek(urgent func(theatre string) bool, onlyOpen bool) *item {
	first := q.first(urgent, onlyOpen, false)
	if first == nil && len(q.doubts) > 0 {
		first = q.first(urgent, onlyOpen, true)
	}
	return first
}

// take gives out the next delivery.
func (q *queue) take(urgent func(theatre string) bool, onlyOpen bool) *item {
	if first := q.peek(urgent, onlyOpen); first != nil {
		return q.given(first)
	}
	return nil
}

func (q *queue) first(urgent func(theatre string) bool, onlyOpen, doubted bool) *item {
	var newest *study
	var first *item
	for key, g := range q.groups {
		if onlyOpen && !key.open || key.doubted != doubted {
			continue
		}
		if urgent(key.theatre) {
			if s := g.newest(); newest == nil || s.before(newest) {
				newest = s
			}
		} else if it := g.all.first(g); first == nil || it.number < first.number {
			first = it
		}
	}
	if newest != nil {
		return newest.first()
	}
	return first
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
	delete(q.doubts, number)
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
	return s.first().study < other.first().study
}

// first returns the item that came first. Precondition: one is ready.
func (s *study) first() *item { return s.items.first(s.of) }

// numberHeap has items that came first in front, and some that are not ready any more, or in another group.
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

// first returns the first item that is ready in a group. Others are dropped: they are pushed again
// when they are. Precondition: one is ready.
func (h *numberHeap) first(g *group) *item {
	for (*h)[0].in != g {
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
