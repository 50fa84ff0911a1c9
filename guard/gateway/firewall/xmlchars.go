// SPDX-License-Identifier: Apache-2.0

package firewall

// codeUnits makes characters of the bytes of an XML document (XML 1.0 appendix F): ASCII as it is, of any other a byte that is none. In an
// encoding of one byte, or of several that begin beyond ASCII, they are the bytes themselves.
type codeUnits struct {
	size int // bytes of a unit: 1, 2 or 4
	big  bool
	n    int
	unit uint32
}

// codeUnitsOf tells the size by the first bytes: those of a mark, or of a character of ASCII.
func codeUnitsOf(head []byte) codeUnits {
	var b [4]byte
	if copy(b[:], head) < 4 {
		return codeUnits{size: 1}
	}
	switch {
	case b == [4]byte{0xFF, 0xFE, 0, 0}, b[0] != 0 && b[1] == 0 && b[2] == 0 && b[3] == 0:
		return codeUnits{size: 4}
	case b == [4]byte{0, 0, 0xFE, 0xFF}, b[0] == 0 && b[1] == 0 && b[2] == 0 && b[3] != 0:
		return codeUnits{size: 4, big: true}
	case b[0] == 0xFF && b[1] == 0xFE, b[0] != 0 && b[1] == 0:
		return codeUnits{size: 2}
	case b[0] == 0xFE && b[1] == 0xFF, b[0] == 0 && b[1] != 0:
		return codeUnits{size: 2, big: true}
	}
	return codeUnits{size: 1}
}

// next takes a byte; false when the unit is not whole yet.
func (u *codeUnits) next(c byte) (byte, bool) {
	if u.size == 1 {
		return c, true
	}
	if u.big {
		u.unit = u.unit<<8 | uint32(c)
	} else {
		u.unit |= uint32(c) << (8 * u.n)
	}
	if u.n++; u.n < u.size {
		return 0, false
	}
	c = 0x80
	if u.unit < 0x80 {
		c = byte(u.unit)
	}
	u.n, u.unit = 0, 0
	return c, true
}

// charRef resolves references to characters (XML 1.0 §4.1), numbers and the five names of XML, as it is told byte after byte. Of what is
// not ASCII comes a byte that is none.
type charRef struct {
	state refState
	n     uint32
	name  [5]byte
	k     int
}

type refState uint8

const (
	refNone refState = iota
	refBegun
	refName
	refNumber
	refHex
)

func (r *charRef) step(c byte, out func(byte)) {
	if r.state != refNone && r.more(c, out) {
		return
	}
	if c == '&' {
		*r = charRef{state: refBegun}
		return
	}
	out(c)
}

// more takes c into the reference under way; false when it ended before.
func (r *charRef) more(c byte, out func(byte)) bool {
	d := uint32(99)
	switch l := lower(c); {
	case c-'0' <= 9:
		d = uint32(c - '0')
	case l-'a' <= 5:
		d = uint32(l-'a') + 10
	}
	switch {
	case c == ';':
		r.end(out)
		return true
	case r.state == refBegun && c == '#':
		r.state = refNumber
		return true
	case r.state == refNumber && r.k == 0 && lower(c) == 'x':
		r.state = refHex
		return true
	case r.state == refNumber && d < 10, r.state == refHex && d < 16:
		r.k = 1
		base := uint32(10)
		if r.state == refHex {
			base = 16
		}
		r.n = min(r.n*base+d, 0x80)
		return true
	case (r.state == refBegun || r.state == refName) && lower(c)-'a' <= 'z'-'a' && r.k < len(r.name):
		r.state = refName
		r.name[r.k] = c
		r.k++
		return true
	}
	r.end(out)
	return false
}

// end resolves what came of a reference, if one is under way.
func (r *charRef) end(out func(byte)) {
	switch r.state {
	case refNumber, refHex:
		if r.n > 0 {
			out(byte(r.n))
		}
	case refBegun:
		out('&')
	case refName:
		switch string(r.name[:r.k]) {
		case "amp":
			out('&')
		case "lt":
			out('<')
		case "gt":
			out('>')
		case "quot":
			out('"')
		case "apos":
			out('\'')
		default:
			out('&')
			for _, c := range r.name[:r.k] {
				out(c)
			}
		}
	}
	*r = charRef{}
}
