// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// tokenKind is what a token is.
type tokenKind uint8

const (
	tEnd   tokenKind = iota
	tName            // of a variable, a field or a function
	tInt             // 12, 0x1F
	tFloat           // 1.5, .5, 2e3
	tText            // "...", '...', """...""" and r"..."
	tWord            // an operator, a bracket, or one of the words in, true, false and null
)

// token is a piece of an expression.
type token struct {
	kind    tokenKind
	text    string // as written; of a tText what it says
	at, end int    // in bytes
}

// source is an expression as it is written.
type source struct {
	text   string
	tokens []token // the last is a tEnd
}

// fail makes an error at a byte of the text.
func (s *source) fail(at int, help, format string, args ...any) *Error {
	before := s.text[:min(at, len(s.text))]
	line := strings.LastIndexByte(before, '\n') + 1
	return &Error{Line: 1 + strings.Count(before, "\n"), Column: 1 + utf8.RuneCountInString(before[line:]), Message: fmt.Sprintf(format, args...), Help: help}
}

// written is a part of the expression on one line, without comments: the tokens from
// first to last, with a space where there was room between two.
func (s *source) written(first, last int) string {
	var b strings.Builder
	for i := first; i <= last; i++ {
		t := s.tokens[i]
		if i > first && s.tokens[i-1].end < t.at && spaced(s.tokens[i-1].text, t.text) {
			b.WriteByte(' ')
		}
		b.WriteString(s.text[t.at:t.end])
	}
	return b.String()
}

// spaced reports whether room between two tokens is kept.
func spaced(left, right string) bool {
	switch left {
	case "(", "[", ".", "!":
		return false
	}
	switch right {
	case ")", "]", ".", ",":
		return false
	}
	return true
}

// words that are operators or brackets, the longer before those that they begin with.
var operatorTexts = [...]string{
	"==", "!=", "<=", ">=", "&&", "||", "<", ">", "[", "]", "{", "}", "(", ")", ".", ",", "-", "!", "?", ":", "+", "*", "/", "%",
}

// scan takes a text apart into tokens.
func scan(text string) (*source, error) {
	s := &source{text: text}
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f':
			i++
			continue
		case strings.HasPrefix(text[i:], "//"):
			n := strings.IndexByte(text[i:], '\n')
			if n < 0 {
				n = len(text) - i
			}
			i += n
			continue
		}
		t, err := s.next(i)
		if err != nil {
			return nil, err
		}
		t.at = i
		s.tokens = append(s.tokens, t)
		i = t.end
	}
	s.tokens = append(s.tokens, token{kind: tEnd, at: len(text), end: len(text)})
	return s, nil
}

// next reads the token that begins at a byte.
func (s *source) next(i int) (token, error) {
	c, rest := s.text[i], s.text[i:]
	after := func(n int) byte {
		if n < len(rest) {
			return rest[n]
		}
		return 0
	}
	switch {
	case c == '"' || c == '\'':
		return s.quoted(i, i, false)
	case (c == 'r' || c == 'R') && isQuote(after(1)):
		return s.quoted(i, i+1, true)
	case (c == 'b' || c == 'B') && (isQuote(after(1)) || (after(1) == 'r' || after(1) == 'R') && isQuote(after(2))):
		return token{}, s.fail(i, "write a text, without the b", "bytes cannot be written here")
	case isLetter(c):
		n := 1
		for isLetter(after(n)) || isDigit(after(n)) {
			n++
		}
		t := token{kind: tName, text: rest[:n], end: i + n}
		switch t.text {
		case "in", "true", "false", "null":
			t.kind = tWord
		}
		return t, nil
	case isDigit(c) || c == '.' && isDigit(after(1)):
		return s.number(i)
	}
	for _, op := range operatorTexts {
		if strings.HasPrefix(rest, op) {
			return token{kind: tWord, text: op, end: i + len(op)}, nil
		}
	}
	r, _ := utf8.DecodeRuneInString(rest)
	hint := ""
	switch c {
	case '=':
		hint = "two values are compared with =="
	case '&', '|':
		hint = "conditions are joined with && and ||"
	}
	return token{}, s.fail(i, hint, "%q means nothing here", r)
}

