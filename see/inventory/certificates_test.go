// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/device"
)

// presents is a certificate, named by its first letter, that ends on a day of 2027.
func presents(after time.Duration, service, name string, day int) seen {
	c := device.Certificate{Service: service, NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2027, 1, day, 0, 0, 0, 0, time.UTC),
		KeyType: "RSA", KeyBits: 2048, SHA256: strings.Repeat(name, 32), Issuer: "Example CA"}
	return seen{after, "00:1b:21:00:00:01", "10.1.1.1", 0, device.AttrCertificate, c.String(), "tls.certificate", device.Verified}
}

func TestADeviceShowsTheCertificatesThatItPresentsNow(t *testing.T) {
	const h = time.Hour
	for _, tt := range []struct {
		name string
		seen []seen
		want []string // service, name and day of those shown
	}{
		{"one", []seen{presents(0, "https/tcp:443", "aa", 5)}, []string{"https/tcp:443 aa 5"}},
		{"the first to expire of several services comes first",
			[]seen{presents(0, "https/tcp:443", "aa", 9), presents(h, "ldap/tcp:636", "bb", 5), presents(h, "tls/client", "cc", 7)},
			[]string{"ldap/tcp:636 bb 5", "tls/client cc 7", "https/tcp:443 aa 9"}},
		{"a renewed one replaces the one before",
			[]seen{presents(0, "https/tcp:443", "aa", 5), presents(h, "https/tcp:443", "aa", 5), presents(2*h, "https/tcp:443", "bb", 25)},
			[]string{"https/tcp:443 bb 25"}},
		{"on its own service only",
			[]seen{presents(0, "https/tcp:443", "aa", 5), presents(2*h, "ldap/tcp:636", "bb", 25)},
			[]string{"https/tcp:443 aa 5", "ldap/tcp:636 bb 25"}},
		{"two names of one server have one each",
			[]seen{presents(0, "https/tcp:443", "aa", 5), presents(h, "https/tcp:443", "bb", 25), presents(2*h, "https/tcp:443", "aa", 5)},
			[]string{"https/tcp:443 aa 5", "https/tcp:443 bb 25"}},
		{"one of them is gone for a day",
			[]seen{presents(0, "https/tcp:443", "aa", 5), presents(h, "https/tcp:443", "bb", 25), presents(2*h, "https/tcp:443", "aa", 5), presents(30*h, "https/tcp:443", "bb", 25)},
			[]string{"https/tcp:443 bb 25"}},
		{"the old one is put back",
			[]seen{presents(0, "https/tcp:443", "aa", 5), presents(h, "https/tcp:443", "bb", 25), presents(26*h, "https/tcp:443", "aa", 5)},
			[]string{"https/tcp:443 aa 5"}},
	} {
		for range 2 {
			d := inv(t, tt.seen).Devices()[0]
			var got []string
			for _, c := range d.Certs {
				got = append(got, fmt.Sprintf("%s %.2s %d", c.Service, c.SHA256, c.NotAfter.Day()))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
			}
			f := d.Facts[device.AttrCertificate]
			if f.Value != d.Certs[0].String() || f.Confidence != device.Verified || !slices.Equal(f.Sources, []string{"tls.certificate"}) {
				t.Errorf("%s: fact %+v", tt.name, f)
			}
			if d.Certs[0].Issuer != "Example CA" || d.Certs[0].Source != "tls.certificate" || d.Certs[0].First == 0 {
				t.Errorf("%s: %+v", tt.name, d.Certs[0])
			}
			slices.Reverse(tt.seen) // the order of observation does not matter
		}
	}
}

func TestEvidenceThatIsNoCertificateIsNoCertificate(t *testing.T) {
	d := inv(t, []seen{{0, "00:1b:21:00:00:01", "10.1.1.1", 0, device.AttrCertificate, "of another form", "tls.certificate", device.Verified}}).Devices()[0]
	if _, ok := d.Facts[device.AttrCertificate]; ok || d.Certs != nil {
		t.Errorf("%+v", d.Certs)
	}
}
