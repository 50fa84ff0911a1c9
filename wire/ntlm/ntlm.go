// SPDX-License-Identifier: Apache-2.0

// Package ntlm reads the messages of NT LAN Manager authentication ([MS-NLMP]
// §2.2.1) and finds them, or Kerberos, in the tokens of SPNEGO (RFC 4178, with
// the start of [MS-SPNG]). SMB, LDAP, RDP, HTTP and TDS carry them.
//
// # Limits
//
// Names are cut to 256 bytes; at most 16 AV pairs and 8 mechanisms are read.
// The fixed part of a message must be there; a name whose bytes are not is "".
//
// # What is not done
//
// Challenges and responses are not kept: they would allow to guess passwords.
// Message integrity codes are not checked.
package ntlm

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// Types of messages (§2.2.1).
const (
	Negotiate    = 1
	Challenge    = 2
	Authenticate = 3
)

// Flags that matter here (§2.2.2.5).
const (
	FlagUnicode     = 1 << 0
	FlagSign        = 1 << 4
	FlagSeal        = 1 << 5
	FlagAnonymous   = 1 << 11
	FlagExtended    = 1 << 19 // extended session security
	FlagVersion     = 1 << 25
	maxPairs        = 16
	signatureLength = 8
)

// Signature begins each message.
const Signature = "NTLMSSP\x00"

// Message is one message. Fields that its type does not have are empty.
type Message struct {
	Type        uint32
	Flags       uint32
	Domain      string // of the client, as supplied (types 1 and 3)
	Workstation string // of the client (types 1 and 3)
	User        string // type 3
	Target      string // domain or server that authenticates (type 2)

	// From the target information (§2.2.2.1): in type 2 about the server, in
	// type 3 the same as returned by the client of NTLMv2.
	ComputerName, DomainName       string // NetBIOS
	DNSComputer, DNSDomain, Forest string
	Service                        string // type 3: the SPN the client believes to speak to

	Version Version // of the operating system of the sender, where FlagVersion is set

	// Type 3: how the client answered.
	NTLMv1    bool // responses of 24 octets, no NTLMv2
	LMOnly    bool // an LM response alone
	Anonymous bool // no responses at all
}

// Version is the version of Windows, or what the sender claims (§2.2.2.10).
type Version struct {
	Major, Minor uint8
	Build        uint16
}

// IsZero reports that no version was sent.
func (v Version) IsZero() bool { return v == Version{} }

// String returns "10.0.19041".
func (v Version) String() string {
	if v.IsZero() {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Build)
}

// Parse reads a message that begins at b's start.
func Parse(b []byte) (*Message, error) {
	r := octet.New(b)
	if string(r.Bytes(signatureLength, "Signature")) != Signature {
		return nil, &octet.Error{What: "NTLMSSP signature missing"}
	}
	m := &Message{Type: r.LE32("MessageType")}
	switch m.Type {
	case Negotiate:
		m.Flags = r.LE32("NegotiateFlags")
		if r.Err() != nil {
			return nil, r.Err()
		}
		if r.Len() >= 16 { // §2.2.1.1: both fields may be absent in old clients
			d, w := field(&r), field(&r)
			m.Domain, m.Workstation = printable.Text(d.of(b), printable.Max), printable.Text(w.of(b), printable.Max) // always OEM
			m.version(&r)
		}
		return m, nil
	case Challenge:
		target := field(&r)
		m.Flags = r.LE32("NegotiateFlags")
		r.Skip(8, "ServerChallenge")
		if r.Err() != nil {
			return nil, r.Err()
		}
		m.Target = m.text(target.of(b))
		if r.Len() >= 16 {
			r.Skip(8, "Reserved")
			info := field(&r)
			m.pairs(info.of(b))
			m.version(&r)
		}
		return m, nil
	case Authenticate:
		lm, nt := field(&r), field(&r)
		domain, user, workstation := field(&r), field(&r), field(&r)
		if r.Err() != nil {
			return nil, r.Err()
		}
		if r.Len() >= 12 {
			r.Skip(8, "EncryptedRandomSessionKeyFields")
			m.Flags = r.LE32("NegotiateFlags")
			m.version(&r)
		}
		m.Domain, m.User, m.Workstation = m.text(domain.of(b)), m.text(user.of(b)), m.text(workstation.of(b))
		switch {
		case nt.n == 0 && lm.n <= 1:
			m.Anonymous = true
		case nt.n == 0:
			m.LMOnly = true
		case nt.n == 24:
			m.NTLMv1 = true
		default: // §2.2.2.8: NTProofStr and NTLMv2_CLIENT_CHALLENGE, then AV pairs
			if v := nt.of(b); len(v) > 44 {
				m.pairs(v[44:])
			}
		}
		return m, nil
	}
	if r.Err() != nil {
		return nil, r.Err()
	}
	return nil, &octet.Error{Offset: signatureLength, What: "unknown MessageType"}
}

// span is a payload field: where it is in the message.
type span struct{ n, at uint32 }

func field(r *octet.Reader) span {
	n := r.LE16("payload length")
	r.LE16("payload maximum length")
	return span{uint32(n), r.LE32("payload offset")}
}

// of returns the bytes, nil when they are not within b.
func (s span) of(b []byte) []byte {
	if uint64(s.at)+uint64(s.n) > uint64(len(b)) {
		return nil
	}
	return b[s.at : s.at+s.n]
}

func (m *Message) text(b []byte) string {
	if m.Flags&FlagUnicode != 0 {
		return printable.UTF16(b, printable.Max)
	}
	return printable.Text(b, printable.Max)
}

func (m *Message) version(r *octet.Reader) {
	if m.Flags&FlagVersion == 0 || r.Len() < 8 {
		return
	}
	b := r.Bytes(8, "Version")
	m.Version = Version{b[0], b[1], binary.LittleEndian.Uint16(b[2:])}
}

// pairs reads AV_PAIRs (§2.2.2.1), always in Unicode.
func (m *Message) pairs(b []byte) {
	for range maxPairs {
		if len(b) < 4 {
			return
		}
		id, n := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
		if b = b[4:]; id == 0 || n > len(b) {
			return
		}
		var to *string
		switch id {
		case 1:
			to = &m.ComputerName
		case 2:
			to = &m.DomainName
		case 3:
			to = &m.DNSComputer
		case 4:
			to = &m.DNSDomain
		case 5:
			to = &m.Forest
		case 9:
			to = &m.Service
		}
		if to != nil {
			*to = printable.UTF16(b[:n], printable.Max)
		}
		b = b[n:]
	}
}

// Find returns the first NTLM message within a token, nil when there is none.
// It looks at the signature, so that it needs not know what wraps it.
func Find(token []byte) []byte {
	if i := bytes.Index(token, []byte(Signature)); i >= 0 {
		return token[i:]
	}
	return nil
}
