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
	case reflect.Struct, reflect.Slice, reflect.Map, reflect.Pointer:
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
	index := map[string]int{}
	var known []string
	for i := range v.NumField() {
		if name, ok := fieldName(v.Type().Field(i)); ok {
			index[name] = i
			known = append(known, name)
		}
	}
	d.each(n, path, func(name string, at position, value ast.Node) {
		i, ok := index[name]
		if !ok {
			d.failAt(at, join(path, printable(name)), unknownHint(name, known), "no such field")
			return
		}
		p := join(path, name)
		d.at[p] = at
		d.value(value, v.Field(i), p, depth+1)
	})
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

// kindOf names what stands in the file.
func kindOf(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	}
	return "something else"
}

// text returns a scalar as it stands in the file.
func text(n ast.Node) (s string, quoted, ok bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		t := n.GetToken()
		return n.Value, t != nil && (t.Type == token.SingleQuoteType || t.Type == token.DoubleQuoteType), true
	case *ast.LiteralNode:
		return n.Value.Value, true, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, false, true
	}
	return "", false, false
}

func (d *decoder) scalar(n ast.Node, v reflect.Value, path string) {
	fail := func(hint, format string, args ...any) {
		d.failAt(where(n.GetToken()), path, hint, fmt.Sprintf(format, args...))
	}
	s, quoted, ok := text(n)
	if !ok {
		fail("", "want %s, have %s", wanted(v.Type()), kindOf(n))
		return
	}
	shown := strconv.Quote(printable(s))
	switch {
	case v.Type() == typeDuration:
		x, err := time.ParseDuration(s)
		if err != nil {
			hint := "write a number and a unit: 500ms, 30s, 5m, 1h30m"
			if _, err := strconv.ParseFloat(s, 64); err == nil {
				hint = fmt.Sprintf("write the unit too, for example %ss", s)
			}
			fail(hint, "%s is not a duration", shown)
			return
		}
		v.SetInt(int64(x))
		return
	case v.Type() == typeSecret:
		if _, str := n.(*ast.StringNode); !str || s == "" {
			fail("", "want the path of a file, have %s", shown)
			return
		}
		f := SecretFile(s).in(d.dir)
		if err := f.check(); err != nil {
			fail(secretHint(err), "%s", err.Error())
			return
		}
		v.SetString(string(f))
		return
	case reflect.PointerTo(v.Type()).Implements(typeText):
		x := reflect.New(v.Type())
		if err := x.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s)); err != nil {
			hint := ""
			if h, ok := err.(interface{ Hint() string }); ok {
				hint = h.Hint()
			}
			fail(hint, "%s", printable(reason(err, s)))
			return
		}
		v.Set(x.Elem())
		return
	}
	mismatch := func(hint string) { fail(hint, "want %s, have %s", wanted(v.Type()), shown) }
	switch v.Kind() {
	case reflect.String:
		switch n.(type) {
		case *ast.StringNode, *ast.LiteralNode:
			v.SetString(s)
		default:
			fail(fmt.Sprintf("put it in quotes: %q", s), "want text, have %s", kindOf(n))
		}
	case reflect.Bool:
		b, ok := n.(*ast.BoolNode)
		if !ok {
			mismatch(boolHint(s, quoted))
			return
		}
		v.SetBool(b.Value)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if _, ok := n.(*ast.IntegerNode); !ok {
			mismatch(numberHint(s, quoted))
			return
		}
		x, err := strconv.ParseInt(s, 0, v.Type().Bits())
		if err != nil {
			mismatch("")
			return
		}
		v.SetInt(x)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if _, ok := n.(*ast.IntegerNode); !ok {
			mismatch(numberHint(s, quoted))
			return
		}
		x, err := strconv.ParseUint(s, 0, v.Type().Bits())
		if err != nil {
			mismatch("")
			return
		}
		v.SetUint(x)
	case reflect.Float32, reflect.Float64:
		x, err := strconv.ParseFloat(s, v.Type().Bits())
		if _, str := n.(*ast.StringNode); str || err != nil || x != x || x > 1e300 || x < -1e300 {
			mismatch(numberHint(s, quoted))
			return
		}
		v.SetFloat(x)
	default:
		panic("BUG: configuration field " + path + " of type " + v.Type().String())
	}
}

// reason is the text of a parser's error without the name of a Go function:
// netip's errors read netip.ParsePrefix("10.0.0.0/33"): prefix length out of range.
func reason(err error, value string) string {
	msg := err.Error()
	if strings.HasPrefix(msg, "netip.") || strings.HasPrefix(msg, "Parse") {
		if _, why, ok := strings.Cut(msg, "): "); ok {
			return strconv.Quote(value) + ": " + why
		}
	}
	return msg
}

func boolHint(s string, quoted bool) string {
	switch strings.ToLower(s) {
	case "yes", "on", "y", "1":
		return "write true"
	case "no", "off", "n", "0":
		return "write false"
	case "true", "false":
		if quoted {
			return "remove the quotes"
		}
		return "write it in lower case"
	}
	return ""
}

func numberHint(s string, quoted bool) string {
	if _, err := strconv.ParseFloat(s, 64); err == nil && quoted {
		return "remove the quotes"
	}
	return ""
}

// wanted names a type to a person.
func wanted(t reflect.Type) string {
	switch {
	case t == typeDuration:
		return "a duration (\"30s\")"
	case t == typeSecret:
		return "the path of a file"
	case t == reflect.TypeFor[ByteSize]():
		return "a size (\"64MiB\")"
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if b := t.Bits(); b < 32 {
			return fmt.Sprintf("a whole number from %d to %d", -1<<(b-1), 1<<(b-1)-1)
		}
		return "a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if b := t.Bits(); b < 32 {
			return fmt.Sprintf("a whole number from 0 to %d", 1<<b-1)
		}
		return "a whole number, 0 or more"
	case reflect.Float32, reflect.Float64:
		return "a number"
	}
	return "a value"
}
