// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/respond/api"
	"github.com/asepsis/asepsis/see/advisory"
	"github.com/asepsis/asepsis/see/advisory/csaf"
)

// pump, monitor and unnamed are devices of a ward that does not exist.
func ward() []device.Device {
	one := func(id, vendor, model, firmware string) device.Device {
		d := device.Device{ID: id, Class: device.ClassInfusionPump, Vendor: vendor, Model: model, Firmware: firmware, Theatre: "OR-1", Facts: map[device.Attribute]device.Fact{}, First: 1, Last: time.Now().UnixNano()}
		for a, v := range map[device.Attribute]string{device.AttrVendor: vendor, device.AttrModel: model, device.AttrFirmware: firmware} {
			if v != "" {
				d.Facts[a] = device.Fact{Value: v, Confidence: device.Structured, Sources: []string{"hl7.prt10"}}
			}
		}
		return d
	}
	return []device.Device{
		one("dev-pump", "BD", "Alaris PCU 8015", "9.33"),
		one("dev-pump-2", "BD", "Alaris PCU 8015", ""),
		one("dev-monitor", "Example Medical", "VitalView 500", "2.7"),
		one("dev-other", "Example Medical", "Thermometer", "1"),
	}
}

// matched is a house with a ward whose devices were compared.
func matched(t *testing.T) *house {
	t.Helper()
	h := newHouse(t, options{noRecorder: true})
	if err := h.store.PutDevices(t.Context(), ward(), nil); err != nil {
		t.Fatal(err)
	}
	cfg := advisory.Default()
	cfg.Every = 200 * time.Millisecond
	w, err := advisory.New(cfg, advisory.Deps{Store: h.store})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := w.Run(ctx); err != nil {
			t.Errorf("watcher: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
	h.until("devices are compared", func() bool {
		return w.Ready(ctx) == nil && get[api.AdvisoryList](h.admin, "/advisories?verdict=affected").Total > 0
	})
	return h
}

// upload sends a file as the body.
func (c client) upload(path string, data []byte) answer {
	c.h.t.Helper()
	r := c.request("POST", path, nil)
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(string(data))), int64(len(data))
	r.Header.Set("Content-Type", "application/octet-stream")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		c.h.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		c.h.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, body}
}

