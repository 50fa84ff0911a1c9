// SPDX-License-Identifier: Apache-2.0

package deid_test

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/asepsis/asepsis/guard/gateway/deid"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
)

const removed = "(removed)"

// TestEachActionAndOption shows what becomes of an attribute.
func TestEachActionAndOption(t *testing.T) {
	one := func(o ...deid.Option) deid.Profile { return deid.Profile{Options: o} }
	text := func(tag dicom.Tag, vr dicom.VR, v ...string) func(*dicom.Writer) {
		return func(w *dicom.Writer) { w.Text(tag, vr, v...) }
	}
	for _, tt := range []struct {
		name    string
		profile deid.Profile
		write   func(*dicom.Writer)
		path    string
		want    string // a regular expression of the whole value; removed
	}{
		{"X: removed", one(), text(0x00081030, dicom.LO, "CT of Mrs Smith"), "(0008,1030)", removed},
		{"Z: emptied", one(), text(0x00080020, dicom.DA, "20260115"), "(0008,0020)", ``},
		{"Z/D: a dummy, valid in every type", one(), text(0x00080023, dicom.DA, "20260115"), "(0008,0023)", `19000101`},
		{"X/Z/D: a dummy", one(), text(0x00181000, dicom.LO, "SN-1"), "(0018,1000)", `ANON`},
		{"X/D: a dummy", one(), text(0x00181030, dicom.LO, "Head Smith"), "(0018,1030)", `ANON`},
		{"X/Z: emptied", one(), text(0x00321060, dicom.LO, "Head Smith"), "(0032,1060)", ``},
		{"U: another UID", one(), text(0x0020000E, dicom.UI, "1.2.3.4"), "(0020,000E)", `2\.25\.\d{36,39}`},
		{"U: each of several", one(), text(0x00080058, dicom.UI, "1.2.3.4", "1.2.3.5"), "(0008,0058)", `2\.25\.\d+\\2\.25\.\d+`},
		{"U: well-known UIDs stay", one(), text(0x00200052, dicom.UI, "1.2.840.10008.1.4.1.1"), "(0020,0052)", `1\.2\.840\.10008\.1\.4\.1\.1`},
		{"not listed: stays", one(), text(0x00180050, dicom.DS, "1.25"), "(0018,0050)", `1\.25`},
		{"patient pseudonym", one(), text(0x00100020, dicom.LO, "4711"), "(0010,0020)", `P[A-Z2-7]{16}`},
		{"patient emptied", deid.Profile{Patient: "empty"}, text(0x00100020, dicom.LO, "4711"), "(0010,0020)", ``},
		{"accession emptied", one(), text(0x00080050, dicom.SH, "A-99"), "(0008,0050)", ``},
		{"accession pseudonym", deid.Profile{Accession: "pseudonym"}, text(0x00080050, dicom.SH, "A-99"), "(0008,0050)", `[A-Z2-7]{16}`},
		{"group lengths", one(), func(w *dicom.Writer) { w.Uint32(0x00180000, dicom.UL, 12) }, "(0018,0000)", removed},
		{"private", one(), func(w *dicom.Writer) { w.Text(0x00290010, dicom.LO, "ACME"); w.Text(0x00291001, dicom.LO, "x") }, "(0029,1001)", removed},
		{"overlay", one(), func(w *dicom.Writer) { w.Bytes(0x60003000, dicom.OW, []byte{1, 2}) }, "(6000,3000)", removed},
		{"the rest of an overlay", one(), func(w *dicom.Writer) { w.Uint16(0x60000010, dicom.US, 8); w.Bytes(0x60003000, dicom.OW, []byte{1, 2}) }, "(6000,0010)", removed},
		{"curve", one(), func(w *dicom.Writer) { w.Uint16(0x50000005, dicom.US, 8) }, "(5000,0005)", removed},

		{"retain UIDs", one(deid.RetainUIDs), text(0x0020000E, dicom.UI, "1.2.3.4"), "(0020,000E)", `1\.2\.3\.4`},
		{"retain full dates", one(deid.RetainFullDates), text(0x00080020, dicom.DA, "20260115"), "(0008,0020)", `20260115`},
		{"retain modified dates: the date moves", one(deid.RetainModifiedDates), text(0x00080020, dicom.DA, "20260115"), "(0008,0020)", `20(2[0-5]|26010\d|2601[01]\d).*`},
		{"retain modified dates: the time of day stays", one(deid.RetainModifiedDates), text(0x00080030, dicom.TM, "101112.25"), "(0008,0030)", `101112\.25`},
		{"retain modified dates: date and time", one(deid.RetainModifiedDates), text(0x0008002A, dicom.DT, "20260115101112.25+0100"), "(0008,002A)", `20\d{6}101112\.25\+0100`},
		{"retain modified dates: what is no date", one(deid.RetainModifiedDates), text(0x00080020, dicom.DA, "SMITH"), "(0008,0020)", ``},
		{"retain modified dates: the date of birth does not stay", one(deid.RetainModifiedDates), text(0x00100030, dicom.DA, "19500101"), "(0010,0030)", ``},
		{"retain device identity", one(deid.RetainDeviceIdentity), text(0x00181000, dicom.LO, "SN-1"), "(0018,1000)", `SN-1`},
		{"retain device identity: application names are replaced", one(deid.RetainDeviceIdentity), text(0x00080055, dicom.AE, "CT_OR3"), "(0008,0055)", `AE[A-Z2-7]{12}`},
		{"retain device identity with modified dates: calibration dates move", one(deid.RetainDeviceIdentity, deid.RetainModifiedDates), text(0x00181200, dicom.DA, "20260115"), "(0018,1200)", `20(2[0-5]|26010\d|2601[01]\d).*`},
		{"retain institution identity", one(deid.RetainInstitutionIdentity), text(0x00080080, dicom.LO, "Example Hospital"), "(0008,0080)", `Example Hospital`},
		{"retain patient characteristics", one(deid.RetainPatientCharacteristics), text(0x00101010, dicom.AS, "047Y"), "(0010,1010)", `047Y`},
		{"retain patient characteristics: great ages become one", deid.Profile{Options: []deid.Option{deid.RetainPatientCharacteristics}, OldestAge: 89}, text(0x00101010, dicom.AS, "097Y"), "(0010,1010)", `090Y`},
		{"retain patient characteristics: other ages stay", deid.Profile{Options: []deid.Option{deid.RetainPatientCharacteristics}, OldestAge: 89}, text(0x00101010, dicom.AS, "089Y"), "(0010,1010)", `089Y`},
		{"retain patient characteristics: text is cleaned", one(deid.RetainPatientCharacteristics), text(0x00102110, dicom.LO, "Iodine contrast says Dr Huber"), "(0010,2110)", `Iodine contrast`},

		{"clean descriptors", one(deid.CleanDescriptors), text(0x00081030, dicom.LO, "CT Head w/o contrast Mrs Smith 4711"), "(0008,1030)", `CT Head without contrast`},
		{"clean descriptors: numbers and units", one(deid.CleanDescriptors), text(0x0008103E, dicom.LO, "Thorax 1.5mm 3 phases 120kV"), "(0008,103E)", `Thorax 1\.5mm 3 phases 120kV`},
		{"clean descriptors: a date is no pair of numbers", one(deid.CleanDescriptors), text(0x0008103E, dicom.LO, "Thorax 12.03.64 pre"), "(0008,103E)", `Thorax pre`},
		{"clean descriptors: nothing is left of X", one(deid.CleanDescriptors), text(0x00081030, dicom.LO, "Mrs Smith"), "(0008,1030)", removed},
		{"clean descriptors: nothing is left of X/D", one(deid.CleanDescriptors), text(0x00181030, dicom.LO, "Smith"), "(0018,1030)", `ANON`},
		{"clean descriptors: words of one's own", deid.Profile{Options: []deid.Option{deid.CleanDescriptors}, Words: []string{"Zyxel"}}, text(0x00081030, dicom.LO, "ZYXEL head"), "(0008,1030)", `ZYXEL head`},
		{"clean descriptors: several values", one(deid.CleanDescriptors), text(0x00102110, dicom.LO, "contrast", "Smith", "gadolinium"), "(0010,2110)", `contrast\\\\gadolinium`},
		{"long texts that are not listed are cleaned", one(), text(0x30080202, dicom.ST, "Mrs Smith left knee"), "(3008,0202)", `left knee`},
		{"or stay", deid.Profile{FreeText: "keep"}, text(0x30080202, dicom.ST, "left knee, sore"), "(3008,0202)", `left knee, sore`},
		{"beyond the table: unknown attributes", one(), func(w *dicom.Writer) { w.Bytes(0x0018FFF0, dicom.LO, []byte("Smith ")) }, "(0018,FFF0)", removed},
		{"beyond the table: bytes where text should be", one(), func(w *dicom.Writer) { w.Bytes(0x00181020, dicom.OB, []byte("Smith ")) }, "(0018,1020)", removed},
		{"beyond the table: text where a UID should be", one(), func(w *dicom.Writer) { w.Bytes(0x00081150, dicom.UI, []byte("Smith ")) }, "(0008,1150)", ``},
		{"beyond the table: text where a number should be", one(), func(w *dicom.Writer) { w.Bytes(0x00180050, dicom.DS, []byte("Smith ")) }, "(0018,0050)", ``},
		{"a UID that is to be a dummy stays one of several", one(), text(0x006A0003, dicom.UI, "1.2.3.4"), "(006A,0003)", `2\.25\.\d{36,39}`},
		{"beyond the table: a person's name", one(), text(0x0040A067, dicom.PN, "Huber"), "(0040,A067)", ``},
		{"beyond the table: a UID of an instance", one(), text(0x00081167, dicom.UI, "1.2.3.4"), "(0008,1167)", `2\.25\.\d{36,39}`},
		{"beyond the table: a UID of an instance, retained", one(deid.RetainUIDs), text(0x00081167, dicom.UI, "1.2.3.4"), "(0008,1167)", `1\.2\.3\.4`},
		{"beyond the table: a private class stays", one(), text(0x00081150, dicom.UI, "1.2.3.4"), "(0008,1150)", `1\.2\.3\.4`},
		{"beyond the table: a device", one(), text(0x00181003, dicom.LO, "CT-77"), "(0018,1003)", removed},
		{"beyond the table: a device, retained", one(deid.RetainDeviceIdentity), text(0x00181003, dicom.LO, "CT-77"), "(0018,1003)", `CT-77`},
		{"beyond the table: an address", one(), text(0x00081190, dicom.UR, "http://pacs.example/1"), "(0008,1190)", removed},
		{"beyond the table: encrypted originals", one(), func(w *dicom.Writer) {
			w.Sequence(0x04000500, func() { w.Bytes(0x04000520, dicom.OB, []byte{1, 2}) })
		}, "(0400,0500)", removed},

		{"sequences: X", one(), func(w *dicom.Writer) { w.Sequence(0x00400275, func() { w.Text(0x00400009, dicom.SH, "S1") }) }, "(0040,0275)", removed},
		{"sequences: X under clean descriptors", one(deid.CleanDescriptors), func(w *dicom.Writer) {
			w.Sequence(0x00400275, func() { w.Text(0x00400007, dicom.LO, "Head Smith"); w.Text(0x00400009, dicom.SH, "S1") })
		}, "(0040,0275)[1].(0040,0007)", `Head`},
		{"sequences: and its identifiers are gone", one(deid.CleanDescriptors), func(w *dicom.Writer) {
			w.Sequence(0x00400275, func() { w.Text(0x00400007, dicom.LO, "Head Smith"); w.Text(0x00400009, dicom.SH, "S1") })
		}, "(0040,0275)[1].(0040,0009)", removed},
		{"sequences: Z", one(), func(w *dicom.Writer) { w.Sequence(0x00400513, func() { w.Text(0x00400031, dicom.UT, "x") }) }, "(0040,0513)", `items:0`},
		{"sequences: X/Z/U* keeps what is referred to", one(), func(w *dicom.Writer) { w.Sequence(0x00081140, func() { w.Text(0x00081155, dicom.UI, "1.2.3") }) }, "(0008,1140)[1].(0008,1155)", `2\.25\.\d+`},
		{"sequences: D has one item that says nothing", one(), func(w *dicom.Writer) {
			w.Sequence(0x0040A730, func() { w.Text(0x0040A160, dicom.UT, "Smith") }, func() { w.Text(0x0040A160, dicom.UT, "Mass") })
		}, "(0040,A730)", `items:1`},
		{"structured content: text is cleaned", one(deid.CleanStructuredContent), func(w *dicom.Writer) {
			w.Sequence(0x0040A730, func() { w.Text(0x0040A160, dicom.UT, "Mass in the left lung of Smith") })
		}, "(0040,A730)[1].(0040,A160)", `Mass in the left lung of`},
		{"structured content: names are replaced", one(deid.CleanStructuredContent), func(w *dicom.Writer) {
			w.Sequence(0x0040A730, func() { w.Text(0x0040A123, dicom.PN, "Huber^F") })
		}, "(0040,A730)[1].(0040,A123)", `ANON\^ANON`},
		{"structured content: public codes stay", one(deid.CleanStructuredContent), func(w *dicom.Writer) {
			w.Sequence(0x0040A730, func() {
				w.Sequence(0x0040A043, func() {
					w.Text(0x00080100, dicom.SH, "121071")
					w.Text(0x00080102, dicom.SH, "DCM")
					w.Text(0x00080104, dicom.LO, "Finding zzz")
				})
			})
		}, "(0040,A730)[1].(0040,A043)[1].(0008,0104)", `Finding zzz`},
		{"structured content: local meanings are cleaned", one(deid.CleanStructuredContent), func(w *dicom.Writer) {
			w.Sequence(0x0040A730, func() {
				w.Sequence(0x0040A043, func() {
					w.Text(0x00080100, dicom.SH, "X1")
					w.Text(0x00080102, dicom.SH, "99HUBER")
					w.Text(0x00080104, dicom.LO, "Huber lung")
				})
			})
		}, "(0040,A730)[1].(0040,A043)[1].(0008,0104)", `lung`},
		{"graphics: D has one point", one(), func(w *dicom.Writer) {
			w.Sequence(0x00700001, func() { w.Sequence(0x00700008, func() { w.Text(0x00700006, dicom.ST, "Smith") }) })
		}, "(0070,0001)[1].(0070,0009)[1].(0070,0023)", `POINT`},
		{"graphics: cleaned", one(deid.CleanGraphics, deid.CleanDescriptors), func(w *dicom.Writer) {
			w.Sequence(0x00700001, func() { w.Sequence(0x00700008, func() { w.Text(0x00700006, dicom.ST, "Smith left") }) })
		}, "(0070,0001)[1].(0070,0008)[1].(0070,0006)", `left`},
		{"a picture in a sequence that stays", one(), func(w *dicom.Writer) {
			w.Sequence(0x00081032, func() { w.Bytes(dicom.TagPixelData, dicom.OW, []byte{1, 2}) })
		}, "(0008,1032)[1].(7FE0,0010)", removed},
		{"a PDF becomes an empty one", one(), func(w *dicom.Writer) { w.Bytes(0x00420011, dicom.OB, []byte("%PDF-1.7 Smith")) }, "(0042,0011)", `(?s)%PDF-1\.4.*%%EOF\s*`},
		{"and its length is told", one(), func(w *dicom.Writer) {
			w.Bytes(0x00420011, dicom.OB, []byte("%PDF-1.7 Smith"))
			w.Uint32(0x00420015, dicom.UL, 14)
		}, "(0042,0015)", `(?s).{1,2}`},
		{"text that names the patient is emptied, listed or not", one(), func(w *dicom.Writer) {
			w.Text(0x00100010, dicom.PN, "Smithson^Jane")
			w.Text(0x00181020, dicom.LO, "built for SMITHSON")
		}, "(0018,1020)", ``},
		{"so is text with the patient's ID", one(), func(w *dicom.Writer) {
			w.Text(0x00100020, dicom.LO, "4711-08")
			w.Text(0x00181020, dicom.LO, "v1/4711-08/b")
		}, "(0018,1020)", ``},
		{"the patient's name is no word of a descriptor", one(deid.CleanDescriptors), func(w *dicom.Writer) {
			w.Text(0x00081030, dicom.LO, "Head and neck")
			w.Text(0x00100010, dicom.PN, "Head^Jane")
		}, "(0008,1030)", `and neck`},
		{"what was de-identified before is said anew", one(), func(w *dicom.Writer) { w.Text(0x00120063, dicom.LO, "by Dr Huber") }, "(0012,0063)", `Asepsis\\DICOM PS3\.15 2026d annex E`},
		{"identity is said to be removed", one(), func(w *dicom.Writer) { w.Text(0x00120062, dicom.CS, "NO") }, "(0012,0062)", `YES`},
		{"times are said to be removed", one(), func(*dicom.Writer) {}, "(0028,0303)", `REMOVED`},
		{"times are said to be modified", one(deid.RetainModifiedDates), func(*dicom.Writer) {}, "(0028,0303)", `MODIFIED`},
		{"times are said to be unmodified", one(deid.RetainFullDates), func(*dicom.Writer) {}, "(0028,0303)", `UNMODIFIED`},
		{"the codes of profile and options", one(deid.RetainUIDs, deid.CleanGraphics), func(*dicom.Writer) {}, "(0012,0064)[3].(0008,0100)", `113110`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, syntax := range []string{dicom.ExplicitVRLittleEndian, dicom.ImplicitVRLittleEndian, dicom.ExplicitVRBigEndian, dicom.DeflatedExplicitVRLittleEndian} {
				if syntax == dicom.ImplicitVRLittleEndian && strings.Contains(tt.name, "bytes where text") {
					continue // nothing declares that they are bytes
				}
				class := basicSR
				if strings.Contains(tt.name, "PDF") || strings.Contains(tt.name, "length is told") {
					class = "1.2.840.10008.5.1.4.1.1.104.1"
				}
				// Elements of group 0008 stand on both sides of the SOP instance: the writer wants order.
				data := ordered(t, syntax, class, tt.write)
				out, _ := transform(t, tt.profile, data, syntax)
				got, ok := view(t, out, syntax)[tt.path]
				if !ok {
					got = removed
				}
				if ok == (tt.want == removed) || ok && !regexp.MustCompile(`^(?:`+tt.want+`)$`).MatchString(got) {
					t.Errorf("%s: %s is %q", dicom.UIDName(syntax), tt.path, got)
				}
			}
		})
	}
}

