// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"hash/maphash"
	"slices"
	"sync"

	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// index knows every record of which something is awaited, and those that the history does not
// have yet.
type index struct {
	seed maphash.Seed

	mu      sync.RWMutex
	byNum   map[uint64]*entry
	bySOP   map[uint64][]uint64
	recents [recentEntries]struct {
		of *entry
		e  *envelope
	}
	turn   int
	places map[*entry]int // in recents
	counts Counts
}

// recentEntries is how many records are kept decoded.
const recentEntries = 512

// entry is what is known of a record without reading it. It does not change.
type entry struct {
	number   uint64
	sequence uint64
	at       place
	bytes    int64
	received int64
	sop      uint64
	study    uint64
	device   uint64
	theatre  uint64
	state    instance.State
	needed   bool
	to       []delivery
}

type delivery struct {
	name  uint64
	state instance.DeliveryState
}

// Counts is what is awaited now.
type Counts struct {
	Records int   `json:"records"` // in memory
	Needed  int   `json:"needed"`
	Held    int   `json:"held"` // in quarantine
	Waiting int   `json:"waiting"`
	Dead    int   `json:"dead"`
	Bytes   int64 `json:"bytes"` // of what is needed
}

func newIndex() *index {
	return &index{seed: maphash.MakeSeed(), byNum: map[uint64]*entry{}, bySOP: map[uint64][]uint64{}, places: map[*entry]int{}}
}

func (x *index) hash(s string) uint64 {
	if s == "" {
		return 0
	}
	return maphash.String(x.seed, s)
}

func newEntry(e *envelope, at place, sequence uint64, needed bool) *entry {
	r := &e.Record
	return &entry{number: r.Number, sequence: sequence, at: at, bytes: r.Bytes, received: r.Received.UnixNano(), state: r.State, needed: needed}
}

// put makes n the record's entry.
func (x *index) put(n *entry, e *envelope) {
	r := &e.Record
	n.sop, n.study, n.device, n.theatre = x.hash(r.SOPInstance), x.hash(r.Study), x.hash(r.Sender.Device), x.hash(r.Sender.Theatre)
	if len(r.Deliveries) > 0 {
		n.to = make([]delivery, len(r.Deliveries))
		for i := range r.Deliveries {
			n.to[i] = delivery{x.hash(r.Deliveries[i].Destination), r.Deliveries[i].State}
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	was := x.byNum[n.number]
	if was == nil {
		x.bySOP[n.sop] = append(x.bySOP[n.sop], n.number)
	} else {
		x.count(was, -1)
		x.forget(was)
	}
	x.byNum[n.number] = n
	x.count(n, 1)
	x.keep(n, e)
}

// moved makes n the entry of the same state at another place of the log.
func (x *index) moved(was, n *entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.count(was, -1)
	x.count(n, 1)
	x.byNum[n.number] = n
	if i, ok := x.places[was]; ok {
		x.recents[i].of = n
		delete(x.places, was)
		x.places[n] = i
	}
}

// remove takes a record out, if n is still its entry.
func (x *index) remove(n *entry) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.byNum[n.number] != n {
		return false
	}
	delete(x.byNum, n.number)
	list := slices.DeleteFunc(x.bySOP[n.sop], func(m uint64) bool { return m == n.number })
	if len(list) == 0 {
		delete(x.bySOP, n.sop)
	} else {
		x.bySOP[n.sop] = list
	}
	x.count(n, -1)
	x.forget(n)
	return true
}

func (x *index) count(n *entry, by int) {
	c := &x.counts
	c.Records += by
	if n.needed {
		c.Needed += by
		c.Bytes += int64(by) * n.bytes
	}
	if n.state == instance.Quarantined {
		c.Held += by
	}
	for _, d := range n.to {
		switch d.state {
		case instance.Waiting:
			c.Waiting += by
		case instance.Dead:
			c.Dead += by
		}
	}
}

func (x *index) get(number uint64) *entry {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.byNum[number]
}

func (x *index) sopNumbers(uid string) []uint64 {
	h := x.hash(uid)
	x.mu.RLock()
	defer x.mu.RUnlock()
	return slices.Clone(x.bySOP[h])
}

// keep remembers a decoded record. Precondition: mu is held.
func (x *index) keep(n *entry, e *envelope) {
	r := &x.recents[x.turn]
	if r.of != nil {
		delete(x.places, r.of)
	}
	r.of, r.e = n, e
	x.places[n] = x.turn
	x.turn = (x.turn + 1) % len(x.recents)
}

func (x *index) forget(n *entry) {
	if i, ok := x.places[n]; ok {
		x.recents[i].of, x.recents[i].e = nil, nil
		delete(x.places, n)
	}
}

func (x *index) remember(n *entry, e *envelope) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, ok := x.places[n]; !ok && x.byNum[n.number] == n {
		x.keep(n, e)
	}
}

func (x *index) recent(n *entry) *envelope {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if i, ok := x.places[n]; ok {
		return x.recents[i].e
	}
	return nil
}

// select returns the numbers of entries that match, in no order.
func (x *index) find(match func(*entry) bool) []uint64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var out []uint64
	for _, n := range x.byNum {
		if match(n) {
			out = append(out, n.number)
		}
	}
	return out
}

// has reports whether a record is here and not, or not only, in the history.
func (x *index) has(number uint64) bool { return x.get(number) != nil }

// Counts returns what is awaited now.
func (j *Journal) Counts() Counts {
	j.idx.mu.RLock()
	defer j.idx.mu.RUnlock()
	return j.idx.counts
}
