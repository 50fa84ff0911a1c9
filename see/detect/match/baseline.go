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

// baseline fires on a value that a key has not had.
//
// While a key learns, its values become usual, and a hit for a new one is marked
// as Learning. When it is ready, a new value fires, and stays distrusted: it fires
// again when it comes for the 2nd, 4th, 8th time, and at most an hour apart,
// until somebody accepts it or the alert on the device is closed as harmless. The same
// goes for values that were new while an alert was open on one of the devices. When the
// alert was true, they are forgotten.
//
// A value that was not seen for Forget is new again. A key has at most
// Limits.Values values; the rarest of the old are given up first.
type baseline struct {
	*base
	table[habits]
	deps   *Deps
	of     []texter
	learn  rule.Learn
	most   int
	value  []byte
	readyN int
	doubts int
}

type habits struct {
	learned
	values map[string]*habit
	lost   uint64
	bytes  int
}

type habit struct {
	first, last int64
	count       uint64
	said        uint64 // of a distrusted one: occurrences in hits
	saidAt      int64
	distrusted  bool
	accepted    bool
	src, dst    string // of a distrusted one: on whom it is
}

const (
	habitBytes = 180
	sayAgain   = int64(time.Hour)
)

func newBaseline(b *base, r *rule.Baseline, d *Deps) (*baseline, error) {
	if err := learnable(&r.Learn); err != nil {
		return nil, err
	}
	if len(r.Of) == 0 || len(r.Of) > maxBy {
		return nil, fmt.Errorf("of has %d parts, not 1 to %d", len(r.Of), maxBy)
	}
	m := &baseline{base: b, deps: d, learn: r.Learn, most: d.Limits.Values}
	if m.most <= 0 {
		m.most = 1000
	}
	if m.learn.Forget == 0 {
		m.learn.Forget = defaultForget
	}
	for _, text := range r.Of {
		t, err := d.Env.Text(b.classes[0], text)
		if err != nil {
			return nil, fmt.Errorf("of: %w", err)
		}
		m.of = append(m.of, t)
	}
	m.table = newTable(d.Limits, keyed.Config[habits]{
		Kind: signature("baseline1", b.text[0], strings.Join(r.Of, "\x00")), Fixed: 120,
		Encode: encodeHabits,
		Decode: func(r *keyed.Reader, v *habits) {
			m.decode(r, v)
			m.readyN += ready(v)
			m.doubts += v.doubts()
		},
		Extra: func(v *habits) int { return v.bytes },
		Reset: func(v *habits) {
			m.readyN -= ready(v)
			m.doubts -= v.doubts()
			clear(v.values)
			*v = habits{values: v.values}
		},
	})
	return m, nil
}

func learnable(l *rule.Learn) error {
	if l.For < 0 || l.Samples < 0 || l.Forget < 0 || l.For > 366*24*time.Hour {
		return fmt.Errorf("learning for %v and %d samples, forgetting after %v, cannot be", l.For, l.Samples, l.Forget)
	}
	return nil
}

func ready(v *habits) int {
	if v.ready != 0 {
		return 1
	}
	return 0
}

func (v *habits) doubts() int {
	n := 0
	for _, h := range v.values {
		if h.distrusted {
			n++
		}
	}
	return n
}

