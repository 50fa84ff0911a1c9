// SPDX-License-Identifier: Apache-2.0

// Package radius reads the Remote Authentication Dial In User Service:
// authentication (RFC 2865), accounting (RFC 2866, 2869), tunnels and VLANs
// (RFC 2868, 3580), EAP (RFC 3579) and dynamic authorization (RFC 5176).
//
// Attributes are walked in place with Attributes; Parse fills the fields that
// identify devices, ports and VLANs. Passwords, authenticators and keys are
// never returned. EAP messages that are split over attributes are joined, up to
// MaxEAP octets. Strings are printable and capped at 253 bytes, as the format
// allows; a user name is a person's until shown otherwise and is the caller's
// to hide.
//
// Not done: verification of authenticators (the secret is unknown), decryption
// of hidden attributes, RADIUS over TLS, vendor-specific attributes beyond the
// presence of a vendor.
package radius

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// Bounds.
const (
	MaxLength  = 4096 // RFC 2865 §3
	MaxEAP     = 4096
	MaxVendors = 8
)

// Codes (IANA RADIUS types).
const (
	AccessRequest      = 1
	AccessAccept       = 2
	AccessReject       = 3
	AccountingRequest  = 4
	AccountingResponse = 5
	AccessChallenge    = 11
	StatusServer       = 12
	DisconnectRequest  = 40
	CoARequest         = 43
)

// CodeName is a code's name, "" when it is not known.
func CodeName(c uint8) string {
	switch c {
	case 1:
		return "Access-Request"
	case 2:
		return "Access-Accept"
	case 3:
		return "Access-Reject"
	case 4:
		return "Accounting-Request"
	case 5:
		return "Accounting-Response"
	case 11:
		return "Access-Challenge"
	case 12:
		return "Status-Server"
	case 13:
		return "Status-Client"
	case 40:
		return "Disconnect-Request"
	case 41:
		return "Disconnect-ACK"
	case 42:
		return "Disconnect-NAK"
	case 43:
		return "CoA-Request"
	case 44:
		return "CoA-ACK"
	case 45:
		return "CoA-NAK"
	}
	return ""
}

// Message is one RADIUS packet.
type Message struct {
	Code, ID             uint8
	UserName             string
	NASIP                netip.Addr // NAS-IP-Address or NAS-IPv6-Address
	NASIdentifier        string
	NASPort              uint32
	HasNASPort           bool
	NASPortID            string
	NASPortType          string
	CalledStation        string
	CallingStation       string
	FramedIP             netip.Addr
	ServiceType          uint32
	AcctStatus           string // "Start", "Stop", "Interim-Update" ...
	AcctSession          string
	TunnelGroup          string // Tunnel-Private-Group-Id: the VLAN assigned
	TunnelType           uint32
	FilterID             string
	ReplyMessage         string
	SessionTimeout       uint32
	EAP                  []byte   // joined EAP-Message attributes
	MessageAuthenticator bool     // RFC 3579 §3.2; its absence in Access-Request or first-in-answer allows forging (CVE-2024-3596)
	AuthenticatorFirst   bool     // Message-Authenticator is the first attribute
	ProxyState           bool     // needed for forging
	PasswordIn           string   // how the password travels: "pap", "chap", "mschap", "eap", ""
	Vendors              []uint32 // vendor-specific attributes' vendors
	ErrorCause           uint32
}

