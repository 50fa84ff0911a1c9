// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"encoding/hex"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// measurement is what an electrocardiograph attaches to its report.
const measurement = `<?xml version="1.0" encoding="UTF-8"?><AnnotatedECG xmlns="urn:hl7-org:v3"><id root="2.25.7"/></AnnotatedECG>`

// carrying is a PDF with an attached file: its name as it is written in the specification, and its stream.
func carrying(name, stream string, more ...string) []byte {
	return pdfOf("1 0 obj <</Type /Catalog /Names <</EmbeddedFiles <</Names [(x) 3 0 R]>> >> /AF [3 0 R]>> endobj\n" +
		"3 0 obj <</Type /Filespec " + name + " /EF <</F 4 0 R /UF 4 0 R>> /AFRelationship /Data>> endobj\n" + stream + strings.Join(more, "\n"))
}

// fileStream is object 4: a file, with what else its dictionary says.
func fileStream(dictionary, content string) string {
	return "4 0 obj <</Type /EmbeddedFile /Subtype /text#2Fxml " + dictionary + " /Params <</Size 99>> /Length 99>> stream\n" + content + "\nendstream endobj\n"
}

func attached(content string) string { return fileStream("/Filter /FlateDecode", zlibOf(content)) }

// inUTF16 is a name in UTF-16 with its mark, as a string in hexadecimal.
func inUTF16(s string) string {
	b := []byte{0xFE, 0xFF}
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u>>8), byte(u))
	}
	return "<" + hex.EncodeToString(b) + ">"
}

// attachmentAttacks are files in a PDF that are more than data.
func attachmentAttacks() []attack {
	a := func(name string, data []byte) attack {
		return attack{name: name, rule: "document.embedded", class: classPDF, data: data, sender: "dcmsend"}
	}
	ecg := "/F (ecg.xml)"
	long := strings.Repeat("<v>0.17</v>", 1000)
	return []attack{
		a("an attached program", carrying("/F (report.exe)", attached(program1))),
		a("an attached program under the name of a picture", carrying("/F (scan.png)", attached(program1))),
		a("an attached archive under the name of a table", carrying("/F (values.csv)", fileStream("", "PK\x03\x04\x14\x00\x00\x00\x08\x00hidden"))),
		a("an attached script that is only text", carrying("/F (values.js)", attached("1+1"))),
		a("an attached script by its second name", carrying("/F (values.txt) /UF (values.vbs)", attached("1"))),
		a("an attached script by a name in UTF-16", carrying("/UF "+inUTF16("values.vbs"), attached("1"))),
		a("an attached script whose name is escaped", carrying(`/F (values.\152s)`, attached("1"))),
		a("a name that a NUL ends for some", carrying(`/F (values.exe\000.xml)`, attached(measurement))),
		a("a name in UTF-16 that a NUL ends for some", carrying("/UF "+inUTF16("values.exe\x00.xml"), attached(measurement))),
		a("a name without an ending", carrying("/F (values)", attached(measurement))),
		a("a name that is elsewhere", carrying("/F (ecg.xml) /UF 9 0 R", attached(measurement), "9 0 obj (values.exe) endobj")),
		a("an attached page of the web", carrying(ecg, attached("<html><body></body></html>"))),
		a("a script late in an attached file", carrying(ecg, attached(measurement+long+"<ScRipt>inert</script>"))),
		a("a stylesheet of an attached file", carrying(ecg, attached(`<?xml version="1.0"?><?xml-stylesheet href="x"?><a/>`))),
		a("an entity in an attached file", carrying(ecg, fileStream("", `<!DOCTYPE a [<!ENTITY x SYSTEM "y">]><a/>`))),
		a("an attached PDF", carrying("/F (more.xml)", attached("%PDF-1.7\n"))),
		a("an attached file packed in LZW", carrying(ecg, fileStream("/Filter /LZWDecode", "xxxx"))),
		a("an attached file packed twice", carrying(ecg, fileStream("/Filter [/ASCIIHexDecode /FlateDecode]", "xxxx"))),
		a("an attached file with a predictor", carrying(ecg, fileStream("/Filter /FlateDecode /DecodeParms <</Predictor 12>>", zlibOf(measurement)))),
		a("an attached file of which it is elsewhere how it is packed", carrying(ecg, fileStream("/Filter 9 0 R", zlibOf(program1)), "9 0 obj /FlateDecode endobj")),
		a("an attached file that cannot be unpacked", carrying(ecg, fileStream("/Filter /FlateDecode", zlibOf(measurement)[:20]))),
		a("a stream that is not said to be a file", carrying(ecg, "4 0 obj <</Filter /FlateDecode>> stream\n"+zlibOf(program1)+"\nendstream endobj")),
		a("a file in a stream that is not there", carrying(ecg, strings.Replace(attached(measurement), "4 0 obj", "5 0 obj", 1))),
		a("a second stream of the same number", carrying(ecg, "4 0 obj <<>> stream\n"+program1+"\nendstream endobj\n", attached(measurement))),
		a("references that are elsewhere", pdfOf("3 0 obj <</Type /Filespec /F (ecg.xml) /EF 8 0 R>> endobj 8 0 obj <</F 4 0 R>> endobj\n"+attached(measurement))),
		a("a file that is annotated, and nothing more", pdfOf("3 0 obj <</Subtype /FileAttachment /FS 9 0 R>> endobj")),
		a("files that refer to others", carrying(ecg+" /RF <</F [(x) 9 0 R]>>", attached(measurement))),
		a("a file specification in a packed object", pdfOf("5 0 obj <</Type /ObjStm /N 1 /First 4 /Filter /FlateDecode>> stream\n"+zlibOf("3 0 <</Type /Filespec /F (ecg.xml) /EF <</F 9 0 R>> >>")+"\nendstream endobj\n"+attached(measurement))),
		{name: "an attached measurement", rule: "document.attachment", class: classPDF, data: carrying(ecg, attached(measurement)), sender: "dcmsend"},
	}
}

