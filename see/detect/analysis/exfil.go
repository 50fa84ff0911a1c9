// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"slices"
	"strconv"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/detect/match"
	"github.com/asepsis/asepsis/see/detect/match/keyed"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// exfil finds a device that sends much out: to a destination outside that it has
// not talked to before, or far more than it does on other days. What is received
// more than sent is a download.
type exfil struct {
	core[outflow]
	fresh, least float64
	factor       float64
	learn        int64
	began        int64 // since when connections are seen; after a restart, as far back as what was saved
}

const (
	maxTargets = 64
	maxDays    = 14
	day        = int64(24 * time.Hour)
)

type outflow struct {
	since   int64
	watched int64 // since when connections were seen at all, when it was first seen
	day     int64 // number of the present day
	sum     uint64
	days    []uint64 // the latest days on which anything was sent
	targets []target
}

type target struct {
	name    string
	first   int64
	last    int64
	day     int64
	out, in uint64 // of the day
	flow    uint64 // the latest one, and what of it is counted
	flowOut uint64
	flowIn  uint64
	again   again
}

func exfilDetector() Detector {
	d := Detector{
		About:  "A device sends much to a destination outside that is new, or far more than it usually does.",
		On:     []rule.On{{Class: []string{"network_activity"}, Activity: []string{"Close", "Reset", "Traffic"}}},
		Values: []string{"kind", "bytes", "target", "usual", "port"},
		Settings: []Setting{
			number("new_bytes", 10e6, 1000, 1e15, "Bytes a day to a destination that is new that are too many."),
			number("bytes", 200e6, 1000, 1e15, "Bytes a day to one that is known, and at least factor times the usual of a day."),
			number("factor", 5, 1, 1000, "How many times the median day."),
			duration("learn", 72*time.Hour, 0, 31*24*time.Hour, "How long a device is learned before a destination counts as new."),
		},
	}
	d.New = func(given map[string]any, deps match.Deps) (match.Matcher, error) {
		s := read(d.Settings, given)
		m := &exfil{fresh: s.number("new_bytes"), least: s.number("bytes"), factor: s.number("factor"), learn: s.duration("learn")}
		m.core = newCore(deps, keyed.Config[outflow]{Kind: "exfil2", Fixed: 108, Encode: encodeOutflow, Decode: func(r *keyed.Reader, v *outflow) {
			decodeOutflow(r, v)
			m.watching(v.watched)
		},
			Extra: (*outflow).size, Reset: func(v *outflow) { *v = outflow{days: v.days[:0], targets: v.targets[:0]} }})
		return m, s.err
	}
	return d
}

func (v *outflow) size() int {
	n := 8*cap(v.days) + 120*cap(v.targets)
	for i := range v.targets {
		n += len(v.targets[i].name)
	}
	return n
}