// ordered builds a data set of the head and what write writes, in the order of tags.
func ordered(t testing.TB, syntax, class string, write func(*dicom.Writer)) []byte {
	t.Helper()
	s, _ := dicom.SyntaxOf(syntax)
	flat := s
	flat.Deflated = false
	element := func(f func(*dicom.Writer)) []byte {
		var b bytes.Buffer
		w := dicom.NewWriter(&b, flat)
		f(w)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	first := element(func(w *dicom.Writer) { head(w, class, "1.2.3.4.5") })
	rest := element(write)
	all := append(append([]byte{}, first...), rest...)
	if len(rest) > 4 {
		order := func(b []byte) uint32 {
			if s.BigEndian {
				return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
			}
			return uint32(b[1])<<24 | uint32(b[0])<<16 | uint32(b[3])<<8 | uint32(b[2])
		}
		if order(rest) < 0x00080016 {
			all = append(append([]byte{}, rest...), first...)
		}
	}
	if !s.Deflated {
		return all
	}
	var out bytes.Buffer
	if err := dicom.Transcode(&out, bytes.NewReader(all), flat, s, dicom.DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestChangesAreListedWithoutValues(t *testing.T) {
	data := build(t, dicom.ExplicitVRLittleEndian, func(w *dicom.Writer) {
		head(w, basicSR, "1.2.3.4.5")
		w.Text(0x00081030, dicom.LO, "Smith")
		w.Sequence(0x00081140, func() { w.Text(0x00081155, dicom.UI, "1.2.3") }, func() { w.Text(0x00081155, dicom.UI, "1.2.4") })
		w.Text(0x00100020, dicom.LO, "4711")
	})
	altered, err := profile(t, deid.Profile{}).Transform(io.Discard, bytes.NewReader(data), dicom.ExplicitVRLittleEndian)
	if err != nil {
		t.Fatal(err)
	}
	want := []instance.Change{
		{Path: "(0008,0018)", Action: "replaced", Rule: "E.1-1 U"}, {Path: "(0008,1030)", Action: "removed", Rule: "E.1-1 X"},
		{Path: "(0008,1140)[1].(0008,1155)", Action: "replaced", Rule: "E.1-1 U"}, {Path: "(0008,1140)[2].(0008,1155)", Action: "replaced", Rule: "E.1-1 U"},
		{Path: "(0010,0020)", Action: "replaced", Rule: "patient pseudonym"}, {Path: "(0012,0062)", Action: "added", Rule: "PS3.15 E.1.1"},
		{Path: "(0012,0063)", Action: "added", Rule: "PS3.15 E.1.1"}, {Path: "(0012,0064)", Action: "added", Rule: "PS3.15 E.1.1"}, {Path: "(0018,A001)", Action: "added", Rule: "PS3.15 E.1.1"},
		{Path: "(0028,0303)", Action: "added", Rule: "PS3.15 E.1.1"},
	}
	if !slices.Equal(altered.Changes, want) || altered.More != 0 || !strings.HasPrefix(altered.SOPInstance, "2.25.") || altered.TransferSyntax != dicom.ExplicitVRLittleEndian {
		t.Errorf("%+v", altered)
	}
	many := build(t, dicom.ExplicitVRLittleEndian, func(w *dicom.Writer) {
		head(w, basicSR, "1.2.3.4.5")
		var items []func()
		for range 300 {
			items = append(items, func() { w.Text(0x00081155, dicom.UI, "1.2.3") })
		}
		w.Sequence(0x00081140, items...)
	})
	altered, err = profile(t, deid.Profile{}).Transform(io.Discard, bytes.NewReader(many), dicom.ExplicitVRLittleEndian)
	if err != nil || len(altered.Changes) != instance.MaxChanges || altered.More != 300+6-instance.MaxChanges {
		t.Errorf("%d changes and %d more, %v", len(altered.Changes), altered.More, err)
	}
}

// TestWordsStayInTheirCharacterSet cleans descriptions in the scripts that hospitals write.
func TestWordsStayInTheirCharacterSet(t *testing.T) {
	for _, tt := range []struct{ declared, text, want string }{
		{"ISO_IR 100", "Schädel nativ Größe Müller", "Schädel nativ"},
		{"ISO_IR 192", "Schädel nativ 頭部 Müller", "Schädel nativ 頭部"},
		{"GB18030", "CT 頭部 王", "CT 頭部"},
		{"\\ISO 2022 IR 87", "CT 頭部 山田 head", "CT 頭部 head"},
		{"ISO_IR 144", "КТ Head Иванов", "Head"},
	} {
		data := build(t, dicom.ExplicitVRLittleEndian, func(w *dicom.Writer) {
			w.CharacterSet(tt.declared)
			head(w, basicSR, "1.2.3.4.5")
			w.Text(0x00081030, dicom.LO, tt.text)
			w.Sequence(0x00081032, func() { w.Text(0x30080202, dicom.ST, tt.text) }) // inherits the set
		})
		out, _ := transform(t, deid.Profile{Options: []deid.Option{deid.CleanDescriptors}, Words: []string{"頭部"}}, data, dicom.ExplicitVRLittleEndian)
		got := view(t, out, dicom.ExplicitVRLittleEndian)
		set := dicom.ParseCharacterSet([]byte(got["(0008,0005)"]))
		for _, path := range []string{"(0008,1030)", "(0008,1032)[1].(3008,0202)"} {
			if v := set.Decode([]byte(got[path])); v != tt.want {
				t.Errorf("%s: %s is %q, want %q", tt.declared, path, v, tt.want)
			}
		}
	}
}

// TestSequencesInValuesOfUnknownVRAreRead: what a relay made of a sequence that it did not know is treated like any other.
func TestSequencesInValuesOfUnknownVRAreRead(t *testing.T) {
	folded := build(t, dicom.ImplicitVRLittleEndian, func(w *dicom.Writer) {
		w.Sequence(0x300C0002, func() {
			w.Text(0x00081150, dicom.UI, "1.2.840.10008.5.1.4.1.1.481.5")
			w.Text(0x00081155, dicom.UI, "1.2.3.4.5")
			w.Text(0x00100010, dicom.PN, "Smithson")
			w.Sequence(0x300C0020, func() { w.Text(0x300C0022, dicom.IS, "1") })
		})
	})
	folded = folded[8 : len(folded)-8] // the items alone
	for name, broken := range map[string]bool{"whole": false, "broken": true} {
		value := bytes.Clone(folded)
		if broken {
			value = value[:len(value)-2]
		}
		data := build(t, dicom.ExplicitVRLittleEndian, func(w *dicom.Writer) {
			head(w, basicSR, "1.2.3.4.5")
			w.Bytes(0x300C0002, dicom.UN, value)
		})
		out, _ := transform(t, deid.Profile{}, data, dicom.ExplicitVRLittleEndian)
		got := view(t, out, dicom.ExplicitVRLittleEndian)
		if bytes.Contains(out, []byte("Smithson")) {
			t.Errorf("%s: the name stays", name)
		}
		switch _, there := got["(300C,0002)"]; {
		case broken && there:
			t.Errorf("%s: %v", name, got)
		case !broken && (got["(300C,0002)[1].(0008,1155)"] != got["(0008,0018)"] || got["(300C,0002)[1].(300C,0020)[1].(300C,0022)"] != "1"):
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestWhatCannotBeMadeSafeIsRefused(t *testing.T) {
	for _, tt := range []struct {
		name, syntax, code string
		write              func(*dicom.Writer)
	}{
		{"a media directory", dicom.ExplicitVRLittleEndian, "directory", func(w *dicom.Writer) { w.Text(0x00041130, dicom.CS, "X") }},
		{"no SOP instance", dicom.ExplicitVRLittleEndian, "no-instance", func(w *dicom.Writer) { w.Text(0x00080060, dicom.CS, "CT") }},
		{"pixel data elsewhere", "1.2.840.10008.1.2.4.94", "transfer-syntax", func(w *dicom.Writer) { head(w, ctImage, "1.2") }},
		{"an unknown transfer syntax", "1.2.3.4", "transfer-syntax", func(w *dicom.Writer) { head(w, ctImage, "1.2") }},
		{"burned in", dicom.ExplicitVRLittleEndian, "burned-in", func(w *dicom.Writer) {
			head(w, capture, "1.2")
			w.Uint16(0x00280010, dicom.US, 1)
			w.Text(0x00280301, dicom.CS, "YES")
		}},
	} {
		data := build(t, dicom.ExplicitVRLittleEndian, tt.write)
		_, err := profile(t, deid.Profile{}).Transform(io.Discard, bytes.NewReader(data), tt.syntax)
		var r *deid.Refusal
		if !errors.As(err, &r) || r.Code != tt.code || r.Why == "" {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestBrokenInputIsAnError(t *testing.T) {
	whole := build(t, dicom.ExplicitVRLittleEndian, func(w *dicom.Writer) {
		head(w, ctImage, "1.2.3")
		w.Text(0x00100020, dicom.LO, "4711")
		w.Sequence(0x00400440, func() { w.Text(0x00080104, dicom.LO, "x") })
	})
	tr := profile(t, deid.Profile{})
	for n := 1; n < len(whole); n++ {
		if _, err := tr.Transform(io.Discard, bytes.NewReader(whole[:n]), dicom.ExplicitVRLittleEndian); err == nil && n != 0 {
			// A cut between two elements of the top level is a whole data set, if a shorter one.
			r := dicom.NewReader(bytes.NewReader(whole[:n]), dicom.Syntax{Explicit: true}, dicom.DefaultLimits())
			for err == nil {
				_, err = r.Next()
			}
			if !errors.Is(err, io.EOF) {
				t.Errorf("cut at %d: no error", n)
			}
		}
	}
	wrong := errors.New("the disk")
	if _, err := tr.Transform(io.Discard, io.MultiReader(bytes.NewReader(whole[:60]), iotest.ErrReader(wrong)), dicom.ExplicitVRLittleEndian); !errors.Is(err, wrong) {
		t.Errorf("source: %v", err)
	}
	if _, err := tr.Transform(failing{wrong}, bytes.NewReader(whole), dicom.ExplicitVRLittleEndian); !errors.Is(err, wrong) {
		t.Errorf("destination: %v", err)
	}
	out, again := new(bytes.Buffer), new(bytes.Buffer)
	if _, err := tr.Transform(out, iotest.OneByteReader(bytes.NewReader(whole)), dicom.ExplicitVRLittleEndian); err != nil {
		t.Error(err)
	}
	if _, err := tr.Transform(again, bytes.NewReader(whole), dicom.ExplicitVRLittleEndian); err != nil || !bytes.Equal(out.Bytes(), again.Bytes()) {
		t.Errorf("the same in other pieces differs: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
