// SPDX-License-Identifier: Apache-2.0

package match

import (
	"math"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/see/detect/match/keyed"
)

var (
	_ Learning = (*baseline)(nil)
	_ Learning = (*rate)(nil)
)

// Baselines implements Learning.
func (m *baseline) Baselines(prefix string, limit int) []Baseline {
	var out []Baseline
	for _, key := range m.Keys(prefix, limit) {
		v := &m.Peek(key).Val
		b := Baseline{Key: key, Since: v.since, Samples: v.samples, Ready: v.ready, Frozen: v.frozen, Lost: v.lost}
		for value, h := range v.values {
			b.Values = append(b.Values, Learned{Value: value, First: h.first, Last: h.last, Count: h.count, Distrusted: h.distrusted, Accepted: h.accepted})
		}
		slices.SortFunc(b.Values, func(a, c Learned) int { return strings.Compare(a.Value, c.Value) })
		out = append(out, b)
	}
	return out
}

// Accept implements Learning.
func (m *baseline) Accept(key, value string) error {
	e := m.Peek(key)
	if e == nil {
		return ErrNoBaseline
	}
	v := &e.Val
	h := v.values[value]
	if h == nil {
		if len(value) > maxValue || value == "" {
			return ErrNoBaseline
		}
		if len(v.values) >= m.most {
			m.thin(e)
		}
		if v.values == nil {
			v.values = map[string]*habit{}
		}
		h = &habit{}
		v.values[value] = h
		v.bytes += habitBytes + len(value)
		m.Resize(e, v.bytes)
	}
	m.trust(h)
	h.accepted = true
	return nil
}

func (m *baseline) trust(h *habit) {
	if h.distrusted {
		m.doubts--
	}
	h.distrusted, h.src, h.dst = false, "", ""
}

// Remove implements Learning.
func (m *baseline) Remove(key, value string) error {
	e := m.Peek(key)
	if e == nil || e.Val.values[value] == nil {
		return ErrNoBaseline
	}
	m.forget(e, value)
	return nil
}

// Reset implements Learning.
func (m *baseline) Reset(key string) error {
	e := m.Peek(key)
	if e == nil {
		return ErrNoBaseline
	}
	m.Delete(e)
	return nil
}

// Freeze implements Learning.
func (m *baseline) Freeze(key string, frozen bool) error {
	e := m.Peek(key)
	if e == nil {
		return ErrNoBaseline
	}
	e.Val.frozen = frozen
	return nil
}

// Settle implements Learning.
func (m *baseline) Settle(device string, trust bool) {
	m.All(func(e *keyed.Entry[habits]) {
		for value, h := range e.Val.values {
			if !h.distrusted || device == "" || h.src != device && h.dst != device {
				continue
			}
			if trust {
				m.trust(h)
			} else {
				m.forget(e, value)
			}
		}
	})
}

// Baselines implements Learning.
func (m *rate) Baselines(prefix string, limit int) []Baseline {
	var out []Baseline
	for _, key := range m.Keys(prefix, limit) {
		v := &m.Peek(key).Val
		usual, most, _ := m.level(v, v.bucket)
		if math.IsNaN(most) {
			most = 0 // nothing is known yet; JSON has no NaN
		}
		out = append(out, Baseline{Key: key, Since: v.since, Samples: v.samples, Ready: v.ready, Frozen: v.frozen, Usual: usual, Limit: most})
	}
	return out
}

// Accept implements Learning: a rate has no values.
func (m *rate) Accept(string, string) error { return ErrNoBaseline }

// Remove implements Learning: a rate has no values.
func (m *rate) Remove(string, string) error { return ErrNoBaseline }

// Reset implements Learning.
func (m *rate) Reset(key string) error {
	e := m.Peek(key)
	if e == nil {
		return ErrNoBaseline
	}
	m.Delete(e)
	return nil
}

// Freeze implements Learning.
func (m *rate) Freeze(key string, frozen bool) error {
	e := m.Peek(key)
	if e == nil {
		return ErrNoBaseline
	}
	e.Val.frozen = frozen
	return nil
}

// Settle implements Learning: buckets of a time in which an alert was open are kept
// apart, and learned or forgotten now.
func (m *rate) Settle(device string, trust bool) {
	m.All(func(e *keyed.Entry[flow]) {
		v := &e.Val
		if device == "" || v.who.src != device && v.who.dst != device {
			return
		}
		if trust {
			for _, d := range v.doubted {
				m.learnBucket(v, d.bucket, float64(d.sum))
			}
		}
		v.doubted = nil
	})
}
