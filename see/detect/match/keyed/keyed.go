// SPDX-License-Identifier: Apache-2.0

// Package keyed holds state by key, within bounds, for detection.
//
// A Table gives each key a value of one type. It is bounded in keys and bytes.
// What is given up first is what matters least: keys that were seen once,
// the oldest first; a key that was seen again is given up only when no one-off key
// is left. So a flood of invented keys does not push out those that are
// active. What was given up is counted, and much of it within a minute is a flood.
//
// Keys belong to partitions by a hash that never changes, so that several
// instances can each own a part; each partition is saved and loaded on its
// own. The saved form is bounded, versioned and has a checksum; what does not fit
// what the table is for is refused, and the partition is empty then.
//
// A value can ask to be woken at a time. Wakes come in the order of
// their times, and of their keys at the same time, so that a run is the same
// whenever it is repeated.
//
// Looking up and touching a key takes constant time and allocates nothing. A Table
// is used by one goroutine. It does not know what time it is.
package keyed

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// Partitions is into how many parts keys fall.
const Partitions = 32

// AllPartitions is the mask of all.
const AllPartitions uint32 = 1<<Partitions - 1

// MaxKey is the longest key in bytes that is kept as it is. Of a longer one the
// beginning is kept with a hash of the whole.
const MaxKey = 512

// entryBytes is about what an entry costs beside its key and value: itself, its
// place in the map and its header.
const entryBytes = 160

// PartitionOf is the partition of a key: FNV-1a of 32 bits, modulo Partitions.
func PartitionOf[K ~string | ~[]byte](key K) int {
	h := uint32(2166136261)
	for i := range len(key) {
		h = (h ^ uint32(key[i])) * 16777619
	}
	return int(h % Partitions)
}

// Config says what a table is for.
type Config[T any] struct {
	// Kind names the form of the saved state, and what of its owner's
	// settings it depends on. State of another kind is refused.
	Kind  string
	Keys  int // 0 for 50,000
	Bytes int // 0 for 32 MiB
	Fixed int // bytes of a value without what Resize adds

	Encode func(*Writer, *T)
	Decode func(*Reader, *T)
	// Extra is what Resize would have been told of a value, asked after Decode; nil for 0.
	Extra func(*T) int
	// Reset prepares a value for another key; it may keep memory. nil sets it to zero.
	Reset func(*T)
}

// Entry is a key with its value. It is valid until the next call of At or
// Delete, or the end of the function that was given it.
type Entry[T any] struct {
	Key string
	Val T

	table      *Table[T]
	part       uint8
	hot        bool
	size       int
	prev, next *Entry[T]
	wake       int64 // when it wants to be woken, 0 for never
	at         int64 // its place in the heap, never later than wake
	heap       int   // index in the heap + 1, 0 when not in it
}

// Stats says what a table holds and gave up.
type Stats struct {
	Keys    int
	Bytes   int
	Evicted uint64
	// Flood says that more than a fifth of the keys that fit were given up within the
	// present or the last minute.
	Flood bool
}

// Table is state by key.
type Table[T any] struct {
	cfg      Config[T]
	own      uint32
	entries  map[string]*Entry[T]
	cold     list[T] // seen once
	hot      list[T] // seen again
	heap     []*Entry[T]
	bytes    int
	evicted  uint64
	minute   int64  // when the present minute of the flood count began
	lost     uint64 // given up in it
	lostLast uint64 // and in the one before
	spare    *Entry[T]
}

// New makes an empty table that owns all partitions.
func New[T any](cfg Config[T]) *Table[T] {
	if cfg.Keys <= 0 {
		cfg.Keys = 50_000
	}
	if cfg.Bytes <= 0 {
		cfg.Bytes = 32 << 20
	}
	t := &Table[T]{cfg: cfg, own: AllPartitions, entries: map[string]*Entry[T]{}}
	t.cold.init()
	t.hot.init()
	return t
}

// Get returns the entry of a key and counts as seeing it again; nil when there is none.
func (t *Table[T]) Get(key []byte) *Entry[T] {
	if len(key) > MaxKey {
		key = fold(key)
	}
	e := t.entries[string(key)]
	if e != nil {
		t.touch(e)
	}
	return e
}

// Peek returns the entry of a key, nil when there is none, and changes nothing.
func (t *Table[T]) Peek(key string) *Entry[T] { return t.entries[key] }

// At returns the entry of a key, a new one when there was none. It is nil
// when the key's partition is not owned. Another key may be given up for it.
func (t *Table[T]) At(key []byte) (e *Entry[T], fresh bool) {
	if len(key) > MaxKey {
		key = fold(key)
	}
	if e := t.entries[string(key)]; e != nil {
		t.touch(e)
		return e, false
	}
	part := PartitionOf(key)
	if t.own>>part&1 == 0 {
		return nil, false
	}
	e = t.insert(string(key), part, false)
	t.shrink(e)
	return e, true
}

