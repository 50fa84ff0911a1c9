// SPDX-License-Identifier: Apache-2.0

// Package mysql reads the connection phase of the MySQL and MariaDB protocol:
// the initial handshake, protocol 10, the client's answer or request for TLS, and
// the server's verdict (MySQL Source Code Documentation, "Connection Phase";
// MariaDB Knowledge Base, "Connecting").
//
// # Limits
//
// A packet of this phase has at most MaxPacket octets. At most 32 connection
// attributes; text is cut to 256 bytes.
//
// # What is not done
//
// Scrambles and responses are not kept. Queries are not read. Protocol 9 is not
// recognised, nor is the X protocol.
package mysql

import (
	"bytes"

	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// Bounds.
const (
	HeaderSize = 4
	MaxPacket  = 32 << 10
	maxAttrs   = 32
)

// Capability flags that matter here.
const (
	CapConnectWithDB = 0x8
	CapSSL           = 0x800
	CapProtocol41    = 0x200
	CapSecure        = 0x8000
	CapPluginAuth    = 0x80000
	CapConnectAttrs  = 0x100000
	CapLenencAuth    = 0x200000
)

// Size returns the length of the packet at the start of b with its header, and
// its sequence number; 0 while unknown.
func Size(b []byte) (n int, seq uint8, err error) {
	if len(b) < HeaderSize {
		return 0, 0, nil
	}
	l := int(b[0]) | int(b[1])<<8 | int(b[2])<<16
	if l == 0 || l > MaxPacket {
		return 0, b[3], &octet.Error{What: "impossible packet length"}
	}
	return HeaderSize + l, b[3], nil
}

// Greeting is the initial handshake packet.
type Greeting struct {
	Version      string
	ThreadID     uint32
	Capabilities uint32
	Charset      uint8
	Plugin       string
	MariaDB      bool
}

// ParseGreeting reads the payload of the first packet of a server.
func ParseGreeting(b []byte) (*Greeting, error) {
	r := octet.New(b)
	if r.U8("protocol version") != 10 {
		return nil, &octet.Error{What: "not protocol version 10"}
	}
	i := bytes.IndexByte(b[1:], 0)
	if i < 1 || i > 128 {
		return nil, &octet.Error{Offset: 1, What: "server version without end"}
	}
	for _, c := range b[1 : 1+i] {
		if c < 0x20 || c > 0x7e {
			return nil, &octet.Error{Offset: 1, What: "server version is not text"}
		}
	}
	g := &Greeting{Version: printable.Text(r.Bytes(i, "server version"), printable.Max)}
	r.Skip(1, "NUL")
	g.ThreadID = r.LE32("thread id")
	r.Skip(8, "auth-plugin-data-part-1")
	if r.U8("filler") != 0 {
		r.Fail("filler not 0")
	}
	g.Capabilities = uint32(r.LE16("capabilities"))
	if r.Err() != nil {
		return nil, r.Err()
	}
	if r.Len() > 0 {
		g.Charset = r.U8("character set")
		r.Skip(2, "status")
		g.Capabilities |= uint32(r.LE16("capabilities, upper")) << 16
		n := int(r.U8("auth data length"))
		r.Skip(10, "reserved")
		if g.Capabilities&CapSecure != 0 {
			r.Skip(max(13, n-8), "auth-plugin-data-part-2")
		}
		if r.Err() != nil {
			return nil, r.Err()
		}
		if g.Capabilities&CapPluginAuth != 0 {
			g.Plugin = text(r.Rest(), 64)
		}
	}
	g.MariaDB = g.Capabilities&1 == 0 || bytes.Contains(b[1:1+i], []byte("MariaDB"))
	return g, nil
}

// text is a string up to its NUL.
func text(b []byte, limit int) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return printable.Text(b, limit)
}

// Login is the client's answer.
type Login struct {
	Capabilities uint32
	Charset      uint8
	TLS          bool // a request for TLS: nothing else is in it
	User         string
	HasAuth      bool // a password was answered with
	Database     string
	Plugin       string
	Attributes   []Attribute
}

// Attribute is a connection attribute ("_os", "program_name" ...).
type Attribute struct{ Name, Value string }

// Attribute returns the value of an attribute.
func (l *Login) Attribute(name string) string {
	for _, a := range l.Attributes {
		if a.Name == name {
			return a.Value
		}
	}
	return ""
}

