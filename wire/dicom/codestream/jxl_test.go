// SPDX-License-Identifier: Apache-2.0

package codestream_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/asepsis/asepsis/wire/dicom/codestream"
)

func TestJPEGXLLosesItsBoxes(t *testing.T) {
	head := slices.Concat(box("JXL ", []byte("\r\n\x87\n")), box("ftyp", []byte("jxl \x00\x00\x00\x00jxl ")))
	image := []byte("\xFF\x0Acoded data of JPEG XL")
	bare := image
	for name, stream := range map[string][]byte{
		"EXIF":                          slices.Concat(head, box("Exif", []byte("\x00\x00\x00\x00MM"+secret)), box("jxlc", image)),
		"XMP behind the image":          slices.Concat(head, box("jxlp", image), box("xml ", []byte(secret))),
		"compressed, between parts":     slices.Concat(head, box("jxlp", image), box("brob", []byte("Exif"+secret)), box("jxlp", image)),
		"what the JPEG was that it was": slices.Concat(head, box("jxll", []byte{5}), box("jbrd", []byte(secret)), endless("jxlc", image)),
		"a box without an end":          slices.Concat(head, box("jxlc", image), endless("jumb", []byte(secret))),
		"a box of which nobody knows":   slices.Concat(head, box("jxlc", image), bigBox("ACME", []byte(secret)), []byte{0}),
	} {
		t.Run(name, func(t *testing.T) {
			out := cleaned(t, codestream.JPEGXL, 1, stream)
			if bytes.Count(out, image) != bytes.Count(stream, image) {
				t.Error("the image has changed")
			}
			cleaned(t, codestream.JPEGXL, 3, stream, bare, stream)
			for _, at := range []int{2, 5, len(stream) / 2} {
				cleaned(t, codestream.JPEGXL, 1, stream[:at], stream[at:])
			}
		})
	}
	if _, blanked, err := clean(t, codestream.JPEGXL, 2, bare, bare); err != nil || blanked {
		t.Error(err)
	}
	for _, tt := range []struct {
		name   string
		frames int64
		want   error
		parts  [][]byte
	}{
		{"no JPEG XL", 1, codestream.ErrForeign, [][]byte{[]byte(secret)}},
		{"JPEG", 1, codestream.ErrForeign, [][]byte{{0xFF, 0xD8, 0xFF, 0xD9}}},
		{"JPEG 2000", 1, codestream.ErrForeign, [][]byte{jp2Head}},
		{"half a beginning", 1, codestream.ErrCut, [][]byte{{0xFF}}},
		{"a box that is cut", 1, codestream.ErrCut, [][]byte{head[:len(head)-3]}},
		{"a frame of several fragments among others", 2, codestream.ErrForeign, [][]byte{bare, image[2:]}},
		{"a box over two frames", 2, codestream.ErrCut, [][]byte{head[:len(head)-3], bare}},
		{"a file within a frame that says it is the only one", 1, codestream.ErrCut, [][]byte{bare, head}},
	} {
		if _, _, err := clean(t, codestream.JPEGXL, tt.frames, tt.parts...); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
