// SPDX-License-Identifier: Apache-2.0

package problem

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of a request's JSON.
const (
	MaxDepth  = 32 // nested objects and lists
	MaxErrors = 20 // wrong fields that are reported at once
)

// ValueError is what UnmarshalText or UnmarshalJSON of a type returns when the
// client may read why. The texts of other errors are not sent: they may repeat the
// value.
type ValueError struct {
	Message string // "must be a role"
	Hint    string
}

// Error gives the message and the hint.
func (e *ValueError) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + ": " + e.Hint
}

// Optional is a field of a request that may be missing, null, or a value, where
// the three mean different things: left alone, given back, set.
type Optional[T any] struct {
	Given bool // it is in the request
	Null  bool // it is there and null
	Value T
}

// UnmarshalJSON is called only for a field that is there.
func (o *Optional[T]) UnmarshalJSON(b []byte) error {
	o.Given = true
	if string(b) == "null" {
		o.Null = true
		return nil
	}
	return json.Unmarshal(b, &o.Value)
}

func (o Optional[T]) inner() reflect.Type { return reflect.TypeFor[T]() }

// optional is what every Optional has.
type optional interface{ inner() reflect.Type }

// DecodeJSON reads the body of a request into a T. It is stricter than
// encoding/json alone: names count with their case, once, and must be known;
// null is taken only by pointers, Optional and any; a value of the wrong type
// is reported with the path of its field, together with all others; there is
// exactly one value in UTF-8; the body is at most limit bytes and says that it is
// JSON. Nothing is allocated from a length that the client declares.
func DecodeJSON[T any](r *http.Request, limit int64) (T, *Problem) {
	var out, zero T
	if p := mediaType(r); p != nil {
		return zero, p
	}
	if r.ContentLength > limit {
		return zero, TooLarge(limit)
	}
	var data []byte
	if r.Body != nil {
		var err error
		if data, err = io.ReadAll(io.LimitReader(r.Body, limit+1)); err != nil {
			var tooLarge *http.MaxBytesError
			if errors.As(err, &tooLarge) {
				return zero, TooLarge(tooLarge.Limit)
			}
			p := BadRequest("The request ended before it was complete.", "send it again")
			p.Cause = err
			return zero, p
		}
	}
	if int64(len(data)) > limit {
		return zero, TooLarge(limit)
	}
	if p := check(data, reflect.TypeFor[T]()); p != nil {
		return zero, p
	}
	if err := json.Unmarshal(data, &out); err != nil {
		// check has looked at everything that Unmarshal refuses, except in
		// types that unmarshal themselves.
		p := BadRequest("The request does not have the form that is expected here.", "")
		p.Cause = err
		return zero, p
	}
	return out, nil
}

func mediaType(r *http.Request) *Problem {
	const hint = "send Content-Type: application/json"
	if ce := r.Header.Get("Content-Encoding"); ce != "" && !strings.EqualFold(ce, "identity") {
		return New(http.StatusUnsupportedMediaType, "Compressed requests are not taken.", "send it without Content-Encoding")
	}
	if len(r.Header.Values("Content-Type")) > 1 {
		return New(http.StatusUnsupportedMediaType, "The request has more than one Content-Type.", hint)
	}
	ct := r.Header.Get("Content-Type")
	if ct == "" {
		return New(http.StatusUnsupportedMediaType, "The request does not say what it is.", hint)
	}
	kind, params, err := mime.ParseMediaType(ct)
	if err != nil || kind != "application/json" && kind != "application/merge-patch+json" {
		return New(http.StatusUnsupportedMediaType, "Only JSON is taken here.", hint)
	}
	if cs, ok := params["charset"]; ok && !strings.EqualFold(cs, "utf-8") {
		return New(http.StatusUnsupportedMediaType, "JSON is taken in UTF-8 only (RFC 8259 §8.1).", hint)
	}
	return nil
}

