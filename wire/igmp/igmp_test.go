// SPDX-License-Identifier: Apache-2.0

package igmp

import (
	"bytes"
	"encoding/hex"
	"testing"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		version  uint8
		group    string
		leave    bool
	}{
		{"a version 2 report joins", "1600fa01effffffa", 2, "239.255.255.250", false},
		{"a leave message leaves", "1700f901effffffa", 2, "239.255.255.250", true},
		{"a version 3 report that excludes nothing joins", "2200f9e20000000104000000e00000fb", 3, "224.0.0.251", false},
		{"a version 3 report that includes nothing leaves", "2200fae20000000103000000e00000fb", 3, "224.0.0.251", true},
		{"a version 3 report for one source joins", "2200fae20000000103000001e00000fb0a000001", 3, "224.0.0.251", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, _ := hex.DecodeString(tc.in)
			m, err := Parse(b)
			if err != nil || m.Version != tc.version || len(m.Groups) != 1 || m.Groups[0].Group.String() != tc.group || m.Groups[0].Leave != tc.leave {
				t.Errorf("%+v %v", m, err)
			}
			if _, err := Parse(b[:len(b)-1]); err == nil {
				t.Error("accepted one byte short")
			}
		})
	}
}

func TestGroupsAreBounded(t *testing.T) {
	b := []byte{TypeReportV3, 0, 0, 0, 0, 0, 0xff, 0xff}
	b = append(b, bytes.Repeat([]byte{4, 0, 0, 0, 239, 1, 2, 3}, MaxGroups+1)...)
	m, _ := Parse(b)
	if len(m.Groups) != MaxGroups {
		t.Errorf("%d groups", len(m.Groups))
	}
}

func FuzzParse(f *testing.F) {
	b, _ := hex.DecodeString("2200f9e20000000104000000e00000fb")
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, _ := Parse(b)
		if len(m.Groups) > MaxGroups || len(m.Groups)*4 > len(b) {
			t.Fatalf("%d groups from %d bytes", len(m.Groups), len(b))
		}
	})
}
