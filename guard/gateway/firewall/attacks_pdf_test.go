// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"fmt"
	"strings"
)

// hiding is a PDF with JavaScript in object 7 that a reader finds who goes by the table, and one who reads on easily misses.
type hiding struct {
	name, rule string
	file       string
	seen       string // which of qpdf, mutool and pdfinfo (Poppler) open object 7
}

func hidings() []hiding {
	packed := func(filters, content string) string {
		_, d := oneObject("")
		return newPDFFile().packed(d+" "+filters, content).bytes()
	}
	plain, d := oneObject(script)
	at := func(text string) string {
		content, d := objectsAt(text)
		return newPDFFile().packed(d+" /Filter /FlateDecode", inZlib(content)).bytes()
	}
	with := func(text string) string { return newPDFFile().with(text).bytes() }
	hidden := "@7 7 0 obj " + script + " endobj"
	within := func(head string) string { // in a stream that the keyword seems to end early, or not to end
		return with("5 0 obj <<" + head)
	}
	all := "qpdf mutool pdfinfo"
	goesOn := func() string {
		content, d := objectsAt("<<>> endstream (x @" + script + ") ")
		return newPDFFile().packed(d, content).bytes()
	}
	trailer := func(before, after, space string) string {
		f := newPDFFile()
		f.with("\n4 0 obj <</A /B>> " + before)
		start := len(f.b)
		f.with(strings.ReplaceAll("xref\r0 4\r0000000000 65535 f \r", "\r", space))
		for n := 1; n < 4; n++ {
			f.with(fmt.Sprintf("%010d 00000 n "+space, f.at[n]))
		}
		f.plain = "trailer <</Size 4 /Root <</Type /Catalog /Pages 2 0 R /OpenAction " + script + " /AA <</WC " + script + ">> >> >> " + after + fmt.Sprintf("\nstartxref\n%d\n%%%%EOF\n", start)
		return f.bytes()
	}
	return []hiding{
		{"in LZW", "document.script", packed("/Filter /LZWDecode", inEarlyLZW(plain)), all},
		{"in LZW of late codes", "document.script", packed("/Filter /LZWDecode /DecodeParms <</EarlyChange 0>>", inLZW(plain)), all},
		{"in LZW of long codes", "document.script", packed("/Filter /LZWDecode", inEarlyLZW(plain+long(9000))), all},
		{"in ASCII85", "document.script", packed("/Filter /ASCII85Decode", in85(plain)), all},
		{"in hexadecimal", "document.script", packed("/Filter /ASCIIHexDecode", inHex(plain)), all},
		{"in run lengths", "document.script", packed("/Filter /RunLengthDecode", inRuns(plain)), all},
		{"in zlib, in ASCII85", "document.script", packed("/Filter [/ASCII85Decode /FlateDecode]", in85(inZlib(plain))), all},
		{"in run lengths, in LZW, in hexadecimal, under other names", "document.script", packed("/F#69lter [/AHx /LZW /RL]", inHex(inEarlyLZW(inRuns(plain)))), "mutool pdfinfo qpdf"},
		{"in rows of PNG", "document.script", packed("/Filter /FlateDecode /DecodeParms <</Predictor 12 /Columns 7>>", inZlib(inRows(plain, 7))), all},
		{"in rows of PNG that are told first, in hexadecimal", "document.script", packed("/DecodeParms [null <</Columns 5 /Colors 1 /BitsPerComponent 8 /Predictor 15>>] /Filter [/ASCIIHexDecode /FlateDecode]", inHex(inZlib(inRows(plain, 5)))), all},
		{"in differences of TIFF", "document.script", packed("/Filter /FlateDecode /DecodeParms <</Predictor 2 /Columns 9>>", inZlib(inDifferences(plain, 9))), all},
		{"in an object stream without compression", "document.script", packed("", plain), all},
		{"in an object stream of another type", "document.script", strings.Replace(packed("/Filter /FlateDecode", inZlib(plain)), "/ObjStm", "/Thing#20", 1), ""},

		{"in an object stream of which it is elsewhere how it is packed", "document.opaque", newPDFFile().packed(d+" /Filter 8 0 R", inZlib(plain)).object(8, "/FlateDecode").bytes(), all},
		{"in an object stream of which one filter is elsewhere", "document.opaque", newPDFFile().packed(d+" /Filter [8 0 R]", inZlib(plain)).object(8, "/FlateDecode").bytes(), all},
		{"in an object stream of which parameters are elsewhere", "document.opaque", newPDFFile().packed(d+" /Filter /FlateDecode /DecodeParms 8 0 R", inZlib(inRows(plain, 7))).object(8, "<</Predictor 12 /Columns 7>>").bytes(), all},
		{"in an object stream whose one filter has a list of parameters", "document.opaque", packed("/Filter /FlateDecode /DecodeParms [<</Predictor 12 /Columns 7>>]", inZlib(plain)), "mutool pdfinfo"},
		{"in an object stream of which one parameter is elsewhere", "document.opaque", newPDFFile().packed(d+" /Filter /FlateDecode /DecodeParms <</Predictor 8 0 R /Columns 7>>", inZlib(inRows(plain, 7))).object(8, "12").bytes(), all},
		{"in an object stream that says elsewhere where its objects begin", "document.opaque", newPDFFile().packed("/N 1 /First 8 0 R /Filter /FlateDecode", inZlib(plain)).object(8, "4").bytes(), all},
		{"in an object stream with two filters under one name", "document.opaque", packed("/Filter /ASCIIHexDecode /Filter /FlateDecode", inZlib(plain)), "pdfinfo mutool qpdf"},
		{"in an object stream whose filter has the name that is short", "document.opaque", packed("/F /FlateDecode", inZlib(plain)), "mutool pdfinfo"},
		{"in an object stream whose dictionary holds a keyword", "document.opaque", packed("obj /Filter /FlateDecode", inZlib(plain)), all},
		{"in an object stream whose dictionary seems to end", "document.opaque", newPDFFile().packed("/N 1 /First 4 0 obj /Filter /FlateDecode", inZlib(plain)).bytes(), all},
		{"in an object stream packed twice", "document.opaque", packed("/Filter [/FlateDecode /FlateDecode]", inZlib(inZlib(plain))), all},
		{"in an object stream packed five times", "document.opaque", packed("/Filter [/AHx /AHx /AHx /AHx /FlateDecode]", inHex(inHex(inHex(inHex(inZlib(plain)))))), all},
		{"in an object stream that another reader begins in the next line", "document.opaque", strings.Replace(packed("/Filter /FlateDecode", inZlib(plain)), "stream\n\x78", "stream x\n\x78", 1), ""},
		{"in an object stream that goes on after its end", "document.opaque", goesOn(), "qpdf mutool"},

		{"in a string of an object stream", "document.hidden", at("(        @" + script + ") "), all},
		{"in a comment of an object stream", "document.hidden", at("%        @" + script + "\n"), all},
		{"in brackets of an object stream", "document.hidden", at("<@" + script + ">"), "qpdf mutool"},
		{"in a comment", "document.hidden", with("%" + hidden + "\n"), all},
		{"in a string", "document.hidden", with("\n5 0 obj (" + hidden + ") endobj\n"), all},
		{"in a string that never ends", "document.hidden", with("\n5 0 obj ( endobj\n" + hidden + "\n"), all},
		{"in a string of hexadecimal", "document.hidden", with("\n5 0 obj < endobj\n" + hidden + "\n"), all},
		{"in a string, with comments between its numbers", "document.hidden", with("\n5 0 obj (@7 7%" + long(99) + "\n%\n0 % x\n\tobj" + script + " endobj) endobj\n"), all},
		{"in a string, without space", "document.hidden", with("\n5 0 obj (@7 7 0obj" + script + "endobj) endobj\n"), "pdfinfo"},
		{"in a string, with a sign at its number", "document.hidden", with("\n5 0 obj (@7 7 +0 obj " + script + " endobj) endobj\n"), all},
		{"in a string, with numbers of another kind", "document.hidden", with("\n5 0 obj (@7 7 .0e0 obj " + script + " endobj) endobj\n"), ""},
		{"in a stream", "document.hidden", within("/Length 99>> stream\nBT ET " + hidden + "\nendstream endobj\n"), all},
		{"in a stream that never ends", "document.hidden", within(">> stream\n" + hidden + "\n"), all},
		{"after what ends a stream early", "document.hidden", within("/Length 26>> stream\n% endstream endobj (       \nendstream endobj\n" + hidden + ")\n"), all},
		{"behind a stream whose end is written to", "document.script", within("/Length 6>> stream\nendstrendstream endobj\n" + hidden + "\n"), all},
		{"behind a keyword", "document.script", with("\n5 0 obj stream endobj\n" + hidden + "\n"), all},
		{"behind a keyword in its dictionary", "document.script", with("\n@7 7 0 obj <</A stream /S /JavaScript /JS (app.alert\\(1\\))>> endobj\n"), all},
		{"within a stream in a dictionary", "document.hidden", with("\n@7 7 0 obj <</A <</Length 1>> stream\nx\nendstream /S /JavaScript /JS (app.alert\\(1\\))>> endobj\n"), "qpdf pdfinfo"},
		{"in a catalogue in a trailer in a comment", "document.hidden", trailer("endobj %", "", " "), "mutool"},
		{"in a catalogue in a trailer in a stream", "document.hidden", trailer("endobj 5 0 obj <</Length 9>> stream\n", "\nendstream endobj", "\r"), "mutool"},
		{"in a catalogue in a trailer in a string", "document.hidden", trailer("(", ") endobj", "\r"), "mutool"},
	}
}

