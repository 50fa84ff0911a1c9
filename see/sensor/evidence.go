// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/see/sensor/analyze"
)

const (
	// maxEvidence bounds each of the two generations that a cache keeps.
	maxEvidence = 1 << 15
	// maxBundled bounds the facts that are counted together. It bounds as well
	// what they keep alive of the messages that told them.
	maxBundled = 1 << 16
)

// evidenceCache folds equal evidence: the first goes out at once, repetitions
// are counted and go out together once per interval. It keeps two generations;
// when the current one is full or an interval has passed, what was repeated goes
// out, and what was not asked for since the interval before is forgotten.
//
// It is a hash table of its own, since it is asked several times per packet:
// entries lie in a slice, slots hold their indexes. What is hashed comes from
// outside, hence with a secret.
type evidenceCache struct {
	interval int64
	emit     func(e *device.Evidence, renewed bool)
	seed     maphash.Seed
	secret   uint64
	began    int64
	turn     uint64 // rises with each rotation; an entry with the present one is current
	current  int    // entries with the present turn
	slots    []uint32
	entries  []evidenceEntry
	repeated []uint32        // current entries with a count, in the order of their first repetition
	spare    []evidenceEntry // for the next rotation
	one      device.Evidence // being emitted
	bundles  map[bundleKey]*bundle
	counted  []*bundle // those with a count
	bundled  int       // members of all bundles
}

// bundle is facts about one subject, all of which are current and known with at
// least the confidence that they come with: until the next rotation it is enough to
// count how often they come together.
type bundle struct {
	members     []uint32
	first, last int64
	count       uint64
}

type bundleKey struct {
	subject device.Subject
	facts   *analyze.Facts
}

type evidenceKey struct {
	subject   device.Subject
	attribute device.Attribute
	value     string
	source    string
}

type evidenceEntry struct {
	key         evidenceKey
	hash        uint64
	turn        uint64
	first, last int64
	count       uint64 // since it was last emitted
	confidence  device.Confidence
}

func newEvidenceCache(interval int64, emit func(*device.Evidence, bool)) *evidenceCache {
	c := &evidenceCache{interval: interval, emit: emit, seed: maphash.MakeSeed(), turn: 1, slots: make([]uint32, 1<<10), bundles: map[bundleKey]*bundle{}}
	c.secret = maphash.String(c.seed, "subject") | 1
	return c
}

// hash mixes what comes from outside. Attribute and source come from code, and
// their lengths tell most of them apart.
func (c *evidenceCache) hash(e *device.Evidence) uint64 {
	h := maphash.String(c.seed, e.Value)
	m := e.Subject.MAC
	h = c.mix(h, uint64(m[0])|uint64(m[1])<<8|uint64(m[2])<<16|uint64(m[3])<<24|uint64(m[4])<<32|uint64(m[5])<<40|uint64(len(e.Attribute))<<48|uint64(len(e.Source))<<56)
	if e.Subject.IP.IsValid() {
		a := e.Subject.IP.As16()
		h = c.mix(h, binary.LittleEndian.Uint64(a[:8]))
		h = c.mix(h, binary.LittleEndian.Uint64(a[8:]))
	}
	return c.mix(h, uint64(e.Subject.VLAN)<<8|uint64(e.Subject.Hops))
}

func (c *evidenceCache) mix(h, v uint64) uint64 {
	hi, lo := bits.Mul64(h^v, 0x9e3779b97f4a7c15)
	return hi ^ lo ^ c.secret
}

// observe takes one piece of evidence.
func (c *evidenceCache) observe(e *device.Evidence) {
	if c.began == 0 {
		c.began = e.Last
	}
	h := c.hash(e)
	slot, known := c.find(e, h)
	if known {
		i := c.slots[slot] - 1
		r := &c.entries[i]
		if r.turn != c.turn {
			r.turn = c.turn
			c.current++
		}
		if r.confidence >= e.Confidence {
			if r.count == 0 {
				r.first = e.First
				c.repeated = append(c.repeated, i)
			}
			r.count += e.Count
			r.last = max(r.last, e.Last)
		} else {
			c.unbundle()
			if r.count > 0 { // it begins anew
				c.repeated = slices.DeleteFunc(c.repeated, func(o uint32) bool { return o == i })
			}
			r.first, r.last, r.count, r.confidence = e.First, e.Last, 0, e.Confidence
			c.one = *e
			c.emit(&c.one, false)
		}
		c.rotateWhenDue(e.Last)
		return
	}
	if len(c.entries) == cap(c.entries) {
		c.entries = slices.Grow(c.entries, max(len(c.entries), 1<<8))
	}
	c.entries = append(c.entries, evidenceEntry{key: evidenceKey{e.Subject, e.Attribute, e.Value, e.Source}, hash: h, turn: c.turn, first: e.First, last: e.Last, confidence: e.Confidence})
	c.current++
	c.slots[slot] = uint32(len(c.entries))
	if 2*len(c.entries) > len(c.slots) {
		c.index(2 * len(c.slots))
	}
	c.one = *e
	c.emit(&c.one, false)
	c.rotateWhenDue(e.Last)
}