// ParseLogin reads the payload of a client's first packet, protocol 4.1.
func ParseLogin(b []byte) (*Login, error) {
	r := octet.New(b)
	l := &Login{Capabilities: r.LE32("capabilities")}
	r.Skip(4, "max packet size")
	l.Charset = r.U8("character set")
	r.Skip(23, "reserved")
	if r.Err() != nil {
		return nil, r.Err()
	}
	if l.Capabilities&CapProtocol41 == 0 {
		return nil, &octet.Error{What: "not protocol 4.1"}
	}
	if r.Len() == 0 {
		if l.Capabilities&CapSSL == 0 {
			return nil, &octet.Error{Offset: 32, What: "user name cut off"}
		}
		l.TLS = true
		return l, nil
	}
	l.User = printable.Text(cString(&r, "user name"), printable.Max)
	switch {
	case l.Capabilities&CapLenencAuth != 0:
		n := lenenc(&r, "auth response length")
		l.HasAuth = n > 0
		r.Skip(n, "auth response")
	case l.Capabilities&CapSecure != 0:
		n := int(r.U8("auth response length"))
		l.HasAuth = n > 0
		r.Skip(n, "auth response")
	default:
		l.HasAuth = len(cString(&r, "auth response")) > 0
	}
	if l.Capabilities&CapConnectWithDB != 0 && r.Len() > 0 {
		l.Database = printable.Text(cString(&r, "database"), printable.Max)
	}
	if l.Capabilities&CapPluginAuth != 0 && r.Len() > 0 {
		l.Plugin = printable.Text(cString(&r, "plugin"), 64)
	}
	if l.Capabilities&CapConnectAttrs != 0 && r.Len() > 0 {
		all := lenenc(&r, "attributes length")
		in := octet.At(r.Bytes(all, "attributes"), r.Offset())
		for in.Len() > 0 && len(l.Attributes) < maxAttrs {
			k := in.Bytes(lenenc(&in, "attribute name length"), "attribute name")
			v := in.Bytes(lenenc(&in, "attribute value length"), "attribute value")
			if in.Err() != nil {
				return l, in.Err()
			}
			l.Attributes = append(l.Attributes, Attribute{printable.Text(k, 64), printable.Text(v, printable.Max)})
		}
	}
	return l, r.Err()
}

func cString(r *octet.Reader, what string) []byte {
	was := *r
	rest := was.Rest()
	i := bytes.IndexByte(rest, 0)
	if i < 0 {
		r.Fail(what + " without end")
		return nil
	}
	s := r.Bytes(i, what)
	r.Skip(1, what)
	return s
}

// lenenc reads a length-encoded integer; none here needs more than three octets.
func lenenc(r *octet.Reader, what string) int {
	switch v := r.U8(what); v {
	case 0xfc:
		return int(r.LE16(what))
	case 0xfd:
		return int(r.LE24(what))
	case 0xfb, 0xfe, 0xff:
		r.Fail(what + " impossible")
		return 0
	default:
		return int(v)
	}
}

// Verdict is a packet with which the server ends or continues the phase.
type Verdict struct {
	OK     bool
	Error  uint16 // code of an ERR packet
	State  string // its SQLSTATE
	Switch string // authentication plugin of a switch request
	More   bool   // something else follows
}

// ParseVerdict reads the payload of a server's packet after the login. The text
// of an error names the user and is not kept.
func ParseVerdict(b []byte) Verdict {
	if len(b) == 0 {
		return Verdict{More: true}
	}
	switch b[0] {
	case 0x00:
		return Verdict{OK: true}
	case 0xff:
		v := Verdict{}
		if len(b) >= 3 {
			v.Error = uint16(b[1]) | uint16(b[2])<<8
		}
		if len(b) >= 9 && b[3] == '#' {
			v.State = printable.Text(b[4:9], 5)
		}
		return v
	case 0xfe:
		return Verdict{Switch: text(b[1:], 64), More: true}
	}
	return Verdict{More: true}
}

// Looks tells whether b begins with a greeting, or with the error packet of a
// server that refuses the client's address.
func Looks(b []byte) (yes, maybe bool) {
	n, seq, err := Size(b)
	if err != nil || n > 1024 || n != 0 && seq != 0 {
		return false, false
	}
	if n == 0 || len(b) < min(n, 5) {
		return false, true
	}
	if b[4] == 0xff { // ERR 1129, 1130, 1040 without a greeting
		if len(b) < n {
			return false, true
		}
		v := ParseVerdict(b[4:n])
		return v.Error == 1129 || v.Error == 1130 || v.Error == 1040 || v.Error == 1203, false
	}
	if b[4] != 10 {
		return false, false
	}
	if len(b) < n {
		return false, true
	}
	_, err = ParseGreeting(b[4:n])
	return err == nil, false
}
