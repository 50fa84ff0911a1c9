// SPDX-License-Identifier: Apache-2.0

package hl7

import (
	"bytes"
	"fmt"
)

// The limits of a message.
const (
	MaxSegments = 16384
	MaxMessages = 16384
	MaxFields   = 512
	MaxReps     = 1024
	MaxParts    = 256 // components and subcomponents
)

// Delimiters are the separators that a header declares. A zero byte means that
// the message has none for that purpose.
type Delimiters struct {
	Field, Component, Repetition, Escape, Subcomponent, Truncation byte
}

// Usual are the delimiters that the standard recommends.
var Usual = Delimiters{Field: '|', Component: '^', Repetition: '~', Escape: '\\', Subcomponent: '&'}

// String gives MSH-1 and MSH-2.
func (d Delimiters) String() string {
	b := []byte{d.Field}
	for _, c := range []byte{d.Component, d.Repetition, d.Escape, d.Subcomponent, d.Truncation} {
		if c == 0 {
			break
		}
		b = append(b, c)
	}
	return string(b)
}

// Error is a message whose header cannot be read.
type Error struct {
	Offset int
	Reason string
}

func (e *Error) Error() string { return fmt.Sprintf("hl7: offset %d: %s", e.Offset, e.Reason) }

// Message is a parsed message or batch. Its views are valid as long as the
// bytes given to Parse are. It must not be copied.
type Message struct {
	Delimiters
	Segments  []Segment
	Truncated bool // more than MaxSegments
	Odd       int  // lines that do not begin with a segment name, left out
}

// Segment is a view of one segment, without its end.
type Segment struct {
	d   *Delimiters
	raw []byte
}

// IsHeader reports whether b begins with a message, batch or file header and
// plausible delimiters: enough to recognise HL7 by.
func IsHeader(b []byte) bool {
	_, _, reason := readHeader(b)
	return reason == ""
}

func headerDelimiters(b []byte) (Delimiters, *Error) {
	d, at, reason := readHeader(b)
	if reason != "" {
		return Delimiters{}, &Error{at, reason}
	}
	return d, nil
}

// readHeader reads the delimiters, or says what is wrong and where.
func readHeader(b []byte) (_ Delimiters, at int, reason string) {
	if len(b) < 4 {
		return Delimiters{}, len(b), "header is cut"
	}
	switch string(b[:3]) {
	case "MSH", "FHS", "BHS":
	default:
		return Delimiters{}, 0, "does not begin with MSH, FHS or BHS"
	}
	if !delimiter(b[3]) {
		return Delimiters{}, 3, "field separator is not a separator"
	}
	var enc [5]byte // component, repetition, escape, subcomponent, truncation
	for i := 0; ; i++ {
		at := 4 + i
		if at >= len(b) || b[at] == b[3] || b[at] == '\r' || b[at] == '\n' {
			if i == 0 {
				return Delimiters{}, at, "encoding characters missing"
			}
			return Delimiters{b[3], enc[0], enc[1], enc[2], enc[3], enc[4]}, 0, ""
		}
		if i == len(enc) {
			return Delimiters{}, at, "too many encoding characters"
		}
		if !delimiter(b[at]) || bytes.IndexByte(b[3:at], b[at]) >= 0 {
			return Delimiters{}, at, "encoding characters are not distinct separators"
		}
		enc[i] = b[at]
	}
}

// delimiter reports whether c may separate: printable ASCII that is neither a
// letter, a digit nor a space.
func delimiter(c byte) bool {
	return c > 0x20 && c < 0x7f && !alnum(c)
}

func alnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// Parse reads a message, or a batch as one sequence of segments, see Messages.
// It uses m's memory again.
func (m *Message) Parse(b []byte) error {
	m.Segments, m.Truncated, m.Odd = m.Segments[:0], false, 0
	skipped := len(b)
	b = bytes.TrimLeft(b, " \t\r\n")
	skipped -= len(b)
	d, e := headerDelimiters(b)
	if e != nil {
		e.Offset += skipped
		return e
	}
	m.Delimiters = d
	field := d.Field // of the message that the line belongs to
	for len(b) > 0 {
		line := b
		if i := bytes.IndexByte(b, '\r'); i >= 0 {
			line, b = b[:i], b[i+1:]
		} else {
			b = nil
		}
		// A line feed ends a segment as well; within a CR-ended line that is
		// rare, so one search over the line is enough to find none.
		for len(line) > 0 {
			seg := line
			if i := bytes.IndexByte(line, '\n'); i >= 0 {
				seg, line = line[:i], line[i+1:]
			} else {
				line = nil
			}
			if len(seg) == 0 {
				continue
			}
			if len(seg) > 3 && seg[3] != field && IsHeader(seg) {
				field = seg[3]
			}
			if !m.add(seg, field) {
				return nil
			}
		}
	}
	return nil
}

func (m *Message) add(seg []byte, field byte) bool {
	if len(seg) < 3 || !alnum(seg[0]) || !alnum(seg[1]) || !alnum(seg[2]) || len(seg) > 3 && seg[3] != field {
		m.Odd++
		return true
	}
	if len(m.Segments) >= MaxSegments {
		m.Truncated = true
		return false
	}
	m.Segments = append(m.Segments, Segment{&m.Delimiters, seg})
	return true
}

