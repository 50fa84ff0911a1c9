// SPDX-License-Identifier: Apache-2.0

package finding_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/finding"
)

func TestSeveritiesAreOrderedAndNamedAsInOCSF(t *testing.T) {
	for i, name := range []string{"unknown", "info", "low", "medium", "high", "critical"} {
		s := finding.Severity(i) // OCSF's severity_id
		if s.String() != name {
			t.Errorf("%d is %q, want %q", i, s, name)
		}
		got, err := finding.ParseSeverity(name)
		if name == "unknown" {
			if err == nil {
				t.Error("unknown was accepted as a choice")
			}
		} else if err != nil || got != s {
			t.Errorf("%q is %v, %v", name, got, err)
		}
	}
	if !(finding.Info < finding.Low && finding.Low < finding.Medium && finding.Medium < finding.High && finding.High < finding.Critical) {
		t.Error("order")
	}
	if s := finding.Severity(42).String(); s != "severity(42)" {
		t.Errorf("42 is %q", s)
	}
}

func TestASeverityThatIsNoneIsRefusedWithTheChoices(t *testing.T) {
	for _, bad := range []string{"", "High", "fatal", "3", " high"} {
		if _, err := finding.ParseSeverity(bad); err == nil || !strings.Contains(err.Error(), "info, low, medium, high or critical") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestFindingsSurviveJSON(t *testing.T) {
	want := finding.Finding{Rule: "dicom-open", Severity: finding.High, Title: "t", Room: "r", Devices: []string{"d"}, Count: 2, First: 1, Last: 3, Attack: []string{"T1046"}, Evidence: []string{"e"}}
	b, err := json.Marshal(want)
	if err != nil || !strings.Contains(string(b), `"severity":"high"`) {
		t.Fatalf("%s, %v", b, err)
	}
	var got finding.Finding
	if err := json.Unmarshal(b, &got); err != nil || got.Severity != finding.High || got.Rule != want.Rule || got.Devices[0] != "d" {
		t.Errorf("%+v, %v", got, err)
	}
	if err := json.Unmarshal([]byte(`{"severity":"dire"}`), &got); err == nil {
		t.Error("an unknown severity was read")
	}
}
