// SPDX-License-Identifier: Apache-2.0

package tlsmeta

import "strings"

// Extension types (IANA TLS ExtensionType Values) that are looked into.
const (
	ExtServerName        = 0
	ExtSupportedGroups   = 10
	ExtPointFormats      = 11
	ExtSignatureAlgs     = 13
	ExtUseSRTP           = 14
	ExtALPN              = 16
	ExtExtendedMaster    = 23
	ExtSessionTicket     = 35
	ExtPreSharedKey      = 41
	ExtEarlyData         = 42
	ExtSupportedVersions = 43
	ExtCookie            = 44
	ExtCertAuthorities   = 47
	ExtKeyShare          = 51
	ExtQUICParameters    = 57
	ExtNPN               = 13172
	ExtECH               = 0xfe0d
	ExtRenegotiationInfo = 0xff01
)

// ClientHello is what a client offers (RFC 8446 §4.1.2). Lists are in the order
// sent and include GREASE values; see WithoutGREASE.
type ClientHello struct {
	DTLS       bool
	SSL2       bool   // sent in the SSL 2.0 form
	Version    uint16 // legacy_version
	SessionID  []byte
	Ciphers    []uint16
	Extensions []uint16 // types, in order
	Versions   []uint16 // supported_versions
	Groups     []uint16
	KeyShares  []uint16 // groups of the key shares sent
	SigAlgs    []uint16
	ALPN       []string
	SNI        string // host_name, "" when absent
	HasSNI     bool
	HasALPN    bool
	Ticket     bool // a non-empty session ticket (RFC 5077)
	PSK        bool // pre_shared_key (RFC 8446 §4.2.11)
	EarlyData  bool
	ECH        bool // encrypted_client_hello: SNI is that of the front
	SRTP       bool // use_srtp (RFC 5764): the handshake keys a media stream
	Cookie     bool // answers a HelloVerifyRequest or HelloRetryRequest
	QUICParams []byte
	Truncated  bool // extensions end early; what stands here came before
}

// ServerHello is the server's choice (RFC 8446 §4.1.3).
type ServerHello struct {
	DTLS        bool
	Version     uint16 // legacy_version
	Selected    uint16 // version negotiated, supported_versions included
	Cipher      uint16
	Compression uint8
	SessionID   []byte
	Extensions  []uint16
	ALPN        string // in TLS 1.2 and below; later it is encrypted
	Group       uint16 // of the key share
	PSK         bool   // pre_shared_key accepted: resumed, or an external key
	Ticket      bool   // a ticket will follow
	Retry       bool   // this is a HelloRetryRequest (RFC 8446 §4.1.4)
}

// helloRetryRandom marks a HelloRetryRequest: SHA-256 of "HelloRetryRequest".
const helloRetryRandom = "\xCF\x21\xAD\x74\xE5\x9A\x61\x11\xBE\x1D\x8C\x02\x1E\x65\xB8\x91\xC2\xA2\x11\x16\x7A\xBB\x8C\x5E\x07\x9E\x09\xE2\xC8\xA8\x33\x9C"

// ParseClientHello reads the body of a ClientHello. Extensions that are cut or
// malformed are no error: what came before them is returned, and Truncated is
// set. Nothing returned points into body.
func ParseClientHello(body []byte, dtls bool) (*ClientHello, error) {
	c := cursor{b: body}
	h := &ClientHello{DTLS: dtls, Version: uint16(c.u16())}
	c.take(32)
	h.SessionID = cloned(c.vec8(), 32)
	if dtls {
		h.Cookie = len(c.vec8()) > 0
	}
	ciphers := c.vec16()
	c.vec8() // compression methods
	if c.bad {
		return nil, &Error{"client hello", c.off, "ends early"}
	}
	if !plausibleVersion(h.Version, dtls) {
		return nil, &Error{"client hello", 0, "version " + VersionName(h.Version)}
	}
	h.Ciphers = u16s(ciphers)
	if c.left() < 2 {
		return h, nil // SSL 3.0 and TLS 1.0 know no extensions
	}
	n := c.u16()
	exts := cursor{b: c.b[c.off:]}
	if n <= len(exts.b) {
		exts.b = exts.b[:n]
	} else {
		h.Truncated = true
	}
	for exts.left() > 0 && len(h.Extensions) < MaxList {
		typ := uint16(exts.u16())
		data := exts.vec16()
		if exts.bad {
			h.Truncated = true
			break
		}
		h.Extensions = append(h.Extensions, typ)
		h.extension(typ, data)
	}
	return h, nil
}

