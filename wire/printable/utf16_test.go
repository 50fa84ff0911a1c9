// SPDX-License-Identifier: Apache-2.0

package printable

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestUTF16(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"plain text", "O\x00R\x001\x00", "OR1"},
		{"a surrogate pair", "\x3d\xd8\x00\xde", "\U0001F600"},
		{"half a pair becomes a space and goes", "a\x00\x3d\xd8", "a"},
		{"an odd octet is ignored", "a\x00b", "a"},
		{"NULs at the end go", "a\x00\x00\x00", "a"},
		{"controls become spaces", "a\x00\x1b\x00b\x00", "a b"},
		{"two octets a character", "\xfc\x00", "ü"},
	} {
		if got := UTF16([]byte(tc.in), 64); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
	if got := UTF16([]byte(strings.Repeat("x\x00", 65)), 64); len(got) != 64 {
		t.Errorf("one past the limit gave %d bytes", len(got))
	}
}

func FuzzUTF16(f *testing.F) {
	f.Add([]byte("\x3d\xd8\x00\xdea\x00"), 3)
	f.Fuzz(func(t *testing.T, b []byte, limit int) {
		limit = max(1, limit&0xff)
		if s := UTF16(b, limit); len(s) > limit || !utf8.ValidString(s) {
			t.Fatalf("%q", s)
		}
	})
}
