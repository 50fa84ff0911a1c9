// SPDX-License-Identifier: Apache-2.0

package deid

import (
	_ "embed"
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/asepsis/asepsis/wire/dicom"
)

// safeKey is a private creator in a group.
type safeKey struct {
	creator string
	group   uint16
}

type safeElement struct {
	creator string
	group   uint16
	element uint8
	vr      dicom.VR
}

// ruleSafe marks a private element that stays.
const ruleSafe = "E.1-1 C " + string(RetainSafePrivate)

//go:embed table/safe-private.txt
var safeText string

// safeTable is PS3.15 table E.3.10-1 as far as it is used.
var safeTable = sync.OnceValue(func() map[safeKey]map[uint8]dicom.VR {
	m := map[safeKey]map[uint8]dicom.VR{}
	for line := range strings.Lines(safeText) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var k safeKey
		name, rest, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), `"`), `" `)
		group, list, ok2 := strings.Cut(rest, ": ")
		if _, err := fmt.Sscanf(group, "%04X", &k.group); err != nil || !ok || !ok2 {
			panic(fmt.Sprintf("BUG: table/safe-private.txt: %q", line))
		}
		k.creator = name
		if m[k] == nil {
			m[k] = map[uint8]dicom.VR{}
		}
		for e := range strings.SplitSeq(list, ", ") {
			var element uint8
			var vr string
			if _, err := fmt.Sscanf(e, "%02X %2s", &element, &vr); err != nil || len(vr) != 2 {
				panic(fmt.Sprintf("BUG: table/safe-private.txt: %q: %q", line, e))
			}
			m[k][element] = dicom.VR(vr[0])<<8 | dicom.VR(vr[1])
		}
	}
	return m
})

// safePrivate returns the standard's safe private elements and a profile's own.
func safePrivate(own []SafePrivate) (map[safeKey]map[uint8]dicom.VR, error) {
	m := map[safeKey]map[uint8]dicom.VR{}
	for k, v := range safeTable() {
		m[k] = maps.Clone(v)
	}
	for _, s := range own {
		e, err := s.parse()
		if err != nil {
			return nil, err
		}
		k := safeKey{e.creator, e.group}
		if m[k] == nil {
			m[k] = map[uint8]dicom.VR{}
		}
		m[k][e.element] = e.vr
	}
	return m, nil
}

// private is the step of a private element (PS3.5 §7.8.1): it stays where its creator, its place in the creator's block and
// its VR are on the list.
func (x *run) private(t *dicom.Token, in *item) (step, dicom.VR) {
	out := step{do: remove, rule: "E.1-1 X"}
	if x.p.safe == nil {
		return out, t.VR
	}
	block := uint32(t.Tag.Group())<<8 | uint32(t.Tag.Element()>>8)
	if t.Tag.IsPrivateCreator() {
		return step{do: keepCreator, rule: out.rule}, t.VR
	}
	listed, ok := in.blocks[block][uint8(t.Tag.Element())]
	if !ok || t.Tag.Element() < 0x1000 {
		return out, t.VR
	}
	opaque := t.Kind == dicom.Element
	switch {
	case (listed == dicom.SQ) == opaque: // a sequence that cannot be read, or one where none should be
		return out, t.VR
	case opaque && t.VR != listed && t.VR != dicom.UN:
		return out, t.VR
	case listed == dicom.SQ:
		return step{do: structured, rule: ruleSafe}, listed
	case listed == dicom.UI && !x.p.has(RetainUIDs):
		return step{do: mapUID, otherwise: blank, rule: ruleSafe}, listed
	case listed == dicom.DA || listed == dicom.DT || listed == dicom.TM:
		if x.p.has(RetainModifiedDates) {
			return step{do: shift, otherwise: remove, rule: ruleSafe}, listed
		} else if !x.p.has(RetainFullDates) {
			return out, t.VR
		}
	case listed == dicom.PN:
		return out, t.VR
	}
	return step{do: keep, rule: ruleSafe}, listed
}

// creator does a private creator element: it stays where something of its block may.
func (x *run) creator(t *dicom.Token, in *item) error {
	raw, _, err := x.value(t)
	if err != nil {
		return err
	}
	list := x.p.safe[safeKey{strings.Trim(string(raw), " \x00"), t.Tag.Group()}]
	if list == nil || t.Length > 64 {
		x.note(t.Tag, "removed", "E.1-1 X")
		return nil
	}
	if in.blocks == nil {
		in.blocks = map[uint32]map[uint8]dicom.VR{}
	}
	in.blocks[uint32(t.Tag.Group())<<8|uint32(t.Tag.Element())] = list
	return x.put(t, raw)
}

// plausible reports a value that is what its VR says: in implicit VR, and under a VR of unknown, it might be anything.
func plausible(vr dicom.VR, raw []byte) bool {
	switch vr {
	case dicom.DS, dicom.IS:
		return strings.Trim(string(raw), "0123456789+-.eE\\ \x00") == ""
	case dicom.UI:
		return strings.Trim(string(raw), "0123456789.\\ \x00") == ""
	case dicom.AS:
		v := strings.Trim(string(raw), " \x00")
		return v == "" || len(v) == 4 && digits(v[:3]) && strings.Contains("DWMY", v[3:])
	case dicom.CS:
		return strings.Trim(string(raw), "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_\\ \x00") == ""
	}
	return len(raw)%vr.WordSize() == 0
}
