// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/see/sensor/analyze"
)

// plainEvidence is what evidenceCache does, in as few words as possible.
type plainEvidence struct {
	interval, began int64
	emit            func(*device.Evidence, bool)
	cur, old        map[evidenceKey]*device.Evidence // Count is what was repeated
}

func (c *plainEvidence) observe(e *device.Evidence) {
	if c.began == 0 {
		c.began = e.Last
	}
	k := evidenceKey{e.Subject, e.Attribute, e.Value, e.Source}
	r := c.cur[k]
	if r == nil {
		r = c.old[k]
		delete(c.old, k)
	}
	if r != nil && r.Confidence >= e.Confidence {
		if r.Count == 0 {
			r.First = e.First
		}
		r.Count += e.Count
		r.Last = max(r.Last, e.Last)
	} else {
		x := *e
		x.Count = 0
		r = &x
		c.emit(e, false)
	}
	c.cur[k] = r
	if len(c.cur) >= maxEvidence || e.Last-c.began > c.interval {
		c.flush()
		c.old, c.cur = c.cur, map[evidenceKey]*device.Evidence{}
		c.began = e.Last
	}
}

func (c *plainEvidence) flush() {
	var out []*device.Evidence
	for _, m := range []map[evidenceKey]*device.Evidence{c.old, c.cur} {
		for _, r := range m {
			if r.Count > 0 {
				out = append(out, r)
			}
		}
	}
	slices.SortFunc(out, func(a, b *device.Evidence) int {
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last), cmp.Compare(a.Attribute, b.Attribute), cmp.Compare(a.Value, b.Value),
			cmp.Compare(a.Source, b.Source), a.Subject.IP.Compare(b.Subject.IP))
	})
	for _, e := range out {
		c.emit(e, true)
		e.Count = 0
	}
}

func TestEvidenceIsFoldedAsDescribed(t *testing.T) {
	for _, c := range []struct {
		name              string
		addresses, values int
		interval          int64
	}{
		{"by interval", 200, 8, 1e6},
		{"by number: more than fit", 200, 2000, 1e12},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got, want []string
			note := func(to *[]string) func(*device.Evidence, bool) {
				return func(e *device.Evidence, renewed bool) { *to = append(*to, fmt.Sprint(*e, renewed)) }
			}
			a := newEvidenceCache(c.interval, note(&got))
			b := &plainEvidence{interval: c.interval, emit: note(&want), cur: map[evidenceKey]*device.Evidence{}, old: map[evidenceKey]*device.Evidence{}}
			rnd := rand.New(rand.NewPCG(1, 2))
			var together []*analyze.Facts
			for range 6 {
				f := new(analyze.Facts)
				for range 1 + rnd.IntN(20) { // some of them twice, and some of what is observed alone
					f.Add([]device.Attribute{device.AttrUses, device.AttrService}[rnd.IntN(2)], fmt.Sprint("value of some length ", rnd.IntN(30)), "dicom",
						[]device.Confidence{device.Guess, device.Hint, device.Claimed}[rnd.IntN(3)])
				}
				together = append(together, f)
			}
			for i := range int64(200_000) {
				e := device.Evidence{
					Subject:   device.Subject{IP: netip.AddrFrom4([4]byte{10, 0, byte(rnd.IntN(3)), byte(rnd.IntN(c.addresses))}), VLAN: uint16(rnd.IntN(2))},
					Attribute: []device.Attribute{device.AttrUses, device.AttrService}[rnd.IntN(2)], Value: fmt.Sprint("value of some length ", rnd.IntN(c.values)), Source: "dicom",
					Confidence: []device.Confidence{device.Hint, device.Claimed}[rnd.IntN(2)], First: i * 20, Last: i * 20, Count: 1,
				}
				if rnd.IntN(3) > 0 {
					a.observe(&e)
					b.observe(&e)
					continue
				}
				f := together[rnd.IntN(len(together))]
				a.observeFacts(e.Subject, f, e.First)
				for _, x := range f.List() {
					e.Attribute, e.Value, e.Source, e.Confidence = x.Attribute, x.Value, x.Source, x.Confidence
					b.observe(&e)
				}
			}
			a.flush()
			b.flush()
			if !slices.Equal(got, want) {
				t.Errorf("%d emitted, want %d, or others", len(got), len(want))
			}
			if n := len(a.entries); n > 2*maxEvidence {
				t.Errorf("%d entries are kept, at most %d may be", n, 2*maxEvidence)
			}
		})
	}
}

func TestKnownEvidenceAllocatesNothing(t *testing.T) {
	c := newEvidenceCache(1e18, func(*device.Evidence, bool) {})
	e := device.Evidence{Subject: device.Subject{MAC: device.MAC{2, 0, 0, 0, 0, 1}}, Attribute: device.AttrUses, Value: "dicom", Source: "dicom", Confidence: device.Claimed, First: 1, Last: 1, Count: 1}
	c.observe(&e)
	c.observe(&e)
	if n := testing.AllocsPerRun(100, func() { c.observe(&e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
