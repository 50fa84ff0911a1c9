// SPDX-License-Identifier: Apache-2.0

package charset

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"
)

// declarations are all that PS3.3 §C.12.1.1.2 allows as one value, and code extensions as they are used.
var declarations = []string{
	"", "ISO_IR 6", "ISO_IR 100", "ISO_IR 101", "ISO_IR 109", "ISO_IR 110", "ISO_IR 144", "ISO_IR 127", "ISO_IR 126", "ISO_IR 138", "ISO_IR 148", "ISO_IR 166", "ISO_IR 13", "ISO_IR 203",
	"ISO_IR 192", "GB18030", "GBK",
	"ISO 2022 IR 6", "ISO 2022 IR 100\\ISO 2022 IR 144", "\\ISO 2022 IR 101\\ISO 2022 IR 126", "ISO 2022 IR 109\\ISO 2022 IR 110", "ISO 2022 IR 127\\ISO 2022 IR 138", "ISO 2022 IR 148\\ISO 2022 IR 166",
	"\\ISO 2022 IR 87", "ISO 2022 IR 13\\ISO 2022 IR 87", "\\ISO 2022 IR 87\\ISO 2022 IR 159", "\\ISO 2022 IR 149", "\\ISO 2022 IR 58", "\\ISO 2022 IR 87\\ISO 2022 IR 149\\ISO 2022 IR 58\\ISO 2022 IR 144",
}

// every is one character of each script that some set has, and many more.
func every() []rune {
	var out []rune
	for _, r := range [][2]rune{{0xA0, 0x17F}, {0x370, 0x45F}, {0x5D0, 0x5EA}, {0x60C, 0x652}, {0xE01, 0xE5B}, {0x2010, 0x2033}, {0x2190, 0x2199}, {0x2500, 0x254B}, {0x3001, 0x3029}, {0x3041, 0x30FE}, {0x4E00, 0x9FA5}, {0xAC00, 0xD7A3}, {0xFF01, 0xFF9F}, {0xFFE0, 0xFFE6}, {0x1F600, 0x1F610}} {
		for c := r[0]; c <= r[1]; c++ {
			out = append(out, c)
		}
	}
	return out
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	for _, d := range declarations {
		e, err := NewEncoder([]byte(d))
		if err != nil {
			t.Fatal(err)
		}
		set, written := DICOM([]byte(d)), 0
		for i, c := range every() {
			if c >= 0x3400 && c < 0xFF00 && (i+len(d))%4 != 0 { // of the many a part, another for each declaration
				continue
			}
			for _, text := range []string{string(c), "Yamada^" + string(c) + "=a" + string(c) + "b", "x\\" + string(c) + "\r\n" + string(c) + " " + string(c) + "\ty"} {
				raw, err := e.Encode(text, Name)
				if err != nil {
					var char *CharError
					if !errors.As(err, &char) || char.Char != c {
						t.Fatalf("%s: %q: %v", d, text, err)
					}
					continue
				}
				written++
				got, exact := set.Append(nil, raw, Name)
				if string(got) != text && twins[c] == 0 || !exact {
					t.Fatalf("%s: %q is written as %x and read as %q", d, text, raw, got)
				}
			}
		}
		if written == 0 && d != "" && d != "ISO_IR 6" && d != "ISO 2022 IR 6" {
			t.Errorf("%s: nothing was written", d)
		}
	}
}

