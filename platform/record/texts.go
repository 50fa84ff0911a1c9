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
	return RawTexts(data, func(v []byte, isAddress bool) bool {
		if isAddress {
			s := FormatAddress(v)
			return s == "" || yield(s)
		}
		return yield(unsafe.String(unsafe.SliceData(v), len(v)))
	})
}

// RawTexts is Texts without an allocation: an address is given as the bytes that
// the encoding has, for FormatAddress. No text is empty.
func RawTexts(data []byte, yield func(v []byte, isAddress bool) bool) error {
	if len(data) > MaxSize {
		return fmt.Errorf("texts of event: %w: %d bytes, at most %d", ErrTooLarge, len(data), MaxSize)
	}
	// What is still to come of the lists and maps that are open, the innermost in
	// left; a key and its value are two items.
	var outer [MaxDepth]items
	depth, left := 0, items{n: 1}
	b := data
	for {
		for left.n == 0 {
			if depth == 0 {
				if len(b) > 0 {
					return fmt.Errorf("texts of event: %w: %d bytes follow it", errMalformed, len(b))
				}
				return nil
			}
			depth--
			left = outer[depth]
		}
		key := left.pairs && left.n&1 == 0
		left.n--
		major, n, rest, err := head(b)
		if err != nil {
			return err
		}
		b = rest
		switch major {
		case majorBytes, majorText:
			if n > uint64(len(b)) {
				return fmt.Errorf("texts of event: %w: cut off", errMalformed)
			}
			v := b[:n:n]
			b = b[n:]
			if !key && n > 0 && !yield(v, major == majorBytes) {
				return nil
			}
		case majorArray, majorMap:
			if depth == MaxDepth || n > MaxItems {
				return fmt.Errorf("texts of event: %w", ErrTooLarge)
			}
			outer[depth] = left
			depth++
			left = items{n: uint32(n)}
			if major == majorMap {
				left = items{n: 2 * uint32(n), pairs: true}
			}
		case majorTag:
			return fmt.Errorf("texts of event: %w: tagged", errMalformed)
		} // numbers are in the head
	}
}

// items are what is still to come of a list or map.
type items struct {
	n     uint32
	pairs bool
}

// head reads the type of an item and its number: value, length or count.
func head(b []byte) (major byte, n uint64, rest []byte, err error) {
	if len(b) == 0 {
		return 0, 0, nil, fmt.Errorf("texts of event: %w: cut off", errMalformed)
	}
	if info := b[0] & 0x1f; info < 24 {
		return b[0] >> 5, uint64(info), b[1:], nil
	}
	return longHead(b)
}

// longHead reads a head of more than a byte.
func longHead(b []byte) (major byte, n uint64, rest []byte, err error) {
	major, info := b[0]>>5, b[0]&0x1f
	b = b[1:]
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

// FormatAddress writes out the bytes of a MAC or IP address, "" for an unknown one.
func FormatAddress(b []byte) string {
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
