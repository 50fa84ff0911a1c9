// SPDX-License-Identifier: Apache-2.0

package deid_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/asepsis/asepsis/guard/gateway/deid"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
)

const (
	jpegBaseline = "1.2.840.10008.1.2.4.50"
	jpeg2000     = "1.2.840.10008.1.2.4.90"
	avc          = "1.2.840.10008.1.2.4.102"
)

// marked is a marker segment.
func marked(marker byte, content string) string {
	return string([]byte{0xFF, marker, byte((len(content) + 2) >> 8), byte(len(content) + 2)}) + content
}

// noticed puts what names the patient into a fragment that a frame begins with: JPEG and JPEG-LS behind SOI, JPEG 2000 behind SIZ; and behind the end of JPEG.
func noticed(fragment []byte) []byte {
	switch {
	case bytes.HasPrefix(fragment, []byte("\xFF\xD8\xFF")):
		application := byte(0xE1)
		if bytes.Contains(fragment[:min(200, len(fragment))], []byte{0xFF, 0xF7}) { // of JPEG-LS, DCMTK's decoder knows few segments
			application = 0xE7
		}
		fragment = slices.Concat(fragment[:2], []byte(marked(application, "Exif\x00\x00MM"+hidden)+marked(0xFE, hidden)), fragment[2:])
	case begins(fragment):
		at := 4 + int(binary.BigEndian.Uint16(fragment[4:]))
		return slices.Concat(fragment[:at], []byte(marked(0x64, "\x00\x01"+hidden)), fragment[at:])
	}
	if bytes.HasSuffix(bytes.TrimRight(fragment, "\x00"), []byte("\xFF\xD9")) {
		return slices.Concat(fragment, []byte(hidden))
	}
	return fragment
}

// begins reports a fragment that a frame begins with.
func begins(fragment []byte) bool {
	return bytes.HasPrefix(fragment, []byte("\xFF\xD8\xFF")) || bytes.HasPrefix(fragment, []byte("\xFF\x4F\xFF\x51"))
}

// withFragments writes a data set anew with changed fragments, and an offset table that fits.
func withFragments(t *testing.T, data []byte, change func([]byte) []byte) []byte {
	t.Helper()
	var out []byte
	var enc dicom.Encoder
	enc.Reset(dicom.Syntax{Explicit: true})
	put := func(tok dicom.Token) {
		var err error
		if out, err = enc.Append(out, &tok); err != nil {
			t.Fatal(err)
		}
	}
	frames := fragmentsOf(t, data)
	r := dicom.NewReader(bytes.NewReader(data), dicom.Syntax{Explicit: true, Encapsulated: true}, dicom.DefaultLimits())
	for {
		tok, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if tok.Kind != dicom.FragmentsStart {
			put(tok)
			continue
		}
		put(tok)
		table, at := []byte{}, uint32(0)
		for i, f := range frames[1:] {
			f = change(f)
			f = append(f, make([]byte, len(f)&1)...)
			frames[1+i] = f
			if begins(f) {
				table = binary.LittleEndian.AppendUint32(table, at)
			}
			at += 8 + uint32(len(f))
		}
		for _, f := range append([][]byte{table}, frames[1:]...) {
			put(dicom.Token{Kind: dicom.Fragment, Length: uint32(len(f))})
			put(dicom.Token{Kind: dicom.Value, Data: f})
		}
		for tok.Kind != dicom.FragmentsEnd {
			if tok, err = r.Next(); err != nil {
				t.Fatal(err)
			}
		}
		put(tok)
	}
}

// coded is a JPEG of one block as far as markers go: no decoder looks at it.
var coded = "\xFF\xD8" + marked(0xC0, "\x08\x00\x01\x00\x01\x01\x01\x11\x00") + marked(0xDA, "\x01\x01\x00\x00\x3F\x00") + "data\xFF\x00data\xFF\xD9"

