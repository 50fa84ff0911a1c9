// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"fmt"
	"strings"
	"testing"
)

func TestFormats(t *testing.T) {
	for _, tc := range []struct{ name, in, host, app, proc, more string }{
		{"RFC 5424 with structured data", `<134>1 2026-11-22T02:12:10.123+00:00 ws-anaesthesia pumpd 123 ALARM [zoo@123 tiger="hun]gry"][x@1] battery low`, "ws-anaesthesia", "pumpd", "123", "local0.info ALARM [zoo@123 x@1] 11"},
		{"RFC 5424 with nothing but a priority", "<0>1 - - - - - -", "", "", "", "kern.emerg  [] 0"},
		{"RFC 3164", "<35>Nov 22 02:12:10 ws pumpd[123]: door open", "ws", "pumpd", "123", "auth.err  [] 9"},
		{"RFC 3164 without host", "<35>Nov 22 02:12:10 pumpd: door open", "", "pumpd", "", "auth.err  [] 9"},
		{"RFC 3164 from an IPv6 address", "<35>Nov 22 02:12:10 fd30::1 pumpd: door", "fd30::1", "pumpd", "", "auth.err  [] 4"},
		{"priority and text only", "<13>hello world", "", "", "", "user.notice  [] 11"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m, err := Parse([]byte(tc.in))
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprintf("%s.%s %s %v %d", m.FacilityName(), m.SeverityName(), m.MessageID, m.Elements, m.TextLength)
			if m.Host != tc.host || m.App != tc.app || m.Process != tc.proc || got != tc.more {
				t.Errorf("%+v: %s", m, got)
			}
		})
	}
	for _, bad := range []string{"", "<", "<>", "<192>x", "<1", "13>x", "<01>x", "<1234>x"} {
		if _, err := Parse([]byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestSplit(t *testing.T) {
	for _, tc := range []struct {
		name, in, msg string
		n             int
		bad           bool
	}{
		{"octet counting", "5 <1>abREST", "<1>ab", 7, false},
		{"octet counting, not whole", "9 <1>ab", "<1>ab", 11, false},
		{"line feed", "<1>ab\r\n<2>", "<1>ab", 7, false},
		{"no end yet", "<1>ab", "", 0, false},
		{"a count alone", "12", "", 0, false},
		{"a count over the limit", "99999 <1>", "", 0, true},
		{"a count that does not end", "1234567", "", 0, true},
		{"something else", "GET / HTTP/1.1", "", 0, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			msg, n, bad := Split([]byte(tc.in))
			if string(msg) != tc.msg || n != tc.n || bad != tc.bad {
				t.Errorf("%q %d %v", msg, n, bad)
			}
		})
	}
	if _, n, bad := Split([]byte(fmt.Sprintf("%d x", MaxMessage))); bad || n != MaxMessage+6 {
		t.Error("at the limit")
	}
	if _, _, bad := Split([]byte(fmt.Sprintf("%d x", MaxMessage+1))); !bad {
		t.Error("one past the limit")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`<134>1 2026-11-22T02:12:10.123+00:00 ws pumpd 123 ALARM [zoo@123 tiger="hungry"] low`))
	f.Add([]byte("<35>Nov 22 02:12:10 ws pumpd[123]: door open"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err == nil && (len(m.Elements) > MaxElements || m.TextLength > len(b) || len(m.Host) > 255 || strings.Contains(m.App, "\n")) {
			t.Fatalf("%+v", m)
		}
		msg, n, bad := Split(b)
		if bad && n != 0 || len(msg) > len(b) || n > MaxMessage+8+len(b) {
			t.Fatalf("%d of %d", n, len(b))
		}
	})
}
