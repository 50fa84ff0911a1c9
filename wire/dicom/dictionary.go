// SPDX-License-Identifier: Apache-2.0

package dicom

import "sort"

// Entry is what PS3.6 says about a tag.
type Entry struct {
	Keyword string // "" for the few retired tags that have none
	VR      VR     // the first where the standard leaves a choice; 0 for none
	VM      string // "1", "1-n"
	Retired bool
}

// Lookup returns the dictionary's entry for a tag. Repeating groups (50xx, 60xx
// ...) are known; private tags are not, except group length and private creator.
func Lookup(t Tag) (Entry, bool) {
	if i, ok := find(t); ok {
		f := dictFlags[i]
		return Entry{Keyword: keywordAt(i), VR: dictVRs[i], VM: dictVMs[f&0x7f], Retired: f&0x80 != 0}, true
	}
	switch {
	case t.Element() == 0: // PS3.5 §7.2
		return Entry{Keyword: "GenericGroupLength", VR: UL, VM: "1", Retired: t.Group() > 6}, true
	case t.IsPrivateCreator():
		return Entry{Keyword: "PrivateCreator", VR: LO, VM: "1"}, true
	case t.IsPrivate():
		return Entry{}, false
	}
	for _, r := range &dictRepeaters {
		if t&r.mask == r.value {
			return Entry{Keyword: r.keyword, VR: r.vr, VM: "1", Retired: t.Group()>>8 != 0x60}, true
		}
	}
	return Entry{}, false
}

// VROf returns the VR that implicit VR encoding gives to a tag (PS3.5 §A.1), UN
// when the dictionary does not know it. It does not allocate.
func VROf(t Tag) VR {
	if i, ok := find(t); ok {
		if v := dictVRs[i]; v != 0 {
			return v
		}
		return UN
	}
	if e, ok := Lookup(t); ok {
		return e.VR
	}
	return UN
}

// Keyword returns the keyword of a tag, or the tag itself in the form
// "(0009,1010)" when it has none.
func Keyword(t Tag) string {
	if e, ok := Lookup(t); ok && e.Keyword != "" {
		return e.Keyword
	}
	return t.String()
}

// TagOf returns the tag with a keyword. Repeating groups have no single tag.
func TagOf(keyword string) (Tag, bool) {
	i := sort.Search(len(dictByKeyword), func(i int) bool { return keywordAt(int(dictByKeyword[i])) >= keyword })
	if i < len(dictByKeyword) && keyword != "" && keywordAt(int(dictByKeyword[i])) == keyword {
		return dictTags[dictByKeyword[i]], true
	}
	return 0, false
}

// DictionaryEdition names the edition of PS3.6 that the tables hold.
func DictionaryEdition() string { return dictionarySource }

func keywordAt(i int) string { return dictKeys[dictKeyOffsets[i]:dictKeyOffsets[i+1]] }

func find(t Tag) (int, bool) {
	lo, hi := 0, len(dictTags)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if dictTags[m] < t {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo, lo < len(dictTags) && dictTags[lo] == t
}
