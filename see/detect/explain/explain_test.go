// SPDX-License-Identifier: Apache-2.0

package explain_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/asepsis/asepsis/see/detect"
	"github.com/asepsis/asepsis/see/detect/explain"
	"github.com/asepsis/asepsis/see/detect/rule"
)

const text = `id: dicom.many
version: 1
title: "{src} asked {count} times"
analyst: a
room: r
severity: {base: low}
confidence: 50
playbook: [look]
false_positives: [none]
match:
  count: {class: [dicom_operation], activity: [C-FIND], when: 'op.results > 5 && op.query_level == "STUDY"', by: [src.ip], window: 5m, over: 3}
samples:
  - name: many
    events:
      - {class: dicom_operation, protocol: dicom, activity: C-FIND, src: 10.0.0.1, dst: 10.0.0.2, repeat: 3, every: 1s, detail: {results: 9, query_level: STUDY}}
      - {at: 10s, class: dicom_operation, protocol: dicom, activity: C-FIND, src: 10.0.0.1, dst: 10.0.0.2, detail: {results: 9, query_level: SERIES}}
      - {at: 11s, class: dicom_operation, protocol: dicom, activity: C-ECHO, src: 10.0.0.1, dst: 10.0.0.2}
      - {at: 12s, class: dicom_association, protocol: dicom, activity: Accept, src: 10.0.0.1, dst: 10.0.0.2}
    fires: {}
  - {name: none, events: [{class: dns_activity}], quiet: true}
`

func TestARuleSaysWhatItMadeOfAnEvent(t *testing.T) {
	content, err := detect.Load(fstest.MapFS{"dicom/many.yaml": {Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	r := content.Rule("dicom.many")
	var s *rule.Sample = &r.Samples[0]
	st, err := s.Stage()
	if err != nil {
		t.Fatal(err)
	}
	var events []detect.Recorded
	for _, e := range st.Events {
		events = append(events, detect.Recorded{Record: e.Record, Event: e.Event})
	}
	for _, c := range []struct {
		what    string
		index   int
		outcome explain.Outcome
		why     string
	}{
		{"the first of three", 1, explain.Selected, "not enough for a finding"},
		{"the third", 3, explain.Found, "its matcher fired"},
		{"another level", 4, explain.False, `false: op.query_level == "STUDY" (op.query_level is "SERIES")`},
		{"another activity", 5, explain.NotAsked, "it asks for C-FIND, this is C-ECHO"},
		{"another class", 6, explain.NotAsked, "it asks for dicom_operation, this is dicom_association"},
	} {
		_, verdicts, err := explain.Run(t.Context(), content, events, nil, c.index)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range verdicts {
			if v.Rule == r.ID && (v.Outcome != c.outcome || !strings.Contains(v.Why, c.why)) {
				t.Errorf("%s: %s, %q; want %s, %q", c.what, v.Outcome, v.Why, c.outcome, c.why)
			}
			if v.Rule == r.ID && v.Outcome == explain.False && (len(v.Parts) != 2 || !v.Parts[0].Holds || v.Parts[1].Holds) {
				t.Errorf("%s: conditions %+v", c.what, v.Parts)
			}
		}
	}
	if _, _, err := explain.Run(t.Context(), content, events, nil, 7); err == nil {
		t.Error("an event beyond the last was explained")
	}
}
