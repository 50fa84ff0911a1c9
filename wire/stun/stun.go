// SPDX-License-Identifier: Apache-2.0

// Package stun reads STUN messages (RFC 8489, RFC 5389) and TURN (RFC 8656,
// RFC 5766) including ChannelData.
//
// # What is read
//
// Class and method, transaction ID, and of the attributes: SOFTWARE, USERNAME,
// REALM, XOR-MAPPED-ADDRESS and the other addresses, ERROR-CODE, ICE's
// PRIORITY, USE-CANDIDATE and roles (RFC 8445 §16.1), LIFETIME,
// REQUESTED-TRANSPORT, and whether MESSAGE-INTEGRITY and FINGERPRINT are there.
// FINGERPRINT is verified; it tells a STUN message from anything else.
//
// # Limits
//
// At most 64 attributes of a message are read; strings have at most 763 bytes,
// as the standard says. Nothing is kept between messages.
//
// # What is not done
//
// Message integrity cannot be verified without the password. RFC 3489 messages
// without the magic cookie are not recognised: nothing tells them from other
// datagrams. The data inside TURN indications is not looked at.
package stun

import (
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"
)

// Cookie is the magic cookie of RFC 8489 §5.
const Cookie = 0x2112a442

// HeaderSize is the length of the message header in bytes.
const HeaderSize = 20

const maxAttributes = 64

// ErrMessage says that the bytes are no STUN message.
var ErrMessage = errors.New("STUN message malformed")

// Class is a message's class (RFC 8489 §5).
type Class uint8

// The classes.
const (
	Request Class = iota
	Indication
	Success
	Failure
)

// Methods (IANA STUN Methods).
const (
	Binding           = 0x001
	Allocate          = 0x003
	Refresh           = 0x004
	Send              = 0x006
	Data              = 0x007
	CreatePermission  = 0x008
	ChannelBind       = 0x009
	Connect           = 0x00a
	ConnectionBind    = 0x00b
	ConnectionAttempt = 0x00c
)

// MethodName names a method.
func MethodName(m uint16) string {
	switch m {
	case Binding:
		return "Binding"
	case Allocate:
		return "Allocate"
	case Refresh:
		return "Refresh"
	case Send:
		return "Send"
	case Data:
		return "Data"
	case CreatePermission:
		return "CreatePermission"
	case ChannelBind:
		return "ChannelBind"
	case Connect:
		return "Connect"
	case ConnectionBind:
		return "ConnectionBind"
	case ConnectionAttempt:
		return "ConnectionAttempt"
	}
	return fmt.Sprintf("0x%03x", m)
}

// Message is one STUN message.
type Message struct {
	Class       Class
	Method      uint16
	Transaction [12]byte
	Size        int // bytes, header included
	Software    string
	UserName    string
	Realm       string
	Mapped      netip.AddrPort // (XOR-)MAPPED-ADDRESS: the client as the server sees it
	Relayed     netip.AddrPort // XOR-RELAYED-ADDRESS
	Peer        netip.AddrPort // XOR-PEER-ADDRESS, the first
	Lifetime    uint32         // seconds
	Transport   uint8          // REQUESTED-TRANSPORT: IP protocol number
	ErrorCode   int            // 0 when absent
	Reason      string
	Integrity   bool
	Fingerprint bool // present and right
	ICE         bool // PRIORITY, USE-CANDIDATE or a role is present
	Controlling bool
	Nominated   bool // USE-CANDIDATE
}

// Looks reports whether b begins with a STUN header: two zero bits, a length
// that is a multiple of four, and the magic cookie.
func Looks(b []byte) bool {
	return len(b) >= HeaderSize && b[0]&0xc0 == 0 && b[3]&3 == 0 && b[4] == 0x21 && b[5] == 0x12 && b[6] == 0xa4 && b[7] == 0x42
}

// Length returns the length of the message whose header b begins with.
func Length(b []byte) int { return HeaderSize + int(b[2])<<8 + int(b[3]) }

