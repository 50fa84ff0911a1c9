// SPDX-License-Identifier: Apache-2.0

package deid_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/deid"
	"github.com/asepsis/asepsis/wire/dicom"
)

// instances are a study of two series and a report that refers to its images, and a second study of the same patient a year later.
func instances(t *testing.T, patient, issuer string) []map[string]string {
	t.Helper()
	p := profile(t, deid.Profile{Options: []deid.Option{deid.RetainModifiedDates, deid.CleanStructuredContent}, Domain: "trial"})
	var out []map[string]string
	for i, study := range []string{"1.2.1", "1.2.1", "1.2.1", "1.2.9"} {
		date := map[string]string{"1.2.1": "20260228", "1.2.9": "20270301"}[study]
		data := build(t, dicom.ExplicitVRLittleEndian, func(w *dicom.Writer) {
			head(w, ctImage, fmt.Sprintf("%s.7.%d", study, i))
			w.Text(0x00080020, dicom.DA, date)
			w.Text(0x0008002A, dicom.DT, date+"101112.5")
			w.Text(0x00080030, dicom.TM, "101112")
			w.Sequence(0x00081140, func() { w.Text(0x00081155, dicom.UI, study+".7.0") })
			w.Text(0x00100010, dicom.PN, "Smithson^Jane")
			w.Text(0x00100020, dicom.LO, patient)
			if issuer != "" {
				w.Text(0x00100021, dicom.LO, issuer)
			}
			w.Text(0x0020000D, dicom.UI, study)
			w.Text(0x0020000E, dicom.UI, study+".3")
			w.Sequence(0x0040A730, func() {
				w.Sequence(0x00081199, func() { w.Text(0x00081155, dicom.UI, study+".7.0") })
				w.Text(0x0040A121, dicom.DA, date)
			})
		})
		var b bytes.Buffer
		if _, err := p.Transform(&b, bytes.NewReader(data), dicom.ExplicitVRLittleEndian); err != nil {
			t.Fatal(err)
		}
		out = append(out, view(t, b.Bytes(), dicom.ExplicitVRLittleEndian))
	}
	return out
}

func day(t *testing.T, s string) time.Time {
	t.Helper()
	d, err := time.Parse("20060102", s[:8])
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAStudyStaysTogether(t *testing.T) {
	all := instances(t, "4711-08", "EXAMPLE")
	first := all[0]
	for i, v := range all {
		if v["(0010,0020)"] != first["(0010,0020)"] || v["(0010,0010)"] != first["(0010,0010)"] {
			t.Errorf("instance %d is of another patient", i)
		}
		if same := i < 3; (v["(0020,000D)"] == first["(0020,000D)"]) != same || (v["(0020,000E)"] == first["(0020,000E)"]) != same {
			t.Errorf("instance %d: study %s, the first is of %s", i, v["(0020,000D)"], first["(0020,000D)"])
		}
		for _, ref := range []string{"(0008,1140)[1].(0008,1155)", "(0040,A730)[1].(0008,1199)[1].(0008,1155)"} {
			if i < 3 && v[ref] != first["(0008,0018)"] {
				t.Errorf("instance %d refers to %s with %s, which is %s", i, first["(0008,0018)"], ref, v[ref])
			}
		}
		if d := v["(0008,0020)"]; v["(0040,A730)[1].(0040,A121)"] != d || v["(0008,002A)"] != d+"101112.5" || v["(0008,0030)"] != "101112" {
			t.Errorf("instance %d has its dates apart: %s, %s, %s", i, d, v["(0008,002A)"], v["(0040,A730)[1].(0040,A121)"])
		}
	}
	// From 28 February 2026 to 1 March 2027 are 366 days, moved or not.
	if between := day(t, all[3]["(0008,0020)"]).Sub(day(t, first["(0008,0020)"])); between != 366*24*time.Hour {
		t.Errorf("%v between the studies", between)
	}
	if moved := day(t, "20260228").Sub(day(t, first["(0008,0020)"])); moved < 24*time.Hour || moved > 1825*24*time.Hour {
		t.Errorf("moved by %v", moved)
	}
}

func TestOtherPatientsAndDomainsDiffer(t *testing.T) {
	base := instances(t, "4711-08", "EXAMPLE")[0]
	if v := instances(t, "4711-08", "ELSEWHERE")[0]; v["(0010,0020)"] == base["(0010,0020)"] {
		t.Error("the same number of two issuers is one patient")
	}
	other := instances(t, "4711-09", "EXAMPLE")[0]
	if other["(0010,0020)"] == base["(0010,0020)"] {
		t.Error("two patients are one")
	}
	if other["(0020,000D)"] != base["(0020,000D)"] {
		t.Error("a UID depends on the patient, so that references break where a patient's ID is corrected")
	}
	data := build(t, dicom.ExplicitVRLittleEndian, func(w *dicom.Writer) { head(w, ctImage, "1.2.3") })
	uid := map[string]string{}
	for _, name := range []string{"a", "b", "c"} {
		s, err := deid.New(deid.Config{Profiles: map[string]deid.Profile{"a": {}, "b": {}, "c": {Domain: "a"}}}, key(t))
		if err != nil {
			t.Fatal(err)
		}
		tr, err := s.Profile(name)
		if err != nil {
			t.Fatal(err)
		}
		altered, err := tr.Transform(io.Discard, bytes.NewReader(data), dicom.ExplicitVRLittleEndian)
		if err != nil {
			t.Fatal(err)
		}
		uid[name] = altered.SOPInstance
		if !dicom.ValidUID(altered.SOPInstance) {
			t.Errorf("%s is no UID", altered.SOPInstance)
		}
	}
	if uid["a"] == uid["b"] || uid["a"] != uid["c"] {
		t.Errorf("%v", uid)
	}
}
