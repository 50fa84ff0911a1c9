// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/steer/steertest"
	"github.com/asepsis/asepsis/respond/api"
	"github.com/asepsis/asepsis/respond/problem"
)

// codeOf is the code of a problem, by which programs decide.
func codeOf(t *testing.T, a answer) string {
	t.Helper()
	var p struct{ Code string }
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	return p.Code
}

// strand has two images wait for, or be given up for, a destination.
func (m *imaging) strand(destination string) (out []instance.Record) {
	m.t.Helper()
	for n := range 2 {
		r, err := m.gw.Put(m.t.Context(), steertest.Image(5, n+1, ""), nil)
		if err != nil {
			m.t.Fatal(err)
		}
		out = append(out, r)
		if err := m.gw.Forward.Strand(m.t.Context(), destination, r.Number); err != nil {
			m.t.Fatal(err)
		}
	}
	return out
}

func TestWhatADestinationDidNotTakeIsGivenUpForGood(t *testing.T) {
	h := newImaging(t)
	s := newSchemas(t)
	list := h.strand("old")
	engineer := h.as("engineer")
	a := engineer.do("GET", "/imaging/destinations", nil)
	s.hold("ImagingDestinations", false, a.body, "the destinations")
	if l := read[api.ImagingDestinations](t, a, 200).Destinations; len(l) != 3 || l[2].State != control.Gone || l[2].Waiting != 2 || l[2].Kind != "" {
		t.Fatalf("the destinations are %+v", l)
	}
	const at = "/imaging/destinations/old/drop"
	why := map[string]any{"reason": "the old PACS was switched off"}
	for _, x := range []struct {
		name   string
		c      client
		path   string
		body   any
		status int
		want   string
	}{
		{"an analyst", h.as("analyst"), at, why, 403, "imaging.edit"},
		{"who decides about the quarantine alone", h.as("biomed"), at, why, 403, "imaging.edit"},
		{"without a reason", engineer, at, map[string]any{}, 400, "reason"},
		{"with nothing for a reason", engineer, at, map[string]any{"reason": " "}, 400, "reason"},
		{"with a long story", engineer, at, map[string]any{"reason": strings.Repeat("x", 501)}, 400, "reason"},
		{"with two lines", engineer, at, map[string]any{"reason": "a\nb"}, 400, "plain words"},
		{"of a destination that nobody knows", engineer, "/imaging/destinations/none/drop", why, 404, "no destination"},
		{"pausing one that is gone", engineer, "/imaging/destinations/old/pause", map[string]any{}, 409, "not configured any more"},
		{"trying one that is gone", engineer, "/imaging/destinations/old/echo", nil, 409, "not configured any more"},
	} {
		a := x.c.do("POST", x.path, x.body)
		if a.status != x.status || !strings.Contains(string(a.body), x.want) {
			t.Errorf("%s: %s, want %d about %q", x.name, a, x.status, x.want)
		}
		s.hold("Problem", false, a.body, x.name)
	}
	a = engineer.do("POST", at, why)
	s.hold("ImagingDropped", false, a.body, "giving up")
	if d := read[control.Dropped](t, a, 200); d.Deliveries != 2 {
		t.Errorf("given up are %+v", d)
	}
	if l := get[api.ImagingDestinations](engineer, "/imaging/destinations").Destinations; len(l) != 2 {
		t.Errorf("afterwards the destinations are %+v", l)
	}
	if st := h.statements(custody.Decision, list[1].DataSet); len(st) != 1 || st[0].Predicate.Actor.User != "engineer1" || st[0].Predicate.Reason != "the old PACS was switched off" {
		t.Errorf("the ledger has %+v", st)
	}
	line := get[api.ImagingTimeline](engineer, "/imaging/studies/"+list[0].Study+"/timeline")
	ev := line.Instances[0].Events
	if e := ev[len(ev)-1]; e.What != "dropped" || e.Entry == nil || e.Custody == "" || e.Custody == "none" {
		t.Errorf("the last event is %+v", e)
	}
	entries := get[api.ImagingInstanceDetail](engineer, fmt.Sprintf("/imaging/instances/%d", list[0].Number)).Entries
	if got := entries[len(entries)-1].Sentence; got != "engineer1 decided that 2 images of dev-ct are not sent to old any more: the old PACS was switched off" {
		t.Errorf("the ledger says %q", got)
	}
	audit := h.admin.do("GET", "/audit", nil)
	for _, want := range []string{"imaging.destination.drop", "gateway:gateway-or-3/destination/old", "the old PACS was switched off", `"deliveries":2`} {
		if !strings.Contains(string(audit.body), want) {
			t.Errorf("the audit trail has no %s: %s", want, audit.body)
		}
	}
}

