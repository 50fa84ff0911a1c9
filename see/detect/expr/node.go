// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// node is a part of an expression, compiled: functions of which the one of its
// kind is set. It holds no state and is shared by goroutines.
//
// An error in the evaluation is left in the frame, and what the function returns
// then is of no account. A node that has errs unset leaves none, and with needs
// unset it may be given a nil frame.
type node struct {
	kind kind
	of   *object // of kObject and kObjects

	b      func(s *scene.Scene, f *frame) bool
	i      func(s *scene.Scene, f *frame) int64
	d      func(s *scene.Scene, f *frame) float64
	s      func(s *scene.Scene, f *frame) string
	ss     func(s *scene.Scene, f *frame) []string
	is     func(s *scene.Scene, f *frame) ints
	o      func(s *scene.Scene, f *frame) thing // nil: absent
	os     func(s *scene.Scene, f *frame) things
	kv     func(s *scene.Scene, f *frame) []event.KV
	counts func(s *scene.Scene, f *frame) map[string]uint32

	// A text that is an address or a name of a fixed set has a form that is compared without making the text.
	addr func(s *scene.Scene, f *frame) netip.Addr
	mac  func(s *scene.Scene, f *frame) device.MAC
	// folded is the text of which this is the lower case.
	folded func(s *scene.Scene, f *frame) string

	present func(s *scene.Scene, f *frame) bool // of a field: has()

	path  string // as written, of a field that is reached from a variable: "op.modality"
	lit   *literal
	errs  bool // may leave an error
	needs bool // needs a frame
	cost  int  // about, in comparisons
}

// literal is the value of a node that is a constant.
type literal struct {
	b  bool
	i  int64
	d  float64
	s  string
	ss []string
	is []int64
}

// ints is a list of whole numbers, as it is in an event or as it was written.
type ints struct {
	small []uint16
	large []int64
}

func (l ints) len() int { return len(l.small) + len(l.large) }

func (l ints) at(i int) int64 {
	if i < len(l.small) {
		return int64(l.small[i])
	}
	return l.large[i-len(l.small)]
}

// frame is what one evaluation needs beside the scene.
type frame struct {
	err   error
	steps int
	vars  [maxLoops]variable
}

// variable is the element that a loop is at.
type variable struct {
	s string
	i int64
	o thing
}

var frames = sync.Pool{New: func() any { return new(frame) }}

func newFrame() *frame { return frames.Get().(*frame) }

func (f *frame) free() {
	*f = frame{}
	frames.Put(f)
}

func (f *frame) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}

// step counts one turn of a loop and reports whether more are allowed.
func (f *frame) step() bool {
	f.steps++
	if f.steps > MaxSteps {
		f.fail(ErrBudget)
		return false
	}
	return f.err == nil
}

// What goes wrong in an evaluation.
var (
	ErrBudget   = fmt.Errorf("the expression needs more than %d steps for this event", MaxSteps)
	ErrIndex    = errors.New("the list has no element at that index")
	ErrDivision = errors.New("division by zero")
	ErrOverflow = errors.New("the number is too large")
	ErrConvert  = errors.New("the text is not a number")
	ErrLength   = fmt.Errorf("the text is longer than %d bytes", MaxText)
)

func constText(v string) *node {
	return &node{kind: kText, s: func(*scene.Scene, *frame) string { return v }, lit: &literal{s: v}}
}

func constInt(v int64) *node {
	return &node{kind: kInt, i: func(*scene.Scene, *frame) int64 { return v }, lit: &literal{i: v}}
}

func constFloat(v float64) *node {
	return &node{kind: kFloat, d: func(*scene.Scene, *frame) float64 { return v }, lit: &literal{d: v}}
}

func constBool(v bool) *node {
	return &node{kind: kBool, b: func(*scene.Scene, *frame) bool { return v }, lit: &literal{b: v}}
}

func addrNode(fn func(s *scene.Scene, f *frame) netip.Addr) *node {
	return &node{kind: kText, addr: fn, cost: 2, s: func(s *scene.Scene, f *frame) string {
		if a := fn(s, f); a.IsValid() {
			return a.String()
		}
		return ""
	}}
}

func macNode(fn func(s *scene.Scene, f *frame) device.MAC) *node {
	return &node{kind: kText, mac: fn, cost: 2, s: func(s *scene.Scene, f *frame) string {
		if m := fn(s, f); !m.IsZero() {
			return m.String()
		}
		return ""
	}}
}

// appendText writes a value as text. Lists are written with commas; of structs it
// writes how many there are.
func (n *node) appendText(dst []byte, s *scene.Scene, f *frame) []byte {
	switch n.kind {
	case kText:
		switch {
		case n.addr != nil:
			if a := n.addr(s, f); a.IsValid() {
				dst = a.AppendTo(dst)
			}
		default:
			dst = append(dst, n.s(s, f)...)
		}
	case kInt:
		dst = strconv.AppendInt(dst, n.i(s, f), 10)
	case kFloat:
		dst = strconv.AppendFloat(dst, n.d(s, f), 'g', -1, 64)
	case kBool:
		dst = strconv.AppendBool(dst, n.b(s, f))
	case kTexts:
		for i, v := range n.ss(s, f) {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = append(dst, v...)
		}
	case kInts:
		l := n.is(s, f)
		for i := range l.len() {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = strconv.AppendInt(dst, l.at(i), 10)
		}
	case kObjects:
		dst = strconv.AppendInt(dst, int64(n.os(s, f).n), 10)
	case kAttrs:
		for i, a := range n.kv(s, f) {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = append(append(append(dst, a.Name...), '='), a.Value...)
		}
	case kCounts:
		m := n.counts(s, f)
		var parts []string
		for k, v := range m {
			parts = append(parts, k+"="+strconv.FormatUint(uint64(v), 10))
		}
		sortTexts(parts)
		dst = append(dst, strings.Join(parts, ", ")...)
	case kObject:
		if n.o(s, f) != nil {
			dst = append(dst, "present"...)
		}
	}
	return dst
}

// has is what has() says of a value without a presence of its own: it is not zero.
func (n *node) has() func(s *scene.Scene, f *frame) bool {
	if n.present != nil {
		return n.present
	}
	switch n.kind {
	case kBool:
		return n.b
	case kInt:
		return func(s *scene.Scene, f *frame) bool { return n.i(s, f) != 0 }
	case kFloat:
		return func(s *scene.Scene, f *frame) bool { return n.d(s, f) != 0 }
	case kText:
		switch {
		case n.addr != nil:
			return func(s *scene.Scene, f *frame) bool { return n.addr(s, f).IsValid() }
		case n.mac != nil:
			return func(s *scene.Scene, f *frame) bool { return !n.mac(s, f).IsZero() }
		}
		return func(s *scene.Scene, f *frame) bool { return n.s(s, f) != "" }
	case kTexts:
		return func(s *scene.Scene, f *frame) bool { return len(n.ss(s, f)) > 0 }
	case kInts:
		return func(s *scene.Scene, f *frame) bool { return n.is(s, f).len() > 0 }
	case kObject:
		return func(s *scene.Scene, f *frame) bool { return n.o(s, f) != nil }
	case kObjects:
		return func(s *scene.Scene, f *frame) bool { return n.os(s, f).n > 0 }
	case kAttrs:
		return func(s *scene.Scene, f *frame) bool { return len(n.kv(s, f)) > 0 }
	case kCounts:
		return func(s *scene.Scene, f *frame) bool { return len(n.counts(s, f)) > 0 }
	}
	panic("BUG: a node of no kind")
}
