// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"encoding/binary"
	"hash/crc32"
)

// A frame is one group of entries:
//
//	 0  8  magic
//	 8  8  log
//	16  8  epoch
//	24  8  index of the first entry
//	32  4  number of entries
//	36  4  bytes that follow the header
//	40  4  CRC-32C of the 40 bytes before and of what follows
//	44     entries: 4 bytes of length, and the data
//
// Numbers are big-endian. A frame begins at a multiple of 4096 bytes; what is between two is
// of former use. The magic has bytes that no JSON text can have: no statement can hold something
// that looks like a frame.
const (
	magic      = "asxwal\x00\x01"
	headerSize = 44
	lengthSize = 4
)

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) } // made once, by crc32

// frame is a group as it was read; its entries are parts of the buffer.
type frame struct {
	epoch, first uint64
	entries      [][]byte
}

func (f *frame) end() uint64 { return f.first + uint64(len(f.entries)) }

func entrySize(e []byte) int64 { return lengthSize + int64(len(e)) }

func appendFrame(b []byte, id, epoch, first uint64, entries [][]byte) []byte {
	start := len(b)
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint64(b, id)
	b = binary.BigEndian.AppendUint64(b, epoch)
	b = binary.BigEndian.AppendUint64(b, first)
	b = binary.BigEndian.AppendUint32(b, uint32(len(entries)))
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	for _, e := range entries {
		b = binary.BigEndian.AppendUint32(b, uint32(len(e)))
		b = append(b, e...)
	}
	f := b[start:]
	binary.BigEndian.PutUint32(f[36:], uint32(len(f)-headerSize))
	binary.BigEndian.PutUint32(f[40:], checksum(f))
	return b
}

func checksum(f []byte) uint32 {
	return crc32.Update(crc32.Checksum(f[:40], castagnoli()), castagnoli(), f[headerSize:])
}

// claims reads what a header says, without believing it. It is false where there is none.
func claims(b []byte, id uint64) (first uint64, count uint32, ok bool) {
	if len(b) < headerSize || string(b[:len(magic)]) != magic || binary.BigEndian.Uint64(b[8:]) != id {
		return 0, 0, false
	}
	return binary.BigEndian.Uint64(b[24:]), binary.BigEndian.Uint32(b[32:]), true
}

// parseFrame reads the frame at the beginning of b, and returns its size.
func parseFrame(b []byte, id uint64) (f frame, size int, ok bool) {
	first, count, ok := claims(b, id)
	if !ok {
		return f, 0, false
	}
	length := binary.BigEndian.Uint32(b[36:])
	if int64(length) > int64(len(b)-headerSize) || first > 1<<53 {
		return f, 0, false
	}
	size = headerSize + int(length)
	b = b[:size]
	if binary.BigEndian.Uint32(b[40:]) != checksum(b) {
		return f, 0, false
	}
	f.epoch, f.first = binary.BigEndian.Uint64(b[16:]), first
	for rest := b[headerSize:]; len(rest) > 0; {
		if len(rest) < lengthSize {
			return f, 0, false
		}
		n := binary.BigEndian.Uint32(rest)
		rest = rest[lengthSize:]
		if n > MaxEntry || int(n) > len(rest) {
			return f, 0, false
		}
		f.entries = append(f.entries, rest[:n:n])
		rest = rest[n:]
	}
	return f, size, len(f.entries) == int(count) && count > 0
}

// align is where frames begin: no write touches a sector of a group that was acknowledged.
const align = 4096

func aligned(n int64) int64 { return (n + align - 1) &^ (align - 1) }

// maxTries bounds how many places of a slot are tried that look like a frame and are none.
const maxTries = 1024

// frames finds every frame of a slot, also behind one that cannot be read, and calls
// unfinished with what looks like one and is none.
func frames(b []byte, id uint64, unfinished func(at int, first uint64, count uint32)) []frame {
	var out []frame
	for at, tries := 0, 0; at < len(b) && tries < maxTries; {
		if f, size, ok := parseFrame(b[at:], id); ok {
			out = append(out, f)
			at += int(aligned(int64(size)))
			continue
		}
		if first, count, ok := claims(b[at:], id); ok {
			tries++
			unfinished(at, first, count)
		}
		at += align
	}
	return out
}
