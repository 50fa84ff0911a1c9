// SPDX-License-Identifier: Apache-2.0

// Package tftp reads the Trivial File Transfer Protocol (RFC 1350) with its
// options (RFC 2347 to 2349, 7440). File names are capped at printable.Max
// bytes, options at MaxOptions. File contents are not returned.
package tftp

import (
	"bytes"
	"strings"

	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// MaxOptions bounds the options of a request.
const MaxOptions = 16

// Operations.
const (
	Read   = 1
	Write  = 2
	Data   = 3
	Ack    = 4
	Error  = 5
	OptAck = 6
)

// Option is one negotiated option.
type Option struct{ Name, Value string }

// Packet is one TFTP packet.
type Packet struct {
	Op       uint16
	File     string
	Mode     string // "octet", "netascii", "mail"
	Options  []Option
	Block    uint16
	Size     int // octets of data
	Code     uint16
	ErrorMsg string
}

// LooksRequest reports whether b is a read or write request: a printable file
// name and one of the three modes, each ended by a NUL.
func LooksRequest(b []byte) bool {
	if len(b) < 9 || b[0] != 0 || b[1] != Read && b[1] != Write {
		return false
	}
	i := bytes.IndexByte(b[2:], 0)
	if i < 1 || i > 255 {
		return false
	}
	for _, c := range b[2 : 2+i] {
		if c < 0x20 || c == 0x7f {
			return false
		}
	}
	m := b[2+i+1:]
	j := bytes.IndexByte(m, 0)
	if j < 0 || j > 8 {
		return false
	}
	m = m[:j]
	return bytes.EqualFold(m, []byte("octet")) || bytes.EqualFold(m, []byte("netascii")) || bytes.EqualFold(m, []byte("mail"))
}

// Parse reads one packet.
func Parse(b []byte) (Packet, error) {
	r := octet.New(b)
	p := Packet{Op: r.U16("operation")}
	switch p.Op {
	case Read, Write:
		p.File = printable.Text(str(&r), printable.Max)
		p.Mode = strings.ToLower(printable.Text(str(&r), 16))
		p.options(&r)
	case Data:
		p.Block = r.U16("block")
		p.Size = len(r.Rest())
	case Ack:
		p.Block = r.U16("block")
	case Error:
		p.Code = r.U16("error code")
		p.ErrorMsg = printable.Text(str(&r), printable.Max)
	case OptAck:
		p.options(&r)
	default:
		r.Fail("operation")
	}
	return p, r.Err()
}

func (p *Packet) options(r *octet.Reader) {
	for r.Len() > 0 && r.Err() == nil && len(p.Options) < MaxOptions {
		o := Option{Name: strings.ToLower(printable.Text(str(r), 32)), Value: printable.Text(str(r), 64)}
		if r.Err() == nil {
			p.Options = append(p.Options, o)
		}
	}
}

// str reads up to and with the next NUL.
func str(r *octet.Reader) []byte {
	if r.Err() != nil {
		return nil
	}
	rest := *r
	b := rest.Rest()
	i := bytes.IndexByte(b, 0)
	if i < 0 {
		r.Fail("string without end")
		return nil
	}
	s := r.Bytes(i, "string")
	r.Skip(1, "NUL")
	return s
}

// ErrorName is an error code's meaning.
func ErrorName(c uint16) string {
	names := [...]string{"undefined", "file not found", "access violation", "disk full", "illegal operation", "unknown transfer ID", "file exists", "no such user", "option refused"}
	if int(c) < len(names) {
		return names[c]
	}
	return "unknown"
}
