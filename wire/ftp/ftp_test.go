// SPDX-License-Identifier: Apache-2.0

package ftp

import (
	"bytes"
	"strings"
	"testing"
)

func TestLinesAreCut(t *testing.T) {
	for _, tc := range []struct {
		name, in, line string
		n              int
		fails          bool
	}{
		{"with CRLF", "USER a\r\nPASS", "USER a", 8, false},
		{"with LF alone", "QUIT\n", "QUIT", 5, false},
		{"not complete", "QUIT", "", 0, false},
		{"behind Telnet's interrupt", "\xff\xf4\xff\xf2ABOR\r\n", "ABOR", 10, false},
		{"as long as may be", strings.Repeat("x", MaxLine-1) + "\n", strings.Repeat("x", MaxLine-1), MaxLine, false},
		{"one longer", strings.Repeat("x", MaxLine) + "\n", "", 0, true},
	} {
		line, n, err := Line([]byte(tc.in))
		if string(line) != tc.line || n != tc.n || (err != nil) != tc.fails {
			t.Errorf("%s: %q, %d, %v", tc.name, line, n, err)
		}
	}
}

func TestDataPortsAreFound(t *testing.T) {
	for _, tc := range []struct {
		name       string
		code       int
		verb, text string
		want       string
	}{
		{"PASV", 227, "", "Entering Passive Mode (192,0,2,7,195,80).", "192.0.2.7:50000"},
		{"EPSV", 229, "", "Entering Extended Passive Mode (|||6446|)", "invalid AddrPort"},
		{"PORT", 0, "PORT", "192,0,2,1,4,1", "192.0.2.1:1025"},
		{"EPRT", 0, "EPRT", "|2|2001:db8::1|5282|", "[2001:db8::1]:5282"},
	} {
		got, ok := ParsePort(tc.code, tc.verb, tc.text)
		if !ok || tc.want != "invalid AddrPort" && got.String() != tc.want || got.Port() == 0 {
			t.Errorf("%s: %v, %t", tc.name, got, ok)
		}
	}
	for _, bad := range []string{"", "(1,2,3,4,5)", "(1,2,3,4,5,256)", "x,1,2,3,4,5 6"} {
		if _, ok := ParsePort(227, "", bad); ok {
			t.Errorf("%q has a port", bad)
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add([]byte("220-a\r\n220 b\r\nUSER x\r\n"))
	f.Add([]byte("227 x (1,2,3,4,5,6)\r\n229 (|||7|)\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) > 0 {
			line, n, err := Line(b)
			if n == 0 || err != nil {
				return
			}
			if bytes.IndexByte(line, '\n') >= 0 || len(line) >= n {
				t.Fatalf("line %q of %d octets", line, n)
			}
			if c, err := ParseCommand(line); err == nil {
				ParsePort(0, c.Verb, c.Arg)
				if len(c.Arg) > 256 {
					t.Fatal("argument too long")
				}
			}
			if r, err := ParseReply(line); err == nil {
				if r.Code < 100 || r.Code > 699 {
					t.Fatalf("code %d", r.Code)
				}
				ParsePort(r.Code, "", r.Text)
			}
			b = b[n:]
		}
	})
}
