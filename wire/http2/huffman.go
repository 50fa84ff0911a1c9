// SPDX-License-Identifier: Apache-2.0

package http2

import "sync"

// canonical is what decoding a canonical code needs: for each length the first
// code, how many codes, and where its symbols begin in order.
type canonical struct {
	first, count, start [31]int
	order               [256]uint8
}

var huffman = sync.OnceValue(func() *canonical {
	c := new(canonical)
	for _, l := range huffmanLengths {
		c.count[l]++
	}
	code, at := 0, 0
	for l := 1; l <= 30; l++ {
		code <<= 1
		c.first[l], c.start[l] = code, at
		for sym, sl := range huffmanLengths {
			if int(sl) == l {
				c.order[at] = uint8(sym)
				at++
			}
		}
		code += c.count[l]
	}
	return c
})

// unhuffman decodes a string (RFC 7541 §5.2). EOS within it, padding of more
// than seven bits or of anything but ones are errors.
func unhuffman(b []byte) (string, bool) {
	h := huffman()
	out := make([]byte, 0, len(b)*8/5+1)
	code, length := 0, 0
	for _, c := range b {
		for bit := 7; bit >= 0; bit-- {
			code = code<<1 | int(c>>bit)&1
			length++
			if length > 30 {
				return "", false
			}
			if k := code - h.first[length]; k >= 0 && k < h.count[length] {
				out = append(out, h.order[h.start[length]+k])
				code, length = 0, 0
			}
		}
	}
	if length > 7 || code != 1<<length-1 {
		return "", false
	}
	return string(out), true
}
