// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
)

func TestScansAreFound(t *testing.T) {
	for name, tt := range map[string]struct {
		kinds string
		run   func(p *play)
	}{
		"one port of many hosts": {"horizontal", func(p *play) {
			for i := range 30 {
				d := time.Duration(i) * 100 * time.Millisecond
				p.see(d, "intruder", fmt.Sprint("host", i), 104, tcp("REJ", 0, d, 0, 0))
			}
		}},
		"many ports of one host": {"vertical", func(p *play) {
			for i := range 100 {
				d := time.Duration(i) * 10 * time.Millisecond
				p.see(d, "intruder", "pacs", uint16(i+1), tcp("S0", 0, d, 0, 0))
			}
		}},
		"many hosts, slowly, one every ten minutes": {"horizontal", func(p *play) {
			for i := range 60 {
				d := time.Duration(i) * 10 * time.Minute
				p.see(d, "intruder", fmt.Sprint("host", i), 445, tcp("S0", 0, d, 0, 0))
			}
		}},
		"some ports of some hosts": {"block", func(p *play) {
			for i := range 40 {
				d := time.Duration(i) * 300 * time.Millisecond
				p.see(d, "intruder", fmt.Sprint("host", i%5), []uint16{22, 80, 104, 443, 445, 2575, 3389, 5555}[i/5], tcp("REJ", 0, d, 0, 0))
			}
		}},
		"not a client whose two servers are off": {"", func(p *play) {
			for i := range 400 {
				d := time.Duration(i) * 300 * time.Millisecond
				p.see(d, "ws", fmt.Sprint("host", i%2), []uint16{139, 445, 80, 443}[i%4], tcp("S0", 0, d, 0, 0))
			}
		}},
		"by connections that are opened and say nothing": {"horizontal", func(p *play) {
			for i := range 30 {
				d := time.Duration(i) * time.Second
				p.see(d, "intruder", fmt.Sprint("host", i), 22, tcp("RSTO", 0, d, 0, 0))
			}
		}},
		"by echoes without answer": {"horizontal", func(p *play) {
			for i := range 30 {
				d := time.Duration(i) * time.Second
				e := tcp("S0", 0, d, 8, 0)
				e.Detail.(*event.Connection).PacketsIn = 0
				e.Flow = &event.Flow{Proto: 1}
				e.Activity = 2
				p.see(d, "intruder", fmt.Sprint("host", i), 0, e)
			}
		}},
		"not a gateway that polls what is switched off": {"", func(p *play) {
			for i := range 500 {
				d := time.Duration(i) * time.Second
				p.see(d, "gateway", fmt.Sprint("host", i%5), 104, tcp("S0", 0, d, 0, 0))
			}
		}},
		"not a console that talks to 300 devices of which 20 are off": {"", func(p *play) {
			for i := range 900 {
				d := time.Duration(i) * 300 * time.Millisecond
				state, bytes := "SF", uint64(500)
				if i%15 == 0 {
					state, bytes = "S0", 0
				}
				p.see(d, "console", fmt.Sprint("host", i%300), 443, tcp(state, time.Second, d, bytes, bytes))
			}
		}},
		"not a load balancer that looks whether three servers are there": {"", func(p *play) {
			for i := range 3000 {
				d := time.Duration(i) * time.Second
				p.see(d, "balancer", fmt.Sprint("web", i%3), 443, tcp("RSTO", 0, d, 0, 0))
			}
		}},
		"not a modality that stores to its archive": {"", func(p *play) {
			for i := range 300 {
				d := time.Duration(i) * time.Minute
				p.see(d, "ct", "pacs", 104, tcp("SF", 10*time.Second, d, 500_000, 3000))
			}
		}},
		"not syslog to a server that never answers": {"", func(p *play) {
			for i := range 300 {
				d := time.Duration(i) * time.Second
				e := tcp("S0", 0, d, 200, 0)
				e.Flow = &event.Flow{Proto: 17}
				p.see(d, "switch", fmt.Sprint("log", i), 514, e)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlay(t, "scan", nil)
			tt.run(p)
			p.expect(tt.kinds)
			if len(p.hits) > 8 {
				t.Errorf("%d hits", len(p.hits))
			}
		})
	}
}

func TestBeaconsAreFound(t *testing.T) {
	visit := func(p *play, n int, pause func(i int) time.Duration, bytes func(i int) uint64, dst string, port uint16, proto uint8, app string) {
		d := time.Duration(0)
		for i := range n {
			d += pause(i)
			e := tcp("SF", time.Second, d, bytes(i), 400)
			e.Detail.(*event.Connection).App = app
			e.Flow = &event.Flow{ID: uint64(i + 1), Proto: proto}
			p.see(d, "headset", dst, port, e)
		}
	}
	fixed := func(d time.Duration) func(int) time.Duration { return func(int) time.Duration { return d } }
	same := func(int) uint64 { return 310 }
	r := rand.New(rand.NewPCG(5, 6))
	for name, tt := range map[string]struct {
		want int
		run  func(p *play)
	}{
		"every minute": {1, func(p *play) { visit(p, 40, fixed(time.Minute), same, "203.0.113.9", 443, 6, "tls") }},
		"every minute with a fifth of jitter": {1, func(p *play) {
			visit(p, 60, func(int) time.Duration { return 48*time.Second + time.Duration(r.IntN(24_000))*time.Millisecond }, same, "203.0.113.9", 443, 6, "tls")
		}},
		"every minute with some missed": {1, func(p *play) {
			visit(p, 60, func(i int) time.Duration { return time.Minute * time.Duration(1+truth(i%9 == 0)) }, same, "203.0.113.9", 8443, 6, "")
		}},
		"not when people browse": {0, func(p *play) {
			visit(p, 400, func(int) time.Duration { return 5*time.Second + time.Duration(r.ExpFloat64()*float64(40*time.Second)) }, func(int) uint64 { return 200 + uint64(r.IntN(4000)) }, "203.0.113.9", 443, 6, "tls")
		}},
		"not time service": {0, func(p *play) { visit(p, 60, fixed(64*time.Second), same, "203.0.113.9", 123, 17, "ntp") }},
		"not inside":       {0, func(p *play) { visit(p, 60, fixed(64*time.Second), same, "10.0.0.7", 443, 6, "tls") }},
		"not large transfers": {0, func(p *play) {
			visit(p, 60, fixed(64*time.Second), func(int) uint64 { return 1 << 20 }, "203.0.113.9", 443, 6, "tls")
		}},
		"not a handful of them": {0, func(p *play) { visit(p, 10, fixed(64*time.Second), same, "203.0.113.9", 443, 6, "tls") }},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlay(t, "beacon", nil)
			tt.run(p)
			news := 0
			for _, h := range p.hits {
				news += truth(!h.More)
			}
			if news != tt.want {
				t.Errorf("%d hits, want %d: %+v", news, tt.want, p.hits)
			}
		})
	}
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