func (h *ClientHello) extension(typ uint16, data []byte) {
	e := cursor{b: data}
	switch typ {
	case ExtServerName: // RFC 6066 §3
		h.HasSNI = true
		list := cursor{b: e.vec16()}
		for list.left() > 0 {
			kind, name := list.u8(), list.vec16()
			if !list.bad && kind == 0 && h.SNI == "" {
				h.SNI = strings.Clone(string(name[:min(len(name), 255)]))
			}
		}
	case ExtSupportedGroups:
		h.Groups = u16s(e.vec16())
	case ExtSignatureAlgs:
		h.SigAlgs = u16s(e.vec16())
	case ExtALPN: // RFC 7301 §3.1
		h.HasALPN = true
		list := cursor{b: e.vec16()}
		for list.left() > 0 && len(h.ALPN) < 32 {
			if p := list.vec8(); !list.bad {
				h.ALPN = append(h.ALPN, string(p))
			}
		}
	case ExtSupportedVersions:
		h.Versions = u16s(e.vec8())
	case ExtKeyShare: // RFC 8446 §4.2.8
		list := cursor{b: e.vec16()}
		for list.left() > 0 && len(h.KeyShares) < 32 {
			g := list.u16()
			if list.vec16(); !list.bad {
				h.KeyShares = append(h.KeyShares, uint16(g))
			}
		}
	case ExtSessionTicket:
		h.Ticket = len(data) > 0
	case ExtPreSharedKey:
		h.PSK = true
	case ExtEarlyData:
		h.EarlyData = true
	case ExtECH:
		h.ECH = true
	case ExtUseSRTP:
		h.SRTP = true
	case ExtCookie:
		h.Cookie = true
	case ExtQUICParameters:
		h.QUICParams = cloned(data, 1024)
	}
}

// Offered returns the versions that the client offers, highest first, GREASE
// left out: supported_versions, or else the legacy version.
func (h *ClientHello) Offered() []uint16 {
	var out []uint16
	for _, v := range h.Versions {
		if !IsGREASE(v) && len(out) < 16 {
			out = append(out, v)
		}
	}
	if len(out) == 0 {
		return []uint16{h.Version}
	}
	for i := 1; i < len(out); i++ {
		for j := i; j > 0 && age(out[j]) > age(out[j-1]); j-- {
			out[j], out[j-1] = out[j-1], out[j]
		}
	}
	return out
}

// ParseServerHello reads the body of a ServerHello or HelloRetryRequest.
// Nothing returned points into body.
func ParseServerHello(body []byte, dtls bool) (*ServerHello, error) {
	c := cursor{b: body}
	h := &ServerHello{DTLS: dtls, Version: uint16(c.u16())}
	random := c.take(32)
	h.Selected = h.Version
	if h.Version>>8 == 0x7f {
		// Drafts of TLS 1.3 up to 21 have neither session ID nor compression.
		h.Cipher = uint16(c.u16())
	} else {
		h.SessionID = cloned(c.vec8(), 32)
		h.Cipher = uint16(c.u16())
		h.Compression = uint8(c.u8())
	}
	if c.bad {
		return nil, &Error{"server hello", c.off, "ends early"}
	}
	if !plausibleVersion(h.Version, dtls) {
		return nil, &Error{"server hello", 0, "version " + VersionName(h.Version)}
	}
	h.Retry = string(random) == helloRetryRandom
	exts := cursor{b: c.vec16()}
	for exts.left() > 0 && len(h.Extensions) < MaxList {
		typ := uint16(exts.u16())
		data := exts.vec16()
		if exts.bad {
			break
		}
		h.Extensions = append(h.Extensions, typ)
		e := cursor{b: data}
		switch typ {
		case ExtSupportedVersions:
			if v := uint16(e.u16()); !e.bad {
				h.Selected = v
			}
		case ExtKeyShare:
			h.Group = uint16(e.u16())
		case ExtPreSharedKey:
			h.PSK = true
		case ExtSessionTicket:
			h.Ticket = true
		case ExtALPN:
			list := cursor{b: e.vec16()}
			if p := list.vec8(); !list.bad {
				h.ALPN = string(p)
			}
		}
	}
	return h, nil
}

func plausibleVersion(v uint16, dtls bool) bool {
	if dtls {
		return v>>8 == 0xfe || v == 0x0100
	}
	return v>>8 == 3 && v&0xff <= 4 || v>>8 == 0x7f
}

// WithoutGREASE returns list without GREASE values.
func WithoutGREASE(list []uint16) []uint16 {
	out := make([]uint16, 0, len(list))
	for _, v := range list {
		if !IsGREASE(v) {
			out = append(out, v)
		}
	}
	return out
}

func cloned(b []byte, limit int) []byte {
	if len(b) == 0 {
		return nil
	}
	return append([]byte(nil), b[:min(len(b), limit)]...)
}
