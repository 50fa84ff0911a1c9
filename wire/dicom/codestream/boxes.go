// SPDX-License-Identifier: Apache-2.0

package codestream

import "encoding/binary"

// boxes follows the boxes of a file of the JPEG 2000 family (ISO/IEC 15444-1 annex I), which JPEG XL and MP4 (14496-12) share.
type boxes struct {
	*report
	first  string // what the first box must be
	does   map[string]deed
	stream func(p []byte) (n int, err error) // of a box that is a stream; n is short of p where the stream has ended
	head   [16]byte
	held   int
	inside bool  // a box
	left   int64 // of its content; toTheEnd
	at     int64 // in its content
	deed   deed
	long   bool               // the times of the box are of 64 bits
	around [maxBoxDepth]int64 // what is left of the boxes around it
	depth  int
	seen   bool // the first box has gone by
}

// deed is what is done to a box. What no list names is blanked.
type deed uint8

const (
	blankBox  deed = iota
	keepBox        // as it is
	enterBox       // box by box
	streamBox      // followed by itself
	timesBox       // a full box that begins with when it was made and changed
	nameBox        // a handler, with a name at its end
)

const (
	maxBoxDepth = 8
	toTheEnd    = -1
)

// top reports whether a box may begin here that is in no other. A zero may be padding.
func (b *boxes) top() bool {
	return b.seen && !b.inside && b.depth == 0 && (b.held == 0 || b.held == 1 && b.head[0] == 0)
}

// endless reports a box that reaches to the end.
func (b *boxes) endless() bool { return b.inside && b.left == toTheEnd }

// walk does bytes. It returns how many it did: less than all of them where a box that reaches to the end has an end of its own.
func (b *boxes) walk(p []byte) (n int, err error) {
	for n < len(p) {
		if !b.inside {
			b.head[b.held] = p[n]
			b.held, n = b.held+1, n+1
			if err := b.header(); err != nil {
				return n, err
			}
			continue
		}
		q := p[n:]
		if b.left != toTheEnd {
			q = q[:min(int64(len(q)), b.left)]
		}
		m, err := b.content(q)
		if err != nil {
			return n, err
		}
		n += m
		if b.left == toTheEnd && m < len(q) {
			return n, nil
		}
	}
	return n, nil
}

// header does a box's header when all of it is there (§I.4).
func (b *boxes) header() error {
	if b.held < 8 {
		return nil
	}
	size, name := int64(binary.BigEndian.Uint32(b.head[:])), string(b.head[4:8])
	if size == 1 {
		if b.held < 16 {
			return nil
		}
		long := binary.BigEndian.Uint64(b.head[8:])
		if long>>62 != 0 {
			return broken("a box is longer than anything")
		}
		size = int64(long)
	}
	switch {
	case !b.seen && b.first != "" && name != b.first:
		return foreign("a frame begins with a box that no image begins with")
	case size == 0 && b.depth > 0:
		return broken("a box without a length within another")
	case size == 0:
		b.left = toTheEnd
	case size < int64(b.held):
		return broken("a box is shorter than its own header")
	default:
		b.left = size - int64(b.held)
		if b.depth > 0 {
			if b.around[b.depth-1] -= size; b.around[b.depth-1] < 0 {
				return broken("a box is longer than the one around it")
			}
		}
	}
	b.held, b.at, b.inside, b.seen, b.deed, b.long = 0, 0, true, true, b.does[name], false
	if b.deed == enterBox {
		if b.left == toTheEnd || b.depth == maxBoxDepth {
			return broken("boxes in boxes without an end")
		}
		b.around[b.depth] = b.left
		b.depth, b.inside = b.depth+1, false
	}
	b.leave()
	return nil
}

// leave goes out of the boxes that have ended.
func (b *boxes) leave() {
	if b.inside && b.left == 0 {
		b.inside = false
	}
	for !b.inside && b.depth > 0 && b.around[b.depth-1] == 0 {
		b.depth--
	}
}

// content does bytes of a box.
func (b *boxes) content(p []byte) (n int, err error) {
	n = len(p)
	switch b.deed {
	case blankBox:
		b.blank(p)
	case streamBox:
		if n, err = b.stream(p); err != nil {
			return n, err
		}
		if b.left != toTheEnd { // what is in the box behind the end of the stream
			if err := b.behind(p[n:]); err != nil {
				return n, err
			}
			n = len(p)
		}
	case timesBox, nameBox:
		for i := range p {
			b.field(p[i:i+1], b.at+int64(i))
		}
	}
	b.at += int64(n)
	if b.left != toTheEnd {
		b.left -= int64(n)
		b.leave()
	}
	return n, nil
}

// field does one byte of a box of MP4 whose fields are known (ISO/IEC 14496-12 §8.2.2, §8.3.2, §8.4.2, §8.4.3).
func (b *boxes) field(p []byte, at int64) {
	switch {
	case b.deed == nameBox:
		if at >= 24 {
			b.blank(p)
		}
	case at == 0:
		b.long = p[0] == 1
	case at >= 4 && at < 12, b.long && at < 20 && at >= 12:
		b.blank(p)
	}
}
