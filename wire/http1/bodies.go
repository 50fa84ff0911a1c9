// SPDX-License-Identifier: Apache-2.0

package http1

// Bounds of Bodies.
const (
	maxBodies     = 16
	maxBodiesHeld = 256 << 10 // bytes of all together
)

// Bodies is room for bodies that parsers of one goroutine use one after
// another. The zero value is ready; a nil one lends nothing. At most maxBodies are
// kept.
type Bodies struct {
	free [][]byte
	held int
}

func (b *Bodies) take() []byte {
	if b == nil || len(b.free) == 0 {
		return nil
	}
	n := len(b.free) - 1
	body := b.free[n]
	b.free = b.free[:n]
	b.held -= cap(body)
	return body
}

// Give gives back what Parser.Body returned. Nobody may look at it any more.
func (b *Bodies) Give(body []byte) {
	if b == nil || cap(body) == 0 || len(b.free) >= maxBodies || b.held+cap(body) > maxBodiesHeld {
		return
	}
	clear(body) // it may have told of a patient
	b.free = append(b.free, body[:0])
	b.held += cap(body)
}
