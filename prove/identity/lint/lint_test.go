// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC)

// chain is a root, an issuing authority and a device, all as they should be.
func chain(t *testing.T) (root, issuing, leaf *x509.Certificate) {
	t.Helper()
	certify := func(c, parent *x509.Certificate, key, by *ecdsa.PrivateKey) *x509.Certificate {
		der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), by)
		if err != nil {
			t.Fatal(err)
		}
		out, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	var keys [3]*ecdsa.PrivateKey
	for i := range keys {
		keys[i], _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	serial := new(big.Int).Lsh(big.NewInt(1), 120)
	ca := x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	r := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "root"}, NotBefore: now, NotAfter: now.AddDate(10, 0, 0), IsCA: true, BasicConstraintsValid: true, MaxPathLen: 1, KeyUsage: ca, SubjectKeyId: []byte{1}}
	root = certify(r, r, keys[0], keys[0])
	_, network, _ := net.ParseCIDR("10.20.0.0/16")
	issuing = certify(&x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "issuing"}, NotBefore: now, NotAfter: now.AddDate(5, 0, 0), IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: ca, SubjectKeyId: []byte{2}, PermittedURIDomains: []string{"or.example"}, PermittedDNSDomains: []string{"or.example"}, PermittedIPRanges: []*net.IPNet{network}, PermittedDNSDomainsCritical: true,
		CRLDistributionPoints: []string{"http://pki.example/root.crl"}}, root, keys[1], keys[0])
	id, _ := url.Parse("spiffe://or.example/device/dev-1")
	mud, _ := asn1.MarshalWithParams("https://mud.example/x", "ia5")
	policy, _ := x509.ParseOID("1.2.3")
	leaf = certify(&x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "dev-1"}, NotBefore: now, NotAfter: now.AddDate(0, 0, 7), BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}, SubjectKeyId: []byte{3}, URIs: []*url.URL{id}, DNSNames: []string{"arm.or.example"}, IPAddresses: []net.IP{{10, 20, 1, 1}},
		Policies: []x509.OID{policy}, OCSPServer: []string{"http://pki.example/ocsp"}, ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 25}, Value: mud}}}, issuing, keys[2], keys[1])
	return root, issuing, leaf
}

func rules(kind Kind, issuer *x509.Certificate) Rules {
	r := Rules{Kind: kind, Issuer: issuer, TrustDomain: "or.example", MaxLifetime: 11 * 366 * 24 * time.Hour, Now: now}
	if kind == Leaf {
		r.Policy, r.Usages, r.KeyUsage, r.Named = "1.2.3", []string{"1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"}, x509.KeyUsageDigitalSignature, true
	}
	return r
}

func TestACertificateAsItShouldBeHasNoProblem(t *testing.T) {
	root, issuing, leaf := chain(t)
	for kind, c := range map[Kind][2]*x509.Certificate{Root: {root, nil}, Issuing: {issuing, root}, Leaf: {leaf, issuing}} {
		if err := Check(c[0], rules(kind, c[1])); err != nil {
			t.Errorf("%s: %v", c[0].Subject.CommonName, err)
		}
	}
}

