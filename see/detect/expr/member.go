// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"net/netip"
	"slices"

	"github.com/asepsis/asepsis/see/detect/scene"
)

// manyValues is from how many values on a list is searched by a table.
const manyValues = 8

// in asks whether a list, or a set of named values, has something.
func (c *compiler) in(e *syntax, l, r *node) (*node, error) {
	n := joined(kBool, 3, l, r)
	switch {
	case r.kind == kTexts && l.kind == kText && r.lit != nil:
		test, err := c.inLiteral(e, l, r.lit.ss)
		if err != nil {
			return nil, err
		}
		n.b = test
	case r.kind == kTexts && l.kind == kText:
		n.b = func(s *scene.Scene, f *frame) bool { return slices.Contains(r.ss(s, f), l.s(s, f)) }
	case r.kind == kInts && l.kind == kInt && r.lit != nil:
		x, set := l.i, r.lit.is
		if len(set) > manyValues {
			table := map[int64]bool{}
			for _, v := range set {
				table[v] = true
			}
			n.b = func(s *scene.Scene, f *frame) bool { return table[x(s, f)] }
			break
		}
		n.b = func(s *scene.Scene, f *frame) bool { return slices.Contains(set, x(s, f)) }
	case r.kind == kInts && l.kind == kInt:
		n.b = func(s *scene.Scene, f *frame) bool {
			list, v := r.is(s, f), l.i(s, f)
			for i := range list.len() {
				if list.at(i) == v {
					return true
				}
			}
			return false
		}
	case r.kind == kAttrs && l.kind == kText:
		n.b = func(s *scene.Scene, f *frame) bool { return hasAttr(r.kv(s, f), l.s(s, f)) }
	case r.kind == kCounts && l.kind == kText:
		n.b = func(s *scene.Scene, f *frame) bool { _, ok := r.counts(s, f)[l.s(s, f)]; return ok }
	case r.kind == kTexts && r.lit != nil && len(r.lit.ss) == 0:
		n.b = func(*scene.Scene, *frame) bool { return false }
	default:
		return nil, c.mismatch(e, "", l, r)
	}
	return n, nil
}

func (c *compiler) inLiteral(e *syntax, l *node, set []string) (func(*scene.Scene, *frame) bool, error) {
	if l.addr != nil {
		want := make([]netip.Addr, len(set))
		for i, v := range set {
			a, err := c.address(e, v)
			if err != nil {
				return nil, err
			}
			want[i] = a
		}
		x := l.addr
		return func(s *scene.Scene, f *frame) bool { return slices.Contains(want, x(s, f)) }, nil
	}
	x := l.s
	if l.folded != nil && len(set) <= manyValues {
		x = l.folded
		return func(s *scene.Scene, f *frame) bool {
			v := x(s, f)
			for _, w := range set {
				if equalFolded(v, w) {
					return true
				}
			}
			return false
		}, nil
	}
	if len(set) > manyValues {
		table := map[string]bool{}
		for _, v := range set {
			table[v] = true
		}
		return func(s *scene.Scene, f *frame) bool { return table[x(s, f)] }, nil
	}
	return func(s *scene.Scene, f *frame) bool { return slices.Contains(set, x(s, f)) }, nil
}

// index takes an element of a list by its place, or a value by its name.
func (c *compiler) index(e *syntax, l, r *node) (*node, error) {
	switch {
	case (l.kind == kAttrs || l.kind == kCounts) && r.kind == kText:
		return lookup(l, r), nil
	case r.kind != kInt:
		return nil, c.place(e, "", "the place in a list is a whole number")
	}
	n := joined(0, 1, l, r).failing()
	switch l.kind {
	case kTexts:
		n.kind = kText
		n.s = func(s *scene.Scene, f *frame) string {
			list, i := l.ss(s, f), r.i(s, f)
			if i < 0 || i >= int64(len(list)) {
				f.fail(ErrIndex)
				return ""
			}
			return list[i]
		}
	case kInts:
		n.kind = kInt
		n.i = func(s *scene.Scene, f *frame) int64 {
			list, i := l.is(s, f), r.i(s, f)
			if i < 0 || i >= int64(list.len()) {
				f.fail(ErrIndex)
				return 0
			}
			return list.at(int(i))
		}
	case kObjects:
		n.kind, n.of = kObject, l.of
		n.o = func(s *scene.Scene, f *frame) thing {
			list, i := l.os(s, f), r.i(s, f)
			if i < 0 || i >= int64(list.n) {
				f.fail(ErrIndex)
				return nil
			}
			return list.at(int(i))
		}
	default:
		return nil, c.place(e, "", "%s has no places", kindName(l.kind, l.of))
	}
	return n, nil
}
