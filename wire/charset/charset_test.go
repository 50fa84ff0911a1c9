// SPDX-License-Identifier: Apache-2.0

package charset

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestTextIsReadAsPydicomReadsIt compares with an independent reader: its sample files
// in all character sets, each byte and each pair of its codecs.
func TestTextIsReadAsPydicomReadsIt(t *testing.T) {
	if err := exec.Command("/usr/bin/python3", "-c", "import pydicom").Run(); err != nil {
		t.Skip("pydicom is not installed (Debian package python3-pydicom)")
	}
	out, err := exec.Command("/usr/bin/python3", "-W", "ignore", "testdata/pydicom_reads.py").Output()
	if err != nil {
		t.Fatal(err)
	}
	// Pairs for which tables differ, and both are right: Python's follow JIS, KS and
	// GB, those of the Encoding Standard what the web shows.
	known := strings.NewReplacer("〜", "~", "～", "~", "‖", "∥", "−", "－", "¢", "￠", "£", "￡", "¬", "￢", "＼", "\\", "―", "—", "・", "·", "¥", "\\", "‾", "~")
	n, sets := 0, map[string]bool{}
	lines := bufio.NewScanner(strings.NewReader(string(out)))
	for lines.Scan() {
		var v struct {
			Set, Raw, Text string
			Name           bool
		}
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		raw, err := hex.DecodeString(v.Raw)
		if err != nil {
			t.Fatal(err)
		}
		kind := Text
		if v.Name {
			kind = Name
		}
		n++
		sets[v.Set] = true
		s := DICOM([]byte(v.Set))
		got, exact := s.Append(nil, raw, kind)
		if !s.Known() {
			t.Fatalf("%s is not known", v.Set)
		}
		if string(got) == v.Text && exact {
			continue
		}
		if known.Replace(string(got)) == known.Replace(v.Text) {
			continue
		}
		t.Errorf("%s: %x is %q (exact %t), pydicom reads %q", v.Set, raw, got, exact, v.Text)
	}
	if n < 35_000 || len(sets) < 30 {
		t.Errorf("%d values of %d declarations were compared", n, len(sets))
	}
}

