// SPDX-License-Identifier: Apache-2.0

package mysql

import "testing"

const greeting = "\x0a" + "8.0.35\x00" + "\x01\x00\x00\x00" + "abcdefgh" + "\x00" + "\xff\xff" + "\xff" + "\x02\x00" + "\xff\xdf" + "\x15" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + "ijklmnopqrst\x00" + "caching_sha2_password\x00"

func TestGreeting(t *testing.T) {
	g, err := ParseGreeting([]byte(greeting))
	if err != nil || g.Version != "8.0.35" || g.Plugin != "caching_sha2_password" || g.MariaDB || g.Capabilities&CapSSL == 0 {
		t.Errorf("%+v, %v", g, err)
	}
	packet := append([]byte{byte(len(greeting)), 0, 0, 0}, greeting...)
	if yes, _ := Looks(packet); !yes {
		t.Error("not recognised")
	}
	if yes, _ := Looks(append([]byte{byte(len(greeting)), 0, 0, 1}, greeting...)); yes {
		t.Error("the first packet has another number")
	}
	for n := range packet {
		if yes, maybe := Looks(packet[:n]); yes || !maybe {
			t.Fatalf("%d octets: %t, %t", n, yes, maybe)
		}
	}
}

func TestLogin(t *testing.T) {
	const fixed = "\x00\x00\x00\x01\x2d" + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	l, err := ParseLogin([]byte("\x08\x8a\x1a\x00" + fixed + "ris\x00\x02ab" + "pacs\x00" + "mysql_native_password\x00" + "\x0a\x03_os\x05Linux"))
	if err != nil || l.User != "ris" || !l.HasAuth || l.Database != "pacs" || l.Attribute("_os") != "Linux" {
		t.Errorf("%+v, %v", l, err)
	}
	l, err = ParseLogin([]byte("\x08\x8a\x1a\x00" + fixed))
	if err != nil || !l.TLS {
		t.Errorf("a request for TLS: %+v, %v", l, err)
	}
	if _, err = ParseLogin([]byte("\x08\x82\x1a\x00" + fixed)); err == nil {
		t.Error("without the flag it is cut off")
	}
}

func TestVerdict(t *testing.T) {
	if v := ParseVerdict([]byte("\xff\x15\x04#28000Access denied for petra")); v.Error != 1045 || v.State != "28000" {
		t.Errorf("%+v", v)
	}
	if v := ParseVerdict([]byte("\xfemysql_native_password\x00abc")); v.Switch != "mysql_native_password" || !v.More {
		t.Errorf("%+v", v)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(greeting))
	f.Add([]byte("\x08\x8a\x1a\x00\x00\x00\x00\x01\x2d\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00ris\x00\x02abpacs\x00p\x00\x0a\x03_os\x05Linux"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if g, err := ParseGreeting(b); err == nil && (g.Version == "" && b[1] != ' ' || len(g.Version) > 128) {
			t.Fatalf("version %q", g.Version)
		}
		if l, err := ParseLogin(b); err == nil && (len(l.Attributes) > maxAttrs || len(l.User) > 256) {
			t.Fatal("login beyond its bounds")
		}
		ParseVerdict(b)
		if n, _, err := Size(b); err == nil && n > MaxPacket+HeaderSize {
			t.Fatal("packet beyond its bound")
		}
		Looks(b)
	})
}
