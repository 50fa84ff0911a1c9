// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/asepsis/asepsis/core/device"
)

const (
	// maxEvidence bounds each of the two generations that a cache keeps.
	maxEvidence = 1 << 15
	// memoSize is how many pieces of evidence are found without the map: a
	// network says the same few things about the same few devices all day.
	memoSize = 1 << 12
)

// evidenceCache folds equal evidence: the first goes out at once, repetitions
// are counted and go out together once per interval. It keeps two generations;
// when the current one is full or an interval has passed, what was repeated in
// the older one goes out and it is forgotten.
type evidenceCache struct {
	interval int64
	emit     func(e device.Evidence, renewed bool)
	cur, old map[evidenceKey]*repeated
	began    int64
	memo     []memoised
	turn     uint64 // rises with each rotation, after which cur is another map
}

// memoised is an entry of cur during one turn.
type memoised struct {
	key  evidenceKey
	r    *repeated
	turn uint64
}

// slot chooses a key's place in the memo. It need not be good, since it only
// decides how often the map is asked.
func (k *evidenceKey) slot() uint64 {
	m := k.subject.MAC
	h := uint64(m[3])<<16 | uint64(m[4])<<8 | uint64(m[5])
	if k.subject.IP.IsValid() {
		a := k.subject.IP.As16()
		h ^= binary.LittleEndian.Uint64(a[8:])
	}
	h = h*0x9e3779b97f4a7c15 ^ uint64(len(k.value))<<8 ^ uint64(len(k.source))
	v := k.value
	for len(v) >= 8 {
		h = (h ^ (uint64(v[0]) | uint64(v[1])<<8 | uint64(v[2])<<16 | uint64(v[3])<<24 | uint64(v[4])<<32 | uint64(v[5])<<40 | uint64(v[6])<<48 | uint64(v[7])<<56)) * 0x9e3779b97f4a7c15
		h ^= h >> 29
		v = v[8:]
	}
	for i := range len(v) {
		h = h*31 + uint64(v[i])
	}
	if n := len(k.source); n > 0 {
		h = h*31 + uint64(k.source[n-1])
	}
	return h * 0x9e3779b97f4a7c15 >> 52
}

type evidenceKey struct {
	subject   device.Subject
	attribute device.Attribute
	value     string
	source    string
}

type repeated struct {
	first, last int64
	count       uint64 // since it was last emitted
	confidence  device.Confidence
}

func newEvidenceCache(interval int64, emit func(device.Evidence, bool)) *evidenceCache {
	return &evidenceCache{interval: interval, emit: emit, cur: map[evidenceKey]*repeated{}, old: map[evidenceKey]*repeated{}, memo: make([]memoised, memoSize), turn: 1}
}

func (c *evidenceCache) observe(e device.Evidence) {
	if c.began == 0 {
		c.began = e.Last
	}
	k := evidenceKey{e.Subject, e.Attribute, e.Value, e.Source}
	m := &c.memo[k.slot()%memoSize]
	r := m.r
	if m.turn != c.turn || m.key != k {
		if r = c.cur[k]; r == nil {
			if r = c.old[k]; r != nil {
				delete(c.old, k)
				c.cur[k] = r
			}
		}
		*m = memoised{k, r, c.turn}
	}
	if r != nil && r.confidence >= e.Confidence {
		if r.count == 0 {
			r.first = e.First
		}
		r.count += e.Count
		r.last = max(r.last, e.Last)
	} else {
		m.r = &repeated{first: e.First, last: e.Last, confidence: e.Confidence}
		c.cur[k] = m.r
		c.emit(e, false)
	}
	if len(c.cur) >= maxEvidence || e.Last-c.began > c.interval {
		c.rotate()
		c.began = e.Last
	}
}

// rotate emits what was repeated in the older generation and in the current
// one, and lets the older one go.
func (c *evidenceCache) rotate() {
	c.emitRepeated(c.old)
	c.emitRepeated(c.cur)
	c.old, c.cur = c.cur, make(map[evidenceKey]*repeated, len(c.cur))
	c.turn++
}

// emitRepeated emits in the order of time, so that equal input gives equal output.
func (c *evidenceCache) emitRepeated(m map[evidenceKey]*repeated) {
	var out []device.Evidence
	for k, r := range m {
		if r.count == 0 {
			continue
		}
		out = append(out, device.Evidence{Subject: k.subject, Attribute: k.attribute, Value: k.value, Source: k.source,
			Confidence: r.confidence, First: r.first, Last: r.last, Count: r.count})
		r.count = 0
	}
	slices.SortFunc(out, func(a, b device.Evidence) int {
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last), cmp.Compare(a.Attribute, b.Attribute),
			cmp.Compare(a.Value, b.Value), cmp.Compare(a.Source, b.Source), a.Subject.IP.Compare(b.Subject.IP))
	})
	for _, e := range out {
		c.emit(e, true)
	}
}

// flush emits everything that was repeated since it was last emitted.
func (c *evidenceCache) flush() {
	c.emitRepeated(c.old)
	c.emitRepeated(c.cur)
}
