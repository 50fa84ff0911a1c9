// SPDX-License-Identifier: Apache-2.0

package dicom

// run decodes until src is used up, the output reaches end, or the stream ends.
// Every state takes its bits only when all of them are there, so that it can be
// left and entered again at any point.
func (z *Inflater) run(src []byte, end int) (used int, ok bool) {
	start := z.pos
	for {
		for z.nbits <= 56 && used < len(src) && z.state != inflateStored {
			z.bits |= uint64(src[used]) << z.nbits
			z.nbits += 8
			used++
		}
		switch z.state {
		case inflateBlock:
			if z.final {
				z.state = inflateDone
				continue
			}
			if z.nbits < 3 {
				return used, true
			}
			z.final = z.take(1) == 1
			switch z.take(2) {
			case 0:
				z.take(z.nbits & 7)
				z.state = inflateStoredLength
			case 1:
				z.fixed()
				z.state = inflateSymbol
			case 2:
				z.state = inflateTable
			default:
				return used, false
			}
		case inflateStoredLength:
			if z.nbits < 32 {
				return used, true
			}
			v := z.take(32)
			if v&0xFFFF != ^v>>16&0xFFFF {
				return used, false
			}
			z.length = int(v & 0xFFFF)
			z.state = inflateStored
		case inflateStored:
			for z.length > 0 && z.nbits >= 8 && z.pos < end {
				z.buf[z.pos] = byte(z.take(8))
				z.pos++
				z.length--
			}
			if z.nbits == 0 {
				k := copy(z.buf[z.pos:min(end, z.pos+z.length)], src[used:])
				z.pos += k
				z.length -= k
				used += k
			}
			if z.length > 0 {
				return used, true
			}
			z.state = inflateBlock
		case inflateTable:
			if z.nbits < 14 {
				return used, true
			}
			z.nlen, z.ndist, z.nclen = int(z.take(5))+257, int(z.take(5))+1, int(z.take(4))+4
			if z.nlen > 286 || z.ndist > 30 {
				return used, false
			}
			z.have = 0
			clear(z.lens[:19])
			z.state = inflateCodeLengths
		case inflateCodeLengths:
			for z.have < z.nclen {
				if z.nbits < 3 {
					break
				}
				z.lens[codeOrder[z.have]] = uint8(z.take(3))
				z.have++
			}
			if z.have < z.nclen {
				if used == len(src) {
					return used, true
				}
				continue
			}
			z.isFixed = false
			if z.lit.build(z.lens[:19]) != nil {
				return used, false
			}
			z.have = 0
			z.state = inflateLengths
		case inflateLengths:
			if z.have == z.nlen+z.ndist {
				if z.lens[256] == 0 || z.dst.build(z.lens[z.nlen:z.nlen+z.ndist]) != nil || z.lit.build(z.lens[:z.nlen]) != nil {
					return used, false
				}
				z.state = inflateSymbol
				continue
			}
			s, l := z.lit.decode(z.bits, z.nbits)
			if l <= 0 {
				return used, l == 0
			}
			z.take(uint(l))
			if s < 16 {
				z.lens[z.have] = uint8(s)
				z.have++
				continue
			}
			z.sym = s
			z.state = inflateLengthRepeat
		case inflateLengthRepeat:
			need, base, value := uint(2), 3, uint8(0)
			switch {
			case z.sym == 16 && z.have == 0:
				return used, false
			case z.sym == 16:
				value = z.lens[z.have-1]
			case z.sym == 17:
				need = 3
			default:
				need, base = 7, 11
			}
			if z.nbits < need {
				return used, true
			}
			k := base + int(z.take(need))
			if z.have+k > z.nlen+z.ndist {
				return used, false
			}
			for range k {
				z.lens[z.have] = value
				z.have++
			}
			z.state = inflateLengths
		case inflateSymbol:
			if z.pos >= end {
				return used, true
			}
			s, l := z.lit.decode(z.bits, z.nbits)
			if l <= 0 {
				return used, l == 0
			}
			z.take(uint(l))
			switch {
			case s < 256:
				z.buf[z.pos] = byte(s)
				z.pos++
			case s == 256:
				z.state = inflateBlock
			case s > 285:
				return used, false
			default:
				z.sym = s - 257
				z.state = inflateLengthExtra
			}
		case inflateLengthExtra:
			e := uint(lengthExtra[z.sym])
			if z.nbits < e {
				return used, true
			}
			z.length = int(lengthBase[z.sym]) + int(z.take(e))
			z.state = inflateDistance
		case inflateDistance:
			s, l := z.dst.decode(z.bits, z.nbits)
			if l <= 0 {
				return used, l == 0
			}
			if s > 29 {
				return used, false
			}
			z.take(uint(l))
			z.sym = s
			z.state = inflateDistanceExtra
		case inflateDistanceExtra:
			e := uint(max(0, z.sym/2-1))
			if z.nbits < e {
				return used, true
			}
			z.dist = int(distBase[z.sym]) + int(z.take(e))
			if z.dist > z.filled+z.pos-start {
				return used, false
			}
			z.state = inflateCopy
		case inflateCopy:
			for z.length > 0 && z.pos < end {
				z.buf[z.pos] = z.buf[z.pos-z.dist]
				z.pos++
				z.length--
			}
			if z.length > 0 {
				return used, true
			}
			z.state = inflateSymbol
		case inflateDone:
			return len(src), true
		}
	}
}

func (z *Inflater) take(n uint) uint64 {
	v := z.bits & (1<<n - 1)
	z.bits >>= n
	z.nbits -= n
	return v
}

// fixed sets the codes of §3.2.6.
func (z *Inflater) fixed() {
	if z.isFixed {
		return
	}
	z.isFixed = true
	for i := range 288 {
		switch {
		case i < 144:
			z.lens[i] = 8
		case i < 256:
			z.lens[i] = 9
		case i < 280:
			z.lens[i] = 7
		default:
			z.lens[i] = 8
		}
	}
	// Both fixed codes are complete, so they build.
	_ = z.lit.build(z.lens[:288])
	for i := range 32 {
		z.lens[i] = 5
	}
	_ = z.dst.build(z.lens[:32])
}