// Parse reads the message at the beginning of b. Attributes beyond a cut (snap
// length) are left out.
func Parse(b []byte) (m Message, err error) {
	if !Looks(b) {
		return m, ErrMessage
	}
	t := uint16(b[0])<<8 | uint16(b[1])
	// RFC 8489 §5: class bits 4 and 8 are interleaved with the method.
	m.Class = Class(t>>4&1 | t>>7&2)
	m.Method = t&0xf | t>>1&0x70 | t>>2&0xf80
	m.Size = Length(b)
	copy(m.Transaction[:], b[8:20])
	whole := m.Size <= len(b)
	msg := b[:min(len(b), m.Size)]
	for off, n := HeaderSize, 0; off+4 <= len(msg) && n < maxAttributes; n++ {
		typ := uint16(msg[off])<<8 | uint16(msg[off+1])
		size := int(msg[off+2])<<8 | int(msg[off+3])
		if off+4+size > len(msg) {
			if whole {
				return m, ErrMessage
			}
			break
		}
		m.attribute(typ, msg[off+4:off+4+size], msg[:off], msg)
		off += 4 + (size+3)&^3
	}
	return m, nil
}

func (m *Message) attribute(typ uint16, v, before, msg []byte) {
	switch typ {
	case 0x0001: // MAPPED-ADDRESS
		if a := address(v, nil); a.IsValid() && !m.Mapped.IsValid() {
			m.Mapped = a
		}
	case 0x0020, 0x8020: // XOR-MAPPED-ADDRESS and its old number
		if a := address(v, msg[4:20]); a.IsValid() {
			m.Mapped = a
		}
	case 0x0016:
		m.Relayed = address(v, msg[4:20])
	case 0x0012:
		if !m.Peer.IsValid() {
			m.Peer = address(v, msg[4:20])
		}
	case 0x0006:
		m.UserName = capped(v, 513)
	case 0x0014:
		m.Realm = capped(v, 763)
	case 0x8022:
		m.Software = capped(v, 763)
	case 0x000d:
		if len(v) == 4 {
			m.Lifetime = uint32(v[0])<<24 | uint32(v[1])<<16 | uint32(v[2])<<8 | uint32(v[3])
		}
	case 0x0019:
		if len(v) == 4 {
			m.Transport = v[0]
		}
	case 0x0009:
		if len(v) >= 4 {
			m.ErrorCode = int(v[2]&7)*100 + int(v[3])
			m.Reason = capped(v[4:], 763)
		}
	case 0x0008, 0x001c:
		m.Integrity = true
	case 0x8028:
		if len(v) == 4 {
			// RFC 8489 §14.7: over everything before, XORed with "STUN".
			sum := crc32.ChecksumIEEE(before) ^ 0x5354554e
			m.Fingerprint = sum == uint32(v[0])<<24|uint32(v[1])<<16|uint32(v[2])<<8|uint32(v[3])
		}
	case 0x0024, 0x8029:
		m.ICE = true
	case 0x802a:
		m.ICE, m.Controlling = true, true
	case 0x0025:
		m.ICE, m.Nominated = true, true
	}
}

// address reads an address attribute; key, cookie and transaction ID, undoes
// the XOR (RFC 8489 §14.2).
func address(v, key []byte) netip.AddrPort {
	if len(v) < 8 {
		return netip.AddrPort{}
	}
	port := uint16(v[2])<<8 | uint16(v[3])
	if key != nil {
		port ^= uint16(key[0])<<8 | uint16(key[1])
	}
	var a [16]byte
	n := 0
	switch {
	case v[1] == 1 && len(v) == 8:
		n = 4
	case v[1] == 2 && len(v) == 20:
		n = 16
	default:
		return netip.AddrPort{}
	}
	for i := range n {
		a[i] = v[4+i]
		if key != nil {
			a[i] ^= key[i]
		}
	}
	if n == 4 {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(a[:4])), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16(a), port)
}

func capped(v []byte, n int) string {
	for len(v) > 0 && v[len(v)-1] == 0 { // some senders pad inside the length
		v = v[:len(v)-1]
	}
	return string(v[:min(len(v), n)])
}

// ChannelData reads the header of a TURN ChannelData message (RFC 8656 §12.4):
// the channel, and the length of the data.
func ChannelData(b []byte) (channel uint16, length int, ok bool) {
	if len(b) < 4 {
		return 0, 0, false
	}
	channel = uint16(b[0])<<8 | uint16(b[1])
	length = int(b[2])<<8 | int(b[3])
	return channel, length, channel >= 0x4000 && channel <= 0x4fff
}
