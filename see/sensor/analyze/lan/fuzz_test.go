// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/see/sensor/analyze/analyzetest"
	"github.com/asepsis/asepsis/wire/capture"
	"github.com/asepsis/asepsis/wire/packet"
)

// FuzzAnalysers feeds bytes, cut into pieces, to every protocol of the package
// by the rules of the sensor. Input: for each piece a control octet (bit 0:
// direction, bit 1: gap before it, bits 2 to 7: snap length cut), two octets of
// length, and the bytes. Whatever a probe says, the analyser must keep its
// bounds: no panic, no more left unconsumed than MaxPending, few events a byte,
// and nothing unprintable in what it emits.
func FuzzAnalysers(f *testing.F) {
	for _, dir := range []string{"dhcp", "dns", "snmp", "radius", "netbios", "ssdp", "ntp", "syslog", "tftp", "bacnet", "lldp", "eapol", "icmp", "vrrp"} {
		files, _ := filepath.Glob(captures + dir + "/*.pcap")
		for _, file := range files {
			if seed := seedOf(file); seed != nil {
				f.Add(seed)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, p := range Protocols() {
			run(t, p, data)
		}
	})
}

// seedOf makes a fuzz input of a capture's first payloads.
func seedOf(file string) (seed []byte) {
	r, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer r.Close()
	src, err := capture.NewReader(r, capture.Options{})
	if err != nil {
		return nil
	}
	var fr capture.Frame
	var p packet.Packet
	for n := 0; n < 12 && src.Next(&fr) == nil; n++ {
		packet.Decode(&p, uint16(fr.Link), fr.Data, fr.OrigLen)
		if len(p.Payload) > 0 {
			seed = append(seed, byte(n&1), byte(len(p.Payload)>>8), byte(len(p.Payload)))
			seed = append(seed, p.Payload...)
		}
	}
	return seed
}

type piece struct {
	dir     analyze.Dir
	gap     bool
	missing int
	data    []byte
}

func pieces(data []byte) (out []piece) {
	for len(data) > 3 && len(out) < 64 {
		n := min(int(data[1])<<8|int(data[2]), len(data)-3)
		out = append(out, piece{dir: analyze.Dir(data[0] & 1), gap: data[0]&2 != 0, missing: int(data[0] >> 2), data: data[3 : 3+n]})
		data = data[3+n:]
	}
	return out
}

func run(t *testing.T, p analyze.Protocol, data []byte) {
	h := analyzetest.NewHost()
	c := analyzetest.Conn(h, packet.ProtoUDP, 53)
	c.App = p.Name
	total := len(data)
	switch {
	case p.Frame != nil:
		for _, s := range pieces(data) {
			k := &packet.Packet{SrcMAC: [6]byte{2, 0, 0, 0, 0, 9}, HasMAC: true, Payload: s.data, Missing: s.missing, TTL: 255, IPVersion: 4 + 2*uint8(s.dir), Proto: packet.ProtoICMPv6,
				Src: netip.MustParseAddr("fe80::9"), Dst: netip.MustParseAddr("ff02::1"), ICMPType: 133}
			if len(s.data) > 0 {
				k.ICMPType = s.data[0]
			}
			c.Init(h, nil)
			c.Now, c.App, c.Packet = 1_700_000_000e9, p.Name, k
			c.Ends[0] = event.Endpoint{MAC: k.SrcMAC, IP: k.Src}
			c.Ends[1] = event.Endpoint{IP: k.Dst}
			_ = p.Select(k)
			p.Frame(c, k)
		}
	case p.NewDatagram != nil:
		a := p.NewDatagram(c)
		for _, s := range pieces(data) {
			c.Packet = &packet.Packet{Payload: s.data, Missing: s.missing}
			p.Probe(c, s.dir, s.data)
			if a.Packet(c, s.dir, s.data, s.missing) != analyze.More {
				break
			}
		}
		a.Close(c, analyze.EndOfInput)
	default:
		c.Proto = packet.ProtoTCP
		limit := p.MaxPending
		if limit == 0 {
			limit = analyze.DefaultMaxPending
		}
		a := p.NewStream(c)
		var pend [2][]byte
		var skip [2]int64
	loop:
		for _, s := range pieces(data) {
			if len(s.data) > 0 {
				p.Probe(c, s.dir, s.data)
			}
			if s.gap {
				pend[s.dir] = nil
				if a.Gap(c, s.dir, 1) != analyze.More {
					break
				}
			}
			d := s.data
			k := min(skip[s.dir], int64(len(d)))
			skip[s.dir] -= k
			pend[s.dir] = append(pend[s.dir], d[k:]...)
			for len(pend[s.dir]) > 0 {
				n, v := a.Data(c, s.dir, pend[s.dir])
				if n < 0 {
					t.Fatalf("%s consumed %d bytes", p.Name, n)
				}
				if n > int64(len(pend[s.dir])) {
					skip[s.dir] = n - int64(len(pend[s.dir]))
					n = int64(len(pend[s.dir]))
				}
				pend[s.dir] = pend[s.dir][n:]
				if v != analyze.More {
					break loop
				}
				if n == 0 {
					break
				}
			}
			if len(pend[s.dir]) > limit {
				t.Fatalf("%s left %d bytes", p.Name, len(pend[s.dir]))
			}
		}
		a.Close(c, analyze.EndOfInput)
	}
	if len(h.Events) > total+4 {
		t.Fatalf("%s: %d events from %d bytes", p.Name, len(h.Events), total)
	}
	for _, e := range h.Events {
		printableText(t, p.Name, e.Message, e.StatusDetail)
		switch d := e.Detail.(type) {
		case *event.Application:
			for _, kv := range d.Attributes {
				printableText(t, p.Name, kv.Name, kv.Value)
			}
		case *event.DNS:
			for _, r := range d.Answers {
				printableText(t, p.Name, r.RData)
			}
		case *event.DHCP:
			printableText(t, p.Name, d.Hostname, d.FQDN, d.VendorClass, d.UserClass, d.Domain, d.ClientID)
		}
	}
	for _, e := range h.Facts {
		printableText(t, p.Name, e.Source)
		if e.Value == "" || len(e.Value) > analyze.MaxString {
			t.Fatalf("%s: evidence %s of %d bytes", p.Name, e.Attribute, len(e.Value))
		}
		printableText(t, p.Name, e.Value)
		if e.Attribute == device.AttrClass && !device.Class(e.Value).Valid() {
			t.Fatalf("%s: class %q", p.Name, e.Value)
		}
	}
}

func printableText(t *testing.T, who string, list ...string) {
	t.Helper()
	for _, s := range list {
		if len(s) > 2*analyze.MaxString || !utf8.ValidString(s) {
			t.Fatalf("%s: %d bytes, %q", who, len(s), s)
		}
		for _, r := range s {
			if !unicode.IsPrint(r) {
				t.Fatalf("%s: not printable: %q", who, s)
			}
		}
	}
}
