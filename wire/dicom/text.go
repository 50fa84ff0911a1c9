// SPDX-License-Identifier: Apache-2.0

package dicom

import (
	"fmt"
	"strings"

	"github.com/asepsis/asepsis/wire/charset"
)

// CharacterSet writes Specific Character Set (0008,0005) with the terms of PS3.3 §C.12.1.1.2, and has Text take UTF-8 and
// write it in these sets from then on, until the item ends; items within inherit it. A character that the sets
// do not have is an *Error that wraps a *charset.CharError and names it. No terms at all declare ISO_IR 6.
func (w *Writer) CharacterSet(terms ...string) {
	declared := strings.Join(terms, `\`)
	e, err := charset.NewEncoder([]byte(declared))
	if err != nil {
		if w.err == nil {
			w.err = &Error{Offset: w.enc.Offset(), Tag: TagSpecificCharacterSet, Section: "PS3.3 §C.12.1.1.2", What: err.Error(), Err: ErrStructure}
		}
		return
	}
	w.Bytes(TagSpecificCharacterSet, CS, []byte(declared))
	w.sets[w.enc.Depth()] = e
}

// encoded returns a value's text in the character sets that are in force, where CharacterSet was called.
func (w *Writer) encoded(tag Tag, vr VR, text string) ([]byte, bool) {
	e := w.sets[w.enc.Depth()]
	if e == nil || !vr.Free() || vr == UR {
		return []byte(text), true
	}
	kind := charset.Text
	if vr == PN {
		kind = charset.Name
	}
	b, err := e.Encode(text, kind)
	if err != nil {
		if w.err == nil {
			w.err = &Error{Offset: w.enc.Offset(), Tag: tag, Section: "PS3.5 §6.1", What: fmt.Sprintf("text of %v that cannot be written", vr), Err: err}
		}
		return nil, false
	}
	return b, true
}
