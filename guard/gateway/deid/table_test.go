// SPDX-License-Identifier: Apache-2.0

package deid_test

import (
	"slices"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/deid"
	"github.com/asepsis/asepsis/wire/dicom"
)

func TestTheTableIsWhole(t *testing.T) {
	rows := deid.Table()
	if len(rows) != 657 {
		t.Errorf("%d rows, edition %s has 657", len(rows), deid.Edition)
	}
	count := map[deid.Action]int{}
	byOption := map[deid.Option]int{}
	seen := map[string]bool{}
	for _, r := range rows {
		count[r.Basic]++
		for o := range r.Options {
			byOption[o]++
		}
		if seen[r.Pattern] {
			t.Errorf("%s is there twice", r.Pattern)
		}
		seen[r.Pattern] = true
	}
	for _, a := range []deid.Action{"X", "Z", "D", "U", "X/Z", "X/D", "Z/D", "X/Z/D", "X/Z/U*"} {
		if count[a] == 0 {
			t.Errorf("no row has %s", a)
		}
		delete(count, a)
	}
	if len(count) != 0 {
		t.Errorf("actions that the standard does not have: %v", count)
	}
	if byOption[deid.RetainFullDates] != byOption[deid.RetainModifiedDates] {
		t.Error("the two options of dates have different rows")
	}
}

// TestKnownRows holds rows to what the standard says about them, written down here a second time.
func TestKnownRows(t *testing.T) {
	type row struct {
		pattern, keyword string
		basic            deid.Action
		options          map[deid.Option]deid.Action
	}
	dates := map[deid.Option]deid.Action{deid.RetainFullDates: "K", deid.RetainModifiedDates: "C"}
	for _, want := range []row{
		{"(0008,0018)", "SOPInstanceUID", "U", map[deid.Option]deid.Action{deid.RetainUIDs: "K"}},
		{"(0008,0020)", "StudyDate", "Z", dates},
		{"(0008,0022)", "AcquisitionDate", "X/Z", dates},
		{"(0008,002A)", "AcquisitionDateTime", "X/Z/D", dates},
		{"(0008,0050)", "AccessionNumber", "Z", nil},
		{"(0008,0080)", "InstitutionName", "X/Z/D", map[deid.Option]deid.Action{deid.RetainInstitutionIdentity: "K"}},
		{"(0008,0090)", "ReferringPhysicianName", "Z", nil},
		{"(0008,1030)", "StudyDescription", "X", map[deid.Option]deid.Action{deid.CleanDescriptors: "C"}},
		{"(0008,1140)", "ReferencedImageSequence", "X/Z/U*", map[deid.Option]deid.Action{deid.RetainUIDs: "K"}},
		{"(0010,0010)", "PatientName", "Z", nil},
		{"(0010,0020)", "PatientID", "Z/D", nil},
		{"(0010,0030)", "PatientBirthDate", "Z", nil},
		{"(0010,0040)", "PatientSex", "Z", map[deid.Option]deid.Action{deid.RetainPatientCharacteristics: "K"}},
		{"(0010,2110)", "Allergies", "X", map[deid.Option]deid.Action{deid.RetainPatientCharacteristics: "C", deid.CleanDescriptors: "C"}},
		{"(0018,1000)", "DeviceSerialNumber", "X/Z/D", map[deid.Option]deid.Action{deid.RetainDeviceIdentity: "K"}},
		{"(0018,1002)", "DeviceUID", "U", map[deid.Option]deid.Action{deid.RetainUIDs: "K", deid.RetainDeviceIdentity: "K"}},
		{"(0018,1200)", "DateOfLastCalibration", "X", map[deid.Option]deid.Action{deid.RetainDeviceIdentity: "K", deid.RetainFullDates: "K", deid.RetainModifiedDates: "C"}},
		{"(0040,A730)", "ContentSequence", "D", map[deid.Option]deid.Action{deid.CleanStructuredContent: "C"}},
		{"(0070,0001)", "GraphicAnnotationSequence", "D", map[deid.Option]deid.Action{deid.CleanGraphics: "C"}},
		{"(0088,0200)", "IconImageSequence", "X", nil},
		{"(60xx,3000)", "OverlayData", "X", map[deid.Option]deid.Action{deid.CleanGraphics: "C"}},
		{"(FFFA,FFFA)", "DigitalSignaturesSequence", "X", nil},
		{"(odd,xxxx)", "PrivateAttributes", "X", map[deid.Option]deid.Action{deid.RetainSafePrivate: "C"}},
	} {
		i := slices.IndexFunc(deid.Table(), func(r deid.Row) bool { return r.Pattern == want.pattern })
		if i < 0 {
			t.Errorf("%s is not there", want.pattern)
			continue
		}
		r := deid.Table()[i]
		same := len(r.Options) == len(want.options)
		for o, a := range want.options {
			same = same && r.Options[o] == a
		}
		if r.Keyword != want.keyword || r.Basic != want.basic || !same {
			t.Errorf("%s: %s %s %v", r.Pattern, r.Keyword, r.Basic, r.Options)
		}
	}
}

// newer are rows that the dictionary does not know: none while both are of one edition.
const newer = 0

func TestEveryRowIsInTheDictionary(t *testing.T) {
	missing := 0
	for _, r := range deid.Table() {
		if r.Pattern[1] == 'o' {
			continue
		}
		e, ok := dicom.Lookup(r.Tag)
		switch {
		case r.Pattern[1:3] == "50":
		case !ok:
			missing++
			if r.VR == 0 || r.Keyword == "" {
				t.Errorf("%s has no VR", r.Pattern)
			}
		case e.VR != r.VR && e.VR != dicom.OW || e.Keyword != r.Keyword:
			t.Errorf("%s is %v %s, in the dictionary %v %s", r.Pattern, r.VR, r.Keyword, e.VR, e.Keyword)
		}
	}
	if missing != newer {
		t.Errorf("%d rows are not in the dictionary, %d are known not to be", missing, newer)
	}
}

// TestRowsOfDatesAreDates: what is shifted must be a date, and every other row with these options is known here.
func TestRowsOfDatesAreDates(t *testing.T) {
	known := map[string]bool{"(0400,0310)": true, "(0034,0007)": true, "(0008,0201)": true}
	for _, r := range deid.Table() {
		_, has := r.Options[deid.RetainModifiedDates]
		date := r.VR == dicom.DA || r.VR == dicom.DT || r.VR == dicom.TM
		if has && !date && !known[r.Pattern] {
			t.Errorf("%s %s is %v", r.Pattern, r.Keyword, r.VR)
		}
	}
}
