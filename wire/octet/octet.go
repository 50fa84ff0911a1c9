// SPDX-License-Identifier: Apache-2.0

// Package octet reads fixed fields in network byte order from a message that
// may end anywhere. The first read past the end is remembered and every later
// one gives zero, so a parser reads a whole structure and asks once, with Err.
// Nothing is copied and nothing is allocated.
package octet

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Error says where and in what a message ended or contradicted itself.
type Error struct {
	Offset int    // in the message given to the parser
	What   string // the field or rule, as the standard names it
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%s at byte %d", e.What, e.Offset) }

// Reader reads forward. Make one with New.
type Reader struct {
	b    []byte
	off  int
	base int
	err  error
}

// New reads b from its start.
func New(b []byte) Reader { return Reader{b: b} }

// At reads b, whose first octet is at offset base of the message, so that
// errors name the right place.
func At(b []byte, base int) Reader { return Reader{b: b, base: base} }

// Len is how many octets are left.
func (r *Reader) Len() int { return len(r.b) - r.off }

// Offset is where the next read begins, in the message.
func (r *Reader) Offset() int { return r.base + r.off }

// Err is the first failure, an *Error, or nil.
func (r *Reader) Err() error { return r.err }

// Fail records a contradiction at the present offset and ends reading.
func (r *Reader) Fail(what string) {
	if r.err == nil {
		r.err = &Error{Offset: r.Offset(), What: what}
	}
	r.off = len(r.b)
}

// Bytes returns the next n octets, pointing into the message, nil when they
// are not there.
func (r *Reader) Bytes(n int, what string) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || n > len(r.b)-r.off {
		r.err = &Error{Offset: r.Offset(), What: what + " cut off"}
		r.off = len(r.b)
		return nil
	}
	s := r.b[r.off : r.off+n : r.off+n]
	r.off += n
	return s
}

// Rest returns and consumes everything that is left.
func (r *Reader) Rest() []byte { return r.Bytes(len(r.b)-r.off, "") }

// Skip passes over n octets.
func (r *Reader) Skip(n int, what string) { r.Bytes(n, what) }

// U8 reads one octet.
func (r *Reader) U8(what string) uint8 {
	if s := r.Bytes(1, what); s != nil {
		return s[0]
	}
	return 0
}

// U16 reads two octets.
func (r *Reader) U16(what string) uint16 {
	if s := r.Bytes(2, what); s != nil {
		return binary.BigEndian.Uint16(s)
	}
	return 0
}

// U24 reads three octets.
func (r *Reader) U24(what string) uint32 {
	if s := r.Bytes(3, what); s != nil {
		return uint32(s[0])<<16 | uint32(s[1])<<8 | uint32(s[2])
	}
	return 0
}

// U32 reads four octets.
func (r *Reader) U32(what string) uint32 {
	if s := r.Bytes(4, what); s != nil {
		return binary.BigEndian.Uint32(s)
	}
	return 0
}

// U64 reads eight octets.
func (r *Reader) U64(what string) uint64 {
	if s := r.Bytes(8, what); s != nil {
		return binary.BigEndian.Uint64(s)
	}
	return 0
}

// MAC reads an EUI-48.
func (r *Reader) MAC(what string) (m [6]byte) {
	copy(m[:], r.Bytes(6, what))
	return m
}

// IPv4 reads an IPv4 address; the zero Addr when it is cut off.
func (r *Reader) IPv4(what string) netip.Addr {
	if s := r.Bytes(4, what); s != nil {
		return netip.AddrFrom4([4]byte(s))
	}
	return netip.Addr{}
}

// IPv6 reads an IPv6 address; the zero Addr when it is cut off.
func (r *Reader) IPv6(what string) netip.Addr {
	if s := r.Bytes(16, what); s != nil {
		return netip.AddrFrom16([16]byte(s))
	}
	return netip.Addr{}
}
