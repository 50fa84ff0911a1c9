// SPDX-License-Identifier: Apache-2.0

package codestream_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/wire/dicom/codestream"
)

// Parts of a codestream of JPEG 2000: headers as the standard has them, coded data that no decoder reads.
var (
	siz = segment(0x51, "\x00\x00\x00\x00\x00\x08\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x08\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x07\x01\x01")
	cod = segment(0x52, "\x00\x00\x00\x01\x00\x01\x04\x04\x00\x01")
	qcd = segment(0x5C, "\x40\x40\x48\x48\x50")
	com = segment(0x64, "\x00\x01"+secret)
	soc = []byte{0xFF, 0x4F}
	eoc = []byte{0xFF, 0xD9}
	// coded holds what coded data may: FF before anything up to 8F, SOP with any number, EPH.
	coded = []byte("\x80\xFF\x4F\x12\xFF\x64\xFF\x8F\xFF\x91\x00\x04\xFF\xFF\xFF\x92\xFF\x00data")
)

// tile is a tile-part. psot is 0 where its length is not to be right.
func tile(psot int, header, data []byte) []byte {
	if psot == 0 {
		psot = 12 + len(header) + 2 + len(data)
	}
	sot := binary.BigEndian.AppendUint32([]byte{0xFF, 0x90, 0, 10, 0, 0}, uint32(psot))
	return slices.Concat(sot, []byte{0, 1}, header, []byte{0xFF, 0x93}, data)
}

// openTile is a tile-part that reaches to the end.
func openTile(header, data []byte) []byte {
	b := tile(0, header, data)
	copy(b[6:], make([]byte, 4))
	return b
}

func codestreamOf(parts ...[]byte) []byte {
	return slices.Concat(soc, siz, cod, qcd, slices.Concat(parts...))
}

// box is a box of a file.
func box(name string, content ...[]byte) []byte {
	all := slices.Concat(content...)
	return slices.Concat(binary.BigEndian.AppendUint32(nil, uint32(8+len(all))), []byte(name), all)
}

// bigBox is a box with a length of 64 bits, endless one that reaches to the end.
func bigBox(name string, content []byte) []byte {
	return slices.Concat([]byte{0, 0, 0, 1}, []byte(name), binary.BigEndian.AppendUint64(nil, uint64(16+len(content))), content)
}

func endless(name string, content []byte) []byte {
	return slices.Concat([]byte{0, 0, 0, 0}, []byte(name), content)
}

var (
	jp2Head = slices.Concat(box("jP  ", []byte("\r\n\x87\n")), box("ftyp", []byte("jp2 \x00\x00\x00\x00jp2 ")))
	jp2h    = box("jp2h", box("ihdr", []byte("\x00\x00\x00\x08\x00\x00\x00\x08\x00\x01\x07\x07\x00\x00")), box("colr", []byte("\x01\x00\x00\x00\x00\x00\x11")), box("xml ", []byte(secret)),
		box("res ", box("resc", make([]byte, 10)), box("name", []byte(secret))))
)

