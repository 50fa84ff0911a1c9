// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// decoder walks the syntax tree of a file and the struct side by side.
type decoder struct {
	file  string
	dir   string
	lines []string
	at    map[string]position // where each field of the file stands
	errs  []*Error
}

func (d *decoder) document(data []byte, v reflect.Value) {
	if len(data) > MaxFile {
		d.failAt(position{}, "", "", fmt.Sprintf("longer than %d bytes", MaxFile))
		return
	}
	if !utf8.Valid(data) {
		line, rest := 1, data
		for i, row := range bytes.SplitAfter(data, []byte("\n")) {
			if !utf8.Valid(row) {
				line, rest = i+1, row
				break
			}
		}
		column := 1
		for r, n := utf8.DecodeRune(rest); r != utf8.RuneError || n > 1; r, n = utf8.DecodeRune(rest) {
			rest = rest[n:]
			column++
		}
		d.lines = linesOf(data)
		d.failAt(position{line, column}, "", "save it as UTF-8", "not UTF-8 text")
		return
	}
	d.lines = linesOf(data)
	if line, depth := deepest(data); depth > MaxDepth {
		d.failAt(position{line, 1}, "", "", fmt.Sprintf("nested more than %d deep", MaxDepth))
		return
	}
	f, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		var syntax *yaml.SyntaxError
		if errors.As(err, &syntax) {
			d.failAt(where(syntax.Token), "", hintForSyntax(syntax, d.lines), "YAML: "+syntax.Message)
		} else {
			d.failAt(position{}, "", "", "YAML: "+err.Error())
		}
		return
	}
	var body ast.Node
	for _, doc := range f.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType {
			continue
		}
		if body != nil {
			d.failAt(start(doc.Body), "", "a configuration is one document: remove the line \"---\"", "a second document")
			return
		}
		body = doc.Body
	}
	if body != nil { // an empty file is all defaults
		d.value(body, v, "", 0)
	}
}

// linesOf splits at line breaks as YAML knows them (YAML 1.2.2 §5.4).
func linesOf(data []byte) []string {
	return strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(data)), "\n")
}

// deepest returns how deep brackets nest at most, and in which line, so that
// the parser is not given what would exhaust its stack. Brackets in text count
// too: a configuration has no use for so many.
func deepest(data []byte) (line, depth int) {
	n, row := 0, 1
	for _, c := range data {
		switch c {
		case '\n':
			row++
		case '[', '{':
			if n++; n > depth {
				line, depth = row, n
			}
		case ']', '}':
			n = max(n-1, 0)
		}
	}
	return line, depth
}

func hintForSyntax(e *yaml.SyntaxError, lines []string) string {
	if p := where(e.Token); p.line > 0 && p.line <= len(lines) && strings.Contains(lines[p.line-1], "\t") {
		return "YAML is indented with spaces, not tabs"
	}
	return ""
}

func where(t *token.Token) position {
	if t == nil || t.Position == nil {
		return position{}
	}
	return position{t.Position.Line, t.Position.Column}
}

// start returns where a node begins; the token of a mapping is its first colon.
func start(n ast.Node) position {
	if list, ok := pairs(n); ok && len(list) > 0 {
		return where(list[0].Key.GetToken())
	}
	return where(n.GetToken())
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	if name == "" || strings.HasPrefix(name, "[") {
		return path + name
	}
	return path + "." + name
}

// fieldName returns the name of a struct field in the file.
func fieldName(f reflect.StructField) (string, bool) {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return name, f.IsExported() && name != "" && name != "-"
}

// inlined reports whether a field is a struct whose fields stand beside those of the struct around it.
func inlined(f reflect.StructField) bool { return f.Anonymous && f.Tag.Get("yaml") == ",inline" }

var (
	typeDuration = reflect.TypeFor[time.Duration]()
	typeText     = reflect.TypeFor[encoding.TextUnmarshaler]()
	typeSecret   = reflect.TypeFor[SecretFile]()
)

// isScalar reports whether values of the type are written as one word.
func isScalar(t reflect.Type) bool {
	if t == typeDuration || reflect.PointerTo(t).Implements(typeText) {
		return true
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Slice, reflect.Map, reflect.Pointer, reflect.Interface:
		return false
	}
	return true
}

func (d *decoder) value(n ast.Node, v reflect.Value, path string, depth int) {
	if _, known := d.at[path]; !known {
		d.at[path] = start(n)
	}
	if depth > MaxDepth {
		d.fail(path, "", "nested more than %d deep", MaxDepth)
		return
	}
	switch n := n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		d.fail(path, "write the value out", "YAML anchors, aliases and merge keys are not accepted here")
		return
	case *ast.TagNode:
		d.fail(path, "leave the tag out", "the YAML tag %s is not accepted here", n.Start.Value)
		return
	case *ast.NullNode:
		d.fail(path, "remove the line to use the default", "has no value")
		return
	}
	if v.Kind() == reflect.Pointer && !isScalar(v.Type()) {
		p := reflect.New(v.Type().Elem())
		if !v.IsNil() {
			p.Elem().Set(v.Elem())
		}
		v.Set(p)
		d.value(n, p.Elem(), path, depth)
		return
	}
	if isScalar(v.Type()) {
		d.scalar(n, v, path)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.fields(n, v, path, depth)
	case reflect.Slice:
		d.list(n, v, path, depth)
	case reflect.Map:
		d.entries(n, v, path, depth)
	case reflect.Interface:
		d.free(n, v, path, depth)
	default:
		panic("BUG: configuration field " + path + " of type " + v.Type().String())
	}
}

