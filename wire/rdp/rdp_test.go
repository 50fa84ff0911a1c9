// SPDX-License-Identifier: Apache-2.0

package rdp

import (
	"encoding/binary"
	"testing"
)

// tpkt wraps a connection request or confirm.
func tpkt(kind byte, rest string) []byte {
	b := append([]byte{3, 0, 0, 0, byte(6 + len(rest)), kind, 0, 0, 0, 0, 0}, rest...)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	return b
}

func TestRequestAndConfirm(t *testing.T) {
	b := tpkt(ConnectionRequest, "Cookie: mstshash=petra\r\n\x01\x01\x08\x00\x0b\x00\x00\x00")
	kind, rest, err := TPDU(b)
	if err != nil || kind != ConnectionRequest {
		t.Fatal(kind, err)
	}
	r, err := ParseRequest(rest)
	if err != nil || r.User != "petra" || !r.Negotiates || r.Flags != FlagRestrictedAdmin || len(ProtocolNames(r.Protocols)) != 4 {
		t.Errorf("%+v, %v", r, err)
	}
	if yes, _ := Looks(b); !yes {
		t.Error("not recognised")
	}
	for _, tc := range []struct {
		name, rest        string
		selected, failure uint32
	}{
		{"chosen", "\x02\x1f\x08\x00\x02\x00\x00\x00", 2, 0},
		{"refused", "\x03\x00\x08\x00\x05\x00\x00\x00", 0, 5},
		{"an old server", "", 0, 0},
	} {
		c, err := ParseConfirm([]byte(tc.rest))
		if err != nil || c.Selected != tc.selected || c.Failure != tc.failure {
			t.Errorf("%s: %+v, %v", tc.name, c, err)
		}
	}
}

func TestOtherUsersOfTPKTAreNotTaken(t *testing.T) {
	for name, b := range map[string][]byte{
		"S7comm": tpkt(ConnectionRequest, "\xc1\x02\x01\x00\xc2\x02\x01\x02\xc0\x01\x0a"),
		"bare":   tpkt(ConnectionRequest, ""),
		"HTTP":   []byte("GET / HTTP/1.1\r\n"),
	} {
		if yes, _ := Looks(b); yes {
			t.Errorf("%s is taken for RDP", name)
		}
	}
}

func FuzzTPDU(f *testing.F) {
	f.Add(tpkt(ConnectionRequest, "Cookie: mstshash=petra\r\n\x01\x01\x08\x00\x0b\x00\x00\x00"))
	f.Add(tpkt(ConnectionConfirm, "\x02\x1f\x08\x00\x02\x00\x00\x00"))
	f.Add(append([]byte{3, 0, 0, 190, 2, 0xf0, 0x80}, append([]byte("Duca\x81\x00\x01\xc0\x84\x00"), make([]byte, 170)...)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		kind, rest, err := TPDU(b)
		if err != nil {
			return
		}
		if len(rest) > len(b) {
			t.Fatal("more than there was")
		}
		switch kind {
		case ConnectionRequest:
			if r, _ := ParseRequest(rest); len(r.User) > 256 || len(r.Token) > 256 {
				t.Fatal("a cookie too long")
			}
		case ConnectionConfirm:
			_, _ = ParseConfirm(rest)
		default:
			if c, ok := FindCore(rest); ok && len(c.Name) > 64 {
				t.Fatal("a name too long")
			}
		}
	})
}
