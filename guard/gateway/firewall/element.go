// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"math/bits"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
)

// header judges the header of an element and decides how its value is read.
func (x *inspection) header(t *dicom.Token) {
	x.tail = x.tail[:0]
	if x.metAny {
		x.met, x.metAny = [ruleCount]bool{}, false
	}
	x.mark = ""
	x.val.begin(t)
	lv := &x.levels[t.Depth]
	x.chars = lv.chars
	x.order(t, lv)
	if t.Depth == 0 {
		x.groups(t)
	}
	if t.Length&1 != 0 && t.Length != dicom.UndefinedLength {
		x.hit(structureOddLength, "a value of odd length")
	}
	if t.Tag.IsPrivate() {
		x.private(t, lv)
	} else {
		x.standard(t)
	}
	if t.Kind == dicom.Element {
		x.choose(t, lv)
	}
}

// order judges that elements ascend and stand once in an item.
func (x *inspection) order(t *dicom.Token, lv *level) {
	switch {
	case t.Tag == lv.last && lv.last != 0:
		x.hit(structureDuplicate, "the element stands twice")
	case t.Tag < lv.last:
		x.hit(structureOrder, "the element stands after one with a larger tag")
	}
	lv.last = max(lv.last, t.Tag)
	if t.Depth > 0 {
		return
	}
	if bit := keyBit(t.Tag); bit != 0 {
		if x.ids.seen&bit != 0 {
			x.hit(structureDuplicate, "the element stands twice")
		}
		x.ids.seen |= bit
	}
}

// groups judges groups that have no place in a data set, and group lengths.
func (x *inspection) groups(t *dicom.Token) {
	switch g := t.Tag.Group(); g {
	case 0x0000, 0x0001, 0x0003, 0x0005, 0x0007, 0xFFFF:
		if t.Tag == 0 && t.Length == 0 && t.Offset > 0 {
			x.hit(structureTrailing, "zeros follow the last element")
		} else {
			x.hit(structureReservedGroup, "an element of a group that may not stand in a data set")
		}
	case 0x0002:
		x.hit(syntaxFileMeta, "file meta information in a data set")
	}
	if g := &x.group; g.known && g.number != t.Tag.Group() {
		x.endGroupAt(t.Offset)
	}
}

// groupLength is a declared length of a group (PS3.5 §7.2).
type groupLength struct {
	known  bool
	number uint16
	end    uint64
	t      dicom.Token
}

func (x *inspection) endGroup() { x.endGroupAt(x.tok.Offset()) }

func (x *inspection) endGroupAt(offset uint64) {
	if x.group.known && x.group.end != offset {
		x.hitAt(structureGroupLength, x.group.t.Tag.String(), "the group is longer or shorter than its group length")
	}
	x.group.known = false
}

// nature is what a value is to a reader that converts it.
type nature uint8

const (
	natureNone nature = iota // UN: nothing is said
	natureText
	natureNumber
	natureBytes
	natureSequence
)

func natureOf(v dicom.VR) nature {
	switch {
	case v == dicom.UN || v == 0:
		return natureNone
	case v == dicom.SQ:
		return natureSequence
	case v == dicom.UI || v.Text():
		return natureText
	case v.Bulk():
		return natureBytes
	case v.Known():
		return natureNumber
	}
	return natureNone
}

// standard judges the value representation of an element of the standard.
func (x *inspection) standard(t *dicom.Token) {
	vr := t.VR
	if !vr.Known() && vr != 0 {
		x.hit(vrUnknown, "a value representation that the standard does not know")
	}
	if dimension(t.Tag) && (vr != dicom.US && vr != dicom.SS && vr != dicom.UN || t.Length != dimensionLength(t.Tag)) {
		x.hit(vrDimension, "an element that sizes the picture is not the number that it must be")
	}
	want := vr
	if x.explicit() {
		want = dicom.VROf(t.Tag)
	}
	if want != vr && want != dicom.UN {
		a, b := natureOf(want), natureOf(vr)
		switch {
		case b == natureNone && vr != dicom.UN, a == natureNone:
		case vr == dicom.UN:
			if t.Length > 0 && (a == natureSequence || a == natureText) {
				x.hit(vrDictionary, "an element of the standard is sent as unknown")
			}
		case a == b && (a != natureNumber || want.WordSize() == vr.WordSize()), interchangeable(want, vr):
			if !interchangeable(want, vr) {
				x.hit(vrDictionary, "another value representation than that of the dictionary")
			}
		case a == b && !sizing(t.Tag):
			x.hit(vrDictionary, "a number of another width than that of the dictionary")
		case t.Kind == dicom.FragmentsStart && a == natureBytes:
		default:
			x.hit(vrConfusion, "a value representation of another nature or width than that of the dictionary")
		}
	}
	if t.Kind == dicom.Element {
		if w := uint32(vr.WordSize()); w > 1 && t.Length%w != 0 && !(w == 2 && vr == dicom.OW) {
			x.hit(vrLength, "the value is not a whole number of words")
		}
	}
}

// sizing reports elements of groups whose numbers say how large pictures, tables, curves, waveforms and overlays are, and how many.
func sizing(t dicom.Tag) bool {
	switch g := t.Group(); g {
	case 0x0028, 0x003A, 0x5400, 0x0066, 0x7FE0:
		return true
	default:
		return g&0xFF01 == 0x5000 || g&0xFF01 == 0x6000
	}
}

