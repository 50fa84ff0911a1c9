// SPDX-License-Identifier: Apache-2.0

package dicom

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTablesAreSorted(t *testing.T) {
	if !slices.IsSorted(dictTags[:]) {
		t.Error("dictTags is not sorted")
	}
	if !slices.IsSortedFunc(uidTable[:], func(a, b uidEntry) int { return strings.Compare(a.suffix, b.suffix) }) {
		t.Error("uidTable is not sorted")
	}
	for i, tag := range dictTags {
		if k := keywordAt(i); k != "" {
			if got, ok := TagOf(k); !ok || got != tag {
				t.Fatalf("TagOf(%q) = %v, want %v", k, got, tag)
			}
		}
	}
}

func TestLookupKnowsWhatThePartSixSays(t *testing.T) {
	for _, c := range []struct {
		tag     Tag
		keyword string
		vr      VR
		vm      string
	}{
		{TagModality, "Modality", CS, "1"},
		{TagPixelData, "PixelData", OW, "1"},
		{0x00280106, "SmallestImagePixelValue", US, "1"},
		{0x60023000, "OverlayData", OW, "1"},
		{0x00090010, "PrivateCreator", LO, "1"},
		{0x00080000, "GenericGroupLength", UL, "1"},
		{TagSoftwareVersions, "SoftwareVersions", LO, "1-n"},
	} {
		e, ok := Lookup(c.tag)
		if !ok || e.Keyword != c.keyword || e.VR != c.vr || e.VM != c.vm {
			t.Errorf("%v: %+v, %v", c.tag, e, ok)
		}
	}
	if _, ok := Lookup(0x00091010); ok {
		t.Error("a private tag is in the dictionary")
	}
	if Keyword(0x00091010) != "(0009,1010)" || VROf(0x00091010) != UN {
		t.Error("a private tag has no name of its own and VR UN")
	}
}

func TestUIDsHaveTheirNames(t *testing.T) {
	for uid, name := range map[string]string{
		UIDVerification:                   "Verification SOP Class",
		"1.2.840.10008.5.1.4.1.1.2":       "CT Image Storage",
		"1.2.840.10008.1.2.4.201":         "High-Throughput JPEG 2000 Image Compression (Lossless Only)",
		"1.2.840.10008.5.1.4.1.1.201.1":   "Inventory Storage",
		"1.2.840.10008.5.1.4.1.2.2.1":     "Study Root Query/Retrieve Information Model - FIND",
		"1.2.840.10008.5.1.4.1.1.2.99999": "",
		"1.3.12":                          "",
	} {
		if got := UIDName(uid); got != name {
			t.Errorf("%s: %q, want %q", uid, got, name)
		}
	}
	if !IsStorage("1.2.840.10008.5.1.4.1.1.2") || IsStorage("1.2.840.10008.5.1.4.1.1.201.2") || IsStorage(UIDVerification) {
		t.Error("storage classes are not told from others")
	}
}

func TestValidUID(t *testing.T) {
	long := "1." + strings.Repeat("2", MaxUID-2)
	for uid, want := range map[string]bool{
		"1.2.840.10008.1.1": true, "2.25.0": true, long: true, long + "3": false, "": false, ".": false, "1.": false, ".1": false,
		"1..2": false, "1.02": false, "1.2/../../etc": false, "1.2 ": false, "0": true,
	} {
		if ValidUID(uid) != want {
			t.Errorf("ValidUID(%q) = %v", uid, !want)
		}
	}
}

// TestDictionaryAgainstDCMTK compares with the data dictionary of DCMTK, an
// independent transcription of PS3.6.
func TestDictionaryAgainstDCMTK(t *testing.T) {
	files, _ := filepath.Glob("/usr/share/libdcmtk*/dicom.dic")
	if len(files) == 0 {
		t.Skip("peer missing: data dictionary of Debian's libdcmtk")
	}
	f, err := os.Open(files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	compared, missing := 0, 0
	for sc := bufio.NewScanner(f); sc.Scan(); {
		fields := strings.Split(sc.Text(), "\t")
		var g, e uint16
		if len(fields) < 5 || strings.ContainsAny(fields[0], "\"-o") || fields[4] != "DICOM" {
			continue // private, a range, or retired under another name
		}
		if _, err := fmt.Sscanf(fields[0], "(%04x,%04x)", &g, &e); err != nil || g == 0xFFFE {
			continue
		}
		tag := MakeTag(g, e)
		entry, ok := Lookup(tag)
		if !ok {
			missing++
			t.Logf("%v %s is not in the dictionary", tag, fields[2])
			continue
		}
		compared++
		vr := map[string]string{"xs": "US", "ox": "OW", "lt": "OW", "px": "OW", "up": "UL", "na": "UN"}[fields[1]]
		if vr == "" {
			vr = fields[1]
		}
		if entry.Keyword != fields[2] || entry.VR.String() != vr && vr != "UN" {
			t.Errorf("%v: %s %v, DCMTK has %s %s", tag, entry.Keyword, entry.VR, fields[2], fields[1])
		}
	}
	if compared < 4000 || missing > 20 {
		t.Errorf("%d tags compared, %d missing", compared, missing)
	}
}

func TestCharacterSets(t *testing.T) {
	for _, c := range []struct{ set, value, want string }{
		{"", "Smith^John ", "Smith^John"},
		{"ISO_IR 100", "J\xe4ger", "Jäger"},
		{"ISO_IR 192", "Jäger", "Jäger"},
		{"ISO_IR 192", "J\xe4ger", "J\uFFFDger"},
		{"ISO_IR 144", "\xb8\xd2\xd0\xdd", "Иван"},
		{"ISO_IR 148", "\xddstanbul", "İstanbul"},
		{"ISO_IR 203", "\xa4", "€"},
		{"ISO_IR 13", "\xd4\xcf\xc0\xde", "ﾔﾏﾀﾞ"},
		{"ISO 2022 IR 6\\ISO 2022 IR 87", "Yamada^Tarou=\x1b$B;3ED\x1b(B", "Yamada^Tarou=山田"},
		{"\\ISO 2022 IR 100", "J\xe4ger", "Jäger"},
		{"GB18030", "Wang\xcd\xf5", "Wang王"},
		{"", "line\r\nline", "line\r\nline"},
	} {
		if got := ParseCharacterSet([]byte(c.set)).Decode([]byte(c.value)); got != c.want {
			t.Errorf("%s: %q, want %q", c.set, got, c.want)
		}
	}
	if got := TrimString([]byte(" A\x01B\xff \x00")); got != "A?B?" {
		t.Errorf("TrimString gives %q", got)
	}
}

func TestGuessSyntaxFromTheFirstElement(t *testing.T) {
	for _, c := range []struct {
		data string
		want Syntax
		ok   bool
	}{
		{"\x08\x00\x05\x00CS\x0a\x00", Syntax{Explicit: true}, true},
		{"\x00\x08\x00\x05CS\x00\x0a", Syntax{Explicit: true, BigEndian: true}, true},
		{"\x08\x00\x05\x00\x0a\x00\x00\x00", Syntax{}, true},
		{"\xff\xd8\xff\xe0\x00\x10JF", Syntax{}, false},
		{"short", Syntax{}, false},
	} {
		if got, ok := GuessSyntax([]byte(c.data)); got != c.want || ok != c.ok {
			t.Errorf("%q: %+v %v", c.data, got, ok)
		}
	}
}
