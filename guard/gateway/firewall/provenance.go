// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/asepsis/asepsis/wire/charset"
	"github.com/asepsis/asepsis/wire/dicom"
)

// addition is what a copy has that its original has not: an element, or one more item of a sequence.
type addition struct {
	tag  dicom.Tag
	item func() error // nil: the element itself is written by write
	elem func() error
}

// Tags of a copy's provenance (PS3.3 §C.12.1, §C.12.4, §10.3).
const (
	tagSourceImageSequence        dicom.Tag = 0x00082112
	tagReferencedSOPClass         dicom.Tag = 0x00081150
	tagReferencedSOPInstance      dicom.Tag = 0x00081155
	tagModifiedAttributesSequence dicom.Tag = 0x04000550
	tagOriginalAttributesSequence dicom.Tag = 0x04000561
	tagModificationDateTime       dicom.Tag = 0x04000562
	tagModifyingSystem            dicom.Tag = 0x04000563
	tagSourceOfPreviousValues     dicom.Tag = 0x04000564
	tagReasonForModification      dicom.Tag = 0x04000565
)

// pend prepares what is added, in the order of the tags.
func (w *rewrite) pend() {
	w.added = []addition{
		{tag: dicom.TagSOPInstanceUID, elem: func() error {
			w.change(dicom.TagSOPInstanceUID.String(), actReplace, "")
			return w.text(dicom.TagSOPInstanceUID, dicom.UI, w.out.SOPInstance)
		}},
		{tag: tagSourceImageSequence, item: w.source},
		{tag: tagOriginalAttributesSequence, item: w.modified},
	}
}

// before writes the additions that come before an element of the top level.
func (w *rewrite) before(next dicom.Tag) error {
	for len(w.added) > 0 && w.added[0].tag < next {
		a := w.added[0]
		w.added = w.added[1:]
		if a.elem != nil {
			if err := a.elem(); err != nil {
				return err
			}
			continue
		}
		if err := w.put(dicom.Token{Kind: dicom.SequenceStart, Tag: a.tag, VR: dicom.SQ, Length: dicom.UndefinedLength}); err != nil {
			return err
		}
		if err := a.item(); err != nil {
			return err
		}
		if err := w.put(dicom.Token{Kind: dicom.SequenceEnd, Tag: a.tag}); err != nil {
			return err
		}
		w.change(a.tag.String(), "added", "")
	}
	return nil
}

// into adds the item to a sequence of the original that ends.
func (w *rewrite) into(tag dicom.Tag) error {
	i := slices.IndexFunc(w.added, func(a addition) bool { return a.tag == tag && a.item != nil })
	if i < 0 {
		return nil
	}
	a := w.added[i]
	w.added = slices.Delete(w.added, i, i+1)
	w.change(tag.String(), "added", "")
	return a.item()
}

// text writes an element of text of the default repertoire.
func (w *rewrite) text(tag dicom.Tag, vr dicom.VR, s string) error {
	if len(s)&1 != 0 {
		if s += "\x00"; vr != dicom.UI {
			s = s[:len(s)-1] + " "
		}
	}
	if err := w.put(dicom.Token{Kind: dicom.Element, Tag: tag, VR: vr, Length: uint32(len(s))}); err != nil || s == "" {
		return err
	}
	return w.put(dicom.Token{Kind: dicom.Value, Data: []byte(s)})
}

// in writes an item.
func (w *rewrite) in(write ...func() error) error {
	if err := w.put(dicom.Token{Kind: dicom.ItemStart, Length: dicom.UndefinedLength}); err != nil {
		return err
	}
	for _, f := range write {
		if err := f(); err != nil {
			return err
		}
	}
	return w.put(dicom.Token{Kind: dicom.ItemEnd})
}

// source names the original (PS3.3 §C.7.6.1.1.4).
func (w *rewrite) source() error {
	class := w.x.h.SOPClass
	if class == "" {
		class = w.x.a.SOPClass
	}
	return w.in(
		func() error { return w.text(tagReferencedSOPClass, dicom.UI, class) },
		func() error { return w.text(tagReferencedSOPInstance, dicom.UI, w.s.original) },
	)
}

