// SPDX-License-Identifier: Apache-2.0

package eventlog

import (
	"container/heap"
	"context"

	"github.com/asepsis/asepsis/platform/store/segment"
)

// Heads are read a few at first, since the newest page needs no more, then many.
const (
	firstHeads = 8
	moreHeads  = 512
)

// walk goes through the segments of all shards in an order.
type walk struct {
	v       View
	m       *segment.Matcher
	q       HeadQuery
	visible uint64
	shards  shardHeap
	budget  budget
}

// step says what a walk found.
type step uint8

const (
	atEnd     step = iota
	atSegment      // the head is that of the next segment
	atPause        // the budget is over; the head bounds what is still to come
)

// shardWalk is where a walk is in one shard.
type shardWalk struct {
	extent Extent
	done   bool
	known  bool // that it may have something
	found  []Found
	last   segment.Head // that was passed over
	q      HeadQuery
}

// startWalk begins a walk over the segments that may have what m asks for within
// the times of q.
func startWalk(ctx context.Context, v View, m *segment.Matcher, q HeadQuery, b budget) (*walk, Index, error) {
	ix, err := v.Index(ctx)
	if err != nil {
		return nil, ix, err
	}
	q.Filter, q.MinSeverity = m.NeedsFilter(), m.MinSeverity()
	w := &walk{v: v, m: m, q: q, visible: ix.Last, budget: b}
	w.shards.order = q.Order
	for _, e := range ix.Extents {
		if e.Events == 0 || e.MaxTime < q.From || e.MinTime >= q.To || e.Last <= q.Above {
			continue
		}
		sq := q
		sq.Limit = firstHeads
		w.shards.list = append(w.shards.list, &shardWalk{extent: e, q: sq})
	}
	heap.Init(&w.shards)
	return w, ix, nil
}

// peek returns the head that is next. Its bounds hold for everything that is
// still to come. A pause may be followed by another peek: each gets on.
func (w *walk) peek(ctx context.Context) (segment.Head, Shard, step, error) {
	for len(w.shards.list) > 0 {
		s := w.shards.list[0]
		for len(s.found) > 0 && !w.may(&s.found[0]) {
			s.last = s.found[0].Head
			s.found = s.found[1:]
		}
		switch {
		case len(s.found) > 0:
			if heap.Fix(&w.shards, 0); w.shards.list[0] == s {
				return s.found[0].Head, s.extent.Shard, atSegment, nil
			}
		case s.done:
			heap.Pop(&w.shards)
		default:
			if err := w.fill(ctx, s); err != nil {
				return segment.Head{}, 0, atEnd, err
			}
			heap.Fix(&w.shards, 0)
			if s.q.Limit == moreHeads && w.budget.over() {
				return w.shards.list[0].bound(), 0, atPause, nil
			}
		}
	}
	return segment.Head{}, 0, atEnd, nil
}

func (w *walk) may(f *Found) bool {
	return w.m.MayHead(f.Head) && (!w.q.Filter || w.m.MayFilter(f.Filter))
}

// fill reads the next heads of a shard.
func (w *walk) fill(ctx context.Context, s *shardWalk) error {
	if s.q.Limit == moreHeads && !s.known && w.m.NeedsSums() {
		// The first few had not enough. What a day counts by tells, in one small read,
		// that it has nothing at all.
		s.known = true
		may := false
		err := w.v.Sums(ctx, s.extent.Shard, KindCombination, minTime, maxTime, 0, 0, func(_ Key, body []byte) error {
			c, err := parseCombination(body)
			may = may || w.m.MaySum(c.Class, c.Activity, c.Severity, c.Status, c.Protocol, c.Theatre, c.Sensor)
			return err
		})
		if err != nil {
			return shardError(s.extent.Shard, err)
		}
		if !may {
			s.done = true
			return nil
		}
	}
	found, err := w.v.Heads(ctx, s.extent.Shard, s.q)
	if err != nil {
		return err
	}
	if s.done = len(found) < s.q.Limit; !s.done {
		after := found[len(found)-1].Head
		s.q.After, s.q.Limit = &after, moreHeads
	}
	s.found = found
	return nil
}

// bound is a head that stands for all that is still to come from the shard.
func (s *shardWalk) bound() segment.Head {
	switch {
	case len(s.found) > 0:
		return s.found[0].Head
	case s.last.N > 0:
		return s.last
	}
	return segment.Head{First: s.extent.First, Last: s.extent.Last, MinTime: s.extent.MinTime, MaxTime: s.extent.MaxTime}
}

// counts returns those of the head that peek gave, nil where the walk has none.
func (w *walk) counts() []byte { return w.shards.list[0].found[0].Counts }

// skip passes over the head that peek gave.
func (w *walk) skip() {
	s := w.shards.list[0]
	s.last, s.found = s.found[0].Head, s.found[1:]
}

// shardHeap has the shard with the next segment first.
type shardHeap struct {
	list  []*shardWalk
	order Order
}

func (h *shardHeap) Len() int { return len(h.list) }

func (h *shardHeap) Less(i, j int) bool {
	a, b := h.list[i].bound(), h.list[j].bound()
	switch h.order {
	case Newest:
		return a.MaxTime > b.MaxTime
	case Oldest:
		return a.MinTime < b.MinTime
	case BySeqNewest:
		return a.First > b.First
	}
	return a.First < b.First
}

func (h *shardHeap) Swap(i, j int) { h.list[i], h.list[j] = h.list[j], h.list[i] }
func (h *shardHeap) Push(x any)    { h.list = append(h.list, x.(*shardWalk)) }

func (h *shardHeap) Pop() any {
	x := h.list[len(h.list)-1]
	h.list = h.list[:len(h.list)-1]
	return x
}
