// SPDX-License-Identifier: Apache-2.0

package tlsmeta

// LooksLikeDTLS tells what a datagram is: Handshake for a hello in clear,
// Protected for other records, NotTLS otherwise. Every record in the datagram
// must have a valid header (RFC 9147 §4).
func LooksLikeDTLS(b []byte) Answer {
	if len(b) < 13 || !validDTLSHeader(b) {
		return NotTLS
	}
	kind := Protected
	first := b
	for len(b) > 0 {
		if b[0]&0xe0 == 0x20 { // RFC 9147 §4: unified header
			return kind
		}
		if len(b) < 13 || !validDTLSHeader(b) {
			return NotTLS
		}
		n := 13 + int(b[11])<<8 + int(b[12])
		if n > len(b) {
			return NotTLS
		}
		b = b[n:]
	}
	if first[0] == TypeHandshake && first[3] == 0 && first[4] == 0 && len(first) >= 25 {
		switch first[13] {
		case MsgClientHello, MsgServerHello, HelloVerifyRequest:
			kind = Handshake
		}
	}
	return kind
}

func validDTLSHeader(b []byte) bool {
	if b[0] < TypeChangeCipherSpec || b[0] > 26 {
		return false
	}
	v := uint16(b[1])<<8 | uint16(b[2])
	if v != DTLS10 && v != DTLS12 && v != DTLS13 && v != 0x0100 {
		return false
	}
	n := int(b[11])<<8 | int(b[12])
	return n > 0 && n <= MaxRecord
}

// dtlsMessages is how many messages of one direction can be incomplete at a
// time. A flight has at most six.
const dtlsMessages = 6

type dtlsMessage struct {
	used   bool
	seq    uint16
	typ    uint8
	length int
	frags  Fragments
}

// DTLSSession reads both directions of DTLS over datagrams. The zero value is
// ready. It keeps at most dtlsMessages incomplete messages of MaxMessage bytes
// for each direction, and of those only what was received.
type DTLSSession struct {
	Account
	parts    [2][dtlsMessages]dtlsMessage
	next     [2]int // slot to be reused
	total    [2]int
	sealed   [2]bool
	done     bool
	anything bool
}

// Done reports that nothing readable can follow.
func (s *DTLSSession) Done() bool { return s.done }

// Packet reads one datagram of direction dir. It reports whether the datagram
// was DTLS.
func (s *DTLSSession) Packet(dir int, b []byte) bool {
	if len(b) == 0 {
		return false
	}
	if b[0]&0xe0 == 0x20 {
		if s.anything {
			s.protected(dir)
		}
		return s.anything
	}
	understood := false
	for len(b) >= 13 && !s.done {
		if b[0]&0xe0 == 0x20 {
			s.protected(dir)
			break
		}
		if !validDTLSHeader(b) {
			break
		}
		understood, s.anything = true, true
		n := int(b[11])<<8 | int(b[12])
		typ, epoch := b[0], int(b[3])<<8|int(b[4])
		rec := b[13:min(len(b), 13+n)]
		b = b[13+len(rec):]
		if s.total[dir] += len(rec); s.total[dir] > MaxHandshake {
			s.done = true
			break
		}
		if epoch > 0 {
			if typ == TypeHandshake || s.sawCCS[dir] {
				s.protected(dir)
			} else if typ == TypeApplicationData {
				s.done = true
			}
			continue
		}
		switch typ {
		case TypeChangeCipherSpec:
			s.changeCipherSpec(dir)
		case TypeAlert:
			s.alert(dir, rec)
			s.done = s.done || s.AlertFatal
		case TypeHandshake:
			s.handshake(dir, rec)
		}
	}
	return understood
}

func (s *DTLSSession) protected(dir int) {
	s.sealed[dir] = true
	if s.Server == nil {
		s.done = s.done || s.Client == nil
		return
	}
	s.finish(dir)
	if s.Complete {
		s.done = true
	}
}

func (s *DTLSSession) handshake(dir int, b []byte) {
	for len(b) >= 12 {
		c := cursor{b: b}
		typ, length := uint8(c.u8()), c.u24()
		seq := uint16(c.u16())
		off, n := c.u24(), c.u24()
		frag := c.take(n)
		if c.bad || off+n > length {
			return
		}
		b = b[c.off:]
		switch {
		case length > MaxMessage:
			if off == 0 {
				s.message(dir, Message{Type: typ, Length: length, TooLarge: true}, true)
			}
		case n == length:
			s.message(dir, Message{Type: typ, Length: length, Body: frag}, true)
		default:
			s.part(dir, typ, seq, length, off, frag)
		}
	}
}

func (s *DTLSSession) part(dir int, typ uint8, seq uint16, length, off int, frag []byte) {
	var slot *dtlsMessage
	for i := range s.parts[dir] {
		p := &s.parts[dir][i]
		if p.used && p.seq == seq && p.typ == typ && p.length == length {
			slot = p
			break
		}
	}
	if slot == nil {
		slot = &s.parts[dir][s.next[dir]]
		s.next[dir] = (s.next[dir] + 1) % dtlsMessages
		*slot = dtlsMessage{used: true, seq: seq, typ: typ, length: length, frags: Fragments{Limit: length}}
	}
	if slot.frags.Add(uint64(off), frag) && len(slot.frags.Bytes()) == length {
		s.message(dir, Message{Type: typ, Length: length, Body: slot.frags.Bytes()}, true)
		*slot = dtlsMessage{}
	}
}
