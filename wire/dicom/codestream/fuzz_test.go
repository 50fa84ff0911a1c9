// SPDX-License-Identifier: Apache-2.0

package codestream_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/asepsis/asepsis/wire/dicom/codestream"
)

// FuzzClean: whatever comes, in whatever pieces, the copy differs in zeros alone, is the same in all pieces, and has nothing left to blank.
// split cuts it into two fragments.
func FuzzClean(f *testing.F) {
	plain := picture(f, 3)[:700]
	whole := codestreamOf(com, tile(0, com, coded), eoc)
	for family, streams := range map[codestream.Family][][]byte{
		codestream.JPEG:     {with(plain, segment(0xFE, secret), segment(0xE0, jfif), segment(0xEE, adobe+secret), segment(0xE8, "mrfx\x01")), append(bytes.Clone(plain), "\xFF\xD9\xFF\xD8\xFF\xFE\x00\x04ab"...)},
		codestream.JPEG2000: {whole, codestreamOf(openTile(com, coded), eoc, []byte(secret)), slices.Concat(jp2Head, jp2h, bigBox("jp2c", whole), endless("xml ", []byte(secret)))},
		codestream.JPEGXL:   {slices.Concat(box("JXL ", []byte("\r\n\x87\n")), box("Exif", []byte(secret)), box("jxlc", []byte("\xFF\x0A"))), []byte("\xFF\x0Aabc")},
		codestream.AVC: {slices.Concat(mp4Head, moov, box("mdat", ofLength(sps, sei("\x06", message(5, x264)), slice))), annexB(sps, sei("\x06", message(1, "ab"), message(5, camera)), slice),
			transportOf(annexB(sps, sei("\x06", message(5, camera))), 30, 0)},
		codestream.HEVC:  {annexB(sei("\x4E\x01", message(5, x265)))},
		codestream.MPEG2: {[]byte("\x00\x00\x01\xB3abcde\x00\x00\x01\xB2DTG1\x41\xF8\x00\x00\x01\x01")},
	} {
		for _, s := range streams {
			f.Add(uint8(family), uint8(1), uint16(len(s)), s)
			f.Add(uint8(family), uint8(2), uint16(len(s)/2), s)
		}
	}
	f.Fuzz(func(t *testing.T, family, frames uint8, split uint16, data []byte) {
		fam := codestream.Family(family % (uint8(codestream.HEVC) + 1))
		at := min(int(split), len(data))
		out, blanked, err := clean(t, fam, int64(frames), data[:at], data[at:])
		if err != nil {
			return
		}
		again, left, err := clean(t, fam, int64(frames), out[:at], out[at:])
		if err != nil || left || !bytes.Equal(again, out) {
			t.Fatalf("cleaned before: blanked %t; again: blanked %t, %v", blanked, left, err)
		}
	})
}

func BenchmarkClean(b *testing.B) {
	stream := picture(b, 3)
	for len(stream) < 1<<20 {
		stream = slices.Concat(stream[:len(stream)-2], stream[bytes.Index(stream, []byte{0xFF, 0xDA}):])
	}
	buf := make([]byte, len(stream))
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		c := codestream.New(codestream.JPEG, 1)
		c.Fragment()
		copy(buf, stream)
		if err := c.Clean(buf); err != nil {
			b.Fatal(err)
		}
		if err := c.End(); err != nil {
			b.Fatal(err)
		}
	}
}
