// SPDX-License-Identifier: Apache-2.0

package vrrp

import (
	"encoding/hex"
	"testing"
)

func TestAdvertisement(t *testing.T) {
	b, _ := hex.DecodeString("2107960101010000" + "0a1e01fe" + "3131313100000000")
	a, err := Parse(b, false)
	if err != nil || a.Version != 2 || a.RouterID != 7 || a.Priority != 150 || !a.SimpleKey || len(a.Addresses) != 1 || a.Addresses[0].String() != "10.30.1.254" {
		t.Errorf("%+v %v", a, err)
	}
	if _, err := Parse(b[:11], false); err == nil {
		t.Error("cut was accepted")
	}
}

func TestHSRP(t *testing.T) {
	b, _ := hex.DecodeString("0000100" + "30a640a00" + "636973636f000000" + "0a1e01fe")
	h, err := ParseHSRP(b)
	if err != nil || !LooksHSRP(b) || h.State != 16 || h.Group != 10 || !h.DefaultKey || h.Virtual.String() != "10.30.1.254" {
		t.Errorf("%+v %v", h, err)
	}
}

func FuzzParse(f *testing.F) {
	b, _ := hex.DecodeString("21079601010100000a1e01fe3131313100000000")
	f.Add(b, false)
	f.Fuzz(func(t *testing.T, b []byte, v6 bool) {
		a, _ := Parse(b, v6)
		if len(a.Addresses) > MaxAddresses || len(a.Addresses)*4 > len(b) {
			t.Fatal("unbounded")
		}
		if _, err := ParseHSRP(b); LooksHSRP(b) && err != nil {
			t.Fatal(err)
		}
	})
}
