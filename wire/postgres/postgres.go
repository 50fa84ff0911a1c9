// SPDX-License-Identifier: Apache-2.0

// Package postgres reads the opening of a PostgreSQL connection: the startup
// packets, authentication requests, parameter status and errors of the
// frontend/backend protocol 3 (PostgreSQL 17 documentation, §53.2, §53.7, §53.8).
//
// # Limits
//
// A startup packet has at most MaxStartup octets, as in the server. At most 32
// parameters and 8 SASL mechanisms; text is cut to 256 bytes.
//
// # What is not done
//
// Queries and their results are not read. Protocol 2 is not recognised.
package postgres

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// MaxStartup is the longest startup packet (MAX_STARTUP_PACKET_LENGTH).
const MaxStartup = 10000

// Codes of the first packet.
const (
	CodeCancel = 80877102
	CodeSSL    = 80877103
	CodeGSSENC = 80877104
	major3     = 3
	maxParams  = 32
)

// Startup is the first packet of a client.
type Startup struct {
	Code         uint32 // CodeCancel, CodeSSL, CodeGSSENC or the version
	Major, Minor uint16
	User         string
	Database     string
	Application  string
	Replication  string
	Encoding     string
}

// StartupSize returns the length of the startup packet at the start of b, 0
// while unknown.
func StartupSize(b []byte) (int, error) {
	if len(b) < 8 {
		if len(b) > 0 && b[0] != 0 || len(b) > 1 && b[1] != 0 {
			return 0, &octet.Error{What: "impossible startup length"}
		}
		return 0, nil
	}
	n, code := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	switch {
	case (code == CodeSSL || code == CodeGSSENC) && n == 8:
	case code == CodeCancel && n >= 16 && n <= 268:
	case code>>16 == major3 && n >= 9 && n <= MaxStartup:
	default:
		return 0, &octet.Error{Offset: 4, What: "unknown startup code"}
	}
	return int(n), nil
}

// ParseStartup reads a whole startup packet.
func ParseStartup(b []byte) (*Startup, error) {
	n, err := StartupSize(b)
	if err != nil {
		return nil, err
	}
	if n == 0 || len(b) < n {
		return nil, &octet.Error{Offset: len(b), What: "startup packet cut off"}
	}
	s := &Startup{Code: binary.BigEndian.Uint32(b[4:])}
	if s.Code>>16 != major3 {
		return s, nil
	}
	s.Major, s.Minor = uint16(s.Code>>16), uint16(s.Code)
	p := b[8:n]
	for range maxParams {
		if len(p) == 0 || p[0] == 0 {
			break
		}
		k, rest, ok := bytes.Cut(p, []byte{0})
		if !ok {
			return s, &octet.Error{Offset: n - len(p), What: "parameter without end"}
		}
		v, rest, ok := bytes.Cut(rest, []byte{0})
		if !ok {
			return s, &octet.Error{Offset: n - len(rest), What: "parameter value without end"}
		}
		p = rest
		var to *string
		switch string(k) {
		case "user":
			to = &s.User
		case "database":
			to = &s.Database
		case "application_name":
			to = &s.Application
		case "replication":
			to = &s.Replication
		case "client_encoding":
			to = &s.Encoding
		}
		if to != nil {
			*to = printable.Text(v, printable.Max)
		}
	}
	return s, nil
}

// Looks tells whether b begins with a startup packet.
func Looks(b []byte) (yes, maybe bool) {
	if len(b) > 0 && b[0] != 0 || len(b) > 1 && b[1] != 0 { // no length begins like that; said without an error, which costs
		return false, false
	}
	n, err := StartupSize(b)
	if err != nil {
		return false, false
	}
	if n == 0 {
		return false, true
	}
	if binary.BigEndian.Uint32(b[4:])>>16 == major3 { // "user" is mandatory and the first that libraries send
		if len(b) < min(n, 13) {
			return false, true
		}
		return len(b) > 8 && b[8] >= '_' && b[8] <= 'z', false
	}
	return true, false
}

// Message is one message of the server: its type and content.
type Message struct {
	Type byte
	Body []byte
}

// Size returns the length of the message at the start of b with its type; 0
// while unknown.
func Size(b []byte) (int, error) {
	if len(b) < 5 {
		return 0, nil
	}
	n := binary.BigEndian.Uint32(b[1:])
	if n < 4 || n > 1<<30 {
		return 0, &octet.Error{Offset: 1, What: "impossible message length"}
	}
	return 1 + int(n), nil
}

// Authentication is an authentication request ('R').
type Authentication struct {
	Code       uint32
	Mechanisms []string // SASL
}

// Name returns the method, "" for the steps that follow and success.
func (a Authentication) Name() string {
	switch a.Code {
	case 2:
		return "kerberos-v5"
	case 3:
		return "cleartext"
	case 5:
		return "md5"
	case 6:
		return "scm-credential"
	case 7:
		return "gss"
	case 9:
		return "sspi"
	case 10:
		return "sasl"
	case 0, 8, 11, 12:
		return ""
	}
	return fmt.Sprintf("method %d", a.Code)
}

// ParseAuthentication reads the body of an 'R' message.
func ParseAuthentication(b []byte) (Authentication, error) {
	if len(b) < 4 {
		return Authentication{}, &octet.Error{Offset: 5, What: "authentication request cut off"}
	}
	a := Authentication{Code: binary.BigEndian.Uint32(b)}
	if a.Code == 10 {
		b = b[4:]
		for len(b) > 0 && b[0] != 0 && len(a.Mechanisms) < 8 {
			m, rest, ok := bytes.Cut(b, []byte{0})
			if !ok {
				break
			}
			a.Mechanisms = append(a.Mechanisms, printable.Text(m, 64))
			b = rest
		}
	}
	return a, nil
}

// ParseParameter reads the body of an 'S' message.
func ParseParameter(b []byte) (name, value string) {
	k, rest, _ := bytes.Cut(b, []byte{0})
	v, _, _ := bytes.Cut(rest, []byte{0})
	return printable.Text(k, 64), printable.Text(v, printable.Max)
}

// Error is what an 'E' message says. Its text can name users and values and
// is not kept.
type Error struct {
	Severity string // not localised, where the server sends it
	Code     string // SQLSTATE
}

// ParseError reads the body of an 'E' message (§53.8).
func ParseError(b []byte) (e Error) {
	for range 32 {
		if len(b) == 0 || b[0] == 0 {
			break
		}
		v, rest, ok := bytes.Cut(b[1:], []byte{0})
		if !ok {
			break
		}
		switch b[0] {
		case 'V':
			e.Severity = printable.Text(v, 16)
		case 'S':
			if e.Severity == "" {
				e.Severity = printable.Text(v, 16)
			}
		case 'C':
			e.Code = printable.Text(v, 8)
		}
		b = rest
	}
	return e
}
