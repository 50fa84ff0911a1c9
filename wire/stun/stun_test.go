// SPDX-License-Identifier: Apache-2.0

package stun

import (
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

// The test vectors of RFC 5769 §2.1 to §2.3.
const (
	vectorRequest = `00 01 00 58 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
 80 22 00 10 53 54 55 4e 20 74 65 73 74 20 63 6c 69 65 6e 74 00 24 00 04 6e 00 01 ff
 80 29 00 08 93 2f f9 b1 51 26 3b 36 00 06 00 09 65 76 74 6a 3a 68 36 76 59 20 20 20
 00 08 00 14 9a ea a7 0c bf d8 cb 56 78 1e f2 b5 b2 d3 f2 49 c1 b5 71 a2 80 28 00 04 e5 7a 3b cf`
	vectorIPv4 = `01 01 00 3c 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
 80 22 00 0b 74 65 73 74 20 76 65 63 74 6f 72 20 00 20 00 08 00 01 a1 47 e1 12 a6 43
 00 08 00 14 2b 91 f5 99 fd 9e 90 c3 8c 74 89 f9 2a f9 ba 53 f0 6b e7 d7 80 28 00 04 c0 7d 4c 96`
	vectorIPv6 = `01 01 00 48 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
 80 22 00 0b 74 65 73 74 20 76 65 63 74 6f 72 20 00 20 00 14 00 02 a1 47 01 13 a9 fa a5 d3 f1 79 bc 25 f4 b5 be d2 b9 d9
 00 08 00 14 a3 82 95 4e 4b e6 7b f1 17 84 c9 7c 82 92 c2 75 bf e3 ed 41 80 28 00 04 c8 fb 0b 4c`
)

func TestTheStandardsVectors(t *testing.T) {
	m, err := Parse(unhex(t, vectorRequest))
	if err != nil || m.Class != Request || m.Method != Binding || m.Software != "STUN test client" || m.UserName != "evtj:h6vY" || !m.Integrity || !m.Fingerprint || !m.ICE {
		t.Errorf("%+v %v", m, err)
	}
	m, err = Parse(unhex(t, vectorIPv4))
	if err != nil || m.Class != Success || m.Mapped.String() != "192.0.2.1:32853" || !m.Fingerprint || m.Software != "test vector" {
		t.Errorf("%+v %v", m, err)
	}
	m, err = Parse(unhex(t, vectorIPv6))
	if err != nil || m.Mapped.String() != "[2001:db8:1234:5678:11:2233:4455:6677]:32853" || !m.Fingerprint {
		t.Errorf("%+v %v", m, err)
	}
}

func TestAChangedMessageHasNoFingerprint(t *testing.T) {
	b := unhex(t, vectorIPv4)
	b[26] ^= 1
	if m, _ := Parse(b); m.Fingerprint {
		t.Error("fingerprint of a changed message accepted")
	}
}

func TestOtherBytesAreRefused(t *testing.T) {
	good := unhex(t, vectorRequest)
	long := append([]byte(nil), good...)
	long[23] = 0xff // an attribute longer than the message
	for name, b := range map[string][]byte{"empty": nil, "short": good[:19], "long attribute": long, "no cookie": append(make([]byte, 4), good[8:]...), "RTP": {0x80, 96, 0, 1, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}} {
		if _, err := Parse(b); err == nil {
			t.Errorf("%s accepted", name)
		}
	}
	if m, err := Parse(good[:60]); err != nil || m.Software == "" || m.UserName != "" {
		t.Errorf("a message cut by the snap length: %+v %v", m, err)
	}
	if _, n, ok := ChannelData([]byte{0x40, 0, 0, 5, 1}); !ok || n != 5 {
		t.Error("channel data")
	}
	if _, _, ok := ChannelData([]byte{0x50, 0, 0, 5}); ok {
		t.Error("channel number beyond the standard's range accepted")
	}
}

func FuzzParse(f *testing.F) {
	for _, v := range []string{vectorRequest, vectorIPv4, vectorIPv6} {
		f.Add(unhex(f, v))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if len(m.Software)+len(m.UserName)+len(m.Realm)+len(m.Reason) > len(b) {
			t.Errorf("more text than bytes: %+v", m)
		}
		if err == nil && (m.ErrorCode > 955 || m.Size < HeaderSize) {
			t.Errorf("%+v", m)
		}
		ChannelData(b)
	})
}
