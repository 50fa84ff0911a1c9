// SPDX-License-Identifier: Apache-2.0

// Package vnc reads the handshake of the Remote Framebuffer protocol: RFC 6143
// §7.1 to §7.3 for versions 3.3, 3.7 and 3.8, and the choice of a subtype of
// VeNCrypt as the community's RFB specification describes it.
//
// # How it reads
//
// Session takes both directions in the order in which they were sent, as each
// message decides what the next one is.
//
// # Limits
//
// Names and reasons are cut to 256 bytes; those that announce more than MaxText
// octets end the reading.
//
// # What is not done
//
// Challenges and responses of VNC authentication are passed over, not kept.
// Other security types than None, VNC and VeNCrypt are named, then reading ends.
package vnc

import (
	"encoding/binary"
	"fmt"

	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// MaxText is the longest name or reason that is accepted.
const MaxText = 4096

const versionSize = 12

// Security types (RFC 6143 §8.1.2 and IANA "Remote Framebuffer Security Types").
const (
	None     = 1
	VNCAuth  = 2
	Tight    = 16
	TLS      = 18
	VeNCrypt = 19
)

// SecurityName returns the name of a security type.
func SecurityName(t uint32) string {
	switch t {
	case 0:
		return "Invalid"
	case None:
		return "None"
	case VNCAuth:
		return "VNC Authentication"
	case 5:
		return "RA2"
	case 6:
		return "RA2ne"
	case Tight:
		return "Tight"
	case 17:
		return "Ultra"
	case TLS:
		return "TLS"
	case VeNCrypt:
		return "VeNCrypt"
	case 20:
		return "SASL"
	case 21:
		return "MD5"
	case 22:
		return "xvp"
	case 23:
		return "Secure Tunnel"
	case 30:
		return "Apple Diffie-Hellman"
	case 113:
		return "MS-Logon II"
	case 129:
		return "RA2-256"
	case 130:
		return "RA2ne-256"
	case 256:
		return "Plain"
	case 257:
		return "TLSNone"
	case 258:
		return "TLSVnc"
	case 259:
		return "TLSPlain"
	case 260:
		return "X509None"
	case 261:
		return "X509Vnc"
	case 262:
		return "X509Plain"
	case 263:
		return "TLSSASL"
	case 264:
		return "X509SASL"
	}
	return fmt.Sprintf("type %d", t)
}

// State is how far the handshake came.
type State uint8

// The states.
const (
	serverVersion State = iota
	clientVersion
	offered  // 3.7 and 3.8: the server lists its types
	decided  // 3.3: the server decides
	chosen   // the client chooses
	answer16 // the server's challenge, then the client's response
	response16
	result
	reason
	veServer
	veClient
	veAck
	veTypes
	veChosen
	veGo
	clientInit
	serverInit
	// Open says that the handshake is over and the session runs.
	Open
	// Refused says that the server refused.
	Refused
	// Secured says that TLS follows.
	Secured
	// Other says that a security type was chosen that is not read.
	Other
)

// Session is a handshake under way. The zero value is ready.
type Session struct {
	ServerVersion, ClientVersion string // "3.8"
	Offered                      []uint32
	Chosen                       uint32
	Subtype                      uint32 // of VeNCrypt
	Authenticated                *bool  // the server's verdict, nil before
	Reason                       string
	Width, Height                uint16
	Name                         string

	state State
	minor int // version that both speak: 3, 7 or 8
}

// State returns how far the handshake came.
func (s *Session) State() State { return s.state }

// Done reports that nothing more is read.
func (s *Session) Done() bool { return s.state >= Open }

// Version reads a ProtocolVersion message (§7.1.1).
func Version(b []byte) (major, minor int, ok bool) {
	if len(b) < versionSize || string(b[:4]) != "RFB " || b[7] != '.' || b[11] != '\n' {
		return 0, 0, false
	}
	for i, c := range b[4:11] {
		if i != 3 && (c < '0' || c > '9') {
			return 0, 0, false
		}
	}
	n := func(d []byte) int { return int(d[0]-'0')*100 + int(d[1]-'0')*10 + int(d[2]-'0') }
	return n(b[4:7]), n(b[8:11]), true
}

// Looks tells whether b begins with a ProtocolVersion message.
func Looks(b []byte) (yes, maybe bool) {
	if len(b) < versionSize {
		const p = "RFB 00"
		n := min(len(b), len(p))
		return false, string(b[:n]) == p[:n]
	}
	_, _, ok := Version(b)
	return ok, false
}

// Next reads the next message if it is that side's turn and it is complete.
// It returns how many octets it took; 0 asks for more, or for the other side.
func (s *Session) Next(fromServer bool, b []byte) (int, error) {
	if s.Done() || fromServer != s.serversTurn() {
		return 0, nil
	}
	need := func(n int) bool { return len(b) >= n }
	switch s.state {
	case serverVersion, clientVersion:
		if !need(versionSize) {
			return 0, nil
		}
		major, minor, ok := Version(b)
		if !ok {
			return 0, &octet.Error{What: "not a ProtocolVersion"}
		}
		v := fmt.Sprintf("%d.%d", major, minor)
		if s.state == serverVersion {
			s.ServerVersion, s.state = v, clientVersion
			return versionSize, nil
		}
		s.ClientVersion = v
		switch { // §7.1.1: what is not known is spoken as 3.3; servers of 3.889 and 4.x speak 3.8
		case major > 3 || minor >= 8:
			s.minor, s.state = 8, offered
		case minor == 7:
			s.minor, s.state = 7, offered
		default:
			s.minor, s.state = 3, decided
		}
		return versionSize, nil
	case offered:
		if !need(1) || !need(1+int(b[0])) {
			return 0, nil
		}
		for _, t := range b[1 : 1+int(b[0])] {
			s.Offered = append(s.Offered, uint32(t))
		}
		s.state = chosen
		if b[0] == 0 {
			s.state = reason
		}
		return 1 + int(b[0]), nil
	case decided:
		if !need(4) {
			return 0, nil
		}
		t := binary.BigEndian.Uint32(b)
		if t > 255 {
			return 0, &octet.Error{What: "impossible security type"}
		}
		s.Offered = []uint32{t}
		if t == 0 {
			s.state = reason
		} else {
			s.choose(t)
		}
		return 4, nil
	case chosen:
		if !need(1) {
			return 0, nil
		}
		s.choose(uint32(b[0]))
		return 1, nil
	case answer16, response16:
		if !need(16) {
			return 0, nil
		}
		s.state++
		return 16, nil
	case result:
		if !need(4) {
			return 0, nil
		}
		v := binary.BigEndian.Uint32(b)
		ok := v == 0
		s.Authenticated = &ok
		switch {
		case ok:
			s.state = clientInit
		case s.minor == 8 && v == 1:
			s.state = reason
		default:
			s.state = Refused
		}
		return 4, nil
	case reason:
		if !need(4) {
			return 0, nil
		}
		n := binary.BigEndian.Uint32(b)
		if n > MaxText {
			s.state = Refused
			return 4, nil
		}
		if !need(4 + int(n)) {
			return 0, nil
		}
		s.Reason, s.state = printable.Text(b[4:4+n], printable.Max), Refused
		return 4 + int(n), nil
	case veServer, veClient:
		if !need(2) {
			return 0, nil
		}
		s.state++
		if s.state == veAck && (b[0] != 0 || b[1] != 2) {
			s.state = Other // an old version of VeNCrypt
		}
		return 2, nil
	case veAck:
		if !need(1) {
			return 0, nil
		}
		if s.state = veTypes; b[0] != 0 {
			s.state = Refused
		}
		return 1, nil
	case veTypes:
		if !need(1) || !need(1+4*int(b[0])) {
			return 0, nil
		}
		for i := range int(b[0]) {
			s.Offered = append(s.Offered, binary.BigEndian.Uint32(b[1+4*i:]))
		}
		if s.state = veChosen; b[0] == 0 {
			s.state = Refused
		}
		return 1 + 4*int(b[0]), nil
	case veChosen:
		if !need(4) {
			return 0, nil
		}
		switch s.Subtype = binary.BigEndian.Uint32(b); {
		case s.Subtype >= 257 && s.Subtype <= 264:
			s.state = veGo
		default:
			s.state = Other
		}
		return 4, nil
	case veGo:
		if !need(1) {
			return 0, nil
		}
		if s.state = Secured; b[0] != 1 {
			s.state = Refused
		}
		return 1, nil
	case clientInit:
		if !need(1) {
			return 0, nil
		}
		s.state = serverInit
		return 1, nil
	case serverInit: // §7.3.2
		if !need(24) {
			return 0, nil
		}
		n := binary.BigEndian.Uint32(b[20:])
		if n > MaxText {
			return 0, &octet.Error{Offset: 20, What: "impossible name length"}
		}
		if !need(24 + int(n)) {
			return 0, nil
		}
		s.Width, s.Height = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
		s.Name, s.state = printable.Text(b[24:24+n], printable.Max), Open
		return 24 + int(n), nil
	}
	return 0, nil
}

func (s *Session) serversTurn() bool {
	switch s.state {
	case clientVersion, chosen, response16, veClient, veChosen, clientInit:
		return false
	}
	return true
}

func (s *Session) choose(t uint32) {
	s.Chosen = t
	switch {
	case t == None && s.minor == 8:
		s.state = result
	case t == None:
		s.state = clientInit
	case t == VNCAuth:
		s.state = answer16
	case t == VeNCrypt:
		s.state = veServer
	case t == TLS:
		s.state = Secured
	default:
		s.state = Other
	}
}
