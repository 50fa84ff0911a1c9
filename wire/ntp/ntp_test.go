// SPDX-License-Identifier: Apache-2.0

package ntp

import (
	"encoding/hex"
	"testing"
	"time"
)

const server = "240300e70000000a00000011" + "0a1e0101" + "e58a1b0000000000" + "e58a1b0480000000" + "e58a1b0500000000" + "e58a1b0580000000"

func TestServerAnswer(t *testing.T) {
	b, _ := hex.DecodeString(server)
	p, err := Parse(b)
	if err != nil || p.Version != 4 || p.Mode != Server || p.Stratum != 3 || p.Precision != -25 || p.ReferenceID != "10.30.1.1" || !Looks(b, 0) {
		t.Errorf("%+v %v", p, err)
	}
	if got := Time(p.Transmit); !got.Equal(time.Date(2022, 1, 13, 3, 29, 9, 5e8, time.UTC)) {
		t.Errorf("transmit time %v", got)
	}
	if _, err := Parse(b[:47]); err == nil || Looks(b[:47], 0) {
		t.Error("a packet that is cut was accepted")
	}
}

func TestErasOf2036(t *testing.T) {
	if got := Time(0x00000001_00000000); got.Year() != 2036 {
		t.Error(got)
	}
	if got := Time(0x83aa7e80_00000000); got.Unix() != 0 {
		t.Error(got)
	}
}

func TestMonitorListIsFlagged(t *testing.T) {
	p, err := Parse(append([]byte{0x17, 0, 3, 42}, make([]byte, 44)...))
	if err != nil || p.Mode != Private || !p.MonList || p.Response {
		t.Errorf("%+v %v", p, err)
	}
}

func FuzzParse(f *testing.F) {
	b, _ := hex.DecodeString(server)
	f.Add(b)
	f.Add([]byte{0x17, 0, 3, 42, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if Looks(b, 0) && err != nil {
			t.Fatalf("looks like NTP but cannot be read: %v", err)
		}
		if len(p.ReferenceID) > 15 {
			t.Fatal("unbounded")
		}
	})
}
