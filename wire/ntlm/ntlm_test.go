// SPDX-License-Identifier: Apache-2.0

package ntlm

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/wire/octet"
)

// builder makes a message with payload fields.
type builder struct{ b []byte }

func utf16le(s string) string {
	var sb strings.Builder
	for _, r := range s {
		sb.WriteByte(byte(r))
		sb.WriteByte(0)
	}
	return sb.String()
}

func (m *builder) field(at int, s string) {
	binary.LittleEndian.PutUint16(m.b[at:], uint16(len(s)))
	binary.LittleEndian.PutUint16(m.b[at+2:], uint16(len(s)))
	binary.LittleEndian.PutUint32(m.b[at+4:], uint32(len(m.b)))
	m.b = append(m.b, s...)
}

func newMessage(kind uint32, fixed int, flagsAt int, flags uint32) *builder {
	m := &builder{b: make([]byte, fixed)}
	copy(m.b, Signature)
	binary.LittleEndian.PutUint32(m.b[8:], kind)
	binary.LittleEndian.PutUint32(m.b[flagsAt:], flags)
	return m
}

func authenticate(nt string) []byte {
	m := newMessage(Authenticate, 72, 60, FlagUnicode|FlagVersion)
	copy(m.b[64:], "\x0a\x00\x61\x4a\x00\x00\x00\x0f")
	m.field(28, utf16le("LINDENHOF"))
	m.field(36, utf16le("petra"))
	m.field(44, utf16le("ORWS1"))
	m.field(20, nt)
	return m.b
}

func TestChallengeNamesTheServer(t *testing.T) {
	m := newMessage(Challenge, 56, 20, FlagUnicode|FlagVersion)
	copy(m.b[48:], "\x0a\x00\x63\x45\x00\x00\x00\x0f")
	pair := func(id byte, s string) string { return string([]byte{id, 0, byte(2 * len(s)), 0}) + utf16le(s) }
	m.field(12, utf16le("LINDENHOF"))
	m.field(40, pair(2, "LINDENHOF")+pair(1, "ORNAS")+pair(4, "lindenhof.example")+pair(3, "ornas.lindenhof.example")+"\x00\x00\x00\x00")
	got, err := Parse(m.b)
	if err != nil {
		t.Fatal(err)
	}
	if got.ComputerName != "ORNAS" || got.DomainName != "LINDENHOF" || got.DNSComputer != "ornas.lindenhof.example" || got.Target != "LINDENHOF" || got.Version.String() != "10.0.17763" {
		t.Errorf("got %+v", got)
	}
}

func TestAuthenticateTellsHowTheClientAnswered(t *testing.T) {
	for _, tc := range []struct {
		name, nt      string
		v1, anonymous bool
	}{
		{"24 octets are NTLMv1", strings.Repeat("x", 24), true, false},
		{"25 octets are not", strings.Repeat("x", 25), false, false},
		{"more are NTLMv2", strings.Repeat("x", 80), false, false},
		{"none is anonymous", "", false, true},
	} {
		got, err := Parse(authenticate(tc.nt))
		if err != nil {
			t.Fatal(err)
		}
		if got.NTLMv1 != tc.v1 || got.Anonymous != tc.anonymous || got.User != "petra" || got.Workstation != "ORWS1" || got.Domain != "LINDENHOF" {
			t.Errorf("%s: %+v", tc.name, got)
		}
	}
}

func TestATokenOfSPNEGOIsOpened(t *testing.T) {
	inner := authenticate("")
	tok := append([]byte{0xa1, 0x82, 0, 0, 0x30, 0x82, 0, 0, 0xa2, 0x82, 0, 0, 0x04, 0x82, 0, 0}, inner...)
	for i, at := range []int{2, 6, 10, 14} {
		binary.BigEndian.PutUint16(tok[at:], uint16(len(inner)+4*(3-i)))
	}
	if got := ParseToken(tok); got.Message == nil || got.Message.Workstation != "ORWS1" || got.Kerberos {
		t.Errorf("got %+v", got)
	}
	init := []byte("\x60\x1c\x06\x06\x2b\x06\x01\x05\x05\x02\xa0\x12\x30\x10\xa0\x0e\x30\x0c\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a")
	if got := ParseToken(init); len(got.Mechanisms) != 1 || got.Mechanisms[0] != "ntlm" {
		t.Errorf("got %+v", got)
	}
}

func TestWhatIsCutOffFailsWithItsPlace(t *testing.T) {
	whole := authenticate("x")
	for n := range 52 {
		_, err := Parse(whole[:n])
		var e *octet.Error
		if !errors.As(err, &e) || e.Offset > n {
			t.Fatalf("%d octets: %v", n, err)
		}
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add(authenticate(strings.Repeat("x", 24)))
	f.Add([]byte("\x60\x1c\x06\x06\x2b\x06\x01\x05\x05\x02\xa0\x12\x30\x10\xa0\x0e\x30\x0c\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got := ParseToken(b)
		if len(got.Mechanisms) > maxMechanisms {
			t.Fatal("too many mechanisms")
		}
		if m := got.Message; m != nil {
			for _, s := range []string{m.Domain, m.User, m.Workstation, m.Target, m.ComputerName, m.DNSComputer} {
				if len(s) > 256 {
					t.Fatalf("a name of %d bytes", len(s))
				}
			}
		}
	})
}