// TestStreamsLoseWhatTheySayBesideTheImage: the copy is as long as the original, says that something went, and holds the coded data.
func TestStreamsLoseWhatTheySayBesideTheImage(t *testing.T) {
	p := picture{rows: 1, columns: 1, samples: 1, bits: 8, stored: 8, photometric: "MONOCHROME2", frames: 3}
	frame := noticed([]byte(coded))
	frame = append(frame, make([]byte, len(frame)&1)...)
	frames := [][]byte{frame, frame[:10], frame[10:], append([]byte(coded), 0)}
	data := rleImage(t, p, frames...)
	for _, tt := range []struct {
		name    string
		profile deid.Profile
		left    bool
	}{
		{"the basic profile", deid.Profile{}, false},
		{"with clean-pixel-data, where nothing must be black", deid.Profile{Options: []deid.Option{deid.CleanPixelData}, Pixels: []deid.PixelRule{{Nothing: true}}}, false},
		{"a profile that keeps them", deid.Profile{StreamMetadata: "keep"}, true},
	} {
		out, changes := transform(t, tt.profile, data, jpegBaseline)
		got := fragmentsOf(t, out)
		if bytes.Contains(out, []byte(hidden)) != tt.left || contains(changes, "(7FE0,0010) blanked") == tt.left || len(got) != 1+len(frames) {
			t.Fatalf("%s: %d fragments, %v", tt.name, len(got), changes)
		}
		for i, f := range frames {
			g := got[i+1]
			if len(g) != len(f) || tt.left && !bytes.Equal(f, g) || bytes.Count(g, []byte("data\xFF\x00data")) != bytes.Count(f, []byte("data\xFF\x00data")) {
				t.Errorf("%s: fragment %d is %q", tt.name, i, g)
			}
		}
		var pieces bytes.Buffer
		if _, err := profile(t, tt.profile).Transform(&pieces, iotest.OneByteReader(bytes.NewReader(data)), jpegBaseline); err != nil || !bytes.Equal(pieces.Bytes(), out) {
			t.Errorf("%s: byte by byte it is another copy: %v", tt.name, err)
		}
	}
	_, changes := transform(t, deid.Profile{}, rleImage(t, picture{rows: 1, columns: 1, samples: 1, bits: 8, stored: 8, photometric: "MONOCHROME2"}, []byte(coded)), jpegBaseline)
	if contains(changes, "(7FE0,0010) blanked") {
		t.Error("a stream in which was nothing is said to have been changed")
	}
}

