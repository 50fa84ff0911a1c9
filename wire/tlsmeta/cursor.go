// SPDX-License-Identifier: Apache-2.0

package tlsmeta

// cursor reads the presentation language of RFC 8446 §3. After the first
// violation every further read gives zero, and bad is set.
type cursor struct {
	b   []byte
	off int
	bad bool
}

// left returns how many bytes remain, 0 after a violation: loops over lists end.
func (c *cursor) left() int {
	if c.bad {
		return 0
	}
	return len(c.b) - c.off
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > c.left() {
		c.bad = true
		return nil
	}
	s := c.b[c.off : c.off+n : c.off+n]
	c.off += n
	return s
}

func (c *cursor) u8() int {
	if b := c.take(1); b != nil {
		return int(b[0])
	}
	return 0
}

func (c *cursor) u16() int {
	if b := c.take(2); b != nil {
		return int(b[0])<<8 | int(b[1])
	}
	return 0
}

func (c *cursor) u24() int {
	if b := c.take(3); b != nil {
		return int(b[0])<<16 | int(b[1])<<8 | int(b[2])
	}
	return 0
}

// vec8, vec16 and vec24 read a vector with its length in front.
func (c *cursor) vec8() []byte  { return c.take(c.u8()) }
func (c *cursor) vec16() []byte { return c.take(c.u16()) }
func (c *cursor) vec24() []byte { return c.take(c.u24()) }

// u16s reads b as a list of 16-bit numbers, MaxList of them at most.
func u16s(b []byte) []uint16 {
	n := min(len(b)/2, MaxList)
	if n == 0 {
		return nil
	}
	out := make([]uint16, n)
	for i := range out {
		out[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
	}
	return out
}
