// SPDX-License-Identifier: Apache-2.0

package dicom

// UndefinedLength in a length field means that a delimiter ends the value (PS3.5 §7.1.1).
const UndefinedLength = 0xFFFFFFFF

// MaxDepth is how many sequences may be nested in each other. Real objects use
// fewer than ten.
const MaxDepth = 32

// Limits bounds the reading of one data set.
type Limits struct {
	Depth    int    // nested sequences, at most MaxDepth
	Elements uint32 // data elements, items and fragments together
}

// DefaultLimits are generous for real objects: an enhanced multi-frame object of
// 10,000 frames has about 500,000 elements.
func DefaultLimits() Limits { return Limits{Depth: MaxDepth, Elements: 4_000_000} }

// Kind is what a token is.
type Kind uint8

// The kinds of token.
const (
	// None: every byte was consumed, and more are needed.
	None Kind = iota
	// Element is the header of a data element with a value. One or more Value
	// tokens follow, also when the length is 0.
	Element
	// Value is the next piece of a value. The last one has Last set.
	Value
	// SequenceStart is a data element with VR SQ, or UN of undefined length.
	SequenceStart
	ItemStart
	ItemEnd
	SequenceEnd
	// FragmentsStart is a data element with encapsulated pixel data.
	FragmentsStart
	// Fragment is an item of encapsulated pixel data, the basic offset table
	// first. Value tokens follow as for Element.
	Fragment
	FragmentsEnd
)

var kindNames = [...]string{"none", "element", "value", "sequence", "item", "item end", "sequence end", "fragments", "fragment", "fragments end"}

// String returns a short name.
func (k Kind) String() string { return kindNames[k] }

// Token is one step through a data set.
type Token struct {
	Kind   Kind
	Depth  uint8  // sequences around the element; 0 at the top
	Last   bool   // Value: it completes the value
	VR     VR     // Element, SequenceStart, FragmentsStart; from the dictionary in implicit VR
	Tag    Tag    // of the element; for items, fragments and ends, of the sequence
	Length uint32 // as declared, UndefinedLength included
	Offset uint64 // of the header from the start of the data set
	Data   []byte // Value: aliases what was given to Next
}

// Flags report what a data set does that PS3.5 forbids but real devices do.
type Flags uint8

// The flags.
const (
	// OddLength: a value or item of odd length (§7.1.1).
	OddLength Flags = 1 << iota
	// Disordered: tags at the top level not ascending, or twice the same (§7.1).
	Disordered
	// UnknownVR: a VR that PS3.5 does not define (§6.2).
	UnknownVR
	// HasFileMeta: group 0002 in the data set, as if a file had been sent with its
	// meta information (PS3.10 §7.1).
	HasFileMeta
)

type frameKind uint8

const (
	frameSequence frameKind = iota
	frameItem
	frameFragments
)

type frame struct {
	end      uint64 // offset at which it ends, noEnd when a delimiter ends it
	limit    uint64 // no byte of it may lie at or after this
	tag      Tag    // of the sequence
	kind     frameKind
	explicit bool // of the elements in it
	big      bool
}

const noEnd = ^uint64(0)

type state uint8

const (
	stateHeader state = iota
	stateValue
	stateFailed
)

// Tokenizer reads a data set in pieces. Reset makes it ready; the zero value
// reads implicit VR little endian with no limit on elements. It does not
// allocate. It must not be copied while in use.
type Tokenizer struct {
	limits   Limits
	syntax   Syntax
	off      uint64 // bytes consumed
	left     uint64 // stateValue: bytes of the value still to come
	lastTag  Tag    // at the top level
	elements uint32
	state    state
	flags    Flags
	depth    int // frames in use
	nesting  int // sequences among them
	hdrLen   uint8
	hdr      [12]byte
	value    Token // whose value is being read
	err      *Error
	frames   [2 * MaxDepth]frame
}

