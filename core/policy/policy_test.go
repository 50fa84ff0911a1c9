// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/policy"
)

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

func nets(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func ports(t *testing.T, list ...string) []policy.Ports {
	t.Helper()
	out := make([]policy.Ports, len(list))
	for i, s := range list {
		if err := out[i].UnmarshalText([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func date(s string) policy.Date {
	d, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return policy.Day(d)
}

// hospital is a small policy with each thing that a policy can say.
func hospital(t *testing.T) policy.Spec {
	return policy.Spec{
		Version: 1,
		Services: []policy.NamedService{
			{ID: "dicom-tls", Protocol: "dicom", Transport: "tcp", Ports: ports(t, "2762", "11112-11115"), TLS: "required"},
			{ID: "dicom-clear", Protocol: "dicom", Transport: "tcp", Ports: ports(t, "104"), TLS: "never"},
			{ID: "hl7", Protocol: "hl7", Transport: "tcp"},
			{ID: "web", Transport: "tcp", Ports: ports(t, "443")},
		},
		Zones: []policy.Zone{
			{ID: "imaging", Within: "none", Members: []policy.Selector{{Networks: nets("10.20.0.0/16", "fd00:20::/64")}}},
			{ID: "or-3", Members: []policy.Selector{{Theatres: []string{"OR-3"}, Classes: []device.Class{device.ClassCArm}}}},
			{ID: "archive", Within: "listed", Members: []policy.Selector{{Networks: nets("10.30.1.0/24")}, {Devices: []string{"pacs-2"}}}},
			{ID: "clinical", Members: []policy.Selector{{Networks: nets("10.30.0.0/16")}, {VLANs: []uint16{300}}}},
			{ID: "pumps", Members: []policy.Selector{{Networks: nets("10.20.5.0/24"), Classes: []device.Class{device.ClassInfusionPump}}}},
		},
		Conduits: []policy.Conduit{
			{ID: "store", From: []string{"imaging", "or-3"}, To: []string{"archive"}, Services: []string{"dicom-tls"}, Owner: "o", Reason: "r"},
			{ID: "old-ct", From: []string{"imaging"}, To: []string{"archive"}, Services: []string{"dicom-clear"}, Owner: "o", Reason: "r", Expires: date("2027-03-31")},
			{ID: "mirror", From: []string{"archive"}, To: []string{"archive"}, Services: []string{"dicom-tls"}, Owner: "o", Reason: "r"},
			{ID: "orders", From: []string{"archive"}, To: []string{"clinical"}, Services: []string{"hl7"}, Direction: "both", Owner: "o", Reason: "r"},
			{ID: "updates", From: []string{"archive"}, To: []string{policy.Internet}, Services: []string{"web"}, Owner: "o", Reason: "r"},
			{ID: "all", From: []string{"clinical"}, To: []string{"pumps"}, Services: []string{"any"}, Owner: "o", Reason: "r"},
		},
	}
}

func compiled(t *testing.T, s policy.Spec) *policy.Policy {
	t.Helper()
	p, problems := policy.Compile(s)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return p
}

func TestAnEndIsInTheZoneThatAsksForMost(t *testing.T) {
	p := compiled(t, hospital(t))
	for _, c := range []struct {
		name string
		end  policy.End
		want string
	}{
		{"by network", policy.End{IP: ip("10.20.1.1")}, "imaging"},
		{"by an IPv6 network", policy.End{IP: ip("fd00:20::7")}, "imaging"},
		{"by an IPv4 address written as IPv6", policy.End{IP: ip("::ffff:10.20.1.1")}, "imaging"},
		{"the longest network wins", policy.End{IP: ip("10.30.1.9")}, "archive"},
		{"and the shorter one has the rest", policy.End{IP: ip("10.30.2.9")}, "clinical"},
		{"two things asked for win over one", policy.End{IP: ip("10.20.5.9"), Class: device.ClassInfusionPump}, "pumps"},
		{"both must hold", policy.End{IP: ip("10.20.5.9"), Class: device.ClassCT}, "imaging"},
		{"theatre and class win over the network", policy.End{IP: ip("10.20.1.1"), Theatre: "OR-3", Class: device.ClassCArm}, "or-3"},
		{"another theatre does not", policy.End{IP: ip("10.20.1.1"), Theatre: "OR-4", Class: device.ClassCArm}, "imaging"},
		{"by VLAN", policy.End{IP: ip("10.99.0.1"), VLANs: []uint16{7, 300}}, "clinical"},
		{"a listed device wins over everything but a person", policy.End{Device: "pacs-2", IP: ip("10.20.1.1"), Theatre: "OR-3", Class: device.ClassCArm}, "archive"},
		{"what a person set wins", policy.End{Device: "pacs-2", IP: ip("10.20.1.1"), Zone: "clinical"}, "clinical"},
		{"a zone that is not in the policy does not count", policy.End{IP: ip("10.20.1.1"), Zone: "gone"}, "imaging"},
		{"outside", policy.End{IP: ip("192.0.2.1")}, "internet"},
		{"a private address that nobody listed is in none", policy.End{IP: ip("192.168.1.1")}, ""},
		{"no address", policy.End{}, ""},
		{"multicast is nowhere", policy.End{IP: ip("224.0.0.251")}, ""},
	} {
		got, why := p.ZoneOf(c.end)
		if got != c.want || why == "" {
			t.Errorf("%s: %q (%s), want %q", c.name, got, why, c.want)
		}
	}
}

func TestAConversationIsInThePolicyOrNotWithTheReason(t *testing.T) {
	p := compiled(t, hospital(t))
	ct, ct2, pacs, pacs2, engine, out := policy.End{IP: ip("10.20.1.1")}, policy.End{IP: ip("10.20.1.2")}, policy.End{IP: ip("10.30.1.1")}, policy.End{Device: "pacs-2"}, policy.End{IP: ip("10.30.9.9")}, policy.End{IP: ip("198.51.100.7")}
	before := time.Date(2027, 3, 31, 23, 59, 59, 0, time.UTC).UnixNano()
	after := time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	dicom := func(port uint16, tls bool) policy.Service {
		return policy.Service{Protocol: "dicom", Transport: "tcp", Port: port, TLS: tls}
	}
	for _, c := range []struct {
		name     string
		from, to policy.End
		s        policy.Service
		at       int64
		want     string // conduit, "within", or "" for not allowed
		why      string
	}{
		{"images over TLS", ct, pacs, dicom(11113, true), before, "store", "conduit store allows it from imaging"},
		{"TLS in which nothing can be seen", ct, pacs, policy.Service{Protocol: "tls", Transport: "tcp", Port: 2762}, before, "store", ""},
		{"a port beyond the range", ct, pacs, dicom(11116, true), before, "", "no conduit allows dicom on tcp port 11116"},
		{"clear text where TLS is required", ct, pacs, dicom(2762, false), before, "", "requires TLS, this is in clear"},
		{"another protocol on the right port", ct, pacs, policy.Service{Protocol: "ssh", Transport: "tcp", Port: 2762}, before, "", "is for dicom, this is ssh"},
		{"a port whose protocol is not known yet", ct, pacs, policy.Service{Transport: "tcp", Port: 2762}, before, "store", ""},
		{"udp on a tcp service", ct, pacs, policy.Service{Protocol: "dicom", Transport: "udp", Port: 104}, before, "", ""},
		{"the exception on its last day", ct, pacs, dicom(104, false), before, "old-ct", ""},
		{"and on the day after", ct, pacs, dicom(104, false), after, "", "old-ct allowed it and has expired"},
		{"encrypted where it is for clear text", ct, pacs, dicom(104, true), before, "", "is for clear text"},
		{"the other direction", pacs, ct, dicom(104, false), before, "", "no conduit"},
		{"both directions where it says so", engine, pacs, policy.Service{Protocol: "hl7", Transport: "tcp", Port: 6661}, before, "orders", ""},
		{"within a zone whose members may not", ct, ct2, dicom(2762, true), before, "", "may not talk to each other"},
		{"within a zone that lists", pacs, pacs2, dicom(2762, true), before, "mirror", ""},
		{"within a zone that lists something else", pacs, pacs2, policy.Service{Protocol: "ssh", Transport: "tcp", Port: 22}, before, "", "no conduit"},
		{"within a zone that says nothing", engine, engine, policy.Service{Protocol: "ssh", Transport: "tcp", Port: 22}, before, "within", "members may talk"},
		{"to the Internet", pacs, out, policy.Service{Protocol: "tls", Transport: "tcp", Port: 443}, before, "updates", ""},
		{"to the Internet from elsewhere", ct, out, policy.Service{Protocol: "tls", Transport: "tcp", Port: 443}, before, "", "internet"},
		{"any service", engine, policy.End{IP: ip("10.20.5.1"), Class: device.ClassInfusionPump}, policy.Service{Protocol: "x", Transport: "tcp", Port: 1}, before, "all", ""},
	} {
		v := p.Check(c.from, c.to, c.s, c.at)
		got := v.Conduit
		if v.Allowed && v.Conduit == "" {
			got = "within"
		}
		if !v.Allowed {
			got = ""
		}
		if !v.Known || got != c.want || v.Allowed != (c.want != "") || !strings.Contains(v.Why, c.why) {
			t.Errorf("%s: %+v, want %q %q", c.name, v, c.want, c.why)
		}
	}
	if v := p.Check(ct, policy.End{IP: ip("192.168.1.1")}, dicom(104, false), before); v.Known || v.Allowed || v.FromZone != "imaging" || !strings.Contains(v.Why, "server is in no zone") {
		t.Errorf("an end that is nowhere: %+v", v)
	}
	if v := p.Check(ct, pacs, dicom(104, false), after); !v.Expired || v.Conduit != "old-ct" {
		t.Errorf("%+v", v)
	}
}

func TestEachMistakeIsNamedWithItsPlace(t *testing.T) {
	for want, breakIt := range map[string]func(*policy.Spec){
		"version: is 0": func(s *policy.Spec) { s.Version = 0 },
		"zones[1].id: \"imaging\" is there already":           func(s *policy.Spec) { s.Zones[1].ID = "imaging" },
		"zones[0].id: \"Imaging\" cannot be a name":           func(s *policy.Spec) { s.Zones[0].ID = "Imaging"; s.Conduits = nil },
		"zones[0].members: the zone imaging has no members":   func(s *policy.Spec) { s.Zones[0].Members = nil },
		"zones[0].members[0]: selects nothing":                func(s *policy.Spec) { s.Zones[0].Members[0] = policy.Selector{} },
		"zones[0].members[0].networks[0]: 10.20.0.1/16":       func(s *policy.Spec) { s.Zones[0].Members[0].Networks = nets("10.20.0.1/16") },
		"zones[3].members[0].networks[0]: 10.30.1.0/24 is in": func(s *policy.Spec) { s.Zones[3].Members[0].Networks = nets("10.30.1.0/24") },
		"zones[1].members[0].classes[0]: \"toaster\"":         func(s *policy.Spec) { s.Zones[1].Members[0].Classes[0] = "toaster" },
		"zones[3].members[1].vlans[0]: 4095":                  func(s *policy.Spec) { s.Zones[3].Members[1].VLANs[0] = 4095 },
		"zones[4].members[0].devices[0]: the device pacs-2":   func(s *policy.Spec) { s.Zones[4].Members[0] = policy.Selector{Devices: []string{"pacs-2"}} },
		"zones[0].within: \"maybe\"":                          func(s *policy.Spec) { s.Zones[0].Within = "maybe" },
		"services[0].tls: \"yes\"":                            func(s *policy.Spec) { s.Services[0].TLS = "yes" },
		"services[2].protocol: the service says nothing":      func(s *policy.Spec) { s.Services[2] = policy.NamedService{ID: "hl7"} },
		"conduits[0].owner: is needed":                        func(s *policy.Spec) { s.Conduits[0].Owner = " " },
		"conduits[0].reason: is needed":                       func(s *policy.Spec) { s.Conduits[0].Reason = "" },
		"conduits[0].to[0]: there is no zone \"nowhere\"":     func(s *policy.Spec) { s.Conduits[0].To = []string{"nowhere"} },
		"conduits[0].services[0]: there is no service":        func(s *policy.Spec) { s.Conduits[0].Services = []string{"x"} },
		"conduits[1].id: \"store\" is there already":          func(s *policy.Spec) { s.Conduits[1].ID = "store" },
		"zones: has 501 entries":                              func(s *policy.Spec) { s.Zones = make([]policy.Zone, policy.MaxZones+1) },
	} {
		s := hospital(t)
		breakIt(&s)
		p, problems := policy.Compile(s)
		if p != nil || !slices.ContainsFunc(problems, func(p policy.Problem) bool { return strings.HasPrefix(p.Error(), want) }) {
			t.Errorf("%s: %v", want, problems)
		}
	}
}

func TestLintSaysWhatSomebodyShouldLookAt(t *testing.T) {
	s := hospital(t)
	s.Conduits = append(s.Conduits,
		policy.Conduit{ID: "again", From: []string{"imaging"}, To: []string{"archive"}, Services: []string{"dicom-tls"}, Owner: "o", Reason: "r", Expires: date("2027-04-20")},
		policy.Conduit{ID: "in", From: []string{policy.Internet}, To: []string{"archive"}, Services: []string{"any"}, Owner: "o", Reason: "r"})
	s.Services = append(s.Services, policy.NamedService{ID: "unused", Protocol: "ftp"})
	var got []string
	for _, n := range compiled(t, s).Lint(date("2027-04-02").UnixNano()) {
		got = append(got, n.Level+" "+n.Path+": "+n.Message)
	}
	text := strings.Join(got, "\n")
	for _, want := range []string{
		"warning conduits[1].expires: old-ct expired on 2027-03-31", "note conduits[6].expires: again expires on 2027-04-20", "note conduits[6]: again adds nothing: store allows it already",
		"warning conduits[7].from: in lets the Internet ask archive", "warning conduits[7].services: in allows every service", "note services[4]: no conduit uses unused", "note zones[0].owner: imaging has no owner",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "old-ct adds nothing") || strings.Contains(text, "no conduit leads to or from") {
		t.Error(text)
	}
}

func TestZonesAreProposedFromWhatIsSeenAndNothingIsCalledAViolation(t *testing.T) {
	dev := func(id string, c device.Class, room, addr string) device.Device {
		return device.Device{ID: id, Class: c, Theatre: room, Interfaces: []device.Interface{{IPs: []netip.Addr{ip(addr)}}}}
	}
	spec := policy.Propose([]device.Device{
		dev("carm", device.ClassCArm, "OR 3", "10.3.0.1"), dev("ct", device.ClassCT, "", "10.4.0.1"), dev("pacs", device.ClassPACS, "", "10.5.0.1"),
		dev("pump", device.ClassInfusionPump, "OR 3", "10.6.0.1"), dev("printer", device.ClassPrinter, "", "10.6.0.2"), dev("what", device.ClassUnknown, "", "10.5.0.77"),
	})
	var ids []string
	for _, z := range spec.Zones {
		ids = append(ids, z.ID)
	}
	if fmt.Sprint(ids) != "[imaging or-3-imaging or-3-life-support archive office]" {
		t.Errorf("%v", ids)
	}
	p := compiled(t, spec)
	for _, c := range []struct {
		end  policy.End
		want string
	}{
		{policy.End{IP: ip("10.3.0.99")}, "or-3-imaging"}, // the whole subnet is
		{policy.End{IP: ip("10.6.0.99")}, ""},             // pump and printer share it
		{policy.End{IP: ip("10.6.0.9"), Class: device.ClassPrinter}, "office"},
		{policy.End{IP: ip("10.5.0.77")}, "archive"},
		{policy.End{Class: device.ClassCArm, Theatre: "OR 3"}, "or-3-imaging"},
		{policy.End{Class: device.ClassCArm, Theatre: "OR 9"}, "imaging"},
	} {
		if got, why := p.ZoneOf(c.end); got != c.want {
			t.Errorf("%+v is in %q (%s), want %q", c.end, got, why, c.want)
		}
	}
	if v := p.Check(policy.End{IP: ip("10.3.0.9")}, policy.End{IP: ip("10.5.0.9")}, policy.Service{Protocol: "dicom"}, 0); v.Known || v.Allowed || !v.Proposed || v.FromZone == "" || v.ToZone == "" {
		t.Errorf("%+v", v)
	}
	if s := policy.Propose(nil); len(s.Zones) != 0 {
		t.Errorf("%+v", s)
	}
}

func TestPortsAndDatesAreReadStrictly(t *testing.T) {
	for text, ok := range map[string]bool{"104": true, "1-65535": true, "0": false, "65536": false, "5-4": false, "1-": false, "": false, "a": false, "1 2": false, "01": false, "+1": false, "-1": false} {
		var p policy.Ports
		if err := p.UnmarshalText([]byte(text)); (err == nil) != ok {
			t.Errorf("%q: %v %v", text, p, err)
		} else if ok && p.String() != text {
			t.Errorf("%q is %q", text, p)
		}
	}
	var d policy.Date
	if err := d.UnmarshalText([]byte("2027-02-30")); err == nil || !d.IsZero() {
		t.Error("the 30th of February was read")
	}
}