// Looks reports whether b is a RADIUS packet: known code, matching length, and
// attributes that tile it. It allocates nothing.
func Looks(b []byte, missing int) bool {
	if len(b) < 20 || CodeName(b[0]) == "" {
		return false
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n < 20 || n > MaxLength || n != len(b)+missing {
		return false
	}
	at := 20
	for at+2 <= len(b) {
		if b[at] == 0 || b[at+1] < 2 {
			return false
		}
		at += int(b[at+1])
	}
	return at == n || missing > 0 && at >= len(b)
}

// Parse reads one packet; octets after the declared length are padding. What
// was read before an error comes with it.
func Parse(b []byte) (*Message, error) {
	r := octet.New(b)
	m := &Message{Code: r.U8("code"), ID: r.U8("identifier")}
	n := int(r.U16("length"))
	r.Skip(16, "authenticator")
	if r.Err() == nil && (n < 20 || n > MaxLength || CodeName(m.Code) == "") {
		r.Fail("code or length")
	}
	if r.Err() != nil {
		return m, r.Err()
	}
	cut := n > len(b)
	r = octet.At(b[20:min(n, len(b))], 20)
	for first := true; r.Len() > 0; first = false {
		typ, l := r.U8("attribute type"), int(r.U8("attribute length"))
		if r.Err() == nil && l < 2 {
			r.Fail("attribute length")
		}
		v := r.Bytes(l-2, "attribute")
		if r.Err() != nil {
			return m, r.Err()
		}
		m.attribute(typ, v)
		if typ == 80 && first {
			m.AuthenticatorFirst = true
		}
	}
	if cut {
		r.Fail("packet cut off")
	}
	return m, r.Err()
}

func text(v []byte) string { return printable.Text(v, 253) }

func number(v []byte) uint32 {
	if len(v) != 4 {
		return 0
	}
	return binary.BigEndian.Uint32(v)
}

func (m *Message) attribute(typ uint8, v []byte) {
	switch typ {
	case 1:
		m.UserName = text(v)
	case 2:
		m.PasswordIn = "pap"
	case 3:
		m.PasswordIn = "chap"
	case 4:
		if len(v) == 4 {
			m.NASIP = netip.AddrFrom4([4]byte(v))
		}
	case 5:
		m.NASPort, m.HasNASPort = number(v), len(v) == 4
	case 6:
		m.ServiceType = number(v)
	case 8:
		if len(v) == 4 {
			m.FramedIP = netip.AddrFrom4([4]byte(v))
		}
	case 11:
		m.FilterID = text(v)
	case 18:
		m.ReplyMessage = text(v)
	case 26:
		if len(v) >= 6 && len(m.Vendors) < MaxVendors {
			id := number(v[:4])
			if id == 311 && (v[4] == 1 || v[4] == 25) { // Microsoft: MS-CHAP(2)-Response
				m.PasswordIn = "mschap"
			}
			m.Vendors = append(m.Vendors, id)
		}
	case 27:
		m.SessionTimeout = number(v)
	case 30:
		m.CalledStation = text(v)
	case 31:
		m.CallingStation = text(v)
	case 32:
		m.NASIdentifier = text(v)
	case 33:
		m.ProxyState = true
	case 40:
		m.AcctStatus = acctStatus(number(v))
	case 44:
		m.AcctSession = printable.TextOrHex(v, 64)
	case 61:
		m.NASPortType = portType(number(v))
	case 64:
		m.TunnelType = number(v) & 0xffffff
	case 79:
		if m.PasswordIn == "" {
			m.PasswordIn = "eap"
		}
		if len(m.EAP)+len(v) <= MaxEAP {
			m.EAP = append(m.EAP, v...)
		}
	case 80:
		m.MessageAuthenticator = true
	case 81: // RFC 2868 §3.6: a tag of 1 to 31 may come first
		if len(v) > 0 && v[0] <= 0x1f {
			v = v[1:]
		}
		m.TunnelGroup = text(v)
	case 87:
		m.NASPortID = text(v)
	case 95:
		if len(v) == 16 {
			m.NASIP = netip.AddrFrom16([16]byte(v))
		}
	case 101:
		m.ErrorCause = number(v)
	}
}

func acctStatus(v uint32) string {
	switch v {
	case 1:
		return "Start"
	case 2:
		return "Stop"
	case 3:
		return "Interim-Update"
	case 7:
		return "Accounting-On"
	case 8:
		return "Accounting-Off"
	}
	return strconv.FormatUint(uint64(v), 10)
}

func portType(v uint32) string {
	switch v {
	case 5:
		return "virtual"
	case 15:
		return "ethernet"
	case 19:
		return "wireless-802.11"
	}
	return strconv.FormatUint(uint64(v), 10)
}

// StationMAC finds the MAC address in a Calling- or Called-Station-Id
// (RFC 3580 §3.20, §3.21: "00-10-A4-23-19-C0" and after a colon an SSID), in any
// of the forms that switches send, and as users of MAC authentication are named.
func StationMAC(s string) (mac [6]byte, ok bool) {
	n, i := 0, 0
	for ; i < len(s) && n < 12; i++ {
		c := s[i]
		var d byte
		switch {
		case c >= '0' && c <= '9':
			d = c - '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			d = c | 0x20 - 'a' + 10
		case (c == '-' || c == ':' || c == '.') && n > 0 && n%2 == 0:
			continue
		default:
			return mac, false
		}
		mac[n/2] = mac[n/2]<<4 | d
		n++
	}
	if n != 12 || i < len(s) && s[i] != ':' {
		return [6]byte{}, false
	}
	return mac, true
}

// StationSSID is what follows the address in a Called-Station-Id.
func StationSSID(s string) string {
	if i := strings.LastIndexByte(s, ':'); i >= 12 && len(s)-i > 3 {
		return s[i+1:]
	}
	return ""
}
