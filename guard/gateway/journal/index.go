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
	byName  names
	recents [recentEntries]struct {
		of *entry
		e  *envelope
	}
	turn   int
	places map[*entry]int // in recents
	counts Counts
	held   map[uint64]int64 // bytes in quarantine, by device
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
	sop      uint64 // names, by their hashes
	sum      uint64
	also     []uint64
	study    uint32 // half of their hashes, which is enough to leave out nearly all others
	series   uint32
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
	return &index{seed: maphash.MakeSeed(), byNum: map[uint64]*entry{}, byName: newNames(), places: map[*entry]int{}, held: map[uint64]int64{}}
}

func (x *index) hash(s string) uint64 {
	if s == "" {
		return 0
	}
	return maphash.String(x.seed, s)
}

// half is the lower half of a hash.
func (x *index) half(s string) uint32 { return uint32(x.hash(s)) } //nolint:gosec // that is what it is for

func newEntry(e *envelope, at place, sequence uint64, needed bool) *entry {
	r := &e.Record
	return &entry{number: r.Number, sequence: sequence, at: at, bytes: r.Bytes, received: r.Received.UnixNano(), state: r.State, needed: needed}
}

// put makes n the record's entry.
func (x *index) put(n *entry, e *envelope) {
	r := &e.Record
	n.sop, n.sum, n.device, n.theatre = x.hash(r.SOPInstance), x.hash(r.DataSet), x.hash(r.Sender.Device), x.hash(r.Sender.Theatre)
	n.study, n.series = x.half(r.Study), x.half(r.Series)
	if len(r.Deliveries) > 0 {
		for _, name := range also(r) {
			if h := x.hash(name); h != n.sop && h != n.sum && !slices.Contains(n.also, h) {
				n.also = append(n.also, h)
			}
		}
		n.to = make([]delivery, len(r.Deliveries))
		for i := range r.Deliveries {
			n.to[i] = delivery{x.hash(r.Deliveries[i].Destination), r.Deliveries[i].State}
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	was := x.byNum[n.number]
	if was == nil {
		x.name(n)
	} else {
		if !slices.Equal(was.also, n.also) { // the others do not change
			x.unname(was)
			x.name(n)
		}
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
	x.unname(n)
	x.count(n, -1)
	x.forget(n)
	return true
}

// name has an entry found by its names. Precondition: mu is held.
func (x *index) name(n *entry) {
	x.byName.add(n.sop, n.number)
	if n.sum != n.sop {
		x.byName.add(n.sum, n.number)
	}
	for _, h := range n.also {
		x.byName.add(h, n.number)
	}
}

func (x *index) unname(n *entry) {
	x.byName.drop(n.sop, n.number)
	if n.sum != n.sop {
		x.byName.drop(n.sum, n.number)
	}
	for _, h := range n.also {
		x.byName.drop(h, n.number)
	}
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
	if n.needed && (n.state == instance.Quarantined || n.state == instance.Replaced) {
		if x.held[n.device] += int64(by) * n.bytes; x.held[n.device] == 0 {
			delete(x.held, n.device)
		}
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

// numbers returns those of records that may have a name.
func (x *index) numbers(name string) []uint64 {
	h := x.hash(name)
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.byName.of(h)
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

// candidates returns the numbers of entries whose record may match, in no order.
func (x *index) candidates(q *instance.Query) []uint64 {
	match := x.matcher(q)
	var out []uint64
	switch {
	case q.SHA256 != "":
		out = x.numbers(q.SHA256)
	case q.SOPInstance != "":
		out = x.numbers(q.SOPInstance)
	default:
		return x.find(match)
	}
	return slices.DeleteFunc(out, func(number uint64) bool {
		n := x.get(number)
		return n == nil || !match(n)
	})
}

// find returns the numbers of entries that match, in no order.
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

// Room returns how many bytes of a device's instances are in quarantine, and how many the disk has for all instances:
// those that they take, and those that are free.
func (j *Journal) Room(device string) (held, all int64) {
	d := j.Disk()
	h := j.idx.hash(device)
	j.idx.mu.RLock()
	defer j.idx.mu.RUnlock()
	return j.idx.held[h], d.Used + max(d.Free-d.Stop, 0)
}

// Held returns how many instances are in quarantine.
func (j *Journal) Held() int { return j.Counts().Held }