func TestWhatDevicesDeclareAndSend(t *testing.T) {
	dicom := func(s string) Set { return DICOM([]byte(s)) }
	hl7 := func(names ...string) Set {
		var l [][]byte
		for _, n := range names {
			l = append(l, []byte(n))
		}
		return HL7(l...)
	}
	for _, tt := range []struct {
		name, text, want string
		set              Set
		exact, known     bool
	}{
		{"nothing declared", "Smith", "Smith", dicom(""), true, true},
		{"nothing declared, and UTF-8 sent", "Müller", "Müller", dicom(""), false, true},
		{"nothing declared, and Latin-1 sent", "M\xfcller", "M\ufffdller", dicom(""), false, true},
		{"the same over HL7", "M\xfcller", "Müller", hl7(), false, true},
		{"a term as devices write it", "M\xfcller", "Müller", dicom("ISO-IR 100 "), true, true},
		{"an extension declared and its escape sequence left out", "M\xfcller", "Müller", dicom("\\ISO 2022 IR 100"), false, true},
		{"the same with pairs", "\xfb\xf3", "洪", dicom("\\ISO 2022 IR 149"), false, true},
		{"an escape sequence that was not declared", "\x1b$B;3\x1b(B.", "山.", dicom("ISO_IR 100"), true, true},
		{"an unknown escape sequence", "a\x1b(0b", "ab", dicom("ISO_IR 100"), false, true},
		{"half an escape sequence", "a\x1b$", "a$", dicom("ISO_IR 100"), false, true},
		{"an unknown term", "M\xfcller", "M\ufffdller", dicom("ISO_IR 999"), false, false},
		{"half a pair", "\x1b$)C\xfb", "\ufffd", dicom("\\ISO 2022 IR 149"), false, true},
		{"a pair that is none", "\x1b$B\x7d\x7e\x1b(B.", "\ufffd.", dicom("\\ISO 2022 IR 87"), false, true},
		{"a backslash among pairs is half of one", "\x1b$B\x30\x5c\x1b(B", "移", dicom("\\ISO 2022 IR 87"), true, true},
		{"sets go back at a delimiter", "\x1b-L\xb8\\\xb8^\x1b-L\xb8^\xb8", "И\\¸^И^И", dicom("ISO 2022 IR 100"), true, true},
		{"control characters", "a\x00b\x7f\tc", "a b \tc", dicom("ISO_IR 100"), true, true},
		{"UTF-8 and half a character", "\xe7\x8e\x8b\xe7", "王\ufffd", dicom("ISO_IR 192"), false, true},
		{"escape in UTF-8 is a control", "\x1b$B", " $B", dicom("ISO_IR 192"), true, true},
		{"GB18030 and half a pair", "\xcd\xf5\xcd", "王\ufffd", dicom("GB18030"), false, true},
		{"HL7 names a set and sends UTF-8", "Müller", "Müller", hl7("8859/1"), false, true},
		{"HL7 with 8859/2", "\xa3\xf3d\xbc", "Łódź", hl7("8859/2"), true, true},
		{"HL7 in Japan", "\x1b$B;3ED\x1b(B", "山田", hl7("ASCII", "ISO IR87"), true, true},
		{"HL7 in Korea", "\xfb\xf3", "洪", hl7("KS X 1001"), true, true},
		{"HL7 in Taiwan", "\xa4\xfd", "王", hl7("BIG-5"), true, true},
		{"Windows-1252 under its own name", "5 \x80", "5 €", hl7("WINDOWS-1252"), true, true},
		{"HL7 in a set that is not read", "a", "a", hl7("CNS 11643-1992"), true, false},
	} {
		got, exact := tt.set.Append(nil, []byte(tt.text), Text)
		if string(got) != tt.want || exact != tt.exact || tt.set.Known() != tt.known {
			t.Errorf("%s: %q, exact %t, known %t", tt.name, got, exact, tt.set.Known())
		}
	}
	if got := dicom("ISO_IR 100").Decode([]byte("M\xfcller \x00")); got != "Müller" {
		t.Errorf("padding: %q", got)
	}
	if got, _ := dicom("").WithFallback(Latin1).Append(nil, []byte("M\xfcller"), Text); string(got) != "Müller" {
		t.Errorf("fallback: %q", got)
	}
	if got, _ := dicom("ISO 2022 IR 100").Append(nil, []byte("\x1b-L\xb8^\xb8"), Name); string(got) != "И^¸" {
		t.Errorf("sets do not go back in a name: %q", got)
	}
}

func TestPlainTextCostsItsResultOnly(t *testing.T) {
	text, s := []byte("ISO_IR 100 CT-1"), DICOM([]byte("ISO_IR 100"))
	if n := testing.AllocsPerRun(100, func() { _ = s.Decode(text) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
	dst, latin := make([]byte, 0, 64), []byte("M\xfcller")
	if n := testing.AllocsPerRun(100, func() { dst, _ = s.Append(dst[:0], latin, Text) }); n != 0 {
		t.Errorf("%v allocations for a set of single bytes", n)
	}
	if n := testing.AllocsPerRun(100, func() { _ = DICOM(text) }); n != 0 {
		t.Errorf("%v allocations for a declaration", n)
	}
}

func FuzzAppend(f *testing.F) {
	for _, declared := range []string{"", "ISO_IR 100", "ISO 2022 IR 13\\ISO 2022 IR 87", "\\ISO 2022 IR 149", "\\ISO 2022 IR 58", "GB18030", "GBK", "ISO_IR 192", "8859/5", "BIG-5"} {
		f.Add([]byte(declared), []byte("Yamada^\x1b$B;3ED\x1b(B=\x1b$)C\xfb\xf3\xd4\xcf"))
	}
	f.Fuzz(func(t *testing.T, declared, text []byte) {
		for _, s := range []Set{DICOM(declared), HL7(declared), HL7(declared, []byte("ISO IR87"))} {
			for _, kind := range []Kind{Text, Name} {
				got, exact := s.Append([]byte("x"), text, kind)
				if !utf8.Valid(got) || got[0] != 'x' || len(got) > 1+3*len(text) {
					t.Fatalf("%d bytes of %d, %q", len(got), len(text), got)
				}
				if exact && strings.ContainsRune(string(got), utf8.RuneError) && !strings.Contains(string(text), "\ufffd") && s.scheme != gb18030 {
					t.Fatalf("%q is said to be exact", got)
				}
			}
			_ = s.Decode(text)
		}
	})
}
