// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"strconv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/detect/match"
	"github.com/asepsis/asepsis/see/detect/match/keyed"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// scan finds devices that try one port of many hosts (horizontal), many ports of one
// (vertical), or some ports of some hosts (block).
//
// What counts is a connection that came to nothing: not answered, refused, or opened and
// ended without a byte in either direction. A host or port that also talks counts for the other
// side: a console that watches 300 devices of which 20 are off is none. The same target again
// and again, as load balancers and gateways poll, is one target.
type scan struct {
	core[probing]
	hosts, ports, pairs  int
	slowHosts, slowPorts int
	window, slow         int64
}

type probing struct {
	failed match.Distinct
	worked match.Distinct
	events uint64
	last   int64
	wide   [2][3]uint64 // of a block: the first three ports and hosts, hashed
	again  again
}

func scanDetector() Detector {
	d := Detector{
		About:  "One port of many hosts, or many ports of one host, are tried, fast or over hours.",
		On:     []rule.On{{Class: []string{"network_activity"}, Activity: []string{"Close", "Reset", "Fail", "Refuse"}}},
		Values: []string{"kind", "pace", "count", "target", "port", "values", "window"},
		Settings: []Setting{
			number("hosts", 15, 3, 256, "Different hosts tried on one port within the window."),
			number("ports", 15, 3, 256, "Different ports of one host tried within the window."),
			number("pairs", 15, 5, 256, "Different pairs of host and port tried within the window, of at least three hosts and three ports."),
			number("slow_hosts", 30, 3, 256, "Different hosts on one port within the long window."),
			number("slow_ports", 40, 3, 256, "Different ports of one host within the long window."),
			duration("window", 5*time.Minute, time.Second, time.Hour, "The short window."),
			duration("slow_window", 24*time.Hour, time.Minute, 7*24*time.Hour, "The long window."),
		},
	}
	d.New = func(given map[string]any, deps match.Deps) (match.Matcher, error) {
		s := read(d.Settings, given)
		m := &scan{hosts: int(s.number("hosts")), ports: int(s.number("ports")), pairs: int(s.number("pairs")), slowHosts: int(s.number("slow_hosts")), slowPorts: int(s.number("slow_ports")),
			window: s.duration("window"), slow: s.duration("slow_window")}
		m.core = newCore(deps, keyed.Config[probing]{Kind: "scan1", Fixed: 220,
			Encode: func(w *keyed.Writer, v *probing) {
				v.failed.Encode(w)
				v.worked.Encode(w)
				w.Uint(v.events)
				w.Int(v.last)
				for i := range v.wide {
					for _, h := range v.wide[i] {
						w.Uint(h)
					}
				}
				v.again.encode(w)
			},
			Decode: func(r *keyed.Reader, v *probing) {
				v.failed.Decode(r, &m.deps.Secret)
				v.worked.Decode(r, &m.deps.Secret)
				v.events, v.last = r.Uint(), r.Time()
				for i := range v.wide {
					for k := range v.wide[i] {
						v.wide[i][k] = r.Uint()
					}
				}
				v.again.decode(r)
			},
			Extra: func(v *probing) int { return v.failed.Size() + v.worked.Size() },
			Reset: func(v *probing) {
				v.failed.Reset()
				v.worked.Reset()
				*v = probing{failed: v.failed, worked: v.worked}
			},
		})
		return m, s.err
	}
	return d
}

// outcomeOf reports whether a connection is an attempt, and whether it came to something.
func outcomeOf(s *scene.Scene) (attempt, worked bool) {
	c, ok := s.Event.Detail.(*event.Connection)
	f := s.Event.Flow
	if !ok || f == nil || c.MidStream || c.Evicted || !s.Dst.IP.IsValid() || s.Dst.IP.IsMulticast() {
		return false, false
	}
	switch f.Proto {
	case 6:
		switch c.State {
		case "S0", "REJ", "RSTOS0", "SH":
			return true, false
		case "SF", "S1", "S2", "S3", "RSTO", "RSTR":
			return true, c.PayloadOut+c.PayloadIn > 0
		}
	case 1, 58: // an echo without answer
		return true, c.PacketsIn > 0
	}
	return false, false // UDP without answer is how syslog, streams and discovery are
}

