// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// Bool is a compiled condition.
type Bool struct {
	text    string
	parts   []part  // of the && chain, in the order of the text
	ordered []*node // of parts, the cheap ones first
	needs   bool
}

// part is one condition of the && chain.
type part struct {
	text  string
	node  *node
	reads []*node
}

// plan puts the conditions in the order of their cost. CEL's && has no order: what
// is false wins, whatever comes of the other side.
func (b *Bool) plan() {
	for _, p := range b.parts {
		b.ordered = append(b.ordered, p.node)
		b.needs = b.needs || p.node.needs
	}
	slices.SortStableFunc(b.ordered, func(x, y *node) int { return x.cost - y.cost })
}

// Eval says whether the condition holds. It allocates nothing where the expression
// makes no new text or list.
func (b *Bool) Eval(s *scene.Scene) (bool, error) {
	if !b.needs {
		for _, n := range b.ordered {
			if !n.b(s, nil) {
				return false, nil
			}
		}
		return true, nil
	}
	return b.evalFramed(s)
}

func (b *Bool) evalFramed(s *scene.Scene) (bool, error) {
	var f *frame
	var failed error
	for _, n := range b.ordered {
		if !n.needs {
			if !n.b(s, nil) {
				if f != nil {
					f.free()
				}
				return false, nil
			}
			continue
		}
		if f == nil {
			f = newFrame()
		}
		got := n.b(s, f)
		if f.err != nil {
			failed, f.err = f.err, nil
			continue
		}
		if !got {
			f.free()
			return false, nil
		}
	}
	if f != nil {
		f.free()
	}
	return failed == nil, failed
}

// String is the expression as written.
func (b *Bool) String() string { return b.text }

// Part is one condition of the && chain of an expression, and what it made of a scene.
type Part struct {
	Text   string
	Holds  bool
	Err    error
	Fields []finding.Field // that it reads
}

// Explain evaluates each condition of the && chain, also those behind one that is false.
func (b *Bool) Explain(s *scene.Scene) []Part {
	f := newFrame()
	defer f.free()
	var out []Part
	for _, p := range b.parts {
		x := Part{Text: p.text, Holds: p.node.b(s, f), Err: f.err}
		f.err, f.steps = nil, 0
		x.Holds = x.Holds && x.Err == nil
		x.Fields = fieldsOf(p.reads, s, f)
		out = append(out, x)
	}
	return out
}

// Fields returns the fields that the expression reads, each once, with their values in s.
func (b *Bool) Fields(s *scene.Scene) []finding.Field {
	f := newFrame()
	defer f.free()
	var out []finding.Field
	for _, p := range b.parts {
		for _, x := range fieldsOf(p.reads, s, f) {
			if !slices.ContainsFunc(out, func(o finding.Field) bool { return o.Name == x.Name }) {
				out = append(out, x)
			}
		}
	}
	return out
}

// Reads returns the names of the fields that the expression reads.
func (b *Bool) Reads() []string {
	var out []string
	for _, p := range b.parts {
		for _, n := range p.reads {
			if !slices.Contains(out, n.path) {
				out = append(out, n.path)
			}
		}
	}
	return out
}

// maxShown bounds the value of a field that is shown.
const maxShown = 512

func fieldsOf(reads []*node, s *scene.Scene, f *frame) []finding.Field {
	out := make([]finding.Field, 0, len(reads))
	for _, n := range reads {
		v := string(n.appendText(nil, s, f))
		if len(v) > maxShown {
			v = strings.ToValidUTF8(v[:maxShown], "") + "..."
		}
		out = append(out, finding.Field{Name: n.path, Value: v})
	}
	return out
}

// value is a compiled expression of a value.
type value struct {
	text  string
	node  *node
	reads []*node
}

// String is the expression as written.
func (v *value) String() string { return v.text }

// Fields returns the fields that the expression reads, with their values in s.
func (v *value) Fields(s *scene.Scene) []finding.Field {
	f := newFrame()
	defer f.free()
	return fieldsOf(v.reads, s, f)
}

// Reads returns the names of the fields that the expression reads.
func (v *value) Reads() []string {
	var out []string
	for _, n := range v.reads {
		out = append(out, n.path)
	}
	return out
}

func (v *value) frame() *frame {
	if v.node.needs {
		return newFrame()
	}
	return nil
}

func (f *frame) done() error {
	if f == nil {
		return nil
	}
	err := f.err
	f.free()
	return err
}

// Text is a compiled expression of a text. A number or a boolean is written as text.
type Text struct{ value }

// Eval gives the text.
func (t *Text) Eval(s *scene.Scene) (string, error) {
	f := t.frame()
	var v string
	if t.node.kind == kText {
		v = t.node.s(s, f)
	} else {
		v = string(t.node.appendText(nil, s, f))
	}
	if err := f.done(); err != nil {
		return "", err
	}
	return v, nil
}

// Append appends the text to dst. It allocates nothing but what dst needs, where
// the expression makes no new text.
func (t *Text) Append(dst []byte, s *scene.Scene) ([]byte, error) {
	f := t.frame()
	out := t.node.appendText(dst, s, f)
	if err := f.done(); err != nil {
		return dst, err
	}
	return out, nil
}

// Number is a compiled expression of a number.
type Number struct {
	value
	number func(s *scene.Scene, f *frame) float64
}

// Eval gives the number.
func (n *Number) Eval(s *scene.Scene) (float64, error) {
	f := n.frame()
	v := n.number(s, f)
	if err := f.done(); err != nil {
		return 0, err
	}
	return v, nil
}

// Texts is a compiled expression of a list of texts, or of one value made text.
type Texts struct{ value }

// Eval gives the texts; none for a single text that is empty. The slice may be
// the event's own: it is not to be changed.
func (t *Texts) Eval(s *scene.Scene) ([]string, error) {
	f := t.frame()
	var out []string
	switch t.node.kind {
	case kTexts:
		out = t.node.ss(s, f)
	case kInts:
		l := t.node.is(s, f)
		for i := range l.len() {
			out = append(out, string(appendInt(nil, l.at(i))))
		}
	default:
		if v := t.node.appendText(nil, s, f); len(v) > 0 {
			out = []string{string(v)}
		}
	}
	if err := f.done(); err != nil {
		return nil, err
	}
	return out, nil
}
