// SPDX-License-Identifier: Apache-2.0

package match

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/see/detect/match/keyed"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// sequence fires when its steps happened in their order for one key within a
// window. Of each step it keeps the latest events, maxStepEvents or as many as the step
// demands; whenever the last step may be complete it looks for the
// choice of events that fits. An event counts for one step only. What made
// it fire is forgotten, so that the next hit needs all steps again.
type sequence struct {
	*base
	table[following]
	window int64
	steps  []rule.Step
	last   int // the step that completes it: the last that is not a "not"
	order  uint64
	seen   string // UID of the event that order belongs to
	seenAt int64
	best   []reach // memory of complete
}

const (
	maxSteps      = 8
	maxStepEvents = 16
	maxTimes      = 64
)

type following struct {
	steps [maxSteps][]happened
}

// happened is one event of a step.
type happened struct {
	time  int64
	order uint64 // of arrival, for events of the same time
	uid   string
	seq   uint64
	text  string
}

func (h *happened) before(o *happened) bool {
	return h.time < o.time || h.time == o.time && h.order < o.order
}

// reach is the best way to be done with a step by one of its events.
type reach struct {
	ok    bool
	start int64 // when the way began: the later the better
	from  int   // the event of the step before that it continues
}

func buildSequence(r *rule.Rule, d *Deps) (Matcher, error) {
	q := r.Match.Sequence
	if len(q.Steps) < 2 || len(q.Steps) > maxSteps {
		return nil, fmt.Errorf("a sequence has 2 to %d steps, not %d", maxSteps, len(q.Steps))
	}
	if err := windowed(q.Window, 1); err != nil {
		return nil, err
	}
	var on []rule.On
	var by [][]string
	for i, s := range q.Steps {
		switch {
		case s.Times < 0 || s.Times > maxTimes:
			return nil, fmt.Errorf("step %d: times %d is not between 0 and %d", i+1, s.Times, maxTimes)
		case s.Not && (i == 0 || i == len(q.Steps)-1 || q.Steps[i-1].Not):
			return nil, fmt.Errorf("step %d: a \"not\" stands between two steps that happen", i+1)
		case s.Not && s.Times > 1:
			return nil, fmt.Errorf("step %d: a \"not\" has no times", i+1)
		}
		on = append(on, s.On)
		if len(s.By) > 0 {
			by = append(by, s.By)
		} else {
			by = append(by, q.By)
		}
	}
	b, err := newBase(r, d, on, by)
	if err != nil {
		return nil, err
	}
	return newSequence(b, q, d), nil
}

func newSequence(b *base, q *rule.Sequence, d *Deps) *sequence {
	m := &sequence{base: b, window: int64(q.Window), steps: q.Steps, last: len(q.Steps) - 1}
	sign := []string{q.Window.String()}
	for i, s := range q.Steps {
		sign = append(sign, b.text[i], strings.Join(s.Class, ","), s.When, strconv.Itoa(s.Times), strconv.FormatBool(s.Not))
	}
	m.table = newTable(d.Limits, keyed.Config[following]{
		Kind: signature("sequence1", sign...), Fixed: maxSteps * 24,
		Encode: func(w *keyed.Writer, v *following) {
			for i := range m.steps {
				w.Uint(uint64(len(v.steps[i])))
				for k := range v.steps[i] {
					h := &v.steps[i][k]
					w.Int(h.time)
					w.Uint(h.order)
					w.Str(h.uid)
					w.Uint(h.seq)
					w.Str(h.text)
				}
			}
		},
		Decode: func(r *keyed.Reader, v *following) {
			for i := range m.steps {
				v.steps[i] = v.steps[i][:0]
				for n := r.Len(m.keep(i)); n > 0; n-- {
					h := happened{time: r.Time(), order: r.Uint(), uid: r.Str(), seq: r.Uint(), text: r.Str()}
					v.steps[i] = append(v.steps[i], h)
					if m.order <= h.order {
						m.order = h.order + 1
					}
				}
			}
		},
		Extra: func(v *following) int { return v.size() },
		Reset: func(v *following) {
			for i := range v.steps {
				clear(v.steps[i])
				if cap(v.steps[i]) > maxStepEvents {
					v.steps[i] = nil
				}
				v.steps[i] = v.steps[i][:0]
			}
		},
	})
	return m
}

func (m *sequence) times(step int) int { return max(m.steps[step].Times, 1) }

func (m *sequence) keep(step int) int { return max(maxStepEvents, m.times(step)+8) }

func (v *following) size() int {
	n := 0
	for i := range v.steps {
		n += 64 * cap(v.steps[i])
		for k := range v.steps[i] {
			n += len(v.steps[i][k].uid) + len(v.steps[i][k].text)
		}
	}
	return n
}

