// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// detection turns the selections and the condition into one expression.
func (im *importer) detection(src *source, det *node) (string, error) {
	cond := det.get("condition")
	if cond == nil {
		return "", im.fail(det, "there is no condition")
	}
	if cond.kind == list {
		if len(cond.items) != 1 {
			return "", im.fail(cond, "several conditions are not supported")
		}
		cond = cond.items[0]
	}
	if cond.kind != scalar {
		return "", im.fail(cond, "the condition is not a text")
	}
	sel := map[string]string{}
	var names []string
	for _, p := range det.pairs {
		switch p.name {
		case "condition":
			continue
		case "timeframe":
			return "", im.fail(p.value, "timeframe is not supported: write a correlation")
		}
		e, err := im.selection(src, p.value)
		if err != nil {
			return "", err
		}
		sel[p.name] = e
		names = append(names, p.name)
	}
	p := &conditionParser{tokens: tokens(cond.value), selections: sel, names: names}
	if len(p.tokens) > maxTerms {
		return "", im.fail(cond, "the condition has more than %d terms", maxTerms)
	}
	e, err := p.or(0)
	if err == nil && p.at < len(p.tokens) {
		err = fmt.Errorf("%q is not supported", p.tokens[p.at])
	}
	if err != nil {
		return "", im.fail(cond, "condition: %v", err)
	}
	return e, nil
}

// selection is a mapping (all of it) or a list of mappings (any of them).
func (im *importer) selection(src *source, n *node) (string, error) {
	switch n.kind {
	case mapping:
		var all []string
		for _, p := range n.pairs {
			e, err := im.item(src, p.name, p.value)
			if err != nil {
				return "", err
			}
			all = append(all, e)
		}
		return joinAll(all, " && "), nil
	case list:
		var any []string
		for _, x := range n.items {
			if x.kind != mapping {
				return "", im.fail(x, "keywords without a field are not supported")
			}
			e, err := im.selection(src, x)
			if err != nil {
				return "", err
			}
			any = append(any, e)
		}
		if len(any) == 0 {
			return "", im.fail(n, "a selection is empty")
		}
		return joinAll(any, " || "), nil
	}
	return "", im.fail(n, "keywords without a field are not supported")
}

func joinAll(list []string, with string) string {
	if len(list) == 1 {
		return list[0]
	}
	return "(" + strings.Join(list, with) + ")"
}

var modifiers = []string{"contains", "startswith", "endswith", "re", "cidr", "all", "cased", "exists", "lt", "lte", "gt", "gte"}

// item is one field with its modifiers and values.
func (im *importer) item(src *source, key string, v *node) (string, error) {
	parts := strings.Split(key, "|")
	t, ok := src.field(parts[0])
	if !ok {
		return "", im.fail(v, "the field %q is not supported; of this log source there are %s", parts[0], strings.Join(src.fieldNames(), ", "))
	}
	mods := parts[1:]
	for _, m := range mods {
		if !slices.Contains(modifiers, m) {
			return "", im.fail(v, "the modifier %q is not supported", m)
		}
	}
	if slices.Contains(mods, "exists") {
		if v.kind != scalar || v.value != "true" && v.value != "false" {
			return "", im.fail(v, "exists is true or false")
		}
		e := "has(" + t.expr + ")"
		if t.kind == many {
			e = fmt.Sprintf(t.expr, t.elem+` != ""`)
		}
		if v.value == "false" {
			e = "!" + e
		}
		return e, nil
	}
	values := []*node{v}
	if v.kind == list {
		values = v.items
	}
	if len(values) == 0 {
		return "", im.fail(v, "there is no value")
	}
	var out []string
	for _, x := range values {
		e, err := im.compare(t, mods, x)
		if err != nil {
			return "", err
		}
		out = append(out, e)
	}
	if slices.Contains(mods, "all") {
		return joinAll(out, " && "), nil
	}
	return joinAll(out, " || "), nil
}

