// SPDX-License-Identifier: Apache-2.0

package deid_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/asepsis/asepsis/guard/gateway/deid"
	"github.com/asepsis/asepsis/wire/dicom"
)

// picture is an image of random pixels.
type picture struct {
	rows, columns, samples, bits, stored, planar, frames, signed int
	photometric                                                  string
	vr                                                           dicom.VR
	burned                                                       string
	class, model                                                 string
	overlay                                                      bool // in unused bits, of images in RLE
}

func (p picture) pixels(big bool) []byte {
	n := p.rows * p.columns * p.samples * p.bits / 8 * max(1, p.frames)
	if p.photometric == "YBR_FULL_422" {
		n = p.rows * p.columns * 2 * max(1, p.frames)
	}
	b := make([]byte, n+n&1)
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // test data
	for i := range b {
		b[i] = byte(r.UintN(254)) + 1
	}
	if p.bits == 16 { // no bit above those that are stored
		for i := 0; i+1 < len(b); i += 2 {
			v := binary.LittleEndian.Uint16(b[i:])&(1<<p.stored-1) | 1
			if binary.LittleEndian.PutUint16(b[i:], v); big {
				binary.BigEndian.PutUint16(b[i:], v)
			}
		}
	}
	return b
}

func (p picture) write(pixels []byte) func(*dicom.Writer) {
	return func(w *dicom.Writer) {
		p.header(w)
		w.Bytes(dicom.TagPixelData, p.vr, pixels)
	}
}

