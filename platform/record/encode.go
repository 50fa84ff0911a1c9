// SPDX-License-Identifier: Apache-2.0

package record

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
)

// Encode appends the event to dst and returns the extended slice. It is
// ErrTooLarge when the event is beyond the bounds of the encoding; dst is then
// returned as it was. The event is not changed, and nothing of it is kept.
//
// It writes CBOR itself: a library can leave out what is empty, but then an empty
// list comes back as no list, and it takes three times as long. What is zero is left out, of every struct at any depth; a
// list that is empty but there is written. Apart from growing dst nothing is
// allocated, except where an event has a map.
func Encode(dst []byte, e *event.Event) ([]byte, error) {
	w := writer{b: dst}
	mark := w.open(maxTop)
	w.num("class", uint64(e.Class()))
	w.str("kind", kindOf(e.Detail))
	w.str("uid", e.UID)
	w.int("time", e.Time)
	w.num("activity", uint64(e.Activity))
	w.num("severity", uint64(e.Severity))
	w.num("status", uint64(e.Status))
	w.str("status_code", e.StatusCode)
	w.str("status_detail", e.StatusDetail)
	w.str("protocol", e.Protocol)
	w.str("message", e.Message)
	if e.Flow != nil {
		w.key("flow")
		w.flow(e.Flow)
	}
	if e.Encrypted {
		w.key("encrypted")
		w.b = append(w.b, simpleTrue)
	}
	if e.Detail != nil {
		w.key("detail")
		w.structure(reflect.ValueOf(e.Detail).Elem())
	}
	w.close(mark, maxTop)
	if w.err != nil {
		return dst, fmt.Errorf("encode event: %w", w.err)
	}
	if n := len(w.b) - len(dst); n > MaxSize {
		return dst, fmt.Errorf("encode event: %w: %d bytes, at most %d", ErrTooLarge, n, MaxSize)
	}
	return w.b, nil
}

func (w *writer) flow(f *event.Flow) {
	mark := w.open(maxTop)
	w.num("id", f.ID)
	w.num("proto", uint64(f.Proto))
	w.endpoint("src", &f.Src)
	w.endpoint("dst", &f.Dst)
	if f.VLANs != nil {
		w.key("vlans")
		w.head(majorArray, uint64(len(f.VLANs)))
		for _, v := range f.VLANs {
			w.head(majorUnsigned, uint64(v))
		}
	}
	w.str("tunnel", f.Tunnel)
	w.str("community_id", f.CommunityID)
	if f.Guessed {
		w.key("guessed")
		w.b = append(w.b, simpleTrue)
	}
	w.num("src_hops", uint64(f.SrcHops))
	w.num("dst_hops", uint64(f.DstHops))
	w.close(mark, maxTop)
}

func (w *writer) endpoint(key string, e *event.Endpoint) {
	if *e == (event.Endpoint{}) {
		return
	}
	w.key(key)
	mark := w.open(maxTop)
	if !e.MAC.IsZero() {
		w.key("mac")
		w.mac(&e.MAC)
	}
	if e.IP.IsValid() {
		w.key("ip")
		w.addr(&e.IP)
	}
	w.num("port", uint64(e.Port))
	w.close(mark, maxTop)
}

const (
	simpleFalse = majorSimple<<5 | 20
	simpleTrue  = majorSimple<<5 | 21
	float64Head = majorSimple<<5 | 27

	maxTop = 23 // entries of a map whose head is one byte
)

// writer appends CBOR. The number of entries of the map that is open is in n.
type writer struct {
	b   []byte
	n   int
	err error
}

// open begins a map of at most that many entries, see close.
func (w *writer) open(most int) (mark int) {
	w.b = append(w.b, 0)
	if most > maxTop {
		w.b = append(w.b, 0)
	}
	mark = len(w.b)<<8 | w.n // of the map around it
	w.n = 0
	return mark
}

// close writes the number of entries into the head.
func (w *writer) close(mark, most int) {
	at := mark >> 8
	if most > maxTop {
		w.b[at-2], w.b[at-1] = majorMap<<5|24, byte(w.n)
	} else {
		w.b[at-1] = majorMap<<5 | byte(w.n)
	}
	w.n = mark & 0xff
}

