// SPDX-License-Identifier: Apache-2.0

package advisory_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/see/advisory"
	"github.com/asepsis/asepsis/see/advisory/csaf"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestTheNarrowerDecisionCountsAndOfTwoEqualOnesTheLater(t *testing.T) {
	d := dev("BD", "Alaris PCU 8015", "9.33")
	x := advisory.Match{Advisory: "A", Verdict: advisory.Affected, CVEs: []string{"CVE-1", "CVE-2"}}
	site := advisory.Decision{ID: "site", Advisory: "A", Status: advisory.InQuestion, At: 3}
	model := advisory.Decision{ID: "model", Advisory: "A", Vendor: "Becton Dickinson", Model: "PCU 8015 Alaris", Status: advisory.IsFixed, At: 2}
	same := model
	same.Model = "Alaris 8015 PC Unit"
	one := advisory.Decision{ID: "one", Advisory: "A", Device: "dev-1", Status: advisory.IsAffected, At: 1}
	later := advisory.Decision{ID: "later", Advisory: "A", Device: "dev-1", Status: advisory.IsNotAffected, At: 5}
	over := later
	over.ID, over.Until, over.At = "over", noon.UnixNano(), 9
	part := advisory.Decision{ID: "part", Advisory: "A", Device: "dev-1", Status: advisory.IsFixed, CVEs: []string{"CVE-1"}, At: 7}
	both := part
	both.CVEs = []string{"CVE-1", "CVE-2"}
	other := advisory.Decision{ID: "other", Advisory: "B", Device: "dev-1", Status: advisory.IsFixed, At: 8}
	for _, tt := range []struct {
		name string
		l    []advisory.Decision
		want advisory.Verdict
		by   string
	}{
		{"nothing decided", nil, advisory.Affected, ""},
		{"for the site", []advisory.Decision{site}, advisory.Unknown, "site"},
		{"another model's does not count", []advisory.Decision{model}, advisory.Affected, ""},
		{"the device before the site", []advisory.Decision{site, one}, advisory.Affected, "one"},
		{"the later of two", []advisory.Decision{later, one}, advisory.NotAffected, "later"},
		{"what is over does not count", []advisory.Decision{over, one}, advisory.Affected, "one"},
		{"a part of the CVEs decides nothing about the rest", []advisory.Decision{part}, advisory.Affected, ""},
		{"all of the CVEs by name", []advisory.Decision{both}, advisory.NotAffected, "part"},
		{"another advisory's", []advisory.Decision{other}, advisory.Affected, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, by := advisory.Decide(x, d, tt.l, noon)
			id := ""
			if by != nil {
				id = by.ID
			}
			if v != tt.want || tt.by != "" && id != tt.by {
				t.Errorf("%s by %q, want %s by %q", v, id, tt.want, tt.by)
			}
		})
	}
	exact := dev("BD", "8015 PC Unit", "9.33")
	same.Model = "8015 PCU"
	if v, by := advisory.Decide(x, exact, []advisory.Decision{site, same}, noon); v != advisory.NotAffected || by.ID != "model" {
		t.Errorf("the model, under another name of its maker: %s", v)
	}
}

func TestAFindingIsAsSevereAsItsWorstCVEAndWorseWhenExploited(t *testing.T) {
	x := &advisory.Index{KEV: advisory.KEV{CVEs: map[string]advisory.Exploited{"CVE-2": {Due: "2026-04-01", Ransomware: true}}},
		Advisories: []advisory.Advisory{{ID: "A", Title: "T", Vulnerabilities: []advisory.Vulnerability{{CVE: "CVE-1", Score: 5.5}, {CVE: "CVE-2", Score: 7.5}, {CVE: "CVE-3", Score: 9.8}}}}}
	b := advisory.NewBase(x)
	d := dev("Example Medical", "VitalView 500", "2.7")
	for _, tt := range []struct {
		name string
		m    advisory.Match
		want finding.Severity
	}{
		{"medium", advisory.Match{Advisory: "A", Verdict: advisory.Affected, Confidence: 70, CVEs: []string{"CVE-1"}}, finding.Medium},
		{"high and exploited", advisory.Match{Advisory: "A", Verdict: advisory.Affected, Confidence: 75, CVEs: []string{"CVE-1", "CVE-2"}}, finding.Critical},
		{"critical", advisory.Match{Advisory: "A", Verdict: advisory.Affected, Confidence: 75, CVEs: []string{"CVE-3"}}, finding.Critical},
		{"not sure enough", advisory.Match{Advisory: "A", Verdict: advisory.Affected, Confidence: 69, CVEs: []string{"CVE-3"}}, finding.Unknown},
		{"unknown", advisory.Match{Advisory: "A", Verdict: advisory.Unknown, Confidence: 90, CVEs: []string{"CVE-3"}}, finding.Unknown},
	} {
		f, ok := b.Finding(tt.m, d, "Monitor 3")
		if ok != (tt.want != finding.Unknown) || ok && (f.Severity != tt.want || f.Rule != advisory.Rule || f.Room == "" || !strings.Contains(f.Title, "Monitor 3")) {
			t.Errorf("%s: %+v, %t", tt.name, f, ok)
		}
		if tt.want == finding.Critical && strings.Contains(tt.name, "exploited") && !strings.Contains(strings.Join(f.Evidence, " "), "to be fixed by 2026-04-01, used by ransomware") {
			t.Errorf("the evidence is %q", f.Evidence)
		}
	}
	if l := advisory.Findings([]device.Device{*dev("BD", "Alaris PCU 8015", "9.33"), *dev("", "", "")}, func(d *device.Device) string { return d.ID }); len(l) < 2 || l[0].Severity < l[len(l)-1].Severity {
		t.Errorf("findings of a pump: %+v", l)
	}
}

