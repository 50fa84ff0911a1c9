// SPDX-License-Identifier: Apache-2.0

package snmp

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

// Messages of net-snmp 5.9.3.
const (
	getV1   = "302902010004067075626c6963a01c0204706e6d6c020100020100300e300c06082b060102010101000500"
	probeV3 = "303a020103300f02021a2b020300ffe3040104020103040e300c040002010002010004000400301404000400a00e0202271002010002010030020000"
)

func TestGetOfVersion1(t *testing.T) {
	b := unhex(t, getV1)
	m, err := Parse(b, 0)
	if err != nil || m.VersionName() != "1" || string(m.Community) != "public" || PDUName(m.PDU) != "get-request" || m.Bindings[0].OID != "1.3.6.1.2.1.1.1.0" || m.Bindings[0].Kind != "null" {
		t.Errorf("%+v %v", m, err)
	}
	if !Looks(b, 0) || Looks(b[:len(b)-1], 0) || !Looks(b[:len(b)-1], 1) {
		t.Error("Looks")
	}
	for i := range b {
		if m, err := Parse(b[:i], 0); err == nil {
			t.Errorf("cut at %d: %+v", i, m)
		}
		if m, _ := Parse(b[:i], len(b)-i); i >= 16 && string(m.Community) != "public" {
			t.Errorf("cut at %d by the snap length: what is there was not read", i)
		}
	}
}

func TestEngineIdentifiers(t *testing.T) {
	if e := engine(unhex(t, "800000090300000c0a2001")); !e.HasMAC || e.Enterprise != 9 || e.MAC[5] != 1 {
		t.Errorf("%+v", e)
	}
	if e := engine(unhex(t, "80001f88010a1e0114")); e.IP.String() != "10.30.1.20" || e.Enterprise != 8072 {
		t.Errorf("%+v", e)
	}
	if e := engine(unhex(t, "80001f880470756d70")); e.Text != "pump" {
		t.Errorf("%+v", e)
	}
	if e := engine(unhex(t, "0000000963000000a1b2c3d4")); e.HasMAC || e.Enterprise != 9 {
		t.Errorf("an identifier of the old form has no parts: %+v", e)
	}
}

func TestBindingsAreBounded(t *testing.T) {
	one := unhex(t, "300706032b06010500")
	make := func(n int) []byte {
		var list []byte
		for range n {
			list = append(list, one...)
		}
		wrap := func(tag byte, b []byte) []byte {
			return append([]byte{tag, 0x82, byte(len(b) >> 8), byte(len(b))}, b...)
		}
		pdu := wrap(0xa0, append(unhex(t, "020101020100020100"), wrap(0x30, list)...))
		return wrap(0x30, append(unhex(t, "02010104067075626c6963"), pdu...))
	}
	if m, err := Parse(make(MaxBindings), 0); err != nil || len(m.Bindings) != MaxBindings || m.MoreBindings {
		t.Errorf("at the limit: %v", err)
	}
	if m, err := Parse(make(MaxBindings+1), 0); err != nil || len(m.Bindings) != MaxBindings || !m.MoreBindings {
		t.Errorf("one past the limit: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(unhex(f, getV1), 0)
	f.Add(unhex(f, probeV3), 0)
	f.Add(unhex(f, getV1)[:30], 13)
	f.Fuzz(func(t *testing.T, b []byte, missing int) {
		missing = max(0, missing&0xffff)
		m, err := Parse(b, missing)
		if len(m.Bindings) > MaxBindings || len(m.Engine.Raw) > 32 {
			t.Fatal("unbounded")
		}
		if err == nil && missing == 0 && m.Version != V3 && !m.HasPDU {
			t.Fatal("a whole message without PDU")
		}
		_ = Looks(b, missing)
	})
}
