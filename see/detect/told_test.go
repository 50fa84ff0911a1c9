// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"testing"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/standing"
)

// What another room says is so becomes a finding, is closed when it is over, and is the
// same finding when it comes back.
func TestWhatOtherRoomsSayOpensAndClosesOneFinding(t *testing.T) {
	st := openStore(t)
	m := standing.Matter{Key: "4f", Analyst: "Why.", Playbook: []string{"Renew it."}, Finding: finding.Finding{Rule: "identity.renewal-overdue", Severity: finding.Medium,
		Title: "ct-1 has not renewed its certificate", Room: "The device works.", Devices: []string{}, Attack: []string{}, Count: 1, First: 5e17, Last: 5e17, Evidence: []string{"renewal was due"}}}
	state := func() (s finding.State, n int) {
		for _, a := range alerts(t, st) {
			if a.Rule == m.Rule {
				s, n = a.Triage.State, n+1
			}
		}
		return s, n
	}
	for _, tt := range []struct {
		name string
		list []standing.Matter
		want finding.State
	}{
		{"said", []standing.Matter{m}, finding.Open},
		{"not said any more", nil, finding.Closed},
		{"said again", []standing.Matter{m}, finding.Open},
	} {
		if err := standing.Put(t.Context(), st, "identity", tt.list); err != nil {
			t.Fatal(err)
		}
		run(t, roomConfig(), st, t.Context(), func() bool { s, n := state(); return n == 1 && s == tt.want })
		if s, n := state(); n != 1 || s != tt.want {
			t.Errorf("%s: there are %d findings, the last is %q", tt.name, n, s)
		}
	}
}
