// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"math"
	"math/bits"
)

// ngClock turns the 64-bit times of a pcapng interface into nanoseconds. Its
// unit is a negative power of ten or of two of a second (if_tsresol), its zero
// a number of seconds away from the epoch (if_tsoffset).
type ngClock struct {
	factor uint64 // nanoseconds per unit where that is whole and offset is 0; otherwise 0
	limit  uint64 // greatest count that factor does not overflow
	binary bool
	exp    uint8 // 0..127
	offset int64 // seconds
}

func newClock(resol byte, offset int64) ngClock {
	c := ngClock{binary: resol&0x80 != 0, exp: resol & 0x7f, offset: offset}
	if !c.binary && c.exp <= 9 && offset == 0 {
		c.factor = pow10[9-c.exp]
		c.limit = math.MaxInt64 / c.factor
	}
	return c
}

// nanos returns the time, limited to what fits.
func (c *ngClock) nanos(count uint64) int64 {
	if c.factor != 0 && count <= c.limit {
		return int64(count * c.factor)
	}
	sec, nsec := c.split(count)
	if c.offset >= 0 {
		var carry uint64
		if sec, carry = bits.Add64(sec, uint64(c.offset), 0); carry != 0 {
			return math.MaxInt64
		}
	} else {
		back := -uint64(c.offset) // right for the least int64 too
		if sec < back {
			return 0
		}
		sec -= back
	}
	hi, lo := bits.Mul64(sec, 1e9)
	lo, carry := bits.Add64(lo, nsec, 0)
	if hi+carry != 0 || lo > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(lo)
}

// split returns the whole seconds and the nanoseconds (< 1e9) of a count.
func (c *ngClock) split(count uint64) (sec, nsec uint64) {
	switch {
	case c.binary && c.exp < 64:
		hi, lo := bits.Mul64(count&(1<<c.exp-1), 1e9)
		return count >> c.exp, shiftRight(hi, lo, c.exp)
	case c.binary:
		hi, lo := bits.Mul64(count, 1e9)
		return 0, shiftRight(hi, lo, c.exp)
	case c.exp <= 9:
		return count / pow10[c.exp], count % pow10[c.exp] * pow10[9-c.exp]
	case c.exp <= 19:
		return count / pow10[c.exp], count % pow10[c.exp] / pow10[c.exp-9]
	case c.exp-9 <= 19:
		return 0, count / pow10[c.exp-9]
	default:
		return 0, 0
	}
}

// shiftRight returns the low 64 bits of a 128-bit number moved right by n < 128.
func shiftRight(hi, lo uint64, n uint8) uint64 {
	if n >= 64 {
		return hi >> (n - 64)
	}
	return hi<<(64-n) | lo>>n
}

var pow10 = [20]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9,
	1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19}
