// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/see/sensor/analyze/analyzetest"
	"github.com/asepsis/asepsis/wire/arp"
	"github.com/asepsis/asepsis/wire/packet"
)

func protocol(t *testing.T, name string, stream bool) analyze.Protocol {
	t.Helper()
	for _, p := range Protocols() {
		if p.Name == name && (p.NewStream != nil) == stream {
			return p
		}
	}
	t.Fatalf("no protocol %q", name)
	return analyze.Protocol{}
}

// datagrams runs payloads, each from the client unless it begins with "<".
func datagrams(t *testing.T, name string, port uint16, payloads ...string) *analyzetest.Host {
	t.Helper()
	p, h := protocol(t, name, false), analyzetest.NewHost()
	c := analyzetest.Conn(h, packet.ProtoUDP, port)
	c.App = name
	a := p.NewDatagram(c)
	for i, s := range payloads {
		dir := analyze.ToServer
		if rest, ok := strings.CutPrefix(s, "<"); ok {
			s, dir = rest, analyze.ToClient
		}
		b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		c.Packet = &packet.Packet{Payload: b}
		if i == 0 && p.Probe(c, dir, b) != analyze.Yes {
			t.Fatalf("%s: the probe does not say Yes", name)
		}
		c.Now += 1e6
		a.Packet(c, dir, b, 0)
	}
	a.Close(c, analyze.EndOfInput)
	return h
}

func TestProtocolsAreWhole(t *testing.T) {
	for _, p := range Protocols() {
		n := 0
		for _, set := range []bool{p.NewStream != nil, p.NewDatagram != nil, p.Frame != nil} {
			if set {
				n++
			}
		}
		if n != 1 || (p.Frame == nil) != (p.Select == nil) || (p.Frame == nil) != (p.Probe != nil) {
			t.Errorf("%s: set for %d transports", p.Name, n)
		}
	}
}

func TestIdentities(t *testing.T) {
	c := analyzetest.Conn(analyzetest.NewHost(), packet.ProtoUDP, 1812)
	for _, tc := range []struct{ in, host, fqdn string }{
		{"host/ws-1.lindenhof.example", "ws-1", "ws-1.lindenhof.example"},
		{"host/ws-1", "ws-1", ""},
		{`LINDENHOF\WS-1$`, "WS-1", ""},
		{"00166f0a2012", "", ""},
		{"anonymous@lindenhof.example", "", ""},
	} {
		if shown, host, fqdn := identity(c, tc.in); shown != tc.in || host != tc.host || fqdn != tc.fqdn {
			t.Errorf("%q: %q %q %q", tc.in, shown, host, fqdn)
		}
	}
	for _, person := range []string{"anna.muster", `LINDENHOF\amuster`, "anna@lindenhof.example", "hostess/anna"} {
		if shown, host, fqdn := identity(c, person); !strings.HasPrefix(shown, "p:") || host != "" || fqdn != "" {
			t.Errorf("%q is shown as %q %q %q", person, shown, host, fqdn)
		}
	}
}

