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
	"strings"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/deid"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/rle"
)

// TestRLEIsBlackenedAsDCMTKDecodesIt compares two ways to the same pixels: blackened and then decoded by DCMTK's dcmdrle, and decoded by it
// and then blackened.
func TestRLEIsBlackenedAsDCMTKDecodesIt(t *testing.T) {
	decoder, err := exec.LookPath("dcmdrle")
	if err != nil {
		t.Skip("peer missing: dcmdrle")
	}
	rules := deid.Profile{Options: []deid.Option{deid.CleanPixelData}, Pixels: []deid.PixelRule{{Name: "banner", Black: []deid.Region{{X: 2, Y: 1, Width: 5, Height: 3}, {X: -3, Y: -2}}}}}
	dir := t.TempDir()
	decode := func(f *file, data []byte, sop string) []byte {
		in, out := filepath.Join(dir, "in.dcm"), filepath.Join(dir, "out.dcm")
		if err := os.WriteFile(in, asFile(t, f, data, sop), 0o600); err != nil {
			t.Fatal(err)
		}
		if said, err := exec.CommandContext(t.Context(), decoder, in, out).CombinedOutput(); err != nil { //nolint:gosec // a test peer
			t.Fatalf("%s: %v %s", f.name, err, said)
		}
		raw, err := os.ReadFile(out) //nolint:gosec // made here
		if err != nil {
			t.Fatal(err)
		}
		p, err := dicom.OpenFile(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(p.Data)
		if err != nil || p.Meta.TransferSyntax != dicom.ExplicitVRLittleEndian {
			t.Fatal(p.Meta.TransferSyntax, err)
		}
		return b
	}
	tried := 0
	for _, f := range corpus(t) {
		if f.syntax != "1.2.840.10008.1.2.5" {
			continue
		}
		native := decode(&f, f.data, f.meta.SOPInstance)
		var want, got bytes.Buffer
		a, err1 := profile(t, rules).Transform(&want, bytes.NewReader(native), dicom.ExplicitVRLittleEndian)
		_, err2 := profile(t, rules).Transform(&got, bytes.NewReader(f.data), f.syntax)
		if err1 != nil || err2 != nil {
			t.Logf("%s: %v, %v", f.name, err1, err2)
			if (err1 == nil) != (err2 == nil) {
				t.Errorf("%s: refused in one way only", f.name)
			}
			continue
		}
		w, _ := pixelsOf(t, want.Bytes(), dicom.ExplicitVRLittleEndian)
		g, burned := pixelsOf(t, decode(&f, got.Bytes(), a.SOPInstance), dicom.ExplicitVRLittleEndian)
		before, _ := pixelsOf(t, native, dicom.ExplicitVRLittleEndian)
		if !bytes.Equal(w, g) || burned != "NO" || bytes.Equal(before, g) {
			t.Errorf("%s: the pixels differ, or nothing is black (%q)", f.name, burned)
		}
		tried++
	}
	t.Log(tried, "files")
	if tried < 4 {
		t.Errorf("only %d files", tried)
	}
}

// packed is a frame of RLE with the segments as they are.
func packed(segments ...string) []byte {
	head := binary.LittleEndian.AppendUint32(nil, uint32(len(segments)))
	at := uint32(64)
	for _, s := range segments {
		head = binary.LittleEndian.AppendUint32(head, at)
		at += uint32(len(s))
	}
	return append(append(head, make([]byte, 64-len(head))...), strings.Join(segments, "")...)
}

// TestMalformedRLEIsRefusedByName: what is written until then can be taken for no copy, and holds nothing of the frame.
func TestMalformedRLEIsRefusedByName(t *testing.T) {
	const row = "\xfd\x09" // four pixels
	good := packed(row+row+row+row, row+row+row+row)
	huge := packed(row, row)
	binary.LittleEndian.PutUint32(huge[8:], 0xFFFFFFF0)
	many := bytes.Clone(good)
	binary.LittleEndian.PutUint32(many, 16)
	for _, tt := range []struct {
		name   string
		frames [][]byte
		why    string
	}{
		{"a frame without a header", [][]byte{good, []byte("ZQSECRETQZ")}, "RLE header makes no sense"},
		{"more segments than there may be", [][]byte{good, many}, "RLE header makes no sense"},
		{"a segment outside of the frame", [][]byte{good, huge}, "RLE header makes no sense"},
		{"a segment too few", [][]byte{good, packed(row + row + row + row)}, "segments are not those of its pixels"},
		{"a segment that ends before the image", [][]byte{good, packed(row+row, row+row)}, "ends before the image"},
		{"a run that is cut", [][]byte{good, packed(row+row+row+row, row+"\x0aZQ")}, "ends before the image"},
		{"a frame that is missing", [][]byte{good}, "frames are not those that its header counts"},
		{"a frame too many", [][]byte{good, good, good}, "frames are not those that its header counts"},
		{"no frame at all", nil, "frames are not those that its header counts"},
	} {
		p := picture{rows: 4, columns: 4, samples: 1, bits: 16, stored: 12, frames: 2, photometric: "MONOCHROME2"}
		data := rleImage(t, p, tt.frames...)
		var out bytes.Buffer
		_, err := profile(t, deid.Profile{Options: []deid.Option{deid.CleanPixelData}, Pixels: []deid.PixelRule{{Black: []deid.Region{{Width: 2, Height: 2}}}}}).Transform(&out, bytes.NewReader(data), rleLossless)
		var r *deid.Refusal
		if !errors.As(err, &r) || r.Code != "pixels" || !strings.Contains(r.Why, tt.why) || r.Hint() == "" {
			t.Errorf("%s: %v", tt.name, err)
		}
		if bytes.Contains(out.Bytes(), []byte("ZQ")) || readable(out.Bytes()) && out.Len() > 0 && bytes.Contains(out.Bytes(), []byte{0xE0, 0x7F, 0x10, 0}) {
			t.Errorf("%s: a part of it was written that looks like a copy", tt.name)
		}
	}
}

const rleLossless = "1.2.840.10008.1.2.5"

// rleImage is a picture whose frames are as they are.
func rleImage(t testing.TB, p picture, frames ...[]byte) []byte {
	t.Helper()
	return build(t, rleLossless, func(w *dicom.Writer) {
		p.header(w)
		if p.overlay {
			w.Uint16(0x60000100, dicom.US, 16)
			w.Uint16(0x60000102, dicom.US, 15)
		}
		w.Fragments(dicom.TagPixelData, frames...) // behind an empty offset table
	})
}

// readable reports a data set that can be read to its end.
func readable(data []byte) bool {
	r := dicom.NewReader(bytes.NewReader(data), dicom.Syntax{Explicit: true, Encapsulated: true}, dicom.DefaultLimits())
	for {
		if _, err := r.Next(); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}

// TestOverlaysInUnusedBitsOfRLEAreRemoved: the bit of the overlay becomes 0 in every pixel, and nothing else changes.
func TestOverlaysInUnusedBitsOfRLEAreRemoved(t *testing.T) {
	p := picture{rows: 2, columns: 4, samples: 1, bits: 16, stored: 12, photometric: "MONOCHROME2", overlay: true}
	// The most significant byte of each pixel first: 8x with the overlay's bit, then the least significant one.
	frame := packed("\x03\x81\x02\x83\x04\xfd\x85", "\x03abcd\x03efgh")
	for _, o := range []deid.Profile{{}, {Options: []deid.Option{deid.CleanPixelData}, Pixels: []deid.PixelRule{{Black: []deid.Region{{X: 3, Y: 1, Width: 1, Height: 1}}}}}} {
		out, changes := transform(t, o, rleImage(t, p, frame), rleLossless)
		got := fragmentsOf(t, out)
		if len(got) != 2 || len(got[0]) != 0 {
			t.Fatalf("%d fragments, the offset table has %d bytes", len(got), len(got[0]))
		}
		segments, err := rle.Split(got[1])
		if err != nil || len(segments) != 2 {
			t.Fatal(segments, err)
		}
		want := []string{"\x01\x02\x03\x04\x05\x05\x05\x05", "abcdefgh"}
		if o.Options != nil {
			want = []string{"\x01\x02\x03\x04\x05\x05\x05\x00", "abcdefg\x00"}
		}
		for i, s := range segments {
			rows, all := rle.NewRows(s), make([]byte, 8)
			if err := errors.Join(rows.Next(all[:4]), rows.Next(all[4:])); err != nil || string(all) != want[i] {
				t.Errorf("segment %d: %q, want %q, %v", i, all, want[i], err)
			}
		}
		if !contains(changes, "(7FE0,0010) blanked") || view(t, out, dicom.ExplicitVRLittleEndian)["(6000,0100)"] != "" {
			t.Errorf("%v", changes)
		}
	}
	p.signed = 1
	_, err := profile(t, deid.Profile{}).Transform(io.Discard, bytes.NewReader(rleImage(t, p, frame)), rleLossless)
	var r *deid.Refusal
	if !errors.As(err, &r) || r.Code != "overlay" {
		t.Errorf("signed pixels: %v", err)
	}
}

func fragmentsOf(t *testing.T, data []byte) (out [][]byte) {
	t.Helper()
	r := dicom.NewReader(bytes.NewReader(data), dicom.Syntax{Explicit: true, Encapsulated: true}, dicom.DefaultLimits())
	for {
		tok, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return out
		case err != nil:
			t.Fatal(err)
		case tok.Kind == dicom.Fragment:
			v, err := r.Value(1 << 20)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, v)
		}
	}
}

