// SPDX-License-Identifier: Apache-2.0

package dimse

import "github.com/asepsis/asepsis/wire/dicom/ul"

// MaxOpen is how many messages of one direction may be open at the same time.
// PS3.8 §E.1 allows one; a few senders interleave presentation contexts.
const MaxOpen = 4

// Part is what a fragment belongs to.
type Part uint8

// The parts of a message.
const (
	// Ignored: a fragment that belongs to no message that is known.
	Ignored Part = iota
	CommandPart
	DataPart
)

// Message is one message under way. Slot is a number from 0 to MaxOpen-1 that
// belongs to this message until it ends, for the caller's own state.
type Message struct {
	Context uint8
	Slot    int
	Command Command // valid once the command set is complete
	open    bool
	whole   bool // the command set is complete
	age     uint32
	buf     []byte
}

// Assembler joins the fragments of one direction of an association to messages
// (PS3.7 §6.3, PS3.8 annex E). Only command sets are collected, up to MaxCommand
// bytes each. The zero value is ready.
type Assembler struct {
	messages [MaxOpen]Message
	current  *Message
	part     Part
	last     bool
	age      uint32
}

// Begin takes the header of a fragment and says what it belongs to, and to which
// message. An error says that the fragment breaks the order of PS3.8 §E.1; Part
// is still right, Ignored where nothing can be done with it.
func (a *Assembler) Begin(p ul.PDV) (Part, *Message, error) {
	a.age++
	a.current, a.part, a.last = nil, Ignored, p.Last
	m := a.find(p.Context)
	var err error
	if p.Command {
		if m != nil && m.whole { // the data set of the message before never ended
			err = &Error{Section: "PS3.8 §E.1", What: "a command before the data set of the last message ended", Err: ErrOrder}
			m.open = false
			m = nil
		}
		if m == nil {
			m = a.take(p.Context)
		}
		a.current, a.part = m, CommandPart
		m.age = a.age
		return a.part, m, err
	}
	if m == nil || !m.whole {
		return Ignored, nil, &Error{Section: "PS3.8 §E.1", What: "a data set without its command", Err: ErrOrder}
	}
	m.age = a.age
	a.current, a.part = m, DataPart
	return a.part, m, nil
}

// Command takes the next bytes of the fragment that Begin called CommandPart.
func (a *Assembler) Command(b []byte) error {
	m := a.current
	if m == nil || a.part != CommandPart {
		return nil
	}
	if len(m.buf)+len(b) > MaxCommand {
		m.open = false
		a.current = nil
		return &Error{Offset: len(m.buf), Section: "PS3.7 §6.3.1", What: "command set too long", Err: ErrLimit}
	}
	m.buf = append(m.buf, b...)
	return nil
}

// End takes the end of the fragment. commandDone is set when the command set is
// complete and m.Command valid; messageDone when no data set follows or the data
// set is complete. A command set that cannot be read gives an error, and the
// message is dropped.
func (a *Assembler) End() (m *Message, commandDone, messageDone bool, err error) {
	m = a.current
	a.current = nil
	if m == nil || !a.last {
		return m, false, false, nil
	}
	if a.part == CommandPart {
		m.Command, err = ParseCommand(m.buf)
		m.buf = m.buf[:0]
		if err != nil {
			m.open = false
			return m, false, false, err
		}
		m.whole = true
		if !m.Command.HasDataSet() {
			m.open = false
		}
		return m, true, !m.open, nil
	}
	m.open = false
	return m, false, true, nil
}

// Lost tells that bytes of this direction were lost, and drops what was being
// collected. Messages whose command set is complete stay.
func (a *Assembler) Lost() {
	a.current = nil
	for i := range a.messages {
		if m := &a.messages[i]; m.open && !m.whole {
			m.open = false
			m.buf = m.buf[:0]
		}
	}
}

// Drop forgets an open message.
func (a *Assembler) Drop(m *Message) {
	m.open = false
	if a.current == m {
		a.current = nil
	}
}

// Open calls f for each message that has not ended.
func (a *Assembler) Open(f func(*Message)) {
	for i := range a.messages {
		if a.messages[i].open {
			f(&a.messages[i])
		}
	}
}

func (a *Assembler) find(context uint8) *Message {
	for i := range a.messages {
		if m := &a.messages[i]; m.open && m.Context == context {
			return m
		}
	}
	return nil
}

// take gives a free message, or the one that has waited longest.
func (a *Assembler) take(context uint8) *Message {
	pick := &a.messages[0]
	slot := 0
	for i := range a.messages {
		m := &a.messages[i]
		if !m.open {
			pick, slot = m, i
			break
		}
		if m.age < pick.age {
			pick, slot = m, i
		}
	}
	*pick = Message{Context: context, Slot: slot, open: true, age: a.age, buf: pick.buf[:0]}
	return pick
}
