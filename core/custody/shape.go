// SPDX-License-Identifier: Apache-2.0

package custody

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Form is what one member of a detail may hold.
type Form string

// The forms.
const (
	Token  Form = "token"  // letters, digits, punctuation; no spaces
	Text   Form = "text"   // one line, for names such as AE titles and models
	Whole  Form = "whole"  // a whole number
	Number Form = "number" // any number
	Flag   Form = "flag"   // true or false
	Hash   Form = "sha256" // 64 hexadecimal digits, lower case
	When   Form = "time"   // RFC 3339, UTC, ending in Z
	Object Form = "object"
	Free   Form = "free" // an object with tokens, numbers and flags by any name
)

// Field describes one member of a detail. Tables of fields are the schema that
// statements are held to, and what the documentation is made from.
type Field struct {
	Name     string
	Form     Form
	List     bool // a list of that form, of at most Max entries
	Required bool
	Min, Max float64  // of numbers; Max of a text is its bytes, of a list its entries. Max 0: the package's limit
	OneOf    []string // of tokens
	Unit     string
	Doc      string
	Fields   []Field // of an object
}

// Shape is the schema of a detail.
type Shape []Field

// other is what every kind may carry besides: what a client knows and no field
// is for.
var other = Field{Name: "other", Form: Free, Doc: "what no other member is for: at most 32 tokens, numbers and flags by name"}

// shapeOf returns the shape that a detail is held to. Operation records have one by type.
func shapeOf(k Kind, detail map[string]any) Shape {
	if k == Operation {
		t, _ := detail["type"].(string)
		if s, ok := byRecord[RecordType(t)]; ok {
			return s
		}
		return Shape{typeField()}
	}
	return byKind[k]
}

func (s Shape) check(path string, v map[string]any) error {
	for name, e := range v {
		i := slices.IndexFunc(s, func(f Field) bool { return f.Name == name })
		f := other
		if i >= 0 {
			f = s[i]
		} else if name != other.Name || strings.Count(path, ".") > 1 {
			return invalid(path, "has a member %q that it has no place for", name)
		}
		if err := f.check(path+"."+name, e); err != nil {
			return err
		}
	}
	for _, f := range s {
		if _, ok := v[f.Name]; f.Required && !ok {
			return invalid(path+"."+f.Name, "is missing")
		}
	}
	return nil
}

func (f Field) check(path string, v any) error {
	if !f.List {
		return f.one(path, v)
	}
	list, ok := v.([]any)
	limit := int(f.Max)
	if limit == 0 {
		limit = MaxMembers
	}
	switch {
	case !ok:
		return invalid(path, "is no list")
	case len(list) == 0 || len(list) > limit:
		return invalid(path, "has %d entries, want 1 to %d", len(list), limit)
	}
	f.Max = 0
	for i, e := range list {
		if err := f.one(path+"["+strconv.Itoa(i)+"]", e); err != nil {
			return err
		}
	}
	return nil
}

func (f Field) one(path string, v any) error {
	switch f.Form {
	case Token, Text, Hash, When:
		s, ok := v.(string)
		if !ok {
			return invalid(path, "is no text")
		}
		return f.text(path, s)
	case Whole, Number:
		n, ok := number(v)
		switch {
		case !ok:
			return invalid(path, "is no number")
		case f.Form == Whole && n != float64(int64(n)):
			return invalid(path, "is no whole number")
		case (f.Min != 0 || f.Max != 0) && (n < f.Min || n > f.Max):
			return invalid(path, "is not within %v to %v%s", f.Min, f.Max, spaced(f.Unit))
		}
	case Flag:
		if _, ok := v.(bool); !ok {
			return invalid(path, "is neither true nor false")
		}
	case Object:
		m, ok := v.(map[string]any)
		if !ok {
			return invalid(path, "is no object")
		}
		return Shape(f.Fields).check(path, m)
	case Free:
		return free(path, v)
	}
	return nil
}

func spaced(s string) string {
	if s == "" {
		return ""
	}
	return " " + s
}

