// SPDX-License-Identifier: Apache-2.0

package gatewaytest

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/asepsis/asepsis/wire/dicom"
)

// SOP classes of tests.
const (
	CTStorage  = "1.2.840.10008.5.1.4.1.1.2"
	MRStorage  = "1.2.840.10008.5.1.4.1.1.4"
	PDFStorage = "1.2.840.10008.5.1.4.1.1.104.1"
)

// Study and Series are those of Image.
const (
	Study  = "1.2.826.0.1.3680043.8.498.1"
	Series = Study + ".1"
)

// Image makes the data set of a CT image of size by size pixels, in explicit VR little endian, as the content firewall
// lets it pass. Patient is an ID; the name that goes with it is nobody's.
func Image(t testing.TB, uid, patient string, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	s, _ := dicom.SyntaxOf(dicom.ExplicitVRLittleEndian)
	w := dicom.NewWriter(&b, s)
	w.Text(0x00080005, dicom.CS, "ISO_IR 192")
	w.Text(dicom.TagSOPClassUID, dicom.UI, CTStorage)
	w.Text(dicom.TagSOPInstanceUID, dicom.UI, uid)
	w.Text(0x00080020, dicom.DA, "20260131")
	w.Text(dicom.TagModality, dicom.CS, "CT")
	w.Text(0x00080070, dicom.LO, "Example Imaging")
	w.Text(0x00100010, dicom.PN, "Fictional^Petra")
	w.Text(dicom.TagPatientID, dicom.LO, patient)
	w.Text(dicom.TagStudyInstanceUID, dicom.UI, Study)
	w.Text(dicom.TagSeriesInstanceUID, dicom.UI, Series)
	w.Uint16(0x00280002, dicom.US, 1)
	w.Text(0x00280004, dicom.CS, "MONOCHROME2")
	w.Uint16(0x00280010, dicom.US, uint16(size)) //nolint:gosec // a test's size
	w.Uint16(0x00280011, dicom.US, uint16(size)) //nolint:gosec // a test's size
	w.Uint16(0x00280100, dicom.US, 16)
	w.Uint16(0x00280101, dicom.US, 12)
	w.Uint16(0x00280102, dicom.US, 11)
	w.Uint16(0x00280103, dicom.US, 0)
	w.Bytes(dicom.TagPixelData, dicom.OW, bytes.Repeat([]byte{1, 2}, size*size))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Document makes the data set of an encapsulated PDF with a script in it, which the content firewall holds.
func Document(t testing.TB, uid string) []byte {
	t.Helper()
	pdf := []byte("%PDF-1.4\n1 0 obj\n<< /Type /Catalog /OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >> >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n")
	var b bytes.Buffer
	s, _ := dicom.SyntaxOf(dicom.ExplicitVRLittleEndian)
	w := dicom.NewWriter(&b, s)
	w.Text(dicom.TagSOPClassUID, dicom.UI, PDFStorage)
	w.Text(dicom.TagSOPInstanceUID, dicom.UI, uid)
	w.Text(dicom.TagModality, dicom.CS, "DOC")
	w.Text(0x00100010, dicom.PN, "Fictional^Petra")
	w.Text(dicom.TagPatientID, dicom.LO, "FICT-0001")
	w.Text(dicom.TagStudyInstanceUID, dicom.UI, Study)
	w.Text(dicom.TagSeriesInstanceUID, dicom.UI, Study+".2")
	w.Bytes(0x00420011, dicom.OB, pdf)
	w.Text(0x00420012, dicom.LO, "application/pdf")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Part10 puts preamble and file meta information before a data set in explicit VR little endian.
func Part10(t testing.TB, class, uid string, data []byte) []byte {
	t.Helper()
	head, err := dicom.AppendFileHead(nil, dicom.Preamble{}, &dicom.FileMeta{SOPClass: class, SOPInstance: uid, TransferSyntax: dicom.ExplicitVRLittleEndian, ImplUID: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	return append(head, data...)
}

// File writes a data set as a file, and returns its name.
func File(t testing.TB, class, uid string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), uid+".dcm")
	if err := os.WriteFile(path, Part10(t, class, uid, data), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// DataSet returns what follows the file meta information, and what that says.
func DataSet(t testing.TB, part10 []byte) ([]byte, dicom.FileMeta) {
	t.Helper()
	f, err := dicom.OpenFile(bytes.NewReader(part10))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(f.Data)
	if err != nil {
		t.Fatal(err)
	}
	return data, f.Meta
}

// Stored returns the data sets of the files of a directory by SOP instance, as far as they are written.
func Stored(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if e.IsDir() {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			continue // renamed meanwhile
		}
		f, err := dicom.OpenFile(bytes.NewReader(b))
		if err != nil {
			continue // being written, or none
		}
		if data, err := io.ReadAll(f.Data); err == nil {
			out[f.Meta.SOPInstance] = data
		}
	}
	return out
}
