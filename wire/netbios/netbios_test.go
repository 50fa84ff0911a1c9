// SPDX-License-Identifier: Apache-2.0

package netbios

import (
	"strings"
	"testing"
)

func encoded(name string, suffix byte) string {
	raw := name + strings.Repeat(" ", 15-len(name)) + string([]byte{suffix})
	s := "\x20"
	for i := range 16 {
		s += string([]byte{'A' + raw[i]>>4, 'A' + raw[i]&15})
	}
	return s + "\x00"
}

func TestARegistrationClaimsAName(t *testing.T) {
	b := []byte("\x12\x34\x29\x10\x00\x01\x00\x00\x00\x00\x00\x01" + encoded("WS-ANAESTHESIA", 0x20) + "\x00\x20\x00\x01" +
		"\xc0\x0c\x00\x20\x00\x01\x00\x04\x93\xe0\x00\x06\x00\x00\x0a\x1e\x01\x15")
	if !Looks(b) {
		t.Error("Looks")
	}
	m, err := Parse(b)
	if err != nil || m.OpcodeName() != "registration" || m.Name.Text != "WS-ANAESTHESIA" || m.Name.Role() != "file-server" || m.Addresses[0].String() != "10.30.1.21" {
		t.Errorf("%+v %v", m, err)
	}
	for i := range b {
		if _, err := Parse(b[:i]); err == nil {
			t.Errorf("cut at %d was accepted", i)
		}
	}
}

func TestNodeStatusNamesTheNode(t *testing.T) {
	one := func(n string, suffix byte, flags string) string {
		return n + strings.Repeat(" ", 15-len(n)) + string([]byte{suffix}) + flags
	}
	data := "\x02" + one("WS-1", 0, "\x04\x00") + one("LINDENHOF", 0, "\x84\x00") + "\x9c\x7b\xef\x0a\x20\x21"
	m, err := Parse([]byte("\x00\x01\x84\x00\x00\x00\x00\x01\x00\x00\x00\x00" + encoded("*\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 0) +
		"\x00\x21\x00\x01\x00\x00\x00\x00\x00" + string([]byte{byte(len(data))}) + data))
	if err != nil || len(m.Names) != 2 || m.Names[0].Role() != "workstation" || m.Names[1].Role() != "workgroup" || !m.HasMAC || m.MAC[0] != 0x9c {
		t.Errorf("%+v %v", m, err)
	}
}

func TestNamesThatAreNotEncodedAreRefused(t *testing.T) {
	b := []byte("\x12\x34\x01\x10\x00\x01\x00\x00\x00\x00\x00\x00" + strings.Replace(encoded("A", 0), "P", "Q", 1) + "\x00\x20\x00\x01")
	bad := []byte(strings.Replace(string(b), "CA", "ZA", 1))
	if Looks(bad) {
		t.Error("Looks")
	}
	if _, err := Parse(bad); err == nil {
		t.Error("accepted")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("\x12\x34\x29\x10\x00\x01\x00\x00\x00\x00\x00\x01" + encoded("WS", 0x20) + "\x00\x20\x00\x01\xc0\x0c\x00\x20\x00\x01\x00\x04\x93\xe0\x00\x06\x00\x00\x0a\x1e\x01\x15"))
	f.Add([]byte("\x11\x02\x00\x01\x0a\x1e\x01\x15\x00\x8a\x00\xbb\x00\x00" + encoded("WS", 0) + encoded("LINDENHOF", 0x1d) + "\xffSMB\x25"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if len(m.Addresses) > MaxAddresses || len(m.Names) > MaxNames || len(m.Name.Text) > 30 {
			t.Fatal("unbounded")
		}
		if err == nil && m.Type == 0 && len(b) > 12 && b[5] == 1 && b[12] != 32 {
			t.Fatal("a name that is not encoded was read")
		}
		_, _ = ParseDatagram(b)
		_ = Looks(b)
		_ = LooksDatagram(b)
	})
}
