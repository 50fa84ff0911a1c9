// SPDX-License-Identifier: Apache-2.0

// Package validate checks OCSF events against a schema: the JSON files of
// ocsf/ocsf-schema (tested with 1.8.0) together with extensions in the same
// format. It exists for tests: it favours completeness over speed.
//
// What is resolved: inheritance (extends) of classes and objects, profile
// inclusion ($include) and activation (metadata.profiles), the attribute
// dictionary and its data types, enumerations with their captions, identifiers
// of classes, categories and types, and constraints (at_least_one, just_one).
//
// What is not done: platform extensions that patch core objects, OCSF's
// requirement levels below "required", and checks across events.
package validate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// EnumValue is one value of an enumeration.
type EnumValue struct {
	Caption     string `json:"caption"`
	Description string `json:"description"`
}

// Attribute is an attribute of a class or object with everything that the
// dictionary and the line of inheritance say about it.
type Attribute struct {
	Caption     string
	Description string
	Type        string // data type or object name
	IsArray     bool
	Requirement string // "required", "recommended", "optional"
	Sibling     string // caption attribute of an enumerated identifier
	Profile     string // profile that brings the attribute in, "" when always there
	Deprecated  string // version since which it is deprecated, "" when it is not
	Enum        map[string]EnumValue
}

// Type is a scalar data type.
type Type struct {
	Base   string // "string_t", "integer_t", "long_t", "float_t", "boolean_t", "json_t"
	MaxLen int
	Regex  *regexp.Regexp
	Range  []int64
}

// Class is an event class, or an object when UID is 0 and Category is empty.
type Class struct {
	Name        string
	Caption     string
	Description string
	Category    string
	UID         int64 // as emitted in class_uid
	CategoryUID int64
	Extension   string // name of the extension that defines it, "" for the core
	Attributes  map[string]*Attribute
	AtLeastOne  []string
	JustOne     []string
}

// Extension identifies an extension of the schema.
type Extension struct {
	Name    string `json:"name"`
	UID     int64  `json:"uid"`
	Version string `json:"version"`
}

// Schema is a resolved schema.
type Schema struct {
	Version     string
	Extensions  []Extension
	Classes     map[int64]*Class  // by class_uid
	Objects     map[string]*Class // by name
	Types       map[string]*Type
	Categories  map[string]Category
	Observables map[int64]string // type_id to caption
	Dictionary  map[string]*Attribute
}

// Category is a category of event classes.
type Category struct {
	UID     int64  `json:"uid"`
	Caption string `json:"caption"`
}

// rawAttr keeps absent and null apart: an attribute overrides what it names.
type rawAttr map[string]json.RawMessage

type rawClass struct {
	UID         int64                      `json:"uid"`
	Name        string                     `json:"name"`
	Caption     string                     `json:"caption"`
	Description string                     `json:"description"`
	Extends     string                     `json:"extends"`
	Category    string                     `json:"category"`
	Attributes  map[string]json.RawMessage `json:"attributes"`
	Constraints *struct {
		AtLeastOne []string `json:"at_least_one"`
		JustOne    []string `json:"just_one"`
	} `json:"constraints"`
	Observable *int64 `json:"observable"`
	extension  *Extension
}

type loader struct {
	s        *Schema
	core     fs.FS
	dict     map[string]rawAttr
	types    map[string]rawAttr
	events   map[string]*rawClass
	objects  map[string]*rawClass
	resolved map[string]map[string]rawAttr // by "event/name" or "object/name"
}

// Load reads a core schema and extensions of it. Each is a file tree as in
// ocsf/ocsf-schema; an extension has an extension.json at its root.
func Load(core fs.FS, extensions ...fs.FS) (*Schema, error) {
	l := &loader{
		s: &Schema{
			Classes: map[int64]*Class{}, Objects: map[string]*Class{}, Types: map[string]*Type{},
			Categories: map[string]Category{}, Observables: map[int64]string{0: "Unknown", 99: "Other"},
			Dictionary: map[string]*Attribute{},
		},
		core: core, dict: map[string]rawAttr{}, types: map[string]rawAttr{},
		events: map[string]*rawClass{}, objects: map[string]*rawClass{}, resolved: map[string]map[string]rawAttr{},
	}
	var version struct{ Version string }
	if err := readJSON(core, "version.json", &version); err != nil {
		return nil, err
	}
	l.s.Version = version.Version
	if err := l.addTree(core, nil); err != nil {
		return nil, err
	}
	for _, x := range extensions {
		var e Extension
		if err := readJSON(x, "extension.json", &e); err != nil {
			return nil, err
		}
		if err := l.addTree(x, &e); err != nil {
			return nil, fmt.Errorf("extension %s: %w", e.Name, err)
		}
		l.s.Extensions = append(l.s.Extensions, e)
	}
	return l.s, l.build()
}

