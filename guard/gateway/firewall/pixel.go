// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"math/bits"

	"github.com/asepsis/asepsis/wire/dicom"
)

// geometry is what an item says about its picture (PS3.3 §C.7.6.3).
type geometry struct {
	has                                      uint16 // bits of geo...
	rows, cols, samples, alloc, stored, high uint16
	frames                                   uint64
	framesSet, framesBad, half, quarter      bool // half: YBR_FULL_422, quarter: YBR_PARTIAL_420
	palette                                  [3]lut
}

const (
	geoRows uint16 = 1 << iota
	geoCols
	geoSamples
	geoAlloc
	geoStored
	geoHigh
)

// lut is a descriptor of a lookup table (PS3.3 §C.7.6.3.1.5).
type lut struct {
	known         bool
	entries, bits uint16
}

func (l lut) count() uint64 {
	if l.entries == 0 {
		return 1 << 16
	}
	return uint64(l.entries)
}

// fits reports that a table has the length that the descriptor says. Tables of 8 bits may lie in words.
func (l lut) fits(length uint64) bool {
	n := l.count()
	if l.bits == 8 && length == n+n&1 {
		return true
	}
	return length == 2*n
}

// dimension reports elements that size pictures and tables.
func dimension(t dicom.Tag) bool {
	switch t {
	case 0x00280002, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102, 0x00280103, 0x00281101, 0x00281102, 0x00281103, 0x00283002:
		return true
	}
	return false
}

func dimensionLength(t dicom.Tag) uint32 {
	if t >= 0x00281101 {
		return 6
	}
	return 2
}

func (g *geometry) set(t dicom.Tag, n [4]uint16) {
	switch t {
	case 0x00280002:
		g.samples, g.has = n[0], g.has|geoSamples
	case 0x00280010:
		g.rows, g.has = n[0], g.has|geoRows
	case 0x00280011:
		g.cols, g.has = n[0], g.has|geoCols
	case 0x00280100:
		g.alloc, g.has = n[0], g.has|geoAlloc
	case 0x00280101:
		g.stored, g.has = n[0], g.has|geoStored
	case 0x00280102:
		g.high, g.has = n[0], g.has|geoHigh
	case 0x00281101, 0x00281102, 0x00281103:
		g.palette[t-0x00281101] = lut{known: true, entries: n[0], bits: n[2]}
	}
}

// count returns how many frames there are.
func (g *geometry) count() uint64 {
	if !g.framesSet {
		return 1
	}
	return g.frames
}

// size returns the bytes of the native picture; false when they are more than 64 bits can count.
func (g *geometry) size() (uint64, bool) {
	n := uint64(g.rows) * uint64(g.cols)
	per := uint64(g.samples) * uint64(g.alloc) // bits of a pixel
	switch {
	case g.half && g.samples == 3:
		per = 2 * uint64(g.alloc)
	case g.quarter && g.samples == 3:
		per = uint64(g.alloc) * 3 / 2
	}
	hi, lo := bits.Mul64(n, per)
	if hi != 0 {
		return 0, false
	}
	if hi, lo = bits.Mul64(lo, g.count()); hi != 0 || lo > 1<<63 {
		return 0, false
	}
	return (lo + 7) / 8, true
}

// judge says what is impossible about a picture, "" when nothing is.
func (g *geometry) judge(float bool, most uint64) string {
	need := geoRows | geoCols | geoSamples | geoAlloc
	switch {
	case g.has&need != need:
		return "pixel data, but rows, columns, samples or bits are missing before it"
	case g.rows == 0 || g.cols == 0:
		return "a picture of no rows or columns"
	case g.samples == 0 || g.samples > 4:
		return "an impossible number of samples"
	case g.framesBad || g.framesSet && g.frames == 0:
		return "no number of frames"
	case g.count() > most:
		return "more frames than the policy allows"
	case float:
		return ""
	}
	switch g.alloc {
	case 1, 8, 12, 16, 24, 32, 64:
	default:
		return "an impossible number of bits"
	}
	switch {
	case g.has&geoStored != 0 && (g.stored == 0 || g.stored > g.alloc):
		return "more bits stored than allocated, or none"
	case g.has&geoHigh != 0 && g.high >= g.alloc:
		return "the high bit is beyond the bits allocated"
	}
	return ""
}

