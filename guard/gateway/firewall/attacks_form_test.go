// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"strings"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
)

// attack is something inert that looks as an attack does.
type attack struct {
	name   string
	rule   string
	cve    string // the class that it stands for
	class  string // classCT when empty
	syntax string // explicit VR little endian when empty
	data   []byte
	policy string // the default when empty
	deps   Deps
	change func(a *instance.Arrival)
	// sender says who sends it over a network: "dcmsend" (DCMTK), "own" for what DCMTK
	// mends or refuses, "-" for what does not come by DIMSE, or is refused there when the association is negotiated.
	sender string
}

// formAttacks are about how a data set is written.
func formAttacks() []attack {
	deep := strings.Builder{}
	for range 33 {
		deep.WriteString("\x40\x00\x30\xa7SQ\x00\x00\xff\xff\xff\xff" + itemStart)
	}
	bomb := deflated(string(object(lying(0x00420011, "OB", 20<<20, strings.Repeat("\x00", 20<<20)))))
	return []attack{
		{name: "a Windows program as preamble", rule: "preamble.executable", cve: "CVE-2019-11687", data: object(), sender: "-", change: preamble("MZ\x90\x00")},
		{name: "a Unix program as preamble", rule: "preamble.executable", cve: "CVE-2019-11687", data: object(), sender: "-", change: preamble("\x7fELF\x02\x01\x01")},
		{name: "a macOS program as preamble", rule: "preamble.executable", cve: "CVE-2019-11687", data: object(), sender: "-", change: preamble("\xcf\xfa\xed\xfe\x07")},
		{name: "a script as preamble", rule: "preamble.executable", cve: "CVE-2019-11687", data: object(), sender: "-", change: preamble("#!/bin/sh\n")},
		{name: "an archive as preamble", rule: "preamble.executable", data: object(), sender: "-", change: preamble("PK\x03\x04")},
		{name: "a PDF as preamble", rule: "preamble.executable", data: object(), sender: "-", change: preamble("%PDF-1.7")},
		{name: "text as preamble", rule: "preamble.other", data: object(), sender: "-", change: preamble("written by somebody")},
		{name: "a TIFF file as preamble, where that is not allowed", rule: "preamble.tiff", data: object(), sender: "-", policy: "rules: {preamble.tiff: {verdict: quarantine}}", change: preamble("II*\x00")},

		{name: "a PNG picture in place of a data set", rule: "syntax.not-dicom", data: []byte("\x89PNG\r\n\x1a\n" + strings.Repeat("x", 200)), sender: "own"},
		{name: "a web page in place of a data set", rule: "syntax.not-dicom", data: []byte("<html><body>" + strings.Repeat("x", 200)), sender: "own"},
		{name: "a Windows program in place of a data set", rule: "syntax.not-dicom", data: []byte(program1), sender: "own"},
		{name: "nothing", rule: "syntax.not-dicom", sender: "own"},
		{name: "a whole file in a C-STORE", rule: "syntax.part10", data: append(make([]byte, 128), append([]byte("DICM"), object()...)...), sender: "own"},
		{name: "a prefix without preamble", rule: "syntax.not-dicom", data: append([]byte("DICM"), object()...), sender: "own"},
		{name: "implicit VR announced as explicit", rule: "syntax.mislabelled", data: implicitObject(), sender: "own"},
		{name: "explicit VR announced as implicit", rule: "syntax.mislabelled", syntax: dicom.ImplicitVRLittleEndian, data: object(), sender: "own"},
		{name: "file meta information in the data set", rule: "syntax.file-meta", data: object(el(0x00020010, "UI", "1.2.840.10008.1.2.2")), sender: "own"},
		{name: "a transfer syntax that nobody knows", rule: "syntax.transfer-syntax", syntax: "1.2.3.4.5", data: object(), sender: "-"},
		{name: "a SOP class that nobody knows", rule: "syntax.sop-class", class: "1.2.3.4.5", data: objectOf("1.2.3.4.5"), sender: "own"},
		{name: "a class that is no storage", rule: "syntax.not-storage", class: dicom.UIDMPPS, data: objectOf(dicom.UIDMPPS), sender: "own"},
		{name: "a PDF announced as CT", rule: "syntax.class-mismatch", data: objectOf(classPDF), sender: "own"},
		{name: "another instance than announced", rule: "syntax.instance-mismatch", data: object(el(0x00080018, "UI", "2.25.6666")), sender: "own"},

		{name: "a UID that climbs out of the archive", rule: "uid.path", cve: "CVE-2026-50003", data: object(el(0x0020000D, "UI", "../../etc/cron.d/x")), sender: "dcmsend"},
		{name: "a UID of two dots", rule: "uid.path", cve: "CVE-2022-2119", data: object(el(0x0020000E, "UI", "..")), sender: "dcmsend"},
		{name: "a UID that is a path of Windows", rule: "uid.path", cve: "CVE-2022-2120", data: object(el(0x0020000D, "UI", `1.2\..\x`)), sender: "dcmsend"},
		{name: "a UID with a NUL in its middle", rule: "uid.path", cve: "CVE-2026-52868", data: object(el(0x0020000D, "UI", "1.2.3\x00.sh1")), sender: "own"},
		{name: "a UID with a command", rule: "uid.path", data: object(el(0x0020000D, "UI", "1.2$(id)")), sender: "dcmsend"},
		{name: "a percent-encoded UID", rule: "uid.path", data: object(el(0x0020000D, "UI", "1.2%2f..%2fx")), sender: "dcmsend"},
		{name: "a UID of the command that is a path", rule: "uid.path", data: object(), sender: "own", change: func(a *instance.Arrival) { a.SOPInstance = "../x" }},
		{name: "a UID that refers to a path, in an item", rule: "uid.path", data: object(sq(0x00081140, []part{el(0x00081150, "UI", classCT), el(0x00081155, "UI", "/etc/passwd")})), sender: "dcmsend"},
		{name: "a UID with leading zeros", rule: "uid.invalid", data: object(el(0x0020000D, "UI", "1.02.3")), sender: "dcmsend"},
		{name: "a UID of 66 characters", rule: "uid.invalid", data: object(el(0x0020000D, "UI", "1."+strings.Repeat("2", 64))), sender: "dcmsend"},
		{name: "no study", rule: "uid.missing", data: object(without(0x0020000D)), sender: "dcmsend"},

		{name: "a value longer than the stream", rule: "structure.truncated", cve: "CVE-2026-3650", data: object(last(lying(0x7FE10010, "UN", 0xFFFFFFF0, "x"))), sender: "own"},
		{name: "meta information longer than what is there", rule: "structure.truncated", cve: "CVE-2026-5437", data: append(lying(0x00020000, "UL", 4, u32s(0xFFFF)).b, lying(0x00020102, "OB", 0xFFFF0000, "x").b...), sender: "own"},
		{name: "pixel data that ends early", rule: "structure.truncated", data: object()[:len(object())-20], sender: "own"},
		{name: "half a header at the end", rule: "structure.truncated", data: object(raw("\xe1\x7f\x10\x10U")), sender: "own"},
		{name: "a deflated data set without its end", rule: "structure.truncated", syntax: dicom.DeflatedExplicitVRLittleEndian, data: []byte(deflated(string(object())))[:200], sender: "own"},
		{name: "an item longer than its sequence", rule: "structure.malformed", data: object(lying(0x00081140, "SQ", 16, "\xfe\xff\x00\xe0\xff\x00\x00\x00"+strings.Repeat("x", 8))), sender: "own"},
		{name: "a value longer than its item", rule: "structure.malformed", data: object(lying(0x00081199, "SQ", 20, "\xfe\xff\x00\xe0\x0c\x00\x00\x00\x08\x00\x50\x11UI\xff\x7f1.2.")), sender: "own"},
		{name: "an end of what was never begun", rule: "structure.malformed", data: object(raw(seqEnd)), sender: "own"},
		{name: "no value representation", rule: "structure.malformed", data: object(raw("\xe1\x7f\x10\x10\x01\x02\x03\x04")), sender: "own"},
		{name: "deflated bytes that are none", rule: "structure.malformed", syntax: dicom.DeflatedExplicitVRLittleEndian, data: []byte(strings.Repeat("\xff", 200)), sender: "own"},
		{name: "33 sequences in each other", rule: "structure.depth", data: object(raw(deep.String())), sender: "own"},
		{name: "more elements than allowed", rule: "structure.elements", data: object(sq(0x00081140, many(2000)...)), policy: "rules: {structure.elements: {options: {max: 1000}}}", sender: "own"},
		{name: "many private elements", rule: "structure.private-count", data: object(privateOf(300)...), policy: "rules: {structure.private-count: {options: {max: 100}}}", sender: "own"},
		{name: "a fragment bomb", rule: "structure.fragments", class: classUS, syntax: jpeg, data: small8(frames("", append([]string{jpegOf(8, 8, 1)}, make([]string, 6000)...)...)), sender: "own"},
		{name: "a deflate bomb", rule: "structure.inflate", cve: "CVE-2026-5438", syntax: dicom.DeflatedExplicitVRLittleEndian, data: []byte(bomb), sender: "own"},
		{name: "a deflated data set beyond its bound", rule: "structure.inflate", syntax: dicom.DeflatedExplicitVRLittleEndian, data: []byte(deflated(string(object()))), policy: "rules: {structure.inflate: {options: {max: 500}}}", sender: "own"},
		{name: "two patient IDs", rule: "structure.duplicate", data: object(again(el(0x00100020, "LO", "P-2"))), sender: "own"},
		{name: "a second patient ID at the end", rule: "structure.duplicate", data: object(last(el(0x00100020, "LO", "P-2"))), sender: "own"},
		{name: "an element twice in an item", rule: "structure.duplicate", data: object(sq(0x00081140, []part{el(0x00081150, "UI", classCT), el(0x00081150, "UI", classCT)})), sender: "own"},
		{name: "elements out of order", rule: "structure.order", data: object(last(el(0x00104000, "LT", "comment"))), sender: "own"},
		{name: "a command set in the data set", rule: "structure.reserved-group", data: object(el(0x00000002, "UI", classCT)), sender: "own"},
		{name: "a forbidden group", rule: "structure.reserved-group", data: object(el(0x00010010, "LO", "x")), sender: "own"},
		{name: "a group length that lies", rule: "structure.group-length", data: object(lying(0x00080000, "UL", 4, u32s(0xFFFFFF00))), sender: "own"},
		{name: "a value of odd length", rule: "structure.odd-length", data: object(lying(0x00100020, "LO", 3, "P-1")), sender: "own"},
		{name: "an archive in the padding at the end", rule: "structure.trailing", data: object(el(dicom.TagDataSetPadding, "OB", "PK\x03\x04 hidden here")), sender: "own"},
		{name: "zeros at the end", rule: "structure.trailing", data: object(raw("\x00\x00\x00\x00\x00")), sender: "own"},
		{name: "bytes after a deflated data set", rule: "structure.trailing", syntax: dicom.DeflatedExplicitVRLittleEndian, data: []byte(deflated(string(object())) + "hidden"), sender: "own"},

		{name: "a value representation that does not exist", rule: "vr.unknown", data: object(el(0x00100020, "ZZ", "P-1")), sender: "own"},
		{name: "a name that is a sequence", rule: "vr.confusion", data: object(sq(0x00100010)), sender: "own"},
		{name: "a sequence that is text", rule: "vr.confusion", data: object(el(0x00081140, "LT", "not a sequence")), sender: "own"},
		{name: "a description that is a number", rule: "vr.confusion", data: object(el(0x00081030, "UL", u32s(7))), sender: "own"},
		{name: "an unknown value that is no sequence", rule: "vr.confusion", data: object(el(0x00081140, "UN", "not a sequence")), sender: "own"},
		{name: "a count of 32 bits", rule: "vr.confusion", data: object(el(0x00280106, "UL", u32s(7))), sender: "own"},
		{name: "rows of 32 bits", rule: "vr.dimension", cve: "CVE-2026-5442", data: object(el(0x00280010, "UL", u32s(0x10008))), sender: "own"},
		{name: "rows as text", rule: "vr.dimension", cve: "CVE-2026-5442", data: object(el(0x00280010, "IS", "8")), sender: "own"},
		{name: "two values of columns", rule: "vr.dimension", data: object(el(0x00280011, "US", u16s(8, 9999))), sender: "own"},
		{name: "no value of bits", rule: "vr.dimension", data: object(el(0x00280100, "US", "")), sender: "own"},
		{name: "a collimation of 32 bits where 64 are", rule: "vr.dictionary", data: object(el(0x00189306, "FL", u32s(0x3F800000))), sender: "own"},
		{name: "rows of an overlay of 32 bits", rule: "vr.confusion", data: object(el(0x60000010, "UL", u32s(8))), sender: "own"},
		{name: "a patient ID as a short string", rule: "vr.dictionary", data: object(el(0x00100020, "SH", "P-1")), sender: "own"},
		{name: "a number of seven bytes", rule: "vr.length", data: object(lying(0x00189087, "FD", 7, "1234567")), sender: "own"},
		{name: "letters in a number", rule: "vr.format", data: object(el(0x00200013, "IS", "12abc")), sender: "dcmsend"},
		{name: "a date that is none", rule: "vr.format", data: object(el(0x00080020, "DA", "20xx0530")), sender: "dcmsend"},
	}
}