// Feed implements Matcher.
func (m *sequence) Feed(s *scene.Scene, step int, hit func(Hit)) {
	key, ok := m.key(step, s)
	if !ok {
		return
	}
	ev := s.Event
	if ev.UID == "" || ev.UID != m.seen || ev.Time != m.seenAt {
		m.order++
		m.seen, m.seenAt = ev.UID, ev.Time
	}
	var e *keyed.Entry[following]
	if step == 0 { // only what can begin one makes a new key
		e, _ = m.At(key)
	} else {
		e = m.Get(key)
	}
	if e == nil {
		return
	}
	v := &e.Val
	if step > 0 && !m.begun(v, ev.Time) {
		// A later step without a beginning is nothing, unless it comes early by mistake of
		// clocks: then its time is in the window of a beginning to come, which is not waited for.
		return
	}
	list := v.steps[step]
	h := happened{time: ev.Time, order: m.order, uid: ev.UID, seq: s.Seq, text: ev.Message}
	i := len(list)
	for i > 0 && h.before(&list[i-1]) {
		i--
	}
	if len(list) >= m.keep(step) {
		if i == 0 {
			return
		}
		copy(list, list[1:i])
		list[i-1] = h
	} else {
		list = slices.Insert(list, i, h)
	}
	v.steps[step] = list
	m.Resize(e, v.size())
	if m.steps[step].Not {
		return
	}
	way := m.complete(v, ev.Time)
	if way == nil {
		return
	}
	out := Hit{Time: ev.Time, Key: e.Key, Values: map[string]string{"window": Span(time.Duration(m.window)), "steps": strconv.Itoa(len(way))}}
	for _, x := range way {
		out.Count++
		if x.uid != ev.UID || x.time != ev.Time {
			out.Evidence = append(out.Evidence, finding.Evidence{Time: x.time, Seq: x.seq, UID: x.uid, Sentence: x.text})
		}
	}
	out.Values["took"] = Span(time.Duration(way[len(way)-1].time - way[0].time))
	m.Delete(e)
	m.say(hit, out)
}

// begun reports whether there is an event of the first step that t can follow.
func (m *sequence) begun(v *following, t int64) bool {
	for i := range v.steps[0] {
		if v.steps[0][i].time >= t-m.window {
			return true
		}
	}
	return false
}

// complete looks for events that fit all steps, the latest beginning first. It
// goes step by step and remembers for each event of a step the way to it that
// began last.
func (m *sequence) complete(v *following, newest int64) []happened {
	for i := range m.steps {
		if !m.steps[i].Not && len(v.steps[i]) < m.times(i) {
			return nil
		}
	}
	var reaches [maxSteps][]reach
	need := 0
	for i := range m.steps {
		need += m.keep(i)
	}
	if cap(m.best) < need {
		m.best = make([]reach, need)
	}
	mem := m.best[:need]
	prev := -1
	for k := range m.steps {
		if m.steps[k].Not {
			continue
		}
		list, times := v.steps[k], m.times(k)
		r := mem[:len(list)]
		mem = mem[len(list):]
		clear(r)
		for i := times - 1; i < len(list); i++ {
			first := &list[i-times+1]
			if prev < 0 {
				r[i] = reach{ok: true, start: first.time, from: -1}
				continue
			}
			for j := range reaches[prev] {
				p := reaches[prev][j]
				end := &v.steps[prev][j]
				if !p.ok || !end.before(first) || end.order == first.order || r[i].ok && p.start <= r[i].start {
					continue
				}
				if k-prev == 2 && between(v.steps[k-1], end, first) {
					continue
				}
				r[i] = reach{ok: true, start: p.start, from: j}
			}
		}
		reaches[k] = r
		prev = k
	}
	at := -1
	for i, r := range reaches[m.last] {
		if r.ok && v.steps[m.last][i].time-r.start <= m.window && (at < 0 || r.start > reaches[m.last][at].start) {
			at = i
		}
	}
	if at < 0 || newest-reaches[m.last][at].start > m.window && v.steps[m.last][at].time < newest-m.window {
		return nil
	}
	var way []happened
	for k := m.last; k >= 0; k-- {
		if m.steps[k].Not {
			continue
		}
		for i := at; i > at-m.times(k); i-- {
			way = append(way, v.steps[k][i])
		}
		at = reaches[k][at].from
	}
	slices.SortFunc(way, func(a, b happened) int {
		return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.order, b.order))
	})
	return way
}

// between reports whether one of the events lies between two.
func between(not []happened, from, to *happened) bool {
	for i := range not {
		if from.before(&not[i]) && not[i].before(to) && not[i].order != to.order {
			return true
		}
	}
	return false
}

// Advance implements Matcher: a sequence has nothing to wait for.
func (m *sequence) Advance(now int64, _ func(Hit)) {
	m.Due(now, func(*keyed.Entry[following], int64) {})
}

// Stats implements Matcher.
func (m *sequence) Stats() Stats { return m.stats(m.Table.Stats()) }
