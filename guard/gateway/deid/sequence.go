// SPDX-License-Identifier: Apache-2.0

package deid

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/asepsis/asepsis/wire/dicom"
)

// sequence does one sequence.
func (x *run) sequence(t *dicom.Token, in *item) error {
	if t.Tag.Group() == 4 {
		return &Refusal{Code: "directory", Why: "it is a media directory, not an instance", hint: "send the instances that it lists"}
	}
	s, _ := x.step(t, in)
	switch s.do {
	case keep, mapUID, structured:
		return x.each(t, in, in.clean || s.do == structured)
	case clean, shift, alias, patient, accession: // a sequence where a text should be
		s.do = s.otherwise
	}
	if err := x.skipSequence(); err != nil {
		return err
	}
	switch s.do {
	case remove:
		x.note(t.Tag, "removed", s.rule)
		return nil
	case dummy:
		x.note(t.Tag, "replaced", s.rule)
		return x.template(t)
	}
	x.note(t.Tag, "emptied", s.rule)
	return x.emptySequence(t)
}

// each does the items of a sequence one by one.
func (x *run) each(t *dicom.Token, in *item, clean bool) error {
	start := *t
	start.Length = dicom.UndefinedLength
	if err := x.token(start); err != nil {
		return err
	}
	x.place = append(x.place, level{tag: t.Tag})
	defer func() { x.place = x.place[:len(x.place)-1] }()
	for {
		next, err := x.r.Next()
		if err != nil {
			return err
		}
		if next.Kind == dicom.SequenceEnd {
			if err := x.join(t); err != nil {
				return err
			}
			return x.token(dicom.Token{Kind: dicom.SequenceEnd})
		}
		x.place[len(x.place)-1].item++
		if err := x.token(dicom.Token{Kind: dicom.ItemStart, Length: dicom.UndefinedLength}); err != nil {
			return err
		}
		if err := x.items(&item{clean: clean, text: in.text, declared: in.declared}); err != nil {
			return err
		}
		if err := x.token(dicom.Token{Kind: dicom.ItemEnd}); err != nil {
			return err
		}
	}
}

// maxFolded is the longest sequence in a value of UN that is unfolded.
const maxFolded = 1 << 20

// unfold does a sequence that stands in an element of VR UN and of defined length, which is encoded in implicit VR little
// endian (PS3.5 §6.2.2 note 2). It is written as a sequence. One that cannot be read is removed.
func (x *run) unfold(t *dicom.Token, in *item) error {
	raw, err := x.r.Value(maxFolded)
	if err != nil {
		return err
	}
	head := binary.LittleEndian.AppendUint32(nil, uint32(t.Tag.Group())|uint32(t.Tag.Element())<<16)
	head = binary.LittleEndian.AppendUint32(head, t.Length)
	whole := func() *dicom.Reader {
		return dicom.NewReader(io.MultiReader(bytes.NewReader(head), bytes.NewReader(raw)), dicom.Syntax{}, dicom.DefaultLimits())
	}
	if !x.unfolds(whole(), t, len(raw)) {
		x.note(t.Tag, "removed", "beyond the table: a sequence that cannot be read")
		return nil
	}
	outer := x.r
	defer func() { x.r = outer }()
	x.r = whole()
	start, err := x.r.Next()
	if err != nil {
		return err
	}
	return x.sequence(&start, in)
}

// unfolds reports a sequence that can be read to its end and written in the outer syntax.
func (x *run) unfolds(r *dicom.Reader, t *dicom.Token, n int) bool {
	if uint32(n) != t.Length || x.syntax.BigEndian {
		return false
	}
	for first := true; ; first = false {
		next, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return !first
		case err != nil, first && next.Kind != dicom.SequenceStart:
			return false
		case next.Kind == dicom.Element && x.syntax.Explicit && !next.VR.Long() && next.Length > 0xFFFF:
			return false
		}
	}
}

// skipSequence passes over a sequence or fragments that have begun.
func (x *run) skipSequence() error {
	for open := 1; open > 0; {
		t, err := x.r.Next()
		if err != nil {
			return err
		}
		switch t.Kind {
		case dicom.SequenceStart, dicom.FragmentsStart:
			open++
		case dicom.SequenceEnd, dicom.FragmentsEnd:
			open--
		}
	}
	return nil
}

// fragments does encapsulated data. What is not pixel data has no business in fragments and is removed where anything is done to it.
func (x *run) fragments(t *dicom.Token, in *item) error {
	pixels := &stream{x: x}
	if t.Tag == dicom.TagPixelData && t.Depth == 0 {
		if anew, err := x.compressed(); err != nil {
			return err
		} else if anew {
			return x.recode(t)
		}
		pixels = x.stream()
	} else if s, _ := x.step(t, in); s.do != keep || t.Tag == dicom.TagPixelData {
		if t.Tag == dicom.TagPixelData {
			s.rule = rulePicture
		}
		x.note(t.Tag, "removed", s.rule)
		return x.skipSequence()
	}
	if err := x.token(*t); err != nil {
		return err
	}
	for {
		next, err := x.r.Next()
		if err != nil {
			return err
		}
		if next.Kind == dicom.FragmentsEnd {
			if err := pixels.end(t); err != nil {
				return err
			}
			return x.token(next)
		}
		if err := x.token(next); err != nil {
			return err
		}
		if next.Kind != dicom.Fragment {
			continue
		}
		if err := pixels.fragment(&next); err != nil {
			return err
		}
	}
}