func isQuote(c byte) bool  { return c == '"' || c == '\'' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }
func isHex(c byte) bool    { return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }

// number reads a number. A sign before it is an operator.
func (s *source) number(i int) (token, error) {
	rest := s.text[i:]
	run := func(from int, in func(byte) bool) int {
		for from < len(rest) && in(rest[from]) {
			from++
		}
		return from
	}
	kind, n := tInt, run(0, isDigit)
	if n == 1 && strings.HasPrefix(rest, "0x") && run(2, isHex) > 2 {
		n = run(2, isHex)
	} else {
		if end := run(n+1, isDigit); n < len(rest) && rest[n] == '.' && end > n+1 {
			kind, n = tFloat, end
		}
		if n < len(rest) && (rest[n] == 'e' || rest[n] == 'E') {
			from := n + 1
			if from < len(rest) && (rest[from] == '+' || rest[from] == '-') {
				from++
			}
			if end := run(from, isDigit); end > from {
				kind, n = tFloat, end
			}
		}
	}
	if kind == tInt && n < len(rest) && (rest[n] == 'u' || rest[n] == 'U') {
		return token{}, s.fail(i, "write "+rest[:n], "whole numbers are written without the %c", rest[n])
	}
	return token{kind: kind, text: rest[:n], end: i + n}, nil
}

// quoted reads a text whose first quotation mark is at open.
func (s *source) quoted(at, open int, raw bool) (token, error) {
	mark := s.text[open : open+1]
	if triple := strings.Repeat(mark, 3); strings.HasPrefix(s.text[open:], triple) {
		mark = triple
	}
	var b strings.Builder
	for i := open + len(mark); i < len(s.text); {
		switch c := s.text[i]; {
		case strings.HasPrefix(s.text[i:], mark):
			return token{kind: tText, text: b.String(), end: i + len(mark)}, nil
		case c == '\\' && !raw:
			r, n := unescape(s.text[i+1:])
			if n == 0 {
				return token{}, s.fail(i, `write \\ for a backslash, or r"..." for a text without escapes`, "the text has an escape that does not exist")
			}
			b.WriteRune(r)
			i += 1 + n
		case (c == '\n' || c == '\r') && len(mark) == 1:
			return token{}, s.fail(at, "write \\n for a new line", "the text does not end on its line")
		case c == '\r': // lines end alike, however they were saved
			b.WriteByte('\n')
			i++
			if i < len(s.text) && s.text[i] == '\n' {
				i++
			}
		default:
			b.WriteByte(c)
			i++
		}
	}
	return token{}, s.fail(at, "", "the text has no end: %s is missing", mark)
}

const escapes, escaped = "abfnrtv\\'\"`?", "\a\b\f\n\r\t\v\\'\"`?"

// unescape reads what is behind a backslash: the character and how many bytes it took, 0 when it is no escape.
func unescape(rest string) (r rune, n int) {
	if rest == "" {
		return 0, 0
	}
	if i := strings.IndexByte(escapes, rest[0]); i >= 0 {
		return rune(escaped[i]), 1
	}
	digits, base, from := 0, 16, 1
	switch c := rest[0]; {
	case c == 'x' || c == 'X':
		digits = 2
	case c == 'u':
		digits = 4
	case c == 'U':
		digits = 8
	case c >= '0' && c <= '3':
		digits, base, from = 3, 8, 0
	}
	if digits == 0 || len(rest) < from+digits {
		return 0, 0
	}
	v := 0
	for _, c := range []byte(rest[from : from+digits]) {
		d := strings.IndexByte("0123456789abcdef", c|0x20)
		if c < '0' || d < 0 || d >= base {
			return 0, 0
		}
		v = v*base + d
	}
	if v > utf8.MaxRune || !utf8.ValidRune(rune(v)) {
		return 0, 0
	}
	return rune(v), from + digits
}
