// SPDX-License-Identifier: Apache-2.0

package kerberos

import (
	"encoding/hex"
	"testing"
)

// asReq is a request for petra@LINDENHOF with AES256 and RC4.
func asReq(t testing.TB) []byte {
	t.Helper()
	tlv := func(tag byte, parts ...string) string {
		body := ""
		for _, p := range parts {
			body += p
		}
		return string([]byte{tag, byte(len(body))}) + body
	}
	num := func(v byte) string { return tlv(2, string([]byte{v})) }
	name := tlv(0x30, tlv(0xa0, num(1)), tlv(0xa1, tlv(0x30, tlv(0x1b, "petra"))))
	body := tlv(0x30, tlv(0xa0, tlv(3, "\x00\x40\x00\x00\x10")), tlv(0xa1, name), tlv(0xa2, tlv(0x1b, "LINDENHOF")), tlv(0xa8, tlv(0x30, num(18), num(23))),
		tlv(0xa9, tlv(0x30, tlv(0x30, tlv(0xa0, num(20)), tlv(0xa1, tlv(4, "ORWS1          "))))))
	return []byte(tlv(0x6a, tlv(0x30, tlv(0xa1, num(5)), tlv(0xa2, num(10)), tlv(0xa4, body))))
}

func TestRequest(t *testing.T) {
	m, err := Parse(asReq(t))
	if err != nil || m.Client.String() != "petra" || m.Realm != "LINDENHOF" || len(m.EncTypes) != 2 || m.EncTypes[1] != 23 || m.Workstation != "ORWS1" || m.Options != 0x40000010 {
		t.Errorf("%+v, %v", m, err)
	}
	if !Looks(asReq(t)) || Weak(18) || !Weak(23) {
		t.Error("not recognised, or types confused")
	}
}

func TestFrames(t *testing.T) {
	for in, ok := range map[string]bool{"0000000f": false, "00000010": true, "00100000": true, "00100001": false, "80000000": false} {
		b, _ := hex.DecodeString(in)
		if _, err := FrameSize(b); (err == nil) != ok {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(asReq(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			if Looks(b) {
				t.Fatal("recognised but not readable")
			}
			return
		}
		if len(m.EncTypes) > maxTypes || len(m.PreAuth) > maxTypes || len(m.Client.Components) > maxComponents || len(m.Realm) > 256 {
			t.Fatalf("beyond the bounds: %+v", m)
		}
	})
}
