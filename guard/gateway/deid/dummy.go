// SPDX-License-Identifier: Apache-2.0

package deid

import "github.com/asepsis/asepsis/wire/dicom"

// dummyOf returns a value that is valid for a VR and says nothing, of even length.
func dummyOf(vr dicom.VR) []byte {
	switch vr {
	case dicom.AE, dicom.CS, dicom.SH, dicom.LO, dicom.ST, dicom.LT, dicom.UC, dicom.UT:
		return []byte("ANON")
	case dicom.PN:
		return []byte("ANON^ANON ")
	case dicom.AS:
		return []byte("000D")
	case dicom.DA:
		return []byte("19000101")
	case dicom.TM:
		return []byte("000000")
	case dicom.DT:
		return []byte("19000101000000")
	case dicom.DS, dicom.IS:
		return []byte("0 ")
	case dicom.UI:
		return []byte("2.25.0")
	case dicom.UR:
		return []byte("urn:uuid:00000000-0000-0000-0000-000000000000 ")
	}
	return make([]byte, max(2, vr.WordSize()))
}

// pad makes a value's length even (PS3.5 §6.2).
func pad(vr dicom.VR, value []byte) []byte {
	if len(value)&1 == 0 {
		return value
	}
	if vr == dicom.UI || !vr.Text() {
		return append(value, 0)
	}
	return append(value, ' ')
}

// encapsulated returns a document that says nothing, of even length, for an encapsulated document class.
func encapsulated(class string) []byte {
	switch class {
	case "1.2.840.10008.5.1.4.1.1.104.1":
		return []byte(emptyPDF)
	case "1.2.840.10008.5.1.4.1.1.104.2":
		return []byte(`<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"/>` + " ")
	case "1.2.840.10008.5.1.4.1.1.104.3": // a binary STL without triangles
		return make([]byte, 84)
	case "1.2.840.10008.5.1.4.1.1.104.4", "1.2.840.10008.5.1.4.1.1.104.5":
		return []byte("# empty\n")
	}
	return make([]byte, 2)
}

// emptyPDF is a document of one blank page.
const emptyPDF = "%PDF-1.4\n" +
	"1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n" +
	"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n" +
	"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\n" +
	"xref\n0 4\n0000000000 65535 f \n0000000009 00000 n \n0000000052 00000 n \n0000000101 00000 n \n" +
	"trailer<</Size 4/Root 1 0 R>>\nstartxref\n164\n%%EOF\n"
