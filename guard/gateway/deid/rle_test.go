// SPDX-License-Identifier: Apache-2.0

package deid_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/deid"
	"github.com/asepsis/asepsis/wire/dicom"
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
