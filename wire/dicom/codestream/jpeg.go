// SPDX-License-Identifier: Apache-2.0

package codestream

import "bytes"

// jpeg follows JPEG and JPEG-LS streams by their markers (ISO/IEC 10918-1 annex B, 14495-1 annex C).
type jpeg struct {
	*report
	state  jpegState
	fresh  bool // no byte of the fragment was seen
	first  bool // the FF that a marker begins with is the first byte of its fragment
	ls     bool // JPEG-LS, of which coded data may hold FF before any byte below 80
	marker byte
	length int // of the segment, without the two bytes of the length
	at     int // in the segment
	kept   *shape
}

type jpegState uint8

const (
	jpegStart  jpegState = iota // before FF of SOI
	jpegSOI                     // before D8
	jpegMarker                  // before FF of a marker
	jpegCode                    // behind it
	jpegLength                  // in the two bytes of a length
	jpegSegment
	jpegScan   // in coded data
	jpegScanFF // behind an FF in it
	jpegDone   // behind EOI
	jpegDoneFF // behind an FF there that a fragment begins with
)

// shape is an application segment that stays: it begins with an identifier, and of the bytes behind that the first few are numbers.
type shape struct {
	marker     byte
	length     int // of all of the segment; 0: any
	identifier string
	numbers    int
}

// shapes are those that decide how colours are meant.
var shapes = []shape{
	{0xE0, 0, "JFIF\x00", 9},                 // version, density, size of the thumbnail, which becomes black
	{0xE8, 5, "mrfx", 1},                     // HP's colour transform
	{0xE8, 30, "SPIFF\x00", 24},              // ISO/IEC 10918-3 §F.2
	{0xE8, 6, "\x00\x00\x00\x01\xFF\xD8", 0}, // the end of SPIFF's directory
	{0xEE, 0, "Adobe", 7},                    // version, flags, transform
}

func (j *jpeg) fragment() error {
	j.fresh = true
	return nil
}

func (j *jpeg) walk(p []byte) error {
	for len(p) > 0 {
		n, err := j.step(p)
		if err != nil {
			return err
		}
		p, j.fresh = p[n:], false
	}
	return nil
}

func (j *jpeg) step(p []byte) (int, error) {
	b := p[0]
	switch j.state {
	case jpegStart, jpegSOI:
		if b != [2]byte{0xFF, 0xD8}[j.state] {
			return 0, foreign("a frame does not begin as JPEG does")
		}
		if j.state++; j.state == jpegMarker {
			j.begin()
		}
	case jpegMarker:
		if b != 0xFF {
			return 0, broken("bytes of JPEG where a marker must be")
		}
		j.state = jpegCode
	case jpegCode:
		return 1, j.code(b)
	case jpegLength:
		j.length, j.at = j.length<<8|int(b), j.at+1
		if j.at == 2 {
			return 1, j.open()
		}
	case jpegSegment:
		return j.segment(p), nil
	case jpegScan:
		i := bytes.IndexByte(p, 0xFF)
		if i < 0 {
			return len(p), nil
		}
		j.state, j.first = jpegScanFF, j.fresh && i == 0
		return i + 1, nil
	case jpegScanFF:
		switch {
		case b == 0, b >= 0xD0 && b <= 0xD7, j.ls && b < 0x80:
			j.state = jpegScan
		case b == 0xFF:
			j.first = j.fresh
		case b == 0xD8 && j.first: // the frame before has no EOI
			j.begin()
		default:
			return 1, j.code(b)
		}
	case jpegDone:
		if j.fresh && b == 0xFF {
			j.state = jpegDoneFF
			return 1, nil
		}
		return len(p), j.behind(p)
	case jpegDoneFF:
		if b == 0xD8 {
			j.begin()
			break
		}
		j.state = jpegDone
		return 1, j.behind(p[:1])
	}
	return 1, nil
}

func (j *jpeg) begin() {
	j.frames++
	j.state, j.ls = jpegMarker, false
}

// code does the second byte of a marker.
func (j *jpeg) code(b byte) error {
	j.marker = b
	switch {
	case b == 0xFF: // a fill byte
		return nil
	case b == 0xD9:
		j.state = jpegDone
		return nil
	case b == 0xD8:
		return broken("a JPEG image begins within another")
	case b >= 0xC0 && b <= 0xCF && b != 0xC8, b >= 0xDA && b <= 0xEF, b == 0xFE, b == 0xF7, b == 0xF8:
		j.ls = j.ls || b == 0xF7
		j.state, j.length, j.at = jpegLength, 0, 0
		return nil
	}
	return broken("a marker that JPEG does not have")
}

// open begins a segment whose length is known.
func (j *jpeg) open() error {
	if j.length -= 2; j.length < 0 {
		return broken("a segment of JPEG is shorter than its own length")
	}
	j.state, j.at, j.kept = jpegSegment, 0, nil
	if j.length == 0 {
		j.close()
	}
	return nil
}

func (j *jpeg) close() {
	if j.state = jpegMarker; j.marker == 0xDA {
		j.state = jpegScan
	}
}

// segment does the bytes of a segment, and returns how many of p are of it.
func (j *jpeg) segment(p []byte) int {
	n := min(len(p), j.length-j.at)
	switch {
	case j.marker == 0xFE:
		j.blank(p[:n])
	case j.marker >= 0xE0 && j.marker <= 0xEF:
		i := 0
		for i < n && j.stays(p[i], j.at+i) {
			i++
		}
		j.blank(p[i:n])
	}
	if j.at += n; j.at == j.length {
		j.close()
	}
	return n
}

// stays reports whether a byte of an application segment does. What was let through of an identifier that turns out to be another is
// a part of one that is known, and says nothing.
func (j *jpeg) stays(b byte, at int) bool {
	if at == 0 {
		for i := range shapes {
			if s := &shapes[i]; s.marker == j.marker && b == s.identifier[0] && (s.length == j.length || s.length == 0 && j.length >= len(s.identifier)+s.numbers) {
				j.kept = s
			}
		}
	}
	if j.kept != nil && at < len(j.kept.identifier) && b != j.kept.identifier[at] {
		j.kept = nil
	}
	return j.kept != nil && at < len(j.kept.identifier)+j.kept.numbers
}

func (j *jpeg) end() error {
	switch j.state {
	case jpegDone, jpegDoneFF:
		return j.complete(true)
	case jpegScan, jpegScanFF: // only coded data is missing, as of a transmission that broke: there was nothing to blank in it
		return j.complete(false)
	}
	return cut("its last frame ends within the header of JPEG")
}
