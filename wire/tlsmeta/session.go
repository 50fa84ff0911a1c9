// SPDX-License-Identifier: Apache-2.0

package tlsmeta

import "strings"

// Account is what both directions of a handshake showed. It is filled by
// Session and DTLSSession.
type Account struct {
	Client    *ClientHello
	Server    *ServerHello // the last one: a HelloRetryRequest is replaced by the ServerHello
	ClientDir int          // direction, 0 or 1, in which the client sends; valid when a hello was seen
	Retry     bool         // HelloRetryRequest or HelloVerifyRequest

	Chains   [2][][]byte // DER certificates, leaf first, by direction
	ChainCut [2]bool     // the chain was longer, larger than MaxMessage, or malformed
	NoCert   [2]bool     // an empty Certificate message: asked for, not given

	CertAsked  bool   // CertificateRequest, TLS 1.2 and below
	Resumed    bool   // an earlier session, or in TLS 1.3 a pre-shared key, was taken up
	KeyGroup   uint16 // group of the key exchange, 0 when not visible
	PrimeBits  int    // length of a Diffie-Hellman prime, 0 when not visible
	Stapled    bool   // an OCSP response came with the certificate
	Alert      string // the fatal alert, or the last one in clear
	AlertDir   int
	AlertFatal bool
	// HiddenAlert reports that the client's first protected record in TLS 1.3
	// has the length of an alert, not of a Finished: it gave up, most often
	// because of the server's certificate.
	HiddenAlert bool
	Complete    bool // both sides finished, as far as that is visible
	Malformed   string

	sawCCS   [2]bool
	finished [2]bool
	sawCert  bool
	sawDone  bool // ServerHelloDone
}

// Version returns the version negotiated, 0 before a ServerHello was seen.
func (a *Account) Version() uint16 {
	if a.Server == nil {
		return 0
	}
	return a.Server.Selected
}

// ALPN returns the protocol chosen, or the first offered when the answer is
// hidden, or "".
func (a *Account) ALPN() string {
	if a.Server != nil && a.Server.ALPN != "" {
		return a.Server.ALPN
	}
	if a.Client != nil && len(a.Client.ALPN) > 0 && (a.Server == nil || age(a.Version()) >= age(TLS13)) {
		return a.Client.ALPN[0]
	}
	return ""
}

// ServerDir is the direction in which the server sends.
func (a *Account) ServerDir() int { return 1 - a.ClientDir }

func (a *Account) is13() bool { return age(a.Version()) >= 6 }

// message takes a handshake message in clear.
func (a *Account) message(dir int, m Message, dtls bool) {
	if m.TooLarge {
		if m.Type == MsgCertificate {
			a.sawCert = true
			a.ChainCut[dir] = true
		}
		return
	}
	var err error
	switch m.Type {
	case MsgClientHello:
		var h *ClientHello
		if h, err = ParseClientHello(m.Body, dtls); err == nil {
			// The second hello after a retry is the one that counts, but the
			// first is what the client would say to anyone: its fingerprint.
			if a.Client == nil || !a.Retry {
				a.Client = h
			}
			a.ClientDir = dir
		}
	case MsgServerHello, 6: // 6: hello_retry_request of TLS 1.3 drafts
		if m.Type == 6 {
			a.Retry = true
			return
		}
		var h *ServerHello
		if h, err = ParseServerHello(m.Body, dtls); err == nil {
			a.ClientDir = 1 - dir
			a.Server = h
			if h.Retry {
				a.Retry = true
				return
			}
			if a.is13() {
				a.Resumed = h.PSK
				a.KeyGroup = h.Group
			}
		}
	case HelloVerifyRequest:
		a.Retry = true
		a.ClientDir = 1 - dir
	case MsgCertificate:
		if a.is13() {
			return
		}
		a.sawCert = true
		chain, cut := Chain(m.Body)
		a.ChainCut[dir] = cut
		a.NoCert[dir] = len(chain) == 0 && !cut
		if a.Chains[dir] == nil {
			for _, der := range chain {
				a.Chains[dir] = append(a.Chains[dir], append([]byte(nil), der...))
			}
		}
	case CertificateRequest:
		a.CertAsked = true
	case CertificateStatus:
		a.Stapled = true
	case ServerKeyExchange:
		if a.Server != nil {
			a.KeyGroup, a.PrimeBits = exchangeGroup(a.Server.Cipher, m.Body)
		}
	case ServerHelloDone:
		a.sawDone = true
	}
	if err != nil && a.Malformed == "" {
		a.Malformed = err.Error()
	}
}

