// SPDX-License-Identifier: Apache-2.0

package bacnet

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"unicode/utf16"

	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// Kinds of application values: the tag numbers of clause 20.2.1.4.
const (
	KindNull     = 0
	KindBoolean  = 1
	KindUnsigned = 2
	KindSigned   = 3
	KindReal     = 4
	KindDouble   = 5
	KindOctets   = 6
	KindText     = 7
	KindBits     = 8
	KindEnum     = 9
	KindDate     = 10
	KindTime     = 11
	KindObject   = 12
)

// Value is one application value. Valid is false where there was none.
type Value struct {
	Valid  bool
	Kind   uint8
	Text   string // readable, whatever the kind
	Object ObjectID
	num    uint32
}

// Number is the value of an unsigned or enumerated value, 0 of others.
func (v Value) Number() uint32 { return v.num }

// tag is one tag (clause 20.2.1).
type tag struct {
	context, open, close bool
	number               uint8
	body                 []byte
	lvt                  uint32
}

// walker reads tags one after the other.
type walker struct{ r *octet.Reader }

func (w *walker) tag() (t tag, ok bool) {
	if w.r.Len() == 0 || w.r.Err() != nil {
		return t, false
	}
	h := w.r.U8("tag")
	t.number, t.context = h>>4, h&8 != 0
	if t.number == 15 {
		t.number = w.r.U8("tag number")
	}
	l := uint32(h & 7)
	if t.context {
		t.open, t.close = l == 6, l == 7
		if t.open || t.close {
			return t, w.r.Err() == nil
		}
	}
	if l == 5 {
		l = uint32(w.r.U8("length"))
		switch l {
		case 254:
			l = uint32(w.r.U16("length"))
		case 255:
			l = w.r.U32("length")
		}
	}
	t.lvt = l
	if !t.context && t.number == KindBoolean { // the value is in the length
		return t, w.r.Err() == nil
	}
	if l > math.MaxUint16 {
		w.r.Fail("length")
		return t, false
	}
	t.body = w.r.Bytes(int(l), "value")
	return t, w.r.Err() == nil
}

// value reads one application-tagged value.
func (w *walker) value() (Value, bool) {
	t, ok := w.tag()
	if !ok || t.context {
		return Value{}, false
	}
	return t.value(), true
}

func unsigned(b []byte) uint32 {
	var v uint64
	for _, c := range b[:min(len(b), 8)] {
		v = v<<8 | uint64(c)
	}
	return uint32(min(v, math.MaxUint32))
}

func object(b []byte) ObjectID {
	if len(b) != 4 {
		return ObjectID{}
	}
	v := binary.BigEndian.Uint32(b)
	return ObjectID{Type: uint16(v >> 22), Instance: v & 0x3fffff}
}

func (t tag) value() Value {
	v := Value{Valid: true, Kind: t.number}
	b := t.body
	switch t.number {
	case KindNull:
		v.Text = "null"
	case KindBoolean:
		v.Text = strconv.FormatBool(t.lvt != 0)
	case KindUnsigned, KindEnum:
		v.num = unsigned(b)
		v.Text = strconv.FormatUint(uint64(v.num), 10)
	case KindSigned:
		if len(b) > 0 && len(b) <= 8 {
			n := int64(int8(b[0]))
			for _, c := range b[1:] {
				n = n<<8 | int64(c)
			}
			v.Text = strconv.FormatInt(n, 10)
		}
	case KindReal:
		if len(b) == 4 {
			v.Text = strconv.FormatFloat(float64(math.Float32frombits(binary.BigEndian.Uint32(b))), 'g', -1, 32)
		}
	case KindDouble:
		if len(b) == 8 {
			v.Text = strconv.FormatFloat(math.Float64frombits(binary.BigEndian.Uint64(b)), 'g', -1, 64)
		}
	case KindText:
		v.Text = text(b)
	case KindObject:
		v.Object = object(b)
		v.Text = v.Object.String()
	case KindDate:
		if len(b) == 4 {
			v.Text = fmt.Sprintf("%d-%02d-%02d", 1900+int(b[0]), b[1], b[2])
		}
	case KindTime:
		if len(b) == 4 {
			v.Text = fmt.Sprintf("%02d:%02d:%02d", b[0], b[1], b[2])
		}
	default:
		v.Text = printable.Hex(b, 64)
	}
	return v
}

// text reads a character string (clause 20.2.9): one octet of encoding first.
func text(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if b[0] == 4 { // UCS-2
		b = b[1:min(len(b), 1+2*printable.Max)]
		u := make([]uint16, len(b)/2)
		for i := range u {
			u[i] = binary.BigEndian.Uint16(b[2*i:])
		}
		return printable.Text([]byte(string(utf16.Decode(u))), printable.Max)
	}
	return printable.Text(b[1:], printable.Max)
}

// properties reads the arguments of the four property services. multiple says
// that objects hold lists of properties. The context tags differ between
// requests and answers, but their nesting does not: an object identifier is
// tag 0 outside, a property identifier tag 1 beside it (one property), or tag 0
// or 2 inside tag 1 (several); values stand between opening and closing tags.
func (m *Message) properties(r *octet.Reader, multiple, values bool) {
	w := walker{r: r}
	var obj ObjectID
	depth, inValue := 0, 0
	failed := false // between tags 5 of an answer stands an error, not a value
	for {
		t, ok := w.tag()
		if !ok {
			return
		}
		last := len(m.Properties) - 1
		switch {
		case t.open:
			depth++
			if depth > MaxDepth {
				r.Fail("tags nested too deeply")
				return
			}
			if inValue == 0 && (!multiple && depth == 1 || multiple && depth == 2) {
				inValue = depth
				failed = multiple && t.number == 5
			}
		case t.close:
			if depth == 0 {
				r.Fail("closing tag without opening tag")
				return
			}
			if depth == inValue {
				inValue = 0
			}
			depth--
		case inValue > 0:
			if values && !failed && !t.context && depth == inValue && last >= 0 && !m.Properties[last].Value.Valid {
				m.Properties[last].Value = t.value()
			}
		case !t.context:
		case depth == 0 && t.number == 0:
			obj = object(t.body)
		case depth == 0 && t.number == 4 && !multiple:
			m.Priority = unsigned(t.body)
		case !multiple && depth == 0 && t.number == 1, multiple && depth == 1 && (t.number == 0 || t.number == 2):
			if len(m.Properties) < MaxProperties {
				m.Properties = append(m.Properties, Property{Object: obj, ID: unsigned(t.body)})
			}
		}
	}
}
