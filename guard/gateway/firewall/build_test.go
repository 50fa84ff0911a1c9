// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
)

// part is an element as bytes, in explicit VR little endian unless it says otherwise.
type part struct {
	tag dicom.Tag
	b   []byte
	add bool // stands beside one of the same tag
	at  bool // stays where it was put, whatever its tag
}

func longVR(vr string) bool { return dicom.VR(uint16(vr[0])<<8 | uint16(vr[1])).Long() }

// el is an element with a value, padded to an even length.
func el(tag dicom.Tag, vr, value string) part {
	if len(value)&1 != 0 {
		if pad := " "; vr == "UI" || vr == "OB" || vr == "UN" {
			value += "\x00"
		} else {
			value += pad
		}
	}
	return lying(tag, vr, uint32(len(value)), value)
}

// lying is an element whose length is what one says.
func lying(tag dicom.Tag, vr string, length uint32, value string) part {
	b := binary.LittleEndian.AppendUint16(nil, tag.Group())
	b = binary.LittleEndian.AppendUint16(b, tag.Element())
	b = append(b, vr...)
	if longVR(vr) {
		b = binary.LittleEndian.AppendUint32(append(b, 0, 0), length)
	} else {
		b = binary.LittleEndian.AppendUint16(b, uint16(length))
	}
	return part{tag: tag, b: append(b, value...)}
}

// implicit is an element in implicit VR little endian.
func implicit(tag dicom.Tag, value string) part {
	b := binary.LittleEndian.AppendUint16(nil, tag.Group())
	b = binary.LittleEndian.AppendUint16(b, tag.Element())
	return part{tag: tag, b: append(binary.LittleEndian.AppendUint32(b, uint32(len(value))), value...)}
}

