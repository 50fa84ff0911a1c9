// SPDX-License-Identifier: Apache-2.0

package codestream_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/asepsis/asepsis/wire/dicom/codestream"
)

// Units of video: parameters and slices that no decoder reads, and SEI messages as encoders and cameras write them.
var (
	x264   = "\xDC\x45\xE9\xBD\xE6\xD9\x48\xB7\x96\x2C\xD8\x20\xD9\x23\xEE\xEF" + "x264 - core 164 - options: bframes=3"
	x265   = "\x2C\xA2\xDE\x09\xB5\x17\x47\xDB\xBB\x55\xA4\xFE\x7F\xC2\xFC\x4E" + "x265 (build 199)"
	camera = "\x17\xEE\x8C\x60\xF8\x4D\x11\xD9\x8C\xD6\x08\x00\x20\x0C\x9A\x66" + "MDPM" + secret
	sps    = []byte("\x67\x64\x00\x29\xAC\x06\x05\x20")
	slice  = []byte("\x65\x88\x84\x00\x21\xFF\xFE\x00\x00\x03\x00\x06\x05\x10")
)

// sei is a unit of SEI messages. Lengths of 255 and more take several bytes.
func sei(header string, messages ...[]byte) []byte {
	return slices.Concat([]byte(header), slices.Concat(messages...), []byte{0x80})
}

func message(kind byte, content string) []byte {
	b := []byte{kind}
	n := len(content)
	for ; n >= 255; n -= 255 {
		b = append(b, 0xFF)
	}
	return append(append(b, byte(n)), content...)
}

// annexB is a stream with start codes, ofLength one with lengths, as in the media data of MP4.
func annexB(units ...[]byte) (b []byte) {
	for _, u := range units {
		b = append(append(b, 0, 0, 0, 1), u...)
	}
	return b
}

func ofLength(units ...[]byte) (b []byte) {
	for _, u := range units {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(u))), u...)
	}
	return b
}

// transportOf is a transport stream of one stream, size bytes of it in each packet, lead bytes before it.
func transportOf(es []byte, size, lead int) (b []byte) {
	for count := byte(0); len(es) > 0; count++ {
		n := min(size, len(es), 182)
		b = append(b, make([]byte, lead)...)
		b = append(b, 0x47, 0x01, 0x00, 0x30|count&15, byte(183-n), 0)
		b = append(append(b, bytes.Repeat([]byte{0xFF}, 182-n)...), es[:n]...)
		es = es[n:]
	}
	return b
}

var (
	mp4Head = box("ftyp", []byte("isom\x00\x00\x02\x00isomavc1"))
	moov    = box("moov",
		box("mvhd", []byte("\x00\x00\x00\x00\xE1\x02\x03\x04\xE1\x02\x03\x05\x00\x00\x03\xE8rest")),
		box("trak", box("tkhd", []byte("\x01\x00\x00\x07\x00\x00\x00\x00\xE1\x02\x03\x04\x00\x00\x00\x00\xE1\x02\x03\x05rest")),
			box("mdia", box("hdlr", slices.Concat(make([]byte, 8), []byte("vide"), make([]byte, 12), []byte("camera of "+secret+"\x00"))), box("minf", box("stbl", box("stsz", make([]byte, 12)))))),
		box("udta", box("\xA9nam", []byte(secret)), box("meta", []byte(secret))))
)

