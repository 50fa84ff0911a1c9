// SPDX-License-Identifier: Apache-2.0

package match

import "math"

// Blinder is a matcher that must not take our own blindness for silence.
type Blinder interface {
	// Blind says that a sensor ("" for all) saw nothing, or not everything, from one time
	// to another, 0 for until it is called again with the same from.
	Blind(sensor string, from, to int64)
}

// blindness is the latest times in which sensors were blind.
type blindness struct{ spans []blindSpan }

type blindSpan struct {
	sensor   string
	from, to int64
}

const maxBlind = 64

// Blind implements Blinder.
func (b *blindness) Blind(sensor string, from, to int64) {
	if to == 0 {
		to = math.MaxInt64
	}
	for i := range b.spans {
		if s := &b.spans[i]; s.sensor == sensor && s.from == from {
			s.to = to
			return
		}
	}
	if len(b.spans) >= maxBlind {
		b.spans = append(b.spans[:0], b.spans[1:]...)
	}
	b.spans = append(b.spans, blindSpan{sensor, from, to})
}

// during is how long of a time the sensor was blind. Spans that overlap are
// counted once.
func (b *blindness) during(sensor string, from, to int64) int64 {
	total, at := int64(0), from
	for at < to {
		next, end := int64(math.MaxInt64), int64(0)
		for i := range b.spans {
			s := &b.spans[i]
			if (s.sensor != "" && sensor != "" && s.sensor != sensor) || s.to <= at || s.from >= to {
				continue
			}
			if f := max(s.from, at); f < next || f == next && s.to > end {
				next, end = f, s.to
			}
		}
		if next == math.MaxInt64 {
			break
		}
		end = min(end, to)
		total += end - next
		at = end
	}
	return total
}
