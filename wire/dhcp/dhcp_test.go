// SPDX-License-Identifier: Apache-2.0

package dhcp

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/wire/octet"
)

// v4 makes a message with the given options; sname and file may hold options too.
func v4(op byte, sname, file, options string) []byte {
	b := make([]byte, 236)
	b[0], b[1], b[2] = op, 1, 6
	copy(b[4:], "\x12\x34\x56\x78")
	copy(b[28:], "\x00\x16\x6f\x0a\x20\x11")
	copy(b[44:108], sname)
	copy(b[108:236], file)
	b = append(b, 0x63, 0x82, 0x53, 0x63)
	return append(b, options...)
}

func opt(code byte, v string) string { return string([]byte{code, byte(len(v))}) + v }

func TestOptionsOfVersion4(t *testing.T) {
	m, err := ParseV4(v4(1, "tftp.example", "boot.bin", opt(53, "\x01")+opt(12, "pump-7\x00")+opt(55, "\x01\x1c\x03\x0f")+opt(61, "\x01abcdef")+
		opt(60, "Infusion Pump PX-200")+opt(77, "\x02or\x04pump")+opt(81, "\x05\x00\x00\x06pump-7\x02or\x00")+
		opt(82, "\x01\x04Gi17\x02\x03\x00\x01\x02\x05\x04\x0a\x1f\x01\x01")+opt(119, "\x02or\x07example\x00\x03pac\xc0\x03")+
		opt(121, "\x10\x0a\x63\x0a\x1e\x01\x01\x00\x0a\x1e\x01\x01")+opt(124, "\x00\x00\x00\x09\x05\x04acme")+opt(93, "\x00\x07")+"\xff"+"garbage"))
	if err != nil {
		t.Fatal(err)
	}
	for name, pair := range map[string][2]string{
		"type":             {m.TypeName(), "DHCPDISCOVER"},
		"host name":        {m.Hostname, "pump-7"},
		"parameter list":   {List(m.Parameters), "1,28,3,15"},
		"vendor class":     {m.VendorClass, "Infusion Pump PX-200"},
		"user class":       {m.UserClass, "or,pump"},
		"FQDN":             {m.FQDN, "pump-7.or"},
		"relay circuit":    {m.RelayCircuit, "Gi17"},
		"relay remote":     {m.RelayRemote, "000102"},
		"relay link":       {m.RelayLink.String(), "10.31.1.1"},
		"search list":      {strings.Join(m.Search, " "), "or.example pac.example"},
		"route":            {m.Routes[0].To.String() + " " + m.Routes[0].Via.String(), "10.99.0.0/16 10.30.1.1"},
		"default route":    {m.Routes[1].To.String(), "0.0.0.0/0"},
		"vendor":           {m.VendorClasses[0].Data, "acme"},
		"architecture":     {m.Architecture, "x64 UEFI"},
		"server from name": {m.TFTPServer, "tftp.example"},
		"boot file":        {m.BootFile, "boot.bin"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: got %q, want %q", name, pair[0], pair[1])
		}
	}
}

func TestOverloadedFieldsHoldOptions(t *testing.T) {
	m, err := ParseV4(v4(2, opt(15, "sname.example")+"\xff", opt(12, "from-file")+"\xff", opt(52, "\x03")+opt(53, "\x05")+"\xff"))
	if err != nil || m.Domain != "sname.example" || m.Hostname != "from-file" || m.TFTPServer != "" || m.BootFile != "" {
		t.Errorf("%+v %v", m, err)
	}
}

func TestPiecesOfAnOptionAreJoined(t *testing.T) {
	m, err := ParseV4(v4(1, "", "", opt(53, "\x01")+opt(67, strings.Repeat("a", 100))+opt(67, strings.Repeat("b", 50))+"\xff"))
	if err != nil || m.BootFile != strings.Repeat("a", 100)+strings.Repeat("b", 50) {
		t.Errorf("%q %v", m.BootFile, err)
	}
}

func TestWhatIsNotThereIsSaid(t *testing.T) {
	b := v4(1, "", "", opt(53, "\x01")+opt(12, "pump"))
	m, err := ParseV4(b[:len(b)-1])
	var e *octet.Error
	if !errors.As(err, &e) || e.Offset != 240+3+2 || m.Type != V4Discover {
		t.Errorf("%+v %v", m, err)
	}
	if _, err := ParseV4(b[:200]); !errors.As(err, &e) {
		t.Error(err)
	}
	b[236] = 0
	if _, err := ParseV4(b); !errors.Is(err, ErrNotDHCP) {
		t.Error(err)
	}
}

func TestOptionCountIsBounded(t *testing.T) {
	at := v4(1, "", "", strings.Repeat(opt(12, "x"), MaxOptions))
	if _, err := ParseV4(at); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := ParseV4(append(at, opt(12, "x")...)); err == nil {
		t.Error("one past the limit was accepted")
	}
}

