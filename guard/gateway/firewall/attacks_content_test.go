// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
)

// contentAttacks are about pictures, documents, and whose they are.
func contentAttacks() []attack {
	return slices.Concat(pictureAttacks(), documentAttacks(), hiddenAttacks(), markupAttacks(), attachmentAttacks(), identityAttacks())
}

func pictureAttacks() []attack {
	private := func(content string) []byte {
		return object(el(0x00090010, "LO", "SIEMENS CT VA1 DUMMY"), el(0x00091010, "OB", content))
	}
	palette := func(descriptor, data string) []byte {
		return object(el(0x00281101, "US", descriptor), el(0x00281201, "OW", data))
	}
	overlayOf := func(rows, cols uint16, data string, more ...part) []byte {
		return object(append([]part{el(0x60000010, "US", u16s(rows)), el(0x60000011, "US", u16s(cols)), el(0x60003000, "OW", data)}, more...)...)
	}
	rleHeader := func(n uint32, offsets ...uint32) string {
		return u32s(append([]uint32{n}, append(offsets, make([]uint32, 15-len(offsets))...)...)...) + strings.Repeat("\x00", 64)
	}
	return []attack{
		{name: "a Windows program in a private element", rule: "bulk.executable", cve: "CVE-2019-11687", data: private(program1), sender: "dcmsend"},
		{name: "a Unix program in a private element", rule: "bulk.executable", cve: "CVE-2019-11687", data: private(elf1), sender: "dcmsend"},
		{name: "a macOS program in a private element", rule: "bulk.executable", data: private(macho1), sender: "dcmsend"},
		{name: "a script in a private element", rule: "bulk.executable", data: private(shebang), sender: "dcmsend"},
		{name: "a web assembly in a private element", rule: "bulk.executable", data: private("\x00asm\x01\x00\x00\x00"), sender: "dcmsend"},
		{name: "an archive in a private element", rule: "bulk.archive", data: private("PK\x03\x04\x14\x00\x00\x00\x08\x00"), sender: "dcmsend"},
		{name: "pixel data that is a program", rule: "pixel.executable", data: object(el(dicom.TagPixelData, "OW", elf1+strings.Repeat("\x00", 128-len(elf1)))), sender: "dcmsend"},
		{name: "a fragment that is a program", rule: "pixel.executable", class: classUS, syntax: jpeg, data: small8(frames("", program1)), sender: "dcmsend"},
		{name: "a picture without rows", rule: "pixel.dimensions", data: object(without(0x00280010)), sender: "dcmsend"},
		{name: "a picture of no columns", rule: "pixel.dimensions", data: object(el(0x00280011, "US", u16s(0))), sender: "dcmsend"},
		{name: "more bits stored than allocated", rule: "pixel.dimensions", cve: "CVE-2022-2121", data: object(el(0x00280101, "US", u16s(40))), sender: "dcmsend"},
		{name: "minus one frames", rule: "pixel.dimensions", data: object(el(0x00280008, "IS", "-1")), sender: "dcmsend"},
		{name: "frames without end", rule: "pixel.dimensions", data: object(el(0x00280008, "IS", "2147483647")), sender: "dcmsend"},
		{name: "rows and columns that overflow", rule: "pixel.short", data: object(el(0x00280010, "US", u16s(65535)), el(0x00280011, "US", u16s(65535)), el(0x00280008, "IS", "999999"), el(0x00280100, "US", u16s(64)), el(0x00280002, "US", u16s(4))), sender: "dcmsend"},
		{name: "512 rows in 128 bytes", rule: "pixel.short", cve: "CVE-2026-3650", data: object(el(0x00280010, "US", u16s(512)), el(0x00280011, "US", u16s(512))), sender: "dcmsend"},
		{name: "an icon that is too short", rule: "pixel.short", data: object(sq(0x00880200, []part{el(0x00280002, "US", u16s(1)), el(0x00280004, "CS", "MONOCHROME2"), el(0x00280010, "US", u16s(64)), el(0x00280011, "US", u16s(64)), el(0x00280100, "US", u16s(8)), el(dicom.TagPixelData, "OB", "1234")})), sender: "dcmsend"},
		{name: "a megabyte behind the picture", rule: "pixel.excess", data: object(el(dicom.TagPixelData, "OW", strings.Repeat("\x10\x00", 4096))), sender: "dcmsend"},
		{name: "fragments in a native syntax", rule: "pixel.encoding", data: small8(frames("", jpegOf(8, 8, 1))), sender: "own"},
		{name: "native pixels in a JPEG syntax", rule: "pixel.encoding", syntax: jpeg, data: object(), sender: "own"},
		{name: "a thousand frames in one fragment", rule: "pixel.frames", class: classUS, syntax: jpeg, data: small8(el(0x00280008, "IS", "1000"), frames("", jpegOf(8, 8, 1))), sender: "dcmsend"},
		{name: "no fragment at all", rule: "pixel.frames", class: classUS, syntax: jpeg, data: small8(frames("")), sender: "own"},
		{name: "an offset beyond the fragments", rule: "pixel.offsets", class: classUS, syntax: jpeg, data: small8(el(0x00280008, "IS", "2"), frames(u32s(0, 0xFFFFFFF0), jpegOf(8, 8, 1), jpegOf(8, 8, 1))), sender: "dcmsend"},
		{name: "an offset into a fragment", rule: "pixel.offsets", class: classUS, syntax: jpeg, data: small8(el(0x00280008, "IS", "2"), frames(u32s(0, 12), jpegOf(8, 8, 1), jpegOf(8, 8, 1))), sender: "dcmsend"},
		{name: "offsets that go back", rule: "pixel.offsets", class: classUS, syntax: jpeg, data: small8(el(0x00280008, "IS", "3"), frames(u32s(0, 64, 32), jpegOf(8, 8, 1), jpegOf(8, 8, 1), jpegOf(8, 8, 1))), sender: "dcmsend"},
		{name: "an offset that stands twice", rule: "pixel.offsets", class: classUS, syntax: jpeg, data: small8(el(0x00280008, "IS", "3"), frames(u32s(0, 32, 32), jpegOf(8, 8, 1), jpegOf(8, 8, 1), jpegOf(8, 8, 1))), sender: "dcmsend"},
		{name: "offsets that depart more with each frame", rule: "pixel.offsets", class: classUS, syntax: jpeg, data: small8(el(0x00280008, "IS", "3"), frames(u32s(0, 30, 56), jpegOf(8, 8, 1), jpegOf(8, 8, 1), jpegOf(8, 8, 1))), sender: "dcmsend"},
		{name: "offsets that are padded, and then not", rule: "pixel.offsets", class: classUS, syntax: jpeg, data: small8(el(0x00280008, "IS", "3"), frames(u32s(0, 31, 64), jpegOf(8, 8, 1), jpegOf(8, 8, 1), jpegOf(8, 8, 1))), sender: "dcmsend"},
		{name: "an offset table of zeros", rule: "pixel.offset-drift", class: classUS, syntax: jpeg, data: small8(el(0x00280008, "IS", "2"), frames(u32s(0, 0), jpegOf(8, 8, 1), jpegOf(8, 8, 1))), sender: "dcmsend"},
		{name: "offsets without padding", rule: "pixel.offset-drift", class: classUS, syntax: jpeg, data: small8(el(0x00280008, "IS", "3"), frames(u32s(0, 31, 62), jpegOf(8, 8, 1), jpegOf(8, 8, 1), jpegOf(8, 8, 1))), sender: "dcmsend"},
		{name: "offsets without headers", rule: "pixel.offset-drift", class: classUS, syntax: jpeg, data: small8(el(0x00280008, "IS", "3"), frames(u32s(0, 24, 48), jpegOf(8, 8, 1), jpegOf(8, 8, 1), jpegOf(8, 8, 1))), sender: "dcmsend"},
		{name: "a large JPEG as second frame of a table without padding", rule: "pixel.codestream-size", class: classUS, syntax: jpeg, data: small8(el(0x00280008, "IS", "2"), frames(u32s(0, 31), jpegOf(8, 8, 1), jpegOf(999, 8, 1))), sender: "dcmsend"},
		{name: "half an offset", rule: "pixel.offsets", class: classUS, syntax: jpeg, data: small8(frames("\x00\x00", jpegOf(8, 8, 1))), sender: "own"},
		{name: "three offsets of two frames", rule: "pixel.offset-count", class: classUS, syntax: jpeg, data: small8(el(0x00280008, "IS", "2"), frames(u32s(0, 36, 72), jpegOf(8, 8, 1), jpegOf(8, 8, 1), jpegOf(8, 8, 1))), sender: "dcmsend"},
		{name: "two frames of three fragments, and no offsets", rule: "pixel.offset-count", class: classUS, syntax: jpeg, data: small8(el(0x00280008, "IS", "2"), frames("", jpegOf(8, 8, 1), jpegOf(8, 8, 1), "1234")), sender: "dcmsend"},
		{name: "an extended offset table of another count", rule: "pixel.offset-count", class: classUS, syntax: jpeg, data: small8(el(0x7FE00001, "OV", u32s(0, 0, 9, 9)), frames("", jpegOf(8, 8, 1))), sender: "dcmsend"},
		{name: "a PNG picture as JPEG", rule: "pixel.codestream", class: classUS, syntax: jpeg, data: small8(frames("", "\x89PNG\r\n\x1a\n")), sender: "dcmsend"},
		{name: "99 segments of RLE", rule: "pixel.codestream", cve: "CVE-2026-5441", class: classUS, syntax: rleTS, data: small8(frames("", rleHeader(99, 64))), sender: "dcmsend"},
		{name: "an RLE segment out of its frame", rule: "pixel.codestream", cve: "CVE-2026-5441", class: classUS, syntax: rleTS, data: small8(frames("", rleHeader(1, 0xFFFFFF))), sender: "dcmsend"},
		{name: "a JPEG of 4096 by 4096", rule: "pixel.codestream-size", class: classUS, syntax: jpeg, data: small8(frames("", jpegOf(4096, 4096, 1))), sender: "dcmsend"},
		{name: "a JPEG of three components", rule: "pixel.codestream-size", class: classUS, syntax: jpeg, data: small8(frames("", jpegOf(8, 8, 3))), sender: "dcmsend"},
		{name: "a large JPEG as second frame", rule: "pixel.codestream-size", class: classUS, syntax: jpeg, data: small8(el(0x00280008, "IS", "2"), frames(u32s(0, uint32(len(jpegOf(8, 8, 1))+8)), jpegOf(8, 8, 1), jpegOf(999, 8, 1))), sender: "dcmsend"},
		{name: "a palette of 65536 entries in 6 bytes", rule: "palette.length", cve: "CVE-2026-5443", data: palette(u16s(0, 0, 16), "123456"), sender: "dcmsend"},
		{name: "a palette of impossible bits", rule: "palette.length", cve: "CVE-2026-5443", data: palette(u16s(3, 0, 99), "123456"), sender: "dcmsend"},
		{name: "a palette without descriptor", rule: "palette.length", data: object(el(0x00281201, "OW", "123456")), sender: "dcmsend"},
		{name: "a lookup table of 4096 entries in 2 bytes", rule: "palette.lut", cve: "CVE-2026-5445", data: object(sq(0x00283000, []part{el(0x00283002, "US", u16s(4096, 0, 16)), el(0x00283006, "OW", "12")})), sender: "dcmsend"},
		{name: "an overlay of 65535 rows in 2 bytes", rule: "overlay.length", data: overlayOf(65535, 65535, "12"), sender: "dcmsend"},
		{name: "an overlay of frames that are not there", rule: "overlay.length", data: overlayOf(8, 8, "12345678", el(0x60000015, "IS", "1000")), sender: "dcmsend"},
		{name: "an overlay far outside", rule: "overlay.origin", data: overlayOf(8, 8, "12345678", el(0x60000050, "SS", u16s(0x8AD0, 1))), sender: "dcmsend"},
	}
}