func TestUserDataOfVideoIsFound(t *testing.T) {
	wraps := map[string]func(units ...[]byte) []byte{
		"elementary":      annexB,
		"transport":       func(units ...[]byte) []byte { return transportOf(annexB(units...), 182, 0) },
		"transport, thin": func(units ...[]byte) []byte { return transportOf(annexB(units...), 3, 0) },
		"Blu-ray":         func(units ...[]byte) []byte { return transportOf(annexB(units...), 100, 4) },
		"MP4":             func(units ...[]byte) []byte { return slices.Concat(mp4Head, box("mdat", ofLength(units...))) },
		"MP4 of one box":  func(units ...[]byte) []byte { return slices.Concat(mp4Head, endless("mdat", ofLength(units...))) },
	}
	const avc, prefix, suffix = "\x06", "\x4E\x01", "\x50\x01"
	for wrapped, wrap := range wraps {
		for _, tt := range []struct {
			name   string
			family codestream.Family
			unit   []byte
			found  bool
		}{
			{"none", codestream.AVC, slice, false},
			{"when a picture is shown", codestream.AVC, sei(avc, message(1, "\x12\x34")), false},
			{"the parameters of x264", codestream.AVC, sei(avc, message(5, x264)), false},
			{"longer parameters of x264", codestream.AVC, sei(avc, message(5, x264+string(bytes.Repeat([]byte("x"), 600)))), false},
			{"the parameters of x265", codestream.HEVC, sei(prefix, message(5, x265)), false},
			{"a camera's", codestream.AVC, sei(avc, message(5, camera)), true},
			{"a camera's, behind others", codestream.AVC, sei(avc, message(0, "abc"), message(5, x264), message(5, camera)), true},
			{"a camera's, with an emulated start code", codestream.AVC, sei(avc, message(1, "")[:1], []byte("\x04\x00\x00\x03\x00\x00"), message(5, camera)), true},
			{"registered", codestream.AVC, sei(avc, message(4, "\xB5\x00\x31GA94"+secret)), true},
			{"without an identifier", codestream.AVC, sei(avc, message(5, secret)), true},
			{"before a picture of HEVC", codestream.HEVC, sei(prefix, message(5, camera)), true},
			{"behind a picture of HEVC", codestream.HEVC, sei(suffix, message(5, camera)), true},
		} {
			first := sps
			if tt.family == codestream.HEVC {
				first = []byte("\x40\x01\x0C\x01")
			}
			stream := wrap(first, tt.unit, slice, slice)
			_, blanked, err := clean(t, tt.family, 1, stream[:5], stream[5:])
			if errors.Is(err, codestream.ErrUserData) != tt.found || err != nil && !tt.found || blanked {
				t.Errorf("%s, %s: %v", wrapped, tt.name, err)
			}
		}
	}
}

