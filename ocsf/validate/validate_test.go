// SPDX-License-Identifier: Apache-2.0

package validate_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/asepsis/asepsis/core/event/eventtest"
	"github.com/asepsis/asepsis/ocsf"
	"github.com/asepsis/asepsis/ocsf/validate"
)

const schemaDir = "../../../shared/knowledge/ocsf-1.8.0"

// ev is an event as a map, so that a test can spoil it.
type ev = map[string]any

func sample(t *testing.T, name string) ev {
	t.Helper()
	for _, s := range eventtest.Samples() {
		if s.Name == name {
			b, err := s.Event.AppendOCSF(nil, eventtest.Producer())
			if err != nil {
				t.Fatal(err)
			}
			d := json.NewDecoder(bytes.NewReader(b))
			d.UseNumber()
			var m ev
			if err := d.Decode(&m); err != nil {
				t.Fatal(err)
			}
			return m
		}
	}
	t.Fatalf("no sample %q", name)
	return nil
}

func in(m ev, path ...string) ev {
	for _, p := range path {
		switch v := m[p].(type) {
		case map[string]any:
			m = v
		case []any:
			m = v[0].(map[string]any)
		}
	}
	return m
}

func TestTheValidatorCatches(t *testing.T) {
	if _, err := os.Stat(schemaDir); err != nil {
		t.Skip("skipped: the OCSF 1.8.0 schema is not at ../shared/knowledge/ocsf-1.8.0")
	}
	s, err := validate.Load(os.DirFS(filepath.FromSlash(schemaDir)), ocsf.Files)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, sample string
		spoil        func(ev)
		kind         validate.Kind
		path         string
	}{
		{"a missing required attribute", "dns", func(e ev) { delete(e, "severity_id") }, validate.Missing, "severity_id"},
		{"a missing required attribute of an object", "dns", func(e ev) { delete(in(e, "metadata"), "product") }, validate.Missing, "metadata.product"},
		{"a missing required attribute within an array", "dns", func(e ev) { delete(in(e, "answers"), "rdata") }, validate.Missing, "answers[0].rdata"},
		{"a missing required attribute of the extension", "dicom-operation", func(e ev) { delete(e, "dimse_command") }, validate.Missing, "dimse_command"},
		{"a missing required attribute of an object of the extension", "dicom-association", func(e ev) { delete(in(e, "presentation_contexts"), "abstract_syntax_uid") }, validate.Missing, "presentation_contexts[0].abstract_syntax_uid"},
		{"null where an attribute is required", "dns", func(e ev) { e["time"] = nil }, validate.Missing, "time"},
		{"an attribute that no class has", "dns", func(e ev) { e["colour"] = "red" }, validate.Unknown, "colour"},
		{"an attribute of another class", "dns", func(e ev) { e["calling_ae_title"] = "X" }, validate.Unknown, "calling_ae_title"},
		{"an attribute of another class in an object", "dns", func(e ev) { in(e, "query")["answers"] = []any{} }, validate.Unknown, "query.answers"},
		{"an attribute of a profile that is not declared", "dns", func(e ev) { e["device"] = ev{"type_id": json.Number("0")} }, validate.Unknown, "device"},
		{"an undeclared profile within an object", "dns", func(e ev) { in(e, "src_endpoint")["container"] = ev{"name": "x"} }, validate.Unknown, "src_endpoint.container"},
		{"text where a number belongs", "dns", func(e ev) { e["time"] = "now" }, validate.WrongType, "time"},
		{"a fraction where a whole number belongs", "dns", func(e ev) { e["time"] = json.Number("1.5") }, validate.WrongType, "time"},
		{"a number of more than 32 bits in integer_t", "dns", func(e ev) { in(e, "answers")["ttl"] = json.Number("4294967295") }, validate.WrongType, "answers[0].ttl"},
		{"a number where text belongs", "dns", func(e ev) { e["message"] = json.Number("1") }, validate.WrongType, "message"},
		{"text where true or false belongs", "dhcp", func(e ev) { e["is_renewal"] = "yes" }, validate.WrongType, "is_renewal"},
		{"one value where an array belongs", "dns", func(e ev) { e["answers"] = in(e, "answers") }, validate.WrongType, "answers"},
		{"a scalar where an object belongs", "dns", func(e ev) { e["query"] = "pacs.example" }, validate.WrongType, "query"},
		{"what is no IP address", "dns", func(e ev) { in(e, "src_endpoint")["ip"] = "10.0.0.256"; delete(e, "observables") }, validate.WrongType, "src_endpoint.ip"},
		{"what is no MAC address", "dns", func(e ev) { in(e, "src_endpoint")["mac"] = "00:11:22"; delete(e, "observables") }, validate.WrongType, "src_endpoint.mac"},
		{"a port out of range", "dns", func(e ev) { in(e, "src_endpoint")["port"] = json.Number("65536") }, validate.WrongType, "src_endpoint.port"},
		{"a value outside its enumeration", "dns", func(e ev) { e["severity_id"] = json.Number("7") }, validate.BadEnum, "severity_id"},
		{"a text value outside its enumeration", "http", func(e ev) { in(e, "http_request")["http_method"] = "BREW" }, validate.BadEnum, "http_request.http_method"},
		{"a value outside an enumeration of the extension", "device-evidence", func(e ev) { in(e, "device_evidence")["evidence_attribute"] = "mood" }, validate.BadEnum, "device_evidence.evidence_attribute"},
		{"an activity that the class does not have", "dicom-association", func(e ev) { e["activity_id"] = json.Number("42") }, validate.BadEnum, "activity_id"},
		{"a caption that does not agree", "dns", func(e ev) { e["severity"] = "High" }, validate.BadSibling, "severity"},
		{"a caption that does not agree in an object", "dns", func(e ev) { in(e, "connection_info")["direction"] = "Upward" }, validate.BadSibling, "connection_info.direction"},
		{"Other without the source's own value", "http-other-method", func(e ev) { delete(e, "activity_name") }, validate.BadSibling, "activity_name"},
		{"an observable type that does not agree", "dns", func(e ev) { in(e, "observables")["type"] = "Port" }, validate.BadSibling, "observables[0].type"},
		{"no endpoint at all", "dns", func(e ev) { delete(e, "src_endpoint"); delete(e, "dst_endpoint"); delete(e, "observables") }, validate.Constraint, ""},
		{"an endpoint without an identifier", "lldp", func(e ev) { delete(in(e, "src_endpoint"), "uid") }, validate.Constraint, "src_endpoint"},
		{"a type_uid that does not follow from class and activity", "dns", func(e ev) { e["type_uid"] = json.Number("400301") }, validate.Identity, "type_uid"},
		{"a category of another class", "dns", func(e ev) { e["category_uid"] = json.Number("5") }, validate.Identity, "category_uid"},
		{"a class name that does not agree", "dns", func(e ev) { e["class_name"] = "HTTP Activity" }, validate.Identity, "class_name"},
		{"a type name that does not agree", "dns", func(e ev) { e["type_name"] = "DNS Activity: Query" }, validate.Identity, "type_name"},
		{"a class that does not exist", "dns", func(e ev) { e["class_uid"] = json.Number("4999") }, validate.Identity, "class_uid"},
		{"another schema version", "dns", func(e ev) { in(e, "metadata")["version"] = "1.3.0" }, validate.Identity, "metadata.version"},
		{"an extension class without the extension", "hl7-message", func(e ev) { delete(in(e, "metadata"), "extensions") }, validate.Identity, "metadata.extensions"},
		{"a deprecated attribute", "http", func(e ev) { e["http_status"] = json.Number("401") }, validate.Deprecated, "http_status"},
		{"an observable that names nothing", "dns", func(e ev) { in(e, "observables")["name"] = "src_endpoint.uid" }, validate.Observable, "observables[0].name"},
		{"an observable with another value", "dns", func(e ev) { in(e, "observables")["value"] = "10.0.0.1" }, validate.Observable, "observables[0].value"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := sample(t, tt.sample)
			b, _ := json.Marshal(e)
			if p := s.Event(b); p != nil {
				t.Fatalf("before it was spoilt: %v", p)
			}
			tt.spoil(e)
			b, _ = json.Marshal(e)
			for _, p := range s.Event(b) {
				if p.Kind == tt.kind && p.Path == tt.path {
					return
				}
			}
			t.Errorf("found %v, want %s at %q", s.Event(b), tt.kind, tt.path)
		})
	}
	for name, bad := range map[string]string{"no JSON": "{", "an array": "[]", "two values": "{}{}", "no UTF-8": "{\"a\":\"\xff\"}"} {
		t.Run(name, func(t *testing.T) {
			if p := s.Event([]byte(bad)); len(p) != 1 || p[0].Kind != validate.Syntax {
				t.Errorf("found %v", p)
			}
		})
	}
}

