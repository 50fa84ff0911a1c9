// SPDX-License-Identifier: Apache-2.0

package dicom

import "encoding/binary"

// Encoder turns tokens into the bytes of a data set: the opposite of Tokenizer. Given the
// tokens that a Tokenizer read, in the syntax that they were read in, it writes the
// same bytes again, bit for bit, as long as the reserved bytes of explicit
// VR headers are zero as PS3.5 §7.1.2 demands. Pieces of values pass through; nothing is
// kept. It holds what it is given to the same rules: what Encoder writes, Tokenizer reads.
//
// Reset makes it ready; the zero value writes implicit VR little endian.
type Encoder struct {
	syntax  Syntax
	off     uint64
	left    uint64 // of the value under way
	tag     Tag    // of the value under way
	inValue bool
	depth   int
	nesting int
	frames  [2 * MaxDepth]frame
	err     error
}

// Reset makes the encoder ready for the first token of a data set. Deflated in the
// syntax is ignored: Deflater does that to the bytes.
func (e *Encoder) Reset(s Syntax) { *e = Encoder{syntax: s} }

// Offset returns how many bytes were written.
func (e *Encoder) Offset() uint64 { return e.off }

// Depth returns how many sequences are open.
func (e *Encoder) Depth() int { return e.nesting }

// End checks that the data set may end here.
func (e *Encoder) End() error {
	switch {
	case e.err != nil:
		return e.err
	case e.inValue:
		return e.fail(ErrTruncated, e.tag, "PS3.5 §7.1.1", "the data set ends inside a value")
	case e.depth > 0:
		return e.fail(ErrTruncated, e.frames[e.depth-1].tag, "PS3.5 §7.5", "the data set ends inside a sequence")
	}
	return nil
}

// Append appends the bytes of a token. Of Element, SequenceStart and FragmentsStart
// it reads Tag, VR and Length; of ItemStart and Fragment Length, of Value Data. VR is not written
// in implicit VR. Value.Last is not needed: a value ends with its last byte; an
// element of length 0 needs no Value. After an error every further call gives the same error.
func (e *Encoder) Append(dst []byte, t *Token) ([]byte, error) {
	if e.err != nil {
		return dst, e.err
	}
	if e.inValue && t.Kind != Value {
		return dst, e.fail(ErrLength, e.tag, "PS3.5 §7.1.1", "a value shorter than its length")
	}
	before := len(dst)
	var err error
	switch t.Kind {
	case None:
		return dst, nil
	case Element:
		dst, err = e.element(dst, t)
	case Value:
		return e.value(dst, t.Data)
	case SequenceStart, FragmentsStart:
		dst, err = e.open(dst, t)
	case ItemStart, Fragment:
		dst, err = e.item(dst, t)
	case ItemEnd, SequenceEnd, FragmentsEnd:
		dst, err = e.closing(dst, t.Kind)
	}
	e.off += uint64(len(dst) - before)
	return dst, err
}

// form returns how the elements of the innermost item are written.
func (e *Encoder) form() (explicit, big bool, where frameKind, limit uint64) {
	if e.depth == 0 {
		return e.syntax.Explicit, e.syntax.BigEndian, frameItem, noEnd
	}
	f := &e.frames[e.depth-1]
	return f.explicit, f.big, f.kind, f.limit
}

func (e *Encoder) header(dst []byte, t *Token, explicit, big bool) ([]byte, error) {
	order := byteOrder(big)
	dst = order.AppendUint16(dst, t.Tag.Group())
	dst = order.AppendUint16(dst, t.Tag.Element())
	if !explicit {
		return order.AppendUint32(dst, t.Length), nil
	}
	if !validVRLetters(byte(t.VR>>8), byte(t.VR)) {
		return dst, e.fail(ErrVR, t.Tag, "PS3.5 §7.1.2", "no value representation where one must be")
	}
	dst = append(dst, byte(t.VR>>8), byte(t.VR))
	if !t.VR.Long() {
		if t.Length > 0xFFFF {
			return dst, e.fail(ErrLength, t.Tag, "PS3.5 §7.1.2", "a value too long for a length of 16 bits")
		}
		return order.AppendUint16(dst, uint16(t.Length)), nil
	}
	return order.AppendUint32(append(dst, 0, 0), t.Length), nil
}

func (e *Encoder) element(dst []byte, t *Token) ([]byte, error) {
	explicit, big, where, limit := e.form()
	if where != frameItem || t.Tag.Group() == 0xFFFE {
		return dst, e.fail(ErrStructure, t.Tag, "PS3.5 §7.5", "a data element where only an item may stand")
	}
	if t.Length == UndefinedLength {
		return dst, e.fail(ErrLength, t.Tag, "PS3.5 §7.1.1", "an element of undefined length")
	}
	start := len(dst)
	dst, err := e.header(dst, t, explicit, big)
	if err != nil {
		return dst, err
	}
	return dst, e.begin(t, uint64(len(dst)-start), limit)
}

// begin enters a value whose header has so many bytes.
func (e *Encoder) begin(t *Token, size, limit uint64) error {
	if body := e.off + size; body > limit || uint64(t.Length) > limit-body {
		return e.fail(ErrLength, t.Tag, "PS3.5 §7.5.1", "the value is longer than the item that holds it")
	}
	e.tag, e.left, e.inValue = t.Tag, uint64(t.Length), t.Length > 0
	return nil
}