func (t *Table[T]) insert(key string, part int, hot bool) *Entry[T] {
	e := t.spare
	t.spare = nil
	if e == nil {
		e = &Entry[T]{table: t}
	}
	e.Key, e.part, e.hot, e.size = key, uint8(part), hot, entryBytes+t.cfg.Fixed+len(key)
	t.entries[key] = e
	t.bytes += e.size
	if hot {
		t.hot.push(e)
	} else {
		t.cold.push(e)
	}
	return e
}

func (t *Table[T]) touch(e *Entry[T]) {
	if e.hot {
		t.hot.remove(e)
		t.hot.push(e)
		return
	}
	t.cold.remove(e)
	e.hot = true
	t.hot.push(e)
	if t.hot.n > t.cfg.Keys*4/5 {
		old := t.hot.last()
		t.hot.remove(old)
		old.hot = false
		t.cold.push(old)
	}
}

// Resize says how many bytes a value holds beside its fixed size. Other keys
// may be given up for it, never this one.
func (t *Table[T]) Resize(e *Entry[T], extra int) {
	n := entryBytes + t.cfg.Fixed + len(e.Key) + extra
	t.bytes += n - e.size
	e.size = n
	if t.bytes > t.cfg.Bytes {
		t.shrink(e)
	}
}

// shrink gives up keys until the bounds hold, but not keep.
func (t *Table[T]) shrink(keep *Entry[T]) {
	for len(t.entries) > t.cfg.Keys || t.bytes > t.cfg.Bytes {
		e := t.cold.last()
		if e == keep {
			e = e.prev
		}
		if e == nil || e == &t.cold.root {
			if e = t.hot.last(); e == keep {
				e = e.prev
			}
			if e == nil || e == &t.hot.root {
				return
			}
		}
		t.evicted++
		t.lost++
		t.Delete(e)
	}
}

// Delete forgets a key.
func (t *Table[T]) Delete(e *Entry[T]) {
	delete(t.entries, e.Key)
	if e.hot {
		t.hot.remove(e)
	} else {
		t.cold.remove(e)
	}
	if e.heap > 0 {
		t.unheap(e)
	}
	t.bytes -= e.size
	if t.cfg.Reset != nil {
		t.cfg.Reset(&e.Val)
	} else {
		var zero T
		e.Val = zero
	}
	e.Key, e.wake, e.at = "", 0, 0
	t.spare = e
}

// All calls f for each key in the order of the keys. f may change values and delete the entry.
func (t *Table[T]) All(f func(*Entry[T])) {
	keys := make([]string, 0, len(t.entries))
	for k := range t.entries {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if e := t.entries[k]; e != nil {
			f(e)
		}
	}
}

// Keys returns at most n keys with a prefix, in their order; n <= 0 for all.
func (t *Table[T]) Keys(prefix string, n int) []string {
	var out []string
	for k := range t.entries {
		if strings.HasPrefix(k, prefix) {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	if n > 0 && len(out) > n {
		out = out[:n]
	}
	return out
}

// Len is the number of keys.
func (t *Table[T]) Len() int { return len(t.entries) }

// Own says which partitions are this table's: bit p for partition p. What is
// no longer is dropped.
func (t *Table[T]) Own(mask uint32) {
	lost := t.own &^ mask
	t.own = mask
	if lost != 0 {
		t.drop(lost)
	}
}

// Owns reports whether a key's partition is this table's.
func (t *Table[T]) Owns(key string) bool { return t.own>>PartitionOf(key)&1 == 1 }

// Drop forgets the keys of a partition.
func (t *Table[T]) Drop(partition int) {
	if partition >= 0 && partition < Partitions {
		t.drop(1 << partition)
	}
}

func (t *Table[T]) drop(mask uint32) {
	for _, l := range []*list[T]{&t.cold, &t.hot} {
		for e := l.root.next; e != &l.root; {
			next := e.next
			if mask>>e.part&1 == 1 {
				t.Delete(e)
			}
			e = next
		}
	}
}

// Stats says what the table holds.
func (t *Table[T]) Stats() Stats {
	return Stats{Keys: len(t.entries), Bytes: t.bytes, Evicted: t.evicted, Flood: max(t.lost, t.lostLast) > uint64(t.cfg.Keys/5)}
}

func fold(key []byte) []byte {
	sum := sha256.Sum256(key)
	return append(append(make([]byte, 0, MaxKey), key[:MaxKey-34]...), append([]byte("~"), hex.EncodeToString(sum[:16])...)...)
}

// list is a ring with a sentinel, the newest first.
type list[T any] struct {
	root Entry[T]
	n    int
}

func (l *list[T]) init() { l.root.prev, l.root.next = &l.root, &l.root }

func (l *list[T]) push(e *Entry[T]) {
	e.prev, e.next = &l.root, l.root.next
	l.root.next.prev, l.root.next = e, e
	l.n++
}

func (l *list[T]) remove(e *Entry[T]) {
	e.prev.next, e.next.prev = e.next, e.prev
	e.prev, e.next = nil, nil
	l.n--
}

// last is the oldest, the sentinel when there is none: nil never.
func (l *list[T]) last() *Entry[T] { return l.root.prev }