// TestEachLintFindsItsFault breaks one thing at a time. A lint without a case
// here fails the test.
func TestEachLintFindsItsFault(t *testing.T) {
	type cert = x509.Certificate
	small := func(bits int, e int) *rsa.PublicKey {
		n := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(bits)), big.NewInt(1))
		return &rsa.PublicKey{N: n, E: e}
	}
	uri := func(s string) []*url.URL { u, _ := url.Parse(s); return []*url.URL{u} }
	p224, _ := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	ed, _, _ := ed25519.GenerateKey(rand.Reader)
	cases := []struct {
		lint, name string
		kind       Kind
		change     func(c *cert, r *Rules)
	}{
		{"rfc5280/version", "version 1", Leaf, func(c *cert, _ *Rules) { c.Version = 1 }},
		{"rfc5280/serial-size", "a serial number of 0", Leaf, func(c *cert, _ *Rules) { c.SerialNumber = new(big.Int) }},
		{"rfc5280/serial-size", "21 octets", Root, func(c *cert, _ *Rules) { c.SerialNumber = new(big.Int).Lsh(big.NewInt(1), 159) }},
		{"cabf/serial-entropy", "a counter", Leaf, func(c *cert, _ *Rules) { c.SerialNumber = big.NewInt(17) }},
		{"rfc5280/validity-order", "the end first", Leaf, func(c *cert, _ *Rules) { c.NotAfter = c.NotBefore }},
		{"rfc5280/validity-seconds", "half a second", Leaf, func(c *cert, _ *Rules) { c.NotAfter = c.NotAfter.Add(time.Second / 2) }},
		{"asepsis/lifetime", "a second too long", Leaf, func(_ *cert, r *Rules) { r.MaxLifetime = 7*24*time.Hour - time.Second }},
		{"asepsis/backdated", "begun last week", Leaf, func(_ *cert, r *Rules) { r.Now = now.AddDate(0, 0, 7) }},
		{"asepsis/backdated", "begins tomorrow", Leaf, func(_ *cert, r *Rules) { r.Now = now.AddDate(0, 0, -1) }},
		{"rfc5280/outlives-issuer", "longer than its issuer", Leaf, func(c *cert, _ *Rules) { c.NotAfter = c.NotAfter.AddDate(6, 0, 0) }},
		{"rfc5280/issuer-name", "another issuer's name", Leaf, func(c *cert, _ *Rules) { c.RawIssuer = []byte{0x30, 0} }},
		{"cabf/signature-algorithm", "SHA-1", Leaf, func(c *cert, _ *Rules) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }},
		{"cabf/key-type", "P-224", Leaf, func(c *cert, _ *Rules) { c.PublicKey = p224.Public() }},
		{"cabf/key-type", "Ed25519", Leaf, func(c *cert, _ *Rules) { c.PublicKey = ed }},
		{"cabf/key-type", "RSA for an authority", Issuing, func(c *cert, _ *Rules) { c.PublicKey = small(3072, 65537) }},
		{"cabf/rsa-size", "1024 bits", Leaf, func(c *cert, _ *Rules) { c.PublicKey = small(1024, 65537) }},
		{"cabf/rsa-size", "exponent 3", Leaf, func(c *cert, _ *Rules) { c.PublicKey = small(2048, 3) }},
		{"cabf/rsa-size", "a modulus that 3 divides", Leaf, func(c *cert, _ *Rules) { c.PublicKey = small(2048, 65537) }}, // 2^2048-1
		{"asepsis/key-of-issuer", "the issuer's key", Leaf, func(c *cert, r *Rules) { c.RawSubjectPublicKeyInfo = r.Issuer.RawSubjectPublicKeyInfo }},
		{"rfc5280/key-usage-leaf", "a device that signs certificates", Leaf, func(c *cert, _ *Rules) { c.KeyUsage |= x509.KeyUsageCertSign }},
		{"rfc5280/key-usage-leaf", "key agreement", Leaf, func(c *cert, _ *Rules) { c.KeyUsage |= x509.KeyUsageKeyAgreement }},
		{"rfc5280/key-usage-ca", "an authority that signs no CRL", Issuing, func(c *cert, _ *Rules) { c.KeyUsage = x509.KeyUsageCertSign }},
		{"rfc5280/basic-constraints-leaf", "a device that is an authority", Leaf, func(c *cert, _ *Rules) { c.IsCA = true }},
		{"rfc5280/basic-constraints-ca", "an authority that does not say so", Root, func(c *cert, _ *Rules) { c.IsCA = false }},
		{"cabf/path-length", "authorities below an issuing one", Issuing, func(c *cert, _ *Rules) { c.MaxPathLen, c.MaxPathLenZero = 1, false }},
		{"cabf/path-length", "a root without a limit", Root, func(c *cert, _ *Rules) { c.MaxPathLen = -1 }},
		{"rfc5280/critical", "key usage that may be passed over", Leaf, func(c *cert, _ *Rules) {
			for i := range c.Extensions {
				c.Extensions[i].Critical = false
			}
		}},
		{"rfc5280/unknown-critical", "what nobody knows", Leaf, func(c *cert, _ *Rules) { c.UnhandledCriticalExtensions = []asn1.ObjectIdentifier{{1, 2}} }},
		{"rfc5280/subject-key-id", "none", Leaf, func(c *cert, _ *Rules) { c.SubjectKeyId = nil }},
		{"rfc5280/authority-key-id", "of another", Leaf, func(c *cert, _ *Rules) { c.AuthorityKeyId = []byte{9} }},
		{"cabf/any-usage", "anything", Leaf, func(c *cert, _ *Rules) { c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageAny) }},
		{"asepsis/usages", "code signing", Leaf, func(c *cert, _ *Rules) { c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageCodeSigning) }},
		{"asepsis/usages", "one missing", Leaf, func(c *cert, _ *Rules) { c.ExtKeyUsage = c.ExtKeyUsage[:1] }},
		{"asepsis/policy", "no policy", Leaf, func(c *cert, _ *Rules) { c.Policies = nil }},
		{"cabf/status", "nowhere to ask", Leaf, func(c *cert, _ *Rules) { c.OCSPServer = nil }},
		{"cabf/status-url", "a file", Leaf, func(c *cert, _ *Rules) { c.OCSPServer = []string{"file:///etc/passwd"} }},
		{"asepsis/constraints", "an authority for all names", Issuing, func(c *cert, _ *Rules) { c.PermittedURIDomains = nil }},
		{"rfc5280/subject", "nobody", Leaf, func(c *cert, _ *Rules) { c.Subject.CommonName = "" }},
		{"rfc5280/subject-size", "65 characters", Leaf, func(c *cert, _ *Rules) { c.Subject.Names[0].Value = strings.Repeat("x", 65) }},
		{"cabf/subject-text", "a control character", Leaf, func(c *cert, _ *Rules) { c.Subject.Names[0].Value = "dev\x1b[31m" }},
		{"spiffe/one-uri", "two", Leaf, func(c *cert, _ *Rules) { c.URIs = append(c.URIs, c.URIs[0]) }},
		{"spiffe/id", "of another trust domain", Leaf, func(c *cert, _ *Rules) { c.URIs = uri("spiffe://other.example/device/dev-1") }},
		{"spiffe/id", "a web address", Leaf, func(c *cert, _ *Rules) { c.URIs = uri("https://or.example/device/dev-1") }},
		{"spiffe/id", "with a query", Leaf, func(c *cert, _ *Rules) { c.URIs = uri("spiffe://or.example/device/dev-1?x") }},
		{"spiffe/id", "with dots", Leaf, func(c *cert, _ *Rules) { c.URIs = uri("spiffe://or.example/device/../dev-1") }},
		{"spiffe/id", "without a path", Leaf, func(c *cert, _ *Rules) { c.URIs = uri("spiffe://or.example") }},
		{"cabf/dns-name", "a wildcard", Leaf, func(c *cert, _ *Rules) { c.DNSNames = []string{"*.or.example"} }},
		{"cabf/dns-name", "an underscore", Leaf, func(c *cert, _ *Rules) { c.DNSNames = []string{"a_b.or.example"} }},
		{"cabf/dns-name", "an address", Leaf, func(c *cert, _ *Rules) { c.DNSNames = []string{"10.20.1.1"} }},
		{"cabf/dns-name", "a dot at the end", Leaf, func(c *cert, _ *Rules) { c.DNSNames = []string{"arm.or.example."} }},
		{"cabf/dns-name", "capitals", Leaf, func(c *cert, _ *Rules) { c.DNSNames = []string{"ARM.or.example"} }},
		{"cabf/address", "everywhere", Leaf, func(c *cert, _ *Rules) { c.IPAddresses = []net.IP{{0, 0, 0, 0}} }},
		{"rfc5280/no-mail", "a mail address", Leaf, func(c *cert, _ *Rules) { c.EmailAddresses = []string{"arm@or.example"} }},
		{"rfc9525/named", "a server without a name", Leaf, func(c *cert, _ *Rules) { c.DNSNames, c.IPAddresses = nil, nil }},
		{"cabf/too-many-names", "33 names", Leaf, func(c *cert, _ *Rules) { c.DNSNames = slices.Repeat([]string{"arm.or.example"}, 33) }},
		{"rfc5280/name-constraints", "a name elsewhere", Leaf, func(c *cert, _ *Rules) { c.DNSNames = []string{"evilor.example"} }},
		{"rfc5280/name-constraints", "an address elsewhere", Leaf, func(c *cert, _ *Rules) { c.IPAddresses = []net.IP{{10, 21, 0, 1}} }},
		{"rfc8520/mud-url", "in clear", Leaf, func(c *cert, _ *Rules) {
			for i, e := range c.Extensions {
				if e.Id.String() == MUD {
					c.Extensions[i].Value, _ = asn1.MarshalWithParams("http://mud.example/x", "ia5")
				}
			}
		}},
	}
	tried := map[string]bool{}
	for _, c := range cases {
		tried[c.lint] = true
		root, issuing, leaf := chain(t)
		subject, parent := leaf, issuing
		switch c.kind {
		case Root:
			subject, parent = root, nil
		case Issuing:
			subject, parent = issuing, root
		}
		r := rules(c.kind, parent)
		c.change(subject, &r)
		err := Check(subject, r)
		var found Problems
		if !errors.As(err, &found) || !slices.ContainsFunc(found, func(p Problem) bool { return p.Lint == c.lint && p.Source != "" }) {
			t.Errorf("%s, %s: %v", c.lint, c.name, err)
		}
	}
	for _, n := range Names() {
		if !tried[n] {
			t.Errorf("%s has no bad case", n)
		}
	}
}
