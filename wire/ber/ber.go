// SPDX-License-Identifier: Apache-2.0

// Package ber reads ASN.1 values in the Basic Encoding Rules of ITU-T X.690
// (02/2021), as far as the network management and directory protocols use
// them: SNMP (RFC 3417 §8), LDAP (RFC 4511 §5.1), Kerberos (RFC 4120 §5.1, DER).
//
// # How it reads
//
// A Reader walks over one sequence of type-length-value elements without
// copying and without recursion: Next gives an Element whose Body points into
// the input, and Element.Children gives a Reader for what is inside. Nothing is
// allocated except by the functions that return strings or slices, and those
// are bounded. Depth is the caller's: every nesting level is one call of
// Children, and Children refuses more than MaxDepth.
//
// # Limits
//
//   - definite lengths only, at most 4 length octets (§8.1.3). The indefinite
//     form (§8.1.3.6), which SNMP, LDAP and DER forbid, is ErrIndefinite.
//   - tag numbers up to 2^28-1 (§8.1.2.4).
//   - integers up to 64 bits; longer ones are ErrRange, their Body is there.
//   - object identifiers up to MaxArcs arcs of 32 bits each.
//
// Not done: REAL, the string types' character sets, constructed strings
// (§8.7.3), any check that an encoding is the shortest possible.
package ber

import (
	"errors"
	"fmt"
)

// Bounds.
const (
	MaxDepth = 32  // levels of Children
	MaxArcs  = 128 // arcs of an object identifier, as SMIv2 (RFC 2578 §3.5)
)

// Reasons for which reading fails, wrapped in *Error.
var (
	ErrTruncated  = errors.New("element runs past the end")
	ErrIndefinite = errors.New("indefinite length")
	ErrTag        = errors.New("tag number too large or not canonical")
	ErrLength     = errors.New("length of more than four octets")
	ErrDepth      = errors.New("nested too deeply")
	ErrRange      = errors.New("value out of range")
	ErrType       = errors.New("unexpected type")
)

// Error says at which offset of the outermost input reading failed.
type Error struct {
	Offset int
	Err    error
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("BER at byte %d: %v", e.Offset, e.Err) }

// Unwrap gives the reason.
func (e *Error) Unwrap() error { return e.Err }

// Class is the class of a tag (§8.1.2.2).
type Class uint8

// The classes.
const (
	Universal Class = iota
	Application
	Context
	Private
)

// Universal tag numbers (ITU-T X.680 §8.4).
const (
	TagBoolean     = 1
	TagInteger     = 2
	TagBitString   = 3
	TagOctetString = 4
	TagNull        = 5
	TagOID         = 6
	TagEnumerated  = 10
	TagUTF8String  = 12
	TagSequence    = 16
	TagSet         = 17
	TagIA5String   = 22
	TagGeneralTime = 24
	TagGeneralStr  = 27
)

// Element is one type-length-value. Body points into the input and is cut
// where the input ends when the Reader is lenient (see Reader.Lenient); then
// Missing is not 0.
type Element struct {
	Class       Class
	Constructed bool
	Tag         uint32
	Body        []byte
	Missing     int // octets that the length announces and the input does not have
	Offset      int // of the identifier octet, in the outermost input
	HeaderLen   int // identifier and length octets

	depth uint8
}

// Is reports whether the element has this class and tag number.
func (e Element) Is(c Class, tag uint32) bool { return e.Class == c && e.Tag == tag }

// Children returns a Reader over the body of a constructed element. Beyond
// MaxDepth the Reader fails with ErrDepth.
func (e Element) Children() Reader {
	return Reader{data: e.Body, base: e.Offset + e.HeaderLen, depth: e.depth + 1, Lenient: e.Missing > 0}
}

// Reader walks over consecutive elements. The zero value reads nothing.
type Reader struct {
	// Lenient gives the last element even when its body is cut off by the end
	// of the input, as in packets cut by a snap length. Its Missing is set.
	Lenient bool

	data  []byte
	base  int
	depth uint8
}