func TestOperatingSystems(t *testing.T) {
	for in, want := range map[string]string{
		"Linux srv-mgmt 6.18.44 #1 SMP x86_64":                                           "Linux 6.18.44",
		"Linux/5.10 UPnP/1.0 GSSDP/1.6.2":                                                "Linux 5.10",
		"Debian DLNADOC/1.50 UPnP/1.0 MiniDLNA/1.3.0":                                    "Debian",
		"Cisco IOS Software [Cupertino], Catalyst L3 Switch Software, Version 17.9.3, R": "Cisco IOS 17.9.3",
		"Hardware: Intel64 - Software: Windows Version 6.3 (Build 9600)":                 "Windows 6.3",
		"VxWorks 6.9 Infusion Gateway":                                                   "VxWorks 6.9",
		"GNULinuxish":                                                                    "",
		"Linux":                                                                          "Linux",
	} {
		if got := osOf(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestPlaceholdersAreNotEvidence(t *testing.T) {
	h := analyzetest.NewHost()
	c := analyzetest.Conn(h, packet.ProtoUDP, 161)
	for _, s := range []string{"Unknown", "To be filled by O.E.M.", "Sitting on the Dock of the Bay", "000000", "", " - "} {
		fact(c, c.Subject(analyze.Client), device.AttrSerial, s, "test", device.Claimed)
	}
	if len(h.Facts) != 0 {
		t.Errorf("%v", h.Facts)
	}
	fact(c, c.Subject(analyze.Client), device.AttrSerial, "SN-1", "test", device.Claimed)
	if len(h.Facts) != 1 {
		t.Error("a serial number was left out")
	}
}

func frame(t *testing.T, name string, p *packet.Packet) *analyzetest.Host {
	t.Helper()
	proto, h := protocol(t, name, false), analyzetest.NewHost()
	if !proto.Select(p) {
		t.Fatalf("%s does not take the frame", name)
	}
	c := analyze.NewConn(h, nil)
	c.Now, c.App, c.Packet, c.VLAN = 1_700_000_000e9, name, p, p.VLAN()
	c.Ends = [2]event.Endpoint{{MAC: p.SrcMAC, IP: p.Src}, {MAC: p.DstMAC, IP: p.Dst}}
	proto.Frame(c, p)
	return h
}

func TestARPIsAnEventOnlyWhenUnusual(t *testing.T) {
	mac, other := [6]byte{2, 0, 0, 0, 0, 1}, [6]byte{2, 0, 0, 0, 0, 2}
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for _, tc := range []struct {
		name   string
		p      arp.Packet
		from   [6]byte
		events int
		fact   bool
	}{
		{"a request is evidence", arp.Packet{Op: 1, SenderMAC: mac, SenderIP: a, TargetIP: b}, mac, 0, true},
		{"an announcement is an event as well", arp.Packet{Op: 1, SenderMAC: mac, SenderIP: a, TargetIP: a}, mac, 1, true},
		{"a probe claims nothing yet", arp.Packet{Op: 1, SenderMAC: mac, SenderIP: netip.IPv4Unspecified(), TargetIP: b}, mac, 1, false},
		{"a reply in another station's frame is an event", arp.Packet{Op: 2, SenderMAC: mac, SenderIP: a, TargetMAC: other, TargetIP: b}, other, 1, true},
		{"a broadcast address owns nothing", arp.Packet{Op: 2, SenderMAC: [6]byte{255, 255, 255, 255, 255, 255}, SenderIP: a, TargetIP: b}, mac, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := frame(t, "arp", &packet.Packet{EtherType: packet.EtherTypeARP, HasMAC: true, SrcMAC: tc.from, Payload: tc.p.Append(nil)})
			if len(h.Events) != tc.events || h.Has("ip", "192.0.2.1") != tc.fact {
				t.Errorf("%d events, facts %v", len(h.Events), h.Facts)
			}
		})
	}
}

func TestNeighbourDiscoveryThroughARouterIsIgnored(t *testing.T) {
	p := &packet.Packet{IPVersion: 6, Proto: packet.ProtoICMPv6, ICMPType: 136, TTL: 254, Src: netip.MustParseAddr("2001:db8::1"), HasMAC: true, SrcMAC: [6]byte{2, 0, 0, 0, 0, 1},
		Payload: append([]byte{0x20, 0, 0, 0}, netip.MustParseAddr("2001:db8::1").AsSlice()...)}
	if h := frame(t, "icmp6", p); len(h.Facts) != 0 {
		t.Errorf("%v", h.Facts)
	}
	p.TTL = 255
	if h := frame(t, "icmp6", p); !h.Has("ip", "2001:db8::1") {
		t.Errorf("%v", h.Facts)
	}
}

func TestRelayedDHCPIsAboutTheClient(t *testing.T) {
	b := make([]byte, 240)
	b[0], b[1], b[2], b[3] = 1, 1, 6, 1
	copy(b[24:], []byte{10, 31, 1, 1})
	copy(b[28:], []byte{0, 0x16, 0x6f, 0x0a, 0x20, 0x11})
	binary.BigEndian.PutUint32(b[236:], 0x63825363)
	b = append(b, "\x35\x01\x03\x0c\x06pump-7\x52\x10\x01\x08Gi1/0/17\x02\x04sw-3\xff"...)
	h := datagrams(t, "dhcp", 67, hex.EncodeToString(b))
	want(t, h, "00:16:6f:0a:20:11", "hostname=pump-7", "switch_port=sw-3|Gi1/0/17")
	for _, f := range h.Facts {
		if f.Subject.MAC.String() == "02:00:00:00:00:01" {
			t.Errorf("evidence about the relay: %v", f)
		}
	}
}

func TestDNSOverTCPDoesNotDependOnHowItIsCut(t *testing.T) {
	q := "\x00\x13\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01"
	a := "\x00\x23\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x1e\x01\x32"
	segs := []analyzetest.Segment{analyzetest.C(q), analyzetest.S(a), analyzetest.C(q), analyzetest.S(a)}
	for _, s := range [][]analyzetest.Segment{segs, analyzetest.Split(segs)} {
		h, v := analyzetest.Stream(t, protocol(t, "dns", true), 53, s)
		if v != analyze.More || len(h.Events) != 2 || h.Events[0].Activity != 6 || !h.Has("service", "dns/tcp:53") {
			t.Errorf("%v, %d events", v, len(h.Events))
		}
	}
}

func TestUnansweredQuestionsAreBounded(t *testing.T) {
	var list []string
	for i := range maxPendingQueries + 5 {
		list = append(list, fmt.Sprintf("%04x 0100 0001 0000 0000 0000 0161 00 0001 0001", i))
	}
	h := datagrams(t, "dns", 53, list...)
	if len(h.Events) != maxPendingQueries+5 {
		t.Errorf("%d events", len(h.Events))
	}
	for _, e := range h.Events {
		if e.Activity != 1 {
			t.Errorf("activity %d", e.Activity)
		}
	}
}

func TestSyslogOverTCPDoesNotDependOnHowItIsCut(t *testing.T) {
	line := "<35>Nov 22 02:12:10 ws pumpd[1]: secret text\n"
	modern := "<35>1 2026-11-22T02:12:10Z ws pumpd - - - secret text"
	counted := fmt.Sprintf("%d %s", len(modern), modern)
	for _, text := range []string{line + line, counted + counted} {
		segs := []analyzetest.Segment{analyzetest.C(text)}
		for _, s := range [][]analyzetest.Segment{segs, analyzetest.Split(segs)} {
			h, _ := analyzetest.Stream(t, protocol(t, "syslog", true), 601, s)
			if len(h.Events) != 2 || !h.Has("hostname", "ws") || attr(h, "syslog", "summary", "messages") != "2" {
				t.Errorf("%q: %d events %v", text, len(h.Events), apps(h, "syslog"))
			}
			never(t, h, "secret")
		}
	}
}

func TestALogRelayHasNoNameOfItsOwn(t *testing.T) {
	h := datagrams(t, "syslog", 514, hex.EncodeToString([]byte("<35>Nov 22 02:12:10 a x: 1")), hex.EncodeToString([]byte("<35>Nov 22 02:12:10 b x: 1")))
	if attr(h, "syslog", "summary", "relay") != "true" || h.Has("hostname", "b") {
		t.Errorf("%v %v", apps(h, "syslog"), h.Facts)
	}
}

func TestBACnetBehindARouterIsNotTheRouter(t *testing.T) {
	h := datagrams(t, "bacnet", 47808, "810b0018 0108 0003 01 05 1000 c402001267 2205c4 9103 2107")
	if h.Has("device_id", "bacnet:4711") || !h.Has("capability", "bacnet-router") || attr(h, "bacnet", "i-Am", "source_network") != "3" {
		t.Errorf("%v %v", h.Facts, apps(h, "bacnet"))
	}
}

func TestReverseNames(t *testing.T) {
	for in, want := range map[string]string{
		"50.1.30.10.in-addr.arpa": "10.30.1.50",
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.3.d.f.ip6.arpa": "fd30::1",
	} {
		if a, ok := reverse(in); !ok || a.String() != want {
			t.Errorf("%s: %v", in, a)
		}
	}
	for _, bad := range []string{"300.1.30.10.in-addr.arpa", "x.1.30.10.in-addr.arpa", "1.30.10.in-addr.arpa", ""} {
		if a, ok := reverse(bad); ok {
			t.Errorf("%q is %v", bad, a)
		}
	}
}

func TestUPnPDescriptionsIdentifyTheServer(t *testing.T) {
	h := analyzetest.NewHost()
	c := analyzetest.Conn(h, packet.ProtoTCP, 8200)
	x := &analyze.Exchange{Method: "GET", Target: "/rootDesc.xml", Status: 200, Time: 1, ResponseBody: []byte(`<root xmlns="urn:schemas-upnp-org:device-1-0"><device>` +
		`<deviceType>urn:schemas-upnp-org:device:Printer:1</deviceType><friendlyName>Label printer</friendlyName><manufacturer>Acme</manufacturer>` +
		`<modelName>PX</modelName><modelNumber>7</modelNumber><serialNumber>SN-1</serialNumber><UDN>uuid:AB-1</UDN></device></root>`)}
	if got := Interpreters()[0](c, x); got != "upnp" {
		t.Fatalf("got %q", got)
	}
	want(t, h, "192.0.2.20", "vendor=Acme", "model=PX 7", "serial=SN-1", "device_id=uuid:ab-1", "class=printer")
	x.ResponseBody = []byte("<html></html>")
	if got := describeUPnP(c, x); got != "" {
		t.Errorf("HTML is taken for %q", got)
	}
}

func TestRandomBytesMatchNothing(t *testing.T) {
	c := analyzetest.Conn(analyzetest.NewHost(), packet.ProtoUDP, 40000)
	seed := uint64(1)
	b := make([]byte, 300)
	hits := map[string]int{}
	for range 20000 {
		for i := range b {
			seed ^= seed << 13
			seed ^= seed >> 7
			seed ^= seed << 17
			b[i] = byte(seed)
		}
		c.Packet = &packet.Packet{Payload: b}
		for _, p := range Protocols() {
			if p.Probe != nil && p.Probe(c, analyze.ToServer, b) == analyze.Yes {
				hits[p.Name]++
			}
		}
	}
	if len(hits) > 0 {
		t.Errorf("%v", hits)
	}
}

func TestProbesDoNotAllocate(t *testing.T) {
	c := analyzetest.Conn(analyzetest.NewHost(), packet.ProtoUDP, 40000)
	for _, text := range []string{
		"GET / HTTP/1.1\r\nHost: example\r\n\r\nsome more text that is nothing of this kind",
		"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01",
		"0)\x02\x01\x00\x04\x06public\xa0\x1c\x02\x04pnml\x02\x01\x00\x02\x01\x000\x0e0\x0c\x06\x08+\x06\x01\x02\x01\x01\x01\x00\x05\x00",
		"\x00\x03\x00\x01some data",
	} {
		b := []byte(text)
		c.Packet = &packet.Packet{Payload: b}
		for _, p := range Protocols() {
			if p.Probe == nil {
				continue
			}
			if n := testing.AllocsPerRun(10, func() { p.Probe(c, analyze.ToServer, b) }); n > 0 {
				t.Errorf("%s: %v allocations for %q", p.Name, n, text)
			}
		}
	}
}
