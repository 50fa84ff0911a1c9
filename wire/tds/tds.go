// SPDX-License-Identifier: Apache-2.0

// Package tds reads the opening of a Tabular Data Stream connection, which
// Microsoft SQL Server, Sybase and their clients speak ([MS-TDS]): the packet
// header (§2.2.3.1), PRELOGIN (§2.2.6.5), LOGIN7 (§2.2.6.4) and the LOGINACK and
// ERROR tokens of the answer (§2.2.7.14, §2.2.7.10).
//
// # Limits
//
// A message is read up to MaxMessage octets. Text is cut to 256 bytes.
//
// # What is not done
//
// Queries and results are not read. Passwords, which LOGIN7 only obscures, are
// not kept. TLS within PRELOGIN packets is recognised, not read.
package tds

import (
	"encoding/binary"
	"fmt"

	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// Types of packet (§2.2.3.1.1).
const (
	TypeBatch    = 1
	TypeResponse = 4
	TypeLogin7   = 16
	TypeSSPI     = 17
	TypePrelogin = 18
)

// Bounds.
const (
	HeaderSize = 8
	MaxMessage = 16 << 10
)

// Header is a packet header.
type Header struct {
	Type   uint8
	Last   bool // end of message
	Length int  // with the header
}

// ParseHeader reads the header at the start of b.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderSize {
		return Header{}, &octet.Error{Offset: len(b), What: "packet header cut off"}
	}
	h := Header{Type: b[0], Last: b[1]&1 != 0, Length: int(binary.BigEndian.Uint16(b[2:]))}
	if h.Length < HeaderSize || h.Length > 32767 {
		return h, &octet.Error{Offset: 2, What: "impossible packet length"}
	}
	if b[1] > 0x1f || b[7] != 0 {
		return h, &octet.Error{Offset: 1, What: "impossible packet status or window"}
	}
	return h, nil
}

// Prelogin is a PRELOGIN message of either side.
type Prelogin struct {
	Major, Minor uint8
	Build        uint16
	Encryption   uint8
	HasEncrypt   bool
	Instance     string
	MARS         bool
}

