// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
)

// hold is how many bytes of a value are held at once. Longer texts are looked at in windows of so many, each of which
// begins with the last bytes of the one before.
const (
	hold    = 4096
	overlap = 256
)

// mode is how a value is read.
type mode uint8

const (
	modeSkip     mode = iota
	modeKeep          // its first bytes
	modeText          // all of it, in windows
	modePixels        // hashed; its first bytes
	modeDocument      // all of it, by the reader of the format
	modePadding       // all of it must be zero
	modeNested        // items of a sequence that is sent as UN
)

// value is the element under way and what is held of its value.
type value struct {
	t    dicom.Token
	mode mode
	want int    // modeKeep, modePixels: how many of its first bytes
	pos  uint64 // bytes that came
	buf  []byte
	lead bool // the first bytes were judged
	doc  *doc

	sum    hash.Hash // of pixel data
	pixels bool      // all of it was hashed
}

func (v *value) begin(t *dicom.Token) {
	v.t, v.mode, v.want, v.pos, v.lead = *t, modeSkip, 0, 0, false
	v.buf = v.buf[:0]
}

// data takes the next bytes of the value under way.
func (x *inspection) data(b []byte, last bool) {
	v := &x.val
	switch v.mode {
	case modeSkip:
	case modeKeep:
		x.keep(b, last)
	case modeText:
		x.windows(b, last)
	case modePixels:
		if v.sum != nil && v.t.Depth == 0 {
			v.sum.Write(b)
		}
		if x.frags.table && v.t.Kind == dicom.Fragment {
			x.offsetTable(b)
			break
		}
		x.keep(b, last)
		if last && v.t.Kind == dicom.Element && v.t.Depth == 0 {
			v.pixels = true
		}
	case modeDocument:
		x.document(b, last)
	case modeNested:
		x.nest(b, last)
	case modePadding:
		if len(bytes.Trim(b, "\x00")) > 0 {
			x.hit(structureTrailing, "the padding at the end is not zero")
		}
	}
	v.pos += uint64(len(b))
}

// keep collects the first bytes of a value and judges them once.
func (x *inspection) keep(b []byte, last bool) {
	v := &x.val
	if v.lead {
		return
	}
	if len(v.buf) == 0 && len(b) >= v.want {
		v.lead = true
		x.first(b[:v.want])
		return
	}
	v.buf = append(v.buf, b[:min(len(b), v.want-len(v.buf))]...)
	if len(v.buf) == v.want || last {
		v.lead = true
		x.first(v.buf)
	}
}

// first judges the first bytes of a value that is no text.
func (x *inspection) first(b []byte) {
	t := &x.val.t
	switch {
	case x.val.mode == modePixels:
		x.firstPixels(t, b)
	case interesting(t.Tag):
		x.number(t, b)
	default:
		x.bulk(t, b)
	}
}

// windows looks at a text in windows. One that fits is looked at where it lies.
func (x *inspection) windows(b []byte, last bool) {
	v := &x.val
	if v.pos == 0 && last && len(b) <= hold {
		x.text(b, true, true)
		return
	}
	if v.buf == nil {
		v.buf = make([]byte, 0, hold)
	}
	for {
		k := min(hold-len(v.buf), len(b))
		v.buf = append(v.buf, b[:k]...)
		b = b[k:]
		whole := v.t.Length <= hold
		switch {
		case last && len(b) == 0:
			x.text(v.buf, !v.lead, whole)
			return
		case len(v.buf) == hold && !whole:
			x.text(v.buf, !v.lead, false)
			if x.Stop() { // here, however the bytes were cut
				return
			}
			v.lead = true
			v.buf = v.buf[:copy(v.buf, v.buf[hold-overlap:])]
		default:
			return
		}
	}
}

// digests returns the sum of the pixel data.
func (v *value) digests() (d instance.Digests) {
	if v.pixels && v.sum != nil {
		d.Pixels = true
		v.sum.Sum(d.Pixel[:0])
	}
	return d
}

// hashPixels begins to hash pixel data.
func (v *value) hashPixels() {
	v.pixels = false
	if v.sum == nil {
		v.sum = sha256.New()
	}
}

func (x *inspection) order16() binary.ByteOrder {
	if x.levels[x.val.t.Depth].big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// interesting reports elements whose numbers are looked at.
func interesting(t dicom.Tag) bool {
	switch g := t.Group(); {
	case t.Element() == 0:
		return true
	case g == 0x0028:
		switch t {
		case 0x00280002, 0x00280006, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102, 0x00280103, 0x00281101, 0x00281102, 0x00281103, 0x00283002:
			return true
		}
	case t == 0x00420015 || t == 0x7FE00001 || t == 0x7FE00002 || t == 0x00660013:
		return true
	case g&0xFF01 == 0x6000:
		switch t.Element() {
		case 0x0010, 0x0011, 0x0050, 0x0100, 0x0102:
			return true
		}
	}
	return false
}

// number takes a number into account.
func (x *inspection) number(t *dicom.Token, b []byte) {
	lv := &x.levels[t.Depth]
	order := x.order16()
	if t.Tag.Element() == 0 {
		if t.Depth == 0 && len(b) == 4 {
			x.endGroupAt(t.Offset)
			x.group = groupLength{known: true, number: t.Tag.Group(), t: *t, end: x.endOfValue() + uint64(order.Uint32(b))}
		}
		return
	}
	if t.Tag == 0x00420015 {
		if len(b) == 4 {
			if x.ids.documentIs != formatNone && uint64(order.Uint32(b)) > x.ids.documentSize {
				x.hit(documentLength, "a length larger than the document")
			}
		}
		return
	}
	var n [4]uint16
	for i := range n {
		if len(b) >= 2*i+2 {
			n[i] = order.Uint16(b[2*i:])
		}
	}
	switch {
	case t.Tag.Group() == 0x0028:
		lv.geo.set(t.Tag, n)
		if t.Tag == 0x00283002 {
			lv.lut = lut{known: len(b) >= 6, entries: n[0], bits: n[2]}
		}
		if t.Depth == 0 {
			x.headerNumber(t.Tag, int64(n[0]))
		}
	case t.Tag.Group()&0xFF01 == 0x6000:
		x.overlayNumber(t, lv, n)
	}
}

// endOfValue returns the offset of the byte after a number's value: they are never long.
func (x *inspection) endOfValue() uint64 {
	header := uint64(8)
	if t := &x.val.t; x.explicit() && t.VR.Long() {
		header = 12
	}
	return x.val.t.Offset + header + uint64(x.val.t.Length)
}
