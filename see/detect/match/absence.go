// SPDX-License-Identifier: Apache-2.0

package match

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/see/detect/match/keyed"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// absence fires when what came regularly has stopped. The usual pause is the
// median of the latest maxPauses pauses; what follows at once belongs to the same volley
// and is no pause. It is said once; when the events come back,
// the key is regular again. An event of Until, the orderly end, forgets the key.
// Times in which the sensor was blind count neither as silence nor as pauses.
//
// Whether a sensor is blind is not saved with the partitions: who restarts
// says it again.
type absence struct {
	*base
	table[pacing]
	blindness
	expect int
	within int64
	volley int64
	factor float64
}

// maxPauses is how many pauses the pace is learned from.
const maxPauses = 32

// volley is the longest time between events of one volley, or a quarter of within where
// that is shorter: a conversation makes several events at once.
const volley = time.Second

type pacing struct {
	n      uint64 // events
	last   int64
	gone   bool // said
	pauses []int64
	head   int
	who    subject
}

func newAbsence(b *base, a *rule.Absence, d *Deps) (*absence, error) {
	if a.Within < 0 || a.Within > MaxWindow {
		return nil, fmt.Errorf("within %v is not between 0 and %v", a.Within, MaxWindow)
	}
	if a.Expect < 0 || a.Factor < 0 || a.Factor > 1000 {
		return nil, fmt.Errorf("expect %d or factor %v cannot be", a.Expect, a.Factor)
	}
	m := &absence{base: b, expect: max(a.Expect, 2), within: int64(a.Within), volley: min(int64(volley), int64(a.Within)/4), factor: a.Factor}
	if m.factor == 0 {
		m.factor = 5
	}
	m.table = newTable(d.Limits, keyed.Config[pacing]{
		Kind: signature("absence1", b.text[0]), Fixed: 240,
		Encode: func(w *keyed.Writer, v *pacing) {
			w.Uint(v.n)
			w.Int(v.last)
			w.Bool(v.gone)
			w.Uint(uint64(len(v.pauses)))
			for i := range v.pauses {
				w.Int(v.pauses[(v.head+i)%len(v.pauses)])
			}
			v.who.encode(w)
		},
		Decode: func(r *keyed.Reader, v *pacing) {
			v.n, v.last, v.gone = r.Uint(), r.Time(), r.Bool()
			for n := r.Len(maxPauses); n > 0; n-- {
				v.pauses = append(v.pauses, r.Time())
			}
			v.who.decode(r)
		},
		Extra: func(v *pacing) int { return v.size() },
		Reset: func(v *pacing) { *v = pacing{pauses: v.pauses[:0]} },
	})
	return m, nil
}

func (v *pacing) size() int { return 8*cap(v.pauses) + v.who.size() }

// usual is the median pause, and how far nine of ten pauses reach.
func (v *pacing) usual() (median, most int64) {
	if len(v.pauses) == 0 {
		return 0, 0
	}
	var mem [maxPauses]int64
	p := append(mem[:0], v.pauses...)
	slices.Sort(p)
	return p[len(p)/2], p[len(p)*9/10]
}

// allowed is how long silence may be. What sends in volleys has a small median: the
// longer pauses that it makes are no silence either.
func (m *absence) allowed(v *pacing) int64 {
	median, most := v.usual()
	f := m.factor * float64(median)
	if g := 1.5 * float64(most); g > f {
		f = g
	}
	if f > float64(MaxWindow) {
		return int64(MaxWindow)
	}
	return max(m.within, int64(f), 1)
}

// Feed implements Matcher.
func (m *absence) Feed(s *scene.Scene, step int, hit func(Hit)) {
	key, ok := m.key(step, s)
	if !ok {
		return
	}
	if step == 1 {
		if e := m.Get(key); e != nil && e.Val.last <= s.Event.Time {
			m.Delete(e)
		}
		return
	}
	e, fresh := m.At(key)
	if e == nil {
		return
	}
	v, t := &e.Val, s.Event.Time
	v.n++
	if !fresh && t < v.last { // late: it changes nothing of when the last was
		return
	}
	before := cap(v.pauses)
	if !fresh && !v.gone {
		if p := t - v.last; m.during(s.Sensor, v.last, t) == 0 && p > m.volley {
			if len(v.pauses) < maxPauses {
				v.pauses = append(v.pauses, p)
			} else {
				v.pauses[v.head] = p
				v.head = (v.head + 1) % maxPauses
			}
		}
	}
	v.last, v.gone = t, false
	v.who.set(s)
	if cap(v.pauses) != before || fresh {
		m.Resize(e, v.size())
	}
	if v.n >= uint64(m.expect) && e.Wakes() == 0 {
		m.Wake(e, t+m.allowed(v))
	}
}

// Advance implements Matcher.
func (m *absence) Advance(now int64, hit func(Hit)) {
	m.Due(now, func(e *keyed.Entry[pacing], at int64) {
		v := &e.Val
		if v.gone {
			return
		}
		allowed := m.allowed(v)
		// What was blind comes on top.
		if silence := at - v.last - m.during(v.who.sensor, v.last, at); silence < allowed {
			m.Wake(e, at+allowed-silence)
			return
		}
		v.gone = true
		median, _ := v.usual()
		usual := Span(time.Duration(max(median, m.volley, int64(time.Millisecond))))
		h := m.later(Hit{Time: at, Key: e.Key, Expected: "again about every " + usual, Values: map[string]string{
			"silence": Span(time.Duration(at - v.last)), "usual": usual, "seen": strconv.FormatUint(v.n, 10), "key": strings.Join(Parts(e.Key), ", ")}}, &v.who)
		m.say(hit, h)
	})
}

// Stats implements Matcher. A key is learning until it counts as regular.
func (m *absence) Stats() Stats { return m.stats(m.Table.Stats()) }