// compare makes the condition of one value.
func (im *importer) compare(t target, mods []string, v *node) (string, error) {
	has := func(m string) bool { return slices.Contains(mods, m) }
	field := t.expr
	wrap := func(s string) string { return s }
	if t.kind == many {
		field = t.elem
		wrap = func(s string) string { return strings.Replace(t.expr, "%s", s, 1) }
	}
	if v.kind == null {
		switch {
		case t.kind == many:
			return "!" + wrap(field+` != ""`), nil
		case t.kind == number:
			return field + " == 0", nil
		}
		return field + ` == ""`, nil
	}
	if v.kind != scalar {
		return "", im.fail(v, "a value is a text or a number")
	}
	if t.kind == number || has("lt") || has("lte") || has("gt") || has("gte") {
		return im.compareNumber(t, mods, v)
	}
	if has("cidr") {
		p, err := netip.ParsePrefix(v.value)
		if err != nil || t.kind != addr {
			return "", im.fail(v, "%q is not a network, or the field is not an address", v.value)
		}
		return "cidr(" + field + ", " + strconv.Quote(p.Masked().String()) + ")", nil
	}
	if has("re") {
		re := v.value
		if _, err := regexp.Compile(re); err != nil {
			return "", im.fail(v, "the regular expression is not one of RE2: %v", err)
		}
		return wrap(field + ".matches(" + quoted(re) + ")"), nil
	}
	if t.kind == addr && !has("contains") && !has("startswith") && !has("endswith") && !strings.ContainsAny(v.value, "*?") {
		a, err := netip.ParseAddr(v.value)
		if err != nil {
			return "", im.fail(v, "%q is not an address", v.value)
		}
		return field + " == " + strconv.Quote(a.String()), nil
	}
	return wrap(textTest(field, v.value, mods)), nil
}

func (im *importer) compareNumber(t target, mods []string, v *node) (string, error) {
	if t.kind != number {
		return "", im.fail(v, "the field is not a number")
	}
	n, err := strconv.ParseInt(v.value, 0, 64)
	if err != nil {
		return "", im.fail(v, "%q is not a whole number", v.value)
	}
	op := "=="
	for _, m := range mods {
		switch m {
		case "lt":
			op = "<"
		case "lte":
			op = "<="
		case "gt":
			op = ">"
		case "gte":
			op = ">="
		default:
			return "", im.fail(v, "the modifier %q does not go with a number", m)
		}
	}
	return t.expr + " " + op + " " + strconv.FormatInt(n, 10), nil
}

// textTest compares text as Sigma does: without regard to case, with the wildcards
// * and ?, of which a backslash in front makes plain characters.
func textTest(field, value string, mods []string) string {
	pieces, wild := unescape(value)
	lead := slices.Contains(mods, "contains") || slices.Contains(mods, "endswith")
	trail := slices.Contains(mods, "contains") || slices.Contains(mods, "startswith")
	cased := slices.Contains(mods, "cased")
	if wild {
		// A star at an end is the same as the modifier.
		if len(pieces) > 0 && pieces[0] == star {
			lead, pieces = true, pieces[1:]
		}
		if n := len(pieces); n > 0 && pieces[n-1] == star {
			trail, pieces = true, pieces[:n-1]
		}
	}
	plain := true
	for _, p := range pieces {
		plain = plain && p != star && p != mark
	}
	if !plain {
		return field + ".matches(" + quoted(pattern(pieces, lead, trail, cased)) + ")"
	}
	lit := string(pieces)
	if !cased {
		field, lit = "lower("+field+")", asciiLower(lit)
	}
	switch {
	case lead && trail && lit == "":
		return field + ` != ""`
	case lead && trail:
		return field + ".contains(" + quoted(lit) + ")"
	case lead:
		return field + ".endsWith(" + quoted(lit) + ")"
	case trail:
		return field + ".startsWith(" + quoted(lit) + ")"
	}
	return field + " == " + quoted(lit)
}

