// SPDX-License-Identifier: Apache-2.0

package web

import (
	"errors"
	"net/netip"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/tlsmeta"
)

// maxListed bounds the lists of a TLS event.
const maxListed = 128

func probeTLS(c *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
	switch tlsmeta.LooksLikeTLS(head) {
	case tlsmeta.Handshake:
		return analyze.Yes
	case tlsmeta.Protected:
		if c.MidStream {
			return analyze.Yes
		}
		return analyze.Maybe
	case tlsmeta.NeedMore:
		return analyze.Maybe
	}
	return analyze.No
}

// tlsStream follows one handshake.
type tlsStream struct {
	s     tlsmeta.Session
	began int64
	done  bool
}

var _ analyze.Stream = (*tlsStream)(nil)

func (t *tlsStream) Data(c *analyze.Conn, dir analyze.Dir, data []byte) (int64, analyze.Verdict) {
	if t.began == 0 {
		t.began = c.Now
	}
	n, err := t.s.Feed(int(dir), data)
	if errors.Is(err, tlsmeta.ErrNotTLS) {
		return n, analyze.Reject
	}
	c.Encrypted = true
	if err != nil || t.s.Done() {
		t.finish(c)
		return n, analyze.Done
	}
	return n, analyze.More
}

func (t *tlsStream) Gap(c *analyze.Conn, dir analyze.Dir, n int64) analyze.Verdict {
	if t.s.Lost(int(dir), n) {
		return analyze.More
	}
	t.finish(c)
	return analyze.Done
}

func (t *tlsStream) Close(c *analyze.Conn, _ analyze.End) { t.finish(c) }

func (t *tlsStream) finish(c *analyze.Conn) {
	if t.done {
		return
	}
	t.done = true
	emitTLS(c, &t.s.Account, tlsmeta.OverTCP, "tls", t.began, "")
}

// emitTLS emits the event and the evidence of a handshake. Nothing is emitted
// when no hello was seen: then there is nothing to tell but that the flow is
// encrypted.
func emitTLS(c *analyze.Conn, a *tlsmeta.Account, over tlsmeta.Transport, source string, began int64, quicVersion string) {
	if a.Client == nil && a.Server == nil {
		return
	}
	c.Encrypted = true
	setClient(c, analyze.Dir(a.ClientDir))
	tlsEvidence(c, a, over, source)
	if !c.Full() {
		c.NoteAt(event.ClassNetwork, began, c.App)
		return
	}
	d := &event.TLS{
		ClientCertAsked: a.CertAsked, Resumed: a.Resumed, Alert: a.Alert, Complete: a.Complete, QUICVersion: quicVersion,
		ALPN: str(a.ALPN()),
	}
	if h := a.Client; h != nil {
		for _, v := range h.Offered() {
			d.ClientVersions = append(d.ClientVersions, tlsmeta.VersionName(v))
		}
		for _, s := range h.Ciphers {
			if !tlsmeta.IsGREASE(s) && len(d.ClientCiphers) < maxListed {
				d.ClientCiphers = append(d.ClientCiphers, tlsmeta.CipherName(s))
			}
		}
		for _, p := range h.ALPN {
			if !isGREASEName(p) {
				d.ClientALPN = append(d.ClientALPN, str(p))
			}
		}
		d.SNI = str(h.SNI)
		d.JA4 = h.JA4(over)
	}
	if h := a.Server; h != nil && !h.Retry {
		d.Version = tlsmeta.VersionName(a.Version())
		d.Cipher = tlsmeta.CipherName(h.Cipher)
	}
	var notes []string
	d.ServerChain, notes = chainOf(c, a, a.ServerDir(), analyze.Server, notes)
	d.ClientChain, notes = chainOf(c, a, a.ClientDir, analyze.Client, notes)
	if a.CertAsked && a.NoCert[a.ClientDir] {
		notes = append(notes, "client gave no certificate")
	}
	if a.HiddenAlert {
		notes = append(notes, "client gave up after the server's encrypted answer")
	}
	if a.PrimeBits > 0 && a.PrimeBits < 2048 {
		notes = append(notes, "short Diffie-Hellman prime")
	}
	if a.Malformed != "" {
		notes = append(notes, str(a.Malformed))
	}
	e := &event.Event{Time: began, Activity: 1, Detail: d, StatusDetail: str(strings.Join(notes, "; "))}
	switch {
	case a.AlertFatal || a.HiddenAlert:
		e.Activity, e.Status, e.StatusCode = 4, event.StatusFailure, a.Alert
	case a.Complete:
		e.Status = event.StatusSuccess
	}
	e.Message = tlsMessage(strings.ToUpper(source), d, e)
	c.Emit(e)
}

