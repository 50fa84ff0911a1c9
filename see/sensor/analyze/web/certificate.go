// SPDX-License-Identifier: Apache-2.0

package web

import (
	"net/netip"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/tlsmeta"
)

// known is what a worker remembers of a certificate: what it says, and the last
// evidence made of it, since a device mostly shows one at one service. That part
// changes, which what a Memo has may not; only the goroutine of the Memo sees it.
type known struct {
	*tlsmeta.Certificate
	app   string
	port  uint16
	side  analyze.Side
	value string // for app, port and side; "" when there is none
}

// certificate parses a certificate, or remembers what it was when parsed before.
func certificate(c *analyze.Conn, der []byte) *known {
	m := c.Memo()
	if x, ok := m.Recall(analyze.MemoCertificate, der).(*known); ok {
		return x
	}
	x := tlsmeta.ParseCertificate(der)
	k := &known{Certificate: &x}
	m.Remember(analyze.MemoCertificate, der, k)
	return k
}

// evidence is the certificate as a fact about the device that showed it. The
// issuer of one that its owner signed is the subject, which other evidence has.
func (k *known) evidence(c *analyze.Conn, side analyze.Side) string {
	if k.app == c.App && k.side == side && (side == analyze.Client || k.port == c.ServerPort()) {
		return k.value
	}
	k.app, k.port, k.side, k.value = c.App, c.ServerPort(), side, ""
	if k.NotAfter.IsZero() {
		return ""
	}
	x := device.Certificate{NotBefore: k.NotBefore, NotAfter: k.NotAfter, SelfSigned: k.SelfSigned, KeyBits: k.KeyBits, SHA256: k.SHA256}
	if !strings.Contains(k.IssuerName, "@") {
		x.Issuer = str(k.IssuerName)
	}
	x.KeyType, _, _ = strings.Cut(k.KeyType, " ")
	x.Service = c.ServiceName(c.App)
	if side == analyze.Client {
		x.Service = c.App + "/client"
	}
	k.value = x.String()
	return k.value
}

// chainOf turns one side's certificates into what events carry.
func chainOf(c *analyze.Conn, a *tlsmeta.Account, dir int, side analyze.Side, notes []string) ([]event.Certificate, []string) {
	var out []event.Certificate
	for i, der := range a.Chains[dir] {
		x := certificate(c, der)
		if x.Err != nil {
			notes = append(notes, "malformed certificate: "+str(x.Err.Error()))
		}
		out = append(out, CertificateOf(c, x.Certificate, i == 0 && side == analyze.Client))
	}
	if a.ChainCut[dir] {
		notes = append(notes, "certificate chain too long or malformed")
	}
	return out, notes
}

// CertificateOf makes of a parsed certificate what events carry. E-mail
// addresses become pseudonyms; so does the subject of a client's certificate
// that has one, because it names a person.
func CertificateOf(c *analyze.Conn, x *tlsmeta.Certificate, client bool) event.Certificate {
	out := event.Certificate{
		Subject: str(x.Subject), Issuer: str(x.Issuer), SerialNumber: str(x.Serial), SHA256: x.SHA256,
		KeyType: x.KeyType, Signature: x.Signature, SelfSigned: x.SelfSigned, IsCA: x.IsCA,
	}
	if !x.NotBefore.IsZero() {
		out.NotBefore = x.NotBefore.UnixMilli()
	}
	if !x.NotAfter.IsZero() {
		out.NotAfter = x.NotAfter.UnixMilli()
	}
	for _, list := range [][]string{x.DNSNames, x.IPs, x.URIs} {
		for _, n := range list {
			if len(out.SANs) < tlsmeta.MaxNames {
				out.SANs = append(out.SANs, str(n))
			}
		}
	}
	for _, m := range x.Emails {
		if len(out.SANs) < tlsmeta.MaxNames {
			out.SANs = append(out.SANs, c.Pseudonym(pseudonym.Person, m))
		}
	}
	if client && personal(x) {
		out.Subject = c.Pseudonym(pseudonym.Person, x.Subject)
		if x.SelfSigned {
			out.Issuer = out.Subject
		}
	}
	return out
}

// personal reports a certificate that names a person: it has an e-mail address.
func personal(x *tlsmeta.Certificate) bool {
	return len(x.Emails) > 0 || strings.Contains(x.Subject, "@") || strings.Contains(x.Subject, "1.2.840.113549.1.9.1=")
}

// certificateEvidence tells what the leaf of a chain shows of the device that
// presented it.
func certificateEvidence(c *analyze.Conn, der []byte, side analyze.Side, source string, complete bool) {
	k := certificate(c, der)
	x := k.Certificate
	conf := device.Claimed
	if complete {
		conf = device.Verified
	}
	source += ".certificate"
	if side == analyze.Client && personal(x) {
		return // it identifies who uses the device, not the device
	}
	c.Evidence(side, device.AttrTLSSubject, str(x.Subject), source, conf)
	if c.App != "webrtc" { // there both sides make one for the session
		c.Evidence(side, device.AttrCertificate, k.evidence(c, side), source, conf)
	}
	for i, n := range x.DNSNames {
		if i < 8 && analyze.IsHostName(n) && strings.Contains(n, ".") {
			c.Evidence(side, device.AttrFQDN, strings.ToLower(n), source+".san", conf)
		} else if i < 8 && analyze.IsHostName(n) {
			c.Evidence(side, device.AttrHostname, n, source+".san", conf)
		}
	}
	for i, s := range x.IPs {
		if a, err := netip.ParseAddr(s); i < 8 && err == nil && !a.IsLoopback() && !a.IsUnspecified() {
			c.Evidence(side, device.AttrIP, s, source+".san", device.Claimed)
		}
	}
	switch cn := str(x.CommonName); {
	case len(x.DNSNames) > 0 || !analyze.IsHostName(cn):
	case strings.Contains(cn, "."):
		c.Evidence(side, device.AttrFQDN, strings.ToLower(cn), source+".cn", device.Claimed)
	default:
		c.Evidence(side, device.AttrHostname, cn, source+".cn", device.Hint)
	}
	// IEEE 802.1AR §8.6: serialNumber in the subject is that of the device.
	c.Evidence(side, device.AttrSerial, str(x.SubjectSerial), source+".serial-number", device.Structured)
}
