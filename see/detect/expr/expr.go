// SPDX-License-Identifier: Apache-2.0

// Package expr compiles the expressions of rules: CEL, typed against the event
// schema, bounded in cost.
//
// # The language
//
// Parser, macros and type checker are those of CEL (cel.dev/cel-go); what is
// checked is compiled into Go functions over the structs of core/event, so that
// an evaluation makes no maps, boxes no values and, as long as it makes no new
// text, allocates nothing. A test holds the results against CEL's own interpreter.
//
// What there is to read is in docs/rules.md, generated from the structs. Beside CEL:
//   - What an event does not have reads as empty ("", 0, false, an empty list), at
//     every depth: tls.sni of an event without TLS is "". has() tells the two apart
//     only for what can be absent as a whole.
//   - A name that an event's attributes or counts do not have reads as empty too.
//   - Numbers are int or double; timestamps, durations, bytes, maps that are written
//     out, dynamic values and macros beyond has, all, exists, exists_one, filter and map
//     are refused when the expression is compiled.
//   - Regular expressions, networks, list names and time zones are literals: what is
//     wrong with them is said at compile time.
//
// # Bounds
//
// An expression is at most MaxLength bytes long, its loops are nested at most four
// deep and take at most MaxSteps turns in one evaluation, and a text that it makes is
// at most MaxText bytes. What goes beyond is an error; whoever evaluates a condition takes
// an error for false and counts it.
//
// # Concurrency
//
// An Env and everything compiled by it may be used by many goroutines.
package expr

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/parser"

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
	base  *cel.Env

	mu   sync.Mutex
	envs map[string]*scope // by the kinds of detail
}

// scope is what expressions over some classes see.
type scope struct {
	env   *cel.Env
	roots map[string]*field
}

// Option configures an Env.
type Option func(*Env)

// WithLists gives the indicator lists that in_list asks. Without it no list is known.
func WithLists(l Lists) Option { return func(e *Env) { e.lists = l } }

// NewEnv makes an environment.
func NewEnv(opts ...Option) (*Env, error) {
	e := &Env{envs: map[string]*scope{}}
	for _, o := range opts {
		o(e)
	}
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, fmt.Errorf("prepare expressions: %w", err)
	}
	base, err := cel.NewEnv(append([]cel.EnvOption{
		cel.CustomTypeProvider(&provider{Provider: registry}),
		cel.CrossTypeNumericComparisons(true),
		cel.HomogeneousAggregateLiterals(),
		cel.EnableMacroCallTracking(),
		cel.ParserRecursionLimit(maxDepth),
		cel.ParserExpressionSizeLimit(MaxLength),
	}, declarations()...)...)
	if err != nil {
		return nil, fmt.Errorf("prepare expressions: %w", err)
	}
	e.base = base
	return e, nil
}

// scope returns what expressions over events of these classes see; of all classes when there are none.
func (e *Env) scope(classes []event.Class) (*scope, error) {
	var kinds []string
	for _, k := range detailKinds {
		if len(classes) == 0 || slices.Contains(classes, k.detail.Class()) {
			kinds = append(kinds, k.name)
		}
	}
	key := strings.Join(kinds, " ")
	e.mu.Lock()
	defer e.mu.Unlock()
	if s := e.envs[key]; s != nil {
		return s, nil
	}
	s := &scope{roots: map[string]*field{}}
	var vars []cel.EnvOption
	add := func(f *field) {
		s.roots[f.name] = f
		vars = append(vars, cel.Variable(f.name, celType(f.kind, f.of)))
	}
	for _, f := range surroundings() {
		add(f)
	}
	for _, k := range kinds {
		o := details()[k]
		add(&field{name: k, kind: kObject, of: o, doc: o.doc})
	}
	env, err := e.base.Extend(vars...)
	if err != nil {
		return nil, fmt.Errorf("prepare expressions over %s: %w", key, err)
	}
	s.env = env
	e.envs[key] = s
	return s, nil
}

// parsed is an expression that was checked.
type parsed struct {
	text string
	tree *ast.AST
	c    *compiler
}

func (e *Env) parse(classes []event.Class, text string) (*parsed, error) {
	if len(text) > MaxLength {
		return nil, &Error{Line: 1, Column: 1, Message: fmt.Sprintf("the expression is longer than %d bytes", MaxLength)}
	}
	if strings.TrimSpace(text) == "" {
		return nil, &Error{Line: 1, Column: 1, Message: "the expression is empty"}
	}
	sc, err := e.scope(classes)
	if err != nil {
		return nil, err
	}
	tree, iss := sc.env.Parse(text)
	if iss.Err() != nil {
		return nil, e.issues(iss, tree, sc.roots)
	}
	checked, iss := sc.env.Check(tree)
	if iss.Err() != nil {
		return nil, e.issues(iss, tree, sc.roots)
	}
	p := &parsed{text: text, tree: checked.NativeRep()}
	p.c = &compiler{env: e, tree: p.tree, roots: sc.roots}
	return p, nil
}

// source is a part of the expression as it is written.
func (p *parsed) source(x ast.Expr) string {
	s, err := parser.Unparse(x, p.tree.SourceInfo(), parser.WrapOnColumn(1<<20))
	if err != nil {
		return p.text
	}
	return s
}

// Bool compiles a condition over events of these classes, over all when there are none.
func (e *Env) Bool(classes []event.Class, text string) (*Bool, error) {
	p, err := e.parse(classes, text)
	if err != nil {
		return nil, err
	}
	b := &Bool{text: text}
	var errs []error
	for _, x := range conjuncts(p.tree.Expr(), nil) {
		p.c.reads = nil
		n, err := p.c.compile(x)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if n.kind != kBool {
			errs = append(errs, p.c.place(x, "", "a condition is true or false, this is %s", kindName(n.kind, n.of)))
			continue
		}
		b.parts = append(b.parts, part{text: p.source(x), node: n, reads: p.c.reads})
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	b.plan()
	return b, nil
}

func (e *Env) value(classes []event.Class, text string) (*value, error) {
	p, err := e.parse(classes, text)
	if err != nil {
		return nil, err
	}
	n, err := p.c.compile(p.tree.Expr())
	if err != nil {
		return nil, err
	}
	return &value{text: text, node: n, reads: p.c.reads}, nil
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
