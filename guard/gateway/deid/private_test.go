// SPDX-License-Identifier: Apache-2.0

package deid_test

import (
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/deid"
	"github.com/asepsis/asepsis/wire/dicom"
)

// TestSafePrivateElementsStay shows which private elements stay, and that a name on the list is not enough.
func TestSafePrivateElementsStay(t *testing.T) {
	p := deid.Profile{Options: []deid.Option{deid.RetainSafePrivate},
		SafePrivate: []deid.SafePrivate{{Creator: "ACME 1", Group: "0029", Element: "0a", VR: "DS"}, {Creator: "ACME 1", Group: "0029", Element: "0b", VR: "UI"}, {Creator: "ACME 1", Group: "0029", Element: "0c", VR: "SQ"}, {Creator: "ACME 1", Group: "0029", Element: "0d", VR: "DA"}}}
	write := func(w *dicom.Writer) {
		head(w, ctImage, "1.2.3")
		w.Text(0x00100010, dicom.PN, "Smithson^Jane")
		w.Text(0x00190010, dicom.LO, "SIEMENS MR HEADER")
		w.Text(0x00190011, dicom.LO, "SIEMENS MR HEADER")
		w.Text(0x00190012, dicom.LO, "NOT LISTED")
		w.Text(0x0019100C, dicom.IS, "1000")
		w.Text(0x0019100D, dicom.CS, "SMITHSON")
		w.Text(0x00191010, dicom.LO, "not on the list")
		w.Text(0x0019110C, dicom.IS, "2000")
		w.Text(0x0019120C, dicom.IS, "3000")
		w.Text(0x00290010, dicom.LO, "ACME 1")
		w.Text(0x0029100A, dicom.DS, "1.5")
		w.Text(0x0029100B, dicom.UI, "1.2.3.4")
		w.Sequence(0x0029100C, func() {
			w.Text(0x00080104, dicom.LO, "Smith head")
			w.Text(0x00290010, dicom.LO, "ACME 1")
			w.Text(0x0029100A, dicom.DS, "2.5")
			w.Text(0x0029100E, dicom.LO, "x")
		})
		w.Text(0x0029100D, dicom.DA, "20260115")
		w.Text(0x0043100A, dicom.DS, "1") // without its creator
	}
	for _, syntax := range []string{dicom.ExplicitVRLittleEndian, dicom.ImplicitVRLittleEndian, dicom.ExplicitVRBigEndian} {
		out, _ := transform(t, p, build(t, syntax, write), syntax)
		got := view(t, out, syntax)
		for path, want := range map[string]string{
			"(0019,0010)": "SIEMENS MR HEADER", "(0019,0011)": "SIEMENS MR HEADER", "(0019,0012)": removed,
			"(0019,100C)": "1000", "(0019,100D)": "", "(0019,1010)": removed, "(0019,110C)": "2000", "(0019,120C)": removed,
			"(0029,100A)": "1.5", "(0029,100C)[1].(0029,100A)": "2.5", "(0029,100C)[1].(0029,100E)": removed, "(0029,100C)[1].(0008,0104)": "head",
			"(0029,100D)": removed, "(0043,100A)": removed,
		} {
			v, ok := got[path]
			if !ok {
				v = removed
			}
			if v != want {
				t.Errorf("%s: %s is %q, want %q", dicom.UIDName(syntax), path, v, want)
			}
		}
		if v := got["(0029,100B)"]; v == "1.2.3.4" || !dicom.ValidUID(v) {
			t.Errorf("%s: a private UID is %q", dicom.UIDName(syntax), v)
		}
	}
}

// TestAPrivateElementIsWhatItsListSays: an element of another VR, or that holds something else, is removed.
func TestAPrivateElementIsWhatItsListSays(t *testing.T) {
	p := deid.Profile{Options: []deid.Option{deid.RetainSafePrivate}}
	for name, write := range map[string]func(*dicom.Writer){
		"another VR": func(w *dicom.Writer) {
			w.Text(0x00190010, dicom.LO, "SIEMENS MR HEADER")
			w.Text(0x0019100C, dicom.LO, "Smith")
		},
		"text in a number of unknown VR": func(w *dicom.Writer) {
			w.Text(0x00190010, dicom.LO, "SIEMENS MR HEADER")
			w.Bytes(0x0019100C, dicom.UN, []byte("Smith"))
		},
		"a sequence": func(w *dicom.Writer) {
			w.Text(0x00190010, dicom.LO, "SIEMENS MR HEADER")
			w.Sequence(0x0019100C, func() { w.Text(0x00080104, dicom.LO, "head") })
		},
	} {
		data := build(t, dicom.ExplicitVRLittleEndian, func(w *dicom.Writer) { head(w, ctImage, "1.2.3"); write(w) })
		out, _ := transform(t, p, data, dicom.ExplicitVRLittleEndian)
		if v, ok := view(t, out, dicom.ExplicitVRLittleEndian)["(0019,100C)"]; ok {
			t.Errorf("%s: %q stays", name, v)
		}
	}
}

// TestTheListOfSafePrivateElementsCanBeRead counts what is on it.
func TestTheListOfSafePrivateElementsCanBeRead(t *testing.T) {
	creators, elements := deid.SafePrivateCount()
	if creators != 23 || elements != 420 {
		t.Errorf("%d creators and groups, %d elements", creators, elements)
	}
}
