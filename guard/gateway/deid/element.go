// SPDX-License-Identifier: Apache-2.0

package deid

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/wire/charset"
	"github.com/asepsis/asepsis/wire/dicom"
)

const tagLongitudinal dicom.Tag = 0x00280303

// element does one element with a value.
func (x *run) element(t *dicom.Token, in *item) error {
	if t.Tag.Group() == 4 {
		return &Refusal{Code: "directory", Why: "it is a media directory, not an instance", hint: "send the instances that it lists"}
	}
	if t.Tag == dicom.TagPixelData || t.Tag == dicom.TagFloatPixelData || t.Tag == dicom.TagDoublePixelData {
		return x.pixels(t)
	}
	if (t.Tag == tagFrameOffsets || t.Tag == tagFrameLengths) && t.Depth == 0 && x.recodes() {
		x.note(t.Tag, "removed", "E.3.1: where frames lay that are written anew")
		return x.skip()
	}
	s, vr := x.step(t, in)
	if vr == dicom.SQ && (s.do == keep || s.do == structured || s.do == mapUID) {
		return x.unfold(t, in)
	}
	switch s.do {
	case keepCreator:
		return x.creator(t, in)
	case remove:
		return x.drop(t, s)
	case blank:
		return x.replace(t, nil, "emptied", s.rule, t.Length != 0)
	case dummy:
		v := dummyOf(vr)
		switch t.Tag {
		case dicom.TagEncapsulatedDocument:
			v = encapsulated(x.facts.class)
			x.doc = len(v)
		}
		return x.replace(t, v, "replaced", s.rule, true)
	}
	if s.do == keep && !x.looked(t, s, vr, in) {
		return x.kept(t)
	}
	raw, whole, err := x.value(t)
	if err != nil {
		return err
	}
	return x.changed(t, s, vr, in, raw, whole)
}

// looked reports a kept element whose value is read all the same: text, in which the patient might be named, and what is
// known of the image.
func (x *run) looked(t *dicom.Token, s step, vr dicom.VR, in *item) bool {
	switch {
	case t.Length > maxValue:
		return false
	case t.Depth == 0 && x.image.wants(t.Tag), t.Tag == tagDocumentLength && x.doc > 0, t.Tag == 0x00080102, t.Tag == dicom.TagSpecificCharacterSet:
		return true
	}
	switch vr {
	case dicom.DS, dicom.IS, dicom.CS, dicom.AS, dicom.UI:
		return true
	}
	return prose(vr) || s.rule == ruleSafe
}

const tagDocumentLength dicom.Tag = 0x00420015

// drop leaves an element out.
func (x *run) drop(t *dicom.Token, s step) error {
	if t.Tag.Group()>>8 == 0x60 && t.Tag.Element() == 0x0102 && t.Depth == 0 {
		raw, _, err := x.value(t)
		x.note(t.Tag, "removed", s.rule)
		if x.image.overlay(raw); err == nil && x.image.hidden && x.image.passed {
			err = &Refusal{Code: "order", Why: "its elements are out of order, so that an overlay in unused bits of its pixels came too late"}
		}
		return err
	}
	x.note(t.Tag, "removed", s.rule)
	return x.skip()
}

// replace passes over a value and writes another.
func (x *run) replace(t *dicom.Token, v []byte, action, rule string, noted bool) error {
	if t.Depth == 0 && x.image.wants(t.Tag) {
		raw, _, err := x.value(t)
		if err != nil {
			return err
		}
		x.image.note(t.Tag, raw, x.syntax.BigEndian)
	} else if err := x.skip(); err != nil {
		return err
	}
	if noted {
		x.note(t.Tag, action, rule)
	}
	return x.put(t, v)
}

// kept copies an element.
func (x *run) kept(t *dicom.Token) error {
	if err := x.token(*t); err != nil {
		return err
	}
	return x.pass(nil)
}

