// SPDX-License-Identifier: Apache-2.0

package quic

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// clientHelloA2 is the CRYPTO frame of RFC 9001 appendix A.2.
const clientHelloA2 = `
060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e868
04fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578
616d706c652e636f6dff01000100000a00080006001d00170018001000070005
04616c706e000500050100000000003300260024001d00209370b2c9caa47fba
baf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b000302030400
0d0010000e0403050306030203080408050806002d00020101001c00024001003
900320408ffffffffffffffff05048000ffff07048000ffff0801100104800075
300901100f088394c8f03e51570806048000ffff`

// serverInitialA3 is the protected packet of RFC 9001 appendix A.3.
const serverInitialA3 = `
cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a
5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3
dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84
022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc4
2158407dd074ee`

// retryA4 is the Retry of RFC 9001 appendix A.4.
const retryA4 = `ff000000010008f067a5502a4262b574 6f6b656e04a265ba2eff4d829058fb3f0f2496ba`

// seal protects a packet as RFC 9001 §5.3 and §5.4 say; the appendix gives the
// plain packet and the result, so the test builds one from the other.
func seal(t testing.TB, k *keys, header []byte, pnLen int, payload []byte) []byte {
	t.Helper()
	var nonce [12]byte
	copy(nonce[:], k.iv)
	pn := header[len(header)-pnLen:]
	for i := range pn {
		nonce[12-pnLen+i] ^= pn[i]
	}
	out := append([]byte(nil), header...)
	out = k.aead.Seal(out, nonce[:], payload, header)
	at := len(header) - pnLen
	var mask [16]byte
	k.hp.Encrypt(mask[:], out[at+4:at+20])
	out[0] ^= mask[0] & 0x0f
	for i := range pnLen {
		out[at+i] ^= mask[1+i]
	}
	return out
}

func clientInitialA2(t testing.TB) []byte {
	k, err := initialKeys(Version1, unhex(t, "8394c8f03e515708"))
	if err != nil {
		t.Fatal(err)
	}
	payload := append(unhex(t, clientHelloA2), make([]byte, 1162-245)...)
	return seal(t, &k[0], unhex(t, "c300000001088394c8f03e5157080000449e00000002"), 4, payload)
}

func TestKeysOfTheStandardsExample(t *testing.T) {
	k, err := initialKeys(Version1, unhex(t, "8394c8f03e515708"))
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(k[0].iv); got != "fa044b2f42a3fd3b46fb255c" {
		t.Errorf("client iv %s", got)
	}
	if got := hex.EncodeToString(k[1].iv); got != "0ac1493ca1905853b0bba03e" {
		t.Errorf("server iv %s", got)
	}
	// RFC 9001 A.2: the protected packet begins and ends like this.
	p := clientInitialA2(t)
	if got := hex.EncodeToString(p[:32]); got != "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11" {
		t.Errorf("protected client Initial begins with %s", got)
	}
	if got := hex.EncodeToString(p[len(p)-16:]); got != "e221af44860018ab0856972e194cd934" || len(p) != 1200 {
		t.Errorf("protected client Initial of %d bytes ends with %s", len(p), got)
	}
	// RFC 9369 A.1.
	if k, err = initialKeys(Version2, unhex(t, "8394c8f03e515708")); err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(k[0].iv); got != "91f73e2351d8fa91660e909f" {
		t.Errorf("version 2 client iv %s", got)
	}
}

func TestTheStandardsExampleConnectionIsRead(t *testing.T) {
	var s Session
	if !s.Packet(0, clientInitialA2(t)) {
		t.Fatal("client Initial refused")
	}
	if s.Client == nil || s.Client.SNI != "example.com" || len(s.Client.ALPN) != 1 || s.Client.ALPN[0] != "alpn" {
		t.Fatalf("client hello read as %+v", s.Client)
	}
	if got := s.Client.JA4('q'); !strings.HasPrefix(got, "q13d0211an_") {
		t.Errorf("JA4 %s", got)
	}
	if !s.Packet(1, unhex(t, serverInitialA3)) || s.Server == nil || s.Server.Cipher != 0x1301 || s.Server.Group != 29 {
		t.Fatalf("server hello read as %+v", s.Server)
	}
	if !s.Done() || s.Version != Version1 || s.ClientDir != 0 {
		t.Errorf("session %+v", s)
	}
}