// Feed implements Matcher.
func (m *baseline) Feed(s *scene.Scene, step int, hit func(Hit)) {
	if !m.read(s) {
		return
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
	was := v.ready != 0
	isReady := v.sample(t, &m.learn, m.deps.Trained)
	if isReady && !was {
		m.readyN++
	}
	h := v.values[string(m.value)]
	if h != nil && !h.accepted && t-h.last > int64(m.learn.Forget) {
		m.forget(e, string(m.value))
		h = nil
	}
	if h == nil {
		m.fresh(e, s, isReady, hit)
		return
	}
	if v.frozen && !h.distrusted {
		return
	}
	h.count++
	h.last = max(h.last, t)
	if !h.distrusted {
		return
	}
	if !isReady { // learned during an alert: nothing to say yet
		return
	}
	if h.count >= 2*h.said || t-h.saidAt >= sayAgain {
		out := m.hit(e, h, t)
		out.More = h.said > 0
		out.Count = h.count - h.said
		h.said, h.saidAt = h.count, t
		m.say(hit, out)
	}
}

// read makes the value; an event in which all of it is empty has none.
func (m *baseline) read(s *scene.Scene) bool {
	buf := m.value[:0]
	var err error
	for i, t := range m.of {
		if i > 0 {
			buf = append(buf, separator)
		}
		if buf, err = t.Append(buf, s); err != nil {
			m.errs++
			return false
		}
	}
	if len(buf) > maxValue {
		buf = buf[:maxValue]
	}
	m.value = buf
	return len(buf) >= len(m.of)
}

// fresh is a value that is new to the key.
func (m *baseline) fresh(e *keyed.Entry[habits], s *scene.Scene, isReady bool, hit func(Hit)) {
	v, t := &e.Val, s.Event.Time
	h := &habit{first: t, last: t, count: 1, saidAt: t}
	if h.distrusted = isReady || m.deps.doubtful(s); h.distrusted {
		h.src, h.dst = s.Src.ID, s.Dst.ID
		m.doubts++
	}
	if isReady {
		h.said = 1
	}
	if len(v.values) >= m.most {
		m.thin(e)
	}
	if v.values == nil {
		v.values = map[string]*habit{}
	}
	out := m.hit(e, h, t)
	out.Learning = !isReady
	v.values[string(m.value)] = h
	v.bytes += habitBytes + len(m.value)
	m.Resize(e, v.bytes)
	m.say(hit, out)
}

func (m *baseline) hit(e *keyed.Entry[habits], h *habit, t int64) Hit {
	v := &e.Val
	value := shownValue(string(m.value))
	out := Hit{Time: t, Key: e.Key, Values: map[string]string{"value": value, "known": strconv.Itoa(len(v.values)), "since": time.Unix(0, v.since).UTC().Format(time.DateOnly)}}
	out.Expected = "it has had " + m.usual(v, string(m.value)) + " since " + out.Values["since"]
	return out
}

// usual names the most frequent trusted values.
func (m *baseline) usual(v *habits, not string) string {
	type entry struct {
		value string
		n     uint64
	}
	var list []entry
	for value, h := range v.values {
		if !h.distrusted && value != not {
			list = append(list, entry{value, h.count})
		}
	}
	slices.SortFunc(list, func(a, b entry) int {
		switch {
		case a.n != b.n && a.n > b.n:
			return -1
		case a.n != b.n:
			return 1
		}
		return strings.Compare(a.value, b.value)
	})
	if len(list) == 0 {
		return "nothing like it"
	}
	var names []string
	for _, x := range list[:min(len(list), 3)] {
		names = append(names, shownValue(x.value))
	}
	text := strings.Join(names, ", ")
	if n := len(list) - len(names); n > 0 {
		text += " and " + strconv.Itoa(n) + " more"
	}
	return text
}

func shownValue(v string) string { return strings.ReplaceAll(v, string(separator), " / ") }

func (m *baseline) forget(e *keyed.Entry[habits], value string) {
	v := &e.Val
	if h := v.values[value]; h != nil {
		if h.distrusted {
			m.doubts--
		}
		delete(v.values, value)
		v.bytes -= habitBytes + len(value)
		m.Resize(e, v.bytes)
	}
}

// thin gives up an eighth of the values: never what a person accepted while there is
// something else, distrusted and rare ones first, then the old.
func (m *baseline) thin(e *keyed.Entry[habits]) {
	v := &e.Val
	names := make([]string, 0, len(v.values))
	for value := range v.values {
		names = append(names, value)
	}
	slices.SortFunc(names, func(a, b string) int {
		x, y := v.values[a], v.values[b]
		switch {
		case x.accepted != y.accepted:
			return truth(x.accepted) - truth(y.accepted)
		case min(x.count, 16) != min(y.count, 16):
			return int(min(x.count, 16)) - int(min(y.count, 16))
		case x.last != y.last && x.last < y.last:
			return -1
		case x.last != y.last:
			return 1
		}
		return strings.Compare(a, b)
	})
	for _, name := range names[:max(len(names)/8, 1)] {
		m.forget(e, name)
		v.lost++
	}
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Advance implements Matcher.
func (m *baseline) Advance(now int64, _ func(Hit)) {
	m.Due(now, func(*keyed.Entry[habits], int64) {})
}

// Stats implements Matcher.
func (m *baseline) Stats() Stats {
	st := m.stats(m.Table.Stats())
	st.Ready, st.Learning, st.Distrusts = m.readyN, st.Keys-m.readyN, m.doubts
	return st
}

func encodeHabits(w *keyed.Writer, v *habits) {
	v.encode(w)
	w.Uint(v.lost)
	names := make([]string, 0, len(v.values))
	for value := range v.values {
		names = append(names, value)
	}
	slices.Sort(names)
	w.Uint(uint64(len(names)))
	for _, value := range names {
		h := v.values[value]
		w.Str(value)
		w.Int(h.first)
		w.Int(h.last)
		w.Uint(h.count)
		w.Uint(h.said)
		w.Int(h.saidAt)
		w.Bool(h.distrusted)
		w.Bool(h.accepted)
		w.Str(h.src)
		w.Str(h.dst)
	}
}

func (m *baseline) decode(r *keyed.Reader, v *habits) {
	v.learned.decode(r)
	v.lost = r.Uint()
	n := r.Len(1 << 20)
	v.values, v.bytes = map[string]*habit{}, 0
	for ; n > 0; n-- {
		value := r.Str()
		h := &habit{first: r.Time(), last: r.Time(), count: r.Uint(), said: r.Uint(), saidAt: r.Time(), distrusted: r.Bool(), accepted: r.Bool(), src: r.Str(), dst: r.Str()}
		if len(value) > maxValue || v.values[value] != nil {
			r.Fail()
			return
		}
		if len(v.values) < m.most {
			v.values[value] = h
			v.bytes += habitBytes + len(value)
		}
	}
}
