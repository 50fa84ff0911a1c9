// SPDX-License-Identifier: Apache-2.0

package firewall

import "bytes"

// lexer finds names, keywords, comments and brackets, outside of strings (ISO 32000-1 §7.2), and how strings end.
type lexer struct {
	name, word, text, comment func([]byte)
	bracket                   func(byte) // '<' and '>' stand for those of a dictionary, of two characters

	state lexState
	depth int // of parentheses
	buf   [64]byte
	n     int
	hex   int // digits of an escape in a name, of a hexadecimal string, of an octal escape that came
	digit byte
}

type lexState uint8

const (
	lexNone lexState = iota
	lexWord
	lexName
	lexComment
	lexString
	lexEscape
	lexOctal
	lexHex
	lexAngle   // "<" came
	lexGreater // ">" came
)

func (l *lexer) reset() { l.state, l.n, l.depth, l.hex = lexNone, 0, 0, 0 }

// inside reports that what comes next belongs to a string or comment for who read on to here, or to a bracket.
func (l *lexer) inside() bool {
	switch l.state {
	case lexNone, lexWord, lexName, lexGreater:
		return false
	}
	return true
}

func (l *lexer) add(c byte) {
	if l.n < len(l.buf) {
		l.buf[l.n] = c
		l.n++
	}
}

func (l *lexer) step(c byte) {
	switch l.state {
	case lexString, lexEscape, lexOctal:
		l.literal(c)
		return
	case lexHex:
		l.hexadecimal(c)
		return
	case lexComment:
		if c == '\n' || c == '\r' {
			l.state = lexNone
			l.comment(l.buf[:l.n])
			return
		}
		l.add(c)
		return
	case lexAngle:
		if l.state = lexNone; c == '<' {
			l.bracket('<')
			return
		}
		l.state, l.n, l.hex = lexHex, 0, 0
		l.hexadecimal(c)
		return
	case lexGreater:
		if l.state = lexNone; c == '>' {
			l.bracket('>')
			return
		}
	case lexName:
		if l.escape(c) {
			return
		}
		if regular(c) {
			l.add(c)
			return
		}
		l.state = lexNone
		l.name(l.buf[:l.n])
	case lexWord:
		if regular(c) {
			l.add(c)
			return
		}
		l.state = lexNone
		l.word(l.buf[:l.n])
	}
	l.begin(c)
}

func (l *lexer) begin(c byte) {
	switch {
	case c == '/':
		l.state, l.n, l.hex = lexName, 0, 0
	case c == '%':
		l.state, l.n = lexComment, 0
	case c == '(':
		l.state, l.depth, l.n = lexString, 1, 0
	case c == '<':
		l.state = lexAngle
	case c == '>':
		l.state = lexGreater
	case c == '[' || c == ']':
		l.bracket(c)
	case regular(c):
		l.state, l.n = lexWord, 0
		l.add(c)
	}
}

// escape reads "#4A" in a name (§7.3.5).
func (l *lexer) escape(c byte) bool {
	switch {
	case l.hex == 0 && c == '#':
		l.hex = 1
		return true
	case l.hex == 0:
		return false
	}
	d := bytes.IndexByte([]byte("0123456789abcdef"), lower(c))
	if d < 0 { // no escape: the number sign stands for itself
		l.add('#')
		if l.hex == 2 {
			l.add("0123456789abcdef"[l.digit])
		}
		l.hex = 0
		return false
	}
	if l.hex == 1 {
		l.hex, l.digit = 2, byte(d)
		return true
	}
	l.hex = 0
	l.add(l.digit<<4 | byte(d))
	return true
}

func regular(c byte) bool {
	switch c {
	case 0, '\t', '\n', '\f', '\r', ' ', '(', ')', '<', '>', '[', ']', '{', '}', '/', '%':
		return false
	}
	return true
}

// tail keeps the last bytes of a string: how a name ends.
func (l *lexer) tail(c byte) {
	if l.n == len(l.buf) {
		l.n = copy(l.buf[:], l.buf[len(l.buf)/2:])
	}
	l.buf[l.n] = c
	l.n++
}

// literal takes the next byte of a string in parentheses (§7.3.4.2).
func (l *lexer) literal(c byte) {
	switch l.state {
	case lexEscape:
		l.state = lexString
		switch c {
		case 'n':
			l.tail('\n')
		case 'r':
			l.tail('\r')
		case 't':
			l.tail('\t')
		case 'b':
			l.tail('\b')
		case 'f':
			l.tail('\f')
		case '\n', '\r': // the string goes on in the next line
		case '0', '1', '2', '3', '4', '5', '6', '7':
			l.state, l.hex, l.digit = lexOctal, 1, c-'0'
		default:
			l.tail(c)
		}
		return
	case lexOctal:
		if c >= '0' && c <= '7' && l.hex < 3 {
			l.hex++
			l.digit = l.digit<<3 | c - '0'
			return
		}
		l.tail(l.digit)
		l.state = lexString
	}
	switch c {
	case '\\':
		l.state = lexEscape
		return
	case '(':
		l.depth++
	case ')':
		if l.depth--; l.depth == 0 {
			l.state = lexNone
			l.text(l.buf[:l.n])
			return
		}
	}
	l.tail(c)
}

// hexadecimal takes the next byte of a string in angle brackets (§7.3.4.3).
func (l *lexer) hexadecimal(c byte) {
	if c == '>' {
		if l.state = lexNone; l.hex == 1 {
			l.tail(l.digit << 4)
		}
		l.text(l.buf[:l.n])
		return
	}
	d := bytes.IndexByte([]byte("0123456789abcdef"), lower(c))
	switch {
	case d < 0:
	case l.hex == 0:
		l.hex, l.digit = 1, byte(d)
	default:
		l.hex = 0
		l.tail(l.digit<<4 | byte(d))
	}
}
