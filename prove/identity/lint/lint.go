// SPDX-License-Identifier: Apache-2.0

// Package lint judges a certificate before it is signed: RFC 5280, and what the
// CA/Browser Forum's Baseline Requirements, the SPIFFE X.509-SVID standard and
// RFC 8520 add where it makes sense for devices of one site.
//
// A certificate cannot be called back once it is out, so the authority makes it
// first with a throw-away key, lints that, and signs only when nothing was found
// and the bytes to be signed are the same.
//
// Check is a pure function of its arguments. It judges what parsed: that DER is
// DER, that no extension occurs twice and that a point lies on its curve is
// crypto/x509's part, which refuses such bytes.
package lint

import (
	"crypto/x509"
	"fmt"
	"strings"
	"time"
)

// Kind is what a certificate is.
type Kind uint8

// The kinds.
const (
	Leaf Kind = 1 << iota
	Issuing
	Root
)

// Rules is what a certificate is held to, besides what holds for all.
type Rules struct {
	Kind        Kind
	Issuer      *x509.Certificate // nil for a root
	TrustDomain string            // of the SPIFFE ID
	Policy      string            // OID of the profile's policy; "" for authorities
	Usages      []string          // extended key usages as OIDs, all of them and no others
	MaxLifetime time.Duration
	// Named says that relying parties look for a DNS name or an address.
	Named bool
	// Responder is an OCSP responder's or SCEP agent's certificate, which has no SPIFFE ID.
	Responder bool
	// KeyUsage is what the key may be used for.
	KeyUsage x509.KeyUsage
	Now      time.Time
}

// Problem is what a lint found.
type Problem struct {
	Lint   string // "rfc5280/serial-size"
	Source string // where it is written
	Text   string
}

func (p Problem) String() string { return fmt.Sprintf("%s: %s (%s)", p.Lint, p.Text, p.Source) }

// Problems is an error that has at least one element.
type Problems []Problem

func (p Problems) Error() string {
	text := make([]string, len(p))
	for i, one := range p {
		text[i] = one.String()
	}
	return "the certificate would be wrong: " + strings.Join(text, "; ")
}

// lint is one rule. check returns "" when there is nothing to say.
type lint struct {
	id, source string
	kinds      Kind
	check      func(c *x509.Certificate, r *Rules) string
}

const all = Leaf | Issuing | Root

// Check returns what is wrong with a certificate, nil when nothing is.
func Check(c *x509.Certificate, r Rules) error {
	var out Problems
	for _, l := range lints() {
		if l.kinds&r.Kind == 0 {
			continue
		}
		if text := l.check(c, &r); text != "" {
			out = append(out, Problem{l.id, l.source, text})
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// Names lists the lints in the order in which they are applied.
func Names() []string {
	var out []string
	for _, l := range lints() {
		out = append(out, l.id)
	}
	return out
}
