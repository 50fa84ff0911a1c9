// SPDX-License-Identifier: Apache-2.0

package deid_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/deid"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
)

// FuzzTransform: whatever comes, a copy that was made can be read, says that it is one, and does not hold the values that stood in
// the patient's name and ID.
func FuzzTransform(f *testing.F) {
	syntaxes := []string{dicom.ExplicitVRLittleEndian, dicom.ImplicitVRLittleEndian, dicom.ExplicitVRBigEndian, dicom.DeflatedExplicitVRLittleEndian, "1.2.840.10008.1.2.4.50", rleLossless, jpeg2000, avc, "1.2.840.10008.1.2.4.110"}
	for i, syntax := range syntaxes {
		p := picture{rows: 4, columns: 4, samples: 3, bits: 8, stored: 8, photometric: "RGB", vr: dicom.OB, burned: "YES"}
		f.Add(uint8(i), build(f, syntax, p.write(p.pixels(false))))
		f.Add(uint8(i), build(f, syntax, func(w *dicom.Writer) {
			head(w, basicSR, "1.2.3.4")
			w.Text(0x00080020, dicom.DA, "20260115")
			w.Sequence(0x00081140, func() { w.Text(0x00081155, dicom.UI, "1.2.3") })
			w.Text(0x00100010, dicom.PN, "Smithson^Jane")
			w.Text(0x00100020, dicom.LO, "4711-08")
			w.Text(0x00190010, dicom.LO, "SIEMENS MR HEADER")
			w.Text(0x0019100C, dicom.IS, "1000")
			w.Bytes(0x00400275, dicom.UN, []byte{0xFE, 0xFF, 0, 0xE0, 0, 0, 0, 0})
			w.Sequence(0x0040A730, func() {
				w.Text(0x0040A160, dicom.UT, "Mass")
				w.Sequence(0x0040A730, func() { w.Text(0x0040A123, dicom.PN, "X") })
			})
			w.Bytes(0x60003000, dicom.OW, []byte{1, 2})
		}))
	}
	f.Add(uint8(5), rleImage(f, picture{rows: 4, columns: 4, samples: 1, bits: 16, stored: 12, photometric: "MONOCHROME2", overlay: true}, packed("\xfd\x81\xfd\x82\xfd\x83\xfd\x84", "\xfd\x01\xfd\x02\x03abcd\xfd\x04")))
	one := picture{rows: 1, columns: 1, samples: 1, bits: 8, stored: 8, photometric: "MONOCHROME2"}
	for which, frame := range map[uint8]string{4: string(noticed([]byte(coded))), 6: "\xFF\x4F" + marked(0x51, "siz") + marked(0x64, hidden) + "\xFF\x90\x00\x0A\x00\x00\x00\x00\x00\x10\x00\x01\xFF\x93ab\xFF\xD9",
		7: "\x00\x00\x00\x01\x06\x05\x02ab\x80", 8: "\x00\x00\x00\x0CJXL \r\n\x87\n\x00\x00\x00\x0CExif" + hidden[:4]} {
		f.Add(which, rleImage(f, one, append([]byte(frame), make([]byte, len(frame)&1)...)))
	}
	for i, syntax := range syntaxes[:3] {
		f.Add(uint8(i), build(f, syntax, func(w *dicom.Writer) {
			head(w, ctImage, "1.2.3.4")
			w.Sequence(0x0018A001, func() { w.Text(0x00080070, dicom.LO, "ACME Imaging") })
		}))
	}
	profiles := []instance.Transformer{
		profile(f, deid.Profile{}),
		profile(f, deid.Profile{Options: options, BurnedIn: "pass", Unmatched: "pass", Pixels: []deid.PixelRule{{Modality: "US", Black: []deid.Region{{X: 1, Y: 1, Width: 2, Height: 2}}}}}),
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		syntax := syntaxes[int(which)%len(syntaxes)]
		s, _ := dicom.SyntaxOf(syntax)
		for _, tr := range profiles {
			var out bytes.Buffer
			altered, err := tr.Transform(&out, bytes.NewReader(data), syntax)
			if err != nil {
				continue
			}
			if len(altered.Changes) == 0 || altered.TransferSyntax != syntax {
				t.Fatalf("%+v", altered)
			}
			for _, v := range identity(data, s) {
				if bytes.Contains(out.Bytes(), v) && !s.Deflated {
					t.Fatalf("%q is in the copy", v)
				}
			}
			r := dicom.NewReader(&out, s, dicom.DefaultLimits())
			said := false
			for {
				tok, err := r.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("the copy: %v", err)
				}
				said = said || tok.Tag == 0x00120062
			}
			if !said {
				t.Fatal("the copy does not say that it is one")
			}
		}
	})
}

// identity returns the names and IDs of the top level that stand nowhere else in a data set.
func identity(data []byte, s dicom.Syntax) (out [][]byte) {
	r := dicom.NewReader(bytes.NewReader(data), s, dicom.DefaultLimits())
	for {
		tok, err := r.Next()
		if err != nil {
			return out
		}
		if tok.Kind == dicom.Element && tok.Depth == 0 && (tok.Tag == dicom.TagPatientID || tok.Tag == 0x00100010) {
			v, err := r.Value(1024)
			if err == nil && len(v) >= 6 && bytes.Count(data, v) == 1 && !bytes.Contains([]byte(additions), v) {
				out = append(out, v)
			}
		}
	}
}

// additions are texts that every copy may hold.
const additions = `ANON^ANON 19000101000000 Basic Application Confidentiality Profile Clean Option Asepsis\DICOM PS3.15 2026d annex E`

func BenchmarkTransform(b *testing.B) {
	p := picture{rows: 512, columns: 512, samples: 1, bits: 16, stored: 12, photometric: "MONOCHROME2", vr: dicom.OW, class: ctImage}
	data := build(b, dicom.ExplicitVRLittleEndian, p.write(p.pixels(false)))
	for name, profileOf := range map[string]deid.Profile{
		"basic": {}, "blackened": {Options: []deid.Option{deid.CleanPixelData}, Pixels: []deid.PixelRule{{Black: []deid.Region{{Height: 60}}}}},
	} {
		b.Run(name, func(b *testing.B) {
			tr := profile(b, profileOf)
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := tr.Transform(io.Discard, bytes.NewReader(data), dicom.ExplicitVRLittleEndian); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
