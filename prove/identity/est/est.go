// SPDX-License-Identifier: Apache-2.0

// Package est is Enrolment over Secure Transport (RFC 7030, as RFC 8951 made it
// clear): how devices get their first certificate and renew it.
//
// The server answers
//
//	GET  /.well-known/est/cacerts         root and issuing authorities
//	GET  /.well-known/est/csrattrs        which key a CSR should have
//	POST /.well-known/est/simpleenroll    first certificate
//	POST /.well-known/est/simplereenroll  renewal
//
// A first certificate costs one of: an enrolment code, as the password of HTTP
// Basic authentication with any user name; or a client certificate of a
// manufacturer that is configured, where the device is expected by its serial
// number. A renewal costs the certificate that is renewed. What the certificate will
// be is decided by the code, the expectation or the certificate; of the CSR
// only the key counts, and a CSR that asks for names which the device does not
// get is refused.
//
// Wrong codes are limited for each address and for all together, renewals for
// each device.
//
// What is not done: serverkeygen and fullcmc (optional in RFC 7030); binding a CSR to
// its TLS connection (§3.5: tls-unique does not exist in TLS 1.3); labels.
package est

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/smallstep/pkcs7"
)

// Root is where the operations are (RFC 7030 §3.2.2).
const Root = "/.well-known/est/"

// Limits.
const (
	MaxRequest  = 64 << 10 // of a body
	MaxResponse = 1 << 20
	maxCerts    = 32
)

// encode is base64 in lines, as RFC 4648 §4 with the line ends that old clients
// want and RFC 8951 §3 has clients accept.
func encode(der []byte) []byte {
	s := base64.StdEncoding.EncodeToString(der)
	var b bytes.Buffer
	for len(s) > 0 {
		n := min(64, len(s))
		b.WriteString(s[:n] + "\r\n")
		s = s[n:]
	}
	return b.Bytes()
}

// decode is base64 with white space anywhere. Clients that send PEM or DER are
// understood as well.
func decode(b []byte) ([]byte, error) {
	if len(b) > 0 && b[0] == 0x30 && !isText(b) {
		return b, nil
	}
	text := string(b)
	if strings.Contains(text, "-----BEGIN") {
		return b, nil // ParseCSR reads PEM
	}
	out, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, fmt.Errorf("the body is no base64: %w", err)
	}
	if len(out) == 0 {
		return nil, errors.New("the body is empty")
	}
	return out, nil
}

func isText(b []byte) bool {
	for _, c := range b[:min(len(b), 64)] {
		if c > 0x7e || c < 0x20 && c != '\r' && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}

// certsOnly is a degenerate SignedData (RFC 8951 §4: certificates, and nothing
// signed).
func certsOnly(certs ...*x509.Certificate) ([]byte, error) {
	var der []byte
	for _, c := range certs {
		der = append(der, c.Raw...)
	}
	return pkcs7.DegenerateCertificate(der)
}

// readCerts reads what certsOnly makes.
func readCerts(body []byte) ([]*x509.Certificate, error) {
	der, err := decode(body)
	if err != nil {
		return nil, err
	}
	p, err := pkcs7.Parse(der)
	if err != nil {
		return nil, fmt.Errorf("no certs-only PKCS #7: %w", err)
	}
	if n := len(p.Certificates); n == 0 || n > maxCerts {
		return nil, fmt.Errorf("%d certificates, want 1 to %d", n, maxCerts)
	}
	return p.Certificates, nil
}

// csrAttributes asks for an ECDSA key on the site's curve (RFC 8951 §5, RFC 9908).
func csrAttributes(curve string) ([]byte, error) {
	oid := asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}
	signed := asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	if curve == "P-384" {
		oid, signed = asn1.ObjectIdentifier{1, 3, 132, 0, 34}, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}
	}
	key, err := asn1.Marshal(struct {
		Type   asn1.ObjectIdentifier
		Values []asn1.ObjectIdentifier `asn1:"set"`
	}{asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, []asn1.ObjectIdentifier{oid}})
	if err != nil {
		return nil, err
	}
	algorithm, err := asn1.Marshal(signed)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal([]asn1.RawValue{{FullBytes: key}, {FullBytes: algorithm}})
}