// TestTextIsWrittenAsPydicomReadsIt has pydicom read what was written, and asks for every character that was not whether its codecs have it.
func TestTextIsWrittenAsPydicomReadsIt(t *testing.T) {
	if err := exec.Command("/usr/bin/python3", "-c", "import pydicom").Run(); err != nil {
		t.Skip("peer missing: pydicom (Debian package python3-pydicom)")
	}
	type line struct {
		Set  string `json:"set"`
		Text string `json:"text"`
		Hex  string `json:"hex"`
		Name bool   `json:"name"`
	}
	var lines []line
	var in bytes.Buffer
	for _, d := range declarations {
		if d == "ISO_IR 203" { // newer than this pydicom
			continue
		}
		e, err := NewEncoder([]byte(d))
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range every() {
			if c >= 0x3400 && c < 0xFF00 && (i+len(d))%9 != 0 { // of the many a part, another for each declaration
				continue
			}
			for _, text := range []string{string(c), "A^" + string(c) + "b=" + string(c)} {
				l := line{Set: d, Text: text, Name: len(text) > 4}
				if raw, err := e.Encode(text, Name); err == nil {
					l.Hex = hex.EncodeToString(raw)
				} else if l.Name {
					continue
				}
				lines = append(lines, l)
				b, _ := json.Marshal(l)
				in.Write(append(b, '\n'))
			}
		}
	}
	cmd := exec.Command("/usr/bin/python3", "-W", "ignore", "testdata/pydicom_writes.py")
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewScanner(bytes.NewReader(out))
	same := func(a, b string) bool {
		for x, y := range twins {
			if strings.ReplaceAll(a, string(x), string(y)) == b || strings.ReplaceAll(b, string(x), string(y)) == a {
				return true
			}
		}
		return a == b
	}
	read := 0
	for _, l := range lines {
		if !answers.Scan() {
			t.Fatal("pydicom stopped answering")
		}
		var a struct {
			Read  string
			Could bool
		}
		if err := json.Unmarshal(answers.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		a.Read = strings.ReplaceAll(a.Read, "\x1b$)A", "") // pydicom leaves the escape sequence of GB 2312 in the text
		switch {
		case l.Hex == "":
			if a.Could && !strings.ContainsAny(l.Text, "¥‾\u00a0®€") {
				t.Errorf("%s has %q (%U), which is not written", l.Set, l.Text, []rune(l.Text))
			}
		case !same(a.Read, l.Text):
			t.Errorf("%s: %q is written as %s and pydicom reads %q", l.Set, l.Text, l.Hex, a.Read)
		default:
			read++
		}
	}
	if read < 20_000 {
		t.Errorf("only %d texts were compared", read)
	}
}

// TestNamesOfTheStandardsExamples holds what is written to the bytes that PS3.5 annexes H to K print.
func TestNamesOfTheStandardsExamples(t *testing.T) {
	for _, tt := range []struct{ name, declared, text, want string }{
		{"H.3.1: kanji beside ASCII", `\ISO 2022 IR 87`, "Yamada^Tarou=山田^太郎=やまだ^たろう",
			"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"},
		{"H.3.2: kanji beside JIS X 0201", `ISO 2022 IR 13\ISO 2022 IR 87`, "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
			"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J"},
		{"I.2: hangul", `\ISO 2022 IR 149`, "Hong^Gildong=洪^吉洞=홍^길동", "Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf"},
		{"J.1: Chinese in UTF-8", "ISO_IR 192", "Wang^XiaoDong=王^小東", "Wang^XiaoDong=王^小東"},
		{"J.2: Chinese in GB18030", "GB18030", "Wang^XiaoDong=王^小东", "Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab"},
		{"K.2: Chinese with escape sequences", `\ISO 2022 IR 58`, "Zhang^XiaoDong=张^小东", "Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab"},
		{"one set needs no escape sequence", "ISO_IR 100", "Buc^Jérôme", "Buc^J\xe9r\xf4me"},
		{"a set is left before a delimiter", `ISO 2022 IR 100\ISO 2022 IR 144`, "é^Люк=é", "\xe9^\x1b-L\xbb\xee\xda\x1b-A=\xe9"},
		{"and before the end of a line", `\ISO 2022 IR 87`, "山\r\n田", "\x1b$B;3\x1b(B\r\n\x1b$BED\x1b(B"},
	} {
		e, err := NewEncoder([]byte(tt.declared))
		if err != nil {
			t.Fatal(err)
		}
		got, err := e.Encode(tt.text, Name)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %q, want %q (%v)", tt.name, got, tt.want, err)
		}
	}
}

func TestWhatCannotBeWrittenIsNamed(t *testing.T) {
	for _, tt := range []struct{ declared, text, want string }{
		{"", "Müller", "the character U+00FC is not in ISO_IR 6, the default character set"},
		{"ISO_IR 100", "Łódź", "the character U+0141 is not in the character sets ISO_IR 100"},
		{`\ISO 2022 IR 87`, "山田é", `the character U+00E9 is not in the character sets \ISO 2022 IR 87`},
		{"ISO_IR 192", "a\x00b", "the character U+0000 is not in the character sets ISO_IR 192"},
		{"ISO_IR 192", "a\x1b$B", "the character U+001B is not in the character sets ISO_IR 192"},
		{"GBK", "€", "the character U+20AC is not in the character sets GBK"},
		{"ISO_IR 192", "a\xff", "the text is not UTF-8"},
		{"ISO_IR 192", "\ufffd\xff", "the text is not UTF-8"},
	} {
		e, err := NewEncoder([]byte(tt.declared))
		if err != nil {
			t.Fatal(err)
		}
		dst := []byte("kept")
		if got, err := e.Append(dst, tt.text, Text); err == nil || err.Error() != tt.want || string(got) != "kept" {
			t.Errorf("%s, %q: %q, %v", tt.declared, tt.text, got, err)
		}
	}
	for declared, want := range map[string]string{
		"ISO_IR 999":                       "no defined term",
		"ISO-IR 100":                       "no defined term",
		`ISO_IR 100\ISO 2022 IR 144`:       "has no code extensions",
		`ISO_IR 192\ISO 2022 IR 100`:       "allows no other beside it",
		`ISO 2022 IR 87`:                   "cannot be the first value",
		"ISO_IR 87":                        "no defined term",
		strings.Repeat("ISO_IR 100\\", 40): "values, more than",
	} {
		if _, err := NewEncoder([]byte(declared)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", declared, err)
		}
	}
}

func FuzzEncode(f *testing.F) {
	for _, d := range declarations {
		f.Add([]byte(d), "Yamada^山田=é\\Люк\r\n洪 ﾔ")
	}
	f.Fuzz(func(t *testing.T, declared []byte, text string) {
		e, err := NewEncoder(declared)
		if err != nil {
			return
		}
		for _, kind := range []Kind{Text, Name} {
			raw, err := e.Encode(text, kind)
			if err != nil {
				continue
			}
			got, exact := DICOM(declared).Append(nil, raw, kind)
			for _, r := range text {
				if twins[r] != 0 || r == '\ufffd' {
					return // read as its twin
				}
			}
			if string(got) != text || !exact {
				t.Fatalf("%q: %q is written as %x and read as %q (exact %t)", declared, text, raw, got, exact)
			}
		}
	})
}
