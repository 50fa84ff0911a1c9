// SPDX-License-Identifier: Apache-2.0

package dicom

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/asepsis/asepsis/wire/charset"
)

// people are names in the scripts that hospitals write, each with a declaration that has it.
var people = []struct{ declared, name, comment string }{
	{"", "Smith^Jane", "plain"},
	{"ISO_IR 100", "Buc^Jérôme", "élève"},
	{"ISO_IR 101", "Wałęsa^Łucja", "żółć"},
	{"ISO_IR 109", "Ħaż-Żebbuġ^Ġorġ", "ĉ"},
	{"ISO_IR 110", "Bērziņš^Jānis", "ēģ"},
	{"ISO_IR 144", "Люкceмбypг", "диплом"},
	{"ISO_IR 127", "قباني^لنزار", "قباني"},
	{"ISO_IR 126", "Διονυσιος", "Διον"},
	{"ISO_IR 138", "שרון^דבורה", "שרון"},
	{"ISO_IR 148", "Çavuşoğlu", "şi"},
	{"ISO_IR 166", "สมชาย^ใจดี", "ไทย"},
	{"ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ", "ﾔﾏ"},
	{"ISO 2022 IR 13\\ISO 2022 IR 87", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう", "あaｱア"},
	{"\\ISO 2022 IR 87\\ISO 2022 IR 159", "Yamada^Tarou=山田^太郎=俿^丂", "丂 山"},
	{"\\ISO 2022 IR 149", "Hong^Gildong=洪^吉洞=홍^길동", "길동"},
	{"\\ISO 2022 IR 58", "Zhang^XiaoDong=张^小东", "第一行"},
	{"ISO_IR 192", "Wang^XiaoDong=王^小東", "王 é Ж 🫀"},
	{"GB18030", "Wang^XiaoDong=王^小东", "小 Ж"},
	{"GBK", "Wang^XiaoDong=王^小东", "小東"},
	{"ISO 2022 IR 100\\ISO 2022 IR 144\\ISO 2022 IR 126", "é^Люк=Διο^é", "éЛΔ"},
}

func TestTextOfEveryCharacterSetIsReadByPydicom(t *testing.T) {
	if err := exec.Command("/usr/bin/python3", "-c", "import pydicom").Run(); err != nil {
		t.Skip("peer missing: pydicom (Debian package python3-pydicom)")
	}
	dir := t.TempDir()
	var files []string
	for i, p := range people {
		for _, syntax := range []string{ExplicitVRLittleEndian, ImplicitVRLittleEndian} {
			s, _ := SyntaxOf(syntax)
			file, err := AppendFileHead(nil, Preamble{}, &FileMeta{SOPClass: "1.2.840.10008.5.1.4.1.1.7", SOPInstance: "1.2.3", TransferSyntax: syntax, ImplUID: "1.2.3.4"})
			if err != nil {
				t.Fatal(err)
			}
			out := bytes.NewBuffer(file)
			w := NewWriter(out, s)
			w.CharacterSet(p.declared)
			w.Text(0x00100010, PN, p.name)
			w.Sequence(0x00101002, func() { w.Text(0x00100020, LO, "4711") }, func() { // the second item has a set of its own
				w.CharacterSet("ISO_IR 192")
				w.Text(0x00100020, LO, "王")
			})
			w.Text(0x00104000, LT, p.comment+"\r\n"+p.comment)
			if err := w.Close(); err != nil {
				t.Fatalf("%s: %v", p.declared, err)
			}
			name := filepath.Join(dir, string(rune('a'+i))+map[bool]string{true: "e", false: "i"}[s.Explicit]+".dcm")
			if err := os.WriteFile(name, out.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			files = append(files, name)
		}
	}
	read := `import json, sys, pydicom
for f in sys.argv[1:]:
    d = pydicom.dcmread(f)
    print(json.dumps([str(d.PatientName), d.PatientComments, d.OtherPatientIDsSequence[1].PatientID]))`
	out, err := exec.Command("/usr/bin/python3", append([]string{"-W", "ignore", "-c", read}, files...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	for i := range files {
		p := people[i/2]
		var got [3]string
		if err := json.Unmarshal(lines[i], &got); err != nil {
			t.Fatal(err)
		}
		for k := range got { // pydicom leaves the escape sequence of GB 2312 in the text
			got[k] = string(bytes.ReplaceAll([]byte(got[k]), []byte("\x1b$)A"), nil))
		}
		if want := [3]string{p.name, p.comment + "\r\n" + p.comment, "王"}; got != want {
			t.Errorf("%s: pydicom reads %q, want %q", p.declared, got, want)
		}
	}
}

func TestACharacterThatTheSetHasNotIsNamed(t *testing.T) {
	w := NewWriter(new(bytes.Buffer), Syntax{Explicit: true})
	w.CharacterSet("ISO_IR 100")
	w.Text(0x00100010, PN, "山田")
	var char *charset.CharError
	var e *Error
	if err := w.Close(); !errors.As(err, &char) || char.Char != '山' || !errors.As(err, &e) || e.Tag != 0x00100010 {
		t.Errorf("%v", err)
	}
	w = NewWriter(new(bytes.Buffer), Syntax{Explicit: true})
	w.CharacterSet("ISO_IR 999")
	if err := w.Close(); !errors.Is(err, ErrStructure) {
		t.Errorf("%v", err)
	}
	w = NewWriter(new(bytes.Buffer), Syntax{Explicit: true})
	w.CharacterSet("ISO_IR 192")
	w.Text(0x00100010, PN, `a\b`)
	if err := w.Close(); !errors.Is(err, ErrStructure) {
		t.Errorf("a backslash: %v", err)
	}
}