func TestRolesFollowFromTheKeysNotFromTheDirection(t *testing.T) {
	var s Session
	s.Packet(1, clientInitialA2(t))
	s.Packet(0, unhex(t, serverInitialA3))
	if s.ClientDir != 1 || !s.Done() {
		t.Errorf("client in direction %d, done %v", s.ClientDir, s.Done())
	}
}

func TestAHelloOverSeveralInitialsOutOfOrderIsJoined(t *testing.T) {
	k, _ := initialKeys(Version1, unhex(t, "8394c8f03e515708"))
	hello := unhex(t, clientHelloA2)[4:]
	part := func(pn byte, from, to int) []byte {
		payload := []byte{6, 0x40 | byte(from>>8), byte(from), 0x40 | byte((to-from)>>8), byte(to - from)}
		payload = append(payload, hello[from:to]...)
		payload = append(payload, make([]byte, 400-len(payload))...)
		n := 4 + len(payload) + 16
		head := append(unhex(t, "c300000001088394c8f03e5157080000"), 0x40|byte(n>>8), byte(n), 0, 0, 0, pn)
		return seal(t, &k[0], head, 4, payload)
	}
	var s Session
	// Two coalesced in one datagram, then the beginning.
	s.Packet(0, append(part(3, 150, len(hello)), part(2, 60, 160)...))
	if s.Client != nil {
		t.Fatal("hello before its beginning")
	}
	s.Packet(0, part(1, 0, 70))
	if s.Client == nil || s.Client.SNI != "example.com" {
		t.Errorf("hello read as %+v", s.Client)
	}
}

func TestRetryAndVersionNegotiationAreRecognised(t *testing.T) {
	var s Session
	if !Looks(unhex(t, retryA4)) || !s.Packet(1, unhex(t, retryA4)) || !s.Retried || s.ClientDir != 0 {
		t.Errorf("retry: %+v", s)
	}
	vn := unhex(t, "80 00000000 08 f067a5502a4262b5 08 8394c8f03e515708 00000001 6b3343cf 1a2a3a4a")
	s = Session{}
	if !Looks(vn) || !s.Packet(1, vn) || len(s.Negotiated) != 3 || s.Negotiated[1] != Version2 {
		t.Errorf("version negotiation: %+v", s)
	}
}

func TestOtherDatagramsAreNotTakenForQUIC(t *testing.T) {
	for name, b := range map[string][]byte{
		"short":              unhex(t, "c000000001"),
		"unknown version":    append(unhex(t, "c0deadbeef08"), make([]byte, 40)...),
		"ID too long":        append(unhex(t, "c00000000115"), make([]byte, 60)...),
		"zeros":              make([]byte, 64),
		"ones":               bytes.Repeat([]byte{0xff}, 1300),
		"negotiation of odd": unhex(t, "80 00000000 08 f067a5502a4262b5 08 8394c8f03e515708 000001"),
	} {
		if Looks(b) {
			t.Errorf("%s: taken for QUIC", name)
		}
	}
}

func FuzzSession(f *testing.F) {
	f.Add(clientInitialA2(f), unhex(f, serverInitialA3))
	f.Add(unhex(f, retryA4), []byte{0x40, 1, 2})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var s Session
		for range 3 {
			s.Packet(0, a)
			s.Packet(1, b)
		}
		for i := range s.crypto {
			if len(s.crypto[i].Bytes()) > MaxHello {
				t.Error("more kept than MaxHello")
			}
		}
		if s.initials > MaxInitials || len(s.Negotiated) > 16 {
			t.Error("bounds exceeded")
		}
		// What is inside the protection is reached by the frame reader directly.
		var p Session
		p.frames(0, a, &Header{})
		p.frames(1, b, &Header{})
	})
}
