// SPDX-License-Identifier: Apache-2.0

package hl7

// Builder writes a message. The zero Builder uses the usual delimiters.
//
//	var b hl7.Builder
//	b.Header("MSH", "APP", "FAC", "EHR", "HOSP", "20260101", "", hl7.Raw("ADT^A01"), "42", "P", "2.5")
//	b.Segment("PID", "1", "", hl7.Comps("135769", "", "", "HOSP"))
type Builder struct {
	Delimiters
	out []byte
}

// Raw is a field that is written as it is: its delimiters mean what they say.
type Raw string

// Comps is a field of components, each escaped.
func Comps(c ...string) []string { return c }

// Header writes MSH, FHS or BHS. The fields begin with number 3.
func (b *Builder) Header(name string, fields ...any) {
	if b.Field == 0 {
		b.Delimiters = Usual
	}
	b.out = append(b.out, name...)
	b.out = append(b.out, b.String()...)
	b.fields(fields)
}

// Segment writes a segment. A field is a string (escaped), a Raw, a []string
// (components, escaped) or a [][]string (repetitions of components).
func (b *Builder) Segment(name string, fields ...any) {
	if b.Field == 0 {
		b.Delimiters = Usual
	}
	b.out = append(b.out, name...)
	b.fields(fields)
}

func (b *Builder) fields(fields []any) {
	for _, f := range fields {
		b.out = append(b.out, b.Field)
		switch v := f.(type) {
		case string:
			b.out = b.AppendEscaped(b.out, []byte(v))
		case Raw:
			b.out = append(b.out, v...)
		case []string:
			b.comps(v)
		case [][]string:
			for i, r := range v {
				if i > 0 {
					b.out = append(b.out, b.Repetition)
				}
				b.comps(r)
			}
		default:
			panic("BUG: hl7.Builder: a field of unknown type")
		}
	}
	b.out = append(b.out, '\r')
}

func (b *Builder) comps(c []string) {
	for i, s := range c {
		if i > 0 {
			b.out = append(b.out, b.Component)
		}
		b.out = b.AppendEscaped(b.out, []byte(s))
	}
}

// Bytes is the message written so far.
func (b *Builder) Bytes() []byte { return b.out }

// Append appends the message in canonical form to dst: as sent, each segment
// ended with one carriage return.
func (m *Message) Append(dst []byte) []byte {
	for _, s := range m.Segments {
		dst = append(dst, s.raw...)
		dst = append(dst, '\r')
	}
	return dst
}