func TestJPEG2000LosesItsComments(t *testing.T) {
	whole := codestreamOf(com, tile(0, nil, coded), eoc)
	for name, stream := range map[string][]byte{
		"in the main header":                   whole,
		"several":                              codestreamOf(com, com, tile(0, nil, coded), eoc),
		"in the header of a tile-part":         codestreamOf(tile(0, nil, coded), tile(0, com, coded), tile(0, slices.Concat(com, cod), nil), eoc),
		"of a tile-part that is open":          codestreamOf(openTile(com, coded), eoc),
		"among lengths of tile-parts":          codestreamOf(segment(0x55, "\x00\x40\x00\x00\x00\x30"), com, tile(0, slices.Concat(segment(0x58, "\x00\x16"), com), coded), eoc),
		"of HTJ2K":                             codestreamOf(segment(0x50, "\x00\x02\x00\x00\x00\x08"), com, tile(0, nil, coded), eoc),
		"of part 2":                            codestreamOf(segment(0x74, "\x00\x00"), segment(0x78, "\x00\x00"), com, tile(0, nil, coded), eoc),
		"behind the end":                       codestreamOf(tile(0, nil, coded), eoc, []byte(secret)),
		"behind the end, a stream":             codestreamOf(tile(0, nil, coded), eoc, whole),
		"without an end":                       codestreamOf(com, tile(0, nil, coded)),
		"without an end, and padded":           codestreamOf(com, tile(0, nil, coded), []byte{0}),
		"cut in coded data":                    codestreamOf(com, tile(0, nil, coded[:11])),
		"counted into its length, with an end": codestreamOf(com, tile(12+2+len(coded)+2, nil, coded), eoc, []byte{0}),
		"without any tile":                     codestreamOf(com, eoc),
		"in a file":                            slices.Concat(jp2Head, jp2h, box("jp2c", whole)),
		"in a file, behind the image":          slices.Concat(jp2Head, jp2h, box("jp2c", whole), box("uuid", []byte(secret+secret)), bigBox("xml ", []byte(secret))),
		"in a file, before the image":          slices.Concat(jp2Head, box("uinf", box("url ", []byte(secret))), jp2h, box("jp2i", []byte(secret)), bigBox("jp2c", whole)),
		"in a file of an unknown box":          slices.Concat(jp2Head, jp2h, box("asoc", []byte(secret)), box("jp2c", whole)),
		"in a file whose image ends early":     slices.Concat(jp2Head, jp2h, box("jp2c", whole, []byte(secret))),
		"in a file whose image has no end":     slices.Concat(jp2Head, jp2h, endless("jp2c", whole), []byte(secret)),
		"in a file whose last box is cut":      slices.Concat(jp2Head, jp2h, box("jp2c", whole), box("xml ", []byte(secret))[:14]),
		"in a file that is padded":             slices.Concat(jp2Head, jp2h, box("jp2c", whole), []byte{0}),
		"in a file, in a box without an end":   slices.Concat(jp2Head, jp2h, box("jp2c", whole), endless("xml ", []byte(secret))),
	} {
		t.Run(name, func(t *testing.T) {
			out := cleaned(t, codestream.JPEG2000, 1, stream)
			if i := bytes.Index(stream, coded); i >= 0 && !bytes.Equal(out[i:i+len(coded)], coded) {
				t.Error("coded data has changed")
			}
			for _, frames := range []int64{1, 2} { // the same again, as the second frame of an image of two
				if _, _, err := clean(t, codestream.JPEG2000, frames, stream, stream); err != nil && !strings.HasSuffix(name, "cut") && !strings.HasPrefix(name, "cut") {
					t.Errorf("two frames: %v", err)
				}
			}
		})
	}
}

// TestDoubtIsOfOneFrame: what stood behind one frame says nothing about the next, whose end is missing.
func TestDoubtIsOfOneFrame(t *testing.T) {
	cleaned(t, codestream.JPEG2000, 2, codestreamOf(tile(0, nil, coded), eoc, []byte(secret)), codestreamOf(com, tile(0, nil, coded), []byte{0, 0}))
}

// TestFramesOfJPEG2000OverFragments cuts frames at every place.
func TestFramesOfJPEG2000OverFragments(t *testing.T) {
	one, two := codestreamOf(com, tile(0, com, coded), tile(0, nil, coded), eoc), slices.Concat(jp2Head, jp2h, box("jp2c", codestreamOf(openTile(com, coded), eoc)), box("xml ", []byte(secret)))
	for _, frames := range [][2][]byte{{one, two}, {two, one}} {
		want := cleaned(t, codestream.JPEG2000, 2, frames[0], frames[1])
		for at := range len(frames[0]) {
			if end := bytes.LastIndex(frames[0], []byte("\xFF\xD9")) + 2; at >= end { // what begins a fragment behind an image begins a frame
				break
			}
			c := codestream.New(codestream.JPEG2000, 2)
			var got []byte
			for _, f := range [][]byte{frames[0][:at], frames[0][at:], frames[1]} {
				c.Fragment()
				b := bytes.Clone(f)
				if err := c.Clean(b); err != nil {
					t.Fatal(at, err)
				}
				got = append(got, b...)
			}
			if err := c.End(); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("cut at %d: %v", at, err)
			}
		}
	}
}

