// SPDX-License-Identifier: Apache-2.0

package device

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Certificate is an X.509 certificate that a device presented in a handshake
// that could be read: the leaf of its chain. TLS 1.3 and QUIC encrypt theirs.
type Certificate struct {
	// Service is where it was presented, as in AttrService ("https/tcp:443"),
	// or "<protocol>/client" when the device was the client.
	Service    string    `json:"service"`
	NotBefore  time.Time `json:"not_before,omitzero"`
	NotAfter   time.Time `json:"not_after,omitzero"`
	Issuer     string    `json:"issuer,omitempty"` // who signed it; "" when self-signed
	SelfSigned bool      `json:"self_signed,omitempty"`
	KeyType    string    `json:"key_type,omitempty"` // "RSA", "ECDSA", "Ed25519", "" when unknown
	KeyBits    int       `json:"key_bits,omitempty"`
	SHA256     string    `json:"sha256"` // of the DER, hexadecimal

	// What follows is the evidence's, not part of its value.
	Source     string     `json:"source,omitempty"`
	Confidence Confidence `json:"confidence,omitempty"`
	First      int64      `json:"first,omitempty"` // ns since the Unix epoch, UTC
	Last       int64      `json:"last,omitempty"`
}

// ExpiringWithin is how long before its end a certificate counts as expiring.
const ExpiringWithin = 30 * 24 * time.Hour

// Validity is how a certificate stands at a moment.
type Validity string

// The states of a certificate. One that is not valid yet is Valid: its dates
// tell.
const (
	ValidityUnknown Validity = ""
	Valid           Validity = "valid"
	Expiring        Validity = "expiring"
	Expired         Validity = "expired"
)

// Validity returns how the certificate stands at t, and when that changes, the
// zero time for never.
func (c *Certificate) Validity(t time.Time) (now Validity, until time.Time) {
	switch soon := c.NotAfter.Add(-ExpiringWithin); {
	case c.NotAfter.IsZero():
		return ValidityUnknown, time.Time{}
	case t.After(c.NotAfter): // RFC 5280 §4.1.2.5: through notAfter, inclusive
		return Expired, time.Time{}
	case t.Before(soon):
		return Valid, soon
	}
	return Expiring, c.NotAfter.Add(time.Nanosecond)
}

// maxCertificateValue bounds String, as every value of evidence is bounded.
const maxCertificateValue = 256

const (
	certTime   = time.RFC3339
	selfSigned = "self-signed"
	issuedBy   = "issued by "
)

// String is the value of evidence with AttrCertificate:
//
//	https/tcp:443, 2026-01-02T00:00:00Z to 2027-01-02T00:00:00Z, RSA 2048, sha256 0a1b..., issued by Example CA
//
// or "self-signed" in the last place. An issuer that does not fit is cut.
func (c *Certificate) String() string {
	b := make([]byte, 0, maxCertificateValue)
	b = append(b, c.Service...)
	b = append(b, ", "...)
	b = c.NotBefore.UTC().AppendFormat(b, certTime)
	b = append(b, " to "...)
	b = c.NotAfter.UTC().AppendFormat(b, certTime)
	b = append(b, ", "...)
	if c.KeyType == "" {
		b = append(b, "unknown"...)
	} else {
		b = append(b, c.KeyType...)
	}
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(c.KeyBits), 10)
	b = append(b, ", sha256 "...)
	b = append(b, c.SHA256...)
	switch {
	case c.SelfSigned:
		b = append(b, ", "+selfSigned...)
	case c.Issuer != "":
		b = append(b, ", "+issuedBy...)
		room := max(maxCertificateValue-len(b), 0)
		issuer := c.Issuer
		for len(issuer) > room {
			_, n := utf8.DecodeLastRuneInString(issuer)
			issuer = issuer[:len(issuer)-n]
		}
		b = append(b, strings.TrimSpace(issuer)...)
	}
	return string(b)
}

// ParseCertificate reads what String wrote.
func ParseCertificate(s string) (Certificate, error) {
	var c Certificate
	p := strings.SplitN(s, ", ", 5)
	if len(p) < 4 {
		return c, fmt.Errorf("certificate %.40q: %d parts, want 4 or 5", s, len(p))
	}
	c.Service = p[0]
	from, to, _ := strings.Cut(p[1], " to ")
	var err error
	if c.NotBefore, err = time.Parse(certTime, from); err != nil {
		return c, fmt.Errorf("certificate %.40q: first day: %w", s, err)
	}
	if c.NotAfter, err = time.Parse(certTime, to); err != nil {
		return c, fmt.Errorf("certificate %.40q: last day: %w", s, err)
	}
	kind, bits, _ := strings.Cut(p[2], " ")
	if c.KeyBits, err = strconv.Atoi(bits); err != nil {
		return c, fmt.Errorf("certificate %.40q: bits of the key: %w", s, err)
	}
	if kind != "unknown" {
		c.KeyType = kind
	}
	var ok bool
	if c.SHA256, ok = strings.CutPrefix(p[3], "sha256 "); !ok {
		return c, fmt.Errorf("certificate %.40q: no fingerprint", s)
	}
	if len(p) == 5 {
		c.Issuer, ok = strings.CutPrefix(p[4], issuedBy)
		if !ok {
			c.Issuer, c.SelfSigned = "", p[4] == selfSigned
		}
	}
	return c, nil
}
