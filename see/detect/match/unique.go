// SPDX-License-Identifier: Apache-2.0

package match

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/see/detect/match/keyed"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// unique fires when the events of one key within a window have at least over
// different values. It counts exactly up to 256 of them, see Distinct. It says
// it again when they have doubled, and for the events as a count does.
type unique struct {
	*base
	table[differing]
	of     texter
	over   int
	window int64
	secret [16]byte
	value  []byte
}

type differing struct {
	vals   Distinct
	events uint64 // since the first of the values that are there
	last   int64
	saidN  int // different ones when it was said last
	burst  burst
}

func newUnique(b *base, u *rule.Unique, d *Deps) (*unique, error) {
	if err := windowed(u.Window, u.Over); err != nil {
		return nil, err
	}
	of, err := d.Env.Text(b.classes[0], u.Of)
	if err != nil {
		return nil, fmt.Errorf("of: %w", err)
	}
	m := &unique{base: b, of: of, over: u.Over, window: int64(u.Window), secret: d.Secret}
	m.table = newTable(d.Limits, keyed.Config[differing]{
		Kind: signature("unique1", b.text[0], u.Of, u.Window.String()), Fixed: 220,
		Encode: func(w *keyed.Writer, v *differing) {
			v.vals.Encode(w)
			w.Uint(v.events)
			w.Int(v.last)
			w.Int(int64(v.saidN))
			v.burst.encode(w)
		},
		Decode: func(r *keyed.Reader, v *differing) {
			v.vals.Decode(r, &m.secret)
			v.events, v.last, v.saidN = r.Uint(), r.Time(), int(r.Time())
			v.burst.decode(r)
		},
		Extra: func(v *differing) int { return v.vals.Size() + v.burst.who.size() },
		Reset: func(v *differing) {
			v.vals.Reset()
			*v = differing{vals: v.vals}
		},
	})
	return m, nil
}

// Feed implements Matcher.
func (m *unique) Feed(s *scene.Scene, step int, hit func(Hit)) {
	var err error
	if m.value, err = m.of.Append(m.value[:0], s); err != nil {
		m.errs++
		return
	}
	if len(m.value) == 0 {
		return // an event without it has no value of it
	}
	key, ok := m.key(step, s)
	if !ok {
		return
	}
	e, _ := m.At(key)
	if e == nil {
		return
	}
	v, t := &e.Val, s.Event.Time
	if t-v.last > m.window {
		v.events = 0
	}
	v.last = max(v.last, t)
	v.events++
	n := v.vals.Add(&m.secret, m.value, t, m.window)
	b := &v.burst
	if n > 0 {
		m.Resize(e, v.vals.Size()+b.who.size())
	}
	if b.on {
		b.total++
		b.who.set(s)
	}
	switch {
	case n >= m.over && !b.on:
		*b = burst{on: true, total: v.events, began: t}
		b.who.set(s)
		v.saidN = n
		m.Wake(e, t+m.window)
		m.say(hit, m.hit(e, n, t, false))
	case b.on && n >= 2*v.saidN:
		v.saidN = n
		m.say(hit, m.hit(e, n, t, true))
	}
}

func (m *unique) hit(e *keyed.Entry[differing], n int, t int64, more bool) Hit {
	v := &e.Val
	h := Hit{Time: t, Key: e.Key, More: more, Values: map[string]string{"count": strconv.Itoa(n), "window": Span(time.Duration(m.window)),
		"values": strings.Join(v.vals.Examples(t, m.window), ", ")}}
	h.Count = v.burst.news(t)
	return h
}

// Advance implements Matcher.
func (m *unique) Advance(now int64, hit func(Hit)) {
	m.Due(now, func(e *keyed.Entry[differing], at int64) {
		v := &e.Val
		b := &v.burst
		if !b.on {
			return
		}
		n := v.vals.Count(at, m.window)
		if b.total > b.said {
			m.say(hit, m.later(m.hit(e, max(n, v.saidN), at, true), &b.who))
		}
		if n < m.over {
			*b = burst{}
			v.saidN, v.events = 0, 0
			return
		}
		m.Wake(e, at+m.window)
	})
}

// Stats implements Matcher.
func (m *unique) Stats() Stats { return m.stats(m.Table.Stats()) }
