// SPDX-License-Identifier: Apache-2.0

package match

import (
	"slices"

	"github.com/asepsis/asepsis/see/detect/match/keyed"
)

// Distinct counts the different values that came within a window: exactly up to
// maxDistinct, by a sketch with a standard error of 6.5 % beyond. Its zero value is
// empty. It belongs to one window length.
type Distinct struct {
	vals []distinctValue // live ones, and such as are not live any more
	sk   *sketch
}

type distinctValue struct {
	hash uint64
	text string
	last int64
}

const (
	maxDistinct = 256
	shown       = 8 // examples in a hit
	maxValue    = 256
)

// Add adds a value. It returns how many different ones the window has when
// that can have grown, else 0.
func (d *Distinct) Add(secret *[16]byte, value []byte, t, window int64) int {
	if len(value) > maxValue {
		value = value[:maxValue]
	}
	h := siphash(secret, value)
	if d.sk != nil {
		if !d.sk.add(h, t, window) {
			return 0
		}
		n := d.sk.estimate()
		if n < maxDistinct/2 { // the flood is over: the newest values are counted exactly again
			d.sk = nil
			d.vals = d.vals[:0]
			d.vals = append(d.vals, distinctValue{h, string(value), t})
			return 1
		}
		return n
	}
	for i := range d.vals {
		v := &d.vals[i]
		if v.hash == h && v.text == string(value) {
			live := v.last >= t-window
			v.last = max(v.last, t)
			if live {
				return 0
			}
			return d.live(t, window)
		}
	}
	if len(d.vals) >= maxDistinct/4 { // room for a new one is made of those that are over
		d.vals = slices.DeleteFunc(d.vals, func(v distinctValue) bool { return v.last < t-window })
	}
	d.vals = append(d.vals, distinctValue{h, string(value), t})
	if len(d.vals) > maxDistinct {
		d.sk = &sketch{quarter: max(t, 0) / max(window/sketchQuarters, 1)}
		for i := range d.vals {
			d.sk.add(d.vals[i].hash, d.vals[i].last, window)
		}
		clear(d.vals[shown:])
		d.vals = slices.Clip(append([]distinctValue(nil), d.vals[:shown]...))
		return d.sk.estimate()
	}
	return d.live(t, window)
}

func (d *Distinct) live(t, window int64) int {
	n := 0
	for i := range d.vals {
		if d.vals[i].last >= t-window {
			n++
		}
	}
	return n
}

// Count is how many different values the window that ends at t has.
func (d *Distinct) Count(t, window int64) int {
	if d.sk != nil {
		d.sk.move(t / max(window/sketchQuarters, 1))
		return d.sk.estimate()
	}
	return d.live(t, window)
}

// Examples are some of the values in the order in which they came.
func (d *Distinct) Examples(t, window int64) []string {
	var out []string
	for i := range d.vals {
		if len(out) < shown && (d.sk != nil || d.vals[i].last >= t-window) {
			out = append(out, d.vals[i].text)
		}
	}
	return out
}

// Size is about how many bytes it holds.
func (d *Distinct) Size() int {
	n := 40 * cap(d.vals)
	for i := range d.vals {
		n += len(d.vals[i].text)
	}
	if d.sk != nil {
		n += sketchBytes
	}
	return n
}

// Reset empties it.
func (d *Distinct) Reset() {
	clear(d.vals)
	if cap(d.vals) > 64 {
		d.vals = nil
	}
	d.vals, d.sk = d.vals[:0], nil
}

// Encode writes it; hashes are made again from the texts.
func (d *Distinct) Encode(w *keyed.Writer) {
	w.Uint(uint64(len(d.vals)))
	for i := range d.vals {
		w.Str(d.vals[i].text)
		w.Int(d.vals[i].last)
	}
	w.Bool(d.sk != nil)
	if d.sk != nil {
		d.sk.encode(w)
	}
}

// Decode reads it.
func (d *Distinct) Decode(r *keyed.Reader, secret *[16]byte) {
	d.Reset()
	for n := r.Len(maxDistinct); n > 0; n-- {
		v := distinctValue{text: r.Str(), last: r.Time()}
		if len(v.text) > maxValue {
			r.Fail()
			return
		}
		v.hash = siphash(secret, []byte(v.text))
		d.vals = append(d.vals, v)
	}
	if r.Bool() {
		d.sk = &sketch{}
		d.sk.decode(r)
	}
}
