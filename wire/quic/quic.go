// SPDX-License-Identifier: Apache-2.0

// Package quic reads what a QUIC connection shows before it is encrypted with
// secret keys: versions, connection IDs, and the TLS hellos in Initial packets.
//
// # What is read
//
// Long headers of QUIC version 1 (RFC 9000 §17.2), version 2 (RFC 9369) and the
// drafts 23 to 34, several packets in one datagram, Version Negotiation (RFC
// 8999 §6), Retry. Initial packets are decrypted: their keys follow from the
// client's first destination connection ID (RFC 9001 §5.2), so that anyone on
// the path can. From their CRYPTO frames, in any order and over any number of
// datagrams, the ClientHello and ServerHello are put together; a
// CONNECTION_CLOSE is noted.
//
// # Limits
//
// At most MaxInitials Initial packets of a connection are decrypted, and
// MaxHello bytes of each direction's CRYPTO stream kept.
//
// # What is not done
//
// Handshake, 0-RTT and 1-RTT packets stay closed; connection migration is not
// followed. Google's own QUIC (Q043 to Q050) is recognised and not read.
package quic

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
)

// Bounds of reading.
const (
	MaxInitials = 48
	MaxHello    = 16 << 10
	MaxCID      = 20 // RFC 9000 §17.2, for the versions read here
)

// Versions.
const (
	Version1      = 0x00000001
	Version2      = 0x6b3343cf
	Version2Draft = 0x709a50c4 // draft-ietf-quic-v2-01 and later drafts
)

// ErrFormat says that a packet is not of the form of its version.
var ErrFormat = errors.New("QUIC packet malformed")

