// SPDX-License-Identifier: Apache-2.0

package match

import (
	"fmt"
	"time"

	"github.com/asepsis/asepsis/see/detect/match/keyed"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// maxExact is the largest threshold that is counted by single events. Above
// it a window is cut into windowParts, and is that much longer or shorter.
const (
	maxExact    = 1024
	windowParts = 64
)

// count fires when at least over events of one key came within a window. Up to
// maxExact that is exact; above it the window is exact to 1/64 of its length.
type count struct {
	*base
	table[counting]
	over   int
	window int64
}

type counting struct {
	recent recent   // up to maxExact
	parts  []uint32 // above: events by part of the window
	newest int64    // the number of the newest part
	last   int64    // newest event
	burst  burst
}

func newCount(b *base, c *rule.Count, d *Deps) (*count, error) {
	if err := windowed(c.Window, c.Over); err != nil {
		return nil, err
	}
	m := &count{base: b, over: c.Over, window: int64(c.Window)}
	m.table = newTable(d.Limits, keyed.Config[counting]{
		Kind: signature("count1", b.text[0], c.Window.String(), fmt.Sprint(c.Over > maxExact)), Fixed: 200,
		Encode: func(w *keyed.Writer, v *counting) {
			w.Times(v.recent.list())
			w.Uint(uint64(len(v.parts)))
			for _, n := range v.parts {
				w.Uint(uint64(n))
			}
			w.Int(v.newest)
			w.Int(v.last)
			v.burst.encode(w)
		},
		Decode: func(r *keyed.Reader, v *counting) {
			list := r.Times(nil, maxExact)
			for _, t := range list {
				v.recent.add(t, m.keep())
			}
			if n := r.Len(windowParts); n == windowParts {
				v.parts = make([]uint32, n)
				for i := range v.parts {
					v.parts[i] = uint32(r.Uint())
				}
			} else if n != 0 {
				r.Fail()
			}
			v.newest, v.last = r.Time(), r.Time()
			v.burst.decode(r)
		},
		Extra: func(v *counting) int { return v.size() },
		Reset: func(v *counting) {
			at, parts := v.recent.at, v.parts
			clear(parts)
			*v = counting{recent: recent{at: at[:0]}, parts: parts[:0]}
			if cap(at) > 64 {
				v.recent.at = nil
			}
		},
	})
	return m, nil
}

func (m *count) keep() int { return min(m.over, maxExact) }

func (v *counting) size() int { return 8*cap(v.recent.at) + 4*cap(v.parts) + v.burst.who.size() }

// Feed implements Matcher.
func (m *count) Feed(s *scene.Scene, step int, hit func(Hit)) {
	key, ok := m.key(step, s)
	if !ok {
		return
	}
	e, _ := m.At(key)
	if e == nil {
		return
	}
	v, t := &e.Val, s.Event.Time
	before := cap(v.recent.at) + cap(v.parts)
	n, first := m.add(v, t)
	v.last = max(v.last, t)
	if cap(v.recent.at)+cap(v.parts) != before {
		m.Resize(e, v.size())
	}
	b := &v.burst
	switch {
	case n >= m.over && !b.on:
		*b = burst{on: true, total: uint64(n), began: first}
		b.who.set(s)
		m.Wake(e, t+m.window)
		m.Resize(e, v.size())
		m.say(hit, Hit{Time: t, Key: e.Key, Values: counted(b.total, time.Duration(m.window)), Count: b.news(t)})
	case n >= m.over:
		b.total++
		b.who.set(s)
		if b.due(t, m.window) {
			h := Hit{Time: t, Key: e.Key, Values: counted(b.total, time.Duration(t-b.began)), More: true}
			h.Count = b.news(t)
			m.say(hit, h)
		}
	case b.on && t >= b.who.time: // below again: what was not said yet is, and the burst is over
		m.end(e, b.who.time, hit)
	}
}

// add counts an event and says how many there are in the window, up to over, and when the first was.
func (m *count) add(v *counting, t int64) (n int, first int64) {
	if m.over <= maxExact {
		if v.recent.len() > 0 {
			v.recent.forget(v.recent.newest() - m.window)
		}
		if !v.recent.add(t, m.over) || v.recent.len() < m.over || v.recent.newest()-v.recent.oldest() > m.window {
			return 0, 0
		}
		return m.over, v.recent.oldest()
	}
	size := max(m.window/windowParts, 1)
	part := max(t, 0) / size
	if len(v.parts) == 0 {
		if cap(v.parts) < windowParts {
			v.parts = make([]uint32, windowParts)
		}
		v.parts, v.newest = v.parts[:windowParts], part
	}
	for ; v.newest < part; v.newest++ {
		if part-v.newest > windowParts {
			v.newest = part - windowParts
		}
		v.parts[(v.newest+1)%windowParts] = 0
	}
	if v.newest-part >= windowParts {
		return 0, 0
	}
	v.parts[part%windowParts] = saturating(v.parts[part%windowParts], 1)
	sum := 0
	for _, c := range v.parts {
		sum += int(c)
	}
	return sum, (v.newest - windowParts + 1) * size
}

func (m *count) end(e *keyed.Entry[counting], t int64, hit func(Hit)) {
	b := &e.Val.burst
	if b.total > b.said {
		h := m.later(Hit{Time: t, Key: e.Key, Values: counted(b.total, time.Duration(b.who.time-b.began)), More: true}, &b.who)
		h.Count = b.news(t)
		m.say(hit, h)
	}
	e.Val.burst = burst{}
	m.Wake(e, 0)
	m.Resize(e, e.Val.size())
}

// Advance implements Matcher.
func (m *count) Advance(now int64, hit func(Hit)) {
	m.Due(now, func(e *keyed.Entry[counting], at int64) {
		b := &e.Val.burst
		if !b.on {
			return
		}
		if e.Val.last+m.window <= at {
			m.end(e, at, hit)
			return
		}
		if b.total > b.said {
			h := m.later(Hit{Time: at, Key: e.Key, Values: counted(b.total, time.Duration(at-b.began)), More: true}, &b.who)
			h.Count = b.news(at)
			m.say(hit, h)
		}
		m.Wake(e, at+m.window)
	})
}

// Stats implements Matcher.
func (m *count) Stats() Stats { return m.stats(m.Table.Stats()) }