// interchangeable reports representations between which the standard leaves the choice (PS3.6, "US or SS", "US or OW"), or
// that are bytes and words of the same.
func interchangeable(a, b dicom.VR) bool {
	in := func(v dicom.VR) bool { return v == dicom.US || v == dicom.SS || v == dicom.OW || v == dicom.OB }
	return in(a) && in(b)
}

// explicit reports that value representations were sent, and not looked up.
func (x *inspection) explicit() bool { return x.syntax.Explicit }

// blocks are the private blocks of the group under way of an item (PS3.5 §7.8.1).
type blocks struct {
	group    uint16
	declared [4]uint64
	refused  [4]uint64 // their creator is to be taken away
}

func (b *blocks) in(group uint16) {
	if b.group != group {
		*b = blocks{group: group}
	}
}

func (x *inspection) private(t *dicom.Token, lv *level) {
	x.priv++
	if x.priv == x.policy.max[structurePrivateCount]+1 {
		x.hitAt(structurePrivateCount, "", "more private elements than the policy allows")
	}
	lv.priv.in(t.Tag.Group())
	e := t.Tag.Element()
	switch {
	case t.Tag.IsPrivateCreator():
		lv.priv.declared[e>>6] |= 1 << (e & 63)
		return // its value is judged when it is there
	case e < 0x1000:
		return // group lengths, and what nobody should use
	}
	block := e >> 8
	switch bit := uint64(1) << (block & 63); {
	case lv.priv.declared[block>>6]&bit == 0:
		x.hit(privateOrphan, "a private element without creator")
	case lv.priv.refused[block>>6]&bit != 0:
		x.metAny = true
		x.marking(privateCreator, actRemove)
	}
	if w := uint32(t.VR.WordSize()); t.Kind == dicom.Element && w > 1 && t.VR != dicom.OW && t.Length%w != 0 {
		x.hit(vrLength, "the value is not a whole number of words")
	}
}

// creator judges a private creator.
func (x *inspection) creator(t *dicom.Token, name string) {
	lv := &x.levels[t.Depth]
	e := t.Tag.Element()
	bit := uint64(1) << (e & 63)
	if name == "" {
		lv.priv.declared[e>>6] &^= bit
		return
	}
	if x.policy.allow[privateCreator].match(name) {
		return
	}
	x.hit(privateCreator, "a private creator that is not allowed")
	if x.verdicts[privateCreator] == instance.Sanitise && x.marked == privateCreator && x.mark == actRemove {
		lv.priv.refused[e>>6] |= bit
	}
}

// choose decides how a value is read.
func (x *inspection) choose(t *dicom.Token, lv *level) {
	v := &x.val
	switch {
	case t.Tag == dicom.TagPixelData || t.Tag == dicom.TagFloatPixelData || t.Tag == dicom.TagDoublePixelData:
		x.nativePixels(t, lv)
	case t.Tag == dicom.TagEncapsulatedDocument:
		v.mode = modeDocument
		x.beginDocument(t)
	case t.Tag == dicom.TagDataSetPadding:
		v.mode = modePadding
	case t.VR == dicom.UI || t.VR.Text() || t.Tag.IsPrivateCreator():
		v.mode = modeText
	case t.VR == dicom.UN && x.explicit() && t.Length > 0 && !x.quiet && !t.Tag.IsPrivate() && dicom.VROf(t.Tag) == dicom.SQ:
		v.mode = modeNested
		x.beginNested(t)
	case t.VR.Bulk() || natureOf(t.VR) == natureNone:
		if tableData(t.Tag) {
			x.table(t, lv)
			return
		}
		if v.mode = modeKeep; !t.Tag.IsPrivate() && t.VR == dicom.UN && natureOf(dicom.VROf(t.Tag)) == natureText {
			v.mode = modeText
		}
		v.want = int(min(t.Length, hold))
	default:
		if tableData(t.Tag) {
			x.table(t, lv)
		}
		if interesting(t.Tag) {
			v.mode, v.want = modeKeep, int(min(t.Length, 64))
		}
	}
}

// keyBit gives elements that stand for an object's identity and size a bit each.
func keyBit(t dicom.Tag) uint32 {
	for i, k := range keyTags {
		if k == t {
			return 1 << i
		}
	}
	return 0
}

var keyTags = [...]dicom.Tag{dicom.TagSpecificCharacterSet, dicom.TagSOPClassUID, dicom.TagSOPInstanceUID, dicom.TagModality, 0x00100010, dicom.TagPatientID, 0x00100030,
	dicom.TagStudyInstanceUID, dicom.TagSeriesInstanceUID, 0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280011, 0x00280100, dicom.TagPixelData, dicom.TagEncapsulatedDocument}

// pinned reports an element that an object cannot be without.
func (x *inspection) pinned(t *dicom.Token) bool {
	if t.Depth > 0 {
		return false
	}
	switch t.Tag {
	case 0x00280103, 0x00280101, 0x00280102, dicom.TagFloatPixelData, dicom.TagDoublePixelData:
		return true
	}
	b := keyBit(t.Tag)
	return b != 0 && bits.OnesCount32(b) == 1 && t.Tag != 0x00100010 && t.Tag != dicom.TagPatientID && t.Tag != 0x00100030
}
