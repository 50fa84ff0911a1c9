// SPDX-License-Identifier: Apache-2.0

package tlsmeta

// SSL2Length returns the length in bytes of an SSL 2.0 record with a
// CLIENT-HELLO that begins at b, header included, or 0 when b is none. b needs
// 11 bytes for an answer; RFC 5246 appendix E.2 gives the form. Only the
// two-byte record header occurs there.
func SSL2Length(b []byte) int {
	if len(b) < 11 || b[0]&0x80 == 0 || b[2] != MsgClientHello {
		return 0
	}
	n := int(b[0]&0x7f)<<8 | int(b[1])
	version := uint16(b[3])<<8 | uint16(b[4])
	ciphers := int(b[5])<<8 | int(b[6])
	session := int(b[7])<<8 | int(b[8])
	challenge := int(b[9])<<8 | int(b[10])
	switch {
	case version != SSL20 && (version < SSL30 || version > TLS12),
		ciphers == 0 || ciphers%3 != 0,
		session != 0 && session != 16,
		challenge < 16 || challenge > 32,
		n != 9+ciphers+session+challenge:
		return 0
	}
	return n + 2
}

// ParseSSL2Hello reads a whole SSL 2.0 record with a CLIENT-HELLO. Cipher specs
// of SSL 2.0 itself, three bytes with the first not zero, have no number in
// today's registry and are left out.
func ParseSSL2Hello(rec []byte) (*ClientHello, error) {
	n := SSL2Length(rec)
	if n == 0 || n > len(rec) {
		return nil, &Error{"ssl 2.0 client hello", 0, "malformed"}
	}
	c := cursor{b: rec[3:n]}
	h := &ClientHello{SSL2: true, Version: uint16(c.u16())}
	ciphers := c.u16()
	session := c.u16()
	c.u16()
	specs := c.take(ciphers)
	h.SessionID = cloned(c.take(session), 32)
	for ; len(specs) >= 3 && len(h.Ciphers) < MaxList; specs = specs[3:] {
		if specs[0] == 0 {
			h.Ciphers = append(h.Ciphers, uint16(specs[1])<<8|uint16(specs[2]))
		}
	}
	return h, nil
}