func (f Field) text(path, s string) error {
	if s == "" && !f.Required {
		return nil // the same as if it were left out
	}
	limit := MaxName
	if f.Max != 0 {
		limit = int(f.Max)
	}
	switch f.Form {
	case Hash:
		if !isHex(s, 64) {
			return invalid(path, "is no SHA-256 in lower-case hexadecimal")
		}
	case When:
		if t, err := time.Parse(time.RFC3339Nano, s); err != nil || !strings.HasSuffix(s, "Z") || t.Before(earliest) {
			return invalid(path, "is no time such as 2027-03-31T08:30:00Z")
		}
	case Text:
		if s == "" {
			return invalid(path, "is empty")
		}
		return checkText(path, s, limit)
	default:
		if err := checkToken(path, s, limit); err != nil {
			return err
		}
		if len(f.OneOf) > 0 && !slices.Contains(f.OneOf, s) {
			return invalid(path, "is none of %s", strings.Join(f.OneOf, ", "))
		}
	}
	return nil
}

func free(path string, v any) error {
	const most = 32
	m, ok := v.(map[string]any)
	switch {
	case !ok:
		return invalid(path, "is no object")
	case len(m) > most:
		return invalid(path, "has %d members, more than %d", len(m), most)
	}
	for name, e := range m {
		switch x := e.(type) {
		case string:
			if err := checkToken(path+"."+name, x, MaxName); err != nil {
				return err
			}
		case bool:
		default:
			if _, ok := number(e); !ok {
				return invalid(path+"."+name, "is neither token nor number nor flag")
			}
		}
	}
	return nil
}

func number(v any) (float64, bool) {
	switch x := v.(type) {
	case float64:
		return x, true
	case json.Number:
		f, err := x.Float64()
		return f, err == nil
	}
	n, ok := whole(v)
	return float64(n), ok
}

// Schema returns the JSON Schema (2020-12) of a detail's shape, for those who
// make statements in other languages.
func (s Shape) Schema() map[string]any {
	properties, required := map[string]any{}, []any{}
	for _, f := range s {
		properties[f.Name] = f.schema()
		if f.Required {
			required = append(required, f.Name)
		}
	}
	out := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

func (f Field) schema() map[string]any {
	const token = `^[!#-\[\]-~]+$`
	one := map[string]any{}
	limit := f.Max
	if f.List {
		limit = 0
	}
	switch f.Form {
	case Token:
		one = map[string]any{"type": "string", "pattern": token, "maxLength": orDefault(limit, MaxName)}
		if len(f.OneOf) > 0 {
			values := make([]any, len(f.OneOf))
			for i, s := range f.OneOf {
				values[i] = s
			}
			one = map[string]any{"enum": values}
		}
	case Text:
		one = map[string]any{"type": "string", "minLength": 1, "maxLength": orDefault(limit, MaxName)}
	case Hash:
		one = map[string]any{"type": "string", "pattern": "^[0-9a-f]{64}$"}
	case When:
		one = map[string]any{"type": "string", "format": "date-time", "pattern": "Z$"}
	case Whole, Number:
		one["type"] = map[Form]string{Whole: "integer", Number: "number"}[f.Form]
		if f.Min != 0 || limit != 0 {
			one["minimum"], one["maximum"] = f.Min, limit
		}
	case Flag:
		one["type"] = "boolean"
	case Object:
		one = Shape(f.Fields).Schema()
	case Free:
		one = map[string]any{"type": "object", "maxProperties": 32, "additionalProperties": map[string]any{"type": []any{"string", "number", "boolean"}}}
	}
	if f.List {
		one = map[string]any{"type": "array", "minItems": 1, "maxItems": orDefault(f.Max, MaxMembers), "items": one}
	}
	doc := f.Doc
	if f.Unit != "" {
		doc = strings.TrimPrefix(doc+", in "+f.Unit, ", ")
	}
	if doc != "" {
		one["description"] = doc
	}
	return one
}

func orDefault(v float64, or int) int {
	if v != 0 {
		return int(v)
	}
	return or
}