// program1 is the head of a Windows program that does nothing: there is no code in it.
const program1 = "MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff\x00\x00\xb8\x00\x00\x00\x00\x00\x00\x00@\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00@\x00\x00\x00PE\x00\x00\x64\x86\x00\x00"

const (
	elf1    = "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00>\x00"
	macho1  = "\xcf\xfa\xed\xfe\x07\x00\x00\x01\x03\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00"
	shebang = "#!/bin/sh\necho inert\n"
)

func preamble(s string) func(*instance.Arrival) {
	return func(a *instance.Arrival) {
		p := new([128]byte)
		copy(p[:], s)
		a.Preamble, a.Sender.Way = p, instance.File
	}
}

func implicitObject(more ...part) []byte {
	var b []byte
	for _, p := range append([]part{implicit(0x00080016, classCT+"\x00"), implicit(0x00080018, theUID+"\x00"), implicit(0x00100020, "P-1 "), implicit(0x0020000D, "2.25.1002\x00"), implicit(0x0020000E, "2.25.1003\x00")}, more...) {
		b = append(b, p.b...)
	}
	return b
}

func many(n int) [][]part { return make([][]part, n) }

func privateOf(n int) []part {
	out := []part{el(0x00090010, "LO", "SIEMENS CT VA1 DUMMY")}
	for i := range n {
		out = append(out, el(dicom.MakeTag(0x0009, 0x1000+uint16(i)&0xFF), "LO", "x"))
	}
	return out[:min(len(out), 257)]
}

// small8 is a picture of 8 by 8 pixels of 8 bits with other pixel data.
func small8(changes ...part) []byte {
	return objectOf(classUS, append([]part{el(0x00280100, "US", u16s(8)), el(0x00280101, "US", u16s(8)), el(0x00280102, "US", u16s(7))}, changes...)...)
}
