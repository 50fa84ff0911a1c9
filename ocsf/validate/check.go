// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kind says what is wrong with an event.
type Kind string

// The kinds of problem.
const (
	Syntax     Kind = "syntax"     // not one JSON object
	Missing    Kind = "missing"    // a required attribute is absent
	Unknown    Kind = "unknown"    // an attribute that the class or object does not have
	WrongType  Kind = "type"       // the value is not of the attribute's data type
	BadEnum    Kind = "enum"       // the value is not in the enumeration
	BadSibling Kind = "sibling"    // the caption does not agree with the identifier
	Constraint Kind = "constraint" // at_least_one or just_one does not hold
	Identity   Kind = "identity"   // class, category, type, version or extension do not agree
	Deprecated Kind = "deprecated" // an attribute that the schema gave up
	Observable Kind = "observable" // an observable that names nothing in the event
)

// Problem is one thing that is wrong with an event.
type Problem struct {
	Kind Kind
	Path string // "metadata.product.name", "answers[2].rdata"
	Text string
}

// String returns "path: text (kind)".
func (p Problem) String() string { return fmt.Sprintf("%s: %s (%s)", p.Path, p.Text, p.Kind) }

type checker struct {
	s        *Schema
	profiles map[string]bool
	problems []Problem
}

// Event checks one event in JSON. It returns nil when nothing is wrong.
// Problems come in the order of their paths.
func (s *Schema) Event(data []byte) []Problem {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var ev map[string]any
	if err := d.Decode(&ev); err != nil {
		return []Problem{{Syntax, "", err.Error()}}
	}
	if _, err := d.Token(); err != io.EOF {
		return []Problem{{Syntax, "", "more than one value"}}
	}
	if !utf8.Valid(data) {
		return []Problem{{Syntax, "", "not UTF-8"}}
	}
	uid, _ := number(ev["class_uid"])
	c := s.Classes[uid]
	if c == nil {
		return []Problem{{Identity, "class_uid", fmt.Sprintf("no class has the identifier %v", ev["class_uid"])}}
	}
	k := &checker{s: s, profiles: map[string]bool{}}
	if m, ok := ev["metadata"].(map[string]any); ok {
		if ps, ok := m["profiles"].([]any); ok {
			for _, p := range ps {
				if n, ok := p.(string); ok {
					k.profiles[n] = true
				}
			}
		}
	}
	k.object("", c, ev)
	k.identity(c, ev)
	k.observables(ev)
	sort.SliceStable(k.problems, func(i, j int) bool { return k.problems[i].Path < k.problems[j].Path })
	return k.problems
}

