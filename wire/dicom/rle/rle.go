// SPDX-License-Identifier: Apache-2.0

// Package rle is the RLE lossless image compression of DICOM (PS3.5 annex G): a frame is a header and up to 15
// segments, each of them the same byte of one sample of all pixels, row by row, packed as PackBits does.
//
// Rows unpacks a segment row by row and AppendRow packs one, so that who changes a frame holds a row of it, not the
// image. What was packed here is unpacked by everybody; what others packed is unpacked even where their runs cross the
// ends of rows, which §G.3.1 forbids and old encoders do.
//
// Input is hostile: no length that a header declares is allocated, and the caller decides how many rows there are.
//
// # Not done
//
// Which sample and byte a segment holds is the caller's knowledge (§G.2: samples one after the other, of each the most
// significant byte first), as is what is around frames: fragments and offset tables (§A.4).
package rle

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	// HeaderSize is the length of the header before the segments (§G.5).
	HeaderSize = 64
	// MaxSegments is how many segments a frame may have (§G.5).
	MaxSegments = 15
)

// What is wrong with a frame.
var (
	// ErrHeader: the header contradicts itself or the frame's length.
	ErrHeader = errors.New("the RLE header makes no sense (PS3.5 §G.5)")
	// ErrShort: a segment ends before the image does.
	ErrShort = errors.New("an RLE segment ends before the image (PS3.5 §G.3)")
)

// Split returns the segments of a frame, which alias it. Each but the last ends where the next begins, so that
// padding may follow what a segment says.
func Split(frame []byte) ([][]byte, error) {
	if len(frame) < HeaderSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrHeader, len(frame))
	}
	n := binary.LittleEndian.Uint32(frame)
	if n == 0 || n > MaxSegments {
		return nil, fmt.Errorf("%w: %d segments", ErrHeader, n)
	}
	out := make([][]byte, n)
	for i := range out {
		from, to := offset(frame, i), uint32(len(frame)) //nolint:gosec // a fragment is shorter than 4 GB
		if i+1 < len(out) {
			to = offset(frame, i+1)
		}
		if from < HeaderSize || from > to || uint64(to) > uint64(len(frame)) {
			return nil, fmt.Errorf("%w: segment %d lies at %d..%d of %d bytes", ErrHeader, i+1, from, to, len(frame))
		}
		out[i] = frame[from:to]
	}
	return out, nil
}

func offset(frame []byte, segment int) uint32 {
	return binary.LittleEndian.Uint32(frame[4+4*segment:])
}

// Rows unpacks a segment.
type Rows struct {
	src     []byte
	literal int  // bytes still to copy
	run     int  // times still to repeat value
	value   byte //
}

// NewRows returns Rows of a segment.
func NewRows(segment []byte) *Rows { return &Rows{src: segment} }

// Next fills a row.
func (r *Rows) Next(row []byte) error {
	for len(row) > 0 {
		switch {
		case r.literal > 0:
			n := min(r.literal, len(row))
			if n > len(r.src) {
				return ErrShort
			}
			copy(row, r.src[:n])
			r.src, row, r.literal = r.src[n:], row[n:], r.literal-n
		case r.run > 0:
			n := min(r.run, len(row))
			for i := range row[:n] {
				row[i] = r.value
			}
			row, r.run = row[n:], r.run-n
		case len(r.src) < 2: // nothing is encoded in a byte
			return ErrShort
		default:
			c := int8(r.src[0])
			r.src = r.src[1:]
			switch {
			case c >= 0:
				r.literal = int(c) + 1
			case c > -128: // -128 says nothing
				r.run, r.value = 1-int(c), r.src[0]
				r.src = r.src[1:]
			}
		}
	}
	return nil
}

// longest is the most bytes that one run of either kind stands for.
const longest = 128

// AppendRow appends a row, packed. A row of n bytes takes at most n + n/128 + 1.
func AppendRow(dst, row []byte) []byte {
	for i := 0; i < len(row); {
		if n := same(row[i:]); n > 1 {
			dst = append(dst, byte(1-n), row[i]) //nolint:gosec // -1 to -127 as the standard writes it
			i += n
			continue
		}
		start := i
		for i++; i < len(row) && i-start < longest; i++ {
			if len(row)-i > 2 && row[i] == row[i+1] && row[i] == row[i+2] { // a pair within a literal run costs less there
				break
			}
		}
		dst = append(dst, byte(i-start-1))
		dst = append(dst, row[start:i]...)
	}
	return dst
}

// same returns how many bytes at the start are the same.
func same(row []byte) int {
	n := 1
	for n < len(row) && n < longest && row[n] == row[0] {
		n++
	}
	return n
}

// Writer puts a frame together. The zero Writer is ready for the first segment of one.
type Writer struct {
	frame []byte
	n     int
}

// Begin begins a frame, in the memory of the one before.
func (w *Writer) Begin() {
	w.frame, w.n = append(w.frame[:0], make([]byte, HeaderSize)...), 0
}

// Segment begins the next segment. It reports false where there may be no more.
func (w *Writer) Segment() bool {
	if w.n == MaxSegments {
		return false
	}
	w.pad()
	binary.LittleEndian.PutUint32(w.frame[4+4*w.n:], uint32(len(w.frame))) //nolint:gosec // a frame of more than 4 GB is no fragment
	w.n++
	return true
}

// Row packs the next row of the segment.
func (w *Writer) Row(row []byte) { w.frame = AppendRow(w.frame, row) }

// Bytes ends the frame and returns it, of even length and valid until Begin.
func (w *Writer) Bytes() []byte {
	w.pad()
	binary.LittleEndian.PutUint32(w.frame, uint32(w.n))
	return w.frame
}

// pad makes the length of a segment even (§G.5).
func (w *Writer) pad() {
	if len(w.frame)&1 != 0 {
		w.frame = append(w.frame, 0)
	}
}
