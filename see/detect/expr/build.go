// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
)

// NewDetail makes the detail of a kind ("op", "tls") from values by the names
// that expressions have for its fields. It is strict: an unknown name, a value of
// another type and a number that does not fit are errors. Values are what a YAML decoder gives:
// texts, booleans, numbers, lists and mappings. Attributes (attr) are a mapping of texts.
func NewDetail(kind string, values map[string]any) (event.Detail, error) {
	for _, k := range detailKinds {
		if k.name != kind {
			continue
		}
		p := reflect.New(reflect.TypeOf(k.detail).Elem())
		into := p.Elem()
		if kind == "evidence" {
			into = p.Elem().FieldByName("Evidence")
		}
		if err := fill(into, details()[kind], values, kind); err != nil {
			return nil, err
		}
		return p.Interface().(event.Detail), nil
	}
	return nil, fmt.Errorf("there is no kind of event %q", kind)
}

// ValueError says which value of a detail is wrong.
type ValueError struct {
	Field   string // "op.results"
	Message string
	Help    string
}

// Error gives the field and what is wrong.
func (e *ValueError) Error() string {
	s := e.Field + ": " + e.Message
	if e.Help != "" {
		s += " (" + e.Help + ")"
	}
	return s
}

// Hint says what to do.
func (e *ValueError) Hint() string { return e.Help }

func fill(v reflect.Value, o *object, values map[string]any, path string) error {
	for _, name := range sortedNames(values) {
		f := o.field(name)
		p := path + "." + name
		if f == nil {
			return &ValueError{Field: path, Message: fmt.Sprintf("there is no field %q", name), Help: nearHint(name, o.names())}
		}
		if err := set(v.Field(f.index), f, values[name], p); err != nil {
			return err
		}
	}
	return nil
}

func sortedNames(m map[string]any) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func set(v reflect.Value, f *field, given any, path string) error {
	wrong := func() error {
		return &ValueError{Field: path, Message: fmt.Sprintf("want %s, have %v", kindName(f.kind, f.of), given)}
	}
	if f.ptr {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch f.kind {
	case kBool:
		b, ok := given.(bool)
		if !ok {
			return wrong()
		}
		v.SetBool(b)
	case kInt:
		return setInt(v, given, wrong)
	case kFloat:
		x := reflect.ValueOf(given)
		switch {
		case given == nil:
			return wrong()
		case x.CanFloat():
			v.SetFloat(x.Float())
		case x.CanInt():
			v.SetFloat(float64(x.Int()))
		case x.CanUint():
			v.SetFloat(float64(x.Uint()))
		default:
			return wrong()
		}
	case kText:
		return setText(v, given, path, wrong)
	case kTexts:
		list, ok := given.([]any)
		if !ok {
			return wrong()
		}
		out := reflect.MakeSlice(v.Type(), len(list), len(list))
		for i, e := range list {
			s, ok := scalarText(e)
			if !ok {
				return wrong()
			}
			out.Index(i).SetString(s)
		}
		v.Set(out)
	case kAttrs, kCounts:
		return setNamed(v, f, given, wrong)
	case kObject:
		m, ok := given.(map[string]any)
		if !ok {
			return wrong()
		}
		return fill(v, f.of, m, path)
	case kObjects:
		list, ok := given.([]any)
		if !ok {
			return wrong()
		}
		out := reflect.MakeSlice(v.Type(), len(list), len(list))
		for i, e := range list {
			m, ok := e.(map[string]any)
			if !ok {
				return wrong()
			}
			if err := fill(out.Index(i), f.of, m, path+"["+strconv.Itoa(i)+"]"); err != nil {
				return err
			}
		}
		v.Set(out)
	}
	return nil
}

func setInt(v reflect.Value, given any, wrong func() error) error {
	x := reflect.ValueOf(given)
	switch {
	case given == nil:
		return wrong()
	case x.CanUint() && v.CanUint() && !v.OverflowUint(x.Uint()):
		v.SetUint(x.Uint())
	case x.CanInt() && v.CanUint() && x.Int() >= 0 && !v.OverflowUint(uint64(x.Int())):
		v.SetUint(uint64(x.Int()))
	case x.CanUint() && v.CanInt() && x.Uint() <= math.MaxInt64 && !v.OverflowInt(int64(x.Uint())):
		v.SetInt(int64(x.Uint()))
	case x.CanInt() && v.CanInt() && !v.OverflowInt(x.Int()):
		v.SetInt(x.Int())
	default:
		return wrong()
	}
	return nil
}

func setText(v reflect.Value, given any, path string, wrong func() error) error {
	s, ok := given.(string)
	if !ok {
		return wrong()
	}
	switch v.Type() {
	case typeMAC:
		m, err := device.ParseMAC(s)
		if err != nil {
			return &ValueError{Field: path, Message: err.Error()}
		}
		v.Set(reflect.ValueOf(m))
	case typeAddr:
		a, err := netip.ParseAddr(s)
		if err != nil {
			return &ValueError{Field: path, Message: fmt.Sprintf("%q is not an address", s)}
		}
		v.Set(reflect.ValueOf(a))
	default:
		v.SetString(s)
	}
	return nil
}

// setNamed fills attributes and counts. Attributes come in the order of their names.
func setNamed(v reflect.Value, f *field, given any, wrong func() error) error {
	m, ok := given.(map[string]any)
	if !ok {
		return wrong()
	}
	if f.kind == kCounts {
		out := map[string]uint32{}
		for name, x := range m {
			n := reflect.New(reflect.TypeFor[uint32]()).Elem()
			if err := setInt(n, x, wrong); err != nil {
				return err
			}
			out[name] = uint32(n.Uint()) //nolint:gosec // fits: setInt holds it to 32 bits
		}
		v.Set(reflect.ValueOf(out))
		return nil
	}
	out := make([]event.KV, 0, len(m))
	for _, name := range sortedNames(m) {
		s, ok := scalarText(m[name])
		if !ok {
			return wrong()
		}
		out = append(out, event.KV{Name: name, Value: s})
	}
	v.Set(reflect.ValueOf(out))
	return nil
}

// scalarText writes a value as an event has it: attributes are texts, also of numbers.
func scalarText(v any) (string, bool) {
	switch x := v.(type) {
	case string:
		return x, true
	case bool:
		return strconv.FormatBool(x), true
	case int, int64, uint64, float64:
		return strings.TrimSpace(fmt.Sprint(x)), true
	}
	return "", false
}