// TestOtherCompressionsAreRefusedByTheirNames: a person is told which one it was, and what helps.
func TestOtherCompressionsAreRefusedByTheirNames(t *testing.T) {
	rules := deid.Profile{Options: []deid.Option{deid.CleanPixelData}, Pixels: []deid.PixelRule{{Black: []deid.Region{{Width: 2, Height: 2}}}}}
	for syntax, name := range map[string]string{
		"1.2.840.10008.1.2.4.50": "JPEG Baseline", "1.2.840.10008.1.2.4.70": "JPEG Lossless", "1.2.840.10008.1.2.4.80": "JPEG-LS Lossless", "1.2.840.10008.1.2.4.81": "JPEG-LS", "1.2.840.10008.1.2.4.90": "JPEG 2000",
		"1.2.840.10008.1.2.4.201": "High-Throughput JPEG 2000", "1.2.840.10008.1.2.4.110": "JPEG XL", "1.2.840.10008.1.2.4.102": "MPEG-4",
	} {
		for _, overlay := range []bool{false, true} {
			p := picture{rows: 4, columns: 4, samples: 1, bits: 16, stored: 12, photometric: "MONOCHROME2", overlay: overlay}
			q, code := rules, "compressed"
			if overlay {
				q, code = deid.Profile{}, "overlay"
			}
			_, err := profile(t, q).Transform(io.Discard, bytes.NewReader(rleImage(t, p, []byte{0xFF, 0xD8, 0xFF, 0xD9})), syntax)
			var r *deid.Refusal
			if !errors.As(err, &r) || r.Code != code || !strings.Contains(r.Why, name) || !strings.Contains(r.Why, "is not decoded here") || !strings.Contains(r.Hint(), "uncompressed or RLE") {
				t.Errorf("%s, overlay %t: %v", name, overlay, err)
			}
		}
	}
}