func (p picture) header(w *dicom.Writer) {
	head(w, cmpOr(p.class, capture), "1.2.3.4")
	w.Text(0x00080060, dicom.CS, "US")
	w.Text(0x00080070, dicom.LO, "ACME Imaging")
	w.Text(0x00081090, dicom.LO, cmpOr(p.model, "Sono 3"))
	w.Uint16(0x00280002, dicom.US, uint16(p.samples))
	w.Text(0x00280004, dicom.CS, p.photometric)
	if p.samples > 1 {
		w.Uint16(0x00280006, dicom.US, uint16(p.planar))
	}
	if p.frames > 0 {
		w.Text(0x00280008, dicom.IS, fmt.Sprint(p.frames))
	}
	w.Uint16(0x00280010, dicom.US, uint16(p.rows))
	w.Uint16(0x00280011, dicom.US, uint16(p.columns))
	w.Uint16(0x00280100, dicom.US, uint16(p.bits))
	w.Uint16(0x00280101, dicom.US, uint16(p.stored))
	w.Uint16(0x00280102, dicom.US, uint16(p.stored-1))
	w.Uint16(0x00280103, dicom.US, uint16(p.signed))
	if p.burned != "" {
		w.Text(0x00280301, dicom.CS, p.burned)
	}
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// pixelsOf returns the value of pixel data and of (0028,0301).
func pixelsOf(t *testing.T, data []byte, syntax string) (pixels []byte, burned string) {
	t.Helper()
	s, _ := dicom.SyntaxOf(syntax)
	s.Deflated = false
	r := dicom.NewReader(bytes.NewReader(data), s, dicom.DefaultLimits())
	for {
		tok, err := r.Next()
		if errors.Is(err, io.EOF) {
			return pixels, burned
		}
		if err != nil {
			t.Fatal(err)
		}
		if tok.Kind == dicom.Element && tok.Depth == 0 && (tok.Tag == dicom.TagPixelData || tok.Tag == 0x00280301) {
			v, err := r.Value(1 << 30)
			if err != nil {
				t.Fatal(err)
			}
			if tok.Tag == dicom.TagPixelData {
				pixels = v
			} else {
				burned = string(bytes.TrimSpace(v))
			}
		}
	}
}

// TestRegionsBecomeBlackAndNothingElse looks at each sample of each pixel.
func TestRegionsBecomeBlackAndNothingElse(t *testing.T) {
	regions := []deid.Region{{X: 2, Y: 1, Width: 5, Height: 3}, {X: 4, Y: 2, Width: 6, Height: 1}, {X: -3, Y: -2}}
	inside := func(p picture, row, column int) bool {
		if p.photometric == "YBR_FULL_422" { // pairs of pixels share their colour
			column &^= 1
			return row >= 1 && row < 4 && column >= 2 && column < 8 || row == 2 && column >= 4 && column < 10 || row >= p.rows-2 && column >= p.columns-4
		}
		return row >= 1 && row < 4 && column >= 2 && column < 7 || row == 2 && column >= 4 && column < 10 || row >= p.rows-2 && column >= p.columns-3
	}
	le, be, im, de := dicom.ExplicitVRLittleEndian, dicom.ExplicitVRBigEndian, dicom.ImplicitVRLittleEndian, dicom.DeflatedExplicitVRLittleEndian
	for _, tt := range []struct {
		name   string
		p      picture
		syntax string
		black  [4]uint16
	}{
		{"8 bits", picture{9, 14, 1, 8, 8, 0, 0, 0, "MONOCHROME2", dicom.OB, "", "", "", false}, le, [4]uint16{}},
		{"8 bits of odd length", picture{9, 13, 1, 8, 8, 0, 0, 0, "MONOCHROME2", dicom.OB, "", "", "", false}, le, [4]uint16{}},
		{"8 bits, implicit VR", picture{9, 14, 1, 8, 8, 0, 3, 0, "MONOCHROME2", dicom.OW, "", "", "", false}, im, [4]uint16{}},
		{"8 bits, words of big endian", picture{9, 13, 1, 8, 8, 0, 3, 0, "MONOCHROME2", dicom.OW, "", "", "", false}, be, [4]uint16{}},
		{"16 bits", picture{9, 14, 1, 16, 12, 0, 0, 0, "MONOCHROME2", dicom.OW, "", "", "", false}, le, [4]uint16{}},
		{"16 bits, white is 0", picture{9, 14, 1, 16, 12, 0, 2, 0, "MONOCHROME1", dicom.OW, "", "", "", false}, le, [4]uint16{0x0FFF}},
		{"16 bits, white is 0, signed", picture{9, 14, 1, 16, 16, 0, 0, 1, "MONOCHROME1", dicom.OW, "", "", "", false}, le, [4]uint16{0x7FFF}},
		{"16 bits, white is 0, big endian", picture{9, 14, 1, 16, 12, 0, 0, 0, "MONOCHROME1", dicom.OW, "", "", "", false}, be, [4]uint16{0x0FFF}},
		{"colours beside each other", picture{9, 14, 3, 8, 8, 0, 4, 0, "RGB", dicom.OB, "", "", "", false}, le, [4]uint16{}},
		{"colours in planes", picture{9, 14, 3, 8, 8, 1, 4, 0, "RGB", dicom.OB, "", "", "", false}, le, [4]uint16{}},
		{"colours in planes of 16 bits", picture{9, 14, 3, 16, 16, 1, 2, 0, "RGB", dicom.OW, "", "", "", false}, le, [4]uint16{}},
		{"luminance and colours", picture{9, 14, 3, 8, 8, 0, 2, 0, "YBR_FULL", dicom.OB, "", "", "", false}, le, [4]uint16{0, 128, 128}},
		{"luminance and colours in planes", picture{9, 14, 3, 8, 8, 1, 2, 0, "YBR_FULL", dicom.OB, "", "", "", false}, le, [4]uint16{0, 128, 128}},
		{"luminance and halved colours", picture{9, 14, 3, 8, 8, 0, 2, 0, "YBR_FULL_422", dicom.OB, "", "", "", false}, le, [4]uint16{0, 128, 128}},
		{"palette", picture{9, 14, 1, 8, 8, 0, 0, 0, "PALETTE COLOR", dicom.OB, "", "", "", false}, le, [4]uint16{}},
		{"32 bits", picture{9, 14, 1, 32, 32, 0, 2, 0, "MONOCHROME2", dicom.OW, "", "", "", false}, le, [4]uint16{}},
		{"deflated", picture{9, 14, 3, 8, 8, 0, 40, 0, "RGB", dicom.OB, "", "", "", false}, de, [4]uint16{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := tt.p
			s, _ := dicom.SyntaxOf(tt.syntax)
			before := p.pixels(s.BigEndian)
			data := build(t, tt.syntax, p.write(before))
			rules := deid.Profile{Options: []deid.Option{deid.CleanPixelData}, Pixels: []deid.PixelRule{{Name: "banner", Modality: "us", Manufacturer: "acme*", Black: regions}}}
			out, paths := transform(t, rules, data, tt.syntax)
			if !s.Deflated {
				var pieces bytes.Buffer
				if _, err := profile(t, rules).Transform(&pieces, iotest.OneByteReader(bytes.NewReader(data)), tt.syntax); err != nil || !bytes.Equal(pieces.Bytes(), out) {
					t.Errorf("byte by byte it is another copy: %v", err)
				}
			}
			after, burned := pixelsOf(t, out, tt.syntax)
			if burned != "NO" || len(after) != len(before) {
				t.Fatalf("(0028,0301) is %q, %d bytes of %d", burned, len(after), len(before))
			}
			if !contains(paths, "(7FE0,0010) blanked") || !contains(paths, "(0028,0301) added") {
				t.Errorf("%v", paths)
			}
			width := p.bits / 8
			sample := func(b []byte, at int) uint64 {
				if p.bits == 8 && s.BigEndian && p.vr == dicom.OW {
					return uint64(b[at^1])
				}
				var v uint64
				for i := range width {
					k := at + width - 1 - i
					if s.BigEndian {
						k = at + i
					}
					v = v<<8 | uint64(b[k])
				}
				return v
			}
			for f := range max(1, p.frames) {
				for row := range p.rows {
					for column := range p.columns {
						for c := range p.samples {
							pixel := row*p.columns + column
							at := ((f*p.rows*p.columns+pixel)*p.samples + c) * width
							switch {
							case p.photometric == "YBR_FULL_422":
								at = f*p.rows*p.columns*2 + pixel/2*4 + column&1
								if c > 0 {
									at = f*p.rows*p.columns*2 + pixel/2*4 + 1 + c
								}
							case p.planar == 1:
								at = ((f*p.samples+c)*p.rows*p.columns + pixel) * width
							}
							want := sample(before, at)
							if inside(p, row, column) {
								want = uint64(tt.black[c])
							}
							if got := sample(after, at); got != want {
								t.Fatalf("frame %d, row %d, column %d, sample %d: %#x, want %#x", f, row, column, c, got, want)
							}
						}
					}
				}
			}
		})
	}
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// TestRulesOfPixels shows which images are taken, blackened and refused.
func TestRulesOfPixels(t *testing.T) {
	plain := picture{rows: 4, columns: 4, samples: 1, bits: 8, stored: 8, photometric: "MONOCHROME2", vr: dicom.OB}
	with := func(change func(*picture)) picture { p := plain; change(&p); return p }
	rules := func(r ...deid.PixelRule) deid.Profile {
		return deid.Profile{Options: []deid.Option{deid.CleanPixelData}, Pixels: r}
	}
	black := []deid.Region{{Width: 2, Height: 2}}
	for _, tt := range []struct {
		name    string
		profile deid.Profile
		p       picture
		refused string // code
		burned  string
		changed bool
	}{
		{"without the option nothing is done", deid.Profile{}, plain, "", "", false},
		{"without the option what says that it is burned in is refused", deid.Profile{}, with(func(p *picture) { p.burned = "YES" }), "burned-in", "", false},
		{"or passes where the profile says so", deid.Profile{BurnedIn: "pass"}, with(func(p *picture) { p.burned = "YES" }), "", "YES", false},
		{"with the option a capture that says nothing is refused", rules(), plain, "unmatched", "", false},
		{"one that says NO is taken", rules(), with(func(p *picture) { p.burned = "NO" }), "", "NO", false},
		{"one that says NO is refused where the profile trusts nobody", deid.Profile{Options: []deid.Option{deid.CleanPixelData}, Unmatched: "refuse"}, with(func(p *picture) { p.burned = "NO" }), "unmatched", "", false},
		{"CT is taken", rules(), with(func(p *picture) { p.class = ctImage }), "", "NO", false},
		{"CT that says YES is refused", rules(), with(func(p *picture) { p.class = ctImage; p.burned = "YES" }), "unmatched", "", false},
		{"unmatched passes where the profile says so, and nothing is claimed", deid.Profile{Options: []deid.Option{deid.CleanPixelData}, Unmatched: "pass"}, plain, "", "", false},
		{"a rule blackens", rules(deid.PixelRule{Model: "sono*", Black: black}), with(func(p *picture) { p.burned = "YES" }), "", "NO", true},
		{"a rule says that nothing is burned in", rules(deid.PixelRule{Model: "sono 3", Nothing: true}), plain, "", "NO", false},
		{"a rule refuses", rules(deid.PixelRule{Model: "*3", Refuse: true}), plain, "rule", "", false},
		{"the first rule counts", rules(deid.PixelRule{Rows: 4, Columns: 4, Nothing: true}, deid.PixelRule{Refuse: true}), plain, "", "NO", false},
		{"a rule of another size does not", rules(deid.PixelRule{Rows: 5, Nothing: true}), plain, "unmatched", "", false},
		{"a rule of another class does not", rules(deid.PixelRule{SOPClass: ctImage, Nothing: true}), plain, "unmatched", "", false},
		{"a rectangle outside of the image", rules(deid.PixelRule{Black: []deid.Region{{X: 4, Width: 1, Height: 1}}}), plain, "pixels", "", false},
		{"a header that lies about the size", rules(deid.PixelRule{Black: black}), with(func(p *picture) { p.frames = -2 }), "pixels", "", false},
		{"pixels of a bit", rules(deid.PixelRule{Black: black}), with(func(p *picture) { p.bits = 1; p.stored = 1 }), "pixels", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := tt.p
			pixels := p.pixels(false)
			if p.frames < 0 {
				pixels, p.frames = plain.pixels(false), 7
			}
			if p.bits == 1 {
				pixels = []byte{1, 2}
			}
			data := build(t, dicom.ExplicitVRLittleEndian, p.write(pixels))
			var out bytes.Buffer
			_, err := profile(t, tt.profile).Transform(&out, bytes.NewReader(data), dicom.ExplicitVRLittleEndian)
			var r *deid.Refusal
			if errors.As(err, &r) != (tt.refused != "") || r != nil && r.Code != tt.refused || r == nil && err != nil {
				t.Fatal(err)
			}
			if r != nil {
				return
			}
			after, burned := pixelsOf(t, out.Bytes(), dicom.ExplicitVRLittleEndian)
			if burned != tt.burned || bytes.Equal(after, pixels) == tt.changed {
				t.Errorf("(0028,0301) is %q, changed %t", burned, !bytes.Equal(after, pixels))
			}
		})
	}
}

func TestCompressedImagesAreNeverLetThroughPartOfWhichShouldBeBlack(t *testing.T) {
	for _, word := range []string{"", "refuse", "drop"} {
		p := deid.Profile{Options: []deid.Option{deid.CleanPixelData}, Encapsulated: word, Pixels: []deid.PixelRule{{Black: []deid.Region{{Width: 2, Height: 2}}}}}
		data := build(t, "1.2.840.10008.1.2.4.50", func(w *dicom.Writer) {
			head(w, usImages, "1.2.3.4")
			w.Uint16(0x00280010, dicom.US, 4)
			w.Uint16(0x00280011, dicom.US, 4)
			w.Fragments(dicom.TagPixelData, []byte{0xFF, 0xD8, 0xFF, 0xD9})
		})
		_, err := profile(t, p).Transform(io.Discard, bytes.NewReader(data), "1.2.840.10008.1.2.4.50")
		var r *deid.Refusal
		if !errors.As(err, &r) || r.Code != "compressed" || r.Drop() != (word == "drop") || r.Hint() == "" {
			t.Errorf("%q: %v", word, err)
		}
	}
}

// TestOverlaysInUnusedBitsAreRemoved: an overlay of before 2004 lies in the pixels themselves (PS3.3 §C.9.2.1.1, retired).
func TestOverlaysInUnusedBitsAreRemoved(t *testing.T) {
	for _, syntax := range []string{dicom.ExplicitVRLittleEndian, dicom.ExplicitVRBigEndian} {
		s, _ := dicom.SyntaxOf(syntax)
		order := binary.ByteOrder(binary.LittleEndian)
		if s.BigEndian {
			order = binary.BigEndian
		}
		var pixels []byte
		for v := range uint16(16) {
			pixels = append(pixels, 0, 0)
			order.PutUint16(pixels[len(pixels)-2:], v<<4|0x8001|v<<12)
		}
		write := func(signed uint16) []byte {
			return build(t, syntax, func(w *dicom.Writer) {
				head(w, ctImage, "1.2.3.4")
				w.Uint16(0x00280002, dicom.US, 1)
				w.Text(0x00280004, dicom.CS, "MONOCHROME2")
				w.Uint16(0x00280010, dicom.US, 4)
				w.Uint16(0x00280011, dicom.US, 4)
				w.Uint16(0x00280100, dicom.US, 16)
				w.Uint16(0x00280101, dicom.US, 12)
				w.Uint16(0x00280102, dicom.US, 11)
				w.Uint16(0x00280103, dicom.US, signed)
				w.Uint16(0x60000100, dicom.US, 16)
				w.Uint16(0x60000102, dicom.US, 15)
				w.Bytes(dicom.TagPixelData, dicom.OW, pixels)
			})
		}
		out, _ := transform(t, deid.Profile{}, write(0), syntax)
		after, _ := pixelsOf(t, out, syntax)
		for i := 0; i < len(pixels); i += 2 {
			if got, want := order.Uint16(after[i:]), order.Uint16(pixels[i:])&0x0FFF; got != want {
				t.Fatalf("pixel %d: %#x, want %#x", i/2, got, want)
			}
		}
		_, err := profile(t, deid.Profile{}).Transform(io.Discard, bytes.NewReader(write(1)), syntax)
		var r *deid.Refusal
		if !errors.As(err, &r) || r.Code != "overlay" {
			t.Errorf("signed pixels: %v", err)
		}
	}
}

// TestLargeImagesStream passes 200 MB through, in pieces of odd sizes, without holding them.
func TestLargeImagesStream(t *testing.T) {
	const rows, columns, frames = 1000, 1000, 100
	header := build(t, dicom.ExplicitVRLittleEndian, func(w *dicom.Writer) {
		p := picture{rows: rows, columns: columns, samples: 1, bits: 16, stored: 16, photometric: "MONOCHROME2", vr: dicom.OW, frames: frames}
		p.write(nil)(w)
	})
	binary.LittleEndian.PutUint32(header[len(header)-4:], rows*columns*frames*2)
	p := deid.Profile{Options: []deid.Option{deid.CleanPixelData}, Pixels: []deid.PixelRule{{Black: []deid.Region{{Y: 900}}}}}
	src := io.MultiReader(bytes.NewReader(header), io.LimitReader(ones{}, rows*columns*frames*2))
	count := &zeros{}
	if _, err := profile(t, p).Transform(count, iotest.HalfReader(src), dicom.ExplicitVRLittleEndian); err != nil {
		t.Fatal(err)
	}
	if want := rows * columns * frames * 2 / 10; count.zero < want || count.zero > want+2000 || count.n < rows*columns*frames*2 {
		t.Errorf("%d zeros of %d bytes", count.zero, count.n)
	}
	tr := profile(t, p)
	small := testing.AllocsPerRun(1, func() {
		src := io.MultiReader(bytes.NewReader(header), io.LimitReader(ones{}, rows*columns*frames*2))
		_, _ = tr.Transform(io.Discard, src, dicom.ExplicitVRLittleEndian)
	})
	if small > 5000 {
		t.Errorf("%v allocations for an image of 200 MB", small)
	}
}

type ones struct{}

func (ones) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 1
	}
	return len(p), nil
}

type zeros struct{ n, zero int }

func (z *zeros) Write(p []byte) (int, error) {
	z.n += len(p)
	z.zero += bytes.Count(p, []byte{0})
	return len(p), nil
}