func TestASchemaThatContradictsItselfIsRefused(t *testing.T) {
	tree := func(more map[string]string) fstest.MapFS {
		f := fstest.MapFS{
			"version.json":        {Data: []byte(`{"version":"0.0.1"}`)},
			"categories.json":     {Data: []byte(`{"attributes":{"network":{"uid":4,"caption":"N"}}}`)},
			"dictionary.json":     {Data: []byte(`{"attributes":{"a":{"type":"string_t"},"o":{"type":"gone"}},"types":{"attributes":{"string_t":{}}}}`)},
			"objects/object.json": {Data: []byte(`{"name":"object","attributes":{}}`)},
			"events/base.json":    {Data: []byte(`{"name":"base_event","attributes":{"a":{}}}`)},
		}
		for n, s := range more {
			f[n] = &fstest.MapFile{Data: []byte(s)}
		}
		return f
	}
	if _, err := validate.Load(tree(nil)); err != nil {
		t.Fatalf("a small schema: %v", err)
	}
	for _, tt := range []struct{ name, file, text, want string }{
		{"an attribute that is not in the dictionary", "events/x.json", `{"name":"x","attributes":{"b":{}}}`, `attribute "b" is not in the dictionary`},
		{"a type that is not defined", "events/x.json", `{"name":"x","attributes":{"o":{}}}`, `type "gone" is not defined`},
		{"inheritance from nothing", "events/x.json", `{"name":"x","extends":"y","attributes":{}}`, `"y": not defined`},
		{"inheritance from itself", "events/x.json", `{"name":"x","extends":"x","attributes":{}}`, `inherits from itself`},
		{"the same name twice", "events/x.json", `{"name":"base_event","attributes":{}}`, `defined twice`},
		{"a pattern that is none", "dictionary.json", `{"types":{"attributes":{"string_t":{"regex":"("}}}}`, `data type string_t`},
		{"a file that is no JSON", "objects/x.json", `{`, `objects/x.json`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := validate.Load(tree(map[string]string{tt.file: tt.text}))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
