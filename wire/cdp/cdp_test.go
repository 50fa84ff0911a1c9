// SPDX-License-Identifier: Apache-2.0

package cdp

import (
	"errors"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/wire/octet"
)

func tlv(typ int, v string) string {
	return string([]byte{byte(typ >> 8), byte(typ), byte((len(v) + 4) >> 8), byte(len(v) + 4)}) + v
}

const head = "\x02\xb4\x00\x00"

func TestASwitchPortStatesItself(t *testing.T) {
	m, err := Parse([]byte(head + tlv(1, "switch-or3.example") + tlv(2, "\x00\x00\x00\x01\x01\x01\xcc\x00\x04\x0a\x1e\x01\x02") + tlv(3, "GigabitEthernet1/0/17") +
		tlv(4, "\x00\x00\x00\x28") + tlv(5, "IOS XE\nVersion 17.9") + tlv(6, "cisco C9300-48P") + tlv(10, "\x00\x1e") + tlv(11, "\x01") + tlv(14, "\x01\x00\x28") +
		tlv(22, "\x00\x00\x00\x01\x02\x08\xaa\xaa\x03\x00\x00\x00\x86\xdd\x00\x10"+strings.Repeat("\xfd", 16))))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join([]string{m.DeviceID, m.Addresses[0].String(), m.Port, strings.Join(m.Capabilities, "+"), m.Software, m.Platform}, "|")
	if got != "switch-or3.example|10.30.1.2|GigabitEthernet1/0/17|switch+igmp|IOS XE Version 17.9|cisco C9300-48P" {
		t.Error(got)
	}
	if m.NativeVLAN != 30 || !m.FullDuplex || m.VoiceVLAN != 40 || len(m.Management) != 1 {
		t.Errorf("%+v", m)
	}
}

func TestRefuses(t *testing.T) {
	var e *octet.Error
	for name, in := range map[string]string{
		"a TLV shorter than its header": head + "\x00\x01\x00\x03",
		"a TLV that runs past the end":  head + "\x00\x01\x00\x09abcd",
		"an unknown version":            "\x07\xb4\x00\x00" + tlv(1, "x"),
		"one TLV too many":              head + strings.Repeat(tlv(3, "x"), MaxTLVs+1),
	} {
		if _, err := Parse([]byte(in)); !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Parse([]byte(head + strings.Repeat(tlv(3, "x"), MaxTLVs))); err != nil {
		t.Errorf("at the limit: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(head + tlv(1, "switch") + tlv(2, "\x00\x00\x00\x01\x01\x01\xcc\x00\x04\x0a\x1e\x01\x02")))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, _ := Parse(b)
		if len(m.Addresses) > MaxAddresses || len(m.Management) > MaxAddresses || len(m.Software) > 512 || len(m.DeviceID) > 256 {
			t.Fatal("unbounded")
		}
	})
}
