// SPDX-License-Identifier: Apache-2.0

package web

import (
	"errors"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
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
			certificateEvidence(c, chain[0], side.side, source, a.Complete)
		}
	}
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

// isGREASEName reports an ALPN value of RFC 8701 §2.
func isGREASEName(p string) bool {
	return len(p) == 2 && tlsmeta.IsGREASE(uint16(p[0])<<8|uint16(p[1]))
}
