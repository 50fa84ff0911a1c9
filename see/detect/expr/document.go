// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"slices"

	"github.com/asepsis/asepsis/core/event"
)

// Variable is something that expressions read, for the documentation and for
// whoever checks names.
type Variable struct {
	Name   string      // "op", "src", "in_case"
	Class  event.Class // of whose events it is the detail; 0 for what every event has
	Type   string      // "text", "whole number", or the name of what has fields
	Doc    string
	Fields []Field // in the order of the struct; none of a plain value
}

// Field is one field of a variable. Fields of things in things have their whole
// name: "schedule.room"; a list of things is marked with []: "server_chain[].issuer".
type Field struct {
	Name   string
	Type   string
	Doc    string
	GoName string // struct and field in Go, "DICOMOperation.Results"; "" for what is computed
}

// Variables returns all that there is to read: first what every event has, then
// the details in the order of their classes.
func Variables() []Variable {
	var out []Variable
	for _, f := range surroundings() {
		v := Variable{Name: f.name, Type: kindName(f.kind, f.of), Doc: f.doc}
		if f.of != nil {
			v.Fields = fieldsIn(f.of, "", nil)
		}
		out = append(out, v)
	}
	for _, k := range detailKinds {
		o := details()[k.name]
		out = append(out, Variable{Name: k.name, Class: k.detail.Class(), Type: k.name, Doc: k.doc, Fields: fieldsIn(o, "", nil)})
	}
	return out
}

func fieldsIn(o *object, prefix string, above []*object) []Field {
	var out []Field
	for _, f := range o.fields {
		x := Field{Name: prefix + f.name, Type: kindName(f.kind, f.of), Doc: f.doc}
		if o.typ != nil {
			x.GoName = o.typ.Name() + "." + o.typ.Field(f.index).Name
		}
		out = append(out, x)
		if f.of == nil || slices.Contains(above, f.of) {
			continue
		}
		p := prefix + f.name + "."
		if f.kind == kObjects {
			p = prefix + f.name + "[]."
		}
		out = append(out, fieldsIn(f.of, p, append(above, o))...)
	}
	return out
}
