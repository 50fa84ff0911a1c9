// SPDX-License-Identifier: Apache-2.0

package sensor

// table holds a worker's flows: a chained hash table over a slab, and one list
// per kind of flow in the order of last activity, from which flows expire.
// Indexes are one-based; 0 is nil. Flows never move, the slab never shrinks.
type table struct {
	buckets []uint32
	slab    [][]flow
	free    []uint32
	used    uint32 // indexes handed out so far
	count   int
	secret  uint64
	head    [lists]uint32 // least recently active
	tail    [lists]uint32
	changed bool // a head is another one since worker.expire looked
}

const (
	chunkBits  = 10
	chunkSize  = 1 << chunkBits
	firstTable = 1 << 10
)

func newTable(secret uint64) *table {
	return &table{buckets: make([]uint32, firstTable), secret: secret}
}

// at returns the flow of an index.
func (t *table) at(i uint32) *flow { i--; return &t.slab[i>>chunkBits][i&(chunkSize-1)] }

// find returns the index of a key's flow, 0 when there is none.
func (t *table) find(k *flowKey, h uint64) uint32 {
	i := t.buckets[h&uint64(len(t.buckets)-1)]
	for i != 0 {
		f := t.at(i)
		if f.key == *k {
			return i
		}
		i = f.hnext
	}
	return 0
}

// add makes a zero flow for a key that is not in the table.
func (t *table) add(k *flowKey, h uint64, list uint8, now int64) uint32 {
	if t.count >= len(t.buckets) {
		t.grow()
	}
	var i uint32
	if n := len(t.free); n > 0 {
		i = t.free[n-1]
		t.free = t.free[:n-1]
	} else {
		if int(t.used) == len(t.slab)*chunkSize {
			t.slab = append(t.slab, make([]flow, chunkSize))
		}
		t.used++
		i = t.used
	}
	f := t.at(i)
	*f = flow{key: *k, list: list, moved: second(now)}
	b := &t.buckets[h&uint64(len(t.buckets)-1)]
	f.hnext = *b
	*b = i
	t.count++
	t.push(i, f)
	return i
}

// remove takes a flow out of the table and frees its place.
func (t *table) remove(i uint32) {
	f := t.at(i)
	b := &t.buckets[f.key.hash(t.secret)&uint64(len(t.buckets)-1)]
	for *b != i {
		b = &t.at(*b).hnext
	}
	*b = f.hnext
	t.unlink(i, f)
	f.act, f.id = nil, 0 // without its id nobody takes it for the flow that was here
	t.free = append(t.free, i)
	t.count--
}

// touch notes activity. Moving within the list is done once per second of
// capture time and flow, which is exact enough for idle times of many seconds.
func (t *table) touch(i uint32, f *flow, list uint8, now int64) {
	s := second(now)
	if f.list == list && f.moved == s {
		return
	}
	f.moved = s
	t.unlink(i, f)
	f.list = list
	t.push(i, f)
}

func (t *table) push(i uint32, f *flow) {
	l := f.list
	f.prev, f.next = t.tail[l], 0
	if f.prev != 0 {
		t.at(f.prev).next = i
	} else {
		t.head[l] = i
		t.changed = true
	}
	t.tail[l] = i
}

func (t *table) unlink(_ uint32, f *flow) {
	if f.prev != 0 {
		t.at(f.prev).next = f.next
	} else {
		t.head[f.list] = f.next
		t.changed = true
	}
	if f.next != 0 {
		t.at(f.next).prev = f.prev
	} else {
		t.tail[f.list] = f.prev
	}
}

// grow doubles the buckets.
func (t *table) grow() {
	next := make([]uint32, 2*len(t.buckets))
	for _, i := range t.buckets {
		for i != 0 {
			f := t.at(i)
			after := f.hnext
			b := &next[f.key.hash(t.secret)&uint64(len(next)-1)]
			f.hnext = *b
			*b = i
			i = after
		}
	}
	t.buckets = next
}

func second(now int64) uint32 { return uint32(now / 1e9) }
