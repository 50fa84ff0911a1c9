// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"fmt"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze/analyzetest"
)

// given is what an analyser says about the credential of a login.
func given(t *testing.T, name string, segs []analyzetest.Segment) (known string) {
	t.Helper()
	h, _ := analyzetest.Stream(t, byName(t, name, false), 0, segs)
	for _, e := range h.Events {
		if text := fmt.Sprintf("%+v %+v", e, e.Detail); strings.Contains(text, "toor") || strings.Contains(text, "bigguy") {
			t.Errorf("the password is in the event: %s", text)
		}
		switch d := e.Detail.(type) {
		case *event.FTP:
			if d.DefaultCredential != "" {
				known = d.DefaultCredential
			}
		case *event.Application:
			for _, kv := range d.Attributes {
				if kv.Name == "default_credential" {
					known = kv.Value
				}
			}
		}
	}
	return known
}

func TestALoginWithACredentialAsDeliveredIsNamedWithoutIt(t *testing.T) {
	c, s := analyzetest.C, analyzetest.S
	hello := "\xff\xfb\x01\xff\xfd\x18Operating table (fictional)\r\ntable login: "
	for _, x := range []struct {
		name, protocol string
		segs           []analyzetest.Segment
		want           string
	}{
		{"telnet", "telnet", []analyzetest.Segment{s(hello), c("root\r\n"), s("root\r\nPassword: "), c("toor\r\n"), s("\r\n# ")}, "generic"},
		{"telnet, taken back while typing", "telnet", []analyzetest.Segment{s(hello), c("rooo\x7ft\r\x00"), s("Password: "), c("too\x08or\r\n"), s("# ")}, "generic"},
		{"telnet, refused", "telnet", []analyzetest.Segment{s(hello), c("root\r\n"), s("Password: "), c("toor\r\n"), s("\r\nLogin incorrect\r\n")}, ""},
		{"telnet, at the second try", "telnet", []analyzetest.Segment{s(hello), c("root\r\n"), s("Password: "), c("bigguys\r\n"), s("\r\nLogin incorrect\r\ntable login: "), c("root\r\n"), s("Password: "), c("#bigguy\r\n"), s("# ")}, "ge-optima-ct"},
		{"telnet, another password", "telnet", []analyzetest.Segment{s(hello), c("root\r\n"), s("Password: "), c("7f3k!x\r\n"), s("# ")}, ""},
		{"ftp", "ftp", []analyzetest.Segment{s("220 table FTP\r\n"), c("USER root\r\n"), s("331 password\r\n"), c("PASS toor\r\n"), s("230 in\r\n")}, "generic"},
		{"ftp, refused", "ftp", []analyzetest.Segment{s("220 table FTP\r\n"), c("USER root\r\n"), s("331 password\r\n"), c("PASS toor\r\n"), s("530 no\r\n")}, ""},
		{"ftp, another password", "ftp", []analyzetest.Segment{s("220 table FTP\r\n"), c("USER root\r\n"), s("331 password\r\n"), c("PASS 7f3k\r\n"), s("230 in\r\n")}, ""},
	} {
		for how, segs := range map[string][]analyzetest.Segment{"": x.segs, ", octet by octet": analyzetest.Split(x.segs)} {
			if got := given(t, x.protocol, segs); got != x.want {
				t.Errorf("%s%s: %q, want %q", x.name, how, got, x.want)
			}
		}
	}
}