// VersionName returns "QUICv1", "QUICv2", "draft-29", "Q046" and the like.
func VersionName(v uint32) string {
	switch {
	case v == Version1:
		return "QUICv1"
	case v == Version2:
		return "QUICv2"
	case v == Version2Draft:
		return "QUICv2-draft"
	case v>>8 == 0xff0000:
		return fmt.Sprintf("draft-%d", v&0xff)
	case isGoogle(v):
		return string([]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
	case v>>4 == 0xfaceb00:
		return fmt.Sprintf("mvfst-%d", v&15)
	case v&0x0f0f0f0f == 0x0a0a0a0a:
		return "greased" // RFC 9000 §15: to provoke version negotiation
	}
	return fmt.Sprintf("0x%08x", v)
}

func isGoogle(v uint32) bool {
	return (v>>24 == 'Q' || v>>24 == 'T') && v>>16&0xff == '0' && isDigit(v>>8) && isDigit(v)
}

func isDigit(v uint32) bool { return v&0xff >= '0' && v&0xff <= '9' }

func isVersion2(v uint32) bool { return v == Version2 || v == Version2Draft }

// known reports a version whose long header is understood.
func known(v uint32) bool { return salt(v) != "" }

// salt returns the salt of the Initial secret (RFC 9001 §5.2, RFC 9369 §3.3.1, drafts).
func salt(v uint32) string {
	switch {
	case v == Version1, v == 0xff000021, v == 0xff000022:
		return "\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a"
	case v == Version2:
		return "\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9"
	case v == Version2Draft:
		return "\xa7\x07\xc2\x03\xa5\x9b\x47\x18\x4a\x1d\x62\xca\x57\x04\x06\xea\x7a\xe3\xe5\xd3"
	case v >= 0xff00001d && v <= 0xff000020:
		return "\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99"
	case v >= 0xff000017 && v <= 0xff00001c:
		return "\xc3\xee\xf7\x12\xc7\x2e\xbb\x5a\x11\xa7\xd2\x43\x2b\xb4\x63\x65\xbe\xf9\xf5\x02"
	}
	return ""
}

// Type is what a long header announces, the same for all versions.
type Type uint8

// The types of packets with a long header.
const (
	Initial Type = iota
	ZeroRTT
	Handshake
	Retry
	VersionNegotiation
)

// Header is a long header.
type Header struct {
	Type       Type
	Version    uint32
	DCID, SCID []byte // point into the datagram
	Token      int    // bytes of token
	pn         int    // offset of the packet number
	end        int    // end of the packet within the datagram
	Versions   []byte // of a Version Negotiation packet, 4 bytes each
}

// ParseHeader reads the long header at the beginning of b. A packet that is cut
// (snap length) is accepted; its end is then the end of b. The fixed bit is not
// looked at: peers may agree to grease it (RFC 9287).
func ParseHeader(b []byte) (h Header, err error) {
	if len(b) < 7 || b[0]&0x80 == 0 {
		return h, ErrFormat
	}
	h.Version = uint32(b[1])<<24 | uint32(b[2])<<16 | uint32(b[3])<<8 | uint32(b[4])
	off := 5
	for i := range 2 {
		if off >= len(b) {
			return h, ErrFormat
		}
		n := int(b[off])
		off++
		if n > MaxCID || off+n > len(b) {
			return h, ErrFormat
		}
		if i == 0 {
			h.DCID = b[off : off+n]
		} else {
			h.SCID = b[off : off+n]
		}
		off += n
	}
	if h.Version == 0 {
		h.Type = VersionNegotiation
		h.Versions = b[off:]
		h.end = len(b)
		if len(h.Versions) == 0 || len(h.Versions)%4 != 0 {
			return h, ErrFormat
		}
		return h, nil
	}
	if !known(h.Version) {
		return h, ErrFormat
	}
	h.Type = Type(b[0] >> 4 & 3)
	if isVersion2(h.Version) { // RFC 9369 §3.2
		h.Type = (h.Type + 3) & 3
	}
	if h.Type == Retry {
		h.end = len(b)
		return h, nil
	}
	if h.Type == Initial {
		n, k := varint(b[off:])
		if k == 0 || n > uint64(len(b)) {
			return h, ErrFormat
		}
		off += k + int(n)
		if off > len(b) {
			return h, ErrFormat
		}
		h.Token = int(n)
	}
	n, k := varint(b[off:])
	if k == 0 || n < 20 || n > 65535 { // packet number and authentication tag at least
		return h, ErrFormat
	}
	off += k
	h.pn = off
	h.end = min(len(b), off+int(n))
	return h, nil
}

// varint reads a variable-length integer (RFC 9000 §16); n is 0 when b is short.
func varint(b []byte) (v uint64, n int) {
	if len(b) == 0 {
		return 0, 0
	}
	n = 1 << (b[0] >> 6)
	if len(b) < n {
		return 0, 0
	}
	v = uint64(b[0] & 0x3f)
	for _, c := range b[1:n] {
		v = v<<8 | uint64(c)
	}
	return v, n
}

// Looks reports whether a datagram begins with a QUIC long header of a version
// known here, a Version Negotiation that lists such a version, or a Google
// QUIC hello.
func Looks(b []byte) bool {
	if len(b) < 20 {
		return false
	}
	if h, err := ParseHeader(b); err == nil {
		if h.Type != VersionNegotiation {
			return b[0]&0x40 != 0 && (len(h.DCID) > 0 || len(h.SCID) > 0)
		}
		for v := h.Versions; len(v) >= 4; v = v[4:] {
			n := uint32(v[0])<<24 | uint32(v[1])<<16 | uint32(v[2])<<8 | uint32(v[3])
			if known(n) {
				return true
			}
		}
		return false
	}
	v := uint32(b[1])<<24 | uint32(b[2])<<16 | uint32(b[3])<<8 | uint32(b[4])
	if b[0]&0xc0 == 0xc0 && isGoogle(v) {
		return true
	}
	// Public header of Q043 and before: flags with version and 8-byte ID.
	if b[0] == 0x0d || b[0] == 0x09 {
		return isGoogle(uint32(b[9])<<24 | uint32(b[10])<<16 | uint32(b[11])<<8 | uint32(b[12]))
	}
	// A greased version provokes negotiation: the datagram is padded (RFC 9000
	// §6, §14.1) and the IDs are well-formed.
	if b[0]&0xc0 == 0xc0 && v&0x0f0f0f0f == 0x0a0a0a0a && len(b) >= 1200 {
		d := int(b[5])
		return d >= 8 && d <= MaxCID && int(b[6+d]) <= MaxCID
	}
	return false
}

// keys protect the Initial packets of one side.
type keys struct {
	aead cipher.AEAD
	iv   []byte
	hp   cipher.Block
}

// initialKeys derives the keys of both sides: client, server.
func initialKeys(version uint32, dcid []byte) (k [2]keys, err error) {
	secret, err := hkdf.Extract(sha256.New, dcid, []byte(salt(version)))
	if err != nil {
		return k, err
	}
	prefix := "quic "
	if isVersion2(version) {
		prefix = "quicv2 "
	}
	for i, side := range []string{"client in", "server in"} {
		s, err := expandLabel(secret, side, 32)
		if err != nil {
			return k, err
		}
		key, err := expandLabel(s, prefix+"key", 16)
		if err != nil {
			return k, err
		}
		if k[i].iv, err = expandLabel(s, prefix+"iv", 12); err != nil {
			return k, err
		}
		hp, err := expandLabel(s, prefix+"hp", 16)
		if err != nil {
			return k, err
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return k, err
		}
		if k[i].aead, err = cipher.NewGCM(block); err != nil {
			return k, err
		}
		if k[i].hp, err = aes.NewCipher(hp); err != nil {
			return k, err
		}
	}
	return k, nil
}

// expandLabel is HKDF-Expand-Label of RFC 8446 §7.1 with an empty context.
func expandLabel(secret []byte, label string, n int) ([]byte, error) {
	info := make([]byte, 0, 32)
	info = append(info, byte(n>>8), byte(n), byte(6+len(label)))
	info = append(info, "tls13 "...)
	info = append(info, label...)
	info = append(info, 0)
	return hkdf.Expand(sha256.New, secret, string(info), n)
}

// open removes header protection and decrypts the packet of b that h describes
// (RFC 9001 §5.3, §5.4). b is not changed.
func (k *keys) open(b []byte, h *Header) ([]byte, error) {
	if h.end-h.pn < 4+16 {
		return nil, ErrFormat
	}
	var mask [16]byte
	k.hp.Encrypt(mask[:], b[h.pn+4:h.pn+20])
	first := b[0] ^ mask[0]&0x0f
	n := int(first&3) + 1
	head := append([]byte(nil), b[:h.pn+n]...)
	head[0] = first
	var nonce [12]byte
	copy(nonce[:], k.iv)
	for i := range n {
		head[h.pn+i] ^= mask[1+i]
		nonce[12-n+i] ^= head[h.pn+i]
	}
	return k.aead.Open(nil, nonce[:], b[h.pn+n:h.end], head)
}
