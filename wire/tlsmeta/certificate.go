// SPDX-License-Identifier: Apache-2.0

package tlsmeta

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// MaxNames is how many alternative names of a certificate are kept.
const MaxNames = 64

// Certificate is what identity work needs of an X.509 certificate.
type Certificate struct {
	Subject, Issuer     string // RFC 4514
	CommonName          string // of the subject
	Organization        string // of the subject
	OrganizationUnit    string
	IssuerName          string // common name of the issuer, else its organization
	SubjectSerial       string // serialNumber attribute of the subject: often the device's
	Serial              string // hexadecimal
	DNSNames            []string
	IPs                 []string
	URIs                []string
	Emails              []string
	NotBefore, NotAfter time.Time
	SHA256              string // hexadecimal, of the DER
	KeyType             string // "RSA 2048", "ECDSA P-256", "Ed25519"
	KeyBits             int    // of the modulus or the curve, 0 when unknown
	Signature           string // "SHA256-RSA"
	SelfSigned          bool   // issuer equals subject
	IsCA                bool
	// Err says why crypto/x509 refused the certificate. The fields that could
	// be read all the same are set; the fingerprint always is.
	Err error
}

// ParseCertificate reads a DER certificate. It does not verify anything. A
// certificate that violates RFC 5280 is not rejected, see Err: devices with such
// certificates are exactly those that one wants to find.
func ParseCertificate(der []byte) Certificate {
	sum := sha256.Sum256(der)
	c := Certificate{SHA256: hex.EncodeToString(sum[:])}
	x, err := x509.ParseCertificate(der)
	if err != nil {
		c.Err = err
		c.lenient(der)
		return c
	}
	c.subject(x.Subject)
	c.issuer(x.Issuer)
	c.Serial = x.SerialNumber.Text(16)
	c.DNSNames = append(c.DNSNames, x.DNSNames[:min(len(x.DNSNames), MaxNames)]...)
	for _, n := range x.IPAddresses[:min(len(x.IPAddresses), MaxNames)] {
		c.IPs = append(c.IPs, n.String())
	}
	for _, n := range x.URIs[:min(len(x.URIs), MaxNames)] {
		c.URIs = append(c.URIs, n.String())
	}
	c.Emails = append(c.Emails, x.EmailAddresses[:min(len(x.EmailAddresses), MaxNames)]...)
	c.NotBefore, c.NotAfter = x.NotBefore, x.NotAfter
	c.Signature = x.SignatureAlgorithm.String()
	c.IsCA = x.BasicConstraintsValid && x.IsCA
	c.SelfSigned = slices.Equal(x.RawSubject, x.RawIssuer)
	switch k := x.PublicKey.(type) {
	case *rsa.PublicKey:
		c.KeyBits = k.N.BitLen()
		c.KeyType = fmt.Sprintf("RSA %d", c.KeyBits)
	case *ecdsa.PublicKey:
		c.KeyBits = k.Curve.Params().BitSize
		c.KeyType = "ECDSA " + k.Curve.Params().Name
	case ed25519.PublicKey:
		c.KeyType, c.KeyBits = "Ed25519", 8*len(k)
	default:
		c.KeyType = x.PublicKeyAlgorithm.String()
	}
	return c
}

func (c *Certificate) subject(n pkix.Name) {
	c.Subject = n.String()
	c.CommonName = n.CommonName
	c.SubjectSerial = n.SerialNumber
	if len(n.Organization) > 0 {
		c.Organization = n.Organization[0]
	}
	if len(n.OrganizationalUnit) > 0 {
		c.OrganizationUnit = n.OrganizationalUnit[0]
	}
}

func (c *Certificate) issuer(n pkix.Name) {
	c.Issuer = n.String()
	c.IssuerName = n.CommonName
	if c.IssuerName == "" && len(n.Organization) > 0 {
		c.IssuerName = n.Organization[0]
	}
}

// lenient reads serial number, names and validity of a certificate that has the
// outer shape of RFC 5280 §4.1 and breaks its rules further in.
func (c *Certificate) lenient(der []byte) {
	var outer struct {
		TBS asn1.RawValue
		Alg asn1.RawValue
		Sig asn1.RawValue
	}
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		return
	}
	rest := outer.TBS.Bytes
	next := func() (v asn1.RawValue, ok bool) {
		var err error
		rest, err = asn1.Unmarshal(rest, &v)
		return v, err == nil
	}
	v, ok := next()
	if ok && v.Class == asn1.ClassContextSpecific && v.Tag == 0 {
		v, ok = next()
	}
	if !ok || v.Tag != asn1.TagInteger || len(v.Bytes) > 64 {
		return
	}
	c.Serial = new(big.Int).SetBytes(v.Bytes).Text(16)
	if _, ok = next(); !ok { // signature
		return
	}
	issuer, ok1 := next()
	validity, ok2 := next()
	subject, ok3 := next()
	if !ok1 || !ok2 || !ok3 {
		return
	}
	var rdn pkix.RDNSequence
	var name pkix.Name
	if _, err := asn1.Unmarshal(issuer.FullBytes, &rdn); err == nil {
		name.FillFromRDNSequence(&rdn)
		c.issuer(name)
	}
	rdn, name = nil, pkix.Name{}
	if _, err := asn1.Unmarshal(subject.FullBytes, &rdn); err == nil {
		name.FillFromRDNSequence(&rdn)
		c.subject(name)
	}
	c.SelfSigned = slices.Equal(issuer.FullBytes, subject.FullBytes)
	var times struct{ NotBefore, NotAfter time.Time }
	if _, err := asn1.Unmarshal(validity.FullBytes, &times); err == nil {
		c.NotBefore, c.NotAfter = times.NotBefore, times.NotAfter
	}
}
