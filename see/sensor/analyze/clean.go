// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxString is the longest string, in bytes, that an event or evidence carries
// from the wire.
const MaxString = 256

// Clean makes a string from the wire fit for events: valid UTF-8, printable,
// without leading or trailing space, at most MaxString bytes. Bytes that are
// not UTF-8 are read as ISO 8859-1. Control characters become spaces.
func Clean(b []byte) string { return CleanN(b, MaxString) }

// CleanN is Clean with another bound.
func CleanN(b []byte, limit int) string {
	if len(b) > 4*limit {
		b = b[:4*limit]
	}
	plain := true
	for _, c := range b {
		if c < 0x20 || c > 0x7e {
			plain = false
			break
		}
	}
	if plain {
		s := strings.TrimSpace(string(b))
		if len(s) > limit {
			s = strings.TrimSpace(s[:limit])
		}
		return s
	}
	var sb strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n <= 1 {
			r, n = rune(b[0]), 1
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

// CleanString is Clean for a string, of which the result mostly is a part.
func CleanString(s string) string {
	if len(s) <= MaxString && isPlain(s) {
		return strings.TrimSpace(s)
	}
	return Clean([]byte(s))
}

func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// IsHostName reports whether s can be a host's name, and not an address or a
// placeholder.
func IsHostName(s string) bool {
	if s == "" || len(s) > 253 || strings.EqualFold(s, "localhost") || strings.EqualFold(s, "localhost.localdomain") {
		return false
	}
	letters := false
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
			letters = true
		case c >= '0' && c <= '9', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return letters && s[0] != '.' && s[0] != '-'
}
