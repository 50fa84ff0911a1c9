// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/asepsis/asepsis/wire/dicom"
)

const (
	ctStorage  = "1.2.840.10008.5.1.4.1.1.2"
	pdfStorage = "1.2.840.10008.5.1.4.1.1.104.1"
	side       = 128 // rows and columns of a phantom
)

// series is a made-up study with one series.
type series struct {
	study, series, patient string
	at                     time.Time
}

func (s *series) begin(class, name, modality string) (*bytes.Buffer, *dicom.Writer) {
	var b bytes.Buffer
	syntax, _ := dicom.SyntaxOf(dicom.ExplicitVRLittleEndian)
	w := dicom.NewWriter(&b, syntax)
	day, clock := s.at.Format("20060102"), s.at.Format("150405")
	w.Text(0x00080005, dicom.CS, "ISO_IR 192")
	w.Text(dicom.TagSOPClassUID, dicom.UI, class)
	w.Text(dicom.TagSOPInstanceUID, dicom.UI, name)
	w.Text(0x00080020, dicom.DA, day)
	w.Text(0x00080023, dicom.DA, day)
	w.Text(0x00080030, dicom.TM, clock)
	w.Text(0x00080050, dicom.SH, "FICT-A"+s.patient[5:])
	w.Text(dicom.TagModality, dicom.CS, modality)
	w.Text(0x00080070, dicom.LO, "Example Imaging (fictional)")
	w.Text(0x00081030, dicom.LO, "Phantom, demo")
	w.Text(0x00100010, dicom.PN, "Fictional^Patient")
	w.Text(dicom.TagPatientID, dicom.LO, s.patient)
	w.Text(0x00100030, dicom.DA, "19700101")
	w.Text(0x00100040, dicom.CS, "O")
	w.Text(dicom.TagStudyInstanceUID, dicom.UI, s.study)
	w.Text(0x0020000E, dicom.UI, s.series)
	return &b, w
}

// image makes a slice of a sphere.
func (s *series) image(name string, n int) ([]byte, error) {
	b, w := s.begin(ctStorage, name, "CT")
	w.Text(0x00200013, dicom.IS, fmt.Sprint(n+1))
	w.Uint16(0x00280002, dicom.US, 1)
	w.Text(0x00280004, dicom.CS, "MONOCHROME2")
	w.Uint16(0x00280010, dicom.US, side)
	w.Uint16(0x00280011, dicom.US, side)
	w.Uint16(0x00280100, dicom.US, 16)
	w.Uint16(0x00280101, dicom.US, 12)
	w.Uint16(0x00280102, dicom.US, 11)
	w.Uint16(0x00280103, dicom.US, 0)
	z := n - perSeries/2
	pixels := make([]byte, 0, 2*side*side)
	for y := range side {
		for x := range side {
			dx, dy := x-side/2, y-side/2
			v := uint16(24)
			if dx*dx+dy*dy+64*z*z < 48*48 {
				v = 1040
			}
			pixels = binary.LittleEndian.AppendUint16(pixels, v)
		}
	}
	w.Bytes(0x7FE00010, dicom.OW, pixels)
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	return b.Bytes(), nil
}

// document makes a report whose PDF has a script in it. The script does nothing.
func (s *series) document(name string) ([]byte, error) {
	b, w := s.begin(pdfStorage, name, "DOC")
	w.Text(0x00200013, dicom.IS, "1")
	w.Bytes(0x00420011, dicom.OB, []byte("%PDF-1.4\n1 0 obj\n<< /Type /Catalog /OpenAction << /S /JavaScript /JS (0) >> >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"))
	w.Text(0x00420012, dicom.LO, "application/pdf")
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	return b.Bytes(), nil
}
