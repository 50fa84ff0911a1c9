// SPDX-License-Identifier: Apache-2.0

package printable

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"plain text stays", "pump-7", "pump-7"},
		{"NULs at the end go", "pump\x00\x00", "pump"},
		{"a NUL inside becomes a space", "a\x00b", "a b"},
		{"an escape sequence cannot move the cursor", "a\x1b[2Jb", "a [2Jb"},
		{"a line cannot be forged", "a\r\nb", "a  b"},
		{"UTF-8 stays", "Würzburg", "Würzburg"},
		{"Latin-1 is read as such", "W\xfcrzburg", "Würzburg"},
		{"bidirectional controls go", "a\u202eb", "a b"},
		{"empty stays empty", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Text([]byte(tc.in), Max); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
	if got := Text([]byte(strings.Repeat("x", Max+1)), Max); len(got) != Max {
		t.Errorf("one byte past the limit gave %d bytes", len(got))
	}
	if got := Text([]byte(strings.Repeat("é", Max)), 5); got != "éé" {
		t.Errorf("a rune is not cut in half: got %q", got)
	}
	if got := TextOrHex([]byte{1, 2, 3}, 8); got != "010203" {
		t.Errorf("binary is shown in hexadecimal: got %q", got)
	}
}

func FuzzText(f *testing.F) {
	f.Add([]byte("W\xfcrzburg\x1b[2J"), 8)
	f.Fuzz(func(t *testing.T, b []byte, limit int) {
		limit = max(1, limit&0x3ff)
		for _, s := range []string{Text(b, limit), TextOrHex(b, limit)} {
			if len(s) > limit || !utf8.ValidString(s) {
				t.Fatalf("%q is longer than %d or not UTF-8", s, limit)
			}
			for _, r := range s {
				if !unicode.IsPrint(r) {
					t.Fatalf("%q is not printable", s)
				}
			}
		}
	})
}
