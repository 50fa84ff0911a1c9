// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"slices"
	"strings"
)

// signature is one way in which a function is called.
type signature struct {
	method bool // the first argument stands before the dot
	args   []kind
}

// signatures are the functions and what they take. Of size, int, double and string
// the compiler knows more; kAny stands for what it decides.
var signatures = map[string][]signature{
	"abs":           {{args: []kind{kInt}}, {args: []kind{kFloat}}},
	"cidr":          {{args: []kind{kText, kText}}, {args: []kind{kText, kTexts}}},
	"contains":      {{method: true, args: []kind{kText, kText}}},
	"device_at":     {{args: []kind{kText}}},
	"double":        {{args: []kind{kAny}}},
	"endsWith":      {{method: true, args: []kind{kText, kText}}},
	"entropy":       {{args: []kind{kText}}},
	"first":         {{args: []kind{kTexts}}},
	"hour":          {{args: []kind{kInt, kText}}},
	"in_list":       {{args: []kind{kText, kText}}},
	"int":           {{args: []kind{kAny}}},
	"label_count":   {{args: []kind{kText}}},
	"lower":         {{args: []kind{kText}}},
	"matches":       {{method: true, args: []kind{kText, kText}}, {args: []kind{kText, kText}}},
	"parent_domain": {{args: []kind{kText}}},
	"size":          {{args: []kind{kAny}}, {method: true, args: []kind{kAny}}},
	"startsWith":    {{method: true, args: []kind{kText, kText}}},
	"stations":      {{args: []kind{kText}}},
	"string":        {{args: []kind{kAny}}},
	"upper":         {{args: []kind{kText}}},
	"weekday":       {{args: []kind{kInt, kText}}},
}

// kAny is a kind in signatures alone.
const kAny kind = 0

func (s signature) takes(e *syntax, args []*node) bool {
	return s.method == e.method && slices.EqualFunc(s.args, args, func(k kind, n *node) bool { return k == kAny || k == n.kind })
}

// called checks that a function is one and is called as it can be.
func (c *compiler) called(e *syntax, args []*node) error {
	ways := signatures[e.name]
	if slices.ContainsFunc(ways, func(s signature) bool { return s.takes(e, args) }) {
		return nil
	}
	help := "it is written " + formOf(e.name)
	if !slices.ContainsFunc(ways, func(s signature) bool { return s.method == e.method && len(s.args) == len(args) }) {
		return c.place(e, help, "%s is called in another way", e.name)
	}
	return c.mismatch(e, help, args...)
}

// known checks that there is a function of that name.
func (c *compiler) known(e *syntax) error {
	if signatures[e.name] != nil {
		return nil
	}
	names := functionNames()
	hint := "the functions are " + strings.Join(names, ", ")
	if near := nearest(e.name, names); near != "" {
		hint = "did you mean " + quote(near) + "?"
	}
	return c.place(e, hint, "%s() is not a function of this language", e.name)
}

// functionNames are all functions, in the order of their names.
func functionNames() []string {
	out := make([]string, 0, len(signatures))
	for name := range signatures {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// formOf is how a call is written.
func formOf(name string) string {
	for _, f := range Functions() {
		for part := range strings.SplitSeq(f.Call, "), ") {
			part = strings.TrimSuffix(part, ")") + ")"
			if strings.HasPrefix(part, name+"(") || strings.Contains(part, "."+name+"(") {
				return part
			}
		}
	}
	return name + "(...)"
}

// booleans checks that operands are true or false.
func (c *compiler) booleans(e *syntax, args ...*node) error {
	for _, n := range args {
		if n.kind != kBool {
			return c.mismatch(e, "", args...)
		}
	}
	return nil
}

// mismatch says that an operator or a function does not take these values.
func (c *compiler) mismatch(e *syntax, help string, args ...*node) error {
	var kinds []string
	for _, n := range args {
		kinds = append(kinds, withArticle(n.kind, n.of))
	}
	name := e.name
	if name == opMinus {
		name = "-"
	}
	return c.place(e, help, "%s does not go with %s", name, strings.Join(kinds, " and "))
}

// withArticle is what a person calls a type in a sentence.
func withArticle(k kind, of *object) string {
	switch k {
	case kInt, kFloat, kTexts, kInts, kObjects:
		return "a " + kindName(k, of)
	}
	return kindName(k, of)
}
