// SPDX-License-Identifier: Apache-2.0

package dump

import (
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/wire/dicom"
)

// Entry is an element as a list of them shows it.
type Entry struct {
	// Path names the element with the sequences around it, whose items count from one:
	// "(0008,1140)[1].(0008,1155)".
	Path     string
	Tag      dicom.Tag
	VR       dicom.VR
	Name     string // keyword, or "Private:" with who defines it
	Length   uint32 // dicom.UndefinedLength where it has none of its own
	Text     string // of text and numbers, escaped like that of Lines; "" for bytes
	Cut      bool   // the value is longer than was read
	Sequence bool   // elements of its items follow; or fragments, which do not
}

// Elements gives each element of a data set to f, in the order of the data set, until f
// returns false. Of a value, max bytes are read at most. It returns what is wrong with
// the data set after giving what could be read of it.
func Elements(src io.Reader, s dicom.Syntax, limit int, f func(*Entry) bool) error {
	if limit <= 0 {
		limit = DefaultMaxValue
	}
	w := newWalker(src, s, limit)
	type place struct {
		tag   string
		items int
	}
	var places []place
	path := func(t dicom.Tag) string {
		b := make([]byte, 0, 64)
		for _, p := range places {
			b = append(b, p.tag...)
			b = append(b, '[')
			b = strconv.AppendInt(b, int64(p.items), 10)
			b = append(b, "]."...)
		}
		return string(append(b, t.String()...))
	}
	for {
		v, err := w.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch v.Kind {
		case dicom.Element, dicom.SequenceStart, dicom.FragmentsStart:
			e := Entry{Path: path(v.Tag), Tag: v.Tag, VR: v.VR, Name: w.name(v.Tag), Length: v.Length}
			if v.Kind != dicom.Element {
				e.Sequence = true
			} else {
				e.Text, e.Cut = v.text(), v.cut
			}
			if !f(&e) {
				return nil
			}
			if v.Kind == dicom.SequenceStart {
				places = append(places, place{tag: v.Tag.String()})
			}
		case dicom.ItemStart:
			if n := len(places); n > 0 {
				places[n-1].items++
			}
		case dicom.SequenceEnd:
			if n := len(places); n > 0 {
				places = places[:n-1]
			}
		}
	}
}

// text returns a value of text or numbers; "" for bytes.
func (v *value) text() string {
	if v.VR.Text() || v.VR == dicom.UI {
		return clean(strings.Join(v.strings(), `\`))
	}
	return strings.Join(v.numbers(), `\`)
}
