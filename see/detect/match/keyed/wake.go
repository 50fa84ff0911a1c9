// SPDX-License-Identifier: Apache-2.0

package keyed

import (
	"cmp"
	"slices"
)

const minute = 60_000_000_000

// Wake asks that Due gives this entry when at has come, instead of when it had asked
// for before; 0 for never. An entry may move its time on with every event: that costs
// nothing until the earlier time has come.
func (t *Table[T]) Wake(e *Entry[T], at int64) {
	e.wake = at
	switch {
	case at == 0:
		if e.heap > 0 {
			t.unheap(e)
		}
	case e.heap == 0:
		e.at = at
		t.heap = append(t.heap, e)
		e.heap = len(t.heap)
		t.up(e.heap - 1)
	case at < e.at:
		e.at = at
		t.up(e.heap - 1)
	}
}

// Wakes is when an entry wants to be woken, 0 for never.
func (e *Entry[T]) Wakes() int64 { return e.wake }

// Due calls f for each entry whose time has come, with that time, in the order of times and
// then of keys. Its wish is fulfilled with that; f may make a new one, which
// counts from the next call on, change the entry and delete it, but no other.
func (t *Table[T]) Due(now int64, f func(e *Entry[T], at int64)) {
	if now-t.minute >= minute || now < t.minute {
		t.lostLast, t.lost = t.lost, 0
		if now-t.minute >= 2*minute {
			t.lostLast = 0
		}
		t.minute = now
	}
	if len(t.heap) == 0 || t.heap[0].at > now {
		return
	}
	type due struct {
		e   *Entry[T]
		key string
		at  int64
	}
	var list []due
	for len(t.heap) > 0 && t.heap[0].at <= now {
		e := t.heap[0]
		if e.wake > now { // it moved its time on
			e.at = e.wake
			t.down(0)
			continue
		}
		t.unheap(e)
		list = append(list, due{e, e.Key, e.wake})
		e.wake = 0
	}
	slices.SortFunc(list, func(a, b due) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.key, b.key))
	})
	for _, d := range list {
		if t.entries[d.key] == d.e { // it may have been given up for one before it
			f(d.e, d.at)
		}
	}
}

// Next is the earliest time that Due may have something to do at, 0 for none.
func (t *Table[T]) Next() int64 {
	if len(t.heap) == 0 {
		return 0
	}
	return t.heap[0].at
}

func (t *Table[T]) unheap(e *Entry[T]) {
	i, n := e.heap-1, len(t.heap)-1
	e.heap = 0
	if i != n {
		t.heap[i] = t.heap[n]
		t.heap[i].heap = i + 1
	}
	t.heap[n] = nil
	t.heap = t.heap[:n]
	if i < n {
		t.down(i)
		t.up(i)
	}
}

func (t *Table[T]) up(i int) {
	for i > 0 {
		p := (i - 1) / 2
		if t.heap[p].at <= t.heap[i].at {
			return
		}
		t.swap(i, p)
		i = p
	}
}

func (t *Table[T]) down(i int) {
	for {
		c := 2*i + 1
		if c >= len(t.heap) {
			return
		}
		if c+1 < len(t.heap) && t.heap[c+1].at < t.heap[c].at {
			c++
		}
		if t.heap[i].at <= t.heap[c].at {
			return
		}
		t.swap(i, c)
		i = c
	}
}

func (t *Table[T]) swap(i, j int) {
	t.heap[i], t.heap[j] = t.heap[j], t.heap[i]
	t.heap[i].heap, t.heap[j].heap = i+1, j+1
}
