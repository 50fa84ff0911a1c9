// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

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
