// SPDX-License-Identifier: Apache-2.0

package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"unsafe"

	"github.com/asepsis/asepsis/core/device"
)

// Major types of CBOR (RFC 8949 §3.1).
const (
	majorUnsigned = iota
	majorNegative
	majorBytes
	majorText
	majorArray
	majorMap
	majorTag
	majorSimple
)

var errMalformed = errors.New("not an encoded event")

// Texts calls yield with every text of an encoded event, until it returns false.
// Keys are left out. MAC and IP addresses, which the encoding keeps as bytes, are
// given in the form in which people write them. Nothing is decoded
// into structs: one pass over the bytes, and an allocation for each address only.
//
// The strings share the memory of data: who keeps one clones it.
func Texts(data []byte, yield func(string) bool) error {
	if len(data) > MaxSize {
		return fmt.Errorf("texts of event: %w: %d bytes, at most %d", ErrTooLarge, len(data), MaxSize)
	}
	rest, _, err := texts(data, MaxDepth, false, yield)
	if err == nil && rest != nil && len(rest) > 0 {
		err = fmt.Errorf("texts of event: %w: %d bytes follow it", errMalformed, len(rest))
	}
	return err
}

// texts walks one item and returns what follows it; more is false when yield
// has had enough.
func texts(b []byte, depth int, key bool, yield func(string) bool) (rest []byte, more bool, err error) {
	major, n, b, err := head(b)
	if err != nil {
		return nil, false, err
	}
	switch major {
	case majorBytes, majorText:
		if n > uint64(len(b)) {
			return nil, false, fmt.Errorf("texts of event: %w: cut off", errMalformed)
		}
		v, rest := b[:n], b[n:]
		switch {
		case key:
		case major == majorText:
			if n > 0 && !yield(unsafe.String(unsafe.SliceData(v), len(v))) {
				return nil, false, nil
			}
		default:
			if s := address(v); s != "" && !yield(s) {
				return nil, false, nil
			}
		}
		return rest, true, nil
	case majorArray, majorMap:
		if depth == 0 || n > MaxItems {
			return nil, false, fmt.Errorf("texts of event: %w", ErrTooLarge)
		}
		if major == majorMap {
			n *= 2
		}
		for i := range n {
			if b, more, err = texts(b, depth-1, major == majorMap && i%2 == 0, yield); err != nil || !more {
				return nil, false, err
			}
		}
		return b, true, nil
	case majorTag:
		return nil, false, fmt.Errorf("texts of event: %w: tagged", errMalformed)
	}
	return b, true, nil // numbers: they are in the head
}

// head reads the type of an item and its number: value, length or count.
func head(b []byte) (major byte, n uint64, rest []byte, err error) {
	if len(b) == 0 {
		return 0, 0, nil, fmt.Errorf("texts of event: %w: cut off", errMalformed)
	}
	major, info := b[0]>>5, b[0]&0x1f
	b = b[1:]
	if info < 24 {
		return major, uint64(info), b, nil
	}
	size := 1 << (info - 24)
	if info > 27 || size > len(b) {
		return 0, 0, nil, fmt.Errorf("texts of event: %w: length", errMalformed)
	}
	switch size {
	case 1:
		n = uint64(b[0])
	case 2:
		n = uint64(binary.BigEndian.Uint16(b))
	case 4:
		n = uint64(binary.BigEndian.Uint32(b))
	default:
		n = binary.BigEndian.Uint64(b)
	}
	return major, n, b[size:], nil
}

// address writes out the bytes of a MAC or IP address, "" for an unknown one.
func address(b []byte) string {
	if len(b) == len(device.MAC{}) {
		if m := device.MAC(b); !m.IsZero() {
			return m.String()
		}
		return ""
	}
	var a netip.Addr
	if a.UnmarshalBinary(b) == nil && a.IsValid() {
		return a.String()
	}
	return ""
}
