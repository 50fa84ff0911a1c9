// SPDX-License-Identifier: Apache-2.0

package lint_test

import (
	"crypto/x509"
	"net"
	"testing"

	"github.com/asepsis/asepsis/prove/identity/lint"
)

func TestAnAuthorityNamesWhatItsConstraintsPermit(t *testing.T) {
	_, v4, err := net.ParseCIDR("10.20.0.0/16")
	if err != nil {
		t.Fatal(err)
	}
	narrow := &x509.Certificate{PermittedDNSDomains: []string{"st-example.internal"}, PermittedIPRanges: []*net.IPNet{v4}}
	for name, want := range map[string]bool{
		"st-example.internal":          true,
		"gateway.st-example.internal":  true,
		"xst-example.internal":         false,
		"localhost":                    false,
		"10.20.3.2":                    true,
		"::ffff:10.20.3.2":             true,
		"10.21.3.2":                    false,
		"127.0.0.1":                    false,
		"2001:db8::1":                  false,
		"gateway.st-example.internal.": false,
	} {
		if got := lint.MayName(narrow, name); got != want {
			t.Errorf("%s: %v", name, got)
		}
		if !lint.MayName(&x509.Certificate{}, name) {
			t.Errorf("%s: an authority without constraints names everything", name)
		}
	}
}