func opt6(code uint16, v string) string {
	b := binary.BigEndian.AppendUint16(nil, code)
	b = binary.BigEndian.AppendUint16(b, uint16(len(v)))
	return string(b) + v
}

const duidLL = "\x00\x03\x00\x01\x00\x16\x6f\x0a\x20\x11"

func TestVersion6ThroughRelays(t *testing.T) {
	addr := "\xfd\x30" + strings.Repeat("\x00", 12) + "\x01\xa9"
	msg := "\x07\x80\xb5\x4b" + opt6(1, duidLL) + opt6(3, strings.Repeat("\x00", 12)+opt6(5, addr+"\x00\x00\x0e\x10\x00\x00\x1c\x20"+opt6(13, "\x00\x00ok"))) +
		opt6(25, strings.Repeat("\x00", 12)+opt6(26, "\x00\x00\x0e\x10\x00\x00\x1c\x20\x38"+addr)) +
		opt6(39, "\x01\x06pump-7\x02or\x00") + opt6(16, "\x00\x00\x01\x37\x00\x08MSFT 5.0") + opt6(6, "\x00\x17\x00\x18")
	b := msg
	for i := range 2 {
		b = "\x0d" + string(rune(i)) + strings.Repeat("\x00", 32) + opt6(18, "ge-0/0/17") + opt6(79, "\x00\x01\x00\x16\x6f\x0a\x20\x11") + opt6(9, b)
	}
	m, err := ParseV6([]byte(b))
	if err != nil {
		t.Fatal(err)
	}
	if m.TypeName() != "REPLY" || m.XID != 0x80b54b || !m.Client.HasMAC || m.Client.MAC[5] != 0x11 || !m.HasClientMAC || len(m.Relays) != 2 {
		t.Errorf("%+v", m)
	}
	if len(m.Leases) != 2 || m.Leases[0].Prefix.String() != "fd30::1a9/128" || m.Leases[1].Prefix.Bits() != 56 || m.Leases[0].Valid != 7200 {
		t.Errorf("%+v", m.Leases)
	}
	if m.FQDN != "pump-7.or" || m.VendorClasses[0].Data != "MSFT 5.0" || !slices.Equal(m.Requested, []uint16{23, 24}) || m.Relays[0].InterfaceID != "ge-0/0/17" {
		t.Errorf("%+v", m)
	}
	if m.StatusText != "ok" || !LooksV6([]byte(b)) || LooksV6([]byte(b)[:len(b)-1]) {
		t.Errorf("%+v", m)
	}
}

func TestRelayDepthIsBounded(t *testing.T) {
	b := "\x01\x00\x00\x01" + opt6(1, duidLL)
	for range MaxRelays {
		b = "\x0c\x00" + strings.Repeat("\x00", 32) + opt6(9, b)
	}
	if _, err := ParseV6([]byte(b)); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	b = "\x0c\x00" + strings.Repeat("\x00", 32) + opt6(9, b)
	if m, err := ParseV6([]byte(b)); err == nil || len(m.Relays) != MaxRelays {
		t.Errorf("one past the limit: %v", err)
	}
}

func TestCompressionLoopsEnd(t *testing.T) {
	for _, in := range []string{"\xc0\x00", "\x01a\xc0\x00", "\xc0\x02\xc0\x00", strings.Repeat("\xc0\x00", 100)} {
		if got := names([]byte(in)); len(got) > MaxList {
			t.Errorf("%q: %d names", in, len(got))
		}
	}
}

func FuzzV4(f *testing.F) {
	f.Add(v4(1, "", "", opt(53, "\x01")+opt(12, "pump-7")+opt(82, "\x01\x04Gi17")+opt(119, "\x02or\x00\xc0\x00")+"\xff"))
	f.Add(v4(2, opt(15, "a")+"\xff", opt(12, "b")+"\xff", opt(52, "\x03")+opt(53, "\x05")+"\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseV4(b)
		if err == nil && !bytes.Equal(b[236:240], []byte{0x63, 0x82, 0x53, 0x63}) {
			t.Fatal("accepted without the cookie")
		}
		if len(m.Routers) > MaxList || len(m.Search) > MaxList || len(m.Options) > 256 || len(m.Hostname) > 256 || len(m.Parameters) > maxJoined {
			t.Fatal("unbounded")
		}
	})
}

func FuzzV6(f *testing.F) {
	f.Add([]byte("\x01\x80\xb5\x4b" + opt6(1, duidLL) + opt6(6, "\x00\x17")))
	f.Add([]byte("\x0c\x00" + strings.Repeat("\x00", 32) + opt6(9, "\x01\x00\x00\x01"+opt6(1, duidLL))))
	s, _ := hex.DecodeString("07" + "80b54b" + "0003000c000000000000000000000000")
	f.Add(s)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseV6(b)
		if len(m.Leases) > MaxList || len(m.Relays) > MaxRelays || len(m.Options) > MaxOptions || len(m.Requested) > MaxOptions {
			t.Fatal("unbounded")
		}
		if err == nil && m.TypeName() == "" {
			t.Fatal("a message without a type")
		}
	})
}
