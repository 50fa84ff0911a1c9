// SPDX-License-Identifier: Apache-2.0

// Package dump shows data sets to people, as lines like those of DCMTK's dcmdump,
// and to programs, in the DICOM JSON model (PS3.18 §F.2).
//
// Both read the data set once, as a stream, and hold of a value at most
// Options.MaxValue bytes. Text is shown as UTF-8, whatever character set it is in. What a
// data set says is never sent to the terminal as it is: control characters are escaped.
//
// # Not done
//
// Private elements are shown with their private creator, not with names of their
// own: there is no private dictionary. The JSON of an encapsulated data set has no
// pixel data. JSON is not read.
package dump

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/asepsis/asepsis/wire/dicom"
)

// DefaultMaxValue is how many bytes of a value are shown in lines.
const DefaultMaxValue = 64

// Options say what is shown.
type Options struct {
	// Tags, when there are any, are the elements that are shown, wherever they
	// stand; a sequence with all that is in it.
	Tags []dicom.Tag
	// MaxValue is how many bytes of a value are shown; 0 is DefaultMaxValue for
	// lines, DefaultInline for JSON.
	MaxValue int
	// BulkURI, in JSON, is what BulkDataURI begins with: "file:ct.dcm". Offsets that are appended
	// count from its start, Base is that of the data set.
	BulkURI string
	Base    uint64
}

// value is an element that was read.
type value struct {
	dicom.Token
	data    []byte
	cut     bool // data is not all of it
	charset dicom.CharacterSet
	big     bool
}

// level is what holds for the elements of an item.
type level struct {
	charset  dicom.CharacterSet
	creators map[dicom.Tag]string // private creator by group and block
	big      bool
}

// walker reads elements with their values and follows what depends on the item.
type walker struct {
	r      *dicom.Reader
	limit  int
	levels []level
}

func newWalker(src io.Reader, s dicom.Syntax, limit int) *walker {
	return &walker{r: dicom.NewReader(src, s, dicom.DefaultLimits()), limit: limit, levels: []level{{big: s.BigEndian}}}
}

// next returns the next token that is no Value, elements with their value.
func (w *walker) next() (value, error) {
	t, err := w.r.Next()
	if err != nil {
		return value{Token: t}, err
	}
	top := &w.levels[len(w.levels)-1]
	v := value{Token: t, charset: top.charset, big: top.big}
	switch t.Kind {
	case dicom.ItemStart:
		w.levels = append(w.levels, level{charset: top.charset, big: top.big})
	case dicom.SequenceStart:
		if t.VR == dicom.UN { // PS3.5 §6.2.2 note 2
			w.levels = append(w.levels, level{charset: top.charset})
		} else {
			w.levels = append(w.levels, *top)
		}
	case dicom.ItemEnd, dicom.SequenceEnd:
		w.levels = w.levels[:len(w.levels)-1]
	case dicom.Element, dicom.Fragment:
		keep := w.limit
		if t.Tag == dicom.TagSpecificCharacterSet || t.Tag.IsPrivateCreator() {
			keep = max(keep, 256)
		}
		if v.data, err = w.r.Value(keep); err != nil {
			return v, err
		}
		v.cut = uint64(len(v.data)) < uint64(t.Length)
		switch {
		case t.Kind == dicom.Fragment:
		case t.Tag == dicom.TagSpecificCharacterSet:
			top.charset = dicom.ParseCharacterSet(v.data)
		case t.Tag.IsPrivateCreator():
			if top.creators == nil {
				top.creators = map[dicom.Tag]string{}
			}
			if len(top.creators) < 256 {
				top.creators[t.Tag] = dicom.TrimString(v.data)
			}
		}
	}
	return v, nil
}

// name returns the keyword of an element, or who defines it.
func (w *walker) name(t dicom.Tag) string {
	if e, ok := dicom.Lookup(t); ok && e.Keyword != "" {
		return e.Keyword
	}
	if t.IsPrivate() {
		creator := dicom.MakeTag(t.Group(), t.Element()>>8)
		if c := w.levels[len(w.levels)-1].creators[creator]; c != "" {
			return "Private:" + clean(c)
		}
		return "Private"
	}
	return "Unknown"
}

// strings returns the values of a text element as UTF-8, without padding.
func (v *value) strings() []string {
	b := v.data
	text := v.charset.Decode(b)
	if v.VR == dicom.PN {
		n, _ := v.charset.Append(nil, b, nameKind)
		text = string(n)
	}
	switch v.VR {
	case dicom.LT, dicom.ST, dicom.UT, dicom.UR:
		return []string{strings.TrimRight(text, " \x00")}
	}
	parts := strings.Split(text, `\`)
	for i, p := range parts {
		if v.VR == dicom.PN || v.VR == dicom.UC {
			parts[i] = strings.TrimRight(p, " \x00")
		} else {
			parts[i] = strings.Trim(p, " \x00")
		}
	}
	return parts
}

// order is the byte order of the element's words.
func (v *value) order() binary.ByteOrder {
	if v.big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// numbers returns the values of a binary number as decimal text; nil for other VRs, and for a value that is cut in a word.
func (v *value) numbers() []string {
	size := v.VR.WordSize()
	switch v.VR {
	case dicom.US, dicom.SS, dicom.UL, dicom.SL, dicom.FL, dicom.FD, dicom.SV, dicom.UV:
	case dicom.AT:
		size = 4
	default:
		return nil
	}
	o := v.order()
	out := make([]string, 0, len(v.data)/size)
	for b := v.data; len(b) >= size; b = b[size:] {
		var s string
		switch v.VR {
		case dicom.US:
			s = strconv.Itoa(int(o.Uint16(b)))
		case dicom.SS:
			s = strconv.Itoa(int(int16(o.Uint16(b))))
		case dicom.UL:
			s = strconv.FormatUint(uint64(o.Uint32(b)), 10)
		case dicom.SL:
			s = strconv.Itoa(int(int32(o.Uint32(b))))
		case dicom.UV:
			s = strconv.FormatUint(o.Uint64(b), 10)
		case dicom.SV:
			s = strconv.FormatInt(int64(o.Uint64(b)), 10)
		case dicom.FL:
			s = strconv.FormatFloat(float64(math.Float32frombits(o.Uint32(b))), 'g', -1, 32)
		case dicom.FD:
			s = strconv.FormatFloat(math.Float64frombits(o.Uint64(b)), 'g', -1, 64)
		case dicom.AT:
			s = strings.ToLower(dicom.MakeTag(o.Uint16(b), o.Uint16(b[2:])).String())
		}
		out = append(out, s)
	}
	return out
}

// clean escapes what a terminal might obey: control characters, and those that turn the direction of text.
func clean(s string) string {
	bad := func(r rune) bool {
		return unicode.IsControl(r) || r == unicode.ReplacementChar || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
	}
	if !strings.ContainsFunc(s, bad) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == unicode.ReplacementChar || !bad(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
	}
	return b.String()
}

func (o *Options) wants(t dicom.Tag) bool { return len(o.Tags) == 0 || slices.Contains(o.Tags, t) }
