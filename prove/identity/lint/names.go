// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// MUD is the extension that carries the MUD URL (RFC 8520 §11).
const MUD = "1.3.6.1.5.5.7.1.25"

func nameLints() []lint {
	return []lint{
		{"rfc5280/subject", "RFC 5280 §4.1.2.6", all, func(c *x509.Certificate, _ *Rules) string {
			if c.Subject.CommonName == "" {
				return "no common name"
			}
			return ""
		}},
		{"rfc5280/subject-size", "RFC 5280 appendix A.1, upper bounds", all, func(c *x509.Certificate, _ *Rules) string {
			for _, a := range c.Subject.Names {
				s, ok := a.Value.(string)
				if !ok || s == "" || len([]rune(s)) > 64 {
					return fmt.Sprintf("attribute %s is empty, no text or longer than 64 characters", a.Type)
				}
			}
			return ""
		}},
		{"cabf/subject-text", "CA/B BR §7.1.4", all, func(c *x509.Certificate, _ *Rules) string {
			for _, a := range c.Subject.Names {
				if s, ok := a.Value.(string); ok && !printable(s) {
					return fmt.Sprintf("attribute %s has characters that cannot be seen", a.Type)
				}
			}
			return ""
		}},
		{"spiffe/one-uri", "SPIFFE X509-SVID §2", Leaf, func(c *x509.Certificate, r *Rules) string {
			if !r.Responder && len(c.URIs) != 1 {
				return fmt.Sprintf("%d URIs, want the SPIFFE ID alone", len(c.URIs))
			}
			return ""
		}},
		{"spiffe/id", "SPIFFE-ID §2", Leaf, func(c *x509.Certificate, r *Rules) string {
			for _, u := range c.URIs {
				if text := spiffeProblem(u, r.TrustDomain); text != "" {
					return text
				}
			}
			return ""
		}},
		{"cabf/dns-name", "RFC 5280 §4.2.1.6; RFC 1034 §3.5", Leaf, func(c *x509.Certificate, _ *Rules) string {
			for _, n := range c.DNSNames {
				if text := dnsProblem(n); text != "" {
					return fmt.Sprintf("%q %s", n, text)
				}
			}
			return ""
		}},
		{"cabf/address", "RFC 5280 §4.2.1.6", Leaf, func(c *x509.Certificate, _ *Rules) string {
			for _, ip := range c.IPAddresses {
				if a, ok := netip.AddrFromSlice(ip); !ok || a.IsUnspecified() || a.IsMulticast() {
					return fmt.Sprintf("%v is no address of a device", ip)
				}
			}
			return ""
		}},
		{"rfc5280/no-mail", "docs/identity.md, lints", Leaf, func(c *x509.Certificate, _ *Rules) string {
			if len(c.EmailAddresses) > 0 {
				return "a device has no mail address"
			}
			return ""
		}},
		{"rfc9525/named", "RFC 9525 §6", Leaf, func(c *x509.Certificate, r *Rules) string {
			if r.Named && len(c.DNSNames)+len(c.IPAddresses) == 0 {
				return "a server's certificate without a DNS name or an address"
			}
			return ""
		}},
		{"cabf/too-many-names", "docs/identity.md, lints", Leaf, func(c *x509.Certificate, _ *Rules) string {
			if n := len(c.DNSNames) + len(c.IPAddresses); n > 32 {
				return fmt.Sprintf("%d names, at most 32", n)
			}
			return ""
		}},
		{"rfc5280/name-constraints", "RFC 5280 §4.2.1.10", Leaf, func(c *x509.Certificate, r *Rules) string {
			for _, n := range c.DNSNames {
				if p := r.Issuer.PermittedDNSDomains; len(p) > 0 && !slices.ContainsFunc(p, func(d string) bool { return within(n, d) }) {
					return fmt.Sprintf("%q is outside what the issuer may name: %s", n, strings.Join(p, ", "))
				}
			}
			for _, ip := range c.IPAddresses {
				p := r.Issuer.PermittedIPRanges
				inside := len(p) == 0
				for _, n := range p {
					inside = inside || n.Contains(ip)
				}
				if !inside {
					return fmt.Sprintf("%s is outside the addresses that the issuer may name", ip)
				}
			}
			return ""
		}},
		{"rfc8520/mud-url", "RFC 8520 §11", Leaf, func(c *x509.Certificate, _ *Rules) string {
			for _, e := range c.Extensions {
				if e.Id.String() != MUD {
					continue
				}
				var s string
				rest, err := asn1.UnmarshalWithParams(e.Value, &s, "ia5")
				u, perr := url.Parse(s)
				if err != nil || len(rest) > 0 || perr != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(s) > 253 || e.Critical {
					return "the MUD URL is no https address of at most 253 characters"
				}
			}
			return ""
		}},
	}
}

// spiffeProblem says what is wrong with a SPIFFE ID.
func spiffeProblem(u *url.URL, domain string) string {
	bad := func(why string) string { return fmt.Sprintf("%q is no SPIFFE ID of %s: %s", u, domain, why) }
	switch {
	case u.Scheme != "spiffe":
		return bad("the scheme is not spiffe")
	case u.Host != domain:
		return bad("another trust domain")
	case u.User != nil || u.Port() != "" || u.RawQuery != "" || u.Fragment != "":
		return bad("user, port, query or fragment")
	case len(u.String()) > 2048:
		return bad("longer than 2048 bytes")
	}
	segments := strings.Split(u.EscapedPath(), "/")
	if len(segments) < 2 || segments[0] != "" {
		return bad("no path")
	}
	for _, s := range segments[1:] {
		if s == "" || s == "." || s == ".." || strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") != "" {
			return bad(fmt.Sprintf("the path's part %q", s))
		}
	}
	return ""
}

// dnsProblem says what is wrong with a host name.
func dnsProblem(n string) string {
	switch {
	case n == "" || len(n) > 253:
		return "is empty or longer than 253 characters"
	case strings.Contains(n, "*"):
		return "has a wildcard: a device has one name"
	case strings.HasSuffix(n, "."):
		return "ends with a dot"
	case n != strings.ToLower(n):
		return "is not in lower case"
	}
	if _, err := netip.ParseAddr(n); err == nil {
		return "is an address, which is no DNS name"
	}
	for _, l := range strings.Split(n, ".") {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return fmt.Sprintf("has the label %q", l)
		}
	}
	return ""
}

// within is RFC 5280 §4.2.1.10 for DNS names.
func within(name, domain string) bool {
	return name == domain || strings.HasSuffix(name, "."+strings.TrimPrefix(domain, "."))
}

func remainder(k *rsa.PublicKey, m uint64) uint64 {
	return new(big.Int).Mod(k.N, new(big.Int).SetUint64(m)).Uint64()
}
