// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

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