func (w *writer) head(major byte, n uint64) {
	major <<= 5
	switch {
	case n < 24:
		w.b = append(w.b, major|byte(n))
	case n <= math.MaxUint8:
		w.b = append(w.b, major|24, byte(n))
	case n <= math.MaxUint16:
		w.b = binary.BigEndian.AppendUint16(append(w.b, major|25), uint16(n))
	case n <= math.MaxUint32:
		w.b = binary.BigEndian.AppendUint32(append(w.b, major|26), uint32(n))
	default:
		w.b = binary.BigEndian.AppendUint64(append(w.b, major|27), n)
	}
}

func (w *writer) text(s string) {
	w.head(majorText, uint64(len(s)))
	w.b = append(w.b, s...)
}

func (w *writer) integer(v int64) {
	if v < 0 {
		w.head(majorNegative, uint64(-1-v))
	} else {
		w.head(majorUnsigned, uint64(v))
	}
}

func (w *writer) key(k string) {
	w.n++
	w.text(k)
}

func (w *writer) str(key, v string) {
	if v != "" {
		w.key(key)
		w.text(v)
	}
}

func (w *writer) num(key string, v uint64) {
	if v != 0 {
		w.key(key)
		w.head(majorUnsigned, v)
	}
}

func (w *writer) int(key string, v int64) {
	if v != 0 {
		w.key(key)
		w.integer(v)
	}
}

func (w *writer) mac(m *device.MAC) {
	w.head(majorBytes, uint64(len(m)))
	w.b = append(w.b, m[:]...)
}

func (w *writer) addr(a *netip.Addr) {
	n := 0
	switch {
	case a.Is4():
		n = 4
	case a.Is6():
		n = 16 + len(a.Zone())
	}
	w.head(majorBytes, uint64(n))
	w.b, _ = a.AppendBinary(w.b) // its error is always nil
}

// plan says how the fields of a struct are written and read: under the names of
// their JSON tags, or of the fields where they have none.
type plan struct {
	keys  keySet
	index []int // of the field, for each key
}

// plans caches the plan of each type; types are few and known when building.
var plans sync.Map // reflect.Type to *plan

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := &plan{}
	var names []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		names = append(names, name)
		p.index = append(p.index, i)
	}
	p.keys = makeKeys(names...)
	plans.Store(t, p)
	return p
}

func (w *writer) structure(v reflect.Value) {
	p := planOf(v.Type())
	mark := w.open(len(p.keys))
	for i := range p.keys {
		f := v.Field(p.index[i])
		if f.IsZero() {
			continue
		}
		w.n++
		w.b = append(w.b, p.keys[i].encoded...)
		w.value(f)
	}
	w.close(mark, len(p.keys))
}

// value writes a value of a detail. It must be addressable: what a pointer or
// a slice holds is.
func (w *writer) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		w.text(v.String())
	case reflect.Bool:
		if v.Bool() {
			w.b = append(w.b, simpleTrue)
		} else {
			w.b = append(w.b, simpleFalse)
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		w.integer(v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		w.head(majorUnsigned, v.Uint())
	case reflect.Float64:
		w.b = binary.BigEndian.AppendUint64(append(w.b, float64Head), math.Float64bits(v.Float()))
	case reflect.Pointer: // never nil: a nil one is left out
		w.value(v.Elem())
	case reflect.Slice:
		if v.Len() > MaxItems {
			w.err = fmt.Errorf("%w: a list of %d, at most %d", ErrTooLarge, v.Len(), MaxItems)
			return
		}
		w.head(majorArray, uint64(v.Len()))
		for i := range v.Len() {
			w.value(v.Index(i))
		}
	case reflect.Struct:
		if a, ok := v.Addr().Interface().(*netip.Addr); ok {
			w.addr(a)
			return
		}
		w.structure(v)
	default:
		w.other(v)
	}
}

// other writes what few details have.
func (w *writer) other(v reflect.Value) {
	switch p := v.Addr().Interface().(type) {
	case *device.MAC:
		w.mac(p)
	case *map[string]uint32:
		if len(*p) > MaxItems {
			w.err = fmt.Errorf("%w: a map of %d, at most %d", ErrTooLarge, len(*p), MaxItems)
			return
		}
		w.head(majorMap, uint64(len(*p)))
		for _, k := range slices.Sorted(maps.Keys(*p)) {
			w.text(k)
			w.head(majorUnsigned, uint64((*p)[k]))
		}
	default:
		panic("BUG: event detail with a field of type " + v.Type().String())
	}
}
