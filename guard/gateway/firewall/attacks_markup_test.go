// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"unicode/utf16"
)

// markupAttacks are CDA documents and meshes that hide what they hold.
func markupAttacks() []attack {
	whole := func(rule, name, content string) attack {
		return attack{name: name, rule: rule, class: classCDA, data: encapsulated(classCDA, "text/XML", content), sender: "dcmsend"}
	}
	cda := func(rule, name, body string) attack { return whole(rule, name, clinical(body)) }
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	active := "%PDF-1.7\n1 0 obj <</JS (x)>> endobj\n%%EOF"
	packed := b64(active)
	obj := func(rule, name, content string) attack {
		return attack{name: name, rule: rule, class: classOBJ, data: encapsulated(classOBJ, "model/obj", content), sender: "dcmsend"}
	}
	mtl := func(rule, name, content string) attack {
		return attack{name: name, rule: rule, class: classMTL, data: encapsulated(classMTL, "model/mtl", content), sender: "dcmsend"}
	}
	far := strings.Repeat("x", 3000)
	return []attack{
		whole("cda.script", "a script behind ideographs whose bytes are those of a comment", utf16Of(binary.BigEndian, clinical("\u3c21\u2d2d<script>x</script>"))),
		whole("cda.script", "a script in UTF-16 without a mark", strings.TrimPrefix(utf16Of(binary.LittleEndian, clinical("\u213c\u2d2d<script>x</script>")), "\xff\xfe")),
		whole("cda.script", "a script in UTF-32", utf32Of(clinical("\u3c21\u2d2d<script>x</script>"))),
		whole("cda.stylesheet", "a stylesheet in UTF-16", utf16Of(binary.BigEndian, `<?xml version="1.0" encoding="UTF-16"?><?xml-stylesheet type="text/xsl" href="x"?><ClinicalDocument/>`)),
		whole("document.opaque", "an encoding that hides behind another", `<?xml version="1.0 encoding='UTF-8'" encoding = "UTF-7"?><ClinicalDocument/>`),
		cda("cda.script", "a script behind an instruction with one quote", `<?note it's late?><script>x</script><?note it's over?>`),
		cda("cda.script", "a handler far behind", `<td title="`+far+`" onmouseover="x()">y</td>`),
		cda("cda.script", "an address that runs, behind many zeros", `<linkHtml href="&#`+strings.Repeat("0", 3000)+`106;avascript:x()">y</linkHtml>`),
		cda("cda.script", "an address that runs, behind white space", `<linkHtml href="`+strings.Repeat("&#x20;", 2000)+`javascript:x()">y</linkHtml>`),
		cda("cda.script", "a link to a style", `<h:link rel="stylesheet" href="x.css"/>`),
		cda("cda.stylesheet", "a stylesheet within the document", `<xsl:stylesheet version="1.0"/>`),
		cda("cda.external", "a body elsewhere, behind another value", `<nonXMLBody><text><reference title=" value='#a'" value="http://x/y"/></text></nonXMLBody>`),
		cda("cda.external", "a body elsewhere, far behind", `<nonXMLBody><text><reference title="`+far+`" value="http://x/y"/></text></nonXMLBody>`),
		cda("document.script", "a PDF in CDATA", `<nonXMLBody><text representation="B64"><![CDATA[`+packed+`]]></text></nonXMLBody>`),
		cda("document.script", "a PDF with a comment in it", `<nonXMLBody><text representation="B64">`+packed[:10]+`<!-- AAAA --><?AAAA?>`+packed[10:]+`</text></nonXMLBody>`),
		cda("document.script", "a PDF with an element in it", `<nonXMLBody><text representation="B64"><thumbnail/>`+packed+`</text></nonXMLBody>`),
		cda("document.script", "a PDF with a reference to a character in it", `<nonXMLBody><text representation="B64">&#74;`+packed[1:]+`</text></nonXMLBody>`),
		cda("document.script", "a PDF in another element", `<observation><originalText representation='B64'>`+packed+`</originalText></observation>`),
		cda("document.script", "a PDF that is not said to be packed", `<nonXMLBody><text mediaType="application/pdf">`+packed+`</text></nonXMLBody>`),
		cda("document.script", "an attached PDF of packed objects", `<nonXMLBody><text mediaType="application/pdf" representation="B64">`+b64(hidings()[0].file)+`</text></nonXMLBody>`),
		cda("document.opaque", "a PDF that is compressed", `<nonXMLBody><text mediaType="application/pdf" representation="B64" compression="DF">`+b64(deflated(active))+`</text></nonXMLBody>`),
		cda("document.opaque", "a PDF in a document in a document", `<nonXMLBody><text representation="B64">`+strings.Repeat("AAAA", 999)+`<value representation="B64">`+packed+`</value></text></nonXMLBody>`),
		cda("document.embedded", "a page of the web in UTF-16", `<nonXMLBody><text representation="B64">`+b64(wideOf("<html>"))+`</text></nonXMLBody>`),

		obj("mesh.external", "a statement that goes on in the next line", "v 0 0 0\nmtl\\\nlib ../x.mtl\n"),
		obj("mesh.external", "a keyword that ends at its line", "mtllib\\\r\n../x.mtl\n"),
		obj("mesh.external", "a statement that only seems to go on", "f 1 2 3 \\\nmtllib ../x.mtl\n"),
		obj("mesh.external", "a material behind much space", "mtllib"+strings.Repeat(" ", 600)+"../x.mtl\n"),
		obj("mesh.external", "a material behind many others", "mtllib "+strings.Repeat("a.mtl ", 200)+"b/../x.mtl "+strings.Repeat("a.mtl ", 200)+"\n"),
		obj("mesh.external", "a material behind space of another kind", "v 0 0 0\n\x0b\x0cmtllib\x0b../x.mtl\n"),
		obj("mesh.external", "a material behind a mark", "\xef\xbb\xbfmtllib ../x.mtl\n"),
		obj("mesh.external", "a second material on another drive", "mtllib a.mtl C:x.mtl\n"),
		mtl("mesh.external", "a texture by an encoded path", "newmtl a\nmap_Kd %2E%2e%2fx.png\n"),
		mtl("mesh.external", "a texture by an address without slashes", "newmtl a\nmap_Kd -o 1 1 1 file:x.png\n"),
		mtl("mesh.external", "a spectrum elsewhere", "newmtl a\nKd spectral ../../x.rfl 1\n"),
		obj("mesh.command", "a command that goes on in the next line", "cs\\\nh touch x\n"),
		obj("mesh.header", "an archive behind a mesh of text", "v 0 0 0\n"+strings.Repeat("v 0 0 0\n", 200)+"PK\x03\x04\x14\x00\x00\x00\x08\x00hidden"),
		{name: "an archive behind a mesh that is text", rule: "mesh.header", class: classSTL, data: encapsulated(classSTL, "model/stl", "solid liver\n"+strings.Repeat("facet normal 0 0 1\n", 100)+"endsolid\nPK\x03\x04\x14\x00\x00\x00\x08\x00hidden"), sender: "dcmsend"},
		{name: "a PDF within the first bytes of a mesh that is text", rule: "mesh.header", class: classSTL, data: encapsulated(classSTL, "model/stl", "solid liver\n"+strings.Repeat("facet normal 0 0 1\n", 9)+"%PDF-1.7\n"), sender: "dcmsend"},
	}
}

func clinical(body string) string {
	return `<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3">` + body + `</ClinicalDocument>`
}

// utf16Of is a text in UTF-16 with its mark.
func utf16Of(order binary.AppendByteOrder, s string) string {
	b := order.AppendUint16(nil, 0xFEFF)
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

func utf32Of(s string) string {
	b := []byte{0, 0, 0xFE, 0xFF}
	for _, r := range s {
		b = binary.BigEndian.AppendUint32(b, uint32(r))
	}
	return string(b)
}
