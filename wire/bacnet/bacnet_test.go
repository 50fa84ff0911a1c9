// SPDX-License-Identifier: Apache-2.0

package bacnet

import (
	"encoding/hex"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMessages(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		check    func(m *Message) bool
	}{
		{"Who-Is for everybody", "810b000c 0120ffff00ff 1008", func(m *Message) bool { return m.ServiceName() == "who-Is" && m.DestNet == 0xffff && m.High == 0 }},
		{"Who-Is for a range", "810b000e 0100 1008 0a1267 1a1267", func(m *Message) bool { return m.Low == 0x1267 && m.High == 0x1267 }},
		{"I-Am", "810b0014 0100 1000 c402001267 2205c4 9103 2107", func(m *Message) bool {
			return m.HasDevice && m.Device.Instance == 4711 && VendorName(m.Vendor) == "Siemens" && m.Device.String() == "device,4711"
		}},
		{"I-Am that a router forwarded", "81040020 0a1e0114bac0 0128ffff0003ff0101ff 1000 c402001267 2205c4 9103 2107", func(m *Message) bool { return false }},
		{"ReadProperty", "810a0011 0104 0005010c 0c02001267 194d", func(m *Message) bool {
			return m.ServiceName() == "readProperty" && len(m.Properties) == 1 && PropertyName(m.Properties[0].ID) == "object-name"
		}},
		{"the answer to ReadProperty", "810a001c 0100 30010c 0c02001267 194d 3e 7508 0041 4855 2d4f 5233 3f", func(m *Message) bool {
			return m.Properties[0].Value.Text == "AHU-OR3" && m.Properties[0].Object.Type == TypeDevice
		}},
		{"WriteProperty with a priority", "810a0018 0104 0005010f 0c00400003 1955 3e 4441ac0000 3f 4908", func(m *Message) bool {
			return m.Properties[0].Value.Text == "21.5" && m.Priority == 8 && m.Properties[0].Object.String() == "analog-output,3"
		}},
		{"the answer to ReadPropertyMultiple", "810a002b 0100 30010e 0c02001267 1e 294d 4e 7504 0041 4855 4f 2979 4e 7506 0053 69656d65 4f 2970 5e 9102 9120 5f 1f", func(m *Message) bool {
			return len(m.Properties) == 3 && m.Properties[0].Value.Text == "AHU" && m.Properties[1].Value.Text == "Sieme" && !m.Properties[2].Value.Valid
		}},
		{"an error", "810a000d 0100 50010c 9102 9120", func(m *Message) bool { return m.APDU == ErrorPDU && m.ErrorClass == 2 && m.ErrorCode == 32 }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := unhex(t, tc.in)
			b[2], b[3] = byte(len(b)>>8), byte(len(b))
			m, err := Parse(b)
			if strings.Contains(tc.name, "forwarded") {
				if m.Forwarded.String() != "10.30.1.20" || m.DestNet != 0xffff {
					t.Errorf("%+v %v", m, err)
				}
				return
			}
			if err != nil || !tc.check(m) {
				t.Errorf("%+v %v", m, err)
			}
			if !Looks(b, 0) || Looks(b[:len(b)-1], 0) {
				t.Error("Looks")
			}
		})
	}
}

func TestNestingIsBounded(t *testing.T) {
	deep := func(n int) []byte {
		b := append(unhex(t, "810a0000 0100 30010c 0c02001267 194d"), []byte(strings.Repeat("\x3e", n)+strings.Repeat("\x3f", n))...)
		b[2], b[3] = byte(len(b)>>8), byte(len(b))
		return b
	}
	if _, err := Parse(deep(MaxDepth)); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := Parse(deep(MaxDepth + 1)); err == nil {
		t.Error("one past the limit was accepted")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(unhex(f, "810b0014 0100 1000 c402001267 2205c4 9103 2107"))
	f.Add(unhex(f, "810a001c 0100 30010c 0c02001267 194d 3e 7508 0041 4855 2d4f 5233 3f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, _ := Parse(b)
		if len(m.Properties) > MaxProperties || len(m.ObjectName) > 256 {
			t.Fatal("unbounded")
		}
		for _, p := range m.Properties {
			if len(p.Value.Text) > 256 {
				t.Fatal("unbounded")
			}
		}
		_ = Looks(b, 0)
	})
}
