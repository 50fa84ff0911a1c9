// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"maps"
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// elements is a list that a loop goes through.
type elements struct {
	n  int
	ss []string
	is ints
	os things
	kv []event.KV
}

func (l *elements) load(v *variable, i int) {
	switch {
	case l.ss != nil:
		v.s = l.ss[i]
	case l.kv != nil:
		v.s = l.kv[i].Name
	case l.os.n > 0:
		v.o = l.os.at(i)
	default:
		v.i = l.is.at(i)
	}
}

func elementsOf(x *node) func(s *scene.Scene, f *frame) elements {
	switch x.kind {
	case kTexts:
		return func(s *scene.Scene, f *frame) elements { v := x.ss(s, f); return elements{n: len(v), ss: v} }
	case kInts:
		return func(s *scene.Scene, f *frame) elements { v := x.is(s, f); return elements{n: v.len(), is: v} }
	case kAttrs:
		return func(s *scene.Scene, f *frame) elements { v := x.kv(s, f); return elements{n: len(v), kv: v} }
	case kCounts:
		return func(s *scene.Scene, f *frame) elements {
			v := slices.Sorted(maps.Keys(x.counts(s, f)))
			return elements{n: len(v), ss: v}
		}
	case kObjects:
		return func(s *scene.Scene, f *frame) elements {
			v := x.os(s, f)
			return elements{n: v.n, os: v}
		}
	}
	return nil
}

// comprehension compiles what the macros exists, all, exists_one, filter and map
// become. Others cannot be written.
func (c *compiler) comprehension(e ast.Expr) (*node, error) {
	loopExpr := e.AsComprehension()
	list, err := c.compile(loopExpr.IterRange())
	if err != nil {
		return nil, err
	}
	open := elementsOf(list)
	if open == nil {
		return nil, c.place(e, "", "%s is not a list", kindName(list.kind, list.of))
	}
	slot := len(c.loops)
	if slot >= maxLoops {
		return nil, c.place(e, "", "loops are nested more than %d deep", maxLoops)
	}
	if loopExpr.HasIterVar2() {
		return nil, c.place(e, "", "a loop has one variable")
	}
	c.loops = append(c.loops, loop{name: loopExpr.IterVar(), elem: element(list, slot)})
	defer func() { c.loops = c.loops[:slot] }()

	step := loopExpr.LoopStep()
	if step.Kind() != ast.CallKind {
		return nil, c.place(e, "", "this loop is not one of exists, all, exists_one, filter and map")
	}
	args := step.AsCall().Args()
	switch step.AsCall().FunctionName() {
	case operators.LogicalOr:
		return c.quantifier(list, open, slot, args[1], true)
	case operators.LogicalAnd:
		return c.quantifier(list, open, slot, args[1], false)
	case operators.Conditional: // cond ? accu + x : accu
		cond, err := c.compile(args[0])
		if err != nil {
			return nil, err
		}
		if loopExpr.AccuInit().Kind() == ast.LiteralKind {
			return exactlyOne(list, open, slot, cond), nil
		}
		return c.collect(e, list, open, slot, cond, args[1].AsCall().Args()[1].AsList().Elements()[0])
	case operators.Add: // accu + [x]
		return c.collect(e, list, open, slot, nil, args[1].AsList().Elements()[0])
	}
	return nil, c.place(e, "", "this loop is not one of exists, all, exists_one, filter and map")
}

// element is the variable of a loop.
func element(list *node, slot int) *node {
	n := &node{needs: true, cost: 1}
	switch list.kind {
	case kTexts, kAttrs, kCounts:
		n.kind, n.s = kText, func(_ *scene.Scene, f *frame) string { return f.vars[slot].s }
	case kInts:
		n.kind, n.i = kInt, func(_ *scene.Scene, f *frame) int64 { return f.vars[slot].i }
	case kObjects:
		n.kind, n.of, n.o = kObject, list.of, func(_ *scene.Scene, f *frame) thing { return f.vars[slot].o }
	}
	return n
}

func looped(k kind, of ...*node) *node {
	n := joined(k, 100, of...).failing()
	n.cost *= 8
	return n
}

// quantifier is exists (any) or all. As in CEL the element that decides wins over
// the error of another.
func (c *compiler) quantifier(list *node, open func(*scene.Scene, *frame) elements, slot int, pred ast.Expr, decides bool) (*node, error) {
	p, err := c.compile(pred)
	if err != nil {
		return nil, err
	}
	n := looped(kBool, list, p)
	n.b = func(s *scene.Scene, f *frame) bool {
		l := open(s, f)
		if f.err != nil {
			return false
		}
		var failed error
		for i := range l.n {
			if !f.step() {
				return false
			}
			l.load(&f.vars[slot], i)
			got := p.b(s, f)
			switch {
			case f.err == nil && got == decides:
				return decides
			case f.err == ErrBudget: //nolint:errorlint // set here, as it is
				return false
			case f.err != nil:
				failed, f.err = f.err, nil
			}
		}
		f.err = failed
		return !decides
	}
	return n, nil
}

func exactlyOne(list *node, open func(*scene.Scene, *frame) elements, slot int, p *node) *node {
	n := looped(kBool, list, p)
	n.b = func(s *scene.Scene, f *frame) bool {
		l, found := open(s, f), 0
		for i := 0; i < l.n && f.err == nil && f.step(); i++ {
			l.load(&f.vars[slot], i)
			if p.b(s, f) {
				found++
			}
		}
		return found == 1
	}
	return n
}

// collect is filter or map.
func (c *compiler) collect(e ast.Expr, list *node, open func(*scene.Scene, *frame) elements, slot int, cond *node, result ast.Expr) (*node, error) {
	r, err := c.compile(result)
	if err != nil {
		return nil, err
	}
	holds := func(s *scene.Scene, f *frame) bool { return cond == nil || cond.b(s, f) }
	parts := []*node{list, r}
	if cond != nil {
		parts = append(parts, cond)
	}
	switch r.kind {
	case kText:
		n := looped(kTexts, parts...)
		n.ss = func(s *scene.Scene, f *frame) (out []string) {
			l := open(s, f)
			for i := 0; i < l.n && f.err == nil && f.step(); i++ {
				l.load(&f.vars[slot], i)
				if holds(s, f) {
					out = append(out, r.s(s, f))
				}
			}
			return out
		}
		return n, nil
	case kInt:
		n := looped(kInts, parts...)
		n.is = func(s *scene.Scene, f *frame) (out ints) {
			l := open(s, f)
			for i := 0; i < l.n && f.err == nil && f.step(); i++ {
				l.load(&f.vars[slot], i)
				if holds(s, f) {
					out.large = append(out.large, r.i(s, f))
				}
			}
			return out
		}
		return n, nil
	case kObject:
		n := looped(kObjects, parts...)
		n.of = r.of
		n.os = func(s *scene.Scene, f *frame) (out things) {
			l := open(s, f)
			for i := 0; i < l.n && f.err == nil && f.step(); i++ {
				l.load(&f.vars[slot], i)
				if !holds(s, f) {
					continue
				}
				if p := r.o(s, f); p != nil {
					out.each = append(out.each, p)
					out.n++
				}
			}
			return out
		}
		return n, nil
	}
	return nil, c.place(e, "", "filter and map make lists of texts, of whole numbers or of things with fields, not of %s", kindName(r.kind, r.of))
}
