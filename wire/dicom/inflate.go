// SPDX-License-Identifier: Apache-2.0

package dicom

import "errors"

// Inflater decompresses a deflate stream (RFC 1951) that arrives in pieces. The
// decompressors of the standard library pull from a reader and cannot stop in
// the middle of a symbol; this one is pushed and can stop after any byte.
//
// It holds about 70 KB and allocates nothing after the first Reset. The work for
// one block header is bounded by the bits that the header takes.
type Inflater struct {
	bits  uint64
	nbits uint
	state inflateState
	final bool
	// isFixed: lit and dst hold the fixed codes, so that a run of tiny fixed blocks does not build them again.
	isFixed bool
	nlen    int // dynamic block header (§3.2.7)
	ndist   int
	nclen   int
	have    int // code lengths read so far
	sym     int // pending symbol that needs extra bits
	length  int // of the copy or stored run under way
	dist    int
	lens    [320]uint8
	lit     huffman
	dst     huffman
	pos     int // where the next output byte goes in buf
	filled  int // bytes of history, at most windowSize
	err     error
	buf     [2 * windowSize]byte
}

const windowSize = 32 << 10

type inflateState uint8

const (
	inflateBlock inflateState = iota
	inflateStoredLength
	inflateStored
	inflateTable
	inflateCodeLengths
	inflateLengths
	inflateLengthRepeat
	inflateSymbol
	inflateLengthExtra
	inflateDistance
	inflateDistanceExtra
	inflateCopy
	inflateDone
	inflateFailed
)

// huffman is a canonical code (§3.2.2): a table for short codes and the counts
// for the long ones.
type huffman struct {
	fast  [512]uint16 // symbol<<4 | length for codes up to 9 bits, 0 otherwise
	count [16]uint16
	syms  [288]uint16
}

var errCode = errors.New("over-subscribed or incomplete code")

func (h *huffman) build(lens []uint8) error {
	clear(h.count[:])
	for _, l := range lens {
		h.count[l]++
	}
	used := len(lens) - int(h.count[0])
	h.count[0] = 0
	left := 1
	for l := 1; l < 16; l++ {
		left = left<<1 - int(h.count[l])
		if left < 0 {
			return errCode
		}
	}
	if left > 0 && !(used == 0 || used == 1 && h.count[1] == 1) {
		return errCode
	}
	var offs, next [16]uint16
	code := uint16(0)
	for l := 1; l < 16; l++ {
		offs[l] = offs[l-1] + h.count[l-1]
		code = (code + h.count[l-1]) << 1
		next[l] = code
	}
	clear(h.fast[:])
	for s, l := range lens {
		if l == 0 {
			continue
		}
		h.syms[offs[l]] = uint16(s)
		offs[l]++
		c := next[l]
		next[l]++
		if l > 9 {
			continue
		}
		rev := 0
		for i := range l {
			rev |= int(c>>i&1) << (l - 1 - i)
		}
		for ; rev < 512; rev += 1 << l {
			h.fast[rev] = uint16(s)<<4 | uint16(l)
		}
	}
	return nil
}

// decode returns the next symbol and its length in bits; length 0 means that
// more bits are needed, -1 that no symbol has that code.
func (h *huffman) decode(bits uint64, n uint) (sym int, length int) {
	if e := h.fast[bits&511]; e != 0 {
		if l := int(e & 15); uint(l) <= n {
			return int(e >> 4), l
		}
		return 0, 0
	}
	code, first, index := 0, 0, 0
	for l := 1; l < 16; l++ {
		if uint(l) > n {
			return 0, 0
		}
		code |= int(bits >> (l - 1) & 1)
		c := int(h.count[l])
		if code-c < first {
			return int(h.syms[index+code-first]), l
		}
		index += c
		first = (first + c) << 1
		code <<= 1
	}
	return 0, -1
}

var (
	lengthBase  = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase    = [30]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	codeOrder   = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
)

// Reset makes the inflater ready for a new stream.
func (z *Inflater) Reset() {
	z.bits, z.nbits, z.state, z.final = 0, 0, inflateBlock, false
	z.pos, z.filled, z.err, z.have = 0, 0, nil, 0
}

// Done reports whether the last block has ended. Bytes after it are ignored.
func (z *Inflater) Done() bool { return z.state == inflateDone }

// Taken returns the first of the bytes after the last block that Inflate took before it knew of the end: at most
// eight, none unless Done. What it was given beyond them is ignored.
func (z *Inflater) Taken() []byte {
	if z.state != inflateDone {
		return nil
	}
	var out []byte
	for bits, n := z.bits>>(z.nbits&7), z.nbits>>3; n > 0; n-- {
		out = append(out, byte(bits))
		bits >>= 8
	}
	return out
}

// Inflate consumes bytes of src and returns decompressed bytes, which are valid
// until the next call. Call it until it has consumed all of src and returned no
// output. One call returns at most 32 KiB.
func (z *Inflater) Inflate(src []byte) (out []byte, n int, err error) {
	if z.state == inflateFailed {
		return nil, 0, z.err
	}
	// The window moves only when little room is left, so that many small calls do
	// not each move it.
	if len(z.buf)-z.pos < windowSize/8 {
		copy(z.buf[:windowSize], z.buf[z.pos-windowSize:z.pos])
		z.pos = windowSize
	}
	start := z.pos
	n, ok := z.run(src, min(start+windowSize, len(z.buf)))
	out = z.buf[start:z.pos]
	z.filled = min(windowSize, z.filled+len(out))
	if !ok {
		z.state = inflateFailed
		z.err = &Error{Section: "RFC 1951 §3.2, PS3.5 §A.5", What: "the deflated bytes cannot be inflated", Err: ErrDeflate}
		return out, n, z.err
	}
	return out, n, nil
}