// tlsEvidence tells what a handshake shows of both ends.
func tlsEvidence(c *analyze.Conn, a *tlsmeta.Account, over tlsmeta.Transport, source string) {
	if h := a.Client; h != nil {
		c.Evidence(analyze.Client, device.AttrJA4, h.JA4(over), source+".client-hello", device.Claimed)
		if sni := str(h.SNI); analyze.IsHostName(sni) {
			// What the client calls the server: not the server's own word.
			c.Evidence(analyze.Server, device.AttrFQDN, strings.ToLower(sni), source+".sni", device.Hint)
		}
	}
	if h := a.Server; h != nil && !h.Retry {
		if c.App == "webrtc" {
			// Peers on ports of the moment: nobody offers a service there.
			c.Evidence(analyze.Server, device.AttrUses, c.App, source, device.Claimed)
			c.Evidence(analyze.Client, device.AttrUses, c.App, source, device.Claimed)
		} else {
			c.Service(c.App)
		}
	}
	for _, side := range [...]struct {
		dir  int
		side analyze.Side
	}{{a.ServerDir(), analyze.Server}, {a.ClientDir, analyze.Client}} {
		if chain := a.Chains[side.dir]; len(chain) > 0 {
			certificateEvidence(c, certificate(c, chain[0]), side.side, source, a.Complete)
		}
	}
}

// certificate parses a certificate, or remembers what it was when parsed before.
func certificate(c *analyze.Conn, der []byte) *tlsmeta.Certificate {
	m := c.Memo()
	if x, ok := m.Recall(analyze.MemoCertificate, der).(*tlsmeta.Certificate); ok {
		return x
	}
	x := tlsmeta.ParseCertificate(der)
	m.Remember(analyze.MemoCertificate, der, &x)
	return &x
}

func tlsMessage(name string, d *event.TLS, e *event.Event) string {
	var sb strings.Builder
	switch {
	case e.Status == event.StatusFailure:
		sb.WriteString(name + " handshake failed")
	case d.Resumed:
		sb.WriteString(name + " session resumed")
	case d.Version == "":
		sb.WriteString(name + " handshake without visible answer")
	default:
		sb.WriteString(name + " handshake")
	}
	if d.SNI != "" {
		sb.WriteString(" for " + d.SNI)
	}
	if d.Version != "" {
		sb.WriteString(": " + d.Version + ", " + d.Cipher)
	}
	if d.Alert != "" {
		sb.WriteString(", alert " + d.Alert)
	}
	return sb.String()
}

// chainOf turns one side's certificates into what events carry.
func chainOf(c *analyze.Conn, a *tlsmeta.Account, dir int, side analyze.Side, notes []string) ([]event.Certificate, []string) {
	var out []event.Certificate
	for i, der := range a.Chains[dir] {
		x := certificate(c, der)
		if x.Err != nil {
			notes = append(notes, "malformed certificate: "+str(x.Err.Error()))
		}
		out = append(out, CertificateOf(c, x, i == 0 && side == analyze.Client))
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
	}
	return out
}

// personal reports a certificate that names a person: it has an e-mail address.
func personal(x *tlsmeta.Certificate) bool {
	return len(x.Emails) > 0 || strings.Contains(x.Subject, "@") || strings.Contains(x.Subject, "1.2.840.113549.1.9.1=")
}

func certificateEvidence(c *analyze.Conn, x *tlsmeta.Certificate, side analyze.Side, source string, complete bool) {
	conf := device.Claimed
	if complete {
		conf = device.Verified
	}
	source += ".certificate"
	if side == analyze.Client && personal(x) {
		return // it identifies who uses the device, not the device
	}
	c.Evidence(side, device.AttrTLSSubject, str(x.Subject), source, conf)
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

// isGREASEName reports an ALPN value of RFC 8701 §2.
func isGREASEName(p string) bool {
	return len(p) == 2 && tlsmeta.IsGREASE(uint16(p[0])<<8|uint16(p[1]))
}
