// SPDX-License-Identifier: Apache-2.0

package ocsf_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/event/eventtest"
	"github.com/asepsis/asepsis/ocsf"
)

// file is a class or object as written, before inheritance.
type file struct {
	Name, Extends, Category string
	UID                     int
	Attributes              map[string]struct {
		Requirement string
		Enum        map[string]struct{ Caption string }
	}
}

type entry struct {
	Type    string
	IsArray bool `json:"is_array"`
}

func read(t *testing.T, name string, v any) {
	t.Helper()
	b, err := ocsf.Files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func files(t *testing.T, dir string) map[string]file {
	t.Helper()
	out := map[string]file{}
	err := fs.WalkDir(ocsf.Files, dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		var f file
		read(t, p, &f)
		if want := strings.TrimSuffix(path.Base(p), ".json"); f.Name != want {
			t.Errorf("%s: the name is %q", p, f.Name)
		}
		if dir == "events" && path.Base(path.Dir(p)) != f.Category {
			t.Errorf("%s: the category is %q", p, f.Category)
		}
		out[f.Name] = f
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// core is what the extension uses of OCSF's own dictionary. The validation
// test finds out when it disagrees with the schema.
var core = map[string]entry{
	"app_protocol_name": {Type: "string_t"}, "bytes": {Type: "long_t"}, "count": {Type: "integer_t"}, "duration": {Type: "long_t"},
	"http_method": {Type: "string_t"}, "interface_name": {Type: "string_t"}, "model": {Type: "string_t"}, "name": {Type: "string_t"},
	"operation": {Type: "string_t"}, "packets": {Type: "long_t"}, "resource_type": {Type: "string_t"}, "scopes": {Type: "string_t", IsArray: true},
	"serial_number": {Type: "string_t"}, "source": {Type: "string_t"}, "value": {Type: "string_t"}, "vendor_name": {Type: "string_t"},
}

// objects are the OCSF objects that struct types below a detail stand for.
var objects = map[reflect.Type]string{
	reflect.TypeFor[event.PresentationContext](): "dicom_presentation_context",
	reflect.TypeFor[event.HL7Device]():           "medical_device_reference",
	reflect.TypeFor[event.HL7Schedule]():         "theatre_schedule",
	reflect.TypeFor[event.ScheduledStep]():       "scheduled_procedure_step",
	reflect.TypeFor[event.KV]():                  "key_value_object",
	reflect.TypeFor[map[string]uint32]():         "dimse_operation_count",
	reflect.TypeFor[device.Evidence]():           "device_evidence",
}

func TestTheExtensionAndTheGoStructsAgree(t *testing.T) {
	var dict struct{ Attributes map[string]entry }
	read(t, "dictionary.json", &dict)
	all := maps.Clone(core)
	for n, e := range dict.Attributes {
		if _, dup := all[n]; dup {
			t.Errorf("dictionary: %s is OCSF's own", n)
		}
		all[n] = e
	}
	classes, objs := files(t, "events"), files(t, "objects")
	used := map[string]bool{}
	byUID := map[event.Class]file{}
	category := map[string]int{"network": 4, "discovery": 5, "application": 6}
	for _, c := range classes {
		byUID[event.Class(event.ExtensionUID*100000+category[c.Category]*1000+c.UID)] = c
	}

	var compare func(t *testing.T, f file, typ reflect.Type)
	compare = func(t *testing.T, f file, typ reflect.Type) {
		tags := map[string]bool{}
		for i := range typ.NumField() {
			field := typ.Field(i)
			name, opts, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "" {
				t.Errorf("%s.%s has no JSON tag", typ, field.Name)
				continue
			}
			tags[name], used[name] = true, true
			a, ok := f.Attributes[name]
			if !ok {
				t.Errorf("%s.%s: %s has no attribute %q", typ, field.Name, f.Name, name)
				continue
			}
			if always := !strings.Contains(opts, "omit"); always != (a.Requirement == "required") {
				t.Errorf("%s.%s: %q is %q, but always written: %t", typ, field.Name, name, a.Requirement, always)
			}
			e, ok := all[name]
			if !ok {
				t.Errorf("%s.%s: %q is not in the dictionary", typ, field.Name, name)
				continue
			}
			want, elem := typeOf(field.Type)
			if want.IsArray != e.IsArray || want.Type != e.Type && !(want.Type == "integer_t" && e.Type == "long_t") {
				t.Errorf("%s.%s: %q is %v in the dictionary, %v in Go", typ, field.Name, name, e, want)
			}
			if o, ours := objs[e.Type]; ours && elem.Kind() == reflect.Struct && elem != reflect.TypeFor[device.Evidence]() {
				compare(t, o, elem)
			}
		}
		// What every class of the category has and the encoder writes itself.
		base := []string{"activity_id", "src_endpoint", "dst_endpoint", "connection_info", "is_encrypted", "is_src_dst_assignment_known", "app_protocol_name"}
		for name := range f.Attributes {
			if !tags[name] && !slices.Contains(base, name) {
				t.Errorf("%s: attribute %q is in no field of %s", f.Name, name, typ)
			}
			used[name] = true
		}
	}
	for _, d := range eventtest.Details() {
		if d.Class() < event.ExtensionUID*100000 {
			continue
		}
		f, ok := byUID[d.Class()]
		if !ok {
			t.Errorf("class %d of %T is not in the extension", d.Class(), d)
			continue
		}
		delete(byUID, d.Class())
		t.Run(f.Name, func(t *testing.T) { compare(t, f, reflect.TypeOf(d).Elem()) })
	}
	for uid, f := range byUID {
		t.Errorf("class %s (%d) has no Go type", f.Name, uid)
	}
	for _, f := range objs {
		for n := range f.Attributes {
			used[n] = true
		}
	}
	for n := range dict.Attributes {
		if !used[n] {
			t.Errorf("dictionary: %s is used by no class and no object", n)
		}
	}
}

// typeOf returns the OCSF type of a Go type, and the type of its elements.
func typeOf(t reflect.Type) (entry, reflect.Type) {
	if t.Kind() == reflect.Map {
		return entry{objects[t], true}, t
	}
	var e entry
	if t.Kind() == reflect.Slice {
		e.IsArray, t = true, t.Elem()
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		e.Type = "string_t"
	case reflect.Bool:
		e.Type = "boolean_t"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Uint8, reflect.Uint16:
		e.Type = "integer_t"
	case reflect.Int64, reflect.Uint32, reflect.Uint64:
		e.Type = "long_t"
	default:
		e.Type = objects[t]
	}
	return e, t
}

// The evidence object is written by hand, since the inventory's JSON of
// device.Evidence has other names: compare it with what is emitted.
func TestTheEvidenceObjectIsWhatIsEmitted(t *testing.T) {
	d := &event.DeviceEvidence{}
	eventtest.Fill(d)
	b, err := (&event.Event{Detail: d}).AppendOCSF(nil, event.Producer{})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Evidence map[string]json.RawMessage `json:"device_evidence"`
	}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	objs := files(t, "objects")
	same(t, "device_evidence", got.Evidence, objs["device_evidence"])
	var subject map[string]json.RawMessage
	if err := json.Unmarshal(got.Evidence["evidence_subject"], &subject); err != nil {
		t.Fatal(err)
	}
	same(t, "device_evidence_subject", subject, objs["device_evidence_subject"])
	if n := reflect.TypeFor[device.Evidence]().NumField(); n != len(got.Evidence) {
		t.Errorf("device.Evidence has %d fields, %d are emitted", n, len(got.Evidence))
	}
}

func same(t *testing.T, name string, got map[string]json.RawMessage, f file) {
	t.Helper()
	g, w := slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(f.Attributes))
	if !slices.Equal(g, w) {
		t.Errorf("%s: emitted %v, the schema has %v", name, g, w)
	}
}

func TestTheVocabularyOfEvidenceIsTheOneOfCoreDevice(t *testing.T) {
	parsed, err := parser.ParseFile(token.NewFileSet(), "../core/device/evidence.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		if s, ok := n.(*ast.ValueSpec); ok {
			if id, ok := s.Type.(*ast.Ident); ok && id.Name == "Attribute" {
				v, _ := strconv.Unquote(s.Values[0].(*ast.BasicLit).Value)
				want = append(want, v)
			}
		}
		return true
	})
	slices.Sort(want)
	got := slices.Sorted(maps.Keys(files(t, "objects")["device_evidence"].Attributes["evidence_attribute"].Enum))
	if !slices.Equal(got, want) {
		t.Errorf("the extension has %v\ncore/device has %v", got, want)
	}
}

func TestActivitiesCountFromOneWithoutAGap(t *testing.T) {
	classes := files(t, "events")
	for name, c := range classes {
		enum := c.Attributes["activity_id"].Enum
		for i := 1; i <= len(enum); i++ {
			if enum[strconv.Itoa(i)].Caption == "" {
				t.Errorf("%s: activity %d is missing: activities count from 1 without a gap", name, i)
			}
		}
	}
}
