// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// fillAll sets every field under v to a value that is not zero and differs from its
// neighbours', so that one read at a wrong place is seen.
func fillAll(v reflect.Value, n *int) {
	*n++
	switch v.Type() {
	case typeAddr:
		v.Set(reflect.ValueOf(netip.AddrFrom4([4]byte{10, 1, byte(*n >> 8), byte(*n)})))
		return
	case typeMAC:
		v.Set(reflect.ValueOf(device.MAC{2, 0, 0, 0, byte(*n >> 8), byte(*n)}))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(-(*n % 100)) - 1)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*n%200) + 1)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(*n) + 0.5)
	case reflect.Struct:
		for i := range v.NumField() {
			fillAll(v.Field(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillAll(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fillAll(v.Index(0), n)
		fillAll(v.Index(1), n)
	case reflect.Map:
		m := reflect.MakeMap(v.Type())
		e := reflect.New(v.Type().Elem()).Elem()
		fillAll(e, n)
		m.SetMapIndex(reflect.ValueOf("C-FIND-RQ"), e)
		v.Set(m)
	default:
		panic("a field of kind " + v.Kind().String())
	}
}

// leaf is a field with what an expression that reads it must give.
type leaf struct{ expr, want string }

func leaves(v reflect.Value, path string, out []leaf) []leaf {
	switch x := v.Interface().(type) {
	case netip.Addr:
		return append(out, leaf{path, x.String()})
	case device.MAC:
		return append(out, leaf{path, x.String()})
	case []event.KV:
		for _, kv := range x {
			out = append(out, leaf{fmt.Sprintf("%s[%q]", path, kv.Name), kv.Value})
		}
		return out
	case map[string]uint32:
		for k, n := range x {
			out = append(out, leaf{fmt.Sprintf("%s[%q]", path, k), fmt.Sprint(n)})
		}
		return out
	case []string:
		for i, s := range x {
			out = append(out, leaf{fmt.Sprintf("%s[%d]", path, i), s})
		}
		return out
	}
	switch v.Kind() {
	case reflect.Pointer:
		return leaves(v.Elem(), path, out)
	case reflect.Struct:
		for i := range v.NumField() {
			name := fieldName(v.Type().Field(i))
			if name == "protocol_attributes" {
				name = "attr"
			}
			out = leaves(v.Field(i), path+"."+name, out)
		}
		return out
	case reflect.Slice:
		for i := range v.Len() {
			out = leaves(v.Index(i), fmt.Sprintf("%s[%d]", path, i), out)
		}
		return out
	}
	return append(out, leaf{path, fmt.Sprint(v.Interface())})
}

func TestEveryFieldOfEveryDetailIsRead(t *testing.T) {
	env, err := NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, k := range detailKinds {
		p := reflect.New(reflect.TypeOf(k.detail).Elem())
		n := 0
		fillAll(p.Elem(), &n)
		s := &scene.Scene{Event: &event.Event{Detail: p.Interface().(event.Detail)}}
		root := p.Elem()
		if k.name == "evidence" {
			root = root.FieldByName("Evidence")
		}
		all := leaves(root, k.name, nil)
		total += len(all)
		for _, l := range all {
			x, err := env.Text([]event.Class{k.detail.Class()}, l.expr)
			if err != nil {
				t.Errorf("%s: %v", l.expr, err)
				continue
			}
			if got, err := x.Eval(s); got != l.want || err != nil {
				t.Errorf("%s is %q, %v; want %q", l.expr, got, err, l.want)
			}
			if strings.Contains(l.expr, "[") {
				continue
			}
			has, err := env.Bool([]event.Class{k.detail.Class()}, "has("+l.expr+")")
			if err != nil {
				t.Errorf("has(%s): %v", l.expr, err)
				continue
			}
			if ok, err := has.Eval(s); !ok || err != nil {
				t.Errorf("has(%s) is %v, %v in an event that has it", l.expr, ok, err)
			}
			empty := &scene.Scene{Event: &event.Event{}}
			if ok, err := has.Eval(empty); ok || err != nil {
				t.Errorf("has(%s) is %v, %v in an event without it", l.expr, ok, err)
			}
		}
		if KindOf(s.Event.Detail) != k.name {
			t.Errorf("KindOf(%T) is %q, want %q", s.Event.Detail, KindOf(s.Event.Detail), k.name)
		}
	}
	if total < 300 {
		t.Errorf("only %d fields were read", total)
	}
}

func TestEveryClassHasAVariable(t *testing.T) {
	for _, c := range event.Classes() {
		if len(Kinds(c)) == 0 {
			t.Errorf("events of class %s cannot be read by expressions", c.Name())
		}
	}
}

func TestTheSurroundingsAreReadInEveryEvent(t *testing.T) {
	env, err := NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	s := &scene.Scene{Event: &event.Event{}}
	for _, v := range Variables() {
		if v.Class != 0 {
			continue
		}
		names := []string{v.Name}
		if len(v.Fields) > 0 {
			names = nil
			for _, f := range v.Fields {
				names = append(names, v.Name+"."+f.Name)
			}
		}
		for _, n := range names {
			x, err := env.Texts(nil, n)
			if err != nil {
				t.Errorf("%s: %v", n, err)
				continue
			}
			if _, err := x.Eval(s); err != nil {
				t.Errorf("%s in an empty event: %v", n, err)
			}
		}
	}
}

func TestLoopsAreBounded(t *testing.T) {
	env, err := NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	many := make([]string, 400)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	s := &scene.Scene{Event: &event.Event{Detail: &event.DICOMOperation{QueryKeys: many}}}
	b, err := env.Bool(nil, `op.query_keys.all(a, op.query_keys.all(b, op.query_keys.all(c, a != "x")))`)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := b.Eval(s); ok || err != ErrBudget { //nolint:errorlint // as it is
		t.Errorf("64 million turns: %v, %v", ok, err)
	}
	if _, err := env.Bool(nil, `op.query_keys.all(a, op.query_keys.all(b, op.query_keys.all(c, op.query_keys.all(d, op.query_keys.all(e, true)))))`); err == nil {
		t.Error("loops in five loops were accepted")
	}
	grow, err := env.Text(nil, `op.query_keys.map(k, k + k)[0] + op.manufacturer + op.manufacturer`)
	if err != nil {
		t.Fatal(err)
	}
	s.Event.Detail.(*event.DICOMOperation).Manufacturer = strings.Repeat("x", MaxText/2+1)
	if _, err := grow.Eval(s); err != ErrLength { //nolint:errorlint // as it is
		t.Errorf("a text that is too long: %v", err)
	}
}