// Version returns "15.0.2000".
func (p *Prelogin) Version() string {
	if p.Major == 0 {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d", p.Major, p.Minor, p.Build)
}

// EncryptionName returns the encryption option as the standard names it.
func (p *Prelogin) EncryptionName() string {
	if !p.HasEncrypt {
		return ""
	}
	switch p.Encryption &^ 0x80 { // bit 7: a client certificate follows
	case 0:
		return "off" // the login alone is encrypted
	case 1:
		return "on"
	case 2:
		return "not supported"
	case 3:
		return "required"
	}
	return fmt.Sprint(p.Encryption)
}

// ParsePrelogin reads the content of a PRELOGIN message.
func ParsePrelogin(b []byte) (*Prelogin, error) {
	p := &Prelogin{}
	seen := false
	for i := 0; ; i += 5 {
		if i >= len(b) {
			return nil, &octet.Error{Offset: HeaderSize + i, What: "option list without end"}
		}
		if b[i] == 0xff {
			break
		}
		if i+5 > len(b) || b[i] > 32 {
			return nil, &octet.Error{Offset: HeaderSize + i, What: "impossible option"}
		}
		at, n := int(binary.BigEndian.Uint16(b[i+1:])), int(binary.BigEndian.Uint16(b[i+3:]))
		if at+n > len(b) {
			return nil, &octet.Error{Offset: HeaderSize + i + 1, What: "option cut off"}
		}
		v := b[at : at+n]
		switch b[i] {
		case 0:
			if n != 6 {
				return nil, &octet.Error{Offset: HeaderSize + i, What: "VERSION of wrong length"}
			}
			seen = true
			p.Major, p.Minor, p.Build = v[0], v[1], binary.BigEndian.Uint16(v[2:])
		case 1:
			if n >= 1 {
				p.Encryption, p.HasEncrypt = v[0], true
			}
		case 2:
			p.Instance = printable.Text(v, 64)
		case 4:
			p.MARS = n > 0 && v[0] == 1
		}
	}
	if !seen { // §2.2.6.5: the first option must be VERSION
		return nil, &octet.Error{Offset: HeaderSize, What: "VERSION missing"}
	}
	return p, nil
}

// IsTLS reports a TLS record in a PRELOGIN packet.
func IsTLS(b []byte) bool {
	return len(b) >= 3 && b[0] >= 0x14 && b[0] <= 0x17 && b[1] == 3 && b[2] <= 4
}

// Login is what a LOGIN7 message says.
type Login struct {
	TDSVersion uint32
	Host       string // the client's name
	User       string
	App        string
	Server     string // as the client knows it
	Library    string
	Database   string
	Integrated bool   // SSPI instead of a password
	SSPI       []byte // points into the message
	ClientMAC  [6]byte
}

// ParseLogin reads the content of a LOGIN7 message.
func ParseLogin(b []byte) (*Login, error) {
	if len(b) < 94 {
		return nil, &octet.Error{Offset: HeaderSize + len(b), What: "LOGIN7 cut off"}
	}
	if n := binary.LittleEndian.Uint32(b); n < 94 || n > 128<<10 {
		return nil, &octet.Error{Offset: HeaderSize, What: "impossible LOGIN7 length"}
	}
	field := func(at int) []byte {
		o, n := int(binary.LittleEndian.Uint16(b[at:])), 2*int(binary.LittleEndian.Uint16(b[at+2:]))
		if o < 86 || o+n > len(b) {
			return nil
		}
		return b[o : o+n]
	}
	text := func(at int) string { return printable.UTF16(field(at), printable.Max) }
	l := &Login{TDSVersion: binary.LittleEndian.Uint32(b[4:]), Host: text(36), User: text(40), App: text(48), Server: text(52), Library: text(60), Database: text(68),
		Integrated: b[25]&0x80 != 0, ClientMAC: [6]byte(b[72:78])}
	if o, n := int(binary.LittleEndian.Uint16(b[78:])), int(binary.LittleEndian.Uint16(b[80:])); o >= 86 && n > 0 && o+n <= len(b) {
		l.SSPI = b[o : o+n]
	}
	return l, nil
}

// TDSVersionName returns the version of the protocol (§2.2.6.4).
func TDSVersionName(v uint32) string {
	switch v {
	case 0x07000000:
		return "7.0"
	case 0x07010000, 0x71000001:
		return "7.1"
	case 0x72090002:
		return "7.2"
	case 0x730a0003, 0x730b0003:
		return "7.3"
	case 0x74000004:
		return "7.4"
	case 0x08000000:
		return "8.0"
	}
	return fmt.Sprintf("0x%08X", v)
}

// Answer is what the server's answer to a login says.
type Answer struct {
	OK      bool
	Program string // "Microsoft SQL Server"
	Version string
	Error   uint32 // number of the first error
	Class   uint8  // its severity
	Server  string // the server's name as the error gives it
}

// ParseAnswer reads the tokens of a response. It stops at the first it does not
// know.
func ParseAnswer(b []byte) Answer {
	var a Answer
	for len(b) >= 3 {
		kind := b[0]
		switch kind {
		case 0xaa, 0xab, 0xad, 0xe3, 0xed: // ERROR, INFO, LOGINACK, ENVCHANGE, SSPI
		default:
			return a
		}
		n := int(binary.LittleEndian.Uint16(b[1:]))
		body := b[3:min(len(b), 3+n)]
		switch {
		case kind == 0xad && len(body) >= 6:
			a.OK = true
			k := 2 * int(body[5])
			if len(body) >= 6+k+4 {
				a.Program = printable.UTF16(body[6:6+k], 64)
				v := body[6+k:]
				a.Version = fmt.Sprintf("%d.%d.%d", v[0], v[1], binary.BigEndian.Uint16(v[2:]))
			}
		case kind == 0xaa && len(body) >= 8 && a.Error == 0:
			a.Error, a.Class = binary.LittleEndian.Uint32(body), body[5]
			k := 2 * int(binary.LittleEndian.Uint16(body[6:]))
			if len(body) > 8+k {
				m := 2 * int(body[8+k])
				a.Server = printable.UTF16(body[9+k:min(len(body), 9+k+m)], 128)
			}
		}
		if 3+n > len(b) {
			return a
		}
		b = b[3+n:]
	}
	return a
}

// Looks tells whether b begins with a PRELOGIN, LOGIN7 or its answer.
func Looks(b []byte) (yes, maybe bool) {
	if len(b) < HeaderSize {
		return false, len(b) == 0 || b[0] == TypePrelogin || b[0] == TypeLogin7
	}
	if b[0] != TypePrelogin && b[0] != TypeLogin7 {
		return false, false
	}
	h, err := ParseHeader(b)
	if err != nil || h.Length < HeaderSize+11 || h.Length > 4096 {
		return false, false
	}
	switch h.Type {
	case TypePrelogin:
		if len(b) < h.Length {
			return false, true
		}
		_, err = ParsePrelogin(b[HeaderSize:h.Length])
		return err == nil, false
	case TypeLogin7:
		if len(b) < HeaderSize+94 {
			return false, h.Length >= HeaderSize+94
		}
		_, err = ParseLogin(b[HeaderSize:min(len(b), h.Length)])
		v := binary.LittleEndian.Uint32(b[HeaderSize+4:])
		return err == nil && (v>>24 == 7 || v>>28 == 7), false
	}
	return false, false
}
