// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/see/advisory"
	"github.com/asepsis/asepsis/see/detect"
)

// judged writes the verdicts of a device as the watcher of advisories does.
func judged(t *testing.T, st store.Store, id string, l ...advisory.Match) {
	t.Helper()
	body, err := json.Marshal(advisory.Matches{Device: id, Matches: l})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Commit(t.Context(), []store.Write{
		{Kind: advisory.KindMatch, ID: id, Expect: store.AnyRevision, Body: body},
		{Kind: advisory.KindKnowledge, ID: advisory.IDState, Expect: store.AnyRevision, Body: []byte(`{}`)},
	}); err != nil {
		t.Fatal(err)
	}
}

func decided(t *testing.T, st store.Store, d advisory.Decision) {
	t.Helper()
	w, err := advisory.DecisionWrite(d, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Commit(t.Context(), []store.Write{w, advisory.Changed()}); err != nil {
		t.Fatal(err)
	}
}

func TestAnAdvisoryThatAppliesIsAFindingUntilItDoesNot(t *testing.T) {
	t.Parallel()
	index, _ := advisory.Shipped()
	known := index.Advisories[0]
	var cves []string
	for _, v := range known.Vulnerabilities {
		cves = append(cves, v.CVE)
	}
	st := openStore(t)
	appendAll(t, st, echoes(t, 2), 0)
	pump := device.Device{ID: "dev-pump", Vendor: "Maker", Model: "Pump", Theatre: "OR-3"}
	if err := st.PutDevices(t.Context(), []device.Device{pump}, nil); err != nil {
		t.Fatal(err)
	}
	sure := advisory.Match{Advisory: known.ID, Verdict: advisory.Affected, Confidence: 90, CVEs: cves, Evidence: []string{"the version is 1.0"}, Since: longAgo.UnixNano()}
	judged(t, st, pump.ID, sure)
	ours := func(s finding.State) func() bool {
		return func() bool {
			n := 0
			for _, a := range alerts(t, st) {
				if a.Rule == advisory.Rule && a.Triage.State == s {
					n++
				}
			}
			return n == 1
		}
	}
	room := func(until func() bool) { // a look at advisories is due at each start
		t.Helper()
		r, err := detect.New(roomConfig(), detect.RoomDeps{Store: st, Rules: testRules})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		waitFor(t, "the findings are as they shall be", until)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	room(ours(finding.Open))
	for _, a := range alerts(t, st) {
		if a.Rule == advisory.Rule && (a.Theatre != "OR-3" || a.Count != 1 || a.Severity < finding.Low || a.Entities["advisory"] != known.ID || len(a.Devices) != 1 || a.Confidence != 90 || len(a.Playbook) == 0) {
			t.Errorf("the finding is %+v", a)
		}
	}
	unsure := sure
	unsure.Confidence = advisory.FindingFrom - 1
	judged(t, st, pump.ID, unsure)
	room(ours(finding.Closed))
	judged(t, st, pump.ID, sure)
	room(ours(finding.Open))
	decided(t, st, advisory.Decision{ID: "d1", Advisory: known.ID, Status: advisory.IsAccepted, Reason: "isolated", Who: "eng", At: 1, Until: time.Now().Add(24 * time.Hour).UnixNano()})
	room(ours(finding.Closed))
	if n := total(alerts(t, st), advisory.Rule); n != 1 {
		t.Errorf("it was counted %d times", n)
	}
}