// modified says what was changed (PS3.3 §C.12.1.1.9): the elements of the standard at the top level up to here, or what holds
// them, without values, and the SOP instance UID of the original.
func (w *rewrite) modified() error {
	return w.in(
		func() error {
			if err := w.put(dicom.Token{Kind: dicom.SequenceStart, Tag: tagModifiedAttributesSequence, VR: dicom.SQ, Length: dicom.UndefinedLength}); err != nil {
				return err
			}
			if err := w.in(w.names); err != nil {
				return err
			}
			return w.put(dicom.Token{Kind: dicom.SequenceEnd, Tag: tagModifiedAttributesSequence})
		},
		func() error {
			return w.text(tagModificationDateTime, dicom.DT, w.x.a.At.UTC().Format("20060102150405.000000")+"+0000")
		},
		func() error { return w.text(tagModifyingSystem, dicom.LO, "Asepsis content firewall") },
		func() error { return w.text(tagSourceOfPreviousValues, dicom.LO, "") },
		func() error { return w.text(tagReasonForModification, dicom.CS, "CORRECT") },
	)
}

func (w *rewrite) names() error {
	tags := []dicom.Tag{dicom.TagSOPInstanceUID}
	for _, c := range w.out.Changes {
		if t, ok := topTag(c.Path); ok && c.Action != "added" && !t.IsPrivate() && t.Group() > 0x0008 || ok && t.Group() == 0x0008 && t.Element() > 5 && c.Action != "added" {
			tags = append(tags, t)
		}
	}
	slices.Sort(tags)
	for _, t := range slices.Compact(tags) {
		var err error
		switch vr := dicom.VROf(t); {
		case t == dicom.TagSOPInstanceUID:
			err = w.text(t, dicom.UI, w.s.original)
		case vr == dicom.SQ:
			if err = w.put(dicom.Token{Kind: dicom.SequenceStart, Tag: t, VR: vr, Length: dicom.UndefinedLength}); err == nil {
				err = w.put(dicom.Token{Kind: dicom.SequenceEnd, Tag: t})
			}
		default:
			err = w.text(t, vr, "")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// topTag reads the first element of a path.
func topTag(path string) (dicom.Tag, bool) {
	if len(path) < 11 || path[0] != '(' || path[5] != ',' {
		return 0, false
	}
	n, err := strconv.ParseUint(path[1:5]+path[6:10], 16, 32)
	return dicom.Tag(n), err == nil
}

// blank puts spaces in place of control characters, of escape sequences that are none of ISO 2022, and of characters that
// change what is seen. Nil means that the value must be emptied: characters of no width of a set that is not UTF-8.
func blank(value []byte, vr dicom.VR, set charset.Set) []byte {
	out := slices.Clone(value)
	end := len(bytes.TrimRight(out, " \x00"))
	for i, c := range out[:end] {
		if c == 0x1B && i+1 < end && bytes.IndexByte([]byte("$()*+,-./"), out[i+1]) >= 0 {
			continue
		}
		if c < 0x20 && (short(vr) || c != '\t' && c != '\n' && c != '\f' && c != '\r') || c == 0x7F {
			out[i] = ' '
		}
	}
	if !utf8.Valid(out) {
		decoded, _ := set.Append(nil, out, charset.Text)
		for _, r := range string(decoded) {
			if unseen(r) {
				return nil
			}
		}
		return out
	}
	for i := 0; i < len(out); {
		r, n := utf8.DecodeRune(out[i:])
		if unseen(r) {
			copy(out[i:i+n], "    ")
		}
		i += n
	}
	return out
}

// unseen reports characters of text.bidi and text.invisible, and control sequences of one character.
func unseen(r rune) bool {
	return r >= 0x200B && r <= 0x200F || r >= 0x202A && r <= 0x202E || r >= 0x2060 && r <= 0x2069 || r == 0xFEFF || r == 0x00AD || r == 0x061C || r == 0x180E || r >= 0xFFF9 && r <= 0xFFFB ||
		r >= 0xE0000 && r <= 0xE007F || r == 0x115F || r == 0x1160 || r == 0x3164 || r == 0xFFA0 || r >= 0x80 && r <= 0x9F
}
