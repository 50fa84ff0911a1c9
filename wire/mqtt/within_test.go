// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"strings"
	"testing"
)

func TestAConnectionIsKnownFromWithin(t *testing.T) {
	const (
		publish = "\x30\x0b\x00\x07or/temp22"
		ping    = "\xc0\x00"
		sub     = "\x82\x0a\x00\x01\x00\x05or/+x\x00"
		sub5    = "\x82\x0b\x00\x01\x00\x00\x05or/+x\x00"
	)
	for _, tt := range []struct {
		name, in   string
		yes, maybe bool
	}{
		{"a PUBLISH alone", publish, false, true},
		{"two", publish + publish, true, false},
		{"PUBLISH and PINGREQ", publish + ping, true, false},
		{"PINGREQ and PUBLISH", ping + publish, true, false},
		{"pings alone", strings.Repeat(ping, 20), false, true},
		{"SUBSCRIBE and PINGREQ", sub + ping, true, false},
		{"SUBSCRIBE of version 5 and PINGREQ", sub5 + ping, true, false},
		{"half a PUBLISH", publish[:6], false, true},
		{"a topic with a wildcard", strings.ReplaceAll(publish, "/", "+") + ping, false, false},
		{"a topic with a control character", strings.ReplaceAll(publish, "/", "\x01") + ping, false, false},
		{"a reserved type", publish + "\x00\x00", false, false},
		{"PINGREQ with content", "\xc0\x01a" + publish, false, false},
		{"a CONNECT is no middle", session, false, false},
		{"text", "0123456789, a line of digits\r\n", false, false},
		{"HTTP", "GET / HTTP/1.1\r\n\r\n", false, false},
		{"nothing", "", false, true},
	} {
		if yes, maybe := LooksWithin([]byte(tt.in)); yes != tt.yes || maybe != tt.maybe {
			t.Errorf("%s: %t, %t", tt.name, yes, maybe)
		}
		for n := range len(tt.in) {
			if yes, maybe := LooksWithin([]byte(tt.in[:n])); tt.yes && !yes && !maybe {
				t.Errorf("%s: refused after %d bytes", tt.name, n)
			}
		}
	}
}

func TestFiltersAreReadWithoutKnowingTheVersion(t *testing.T) {
	for _, in := range []string{"\x82\x0a\x00\x01\x00\x05or/+x\x01", "\x82\x0b\x00\x01\x00\x00\x05or/+x\x01"} {
		p, err := read([]byte(in), 3, 0)
		if err != nil || len(p) != 1 || len(p[0].Filters) != 1 || p[0].Filters[0] != (Filter{"or/+x", 1}) {
			t.Errorf("%q: %+v, %v", in, p, err)
		}
	}
}