// Reset makes the tokenizer ready for the first byte of a data set. Deflated in
// the syntax is ignored: the bytes given to Next are inflated ones.
func (t *Tokenizer) Reset(s Syntax, l Limits) {
	if l.Depth <= 0 || l.Depth > MaxDepth {
		l.Depth = MaxDepth
	}
	t.limits, t.syntax = l, s
	t.off, t.left, t.lastTag, t.elements = 0, 0, 0, 0
	t.state, t.flags, t.depth, t.nesting, t.hdrLen, t.err = stateHeader, 0, 0, 0, 0, nil
	t.value = Token{}
}

// Offset returns how many bytes were consumed or skipped.
func (t *Tokenizer) Offset() uint64 { return t.off }

// Flags returns what was seen so far that PS3.5 forbids.
func (t *Tokenizer) Flags() Flags { return t.flags }

// Elements returns how many elements, items and fragments were read.
func (t *Tokenizer) Elements() uint32 { return t.elements }

// Skippable returns how many of the following bytes belong to the current value,
// so that the caller may Skip them instead of presenting them.
func (t *Tokenizer) Skippable() uint64 {
	if t.state != stateValue {
		return 0
	}
	return t.left
}

// Skip passes over n bytes of the current value without looking at them.
// Precondition: n <= Skippable().
func (t *Tokenizer) Skip(n uint64) {
	if n > t.Skippable() {
		panic("BUG: Tokenizer.Skip beyond the value")
	}
	t.off += n
	t.left -= n
}

// End checks that the data set may end here: at the top level, between elements.
func (t *Tokenizer) End() error {
	switch {
	case t.err != nil:
		return t.err
	case t.state == stateValue && t.left > 0:
		return &Error{Offset: t.off, Tag: t.value.Tag, Section: "PS3.5 §7.1.1", What: "the data set ends inside a value", Err: ErrTruncated}
	case t.hdrLen > 0:
		return &Error{Offset: t.off, Section: "PS3.5 §7.1", What: "the data set ends inside an element header", Err: ErrTruncated}
	}
	// Sequences of defined length that end exactly here are complete.
	for i := t.depth - 1; i >= 0; i-- {
		if f := &t.frames[i]; f.end != t.off {
			return &Error{Offset: t.off, Tag: f.tag, Section: "PS3.5 §7.5", What: "the data set ends inside a sequence", Err: ErrTruncated}
		}
	}
	return nil
}

// Parent returns the tag of the innermost sequence around the next element, 0 at
// the top.
func (t *Tokenizer) Parent() Tag {
	if t.depth == 0 {
		return 0
	}
	return t.frames[t.depth-1].tag
}

// Next reads one token from data and returns it with the number of bytes
// consumed. With Kind None all of data was consumed. Some tokens consume nothing:
// call Next until it returns None. After an error, Next returns it for ever.
func (t *Tokenizer) Next(data []byte) (Token, int, error) {
	switch t.state {
	case stateFailed:
		return Token{}, 0, t.err
	case stateValue:
		return t.nextValue(data)
	}
	if t.hdrLen == 0 && t.depth > 0 {
		if f := &t.frames[t.depth-1]; f.end == t.off {
			return t.pop(), 0, nil
		}
	}
	return t.nextHeader(data)
}

func (t *Tokenizer) nextValue(data []byte) (Token, int, error) {
	n := len(data)
	if uint64(n) >= t.left {
		n = int(t.left)
		t.state = stateHeader
	} else if n == 0 {
		return Token{}, 0, nil
	}
	tok := t.value
	tok.Kind, tok.Data, tok.Last = Value, data[:n:n], t.state == stateHeader
	t.off += uint64(n)
	t.left -= uint64(n)
	return tok, n, nil
}

// pop leaves the innermost frame.
func (t *Tokenizer) pop() Token {
	t.depth--
	f := &t.frames[t.depth]
	tok := Token{Tag: f.tag, Offset: t.off}
	switch f.kind {
	case frameItem:
		tok.Kind = ItemEnd
	case frameSequence:
		tok.Kind = SequenceEnd
		t.nesting--
	case frameFragments:
		tok.Kind = FragmentsEnd
	}
	tok.Depth = uint8(t.nesting)
	return tok
}

func (t *Tokenizer) fail(sentinel error, tag Tag, section, what string) error {
	t.state = stateFailed
	t.err = &Error{Offset: t.off, Tag: tag, Section: section, What: what, Err: sentinel}
	return t.err
}
