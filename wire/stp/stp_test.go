// SPDX-License-Identifier: Apache-2.0

package stp

import (
	"encoding/hex"
	"testing"
)

func TestRapidSpanningTree(t *testing.T) {
	b, _ := hex.DecodeString("0000020278" + "8000001b21aabbcc" + "00004e20" + "800100000c0a2001" + "8011" + "0000140002000f0000")
	p, err := Parse(b)
	if err != nil || p.VersionName() != "rstp" || p.Root.Priority != 0x8000 || p.Bridge.MAC[5] != 1 || p.RootCost != 20000 || p.Port != 0x8011 {
		t.Errorf("%+v %v", p, err)
	}
	for i := range 27 {
		if _, err := Parse(b[:i]); err == nil {
			t.Errorf("cut at %d was accepted", i)
		}
	}
}

func TestLinkAggregation(t *testing.T) {
	b, _ := hex.DecodeString("0101" + "0114" + "800000000c0a2001" + "0011" + "8000" + "0003" + "3d000000" + "0214" + "80009c7bef0a2021" + "0001" + "8000" + "0001" + "3d000000")
	l, err := ParseLACP(b)
	if err != nil || l.Actor.MAC[5] != 1 || l.Partner.MAC[0] != 0x9c || l.ActorKey != 17 || l.ActorPort != 3 {
		t.Errorf("%+v %v", l, err)
	}
}

func FuzzParse(f *testing.F) {
	b, _ := hex.DecodeString("00000202788000001b21aabbcc00004e20800100000c0a20018011")
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := Parse(b); err == nil && p.Type != 0x80 && len(b) < 27 {
			t.Fatal("a short BPDU was accepted")
		}
		if _, err := ParseLACP(b); err == nil && len(b) < 42 {
			t.Fatal("a short LACPDU was accepted")
		}
	})
}