// NewReader reads data, which must not change meanwhile.
func NewReader(data []byte) Reader { return Reader{data: data} }

// Len is how many octets are left.
func (r *Reader) Len() int { return len(r.data) }

// Offset is where the next element begins in the outermost input.
func (r *Reader) Offset() int { return r.base }

// Rest returns the octets that are left.
func (r *Reader) Rest() []byte { return r.data }

func (r *Reader) fail(at int, err error) (Element, error) {
	return Element{}, &Error{Offset: r.base + at, Err: err}
}

// Next reads one element. At the end of the input it fails with ErrTruncated:
// ask Len first. After an error the Reader has not moved.
func (r *Reader) Next() (Element, error) {
	if r.depth > MaxDepth {
		return r.fail(0, ErrDepth)
	}
	b := r.data
	if len(b) == 0 {
		return r.fail(0, ErrTruncated)
	}
	e := Element{Class: Class(b[0] >> 6), Constructed: b[0]&0x20 != 0, Tag: uint32(b[0] & 0x1f), Offset: r.base, depth: r.depth}
	i := 1
	if e.Tag == 0x1f { // §8.1.2.4: high tag number
		e.Tag = 0
		for {
			if i >= len(b) {
				return r.fail(i, ErrTruncated)
			}
			c := b[i]
			if i > 4 || i == 1 && c == 0x80 {
				return r.fail(i, ErrTag)
			}
			e.Tag = e.Tag<<7 | uint32(c&0x7f)
			i++
			if c&0x80 == 0 {
				break
			}
		}
		if e.Tag < 0x1f {
			return r.fail(1, ErrTag)
		}
	}
	if i >= len(b) {
		return r.fail(i, ErrTruncated)
	}
	n := int(b[i])
	i++
	switch {
	case n == 0x80:
		return r.fail(i-1, ErrIndefinite)
	case n > 0x80:
		k := n & 0x7f
		if k > 4 {
			return r.fail(i-1, ErrLength)
		}
		if len(b)-i < k {
			return r.fail(i, ErrTruncated)
		}
		var v uint64
		for _, c := range b[i : i+k] {
			v = v<<8 | uint64(c)
		}
		i += k
		if v > 1<<31-1 {
			return r.fail(i-k, ErrLength)
		}
		n = int(v)
	}
	e.HeaderLen = i
	if n > len(b)-i {
		if !r.Lenient {
			return r.fail(i, ErrTruncated)
		}
		e.Missing = n - (len(b) - i)
		n = len(b) - i
	}
	e.Body = b[i : i+n : i+n]
	r.data = b[i+n:]
	r.base += i + n
	return e, nil
}

// Expect reads one element and fails with ErrType when it is another. After
// ErrType the Reader has not moved.
func (r *Reader) Expect(c Class, tag uint32) (Element, error) {
	was := *r
	e, err := r.Next()
	if err != nil {
		return e, err
	}
	if !e.Is(c, tag) {
		*r = was
		return Element{}, &Error{Offset: e.Offset, Err: ErrType}
	}
	return e, nil
}

// Sequence reads one SEQUENCE and returns a Reader over its elements.
func (r *Reader) Sequence() (Reader, error) {
	e, err := r.Expect(Universal, TagSequence)
	if err != nil {
		return Reader{}, err
	}
	if !e.Constructed { // §8.9.1
		return Reader{}, &Error{Offset: e.Offset, Err: ErrType}
	}
	return e.Children(), nil
}

// Int reads an INTEGER.
func (r *Reader) Int() (int64, error) {
	e, err := r.Expect(Universal, TagInteger)
	if err != nil {
		return 0, err
	}
	return e.Int()
}

// OctetString reads a primitive OCTET STRING. The bytes point into the input.
func (r *Reader) OctetString() ([]byte, error) {
	e, err := r.Expect(Universal, TagOctetString)
	if err != nil {
		return nil, err
	}
	if e.Constructed {
		return nil, &Error{Offset: e.Offset, Err: ErrType}
	}
	return e.Body, nil
}
