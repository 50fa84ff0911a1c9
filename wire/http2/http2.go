// SPDX-License-Identifier: Apache-2.0

// Package http2 reads HTTP/2 in clear text ("h2c", RFC 9113) from outside:
// frames, and header blocks compressed with HPACK (RFC 7541).
//
// # What is read
//
// After the client's preface: SETTINGS, HEADERS and CONTINUATION, DATA,
// RST_STREAM, GOAWAY, and the length of everything else. HPACK is decoded in
// full: static and dynamic table, table size updates, Huffman strings.
//
// # Limits
//
// A header block has at most MaxBlock bytes and MaxFields fields; a longer one
// is an error, because the dynamic table would then be wrong for ever. The
// dynamic table is bounded by MaxTable, whatever SETTINGS allow. DATA is
// presented as it arrives and never kept.
//
// # What is not done
//
// Pushed streams are read and not reported. Nothing is done about HTTP/2 over
// TLS, which is encrypted.
package http2

import (
	"errors"
	"fmt"
)

// Bounds of reading.
const (
	MaxBlock  = 32 << 10
	MaxFields = 128
	MaxTable  = 64 << 10
	MaxString = 16 << 10
)

// Errors of reading. All of them end the understanding of a connection.
var (
	ErrFrame = errors.New("HTTP/2 frame malformed")
	ErrHPACK = errors.New("HPACK block malformed")
)

// Field is one header field, pseudo header fields included.
type Field struct{ Name, Value string }

// FrameType is a frame's type (RFC 9113 §6).
type FrameType uint8

// The types that matter here.
const (
	Data         FrameType = 0
	Headers      FrameType = 1
	RSTStream    FrameType = 3
	Settings     FrameType = 4
	PushPromise  FrameType = 5
	GoAway       FrameType = 7
	Continuation FrameType = 9
)

// Frame is what Reader.Next found: a whole header block or setting, or a part
// of a DATA frame.
type Frame struct {
	Type      FrameType
	Stream    uint32
	Fields    []Field // Headers
	Data      []byte  // Data: a part of it, valid during the call
	Length    int     // Data: bytes passed, those skipped included
	EndStream bool
	Code      uint32 // RSTStream, GoAway: error code
}

// Reader reads one direction, after the preface. The zero value is ready.
type Reader struct {
	head    [9]byte
	nhead   int
	typ     FrameType
	flags   uint8
	stream  uint32
	left    int
	pad     int // of DATA: padding at the end
	padRead bool
	buf     []byte // of frames that are needed whole
	block   []byte
	blockOf uint32
	endOf   bool // END_STREAM of the block being read
	promise bool
	table   decoder
	frames  int
}

// whole is the most that a frame needed whole may have, apart from headers.
const whole = 1 << 10

// Next reads from data until something can be reported. It returns how many
// bytes were consumed; n exceeds len(data) when the rest of a frame is of no
// interest. ok false means that more bytes are needed.
func (r *Reader) Next(data []byte) (n int64, f Frame, ok bool, err error) {
	given := len(data)
	used := func() int64 { return int64(given - len(data)) }
	for {
		if r.nhead < 9 {
			k := copy(r.head[r.nhead:], data)
			r.nhead += k
			data = data[k:]
			if r.nhead < 9 {
				return used(), f, false, nil
			}
			h := r.head[:]
			r.left = int(h[0])<<16 | int(h[1])<<8 | int(h[2])
			r.typ, r.flags = FrameType(h[3]), h[4]
			r.stream = (uint32(h[5])<<24 | uint32(h[6])<<16 | uint32(h[7])<<8 | uint32(h[8])) & 0x7fffffff
			r.pad, r.padRead = 0, false
			r.buf = r.buf[:0]
			r.frames++
			if err := r.check(); err != nil {
				return used(), f, false, err
			}
		}
		switch r.typ {
		case Data:
			if r.flags&8 != 0 && !r.padRead {
				if r.left == 0 {
					return used(), f, false, ErrFrame
				}
				if len(data) == 0 {
					return used(), f, false, nil
				}
				r.pad, r.padRead = int(data[0]), true
				data = data[1:]
				r.left--
				if r.pad > r.left {
					return used(), f, false, ErrFrame
				}
			}
			if len(data) == 0 && r.left > 0 {
				return used(), f, false, nil
			}
			k := min(len(data), r.left)
			text := max(0, min(k, r.left-r.pad))
			f = Frame{Type: Data, Stream: r.stream, Data: data[:text], Length: text}
			data = data[k:]
			r.left -= k
			if r.left == 0 {
				r.nhead = 0
				f.EndStream = r.flags&1 != 0
			} else if r.pad >= r.left {
				r.pad = r.left
			}
			return used(), f, true, nil
		case Headers, Continuation, PushPromise, Settings, RSTStream, GoAway:
			k := min(len(data), r.left)
			limit := whole
			if r.typ == Headers || r.typ == Continuation || r.typ == PushPromise {
				limit = MaxBlock
			}
			r.buf = append(r.buf, data[:min(k, max(0, limit-len(r.buf)))]...)
			data = data[k:]
			if r.left -= k; r.left > 0 {
				return used(), f, false, nil
			}
			r.nhead = 0
			if f, ok, err = r.complete(); ok || err != nil {
				return used(), f, ok, err
			}
		default:
			k := min(len(data), r.left)
			data = data[k:]
			over := int64(r.left - k)
			r.left, r.nhead = 0, 0
			if over > 0 {
				return int64(given) + over, f, false, nil
			}
		}
		if len(data) == 0 {
			return used(), f, false, nil
		}
	}
}

