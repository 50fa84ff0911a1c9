// SPDX-License-Identifier: Apache-2.0

package ldap

import (
	"strings"
	"testing"
)

const (
	bind   = "\x30\x1c\x02\x01\x01\x60\x17\x02\x01\x03\x04\x08cn=petra\x80\x08password"
	search = "\x30\x2d\x02\x01\x02\x63\x28\x04\x05dc=or\x0a\x01\x02\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00\xa3\x0a\x04\x03uid\x04\x03pet\x30\x04\x04\x02cn"
)

func TestBindNeverGivesThePassword(t *testing.T) {
	m, total, err := Parse([]byte(bind))
	if err != nil || total != len(bind) || !m.Simple || !m.HasPassword || m.DN != "cn=petra" || m.Version != 3 || m.Credentials != nil {
		t.Errorf("%+v, %d, %v", m, total, err)
	}
}

func TestSearch(t *testing.T) {
	m, _, err := Parse([]byte(search))
	if err != nil || m.DN != "dc=or" || ScopeName(m.Scope) != "subtree" || len(m.Filter) != 1 || m.Filter[0].Attribute != "uid" || len(m.Attributes) != 1 {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestAFilterIsReadToItsBoundedDepth(t *testing.T) {
	for _, tc := range []struct{ depth, want int }{{maxFilter, 1}, {maxFilter + 1, 0}} {
		f := "\x87\x02cn"
		for range tc.depth {
			f = "\xa2" + string(rune(len(f))) + f
		}
		b := "\x04\x00\x0a\x01\x00\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00" + f
		b = "\x02\x01\x01\x63" + string(rune(len(b))) + b
		m, _, err := Parse([]byte("\x30" + string(rune(len(b))) + b))
		if err != nil || len(m.Filter) != tc.want {
			t.Errorf("depth %d: %+v, %v", tc.depth, m, err)
		}
	}
}

func TestProbesTellLDAPFromOtherBER(t *testing.T) {
	for name, b := range map[string]string{"bind": bind, "search": search, "unbind": "\x30\x05\x02\x01\x03\x42\x00"} {
		if yes, _ := Looks([]byte(b)); !yes {
			t.Errorf("%s is not recognised", name)
		}
		for n := 1; n < min(len(b), 8); n++ {
			if yes, maybe := Looks([]byte(b[:n])); yes && n < len(b) && name != "unbind" || !yes && !maybe {
				t.Errorf("%s, %d octets: %t, %t", name, n, yes, maybe)
			}
		}
	}
	snmp := "\x30\x26\x02\x01\x01\x04\x06public\xa0\x19\x02\x01\x01\x02\x01\x00\x02\x01\x00\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x01\x00\x05\x00"
	if yes, _ := Looks([]byte(snmp)); yes {
		t.Error("SNMP is taken for LDAP")
	}
}

func TestADomainControllerAnswersAPing(t *testing.T) {
	b := "\x17\x00\x00\x00\xfd\x33\x00\x00" + strings.Repeat("g", 16) + "\x04lind\x02ex\x00" + "\xc0\x18" + "\x03dc1\xc0\x18" + "\x04LIND\x00" + "\x03DC1\x00" + "\x00" + "\x04Site\x00" + "\xc0\x2f"
	c, err := ParseController([]byte(b))
	if err != nil || c.Forest != "lind.ex" || c.Domain != "lind.ex" || c.Host != "dc1.lind.ex" || c.NetBIOSName != "DC1" {
		t.Errorf("%+v, %v", c, err)
	}
	loop := "\x17\x00\x00\x00\xfd\x33\x00\x00" + strings.Repeat("g", 16) + "\xc0\x18"
	if _, err := ParseController([]byte(loop)); err == nil {
		t.Error("a pointer to itself is followed")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(bind))
	f.Add([]byte(search))
	f.Add([]byte("\x17\x00\x00\x00\xfd\x33\x00\x00gggggggggggggggg\x04lind\x02ex\x00\xc0\x18\x03dc1\xc0\x18\x04LIND\x00\x03DC1\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, total, err := Parse(b); err == nil {
			if total < 5 || len(m.Filter) > maxNames || len(m.Attributes) > maxNames || len(m.Values) > maxNames || len(m.DN) > 256 {
				t.Fatalf("%d octets: %+v", total, m)
			}
		}
		if c, err := ParseController(b); err == nil && len(c.Host) > 256 {
			t.Fatal("a name too long")
		}
		Looks(b)
	})
}
