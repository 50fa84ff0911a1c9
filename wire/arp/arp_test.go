// SPDX-License-Identifier: Apache-2.0

package arp

import (
	"bytes"
	"encoding/hex"
	"testing"
)

func TestKindsFollowRFC5227(t *testing.T) {
	const hdr = "0001080006040001"
	for _, tc := range []struct{ name, in, want string }{
		{"a station asks for another", hdr + "9c7befaa2021" + "0a1e0115" + "000000000000" + "0a1e0114", "request"},
		{"a station probes before it uses an address", hdr + "9c7befaa2021" + "00000000" + "000000000000" + "0a1e0115", "probe"},
		{"a station announces its address", hdr + "9c7befaa2021" + "0a1e0115" + "000000000000" + "0a1e0115", "announcement"},
		{"a station answers", "0001080006040002" + "9c7befaa2021" + "0a1e0115" + "0cc47a0a2020" + "0a1e0114", "reply"},
		{"a reply that nobody asked for", "0001080006040002" + "9c7befaa2021" + "0a1e0115" + "ffffffffffff" + "0a1e0115", "gratuitous-reply"},
		{"reverse ARP", "0001080006040003" + "9c7befaa2021" + "00000000" + "9c7befaa2021" + "00000000", "other"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, _ := hex.DecodeString(tc.in)
			p, err := Parse(append(b, make([]byte, 18)...)) // padded to the least Ethernet frame
			if err != nil || p.Kind().String() != tc.want {
				t.Errorf("%v %v", p.Kind(), err)
			}
			if _, err := Parse(b[:len(b)-1]); err == nil {
				t.Error("accepted one byte short")
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	b, _ := hex.DecodeString("00010800060400019c7befaa20210a1e01150000000000000a1e0114")
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err != nil {
			return
		}
		if !bytes.Equal(p.Append(nil), b[:Size]) {
			t.Fatal("does not write what it read")
		}
	})
}
