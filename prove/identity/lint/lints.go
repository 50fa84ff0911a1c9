// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
)

// lints is the list. An ID names the document first.
func lints() []lint {
	return slices.Concat(basicLints(), keyLints(), extensionLints(), nameLints())
}

func basicLints() []lint {
	return []lint{
		{"rfc5280/version", "RFC 5280 §4.1.2.1", all, func(c *x509.Certificate, _ *Rules) string {
			if c.Version != 3 {
				return fmt.Sprintf("version %d, want 3", c.Version)
			}
			return ""
		}},
		{"rfc5280/serial-size", "RFC 5280 §4.1.2.2", all, func(c *x509.Certificate, _ *Rules) string {
			switch {
			case c.SerialNumber == nil || c.SerialNumber.Sign() <= 0:
				return "the serial number is not positive"
			case c.SerialNumber.BitLen() > 159: // 20 octets with the sign
				return fmt.Sprintf("the serial number has %d bits, at most 159", c.SerialNumber.BitLen())
			}
			return ""
		}},
		// 64 bits from a generator give fewer in one of 2^16 cases only below 48.
		{"cabf/serial-entropy", "CA/B BR §7.1", all, func(c *x509.Certificate, _ *Rules) string {
			if c.SerialNumber != nil && c.SerialNumber.BitLen() < 64 {
				return fmt.Sprintf("the serial number has %d bits, want 64 random ones", c.SerialNumber.BitLen())
			}
			return ""
		}},
		{"rfc5280/validity-order", "RFC 5280 §4.1.2.5", all, func(c *x509.Certificate, _ *Rules) string {
			if !c.NotAfter.After(c.NotBefore) {
				return "it ends before it begins"
			}
			return ""
		}},
		{"rfc5280/validity-seconds", "RFC 5280 §4.1.2.5.1", all, func(c *x509.Certificate, _ *Rules) string {
			if c.NotBefore.Nanosecond() != 0 || c.NotAfter.Nanosecond() != 0 {
				return "times have fractions of a second"
			}
			return ""
		}},
		{"asepsis/lifetime", "docs/identity.md, profiles", all, func(c *x509.Certificate, r *Rules) string {
			if d := c.NotAfter.Sub(c.NotBefore); r.MaxLifetime > 0 && d > r.MaxLifetime {
				return fmt.Sprintf("valid for %s, at most %s", d, r.MaxLifetime)
			}
			return ""
		}},
		{"asepsis/backdated", "CA/B BR §7.1.2.7", all, func(c *x509.Certificate, r *Rules) string {
			if r.Now.Sub(c.NotBefore) > 48*time.Hour || c.NotBefore.Sub(r.Now) > time.Minute {
				return fmt.Sprintf("begins %s, now is %s", c.NotBefore.UTC().Format(time.RFC3339), r.Now.UTC().Format(time.RFC3339))
			}
			return ""
		}},
		{"rfc5280/outlives-issuer", "RFC 5280 §6.1.3", Leaf | Issuing, func(c *x509.Certificate, r *Rules) string {
			if c.NotAfter.After(r.Issuer.NotAfter) || c.NotBefore.Before(r.Issuer.NotBefore) {
				return "it is valid when its issuer is not"
			}
			return ""
		}},
		{"rfc5280/issuer-name", "RFC 5280 §4.1.2.4", all, func(c *x509.Certificate, r *Rules) string {
			want := c.RawSubject
			if r.Issuer != nil {
				want = r.Issuer.RawSubject
			}
			if !bytes.Equal(c.RawIssuer, want) {
				return "the issuer's name is not the subject of the issuer"
			}
			return ""
		}},
		{"cabf/signature-algorithm", "CA/B BR §7.1.3.2", all, func(c *x509.Certificate, _ *Rules) string {
			switch c.SignatureAlgorithm {
			case x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512, x509.SHA256WithRSA, x509.SHA384WithRSA:
				return ""
			}
			return "signed with " + c.SignatureAlgorithm.String()
		}},
	}
}

