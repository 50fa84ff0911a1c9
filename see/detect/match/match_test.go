// SPDX-License-Identifier: Apache-2.0

package match

import (
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/see/detect/rule"
)

func TestATriggerFiresOnEachEvent(t *testing.T) {
	p := &player{m: matcher(t, rule.Match{Trigger: &rule.Trigger{On: dnsOn}}, deps())}
	p.feed(0, dns(0, "a", "x"), dns(1, "a", "x"))
	if len(p.hits) != 2 || p.hits[0].Key != "" {
		t.Fatalf("hits %+v", p.hits)
	}
}

func TestAnIndicatorFiresWhereItStands(t *testing.T) {
	p := &player{m: matcher(t, rule.Match{IOC: &rule.IOC{On: dnsOn, Of: []string{"dns.query"}, List: "bad-names"}}, deps())}
	p.feed(0, dns(0, "a", "good.example"), dns(1, "a", "evil.example"))
	if len(p.hits) != 1 || p.hits[0].Values["indicator"] != "evil.example" || p.hits[0].Values["field"] != "dns.query" {
		t.Fatalf("hits %+v", p.hits)
	}
}

func TestARuleThatCannotWorkIsRefused(t *testing.T) {
	for name, m := range map[string]rule.Match{
		"no matcher":        {},
		"unknown list":      {IOC: &rule.IOC{On: dnsOn, Of: []string{"dns.query"}, List: "nothing"}},
		"unknown class":     {Count: &rule.Count{On: rule.On{Class: []string{"dns"}}, Window: time.Minute, Over: 3}},
		"unknown field":     {Count: &rule.Count{On: dnsOn, By: []string{"dns.nothing"}, Window: time.Minute, Over: 3}},
		"no window":         {Count: &rule.Count{On: dnsOn, Over: 3}},
		"too long a window": {Unique: &rule.Unique{On: dnsOn, Of: "dns.query", Window: 32 * 24 * time.Hour, Over: 3}},
		"no threshold":      {Unique: &rule.Unique{On: dnsOn, Of: "dns.query", Window: time.Hour}},
		"nothing learned":   {Baseline: &rule.Baseline{On: dnsOn, By: []string{"src.id"}}},
		"too short bucket":  {Rate: &rule.Rate{On: dnsOn, Bucket: time.Millisecond}},
		"too many keys":     {Count: &rule.Count{On: dnsOn, By: strings.Split(strings.Repeat("src.id,", 9), ",")[:9], Window: time.Minute, Over: 3}},
	} {
		if _, err := New(&rule.Rule{ID: "x.y", Match: m}, deps()); err == nil || !strings.Contains(err.Error(), "x.y") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHitsOfAdvanceNameTheDevicesInTheRulesOrder(t *testing.T) {
	for _, tt := range []struct {
		group []string
		want  string
	}{{nil, "pump dns"}, {[]string{"dst", "src"}, "dns pump"}, {[]string{"src"}, "pump"}, {[]string{"dst"}, "dns"}} {
		m, err := New(&rule.Rule{ID: "x.y", Group: rule.Group{Devices: tt.group}, Match: rule.Match{Absence: &rule.Absence{On: dnsOn, By: []string{"src.id"}, Expect: 3, Within: time.Minute}}}, deps())
		if err != nil {
			t.Fatal(err)
		}
		p := &player{m: m}
		every(p, 0, time.Second, 5)
		p.wait(time.Hour)
		if len(p.hits) != 1 || strings.Join(p.hits[0].Devices, " ") != tt.want {
			t.Errorf("group %v: %+v", tt.group, p.hits)
		}
	}
}