func sample(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../see/advisory/testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAdvisoriesAreListedWithTheDevicesTheyConcern(t *testing.T) {
	h := matched(t)
	s := newSchemas(t)
	c := h.admin
	list := get[api.AdvisoryList](c, "/advisories")
	s.hold("AdvisoryList", false, c.do("GET", "/advisories?limit=3", nil).body, "GET /advisories")
	if list.Total != 144 || list.Knowledge.Advisories != 144 || list.Knowledge.Origin != "shipped" || list.Knowledge.Matched == "" {
		t.Errorf("%d advisories, knowledge %+v", list.Total, list.Knowledge)
	}
	if first := list.Advisories[0]; first.Affected != 1 || first.Unknown != 1 {
		t.Errorf("the first is %+v; want one with a pump that is affected and one whose version is not known", first)
	}
	if n := list.Counts; n.Affected == 0 || n.Affected+n.Unknown+n.NotAffected+n.None != 144 || n.DevicesAffected != 1 || n.DevicesUnknown != 1 {
		t.Errorf("counts %+v", n)
	}
	for query, want := range map[string]int{
		"q=ICSMA-20-317-01": 1, "q=CVE-2020-25165": 1, "q=alaris+8015": 3, "verdict=none": list.Counts.None, "device=dev-other": 0, "theatre=OR-9": 0,
		"exploited=true&verdict=affected": 0, "vendor=BD&verdict=any&device=dev-pump": -1, "min_severity=critical&q=CVE-2020-25165": 0,
	} {
		got := get[api.AdvisoryList](c, "/advisories?"+query).Total
		if want >= 0 && got != want || want < 0 && got == 0 {
			t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
	next := get[api.AdvisoryList](c, "/advisories?limit=100")
	rest := get[api.AdvisoryList](c, "/advisories?limit=100&after="+*next.Next)
	if len(next.Advisories)+len(rest.Advisories) != 144 || rest.Next != nil {
		t.Errorf("pages of %d and %d", len(next.Advisories), len(rest.Advisories))
	}
	a := c.do("GET", "/advisories/ICSMA-20-317-01", nil)
	s.hold("Advisory", false, a.body, "one advisory")
	one := read[api.Advisory](t, a, 200)
	if len(one.Matches) != 2 || one.Matches[0].Device != "dev-pump" || one.Matches[0].Verdict != advisory.Affected || one.Matches[0].CVSS == 0 || len(one.Remediations) == 0 || len(one.Products) != 2 {
		t.Errorf("%+v", one)
	}
	if m := one.Matches[1]; m.Verdict != advisory.Unknown || !strings.Contains(strings.Join(m.Missing, " "), "version") {
		t.Errorf("without a version: %+v", m)
	}
	d := c.do("GET", "/devices/dev-pump/advisories", nil)
	s.hold("DeviceAdvisories", false, d.body, "one device")
	if x := get[api.AdvisoryMatches](c, "/advisories/matches?verdict=affected"); x.Total == 0 || len(x.Matches) != x.Total || slices.ContainsFunc(x.Matches, func(m api.AdvisoryMatch) bool { return m.Verdict != advisory.Affected }) {
		t.Errorf("what affects devices: %+v", x)
	}
	if x := get[api.AdvisoryMatches](c, "/advisories/matches?limit=1"); len(x.Matches) != 1 || x.Total < 3 {
		t.Errorf("the worst of all: %d of %d", len(x.Matches), x.Total)
	}
	if x := read[api.DeviceAdvisories](t, d, 200); len(x.Matches) < 3 || len(x.Facts) != 3 || x.Matches[0].Verdict != advisory.Affected {
		t.Errorf("%+v", x)
	}
	for _, path := range []string{"/advisories/none", "/devices/none/advisories"} {
		if a := c.do("GET", path, nil); a.status != 404 {
			t.Errorf("%s: %s", path, a)
		}
	}
}

func TestADecisionStandsAboveWhatWasFoundUntilItIsTakenBack(t *testing.T) {
	h := matched(t)
	s := newSchemas(t)
	c := h.admin
	const path = "/advisories/ICSMA-20-317-01/decisions"
	for _, tt := range []struct {
		name, field string
		body        map[string]any
	}{
		{"no reason", "reason", map[string]any{"status": "fixed", "reason": ""}},
		{"a status that there is not", "status", map[string]any{"status": "fine", "reason": "because"}},
		{"not affected and no justification", "justification", map[string]any{"status": "not-affected", "reason": "because"}},
		{"a justification of nobody", "justification", map[string]any{"status": "not-affected", "justification": "trust_me", "reason": "because"}},
		{"accepted for ever", "until", map[string]any{"status": "accepted", "reason": "because"}},
		{"until yesterday", "until", map[string]any{"status": "accepted", "reason": "because", "until": "-1d"}},
		{"a device of nobody", "device", map[string]any{"status": "fixed", "reason": "because", "device": "dev-none"}},
		{"a CVE of another advisory", "cves", map[string]any{"status": "fixed", "reason": "because", "cves": []string{"CVE-2017-0144"}}},
	} {
		a := c.do("POST", path, tt.body)
		if a.status != 400 || !strings.Contains(string(a.body), `"field":"`+tt.field+`"`) {
			t.Errorf("%s: %s", tt.name, a)
		}
	}
	a := c.do("POST", path, map[string]any{"device": "dev-pump", "status": "not-affected", "justification": "vulnerable_code_not_in_execute_path", "reason": "Not on the network any more", "until": "2099-01-01"})
	s.hold("AdvisoryDecision", false, a.body, "a decision")
	d := read[api.AdvisoryDecision](t, a, 201)
	one := get[api.Advisory](c, "/advisories/ICSMA-20-317-01")
	for _, m := range one.Matches {
		if m.Device == "dev-pump" && (m.Verdict != advisory.NotAffected || m.Found != advisory.Affected || m.Decision == nil || m.Decision.Reason != d.Reason || m.Decision.Who == "") {
			t.Errorf("the pump: %+v", m)
		}
		if m.Device == "dev-pump-2" && m.Decision != nil {
			t.Errorf("the other pump: %+v", m)
		}
	}
	vex := c.do("GET", "/advisories/export?format=openvex&advisory=ICSMA-20-317-01", nil)
	var doc struct {
		Context    string `json:"@context"`
		Statements []struct {
			Status, Justification string
			Products              []struct {
				ID string `json:"@id"`
			}
		}
	}
	if err := json.Unmarshal(vex.body, &doc); err != nil || vex.status != 200 || len(doc.Statements) != 2 || doc.Statements[0].Status != "under_investigation" || doc.Statements[1].Justification != "vulnerable_code_not_in_execute_path" {
		t.Errorf("OpenVEX: %v: %s", err, vex)
	}
	cs := c.do("GET", "/advisories/export?format=csaf", nil)
	parsed, err := csaf.Read(cs.body)
	if err != nil || csaf.CheckVEX(parsed) != nil {
		t.Errorf("CSAF: %v: %.300s", err, cs)
	}
	if a := c.do("GET", "/advisories/export?format=csaf&device=dev-other", nil); a.status != 422 {
		t.Errorf("CSAF of nothing: %s", a)
	}
	if a := h.as("viewer").do("POST", path, map[string]any{"status": "fixed", "reason": "because"}); a.status != 403 {
		t.Errorf("a viewer decides: %s", a)
	}
	if a := c.do("DELETE", path+"/"+d.ID+"?revision=1", nil); a.status != 204 {
		t.Errorf("taking it back: %s", a)
	}
	if m := get[api.Advisory](c, "/advisories/ICSMA-20-317-01").Matches[0]; m.Verdict != advisory.Affected || m.Decision != nil {
		t.Errorf("after it was taken back: %+v", m)
	}
	if l := get[struct {
		Entries []struct{ Action string } `json:"entries"`
	}](c, "/audit?action=advisory."); len(l.Entries) < 3 {
		t.Errorf("the audit trail has %+v", l)
	}
}

func TestFilesAreImportedOrNothingIs(t *testing.T) {
	h := matched(t)
	s := newSchemas(t)
	c := h.admin
	for _, tt := range []struct{ name, query, data, want string }{
		{"no file", "", "", "neither"},
		{"half a file", "?file=half.json", string(sample(t, "advisory.csaf.json"))[:500], "half.json: line"},
		{"a form without scope", "", "MPII-1,,Yes\nMPII-2,,No\nMPII-3,,No\n", "what it is about"},
	} {
		if a := c.upload("/advisories/import"+tt.query, []byte(tt.data)); a.status != 422 || !strings.Contains(string(a.body), tt.want) {
			t.Errorf("%s: %s", tt.name, a)
		}
	}
	if n := get[api.AdvisoryList](c, "/advisories").Knowledge.Imported; n != 0 {
		t.Fatalf("%d advisories were imported by half", n)
	}
	a := c.upload("/advisories/import?file=a.json", sample(t, "advisory.csaf.json"))
	s.hold("AdvisoryImport", false, a.body, "an import")
	if x := read[api.AdvisoryImport](t, a, 200); x.Kind != "csaf" || x.Products != 4 || x.Change != "added" {
		t.Errorf("%+v", x)
	}
	h.until("the monitor is affected", func() bool {
		x := get[api.DeviceAdvisories](c, "/devices/dev-monitor/advisories")
		return len(x.Matches) == 1 && x.Matches[0].Advisory == "EMSA-2026-001" && x.Matches[0].Verdict == advisory.Affected && x.Matches[0].CVSS == 8.1
	})
	if a := c.upload("/advisories/import?file=a.json", sample(t, "advisory.csaf.json")); read[api.AdvisoryImport](t, a, 200).Change != "replaced" {
		t.Errorf("the same again: %s", a)
	}
	sbom := read[api.AdvisoryImport](t, c.upload("/advisories/import?device=dev-monitor", sample(t, "sbom.cdx.json")), 200)
	read[api.AdvisoryImport](t, c.upload("/advisories/import", sample(t, "mds2.csv")), 200)
	h.until("the SBOM counts", func() bool {
		x := get[api.DeviceAdvisories](c, "/devices/dev-monitor/advisories")
		return len(x.Matches) == 3 && len(x.SBOMs) == 1 && len(x.Statements) == 5
	})
	s.hold("DeviceAdvisories", false, c.do("GET", "/devices/dev-monitor/advisories", nil).body, "with an SBOM and a form")
	if a := c.do("DELETE", "/imports/"+sbom.ID, nil); a.status != 204 {
		t.Errorf("removing: %s", a)
	}
	h.until("the SBOM does not count any more", func() bool {
		x := get[api.DeviceAdvisories](c, "/devices/dev-monitor/advisories")
		return len(x.Matches) == 1 && len(x.SBOMs) == 0
	})
	if a := c.do("POST", "/advisories/import", map[string]any{}); a.status != 422 {
		t.Errorf("JSON that is none of it: %s", a)
	}
}
