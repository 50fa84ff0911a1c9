// SPDX-License-Identifier: Apache-2.0

package credentials_test

import (
	"strings"
	"testing"

	"github.com/asepsis/asepsis/see/sensor/credentials"
)

func TestAKnownCredentialIsNamedAndNoOtherIs(t *testing.T) {
	for _, c := range []struct{ service, user, password, want string }{
		{"telnet", "admin", "admin", "generic"},
		{"http", "orthanc", "orthanc", "orthanc"},
		{"telnet", "orthanc", "orthanc", ""},   // another service
		{"http", "orthanc", "Orthanc", ""},     // another password
		{"http", "orthanc\x00", "orthanc", ""}, // another split
		{"telnet", "admin", "correct horse battery staple", ""},
		{"telnet", strings.Repeat("a", 200), "admin", ""},
		{"", "admin", "admin", ""},
	} {
		if got := credentials.Known(c.service, []byte(c.user), []byte(c.password)); got != c.want {
			t.Errorf("%s %q %q is %q, want %q", c.service, c.user, c.password, got, c.want)
		}
	}
}

func TestEachEntrySaysWhereItIsFrom(t *testing.T) {
	list := credentials.Entries()
	if len(list) < 15 {
		t.Fatalf("%d entries", len(list))
	}
	for _, e := range list {
		if e.Name == "" || e.Vendor == "" || e.Product == "" || e.Source == "" || len(e.Services) == 0 {
			t.Errorf("%+v", e)
		}
		for _, s := range e.Services {
			switch s {
			case "telnet", "ftp", "http":
			default:
				t.Errorf("%s: service %q", e.Name, s)
			}
		}
	}
}

func BenchmarkKnown(b *testing.B) {
	user, password := []byte("petra"), []byte("something else")
	b.ReportAllocs()
	for b.Loop() {
		if credentials.Known("http", user, password) != "" {
			b.Fatal("known")
		}
	}
}
