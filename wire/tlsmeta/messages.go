// SPDX-License-Identifier: Apache-2.0

package tlsmeta

import "strings"

// Message is one handshake message.
type Message struct {
	Type     uint8
	Length   int    // as declared
	Body     []byte // valid until the next call; nil when TooLarge
	TooLarge bool   // longer than MaxMessage: passed over
}

// Messages joins the bytes of one direction's handshake into messages (RFC
// 8446 §4). It keeps at most MaxMessage bytes. The zero value is ready.
type Messages struct {
	head  [4]byte
	nhead int
	buf   []byte
	skip  int
}

// Next reads from data and returns how many bytes it consumed and, with ok, a
// complete message. Without ok all of data was consumed.
func (m *Messages) Next(data []byte) (n int, msg Message, ok bool) {
	if m.nhead < 4 {
		n = copy(m.head[m.nhead:], data)
		m.nhead += n
		if m.nhead < 4 {
			return n, msg, false
		}
		m.buf = m.buf[:0]
		if l := m.length(); l > MaxMessage {
			m.skip = l
		}
	}
	l := m.length()
	msg = Message{Type: m.head[0], Length: l}
	if l > MaxMessage {
		k := min(m.skip, len(data)-n)
		m.skip -= k
		n += k
		if m.skip > 0 {
			return n, msg, false
		}
		msg.TooLarge = true
		m.nhead = 0
		return n, msg, true
	}
	k := min(l-len(m.buf), len(data)-n)
	if len(m.buf) == 0 && k == l {
		msg.Body = data[n : n+k]
	} else {
		m.buf = append(m.buf, data[n:n+k]...)
		if len(m.buf) < l {
			return n + k, msg, false
		}
		msg.Body = m.buf
	}
	m.nhead = 0
	return n + k, msg, true
}

// Partial reports whether a message has begun and is not complete.
func (m *Messages) Partial() bool { return m.nhead > 0 }

func (m *Messages) length() int {
	return int(m.head[1])<<16 | int(m.head[2])<<8 | int(m.head[3])
}

// Chain reads the body of a Certificate message of TLS 1.2 and below (RFC 5246
// §7.4.2) into DER certificates. cut reports that the chain was longer than
// MaxChain or ended early. The slices point into body.
func Chain(body []byte) (certs [][]byte, cut bool) {
	c := cursor{b: body}
	list := cursor{b: c.vec24()}
	if c.bad {
		return nil, true
	}
	for list.left() > 0 {
		if len(certs) == MaxChain {
			return certs, true
		}
		der := list.vec24()
		if list.bad {
			return certs, true
		}
		certs = append(certs, der)
	}
	return certs, false
}

// exchangeGroup reads from ServerKeyExchange which group is used: a named
// curve, or the length in bits of the Diffie-Hellman prime. Which of the two
// stands there depends on the cipher suite.
func exchangeGroup(cipher uint16, body []byte) (group uint16, bits int) {
	name := CipherName(cipher)
	c := cursor{b: body}
	switch {
	case strings.HasPrefix(name, "TLS_ECDHE_PSK"):
		return 0, 0
	case strings.HasPrefix(name, "TLS_ECDH"): // RFC 8422 §5.4
		if c.u8() == 3 {
			if g := c.u16(); !c.bad {
				return uint16(g), 0
			}
		}
	case strings.HasPrefix(name, "TLS_DHE_RSA"), strings.HasPrefix(name, "TLS_DHE_DSS"), strings.HasPrefix(name, "TLS_DH_anon"): // RFC 5246 §7.4.3
		p := c.vec16()
		for len(p) > 0 && p[0] == 0 {
			p = p[1:]
		}
		return 0, 8 * len(p)
	}
	return 0, 0
}
