// SPDX-License-Identifier: Apache-2.0

package tlsmeta

// Answer is what a look at the first bytes says.
type Answer uint8

// The answers of LooksLikeTLS and LooksLikeDTLS.
const (
	NotTLS    Answer = iota
	NeedMore         // not contradicted so far
	Handshake        // a hello begins here
	Protected        // records of an established connection
)

// LooksLikeTLS tells whether b begins a TLS stream: with a hello (5 bytes of
// record header, the message type and its length, or an SSL 2.0 CLIENT-HELLO),
// with an alert in answer to one, or, for captures that begin in mid-stream,
// with protected records: there every record header within b must be valid.
func LooksLikeTLS(b []byte) Answer {
	if len(b) == 0 {
		return NeedMore
	}
	if b[0]&0x80 != 0 {
		switch {
		case len(b) >= 3 && b[2] != MsgClientHello, len(b) >= 4 && b[3] != 3 && b[3] != 0:
			return NotTLS
		case len(b) < 11:
			return NeedMore
		case SSL2Length(b) != 0:
			return Handshake
		}
		return NotTLS
	}
	if b[0] < TypeChangeCipherSpec || b[0] > TypeHeartbeat || len(b) > 1 && b[1] != 3 || len(b) > 2 && b[2] > 4 {
		return NotTLS
	}
	if len(b) < 5 {
		return NeedMore
	}
	if !validHeader(b) {
		return NotTLS
	}
	n := int(b[3])<<8 | int(b[4])
	if b[0] == TypeHandshake {
		if len(b) < 9 && (len(b) < 6 || b[5] == MsgClientHello || b[5] == MsgServerHello) {
			if n < 4 {
				return NotTLS
			}
			return NeedMore
		}
		if b[5] == MsgClientHello || b[5] == MsgServerHello {
			m := int(b[6])<<16 | int(b[7])<<8 | int(b[8])
			if m >= 38 && m <= MaxMessage {
				if len(b) >= 11 && b[9] != 3 && b[9] != 0x7f {
					return NotTLS
				}
				return Handshake
			}
			return NotTLS
		}
	}
	// Walk the chain of records as far as b goes.
	records := 0
	for off := 0; ; {
		if off+5 > len(b) {
			break
		}
		r := b[off:]
		if !validHeader(r) || r[1] != b[1] || r[2] != b[2] {
			return NotTLS
		}
		off += 5 + int(r[3])<<8 + int(r[4])
		records++
		if off >= len(b) {
			if off == len(b) {
				records++ // a header begins where the segment ends: as good as another one
			}
			break
		}
	}
	if b[0] == TypeApplicationData && n >= 17 || records >= 3 {
		return Protected
	}
	if b[0] == TypeAlert && n == 2 && len(b) == 7 && (b[5] == 1 || b[5] == 2) {
		return Protected
	}
	return NeedMore
}
