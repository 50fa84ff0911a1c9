// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"crypto/x509"
	"net/netip"
	"slices"
)

// MayName reports whether an issuing authority may put a DNS name or an address into a certificate: whether its name
// constraints permit it (RFC 5280 §4.2.1.10).
func MayName(issuer *x509.Certificate, name string) bool {
	ip, err := netip.ParseAddr(name)
	if err != nil {
		p := issuer.PermittedDNSDomains
		return len(p) == 0 || slices.ContainsFunc(p, func(d string) bool { return within(name, d) })
	}
	p := issuer.PermittedIPRanges
	for _, n := range p {
		if n.Contains(ip.Unmap().AsSlice()) {
			return true
		}
	}
	return len(p) == 0
}
