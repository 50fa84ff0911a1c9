// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// What CEL is told of our types and functions, so that its parser, checker and
// interpreter can be asked about the same expressions.

// provider tells CEL's checker of the objects and their fields.
type provider struct{ types.Provider }

var _ types.Provider = (*provider)(nil)

// objectOf finds a type by its name: a detail, something in one, or one of the surroundings.
func objectOf(name string) *object {
	name, ours := strings.CutPrefix(name, typePrefix)
	if !ours {
		return nil
	}
	var find func(o *object) *object
	find = func(o *object) *object {
		if o.name == name {
			return o
		}
		for _, f := range o.fields {
			if f.of != nil {
				if x := find(f.of); x != nil {
					return x
				}
			}
		}
		return nil
	}
	for _, f := range surroundings() {
		if f.of != nil && f.of.name == name {
			return f.of
		}
	}
	for _, k := range detailKinds {
		if o := find(details()[k.name]); o != nil {
			return o
		}
	}
	return nil
}

// FindStructType implements types.Provider.
func (p *provider) FindStructType(name string) (*types.Type, bool) {
	if o := objectOf(name); o != nil {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return p.Provider.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (p *provider) FindStructFieldNames(name string) ([]string, bool) {
	if o := objectOf(name); o != nil {
		return o.names(), true
	}
	return p.Provider.FindStructFieldNames(name)
}

// FindStructFieldType implements types.Provider.
func (p *provider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	o := objectOf(name)
	if o == nil {
		return p.Provider.FindStructFieldType(name, field)
	}
	f := o.field(field)
	if f == nil {
		return nil, false
	}
	return &types.FieldType{Type: celType(f.kind, f.of)}, true
}

// NewValue implements types.Provider: things with fields cannot be written.
func (p *provider) NewValue(name string, _ map[string]ref.Val) ref.Val {
	return types.NewErr("%s cannot be written here", name)
}

// typePrefix keeps the names of types from being taken for variables.
const typePrefix = "asepsis."

// celType is the type that the checker of CEL sees.
func celType(k kind, of *object) *types.Type {
	switch k {
	case kBool:
		return types.BoolType
	case kInt:
		return types.IntType
	case kFloat:
		return types.DoubleType
	case kText:
		return types.StringType
	case kTexts:
		return types.NewListType(types.StringType)
	case kInts:
		return types.NewListType(types.IntType)
	case kObject:
		return types.NewObjectType(typePrefix + of.name)
	case kObjects:
		return types.NewListType(types.NewObjectType(typePrefix + of.name))
	case kAttrs:
		return types.NewMapType(types.StringType, types.StringType)
	case kCounts:
		return types.NewMapType(types.StringType, types.IntType)
	}
	panic("BUG: a value of no kind")
}

// declarations are the functions that are not CEL's own; two of them can be evaluated there.
func declarations() []cel.EnvOption {
	t, i, d, b, l := cel.StringType, cel.IntType, cel.DoubleType, cel.BoolType, cel.ListType(cel.StringType)
	fn := func(name string, result *cel.Type, args ...*cel.Type) cel.EnvOption {
		return cel.Function(name, cel.Overload(name, args, result))
	}
	return []cel.EnvOption{
		cel.Function("abs", cel.Overload("abs_int", []*cel.Type{i}, i), cel.Overload("abs_double", []*cel.Type{d}, d)),
		cel.Function("cidr", cel.Overload("cidr_text", []*cel.Type{t, t}, b), cel.Overload("cidr_list", []*cel.Type{t, l}, b)),
		fn("device_at", t, t), fn("entropy", d, t), fn("first", t, l), fn("hour", i, i, t), fn("in_list", b, t, t),
		fn("upper", t, t), fn("parent_domain", t, t), fn("stations", l, t), fn("weekday", i, i, t),
		cel.Function("lower", cel.Overload("lower", []*cel.Type{t}, t, cel.UnaryBinding(func(v ref.Val) ref.Val {
			return types.String(mapASCII(string(v.(types.String)), 'A', 'Z'))
		}))),
		cel.Function("label_count", cel.Overload("label_count", []*cel.Type{t}, i, cel.UnaryBinding(func(v ref.Val) ref.Val {
			return types.Int(labels(string(v.(types.String))))
		}))),
	}
}