func TestFilesOfDataWithinAPDFAreFlaggedAndNoMore(t *testing.T) {
	long := strings.Repeat("0.17,0.18\r\n", 1000)
	f := New(Default(), Deps{})
	for name, data := range map[string][]byte{
		"a measurement":                            carrying("/F (ecg.xml)", attached(measurement)),
		"a measurement that is not packed":         carrying("/F (ecg.xml)", fileStream("", measurement)),
		"a table of some length":                   carrying(`/F (lab\(1\).CSV) /UF `+inUTF16("lab (1) \u00fc.CSV"), attached(long)),
		"a name in UTF-16 in parentheses":          carrying("/UF (\xfe\xff\x00e\x00.\x00x\x00m\x00l)", attached(measurement)),
		"a long name":                              carrying("/F ("+strings.Repeat("a long name ", 30)+".xml)", attached(measurement)),
		"a picture":                                carrying("/F (loop.png)", fileStream("", "\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR")),
		"XML in UTF-16":                            carrying("/F (ecg.xml)", attached(wideOf(measurement))),
		"a file that is empty":                     carrying("/F (ecg.xml)", attached("")),
		"its specification in a packed object":     pdfOf("5 0 obj <</Type /ObjStm /N 1 /First 4 /Filter /FlateDecode>> stream\n" + zlibOf("3 0 <</Type /Filespec /F (ecg.xml) /EF <</F 4 0 R>> >>") + "\nendstream endobj\n" + attached(measurement)),
		"a file before its specification":          pdfOf(attached(measurement) + "3 0 obj <</Type /Filespec /F (ecg.xml) /EF <</F 4 0 R>> >> endobj"),
		"two files":                                carrying("/F (ecg.xml)", attached(measurement), strings.Replace(attached(long), "4 0 obj", "6 0 obj", 1), "7 0 obj <</Type /Filespec /UF (lab.csv) /EF <</UF 6 0 R>> >> endobj"),
		"a page with an annotation that has flags": carrying("/F (ecg.xml)", attached(measurement), "9 0 obj <</Type /Annot /F 4 /Rect [0 0 9 9] /P 3 0 R>> endobj"),
	} {
		for _, cut := range []int{0, 1, 7} {
			r := inspect(f, arrivalOf(classPDF, explicitLE), data, cut)
			if r.Verdict != instance.Flag || len(r.Hits) != 1 || r.Hits[0].Rule != "document.attachment" {
				t.Errorf("%s, in pieces of %d: %v %v", name, cut, r.Verdict, r.Hits)
			}
		}
	}
}

func TestAnAttachedFileThatExplodesIsABomb(t *testing.T) {
	p, err := Parse("test.yaml", []byte("rules: {document.bomb: {options: {max: 65536}}}"))
	if err != nil {
		t.Fatal(err)
	}
	r := inspect(New(p, Deps{}), arrivalOf(classPDF, explicitLE), carrying("/F (ecg.xml)", attached(strings.Repeat(" ", 1<<20))), 0)
	if met(&r, "document.bomb") == nil || met(&r, "document.embedded") == nil {
		t.Errorf("%v %v", r.Verdict, r.Hits)
	}
}
