// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"slices"

	"github.com/asepsis/asepsis/see/detect/scene"
)

// compiler checks the types of one expression and turns it into nodes.
type compiler struct {
	env   *Env
	src   *source
	roots map[string]*field // variables
	loops []loop            // around the place that is being compiled, outermost first
	reads []*node           // fields that are read, in the order of the text
}

// loop is a variable of a comprehension.
type loop struct {
	name string
	elem *node
}

// place makes an error at a part of the expression.
func (c *compiler) place(e *syntax, hint, format string, args ...any) error {
	return c.src.fail(e.at, hint, format, args...)
}

func (c *compiler) compile(e *syntax) (*node, error) {
	switch e.kind {
	case sLiteral:
		return e.value, nil
	case sName:
		return c.variable(e)
	case sField, sHas:
		return c.selected(e)
	case sList:
		return c.list(e)
	case sOperator:
		return c.operator(e)
	case sCall:
		return c.call(e)
	case sLoop:
		return c.loop(e)
	}
	panic("BUG: a part of an expression of no kind")
}

func (c *compiler) variable(e *syntax) (*node, error) {
	name := e.name
	for _, l := range slices.Backward(c.loops) {
		if l.name == name {
			return l.elem, nil
		}
	}
	f := c.roots[name]
	if f == nil {
		return nil, c.undeclared(e)
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

func (c *compiler) selected(e *syntax) (*node, error) {
	base, err := c.compile(e.args[0])
	if err != nil {
		return nil, err
	}
	name := e.name
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
	if e.kind == sHas {
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

func (c *compiler) list(e *syntax) (*node, error) {
	var elems []*node
	constant, errs, needs, cost := true, false, false, 1
	for _, x := range e.args {
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
func conjuncts(e *syntax, out []*syntax) []*syntax {
	if e.kind == sOperator && e.name == "&&" {
		for _, a := range e.args {
			out = conjuncts(a, out)
		}
		return out
	}
	return append(out, e)
}
