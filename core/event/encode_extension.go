// SPDX-License-Identifier: Apache-2.0

package event

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/device"
)

// tagged writes the fields of a struct, given by pointer, under the names of
// their JSON tags, as encoding/json would, with two differences: the caller
// has opened the object, and a map becomes a list of DIMSE operation counts,
// since OCSF has no maps.
func (w *writer) tagged(v any) {
	p := reflect.ValueOf(v).Elem()
	w.fields(p, planOf(p.Type()))
}

// plan says how the fields of a struct are written.
type plan []planField

type planField struct {
	index     int
	name      string
	omitEmpty bool
}

// plans caches the plan of each type; types are few and known when building.
var plans sync.Map // reflect.Type to plan

func planOf(t reflect.Type) plan {
	if p, ok := plans.Load(t); ok {
		return p.(plan)
	}
	var p plan
	for i := range t.NumField() {
		name, opts, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name != "" && name != "-" {
			p = append(p, planField{index: i, name: name, omitEmpty: strings.Contains(opts, "omit")})
		}
	}
	plans.Store(t, p)
	return p
}

func (w *writer) fields(v reflect.Value, p plan) {
	for i := range p {
		f := v.Field(p[i].index)
		if p[i].omitEmpty && empty(f) {
			continue
		}
		w.key(p[i].name)
		w.value(f)
	}
}

func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	}
	return v.IsZero()
}

func (w *writer) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		w.b = appendString(w.b, v.String())
	case reflect.Bool:
		w.b = strconv.AppendBool(w.b, v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		w.b = strconv.AppendInt(w.b, v.Int(), 10)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		w.b = strconv.AppendUint(w.b, clampLong(v.Uint()), 10)
	case reflect.Pointer: // never nil: omitEmpty has seen to it
		w.value(v.Elem())
	case reflect.Struct:
		w.open()
		w.fields(v, planOf(v.Type()))
		w.close()
	case reflect.Slice:
		w.openList()
		for i := range v.Len() {
			w.comma()
			w.value(v.Index(i))
		}
		w.closeList()
	case reflect.Map:
		w.counts(v.Interface().(map[string]uint32))
	default:
		panic("BUG: event detail with a field of kind " + v.Kind().String())
	}
}

// counts writes the number of requests of each DIMSE command, by name.
func (w *writer) counts(m map[string]uint32) {
	w.openList()
	for _, k := range slices.Sorted(maps.Keys(m)) {
		w.comma()
		w.open()
		w.key("dimse_command")
		w.b = appendString(w.b, k)
		w.num("count", int64(min(m[k], 1<<31-1)))
		w.close()
	}
	w.closeList()
}

// evidence writes the device_evidence object of the extension. Its names
// differ from the JSON of device.Evidence, which follows the inventory.
func (w *writer) evidence(v *device.Evidence) {
	w.key("device_evidence")
	w.open()
	w.key("evidence_subject")
	w.open()
	w.mac("mac", v.Subject.MAC)
	w.addr("ip", v.Subject.IP)
	if v.Subject.VLAN != 0 {
		w.key("vlan_uid")
		w.b = append(w.b, '"')
		w.b = appendInt(w.b, int64(v.Subject.VLAN))
		w.b = append(w.b, '"')
	}
	if v.Subject.Hops != 0 {
		w.num("hops", int64(v.Subject.Hops))
	}
	w.close()
	w.key("evidence_attribute")
	w.b = appendString(w.b, string(v.Attribute))
	w.key("value")
	w.b = appendString(w.b, v.Value)
	w.key("source")
	w.b = appendString(w.b, v.Source)
	w.num("confidence_score", int64(v.Confidence))
	w.num("first_seen_time", v.First/int64(time.Millisecond))
	w.num("last_seen_time", v.Last/int64(time.Millisecond))
	w.num("count", int64(min(v.Count, 1<<31-1)))
	w.close()
}
