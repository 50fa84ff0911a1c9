// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"math/big"
	"net/url"
	"regexp"
	"strings"
)

// MaxID bounds a device's ID and a service's name.
const MaxID = 64

var (
	validID     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	validDomain = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)
)

// SPIFFEID is the URI of a device: spiffe://<trust domain>/device/<id>.
func SPIFFEID(domain, device string) string { return "spiffe://" + domain + "/device/" + device }

// serviceID is the URI of what is no device: one of our own processes.
func serviceID(domain, name string) string { return "spiffe://" + domain + "/infrastructure/" + name }

// Who says whose certificate it is: of a device, or of a service of ours. ok is
// false when it carries no SPIFFE ID of the trust domain.
func Who(c *x509.Certificate, domain string) (device, service string, ok bool) {
	if len(c.URIs) != 1 || c.URIs[0].Scheme != "spiffe" || c.URIs[0].Host != domain {
		return "", "", false
	}
	kind, id, found := strings.Cut(strings.TrimPrefix(c.URIs[0].Path, "/"), "/")
	if !found || !validID.MatchString(id) || len(id) > MaxID {
		return "", "", false
	}
	switch kind {
	case "device":
		return id, "", true
	case "infrastructure":
		return "", id, true
	}
	return "", "", false
}

// SerialString writes a serial number as everything here does: hexadecimal, lower
// case, without leading zeros.
func SerialString(n *big.Int) string { return n.Text(16) }

// ParseSerial reads what SerialString writes, and what openssl and browsers
// show: upper case, colons, leading zeros.
func ParseSerial(s string) (string, error) {
	n, ok := new(big.Int).SetString(strings.ReplaceAll(strings.TrimPrefix(s, "0x"), ":", ""), 16)
	if !ok || n.Sign() <= 0 || n.BitLen() > 159 {
		return "", refuse(BadRequest, "asepsis ca list shows serial numbers", "%q is no serial number", s)
	}
	return SerialString(n), nil
}

// KeyID is a subject key identifier as issuers are named here: hexadecimal.
func KeyID(b []byte) string { return hex.EncodeToString(b) }

var (
	oidMUD      = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 25}
	oidFreshest = asn1.ObjectIdentifier{2, 5, 29, 46}
	oidNoCheck  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}
)

// mudExtension is RFC 8520 §11: an IA5String, not critical.
func mudExtension(address string) (pkix.Extension, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return pkix.Extension{}, refuse(BadRequest, "https://mud.example.com/model.json", "the MUD URL %q is no https address", address)
	}
	b, err := asn1.MarshalWithParams(address, "ia5")
	if err != nil {
		return pkix.Extension{}, refuse(BadRequest, "", "the MUD URL: %w", err)
	}
	return pkix.Extension{Id: oidMUD, Value: b}, nil
}

// MUDOf returns the MUD URL of a certificate, "" for none.
func MUDOf(c *x509.Certificate) string {
	for _, e := range c.Extensions {
		if e.Id.Equal(oidMUD) {
			var s string
			if rest, err := asn1.UnmarshalWithParams(e.Value, &s, "ia5"); err == nil && len(rest) == 0 {
				return s
			}
		}
	}
	return ""
}

// distributionPoint is one element of CRLDistributionPoints (RFC 5280
// §4.2.1.13), whose shape the freshest CRL extension has too.
type distributionPoint struct {
	Name struct {
		Full []asn1.RawValue `asn1:"optional,tag:0"`
	} `asn1:"optional,tag:0"`
}

// freshestExtension says where the delta CRL is (RFC 5280 §4.2.1.15).
func freshestExtension(address string) (pkix.Extension, error) {
	var p distributionPoint
	p.Name.Full = []asn1.RawValue{{Tag: 6, Class: asn1.ClassContextSpecific, Bytes: []byte(address)}}
	b, err := asn1.Marshal([]distributionPoint{p})
	if err != nil {
		return pkix.Extension{}, fmt.Errorf("freshest CRL: %w", err)
	}
	return pkix.Extension{Id: oidFreshest, Value: b}, nil
}

func checkID(what, id string) error {
	if len(id) > MaxID || !validID.MatchString(id) {
		return refuse(BadRequest, "letters, digits, dot, - and _, at most 64, as in dev-4h2k...", "%s %q cannot be one", what, id)
	}
	return nil
}