func (a *Account) alert(dir int, body []byte) {
	if len(body) != 2 {
		return
	}
	level, desc := body[0], body[1]
	if level == 1 && desc == 0 && a.Complete {
		return
	}
	if a.AlertFatal {
		return
	}
	a.Alert = AlertName(level, desc)
	a.AlertDir = dir
	a.AlertFatal = level == 2
}

// changeCipherSpec takes a ChangeCipherSpec of TLS 1.2 or below.
func (a *Account) changeCipherSpec(dir int) {
	a.sawCCS[dir] = true
	if a.Server != nil && !a.is13() && dir == a.ServerDir() && !a.sawCert && !a.sawDone {
		// RFC 5246 §7.3 figure 2: an abbreviated handshake has neither
		// Certificate nor ServerHelloDone.
		a.Resumed = true
	}
}

func (a *Account) finish(dir int) {
	a.finished[dir] = true
	a.Complete = a.finished[0] && a.finished[1]
}

// half is the record layer of one direction.
type half struct {
	head   [5]byte
	nhead  int
	typ    uint8
	length int // of the current record
	left   int // bytes of it to come
	alert  [2]byte
	nalert int
	msgs   Messages
	total  int64
	first  bool // a record was read
	sealed int  // protected records so far (TLS 1.3) or since ChangeCipherSpec
	ssl2   []byte
}

// Session reads the two directions of TLS over a stream. The zero value is
// ready. It consumes all bytes given, so that nothing needs to be kept for it.
type Session struct {
	Account
	dirs  [2]half
	done  bool
	early bool // application data from the client before ServerHello
}

// Feed reads bytes of direction dir, 0 or 1. It returns how many were
// consumed: n may exceed len(data), when the rest of a record is of no
// interest. When Done reports true, n tells where that was and the rest of data
// was not looked at. An error says that the bytes are no TLS, or no longer; it
// wraps ErrNotTLS when nothing was ever understood.
func (s *Session) Feed(dir int, data []byte) (n int64, err error) {
	h := &s.dirs[dir]
	given := len(data)
	used := func() int64 { return int64(given - len(data)) }
	for len(data) > 0 && !s.done {
		if h.total > MaxHandshake {
			s.done = true
			break
		}
		if h.left > 0 {
			k := min(h.left, len(data))
			s.content(dir, data[:k])
			h.left -= k
			h.total += int64(k)
			data = data[k:]
			continue
		}
		if !h.first && h.nhead == 0 && (h.ssl2 != nil || data[0]&0x80 != 0) {
			k, err := s.ssl2(dir, data)
			data = data[k:]
			if err != nil {
				return used(), err
			}
			continue
		}
		k := copy(h.head[h.nhead:], data)
		h.nhead += k
		h.total += int64(k)
		data = data[k:]
		if h.nhead < 5 {
			if h.head[0] < TypeChangeCipherSpec || h.head[0] > TypeHeartbeat || h.nhead > 1 && h.head[1] != 3 {
				return used(), s.broken(h)
			}
			break
		}
		h.nhead = 0
		if !validHeader(h.head[:]) {
			return used(), s.broken(h)
		}
		h.first = true
		h.typ = h.head[0]
		h.length = int(h.head[3])<<8 | int(h.head[4])
		h.left = h.length
		s.record(dir)
		if s.done {
			break
		}
		if h.typ == TypeApplicationData || h.typ == TypeHeartbeat {
			// Nothing inside can be read: ask for the record to be skipped.
			k := min(h.left, len(data))
			data = data[k:]
			over := int64(h.left - k)
			h.total += int64(h.left)
			h.left = 0
			if over > 0 {
				return int64(given) + over, nil
			}
		}
	}
	return used(), nil
}

// Done reports that nothing readable can follow.
func (s *Session) Done() bool { return s.done }

// Lost tells that bytes of a direction are missing. It reports whether what
// follows may still be understood: only between handshakes and data is
// everything lost.
func (s *Session) Lost(dir int, n int64) bool {
	h := &s.dirs[dir]
	if int64(h.left) >= n && h.typ == TypeApplicationData {
		h.left -= int(n)
		return true
	}
	return false
}

func (s *Session) broken(h *half) error {
	if s.Client == nil && s.Server == nil {
		return ErrNotTLS
	}
	s.done = true
	return &Error{"record", int(h.total), "not a record header"}
}