// check holds JSON against a type.
func check(data []byte, t reflect.Type) *Problem {
	switch {
	case !utf8.Valid(data):
		return BadRequest("The request is not UTF-8 text.", "")
	case bytes.HasPrefix(data, []byte("\ufeff")):
		return BadRequest("The request starts with a byte order mark.", "leave it away (RFC 8259 §8.1)")
	case len(bytes.TrimSpace(data)) == 0:
		return BadRequest("The request has no body.", "send "+article(t)+" as JSON")
	case deeper(data, MaxDepth):
		return BadRequest(fmt.Sprintf("The request nests values more than %d deep.", MaxDepth), "")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		at := len(data)
		var se *json.SyntaxError
		if errors.As(err, &se) {
			at = int(min(max(se.Offset-1, 0), int64(len(data))))
		}
		line, column := place(data, at)
		p := BadRequest(fmt.Sprintf("The request is not JSON: wrong or cut off at line %d, column %d.", line, column), "")
		p.Cause = err
		return p
	}
	if rest := data[dec.InputOffset():]; len(bytes.TrimSpace(rest)) > 0 {
		return BadRequest("There is something after the JSON value.", "send one value only")
	}
	var c checker
	c.value(raw, t, "")
	if len(c.fields) == 0 {
		return nil
	}
	detail := "One field is not right."
	if n := len(c.fields); n > 1 {
		detail = fmt.Sprintf("%d fields are not right.", n)
	}
	if len(c.fields) == 1 && c.fields[0].Field == "" {
		return BadRequest("The request "+c.fields[0].Message+".", "")
	}
	return BadRequest(detail, "", c.fields...)
}

// deeper looks at brackets outside of text, before anything recurses.
func deeper(data []byte, limit int) bool {
	depth, text := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

func place(data []byte, at int) (line, column int) {
	before := data[:at]
	line = bytes.Count(before, []byte("\n")) + 1
	return line, utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
}

type checker struct{ fields []Field }

func (c *checker) fail(path, hint, format string, args ...any) {
	if len(c.fields) < MaxErrors {
		c.fields = append(c.fields, Field{Field: path, Message: fmt.Sprintf(format, args...), Hint: hint})
	}
}

var (
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	optionalType    = reflect.TypeFor[optional]()
	rawMessage      = reflect.TypeFor[json.RawMessage]()
)

// value checks one value, which is valid JSON, against its type.
func (c *checker) value(raw json.RawMessage, t reflect.Type, path string) {
	if len(c.fields) >= MaxErrors {
		return
	}
	null := string(raw) == "null"
	for {
		if t.Implements(optionalType) {
			if null {
				return
			}
			t = reflect.New(t).Elem().Interface().(optional).inner()
			continue
		}
		if t.Kind() == reflect.Pointer && !t.Implements(jsonUnmarshaler) && !t.Implements(textUnmarshaler) {
			if null {
				return
			}
			t = t.Elem()
			continue
		}
		break
	}
	switch pt := reflect.PointerTo(t); {
	case t == rawMessage || t.Kind() == reflect.Interface:
		c.anything(raw, path)
		return
	case pt.Implements(jsonUnmarshaler) || pt.Implements(textUnmarshaler):
		var said *ValueError
		if err := json.Unmarshal(raw, reflect.New(t).Interface()); errors.As(err, &said) {
			c.fail(path, said.Hint, "%s", said.Message)
		} else if null || err != nil {
			c.fail(path, "", "must be %s", article(t))
		}
		return
	}
	got := kindOf(raw)
	wrong := func() { c.fail(path, "", "must be %s, is %s", article(t), got) }
	switch t.Kind() {
	case reflect.Struct:
		if got != "an object" {
			wrong()
			return
		}
		c.object(raw, path, func(name string, v json.RawMessage, fields map[string]reflect.Type) {
			ft, ok := fields[name]
			if !ok {
				hint := ""
				if n := nearest(name, fields); n != "" {
					hint = "did you mean " + strconv.Quote(n) + "?"
				}
				c.fail(join(path, shown(name)), hint, "is no field of this request")
				return
			}
			c.value(v, ft, join(path, name))
		}, fieldsOf(t))
	case reflect.Map:
		if got != "an object" {
			wrong()
			return
		}
		c.object(raw, path, func(name string, v json.RawMessage, _ map[string]reflect.Type) {
			c.value(v, t.Elem(), join(path, shown(name)))
		}, nil)
	case reflect.Slice, reflect.Array:
		if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 { // base64
			if got != "text" || json.Unmarshal(raw, reflect.New(t).Interface()) != nil {
				c.fail(path, "", "must be text in Base64")
			}
			return
		}
		if got != "a list" {
			wrong()
			return
		}
		c.list(raw, func(i int, v json.RawMessage) { c.value(v, t.Elem(), fmt.Sprintf("%s[%d]", path, i)) })
	case reflect.String:
		if got != "text" {
			wrong()
		}
	case reflect.Bool:
		if got != "true or false" {
			wrong()
		}
	default:
		if got != "a number" || json.Unmarshal(raw, reflect.New(t).Interface()) != nil {
			if got == "a number" {
				got = "another number"
			}
			wrong()
		}
	}
}

// object calls visit for each member; names that occur twice are refused: two
// readers could see two values (RFC 8259 §4).
func (c *checker) object(raw json.RawMessage, path string, visit func(string, json.RawMessage, map[string]reflect.Type), fields map[string]reflect.Type) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	_, _ = dec.Token()
	seen := map[string]bool{}
	for dec.More() {
		tok, err := dec.Token()
		name, ok := tok.(string)
		if err != nil || !ok {
			return
		}
		var v json.RawMessage
		if dec.Decode(&v) != nil {
			return
		}
		if seen[name] {
			c.fail(join(path, shown(name)), "", "is there twice")
			continue
		}
		seen[name] = true
		visit(name, v, fields)
	}
}

