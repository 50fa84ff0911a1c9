// SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bytes"
	"encoding/binary"

	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

// probe recognises the first PDU of a direction, whichever it is, and in a
// connection whose opening was not seen also a PDU further on.
func probe(c *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
	m := header(head, nil)
	if m == analyze.No && c.MidStream {
		if i, found := nextHeader(head, nil); found {
			return analyze.Yes
		} else if i < len(head) || len(head) < analyze.ProbeBytes {
			return analyze.Maybe
		}
	}
	return m
}

// Sizes of what header looks at.
const (
	associateHead = ul.HeaderSize + 68 + 4 + 4 // up to the first characters of the application context
	commandHead   = ul.HeaderSize + ul.PDVHeaderSize + 8
)

// groupLength is how a command set begins: (0000,0000), 4 bytes (PS3.7 §E.1).
var groupLength = []byte{0, 0, 0, 0, 4, 0, 0, 0}

// header tells whether b begins with the header of a PDU. Every type is held to
// more than 50 bits that random bytes would have to match. accepted, when not nil,
// says which presentation context IDs are in use.
func header(b []byte, accepted func(uint8) bool) analyze.Match {
	if len(b) == 0 {
		return analyze.Maybe
	}
	t := ul.Type(b[0])
	if t < ul.TypeAssociateRQ || t > ul.TypeAbort || len(b) > 1 && b[1] != 0 {
		return analyze.No
	}
	if len(b) < ul.HeaderSize {
		return analyze.Maybe
	}
	length := binary.BigEndian.Uint32(b[2:])
	switch t {
	case ul.TypeAssociateRQ, ul.TypeAssociateAC:
		return associateHeader(b, length)
	case ul.TypePData:
		return dataHeader(b, length, accepted)
	}
	if length != 4 {
		return analyze.No
	}
	if len(b) < 10 {
		return analyze.Maybe
	}
	ok := false
	switch p := b[6:10]; t {
	case ul.TypeAssociateRJ:
		ok = p[0] == 0 && p[1] >= 1 && p[1] <= 2 && p[2] >= 1 && p[2] <= 3 && p[3] <= 10
	case ul.TypeReleaseRQ, ul.TypeReleaseRP:
		ok = p[0]|p[1]|p[2]|p[3] == 0
	case ul.TypeAbort:
		ok = p[0]|p[1] == 0 && p[2] <= 2 && p[3] <= 6
	}
	if ok {
		return analyze.Yes
	}
	return analyze.No
}

func associateHeader(b []byte, length uint32) analyze.Match {
	if length < 68+4 || length > ul.MaxAssociate {
		return analyze.No
	}
	if len(b) >= 8 && b[7]&1 == 0 { // protocol version 1
		return analyze.No
	}
	for i := 10; i < min(len(b), 42); i++ { // AE titles: printable, or NUL from careless senders
		if b[i] != 0 && (b[i] < 0x20 || b[i] > 0x7E) {
			return analyze.No
		}
	}
	if len(b) < associateHead {
		return analyze.Maybe
	}
	switch item := b[74]; {
	case b[75] != 0:
		return analyze.No
	case item == 0x10:
		if b[78] < '0' || b[78] > '2' { // a UID
			return analyze.No
		}
	case item != 0x20 && item != 0x21 && item != 0x50: // items in another order
		return analyze.No
	}
	return analyze.Yes
}

func dataHeader(b []byte, length uint32, accepted func(uint8) bool) analyze.Match {
	if length < ul.PDVHeaderSize || length > ul.DefaultPData {
		return analyze.No
	}
	if len(b) < ul.HeaderSize+ul.PDVHeaderSize {
		return analyze.Maybe
	}
	pdv := binary.BigEndian.Uint32(b[6:])
	context, control := b[10], b[11]
	switch {
	case pdv < 2 || uint64(pdv)+4 > uint64(length) || control > 3:
		return analyze.No
	case accepted == nil && context&1 == 0, accepted != nil && !accepted(context):
		return analyze.No
	}
	if uint64(pdv)+4 == uint64(length) {
		return analyze.Yes
	}
	// More than one PDV: only when the first begins a command set.
	if control&1 == 0 {
		return analyze.No
	}
	if len(b) < commandHead {
		return analyze.Maybe
	}
	if bytes.HasPrefix(b[12:], groupLength) {
		return analyze.Yes
	}
	return analyze.No
}

// nextHeader looks for the next plausible PDU header. It returns where it begins,
// or, when none is there, from where on the bytes must be seen again with what
// follows them.
func nextHeader(b []byte, accepted func(uint8) bool) (n int, found bool) {
	for i := range b {
		if b[i] == 0 || b[i] > byte(ul.TypeAbort) {
			continue
		}
		switch header(b[i:], accepted) {
		case analyze.Yes:
			return i, true
		case analyze.Maybe:
			// Whether it is one shows only later. What lies behind it is not looked at
			// before; a header is at most associateHead bytes, so little waits.
			return i, false
		}
	}
	return len(b), false
}
