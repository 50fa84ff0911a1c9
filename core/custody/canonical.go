// SPDX-License-Identifier: Apache-2.0

package custody

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxExact is the largest whole number that every reader of JSON keeps exactly
// (RFC 7493 §2.2).
const maxExact = 1<<53 - 1

// Canonical returns the RFC 8785 (JCS) form of a value made of map[string]any,
// []any, string, bool, float64, the Go integers, json.Number and nil.
//
// It refuses what has no canonical form or not the same one everywhere: text
// that is not UTF-8, NaN and infinities, whole numbers of Go beyond 2^53-1, and
// what is nested deeper than limit.
func Canonical(v any, limit int) ([]byte, error) { return appendValue(nil, v, limit) }

func appendValue(b []byte, v any, depth int) ([]byte, error) {
	if depth < 0 {
		return nil, errors.New("it is nested too deeply")
	}
	switch x := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, x), nil
	case string:
		return appendString(b, x)
	case float64:
		return appendNumber(b, x)
	case json.Number:
		f, err := strconv.ParseFloat(string(x), 64)
		if err != nil {
			return nil, errors.New("a number is out of range")
		}
		return appendNumber(b, f)
	case []any:
		b = append(b, '[')
		var err error
		for i, e := range x {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendValue(b, e, depth-1); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case map[string]any:
		return appendObject(b, x, func(b []byte, e any) ([]byte, error) { return appendValue(b, e, depth-1) })
	}
	if n, ok := whole(v); ok {
		if n > maxExact || n < -maxExact {
			return nil, errors.New("a whole number is beyond 2^53-1")
		}
		return strconv.AppendInt(b, n, 10), nil
	}
	return nil, fmt.Errorf("a value of type %T has no JSON form here", v)
}

// whole reads any of Go's integers. What does not fit comes back as a number
// that is refused.
func whole(v any) (int64, bool) {
	switch x := v.(type) {
	case int:
		return int64(x), true
	case int8:
		return int64(x), true
	case int16:
		return int64(x), true
	case int32:
		return int64(x), true
	case int64:
		return x, true
	case uint:
		return int64(min(uint64(x), math.MaxInt64)), true
	case uint8:
		return int64(x), true
	case uint16:
		return int64(x), true
	case uint32:
		return int64(x), true
	case uint64:
		return int64(min(x, math.MaxInt64)), true
	}
	return 0, false
}

func appendObject[V any](b []byte, m map[string]V, value func([]byte, V) ([]byte, error)) ([]byte, error) {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compareUTF16)
	b = append(b, '{')
	var err error
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendString(b, k); err != nil {
			return nil, err
		}
		b = append(b, ':')
		if b, err = value(b, m[k]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// compareUTF16 orders names by their UTF-16 code units (RFC 8785 §3.2.3). That
// differs from the order of bytes only where a surrogate pair meets U+E000 and above.
func compareUTF16(x, y string) int {
	for x != "" && y != "" {
		a, n := utf8.DecodeRuneInString(x)
		c, m := utf8.DecodeRuneInString(y)
		if a != c {
			a1, c1 := firstUnit(a), firstUnit(c)
			if a1 != c1 {
				return int(a1) - int(c1)
			}
			return int(a) - int(c)
		}
		x, y = x[n:], y[m:]
	}
	return len(x) - len(y)
}

func firstUnit(r rune) rune {
	if r < 0x10000 {
		return r
	}
	hi, _ := utf16.EncodeRune(r)
	return hi
}

const hexDigits = "0123456789abcdef"

// appendString writes text as ECMAScript's JSON.stringify does (RFC 8785 §3.2.2.2).
func appendString(b []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return nil, errors.New("text is not UTF-8")
	}
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, '\\', 'b')
		case '\t':
			b = append(b, '\\', 't')
		case '\n':
			b = append(b, '\\', 'n')
		case '\f':
			b = append(b, '\\', 'f')
		case '\r':
			b = append(b, '\\', 'r')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(b, s[from:]...), '"'), nil
}

// appendNumber writes a number as ECMAScript does (ECMA-262 §6.1.6.1.20): the
// shortest digits that give the same value again.
func appendNumber(b []byte, f float64) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, errors.New("a number is out of range")
	}
	if f == 0 {
		return append(b, '0'), nil // also -0
	}
	if a := math.Abs(f); a >= 1e-6 && a < 1e21 {
		return strconv.AppendFloat(b, f, 'f', -1, 64), nil
	}
	from := len(b)
	b = strconv.AppendFloat(b, f, 'e', -1, 64)
	// Go writes at least two digits of the exponent, ECMAScript as many as needed.
	if i := bytes.IndexByte(b[from:], 'e') + from + 2; len(b) == i+2 && b[i] == '0' {
		b[i] = b[i+1]
		b = b[:i+1]
	}
	return b, nil
}

// Decode reads JSON that must be in canonical form already, into the types that
// [Canonical] takes; numbers are json.Number. The error says where the text
// departs from its canonical form.
func Decode(text []byte, limit int) (any, error) {
	if err := shallow(text, limit); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("it is not JSON: %s", jsonReason(err))
	}
	c, err := Canonical(v, limit)
	if err != nil {
		return nil, &NotCanonicalError{Why: err.Error()} // a number that no double can hold
	}
	if !bytes.Equal(c, text) {
		return nil, &NotCanonicalError{At: firstDifference(c, text)}
	}
	return v, nil
}

// NotCanonicalError says that JSON is not in its RFC 8785 form.
type NotCanonicalError struct {
	At  int    // offset of the first byte that differs
	Why string // where it has no such form at all
}

func (e *NotCanonicalError) Error() string {
	if e.Why != "" {
		return "it has no canonical form (RFC 8785): " + e.Why
	}
	return fmt.Sprintf("it is not in canonical form (RFC 8785): byte %d differs", e.At)
}

// Hint says what to do about it.
func (e *NotCanonicalError) Hint() string {
	return "names sorted, no spaces, every name once, numbers and escapes as JSON.stringify writes them"
}

func firstDifference(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// shallow refuses what is nested too deeply before anything is allocated for it.
func shallow(text []byte, limit int) error {
	depth, inText, escaped := 0, false, false
	for _, c := range text {
		switch {
		case escaped:
			escaped = false
		case inText:
			escaped = c == '\\'
			inText = c != '"'
		case c == '"':
			inText = true
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return fmt.Errorf("it is nested more than %d deep", limit)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// jsonReason takes the content out of a decoder's message: it could be a
// patient's.
func jsonReason(err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("syntax error at byte %d", syntax.Offset)
	case errors.As(err, &kind):
		return fmt.Sprintf("%s: %s where %s belongs", kind.Field, kind.Value, kind.Type)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends too soon"
	}
	return "syntax error"
}
