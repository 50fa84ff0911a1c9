// SPDX-License-Identifier: Apache-2.0

package deid

import "github.com/asepsis/asepsis/wire/dicom"

// deed is what is done to an element.
type deed uint8

const (
	keep        deed = iota // as it is; of a sequence, each item by itself
	remove                  //
	blank                   // zero length
	dummy                   // a value that says nothing
	mapUID                  //
	shift                   // dates moved, times kept
	clean                   // the words that are safe
	alias                   // a keyed AE title
	patient                 // the patient's pseudonym
	accession               // the accession number's pseudonym
	keepCreator             // of a block of private elements, where one of them may stay
	structured              // a sequence of content: items by themselves, text in them cleaned
)

// step is what a profile does to a tag.
type step struct {
	do        deed
	otherwise deed   // where do is not possible or leaves nothing
	rule      string // as in instance.Change
	// text is true where, within content that is cleaned, the text is cleaned too, whatever do says elsewhere.
	text bool
}

// firm turns an action of the Basic Profile into what is done: of several the one that keeps an object valid whether the
// attribute is of Type 1, 2 or 3 (PS3.5 §7.4).
func (a Action) firm() deed {
	switch a {
	case Remove:
		return remove
	case Empty, emptyOr:
		return blank
	case Dummy, dummyOr, emptyDmy, anyOr:
		return dummy
	case Map:
		return mapUID
	}
	return keep // X/Z/U*: the references in the sequence are mapped
}

// resolve makes a profile's step of a row: cleaning beats keeping, which beats the Basic Profile.
func resolve(r *Row, has func(Option) bool) step {
	s := step{do: r.Basic.firm(), otherwise: r.Basic.firm(), rule: "E.1-1 " + string(r.Basic)}
	if s.otherwise == keep || s.otherwise == mapUID {
		s.otherwise = blank
	}
	if s.do == dummy && r.VR == dicom.UI { // a dummy that stays one of several
		s.do = mapUID
	}
	var by Option
	for o, a := range r.Options {
		if has(o) && (by == noOption || a == Clean && r.Options[by] == Keep || a == r.Options[by] && o < by) {
			by = o
		}
	}
	if by == noOption {
		return s
	}
	s.rule = "E.1-1 " + string(r.Options[by]) + " " + string(by)
	if r.Options[by] == Keep {
		s.do = keep
		return s
	}
	switch by {
	case RetainModifiedDates:
		switch r.VR {
		case dicom.DA, dicom.DT, dicom.TM:
			s.do = shift
		case dicom.SH: // the offset of the time zone, which whole days do not change
			s.do = keep
		}
	case CleanDescriptors, RetainPatientCharacteristics:
		if s.do = clean; r.VR == dicom.SQ {
			s.do = structured
		} else if !prose(r.VR) {
			s.do = s.otherwise
		}
	case RetainDeviceIdentity:
		s.do = alias
	case CleanStructuredContent:
		s.do = structured
	case CleanGraphics:
		if s.do = structured; r.VR != dicom.SQ { // curves and overlays cannot be read, so cleaning them is removing them
			s.do = remove
		}
	}
	return s
}

const noOption Option = ""

// prose reports the VRs whose words can be cleaned.
func prose(v dicom.VR) bool {
	switch v {
	case dicom.LO, dicom.SH, dicom.ST, dicom.LT, dicom.UT, dicom.UC:
		return true
	}
	return false
}

// steps are a profile's steps by tag, without repeating groups and private attributes.
func steps(p *Profile, has func(Option) bool) map[dicom.Tag]step {
	m := map[dicom.Tag]step{}
	for i := range Table() {
		r := &Table()[i]
		if r.Pattern[1] == 'o' || r.Pattern[3] == 'x' {
			continue
		}
		m[r.Tag] = resolve(r, has)
	}
	for _, b := range beyond {
		s := step{do: b.action.firm(), otherwise: b.action.firm(), rule: "beyond the table: " + b.why, text: b.option == CleanDescriptors}
		switch {
		case b.option == noOption || !has(b.option):
		case s.text:
			s.do = clean
		default:
			s.do = keep
		}
		m[b.tag] = s
	}
	if p.Patient != "empty" {
		m[dicom.TagPatientID] = step{do: patient, otherwise: blank, rule: "patient pseudonym"}
		m[tagPatientName] = step{do: patient, otherwise: blank, rule: "patient pseudonym"}
	} else {
		m[dicom.TagPatientID] = step{do: blank, otherwise: blank, rule: "E.1-1 Z/D"}
	}
	if p.Accession == "pseudonym" {
		m[dicom.TagAccessionNumber] = step{do: accession, otherwise: blank, rule: "accession pseudonym"}
	}
	return m
}

// unlisted is what is done to a standard attribute that no row and no line of beyond names. vr is what it
// declares, or what the dictionary says where it declares nothing.
func (p *profile) unlisted(tag dicom.Tag, vr dicom.VR) step {
	e, ok := dicom.Lookup(tag)
	if !ok {
		return step{do: remove, otherwise: remove, rule: "beyond the table: not in the dictionary"}
	}
	switch {
	case prose(vr) && !prose(e.VR):
		return step{do: clean, otherwise: blank, rule: "beyond the table: text where none should be"}
	case (e.VR.Text() || e.VR == dicom.SQ) && !vr.Text() && vr != dicom.SQ:
		return step{do: remove, otherwise: remove, rule: "beyond the table: bytes where text or a sequence should be"}
	}
	switch vr {
	case dicom.PN:
		return step{do: blank, otherwise: blank, rule: "beyond the table: a person's name"}
	case dicom.AE:
		if p.has(RetainDeviceIdentity) {
			return step{do: alias, otherwise: blank, rule: "beyond the table: an application's name"}
		}
		return step{do: blank, otherwise: blank, rule: "beyond the table: an application's name"}
	case dicom.UI:
		if !classes[tag] && !p.has(RetainUIDs) {
			return step{do: mapUID, otherwise: blank, rule: "beyond the table: a UID"}
		}
	case dicom.UR:
		if !addresses[tag] {
			return step{do: remove, otherwise: remove, rule: "beyond the table: an address"}
		}
	case dicom.DA, dicom.DT, dicom.TM:
		switch {
		case p.has(RetainModifiedDates):
			return step{do: shift, otherwise: blank, rule: "beyond the table: a date or time"}
		case !p.has(RetainFullDates):
			return step{do: blank, otherwise: blank, rule: "beyond the table: a date or time"}
		}
	case dicom.ST, dicom.LT, dicom.UT, dicom.UC:
		if p.cfg.FreeText != "keep" && !technical[tag] {
			return step{do: clean, otherwise: blank, rule: "beyond the table: free text"}
		}
	}
	return step{rule: "sweep"}
}
