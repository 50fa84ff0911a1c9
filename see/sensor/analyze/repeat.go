// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"net/netip"

	"github.com/asepsis/asepsis/core/event"
)

// Repetition names what events have in common that say the same again and again: of
// a flood, the first says all that one needs to know, and how many there were says
// the rest. All of it is compared.
type Repetition struct {
	What     string // from code: "icmp.port-unreachable"
	From, To netip.Addr
	About    netip.Addr
	Port     uint16
}

// Repeater is a Host that counts events of a Repetition together. An analyser need
// not ask for it: Conn does.
type Repeater interface {
	Host
	// Repeat counts one and says what is to be done with its event. records are
	// what it carries, of which the sum is kept.
	Repeat(k Repetition, t int64, records int) Repeated
	// Sum takes the event that stands for those that were counted, when Repeat
	// asked for it. It is emitted, once per interval, with the count as the
	// attribute "repeated", with the sum of the records and the time of the last.
	Sum(k Repetition, e *event.Event)
}

// Repeated is what becomes of an event that may say the same as others.
type Repeated uint8

// The answers of a Repeater.
const (
	First   Repeated = iota // emit it as it is
	Second                  // make it, for Sum
	Counted                 // it need not be made
)

// Repeat tells whether an event has to be made; EmitRepeated takes it then.
func (c *Conn) Repeat(k Repetition, t int64, records int) Repeated {
	if r, ok := c.host.(Repeater); ok {
		return r.Repeat(k, t, records)
	}
	return First
}

// EmitRepeated is Emit for an event about which Repeat answered First or Second.
func (c *Conn) EmitRepeated(r Repeated, k Repetition, e *event.Event) {
	if r == First {
		c.Emit(e)
		return
	}
	c.complete(e)
	c.host.(Repeater).Sum(k, e)
}
