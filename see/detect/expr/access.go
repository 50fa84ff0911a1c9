// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"math"
	"net/netip"
	"reflect"
	"unsafe"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// Fields of events are read at their offset in the struct, as the compiler of Go
// would read them, since a site's every event passes through every rule. This file is
// the only one that does so. It is given pointers to whole structs, whose type was
// asserted, and offsets that reflect gave for that type; a test reads every field of
// every detail both ways.

// thing is a struct in an event: a pointer to it, nil when it is absent.
type thing = unsafe.Pointer

// things is a list of structs.
type things struct {
	n    int
	base thing // of the first of n next to each other, or
	size uintptr
	each []thing // where they were chosen
}

func (l things) at(i int) thing {
	if l.each != nil {
		return l.each[i]
	}
	return unsafe.Add(l.base, uintptr(i)*l.size)
}

// pointerOf asserts that a detail is of a type; nil when it is not.
func pointerOf[T any, P interface {
	*T
	event.Detail
}](d event.Detail) thing {
	p, ok := d.(P)
	if !ok {
		return nil
	}
	return thing(p)
}

func evidenceOf(d event.Detail) thing {
	if p, ok := d.(*event.DeviceEvidence); ok && p != nil {
		return thing(&p.Evidence)
	}
	return nil
}

// detailNode is the detail of an event as a struct; absent when the event has another.
func detailNode(k detailKind, of *object) *node {
	ptr := k.ptr
	return &node{kind: kObject, of: of, path: k.name, o: func(s *scene.Scene, _ *frame) thing { return ptr(s.Event.Detail) }}
}

// read makes the function that reads a T at an offset; what is absent reads as zero.
func read[T any](o func(*scene.Scene, *frame) thing, offset uintptr) func(*scene.Scene, *frame) T {
	return func(s *scene.Scene, f *frame) T {
		p := o(s, f)
		if p == nil {
			var zero T
			return zero
		}
		return *(*T)(unsafe.Add(p, offset))
	}
}

type integer interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

// readInt reads a whole number; one beyond what a whole number of CEL holds reads as the largest.
func readInt[T integer](o func(*scene.Scene, *frame) thing, offset uintptr) func(*scene.Scene, *frame) int64 {
	var zero T
	unsigned := zero-1 > zero
	return func(s *scene.Scene, f *frame) int64 {
		p := o(s, f)
		if p == nil {
			return 0
		}
		v := *(*T)(unsafe.Add(p, offset))
		if unsigned && uint64(v) > math.MaxInt64 {
			return math.MaxInt64
		}
		return int64(v)
	}
}

// readers of whole numbers by the kind of the field.
var readers = map[reflect.Kind]func(o func(*scene.Scene, *frame) thing, offset uintptr) func(*scene.Scene, *frame) int64{
	reflect.Int: readInt[int], reflect.Int8: readInt[int8], reflect.Int16: readInt[int16], reflect.Int32: readInt[int32], reflect.Int64: readInt[int64],
	reflect.Uint: readInt[uint], reflect.Uint8: readInt[uint8], reflect.Uint16: readInt[uint16], reflect.Uint32: readInt[uint32], reflect.Uint64: readInt[uint64],
}

// fieldNode reads a field of a struct that base gives.
func fieldNode(base *node, fd *field) *node {
	n := &node{kind: fd.kind, of: fd.of, errs: base.errs, needs: base.needs, cost: base.cost + 1}
	o, offset := base.o, fd.offset
	if fd.ptr {
		// What the pointer points at is read at offset 0 of it.
		o, offset = read[thing](base.o, fd.offset), 0
		at := o
		n.present = func(s *scene.Scene, f *frame) bool { return at(s, f) != nil }
	}
	switch fd.kind {
	case kText:
		switch fd.plain {
		case reflect.String:
			n.s = read[string](o, offset)
		case reflect.Array:
			n = with(n, macNode(read[device.MAC](o, offset)))
		default:
			n = with(n, addrNode(read[netip.Addr](o, offset)))
		}
	case kBool:
		n.b = read[bool](o, offset)
	case kInt:
		n.i = readers[fd.plain](o, offset)
	case kFloat:
		if fd.plain == reflect.Float32 {
			v := read[float32](o, offset)
			n.d = func(s *scene.Scene, f *frame) float64 { return float64(v(s, f)) }
			break
		}
		n.d = read[float64](o, offset)
	case kTexts:
		n.ss = read[[]string](o, offset)
	case kAttrs:
		n.kv = read[[]event.KV](o, offset)
	case kCounts:
		n.counts = read[map[string]uint32](o, offset)
	case kObject:
		n.o = o
		if !fd.ptr {
			typ := fd.of.typ
			n.o = func(s *scene.Scene, f *frame) thing {
				p := o(s, f)
				if p == nil {
					return nil
				}
				return unsafe.Add(p, offset)
			}
			n.present = func(s *scene.Scene, f *frame) bool {
				p := n.o(s, f)
				return p != nil && !reflect.NewAt(typ, p).Elem().IsZero()
			}
		}
	case kObjects:
		list, size := reflect.SliceOf(fd.of.typ), fd.of.typ.Size()
		n.os = func(s *scene.Scene, f *frame) things {
			p := o(s, f)
			if p == nil {
				return things{}
			}
			v := reflect.NewAt(list, unsafe.Add(p, offset)).Elem()
			return things{n: v.Len(), base: v.UnsafePointer(), size: size}
		}
	default:
		panic("BUG: a struct's field of kind " + kindName(fd.kind, fd.of))
	}
	return n
}

func with(base, n *node) *node {
	n.errs, n.needs, n.present, n.cost = base.errs, base.needs, base.present, base.cost+n.cost
	return n
}

// attr is the value of a name, "" where there is none. Of a name that comes more than
// once it is the first value.
func attr(kv []event.KV, name string) string {
	for i := range kv {
		if kv[i].Name == name {
			return kv[i].Value
		}
	}
	return ""
}

func hasAttr(kv []event.KV, name string) bool {
	for i := range kv {
		if kv[i].Name == name {
			return true
		}
	}
	return false
}
