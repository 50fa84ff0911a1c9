// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"encoding/binary"

	"github.com/asepsis/asepsis/wire/dicom"
)

// maxOffsets bounds the offsets of the basic offset table that are compared with the fragments; of more, only order and count are judged.
const maxOffsets = 8192

// fragments is encapsulated pixel data under way (PS3.5 §A.4).
type fragments struct {
	count    uint64 // the basic offset table is not counted
	frames   uint64
	started  bool // the basic offset table has come
	geo      geometry
	base     uint64 // offset of the first fragment
	table    bool   // the basic offset table is being read
	part     [4]byte
	have     int
	last     uint32
	entries  uint64
	offsets  []uint32
	next     int // of offsets, that no fragment began at yet
	bad      string
	extended uint64
	// hasExtended: an extended offset table came before.
	hasExtended bool
	first       bool // the fragment under way is known to begin a frame
	drift       drift
}

// drift is how offsets depart from where fragments begin, one for each: encoders forget the byte that pads a fragment, or the
// eight of its item's header. An offset that departs otherwise is no such mistake.
type drift struct {
	last         int64
	off          bool // one departs otherwise
	pads, heads  bool // so far, of padding alone, of headers
	any, nonzero bool
}

// at takes the place of the fragment that an offset of the same number is for.
func (d *drift) at(n uint64, place, offset uint64) {
	by := int64(place) - int64(offset) //nolint:gosec // below 2^33
	step := by - d.last
	d.last = by
	switch {
	case n == 0:
		d.pads, d.heads, d.off = true, true, by != 0
		return
	case step != 0:
		d.any = true
	}
	d.pads = d.pads && (step == 0 || step == 1)
	d.heads = d.heads && (step == 8 || step == 9)
}

// mistaken reports that all offsets depart as mistakes do.
func (d *drift) mistaken() bool { return d.any && !d.off && (d.pads || d.heads) }

func (x *inspection) fragmentsStart(t *dicom.Token) {
	lv := &x.levels[t.Depth]
	old := x.frags
	x.frags = fragments{geo: lv.geo, frames: lv.geo.count(), offsets: old.offsets[:0], extended: old.extended, hasExtended: old.hasExtended && t.Depth == 0}
	if t.Tag != dicom.TagPixelData {
		x.hit(pixelEncoding, "encapsulated data in an element that is no pixel data")
		return
	}
	if t.Depth == 0 {
		x.val.hashPixels()
	}
	if !x.syntax.Encapsulated && t.Depth == 0 {
		x.hit(pixelEncoding, "encapsulated pixel data in a transfer syntax of native pixel data")
	}
	if why := lv.geo.judge(false, x.policy.max[pixelDimensions]); why != "" {
		x.hit(pixelDimensions, why)
	}
}

// fragment begins a fragment; the first is the basic offset table.
func (x *inspection) fragment(t *dicom.Token) {
	x.tail = x.tail[:0]
	f, v := &x.frags, &x.val
	v.begin(t)
	v.mode, v.want = modePixels, int(min(t.Length, hold))
	if v.sum != nil && t.Depth == 0 && t.Tag == dicom.TagPixelData {
		h := [8]byte{0xFE, 0xFF, 0x00, 0xE0}
		if x.syntax.BigEndian {
			h = [8]byte{0xFF, 0xFE, 0xE0, 0x00}
			binary.BigEndian.PutUint32(h[4:], t.Length)
		} else {
			binary.LittleEndian.PutUint32(h[4:], t.Length)
		}
		v.sum.Write(h[:])
	}
	if !f.started {
		f.started, f.table = true, true
		f.base = t.Offset + 8 + uint64(t.Length)
		if t.Length%4 != 0 {
			f.bad = "the offset table is not a whole number of offsets"
		}
		return
	}
	f.table = false
	f.count++
	if f.count == x.policy.max[structureFragments]+1 || f.count == 4096+64*f.frames && f.count > 4096 {
		x.hit(structureFragments, "more fragments than a picture of so many frames has")
	}
	f.first = f.count == 1
	if n := f.count - 1; n < uint64(len(f.offsets)) {
		f.drift.at(n, t.Offset-f.base, uint64(f.offsets[n]))
		f.first = f.first || f.drift.mistaken()
	}
	if f.next < len(f.offsets) && uint64(f.offsets[f.next]) == t.Offset-f.base {
		f.next++
		f.first = true
	}
}

// offsetTable reads offsets of the basic offset table.
func (x *inspection) offsetTable(b []byte) {
	f := &x.frags
	for _, c := range b {
		f.part[f.have] = c
		if f.have++; f.have < 4 {
			continue
		}
		f.have = 0
		o := binary.LittleEndian.Uint32(f.part[:])
		switch {
		case f.entries == 0 && o != 0:
			f.bad = "the first offset is not 0"
		case f.entries > 0 && o <= f.last:
			f.bad = "the offsets do not ascend"
		}
		f.last = o
		f.drift.nonzero = f.drift.nonzero || o != 0
		f.entries++
		if len(f.offsets) < maxOffsets {
			f.offsets = append(f.offsets, o)
		}
	}
}

func (x *inspection) fragmentsEnd(t *dicom.Token) {
	f := &x.frags
	x.val.t = dicom.Token{Kind: dicom.FragmentsStart, Tag: t.Tag, Depth: t.Depth}
	if t.Tag == dicom.TagPixelData && t.Depth == 0 {
		x.val.pixels = true
	}
	if t.Tag != dicom.TagPixelData {
		return
	}
	film := video(x.a.TransferSyntax)
	switch {
	case f.entries > 0 && f.entries != f.frames && !film:
		x.hit(pixelOffsetCount, "the offset table has another count than there are frames")
	case f.entries == 0 && !f.hasExtended && f.frames > 1 && f.count > f.frames && !film:
		x.hit(pixelOffsetCount, "several frames of several fragments, and no offset table")
	}
	switch {
	case f.entries > 1 && !f.drift.nonzero && f.have == 0:
		f.bad = ""
		x.hit(pixelOffsetDrift, "every offset is zero")
	case f.bad != "":
	case f.entries == f.count && uint64(len(f.offsets)) == f.entries && f.drift.mistaken():
		x.hit(pixelOffsetDrift, "the offsets were counted without padding, or without the headers of items")
	case f.next < len(f.offsets) && uint64(len(f.offsets)) == f.entries:
		f.bad = "an offset does not point at a fragment"
	case f.entries > 0 && f.hasExtended:
		f.bad = "two offset tables"
	}
	if f.bad != "" {
		x.hit(pixelOffsets, f.bad)
	}
	if f.count < f.frames && !film || f.count == 0 {
		x.hit(pixelFrames, "fewer fragments than frames")
	}
}

// video reports transfer syntaxes in which a fragment holds many frames (PS3.5 §8.2.5 to §8.2.9).
func video(syntax string) bool {
	const arc = "1.2.840.10008.1.2.4."
	if len(syntax) < len(arc)+3 || syntax[:len(arc)] != arc {
		return false
	}
	last := syntax[len(arc):]
	return last >= "100" && last < "109" && len(last) >= 3
}