// nativePixels judges pixel data that is not encapsulated.
func (x *inspection) nativePixels(t *dicom.Token, lv *level) {
	v := &x.val
	v.mode, v.want = modePixels, int(min(t.Length, hold))
	if t.Depth == 0 {
		v.hashPixels()
		if x.syntax.Encapsulated && t.Tag == dicom.TagPixelData && t.Length > 0 {
			x.hit(pixelEncoding, "native pixel data in a transfer syntax of encapsulated pixel data")
		}
	}
	if t.Length == 0 {
		return
	}
	if why := lv.geo.judge(t.Tag != dicom.TagPixelData, x.policy.max[pixelDimensions]); why != "" {
		x.hit(pixelDimensions, why)
		return
	}
	want, ok := lv.geo.size()
	switch {
	case !ok || uint64(t.Length) < want:
		x.hit(pixelShort, "the pixel data is shorter than its dimensions say")
	case uint64(t.Length) > want+want&1:
		x.hit(pixelExcess, "the pixel data is longer than its dimensions say")
	}
}

// firstPixels judges how native pixel data or a fragment begins.
func (x *inspection) firstPixels(t *dicom.Token, b []byte) {
	if kind := program(b); kind != "" {
		x.hit(pixelExecutable, "pixel data that begins as "+kind+" does")
	}
	if t.Kind == dicom.Fragment {
		x.codestream(b)
	}
}

// tableData reports elements that hold a lookup table, an overlay or an extended offset table: their length is judged.
func tableData(t dicom.Tag) bool {
	switch t {
	case 0x00281201, 0x00281202, 0x00281203, 0x00283006, 0x7FE00001, 0x7FE00002:
		return true
	}
	return t.Group()&0xFF01 == 0x6000 && t.Element() == 0x3000
}

// table judges the length of a table against what describes it.
func (x *inspection) table(t *dicom.Token, lv *level) {
	length := uint64(t.Length)
	switch t.Tag {
	case 0x00281201, 0x00281202, 0x00281203:
		l := lv.geo.palette[t.Tag-0x00281201]
		if !l.known || !l.fits(length) || l.bits != 8 && l.bits != 16 {
			x.hit(paletteLength, "the palette has another length than its descriptor says")
		}
	case 0x00283006:
		if l := lv.lut; !l.known || l.bits < 8 || l.bits > 16 || !l.fits(length) && length < 2*l.count() {
			x.hit(lutLength, "the lookup table is shorter than its descriptor says")
		}
	case 0x7FE00001:
		x.frags.extended = length / 8
		x.frags.hasExtended = true
		if length != 8*lv.geo.count() {
			x.hit(pixelOffsetCount, "the extended offset table has another count than there are frames")
		}
	case 0x7FE00002:
		if length != 8*lv.geo.count() {
			x.hit(pixelOffsetCount, "the extended offset table lengths have another count than there are frames")
		}
	default:
		lv.over.in(t.Tag.Group())
		if !lv.over.fits(length) {
			x.hit(overlayLength, "the overlay data is shorter than its dimensions say")
		}
	}
}

// overlay is what an item says about the overlay of one group (PS3.3 §C.9.2).
type overlay struct {
	group      uint16
	rows, cols uint16
	frames     uint64
}

func (o *overlay) in(group uint16) {
	if o.group != group {
		*o = overlay{group: group, frames: 1}
	}
}

func (o *overlay) fits(length uint64) bool {
	if o.rows == 0 || o.cols == 0 {
		return false
	}
	hi, n := bits.Mul64(uint64(o.rows)*uint64(o.cols), o.frames)
	return hi == 0 && length >= n/8+(n&7+7)/8
}

func (x *inspection) overlayNumber(t *dicom.Token, lv *level, n [4]uint16) {
	o := &lv.over
	o.in(t.Tag.Group())
	switch t.Tag.Element() {
	case 0x0010:
		o.rows = n[0]
	case 0x0011:
		o.cols = n[0]
	case 0x0050: // one more than the offset, of signed numbers
		r, c := int(int16(n[0])), int(int16(n[1]))
		if lv.geo.has&geoRows != 0 && (r > int(lv.geo.rows) || c > int(lv.geo.cols) || r < -int(o.rows) || c < -int(o.cols)) {
			x.hit(overlayOrigin, "the overlay begins outside of the picture")
		}
	case 0x0100:
		if n[0] != 1 && n[0] != 8 && n[0] != 16 {
			x.hit(overlayOrigin, "an impossible number of bits of an overlay")
		}
	case 0x0102:
		if n[0] > 15 {
			x.hit(overlayOrigin, "the bit of the overlay is beyond the pixel")
		}
	}
}
