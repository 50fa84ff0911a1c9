// SPDX-License-Identifier: Apache-2.0

package suricata_test

import (
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/see/detect/expr"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
	"github.com/asepsis/asepsis/see/detect/suricata"
)

func env(t testing.TB) *expr.Env {
	t.Helper()
	e, err := expr.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func between(src, dst string, detail event.Detail, proto uint8) *scene.Scene {
	end := func(text string) scene.Party {
		p := netip.MustParseAddrPort(text)
		return scene.Party{IP: p.Addr(), Port: p.Port(), Internal: p.Addr().IsPrivate()}
	}
	return &scene.Scene{Src: end(src), Dst: end(dst), Event: &event.Event{Flow: &event.Flow{Proto: proto}, Detail: detail}}
}

func TestRulesAreImportedAsTheyAreMeant(t *testing.T) {
	data, err := os.ReadFile("testdata/network.rules")
	if err != nil {
		t.Fatal(err)
	}
	e := env(t)
	rules, err := suricata.Import("network.rules", data, nil, e)
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
	if len(by) != 5 {
		t.Fatalf("have %d rules, want 5", len(by))
	}
	dns := by["suricata.sid-9000001"]
	if dns.Severity.Base != finding.High || dns.Confidence != 80 || len(dns.Attack) != 1 || !strings.Contains(dns.Title, "tunnel zone; any depth") {
		t.Errorf("about the rule: %+v", dns)
	}
	if c := by["suricata.sid-9000004"].Match.Count; c == nil || c.Over != 5 || c.Window != time.Minute || c.By[0] != "src.ip" {
		t.Errorf("detection_filter: %+v", c)
	}
	cert := &event.TLS{SNI: "x.test", ServerChain: []event.Certificate{{Subject: "O=x, CN=localhost"}}}
	page := &event.HTTP{Method: "GET", Path: "/cgi-bin/a/b.sh?x=", UserAgent: "Wget/1.2"}
	for _, c := range []struct {
		what, sid string
		s         *scene.Scene
		want      bool
	}{
		{"a name in the zone", "9000001", between("10.0.0.1:5", "8.8.8.8:53", &event.DNS{Query: "a.b.Tunnel.example"}, 17), true},
		{"the zone itself", "9000001", between("10.0.0.1:5", "8.8.8.8:53", &event.DNS{Query: "tunnel.example"}, 17), true},
		{"a name that ends alike", "9000001", between("10.0.0.1:5", "8.8.8.8:53", &event.DNS{Query: "nottunnel.example"}, 17), false},
		{"asked from outside", "9000001", between("8.8.8.8:5", "10.0.0.1:53", &event.DNS{Query: "tunnel.example"}, 17), false},
		{"the certificate", "9000002", between("10.0.0.1:5", "8.8.8.8:9050", cert, 6), true},
		{"on another port", "9000002", between("10.0.0.1:5", "8.8.8.8:9150", cert, 6), false},
		{"inside", "9000002", between("10.0.0.1:5", "10.0.0.2:443", cert, 6), false},
		{"a connection and no handshake", "9000002", between("10.0.0.1:5", "8.8.8.8:443", &event.Connection{}, 6), false},
		{"the page", "9000003", between("8.8.8.8:5", "10.0.0.2:80", page, 6), true},
		{"the parts in another order", "9000003", between("8.8.8.8:5", "10.0.0.2:80", &event.HTTP{Method: "GET", Path: "/b.sh/cgi-bin/", UserAgent: "curl/8"}, 6), false},
		{"telnet", "9000004", between("10.1.0.1:5", "10.0.0.2:23", &event.Connection{}, 6), true},
		{"telnet from the part that is left out", "9000004", between("10.9.0.1:5", "10.0.0.2:23", &event.Connection{}, 6), false},
		{"an old server that we asked", "9000005", between("10.0.0.1:5000", "8.8.8.8:22", &event.SSH{ServerVersion: "SSH-2.0-dropbear_2012.55"}, 6), true},
		{"an old client of ours", "9000005", between("10.0.0.1:5000", "8.8.8.8:22", &event.SSH{ClientVersion: "SSH-2.0-dropbear_2012.55"}, 6), false},
	} {
		on := by["suricata.sid-"+c.sid].Match.Selects()[0]
		b, err := e.Bool(on.Classes(), on.When)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := b.Eval(c.s); got != c.want || err != nil {
			t.Errorf("%s: %v, %v; want %v (%s)", c.what, got, err, c.want, on.When)
		}
	}
}

func TestWhatIsNotSupportedIsRefusedByName(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"payload":        {`alert tcp any any -> any any (msg:"x"; content:"abc"; sid:7;)`, "r:1: sid 7: content on the payload of packets is not supported"},
		"a flow bit":     {`alert tcp any any -> any any (msg:"x"; flowbits:set,a; sid:7;)`, `the option "flowbits" is not supported`},
		"JA3":            {`alert tls any any -> any any (msg:"x"; ja3.hash; content:"abc"; sid:7;)`, `the option "ja3.hash" is not supported`},
		"a drop":         {`drop tcp any any -> any any (msg:"x"; sid:7;)`, `the action "drop" is not supported`},
		"a variable":     {`alert tcp any any -> any $HTTP_PORTS (msg:"x"; sid:7;)`, `the variable "HTTP_PORTS" is not known`},
		"a protocol":     {`alert modbus any any -> any any (msg:"x"; sid:7;)`, `the protocol "modbus" is not supported`},
		"bytes":          {`alert dns any any -> any any (msg:"x"; dns.query; content:"|ff|"; sid:7;)`, "texts are compared, not bytes"},
		"a look-ahead":   {`alert dns any any -> any any (msg:"x"; dns.query; pcre:"/a(?=b)/"; sid:7;)`, "not an expression of RE2"},
		"a flag":         {`alert http any any -> any any (msg:"x"; http.uri; pcre:"/a/U"; sid:7;)`, "the flag 'U' is not supported"},
		"a distance":     {`alert http any any -> any any (msg:"x"; http.uri; content:"a"; content:"b"; distance:5; sid:7;)`, "distance:5 is not supported"},
		"two protocols":  {`alert tcp any any -> any any (msg:"x"; http.uri; content:"a"; dns.query; content:"b"; sid:7;)`, "beside one of another protocol"},
		"no sid":         {`alert dns any any -> any any (msg:"x"; dns.query; content:"b";)`, "there is no sid"},
		"no brackets":    {`alert dns any any -> any any`, "no options in brackets"},
		"the same twice": {"alert tcp any any -> any 23 (msg:\"x\"; sid:7;)\nalert tcp any any -> any 23 (msg:\"x\"; sid:7;)", "r:2: sid 7: the same sid as in line 1"},
	} {
		if _, err := suricata.Import("r", []byte(c.text), nil, env(t)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
}

func TestVariablesAreGiven(t *testing.T) {
	rules, err := suricata.Import("r", []byte(`alert tcp any any -> any $HTTP_PORTS (msg:"x"; sid:7;)`), map[string]string{"HTTP_PORTS": "[80,8080]"}, env(t))
	if err != nil || len(rules) != 1 || !strings.Contains(rules[0].Match.Trigger.When, "(dst.port == 80 || dst.port == 8080)") {
		t.Fatalf("%+v, %v", rules, err)
	}
}

func FuzzImport(f *testing.F) {
	data, err := os.ReadFile("testdata/network.rules")
	if err != nil {
		f.Fatal(err)
	}
	for _, l := range strings.Split(string(data), "\n") {
		f.Add([]byte(l))
	}
	e := env(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		rules, _ := suricata.Import("r", data, nil, e)
		for _, r := range rules {
			if _, err := rule.Parse("r", rule.Encode(r), e); err != nil {
				t.Fatalf("a rule was imported that cannot be read again: %v\n%s", err, rule.Encode(r))
			}
		}
	})
}