func readJSON(f fs.FS, name string, into any) error {
	b, err := fs.ReadFile(f, name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// addTree reads dictionary, categories, objects and events of one tree.
func (l *loader) addTree(f fs.FS, ext *Extension) error {
	var d struct {
		Attributes map[string]rawAttr `json:"attributes"`
		Types      struct {
			Attributes map[string]rawAttr `json:"attributes"`
		} `json:"types"`
	}
	if err := readJSON(f, "dictionary.json", &d); err != nil {
		return err
	}
	for n, a := range d.Attributes {
		if _, dup := l.dict[n]; dup {
			return fmt.Errorf("dictionary attribute %q is already in the dictionary", n)
		}
		l.dict[n] = a
	}
	for n, t := range d.Types.Attributes {
		l.types[n] = t
	}
	var c struct {
		Attributes map[string]Category `json:"attributes"`
	}
	if err := readJSON(f, "categories.json", &c); err == nil {
		for n, v := range c.Attributes {
			l.s.Categories[n] = v
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for dir, into := range map[string]map[string]*rawClass{"objects": l.objects, "events": l.events} {
		err := fs.WalkDir(f, dir, func(p string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || !strings.HasSuffix(p, ".json") {
				return err
			}
			r := &rawClass{extension: ext}
			if err := readJSON(f, p, r); err != nil {
				return err
			}
			if r.Name == "" {
				r.Name = strings.TrimSuffix(path.Base(p), ".json")
			}
			if _, dup := into[r.Name]; dup {
				return fmt.Errorf("%s: %q is defined twice", p, r.Name)
			}
			into[r.Name] = r
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// attributesOf resolves the line of inheritance and the included profiles.
func (l *loader) attributesOf(kind string, set map[string]*rawClass, name string, depth int) (map[string]rawAttr, error) {
	key := kind + "/" + name
	if a, ok := l.resolved[key]; ok {
		return a, nil
	}
	r, ok := set[name]
	if !ok || depth > 16 {
		return nil, fmt.Errorf("%s %q: not defined, or inherits from itself", kind, name)
	}
	out := map[string]rawAttr{}
	if r.Extends != "" {
		parent, err := l.attributesOf(kind, set, r.Extends, depth+1)
		if err != nil {
			return nil, fmt.Errorf("%s %q: %w", kind, name, err)
		}
		for n, a := range parent {
			out[n] = a
		}
	}
	if inc, ok := r.Attributes["$include"]; ok {
		var files []string
		if err := json.Unmarshal(inc, &files); err != nil {
			return nil, fmt.Errorf("%s %q: $include: %w", kind, name, err)
		}
		for _, f := range files {
			var p struct {
				Name       string             `json:"name"`
				Attributes map[string]rawAttr `json:"attributes"`
			}
			if err := readJSON(l.core, f, &p); err != nil {
				return nil, fmt.Errorf("%s %q: %w", kind, name, err)
			}
			for n, a := range p.Attributes {
				a = merge(rawAttr{"profile": json.RawMessage(strconv.Quote(p.Name))}, a)
				out[n] = merge(out[n], a)
			}
		}
	}
	for n, raw := range r.Attributes {
		if n == "$include" {
			continue
		}
		var a rawAttr
		if err := json.Unmarshal(raw, &a); err != nil {
			return nil, fmt.Errorf("%s %q: attribute %q: %w", kind, name, n, err)
		}
		out[n] = merge(out[n], a)
	}
	l.resolved[key] = out
	return out, nil
}

// merge lays b over a; enumerations are united.
func merge(a, b rawAttr) rawAttr {
	out := rawAttr{}
	for k, v := range a {
		out[k] = v
	}
	for k, v := range b {
		if k == "enum" && out[k] != nil {
			var x, y map[string]json.RawMessage
			if json.Unmarshal(out[k], &x) == nil && json.Unmarshal(v, &y) == nil && x != nil {
				for n, e := range y {
					x[n] = e
				}
				v, _ = json.Marshal(x)
			}
		}
		out[k] = v
	}
	return out
}

func (l *loader) build() error {
	for n, t := range l.types {
		if err := l.addType(n, t); err != nil {
			return err
		}
	}
	for n, a := range l.dict {
		l.s.Dictionary[n] = attribute(a)
		l.addObservable(a, l.s.Dictionary[n].Caption)
	}
	names := make([]string, 0, len(l.objects))
	for n := range l.objects {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		c, err := l.class("object", l.objects, n)
		if err != nil {
			return err
		}
		l.s.Objects[n] = c
		if o := l.objects[n].Observable; o != nil {
			l.s.Observables[*o] = c.Caption
		}
	}
	for n, r := range l.events {
		c, err := l.class("event", l.events, n)
		if err != nil {
			return err
		}
		for x := r; c.Category == "" && x.Extends != ""; {
			if x = l.events[x.Extends]; x != nil {
				c.Category = x.Category
			}
		}
		if r.UID == 0 && n != "base_event" {
			continue // abstract
		}
		cat := l.s.Categories[c.Category]
		c.CategoryUID, c.UID = cat.UID, cat.UID*1000+r.UID
		if r.extension != nil {
			c.Extension = r.extension.Name
			c.UID += r.extension.UID * 100000
		}
		if other := l.s.Classes[c.UID]; other != nil {
			return fmt.Errorf("classes %q and %q have the same class_uid %d", other.Name, n, c.UID)
		}
		l.s.Classes[c.UID] = c
	}
	return nil
}

func (l *loader) addType(name string, t rawAttr) error {
	out := &Type{Base: name}
	if b := text(t["type"]); b != "" {
		out.Base = b
	}
	_ = json.Unmarshal(t["max_len"], &out.MaxLen) // what is not there stays zero
	_ = json.Unmarshal(t["range"], &out.Range)
	if re := text(t["regex"]); re != "" {
		var err error
		if out.Regex, err = regexp.Compile(re); err != nil {
			return fmt.Errorf("data type %s: %w", name, err)
		}
	}
	l.s.Types[name] = out
	l.addObservable(t, text(t["caption"]))
	return nil
}

func (l *loader) addObservable(a rawAttr, caption string) {
	var id int64
	if json.Unmarshal(a["observable"], &id) == nil && id > 0 {
		l.s.Observables[id] = caption
	}
}

func (l *loader) class(kind string, set map[string]*rawClass, name string) (*Class, error) {
	attrs, err := l.attributesOf(kind, set, name, 0)
	if err != nil {
		return nil, err
	}
	r := set[name]
	c := &Class{Name: name, Caption: r.Caption, Description: r.Description, Category: r.Category, Attributes: map[string]*Attribute{}}
	for x := r; x != nil; x = set[x.Extends] {
		if x.Constraints != nil { // the nearest declaration counts, an empty one removes the inherited
			c.AtLeastOne, c.JustOne = x.Constraints.AtLeastOne, x.Constraints.JustOne
			break
		}
	}
	for n, a := range attrs {
		base, ok := l.dict[n]
		if !ok {
			return nil, fmt.Errorf("%s %q: attribute %q is not in the dictionary", kind, name, n)
		}
		m := attribute(merge(base, a))
		if l.types[m.Type] == nil && l.objects[m.Type] == nil {
			return nil, fmt.Errorf("%s %q: attribute %q: type %q is not defined", kind, name, n, m.Type)
		}
		c.Attributes[n] = m
	}
	return c, nil
}

func attribute(a rawAttr) *Attribute {
	out := &Attribute{
		Caption: text(a["caption"]), Description: text(a["description"]), Type: text(a["type"]),
		Requirement: text(a["requirement"]), Sibling: text(a["sibling"]), Profile: text(a["profile"]),
	}
	_ = json.Unmarshal(a["is_array"], &out.IsArray)
	_ = json.Unmarshal(a["enum"], &out.Enum)
	var dep struct{ Since string }
	if json.Unmarshal(a["@deprecated"], &dep) == nil {
		out.Deprecated = dep.Since
	}
	return out
}

func text(b json.RawMessage) string {
	var s string
	_ = json.Unmarshal(b, &s) // what is no text is empty
	return s
}
