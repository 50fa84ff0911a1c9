// SPDX-License-Identifier: Apache-2.0

package hl7

import "bytes"

// AppendText appends the value with escape sequences replaced (§2.7):
//
//	\F\ \S\ \T\ \R\ \E\ \P\  the delimiters and the truncation character
//	\Xdd..\                  bytes in hexadecimal
//	\.br\ \.sp\ \.fi\ ...    formatting: a line feed for .br, .sp and .ce, else nothing
//	\H\ \N\                  highlighting: nothing
//	\Cxxyy\ \Mxxyyzz\       switches of the character set: the escape sequence of ISO 2022
//	\Z..\                    local sequences: nothing
//
// bad counts sequences that are not ended, empty or unknown; they are kept as
// they are. At most limit bytes of the value are read. The text is in the message's
// character set, see charset.HL7.
func (f Field) AppendText(dst []byte, limit int) (_ []byte, bad int) {
	b := f.raw
	if len(b) > limit {
		b = b[:limit]
	}
	if f.d == nil || f.d.Escape == 0 {
		return append(dst, b...), 0
	}
	esc := f.d.Escape
	for {
		i := bytes.IndexByte(b, esc)
		if i < 0 {
			return append(dst, b...), bad
		}
		dst = append(dst, b[:i]...)
		b = b[i:]
		end := bytes.IndexByte(b[1:], esc)
		if end < 0 {
			return append(dst, b...), bad + 1
		}
		var ok bool
		if dst, ok = f.d.appendEscape(dst, b[1:1+end]); !ok {
			// The closing character may open the next sequence.
			dst = append(dst, b[:1+end]...)
			b = b[1+end:]
			bad++
			if end == 0 { // two in a row stand for nothing: keep both and go on
				dst = append(dst, esc)
				b = b[1:]
			}
			continue
		}
		b = b[end+2:]
	}
}

func (d *Delimiters) appendEscape(dst, seq []byte) ([]byte, bool) {
	if len(seq) == 0 {
		return dst, false
	}
	if len(seq) == 1 {
		c := byte(0)
		switch seq[0] {
		case 'F':
			c = d.Field
		case 'S':
			c = d.Component
		case 'T':
			c = d.Subcomponent
		case 'R':
			c = d.Repetition
		case 'E':
			c = d.Escape
		case 'P':
			c = d.Truncation
		case 'H', 'N':
			return dst, true
		}
		if c == 0 {
			return dst, false
		}
		return append(dst, c), true
	}
	switch seq[0] {
	case 'X':
		if len(seq)%2 == 0 {
			return dst, false
		}
		n := len(dst)
		for i := 1; i < len(seq); i += 2 {
			h, l := unhex(seq[i]), unhex(seq[i+1])
			if h < 0 || l < 0 {
				return dst[:n], false
			}
			dst = append(dst, byte(h<<4|l))
		}
		return dst, true
	case 'C', 'M':
		if len(seq) != 5 && len(seq) != 7 {
			return dst, false
		}
		n := len(dst)
		dst = append(dst, 0x1B)
		for i := 1; i < len(seq); i += 2 {
			h, l := unhex(seq[i]), unhex(seq[i+1])
			if h < 0 || l < 0 {
				return dst[:n], false
			}
			if h < 2 || h > 7 || h == 7 && l == 15 {
				return dst[:n], true // not a sequence of ISO 2022
			}
			dst = append(dst, byte(h<<4|l))
		}
		return dst, true
	case 'Z':
		return dst, true
	case '.':
		if len(seq) < 3 {
			return dst, false
		}
		switch string(seq[1:3]) {
		case "br", "sp", "ce":
			return append(dst, '\n'), true
		case "fi", "nf", "in", "ti", "sk":
			return dst, true
		}
	}
	return dst, false
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}

// AppendEscaped appends a value so that it can stand in a field: delimiters
// become sequences, and so do the bytes that end segments and frames.
func (d *Delimiters) AppendEscaped(dst, value []byte) []byte {
	const hex = "0123456789ABCDEF"
	for _, c := range value {
		name := byte(0)
		switch {
		case c == d.Field:
			name = 'F'
		case c == 0:
		case c == d.Component:
			name = 'S'
		case c == d.Subcomponent:
			name = 'T'
		case c == d.Repetition:
			name = 'R'
		case c == d.Escape:
			name = 'E'
		case c == d.Truncation:
			name = 'P'
		}
		switch {
		case d.Escape == 0:
			dst = append(dst, c)
		case name != 0:
			dst = append(dst, d.Escape, name, d.Escape)
		case c == '\r' || c == '\n' || c == 0x0b || c == 0x1c || c == 0:
			dst = append(dst, d.Escape, 'X', hex[c>>4], hex[c&15], d.Escape)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
