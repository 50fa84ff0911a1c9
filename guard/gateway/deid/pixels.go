// SPDX-License-Identifier: Apache-2.0

package deid

import (
	"bytes"

	"github.com/asepsis/asepsis/wire/dicom"
)

const rulePicture = "beyond the table: a picture in a sequence"

// settle decides once what is done to the pixels.
func (x *run) settle() verdict {
	if m := &x.image; !m.decided {
		m.decided, m.verdict = true, m.decide(x.p)
	}
	return x.image.verdict
}

// burnedIn writes (0028,0301) (PS3.15 §E.3.1).
func (x *run) burnedIn(t *dicom.Token, raw []byte) error {
	if x.image.decided {
		return &Refusal{Code: "order", Why: "its elements are out of order, so that what it says about its pixels came too late"}
	}
	x.image.note(t.Tag, raw, x.syntax.BigEndian)
	v := x.settle()
	if v.refuse != nil {
		return v.refuse
	}
	if v.clean {
		return x.swap(t, raw, "NO", "replaced", "E.3.1")
	}
	return x.put(t, raw)
}

// notBurnedIn writes (0028,0301) where an image that is clean has none. It is called before an element behind it.
func (x *run) notBurnedIn() error {
	m := &x.image
	if m.decided || m.rows == 0 {
		return nil
	}
	v := x.settle()
	switch {
	case v.refuse != nil:
		return v.refuse
	case !v.clean:
		return nil
	}
	x.note(tagBurnedIn, "added", "E.3.1")
	return x.put(&dicom.Token{Tag: tagBurnedIn, VR: dicom.CS}, []byte("NO"))
}

// compressed says whether encapsulated pixel data may pass as it is. RLE is written anew where part of it must be black; no
// other compression is decoded here, for what comes out of most is not what went in.
func (x *run) compressed() (anew bool, err error) {
	v := x.settle()
	x.image.passed = true
	const hint = "no copy of it can be made; let the device send uncompressed or RLE images to this destination"
	switch {
	case v.refuse != nil:
		return false, v.refuse
	case len(v.black) == 0 && !x.image.hidden:
		return false, nil
	case x.altered.TransferSyntax == rleLossless:
		return true, nil
	case len(v.black) > 0:
		return false, &Refusal{Code: "compressed", drop: x.p.cfg.Encapsulated == "drop", hint: hint,
			Why: "a rule wants part of its image black, and " + dicom.UIDName(x.altered.TransferSyntax) + " is not decoded here"}
	}
	return false, &Refusal{Code: "overlay", hint: hint, Why: "an overlay lies in unused bits of pixel data in " + dicom.UIDName(x.altered.TransferSyntax) + ", which is not decoded here"}
}

// pixels does native pixel data.
func (x *run) pixels(t *dicom.Token) error {
	if t.Depth > 0 { // only icons are pictures in a sequence, and they are removed
		x.note(t.Tag, "removed", rulePicture)
		return x.skip()
	}
	v := x.settle()
	x.image.passed = true
	if v.refuse != nil {
		return v.refuse
	}
	if len(v.black) == 0 && !x.image.hidden {
		return x.unchanged(t)
	}
	if t.Tag != dicom.TagPixelData {
		return &Refusal{Code: "pixels", Why: "a rule wants part of its image black, and pixels of floating point are not changed here"}
	}
	g, why := x.image.geometry(t)
	if why != "" {
		return untrue(why)
	}
	mask, err := x.plan(t, g, v)
	if err != nil {
		return err
	}
	if err := x.token(*t); err != nil {
		return err
	}
	return x.pass(func(off uint64, piece []byte) error {
		if mask != nil {
			for i := range piece {
				piece[i] &= mask[(off+uint64(i))%uint64(len(mask))]
			}
		}
		g.blacken(off, piece)
		return nil
	})
}

// unchanged copies pixel data whose length is given. In a syntax that has fragments it may be a stream that should have been in one.
func (x *run) unchanged(t *dicom.Token) error {
	pixels := &stream{x: x}
	if t.Tag == dicom.TagPixelData && x.syntax.Encapsulated {
		pixels = x.stream()
	}
	if err := x.token(*t); err != nil {
		return err
	}
	if err := pixels.value(); err != nil {
		return err
	}
	return pixels.end(t)
}