func TestJPEG2000ThatLiesIsRefusedByName(t *testing.T) {
	whole := codestreamOf(com, tile(0, nil, coded), eoc)
	for _, tt := range []struct {
		name   string
		frames int64
		want   error
		parts  [][]byte
	}{
		{"no JPEG 2000", 1, codestream.ErrForeign, [][]byte{[]byte(secret)}},
		{"JPEG", 1, codestream.ErrForeign, [][]byte{{0xFF, 0xD8, 0xFF}}},
		{"a file of JPEG XL", 1, codestream.ErrForeign, [][]byte{box("JXL ", []byte("\r\n\x87\n"))}},
		{"a tile-part that reaches into the next", 1, codestream.ErrBroken, [][]byte{codestreamOf(tile(12+2+len(coded)+30, nil, coded), tile(0, com, coded), eoc)}},
		{"a tile-part that reaches over the end", 1, codestream.ErrBroken, [][]byte{codestreamOf(tile(9000, nil, coded), eoc, com)}},
		{"a tile-part that reaches over the end, and more behind", 1, codestream.ErrBroken, [][]byte{codestreamOf(tile(9000, nil, coded), eoc, []byte(secret))}},
		{"a tile-part without an end, and more behind", 1, codestream.ErrBroken, [][]byte{codestreamOf(tile(0, nil, coded), []byte("\x00"+secret))}},
		{"a tile-part that ends in its data", 1, codestream.ErrBroken, [][]byte{codestreamOf(tile(12+2+3, nil, coded), eoc)}},
		{"a tile-part that ends in its header", 1, codestream.ErrBroken, [][]byte{codestreamOf(tile(20, com, coded), eoc)}},
		{"a tile-part of no length", 1, codestream.ErrBroken, [][]byte{codestreamOf(tile(13, com, coded), eoc)}},
		{"a tile-part in a tile-part", 1, codestream.ErrBroken, [][]byte{codestreamOf(tile(0, slices.Concat(com, tile(0, nil, coded)), coded), eoc)}},
		{"data before tiles", 1, codestream.ErrBroken, [][]byte{codestreamOf([]byte{0xFF, 0x93}, coded)}},
		{"a comment between tile-parts", 1, codestream.ErrBroken, [][]byte{codestreamOf(tile(0, nil, coded), com, eoc)}},
		{"an unknown segment", 1, codestream.ErrBroken, [][]byte{codestreamOf(segment(0x66, secret), tile(0, nil, coded), eoc)}},
		{"text in the header", 1, codestream.ErrBroken, [][]byte{codestreamOf([]byte(secret), tile(0, nil, coded), eoc)}},
		{"a segment without a length", 1, codestream.ErrBroken, [][]byte{codestreamOf([]byte{0xFF, 0x64, 0, 2})}},
		{"a SOT of another length", 1, codestream.ErrBroken, [][]byte{codestreamOf([]byte{0xFF, 0x90, 0, 11})}},
		{"a comment that is cut", 1, codestream.ErrCut, [][]byte{codestreamOf(com[:9])}},
		{"a header that is cut", 1, codestream.ErrCut, [][]byte{codestreamOf()}},
		{"a frame within the one before it", 2, codestream.ErrCut, [][]byte{codestreamOf(tile(9000, nil, coded)), whole}},
		{"a file within the frame before it", 2, codestream.ErrCut, [][]byte{codestreamOf(tile(9000, nil, coded)), slices.Concat(jp2Head, jp2h, box("jp2c", whole))}},
		{"a frame within a frame that says it is the only one", 1, codestream.ErrCut, [][]byte{codestreamOf(tile(9000, nil, coded)), whole}},
		{"a frame within a box", 2, codestream.ErrCut, [][]byte{slices.Concat(jp2Head, box("xml ", make([]byte, 900))[:40]), whole}},
		{"frames that are missing behind one that is cut", 3, codestream.ErrBroken, [][]byte{whole, codestreamOf(tile(9000, nil, coded))}},
		{"frames that were behind another", 2, codestream.ErrBroken, [][]byte{slices.Concat(whole, whole)}},
		{"a box longer than the one around it", 1, codestream.ErrBroken, [][]byte{slices.Concat(jp2Head, box("jp2h", box("ihdr", make([]byte, 14))[:15]), box("jp2c", whole))}},
		{"a box shorter than its header", 1, codestream.ErrBroken, [][]byte{slices.Concat(jp2Head, []byte{0, 0, 0, 7}, []byte("xml "))}},
		{"a box without an end in another", 1, codestream.ErrBroken, [][]byte{slices.Concat(jp2Head, box("jp2h", endless("ihdr", nil)))}},
		{"a box around boxes without an end", 1, codestream.ErrBroken, [][]byte{slices.Concat(jp2Head, endless("jp2h", nil))}},
		{"boxes in boxes in boxes", 1, codestream.ErrBroken, [][]byte{slices.Concat(jp2Head, bytes.Repeat([]byte("\x00\x00\x00\x01jp2h\x00\x00\x00\x00\x00\xFF\xFF\xFF"), 20))}},
		{"a box longer than anything", 1, codestream.ErrBroken, [][]byte{slices.Concat(jp2Head, []byte("\x00\x00\x00\x01xml \xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"))}},
		{"a file without an image", 1, codestream.ErrCut, [][]byte{slices.Concat(jp2Head, jp2h)}},
		{"a box's header that is cut", 1, codestream.ErrCut, [][]byte{jp2Head[:len(jp2Head)-17]}},
	} {
		_, _, err := clean(t, codestream.JPEG2000, tt.frames, tt.parts...)
		var e *codestream.Error
		if !errors.Is(err, tt.want) || !errors.As(err, &e) || bytes.Contains([]byte(err.Error()), []byte("ZQ")) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
