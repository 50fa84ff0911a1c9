// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// syntaxKind is what a part of an expression is.
type syntaxKind uint8

const (
	sLiteral  syntaxKind = iota
	sName                // a variable
	sField               // args[0].name
	sHas                 // has(args[0].name)
	sList                // [args...]
	sOperator            // name is as written; opIndex, opChoice and opMinus have none
	sCall                // name(args...), or args[0].name(args[1:]...)
	sLoop                // args[0].name(variable, args[1:]...)
)

// operators that are not written as one word.
const (
	opIndex  = "[]" // args[0][args[1]]
	opChoice = "?:" // args[0] ? args[1] : args[2]
	opMinus  = "-x" // -args[0]
)

// syntax is a part of an expression, parsed.
type syntax struct {
	kind        syntaxKind
	name        string
	variable    string // of a loop
	args        []*syntax
	value       *node // of a literal
	method      bool  // of a call: it is written behind its first argument
	at          int   // byte at which errors are shown
	first, last int   // tokens
}

// reserved words of CEL that are no variables, and the name that its loops have for what they gather.
var reserved = []string{"as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "namespace", "package", "return", "var", "void", "while", "__result__"}

// loops and how they are written.
var loopForms = map[string]string{
	"all":        "list.all(x, condition)",
	"exists":     "list.exists(x, condition)",
	"exists_one": "list.exists_one(x, condition)",
	"filter":     "list.filter(x, condition)",
	"map":        "list.map(x, value) or list.map(x, condition, value)",
}

// parser reads the grammar of CEL, from the operators that bind least to those that bind most.
type parser struct {
	*source
	pos   int // of the next token
	depth int
	err   *Error
}

// parse reads an expression.
func parse(text string) (*source, *syntax, error) {
	src, err := scan(text)
	if err != nil {
		return nil, nil, err
	}
	p := &parser{source: src}
	e := p.choice()
	if t := p.peek(); p.err == nil && t.kind != tEnd {
		p.unexpected(t)
	}
	if p.err != nil {
		return nil, nil, p.err
	}
	return src, e, nil
}

func (p *parser) peek() token { return p.tokens[p.pos] }

// take goes behind the next token when it is a word.
func (p *parser) take(word string) bool {
	if t := p.peek(); t.kind != tWord || t.text != word {
		return false
	}
	p.pos++
	return true
}

// takeOf goes behind the next token when it is one of the words.
func (p *parser) takeOf(words ...string) (token, bool) {
	t := p.peek()
	if t.kind != tWord || !slices.Contains(words, t.text) {
		return t, false
	}
	p.pos++
	return t, true
}

func (p *parser) want(word string) {
	if t := p.peek(); !p.take(word) && p.err == nil {
		if t.kind == tEnd {
			p.err = p.fail(t.at, "", "%q is missing at the end", word)
			return
		}
		p.err = p.fail(t.at, "", "want %q, have %q", word, p.text[t.at:t.end])
	}
}

// wrong notes the first error. What the parser returns then is of no account.
func (p *parser) wrong(at int, help, format string, args ...any) *syntax {
	if p.err == nil {
		p.err = p.fail(at, help, format, args...)
	}
	p.pos = len(p.tokens) - 1
	return &syntax{kind: sList, at: at}
}

func (p *parser) unexpected(t token) *syntax {
	if t.kind == tEnd {
		return p.wrong(t.at, "", "the expression ends where a value should come")
	}
	return p.wrong(t.at, "", "did not expect %q here", p.text[t.at:t.end])
}

// made finishes a part that began at a token.
func (p *parser) made(e *syntax, first int) *syntax {
	e.first, e.last = first, max(first, p.pos-1)
	return e
}

// choice: c ? x : y
func (p *parser) choice() *syntax {
	if p.depth++; p.depth > maxDepth {
		return p.wrong(p.peek().at, "", "brackets are nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	first := p.pos
	e := p.chain("||", func() *syntax { return p.chain("&&", p.relation) })
	if t := p.peek(); p.take("?") {
		x := p.chain("||", func() *syntax { return p.chain("&&", p.relation) })
		p.want(":")
		y := p.choice()
		e = p.made(&syntax{kind: sOperator, name: opChoice, args: []*syntax{e, x, y}, at: t.at}, first)
	}
	return e
}

// link is one part of a chain.
type link struct {
	e           *syntax
	first, last int // tokens, with the brackets around it
	at          int // byte of the operator before it
}

// chain: x && y && z. It becomes a balanced tree, so that a long one is not a deep one.
func (p *parser) chain(op string, part func() *syntax) *syntax {
	var links []link
	for at := 0; ; {
		first := p.pos
		e := part()
		links = append(links, link{e: e, first: first, last: max(first, p.pos-1), at: at})
		at = p.peek().at
		if !p.take(op) {
			return balanced(op, links)
		}
	}
}

func balanced(op string, links []link) *syntax {
	if len(links) == 1 {
		return links[0].e
	}
	m := (len(links) + 1) / 2
	l, r := balanced(op, links[:m]), balanced(op, links[m:])
	return &syntax{kind: sOperator, name: op, args: []*syntax{l, r}, at: links[m].at, first: links[0].first, last: links[len(links)-1].last}
}

// relation: a < b, a in b; each binds to what is on its left.
func (p *parser) relation() *syntax { return p.binary(p.sum, "==", "!=", "<", "<=", ">", ">=", "in") }

func (p *parser) sum() *syntax { return p.binary(p.product, "+", "-") }

func (p *parser) product() *syntax { return p.binary(p.unary, "*", "/", "%") }

func (p *parser) binary(part func() *syntax, ops ...string) *syntax {
	first := p.pos
	e := part()
	for {
		t, ok := p.takeOf(ops...)
		if !ok {
			return e
		}
		e = p.made(&syntax{kind: sOperator, name: t.text, args: []*syntax{e, part()}, at: t.at}, first)
	}
}

// unary: !x and -x. Two of one kind are none.
func (p *parser) unary() *syntax {
	first, t := p.pos, p.peek()
	op, times := opMinus, 0
	if t.text == "!" {
		op = "!"
	}
	for p.take(op[:1]) {
		times++
	}
	if n := p.peek(); times == 1 && op == opMinus && (n.kind == tInt || n.kind == tFloat) {
		return p.member(first, p.numeral(first, "-"))
	}
	from := p.pos
	e := p.member(from, p.primary())
	if times%2 == 0 {
		return e
	}
	return p.made(&syntax{kind: sOperator, name: op, args: []*syntax{e}, at: t.at}, first)
}

// member: x.field, x.call(...), x[index]
func (p *parser) member(first int, e *syntax) *syntax {
	for p.err == nil {
		switch t := p.peek(); {
		case p.take("["):
			i := p.choice()
			p.want("]")
			e = p.made(&syntax{kind: sOperator, name: opIndex, args: []*syntax{e, i}, at: t.at}, first)
		case p.take("."):
			name := p.peek()
			if name.kind != tName {
				return p.unexpected(name)
			}
			p.pos++
			if p.take("(") {
				e = p.called(name, e, p.list(")", false), first)
				continue
			}
			e = p.made(&syntax{kind: sField, name: name.text, args: []*syntax{e}, at: name.at}, first)
		default:
			return e
		}
	}
	return e
}

// list reads values up to a closing bracket.
func (p *parser) list(end string, trailing bool) []*syntax {
	var out []*syntax
	for p.err == nil && !p.take(end) {
		if len(out) > 0 {
			if p.want(","); trailing && p.take(end) {
				break
			}
		}
		out = append(out, p.choice())
	}
	return out
}

func (p *parser) primary() *syntax {
	first, t := p.pos, p.peek()
	switch {
	case t.kind == tName:
		p.pos++
		if p.take("(") {
			return p.called(t, nil, p.list(")", false), first)
		}
		if slices.Contains(reserved, t.text) {
			return p.wrong(t.at, "", "%q is a reserved word", t.text)
		}
		return p.made(&syntax{kind: sName, name: t.text, at: t.at}, first)
	case t.kind == tInt || t.kind == tFloat:
		return p.numeral(first, "")
	case t.kind == tText:
		p.pos++
		return p.made(&syntax{kind: sLiteral, value: constText(t.text), at: t.at}, first)
	case p.take("true"), p.take("false"):
		return p.made(&syntax{kind: sLiteral, value: constBool(t.text == "true"), at: t.at}, first)
	case p.take("null"):
		return p.wrong(t.at, "ask with has(...) whether a field is there", "there is no null: what an event does not have is empty")
	case p.take("("):
		e := p.choice()
		p.want(")")
		return e
	case p.take("["):
		return p.made(&syntax{kind: sList, args: p.list("]", true), at: t.at}, first)
	case t.text == "{" && t.kind == tWord:
		return p.wrong(t.at, "", "maps cannot be written here")
	}
	return p.unexpected(t)
}

// numeral reads a number with its sign.
func (p *parser) numeral(first int, sign string) *syntax {
	t := p.peek()
	p.pos++
	e := p.made(&syntax{kind: sLiteral, at: p.tokens[first].at}, first)
	if t.kind == tFloat {
		v, err := strconv.ParseFloat(sign+t.text, 64)
		if err != nil || math.IsInf(v, 0) {
			return p.wrong(t.at, "", "the number %s is too large", t.text)
		}
		e.value = constFloat(v)
		return e
	}
	digits, base := t.text, 10
	if hex, ok := strings.CutPrefix(digits, "0x"); ok {
		digits, base = hex, 16
	}
	v, err := strconv.ParseInt(sign+digits, base, 64)
	if err != nil {
		return p.wrong(t.at, "whole numbers have 64 bits and a sign", "the number %s is too large", t.text)
	}
	e.value = constInt(v)
	return e
}

// called makes a call; has and the loops have forms of their own.
func (p *parser) called(name token, target *syntax, args []*syntax, first int) *syntax {
	e := &syntax{kind: sCall, name: name.text, args: args, at: name.at}
	form, isLoop := loopForms[name.text]
	switch {
	case p.err != nil:
		return e
	case name.text == "has":
		if target != nil || len(args) != 1 || args[0].kind != sField {
			return p.wrong(name.at, "", "has asks for a field: has(op.modality)")
		}
		e.kind, e.name, e.args, e.at = sHas, args[0].name, args[0].args, args[0].at
	case isLoop:
		n := len(args)
		if target == nil || n != 2 && (n != 3 || name.text != "map") || args[0].kind != sName {
			return p.wrong(name.at, "", "%s is written %s", name.text, form)
		}
		e.kind, e.variable, e.args = sLoop, args[0].name, append([]*syntax{target}, args[1:]...)
	case target != nil:
		e.method, e.args = true, append([]*syntax{target}, args...)
	}
	return p.made(e, first)
}

// checkText refuses what is no expression at all.
func checkText(text string) error {
	switch {
	case len(text) > MaxLength:
		return &Error{Line: 1, Column: 1, Message: fmt.Sprintf("the expression is longer than %d bytes", MaxLength)}
	case strings.TrimSpace(text) == "":
		return &Error{Line: 1, Column: 1, Message: "the expression is empty"}
	case !utf8.ValidString(text):
		return &Error{Line: 1, Column: 1, Message: "the expression is not text in UTF-8"}
	}
	return nil
}