// untrue refuses an image whose header cannot be trusted.
func untrue(why string) *Refusal {
	return &Refusal{Code: "pixels", Why: why, hint: "what the header says about the image must be true before part of it can be blackened"}
}

// plan lays a verdict over an image: the rectangles, and the bits of a sample that are pixels where others hold an overlay.
func (x *run) plan(t *dicom.Token, g *geometry, v verdict) (mask []byte, err error) {
	if len(v.black) > 0 {
		if !g.place(v.black) {
			return nil, &Refusal{Code: "pixels", Why: "a rectangle of the rule lies outside of the image", hint: "give the rule the size of the images that it is for"}
		}
		x.note(t.Tag, "blanked", "E.3.1")
	}
	if x.image.hidden {
		if x.image.signed != 0 || g.bytes != 2 && g.bytes != 1 {
			return nil, &Refusal{Code: "overlay", Why: "an overlay lies in unused bits of signed pixels"}
		}
		x.note(t.Tag, "blanked", "overlay in unused bits")
		mask = g.mask(&x.image)
	}
	return mask, nil
}

// geometry is how the pixels of native pixel data lie.
type geometry struct {
	rows, columns, samples int
	bytes                  int // of a sample
	planar, halved         bool
	frame                  uint64 // bytes
	line                   uint64 // bytes of a line, of one plane where there are planes
	unit                   uint64 // bytes of a pixel in a line
	rects                  []rect
	swapped                bool // bytes of samples of 8 bits are swapped in words (PS3.5 §8.1.1, big endian)
	big                    bool
	black                  []byte // a pixel
	dark                   bool   // black is 0 throughout
}

// geometry makes sense of the header of native pixel data, or says what is wrong with it.
func (m *image) geometry(t *dicom.Token) (*geometry, string) {
	g, why := m.layout(t.VR)
	if why != "" {
		return nil, why
	}
	if want := g.frame * uint64(max(1, m.frames)); uint64(t.Length) != want+want&1 {
		return nil, "its pixel data is not as long as its header says"
	}
	return g, ""
}

// layout is geometry of what does not depend on how long the pixel data is.
func (m *image) layout(vr dicom.VR) (*geometry, string) {
	frames := max(1, m.frames)
	g := &geometry{rows: int(m.rows), columns: int(m.columns), samples: int(max(1, m.samples)), bytes: int(m.allocated / 8), planar: m.planar == 1, big: m.bigPixels}
	switch {
	case m.rows == 0 || m.columns == 0:
		return nil, "its header gives no size of the image"
	case m.allocated != 8 && m.allocated != 16 && m.allocated != 32:
		return nil, "its pixels are not of 8, 16 or 32 bits"
	case g.samples > 4:
		return nil, "its pixels have more than four samples"
	case frames > 1<<20:
		return nil, "it has more than a million frames"
	case m.stored > m.allocated || m.stored == 0 || m.high+1 < m.stored || m.high >= m.allocated:
		return nil, "its header contradicts itself about bits"
	}
	g.swapped = g.big && g.bytes == 1 && vr == dicom.OW
	g.frame = uint64(g.rows) * uint64(g.columns) * uint64(g.samples) * uint64(g.bytes)
	if m.photometric == "YBR_FULL_422" || m.photometric == "YBR_PARTIAL_422" {
		if g.samples != 3 || g.bytes != 1 || g.columns&1 != 0 || g.planar {
			return nil, "its header contradicts itself about halved colours"
		}
		g.halved = true
		g.frame = uint64(g.rows) * uint64(g.columns) * 2
	}
	g.black = g.pixel(m)
	g.line, g.unit = g.frame/uint64(g.rows), uint64(len(g.black))
	switch {
	case g.planar && g.samples > 1:
		g.line, g.unit = uint64(g.columns*g.bytes), uint64(g.bytes)
	case g.halved:
		g.unit = 2
	}
	g.dark = len(bytes.Trim(g.black, "\x00")) == 0
	return g, ""
}

