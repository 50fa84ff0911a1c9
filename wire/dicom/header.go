// SPDX-License-Identifier: Apache-2.0

package dicom

// nextHeader collects a header in t.hdr until it is whole, then enters what it
// opens. t.off counts headers only when they are whole, so that errors and
// tokens carry the offset of the header's first byte.
func (t *Tokenizer) nextHeader(data []byte) (Token, int, error) {
	need := 8
	used := 0
	h := t.hdr[:]
	direct := t.hdrLen == 0 && len(data) >= 12
	if direct {
		h = data[:12:12]
	} else {
		used = t.fill(data, 8)
		if t.hdrLen < 8 {
			return Token{}, used, nil
		}
	}
	explicit, big := t.syntax.Explicit, t.syntax.BigEndian
	where := frameItem // the top level reads like an item
	if t.depth > 0 {
		f := &t.frames[t.depth-1]
		explicit, big, where = f.explicit, f.big, f.kind
	}
	tag := MakeTag(u16(h, big), u16(h[2:], big))
	var vr VR
	var length uint32
	switch {
	case tag.Group() == 0xFFFE || where != frameItem: // PS3.5 §7.5: no VR
		length = u32(h[4:], big)
	case explicit:
		if !validVRLetters(h[4], h[5]) {
			return Token{}, used, t.fail(ErrVR, tag, "PS3.5 §7.1.2", "no value representation where one must be")
		}
		vr = VR(h[4])<<8 | VR(h[5])
		if !vr.Long() {
			length = uint32(u16(h[6:], big))
			break
		}
		need = 12
		if !direct {
			used += t.fill(data[used:], 12)
			if t.hdrLen < 12 {
				return Token{}, used, nil
			}
		}
		length = u32(h[8:], big)
		if !vr.Known() {
			t.flags |= UnknownVR
		}
	default:
		length = u32(h[4:], big)
		vr = VROf(tag)
	}
	if direct {
		used = need
	}
	t.hdrLen = 0
	tok, err := t.enter(tag, vr, length, uint64(need), where, explicit, big)
	return tok, used, err
}

// fill copies from data until the header holds n bytes.
func (t *Tokenizer) fill(data []byte, n uint8) int {
	if t.hdrLen >= n {
		return 0
	}
	k := copy(t.hdr[t.hdrLen:n], data)
	t.hdrLen += uint8(k)
	return k
}

func (t *Tokenizer) enter(tag Tag, vr VR, length uint32, size uint64, where frameKind, explicit, big bool) (Token, error) {
	limit := noEnd
	if t.depth > 0 {
		limit = t.frames[t.depth-1].limit
	}
	if t.elements++; t.limits.Elements > 0 && t.elements > t.limits.Elements {
		return Token{}, t.fail(ErrLimit, tag, "PS3.5 §7.1", "too many data elements")
	}
	tok := Token{Tag: tag, VR: vr, Length: length, Offset: t.off, Depth: uint8(t.nesting)}
	body := t.off + size
	if body > limit {
		return Token{}, t.fail(ErrLength, tag, "PS3.5 §7.5.1", "the header crosses the end of its item")
	}
	if length != UndefinedLength {
		if uint64(length) > limit-body {
			return Token{}, t.fail(ErrLength, tag, "PS3.5 §7.5.1", "the value is longer than the item that holds it")
		}
		if length&1 != 0 {
			t.flags |= OddLength
		}
	}
	if tag.Group() == 0xFFFE {
		return t.enterItem(tok, body, limit, where, explicit, big)
	}
	if where != frameItem {
		return Token{}, t.fail(ErrStructure, tag, "PS3.5 §7.5", "a data element where only an item may stand")
	}
	if t.nesting == 0 {
		if t.elements > 1 && tag <= t.lastTag {
			t.flags |= Disordered
		}
		t.lastTag = tag
		if tag.Group() == 0x0002 {
			t.flags |= HasFileMeta
		}
	}
	t.off = body
	switch {
	case length == UndefinedLength && (tag == TagPixelData || vr == OB || vr == OW) && vr != SQ: // PS3.5 §A.4
		tok.Kind = FragmentsStart
		return tok, t.push(frame{end: noEnd, limit: limit, tag: tag, kind: frameFragments, explicit: explicit, big: big})
	case length == UndefinedLength && vr == UN: // PS3.5 §6.2.2 note 2: implicit VR little endian inside
		tok.Kind = SequenceStart
		return tok, t.push(frame{end: noEnd, limit: limit, tag: tag, kind: frameSequence, explicit: false, big: false})
	case vr == SQ:
		tok.Kind = SequenceStart
		f := frame{end: noEnd, limit: limit, tag: tag, kind: frameSequence, explicit: explicit, big: big}
		if length != UndefinedLength {
			f.end = body + uint64(length)
			f.limit = f.end
		}
		return tok, t.push(f)
	case length == UndefinedLength && !explicit: // a sequence that the dictionary does not know as one
		tok.Kind, tok.VR = SequenceStart, SQ
		return tok, t.push(frame{end: noEnd, limit: limit, tag: tag, kind: frameSequence})
	case length == UndefinedLength:
		t.off = tok.Offset
		return Token{}, t.fail(ErrLength, tag, "PS3.5 §7.1.1", "undefined length for a value representation that cannot have it")
	}
	tok.Kind = Element
	t.value, t.left, t.state = tok, uint64(length), stateValue
	return tok, nil
}

