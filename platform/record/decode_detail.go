// SPDX-License-Identifier: Apache-2.0

package record

import (
	"math"
	"net/netip"
	"reflect"

	"github.com/asepsis/asepsis/core/device"
)

// structure reads what writer.structure wrote.
func (r *reader) structure(v reflect.Value) error {
	p := planOf(v.Type())
	had := seen{}
	n, err := r.open(majorMap)
	for ; n > 0 && err == nil; n-- {
		var key int
		if key, err = r.key(p.keys, &had); err != nil {
			return err
		}
		if key < 0 {
			err = r.skip()
			continue
		}
		err = r.value(v.Field(p.index[key]))
	}
	r.close()
	return err
}

// value reads what writer.value wrote. It is zero before.
func (r *reader) value(v reflect.Value) error {
	switch v.Kind() {
	case reflect.String:
		s, err := r.text()
		v.SetString(s)
		return err
	case reflect.Bool:
		b, err := r.boolean()
		v.SetBool(b)
		return err
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		most := int64(math.MaxInt64) >> (64 - v.Type().Bits())
		n, err := r.integer(-most-1, most)
		v.SetInt(n)
		return err
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := number[uint64](r, math.MaxUint64>>(64-v.Type().Bits()))
		v.SetUint(n)
		return err
	case reflect.Float64:
		f, err := r.float()
		v.SetFloat(f)
		return err
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		v.Set(p)
		return r.value(p.Elem())
	case reflect.Slice:
		return r.list(v)
	case reflect.Struct:
		if a, ok := v.Addr().Interface().(*netip.Addr); ok {
			return r.addr(a)
		}
		return r.structure(v)
	}
	switch p := v.Addr().Interface().(type) {
	case *device.MAC:
		return r.mac(p)
	case *map[string]uint32:
		return r.counts(p)
	}
	panic("BUG: event detail with a field of type " + v.Type().String())
}

// list reads a slice; an empty one is not nil.
func (r *reader) list(v reflect.Value) error {
	n, err := r.open(majorArray)
	if err != nil {
		return err
	}
	if n == 0 {
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	} else {
		v.Grow(n)
		v.SetLen(n)
	}
	for i := range n {
		if err := r.value(v.Index(i)); err != nil {
			return err
		}
	}
	r.close()
	return nil
}

func (r *reader) counts(m *map[string]uint32) error {
	n, err := r.open(majorMap)
	if err != nil {
		return err
	}
	*m = make(map[string]uint32, n)
	for i := range n {
		k, err := r.text()
		if err != nil {
			return err
		}
		if (*m)[k], err = number[uint32](r, math.MaxUint32); err != nil {
			return err
		}
		if len(*m) != i+1 {
			return errTwice
		}
	}
	r.close()
	return nil
}