func (c *checker) list(raw json.RawMessage, visit func(int, json.RawMessage)) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	_, _ = dec.Token()
	for i := 0; dec.More(); i++ {
		var v json.RawMessage
		if dec.Decode(&v) != nil {
			return
		}
		visit(i, v)
	}
}

// anything checks a value whose form is not known here for names that occur
// twice.
func (c *checker) anything(raw json.RawMessage, path string) {
	if len(c.fields) >= MaxErrors {
		return
	}
	switch kindOf(raw) {
	case "an object":
		c.object(raw, path, func(name string, v json.RawMessage, _ map[string]reflect.Type) {
			c.anything(v, join(path, shown(name)))
		}, nil)
	case "a list":
		c.list(raw, func(i int, v json.RawMessage) { c.anything(v, fmt.Sprintf("%s[%d]", path, i)) })
	}
}

func kindOf(raw json.RawMessage) string {
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "text"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return "a number"
}

// article names a type as a person would.
func article(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[timeType]():
		return `a time such as "2026-03-16T08:30:00Z"`
	}
	switch t.Kind() {
	case reflect.Pointer:
		return article(t.Elem())
	case reflect.Struct, reflect.Map:
		if reflect.PointerTo(t).Implements(textUnmarshaler) {
			return "text in the form of this field"
		}
		return "an object"
	case reflect.Slice, reflect.Array:
		if reflect.PointerTo(t).Implements(textUnmarshaler) {
			return "text in the form of this field"
		}
		return "a list"
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Int8, reflect.Int16, reflect.Int32:
		top := int64(1)<<(t.Bits()-1) - 1
		return fmt.Sprintf("a whole number from %d to %d", -top-1, top)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint, reflect.Uint64, reflect.Uintptr:
		return fmt.Sprintf("a whole number from 0 to %d", uint64(math.MaxUint64)>>(64-t.Bits()))
	case reflect.Float32, reflect.Float64:
		return "a number"
	}
	return "a value"
}
