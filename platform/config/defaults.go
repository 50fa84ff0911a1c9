// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"encoding"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ShowDefaults writes a configuration as YAML, each field below its
// documentation. Loading what it writes gives the same configuration. Optional
// parts that are not set (nil pointers, empty lists and maps, secret files, and
// texts that have no text form when empty) are written as comments.
func ShowDefaults(w io.Writer, v any) error {
	var b bytes.Buffer
	p := printer{w: &b}
	p.fields(reflect.Indirect(reflect.ValueOf(v)), 0)
	_, err := w.Write(b.Bytes())
	return err
}

// Undocumented returns the paths of the fields of a configuration that lack a
// doc or yaml tag, and of secret files whose names do not end with _file. A
// test of each program holds it to nothing.
func Undocumented(v any) []string {
	var out []string
	undocumented(reflect.TypeOf(v), "", &out, map[reflect.Type]bool{})
	return out
}

func undocumented(t reflect.Type, path string, out *[]string, seen map[reflect.Type]bool) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		if isScalar(t) {
			return
		}
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || isScalar(t) || seen[t] {
		return
	}
	seen[t] = true
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || f.Tag.Get("yaml") == "-" {
			continue
		}
		name, ok := fieldName(f)
		switch {
		case inlined(f):
			undocumented(f.Type, path, out, seen)
			continue
		case !ok:
			*out = append(*out, join(path, f.Name)+" has no yaml tag")
			continue
		case f.Tag.Get("doc") == "":
			*out = append(*out, join(path, name)+" has no doc tag")
		case f.Type == typeSecret && !strings.HasSuffix(name, "_file"):
			*out = append(*out, join(path, name)+" is a secret file, but its name does not end with _file")
		}
		undocumented(f.Type, join(path, name), out, seen)
	}
}

type printer struct{ w *bytes.Buffer }

const (
	indentation = "  "
	lineWidth   = 96
)

func (p printer) line(depth int, s string) {
	p.w.WriteString(strings.Repeat(indentation, depth) + s + "\n")
}

// comment writes text as comment lines of at most lineWidth.
func (p printer) comment(depth int, s string) {
	width := lineWidth - 2 - len(indentation)*depth
	row := ""
	for _, word := range strings.Fields(s) {
		if row != "" && len(row)+1+len(word) > width {
			p.line(depth, "# "+row)
			row = ""
		}
		if row != "" {
			row += " "
		}
		row += word
	}
	if row != "" {
		p.line(depth, "# "+row)
	}
}

func (p printer) fields(v reflect.Value, depth int) {
	first := true
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if inlined(f) {
			p.fields(v.Field(i), depth)
			continue
		}
		name, ok := fieldName(f)
		if !ok {
			continue
		}
		if !first && depth == 0 {
			p.w.WriteByte('\n')
		}
		first = false
		p.comment(depth, f.Tag.Get("doc"))
		p.field(name, v.Field(i), depth)
	}
}

func (p printer) field(name string, v reflect.Value, depth int) {
	for v.Kind() == reflect.Pointer && !isScalar(v.Type()) {
		if v.IsNil() {
			p.unset(name, v.Type().Elem(), depth)
			return
		}
		v = v.Elem()
	}
	switch {
	case isScalar(v.Type()):
		s, ok := scalarText(v)
		if !ok {
			p.unset(name, v.Type(), depth)
			return
		}
		p.line(depth, name+": "+s)
	case v.Kind() == reflect.Struct:
		sub := printer{w: &bytes.Buffer{}}
		sub.fields(v, depth+1)
		if !sub.says() {
			name = "# " + name // a field without a value is an error
		}
		p.line(depth, name+":")
		p.w.Write(sub.w.Bytes())
	case v.Len() == 0:
		p.unset(name, v.Type(), depth)
	case v.Kind() == reflect.Map:
		p.line(depth, name+":")
		for _, k := range sortedKeys(v) {
			p.field(quote(k.String()), v.MapIndex(k), depth+1)
		}
	default:
		p.line(depth, name+":")
		for i := range v.Len() {
			p.element(v.Index(i), depth+1)
		}
	}
}

// says reports whether anything but comments was written.
func (p printer) says() bool {
	for line := range strings.Lines(p.w.String()) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return true
		}
	}
	return false
}

// element writes an element of a list.
func (p printer) element(v reflect.Value, depth int) {
	v = reflect.Indirect(v)
	if isScalar(v.Type()) {
		s, _ := scalarText(v)
		p.line(depth, "- "+s)
		return
	}
	sub := printer{w: &bytes.Buffer{}}
	switch v.Kind() {
	case reflect.Struct:
		sub.fields(v, depth+1)
	case reflect.Map:
		for _, k := range sortedKeys(v) {
			sub.field(quote(k.String()), v.MapIndex(k), depth+1)
		}
	default:
		for i := range v.Len() {
			sub.element(v.Index(i), depth+1)
		}
	}
	p.line(depth, "-")
	p.w.Write(sub.w.Bytes())
}

// unset writes a field that has no default as a comment.
func (p printer) unset(name string, t reflect.Type, depth int) {
	example := ""
	switch {
	case isScalar(t):
	case t.Kind() == reflect.Slice:
		example = " []"
	default:
		example = " {}"
	}
	p.line(depth, "# "+name+":"+example)
}

// scalarText returns a value as YAML, and false when it is not set.
func scalarText(v reflect.Value) (string, bool) {
	switch {
	case v.Type() == typeDuration:
		return durationText(time.Duration(v.Int())), true
	case v.Type() == typeSecret:
		return quote(v.String()), v.String() != ""
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok && !(v.Kind() == reflect.Pointer && v.IsNil()) {
		b, err := m.MarshalText()
		return quote(string(b)), err == nil && len(b) > 0
	}
	switch v.Kind() {
	case reflect.String:
		return quote(v.String()), true
	case reflect.Float32, reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, v.Type().Bits()), true
	case reflect.Pointer:
		return "", false
	}
	return fmt.Sprint(v.Interface()), true
}

// durationText leaves out the zero parts that time.Duration writes: 5m, not 5m0s.
func durationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// quote puts text in quotes unless it is a plain word.
func quote(s string) string {
	if s == "" {
		return `""`
	}
	plain := (s[0] >= 'a' && s[0] <= 'z' || s[0] >= 'A' && s[0] <= 'Z' || s[0] == '/') &&
		!slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(s))
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("_-./", c)) {
			plain = false
		}
	}
	if plain || isSize(s) {
		return s
	}
	return doubleQuoted(s)
}

func isSize(s string) bool {
	b, err := ParseByteSize(s)
	return err == nil && b.String() == s
}

// doubleQuoted writes a YAML double-quoted scalar (YAML 1.2.2 §7.3.1).
func doubleQuoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func sortedKeys(v reflect.Value) []reflect.Value {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	return keys
}