// Feed implements match.Matcher.
func (m *exfil) Feed(s *scene.Scene, _ int, hit func(match.Hit)) {
	c, ok := s.Event.Detail.(*event.Connection)
	if !ok || s.Event.Flow == nil {
		return
	}
	m.watching(s.Event.Time)
	if !s.Src.Internal || !outside(&s.Dst) {
		return
	}
	e, fresh := m.t.At(m.source("out", s, ""))
	if e == nil {
		return
	}
	v, t := &e.Val, s.Event.Time
	if fresh {
		v.since, v.watched, v.day = t, m.began, t/day
		// A device that never sent anything out was learned all the same, as long as it was here and
		// was watched: that it sends anything at all is news.
		if d := s.Src.Device; d != nil && d.First > 0 {
			v.since = min(t, max(d.First, m.began))
		}
	}
	for ; v.day < t/day; v.day = t / day { // a new day
		if v.sum > 0 {
			if len(v.days) >= maxDays {
				v.days = slices.Delete(v.days, 0, 1)
			}
			v.days = append(v.days, v.sum)
		}
		v.sum = 0
	}
	var mem [80]byte
	x := v.target(appendParty(mem[:0], &s.Dst), t)
	// What is reported of a connection is the sum so far.
	out, in := c.PayloadOut, c.PayloadIn
	if x.flow == s.Event.Flow.ID && c.PayloadOut >= x.flowOut {
		out, in = c.PayloadOut-x.flowOut, in-min(in, x.flowIn)
	}
	x.flow, x.flowOut, x.flowIn = s.Event.Flow.ID, c.PayloadOut, c.PayloadIn
	x.out, x.in, x.last = x.out+out, x.in+in, max(x.last, t)
	v.sum += out
	m.t.Resize(e, v.size())
	if sent := float64(x.out); x.out < 3*x.in || sent < min(m.fresh, m.least) {
		return
	}
	usual := 0.0
	if len(v.days) > 0 {
		days := slices.Clone(v.days)
		slices.Sort(days)
		usual = float64(days[len(days)/2])
	}
	kind, expected := "", ""
	switch sent := float64(x.out); {
	case sent >= m.fresh && t-x.first < day && x.first > v.since && m.ready(v.since, t, m.learn):
		kind, expected = "new-destination", "nothing to it: it was not talked to before"
	case sent >= m.least && len(v.days) >= 3 && sent >= m.factor*usual:
		kind, expected = "volume", "about "+amount(usual)+" a day"
	default:
		return
	}
	h := match.Hit{Time: t, Key: e.Key, Expected: expected, Values: map[string]string{"kind": kind, "bytes": amount(float64(x.out)), "target": x.name, "usual": amount(usual),
		"port": strconv.Itoa(int(s.Event.Flow.Dst.Port))}}
	var say bool
	if say, h.More, _ = x.again.due(x.out, t, day); say {
		m.say(hit, h)
	}
}

// watching notes that something was seen at a time.
func (m *exfil) watching(t int64) {
	if t > 0 && (m.began == 0 || t < m.began) {
		m.began = t
	}
}

// target finds or makes a destination; the one silent longest is given up for it.
func (v *outflow) target(name []byte, t int64) *target {
	for i := range v.targets {
		if x := &v.targets[i]; x.name == string(name) {
			if x.day != t/day {
				x.day, x.out, x.in = t/day, 0, 0
			}
			return x
		}
	}
	x := target{name: string(name), first: t, last: t, day: t / day}
	if len(v.targets) < maxTargets {
		v.targets = append(v.targets, x)
		return &v.targets[len(v.targets)-1]
	}
	old := 0
	for i := range v.targets {
		if v.targets[i].last < v.targets[old].last {
			old = i
		}
	}
	v.targets[old] = x
	return &v.targets[old]
}

func encodeOutflow(w *keyed.Writer, v *outflow) {
	w.Int(v.since)
	w.Int(v.watched)
	w.Int(v.day)
	w.Uint(v.sum)
	w.Uint(uint64(len(v.days)))
	for _, d := range v.days {
		w.Uint(d)
	}
	w.Uint(uint64(len(v.targets)))
	for i := range v.targets {
		x := &v.targets[i]
		w.Str(x.name)
		for _, n := range [...]int64{x.first, x.last, x.day} {
			w.Int(n)
		}
		for _, n := range [...]uint64{x.out, x.in, x.flow, x.flowOut, x.flowIn} {
			w.Uint(n)
		}
		x.again.encode(w)
	}
}

func decodeOutflow(r *keyed.Reader, v *outflow) {
	v.since, v.watched, v.day, v.sum = r.Time(), r.Time(), r.Time(), r.Uint()
	for n := r.Len(maxDays); n > 0; n-- {
		v.days = append(v.days, r.Uint())
	}
	for n := r.Len(maxTargets); n > 0; n-- {
		x := target{name: r.Str(), first: r.Time(), last: r.Time(), day: r.Time(), out: r.Uint(), in: r.Uint(), flow: r.Uint(), flowOut: r.Uint(), flowIn: r.Uint()}
		x.again.decode(r)
		v.targets = append(v.targets, x)
	}
}
