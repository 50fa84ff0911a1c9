// SPDX-License-Identifier: Apache-2.0

package hl7

import "iter"

// IsBatch reports whether the message is a batch or a file (§2.10.3): it begins
// with FHS or BHS, or holds more than one MSH.
func (m *Message) IsBatch() bool {
	n := 0
	for i, s := range m.Segments {
		switch {
		case i == 0 && (s.Is("FHS") || s.Is("BHS")):
			return true
		case s.Is("MSH"):
			if n++; n > 1 {
				return true
			}
		}
	}
	return false
}

// Messages gives the messages of a batch, or the one message. Each is a view
// that shares m's memory, valid during its turn. A message may declare other
// delimiters than the batch does. At most MaxMessages are given.
func (m *Message) Messages() iter.Seq[*Message] {
	return func(yield func(*Message) bool) {
		start, n := -1, 0
		var one Message
		give := func(end int) bool {
			if start < 0 {
				return true
			}
			segs := m.Segments[start:end]
			start = -1
			if n++; n > MaxMessages {
				return false
			}
			d, err := headerDelimiters(segs[0].raw)
			if err != nil {
				return true
			}
			if d == m.Delimiters {
				one = Message{Delimiters: d, Segments: segs}
				return yield(&one)
			}
			own := &Message{Delimiters: d}
			for _, s := range segs {
				own.add(s.raw, d.Field)
			}
			return yield(own)
		}
		for i, s := range m.Segments {
			switch {
			case s.Is("MSH"), s.Is("BHS"), s.Is("BTS"), s.Is("FTS"), s.Is("FHS"):
				if !give(i) {
					return
				}
				if s.Is("MSH") {
					start = i
				}
			}
		}
		give(len(m.Segments))
	}
}