// check refuses headers that no HTTP/2 peer sends.
func (r *Reader) check() error {
	if r.frames == 1 && r.typ != Settings {
		return fmt.Errorf("%w: first frame is not SETTINGS", ErrFrame)
	}
	if r.blockOf != 0 && (r.typ != Continuation || r.stream != r.blockOf) {
		return fmt.Errorf("%w: header block interrupted", ErrFrame)
	}
	switch r.typ {
	case Headers, PushPromise, Continuation:
		if r.left > MaxBlock || r.stream == 0 {
			return fmt.Errorf("%w: header block of %d bytes", ErrFrame, r.left)
		}
		if r.typ == Continuation && r.blockOf == 0 {
			return fmt.Errorf("%w: continuation of nothing", ErrFrame)
		}
	case Settings:
		if r.stream != 0 || r.left%6 != 0 || r.left > 6*1024 {
			return fmt.Errorf("%w: settings", ErrFrame)
		}
	case Data:
		if r.stream == 0 {
			return fmt.Errorf("%w: data on stream 0", ErrFrame)
		}
	}
	return nil
}

func (r *Reader) complete() (f Frame, ok bool, err error) {
	b := r.buf
	switch r.typ {
	case Settings:
		return Frame{Type: Settings}, true, nil
	case RSTStream:
		f = Frame{Type: RSTStream, Stream: r.stream, EndStream: true}
		if len(b) >= 4 {
			f.Code = uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
		}
		return f, true, nil
	case GoAway:
		f = Frame{Type: GoAway}
		if len(b) >= 8 {
			f.Code = uint32(b[4])<<24 | uint32(b[5])<<16 | uint32(b[6])<<8 | uint32(b[7])
		}
		return f, true, nil
	}
	if r.typ != Continuation {
		r.block = r.block[:0]
		r.blockOf = r.stream
		r.endOf = r.flags&1 != 0 && r.typ == Headers
		r.promise = r.typ == PushPromise
		if r.flags&8 != 0 { // PADDED
			if len(b) < 1 || len(b)-1 < int(b[0]) {
				return f, false, ErrFrame
			}
			b = b[1 : len(b)-int(b[0])]
		}
		skip := 0
		switch {
		case r.typ == Headers && r.flags&0x20 != 0: // PRIORITY
			skip = 5
		case r.typ == PushPromise:
			skip = 4
		}
		if len(b) < skip {
			return f, false, ErrFrame
		}
		b = b[skip:]
	}
	if len(r.block)+len(b) > MaxBlock {
		return f, false, fmt.Errorf("%w: header block too long", ErrFrame)
	}
	r.block = append(r.block, b...)
	if r.flags&4 == 0 { // END_HEADERS
		return f, false, nil
	}
	r.blockOf = 0
	fields, err := r.table.decode(r.block)
	if err != nil {
		return f, false, err
	}
	if r.promise {
		return f, false, nil
	}
	return Frame{Type: Headers, Stream: r.stream, Fields: fields, EndStream: r.endOf}, true, nil
}