func (k *checker) add(kind Kind, path, format string, args ...any) {
	k.problems = append(k.problems, Problem{kind, path, fmt.Sprintf(format, args...)})
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (k *checker) object(path string, c *Class, v map[string]any) {
	if c.Name == "object" { // unmapped: anything goes
		return
	}
	for n, val := range v {
		p := join(path, n)
		a := c.Attributes[n]
		switch {
		case a == nil:
			k.add(Unknown, p, "%s has no such attribute", c.Name)
		case a.Profile != "" && !k.profiles[a.Profile]:
			k.add(Unknown, p, "belongs to profile %q, which the event does not declare", a.Profile)
		default:
			if a.Deprecated != "" {
				k.add(Deprecated, p, "deprecated since %s", a.Deprecated)
			}
			k.attribute(p, a, val)
			k.sibling(path, n, a, v)
		}
	}
	for n, a := range c.Attributes {
		if a.Requirement == "required" && (a.Profile == "" || k.profiles[a.Profile]) {
			if val, ok := v[n]; !ok || val == nil {
				k.add(Missing, join(path, n), "required in %s", c.Name)
			}
		}
	}
	have := func(names []string) (n int) {
		for _, a := range names {
			if v[a] != nil {
				n++
			}
		}
		return n
	}
	if len(c.AtLeastOne) > 0 && have(c.AtLeastOne) == 0 {
		k.add(Constraint, path, "%s needs at least one of %s", c.Name, strings.Join(c.AtLeastOne, ", "))
	}
	if n := have(c.JustOne); len(c.JustOne) > 0 && n != 1 {
		k.add(Constraint, path, "%s needs exactly one of %s, has %d", c.Name, strings.Join(c.JustOne, ", "), n)
	}
}

func (k *checker) attribute(path string, a *Attribute, v any) {
	if !a.IsArray {
		k.value(path, a, v)
		return
	}
	list, ok := v.([]any)
	if !ok {
		k.add(WrongType, path, "want an array of %s", a.Type)
		return
	}
	for i, e := range list {
		k.value(fmt.Sprintf("%s[%d]", path, i), a, e)
	}
}

func (k *checker) value(path string, a *Attribute, v any) {
	if o := k.s.Objects[a.Type]; o != nil {
		m, ok := v.(map[string]any)
		if !ok {
			k.add(WrongType, path, "want an object %s", a.Type)
			return
		}
		k.object(path, o, m)
		return
	}
	if why := k.s.Types[a.Type].check(v); why != "" {
		k.add(WrongType, path, "%s: %s", a.Type, why)
		return
	}
	// The schema names only 0 in these; identity checks them.
	if len(a.Enum) > 0 && !slices.Contains([]string{"class_uid", "category_uid", "type_uid"}, path) && !strings.HasPrefix(path, "observables[") {
		if _, ok := a.Enum[fmt.Sprint(v)]; !ok {
			k.add(BadEnum, path, "%v is not in the enumeration", v)
		}
	}
}

// check returns what is wrong with a scalar, or "".
func (t *Type) check(v any) string {
	switch t.Base {
	case "json_t":
		return ""
	case "boolean_t":
		if _, ok := v.(bool); !ok {
			return "want true or false"
		}
		return ""
	case "integer_t", "long_t":
		n, ok := number(v)
		if !ok {
			return "want a whole number"
		}
		if t.Base == "integer_t" && (n < -1<<31 || n > 1<<31-1) {
			return fmt.Sprintf("%d does not fit in 32 bits", n)
		}
		if len(t.Range) == 2 && (n < t.Range[0] || n > t.Range[1]) {
			return fmt.Sprintf("%d is not within %d and %d", n, t.Range[0], t.Range[1])
		}
		return ""
	case "float_t":
		if _, ok := v.(json.Number); !ok {
			return "want a number"
		}
		return ""
	}
	s, ok := v.(string)
	switch {
	case !ok:
		return "want a string"
	case t.MaxLen > 0 && len(s) > t.MaxLen:
		return fmt.Sprintf("longer than %d", t.MaxLen)
	case t.Regex != nil && !t.Regex.MatchString(s):
		return fmt.Sprintf("%q does not match the pattern of the type", s)
	}
	return ""
}

func number(v any) (int64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := strconv.ParseInt(n.String(), 10, 64)
	return i, err == nil
}

// sibling checks the caption beside an enumerated identifier.
func (k *checker) sibling(path, name string, a *Attribute, v map[string]any) {
	if a.Sibling == "" || len(a.Enum) == 0 || path == "" && (name == "class_uid" || name == "category_uid") {
		return
	}
	ids, captions := []any{v[name]}, []any{v[a.Sibling]}
	if a.IsArray {
		ids, _ = v[name].([]any)
		captions, _ = v[a.Sibling].([]any)
		if captions == nil {
			return
		}
		if len(ids) != len(captions) {
			k.add(BadSibling, join(path, a.Sibling), "%d captions for %d identifiers", len(captions), len(ids))
			return
		}
	}
	for i, id := range ids {
		got, _ := captions[i].(string)
		switch want := a.Enum[fmt.Sprint(id)].Caption; {
		case fmt.Sprint(id) == "99":
			if got == "" {
				k.add(BadSibling, join(path, a.Sibling), "%s is Other (99), so the source's own value is needed here", name)
			}
		case captions[i] != nil && got != want && !strings.HasPrefix(join(path, name), "observables["):
			k.add(BadSibling, join(path, a.Sibling), "%q beside %s %v, want %q", got, name, id, want)
		}
	}
}

// identity checks what the schema computes: identifiers, names and versions.
func (k *checker) identity(c *Class, ev map[string]any) {
	want := func(path string, got, want any) {
		if got != nil && fmt.Sprint(got) != fmt.Sprint(want) {
			k.add(Identity, path, "%v, want %v", got, want)
		}
	}
	activity, _ := number(ev["activity_id"])
	want("category_uid", ev["category_uid"], c.CategoryUID)
	want("class_name", ev["class_name"], c.Caption)
	want("type_uid", ev["type_uid"], c.UID*100+activity)
	cat := "Uncategorized"
	for _, v := range k.s.Categories {
		if v.UID == c.CategoryUID {
			cat = v.Caption
		}
	}
	want("category_name", ev["category_name"], cat)
	if a := c.Attributes["activity_id"].Enum[strconv.FormatInt(activity, 10)]; a.Caption != "" {
		want("type_name", ev["type_name"], c.Caption+": "+a.Caption)
	}
	m, _ := ev["metadata"].(map[string]any)
	want("metadata.version", m["version"], k.s.Version)
	if c.Extension == "" {
		return
	}
	for _, x := range k.s.Extensions {
		if x.Name != c.Extension {
			continue
		}
		list, _ := m["extensions"].([]any)
		for _, e := range list {
			if o, ok := e.(map[string]any); ok && o["name"] == x.Name && o["uid"] == strconv.FormatInt(x.UID, 10) && o["version"] == x.Version {
				return
			}
		}
	}
	k.add(Identity, "metadata.extensions", "does not name the extension %q with its uid and version", c.Extension)
}

// observables checks that each names an attribute that is there, with its value.
func (k *checker) observables(ev map[string]any) {
	list, _ := ev["observables"].([]any)
	for i, e := range list {
		p := fmt.Sprintf("observables[%d]", i)
		o, ok := e.(map[string]any)
		if !ok {
			continue
		}
		id, _ := number(o["type_id"])
		caption, known := k.s.Observables[id]
		if !known {
			k.add(BadEnum, p+".type_id", "%d is not an observable type", id)
		} else if o["type"] != nil && o["type"] != caption {
			k.add(BadSibling, p+".type", "%q beside type_id %d, want %q", o["type"], id, caption)
		}
		name, _ := o["name"].(string)
		if vals := lookup(ev, strings.Split(name, ".")); len(vals) == 0 {
			k.add(Observable, p+".name", "%q is not in the event", name)
		} else if o["value"] != nil && !slices.Contains(vals, fmt.Sprint(o["value"])) {
			k.add(Observable, p+".value", "%q is not the value of %s", o["value"], name)
		}
	}
}

// lookup returns the scalar values at a path, looking into each element of arrays.
func lookup(v any, path []string) (out []string) {
	if list, ok := v.([]any); ok {
		for _, e := range list {
			out = append(out, lookup(e, path)...)
		}
		return out
	}
	if len(path) == 0 {
		return []string{fmt.Sprint(v)}
	}
	m, ok := v.(map[string]any)
	if !ok || m[path[0]] == nil {
		return nil
	}
	return lookup(m[path[0]], path[1:])
}