// Find returns the first segment of that name.
func (m *Message) Find(name string) (Segment, bool) {
	for _, s := range m.Segments {
		if s.Is(name) {
			return s, true
		}
	}
	return Segment{}, false
}

// Header is the first segment.
func (m *Message) Header() Segment {
	if len(m.Segments) == 0 {
		return Segment{}
	}
	return m.Segments[0]
}

// Name is the segment's name, three letters or digits.
func (s Segment) Name() string {
	if len(s.raw) < 3 {
		return ""
	}
	return string(s.raw[:3])
}

// Is reports whether the segment has that name.
func (s Segment) Is(name string) bool { return len(s.raw) >= 3 && string(s.raw[:3]) == name }

// Raw is the segment as sent.
func (s Segment) Raw() []byte { return s.raw }

func (s Segment) header() bool {
	return len(s.raw) > 3 && (s.Is("MSH") || s.Is("FHS") || s.Is("BHS"))
}

// Field returns a field by its number. Of headers, 1 is the separator and 2
// are the encoding characters, which are not parted further.
func (s Segment) Field(n int) Field {
	if n < 1 || n > MaxFields || len(s.raw) < 4 {
		return Field{}
	}
	rest := s.raw[4:]
	if s.header() {
		if n == 1 {
			return Field{d: &none, raw: s.raw[3:4]}
		}
		n--
		if n == 1 {
			f := part(rest, s.d.Field, 1)
			return Field{d: &none, raw: f}
		}
	}
	return Field{d: s.d, raw: part(rest, s.d.Field, n)}
}

// Fields appends the fields from number 1 on to dst, at most MaxFields: the
// way to read a segment of which many fields are wanted, in one pass.
func (s Segment) Fields(dst []Field) []Field {
	if len(s.raw) < 4 {
		return dst
	}
	rest := s.raw[4:]
	max := len(dst) + MaxFields
	if s.header() {
		dst = append(dst, s.Field(1), s.Field(2))
		i := bytes.IndexByte(rest, s.d.Field)
		if i < 0 {
			return dst
		}
		rest = rest[i+1:]
	}
	for len(dst) < max {
		i := bytes.IndexByte(rest, s.d.Field)
		if i < 0 {
			return append(dst, Field{s.d, rest})
		}
		dst = append(dst, Field{s.d, rest[:i]})
		rest = rest[i+1:]
	}
	return dst
}

var none Delimiters

// part returns the n-th part of b between separators, nil when there is none.
func part(b []byte, sep byte, n int) []byte {
	if sep == 0 {
		if n == 1 {
			return b
		}
		return nil
	}
	for ; n > 1; n-- {
		i := bytes.IndexByte(b, sep)
		if i < 0 {
			return nil
		}
		b = b[i+1:]
	}
	if i := bytes.IndexByte(b, sep); i >= 0 {
		return b[:i]
	}
	return b
}

// count returns how many parts b has, none when it is empty, at most limit.
func count(b []byte, sep byte, limit int) int {
	if len(b) == 0 {
		return 0
	}
	n := 1
	if sep == 0 {
		return n
	}
	for n < limit {
		i := bytes.IndexByte(b, sep)
		if i < 0 {
			break
		}
		b = b[i+1:]
		n++
	}
	return n
}

// Field is a view of a field or of one of its repetitions or components.
type Field struct {
	d   *Delimiters
	raw []byte
}

// Raw is the field as sent.
func (f Field) Raw() []byte { return f.raw }

// Empty reports whether the field is absent or empty. The explicit null ""
// is not empty but see Null.
func (f Field) Empty() bool { return len(f.raw) == 0 }

// Null reports whether the field is the explicit null, two quotation marks
// (§2.5.3: delete the value).
func (f Field) Null() bool { return string(f.raw) == `""` }

// Reps returns how many repetitions the field has.
func (f Field) Reps() int {
	if f.d == nil {
		return 0
	}
	return count(f.raw, f.d.Repetition, MaxReps)
}

// Rep returns a repetition.
func (f Field) Rep(n int) Field {
	if f.d == nil || n < 1 || n > MaxReps {
		return Field{}
	}
	return Field{f.d, part(f.raw, f.d.Repetition, n)}
}

// Comp returns a component of the first repetition.
func (f Field) Comp(n int) Field {
	if f.d == nil || n < 1 || n > MaxParts {
		return Field{}
	}
	return Field{f.d, part(part(f.raw, f.d.Repetition, 1), f.d.Component, n)}
}

// Sub returns a subcomponent of a component.
func (f Field) Sub(n int) Field {
	if f.d == nil || n < 1 || n > MaxParts {
		return Field{}
	}
	return Field{f.d, part(f.raw, f.d.Subcomponent, n)}
}

// Comps returns how many components the first repetition has.
func (f Field) Comps() int {
	if f.d == nil {
		return 0
	}
	return count(part(f.raw, f.d.Repetition, 1), f.d.Component, MaxParts)
}

// Subs returns how many subcomponents a component has.
func (f Field) Subs() int {
	if f.d == nil {
		return 0
	}
	return count(f.raw, f.d.Subcomponent, MaxParts)
}

// HasEscape reports whether the segment holds an escape character.
func (s Segment) HasEscape() bool {
	return s.d != nil && s.d.Escape != 0 && bytes.IndexByte(s.raw, s.d.Escape) >= 0
}

// IsHeader reports whether the segment is MSH, FHS or BHS.
func (s Segment) IsHeader() bool { return s.header() }
