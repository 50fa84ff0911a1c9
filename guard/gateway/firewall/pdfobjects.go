// SPDX-License-Identifier: Apache-2.0

package firewall

import "slices"

// packedObjects reads the content of an object stream (ISO 32000-1 §7.5.7): pairs of numbers first, of each object its number and where it begins,
// then the objects. A reader goes straight to where an object begins; that must not be within a string or comment of another.
type packedObjects struct {
	lex    lexer
	pos    uint64
	first  uint64 // where the objects begin
	want   uint64 // numbers before them
	got    uint64
	number uint64
	digits bool
	odd    bool // something else stands among the numbers

	at     []uint32 // where objects begin, counted from first
	next   int      // of them
	sorted bool
	hidden bool // one begins within something else
}

// maxPacked is how many objects of one stream are looked for; programs write some hundred.
const maxPacked = 4096

// begin prepares for a stream. It returns why its objects cannot be found, or nothing.
func (o *packedObjects) begin(d *dictionary) string {
	*o = packedObjects{lex: o.lex, at: o.at[:0], first: d.first, want: 2 * d.count}
	o.lex.reset()
	switch {
	case !d.seen[keyN] || !d.seen[keyFirst]:
		return "of which it is not told where its objects are"
	case d.count > maxPacked:
		return "of more objects than are looked for"
	}
	return ""
}

func (o *packedObjects) step(c byte) {
	if o.pos < o.first {
		o.header(c)
		o.pos++
		return
	}
	if !o.sorted {
		o.endHeader()
	}
	for ; o.next < len(o.at) && o.pos-o.first == uint64(o.at[o.next]); o.next++ {
		o.hidden = o.hidden || o.lex.inside()
		o.lex.step(' ') // what came before ends here
		o.lex.reset()
	}
	o.lex.step(c)
	o.pos++
}

// header takes a byte of the numbers.
func (o *packedObjects) header(c byte) {
	switch {
	case c-'0' <= 9:
		o.digits = true
		o.number = min(o.number*10+uint64(c-'0'), 1<<32-1)
	case regular(c) || c > ' ':
		o.odd = true
	default:
		o.endNumber()
	}
}

func (o *packedObjects) endNumber() {
	if !o.digits {
		return
	}
	if o.got&1 == 1 && len(o.at) < maxPacked {
		o.at = append(o.at, uint32(o.number))
	}
	o.got++
	o.number, o.digits = 0, false
}

func (o *packedObjects) endHeader() {
	o.endNumber()
	o.sorted = true
	slices.Sort(o.at)
}

// whole reports that the stream held what it says.
func (o *packedObjects) whole() bool {
	if !o.sorted { // all of it are numbers
		o.endHeader()
	}
	return !o.odd && o.got == o.want && o.next == len(o.at)
}