func u16s(n ...uint16) string {
	var b []byte
	for _, v := range n {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	return string(b)
}

func u32s(n ...uint32) string {
	var b []byte
	for _, v := range n {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return string(b)
}

const (
	itemStart = "\xfe\xff\x00\xe0\xff\xff\xff\xff"
	itemEnd   = "\xfe\xff\x0d\xe0\x00\x00\x00\x00"
	seqEnd    = "\xfe\xff\xdd\xe0\x00\x00\x00\x00"
)

// sq is a sequence of undefined length.
func sq(tag dicom.Tag, items ...[]part) part {
	var v strings.Builder
	for _, it := range items {
		v.WriteString(itemStart)
		for _, p := range it {
			v.Write(p.b)
		}
		v.WriteString(itemEnd)
	}
	return lying(tag, "SQ", dicom.UndefinedLength, v.String()+seqEnd)
}

// frames is encapsulated pixel data: the offset table, and fragments.
func frames(offsets string, fragments ...string) part {
	var v strings.Builder
	for _, f := range append([]string{offsets}, fragments...) {
		v.WriteString("\xfe\xff\x00\xe0" + u32s(uint32(len(f))) + f)
	}
	return lying(dicom.TagPixelData, "OB", dicom.UndefinedLength, v.String()+seqEnd)
}

const (
	classCT    = "1.2.840.10008.5.1.4.1.1.2"
	classPDF   = "1.2.840.10008.5.1.4.1.1.104.1"
	classCDA   = "1.2.840.10008.5.1.4.1.1.104.2"
	classSTL   = "1.2.840.10008.5.1.4.1.1.104.3"
	classOBJ   = "1.2.840.10008.5.1.4.1.1.104.4"
	classMTL   = "1.2.840.10008.5.1.4.1.1.104.5"
	classUS    = "1.2.840.10008.5.1.4.1.1.3.1"
	classSC    = "1.2.840.10008.5.1.4.1.1.7"
	explicitLE = dicom.ExplicitVRLittleEndian
	jpeg       = "1.2.840.10008.1.2.4.50"
	rleTS      = "1.2.840.10008.1.2.5"
	theUID     = "2.25.1001"
)

// object is a small picture of a fictional patient, with other elements in place of its own or besides them. A part without
// bytes takes an element away.
func object(changes ...part) []byte { return objectOf(classCT, changes...) }

func objectOf(class string, changes ...part) []byte {
	base := []part{
		el(0x00080005, "CS", "ISO_IR 192"), el(0x00080008, "CS", `ORIGINAL\PRIMARY\AXIAL`), el(0x00080016, "UI", class), el(0x00080018, "UI", theUID), el(0x00080020, "DA", "20260530"),
		el(0x00080023, "DA", "20260530"), el(0x00080030, "TM", "101500"), el(0x00080050, "SH", "A-1001"), el(0x00080060, "CS", "CT"), el(0x00080070, "LO", "Fictional Imaging"), el(0x00081010, "SH", "CT1"),
		el(0x00081030, "LO", "Head without contrast"), el(0x00100010, "PN", "Doe^Jane"), el(0x00100020, "LO", "P-1"), el(0x00100030, "DA", "19700101"), el(0x00100040, "CS", "F"), el(0x00181000, "LO", "SN-1"),
		el(0x0020000D, "UI", "2.25.1002"), el(0x0020000E, "UI", "2.25.1003"), el(0x00200010, "SH", "1"), el(0x00200013, "IS", "1"),
	}
	if class == classCT || class == classSC || class == classUS {
		base = append(base, el(0x00280002, "US", u16s(1)), el(0x00280004, "CS", "MONOCHROME2"), el(0x00280010, "US", u16s(8)), el(0x00280011, "US", u16s(8)), el(0x00280100, "US", u16s(16)),
			el(0x00280101, "US", u16s(12)), el(0x00280102, "US", u16s(11)), el(0x00280103, "US", u16s(0)), el(dicom.TagPixelData, "OW", strings.Repeat("\x10\x00", 64)))
	}
	for _, c := range changes {
		if !c.add && !c.at {
			base = slices.DeleteFunc(base, func(p part) bool { return p.tag == c.tag && !p.at })
		}
		if len(c.b) > 0 {
			base = append(base, c)
		}
	}
	sorted := slices.Clone(base)
	slices.SortStableFunc(sorted, func(a, b part) int {
		switch {
		case a.at || b.at: // appended ones stay at the end
			return btoi(a.at) - btoi(b.at)
		case a.tag < b.tag:
			return -1
		case a.tag > b.tag:
			return 1
		}
		return 0
	})
	var out []byte
	for _, p := range sorted {
		out = append(out, p.b...)
	}
	return out
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// without takes an element away.
func without(tag dicom.Tag) part { return part{tag: tag} }

// again adds an element beside another of its tag.
func again(p part) part { p.add = true; return p }

// last puts an element at the end, out of order.
func last(p part) part { p.at = true; return p }

// raw is bytes at the end of the data set.
func raw(b string) part { return part{b: []byte(b), at: true} }

// document is an encapsulated document with its MIME type.
func encapsulated(class, mime, content string, more ...part) []byte {
	return objectOf(class, append([]part{el(0x00080060, "CS", "DOC"), el(0x00420011, "OB", content), el(0x00420012, "LO", mime)}, more...)...)
}

func pdfOf(content string) []byte {
	return encapsulated(classPDF, "application/pdf", "%PDF-1.7\n"+content+"\nxref\n0 1\n0000000000 65535 f\ntrailer <</Root 1 0 R>>\nstartxref\n9\n%%EOF\n")
}

// zlibOf is a stream of zlib (RFC 1950), without caring for its sum.
func zlibOf(content string) string {
	return "\x78\x9c" + deflated(content) + "\x00\x00\x00\x00"
}

func deflated(content string) string {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	_, _ = w.Write([]byte(content))
	_ = w.Close()
	return b.String()
}

func cdaOf(body string) []byte {
	return encapsulated(classCDA, "text/XML", `<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3">`+body+`</ClinicalDocument>`)
}

// stlOf is a binary STL of so many triangles, with a header.
func stlOf(header string, says, has int) []byte {
	h := header + strings.Repeat(" ", 80-len(header))
	return encapsulated(classSTL, "model/stl", h+u32s(uint32(says))+strings.Repeat("\x00", 50*has))
}

// jpegOf is the beginning of a JPEG of a size, with its end.
func jpegOf(rows, cols uint16, parts byte) string {
	b := "\xff\xd8\xff\xe0\x00\x04JF\xff\xc0\x00\x0b\x08" + string([]byte{byte(rows >> 8), byte(rows), byte(cols >> 8), byte(cols), parts}) + "\x01\x11\x00\xff\xd9"
	return b + strings.Repeat("\x00", len(b)&1)
}

func arrivalOf(class, syntax string) instance.Arrival {
	return instance.Arrival{Sender: instance.Sender{Way: instance.DIMSE, Device: "dev-1", CallingAE: "CT1", CalledAE: "GATEWAY", Theatre: "or-1"}, At: arrived, SOPClass: class, SOPInstance: theUID, TransferSyntax: syntax}
}

func TestThePlainObjectPassesWithoutAHit(t *testing.T) {
	f := New(Default(), Deps{})
	for name, tt := range map[string]struct {
		class, syntax string
		data          []byte
	}{
		"a picture":     {classCT, explicitLE, object()},
		"a PDF":         {classPDF, explicitLE, pdfOf("1 0 obj <</Type /Catalog>> endobj")},
		"a CDA":         {classCDA, explicitLE, cdaOf("<title>Report</title>")},
		"an STL":        {classSTL, explicitLE, stlOf("made by a slicer", 2, 2)},
		"a JPEG":        {classUS, jpeg, objectOf(classUS, el(0x00280100, "US", u16s(8)), el(0x00280101, "US", u16s(8)), el(0x00280102, "US", u16s(7)), frames("", jpegOf(8, 8, 1)))},
		"two frames":    {classUS, jpeg, objectOf(classUS, el(0x00280008, "IS", "2"), el(0x00280100, "US", u16s(8)), el(0x00280101, "US", u16s(8)), el(0x00280102, "US", u16s(7)), frames(u32s(0, uint32(len(jpegOf(8, 8, 1))+8)), jpegOf(8, 8, 1), jpegOf(8, 8, 1)))},
		"deflated":      {classCT, dicom.DeflatedExplicitVRLittleEndian, []byte(deflated(string(object())))},
		"dual overlays": {classCT, explicitLE, object(el(0x60000010, "US", u16s(8)), el(0x60000011, "US", u16s(8)), el(0x60000050, "SS", u16s(1, 1)), el(0x60000100, "US", u16s(1)), el(0x60000102, "US", u16s(0)), el(0x60003000, "OW", "12345678"))},
	} {
		if r := inspect(f, arrivalOf(tt.class, tt.syntax), tt.data, 0); r.Verdict != instance.Pass || len(r.Hits) > 0 {
			t.Errorf("%s: %v %v", name, r.Verdict, r.Hits)
		}
	}
}
