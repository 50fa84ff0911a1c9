// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// A frame of the log, little endian:
//
//	 0  magic     4
//	 4  length    4  of the payload
//	 8  sequence  8  one more than that of the frame before
//	16  durable   8  every frame up to this one was flushed, and its bytes too, when this was written
//	24  kind      1
//	25            3  zero
//	28  checksum  4  CRC-32C of bytes 0 to 27 and the payload
//	32  payload, then zeros up to a multiple of 8
const (
	frameMagic  = 0x4c4a5341 // "ASJL"
	frameHeader = 32
	frameAlign  = 8
	maxPayload  = 1 << 20
)

// kind is what a frame is about.
type kind uint8

const (
	headFrame   kind = 1 // the first of a file: head
	recordFrame kind = 2 // a record's state: envelope
	numberFrame kind = 3 // numbers below are in use: reservation
	markFrame   kind = 4 // nothing: what its header says of what is durable
)

// frame is one entry of the log. Payload aliases what it was read from.
type frame struct {
	sequence uint64
	durable  uint64
	kind     kind
	payload  []byte
}

// What a frame may be instead.
var (
	errNoFrame  = errors.New("no frame")
	errBadFrame = errors.New("a frame that is damaged or was not written whole")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func aligned(n int) int { return (n + frameAlign - 1) &^ (frameAlign - 1) }

// frameSize is the room that a payload takes.
func frameSize(payload int) int { return aligned(frameHeader + payload) }

// appendFrame appends a frame. Precondition: the payload has at most maxPayload bytes.
func appendFrame(dst []byte, f *frame) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, frameMagic)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(f.payload)))
	dst = binary.LittleEndian.AppendUint64(dst, f.sequence)
	dst = binary.LittleEndian.AppendUint64(dst, f.durable)
	dst = append(dst, byte(f.kind), 0, 0, 0)
	sum := crc32.Update(crc32.Checksum(dst[start:], castagnoli), castagnoli, f.payload)
	dst = binary.LittleEndian.AppendUint32(dst, sum)
	dst = append(dst, f.payload...)
	for (len(dst)-start)%frameAlign != 0 {
		dst = append(dst, 0)
	}
	return dst
}

// parseFrame reads the frame at the start of b and its length with padding. errNoFrame
// says that none begins here.
func parseFrame(b []byte) (frame, int, error) {
	if len(b) < frameHeader || binary.LittleEndian.Uint32(b) != frameMagic {
		return frame{}, 0, errNoFrame
	}
	n := int(binary.LittleEndian.Uint32(b[4:]))
	if n > maxPayload || n > len(b)-frameHeader {
		return frame{}, 0, errBadFrame
	}
	payload := b[frameHeader : frameHeader+n : frameHeader+n]
	sum := crc32.Update(crc32.Checksum(b[:frameHeader-4], castagnoli), castagnoli, payload)
	if sum != binary.LittleEndian.Uint32(b[frameHeader-4:]) {
		return frame{}, 0, errBadFrame
	}
	f := frame{sequence: binary.LittleEndian.Uint64(b[8:]), durable: binary.LittleEndian.Uint64(b[16:]), kind: kind(b[24]), payload: payload}
	return f, min(frameSize(n), len(b)), nil
}

// scan reads the frames of a log file, b, whose sequence numbers are at least from. Frames
// of an earlier use of the file are passed over. After damage it looks for the next frame that is whole, and
// says how many bytes it had to pass over, in gap. each is given the place of every frame. end is where
// the last one ends.
func scan(b []byte, from uint64, each func(f frame, at int, gap int) error) (end int, err error) {
	gap := 0
	for at := 0; at+frameHeader <= len(b); {
		f, n, err := parseFrame(b[at:])
		if err != nil || f.sequence < from {
			at += frameAlign
			gap += frameAlign
			continue
		}
		if err := each(f, at, gap); err != nil {
			return end, err
		}
		gap = 0
		if f.kind != headFrame { // the head has the number of the frame that follows
			from = f.sequence + 1
		}
		at += n
		end = at
	}
	return end, nil
}