// pairs returns the entries of a mapping, and false when it is something else.
func pairs(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

// each calls fn for the entries of a mapping, after having found fault with
// what no configuration may have.
func (d *decoder) each(n ast.Node, path string, fn func(name string, key position, value ast.Node)) {
	list, ok := pairs(n)
	if !ok {
		d.fail(path, "", "want a mapping (name: value), have %s", kindOf(n))
		return
	}
	seen := map[string]int{}
	for _, p := range list {
		at := where(p.Key.GetToken())
		if p.Key.IsMergeKey() {
			d.failAt(at, path, "write the values out", "YAML anchors, aliases and merge keys are not accepted here")
			continue
		}
		name := keyText(p.Key)
		if line, twice := seen[name]; twice {
			d.failAt(at, join(path, name), "", fmt.Sprintf("given twice, first in line %d", line))
			continue
		}
		seen[name] = at.line
		fn(name, at, p.Value)
	}
}

func keyText(k ast.MapKeyNode) string {
	if s, ok := k.(*ast.StringNode); ok {
		return s.Value
	}
	if t := k.GetToken(); t != nil {
		return t.Value
	}
	return k.String()
}

func (d *decoder) fields(n ast.Node, v reflect.Value, path string, depth int) {
	index := map[string][]int{}
	var known []string
	named(v.Type(), nil, func(name string, at []int) {
		index[name] = at
		known = append(known, name)
	})
	d.each(n, path, func(name string, at position, value ast.Node) {
		i, ok := index[name]
		if !ok {
			d.failAt(at, join(path, printable(name)), unknownHint(name, known), "no such field")
			return
		}
		p := join(path, name)
		d.at[p] = at
		d.value(value, v.FieldByIndex(i), p, depth+1)
	})
}

// named calls fn for the fields of a struct, and for those of a struct in it that
// is marked inline as if they were its own.
func named(t reflect.Type, above []int, fn func(name string, at []int)) {
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(slices.Clone(above), i)
		if inlined(f) {
			named(f.Type, at, fn)
		} else if name, ok := fieldName(f); ok {
			fn(name, at)
		}
	}
}

func unknownHint(name string, known []string) string {
	if near := nearest(name, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	if len(known) > 0 && len(known) <= 12 {
		known = slices.Clone(known)
		slices.Sort(known)
		return "the fields here are " + strings.Join(known, ", ")
	}
	return ""
}

func (d *decoder) list(n ast.Node, v reflect.Value, path string, depth int) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		d.fail(path, "write each element on a line of its own, after \"- \"", "want a list, have %s", kindOf(n))
		return
	}
	out := reflect.MakeSlice(v.Type(), len(s.Values), len(s.Values))
	for i, e := range s.Values {
		p := fmt.Sprintf("%s[%d]", path, i)
		if e == nil {
			d.fail(path, "", "element %d has no value", i+1)
			continue
		}
		d.at[p] = start(e)
		d.value(e, out.Index(i), p, depth+1)
	}
	v.Set(out)
}

func (d *decoder) entries(n ast.Node, v reflect.Value, path string, depth int) {
	out := reflect.MakeMap(v.Type())
	d.each(n, path, func(name string, at position, value ast.Node) {
		p := join(path, name)
		d.at[p] = at
		e := reflect.New(v.Type().Elem()).Elem()
		d.value(value, e, p, depth+1)
		out.SetMapIndex(reflect.ValueOf(name).Convert(v.Type().Key()), e)
	})
	v.Set(out)
}

// free decodes a value of no given type: text, true or false, int64, uint64, float64, []any or
// map[string]any.
func (d *decoder) free(n ast.Node, v reflect.Value, path string, depth int) {
	var into reflect.Value
	switch n := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		into = reflect.New(reflect.TypeFor[map[string]any]()).Elem()
		d.entries(n, into, path, depth)
	case *ast.SequenceNode:
		into = reflect.New(reflect.TypeFor[[]any]()).Elem()
		d.list(n, into, path, depth)
	case *ast.BoolNode:
		into = reflect.ValueOf(n.Value)
	case *ast.IntegerNode:
		s := n.GetToken().Value
		if i, err := strconv.ParseInt(s, 0, 64); err == nil {
			into = reflect.ValueOf(i)
		} else if u, err := strconv.ParseUint(s, 0, 64); err == nil {
			into = reflect.ValueOf(u)
		}
	case *ast.FloatNode:
		into = reflect.ValueOf(n.Value)
	default:
		if s, _, ok := text(n); ok {
			into = reflect.ValueOf(s)
		}
	}
	if !into.IsValid() {
		d.fail(path, "", "want a value, have %s", kindOf(n))
		return
	}
	v.Set(into)
}
