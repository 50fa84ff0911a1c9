// SPDX-License-Identifier: Apache-2.0

// Package printable turns bytes from the wire into short, printable UTF-8.
//
// Every string that leaves a parser of the LAN protocols goes through Text:
// what is shown, logged or compared later can then neither move a cursor, nor
// forge a line, nor grow without bound.
package printable

import (
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Max is the bound, in bytes, that parsers use where nothing asks for another.
const Max = 256

// Text returns b as printable UTF-8 of at most limit bytes: trailing NULs are
// dropped, invalid UTF-8 is read as ISO 8859-1, what does not print becomes a
// space, white space at both ends goes. It reads at most 4*limit bytes.
func Text(b []byte, limit int) string {
	if len(b) > 4*limit {
		b = b[:4*limit]
	}
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	if plain(b) {
		if len(b) > limit {
			b = b[:limit]
		}
		return strings.TrimSpace(string(b))
	}
	valid := utf8.Valid(b)
	var sb strings.Builder
	for len(b) > 0 {
		r, n := rune(b[0]), 1
		if valid {
			r, n = utf8.DecodeRune(b)
		}
		b = b[n:]
		if !unicode.IsPrint(r) {
			r = ' '
		}
		if sb.Len()+utf8.RuneLen(r) > limit {
			break
		}
		sb.WriteRune(r)
	}
	return strings.TrimSpace(sb.String())
}

func plain(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return true
}

// IsText reports whether b is UTF-8 text without control characters other than
// tab, line feed and carriage return, and not empty.
func IsText(b []byte) bool {
	if len(b) == 0 || !utf8.Valid(b) {
		return false
	}
	for _, r := range string(b) {
		if !unicode.IsPrint(r) && r != '\t' && r != '\n' && r != '\r' {
			return false
		}
	}
	return true
}

// Hex returns the first limit/2 bytes of b in hexadecimal.
func Hex(b []byte, limit int) string {
	if len(b) > limit/2 {
		b = b[:limit/2]
	}
	return hex.EncodeToString(b)
}

// TextOrHex returns Text for text and Hex for anything else.
func TextOrHex(b []byte, limit int) string {
	t := b
	for len(t) > 0 && t[len(t)-1] == 0 {
		t = t[:len(t)-1]
	}
	if IsText(t) {
		return Text(t, limit)
	}
	return Hex(b, limit)
}