func (e *Encoder) value(dst, data []byte) ([]byte, error) {
	if uint64(len(data)) > e.left {
		return dst, e.fail(ErrLength, e.tag, "PS3.5 §7.1.1", "a value longer than its length")
	}
	e.left -= uint64(len(data))
	e.off += uint64(len(data))
	e.inValue = e.left > 0
	return append(dst, data...), nil
}

// Pass tells that n bytes of the current value go by beside Append. Precondition: n bytes of it are to come.
func (e *Encoder) Pass(n uint64) {
	if n > e.left {
		panic("BUG: Encoder.Pass beyond the value")
	}
	e.left -= n
	e.off += n
	e.inValue = e.left > 0
}

func (e *Encoder) open(dst []byte, t *Token) ([]byte, error) {
	explicit, big, where, limit := e.form()
	if where != frameItem || t.Tag.Group() == 0xFFFE {
		return dst, e.fail(ErrStructure, t.Tag, "PS3.5 §7.5", "a sequence where only an item may stand")
	}
	if t.Kind == FragmentsStart && t.Length != UndefinedLength {
		return dst, e.fail(ErrLength, t.Tag, "PS3.5 §A.4", "encapsulated pixel data of defined length")
	}
	start := len(dst)
	dst, err := e.header(dst, t, explicit, big)
	if err != nil {
		return dst, err
	}
	f := frame{end: noEnd, limit: limit, tag: t.Tag, kind: frameSequence, explicit: explicit, big: big}
	if t.Kind == FragmentsStart {
		f.kind = frameFragments
	} else if t.VR == UN { // PS3.5 §6.2.2 note 2
		f.explicit, f.big = false, false
	}
	return dst, e.push(f, t.Length, uint64(len(dst)-start))
}

func (e *Encoder) item(dst []byte, t *Token) ([]byte, error) {
	explicit, big, where, limit := e.form()
	if where != map[Kind]frameKind{ItemStart: frameSequence, Fragment: frameFragments}[t.Kind] || e.depth == 0 {
		return dst, e.fail(ErrStructure, TagItem, "PS3.5 §7.5", "an item or fragment where it may not stand")
	}
	order := byteOrder(big)
	dst = order.AppendUint16(dst, TagItem.Group())
	dst = order.AppendUint16(dst, TagItem.Element())
	dst = order.AppendUint32(dst, t.Length)
	if t.Kind == Fragment {
		if t.Length == UndefinedLength {
			return dst, e.fail(ErrLength, TagItem, "PS3.5 §A.4", "a fragment of undefined length")
		}
		return dst, e.begin(&Token{Tag: e.frames[e.depth-1].tag, Length: t.Length}, 8, limit)
	}
	return dst, e.push(frame{end: noEnd, limit: limit, tag: e.frames[e.depth-1].tag, kind: frameItem, explicit: explicit, big: big}, t.Length, 8)
}

func (e *Encoder) push(f frame, length uint32, header uint64) error {
	if e.depth == len(e.frames) || f.kind == frameSequence && e.nesting >= MaxDepth {
		return e.fail(ErrLimit, f.tag, "PS3.5 §7.5", "sequences nested too deep")
	}
	body := e.off + header
	if body > f.limit {
		return e.fail(ErrLength, f.tag, "PS3.5 §7.5.1", "the header crosses the end of its item")
	}
	if length != UndefinedLength {
		if uint64(length) > f.limit-body {
			return e.fail(ErrLength, f.tag, "PS3.5 §7.5.1", "a sequence longer than the item that holds it")
		}
		f.end = body + uint64(length)
		f.limit = f.end
	}
	if f.kind == frameSequence {
		e.nesting++
	}
	e.frames[e.depth] = f
	e.depth++
	return nil
}

func (e *Encoder) closing(dst []byte, k Kind) ([]byte, error) {
	want := map[Kind]frameKind{ItemEnd: frameItem, SequenceEnd: frameSequence, FragmentsEnd: frameFragments}[k]
	if e.depth == 0 || e.frames[e.depth-1].kind != want {
		return dst, e.fail(ErrStructure, 0, "PS3.5 §7.5", "the end of something that is not open")
	}
	f := e.frames[e.depth-1]
	if f.end != noEnd && f.end != e.off {
		return dst, e.fail(ErrLength, f.tag, "PS3.5 §7.5.1", "an item or sequence shorter than its length")
	}
	e.depth--
	if f.kind == frameSequence {
		e.nesting--
	}
	if f.end != noEnd {
		return dst, nil
	}
	if e.off+8 > f.limit {
		return dst, e.fail(ErrLength, f.tag, "PS3.5 §7.5.1", "the delimiter crosses the end of its item")
	}
	end := TagSequenceDelimitation
	if k == ItemEnd {
		end = TagItemDelimitation
	}
	order := byteOrder(f.big)
	dst = order.AppendUint16(dst, end.Group())
	dst = order.AppendUint16(dst, end.Element())
	return order.AppendUint32(dst, 0), nil
}

func (e *Encoder) fail(sentinel error, tag Tag, section, what string) error {
	e.err = &Error{Offset: e.off, Tag: tag, Section: section, What: what, Err: sentinel}
	return e.err
}

type appendOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

func byteOrder(big bool) appendOrder {
	if big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}
