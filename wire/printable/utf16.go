// SPDX-License-Identifier: Apache-2.0

package printable

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// UTF16 returns little-endian UTF-16, as Microsoft's protocols carry it, as
// printable UTF-8 of at most limit bytes, under the rules of Text. An odd last
// octet is ignored. It reads at most 4*limit octets.
func UTF16(b []byte, limit int) string {
	b = b[:min(len(b), 4*limit)&^1]
	for len(b) >= 2 && b[len(b)-1] == 0 && b[len(b)-2] == 0 {
		b = b[:len(b)-2]
	}
	var sb strings.Builder
	for i := 0; i+1 < len(b); i += 2 {
		r := rune(b[i]) | rune(b[i+1])<<8
		if utf16.IsSurrogate(r) {
			second := rune(0)
			if i+3 < len(b) {
				second = rune(b[i+2]) | rune(b[i+3])<<8
			}
			if r = utf16.DecodeRune(r, second); r != utf8.RuneError {
				i += 2
			}
		}
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			r = ' '
		}
		if sb.Len()+utf8.RuneLen(r) > limit {
			break
		}
		sb.WriteRune(r)
	}
	return strings.TrimSpace(sb.String())
}