// Wildcards among the runes of a value: of the private use area.
const (
	star rune = 0xF0000
	mark rune = 0xF0001
)

func unescape(s string) (out []rune, wild bool) {
	rs := []rune(s)
	for i := 0; i < len(rs); i++ {
		switch c := rs[i]; {
		case c == '\\' && i+1 < len(rs) && strings.ContainsRune(`*?\`, rs[i+1]):
			i++
			out = append(out, rs[i])
		case c == '*':
			out, wild = append(out, star), true
		case c == '?':
			out, wild = append(out, mark), true
		default:
			out = append(out, c)
		}
	}
	return out, wild
}

func pattern(pieces []rune, lead, trail, cased bool) string {
	var b strings.Builder
	b.WriteString("(?s")
	if !cased {
		b.WriteByte('i')
	}
	b.WriteByte(')')
	if !lead {
		b.WriteByte('^')
	}
	for _, r := range pieces {
		switch r {
		case star:
			b.WriteString(".*")
		case mark:
			b.WriteByte('.')
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	if !trail {
		b.WriteByte('$')
	}
	return b.String()
}

func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// quoted writes a literal of CEL.
func quoted(s string) string { return strconv.Quote(s) }

// maxTerms bounds a condition.
const maxTerms = 100

var tokenForm = regexp.MustCompile(`[()|]|[^\s()|]+`)

func tokens(s string) []string { return tokenForm.FindAllString(s, -1) }

// conditionParser reads a condition: or binds least, then and, then not.
type conditionParser struct {
	tokens     []string
	at         int
	selections map[string]string
	names      []string
}

func (p *conditionParser) peek() string {
	if p.at < len(p.tokens) {
		return p.tokens[p.at]
	}
	return ""
}

func (p *conditionParser) or(depth int) (string, error) { return p.chain(depth, "or", " || ", p.and) }

func (p *conditionParser) and(depth int) (string, error) { return p.chain(depth, "and", " && ", p.not) }

func (p *conditionParser) chain(depth int, word, with string, next func(int) (string, error)) (string, error) {
	var parts []string
	for {
		e, err := next(depth)
		if err != nil {
			return "", err
		}
		parts = append(parts, e)
		if !strings.EqualFold(p.peek(), word) {
			return joinAll(parts, with), nil
		}
		p.at++
	}
}

func (p *conditionParser) not(depth int) (string, error) {
	t := p.peek()
	if depth > maxDepth {
		return "", fmt.Errorf("nested more than %d deep", maxDepth)
	}
	p.at++
	switch {
	case t == "":
		return "", fmt.Errorf("ends too early")
	case strings.EqualFold(t, "not"):
		e, err := p.not(depth + 1)
		if err != nil {
			return "", err
		}
		return "!(" + e + ")", nil
	case t == "(":
		e, err := p.or(depth + 1)
		if err != nil {
			return "", err
		}
		if p.peek() != ")" {
			return "", fmt.Errorf("a bracket is not closed")
		}
		p.at++
		return e, nil
	case (t == "1" || t == "all" || t == "any") && strings.EqualFold(p.peek(), "of"):
		p.at++
		return p.of(t)
	}
	if e, ok := p.selections[t]; ok {
		return e, nil
	}
	return "", fmt.Errorf("there is no selection %q", t)
}

// of is "1 of selection*", "all of them".
func (p *conditionParser) of(how string) (string, error) {
	what := p.peek()
	p.at++
	if what == "" {
		return "", fmt.Errorf("ends too early")
	}
	var out []string
	for _, n := range p.names {
		match := what == "them" && !strings.HasPrefix(n, "_")
		if what != "them" {
			match, _ = path.Match(what, n)
		}
		if match {
			out = append(out, p.selections[n])
		}
	}
	if len(out) == 0 {
		return "", fmt.Errorf("no selection is called %q", what)
	}
	if how == "all" {
		return joinAll(out, " && "), nil
	}
	return joinAll(out, " || "), nil
}
