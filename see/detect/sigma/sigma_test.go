// SPDX-License-Identifier: Apache-2.0

package sigma_test

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/see/detect/expr"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
	"github.com/asepsis/asepsis/see/detect/sigma"
)

func env(t testing.TB) *expr.Env {
	t.Helper()
	e, err := expr.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func dns(query, kind string) *scene.Scene {
	return &scene.Scene{Event: &event.Event{Protocol: "dns", Detail: &event.DNS{Query: query, Type: kind}}}
}

func TestRulesAreImportedAsTheyAreMeant(t *testing.T) {
	data, err := os.ReadFile("testdata/network.yaml")
	if err != nil {
		t.Fatal(err)
	}
	e := env(t)
	rules, err := sigma.Import("network.yaml", data, e)
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]*rule.Rule{}
	for _, r := range rules {
		by[r.ID] = r
		if _, err := rule.Parse(r.ID, rule.Encode(r), e); err != nil {
			t.Errorf("%s, written and read again: %v\n%s", r.ID, err, rule.Encode(r))
		}
	}
	if len(by) != 3 {
		t.Fatalf("have %d rules, want 3: the one that a correlation uses does not stand alone", len(by))
	}

	tunnel := by["sigma.long-name-asked-of-an-unusual-zone"]
	if tunnel.Severity.Base != finding.High || len(tunnel.Attack) != 1 || tunnel.Attack[0] != "T1048.003" || tunnel.Origin != "sigma" {
		t.Errorf("about the rule: %+v", tunnel)
	}
	http := func(agent, path string, status int, ip string) *scene.Scene {
		return &scene.Scene{Src: scene.Party{IP: netip.MustParseAddr(ip)}, Event: &event.Event{Protocol: "http", Detail: &event.HTTP{UserAgent: agent, Path: path, Status: status}}}
	}
	for _, c := range []struct {
		what string
		rule *rule.Rule
		s    *scene.Scene
		want bool
	}{
		{"a name in the zone", tunnel, dns("AAAA.Tunnel.Example", "txt"), true},
		{"another type", tunnel, dns("aaaa.tunnel.example", "A"), false},
		{"a name that is filtered", tunnel, dns("ok.tunnel.example", "TXT"), false},
		{"another zone", tunnel, dns("a.example", "TXT"), false},
		{"a tool by a part", by["sigma.script-client-reads-a-device-page"], http("Python-Requests/2", "/admin/x", 200, "10.1.1.1"), true},
		{"a tool by a wildcard", by["sigma.script-client-reads-a-device-page"], http("curl/8.5", "/cgi-bin/", 200, "10.1.1.1"), true},
		{"not in the network", by["sigma.script-client-reads-a-device-page"], http("curl/8.5", "/cgi-bin/", 200, "192.0.2.1"), false},
		{"another answer", by["sigma.script-client-reads-a-device-page"], http("curl/8.5", "/cgi-bin/", 404, "10.1.1.1"), false},
		{"a browser", by["sigma.script-client-reads-a-device-page"], http("Mozilla/5.0 curl/8", "/cgi-bin/", 200, "10.1.1.1"), false},
	} {
		on := c.rule.Match.Selects()[0]
		b, err := e.Bool(on.Classes(), on.When)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := b.Eval(c.s); got != c.want || err != nil {
			t.Errorf("%s: %v, %v; want %v (%s)", c.what, got, err, c.want, on.When)
		}
	}
	u := by["sigma.many-ports-refused"].Match.Unique
	if u == nil || u.Over != 30 || u.Of != "dst.port" || strings.Join(u.By, " ") != "src.ip dst.ip" || u.Window.Minutes() != 5 {
		t.Errorf("correlation: %+v", u)
	}
}

func TestWhatIsNotSupportedIsRefusedByName(t *testing.T) {
	const ok = "title: T\nlogsource: {category: dns}\n"
	for name, c := range map[string]struct{ text, want string }{
		"a log source":     {"title: T\nlogsource:\n  category: process_creation\n  product: windows\ndetection: {s: {Image: x}, condition: s}\n", `f.yml:3: the log source "windows/process_creation/" is not supported`},
		"a field":          {ok + "detection:\n  s:\n    Image: x\n  condition: s\n", `f.yml:5: the field "Image" is not supported`},
		"a modifier":       {ok + "detection: {s: {query|base64: x}, condition: s}\n", `the modifier "base64" is not supported`},
		"keywords":         {ok + "detection: {s: [a, b], condition: s}\n", "keywords without a field"},
		"an aggregation":   {ok + "detection: {s: {query: x}, condition: s | count() > 5}\n", `condition: "|" is not supported`},
		"a timeframe":      {ok + "detection: {s: {query: x}, timeframe: 5m, condition: s}\n", "timeframe is not supported"},
		"an unknown name":  {ok + "detection: {s: {query: x}, condition: s and t}\n", `there is no selection "t"`},
		"an open bracket":  {ok + "detection: {s: {query: x}, condition: (s}\n", "a bracket is not closed"},
		"an unordered one": {"title: T\ncorrelation: {type: temporal, rules: [a], timespan: 5m}\n", `no rule "a" in this file`},
		"a bad expression": {ok + "detection: {s: {query|re: '(?=x)'}, condition: s}\n", "not one of RE2"},
		"an unknown top":   {ok + "detection: {s: {query: x}, condition: s}\nfoo: 1\n", `the field "foo" is not supported`},
		"no YAML":          {"title: [", "YAML"},
		"a deprecated one": {ok + "status: deprecated\ndetection: {s: {query: x}, condition: s}\n", "deprecated"},
		"a whole number":   {"title: T\nlogsource: {product: zeek, service: conn}\ndetection: {s: {dst_port: http}, condition: s}\n", `"http" is not a whole number`},
	} {
		if _, err := sigma.Import("f.yml", []byte(c.text), env(t)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
}

func FuzzImport(f *testing.F) {
	data, err := os.ReadFile("testdata/network.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte("title: T\nlogsource: {category: dns}\ndetection: {s: {query: 'a*b?c\\*'}, condition: not (s or 1 of them)}\n"))
	e := env(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		rules, _ := sigma.Import("f.yml", data, e)
		for _, r := range rules {
			if _, err := rule.Parse("r", rule.Encode(r), e); err != nil {
				t.Fatalf("a rule was imported that cannot be read again: %v\n%s", err, rule.Encode(r))
			}
		}
	})
}
