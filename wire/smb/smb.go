// SPDX-License-Identifier: Apache-2.0

// Package smb reads the Server Message Block protocol: version 1 as [MS-CIFS]
// and [MS-SMB] describe it, versions 2 and 3 as [MS-SMB2] does, in the framing of
// NetBIOS sessions (RFC 1002 §4.3) that Direct TCP shares ([MS-SMB2] §2.1), and
// the binds of DCE/RPC over named pipes (C706 §12.6.4).
//
// # How it reads
//
// ParseSession reads the four octets of the frame. A message is then read by
// ParseHeader1 or ParseHeader2 and the function of its command. Each takes the
// message from its header on, as offsets on the wire count from there, and
// accepts one that is cut off behind its fixed part: names that are not there
// are empty. Bulk content (READ, WRITE) need not be there at all.
//
// # Limits
//
// Names are cut to 256 bytes, paths to 1024; at most 64 dialects, 16 negotiate
// contexts, 16 identifiers in each, 8 commands of an AndX chain.
//
// # What is not done
//
// Signatures are not checked, nothing is decrypted or decompressed. Of SMB1,
// TRANSACTION, TRANSACTION2 and NT_TRANSACT are recognised by name only. Lock,
// notify, query and oplock commands are recognised by name only.
package smb

import (
	"encoding/binary"

	"github.com/asepsis/asepsis/wire/octet"
)

// Types of a session packet (RFC 1002 §4.3.1).
const (
	SessionMessage   = 0x00
	SessionRequest   = 0x81
	SessionPositive  = 0x82
	SessionNegative  = 0x83
	SessionRetarget  = 0x84
	SessionKeepAlive = 0x85
)

// SessionSize is the length of the session header.
const SessionSize = 4

// ParseSession reads the header of a session packet. Direct TCP uses 24 bits
// of length, NetBIOS 17: the larger is read.
func ParseSession(b []byte) (kind uint8, length int, err error) {
	if len(b) < SessionSize {
		return 0, 0, &octet.Error{What: "session header cut off"}
	}
	n := int(b[1])<<16 | int(b[2])<<8 | int(b[3])
	switch b[0] {
	case SessionMessage:
		return b[0], n, nil
	case SessionRequest, SessionPositive, SessionNegative, SessionRetarget, SessionKeepAlive:
		if n > 512 {
			return b[0], n, &octet.Error{Offset: 1, What: "session control packet of impossible length"}
		}
		return b[0], n, nil
	}
	return b[0], n, &octet.Error{What: "unknown session packet type"}
}

// Kind is what a message begins with.
type Kind uint8

// The kinds of message.
const (
	Unknown    Kind = iota
	SMB1            // FF 'S' 'M' 'B'
	SMB2            // FE 'S' 'M' 'B'
	Encrypted       // FD 'S' 'M' 'B', [MS-SMB2] §2.2.41
	Compressed      // FC 'S' 'M' 'B', [MS-SMB2] §2.2.42
)

// KindOf looks at the first four octets of a message.
func KindOf(b []byte) Kind {
	if len(b) < 4 || b[1] != 'S' || b[2] != 'M' || b[3] != 'B' {
		return Unknown
	}
	switch b[0] {
	case 0xff:
		return SMB1
	case 0xfe:
		return SMB2
	case 0xfd:
		return Encrypted
	case 0xfc:
		return Compressed
	}
	return Unknown
}

// Looks tells whether b begins a session that carries SMB.
func Looks(b []byte) (yes, maybe bool) {
	if len(b) < SessionSize {
		return false, len(b) == 0 || b[0] == 0 || b[0] == SessionRequest
	}
	if b[0] != SessionMessage && b[0] != SessionRequest && b[0] != SessionPositive {
		return false, false
	}
	kind, n, err := ParseSession(b)
	if err != nil {
		return false, false
	}
	if kind == SessionRequest { // two encoded names of 34 octets each, most often
		return len(b) >= 6 && n >= 68 && n <= 200 && b[4] == 0x20 && isEncoded(b[5:min(len(b), 37)]), len(b) < 6
	}
	if kind == SessionPositive {
		return len(b) >= 12 && n == 0 && KindOf(b[8:]) != Unknown, len(b) < 12 && n == 0
	}
	if kind != SessionMessage || n < 32 {
		return false, false
	}
	if len(b) < 8 {
		for i, c := range b[4:] {
			if i == 0 && (c < 0xfc) || i > 0 && c != "\x00SMB"[i] {
				return false, false
			}
		}
		return false, true
	}
	return KindOf(b[4:]) != Unknown, false
}

// isEncoded reports letters of first-level encoding (RFC 1001 §14.1).
func isEncoded(b []byte) bool {
	for _, c := range b {
		if c < 'A' || c > 'P' {
			return false
		}
	}
	return len(b) > 0
}

func le16(b []byte, at int) uint16 {
	if at < 0 || at+2 > len(b) {
		return 0
	}
	return binary.LittleEndian.Uint16(b[at:])
}

func le32(b []byte, at int) uint32 {
	if at < 0 || at+4 > len(b) {
		return 0
	}
	return binary.LittleEndian.Uint32(b[at:])
}

func le64(b []byte, at int) uint64 {
	if at < 0 || at+8 > len(b) {
		return 0
	}
	return binary.LittleEndian.Uint64(b[at:])
}

// within returns n octets at offset at, what is there of them.
func within(b []byte, at, n int) []byte {
	if at < 0 || n <= 0 || at >= len(b) {
		return nil
	}
	return b[at:min(len(b), at+n)]
}
