// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/detect/match"
	"github.com/asepsis/asepsis/see/detect/match/keyed"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// beacon finds small outbound connections that come back at regular times, as a program
// does that asks its master for work.
//
// The pauses are regular when the middle half of them lies within Jitter of their
// median, the amounts sent when the same holds for them: statistics that a few missed
// or doubled connections do not change. People's connections are not regular; time service, name
// service and monitoring are, and are excluded by protocol.
type beacon struct {
	core[calls]
	exclude     []string
	samples     int
	least, most int64
	jitter      float64
	bytes       uint64
	inside      bool
}

const maxCalls = 64

type calls struct {
	last  int64
	pause [maxCalls]uint32 // ms, the latest
	bytes [maxCalls]uint32 // out
	n     int              // of all
	again again
}

func beaconDetector() Detector {
	d := Detector{
		About:  "Small connections to one destination outside come back at regular times.",
		On:     []rule.On{{Class: []string{"network_activity"}, Activity: []string{"Close", "Reset"}}},
		Values: []string{"count", "pause", "jitter", "bytes", "target", "port"},
		Settings: []Setting{
			number("samples", 16, 8, maxCalls, "Pauses before it is judged."),
			duration("min_pause", 5*time.Second, time.Second, time.Hour, "Shorter pauses are traffic, not a beacon."),
			duration("max_pause", 6*time.Hour, time.Minute, 48*time.Hour, "Longer pauses are not followed."),
			number("jitter", 0.35, 0.01, 1, "Spread of the middle half of the pauses, as a part of their median."),
			number("max_bytes", 50_000, 100, 1e9, "Connections that carry more are not counted."),
			number("internal", 0, 0, 1, "1: destinations inside as well."),
			texts("exclude", []string{"ntp", "dns", "mdns", "llmnr", "ssdp", "dhcp", "snmp", "syslog", "icmp", "stun", "nbns", "ws-discovery"}, "Protocols that are regular by nature."),
		},
	}
	d.New = func(given map[string]any, deps match.Deps) (match.Matcher, error) {
		s := read(d.Settings, given)
		m := &beacon{exclude: s.texts("exclude"), samples: int(s.number("samples")), least: s.duration("min_pause"), most: s.duration("max_pause"), jitter: s.number("jitter"),
			bytes: uint64(s.number("max_bytes")), inside: s.number("internal") == 1}
		m.core = newCore(deps, keyed.Config[calls]{Kind: "beacon1", Fixed: 8*maxCalls + 64,
			Encode: func(w *keyed.Writer, v *calls) {
				w.Int(v.last)
				w.Uint(uint64(v.n))
				for i := range min(v.n, maxCalls) {
					w.Uint(uint64(v.pause[i]))
					w.Uint(uint64(v.bytes[i]))
				}
				v.again.encode(w)
			},
			Decode: func(r *keyed.Reader, v *calls) {
				v.last, v.n = r.Time(), int(min(r.Uint(), 1<<40))
				for i := range min(v.n, maxCalls) {
					v.pause[i], v.bytes[i] = uint32(r.Uint()), uint32(r.Uint())
				}
				v.again.decode(r)
			},
		})
		return m, s.err
	}
	return d
}

// special are addresses that nobody routes to the internet.
func outside(p *scene.Party) bool {
	ip := p.IP
	return ip.IsValid() && !p.Internal && !ip.IsMulticast() && !ip.IsLinkLocalUnicast() && !ip.IsLoopback() && ip != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// Feed implements match.Matcher.
func (m *beacon) Feed(s *scene.Scene, _ int, hit func(match.Hit)) {
	c, ok := s.Event.Detail.(*event.Connection)
	f := s.Event.Flow
	if !ok || f == nil || f.Proto != 6 && f.Proto != 17 || c.MidStream || c.Evicted || c.PayloadOut == 0 || c.BytesOut+c.BytesIn > m.bytes || slices.Contains(m.exclude, c.App) || f.Dst.Port == 53 || f.Dst.Port == 123 {
		return
	}
	if !outside(&s.Dst) && (!m.inside || s.Dst.IP.IsMulticast() || !s.Dst.IP.IsValid()) {
		return
	}
	e, fresh := m.t.At(m.pair("beacon", s, f.Dst.Port))
	if e == nil {
		return
	}
	v := &e.Val
	if fresh {
		v.last = c.Start
		return
	}
	pause := c.Start - v.last
	switch {
	case pause < m.least: // of one visit, or out of order
		return
	case pause > m.most:
		*v = calls{last: c.Start}
		return
	}
	v.last = c.Start
	v.pause[v.n%maxCalls], v.bytes[v.n%maxCalls] = uint32(min(pause/int64(time.Millisecond), 1<<32-1)), uint32(min(c.PayloadOut, 1<<32-1))
	v.n++
	if v.n < m.samples {
		return
	}
	have := min(v.n, maxCalls)
	var mem [maxCalls]uint32
	pauseMid, pauseSpread := quartiles(append(mem[:0], v.pause[:have]...))
	bytesMid, bytesSpread := quartiles(append(mem[:0], v.bytes[:have]...))
	if pauseSpread > m.jitter*pauseMid || bytesSpread > m.jitter*bytesMid+16 {
		return
	}
	say, more, news := v.again.due(uint64(v.n), s.Event.Time, int64(24*time.Hour))
	if !say {
		return
	}
	m.say(hit, match.Hit{Time: s.Event.Time, Key: e.Key, More: more, Count: news, Expected: "connections at the times at which people or work need them",
		Values: map[string]string{"count": strconv.Itoa(v.n), "pause": span(int64(pauseMid) * int64(time.Millisecond)), "jitter": strconv.Itoa(int(100*pauseSpread/pauseMid)) + " %",
			"bytes": amount(bytesMid), "target": party(&s.Dst), "port": strconv.Itoa(int(f.Dst.Port))}})
}

// quartiles is the median and the distance of the quartiles. It changes the order.
func quartiles(list []uint32) (mid, spread float64) {
	slices.Sort(list)
	n := len(list)
	return float64(list[n/2]), float64(list[n*3/4]) - float64(list[n/4])
}
