// SPDX-License-Identifier: Apache-2.0

package deid

import "github.com/asepsis/asepsis/wire/dicom"

// addition is an element that every copy has (PS3.15 §E.1.1 items 5 to 7).
type addition struct {
	leaf
	items [][]leaf
}

// additions returns what a profile's copies say about themselves, in the order of tags.
func additions(p *profile) []addition {
	codes := [][]leaf{code(basic.code, "DCM", basic.meaning)}
	for _, m := range methods {
		if p.has(m.option) {
			codes = append(codes, code(m.code, "DCM", m.meaning))
		}
	}
	dates := "REMOVED"
	switch {
	case p.has(RetainFullDates):
		dates = "UNMODIFIED"
	case p.has(RetainModifiedDates):
		dates = "MODIFIED"
	}
	return []addition{
		{leaf: leaf{tag: 0x00120062, vr: dicom.CS, value: "YES"}},
		{leaf: leaf{tag: 0x00120063, vr: dicom.LO, value: `Asepsis\DICOM PS3.15 ` + Edition + ` annex E`}},
		{leaf: leaf{tag: 0x00120064, vr: dicom.SQ}, items: codes},
		{leaf: leaf{tag: tagLongitudinal, vr: dicom.CS, value: dates}},
	}
}

// add writes the additions that stand before a tag at the top of the data set.
func (x *run) add(before dicom.Tag) error {
	if before > tagBurnedIn {
		if err := x.notBurnedIn(); err != nil {
			return err
		}
	}
	for len(x.added) > 0 && x.added[0].tag < before {
		a := x.added[0]
		x.added = x.added[1:]
		x.note(a.tag, "added", "PS3.15 E.1.1")
		var err error
		if a.items == nil {
			err = x.leaves([]leaf{a.leaf}, x.syntax.BigEndian)
		} else {
			err = x.list(a.tag, a.items)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// list writes a sequence of several items.
func (x *run) list(tag dicom.Tag, items [][]leaf) error {
	if err := x.token(dicom.Token{Kind: dicom.SequenceStart, Tag: tag, VR: dicom.SQ, Length: dicom.UndefinedLength}); err != nil {
		return err
	}
	for _, item := range items {
		if err := x.token(dicom.Token{Kind: dicom.ItemStart, Length: dicom.UndefinedLength}); err != nil {
			return err
		}
		if err := x.leaves(item, x.syntax.BigEndian); err != nil {
			return err
		}
		if err := x.token(dicom.Token{Kind: dicom.ItemEnd}); err != nil {
			return err
		}
	}
	return x.token(dicom.Token{Kind: dicom.SequenceEnd})
}
