// SPDX-License-Identifier: Apache-2.0

package astm

import (
	"bytes"
	"errors"
)

// Delimiters of a message: the four characters after H (LIS02-A2 §5.4.2).
type Delimiters struct {
	Field, Repeat, Component, Escape byte
}

// ErrHeader is returned for text that does not begin with a header record.
var ErrHeader = errors.New("astm: does not begin with a header record")

// IsHeader reports whether b begins with a header record: H, four different
// delimiters and a field or the record's end after them.
func IsHeader(b []byte) bool {
	_, ok := headerDelimiters(b)
	return ok && len(b) > 5 && (b[5] == b[1] || b[5] == '\r')
}

func headerDelimiters(b []byte) (Delimiters, bool) {
	if len(b) < 5 || b[0] != 'H' {
		return Delimiters{}, false
	}
	for i, c := range b[1:5] {
		if c <= 0x20 || c >= 0x7f || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || bytes.IndexByte(b[1:1+i], c) >= 0 {
			return Delimiters{}, false
		}
	}
	return Delimiters{b[1], b[2], b[3], b[4]}, true
}

// Message is a parsed message. It must not be copied. Its views are valid as
// long as the bytes given to Parse are.
type Message struct {
	Delimiters
	Records   []Record
	Truncated bool // more than MaxRecords
	Odd       int  // lines whose first character is no record type
}

// Record is a view of one record.
type Record struct {
	d   *Delimiters
	raw []byte
}

// Parse reads the text of a message. It uses m's memory again.
func (m *Message) Parse(b []byte) error {
	m.Records, m.Truncated, m.Odd = m.Records[:0], false, 0
	d, ok := headerDelimiters(b)
	if !ok {
		return ErrHeader
	}
	m.Delimiters = d
	for len(b) > 0 {
		line := b
		if i := bytes.IndexAny(b, "\r\n"); i >= 0 {
			line, b = b[:i], b[i+1:]
		} else {
			b = nil
		}
		if len(line) == 0 {
			continue
		}
		if len(line) > 1 && line[1] != d.Field || bytes.IndexByte([]byte("HPORCQMSL"), line[0]) < 0 {
			m.Odd++
			continue
		}
		if len(m.Records) >= MaxRecords {
			m.Truncated = true
			break
		}
		m.Records = append(m.Records, Record{&m.Delimiters, line})
	}
	return nil
}

// Type is the record's type: H P O R C Q M S L.
func (r Record) Type() byte {
	if len(r.raw) == 0 {
		return 0
	}
	return r.raw[0]
}

// Raw is the record as sent, without its end.
func (r Record) Raw() []byte { return r.raw }

// Field returns a field by its number, as the standard counts: 1 is the record
// type. Of a header, 2 are the delimiters.
func (r Record) Field(n int) []byte {
	if n < 1 || n > MaxFields || len(r.raw) == 0 {
		return nil
	}
	b := r.raw
	if b[0] == 'H' && len(b) >= 5 {
		switch n {
		case 1:
			return b[:1]
		case 2:
			return b[1:5]
		}
		if b = b[5:]; len(b) == 0 {
			return nil
		}
		n -= 1 // b begins with the separator before field 3
	}
	return part(b, r.d.Field, n)
}

// Comp returns a component of the first repeat of a field.
func (r Record) Comp(field, n int) []byte {
	return part(part(r.Field(field), r.d.Repeat, 1), r.d.Component, n)
}

func part(b []byte, sep byte, n int) []byte {
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

// AppendText appends a value with escape sequences replaced (LIS02-A2 §5.4.6):
// &F& &R& &S& &E& the delimiters, &Xdd..& bytes, &H& and &N& highlighting;
// &Z..& local and &C..& and &D..& are left out.
func (d *Delimiters) AppendText(dst, b []byte) []byte {
	for {
		i := bytes.IndexByte(b, d.Escape)
		if i < 0 {
			return append(dst, b...)
		}
		end := bytes.IndexByte(b[i+1:], d.Escape)
		if end < 1 {
			return append(dst, b...)
		}
		dst = append(dst, b[:i]...)
		seq := b[i+1 : i+1+end]
		rest := b[i+end+2:]
		switch {
		case string(seq) == "F":
			dst = append(dst, d.Field)
		case string(seq) == "R":
			dst = append(dst, d.Repeat)
		case string(seq) == "S":
			dst = append(dst, d.Component)
		case string(seq) == "E":
			dst = append(dst, d.Escape)
		case string(seq) == "H", string(seq) == "N", seq[0] == 'Z', seq[0] == 'C', seq[0] == 'D':
		case seq[0] == 'X' && len(seq)%2 == 1 && len(seq) > 1:
			for j := 1; j < len(seq); j += 2 {
				h, _ := unhex(seq[j])
				l, _ := unhex(seq[j+1])
				dst = append(dst, h<<4|l)
			}
		default: // no sequence: the character stands for itself
			dst = append(dst, d.Escape)
			rest = b[i+1:]
		}
		b = rest
	}
}