func TestVEXSaysWhatWasFoundAndDecided(t *testing.T) {
	b := shippedBase(t)
	var cases []advisory.Case
	for i, firmware := range []string{"9.33", "12.3.1", ""} {
		d := dev("BD", "Alaris PCU 8015", firmware)
		d.ID = []string{"dev-a", "dev-b", "dev-c"}[i]
		m := verdictOf(b, d, "ICSMA-20-317-01")
		cases = append(cases, advisory.Case{Device: d, Match: *m, Decisions: []advisory.Decision{{Advisory: "ICSMA-20-317-01", Device: "dev-c", Status: advisory.IsAccepted, Reason: "Replaced in May", At: noon.UnixNano(), Until: noon.Add(1000 * time.Hour).UnixNano()}}})
	}
	who := advisory.Author{Name: "Example Hospital", Version: "test", Now: noon}
	open, err := b.OpenVEX(cases, who)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Context    string    `json:"@context"`
		ID         string    `json:"@id"`
		Timestamp  time.Time `json:"timestamp"`
		Statements []struct {
			Status, Justification, Action string
			Statement                     string `json:"action_statement"`
			Products                      []struct {
				ID string `json:"@id"`
			}
		}
	}
	if err := json.Unmarshal(open, &doc); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, s := range doc.Statements {
		for _, p := range s.Products {
			got[p.ID] = s.Status + s.Justification
			if s.Status == "affected" && s.Statement == "" {
				t.Errorf("%s is affected and nothing says what to do", p.ID)
			}
		}
	}
	if doc.Context != "https://openvex.dev/ns/v0.2.0" || doc.ID == "" || got["urn:asepsis:device:dev-a"] != "affected" || got["urn:asepsis:device:dev-b"] != "not_affectedvulnerable_code_not_present" || got["urn:asepsis:device:dev-c"] != "affected" {
		t.Errorf("%+v in %s", got, open)
	}
	again, err := b.OpenVEX(cases, who)
	if err != nil || string(again) != string(open) {
		t.Error("the same cases give another document")
	}
	text, err := b.CSAFVEX(cases, who)
	if err != nil {
		t.Fatal(err)
	}
	d, err := csaf.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := csaf.CheckVEX(d); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*csaf.Document){
		"another profile":      func(d *csaf.Document) { d.Document.Category = "csaf_security_advisory" },
		"no reason":            func(d *csaf.Document) { d.Vulnerabilities[0].Flags, d.Vulnerabilities[0].Threats = nil, nil },
		"nothing to do":        func(d *csaf.Document) { d.Vulnerabilities[0].Remediations = nil },
		"two statuses at once": func(d *csaf.Document) { d.Vulnerabilities[0].Status["fixed"] = []string{"dev-a"} },
		"no vulnerability":     func(d *csaf.Document) { d.Vulnerabilities = nil },
		"a version too many":   func(d *csaf.Document) { d.Document.Tracking.Version = "2" },
	} {
		bad, err := csaf.Read(text)
		if err != nil {
			t.Fatal(err)
		}
		spoil(bad)
		if csaf.CheckVEX(bad) == nil {
			t.Errorf("%s passes", name)
		}
	}
	if _, err := b.CSAFVEX(nil, who); err == nil {
		t.Error("a CSAF document says nothing")
	}
}
