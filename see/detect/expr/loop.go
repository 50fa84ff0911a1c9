// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"maps"
	"slices"

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

// loop compiles exists, all, exists_one, filter and map.
func (c *compiler) loop(e *syntax) (*node, error) {
	list, err := c.compile(e.args[0])
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
	elem := element(list, slot)
	c.loops = append(c.loops, loop{name: e.variable, elem: elem})
	defer func() { c.loops = c.loops[:slot] }()

	var cond, result *node
	if e.name != "map" || len(e.args) == 3 {
		if cond, err = c.compile(e.args[1]); err != nil {
			return nil, err
		}
		if cond.kind != kBool {
			return nil, c.place(e, "it is written "+loopForms[e.name], "the condition is true or false, this is %s", kindName(cond.kind, cond.of))
		}
	}
	switch e.name {
	case "exists":
		return quantifier(list, open, slot, cond, true), nil
	case "all":
		return quantifier(list, open, slot, cond, false), nil
	case "exists_one":
		return exactlyOne(list, open, slot, cond), nil
	case "filter":
		result = elem
	case "map":
		if result, err = c.compile(e.args[len(e.args)-1]); err != nil {
			return nil, err
		}
	}
	return c.collect(e, list, open, slot, cond, result)
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
func quantifier(list *node, open func(*scene.Scene, *frame) elements, slot int, p *node, decides bool) *node {
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
	return n
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
func (c *compiler) collect(e *syntax, list *node, open func(*scene.Scene, *frame) elements, slot int, cond, r *node) (*node, error) {
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