func dnsQuery(name, kind string) event.Event {
	return event.Event{Activity: 6, Protocol: "dns", Flow: &event.Flow{Proto: 17}, Detail: &event.DNS{Query: name, Type: kind}}
}

func TestDNSTunnelsAreFound(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	random := func(n int, from string) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = from[r.IntN(len(from))]
		}
		return string(b)
	}
	for name, tt := range map[string]struct {
		want int
		make func(i int) (string, string)
	}{
		"data in base 32 below one domain": {1, func(int) (string, string) {
			return random(50, "abcdefghijklmnopqrstuvwxyz234567") + ".t.evil.example", "A"
		}},
		"questions for texts":     {1, func(i int) (string, string) { return fmt.Sprintf("%024d.t.evil.example", i), "TXT" }},
		"not the names of a site": {0, func(i int) (string, string) { return fmt.Sprintf("host-%d.or.hospital.example", i), "A" }},
		"not reverse lookups":     {0, func(i int) (string, string) { return fmt.Sprintf("%d.%d.%d.10.in-addr.arpa", i%250, i/250, i%7), "PTR" }},
		"not many domains": {0, func(i int) (string, string) {
			return "www." + random(20, "abcdefghijklmnopqrstuvwxyz") + ".example", "A"
		}},
		"not a few names of a content network": {0, func(i int) (string, string) { return fmt.Sprintf("%d-d1a2b3c4e5f6a7b8c9d0.cdn.example", i%20), "A" }},
		"not below a country's second-level domain": {0, func(i int) (string, string) {
			return "www." + random(25, "abcdefghijklmnopqrstuvwxyz0123456789") + ".co.uk", "A"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlay(t, "dnstunnel", nil)
			for i := range 300 {
				n, k := tt.make(i)
				p.see(time.Duration(i)*time.Second, "pump", "dns", 53, dnsQuery(n, k))
			}
			news := 0
			for _, h := range p.hits {
				news += truth(!h.More)
			}
			if news != tt.want {
				t.Errorf("%d hits: %+v", news, p.hits)
			}
		})
	}
}

