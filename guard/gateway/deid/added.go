// SPDX-License-Identifier: Apache-2.0

package deid

import (
	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/wire/dicom"
)

// addition is an element that every copy has (PS3.15 §E.1.1 items 5 to 7).
type addition struct {
	leaf
	items [][]leaf
}

const (
	tagCharacteristics dicom.Tag = 0x00080300
	tagContributing              = dicom.TagContributingEquipmentSequence
)

// additions returns what a profile's copies say about themselves, in the order of tags.
func additions(p *profile, f *facts) []addition {
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
	var out []addition
	if len(f.blocks) > 0 {
		out = append(out, addition{leaf: leaf{tag: tagCharacteristics, vr: dicom.SQ}, items: characteristics(f.blocks)})
	}
	return append(out,
		addition{leaf: leaf{tag: 0x00120062, vr: dicom.CS, value: "YES"}},
		addition{leaf: leaf{tag: 0x00120063, vr: dicom.LO, value: `Asepsis\DICOM PS3.15 ` + Edition + ` annex E`}},
		addition{leaf: leaf{tag: 0x00120064, vr: dicom.SQ}, items: codes},
		addition{leaf: leaf{tag: tagContributing, vr: dicom.SQ}, items: [][]leaf{equipment}},
		addition{leaf: leaf{tag: tagLongitudinal, vr: dicom.CS, value: dates}})
}

// equipment is what made a copy, as the equipment that contributed to an object says it (PS3.3 §C.12.1.1.5, PS3.16 CID 7005).
// It has no time: the same original gives the same copy whenever it is made.
var equipment = []leaf{
	{tag: dicom.TagManufacturer, vr: dicom.LO, value: "Asepsis"},
	{tag: dicom.TagManufacturerModelName, vr: dicom.LO, value: "Asepsis DICOM gateway"},
	{tag: dicom.TagSoftwareVersions, vr: dicom.LO, value: dicomnet.ImplementationVersionName},
	{tag: 0x0018A003, vr: dicom.ST, value: "De-identified as DICOM PS3.15 " + Edition + " annex E says"},
	{tag: 0x0040A170, vr: dicom.SQ, item: code("109104", "DCM", "De-identifying Equipment")},
}

// characteristics says of blocks of private elements that nothing in them identifies anybody (PS3.3 §C.12.1.1.7): what is left
// of them in the copy is what the lists of safe elements name.
func characteristics(blocks []safeKey) (items [][]leaf) {
	for _, b := range blocks {
		items = append(items, []leaf{
			{tag: 0x00080301, vr: dicom.US, value: string([]byte{byte(b.group), byte(b.group >> 8)})},
			{tag: 0x00080302, vr: dicom.LO, value: b.creator},
			{tag: 0x00080303, vr: dicom.CS, value: "SAFE"},
		})
	}
	return items
}

// join writes what is added to a sequence that is there already, before its end: the equipment that made the copy stands behind
// the equipment that made the original.
func (x *run) join(t *dicom.Token) error {
	if t.Tag != tagContributing || len(x.place) != 1 || len(x.added) == 0 || x.added[0].tag != t.Tag {
		return nil
	}
	a := x.added[0]
	x.added = x.added[1:]
	inside := x.place
	x.place = nil
	x.note(a.tag, "added", "PS3.15 E.1.1")
	x.place = inside
	// Within UN of undefined length all is implicit VR little endian (PS3.5 §6.2.2 note 2), which the encoder sees to.
	return x.writeItems(a.items, x.syntax.BigEndian && t.VR != dicom.UN)
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
	if err := x.writeItems(items, x.syntax.BigEndian); err != nil {
		return err
	}
	return x.token(dicom.Token{Kind: dicom.SequenceEnd})
}

// writeItems writes the items of a sequence that has begun.
func (x *run) writeItems(items [][]leaf, big bool) error {
	for _, item := range items {
		if err := x.token(dicom.Token{Kind: dicom.ItemStart, Length: dicom.UndefinedLength}); err != nil {
			return err
		}
		if err := x.leaves(item, big); err != nil {
			return err
		}
		if err := x.token(dicom.Token{Kind: dicom.ItemEnd}); err != nil {
			return err
		}
	}
	return nil
}
