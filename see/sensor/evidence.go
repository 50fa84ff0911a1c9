// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"cmp"
	"slices"

	"github.com/asepsis/asepsis/core/device"
)

// maxEvidence bounds each of the two generations that a cache keeps.
const maxEvidence = 1 << 15

// evidenceCache folds equal evidence: the first goes out at once, repetitions
// are counted and go out together once per interval. It keeps two generations;
// when the current one is full or an interval has passed, what was repeated in
// the older one goes out and it is forgotten.
type evidenceCache struct {
	interval int64
	emit     func(e device.Evidence, renewed bool)
	cur, old map[evidenceKey]*repeated
	began    int64
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
	return &evidenceCache{interval: interval, emit: emit, cur: map[evidenceKey]*repeated{}, old: map[evidenceKey]*repeated{}}
}

func (c *evidenceCache) observe(e device.Evidence) {
	if c.began == 0 {
		c.began = e.Last
	}
	k := evidenceKey{e.Subject, e.Attribute, e.Value, e.Source}
	r := c.cur[k]
	if r == nil {
		if r = c.old[k]; r != nil {
			delete(c.old, k)
			c.cur[k] = r
		}
	}
	if r != nil && r.confidence >= e.Confidence {
		if r.count == 0 {
			r.first = e.First
		}
		r.count += e.Count
		r.last = max(r.last, e.Last)
	} else {
		c.cur[k] = &repeated{first: e.First, last: e.Last, confidence: e.Confidence}
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