func documentAttacks() []attack {
	pdf := func(rule, name, content string) attack {
		return attack{name: name, rule: rule, class: classPDF, data: pdfOf(content), sender: "dcmsend"}
	}
	cda := func(rule, name, body string) attack {
		return attack{name: name, rule: rule, class: classCDA, data: cdaOf(body), sender: "dcmsend"}
	}
	packed := func(content, filters string) string {
		return "5 0 obj <</Type /ObjStm /N 1 /First 4 " + filters + " /Length 99>> stream\r\n" + content + "\r\nendstream endobj"
	}
	list := []attack{
		pdf("document.script", "JavaScript", "1 0 obj <</S /JavaScript /JS (app.alert\\(1\\))>> endobj"),
		pdf("document.script", "JavaScript under another name", "1 0 obj <</S /J#61va#53cript>> endobj"),
		pdf("document.script", "JavaScript after a string with brackets", "1 0 obj <</T (a \\) b (c) ) /JS 3 0 R>> endobj"),
		pdf("document.script", "JavaScript in a packed object", packed(zlibOf("1 0 <</S /JavaScript>>"), "/Filter /FlateDecode")),
		pdf("document.script", "JavaScript in a packed object of no type", "5 0 obj <</N 1 /First 4 /Filter /Fl>> stream\n"+zlibOf("1 0 <</JS (x)>>")+"\nendstream endobj"),
		pdf("document.script", "JavaScript in a packed object that is not compressed", packed("1 0 <</JS (x)>>", "")),
		pdf("document.script", "JavaScript after a stream", "2 0 obj <</Length 3>> stream\n(((eendstream endobj 3 0 obj <</JS 4 0 R>> endobj"),
		pdf("document.script", "JavaScript of a model", "1 0 obj <</Type /3D /OnInstantiate 2 0 R>> endobj"),
		pdf("document.launch", "a program that is started", "1 0 obj <</S /Launch /F (calc)>> endobj"),
		pdf("document.launch", "a form that is sent", "1 0 obj <</S /SubmitForm>> endobj"),
		pdf("document.launch", "a share that is opened with it", "1 0 obj <</OpenAction <</S /GoToR /F (x)>> >> endobj"),
		pdf("document.link", "a link to another file", "1 0 obj <</S /GoToR /F (x)>> endobj"),
		pdf("document.open-action", "an action when it is opened", "1 0 obj <</OpenAction 2 0 R>> endobj"),
		pdf("document.link", "an address", "1 0 obj <</S /URI /URI (http)>> endobj"),
		pdf("document.embedded", "a file", "1 0 obj <</Type /EmbeddedFile>> endobj"),
		pdf("document.rich-media", "a film", "1 0 obj <</Subtype /RichMedia>> endobj"),
		pdf("document.xfa", "a form of XML", "1 0 obj <</XFA 2 0 R>> endobj"),
		pdf("document.encrypted", "encryption", "trailer <</Encrypt 2 0 R>>"),
		pdf("document.opaque", "packed objects in LZW", packed("xxxx", "/Filter /LZWDecode")),
		pdf("document.opaque", "packed objects that cannot be unpacked", packed("\x78\x9c\xff\xff\xff\xff", "/Filter /FlateDecode")),
		pdf("document.opaque", "packed objects without end", packed(zlibOf("1 0 <</A (x)>>")[:8], "/Filter /FlateDecode")),
		{name: "packed objects that explode", rule: "document.bomb", cve: "CVE-2026-5439", class: classPDF, data: pdfOf(packed(zlibOf(strings.Repeat(" ", 1<<20)), "/Filter /FlateDecode")), policy: "rules: {document.bomb: {options: {max: 65536}}}", sender: "dcmsend"},
		{name: "an archive after the end", rule: "document.trailing", class: classPDF, data: encapsulated(classPDF, "application/pdf", "%PDF-1.7\n1 0 obj <<>> endobj\n%%EOF\nPK\x03\x04\x14\x00hidden away"), sender: "dcmsend"},
		{name: "much after the end", rule: "document.trailing", class: classPDF, data: encapsulated(classPDF, "application/pdf", "%PDF-1.7\n1 0 obj <<>> endobj\n%%EOF\n1"+strings.Repeat("x", 999)), sender: "dcmsend"},
		{name: "a web page as PDF", rule: "document.type", class: classPDF, data: encapsulated(classPDF, "application/pdf", "<html><body>report</body></html>"), sender: "dcmsend"},
		{name: "a program as PDF", rule: "document.type", class: classPDF, data: encapsulated(classPDF, "application/pdf", program1), sender: "dcmsend"},
		{name: "a PDF behind a script", rule: "document.type", class: classPDF, data: encapsulated(classPDF, "application/pdf", "#!/bin/sh\n%PDF-1.7\n%%EOF"), sender: "dcmsend"},
		{name: "a PDF announced as text", rule: "document.type", class: classPDF, data: encapsulated(classPDF, "text/plain", "%PDF-1.7\n%%EOF"), sender: "dcmsend"},
		{name: "a length beyond the document", rule: "document.length", class: classPDF, data: encapsulated(classPDF, "application/pdf", "%PDF-1.7\n%%EOF", el(0x00420015, "UL", u32s(1<<30))), sender: "dcmsend"},

		cda("cda.script", "a script", "<script>x</script>"),
		cda("cda.script", "a handler", `<td onmouseover="x()">y</td>`),
		cda("cda.script", "an address that runs", `<linkHtml href="java&#115;cript:x()">y</linkHtml>`),
		cda("cda.external", "a body elsewhere", `<component><nonXMLBody><text><reference value="http://x/y"/></text></nonXMLBody></component>`),
		cda("cda.external", "a picture elsewhere", `<observationMedia><value><reference value='//x/y.png'/></value></observationMedia>`),
		cda("document.script", "a PDF in a CDA", `<nonXMLBody><text mediaType="application/pdf" representation="B64">`+base64.StdEncoding.EncodeToString([]byte("%PDF-1.7\n1 0 obj <</JS (x)>> endobj\n%%EOF"))+`</text></nonXMLBody>`),
		cda("document.type", "a program in a CDA", "<nonXMLBody><text representation='B64'>\n "+base64.StdEncoding.EncodeToString([]byte(program1))+"\n</text></nonXMLBody>"),
		cda("document.embedded", "an archive in a CDA", `<observationMedia><value representation="b64">`+base64.StdEncoding.EncodeToString([]byte("PK\x03\x04\x14\x00\x00\x00\x08\x00"))+`</value></observationMedia>`),
		cda("cda.external", "an inclusion", `<xi:include href="x"/>`),
		cda("document.link", "a link", `<linkHtml href="https://x">y</linkHtml>`),
		{name: "an entity", rule: "cda.entity", class: classCDA, data: encapsulated(classCDA, "text/XML", `<?xml version="1.0"?><!DOCTYPE c [<!ENTITY x SYSTEM "y">]><ClinicalDocument/>`), sender: "dcmsend"},
		{name: "an entity in UTF-16", rule: "cda.entity", class: classCDA, data: encapsulated(classCDA, "text/XML", wideOf(`<?xml version="1.0"?><!DOCTYPE c>`)), sender: "dcmsend"},
		{name: "an encoding that hides", rule: "document.opaque", class: classCDA, data: encapsulated(classCDA, "text/XML", `<?xml version="1.0" encoding="UTF-7"?><ClinicalDocument>+ADw-script+AD4-</ClinicalDocument>`), sender: "dcmsend"},
		{name: "a stylesheet", rule: "cda.stylesheet", class: classCDA, data: encapsulated(classCDA, "text/XML", `<?xml-stylesheet type="text/xsl" href="http://x/y.xsl"?><ClinicalDocument/>`), sender: "dcmsend"},
		{name: "a material elsewhere", rule: "mesh.external", class: classOBJ, data: encapsulated(classOBJ, "model/obj", "# mesh\nmtllib ../../x.mtl\nv 0 0 0\n"), sender: "dcmsend"},
		{name: "a texture by an address", rule: "mesh.external", class: classMTL, data: encapsulated(classMTL, "model/mtl", "newmtl a\nmap_Kd http://x/y.png\n"), sender: "dcmsend"},
		{name: "a texture by a share", rule: "mesh.external", class: classMTL, data: encapsulated(classMTL, "model/mtl", "newmtl a\nmap_Kd \\\\x\\y.png\n"), sender: "dcmsend"},
		{name: "a command in a mesh", rule: "mesh.command", class: classOBJ, data: encapsulated(classOBJ, "model/obj", "v 0 0 0\ncsh touch x\n"), sender: "dcmsend"},
		{name: "a mesh that begins as a PDF", rule: "mesh.header", class: classSTL, data: stlOf("%PDF-1.7", 1, 1), sender: "dcmsend"},
		{name: "a mesh that begins as a program", rule: "mesh.header", class: classSTL, data: stlOf("MZ\x90\x00", 1, 1), sender: "dcmsend"},
		{name: "four billion triangles", rule: "mesh.length", class: classSTL, data: stlOf("mesh", 0xFFFFFFFF, 1), sender: "dcmsend"},
	}
	return list
}