func (x *run) emptySequence(t *dicom.Token) error {
	if err := x.token(dicom.Token{Kind: dicom.SequenceStart, Tag: t.Tag, VR: t.VR, Length: 0}); err != nil {
		return err
	}
	return x.token(dicom.Token{Kind: dicom.SequenceEnd})
}

// leaf is an element of a sequence that stands for another: a value, or one item.
type leaf struct {
	tag   dicom.Tag
	vr    dicom.VR
	value string
	item  []leaf
}

// code is the item of a code sequence (PS3.3 §8.8).
func code(value, scheme, meaning string) []leaf {
	return []leaf{{tag: 0x00080100, vr: dicom.SH, value: value}, {tag: 0x00080102, vr: dicom.SH, value: scheme}, {tag: 0x00080104, vr: dicom.LO, value: meaning}}
}

// nobody is a person or place that is not named.
var nobody = code("ANON", "99ANON", "Not named")

// templates are the items that stand for sequences whose action is D, each of the fewest elements that its module demands.
var templates = map[dicom.Tag][]leaf{
	0x00080082: nobody, // Institution Code Sequence
	0x00081072: {{tag: 0x00080080, vr: dicom.LO, value: "ANON"}, {tag: 0x00401101, vr: dicom.SQ, item: nobody}},
	0x00340001: {{tag: 0x00340002, vr: dicom.OB, value: "\x00\x00"}},
	0x00401101: nobody,
	0x0040A073: {{tag: 0x0040A027, vr: dicom.LO, value: "ANON"}, {tag: 0x0040A030, vr: dicom.DT, value: "19000101000000"}, {tag: 0x0040A075, vr: dicom.PN, value: "ANON^ANON"}, {tag: 0x0040A088, vr: dicom.SQ}},
	0x0040A730: {{tag: 0x0040A010, vr: dicom.CS, value: "CONTAINS"}, {tag: 0x0040A040, vr: dicom.CS, value: "TEXT"},
		{tag: 0x0040A043, vr: dicom.SQ, item: code("121106", "DCM", "Comment")}, {tag: 0x0040A160, vr: dicom.UT, value: "Removed"}},
	0x0040B020: {{tag: 0x0040A0B0, vr: dicom.US, value: "\x01\x00\x00\x00"}, {tag: 0x00700006, vr: dicom.ST, value: "ANON"}},
	0x00700001: {{tag: 0x00700002, vr: dicom.CS, value: "ANON"}, {tag: 0x00700009, vr: dicom.SQ, item: []leaf{
		{tag: 0x00700005, vr: dicom.CS, value: "DISPLAY"}, {tag: 0x00700020, vr: dicom.US, value: "\x02\x00"}, {tag: 0x00700021, vr: dicom.US, value: "\x01\x00"},
		{tag: 0x00700022, vr: dicom.FL, value: "\x00\x00\x00\x00\x00\x00\x00\x00"}, {tag: 0x00700023, vr: dicom.CS, value: "POINT"}, {tag: 0x00700024, vr: dicom.CS, value: "N"}}}},
	0x00081111: {{tag: 0x00081150, vr: dicom.UI, value: "1.2.840.10008.3.1.2.3.3"}, {tag: 0x00081155, vr: dicom.UI, value: "2.25.0"}},
}

// template writes a sequence of one item that stands for another.
func (x *run) template(t *dicom.Token) error {
	item, ok := templates[t.Tag]
	if !ok {
		return x.emptySequence(t)
	}
	// Within UN of undefined length all is implicit VR little endian (PS3.5 §6.2.2 note 2), which the encoder sees to.
	return x.leaves([]leaf{{tag: t.Tag, vr: t.VR, item: item}}, x.syntax.BigEndian && t.VR != dicom.UN)
}

func (x *run) leaves(list []leaf, big bool) error {
	for _, l := range list {
		var err error
		switch {
		case l.vr == dicom.SQ || l.vr == dicom.UN && l.item != nil:
			err = x.leafSequence(&l, big)
		default:
			v := pad(l.vr, []byte(l.value))
			if n := l.vr.WordSize(); big && n > 1 {
				swapWords(v, n)
			}
			err = x.put(&dicom.Token{Tag: l.tag, VR: l.vr}, v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (x *run) leafSequence(l *leaf, big bool) error {
	if l.item == nil {
		return x.emptySequence(&dicom.Token{Tag: l.tag, VR: l.vr})
	}
	if err := x.token(dicom.Token{Kind: dicom.SequenceStart, Tag: l.tag, VR: l.vr, Length: dicom.UndefinedLength}); err != nil {
		return err
	}
	if err := x.token(dicom.Token{Kind: dicom.ItemStart, Length: dicom.UndefinedLength}); err != nil {
		return err
	}
	if err := x.leaves(l.item, big); err != nil {
		return err
	}
	if err := x.token(dicom.Token{Kind: dicom.ItemEnd}); err != nil {
		return err
	}
	return x.token(dicom.Token{Kind: dicom.SequenceEnd})
}

// swapWords turns the bytes of each word of n bytes around.
func swapWords(v []byte, n int) {
	for i := 0; i+n <= len(v); i += n {
		for a, b := i, i+n-1; a < b; a, b = a+1, b-1 {
			v[a], v[b] = v[b], v[a]
		}
	}
}