// changed writes what a step makes of a value.
func (x *run) changed(t *dicom.Token, s step, vr dicom.VR, in *item, raw []byte, whole bool) error {
	text := strings.Trim(string(raw), " \x00")
	switch s.do {
	case keep:
		return x.keepRead(t, s, vr, in, raw)
	case mapUID:
		if !whole {
			break
		}
		uids := strings.Split(text, `\`)
		for i, u := range uids {
			uids[i] = x.p.keys.uid(strings.Trim(u, " \x00"))
		}
		if t.Depth == 0 && t.Tag == dicom.TagSOPInstanceUID {
			x.altered.SOPInstance = uids[0]
		}
		return x.swap(t, raw, strings.Join(uids, `\`), "replaced", s.rule)
	case shift:
		if moved, ok := moveDates(vr, text, x.days); whole && ok {
			return x.swap(t, raw, moved, "shifted", s.rule)
		}
	case clean:
		if v, ok := x.cleaned(vr, in, raw); whole && ok {
			return x.swap(t, raw, v, "replaced", s.rule)
		}
	case alias:
		names := strings.Split(text, `\`)
		for i, n := range names {
			if n = strings.TrimSpace(n); n != "" {
				names[i] = "AE" + x.p.keys.text("ae", n, 12)
			}
		}
		return x.swap(t, raw, strings.Join(names, `\`), "replaced", s.rule)
	case patient:
		if x.facts.patientID == "" && t.Tag == dicom.TagPatientID && text != "" {
			return &Refusal{Code: "order", Why: "its elements are out of order, so that the patient was not found before the dates", hint: "let the device's maker look at the order of elements"}
		}
		if text == "" {
			return x.put(t, nil)
		}
		return x.swap(t, raw, "P"+x.p.keys.text("patient", x.facts.patient(), 16), "replaced", s.rule)
	case accession:
		if text == "" {
			return x.put(t, nil)
		}
		return x.swap(t, raw, x.p.keys.text("accession", text, 16), "replaced", s.rule)
	}
	return x.fallback(t, s, vr, len(text) > 0)
}

// fallback does what is done where a value cannot be changed as it should.
func (x *run) fallback(t *dicom.Token, s step, vr dicom.VR, noted bool) error {
	switch {
	case s.otherwise == dummy:
		x.note(t.Tag, "replaced", s.rule)
		return x.put(t, dummyOf(vr))
	case s.otherwise == remove:
		x.note(t.Tag, "removed", s.rule)
		return nil
	case noted:
		x.note(t.Tag, "emptied", s.rule)
	}
	return x.put(t, nil)
}

// swap writes a value, and notes it where it differs from the one that was.
func (x *run) swap(t *dicom.Token, raw []byte, v, action, rule string) error {
	if string(pad(t.VR, []byte(v))) == string(raw) {
		return x.put(t, raw)
	}
	x.note(t.Tag, action, rule)
	return x.put(t, []byte(v))
}

// keepRead writes an element that stays and whose value was looked at.
func (x *run) keepRead(t *dicom.Token, s step, vr dicom.VR, in *item, raw []byte) error {
	switch t.Tag {
	case dicom.TagSpecificCharacterSet:
		in.text, in.declared = dicom.ParseCharacterSet(raw), raw
	case 0x00080102:
		in.scheme = strings.Trim(string(raw), " \x00")
	case tagDocumentLength:
		if x.doc > 0 {
			x.note(t.Tag, "replaced", "the document was replaced")
			n := binary.LittleEndian.AppendUint32(nil, uint32(x.doc))
			if x.syntax.BigEndian {
				swapWords(n, 4)
			}
			return x.put(t, n)
		}
	case dicom.TagSOPInstanceUID:
		if t.Depth == 0 {
			x.altered.SOPInstance = strings.Trim(string(raw), " \x00")
		}
	case tagBurnedIn:
		if t.Depth == 0 {
			return x.burnedIn(t, raw)
		}
	}
	if t.Depth == 0 {
		x.image.note(t.Tag, raw, x.syntax.BigEndian)
	}
	if s.rule == ruleSafe && !plausible(vr, raw) {
		x.note(t.Tag, "removed", "private: not what the list says")
		return nil
	}
	if (vr == dicom.DS || vr == dicom.IS || vr == dicom.AS || vr == dicom.UI) && !plausible(vr, raw) {
		x.note(t.Tag, "emptied", "beyond the table: text where none should be")
		return x.put(t, nil)
	}
	if older := x.tooOld(vr, raw); older != "" {
		return x.swap(t, raw, older, "replaced", "oldest_age")
	}
	if x.names(t.Tag, vr, in, raw) {
		x.note(t.Tag, "emptied", "names the patient")
		return x.put(t, nil)
	}
	if err := x.token(*t); err != nil || len(raw) == 0 {
		return err
	}
	return x.token(dicom.Token{Kind: dicom.Value, Data: raw})
}

// tooOld returns what an age above the profile's limit becomes; "" for others.
func (x *run) tooOld(vr dicom.VR, raw []byte) string {
	limit := x.p.cfg.OldestAge
	v := strings.Trim(string(raw), " \x00")
	if vr != dicom.AS || limit == 0 || len(v) != 4 {
		return ""
	}
	n, err := strconv.Atoi(v[:3])
	if days := map[byte]int{'D': 1, 'W': 7, 'M': 30, 'Y': 365}[v[3]]; err != nil || n*days < (limit+1)*365 {
		return ""
	}
	return fmt.Sprintf("%03dY", limit+1)
}

// names reports a text that holds the patient's name or ID.
func (x *run) names(tag dicom.Tag, vr dicom.VR, in *item, raw []byte) bool {
	switch {
	case len(raw) == 0:
		return false
	case prose(vr):
		text := in.text.Decode(raw)
		code := tag >= 0x00080100 && tag <= 0x00080103 // a code or its scheme may well be a word
		return !code && x.named(text, nil) || len(x.facts.patientID) >= 4 && strings.Contains(strings.ToLower(text), x.facts.lowerID)
	case vr == dicom.CS:
		return x.named(string(raw), x.p.vocab)
	case vr == dicom.DS || vr == dicom.IS: // only where all of a number is the ID
		for v := range strings.SplitSeq(string(raw), `\`) {
			if len(x.facts.patientID) >= 6 && strings.Trim(v, " \x00") == x.facts.patientID {
				return true
			}
		}
	}
	return false
}

// named reports a word of the patient's names, but for those that are also words of another list.
func (x *run) named(text string, but map[string]bool) bool {
	for _, w := range words(text) {
		if low := strings.ToLower(w); len(low) >= 3 && x.facts.names[low] && !but[low] {
			return true
		}
	}
	return false
}

// cleaned keeps the safe words of each value, in the data set's character set. ok is false when nothing is left of
// a text that was not empty.
func (x *run) cleaned(vr dicom.VR, in *item, raw []byte) (string, bool) {
	text := in.text.Decode(raw)
	values := []string{text}
	if vr == dicom.LO || vr == dicom.SH || vr == dicom.UC {
		values = strings.Split(text, `\`)
	}
	left := false
	for i, v := range values {
		values[i] = cleanText(v, x.p.vocab, x.facts.names)
		left = left || values[i] != ""
	}
	if !left {
		return "", strings.TrimSpace(text) == ""
	}
	return in.encode(strings.Join(values, `\`))
}

// encode writes a text in the character sets that are in force. Where that cannot be, nothing is left.
func (in *item) encode(text string) (string, bool) {
	e, err := charset.NewEncoder(in.declared)
	if err != nil { // a declaration that no standard knows: what it shares with all others can be written
		e, _ = charset.NewEncoder(nil)
	}
	b, err := e.Encode(text, charset.Text)
	return string(b), err == nil
}
