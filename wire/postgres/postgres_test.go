// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"encoding/binary"
	"testing"
)

func startup(code uint32, params string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(8+len(params)))
	return append(binary.BigEndian.AppendUint32(b, code), params...)
}

func TestStartup(t *testing.T) {
	s, err := ParseStartup(startup(3<<16, "user\x00ris\x00database\x00pacs\x00application_name\x00psql\x00\x00"))
	if err != nil || s.User != "ris" || s.Database != "pacs" || s.Application != "psql" || s.Major != 3 {
		t.Errorf("%+v, %v", s, err)
	}
	for name, tc := range map[string]struct {
		b  []byte
		ok bool
	}{
		"SSLRequest":                    {startup(CodeSSL, ""), true},
		"SSLRequest with something":     {startup(CodeSSL, "x"), false},
		"protocol 2":                    {startup(2<<16, "user"), false},
		"as long as the server accepts": {startup(3<<16, "user"+string(make([]byte, MaxStartup-12))), true},
		"one octet longer":              {startup(3<<16, "user"+string(make([]byte, MaxStartup-11))), false},
	} {
		if yes, _ := Looks(tc.b); yes != tc.ok {
			t.Errorf("%s: %t", name, yes)
		}
	}
}

func TestServerMessages(t *testing.T) {
	a, err := ParseAuthentication([]byte("\x00\x00\x00\x0aSCRAM-SHA-256-PLUS\x00SCRAM-SHA-256\x00\x00"))
	if err != nil || a.Name() != "sasl" || len(a.Mechanisms) != 2 {
		t.Errorf("%+v, %v", a, err)
	}
	if e := ParseError([]byte("SFATAL\x00VFATAL\x00C28P01\x00Mpassword of petra\x00\x00")); e.Code != "28P01" || e.Severity != "FATAL" {
		t.Errorf("%+v", e)
	}
	if k, v := ParseParameter([]byte("server_version\x0015.3\x00")); k != "server_version" || v != "15.3" {
		t.Error(k, v)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(startup(3<<16, "user\x00ris\x00database\x00pacs\x00\x00"))
	f.Add([]byte("R\x00\x00\x00\x08\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := ParseStartup(b); err == nil && len(s.User) > 256 {
			t.Fatal("user too long")
		}
		if n, err := Size(b); err == nil && n > 0 && n < 5 {
			t.Fatalf("a message of %d octets", n)
		}
		if a, err := ParseAuthentication(b); err == nil && len(a.Mechanisms) > 8 {
			t.Fatal("too many mechanisms")
		}
		if yes, maybe := LooksServer(b); yes && maybe {
			t.Fatal("yes and maybe")
		}
		ParseError(b)
		ParseParameter(b)
	})
}