// find returns the slot of an entry, or the one where it would go.
func (c *evidenceCache) find(e *device.Evidence, h uint64) (slot uint64, known bool) {
	mask := uint64(len(c.slots) - 1)
	for slot = h & mask; c.slots[slot] != 0; slot = (slot + 1) & mask {
		r := &c.entries[c.slots[slot]-1]
		if r.hash == h && r.key.value == e.Value && r.key.subject == e.Subject && r.key.attribute == e.Attribute && r.key.source == e.Source {
			return slot, true
		}
	}
	return slot, false
}

// observeFacts does what observe does for each of the facts.
func (c *evidenceCache) observeFacts(sub device.Subject, f *analyze.Facts, t int64) {
	k := bundleKey{sub, f}
	b := c.bundles[k]
	if b != nil && t-c.began <= c.interval {
		if b.count == 0 {
			b.first = t
			c.counted = append(c.counted, b)
		}
		b.count++
		b.last = max(b.last, t)
		return
	}
	turn := c.turn
	e := device.Evidence{Subject: sub, First: t, Last: t, Count: 1}
	facts := f.List()
	for i := range facts {
		e.Attribute, e.Value, e.Source, e.Confidence = facts[i].Attribute, facts[i].Value, facts[i].Source, facts[i].Confidence
		c.observe(&e)
	}
	if b != nil || c.turn != turn || len(facts) < 2 || c.bundled+len(facts) > maxBundled {
		return
	}
	c.bundled += len(facts)
	b = &bundle{members: make([]uint32, len(facts)), last: t}
	for i := range facts {
		e.Attribute, e.Value, e.Source = facts[i].Attribute, facts[i].Value, facts[i].Source
		slot, _ := c.find(&e, c.hash(&e))
		b.members[i] = c.slots[slot] - 1
	}
	c.bundles[k] = b
}

// unbundle counts for each fact what was counted for all.
func (c *evidenceCache) unbundle() {
	for _, b := range c.counted {
		for _, i := range b.members {
			r := &c.entries[i]
			if r.count == 0 {
				r.first = b.first
				c.repeated = append(c.repeated, i)
			}
			r.first = min(r.first, b.first)
			r.count += b.count
			r.last = max(r.last, b.last)
		}
		b.count = 0
	}
	c.counted = c.counted[:0]
}

func (c *evidenceCache) rotateWhenDue(now int64) {
	if c.current >= maxEvidence || now-c.began > c.interval {
		c.rotate()
		c.began = now
	}
}

// index makes the slots anew, n of them.
func (c *evidenceCache) index(n int) {
	if n == len(c.slots) {
		clear(c.slots)
	} else {
		c.slots = make([]uint32, n)
	}
	mask := uint64(n - 1)
	for i := range c.entries {
		slot := c.entries[i].hash & mask
		for c.slots[slot] != 0 {
			slot = (slot + 1) & mask
		}
		c.slots[slot] = uint32(i + 1)
	}
}

// rotate emits what was repeated and forgets what is of the older generation.
func (c *evidenceCache) rotate() {
	c.flush()
	clear(c.bundles)
	c.bundled = 0
	kept := slices.Grow(c.spare[:0], c.current)
	for i := range c.entries {
		if c.entries[i].turn == c.turn {
			kept = append(kept, c.entries[i])
		}
	}
	clear(c.entries) // its strings
	c.spare, c.entries = c.entries[:0], kept
	c.turn++
	c.current = 0
	c.index(len(c.slots))
}

// flush emits everything that was repeated since it was last emitted, in the
// order of time, so that equal input gives equal output.
func (c *evidenceCache) flush() {
	c.unbundle()
	slices.SortFunc(c.repeated, func(i, j uint32) int { return c.entries[i].compare(&c.entries[j]) })
	for _, i := range c.repeated {
		r := &c.entries[i]
		c.one = device.Evidence{Subject: r.key.subject, Attribute: r.key.attribute, Value: r.key.value, Source: r.key.source,
			Confidence: r.confidence, First: r.first, Last: r.last, Count: r.count}
		r.count = 0
		c.emit(&c.one, true)
	}
	c.repeated = c.repeated[:0]
}

// compare orders by time. Mostly the first comparison decides.
func (r *evidenceEntry) compare(o *evidenceEntry) int {
	if n := cmp.Compare(r.first, o.first); n != 0 {
		return n
	}
	if n := cmp.Compare(r.last, o.last); n != 0 {
		return n
	}
	a, b := &r.key, &o.key
	if n := strings.Compare(string(a.attribute), string(b.attribute)); n != 0 {
		return n
	}
	if n := strings.Compare(a.value, b.value); n != 0 {
		return n
	}
	return cmp.Or(strings.Compare(a.source, b.source),
		a.subject.IP.Compare(b.subject.IP), slices.Compare(a.subject.MAC[:], b.subject.MAC[:]),
		cmp.Compare(a.subject.VLAN, b.subject.VLAN), cmp.Compare(a.subject.Hops, b.subject.Hops))
}
