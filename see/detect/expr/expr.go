// SPDX-License-Identifier: Apache-2.0

// Package expr compiles the expressions of rules: CEL, typed against the event
// schema, bounded in cost.
//
// # The language
//
// It is a part of CEL (the Common Expression Language): its grammar, its macros and its
// rules of types and of errors. What is checked is compiled into Go functions over the
// structs of core/event, so that an evaluation makes no maps, boxes no values and, as
// long as it makes no new text, allocates nothing. Tests hold all of it against cel-go:
// what is accepted here is accepted there and has the same value.
//
// What there is to read is in docs/rules.md, generated from the structs. Beside CEL:
//   - What an event does not have reads as empty ("", 0, false, an empty list), at
//     every depth: tls.sni of an event without TLS is "". has() tells the two apart
//     only for what can be absent as a whole.
//   - A name that an event's attributes or counts do not have reads as empty too.
//   - Numbers are int or double; timestamps, durations, bytes, unsigned numbers, null,
//     maps and things with fields that are written out, optional values, names with a
//     leading dot, dynamic values and macros beyond has, all, exists, exists_one, filter
//     and map are refused when the expression is compiled.
//   - Regular expressions, networks, list names and time zones are literals: what is
//     wrong with them is said at compile time.
//
// # Bounds
//
// An expression is at most MaxLength bytes long, its brackets are nested at most 64 deep,
// its loops four, and these take at most MaxSteps turns in one evaluation, and a text that it makes is
// at most MaxText bytes. What goes beyond is an error; whoever evaluates a condition takes
// an error for false and counts it.
//
// # Concurrency
//
// An Env and everything compiled by it may be used by many goroutines.
package expr

import (
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/asepsis/asepsis/core/event"
)

// Bounds of expressions.
const (
	MaxLength  = 4 << 10  // bytes of an expression
	MaxSteps   = 100_000  // turns of loops in one evaluation
	MaxText    = 64 << 10 // bytes of a text that is made
	maxLoops   = 4        // loops in loops
	maxDepth   = 64       // brackets in brackets
	maxPattern = 512      // bytes of a regular expression
)

// Lists answers in_list("name", value).
type Lists interface {
	Has(list string) bool
	Contains(list, value string) bool
	Names() []string
}

// Env compiles expressions.
type Env struct {
	lists Lists

	mu    sync.Mutex
	roots map[string]map[string]*field // variables, by the kinds of detail
}

// Option configures an Env.
type Option func(*Env)

// WithLists gives the indicator lists that in_list asks. Without it no list is known.
func WithLists(l Lists) Option { return func(e *Env) { e.lists = l } }

// NewEnv makes an environment.
func NewEnv(opts ...Option) (*Env, error) {
	e := &Env{roots: map[string]map[string]*field{}}
	for _, o := range opts {
		o(e)
	}
	return e, nil
}

// variables are what expressions over events of these classes see; of all classes when there are none.
func (e *Env) variables(classes []event.Class) map[string]*field {
	var kinds []string
	for _, k := range detailKinds {
		if len(classes) == 0 || slices.Contains(classes, k.detail.Class()) {
			kinds = append(kinds, k.name)
		}
	}
	key := strings.Join(kinds, " ")
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := e.roots[key]; r != nil {
		return r
	}
	r := map[string]*field{}
	for _, f := range surroundings() {
		r[f.name] = f
	}
	for _, k := range kinds {
		o := details()[k]
		r[k] = &field{name: k, kind: kObject, of: o, doc: o.doc}
	}
	e.roots[key] = r
	return r
}

// parse reads an expression and makes a compiler for it.
func (e *Env) parse(classes []event.Class, text string) (*syntax, *compiler, error) {
	if err := checkText(text); err != nil {
		return nil, nil, err
	}
	src, tree, err := parse(text)
	if err != nil {
		return nil, nil, err
	}
	return tree, &compiler{env: e, src: src, roots: e.variables(classes)}, nil
}

// Bool compiles a condition over events of these classes, over all when there are none.
func (e *Env) Bool(classes []event.Class, text string) (*Bool, error) {
	tree, c, err := e.parse(classes, text)
	if err != nil {
		return nil, err
	}
	b := &Bool{text: text}
	var errs []error
	for _, x := range conjuncts(tree, nil) {
		c.reads = nil
		n, err := c.compile(x)
		if err == nil && n.kind != kBool {
			err = c.place(x, "", "a condition is true or false, this is %s", kindName(n.kind, n.of))
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		b.parts = append(b.parts, part{text: c.src.written(x.first, x.last), node: n, reads: c.reads})
	}
	switch {
	case len(errs) == 1:
		return nil, errs[0]
	case len(errs) > 0:
		return nil, errors.Join(errs[:min(len(errs), maxErrors)]...)
	}
	b.plan()
	return b, nil
}

func (e *Env) value(classes []event.Class, text string) (*value, error) {
	tree, c, err := e.parse(classes, text)
	if err != nil {
		return nil, err
	}
	n, err := c.compile(tree)
	if err != nil {
		return nil, err
	}
	return &value{text: text, node: n, reads: c.reads}, nil
}

// Text compiles an expression of a text, a number or a boolean.
func (e *Env) Text(classes []event.Class, text string) (*Text, error) {
	v, err := e.value(classes, text)
	if err != nil {
		return nil, err
	}
	switch v.node.kind {
	case kText, kInt, kFloat, kBool:
		return &Text{value: *v}, nil
	}
	return nil, &Error{Line: 1, Column: 1, Message: "want one value, have " + kindName(v.node.kind, v.node.of), Help: "take one with first(...), or a field of it"}
}

// Number compiles an expression of a number.
func (e *Env) Number(classes []event.Class, text string) (*Number, error) {
	v, err := e.value(classes, text)
	if err != nil {
		return nil, err
	}
	if v.node.kind != kInt && v.node.kind != kFloat {
		return nil, &Error{Line: 1, Column: 1, Message: "want a number, have " + kindName(v.node.kind, v.node.of)}
	}
	return &Number{value: *v, number: asFloat(v.node)}, nil
}

// Texts compiles an expression of a list of texts or numbers, or of one value.
func (e *Env) Texts(classes []event.Class, text string) (*Texts, error) {
	v, err := e.value(classes, text)
	if err != nil {
		return nil, err
	}
	switch v.node.kind {
	case kObject, kObjects, kAttrs, kCounts:
		return nil, &Error{Line: 1, Column: 1, Message: "want texts, have " + kindName(v.node.kind, v.node.of), Help: "take a field of each: list.map(x, x.field)"}
	}
	return &Texts{value: *v}, nil
}

// HasList reports whether there is an indicator list of that name.
func (e *Env) HasList(name string) bool { return e.lists != nil && e.lists.Has(name) }

// ListNames returns the names of the indicator lists.
func (e *Env) ListNames() []string {
	if e.lists == nil {
		return nil
	}
	return e.lists.Names()
}