func (s *Session) ssl2(dir int, data []byte) (int, error) {
	h := &s.dirs[dir]
	const limit = 2 << 10 // real hellos are below 1 KiB
	k, before := len(data), len(h.ssl2)
	h.ssl2 = append(h.ssl2, data[:min(k, limit)]...)
	if len(h.ssl2) < 11 {
		return k, nil
	}
	n := SSL2Length(h.ssl2)
	if n == 0 || n > limit {
		return k, ErrNotTLS
	}
	if len(h.ssl2) < n {
		return k, nil
	}
	hello, err := ParseSSL2Hello(h.ssl2[:n])
	if err != nil {
		return k, err
	}
	s.Client, s.ClientDir = hello, dir
	h.ssl2, h.first = nil, true
	h.total += int64(n)
	return n - before, nil
}

// record takes a record's header.
func (s *Session) record(dir int) {
	h := &s.dirs[dir]
	clientSends := s.Client != nil && dir == s.ClientDir || s.Client == nil && s.Server != nil && dir != s.ServerDir()
	switch h.typ {
	case TypeChangeCipherSpec:
		h.sealed = 0
	case TypeHandshake:
		if s.sawCCS[dir] && s.Server != nil && !s.is13() {
			// Finished, encrypted.
			s.finish(dir)
			if s.Complete {
				s.done = true
			}
		}
	case TypeAlert:
		h.nalert = 0
		if s.sawCCS[dir] && !s.is13() && h.length > 2 {
			s.done = true
		}
	case TypeApplicationData:
		h.sealed++
		switch {
		case s.Server == nil && clientSends:
			s.early = true
			if s.Client != nil && !s.Client.EarlyData && h.sealed > 1 {
				s.done = true // the server's side was not captured
			}
		case s.Server != nil && s.is13():
			// RFC 8446 §5.1: from here on everything is application data on the
			// outside. The server's first flight is its Finished, the client's
			// first record its Finished or, of 2+1+16 bytes, an alert.
			s.finished[dir] = true
			if clientSends {
				if h.length == 19 && !s.early {
					s.HiddenAlert = true
				} else {
					s.finish(dir)
				}
				s.done = true
			} else if h.sealed > 16 {
				s.done = true // the client's side was not captured
			}
		default:
			s.done = true
		}
	}
}

// content takes bytes of the current record.
func (s *Session) content(dir int, b []byte) {
	h := &s.dirs[dir]
	switch h.typ {
	case TypeChangeCipherSpec:
		// In TLS 1.3 it means nothing (RFC 8446 appendix D.4).
		// Where the server's side was not captured, what follows is opaque in
		// any version.
		if !s.is13() {
			s.changeCipherSpec(dir)
		}
	case TypeAlert:
		if h.length != 2 || s.sawCCS[dir] && !s.is13() {
			return
		}
		h.nalert += copy(h.alert[h.nalert:], b)
		if h.nalert == 2 {
			s.alert(dir, h.alert[:])
			if s.AlertFatal {
				s.done = true
			}
		}
	case TypeHandshake:
		if s.sawCCS[dir] && !s.is13() {
			return
		}
		for len(b) > 0 && !s.done {
			n, m, ok := h.msgs.Next(b)
			b = b[n:]
			if ok {
				s.message(dir, m, false)
			}
		}
	}
}

func validHeader(h []byte) bool {
	n := int(h[3])<<8 | int(h[4])
	if h[0] < TypeChangeCipherSpec || h[0] > TypeHeartbeat || h[1] != 3 || h[2] > 4 {
		return false
	}
	switch h[0] {
	case TypeChangeCipherSpec:
		return n == 1
	case TypeAlert:
		return n >= 2 && n <= 256
	}
	return n > 0 && n <= MaxRecord
}

// Summary returns one line about the handshake for a person, without names.
func (a *Account) Summary() string {
	var sb strings.Builder
	if v := a.Version(); v != 0 {
		sb.WriteString(VersionName(v) + " with " + CipherName(a.Server.Cipher))
	} else if a.Client != nil {
		sb.WriteString(VersionName(a.Client.Offered()[0]) + " offered")
	}
	if a.Resumed {
		sb.WriteString(", resumed")
	}
	if a.Alert != "" {
		sb.WriteString(", alert " + a.Alert)
	}
	return sb.String()
}
