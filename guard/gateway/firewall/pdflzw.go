// SPDX-License-Identifier: Apache-2.0

package firewall

// lzwFilter is LZWDecode (ISO 32000-1 §7.4.4): codes of 9 to 12 bits, the highest bit first. What an encoder cannot have written, and readers
// make something of in their own ways, is an error: a code that is not known yet, and more codes than there are without a new beginning.
type lzwFilter struct {
	prefix [4096]uint16
	suffix [4096]byte
	length [4096]uint16 // of what a code stands for
	next   int          // the code that comes next
	last   int          // the code before; -1 at a beginning
	early  int
	bits   uint32
	have   uint
	end    bool
	out    [4096]byte
}

const (
	lzwClear = 256
	lzwEnd   = 257
)

func (z *lzwFilter) reset(late bool) {
	z.early = 1
	if late {
		z.early = 0
	}
	for i := range 256 {
		z.suffix[i], z.length[i] = byte(i), 1
	}
	z.next, z.last, z.bits, z.have, z.end = lzwEnd+1, -1, 0, 0, false
}

func (z *lzwFilter) over() bool { return z.end }

// width is how many bits the next code has.
func (z *lzwFilter) width() uint {
	switch n := z.next + z.early; {
	case n >= 2048:
		return 12
	case n >= 1024:
		return 11
	case n >= 512:
		return 10
	}
	return 9
}

func (z *lzwFilter) decode(src []byte) ([]byte, int, error) {
	k, used := 0, 0
	for {
		for ; z.have < z.width(); used++ {
			if used == len(src) {
				return z.out[:k], used, nil
			}
			z.bits = z.bits<<8 | uint32(src[used])
			z.have += 8
		}
		w := z.width()
		code := int(z.bits >> (z.have - w) & (1<<w - 1))
		switch {
		case code == lzwEnd:
			z.end = true
			return z.out[:k], used, nil
		case code == lzwClear:
			z.have -= w
			z.next, z.last = lzwEnd+1, -1
			continue
		case code > z.next || code == z.next && z.last < 0 || z.last >= 0 && z.next == len(z.prefix):
			return z.out[:k], used, errPacked
		}
		of := code
		n := int(z.length[code])
		if code == z.next { // what the code before stands for, and its first byte again
			of = z.last
			n = int(z.length[of]) + 1
		}
		if k+n > len(z.out) {
			if k > 0 {
				return z.out[:k], used, nil // the code is taken at the next call
			}
			return nil, used, errPacked
		}
		z.have -= w
		at := k + int(z.length[of])
		for c := of; at > k; c = int(z.prefix[c]) {
			at--
			z.out[at] = z.suffix[c]
		}
		if code == z.next {
			z.out[k+n-1] = z.out[k]
		}
		if z.last >= 0 {
			z.prefix[z.next], z.suffix[z.next], z.length[z.next] = uint16(z.last), z.out[k], z.length[z.last]+1
			z.next++
		}
		z.last = code
		k += n
	}
}