func keyLints() []lint {
	return []lint{
		{"cabf/key-type", "CA/B BR §6.1.5", all, func(c *x509.Certificate, r *Rules) string {
			switch k := c.PublicKey.(type) {
			case *ecdsa.PublicKey:
				if k.Curve != elliptic.P256() && k.Curve != elliptic.P384() {
					return "a key on " + k.Params().Name + ", want P-256 or P-384"
				}
				return ""
			case *rsa.PublicKey:
				if r.Kind == Leaf {
					return ""
				}
			}
			return fmt.Sprintf("a key of type %T, want ECDSA P-256 or P-384", c.PublicKey)
		}},
		{"cabf/rsa-size", "CA/B BR §6.1.5, §6.1.6", Leaf, func(c *x509.Certificate, _ *Rules) string {
			k, ok := c.PublicKey.(*rsa.PublicKey)
			switch {
			case !ok:
			case k.N.BitLen() < 2048 || k.N.BitLen() > 4096 || k.N.BitLen()%8 != 0:
				return fmt.Sprintf("an RSA key of %d bits, want 2048 to 4096", k.N.BitLen())
			case k.E < 65537 || k.E%2 == 0:
				return fmt.Sprintf("an RSA key with exponent %d, want 65537 or more, odd", k.E)
			case k.N.Bit(0) == 0 || smallFactor(k):
				return "an RSA key whose modulus has a small factor"
			}
			return ""
		}},
		{"asepsis/key-of-issuer", "docs/identity.md, lints", Leaf | Issuing, func(c *x509.Certificate, r *Rules) string {
			if bytes.Equal(c.RawSubjectPublicKeyInfo, r.Issuer.RawSubjectPublicKeyInfo) {
				return "its key is that of its issuer"
			}
			return ""
		}},
		{"rfc5280/key-usage-leaf", "RFC 5280 §4.2.1.3, RFC 8813 §3", Leaf, func(c *x509.Certificate, r *Rules) string {
			switch {
			case c.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0:
				return "a device may not sign certificates"
			case c.KeyUsage != r.KeyUsage:
				return fmt.Sprintf("key usage %#x, want %#x", c.KeyUsage, r.KeyUsage)
			}
			return ""
		}},
		{"rfc5280/key-usage-ca", "RFC 5280 §4.2.1.3", Issuing | Root, func(c *x509.Certificate, _ *Rules) string {
			if want := x509.KeyUsageCertSign | x509.KeyUsageCRLSign; c.KeyUsage&want != want {
				return "an authority without keyCertSign and cRLSign"
			}
			return ""
		}},
	}
}

// smallFactor finds a modulus that one of the first primes divides.
func smallFactor(k *rsa.PublicKey) bool {
	const product = 3 * 5 * 7 * 11 * 13 * 17 * 19 * 23 * 29 * 31 * 37 * 41 * 43 * 47 // fits 64 bits
	rest := remainder(k, product)
	for _, p := range []uint64{3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47} {
		if rest%p == 0 {
			return true
		}
	}
	return false
}