// Feed implements match.Matcher.
func (m *scan) Feed(s *scene.Scene, _ int, hit func(match.Hit)) {
	attempt, worked := outcomeOf(s)
	if !attempt {
		return
	}
	var mem, memDst [80]byte
	port := append(mem[:0], "echo"...)
	if s.Event.Flow.Proto == 6 {
		port = strconv.AppendUint(mem[:0], uint64(s.Event.Flow.Dst.Port), 10)
	}
	host := appendParty(memDst[:0], &s.Dst)
	m.buf = append(append(m.source("hosts", s, ""), '\x1f'), port...)
	m.count(m.buf, s, host, worked, "horizontal", hit)
	if s.Event.Flow.Proto != 6 {
		return
	}
	m.count(m.pair("ports", s, 0), s, port, worked, "vertical", hit)
	key := m.source("block", s, "")
	if !worked {
		if e, _ := m.t.At(key); e != nil {
			first(&e.Val.wide[0], uint64(s.Event.Flow.Dst.Port)+1)
			first(&e.Val.wide[1], hash64(string(host))|1)
		}
	}
	m.count(key, s, append(append(host, ':'), port...), worked, "block", hit)
}

// first keeps the first three different values.
func first(list *[3]uint64, v uint64) {
	for i := range list {
		if list[i] == v {
			return
		}
		if list[i] == 0 {
			list[i] = v
			return
		}
	}
}

func (m *scan) count(key []byte, s *scene.Scene, target []byte, worked bool, kind string, hit func(match.Hit)) {
	var e *keyed.Entry[probing]
	if worked { // what works alone makes no key
		if e = m.t.Get(key); e == nil {
			return
		}
	} else if e, _ = m.t.At(key); e == nil {
		return
	}
	v, t := &e.Val, s.Event.Time
	if t-v.last > m.slow {
		v.events = 0
	}
	v.last = max(v.last, t)
	if worked {
		if v.worked.Add(&m.deps.Secret, target, t, m.slow) > 0 {
			m.t.Resize(e, v.failed.Size()+v.worked.Size())
		}
		return
	}
	v.events++
	n := v.failed.Add(&m.deps.Secret, target, t, m.slow)
	if n == 0 {
		return
	}
	m.t.Resize(e, v.failed.Size()+v.worked.Size())
	fast, over, slowOver := v.failed.Count(t, m.window), m.ports, m.slowPorts
	switch kind {
	case "horizontal":
		over, slowOver = m.hosts, m.slowHosts
	case "block":
		if over, slowOver = m.pairs, m.slowHosts; v.wide[0][2] == 0 || v.wide[1][2] == 0 {
			return
		}
	}
	ok := v.worked.Count(t, m.slow)
	h := match.Hit{Time: t, Key: e.Key, Values: map[string]string{"kind": kind, "target": party(&s.Dst), "pace": "fast"}}
	switch {
	case fast >= over && 2*n >= ok:
		n = fast
		h.Values["window"] = span(m.window)
	case n >= slowOver && n >= ok: // over hours the share must be clearer
		h.Values["window"], h.Values["pace"] = span(m.slow), "slow"
	default:
		return
	}
	say, more, news := v.again.due(v.events, t, m.slow)
	if !say {
		return
	}
	h.More, h.Count = more, news
	h.Values["count"] = strconv.Itoa(n)
	h.Values["values"] = strings.Join(v.failed.Examples(t, m.slow), ", ")
	h.Expected = "connections that come to something"
	if kind == "horizontal" {
		h.Values["port"] = "echo"
		if p := s.Event.Flow.Dst.Port; p != 0 {
			h.Values["port"] = strconv.Itoa(int(p))
		}
	}
	m.say(hit, h)
}