func wideOf(s string) string {
	b := []byte{0xFF, 0xFE}
	for _, c := range []byte(s) {
		b = append(b, c, 0)
	}
	return string(b)
}

func identityAttacks() []attack {
	expected := Deps{Pseudonym: func(issuer, id string) string { return "pseudonym of " + issuer + "|" + id },
		Expected: func(instance.Arrival) ([]string, bool) { return []string{"pseudonym of |P-1"}, true }}
	inCase := expected // P-1 is on the list, and P-3 on the table
	inCase.InRoom = func(instance.Arrival) ([]string, bool) { return []string{"pseudonym of |P-3"}, true }
	device := Deps{Device: func(id string) (Facts, bool) {
		return Facts{Manufacturer: "Fictional Imaging Ltd.", Models: []string{"Scan 3"}, Serials: []string{"SN-1"}, Stations: []string{"CT1"}, AETitles: []string{"CT1"}}, id == "dev-1"
	}}
	known := Deps{Known: func(string) [][sha256.Size]byte { return [][sha256.Size]byte{sha256.Sum256(object())} }}
	return []attack{
		{name: "a creator that is not allowed", rule: "private.creator", data: object(el(0x00090010, "LO", "EVIL 1.0"), el(0x00091010, "LO", "x")), sender: "dcmsend"},
		{name: "a creator that is not allowed, in an item", rule: "private.creator", data: object(sq(0x00081140, []part{el(0x00090010, "LO", "EVIL 1.0")})), sender: "dcmsend"},
		{name: "a private element without creator", rule: "private.orphan", data: object(el(0x00091010, "LO", "x")), sender: "dcmsend"},
		{name: "a private element of another block", rule: "private.orphan", data: object(el(0x00090010, "LO", "SIEMENS CT VA1 DUMMY"), el(0x00091110, "LO", "x")), sender: "dcmsend"},
		{name: "another patient", rule: "patient.unexpected", data: object(el(0x00100020, "LO", "P-2")), deps: expected, sender: "dcmsend"},
		{name: "the patient of another issuer", rule: "patient.unexpected", data: object(el(0x00100021, "LO", "ELSEWHERE")), deps: expected, sender: "dcmsend"},
		{name: "the patient before, in a case of another", rule: "patient.other-case", data: object(), deps: inCase, sender: "dcmsend"},
		{name: "the patient of the case, by another issuer", rule: "patient.other-case", data: object(el(0x00100020, "LO", "P-3"), el(0x00100021, "LO", "ELSEWHERE")), deps: inCase, sender: "dcmsend"},
		{name: "no patient", rule: "patient.missing", data: object(el(0x00100020, "LO", "")), deps: expected, sender: "dcmsend"},
		{name: "the same UID with another picture", rule: "identity.duplicate", data: object(el(dicom.TagPixelData, "OW", strings.Repeat("\x11\x00", 64))), deps: known, sender: "dcmsend"},
		{name: "another manufacturer", rule: "identity.device", data: object(el(0x00080070, "LO", "Somebody Else")), deps: device, sender: "dcmsend"},
		{name: "another station", rule: "identity.device", data: object(el(0x00081010, "SH", "CT9")), deps: device, sender: "dcmsend"},
		{name: "another model", rule: "identity.device", data: object(el(0x00081090, "LO", "Scan 4")), deps: device, sender: "dcmsend"},
		{name: "another AE title", rule: "identity.device", data: object(el(0x00400241, "AE", "CT9")), deps: device, sender: "dcmsend"},
		{name: "another serial number", rule: "identity.serial", data: object(el(0x00181000, "LO", "SN-9")), deps: device, sender: "dcmsend"},
		{name: "a study of 2099", rule: "date.future", data: object(el(0x00080020, "DA", "20990101")), sender: "dcmsend"},
		{name: "a study before the birth", rule: "date.order", data: object(el(0x00100030, "DA", "20260601")), sender: "dcmsend"},
		{name: "an acquisition years before the study", rule: "date.order", data: object(el(0x00080022, "DA", "20010101")), sender: "dcmsend"},
	}
}