// pixel returns a black pixel: all samples, or Y Y Cb Cr of two pixels with halved colours.
func (g *geometry) pixel(m *image) []byte {
	value := make([]uint32, g.samples)
	top := uint32(1)<<(m.stored-1)<<1 - 1
	switch m.photometric {
	case "MONOCHROME1":
		if value[0] = top; m.signed != 0 {
			value[0] = top >> 1
		}
	case "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420":
		for i := 1; i < min(3, g.samples); i++ {
			value[i] = uint32(1) << (m.stored - 1)
		}
	}
	if g.halved {
		value = []uint32{0, 0, value[1], value[2]}
	}
	var b []byte
	for _, v := range value {
		v <<= uint(m.high + 1 - m.stored)
		for i := range g.bytes {
			shift := 8 * i
			if g.big {
				shift = 8 * (g.bytes - 1 - i)
			}
			b = append(b, byte(v>>shift))
		}
	}
	return b
}

// mask has the bits of a sample that are pixels.
func (g *geometry) mask(m *image) []byte {
	v := (uint32(1)<<(m.stored-1)<<1 - 1) << uint(m.high+1-m.stored)
	b := []byte{byte(v), byte(v >> 8)}[:g.bytes]
	if g.big && g.bytes == 2 {
		b[0], b[1] = b[1], b[0]
	}
	return b
}

// rect is a rectangle of an image, cut to it.
type rect struct{ x0, x1, y0, y1 int }

// place cuts a rule's rectangles to the image. It reports false when one lies outside.
func (g *geometry) place(black []Region) bool {
	for _, r := range black {
		x0, x1, ok := edges(r.X, r.Width, g.columns)
		y0, y1, ok2 := edges(r.Y, r.Height, g.rows)
		if !ok || !ok2 {
			return false
		}
		if g.halved { // pairs of pixels share their colour
			x0, x1 = x0&^1, x1+x1&1
		}
		g.rects = append(g.rects, rect{x0, x1, y0, y1})
	}
	return true
}

// edges cuts one direction of a rectangle to the image. ok is false when nothing of it is inside.
func edges(from, length, size int) (a, b int, ok bool) {
	if from < 0 {
		from += size
	}
	to := from + length
	if length == 0 {
		to = size
	}
	from, to = max(0, from), min(size, to)
	return from, to, from < to
}

// blacken changes the bytes of a piece of the pixel data that lie in rectangles.
func (g *geometry) blacken(off uint64, piece []byte) {
	if len(g.rects) == 0 {
		return
	}
	first, end := off, off+uint64(len(piece))
	if g.swapped { // a byte of the line before or after may stand in the piece
		first, end = off&^1, end+end&1
	}
	for n := first / g.line; n*g.line < end; n++ {
		y, fill := int(n%uint64(g.rows)), g.black
		if g.planar && g.samples > 1 {
			plane := int(n / uint64(g.rows) % uint64(g.samples))
			fill = g.black[plane*g.bytes : (plane+1)*g.bytes]
		}
		for _, r := range g.rects {
			if y >= r.y0 && y < r.y1 {
				g.fill(n*g.line+uint64(r.x0)*g.unit, n*g.line+uint64(r.x1)*g.unit, fill, off, piece)
			}
		}
	}
}

// fill writes a pixel over and over from one place in the pixel data to another, as far as that lies in a piece.
func (g *geometry) fill(from, to uint64, pixel []byte, off uint64, piece []byte) {
	end := off + uint64(len(piece))
	if g.swapped { // of each pair of bytes the other one
		for at := from; at < to; at++ {
			if p := at ^ 1; p >= off && p < end {
				piece[p-off] = pixel[(at-from)%uint64(len(pixel))]
			}
		}
		return
	}
	a, b := max(off, from), min(end, to)
	switch {
	case a >= b:
	case g.dark:
		clear(piece[a-off : b-off])
	default:
		for at := a; at < b; at++ {
			piece[at-off] = pixel[(at-from)%uint64(len(pixel))]
		}
	}
}
