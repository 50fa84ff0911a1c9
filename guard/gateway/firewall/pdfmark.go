// SPDX-License-Identifier: Apache-2.0

package firewall

import "bytes"

// marks finds where objects and trailers begin in the bytes of a PDF, whatever those bytes belong to for who reads on from the
// beginning. A reader that follows the cross-reference table (ISO 32000-1 §7.5.4), or that searches a damaged file for objects, reads an object
// wherever "1 0 obj" stands: within a string, a comment or the content of a stream as well.
type marks struct {
	set     uint16 // how far what has come may be the beginning of an object: several beginnings at once
	trailer int    // bytes of the keyword that came
}

// What may have come of "1 0 obj". White space may be a comment, which in turn may have the first bytes of another beginning in it.
const (
	markNumber     uint16 = 1 << iota // of the object
	markSpace                         // after it
	markComment                       // after it
	markGeneration                    // its second number
	markSpace2
	markComment2
	markO
	markB
	markJ
)

// markBegins are the bytes with which a mark may begin, and markGoesOn those that may follow a number in one.
var markBegins, markGoesOn = func() (begins, goesOn [256]bool) {
	for c := byte('0'); c <= '9'; c++ {
		begins[c], goesOn[c] = true, true
	}
	begins['t'] = true
	for _, c := range []byte(" \n\r\t\f\x00%") {
		goesOn[c] = true
	}
	return begins, goesOn
}()

// find reports whether an object or a trailer begins in b. It does what step does with each byte, and is quick where nothing is under way.
func (m *marks) find(b []byte) (found bool) {
	for i := 0; i < len(b); i++ {
		if m.set == 0 && m.trailer == 0 {
			for i < len(b) && !markBegins[b[i]] {
				i++
			}
			if i == len(b) {
				break
			}
			if i+1 < len(b) && b[i] != 't' && !markGoesOn[b[i+1]] || i+1 < len(b) && b[i] == 't' && b[i+1] != 'r' {
				continue
			}
		}
		found = m.step(b[i]) || found
	}
	return found
}

// step takes the next byte, and reports that a beginning is complete with it.
func (m *marks) step(c byte) bool {
	const word = "trailer"
	found := false
	switch {
	case m.trailer < len(word):
		if c == word[m.trailer] {
			m.trailer++
		} else if m.trailer = 0; c == word[0] {
			m.trailer = 1
		}
	case c == '<' || c == '%':
		found, m.trailer = true, 0
	case c > ' ':
		m.trailer = 0
	}
	if m.set == 0 {
		if c-'0' <= 9 {
			m.set = markNumber
		}
		return found
	}
	was, now := m.set, m.set&(markComment|markComment2)
	switch {
	case c-'0' <= 9:
		now |= markNumber
		if was&(markSpace|markGeneration) != 0 {
			now |= markGeneration
		}
	case c == '%':
		if was&(markNumber|markSpace) != 0 {
			now |= markComment
		}
		if was&(markGeneration|markSpace2) != 0 {
			now |= markComment2
		}
	case bytes.IndexByte([]byte("+-."), c) >= 0 && was&markSpace != 0: // numbers may be written so
		now |= markSpace
	case bytes.IndexByte([]byte(".eE"), c) >= 0 && was&markGeneration != 0:
		now |= markGeneration
	case c == 'o' && was&(markGeneration|markSpace2) != 0:
		now |= markO
	case c == 'b' && was&markO != 0:
		now |= markB
	case c == 'j' && was&markB != 0:
		now |= markJ
	case bytes.IndexByte([]byte(" \n\r\t\f\x00"), c) >= 0:
		ends := c == '\n' || c == '\r'
		if was&(markNumber|markSpace) != 0 || ends && was&markComment != 0 {
			now |= markSpace
		}
		if was&(markGeneration|markSpace2) != 0 || ends && was&markComment2 != 0 {
			now |= markSpace2
		}
		if ends {
			now &^= markComment | markComment2
		}
	}
	m.set = now
	return found || was&markJ != 0 && !regular(c)
}
