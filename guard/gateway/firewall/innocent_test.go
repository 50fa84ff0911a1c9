// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
)

// innocent is what looks like an attack and is none.
type innocent struct {
	name   string
	rule   string // the one that must not meet; nothing at all may, where may is empty
	class  string
	syntax string
	data   []byte
	deps   Deps
	change func(a *instance.Arrival)
	may    string // another rule that meets rightly, and only flags
}

func innocents() []innocent {
	described := func(s string) []byte { return object(el(0x00081030, "LO", s)) }
	commented := func(s string) []byte { return object(el(0x00204000, "LT", s)) }
	named := func(set, s string) []byte { return object(el(0x00080005, "CS", set), el(0x00100010, "PN", s)) }
	private := func(creator string, vr, value string) []byte {
		return object(el(0x00290010, "LO", creator), el(0x00291010, vr, value))
	}
	expected := Deps{Pseudonym: func(issuer, id string) string { return issuer + "|" + id }, Expected: func(instance.Arrival) ([]string, bool) { return []string{"|P-0", "|P-1"}, true }}
	nobody := expected
	nobody.Expected = func(instance.Arrival) ([]string, bool) { return nil, false }
	inCase := nobody
	inCase.InRoom = func(instance.Arrival) ([]string, bool) { return []string{"|P-9", "|P-1"}, true }
	between := expected
	between.InRoom = func(instance.Arrival) ([]string, bool) { return nil, false }
	device := Deps{Device: func(string) (Facts, bool) {
		return Facts{Manufacturer: "FICTIONAL", Models: []string{"scan-3"}, Serials: []string{"sn 1"}, Stations: []string{"CT 1"}}, true
	}}
	known := Deps{Known: func(string) [][sha256.Size]byte { return [][sha256.Size]byte{{}, sha256.Sum256(object())} }}
	marr := make([]byte, 128)
	binary.LittleEndian.PutUint16(marr, 0x5A4D) // a pixel of the value 23117, the letters MZ
	icon := []part{el(0x00280002, "US", u16s(1)), el(0x00280004, "CS", "MONOCHROME2"), el(0x00280010, "US", u16s(2)), el(0x00280011, "US", u16s(2)), el(0x00280100, "US", u16s(8)), el(dicom.TagPixelData, "OB", "1234")}
	return []innocent{
		{name: "a dual TIFF file", rule: "preamble.tiff", data: object(), change: preamble("II*\x00\x10")},
		{name: "an empty preamble", rule: "preamble.other", data: object(), change: preamble("")},
		{name: "a program's letters further on in a preamble", rule: "preamble.executable", data: object(), change: preamble("\x00\x00MZ"), may: "preamble.other"},
		{name: "the prefix of files in a value, where it stands in files", rule: "syntax.part10", data: prefixInValue()},
		{name: "implicit VR that is announced", rule: "syntax.mislabelled", syntax: dicom.ImplicitVRLittleEndian, data: implicitObject()},
		{name: "the private class of a maker", rule: "syntax.sop-class", class: "1.3.12.2.1107.5.9.1", data: objectOf("1.3.12.2.1107.5.9.1")},
		{name: "a retired class", rule: "syntax.not-storage", class: "1.2.840.10008.5.1.4.1.1.6", data: objectOf("1.2.840.10008.5.1.4.1.1.6")},
		{name: "a UID of 64 characters", rule: "uid.invalid", data: object(el(0x0020000D, "UI", "1."+strings.Repeat("2", 62)))},
		{name: "a UID padded with a space", rule: "uid.path", data: object(el(0x0020000D, "UI", "1.2.840.1 "))},
		{name: "several UIDs where there may be", rule: "uid.path", data: object(el(0x0008001A, "UI", `1.2\1.3`))},
		{name: "32 sequences in each other", rule: "structure.depth", data: object(nested(32))},
		{name: "a blank picture, deflated", rule: "structure.inflate", syntax: dicom.DeflatedExplicitVRLittleEndian, data: []byte(deflated(string(object(el(0x00280010, "US", u16s(2048)), el(0x00280011, "US", u16s(2048)), el(dicom.TagPixelData, "OW", strings.Repeat("\x00", 2*2048*2048))))))},
		{name: "a deflated data set with its padding", rule: "structure.trailing", syntax: dicom.DeflatedExplicitVRLittleEndian, data: []byte(deflated(string(object())) + "\x00")},
		{name: "padding of zeros", rule: "structure.trailing", data: object(el(dicom.TagDataSetPadding, "OB", strings.Repeat("\x00", 300)))},
		{name: "the same element in two items", rule: "structure.duplicate", data: object(sq(0x00081140, []part{el(0x00081155, "UI", "1.2")}, []part{el(0x00081155, "UI", "1.2")}))},
		{name: "a true group length", rule: "structure.group-length", data: trueGroupLength()},
		{name: "elements after the pixel data", rule: "structure.order", data: object(el(0x7FE10010, "LO", "GEMS_Ultrasound_MovieGroup_001"))},
		{name: "a lookup table as US", rule: "vr.confusion", data: object(sq(0x00283000, []part{el(0x00283002, "US", u16s(2, 0, 16)), el(0x00283006, "US", u16s(1, 2))}))},
		{name: "the smallest pixel as SS", rule: "vr.dictionary", data: object(el(0x00280106, "SS", u16s(0xFFFF)))},
		{name: "a descriptor as SS", rule: "vr.dimension", data: object(el(0x00281101, "SS", u16s(2, 0xFFFE, 16)), el(0x00281201, "OW", u16s(1, 2)))},
		{name: "a sequence as UN", rule: "vr.confusion", data: object(unknownSequence(0x00081140, implicit(0x00081155, "1.2.3\x00"))), may: "vr.dictionary"},
		{name: "an empty sequence as UN", rule: "vr.confusion", data: object(el(0x00081140, "UN", ""))},
		{name: "numbers, dates and times as devices write them", rule: "vr.format", data: object(el(0x00280030, "DS", `0.5\-1e-3\ +7 `), el(0x00080020, "DA", "2026.05.30"), el(0x00080030, "TM", "10:15:00.123"), el(0x00101010, "AS", "056Y"), el(0x00200013, "IS", " 12 "), el(0x0008002A, "DT", "20260530101500.5+0200"))},

		{name: "less than a millimetre", rule: "text.markup", data: described("nodule <1 mm, T1 > T2")},
		{name: "a smaller than b", rule: "text.markup", data: described("a<b, x<y")},
		{name: "an arrow", rule: "text.markup", data: described("left <- right -> left <->")},
		{name: "an address of mail", rule: "text.markup", data: commented("Dr. Example <example@hospital.example>")},
		{name: "a word that ends in script", rule: "text.script", data: described("postscript: see description")},
		{name: "words that begin with on", rule: "text.script", data: commented("once=1 on=off only=2 onset=3 oncology=yes")},
		{name: "a data: that is data", rule: "text.script", data: commented("Raw data: text/plain")},
		{name: "an ampersand", rule: "text.script", data: described("M&M conference; P&L, A&E")},
		{name: "one brace", rule: "text.template", data: described("{7} {a} }} 100% $5 {x} #1")},
		{name: "a percentage", rule: "text.template", data: described("stenosis <50%")},
		{name: "an object in JSON", rule: "text.template", data: commented(`{"a": {"b": {"c": 1}}}`)},
		{name: "minus five", rule: "text.formula", data: described("-5 (left)")},
		{name: "with contrast", rule: "text.formula", data: described("+C (late)")},
		{name: "equals", rule: "text.formula", data: described("= normal")},
		{name: "names in the writing of Japan, with escapes", rule: "text.terminal", data: named(`\ISO 2022 IR 87`, "Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B")},
		{name: "an escape that was cut off", rule: "text.terminal", data: described("x\x1b"), may: "text.control"},
		{name: "a number between embeddings", rule: "text.bidi", data: described("\u202a12345\u202c"), may: "text.invisible"},
		{name: "lines of a report", rule: "text.control", data: commented("First line.\r\nSecond\tline.\f")},
		{name: "padding with NULs", rule: "text.control", data: object(lying(0x00100020, "LO", 6, "P-1\x00\x00\x00"))},
		{name: "a name with ideographs", rule: "text.bidi", data: named("ISO_IR 192", "Wang^XiaoDong=王^小東")},
		{name: "a name in GB18030", rule: "text.charset", data: named("GB18030", "Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab")},
		{name: "a name in Korean", rule: "text.charset", data: named(`\ISO 2022 IR 149`, "Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf")},
		{name: "a name in Arabic with its joiner", rule: "text.invisible", data: named("ISO_IR 192", "می\u200cخواهم^x")},
		{name: "a name in Hebrew with its mark", rule: "text.invisible", data: named("ISO_IR 192", "שרון\u200f^x")},
		{name: "umlauts in Latin-1", rule: "text.charset", data: named("ISO_IR 100", "M\xfcller^J\xf6rg")},
		{name: "an address of an archive", rule: "text.uri", data: object(el(0x00081190, "UR", "https://archive.hospital.example/studies/1"))},
		{name: "a profile: and a smb without slashes", rule: "text.uri", data: commented("profile: a; file: b; smb: c; C:\\temp is not here")},
		{name: "64 ideographs", rule: "text.length", data: object(el(0x00081030, "LO", strings.Repeat("王", 64)))},
		{name: "many values of a short string", rule: "text.overlong", data: object(el(0x00189004, "CS", "RESEARCH"), el(0x00080008, "CS", strings.Repeat(`PRIMARY\`, 200)+"AXIAL"))},
		{name: "two dots of an abbreviation", rule: "path.traversal", data: described("Abd.. w/wo contrast, a/b, 1.. 2")},
		{name: "an ellipsis", rule: "path.traversal", data: described("Head... and neck /...")},
		{name: "fifty per cent", rule: "path.traversal", data: described("50% 20% of 30%")},
		{name: "O'Brien", rule: "path.shell", data: object(el(0x00100010, "PN", "O'Brien^Mary \"May\""))},
		{name: "semicolons and words that are commands elsewhere", rule: "path.shell", data: described("TC; rm cerebral; dog & cat | sleep")},
		{name: "a list in a code string", rule: "path.shell", data: object(el(0x00180015, "CS", "CHEST;ABD & PEL"))},
		{name: "a sequence in braces", rule: "text.template", data: described("T2*{ax} <#1>")},
		{name: "a storage class of a later edition", rule: "syntax.sop-class", class: "1.2.840.10008.5.1.4.1.1.999", data: objectOf("1.2.840.10008.5.1.4.1.1.999")},
		{name: "dollars and stars", rule: "path.shell", data: described("T2* $5 (a) `b {c}")},
		{name: "an AE title as they are", rule: "path.shell", data: object(el(0x00080055, "AE", "CT-1_OR.3 #A"))},

		{name: "private groups of Siemens", rule: "private.creator", data: private("SIEMENS CSA HEADER", "OB", "SV10\x04\x03\x02\x01")},
		{name: "private groups of Philips", rule: "private.creator", data: private("Philips Imaging DD 001", "LO", "x")},
		{name: "a private block after another", rule: "private.orphan", data: object(el(0x00290010, "LO", "SIEMENS CSA HEADER"), el(0x00290011, "LO", "SIEMENS MEDCOM HEADER"), el(0x00291010, "LO", "x"), el(0x00291110, "LO", "x"))},
		{name: "bytes that begin with MZ", rule: "bulk.executable", data: private("SIEMENS CSA HEADER", "OB", "MZ"+strings.Repeat("\x00", 100))},
		{name: "a pixel that reads MZ", rule: "pixel.executable", data: object(el(dicom.TagPixelData, "OW", string(marr)))},
		{name: "bytes that begin with PK", rule: "bulk.archive", data: private("SIEMENS CSA HEADER", "OB", "PK in a header")},
		{name: "an icon in a sequence", rule: "pixel.short", data: object(sq(0x00880200, icon))},
		{name: "an icon in an encapsulated object", rule: "pixel.encoding", class: classUS, syntax: jpeg, data: small8(sq(0x00880200, icon), frames("", jpegOf(8, 8, 1)))},
		{name: "pictures of one bit", rule: "pixel.short", class: classSC, data: objectOf(classSC, el(0x00280100, "US", u16s(1)), el(0x00280101, "US", u16s(1)), el(0x00280102, "US", u16s(0)), el(0x00280010, "US", u16s(3)), el(0x00280011, "US", u16s(5)), el(0x00280008, "IS", "3"), el(dicom.TagPixelData, "OB", "123456"))},
		{name: "YBR 4:2:2", rule: "pixel.excess", class: classUS, data: small8(el(0x00280002, "US", u16s(3)), el(0x00280004, "CS", "YBR_FULL_422"), el(dicom.TagPixelData, "OB", strings.Repeat("x", 128)))},
		{name: "a picture of odd size with its padding", rule: "pixel.excess", class: classUS, data: small8(el(0x00280010, "US", u16s(3)), el(0x00280011, "US", u16s(3)), el(dicom.TagPixelData, "OB", "123456789\x00"))},
		{name: "one frame of three fragments", rule: "pixel.frames", class: classUS, syntax: jpeg, data: small8(frames("", jpegOf(8, 8, 1), "1234", "5678"))},
		{name: "a film in one fragment", rule: "pixel.frames", class: classUS, syntax: "1.2.840.10008.1.2.4.102", data: small8(el(0x00280008, "IS", "300"), frames("", "\x00\x00\x00\x20ftyp"))},
		{name: "an offset table of two frames of two fragments", rule: "pixel.offsets", class: classUS, syntax: jpeg, data: small8(el(0x00280008, "IS", "2"), frames(u32s(0, uint32(len(jpegOf(8, 8, 1))+8+12)), jpegOf(8, 8, 1), "1234", jpegOf(8, 8, 1), "5678"))},
		{name: "an offset table as it must be", rule: "pixel.offset-drift", class: classUS, syntax: jpeg, data: small8(el(0x00280008, "IS", "2"), frames(u32s(0, 32), jpegOf(8, 8, 1), jpegOf(8, 8, 1)))},
		{name: "an offset table of one frame", rule: "pixel.offset-drift", class: classUS, syntax: jpeg, data: small8(frames(u32s(0), jpegOf(8, 8, 1), "1234"))},
		{name: "a number of another width that sizes nothing", rule: "vr.confusion", data: object(el(0x00189306, "FL", u32s(0x3F800000))), may: "vr.dictionary"},
		{name: "a report with the measurements that it is made of", rule: "document.embedded", class: classPDF, data: carrying("/F (ecg.xml)", attached(measurement)), may: "document.attachment"},
		{name: "a JPEG whose size comes late", rule: "pixel.codestream-size", class: classUS, syntax: jpeg, data: small8(frames("", "\xff\xd8\xff\xe1\x40\x00"+strings.Repeat("x", 0x4000-2)+"\xff\xd9"))},
		{name: "a palette of 8 bits", rule: "palette.length", data: object(el(0x00281101, "US", u16s(256, 0, 8)), el(0x00281201, "OW", strings.Repeat("x", 256)))},
		{name: "a palette of 65536 entries", rule: "palette.length", data: object(el(0x00281101, "US", u16s(0, 0, 16)), el(0x00281201, "OW", strings.Repeat("x", 131072)))},
		{name: "an overlay of several frames", rule: "overlay.length", data: object(el(0x60020010, "US", u16s(4)), el(0x60020011, "US", u16s(4)), el(0x60020015, "IS", "2"), el(0x60020050, "SS", u16s(1, 1)), el(0x60023000, "OW", "1234"))},
		{name: "an overlay that begins a little outside", rule: "overlay.origin", data: object(el(0x60000010, "US", u16s(8)), el(0x60000011, "US", u16s(8)), el(0x60000050, "SS", u16s(0xFFFE, 1)), el(0x60003000, "OW", "12345678"))},

		{name: "an offset table with one offset too many", rule: "pixel.offsets", class: classUS, syntax: jpeg, data: small8(frames(u32s(0, uint32(len(jpegOf(8, 8, 1))+8)), jpegOf(8, 8, 1), jpegOf(8, 8, 1))), may: "pixel.offset-count"},
		{name: "an extended offset table", rule: "pixel.offset-count", class: classUS, syntax: jpeg, data: small8(el(0x00280008, "IS", "2"), el(0x7FE00001, "OV", u32s(0, 0, 40, 0)), el(0x7FE00002, "OV", u32s(32, 0, 32, 0)), frames("", jpegOf(8, 8, 1), jpegOf(8, 8, 1)))},
		{name: "a PDF with a page to begin with", rule: "document.script", class: classPDF, data: pdfOf("1 0 obj <</Type /Catalog /OpenAction [3 0 R /Fit]>> endobj"), may: "document.open-action"},
		{name: "a PDF that talks about JavaScript", rule: "document.script", class: classPDF, data: pdfOf("1 0 obj <</Title (/JavaScript \\(\\) in radiology) /X <2f4a53> >> endobj % /JS in a comment\n2 0 obj /JSmith endobj")},
		{name: "a PDF with a picture that is packed", rule: "document.opaque", class: classPDF, data: pdfOf("2 0 obj <</Filter /DCTDecode /Length 3>> stream\nabc\nendstream endobj")},
		{name: "a PDF with packed objects", rule: "document.opaque", class: classPDF, data: pdfOf("5 0 obj <</Type /ObjStm /N 1 /First 4 /Filter /FlateDecode>> stream\r\n" + zlibOf("1 0 <</Type /Page>>") + "\r\nendstream endobj")},
		{name: "a PDF with words of objects in its strings", rule: "document.hidden", class: classPDF, data: pdfOf("1 0 obj <</Title (2 0 objects, no obj, 1.5 0 obj. trailer, <obj>) /A <31203020> /B /obj>> endobj % 7 objects, trailer\n")},
		{name: "a PDF with objects that stand close together", rule: "document.hidden", class: classPDF, data: pdfOf("1 0 obj<</A[1 0 R]/B(x)>>endobj 2 0 obj[/a/b]endobj\n5 0 obj<</Type/ObjStm/N 6/First 32/Filter/FlateDecode>>stream\n" + inZlib("3 0 4 3 6 5 7 8 8 12 9 15       [1]/a(x)<<>><a>42") + "\nendstream endobj")},
		{name: "a PDF with objects packed as old programs do", rule: "document.opaque", class: classPDF, data: pdfOf("5 0 obj <</Type /ObjStm /N 1 /First 4 /Filter [/ASCII85Decode /LZWDecode] /DecodeParms [null <</EarlyChange 1>>]>> stream\n" + in85(inEarlyLZW("1 0 <</Type /Page>>"+long(5000))) + "\nendstream endobj")},
		{name: "a PDF of two revisions", rule: "document.trailing", class: classPDF, data: pdfOf("1 0 obj <<>> endobj\n%%EOF\n2 0 obj <<>> endobj")},
		{name: "a CDA with a table", rule: "cda.script", class: classCDA, data: cdaOf(`<text><table><tr><td ID="a">x &lt; y</td></tr></table><!-- <script> --><![CDATA[<script>]]></text>`)},
		{name: "a CDA with references into itself", rule: "cda.external", class: classCDA, data: cdaOf(`<entry><text><reference value="#a"/></text></entry><component><nonXMLBody><text mediaType="application/pdf" representation="B64">AAAA</text></nonXMLBody></component>`)},
		{name: "a CDA in UTF-16 with ideographs", rule: "cda.script", class: classCDA, data: encapsulated(classCDA, "text/XML", utf16Of(binary.BigEndian, clinical("<text>\u3c73\u6372\u6970\u743e \u4f60 &amp;#60;script></text>")))},
		{name: "a CDA with remarks and instructions", rule: "cda.script", class: classCDA, data: cdaOf(`<?note it's <script> here?><text mediaType="text/plain" title="a > b; once = 1">x &amp;lt;script> <br/> y</text><nonXMLBody/><entry><text><reference value="#a"/></text></entry>`)},
		{name: "a CDA that is signed", rule: "cda.stylesheet", class: classCDA, data: cdaOf(`<ds:Signature><ds:Transforms><ds:Transform Algorithm="x"/></ds:Transforms></ds:Signature>`)},
		{name: "a CDA with a PDF and pictures", rule: "document.embedded", class: classCDA, data: cdaOf(`<nonXMLBody><text mediaType="application/pdf" representation="B64">JVBERi0xLjcKMSAwIG9iaiA8PD4+IGVuZG9iagolJUVPRgo=</text></nonXMLBody><observationMedia><value mediaType="image/png" representation="B64">iVBORw0KGgo=</value></observationMedia>`)},
		{name: "a mesh whose statements go on", rule: "mesh.external", class: classOBJ, data: encapsulated(classOBJ, "model/obj", "\xef\xbb\xbf# made by hand: http://x/y\\z\nmtllib liver.mtl \\\n  vessels.mtl\nf 1 2 3 \\\r\n 4 5\n")},
		{name: "materials as programs write them", rule: "mesh.external", class: classMTL, data: encapsulated(classMTL, "model/mtl", "newmtl tissue:red\nKd 0.5 0.1 0.1\nKa spectral red.rfl 1.0\nmap_Kd -s 1.0 1.0 1.0 -o 0 0 0 maps/100% skin.png\nillum 2\n")},
		{name: "a mesh with a material beside it", rule: "mesh.external", class: classOBJ, data: encapsulated(classOBJ, "model/obj", "mtllib liver.mtl\nusemtl red\nv 0 0 0\n")},
		{name: "a mesh with textures beside it", rule: "mesh.external", class: classMTL, data: encapsulated(classMTL, "model/mtl", "newmtl red\nKd 1 0 0\nmap_Kd textures/skin.png\n")},
		{name: "a mesh that is text", rule: "mesh.length", class: classSTL, data: encapsulated(classSTL, "model/stl", "solid liver\nfacet normal 0 0 1\nendsolid\n")},
		{name: "a binary mesh that begins with solid", rule: "mesh.length", class: classSTL, data: stlOf("solid as written by a bad program", 3, 3)},

		{name: "a patient of the list", rule: "patient.unexpected", data: object(), deps: expected},
		{name: "the patient of the case, whom no worklist has", rule: "patient.other-case", data: object(), deps: inCase},
		{name: "a patient of the list, between two cases", rule: "patient.other-case", data: object(), deps: between},
		{name: "a patient, and nobody knows who is due", rule: "patient.unexpected", data: object(el(0x00100020, "LO", "P-7")), deps: nobody},
		{name: "the same instance again", rule: "identity.duplicate", data: object(), deps: known},
		{name: "a device that writes its names otherwise", rule: "identity.device", data: object(el(0x00081090, "LO", "SCAN 3")), deps: device},
		{name: "a serial number in other letters", rule: "identity.serial", data: object(), deps: device},
		{name: "a picture of tonight, east of here", rule: "date.future", data: object(el(0x00080020, "DA", "20260602"))},
		{name: "an acquisition of yesterday", rule: "date.order", data: object(el(0x00080022, "DA", "20260529"))},
		{name: "a newborn", rule: "date.order", data: object(el(0x00100030, "DA", "20260530"))},
	}
}

func nested(n int) part {
	p := el(0x0040A160, "UT", "x")
	for range n {
		p = sq(0x0040A730, []part{p})
	}
	return p
}

// prefixInValue has the letters of the prefix at byte 128, in the image type.
func prefixInValue() []byte {
	data := object(el(0x00080008, "CS", strings.Repeat(`ABCDEFGHIJKLMNO\`, 6)+`ABCDE\DICM`))
	if string(data[128:132]) != "DICM" {
		panic("the test's own data are wrong")
	}
	return data
}

func trueGroupLength() []byte {
	data := object()
	end := strings.Index(string(data), "\x10\x00\x10\x00") // Patient's Name: the first of the next group
	return append(lying(0x00080000, "UL", 4, u32s(uint32(end))).b, data...)
}

func TestWhatOnlyLooksLikeAnAttackPasses(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range innocents() {
		seen[c.rule] = true
		a := attack{class: c.class, syntax: c.syntax, change: c.change, deps: c.deps}
		for _, cut := range []int{0, 1, 7} {
			if len(c.data) > 1<<16 && cut > 0 {
				continue
			}
			r := inspect(a.firewall(t), a.arrival(), c.data, cut)
			switch {
			case met(&r, c.rule) != nil, r.Verdict > instance.Flag, r.Verdict == instance.Flag && c.may == "", c.may != "" && (len(r.Hits) != 1 || r.Hits[0].Rule != c.may):
				t.Errorf("%s, for %s: %v %v", c.name, c.rule, r.Verdict, r.Hits)
			}
		}
	}
	for i := range table {
		if !seen[table[i].Name] && !plainly[table[i].Name] {
			t.Errorf("nothing innocent for %s", table[i].Name)
		}
	}
}

// plainly are rules of which every plain object is the counterpart: there is nothing that only looks as if it met them.
var plainly = map[string]bool{"syntax.not-dicom": true, "syntax.part10": true, "syntax.file-meta": true, "syntax.transfer-syntax": true, "syntax.class-mismatch": true, "syntax.instance-mismatch": true, "uid.missing": true,
	"structure.malformed": true, "structure.truncated": true, "structure.elements": true, "structure.private-count": true, "structure.fragments": true, "structure.reserved-group": true, "structure.odd-length": true,
	"vr.unknown": true, "vr.length": true, "pixel.dimensions": true, "pixel.codestream": true, "palette.lut": true, "document.type": true, "document.length": true, "document.launch": true, "document.open-action": true,
	"document.link": true, "document.attachment": true, "document.rich-media": true, "document.xfa": true, "document.encrypted": true, "document.bomb": true, "cda.entity": true, "cda.stylesheet": true, "mesh.command": true,
	"mesh.header": true, "patient.missing": true, "sanitise.impossible": true}
