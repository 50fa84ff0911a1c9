// SPDX-License-Identifier: Apache-2.0

// Package rdp reads the opening of a Remote Desktop connection: TPKT (RFC 1006
// §6), the X.224 connection request and confirm with RDP's negotiation
// ([MS-RDPBCGR] §2.2.1.1, §2.2.1.2) and, where the connection is not inside TLS,
// the client's core data in the GCC conference create request (§2.2.1.3).
//
// # Limits
//
// A TPKT has at most MaxPacket octets; a cookie at most 256.
//
// # What is not done
//
// Nothing behind the security exchange is read, as it is encrypted. The T.124
// encoding (PER) is not decoded as such: the client core data is found by its
// header, which §2.2.1.3.1 fixes.
package rdp

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// MaxPacket is the longest TPKT.
const MaxPacket = 65535

// Types of X.224 TPDU (ITU-T X.224 §13).
const (
	ConnectionRequest = 0xe0
	ConnectionConfirm = 0xd0
	DisconnectRequest = 0x80
	DataTPDU          = 0xf0
)

// Size returns the length of the TPKT at the start of b; 0 while unknown.
func Size(b []byte) (int, error) {
	if len(b) > 0 && b[0] != 3 || len(b) > 1 && b[1] != 0 {
		return 0, &octet.Error{What: "not TPKT version 3"}
	}
	if len(b) < 4 {
		return 0, nil
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n < 7 {
		return 0, &octet.Error{Offset: 2, What: "impossible TPKT length"}
	}
	return n, nil
}

// TPDU returns the type of an X.224 TPDU in a TPKT and what follows its fixed
// part.
func TPDU(b []byte) (kind uint8, rest []byte, err error) {
	n, err := Size(b)
	if err != nil {
		return 0, nil, err
	}
	if n == 0 || len(b) < n {
		return 0, nil, &octet.Error{Offset: len(b), What: "TPKT cut off"}
	}
	li := int(b[4])
	switch kind = b[5] & 0xf0; kind {
	case ConnectionRequest, ConnectionConfirm, DisconnectRequest:
		if li < 6 || 5+li > n || n < 11 {
			return kind, nil, &octet.Error{Offset: 4, What: "X.224 length indicator impossible"}
		}
		return kind, b[11:n], nil
	case DataTPDU:
		if li != 2 {
			return kind, nil, &octet.Error{Offset: 4, What: "X.224 data header impossible"}
		}
		return kind, b[7:n], nil
	}
	return kind, nil, &octet.Error{Offset: 5, What: "unknown X.224 TPDU"}
}

// Protocols of requestedProtocols and selectedProtocol (§2.2.1.1.1).
const (
	ProtocolRDP      = 0
	ProtocolTLS      = 1
	ProtocolHybrid   = 2
	ProtocolRDSTLS   = 4
	ProtocolHybridEx = 8
	ProtocolRDSAAD   = 16
)

// Request is a connection request.
type Request struct {
	User       string // from "Cookie: mstshash=": the beginning of a user name
	Token      string // from "Cookie: msts=" or "tsv://": the routing token of a farm
	Negotiates bool   // it carries RDP_NEG_REQ
	Flags      uint8
	Protocols  uint32
}

// RestrictedAdmin and similar flags (§2.2.1.1.1).
const (
	FlagRestrictedAdmin = 1
	FlagRedirectedAuth  = 2
)

// ParseRequest reads what follows the fixed part of a connection request.
func ParseRequest(rest []byte) (Request, error) {
	var r Request
	if i := bytes.Index(rest, []byte("\r\n")); i >= 0 && (bytes.HasPrefix(rest, []byte("Cookie: ")) || bytes.HasPrefix(rest, []byte("tsv:"))) {
		line := rest[:i]
		rest = rest[i+2:]
		if u, ok := bytes.CutPrefix(line, []byte("Cookie: mstshash=")); ok {
			r.User = printable.Text(u, printable.Max)
		} else if t, ok := bytes.CutPrefix(line, []byte("Cookie: ")); ok {
			r.Token = printable.Text(t, printable.Max)
		} else {
			r.Token = printable.Text(line, printable.Max)
		}
	}
	if len(rest) == 0 {
		return r, nil
	}
	if len(rest) < 8 || rest[0] != 1 || rest[2] != 8 || rest[3] != 0 {
		return r, &octet.Error{Offset: 11, What: "not an RDP negotiation request"}
	}
	r.Negotiates, r.Flags, r.Protocols = true, rest[1], binary.LittleEndian.Uint32(rest[4:])
	return r, nil
}

// Confirm is a connection confirm.
type Confirm struct {
	Negotiated bool // an old server answers without
	Selected   uint32
	Failure    uint32 // failureCode, 0 when there is none
	Flags      uint8
}

// ParseConfirm reads what follows the fixed part of a connection confirm.
func ParseConfirm(rest []byte) (Confirm, error) {
	var c Confirm
	if len(rest) == 0 {
		return c, nil
	}
	if len(rest) < 8 || rest[2] != 8 || rest[3] != 0 || rest[0] != 2 && rest[0] != 3 {
		return c, &octet.Error{Offset: 11, What: "not an RDP negotiation response"}
	}
	v := binary.LittleEndian.Uint32(rest[4:])
	c.Negotiated, c.Flags = true, rest[1]
	if rest[0] == 2 {
		c.Selected = v
	} else {
		c.Failure = v
	}
	return c, nil
}

// ProtocolNames lists the protocols that a request offers.
func ProtocolNames(p uint32) []string {
	names := []string{"rdp"} // standard security is always possible
	for bit := uint32(1); bit <= ProtocolRDSAAD; bit <<= 1 {
		if p&bit != 0 {
			names = append(names, ProtocolName(bit))
		}
	}
	return names
}

// ProtocolName returns the name of one protocol.
func ProtocolName(p uint32) string {
	switch p {
	case ProtocolRDP:
		return "rdp"
	case ProtocolTLS:
		return "tls"
	case ProtocolHybrid:
		return "credssp"
	case ProtocolRDSTLS:
		return "rdstls"
	case ProtocolHybridEx:
		return "credssp-early-auth"
	case ProtocolRDSAAD:
		return "rdsaad"
	}
	return strconv.FormatUint(uint64(p), 10)
}

// FailureName returns the name of a failure (§2.2.1.2.2).
func FailureName(f uint32) string {
	switch f {
	case 0:
		return ""
	case 1:
		return "SSL_REQUIRED_BY_SERVER"
	case 2:
		return "SSL_NOT_ALLOWED_BY_SERVER"
	case 3:
		return "SSL_CERT_NOT_ON_SERVER"
	case 4:
		return "INCONSISTENT_FLAGS"
	case 5:
		return "HYBRID_REQUIRED_BY_SERVER"
	case 6:
		return "SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER"
	}
	return strconv.FormatUint(uint64(f), 10)
}

// Core is the client core data (§2.2.1.3.2).
type Core struct {
	Version       uint32
	Width, Height uint16
	Keyboard      uint32
	Build         uint32
	Name          string
}

// FindCore finds the client core data in a GCC conference create request.
func FindCore(b []byte) (Core, bool) {
	i := bytes.Index(b, []byte("Duca")) // h221 key of the client, T.124 §8.7
	if i < 0 {
		return Core{}, false
	}
	b = b[i+4:]
	for skip := 1; skip <= 3; skip++ { // PER length of the user data: one or two octets
		if len(b) < skip+4 || b[skip] != 0x01 || b[skip+1] != 0xc0 {
			continue
		}
		n := int(binary.LittleEndian.Uint16(b[skip+2:]))
		if n < 132 || len(b) < skip+132 {
			return Core{}, false
		}
		d := b[skip+4:]
		return Core{Version: binary.LittleEndian.Uint32(d), Width: binary.LittleEndian.Uint16(d[4:]), Height: binary.LittleEndian.Uint16(d[6:]),
			Keyboard: binary.LittleEndian.Uint32(d[12:]), Build: binary.LittleEndian.Uint32(d[16:]), Name: printable.UTF16(cutNUL(d[20:52]), 64)}, true
	}
	return Core{}, false
}

func cutNUL(b []byte) []byte {
	for i := 0; i+1 < len(b); i += 2 {
		if b[i]|b[i+1] == 0 {
			return b[:i]
		}
	}
	return b
}

// Looks tells whether b begins with a connection request or confirm of RDP.
// Other uses of TPKT (H.323, S7comm, MMS) request without cookie and negotiation,
// with parameters instead.
func Looks(b []byte) (yes, maybe bool) {
	n, err := Size(b)
	switch {
	case err != nil || n > 600:
		return false, false
	case n == 0 || len(b) < min(n, 11):
		return false, true
	}
	switch b[5] {
	case ConnectionRequest:
		if int(b[4]) != n-5 {
			return false, false
		}
		if n == 11 { // before RDP 5.1: nothing else; so is a bare X.224
			return false, false
		}
		if len(b) < n {
			return false, true
		}
		r, err := ParseRequest(b[11:n])
		return err == nil && (r.Negotiates || r.User != "" || r.Token != ""), false
	case ConnectionConfirm:
		if int(b[4]) != n-5 || n != 19 {
			return false, false
		}
		if len(b) < n {
			return false, true
		}
		_, err := ParseConfirm(b[11:n])
		return err == nil, false
	}
	return false, false
}
