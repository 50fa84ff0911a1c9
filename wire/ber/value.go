// SPDX-License-Identifier: Apache-2.0

package ber

import "strconv"

// Peek tells what the first element of data announces, even when its body is
// not there yet: the element with an empty Body and the whole length in octets,
// header included. It is how a stream analyser finds message boundaries. It
// fails with ErrTruncated while the header itself is incomplete.
func Peek(data []byte) (e Element, total int, err error) {
	r := Reader{data: data, Lenient: true}
	e, err = r.Next()
	if err != nil {
		return Element{}, 0, err
	}
	total = e.HeaderLen + len(e.Body) + e.Missing
	e.Missing = len(e.Body) + e.Missing
	e.Body = nil
	return e, total, nil
}

// Int returns the value of an INTEGER or ENUMERATED body, two's complement
// (§8.3). It looks at the body only, so it reads implicitly tagged ones too.
func (e Element) Int() (int64, error) {
	if e.Constructed || e.Missing > 0 || len(e.Body) == 0 {
		return 0, &Error{Offset: e.Offset, Err: ErrType}
	}
	if len(e.Body) > 8 {
		return 0, &Error{Offset: e.Offset, Err: ErrRange}
	}
	v := int64(int8(e.Body[0]))
	for _, c := range e.Body[1:] {
		v = v<<8 | int64(c)
	}
	return v, nil
}

// Uint returns the value of an unsigned body of up to 64 bits, with or without
// a leading zero octet (SNMP Counter64, TimeTicks).
func (e Element) Uint() (uint64, error) {
	b := e.Body
	if e.Constructed || e.Missing > 0 || len(b) == 0 {
		return 0, &Error{Offset: e.Offset, Err: ErrType}
	}
	if len(b) == 9 && b[0] == 0 {
		b = b[1:]
	}
	if len(b) > 8 {
		return 0, &Error{Offset: e.Offset, Err: ErrRange}
	}
	var v uint64
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v, nil
}

// Bool returns the value of a BOOLEAN body (§8.2).
func (e Element) Bool() (bool, error) {
	if e.Constructed || len(e.Body) != 1 {
		return false, &Error{Offset: e.Offset, Err: ErrType}
	}
	return e.Body[0] != 0, nil
}

// OID returns the dotted form of an OBJECT IDENTIFIER body (§8.19), "" with an
// error when it is malformed, has more than MaxArcs arcs or an arc above 2^32-1.
func (e Element) OID() (string, error) {
	if e.Constructed || e.Missing > 0 {
		return "", &Error{Offset: e.Offset, Err: ErrType}
	}
	s, ok := OID(e.Body)
	if !ok {
		return "", &Error{Offset: e.Offset, Err: ErrRange}
	}
	return s, nil
}

// OID decodes an object identifier's contents octets. An empty body, which some
// agents send for 0.0, gives "0.0".
func OID(b []byte) (string, bool) {
	if len(b) == 0 {
		return "0.0", true
	}
	buf := make([]byte, 0, 64)
	var v uint64
	arcs, open := 0, false
	for _, c := range b {
		if !open && c == 0x80 { // §8.19.2: no leading zeros
			return "", false
		}
		v = v<<7 | uint64(c&0x7f)
		if v > 1<<32-1+80 {
			return "", false
		}
		open = c&0x80 != 0
		if open {
			continue
		}
		if arcs == 0 { // §8.19.4: the first two arcs share one subidentifier
			first := min(v/40, 2)
			buf = strconv.AppendUint(buf, first, 10)
			v -= first * 40
			arcs++
		}
		if v > 1<<32-1 || arcs >= MaxArcs {
			return "", false
		}
		buf = append(buf, '.')
		buf = strconv.AppendUint(buf, v, 10)
		arcs++
		v = 0
	}
	if open {
		return "", false
	}
	return string(buf), true
}
