// SPDX-License-Identifier: Apache-2.0

// Package ntp reads the Network Time Protocol, versions 1 to 4 (RFC 1059, 1119,
// 1305, 5905), and recognises its control messages (RFC 9327) and the private
// mode 7 of ntpd, whose monitor list (code 42 and 20) amplifies attacks.
//
// Not done: the fields of extensions and authenticators beyond their presence,
// the contents of control answers.
package ntp

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// Modes (RFC 5905 figure 10).
const (
	SymmetricActive  = 1
	SymmetricPassive = 2
	Client           = 3
	Server           = 4
	Broadcast        = 5
	Control          = 6
	Private          = 7
)

// Packet is one NTP packet.
type Packet struct {
	Leap, Version, Mode uint8
	Stratum             uint8
	Poll, Precision     int8
	RootDelay           float64 // seconds
	RootDispersion      float64 // seconds
	ReferenceID         string  // "GPS", "10.30.1.1", or a kiss code
	Reference           time.Time
	Origin              uint64 // time stamps as sent: they join an answer to its question
	Receive             uint64
	Transmit            uint64
	Extensions          bool
	Authenticated       bool // a message authentication code follows

	ControlOp   uint8 // mode 6
	Response    bool  // modes 6 and 7
	PrivateCode uint8 // mode 7 request code
	MonList     bool  // mode 7: asks for, or is, a monitor list
}

// Looks reports whether b is an NTP packet: version 1 to 4, a known mode, and a
// length that the mode allows.
func Looks(b []byte, missing int) bool {
	if len(b) < 4 {
		return false
	}
	v, mode, n := b[0]>>3&7, b[0]&7, len(b)+missing
	if v < 1 || v > 4 {
		return false
	}
	switch mode {
	case Control:
		return len(b) >= 12 && n >= 12+int(binary.BigEndian.Uint16(b[10:])) && n <= 12+480+64 && v >= 2
	case Private:
		return n >= 8 && b[2] <= 3 // implementation number
	case 0:
		return false
	}
	// Precision is a clock's: 2^-4 to 2^-60 seconds; many simple clients send 0.
	return n >= 48 && n <= 48+1500 && len(b) >= 48 && n%4 == 0 && b[1] <= 16 && (int8(b[3]) <= 0) && int8(b[2]) <= 24
}

// Parse reads one packet.
func Parse(b []byte) (Packet, error) {
	r := octet.New(b)
	f := r.U8("flags")
	p := Packet{Leap: f >> 6, Version: f >> 3 & 7, Mode: f & 7}
	switch p.Mode {
	case Control:
		op := r.U8("operation")
		p.Response, p.ControlOp = op&0x80 != 0, op&31
		return p, r.Err()
	case Private:
		p.Response = f&0x80 != 0
		p.Leap = 0
		r.Skip(1, "sequence")
		impl := r.U8("implementation")
		p.PrivateCode = r.U8("request code")
		p.MonList = (impl == 2 || impl == 3 || impl == 0) && (p.PrivateCode == 42 || p.PrivateCode == 20)
		return p, r.Err()
	}
	p.Stratum, p.Poll, p.Precision = r.U8("stratum"), int8(r.U8("poll")), int8(r.U8("precision"))
	p.RootDelay = float64(int32(r.U32("root delay"))) / 65536
	p.RootDispersion = float64(r.U32("root dispersion")) / 65536
	id := r.Bytes(4, "reference ID")
	p.ReferenceID = refID(id, p.Stratum)
	p.Reference = Time(r.U64("reference time"))
	p.Origin, p.Receive, p.Transmit = r.U64("origin time"), r.U64("receive time"), r.U64("transmit time")
	switch n := r.Len(); {
	case n == 4 || n == 20 || n == 24:
		p.Authenticated = true
	case n > 0:
		p.Extensions = true
	}
	return p, r.Err()
}

// refID is text for a reference clock or kiss code, an address otherwise
// (RFC 5905 §7.3).
func refID(id []byte, stratum uint8) string {
	if len(id) != 4 || binary.BigEndian.Uint32(id) == 0 {
		return ""
	}
	if stratum <= 1 {
		return printable.Text(id, 4)
	}
	return netip.AddrFrom4([4]byte(id)).String()
}

// Time turns a 64-bit time stamp into a time. Values below 2^31 seconds are of
// the era that begins in 2036 (RFC 5905 §6). Zero is the zero time.
func Time(v uint64) time.Time {
	if v == 0 {
		return time.Time{}
	}
	sec := int64(v >> 32)
	if sec < 1<<31 {
		sec += 1 << 32
	}
	return time.Unix(sec-2208988800, int64((v&0xffffffff)*1e9>>32)).UTC()
}