func extensionLints() []lint {
	return []lint{
		{"rfc5280/basic-constraints-leaf", "RFC 5280 §4.2.1.9", Leaf, func(c *x509.Certificate, _ *Rules) string {
			if c.IsCA || !c.BasicConstraintsValid {
				return "basic constraints do not say that it is no authority"
			}
			return ""
		}},
		{"rfc5280/basic-constraints-ca", "RFC 5280 §4.2.1.9", Issuing | Root, func(c *x509.Certificate, _ *Rules) string {
			if !c.IsCA || !c.BasicConstraintsValid {
				return "an authority whose basic constraints do not say so"
			}
			return ""
		}},
		{"cabf/path-length", "RFC 5280 §4.2.1.9", Issuing | Root, func(c *x509.Certificate, r *Rules) string {
			want := 0
			if r.Kind == Root {
				want = 1
			}
			if c.MaxPathLen != want || want == 0 && !c.MaxPathLenZero {
				return fmt.Sprintf("path length %d, want %d", c.MaxPathLen, want)
			}
			return ""
		}},
		{"rfc5280/critical", "RFC 5280 §4.2.1.3, §4.2.1.9, §4.2.1.10", all, func(c *x509.Certificate, _ *Rules) string {
			for _, e := range c.Extensions {
				switch e.Id.String() {
				case "2.5.29.15", "2.5.29.19", "2.5.29.30": // key usage, basic constraints, name constraints
					if !e.Critical {
						return "extension " + e.Id.String() + " is not critical"
					}
				}
			}
			return ""
		}},
		{"rfc5280/unknown-critical", "RFC 5280 §4.2", all, func(c *x509.Certificate, _ *Rules) string {
			if len(c.UnhandledCriticalExtensions) > 0 {
				return "extension " + c.UnhandledCriticalExtensions[0].String() + " is critical and nobody knows it"
			}
			return ""
		}},
		{"rfc5280/subject-key-id", "RFC 5280 §4.2.1.2", all, func(c *x509.Certificate, _ *Rules) string {
			if len(c.SubjectKeyId) == 0 {
				return "no subject key identifier"
			}
			return ""
		}},
		{"rfc5280/authority-key-id", "RFC 5280 §4.2.1.1", Leaf | Issuing, func(c *x509.Certificate, r *Rules) string {
			if len(c.AuthorityKeyId) == 0 || !bytes.Equal(c.AuthorityKeyId, r.Issuer.SubjectKeyId) {
				return "the authority key identifier is not that of the issuer"
			}
			return ""
		}},
		{"cabf/any-usage", "CA/B BR §7.1.2.7.10", Leaf, func(c *x509.Certificate, _ *Rules) string {
			if slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny) {
				return "anyExtendedKeyUsage"
			}
			return ""
		}},
		{"asepsis/usages", "docs/identity.md, profiles", Leaf, func(c *x509.Certificate, r *Rules) string {
			have := usages(c)
			if !slices.Equal(slices.Sorted(slices.Values(have)), slices.Sorted(slices.Values(r.Usages))) {
				return fmt.Sprintf("extended key usages %v, want %v", have, r.Usages)
			}
			return ""
		}},
		{"asepsis/policy", "RFC 5280 §4.2.1.4; docs/identity.md, profiles", Leaf, func(c *x509.Certificate, r *Rules) string {
			if r.Policy != "" && (len(c.Policies) != 1 || c.Policies[0].String() != r.Policy) {
				return fmt.Sprintf("policies %v, want that of the profile, %s", c.Policies, r.Policy)
			}
			return ""
		}},
		{"cabf/status", "CA/B BR §7.1.2.11.2", Leaf | Issuing, func(c *x509.Certificate, r *Rules) string {
			if !r.Responder && len(c.CRLDistributionPoints) == 0 && len(c.OCSPServer) == 0 && len(r.Issuer.CRLDistributionPoints) > 0 {
				return "it does not say where its revocation is told, though its issuer does"
			}
			return ""
		}},
		{"cabf/status-url", "CA/B BR §7.1.2.11.2", Leaf | Issuing, func(c *x509.Certificate, _ *Rules) string {
			for _, s := range slices.Concat(c.CRLDistributionPoints, c.OCSPServer, c.IssuingCertificateURL) {
				if u, err := url.Parse(s); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
					return fmt.Sprintf("%q is no address on the web", s)
				}
			}
			return ""
		}},
		{"asepsis/constraints", "RFC 5280 §4.2.1.10", Issuing, func(c *x509.Certificate, r *Rules) string {
			if !slices.Contains(c.PermittedURIDomains, r.TrustDomain) || !c.PermittedDNSDomainsCritical {
				return "its names are not constrained to the trust domain " + r.TrustDomain
			}
			return ""
		}},
	}
}

// usages are the extended key usages as OIDs.
func usages(c *x509.Certificate) []string {
	var out []string
	for _, u := range c.ExtKeyUsage {
		out = append(out, u.OID().String())
	}
	for _, u := range c.UnknownExtKeyUsage {
		out = append(out, u.String())
	}
	return out
}

// printable reports whether text has no control characters and no spaces around.
func printable(s string) bool {
	return s == strings.TrimSpace(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar })
}
