// SPDX-License-Identifier: Apache-2.0

package icmp

import (
	"encoding/hex"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestUnreachableNamesTheFlowItIsAbout(t *testing.T) {
	m, err := Parse4(Unreachable, 3, unhex(t, "00000000"+"4500001e00014000401124820a1e01150a1e0114"+"c350270f000a0000"))
	if err != nil || !m.IsError || m.Quoted.Src.String() != "10.30.1.21" || m.Quoted.Proto != 17 || m.Quoted.DstPort != 9999 {
		t.Errorf("%+v %v", m, err)
	}
	if _, err := Parse4(Unreachable, 3, unhex(t, "00000000"+"4500001e000140004011")); err == nil {
		t.Error("a quotation without addresses was accepted")
	}
	if m, _ := Parse4(Unreachable, 4, unhex(t, "000005dc"+"4500001e00014000401124820a1e01150a1e0114")); m.MTU != 1500 {
		t.Errorf("next-hop MTU %d", m.MTU)
	}
}

func TestRouterAdvertisement(t *testing.T) {
	n, err := ParseND(V6RouterAdvert, unhex(t, "40c007080000000000000000"+
		"0101"+"00000c0a2001"+
		"0304"+"40c0"+"00001c20"+"00001c20"+"00000000"+"fd300000000000000000000000000000"+
		"0501000000000500"+
		"1903"+"0000"+"00000e10"+"fd300000000000000000000000000001"+
		"1f03"+"0000"+"00000e10"+"026f72076578616d706c650000000000"))
	if err != nil {
		t.Fatal(err)
	}
	if n.HopLimit != 64 || !n.Managed || !n.Other || n.Lifetime != 1800 || !n.HasLinkAddr || n.MTU != 1280 {
		t.Errorf("%+v", n)
	}
	if len(n.Prefixes) != 1 || n.Prefixes[0].Prefix.String() != "fd30::/64" || !n.Prefixes[0].Autonomous {
		t.Errorf("%+v", n.Prefixes)
	}
	if len(n.DNS) != 1 || n.DNS[0].String() != "fd30::1" || len(n.DNSSearch) != 1 || n.DNSSearch[0] != "or.example" {
		t.Errorf("%v %v", n.DNS, n.DNSSearch)
	}
}

func TestOptionOfLengthZeroEndsTheMessage(t *testing.T) {
	if _, err := ParseND(V6RouterSolicit, unhex(t, "000000000100000000000000")); err == nil {
		t.Error("accepted, RFC 4861 §4.6 says discard")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(uint8(V6RouterAdvert), uint8(0), unhex(f, "40c007080000000000000000010100000c0a2001"))
	f.Add(uint8(Unreachable), uint8(3), unhex(f, "000000004500001e00014000401124820a1e01150a1e0114c350270f000a0000"))
	f.Fuzz(func(t *testing.T, typ, code uint8, b []byte) {
		_, _ = Parse4(typ, code, b)
		_, _ = Parse6(typ, code, b)
		n, _ := ParseND(typ, b)
		if len(n.Prefixes) > MaxOptions || len(n.DNS) > 2*MaxOptions || len(n.DNSSearch) > 2*MaxOptions || len(n.Prefixes)*32 > len(b) {
			t.Fatalf("unbounded: %+v", n)
		}
	})
}
