// SPDX-License-Identifier: Apache-2.0

package codestream

import (
	"bytes"
	"encoding/binary"
)

// j2k follows a JPEG 2000 codestream (ISO/IEC 15444-1 annex A) from SOC to EOC.
type j2k struct {
	*report
	state  j2kState
	marker byte
	length int // of the segment, without the two bytes of the length
	at     int // in it
	sot    [8]byte
	// part says where in the sequence of headers and tile-parts the stream is, left what Psot leaves of the tile-part: openEnded where it
	// reaches to EOC.
	part j2kPart
	left int64
	ff   bool // the byte before was FF of coded data
	skip int  // bytes of an SOP segment in coded data
	bare bool // in no file
}

type j2kState uint8

const (
	j2kMarker j2kState = iota // before FF of a marker
	j2kCode                   // behind it
	j2kLength
	j2kSegment
	j2kData // coded data of a tile-part
	j2kDone
)

type j2kPart uint8

const (
	outside    j2kPart = iota // before SOC
	mainHeader                //
	tileHeader                //
	between                   // tile-parts
)

const openEnded = -1

// walk does bytes up to the end of the stream, and returns how many those were.
func (k *j2k) walk(p []byte) (n int, err error) {
	for n < len(p) && k.state != j2kDone {
		m, err := k.step(p[n:])
		if err != nil {
			return n, err
		}
		n += m
	}
	return n, nil
}

func (k *j2k) step(p []byte) (int, error) {
	if k.state == j2kData {
		return k.data(p)
	}
	n, counts := 1, k.part == tileHeader && k.left != openEnded
	switch b := p[0]; k.state {
	case j2kMarker:
		switch {
		case b == 0xFF:
			k.state = j2kCode
		case b == 0 && k.part == between: // no EOC, and padding
			k.state, k.doubt = j2kDone, true
		default:
			return 0, broken("bytes of JPEG 2000 where a marker must be")
		}
	case j2kCode:
		if err := k.code(b); err != nil {
			return 0, err
		}
	case j2kLength:
		k.length, k.at = k.length<<8|int(b), k.at+1
		if k.at == 2 {
			if k.length -= 2; k.length <= 0 || k.marker == 0x90 && k.length != len(k.sot) {
				return 0, broken("a segment of JPEG 2000 lies about its length")
			}
			k.state, k.at = j2kSegment, 0
		}
	case j2kSegment:
		n = min(len(p), k.length-k.at)
		k.segment(p[:n])
		if k.at == k.length {
			k.state = j2kMarker
			if k.marker == 0x90 {
				return n, k.tilePart()
			}
		}
	}
	if counts {
		if k.left -= int64(n); k.left < 0 {
			return 0, broken("the header of a tile-part of JPEG 2000 is longer than the tile-part")
		}
		k.ended()
	}
	return n, nil
}

// code does the second byte of a marker.
func (k *j2k) code(b byte) error {
	k.marker = b
	k.state, k.length, k.at = j2kLength, 0, 0
	switch {
	case k.part == outside:
		if b != 0x4F {
			return foreign("a frame does not begin as JPEG 2000 does")
		}
		k.part, k.state = mainHeader, j2kMarker
		return nil
	case k.part == between && b == 0x4F && k.bare: // the frame before has no EOC
		k.frames++
		k.part, k.state = mainHeader, j2kMarker
		return nil
	case k.part != tileHeader && b == 0x90:
		return nil
	case k.part == tileHeader && b == 0x93:
		k.state, k.ff = j2kData, false
		return nil
	case k.part != tileHeader && b == 0xD9:
		k.state = j2kDone
		return nil
	case k.part != between && segments[b]:
		return nil
	}
	return broken("a marker that JPEG 2000 does not have there")
}

// segments are the markers that segments of a header begin with (ISO/IEC 15444-1 table A.2, 15444-2 table A.1, 15444-15 table A.1).
var segments = map[byte]bool{
	0x50: true, 0x51: true, 0x52: true, 0x53: true, 0x55: true, 0x56: true, 0x57: true, 0x58: true, 0x59: true, 0x5C: true, 0x5D: true, 0x5E: true, 0x5F: true,
	0x60: true, 0x61: true, 0x63: true, 0x64: true,
	0x5A: true, 0x5B: true, 0x70: true, 0x71: true, 0x72: true, 0x73: true, 0x74: true, 0x75: true, 0x76: true, 0x77: true, 0x78: true, 0x79: true,
}

// segment does bytes of a segment.
func (k *j2k) segment(p []byte) {
	switch k.marker {
	case 0x64: // COM
		k.blank(p)
	case 0x90: // SOT
		copy(k.sot[k.at:], p)
	}
	k.at += len(p)
}

// tilePart begins a tile-part whose SOT has been read (§A.4.2).
func (k *j2k) tilePart() error {
	k.part = tileHeader
	switch psot := binary.BigEndian.Uint32(k.sot[2:]); {
	case psot == 0:
		k.left = openEnded
	case psot < 14:
		return broken("a tile-part of JPEG 2000 is shorter than its header")
	default:
		k.left = int64(psot) - 12
	}
	return nil
}

// ended goes to what is behind a tile-part when nothing is left of it.
func (k *j2k) ended() {
	if k.state == j2kData && k.left == 0 {
		k.state, k.part = j2kMarker, between
	}
}

// data passes coded data. No two bytes of it are above FF8F but SOP and EPH (§A.1.3, §A.8), so that a Psot that reaches into what is
// behind is found.
func (k *j2k) data(p []byte) (int, error) {
	n := len(p)
	if k.left != openEnded {
		n = int(min(int64(n), k.left))
	}
	for i := 0; i < n; {
		switch {
		case k.skip > 0:
			m := min(n-i, k.skip)
			k.skip, i = k.skip-m, i+m
			continue
		case !k.ff:
			m := bytes.IndexByte(p[i:n], 0xFF)
			if m < 0 {
				i = n
				continue
			}
			k.ff, i = true, i+m+1
			continue
		}
		k.ff = false
		switch b := p[i]; {
		case b == 0x91:
			k.skip = 4
		case b == 0xD9: // before the end of the tile-part where its length counts EOC too, as some encoders have it
			k.state, k.doubt = j2kDone, k.left != openEnded
			return i + 1, nil
		case b > 0x8F && b != 0x92:
			return 0, broken("a marker in the coded data of JPEG 2000: a tile-part lies about its length")
		}
		i++
	}
	if k.left != openEnded {
		k.left -= int64(n)
		k.ended()
	}
	return n, nil
}

// whole reports whether the stream may end here: behind its end, or behind a tile-part, where EOC alone is missing.
func (k *j2k) whole() bool { return k.state == j2kDone || k.state == j2kMarker && k.part == between }

// coded reports whether the stream ends in coded data, so that nothing was to be blanked in what is missing.
func (k *j2k) coded() bool { return k.state == j2kData }
