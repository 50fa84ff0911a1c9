// SPDX-License-Identifier: Apache-2.0

package quic

import "github.com/asepsis/asepsis/wire/tlsmeta"

// Session puts together what both directions of a connection show. The zero
// value is ready.
type Session struct {
	Client     *tlsmeta.ClientHello
	Server     *tlsmeta.ServerHello
	ClientDir  int      // direction in which the client sends
	Version    uint32   // of the last packet with a known version
	First      uint32   // version that the client tried first
	Retried    bool     // the server asked for a token
	Negotiated []uint32 // versions in a Version Negotiation packet, at most 16
	Token      bool     // the client came with a token: it has been here before, or was sent a Retry
	ZeroRTT    bool     // the client sent early data
	CloseCode  uint64   // of a CONNECTION_CLOSE in an Initial packet
	Closed     bool
	Handshakes int // Handshake packets seen, both directions
	Short      int // packets with a short header after the hellos

	keyed    bool
	keys     [2]keys // client, server
	keysOf   uint32  // version of keys
	dcid     []byte  // connection ID that they follow from
	crypto   [2]tlsmeta.Fragments
	initials int
	hello    bool // a long header was understood
}

// Packet reads one datagram of direction dir, 0 or 1, and reports whether it
// is, or in its place can be, QUIC.
func (s *Session) Packet(dir int, b []byte) bool {
	if len(b) == 0 {
		return false
	}
	if b[0]&0x80 == 0 {
		if s.hello && b[0]&0x40 != 0 {
			s.Short++
			return true
		}
		return false
	}
	understood := false
	for len(b) > 0 && b[0]&0x80 != 0 {
		h, err := ParseHeader(b)
		if err != nil {
			v := uint32(0)
			if len(b) >= 5 {
				v = uint32(b[1])<<24 | uint32(b[2])<<16 | uint32(b[3])<<8 | uint32(b[4])
			}
			if !understood && Looks(b) {
				if s.First == 0 {
					s.First, s.ClientDir = v, dir
				}
				return true
			}
			return understood
		}
		understood, s.hello = true, true
		switch h.Type {
		case VersionNegotiation:
			s.ClientDir = 1 - dir
			s.Negotiated = s.Negotiated[:0]
			for v := h.Versions; len(v) >= 4 && len(s.Negotiated) < 16; v = v[4:] {
				s.Negotiated = append(s.Negotiated, uint32(v[0])<<24|uint32(v[1])<<16|uint32(v[2])<<8|uint32(v[3]))
			}
			return true
		case Retry:
			s.Retried, s.ClientDir = true, 1-dir
		case Initial:
			s.initial(dir, b, &h)
		case ZeroRTT:
			s.ZeroRTT = true
		case Handshake:
			s.Handshakes++
		}
		if h.Type != Retry {
			s.Version = h.Version
		}
		b = b[h.end:]
	}
	return understood
}

// Done reports that both hellos are known.
func (s *Session) Done() bool { return s.Client != nil && s.Server != nil }

func (s *Session) initial(dir int, b []byte, h *Header) {
	if s.initials >= MaxInitials || s.Done() {
		return
	}
	s.initials++
	if s.keyed && h.Version != s.keysOf {
		// RFC 9368 §2.3: the server may go on with a compatible version; its
		// keys follow from the same connection ID.
		if k, err := initialKeys(h.Version, s.dcid); err == nil {
			for side := range k {
				if text, err := k[side].open(b, h); err == nil {
					s.keys, s.keysOf = k, h.Version
					if side == 0 {
						s.ClientDir = dir
					} else {
						s.ClientDir = 1 - dir
					}
					s.frames(side, text, h)
					return
				}
			}
		}
	}
	if s.keyed {
		side := 0
		if dir != s.ClientDir {
			side = 1
		}
		if text, err := s.keys[side].open(b, h); err == nil {
			s.frames(side, text, h)
			return
		}
	}
	// The client's first packet, or its first after a Retry or with another
	// version: the keys follow from the destination connection ID in it.
	k, err := initialKeys(h.Version, h.DCID)
	if err != nil {
		return
	}
	text, err := k[0].open(b, h)
	if err != nil {
		return
	}
	if !s.keyed {
		s.First = h.Version
	}
	s.keys, s.keyed, s.keysOf, s.ClientDir = k, true, h.Version, dir
	s.dcid = append(s.dcid[:0], h.DCID...)
	s.frames(0, text, h)
}

// frames reads the frames that an Initial packet may have (RFC 9000 §12.4).
func (s *Session) frames(side int, b []byte, h *Header) {
	if side == 0 && h.Token > 0 {
		s.Token = true
	}
	bad := false
	next := func() uint64 {
		v, n := varint(b)
		if n == 0 {
			bad, b = true, nil
			return 0
		}
		b = b[n:]
		return v
	}
	for len(b) > 0 {
		switch t := next(); t {
		case 0, 1: // PADDING, PING
		case 2, 3: // ACK
			next()
			next()
			ranges := next()
			next()
			for i := uint64(0); i < ranges && !bad; i++ {
				next()
				next()
			}
			if t == 3 {
				next()
				next()
				next()
			}
		case 6: // CRYPTO
			off, n := next(), next()
			if bad || n > uint64(len(b)) {
				return
			}
			c := &s.crypto[side]
			c.Limit = MaxHello
			c.Add(off, b[:n])
			b = b[n:]
		case 0x1c, 0x1d: // CONNECTION_CLOSE
			s.CloseCode, s.Closed = next(), true
			return
		default:
			return
		}
	}
	s.hellos(side)
}

func (s *Session) hellos(side int) {
	b := s.crypto[side].Bytes()
	if len(b) < 4 {
		return
	}
	n := int(b[1])<<16 | int(b[2])<<8 | int(b[3])
	if n > MaxHello || len(b) < 4+n {
		return
	}
	switch {
	case side == 0 && b[0] == tlsmeta.MsgClientHello && s.Client == nil:
		if h, err := tlsmeta.ParseClientHello(b[4:4+n], false); err == nil {
			s.Client = h
		}
	case side == 1 && b[0] == tlsmeta.MsgServerHello && s.Server == nil:
		if h, err := tlsmeta.ParseServerHello(b[4:4+n], false); err == nil && !h.Retry {
			s.Server = h
		}
	}
}
