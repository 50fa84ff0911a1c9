// SPDX-License-Identifier: Apache-2.0

package analyze

// maxPooled bounds what a Pool keeps.
const maxPooled = 64

// Pool keeps states of analysis that are done with, so that the next flow of
// their protocol needs no memory of its own: most flows of a network are short,
// and fresh memory costs the kernel more than the flow costs its analyser. It
// keeps at most maxPooled of them; a nil Pool, and the zero value, are ready.
//
// A Pool belongs to one goroutine: see Scratch. Who gives a state back has
// forgotten all of the flow that is to be forgotten, and does not touch it again.
type Pool[T any] struct{ free []*T }

// Take returns a state that was given back, or a new one.
func (p *Pool[T]) Take() *T {
	if p == nil || len(p.free) == 0 {
		return new(T)
	}
	n := len(p.free) - 1
	t := p.free[n]
	p.free = p.free[:n]
	return t
}

// Give keeps a state for Take.
func (p *Pool[T]) Give(t *T) {
	if p != nil && len(p.free) < maxPooled {
		p.free = append(p.free, t)
	}
}
