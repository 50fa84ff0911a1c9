// SPDX-License-Identifier: Apache-2.0

package tds

import (
	"encoding/binary"
	"testing"
)

const prelogin = "\x00\x00\x10\x00\x06\x01\x00\x16\x00\x01\x02\x00\x17\x00\x01\xff" + "\x0f\x00\x07\xd0\x00\x00" + "\x01" + "\x00"

func login(host, user string) []byte {
	b := make([]byte, 94)
	binary.LittleEndian.PutUint32(b[4:], 0x74000004)
	for _, f := range []struct {
		at int
		s  string
	}{{36, host}, {40, user}} {
		binary.LittleEndian.PutUint16(b[f.at:], uint16(len(b)))
		binary.LittleEndian.PutUint16(b[f.at+2:], uint16(len(f.s)))
		for i := range len(f.s) {
			b = append(b, f.s[i], 0)
		}
	}
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	return b
}

func TestPrelogin(t *testing.T) {
	p, err := ParsePrelogin([]byte(prelogin))
	if err != nil || p.Version() != "15.0.2000" || p.EncryptionName() != "on" {
		t.Errorf("%+v, %v", p, err)
	}
	for n := range len(prelogin) {
		if _, err := ParsePrelogin([]byte(prelogin[:n])); err == nil {
			t.Errorf("%d octets are accepted", n)
		}
	}
	packet := append([]byte{TypePrelogin, 1, 0, byte(8 + len(prelogin)), 0, 0, 1, 0}, prelogin...)
	if yes, _ := Looks(packet); !yes {
		t.Error("not recognised")
	}
}

func TestLogin(t *testing.T) {
	l, err := ParseLogin(login("ORWS1", "sa"))
	if err != nil || l.Host != "ORWS1" || l.User != "sa" || TDSVersionName(l.TDSVersion) != "7.4" {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestAnswer(t *testing.T) {
	a := ParseAnswer([]byte("\xe3\x03\x00\x01\x00\x00" + "\xad\x0e\x00\x01\x74\x00\x00\x04\x02S\x00Q\x00\x0f\x00\x07\xd0"))
	if !a.OK || a.Program != "SQ" || a.Version != "15.0.2000" {
		t.Errorf("%+v", a)
	}
	a = ParseAnswer([]byte("\xaa\x10\x00\x18\x48\x00\x00\x01\x0e\x01\x00x\x00\x02D\x00B\x00\x00\x00"))
	if a.OK || a.Error != 18456 || a.Server != "DB" {
		t.Errorf("%+v", a)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(prelogin))
	f.Add(login("ORWS1", "sa"))
	f.Add([]byte("\xad\x0e\x00\x01\x74\x00\x00\x04\x02S\x00Q\x00\x0f\x00\x07\xd0"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := ParsePrelogin(b); err == nil && len(p.Instance) > 64 {
			t.Fatal("instance too long")
		}
		if l, err := ParseLogin(b); err == nil && (len(l.Host) > 256 || len(l.SSPI) > len(b)) {
			t.Fatal("login beyond its bounds")
		}
		ParseAnswer(b)
		Looks(b)
	})
}
