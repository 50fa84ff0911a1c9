// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net/netip"
)

// Renew issues the certificate that follows one which its holder has shown: for
// the same device, profile and names, with the key of the CSR. It gets the
// profile's usual lifetime: who can renew needs no long life.
//
// What has ended or was revoked is not renewed.
func (a *Authority) Renew(ctx context.Context, shown *x509.Certificate, csr *x509.CertificateRequest, via string) (*Issued, error) {
	have, err := a.Verify(ctx, shown)
	if err != nil {
		return nil, err
	}
	// RFC 7030 §4.2.2: subject and names are those of the certificate that is
	// renewed. A device that names nothing means the same.
	if empty := []byte{0x30, 0}; !bytes.Equal(csr.RawSubject, shown.RawSubject) && !bytes.Equal(csr.RawSubject, empty) {
		return nil, refuse(BadRequest, "the subject of the request must be that of the certificate, or empty", "the request is for %q, the certificate for %q", csr.Subject, shown.Subject)
	}
	if len(csr.URIs) > 1 || len(csr.URIs) == 1 && csr.URIs[0].String() != have.SPIFFE {
		return nil, refuse(BadRequest, "", "the request names %v, the certificate %s", csr.URIs, have.SPIFFE)
	}
	sum := sha256.Sum256(shown.Raw)
	device, service, ok := Who(shown, a.Site().TrustDomain)
	if !ok {
		return nil, refuse(NotAllowed, "", "the certificate %s names no device or service", have.Serial)
	}
	r := Request{Profile: have.Profile, Device: device, Service: service, Public: csr.PublicKey, DNS: shown.DNSNames, MUD: MUDOf(shown), Via: via, Renews: have.Serial, By: Actor{Device: device, Certificate: hex.EncodeToString(sum[:])}}
	for _, ip := range shown.IPAddresses {
		addr, ok := netip.AddrFromSlice(ip)
		if !ok {
			return nil, fmt.Errorf("certificate %s: address %v", have.Serial, ip)
		}
		r.Addresses = append(r.Addresses, addr.Unmap())
	}
	if err := WithinCSR(csr, &r); err != nil {
		return nil, err
	}
	return a.Issue(ctx, r)
}
