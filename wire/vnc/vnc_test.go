// SPDX-License-Identifier: Apache-2.0

package vnc

import (
	"strings"
	"testing"
)

// talk is what both sides say, in turns; the server begins.
type talk []string

func run(t *testing.T, turns talk, cut bool) *Session {
	t.Helper()
	s := &Session{}
	var held [2][]byte
	for i, turn := range turns {
		parts := []string{turn}
		if cut {
			parts = strings.Split(turn, "")
			parts = parts[:0]
			for k := range len(turn) {
				parts = append(parts, turn[k:k+1])
			}
		}
		for _, p := range parts {
			d := i & 1
			held[d] = append(held[d], p...)
			for !s.Done() {
				n, err := s.Next(d == 0, held[d])
				if err != nil {
					t.Fatal(err)
				}
				if n == 0 {
					break
				}
				held[d] = held[d][n:]
			}
		}
	}
	return s
}

func TestHandshakes(t *testing.T) {
	const init = "\x04\x00\x03\x00" + "\x20\x18\x00\x01\x00\xff\x00\xff\x00\xff\x10\x08\x00\x00\x00\x00" + "\x00\x00\x00\x06or-1:0"
	for _, tc := range []struct {
		name  string
		turns talk
		state State
		check func(*Session) bool
	}{
		{"3.8 without authentication", talk{"RFB 003.008\n", "RFB 003.008\n", "\x01\x01", "\x01", "\x00\x00\x00\x00", "\x01", init}, Open,
			func(s *Session) bool { return s.Chosen == None && s.Name == "or-1:0" && s.Width == 1024 }},
		{"3.8 with a wrong password", talk{"RFB 003.008\n", "RFB 003.008\n", "\x01\x02", "\x02", strings.Repeat("c", 16), strings.Repeat("r", 16), "\x00\x00\x00\x01\x00\x00\x00\x04nope"}, Refused,
			func(s *Session) bool { return s.Reason == "nope" && !*s.Authenticated }},
		{"3.3, the server decides", talk{"RFB 003.003\n", "RFB 003.003\n", "\x00\x00\x00\x01", "\x01", init}, Open, func(s *Session) bool { return s.Chosen == None }},
		{"3.7 has no result after None", talk{"RFB 003.008\n", "RFB 003.007\n", "\x02\x01\x02", "\x01\x01", init}, Open, func(s *Session) bool { return len(s.Offered) == 2 }},
		{"VeNCrypt leads to TLS", talk{"RFB 003.008\n", "RFB 003.008\n", "\x01\x13", "\x13", "\x00\x02", "\x00\x02", "\x00\x01\x00\x00\x01\x02", "\x00\x00\x01\x02", "\x01"}, Secured,
			func(s *Session) bool { return s.Subtype == 258 }},
		{"too many connections", talk{"RFB 003.008\n", "RFB 003.008\n", "\x00\x00\x00\x00\x04full"}, Refused, func(s *Session) bool { return s.Reason == "full" }},
		{"a type that is not read", talk{"RFB 003.008\n", "RFB 003.008\n", "\x01\x10", "\x10"}, Other, func(s *Session) bool { return s.Chosen == Tight }},
	} {
		for _, cut := range []bool{false, true} {
			s := run(t, tc.turns, cut)
			if s.State() != tc.state || !tc.check(s) {
				t.Errorf("%s (cut %t): %+v", tc.name, cut, s)
			}
		}
	}
}

func TestANameLongerThanTheLimitEndsReading(t *testing.T) {
	s := &Session{state: serverInit}
	b := append(make([]byte, 20), 0, 0, 0x10, 1) // MaxText+1
	if _, err := s.Next(true, b); err == nil {
		t.Error("accepted")
	}
	b[23] = 0
	if _, err := s.Next(true, b); err != nil {
		t.Error(err)
	}
}

func FuzzSession(f *testing.F) {
	f.Add([]byte("RFB 003.008\n\x01\x13\x00\x02\x00\x01\x00\x00\x01\x02\x01"), []byte("RFB 003.008\n\x13\x00\x02\x00\x00\x01\x02"))
	f.Add([]byte("RFB 003.008\n\x01\x01\x00\x00\x00\x00"), []byte("RFB 003.008\n\x01\x01"))
	f.Fuzz(func(t *testing.T, server, client []byte) {
		var s Session
		held := [2][]byte{server, client}
		for steps := 0; ; steps++ {
			if steps > 64 {
				t.Fatal("the handshake does not end")
			}
			progress := false
			for d := range held {
				n, err := s.Next(d == 0, held[d])
				if err != nil {
					return
				}
				if n > len(held[d]) {
					t.Fatal("took more than there was")
				}
				held[d], progress = held[d][n:], progress || n > 0
			}
			if !progress {
				return
			}
			if len(s.Offered) > 512 {
				t.Fatal("too many types")
			}
		}
	})
}