func TestDuringACaseGivingUpIsMeantTwice(t *testing.T) {
	h := newImaging(t)
	list := h.strand("xr-3")
	if a := h.admin.do("POST", "/theatres", map[string]any{"id": "OR-3", "name": "Theatre 3"}); a.status != 201 {
		t.Fatal(a)
	}
	if a := h.admin.do("PUT", "/theatres/OR-3/state", map[string]any{"state": "in-case"}); a.status != 200 {
		t.Fatal(a)
	}
	h.until("the API knows of the case", func() bool { return h.item().InCase })
	body := map[string]any{"reason": "the headset is broken"}
	a := h.admin.do("POST", "/imaging/destinations/xr-3/drop", body)
	if a.status != 409 || codeOf(t, a) != problem.CaseInProgress {
		t.Errorf("without a word about the case: %s", a)
	}
	newSchemas(t).hold("Problem", false, a.body, "during a case")
	if a := h.admin.do("POST", "/imaging/destinations/xr-3/pause", map[string]any{}); codeOf(t, a) != problem.CaseInProgress {
		t.Errorf("pausing: %s", a)
	}
	if st := h.statements(custody.Override, ""); len(st) != 0 {
		t.Errorf("the ledger has %+v", st)
	}
	body["confirm_in_case"] = true
	if d := read[control.Dropped](t, h.admin.do("POST", "/imaging/destinations/xr-3/drop", body), 200); d.Deliveries != 2 {
		t.Errorf("given up are %+v", d)
	}
	if st := h.statements(custody.Override, list[0].DataSet); len(st) != 1 || st[0].Predicate.Detail["what"] != "case-in-progress" || st[0].Predicate.Detail["outcome"] != "dropped" {
		t.Errorf("the overrides are %+v", st)
	}
}

func TestProblemsHaveACodeWhereAProgramDecides(t *testing.T) {
	h := newImaging(t)
	x := h.item()
	at := fmt.Sprintf("/imaging/quarantine/%d/release", x.Number)
	biomed, engineer := h.as("biomed"), h.as("engineer")
	first := read[api.ImagingHeld](t, biomed.do("POST", at, map[string]any{"reason": "fine", "revision": x.Revision}), 200)
	bindings := get[api.ImagingBindings](engineer, "/imaging/bindings")
	for _, y := range []struct {
		name         string
		c            client
		method, path string
		body         any
		code         string
	}{
		{"the same person", biomed, "POST", at, map[string]any{"reason": "again", "revision": first.Revision}, problem.SamePerson},
		{"what is not as it was read", engineer, "POST", at, map[string]any{"reason": "seen", "revision": x.Revision}, problem.RevisionConflict},
		{"another policy", engineer, "PUT", "/imaging/policy", map[string]any{"yaml": "mode: observe\n", "sha256": strings.Repeat("ab", 32)}, problem.RevisionConflict},
		{"other bindings", engineer, "PUT", "/imaging/bindings", map[string]any{"bindings": bindings.Bindings[:0], "revision": "other"}, problem.RevisionConflict},
		{"what contradicts", engineer, "POST", fmt.Sprintf("/imaging/quarantine/%d/destroy", x.Number), map[string]any{"reason": "no", "revision": first.Revision}, ""},
	} {
		if a := y.c.do(y.method, y.path, y.body); a.status != 409 || codeOf(t, a) != y.code {
			t.Errorf("%s: %s, want 409 with the code %q", y.name, a, y.code)
		}
	}
}

// TestAnImageIsFoundByWhatOneHasOfIt: by the UID and the content under which a receiver has it.
func TestAnImageIsFoundByWhatOneHasOfIt(t *testing.T) {
	h := newImaging(t)
	const uid = "2.25.4711"
	sum := strings.Repeat("c4", 32)
	if _, err := h.gw.Vault.Change(t.Context(), h.passed.Number, func(r *instance.Record) error {
		r.Deliveries[0].SOPInstance, r.Deliveries[0].Forwarded = uid, sum
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{"sop_instance=" + h.passed.SOPInstance, "sop_instance=" + uid, "sha256=" + h.passed.DataSet, "sha256=" + strings.ToUpper(sum), "sop_instance=" + uid + "&sha256=" + sum} {
		if l := get[api.ImagingInstances](h.admin, "/imaging/instances?"+query).Instances; len(l) != 1 || l[0].Number != h.passed.Number {
			t.Errorf("%s finds %+v", query, l)
		}
	}
	if _, err := h.gw.Vault.Change(t.Context(), h.held.Number, func(r *instance.Record) error {
		r.Series = "2.25.9"
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]int{"series=2.25.9": 1, "series=" + h.passed.Series: 2, "series=" + h.passed.Series + "&study=" + h.passed.Study: 2, "series=1.2.3.4": 0} {
		if l := get[api.ImagingInstances](h.admin, "/imaging/instances?"+query).Instances; len(l) != want {
			t.Errorf("%s finds %d, not %d", query, len(l), want)
		}
	}
	if l := get[api.ImagingInstances](h.admin, "/imaging/instances?sha256="+strings.Repeat("00", 32)).Instances; len(l) != 0 {
		t.Errorf("nobody's content finds %+v", l)
	}
	if a := h.admin.do("GET", "/imaging/instances?sha256=abc", nil); a.status != 400 || !strings.Contains(string(a.body), "SHA-256") {
		t.Errorf("what is no digest: %s", a)
	}
	for _, x := range get[api.ImagingReceipts](h.admin, "/imaging/receipts/"+uid).Receipts {
		if x.Number != h.passed.Number {
			t.Errorf("a receipt by the UID under which it went is %+v", x)
		}
	}
	if l := get[api.ImagingReceipts](h.admin, "/imaging/receipts/"+h.passed.DataSet).Receipts; len(l) != 2 || l[0].Number != h.passed.Number || l[1].Destination != "xr-3" {
		t.Errorf("receipts by content are %+v", l)
	}
}
