// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"fmt"
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/asepsis/asepsis/see/detect/scene"
)

// compiler turns one checked syntax tree into nodes.
type compiler struct {
	env   *Env
	tree  *ast.AST
	roots map[string]*field // variables
	loops []loop            // around the place that is being compiled, outermost first
	reads []*node           // fields that are read, in the order of the text
}

// loop is a variable of a comprehension.
type loop struct {
	name string
	elem *node
}

// place makes an error at an expression.
func (c *compiler) place(e ast.Expr, hint, format string, args ...any) error {
	l := c.tree.SourceInfo().GetStartLocation(e.ID())
	return &Error{Line: l.Line(), Column: l.Column() + 1, Message: fmt.Sprintf(format, args...), Help: hint}
}

func (c *compiler) compile(e ast.Expr) (*node, error) {
	switch e.Kind() {
	case ast.LiteralKind:
		return c.literal(e)
	case ast.IdentKind:
		return c.variable(e)
	case ast.SelectKind:
		return c.selected(e)
	case ast.ListKind:
		return c.list(e)
	case ast.CallKind:
		return c.call(e)
	case ast.ComprehensionKind:
		return c.comprehension(e)
	case ast.MapKind:
		return nil, c.place(e, "", "maps cannot be written here")
	}
	return nil, c.place(e, "", "values with fields cannot be written here")
}

func (c *compiler) literal(e ast.Expr) (*node, error) {
	switch v := e.AsLiteral().(type) {
	case types.Bool:
		return constBool(bool(v)), nil
	case types.Int:
		return constInt(int64(v)), nil
	case types.Double:
		return constFloat(float64(v)), nil
	case types.String:
		return constText(string(v)), nil
	case types.Uint:
		return nil, c.place(e, fmt.Sprintf("write %d", uint64(v)), "whole numbers are written without the u")
	case types.Null:
		return nil, c.place(e, "ask with has(...) whether a field is there", "there is no null: what an event does not have is empty")
	}
	return nil, c.place(e, "", "a value of this type cannot be written here")
}

func (c *compiler) variable(e ast.Expr) (*node, error) {
	name := e.AsIdent()
	for _, l := range slices.Backward(c.loops) {
		if l.name == name {
			return l.elem, nil
		}
	}
	f := c.roots[name]
	if f == nil {
		return nil, c.place(e, "", "%q is not a variable", name)
	}
	if f.node != nil {
		n := f.node(c)
		n.path = name
		n.cost++
		c.read(n, "")
		return n, nil
	}
	for _, k := range detailKinds {
		if k.name == name {
			return detailNode(k, f.of), nil
		}
	}
	return &node{kind: kObject, of: f.of, path: name, o: func(*scene.Scene, *frame) thing { return nil }}, nil
}

// read notes that a field is read, instead of what it was reached by.
func (c *compiler) read(n *node, instead string) {
	if instead != "" {
		c.reads = slices.DeleteFunc(c.reads, func(r *node) bool { return r.path == instead })
	}
	if slices.ContainsFunc(c.reads, func(r *node) bool { return r.path == n.path }) {
		return
	}
	c.reads = append(c.reads, n)
}

func (c *compiler) selected(e ast.Expr) (*node, error) {
	sel := e.AsSelect()
	base, err := c.compile(sel.Operand())
	if err != nil {
		return nil, err
	}
	name := sel.FieldName()
	var n *node
	switch base.kind {
	case kObject:
		f := base.of.field(name)
		if f == nil {
			return nil, c.place(e, nearHint(name, base.of.names()), "%s has no field %q", base.of.name, name)
		}
		if f.node != nil {
			n = f.node(c)
			n.cost++
			if base.of.name == "policy" {
				n.cost += 200 // the policy is looked up, once for an event
			}
		} else {
			n = fieldNode(base, f)
		}
	case kAttrs, kCounts:
		n = lookup(base, constText(name))
	default:
		return nil, c.place(e, "", "%s has no fields", kindName(base.kind, base.of))
	}
	if base.path != "" {
		n.path = base.path + "." + name
		c.read(n, base.path)
	}
	if sel.IsTestOnly() {
		return &node{kind: kBool, b: n.has(), errs: n.errs, needs: n.needs, cost: n.cost}, nil
	}
	return n, nil
}

// lookup is a value by its name; empty where there is none of that name.
func lookup(base, key *node) *node {
	n := &node{errs: base.errs || key.errs, needs: base.needs || key.needs, cost: base.cost + key.cost + 5}
	if base.kind == kAttrs {
		n.kind = kText
		kv := base.kv
		if key.lit != nil {
			name := key.lit.s
			n.s = func(s *scene.Scene, f *frame) string { return attr(kv(s, f), name) }
			n.present = func(s *scene.Scene, f *frame) bool { return hasAttr(kv(s, f), name) }
		} else {
			n.s = func(s *scene.Scene, f *frame) string { return attr(kv(s, f), key.s(s, f)) }
		}
		return n
	}
	n.kind = kInt
	n.i = func(s *scene.Scene, f *frame) int64 { return int64(base.counts(s, f)[key.s(s, f)]) }
	return n
}

func (c *compiler) list(e ast.Expr) (*node, error) {
	var elems []*node
	constant, errs, needs, cost := true, false, false, 1
	for _, x := range e.AsList().Elements() {
		n, err := c.compile(x)
		if err != nil {
			return nil, err
		}
		if n.kind != kText && n.kind != kInt {
			return nil, c.place(x, "", "lists are of texts or of whole numbers, not of %s", kindName(n.kind, n.of))
		}
		if len(elems) > 0 && n.kind != elems[0].kind {
			return nil, c.place(x, "", "a list is of one type")
		}
		constant = constant && n.lit != nil
		errs, needs, cost = errs || n.errs, needs || n.needs, cost+n.cost
		elems = append(elems, n)
	}
	if len(elems) > 0 && elems[0].kind == kInt {
		n := &node{kind: kInts, errs: errs, needs: needs, cost: cost}
		if constant {
			v := make([]int64, len(elems))
			for i, x := range elems {
				v[i] = x.lit.i
			}
			n.lit, n.is = &literal{is: v}, func(*scene.Scene, *frame) ints { return ints{large: v} }
			return n, nil
		}
		n.is = func(s *scene.Scene, f *frame) ints {
			v := make([]int64, len(elems))
			for i, x := range elems {
				v[i] = x.i(s, f)
			}
			return ints{large: v}
		}
		return n, nil
	}
	n := &node{kind: kTexts, errs: errs, needs: needs, cost: cost}
	if constant {
		v := make([]string, len(elems))
		for i, x := range elems {
			v[i] = x.lit.s
		}
		n.lit, n.ss = &literal{ss: v}, func(*scene.Scene, *frame) []string { return v }
		return n, nil
	}
	n.ss = func(s *scene.Scene, f *frame) []string {
		v := make([]string, len(elems))
		for i, x := range elems {
			v[i] = x.s(s, f)
		}
		return v
	}
	return n, nil
}

// conjuncts takes the && chain apart.
func conjuncts(e ast.Expr, out []ast.Expr) []ast.Expr {
	if e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.LogicalAnd {
		for _, a := range e.AsCall().Args() {
			out = conjuncts(a, out)
		}
		return out
	}
	return append(out, e)
}