func TestExfiltrationIsFound(t *testing.T) {
	hour := func(n int) time.Duration { return time.Duration(n) * time.Hour }
	daily := func(p *play, days int, bytes uint64) {
		for i := range days * 4 {
			d := hour(6 * i)
			p.see(d, "ct", "198.51.100.7", 443, tcp("SF", time.Minute, d, bytes/4, 1000))
		}
	}
	for name, tt := range map[string]struct {
		kinds string
		run   func(p *play)
	}{
		"much to a destination that is new": {"new-destination", func(p *play) {
			daily(p, 5, 1<<20)
			p.see(hour(121), "ct", "203.0.113.9", 443, tcp("SF", time.Minute, hour(121), 60e6, 50_000))
		}},
		"far more than on other days": {"volume", func(p *play) {
			daily(p, 6, 4<<20)
			p.see(hour(150), "ct", "198.51.100.7", 443, tcp("SF", time.Hour, hour(150), 3e9, 50_000))
		}},
		"in the reports of a connection that goes on": {"new-destination", func(p *play) {
			daily(p, 5, 1<<20)
			for i := range 12 {
				d := hour(121) + time.Duration(i)*5*time.Minute
				e := tcp("S1", time.Minute, d, uint64(i+1)*1e6, 5000)
				e.Activity, e.Flow = 6, &event.Flow{ID: 999, Proto: 6}
				p.see(d, "ct", "203.0.113.9", 443, e)
			}
		}},
		"from what never sent anything out": {"new-destination", func(p *play) {
			p.devices["mr"] = &device.Device{ID: "mr", Class: device.ClassMR, First: at(-30 * 24 * time.Hour)}
			daily(p, 5, 1<<20)
			p.see(hour(121), "mr", "203.0.113.9", 443, tcp("SF", time.Minute, hour(121), 60e6, 50_000))
		}},
		"not from what came today": {"", func(p *play) {
			p.devices["mr"] = &device.Device{ID: "mr", Class: device.ClassMR, First: at(hour(120))}
			daily(p, 5, 1<<20)
			p.see(hour(121), "mr", "203.0.113.9", 443, tcp("SF", time.Minute, hour(121), 60e6, 50_000))
		}},
		"not when each report counts again what was counted": {"", func(p *play) {
			daily(p, 5, 1<<20)
			for i := range 60 {
				d := hour(121) + time.Duration(i)*5*time.Minute
				e := tcp("S1", time.Minute, d, 5e6, 5000)
				e.Activity, e.Flow = 6, &event.Flow{ID: 999, Proto: 6}
				p.see(d, "ct", "203.0.113.9", 443, e)
			}
		}},
		"not the usual amount": {"", func(p *play) { daily(p, 20, 2e9) }},
		"not a download": {"", func(p *play) {
			daily(p, 5, 1<<20)
			p.see(hour(121), "ct", "203.0.113.9", 443, tcp("SF", time.Hour, hour(121), 60e6, 4e9))
		}},
		"not to another device of ours": {"", func(p *play) {
			daily(p, 5, 1<<20)
			p.see(hour(121), "ct", "10.3.2.1", 104, tcp("SF", time.Hour, hour(121), 4e9, 1000))
		}},
		"not in the first days of the device": {"", func(p *play) { daily(p, 1, 60e6) }},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlay(t, "exfil", nil)
			tt.run(p)
			p.expect(tt.kinds)
		})
	}
}

func TestLongConnectionsOutsideAreFound(t *testing.T) {
	report := func(hours int, out, in, packets uint64, dst string) func(p *play) {
		return func(p *play) {
			for i := 1; i <= hours*12; i++ {
				d := time.Duration(i) * 5 * time.Minute
				e := tcp("S1", d, d, out*uint64(i), in*uint64(i))
				c := e.Detail.(*event.Connection)
				c.PacketsOut, c.PacketsIn = packets*uint64(i), packets*uint64(i)
				e.Activity, e.Flow = 6, &event.Flow{ID: 5, Proto: 6}
				p.see(d, "ws", dst, 443, e)
			}
		}
	}
	for name, tt := range map[string]struct {
		kinds string
		run   func(p *play)
	}{
		"somebody may sit at the other end": {"interactive", report(6, 2000, 4000, 40, "203.0.113.9")},
		"much flows":                        {"busy", report(6, 20e6, 1e6, 20_000, "203.0.113.9")},
		"not for an hour":                   {"", report(1, 2000, 4000, 40, "203.0.113.9")},
		"not inside":                        {"", report(10, 2000, 4000, 40, "10.1.1.1")},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlay(t, "longlived", nil)
			tt.run(p)
			p.expect(tt.kinds)
			if len(p.hits) > 2 {
				t.Errorf("%d hits of one connection", len(p.hits))
			}
		})
	}
}
