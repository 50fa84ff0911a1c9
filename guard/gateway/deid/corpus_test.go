// SPDX-License-Identifier: Apache-2.0

package deid_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/guard/gateway/deid"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
)

// pydicomFiles is where Debian's python3-pydicom keeps its test files.
const pydicomFiles = "/usr/lib/python3/dist-packages/pydicom/data"

// options are all options that go together.
var options = []deid.Option{deid.RetainSafePrivate, deid.RetainUIDs, deid.RetainDeviceIdentity, deid.RetainInstitutionIdentity, deid.RetainPatientCharacteristics,
	deid.RetainModifiedDates, deid.CleanDescriptors, deid.CleanStructuredContent, deid.CleanGraphics, deid.CleanPixelData}

func key(t testing.TB) pseudonym.Key {
	t.Helper()
	k, err := pseudonym.New(bytes.Repeat([]byte{7}, pseudonym.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// profile makes the transformer of one profile.
func profile(t testing.TB, p deid.Profile) instance.Transformer {
	t.Helper()
	s, err := deid.New(deid.Config{Profiles: map[string]deid.Profile{"test": p}}, key(t))
	if err != nil {
		t.Fatal(err)
	}
	tr, err := s.Profile("test")
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// file is a file of the corpus.
type file struct {
	name, syntax string
	meta         dicom.FileMeta
	data         []byte
}

// corpus returns all files of pydicom that are Part 10 files with a data set that can be read to its end.
func corpus(t *testing.T) []file {
	t.Helper()
	if _, err := os.Stat(pydicomFiles); err != nil {
		t.Skip("peer missing: test files of Debian's python3-pydicom")
	}
	var out []file
	err := filepath.WalkDir(pydicomFiles, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := dicom.OpenFile(bytes.NewReader(raw))
		if err != nil || !f.SyntaxKnown {
			return nil
		}
		data, err := io.ReadAll(f.Data)
		if err != nil {
			return err
		}
		r := dicom.NewReader(bytes.NewReader(data), f.Syntax, dicom.DefaultLimits())
		for err == nil {
			_, err = r.Next()
		}
		if !errors.Is(err, io.EOF) {
			return nil
		}
		name, _ := filepath.Rel(pydicomFiles, path)
		out = append(out, file{name, f.Meta.TransferSyntax, f.Meta, data})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 100 {
		t.Fatalf("only %d files", len(out))
	}
	return out
}

// open reads a file.
func open(t *testing.T, raw []byte) (*file, []byte) {
	t.Helper()
	f, err := dicom.OpenFile(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(f.Data)
	if err != nil {
		t.Fatal(err)
	}
	return &file{syntax: f.Meta.TransferSyntax, meta: f.Meta, data: data}, data
}

// asFile returns a data set as a file.
func asFile(t *testing.T, f *file, data []byte, sop string) []byte {
	t.Helper()
	m := f.meta
	m.SOPInstance, m.ImplUID = sop, "2.25.1"
	if m.SOPClass == "" {
		m.SOPClass = "1.2.840.10008.5.1.4.1.1.7"
	}
	head, err := dicom.AppendFileHead(nil, dicom.Preamble{}, &m)
	if err != nil {
		t.Fatalf("%s: %v", f.name, err)
	}
	return append(head, data...)
}

// TestNoIdentifierOfTheCorpusIsLeft looks for the bytes of every name, every value of the patient's group and every UID of an instance
// of real files in their copies.
func TestNoIdentifierOfTheCorpusIsLeft(t *testing.T) {
	mapped, group := map[dicom.Tag]bool{}, uint16(0x0010)
	for _, r := range deid.Table() {
		mapped[r.Tag] = r.Basic == deid.Map
	}
	looked := 0
	for _, p := range []deid.Profile{{}, {Options: []deid.Option{deid.CleanDescriptors, deid.CleanStructuredContent, deid.CleanGraphics, deid.RetainModifiedDates}}} {
		tr := profile(t, p)
		for _, f := range corpus(t) {
			var out bytes.Buffer
			if _, err := tr.Transform(&out, bytes.NewReader(f.data), f.syntax); err != nil {
				continue // TestCopiesAreReadByPydicom knows which
			}
			s, _ := dicom.SyntaxOf(f.syntax)
			copied := out.Bytes()
			if s.Deflated {
				flat := s
				flat.Deflated = false
				var b bytes.Buffer
				if err := dicom.Transcode(&b, &out, s, flat, dicom.DefaultLimits()); err != nil {
					t.Fatal(err)
				}
				copied = b.Bytes()
			}
			r := dicom.NewReader(bytes.NewReader(f.data), s, dicom.DefaultLimits())
			for {
				tok, err := r.Next()
				if err != nil {
					break
				}
				vr := tok.VR
				if vr == dicom.UN {
					vr = dicom.VROf(tok.Tag)
				}
				identifies := vr == dicom.PN || vr == dicom.UI && mapped[tok.Tag] || tok.Tag.Group() == group && vr.Text() && vr != dicom.CS
				if tok.Kind != dicom.Element || !identifies || tok.Length < 5 || tok.Length > 1024 {
					continue
				}
				raw, err := r.Value(1024)
				if err != nil {
					t.Fatal(err)
				}
				v := bytes.Trim(raw, " \x00")
				if _, known := dicom.LookupUID(string(v)); known || len(v) < 5 {
					continue
				}
				looked++
				if at := bytes.Index(copied, v); at >= 0 && !within(copied, at, len(v)) {
					t.Errorf("%s: %d bytes of %v %s are left", f.name, len(v), tok.Tag, dicom.Keyword(tok.Tag))
				}
			}
		}
	}
	if looked < 1000 {
		t.Errorf("only %d values were looked for", looked)
	}
}

// within reports digits that are part of a longer number or UID: no value of their own.
func within(b []byte, at, n int) bool {
	digit := func(i int) bool { return i >= 0 && i < len(b) && (b[i] >= '0' && b[i] <= '9' || b[i] == '.') }
	return digit(at) && (digit(at-1) || digit(at+n))
}