// TestStreamsThatCannotBeCleanedAreRefusedByName: a person is told why and what helps; no byte of the stream is in what they are told, or written behind the place.
func TestStreamsThatCannotBeCleanedAreRefusedByName(t *testing.T) {
	p := picture{rows: 1, columns: 1, samples: 1, bits: 8, stored: 8, photometric: "MONOCHROME2", vr: dicom.OB}
	camera := "\x00\x00\x00\x01\x06\x05\x1A\x17\xEE\x8C\x60\xF8\x4D\x11\xD9\x8C\xD6\x08\x00\x20\x0C\x9A\x66" + hidden + "\x80"
	for _, tt := range []struct {
		name, syntax, code, why string
		fragments               []string
	}{
		{"a comment longer than the frame", jpegBaseline, "stream", "ends within the header", []string{"\xFF\xD8\xFF\xFE\xFF\xF0" + hidden}},
		{"a segment of no length", jpegBaseline, "stream", "shorter than its own length", []string{"\xFF\xD8\xFF\xFE\x00\x00" + hidden}},
		{"text between segments", jpegBaseline, "stream", "where a marker must be", []string{"\xFF\xD8" + hidden + coded[2:]}},
		{"another syntax than it says", jpeg2000, "stream", "does not begin as JPEG 2000 does", []string{coded}},
		{"another syntax than it says, from a camera", avc, "stream", "begins as no video does", []string{coded}},
		{"a tile-part that lies about its length", jpeg2000, "stream", "lies about its length", []string{"\xFF\x4F" + marked(0x51, "siz") + "\xFF\x90\x00\x0A\x00\x00\x00\x00\x00\xF0\x00\x01\xFF\x93ab\xFF\x90" + hidden + "\xFF\xD9"}},
		{"a frame in a frame", jpeg2000, "stream", "before the one before it has ended", []string{"\xFF\x4F" + marked(0x51, "siz") + "\xFF\x90\x00\x0A\x00\x00\x00\x00\xFF\x10\x00\x01\xFF\x93ab", "\xFF\x4F\xFF\x51" + hidden}},
		{"a place in a video", avc, "user-data", "user data (SEI)", []string{camera}},
		{"fragments in a syntax without them", dicom.ExplicitVRLittleEndian, "stream", "knows no fragments", []string{coded}},
	} {
		var fragments [][]byte
		for _, f := range tt.fragments {
			fragments = append(fragments, append([]byte(f), make([]byte, len(f)&1)...))
		}
		data := rleImage(t, p, fragments...)
		var out bytes.Buffer
		_, err := profile(t, deid.Profile{}).Transform(&out, bytes.NewReader(data), tt.syntax)
		var r *deid.Refusal
		if !errors.As(err, &r) || r.Code != tt.code || !strings.Contains(r.Why, tt.why) || !strings.Contains(r.Hint(), "stream_metadata") || r.Drop() {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if strings.Contains(err.Error(), "ZQ") || bytes.Contains(out.Bytes(), []byte(hidden)) {
			t.Errorf("%s: it is told or written", tt.name)
		}
		kept, _ := transform(t, deid.Profile{StreamMetadata: "keep"}, data, tt.syntax)
		if !bytes.Equal(slices.Concat(fragmentsOf(t, kept)...), slices.Concat(fragments...)) {
			t.Errorf("%s: it does not pass as it is where the profile says so", tt.name)
		}
	}
}

// TestTheFirstFragmentIsATableOrNothing: a device that leaves the table out makes it a frame, which nobody would look into.
func TestTheFirstFragmentIsATableOrNothing(t *testing.T) {
	frame := string(noticed([]byte(coded)))
	for _, tt := range []struct {
		name, first string
		table       bool
	}{
		{"none", "", true},
		{"of one frame", "\x00\x00\x00\x00", true},
		{"of three frames", "\x00\x00\x00\x00\x10\x00\x00\x00\x20\x00\x00\x00", true},
		{"a frame", frame + "\x00"[:len(frame)&1], false},
		{"text behind an offset", "\x00\x00\x00\x00" + hidden, false},
		{"the same offset twice", "\x00\x00\x00\x00\x10\x00\x00\x00\x10\x00\x00\x00", false},
		{"an offset behind the end", "\x00\x00\x00\x00\x00\x01\x00\x00", false},
		{"text of four letters behind an offset", "\x00\x00\x00\x00" + hidden[:4], false},
	} {
		data := build(t, jpegBaseline, func(w *dicom.Writer) {
			picture{rows: 1, columns: 1, samples: 1, bits: 8, stored: 8, photometric: "MONOCHROME2"}.header(w)
			w.Fragments(dicom.TagPixelData, []byte(coded+"\x00"))
		})
		at := bytes.LastIndex(data, []byte("\xFE\xFF\x00\xE0\x00\x00\x00\x00"))
		data = slices.Concat(data[:at+4], binary.LittleEndian.AppendUint32(nil, uint32(len(tt.first))), []byte(tt.first), data[at+8:])
		for _, p := range []struct {
			deid.Profile
			passes bool
		}{{deid.Profile{}, tt.table}, {deid.Profile{StreamMetadata: "keep"}, true}} {
			var out bytes.Buffer
			_, err := profile(t, p.Profile).Transform(&out, iotest.OneByteReader(bytes.NewReader(data)), jpegBaseline)
			var r *deid.Refusal
			if errors.As(err, &r) == p.passes || r == nil && err != nil || r != nil && r.Code != "stream" {
				t.Errorf("%s: %v", tt.name, err)
				continue
			}
			if p.passes && string(fragmentsOf(t, out.Bytes())[0]) != tt.first {
				t.Errorf("%s: it has changed", tt.name)
			}
		}
	}
}

// TestStreamsWithoutFragmentsAreCleanedToo: some devices put a stream where native pixel data belongs.
func TestStreamsWithoutFragmentsAreCleanedToo(t *testing.T) {
	p := picture{rows: 1, columns: 1, samples: 1, bits: 8, stored: 8, photometric: "MONOCHROME2", vr: dicom.OB}
	stream := noticed([]byte(coded))
	data := build(t, jpegBaseline, p.write(append(stream, make([]byte, len(stream)&1)...)))
	out, changes := transform(t, deid.Profile{}, data, jpegBaseline)
	if bytes.Contains(out, []byte(hidden)) || !contains(changes, "(7FE0,0010) blanked") {
		t.Errorf("%v", changes)
	}
	var r *deid.Refusal
	if _, err := profile(t, deid.Profile{}).Transform(io.Discard, bytes.NewReader(build(t, jpegBaseline, p.write([]byte(hidden)))), jpegBaseline); !errors.As(err, &r) || r.Code != "stream" {
		t.Error(err)
	}
}

// TestLargeStreamsAreNotHeld passes a frame of 64 MB through, whose comment is at its end.
func TestLargeStreamsAreNotHeld(t *testing.T) {
	const size = 64 << 20
	start, end := coded[:strings.Index(coded, "data")], marked(0xFE, hidden)+"\xFF\xD9"
	head := build(t, jpegBaseline, func(w *dicom.Writer) {
		picture{rows: 1, columns: 1, samples: 1, bits: 8, stored: 8, photometric: "MONOCHROME2"}.header(w)
		w.Fragments(dicom.TagPixelData, []byte(start+strings.Repeat("x", len(start)&1)))
	})
	at := bytes.LastIndex(head, []byte(start))
	binary.LittleEndian.PutUint32(head[at-4:], uint32(len(start)+size+len(end)+(len(start)+len(end))&1))
	pad := make([]byte, (len(start)+len(end))&1)
	tail := slices.Concat([]byte(end), pad, []byte("\xFE\xFF\xDD\xE0\x00\x00\x00\x00"))
	tr := profile(t, deid.Profile{})
	small := testing.AllocsPerRun(1, func() {
		count := &zeros{}
		src := io.MultiReader(bytes.NewReader(head[:at+len(start)]), io.LimitReader(ones{}, size), bytes.NewReader(tail))
		altered, err := tr.Transform(count, src, jpegBaseline)
		if err != nil || count.n < size || !slices.ContainsFunc(altered.Changes, func(c instance.Change) bool { return c.Action == "blanked" }) {
			t.Error(count.n, err)
		}
	})
	if small > 5000 {
		t.Errorf("%v allocations for a frame of 64 MB", small)
	}
}

// TestCleanedStreamsAreDecodedToTheSamePixels has DCMTK and GDCM compress images in every way that they know, puts what names the patient into each frame, and has them decode what
// they made, what was put in, and the copy.
func TestCleanedStreamsAreDecodedToTheSamePixels(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run := func(args []string, files ...string) error {
		t.Helper()
		if _, err := exec.LookPath(args[0]); err != nil {
			t.Skipf("peer missing: %s", args[0])
		}
		cmd := exec.CommandContext(t.Context(), args[0], append(slices.Clone(args[1:]), files...)...) //nolint:gosec // a test peer
		cmd.Dir = dir
		return cmd.Run()
	}
	save := func(name string, b []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	load := func(name string) *file {
		t.Helper()
		raw, err := os.ReadFile(filepath.Join(dir, name)) //nolint:gosec // made here
		if err != nil {
			t.Fatal(err)
		}
		f, _ := open(t, raw)
		return f
	}
	for name, p := range map[string]picture{
		"colour.dcm": {rows: 33, columns: 48, samples: 3, bits: 8, stored: 8, photometric: "RGB", vr: dicom.OB, frames: 3},
		"deep.dcm":   {rows: 40, columns: 30, samples: 1, bits: 16, stored: 12, photometric: "MONOCHROME2", vr: dicom.OW, frames: 2},
	} {
		f := &file{name: name, meta: dicom.FileMeta{TransferSyntax: dicom.ExplicitVRLittleEndian, SOPClass: capture}}
		save(name, asFile(t, f, build(t, dicom.ExplicitVRLittleEndian, p.write(p.pixels(false))), "1.2.3.4"))
	}
	dcmtk, gdcm := []string{"dcmdjpeg"}, []string{"gdcmconv", "--raw"}
	tried := 0
	for _, tt := range []struct {
		encode, decode []string
		deep           bool // takes more than 8 bits
	}{
		{[]string{"dcmcjpeg", "+eb", "+cy"}, dcmtk, false}, {[]string{"dcmcjpeg", "+eb", "+cr"}, dcmtk, false}, {[]string{"dcmcjpeg", "+ep"}, dcmtk, true}, {[]string{"dcmcjpeg", "+e1", "+ff", "+fs", "2"}, dcmtk, true},
		{[]string{"dcmcjpls", "+el"}, []string{"dcmdjpls"}, true}, {[]string{"dcmcjpls", "+en"}, []string{"dcmdjpls"}, true},
		{[]string{"gdcmconv", "--j2k"}, gdcm, true}, {[]string{"gdcmconv", "--j2k", "--lossy", "-q", "20"}, gdcm, false}, {[]string{"gdcmconv", "--jpeg"}, gdcm, false}, {[]string{"gdcmconv", "--jpegls"}, gdcm, false},
	} {
		for _, source := range []string{"colour.dcm", "deep.dcm"} {
			if source == "deep.dcm" && !tt.deep || run(tt.encode, source, "plain.dcm") != nil || run(tt.decode, "plain.dcm", "decoded.dcm") != nil {
				continue // what the peer cannot write, or not read again itself
			}
			want := load("decoded.dcm")
			pixels, _ := pixelsOf(t, want.data, want.syntax)
			plain := load("plain.dcm")
			data := withFragments(t, plain.data, noticed)
			var out bytes.Buffer
			altered, err := profile(t, deid.Profile{}).Transform(&out, bytes.NewReader(data), plain.syntax)
			if err != nil || bytes.Contains(out.Bytes(), []byte(hidden)) || !bytes.Contains(data, []byte(hidden)) {
				t.Errorf("%v, %s: %v", tt.encode, source, err)
				continue
			}
			for of, b := range map[string][]byte{"what was put in": asFile(t, plain, data, plain.meta.SOPInstance), "the copy": asFile(t, plain, out.Bytes(), altered.SOPInstance)} {
				save("in.dcm", b)
				if err := run(tt.decode, "in.dcm", "decoded.dcm"); err != nil {
					t.Errorf("%v, %s, %s: %v", tt.encode, source, of, err)
					continue
				}
				got := load("decoded.dcm")
				if now, _ := pixelsOf(t, got.data, got.syntax); len(now) == 0 || !bytes.Equal(now, pixels) {
					t.Errorf("%v, %s, %s: the pixels differ", tt.encode, source, of)
				}
			}
			tried++
		}
	}
	if t.Log(tried, "images"); tried < 13 {
		t.Errorf("only %d images", tried)
	}
}
