// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"errors"
	"math"
	"net/netip"
	"slices"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// joined is a node that is made of others.
func joined(k kind, cost int, of ...*node) *node {
	n := &node{kind: k, cost: cost}
	for _, x := range of {
		n.errs, n.needs, n.cost = n.errs || x.errs, n.needs || x.needs, n.cost+x.cost
	}
	return n
}

// failing marks a node as one that can fail by itself.
func (n *node) failing() *node {
	n.errs, n.needs = true, true
	return n
}

func (c *compiler) compileAll(exprs []*syntax) ([]*node, error) {
	var out []*node
	for _, e := range exprs {
		n, err := c.compile(e)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

func (c *compiler) call(e *syntax) (*node, error) {
	if err := c.known(e); err != nil {
		return nil, err
	}
	args, err := c.compileAll(e.args)
	if err != nil {
		return nil, err
	}
	if err := c.called(e, args); err != nil {
		return nil, err
	}
	return c.function(e, e.name, e.args, args)
}

func (c *compiler) operator(e *syntax) (*node, error) {
	args, err := c.compileAll(e.args)
	if err != nil {
		return nil, err
	}
	switch name := e.name; name {
	case "&&", "||", "!":
		return c.logical(e, args)
	case opChoice:
		return c.conditional(e, args)
	case "==":
		return c.equals(e, args[0], args[1], false)
	case "!=":
		return c.equals(e, args[0], args[1], true)
	case "<", "<=", ">", ">=":
		return c.compare(e, name, args[0], args[1])
	case "in":
		return c.in(e, args[0], args[1])
	case opIndex:
		n, err := c.index(e, args[0], args[1])
		if err == nil && args[0].path != "" && args[1].lit != nil && n.kind == kText && args[0].kind == kAttrs {
			n.path = args[0].path + "[" + quote(args[1].lit.s) + "]"
			c.read(n, args[0].path)
		}
		return n, err
	default:
		return c.arithmetic(e, name, args)
	}
}

func (c *compiler) logical(e *syntax, args []*node) (*node, error) {
	if err := c.booleans(e, args...); err != nil {
		return nil, err
	}
	switch e.name {
	case "&&":
		return and(args), nil
	case "||":
		return or(args), nil
	}
	x, n := args[0].b, joined(kBool, 0, args...)
	n.b = func(s *scene.Scene, f *frame) bool { return !x(s, f) }
	return n, nil
}

// and holds CEL's rule that what is false stays so whatever the other side's error is.
func and(args []*node) *node {
	n := joined(kBool, 0, args...)
	l, r := args[0].b, args[1].b
	if !n.errs {
		n.b = func(s *scene.Scene, f *frame) bool { return l(s, f) && r(s, f) }
		return n
	}
	n.b = func(s *scene.Scene, f *frame) bool {
		v, err := either(s, f, l, r, false)
		f.err = err
		return v
	}
	return n
}

func or(args []*node) *node {
	n := joined(kBool, 0, args...)
	l, r := args[0].b, args[1].b
	if !n.errs {
		n.b = func(s *scene.Scene, f *frame) bool { return l(s, f) || r(s, f) }
		return n
	}
	n.b = func(s *scene.Scene, f *frame) bool {
		v, err := either(s, f, l, r, true)
		f.err = err
		return v
	}
	return n
}

// either evaluates && and || where a side can fail: the value that decides wins
// over the error of the other side, but not over one from before.
func either(s *scene.Scene, f *frame, l, r func(*scene.Scene, *frame) bool, decides bool) (bool, error) {
	before := f.err
	f.err = nil
	lv := l(s, f)
	lerr := f.err
	if lerr == nil && lv == decides {
		return decides, before
	}
	f.err = nil
	rv := r(s, f)
	rerr := f.err
	switch {
	case before != nil:
		return false, before
	case errors.Is(lerr, ErrBudget):
		return false, lerr
	case rerr == nil && rv == decides:
		return decides, nil
	case lerr != nil:
		return false, lerr
	}
	return !decides && rerr == nil, rerr
}

func (c *compiler) conditional(e *syntax, args []*node) (*node, error) {
	if args[0].kind != kBool {
		return nil, c.place(e, "", "what is asked before the ? is true or false, this is %s", kindName(args[0].kind, args[0].of))
	}
	if args[1].kind != args[2].kind || args[1].of != args[2].of {
		return nil, c.place(e, "", "both results of ? : must be of one type")
	}
	q, x, y := args[0].b, args[1], args[2]
	n := joined(x.kind, 0, args...)
	n.of = x.of
	switch x.kind {
	case kBool:
		n.b = func(s *scene.Scene, f *frame) bool { return pick(q(s, f), x.b, y.b)(s, f) }
	case kInt:
		n.i = func(s *scene.Scene, f *frame) int64 { return pick(q(s, f), x.i, y.i)(s, f) }
	case kFloat:
		n.d = func(s *scene.Scene, f *frame) float64 { return pick(q(s, f), x.d, y.d)(s, f) }
	case kText:
		n.s = func(s *scene.Scene, f *frame) string { return pick(q(s, f), x.s, y.s)(s, f) }
	case kTexts:
		n.ss = func(s *scene.Scene, f *frame) []string { return pick(q(s, f), x.ss, y.ss)(s, f) }
	case kInts:
		n.is = func(s *scene.Scene, f *frame) ints { return pick(q(s, f), x.is, y.is)(s, f) }
	default:
		return nil, c.place(e, "", "? : chooses between simple values and lists of them, not %s", kindName(x.kind, x.of))
	}
	return n, nil
}

func pick[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}

// equals compares. A text that is an address is compared as one.
func (c *compiler) equals(e *syntax, l, r *node, not bool) (*node, error) {
	left, right := l, r
	if l.lit != nil {
		l, r = r, l
	}
	n := joined(kBool, 1, l, r)
	if l.kind != r.kind {
		return nil, c.mismatch(e, "", left, right)
	}
	switch {
	case l.kind == kText:
		test, err := c.textEquals(e, l, r)
		if err != nil {
			return nil, err
		}
		n.b, n.cost = test, n.cost+1
	case l.kind == kInt && r.lit != nil:
		x, v := l.i, r.lit.i
		n.b = func(s *scene.Scene, f *frame) bool { return x(s, f) == v }
	case l.kind == kInt:
		n.b = func(s *scene.Scene, f *frame) bool { return l.i(s, f) == r.i(s, f) }
	case l.kind == kFloat:
		n.b = func(s *scene.Scene, f *frame) bool { return l.d(s, f) == r.d(s, f) } //nolint:gosec // as written by the rule's author
	case l.kind == kBool:
		n.b = func(s *scene.Scene, f *frame) bool { return l.b(s, f) == r.b(s, f) }
	case l.kind == kTexts:
		n.b = func(s *scene.Scene, f *frame) bool { return slices.Equal(l.ss(s, f), r.ss(s, f)) }
	case l.kind == kInts:
		n.b = func(s *scene.Scene, f *frame) bool {
			a, b := l.is(s, f), r.is(s, f)
			if a.len() != b.len() {
				return false
			}
			for i := range a.len() {
				if a.at(i) != b.at(i) {
					return false
				}
			}
			return true
		}
	default:
		return nil, c.place(e, "compare their fields", "%s cannot be compared as a whole", kindName(l.kind, l.of))
	}
	if not {
		is := n.b
		n.b = func(s *scene.Scene, f *frame) bool { return !is(s, f) }
	}
	return n, nil
}

func (c *compiler) textEquals(e *syntax, l, r *node) (func(*scene.Scene, *frame) bool, error) {
	switch {
	case r.lit != nil && l.addr != nil:
		want, err := c.address(e, r.lit.s)
		if err != nil {
			return nil, err
		}
		x := l.addr
		return func(s *scene.Scene, f *frame) bool { return x(s, f) == want }, nil
	case r.lit != nil && l.mac != nil:
		want, err := c.hardware(e, r.lit.s)
		if err != nil {
			return nil, err
		}
		x := l.mac
		return func(s *scene.Scene, f *frame) bool { return x(s, f) == want }, nil
	case r.lit != nil && l.folded != nil:
		x, v := l.folded, r.lit.s
		return func(s *scene.Scene, f *frame) bool { return equalFolded(x(s, f), v) }, nil
	case r.lit != nil:
		x, v := l.s, r.lit.s
		return func(s *scene.Scene, f *frame) bool { return x(s, f) == v }, nil
	case l.addr != nil && r.addr != nil:
		return func(s *scene.Scene, f *frame) bool { return l.addr(s, f) == r.addr(s, f) }, nil
	case l.mac != nil && r.mac != nil:
		return func(s *scene.Scene, f *frame) bool { return l.mac(s, f) == r.mac(s, f) }, nil
	}
	return func(s *scene.Scene, f *frame) bool { return l.s(s, f) == r.s(s, f) }, nil
}

// address reads a literal that is compared with an address, so that one that can
// never be equal is an error and not a rule that never fires.
func (c *compiler) address(e *syntax, text string) (netip.Addr, error) {
	if text == "" {
		return netip.Addr{}, nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.String() != text {
		hint := "for a network write cidr(src.ip, \"10.0.0.0/8\")"
		if err == nil {
			hint = "write " + a.String()
		}
		return a, c.place(e, hint, "%q is not an address as events have them", text)
	}
	return a, nil
}

func (c *compiler) hardware(e *syntax, text string) (device.MAC, error) {
	if text == "" {
		return device.MAC{}, nil
	}
	m, err := device.ParseMAC(text)
	if err != nil || m.String() != text {
		return m, c.place(e, "write it as 00:08:02:1c:ae:a4", "%q is not a hardware address as events have them", text)
	}
	return m, nil
}

// order says which results of a three-way comparison satisfy an operator.
func order(name string, less, equal, greater bool) bool {
	switch name {
	case "<":
		return less
	case "<=":
		return less || equal
	case ">":
		return greater
	}
	return greater || equal
}

func (c *compiler) compare(e *syntax, name string, l, r *node) (*node, error) {
	n := joined(kBool, 1, l, r)
	switch {
	case l.kind == kInt && r.kind == kInt:
		x, y := l.i, r.i
		if r.lit != nil {
			n.b = compareInt(name, x, r.lit.i)
			return n, nil
		}
		n.b = func(s *scene.Scene, f *frame) bool {
			a, b := x(s, f), y(s, f)
			return order(name, a < b, a == b, a > b)
		}
	case (l.kind == kInt || l.kind == kFloat) && (r.kind == kInt || r.kind == kFloat):
		x, y := asFloat(l), asFloat(r)
		n.b = func(s *scene.Scene, f *frame) bool {
			a, b := x(s, f), y(s, f)
			return order(name, a < b, a == b, a > b)
		}
	case l.kind == kText && r.kind == kText:
		x, y := l.s, r.s
		n.b = func(s *scene.Scene, f *frame) bool {
			a, b := x(s, f), y(s, f)
			return order(name, a < b, a == b, a > b)
		}
	default:
		return nil, c.mismatch(e, "", l, r)
	}
	return n, nil
}

func compareInt(name string, x func(*scene.Scene, *frame) int64, v int64) func(*scene.Scene, *frame) bool {
	switch name {
	case "<":
		return func(s *scene.Scene, f *frame) bool { return x(s, f) < v }
	case "<=":
		return func(s *scene.Scene, f *frame) bool { return x(s, f) <= v }
	case ">":
		return func(s *scene.Scene, f *frame) bool { return x(s, f) > v }
	}
	return func(s *scene.Scene, f *frame) bool { return x(s, f) >= v }
}

func asFloat(n *node) func(*scene.Scene, *frame) float64 {
	if n.kind == kFloat {
		return n.d
	}
	return func(s *scene.Scene, f *frame) float64 { return float64(n.i(s, f)) }
}

func (c *compiler) arithmetic(e *syntax, name string, args []*node) (*node, error) {
	l := args[0]
	if name == opMinus {
		switch l.kind {
		case kInt:
			n := joined(kInt, 0, l).failing()
			n.i = func(s *scene.Scene, f *frame) int64 {
				v := l.i(s, f)
				if v == math.MinInt64 {
					f.fail(ErrOverflow)
				}
				return -v
			}
			return n, nil
		case kFloat:
			n := joined(kFloat, 0, l)
			n.d = func(s *scene.Scene, f *frame) float64 { return -l.d(s, f) }
			return n, nil
		}
		return nil, c.mismatch(e, "", l)
	}
	r := args[1]
	switch {
	case l.kind == kInt && r.kind == kInt:
		n := joined(kInt, 1, l, r).failing()
		op := wholeOps[name]
		n.i = func(s *scene.Scene, f *frame) int64 {
			v, err := op(l.i(s, f), r.i(s, f))
			if err != nil {
				f.fail(err)
			}
			return v
		}
		return n, nil
	case l.kind == kFloat && r.kind == kFloat && name != "%":
		n := joined(kFloat, 1, l, r)
		n.d = func(s *scene.Scene, f *frame) float64 {
			a, b := l.d(s, f), r.d(s, f)
			switch name {
			case "+":
				return a + b
			case "-":
				return a - b
			case "*":
				return a * b
			}
			return a / b
		}
		return n, nil
	case name == "+" && l.kind == kText && r.kind == kText:
		n := joined(kText, 10, l, r).failing()
		n.s = func(s *scene.Scene, f *frame) string {
			a, b := l.s(s, f), r.s(s, f)
			if len(a)+len(b) > MaxText {
				f.fail(ErrLength)
				return ""
			}
			return a + b
		}
		return n, nil
	case name == "+" && l.kind == kTexts && r.kind == kTexts:
		n := joined(kTexts, 10, l, r)
		n.ss = func(s *scene.Scene, f *frame) []string { return slices.Concat(l.ss(s, f), r.ss(s, f)) }
		return n, nil
	}
	return nil, c.mismatch(e, "convert one of them with int(...), double(...) or string(...)", l, r)
}

// wholeOps calculate with whole numbers as CEL does: what does not fit is an error.
var wholeOps = map[string]func(a, b int64) (int64, error){
	"+": func(a, b int64) (int64, error) {
		if v := a + b; (v > a) == (b > 0) {
			return v, nil
		}
		return 0, ErrOverflow
	},
	"-": func(a, b int64) (int64, error) {
		if v := a - b; (v < a) == (b > 0) {
			return v, nil
		}
		return 0, ErrOverflow
	},
	"*": func(a, b int64) (int64, error) {
		if a == 0 || b == 0 {
			return 0, nil
		}
		v := a * b
		if v/b != a || a == -1 && b == math.MinInt64 || b == -1 && a == math.MinInt64 {
			return 0, ErrOverflow
		}
		return v, nil
	},
	"/": func(a, b int64) (int64, error) {
		if b == 0 {
			return 0, ErrDivision
		}
		if a == math.MinInt64 && b == -1 {
			return 0, ErrOverflow
		}
		return a / b, nil
	},
	"%": func(a, b int64) (int64, error) {
		if b == 0 {
			return 0, ErrDivision
		}
		if a == math.MinInt64 && b == -1 {
			return 0, ErrOverflow
		}
		return a % b, nil
	},
}