// long is innocent text that packs badly.
func long(n int) string {
	var b strings.Builder
	for x := uint32(1); b.Len() < n; x = x*1664525 + 1013904223 {
		b.WriteByte('a' + byte(x>>24)%25)
	}
	return b.String()
}

// hiddenAttacks are PDFs whose objects are hard to see.
func hiddenAttacks() []attack {
	var list []attack
	for _, h := range hidings() {
		list = append(list, attack{name: "JavaScript " + h.name, rule: h.rule, class: classPDF, data: encapsulated(classPDF, "application/pdf", h.file), sender: "dcmsend"})
	}
	return append(list,
		attack{name: "a second file of the same number, written without space", rule: "document.embedded", class: classPDF, data: carrying("/F (ecg.xml)", attached(measurement), "4 0obj <<>> stream\n"+program1+"\nendstream endobj"), sender: "dcmsend"},
		attack{name: "an object stream that says nothing of its objects", rule: "document.opaque", class: classPDF, data: pdfOf("5 0 obj <</Type /ObjStm>> stream\n1 0 <<>>\nendstream endobj"), sender: "dcmsend"},
		attack{name: "an object stream of a filter that nobody knows", rule: "document.opaque", class: classPDF, data: pdfOf("5 0 obj <</Type /ObjStm /N 1 /First 4 /Filter /Fold>> stream\n1 0 <<>>\nendstream endobj"), sender: "dcmsend"},
		attack{name: "an object stream without the header that it must have", rule: "document.opaque", class: classPDF, data: pdfOf("5 0 obj <</Type /ObjStm /N 1 /First 4 /Filter /FlateDecode>> stream\n" + deflated("1 0 <<>> and so on") + "\nendstream endobj"), sender: "dcmsend"},
		attack{name: "an object stream of more objects than there are", rule: "document.opaque", class: classPDF, data: pdfOf("5 0 obj <</Type /ObjStm /N 2 /First 8 /Filter /FlateDecode>> stream\n" + inZlib("1 0 2 9 <<>>") + "\nendstream endobj"), sender: "dcmsend"},
		attack{name: "an object stream of millions of objects", rule: "document.opaque", class: classPDF, data: pdfOf("5 0 obj <</Type /ObjStm /N 5000000 /First 4>> stream\n1 0 <<>>\nendstream endobj"), sender: "dcmsend"},
		attack{name: "an object stream that explodes in hexadecimal", rule: "document.bomb", class: classPDF, data: pdfOf("5 0 obj <</Type /ObjStm /N 1 /First 4 /Filter [/AHx /Fl]>> stream\n" + inHex(inZlib("1 0 "+strings.Repeat(" ", 1<<20))) + "\nendstream endobj"), policy: "rules: {document.bomb: {options: {max: 65536}}}", sender: "dcmsend"},
		attack{name: "an attached program in LZW, in ASCII85", rule: "document.embedded", class: classPDF, data: carrying("/F (ecg.xml)", fileStream("/Filter [/ASCII85Decode /LZWDecode]", in85(inEarlyLZW(program1)))), sender: "dcmsend"},
	)
}