func TestUserDataOfMPEG2IsFound(t *testing.T) {
	head := []byte("\x00\x00\x01\xB3\x2D\x02\x40\x33\x00\x00\x01\x00\x00\x0F\xFF\xF8")
	for name, tt := range map[string]struct {
		unit  string
		found bool
	}{
		"none":                 {"\x00\x00\x01\x01slice\x00\x00\x03\xB2", false},
		"the active format":    {"\x00\x00\x01\xB2DTG1\x41\xF8\x00\x00\x01\x01slice", false},
		"captions":             {"\x00\x00\x01\xB2GA94" + secret, true},
		"text":                 {"\x00\x00\x01\xB2" + secret, true},
		"text behind a format": {"\x00\x00\x01\xB2DTG1\x41\xF8" + secret, true},
	} {
		for _, wrap := range []func([]byte) []byte{
			func(b []byte) []byte { return b }, func(b []byte) []byte { return transportOf(b, 50, 0) }, func(b []byte) []byte { return slices.Concat(mp4Head, box("mdat", b)) },
		} {
			_, blanked, err := clean(t, codestream.MPEG2, 1, wrap(append(bytes.Clone(head), tt.unit...)))
			if errors.Is(err, codestream.ErrUserData) != tt.found || err != nil && !tt.found || blanked {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestSoundIsNoVideo: what is no video may hold anything that looks like user data, and packets of it may stand between those of video.
func TestSoundIsNoVideo(t *testing.T) {
	sound := append([]byte("\x00\x00\x01\xC0\x00\x00\x80\x00\x00"), annexB(sei("\x06", message(5, camera)))...)
	picture := append([]byte("\x00\x00\x01\xE0\x00\x00\x80\x00\x00"), annexB(sps, slice)...)
	place := append([]byte("\x00\x00\x01\xE0\x00\x00\x80\x00\x00"), annexB(sei("\x06", message(5, camera)))...)
	for name, wrap := range map[string]func(b []byte) []byte{
		"program":   func(b []byte) []byte { return append([]byte("\x00\x00\x01\xBA\x44"), b...) },
		"transport": func(b []byte) []byte { return transportOf(b, 100, 0) },
	} {
		if _, _, err := clean(t, codestream.AVC, 1, wrap(slices.Concat(picture, sound, picture))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, err := clean(t, codestream.AVC, 1, wrap(slices.Concat(picture, sound, place))); !errors.Is(err, codestream.ErrUserData) {
			t.Errorf("%s, with a place: %v", name, err)
		}
	}
}

// TestMP4LosesItsMetadata: names, times and free space go, what finds the samples stays.
func TestMP4LosesItsMetadata(t *testing.T) {
	data := ofLength(sps, sei("\x06", message(5, x264)), slice)
	for name, stream := range map[string][]byte{
		"metadata first":    slices.Concat(mp4Head, moov, box("free", []byte(secret)), box("mdat", data)),
		"metadata last":     slices.Concat(mp4Head, bigBox("mdat", data), moov, box("uuid", []byte(secret))),
		"metadata in a box": slices.Concat(mp4Head, box("meta", []byte(secret)), box("mdat", data), moov, box("skip", []byte(secret)), []byte{0}),
	} {
		out := cleaned(t, codestream.AVC, 1, stream)
		if bytes.Contains(out, []byte("\xE1\x02\x03")) || !bytes.Contains(out, data) || bytes.Count(out, []byte("rest")) != 2 || !bytes.Contains(out, []byte("vide")) || !bytes.Contains(out, []byte("\x00\x00\x03\xE8")) {
			t.Errorf("%s: %q", name, out)
		}
	}
}

func TestVideoThatLiesIsRefusedByName(t *testing.T) {
	ts := transportOf(annexB(sps, slice), 182, 0)
	var many []byte
	for pid := range byte(100) {
		b := bytes.Clone(ts[:188])
		b[2] = pid
		many = append(many, b...)
	}
	for _, tt := range []struct {
		name   string
		want   error
		stream []byte
	}{
		{"no video", codestream.ErrForeign, []byte(secret)},
		{"a few bytes", codestream.ErrCut, []byte{0, 0, 1}},
		{"a transport stream that loses its packets", codestream.ErrBroken, slices.Concat(ts, []byte("Z"), ts)},
		{"a transport stream of many streams", codestream.ErrBroken, many},
		{"a packet that is cut, with user data in it", codestream.ErrUserData, slices.Concat(ts, transportOf(annexB(sei("\x06", message(5, camera))), 182, 0)[:186])},
		{"a box longer than the one around it", codestream.ErrBroken, slices.Concat(mp4Head, box("moov", []byte("\x00\x00\x00\x20mvhd....")))},
		{"a box that is cut", codestream.ErrCut, slices.Concat(mp4Head, moov[:40])},
	} {
		if _, _, err := clean(t, codestream.AVC, 1, tt.stream); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	again := bytes.Repeat([]byte("\x00\x00\x1F\xFF\x06\x01\xFF\xFF\xFF\xFF\xFF"), 20000)
	c := codestream.New(codestream.AVC, 1)
	c.Fragment()
	if err := c.Clean(slices.Concat(mp4Head, endless("mdat", again))); !errors.Is(err, codestream.ErrBroken) {
		t.Errorf("units in units: %v", err)
	}
	if _, _, err := clean(t, codestream.AVC, 1, append(bytes.Clone(ts), 0)); err != nil {
		t.Errorf("padding: %v", err)
	}
	if _, _, err := clean(t, codestream.AVC, 1, slices.Concat(mp4Head, box("mdat", ofLength(sps, slice))[:20])); err != nil {
		t.Errorf("media data that is cut: %v", err)
	}
}

// TestWhatOnlyLooksLikeAUnitIsNone: coded data of MP4 in which a length and a header of SEI stand by chance.
func TestWhatOnlyLooksLikeAUnitIsNone(t *testing.T) {
	for _, data := range []string{
		"\x00\x00\x00\x20\x06\x05\x10" + camera,            // does not end where it should
		"\x00\x00\x00\x08\x06\x05\xFF\xFF\xFF\xFF\xFF\x80", // has no end
		"\x00\x00\xFF\xFF\x06\x05\x10" + camera,            // is too long
		"\x00\x00\x00\x02\x06\x80\x00\x00",
		"\x00\x00\x00\x40\x06\x05", // is cut
	} {
		if _, _, err := clean(t, codestream.AVC, 1, slices.Concat(mp4Head, endless("mdat", []byte(data)))); err != nil {
			t.Errorf("%q: %v", data, err)
		}
	}
	// One that begins within another that is none is found.
	hidden := slices.Concat([]byte("\x00\x00\x04\x00\x06\x05\x20"), ofLength(sei("\x06", message(5, camera))), make([]byte, 2000))
	if _, _, err := clean(t, codestream.AVC, 1, slices.Concat(mp4Head, endless("mdat", hidden))); !errors.Is(err, codestream.ErrUserData) {
		t.Error(err)
	}
}