// enterItem handles the tags of group FFFE.
func (t *Tokenizer) enterItem(tok Token, body, limit uint64, where frameKind, explicit, big bool) (Token, error) {
	var top *frame
	if t.depth > 0 {
		top = &t.frames[t.depth-1]
	}
	switch {
	case tok.Tag == TagItem && top != nil && where == frameSequence:
		f := frame{end: noEnd, limit: limit, tag: top.tag, kind: frameItem, explicit: explicit, big: big}
		if tok.Length != UndefinedLength {
			f.end = body + uint64(tok.Length)
			f.limit = f.end
		}
		tok.Kind, tok.Tag = ItemStart, top.tag
		t.off = body
		return tok, t.push(f)
	case tok.Tag == TagItem && top != nil && where == frameFragments:
		if tok.Length == UndefinedLength {
			return Token{}, t.fail(ErrLength, tok.Tag, "PS3.5 §A.4", "a fragment of undefined length")
		}
		tok.Kind, tok.Tag = Fragment, top.tag
		t.off = body
		t.value, t.left, t.state = tok, uint64(tok.Length), stateValue
		return tok, nil
	case tok.Tag == TagItemDelimitation && top != nil && where == frameItem && top.end == noEnd,
		tok.Tag == TagSequenceDelimitation && top != nil && where != frameItem && top.end == noEnd:
		if tok.Length != 0 {
			return Token{}, t.fail(ErrLength, tok.Tag, "PS3.5 §7.5.1", "a delimiter with a length other than 0")
		}
		t.off = body
		return t.pop(), nil
	}
	return Token{}, t.fail(ErrStructure, tok.Tag, "PS3.5 §7.5", "an item or delimiter where it may not stand")
}

func (t *Tokenizer) push(f frame) error {
	depth := t.limits.Depth
	if depth == 0 {
		depth = MaxDepth
	}
	if t.depth == len(t.frames) || f.kind == frameSequence && t.nesting >= depth {
		return t.fail(ErrLimit, f.tag, "PS3.5 §7.5", "sequences nested too deep")
	}
	if f.kind == frameSequence {
		t.nesting++
	}
	t.frames[t.depth] = f
	t.depth++
	return nil
}

func u16(b []byte, big bool) uint16 {
	if big {
		return uint16(b[0])<<8 | uint16(b[1])
	}
	return uint16(b[0]) | uint16(b[1])<<8
}

func u32(b []byte, big bool) uint32 {
	if big {
		return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	}
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}
