// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/api"
	"github.com/asepsis/asepsis/rules"
	"github.com/asepsis/asepsis/see/detect/alert"
	"github.com/asepsis/asepsis/see/detect/rule"
)

// putAlert writes an alert as detection does.
func putAlert(t *testing.T, h *house, ruleID, group string, sev finding.Severity) string {
	t.Helper()
	key := alert.Key(ruleID, group)
	d := alert.New(key)
	family, _, _ := strings.Cut(ruleID, ".")
	d.Apply(&alert.Occurrence{Rule: &rule.Rule{ID: ruleID, Family: family, Version: 1, Analyst: "It means this."}, Group: group, Time: time.Now().UnixNano(), Severity: sev, Title: "Something with " + group, Room: "Go on."})
	body, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.store.Commit(t.Context(), []store.Write{{Kind: alert.Kind, ID: key, Expect: 0, Body: body}}); err != nil {
		t.Fatal(err)
	}
	return key
}

func TestFindingsAreDecidedAboutAndHidden(t *testing.T) {
	h := newHouse(t, options{change: func(_ *api.Config, d *api.Deps) { d.Rules = rules.FS }})
	s := newSchemas(t)
	ask := func(c client, method, path, schema string, body any, status int) answer {
		t.Helper()
		a := c.do(method, path, body)
		if a.status != status {
			t.Fatalf("%s %s: %s, want %d", method, path, a, status)
		}
		if schema != "" {
			s.hold(schema, false, a.body, method+" "+path)
		}
		return a
	}
	one, two := putAlert(t, h, "dicom.new-ae-pair", "a", finding.High), putAlert(t, h, "network.horizontal-scan", "b", finding.Low)
	h.until("the findings are known", func() bool { return get[api.FindingList](h.admin, "/findings").Total == 2 })
	l := read[api.FindingList](t, ask(h.admin, "GET", "/findings?group=rule&min_severity=medium", "FindingList", nil, 200), 200)
	if l.Total != 1 || l.Findings[0].ID != one || len(l.Groups) != 1 || l.Counts.Open != 2 || l.Counts.High != 1 {
		t.Errorf("list is %+v", l)
	}
	if want := "A device connected to another"; !strings.HasPrefix(l.Groups[0].Label, want) {
		t.Errorf("the group of a rule is called %q, not %q", l.Groups[0].Label, want)
	}
	d := read[api.FindingDetail](t, ask(h.admin, "GET", "/findings/"+one, "FindingDetail", nil, 200), 200)
	if !d.RuleKnown || d.Suppression == nil {
		t.Errorf("detail is %+v", d)
	}
	rev := map[string]any{"revision": d.Revision}
	analyst := h.as("analyst")
	got := read[api.FindingDetail](t, ask(analyst, "POST", "/findings/"+one+"/acknowledge", "FindingDetail", rev, 200), 200)
	if got.State != "acknowledged" || got.Revision != d.Revision+1 || len(got.History) != 1 {
		t.Errorf("acknowledged: %+v", got)
	}
	ask(h.admin, "POST", "/findings/"+one+"/assign", "Problem", rev, 409) // it was acknowledged meanwhile
	ask(analyst, "POST", "/findings/"+one+"/close", "Problem", map[string]any{"revision": got.Revision, "outcome": "benign"}, 400)
	ask(analyst, "POST", "/findings/"+one+"/close", "FindingDetail", map[string]any{"revision": got.Revision, "outcome": "benign", "reason": "planned"}, 200)
	if n := get[api.FindingList](analyst, "/findings?state=closed&outcome=benign").Total; n != 1 {
		t.Errorf("%d closed as benign", n)
	}
	bulk := read[api.FindingBulkResult](t, ask(analyst, "POST", "/findings/bulk", "FindingBulkResult", map[string]any{"action": "snooze", "search": "family=network", "until": "+4h"}, 200), 200)
	if bulk.Done != 1 || bulk.Results[0].ID != two {
		t.Errorf("bulk: %+v", bulk)
	}
	if n := get[api.FindingList](analyst, "/findings").Total; n != 0 {
		t.Errorf("%d findings are left", n)
	}
	ask(analyst, "GET", "/rules", "RuleList", nil, 200)
	ask(analyst, "GET", "/rules/dicom.new-ae-pair", "RuleDetail", nil, 200)
	ask(h.admin, "POST", "/rules/dicom.new-ae-pair/disable", "RuleDetail", map[string]any{"reason": "too loud here"}, 200)
	if r := get[api.RuleDetail](analyst, "/rules/dicom.new-ae-pair"); r.State != "off" || r.Why != "too loud here" {
		t.Errorf("the rule is %s: %s", r.State, r.Why)
	}
	sup := read[api.Suppression](t, ask(analyst, "POST", "/suppressions", "Suppression", map[string]any{"rules": []string{"dicom.*"}, "reason": "known", "expires": "+30d"}, 201), 201)
	ask(analyst, "POST", "/suppressions", "Problem", map[string]any{"rules": []string{"dicom.*"}, "reason": "known", "expires": "+400d"}, 400)
	ask(analyst, "GET", "/suppressions", "SuppressionList", nil, 200)
	b := read[api.Backtest](t, ask(analyst, "POST", "/backtests", "Backtest", map[string]any{"suppression": map[string]any{"rules": []string{"dicom.*"}, "reason": "x", "expires": "+1d"}, "from": "-7d"}, 202), 202)
	h.until("the backtest is done", func() bool { return get[api.Backtest](analyst, "/backtests/"+b.ID).State == "done" })
	if b = read[api.Backtest](t, ask(analyst, "GET", "/backtests/"+b.ID, "Backtest", nil, 200), 200); b.Findings != 1 {
		t.Errorf("backtest: %+v", b)
	}
	ask(analyst, "DELETE", "/suppressions/"+sup.ID+"?revision=1", "", nil, 204)
	ask(h.admin, "POST", "/maintenance", "MaintenanceWindow", map[string]any{"name": "Service", "theatres": []string{"OR-3"}, "effect": "hide", "repeat": "weekly", "weekdays": []int{2}, "from": "2026-01-01", "at": "22:00", "minutes": 60, "zone": "Europe/Zurich", "reason": "updates"}, 201)
	ask(analyst, "GET", "/maintenance", "MaintenanceList", nil, 200)
	budget := read[api.AlertBudget](t, ask(analyst, "GET", "/alert-budget", "AlertBudget", nil, 200), 200)
	budget.PerShift = 5
	ask(h.admin, "PUT", "/alert-budget", "AlertBudget", budget, 200)
	ask(analyst, "GET", "/alert-budget/status", "AlertBudgetStatus", nil, 200)
}
