// SPDX-License-Identifier: Apache-2.0

package radius

import (
	"strings"
	"testing"
)

func attr(t byte, v string) string { return string([]byte{t, byte(len(v) + 2)}) + v }

func message(code byte, attrs string) []byte {
	n := 20 + len(attrs)
	return []byte(string([]byte{code, 7, byte(n >> 8), byte(n)}) + strings.Repeat("\x00", 16) + attrs)
}

func TestAccessAcceptAssignsAVLAN(t *testing.T) {
	for _, v := range []string{"30", "\x0130", "\x0030"} {
		b := message(AccessAccept, attr(64, "\x00\x00\x00\x0d")+attr(65, "\x00\x00\x00\x06")+attr(81, v))
		m, err := Parse(b)
		if err != nil || m.TunnelGroup != "30" || m.TunnelType != 13 || m.MessageAuthenticator {
			t.Errorf("%+v %v", m, err)
		}
		if !Looks(b, 0) || Looks(b[:len(b)-1], 0) || !Looks(b[:len(b)-1], 1) {
			t.Error("Looks")
		}
	}
}

func TestEAPIsJoined(t *testing.T) {
	m, err := Parse(message(AccessRequest, attr(80, strings.Repeat("\x00", 16))+attr(79, strings.Repeat("a", 253))+attr(79, "bc")+attr(26, "\x00\x00\x01\x37\x01\x02")))
	if err != nil || len(m.EAP) != 255 || !m.AuthenticatorFirst || m.PasswordIn != "mschap" {
		t.Errorf("%d %+v %v", len(m.EAP), m, err)
	}
}

func TestRefuses(t *testing.T) {
	for name, b := range map[string][]byte{
		"an attribute of length 1":  message(1, "\x01\x01"),
		"an attribute past the end": message(1, "\x01\x09abc"),
		"an unknown code":           message(99, ""),
		"a length below the header": append([]byte{1, 1, 0, 19}, make([]byte, 16)...),
		"a packet that is cut":      message(1, attr(1, "abc"))[:20],
	} {
		if _, err := Parse(b); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestStationMAC(t *testing.T) {
	for in, want := range map[string]bool{
		"00-16-6F-0A-20-11": true, "00:16:6f:0a:20:11": true, "0016.6f0a.2011": true, "00166f0a2011": true, "00-16-6F-0A-20-11:OR-WLAN": true,
		"pump-7": false, "00-16-6F-0A-20": false, "00-16-6F-0A-20-11-22": false, "": false, "deadbeefcafex": false,
	} {
		m, ok := StationMAC(in)
		if ok != want || ok && m != [6]byte{0, 0x16, 0x6f, 0x0a, 0x20, 0x11} {
			t.Errorf("%q: %v %v", in, m, ok)
		}
	}
	if StationSSID("00-16-6F-0A-20-11:OR-WLAN") != "OR-WLAN" || StationSSID("00:16:6f:0a:20:11") != "" {
		t.Error("SSID")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(message(1, attr(1, "pump-7")+attr(79, "\x02\x01\x00\x05\x01")+attr(80, strings.Repeat("\x00", 16))))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if len(m.EAP) > MaxEAP || len(m.Vendors) > MaxVendors || len(m.UserName) > 253 {
			t.Fatal("unbounded")
		}
		if Looks(b, 0) && err != nil {
			t.Fatalf("looks like RADIUS but cannot be read: %v", err)
		}
	})
}
