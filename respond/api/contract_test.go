// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/asepsis/asepsis/respond/api"
)

// document is openapi.yaml as far as the tests read it.
type document struct {
	Paths map[string]map[string]struct {
		OperationID string         `json:"operationId"`
		Permission  string         `json:"x-permission"`
		Parameters  []any          `json:"parameters"`
		Responses   map[string]any `json:"responses"`
	} `json:"paths"`
	Components struct {
		Schemas map[string]struct {
			Properties map[string]any `json:"properties"`
			Required   []string       `json:"required"`
			Enum       []any          `json:"enum"`
		} `json:"schemas"`
	} `json:"components"`
}

func openAPI(t testing.TB) (document, any) {
	t.Helper()
	b, err := yaml.YAMLToJSON(api.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	var paths struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(b, &paths); err != nil {
		t.Fatal(err)
	}
	for _, ops := range paths.Paths {
		delete(ops, "parameters") // of the path; the rest are operations
	}
	var all map[string]any
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	all["paths"] = paths.Paths
	b, err = json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	return d, tree
}

func TestTheDocumentAndTheServerHaveTheSameRoutes(t *testing.T) {
	h := newHouse(t, options{})
	d, _ := openAPI(t)
	documented := map[string]bool{}
	for path, ops := range d.Paths {
		for method := range ops {
			documented[strings.ToUpper(method)+" "+path] = true
		}
	}
	served := map[string]bool{}
	for _, r := range h.api.Routes() {
		served[r] = true
		if !documented[r] {
			t.Errorf("%s is served and not in the document", r)
		}
	}
	for r := range documented {
		if !served[r] {
			t.Errorf("%s is in the document and not served", r)
		}
	}
	ids := map[string]bool{}
	for path, ops := range d.Paths {
		for method, op := range ops {
			if op.OperationID == "" || ids[op.OperationID] {
				t.Errorf("%s %s: operationId %q is missing or there twice", method, path, op.OperationID)
			}
			ids[op.OperationID] = true
		}
	}
}

// TestEveryPermissionIsHeld asks for everything as nobody, and as a viewer.
func TestEveryPermissionIsHeld(t *testing.T) {
	h := newHouse(t, options{})
	viewer := h.as("viewer")
	d, _ := openAPI(t)
	place := regexp.MustCompile(`\{\w+\}`)
	for path, ops := range d.Paths {
		for method, op := range ops {
			method, at := strings.ToUpper(method), place.ReplaceAllString(path, "x1")
			if strings.HasSuffix(path, "/stream") {
				continue // tested with the streams: an answer does not end
			}
			var body any
			if method != "GET" && method != "DELETE" {
				body = map[string]any{}
			}
			anybody := client{h: h}.do(method, at, body)
			if op.Permission != "public" && anybody.status != http.StatusUnauthorized || op.Permission == "public" && strings.HasPrefix(path, "/openapi") && anybody.status != http.StatusOK {
				t.Errorf("%s %s as nobody: %s", method, path, anybody)
			}
			if op.Permission == "public" || op.Permission == "signed-in" {
				continue
			}
			a := viewer.do(method, at, body)
			if want := op.Permission != "read"; (a.status == http.StatusForbidden) != want {
				t.Errorf("%s %s needs %s; as a viewer: %s", method, path, op.Permission, a)
			}
		}
	}
}

// schemas validates answers against the document.
type schemas struct {
	t    testing.TB
	c    *jsonschema.Compiler
	seen map[string]bool
}

func newSchemas(t testing.TB) *schemas {
	_, tree := openAPI(t)
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource("asepsis:openapi", tree); err != nil {
		t.Fatal(err)
	}
	return &schemas{t: t, c: c, seen: map[string]bool{}}
}

func (s *schemas) hold(name string, list bool, body []byte, what string) {
	s.t.Helper()
	sch, err := s.c.Compile("asepsis:openapi#/components/schemas/" + name)
	if err != nil {
		s.t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		s.t.Fatalf("%s: %v in %s", what, err, body)
	}
	s.seen[name] = true
	if !list {
		if err := sch.Validate(v); err != nil {
			s.t.Errorf("%s is no %s: %v", what, name, err)
		}
		return
	}
	l, ok := v.([]any)
	if !ok {
		s.t.Errorf("%s is no list", what)
	}
	for _, one := range l {
		if err := sch.Validate(one); err != nil {
			s.t.Errorf("%s has what is no %s: %v", what, name, err)
		}
	}
}

// TestRealAnswersAreAsTheDocumentSays asks for everything in a house where a
// morning in a theatre was seen.
func TestRealAnswersAreAsTheDocumentSays(t *testing.T) {
	h := newHouse(t, options{capture: theatreCapture})
	s := newSchemas(t)
	c := h.admin
	ask := func(method, path, schema string, body any, status int) answer {
		t.Helper()
		a := c.do(method, path, body)
		if a.status != status {
			t.Errorf("%s %s: %s, want %d", method, path, a, status)
			return a
		}
		if status == http.StatusNoContent {
			if len(a.body) > 0 {
				t.Errorf("%s %s: 204 with a body", method, path)
			}
			return a
		}
		name, list := strings.CutPrefix(schema, "[]")
		s.hold(name, list, a.body, method+" "+path)
		return a
	}
	room := read[api.Theatre](t, ask("POST", "/theatres", "Theatre", map[string]any{"id": "OR-3", "name": "Theatre 3", "building": "West", "contact": "4711", "vlans": []int{310}, "prefixes": []string{"10.0.0.0/8"}}, 201), 201)
	var busiest api.DeviceRow
	h.until("devices are in the theatre", func() bool {
		l := get[api.DeviceList](c, "/devices?theatre=OR-3&class=pacs")
		if len(l.Devices) > 0 {
			busiest = l.Devices[0]
		}
		return len(l.Devices) > 0
	})
	id := busiest.ID
	ask("GET", "/auth", "AuthInfo", nil, 200)
	ask("GET", "/session", "Session", nil, 200)
	ask("GET", "/sessions", "[]SessionInfo", nil, 200)
	ask("GET", "/users", "[]User", nil, 200)
	ask("POST", "/tokens", "NewToken", map[string]any{"name": "reader", "permissions": []string{"read"}, "expires_in_days": 1}, 201)
	ask("GET", "/tokens", "[]Token", nil, 200)
	ask("GET", "/status", "Status", nil, 200)
	ask("GET", "/board", "Board", nil, 200)
	ask("GET", "/theatres", "[]Theatre", nil, 200)
	ask("GET", "/theatres/OR-3", "Theatre", nil, 200)
	ask("PUT", "/theatres/OR-3/state", "Theatre", map[string]any{"state": "in-case", "note": "first case"}, 200)
	ask("GET", "/theatres/OR-3/room", "Room", nil, 200)
	ask("GET", "/devices", "DeviceList", nil, 200)
	ask("GET", "/devices?limit=2", "DeviceList", nil, 200)
	ask("PATCH", "/devices/"+id, "Device", map[string]any{"name": "Archive", "criticality": "high", "theatre": "OR-3"}, 200)
	ask("POST", "/devices/"+id+"/notes", "Edit", map[string]any{"text": "Seen in the server room."}, 201)
	edits := read[[]api.Edit](t, ask("GET", "/devices/"+id+"/edits", "[]Edit", nil, 200), 200)
	if len(edits) != 4 || edits[0].Kind != "note" {
		t.Errorf("edits are %+v", edits)
	}
	ask("POST", fmt.Sprintf("/edits/%d/undo", edits[0].Seq), "Edit", nil, 200)
	ask("GET", "/devices/"+id, "Device", nil, 200)
	if l := read[api.Conversations](t, ask("GET", "/devices/"+id+"/conversations", "Conversations", nil, 200), 200); len(l.Conversations) == 0 {
		t.Error("the archive talked to nobody")
	}
	if l := read[api.Activity](t, ask("GET", "/devices/"+id+"/activity?from=-1h&steps=12", "Activity", nil, 200), 200); len(l.Steps) != 12 {
		t.Errorf("%d steps of activity, want 12", len(l.Steps))
	}
	if m := read[api.NetworkMap](t, ask("GET", "/map", "NetworkMap", nil, 200), 200); len(m.Edges) < 10 || len(m.Nodes) < 10 {
		t.Errorf("the map has %d nodes and %d edges", len(m.Nodes), len(m.Edges))
	}
	page := read[api.EventPage](t, ask("GET", "/events?limit=1000", "EventPage", nil, 200), 200)
	classes := map[string]bool{}
	for _, e := range page.Events {
		if classes[e.ClassName] {
			continue
		}
		classes[e.ClassName] = true
		d := read[api.EventDetail](t, ask("GET", "/events/"+e.ID, "EventDetail", nil, 200), 200)
		if len(d.Groups) < 2 || len(d.OCSF) < 100 {
			t.Errorf("event of %s has %d groups, OCSF %s", e.ClassName, len(d.Groups), d.OCSF)
		}
	}
	for _, class := range []string{"dicom_association", "dicom_operation", "hl7_message", "medical_device_activity", "healthcare_rest_activity", "http_activity", "smb_activity", "ssh_activity", "rdp_activity", "ntp_activity"} {
		p := get[api.EventPage](c, "/events?limit=5&is=class:"+class)
		if len(p.Events) == 0 {
			t.Errorf("no event of class %s", class)
		}
		for _, e := range p.Events {
			ask("GET", "/events/"+e.ID, "EventDetail", nil, 200)
		}
	}
	ask("GET", "/events/histogram?from=-1h&steps=60", "EventHistogram", nil, 200)
	for _, f := range []string{"class", "activity", "severity", "status", "protocol", "sensor", "theatre", "device", "src_device", "dst_device", "ip", "src_ip", "dst_ip"} {
		if top := read[api.TopValues](t, ask("GET", "/events/top?field="+f, "TopValues", nil, 200), 200); len(top.Values) == 0 {
			t.Errorf("no top values of %s", f)
		}
	}
	ask("GET", "/findings", "FindingList", nil, 200)
	ask("GET", "/sensors", "SensorList", nil, 200)
	ask("GET", "/sensors/theatre-span/series?from=-1h", "SensorSeries", nil, 200)
	ask("GET", "/storage", "Storage", nil, 200)
	set := read[api.Settings](t, ask("GET", "/settings", "Settings", nil, 200), 200)
	set.Site.Name, set.Site.Timezone = "Example Hospital", "Europe/Zurich"
	ask("PUT", "/settings", "Settings", set, 200)
	v := read[api.View](t, ask("POST", "/views", "View", map[string]any{"page": "events", "name": "DICOM", "query": "is=protocol:dicom", "shared": true}, 201), 201)
	v.Name = "All DICOM"
	ask("PUT", "/views/"+v.ID, "View", v, 200)
	ask("GET", "/views?page=events", "[]View", nil, 200)
	ask("GET", "/search?q=archive", "SearchResult", nil, 200)
	ask("GET", "/audit", "AuditPage", nil, 200)

	// What is refused is a problem, whatever the reason.
	for _, tt := range []struct {
		method, path string
		body         any
		status       int
	}{
		{"GET", "/devices?classs=ct", nil, 400}, {"GET", "/devices?class=toaster", nil, 400}, {"GET", "/events?from=yesterday", nil, 400}, {"GET", "/events?is=prot:dicom", nil, 400},
		{"GET", "/events?is=ip:nonsense", nil, 400}, {"GET", "/events?limit=0", nil, 400}, {"GET", "/events?cursor=nonsense", nil, 400}, {"GET", "/events?from=-1h&to=-2h", nil, 400},
		{"GET", "/events/top", nil, 400}, {"GET", "/events/export", nil, 400}, {"GET", "/events/99999999", nil, 404}, {"GET", "/events/x", nil, 404}, {"GET", "/devices/dev-none", nil, 404},
		{"GET", "/theatres/none", nil, 404}, {"GET", "/theatres/none/room", nil, 404}, {"GET", "/nothing", nil, 404}, {"DELETE", "/devices", nil, 405}, {"POST", "/theatres", map[string]any{"nam": 1}, 400},
		{"POST", "/theatres", map[string]any{"id": "OR-3", "name": "x"}, 409}, {"PUT", "/theatres/OR-3", map[string]any{"name": "x", "revision": room.Revision}, 409},
		{"DELETE", "/theatres/OR-3", nil, 400}, {"PATCH", "/devices/" + id, map[string]any{"class": "toaster"}, 400}, {"PATCH", "/devices/" + id, map[string]any{}, 400},
		{"PATCH", "/devices/dev-none", map[string]any{"name": "x"}, 404}, {"POST", "/devices/" + id + "/merge", map[string]any{"with": "dev-none"}, 404}, {"POST", "/edits/9999/undo", nil, 404},
		{"PUT", "/settings", map[string]any{"revision": 0, "site": map[string]string{"id": "site", "name": "x", "timezone": "Mars/Olympus"}}, 400},
		{"GET", "/search", nil, 400}, {"GET", "/sensors/none/series", nil, 404}, {"PUT", "/views/none", v, 404},
	} {
		a := c.do(tt.method, tt.path, tt.body)
		if a.status != tt.status || a.head.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %s (%s), want a problem %d", tt.method, tt.path, a, a.head.Get("Content-Type"), tt.status)
			continue
		}
		s.hold("Problem", false, a.body, tt.method+" "+tt.path)
	}
	ask("PUT", "/theatres/OR-3/state", "Theatre", map[string]any{"state": "idle"}, 200)
	room = get[api.Theatre](c, "/theatres/OR-3")
	ask("DELETE", "/views/"+v.ID, "", nil, 204)
	ask("DELETE", fmt.Sprintf("/theatres/OR-3?revision=%d", room.Revision), "", nil, 204)
	h.until("nothing is left in the theatre", func() bool { return get[api.DeviceList](c, "/devices?theatre=OR-3").Total == 0 })

	// Nothing that people wrote about a device, and no secret, is in the log.
	for _, word := range []string{"Seen in the server room", "violet", "nonsense"} {
		if strings.Contains(h.log.String(), word) {
			t.Errorf("the log has %q", word)
		}
	}
}

// TestTheConsolesTypesAreTheDocuments reads the interfaces of types/*.ts and holds names,
// optionality and choices to the schemas.
func TestTheConsolesTypesAreTheDocuments(t *testing.T) {
	files, err := filepath.Glob("../../web/src/api/types/*.ts")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files of types, %v", len(files), err)
	}
	var src []byte
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		src = append(src, b...)
	}
	d, _ := openAPI(t)
	types := readTypes(t, string(src))
	if len(types.interfaces) < 30 || len(types.choices) < 6 {
		t.Fatalf("read %d interfaces and %d choices", len(types.interfaces), len(types.choices))
	}
	for name, fields := range types.interfaces {
		schema, ok := d.Components.Schemas[name]
		if !ok {
			t.Errorf("%s is in types.ts and not in the document", name)
			continue
		}
		all := maps.Clone(fields)
		for up := types.extends[name]; up != ""; up = types.extends[up] {
			maps.Copy(all, types.interfaces[up])
		}
		for field, optional := range all {
			if _, ok := schema.Properties[field]; !ok {
				t.Errorf("%s.%s is in types.ts and not in the document", name, field)
			} else if slices.Contains(schema.Required, field) == optional {
				t.Errorf("%s.%s: optional is %t in types.ts, and not so in the document", name, field, optional)
			}
		}
		for field := range schema.Properties {
			if _, ok := all[field]; !ok {
				t.Errorf("%s.%s is in the document and not in types.ts", name, field)
			}
		}
	}
	for name, choices := range types.choices {
		var enum []string
		for _, v := range d.Components.Schemas[name].Enum {
			enum = append(enum, fmt.Sprint(v))
		}
		if !slices.Equal(enum, choices) {
			t.Errorf("%s is %v in types.ts and %v in the document", name, choices, enum)
		}
	}
}

// tsTypes is what types.ts declares: fields by interface with whether they are
// optional, and unions of texts.
type tsTypes struct {
	interfaces map[string]map[string]bool
	extends    map[string]string
	choices    map[string][]string
}

// readTypes reads as much TypeScript as types.ts uses: fields of the outermost level of
// each interface.
func readTypes(t testing.TB, src string) tsTypes {
	t.Helper()
	out := tsTypes{map[string]map[string]bool{}, map[string]string{}, map[string][]string{}}
	src = regexp.MustCompile(`(?s)/\*.*?\*/`).ReplaceAllString(src, "")
	src = regexp.MustCompile(`//[^\n]*`).ReplaceAllString(src, "")
	for _, m := range regexp.MustCompile(`export type (\w+)\s*=((?:\s*\|?\s*'[^']*')+)`).FindAllStringSubmatch(src, -1) {
		for _, v := range regexp.MustCompile(`'([^']*)'`).FindAllStringSubmatch(m[2], -1) {
			out.choices[m[1]] = append(out.choices[m[1]], v[1])
		}
	}
	field := regexp.MustCompile(`^\s*(\w+)(\??):`)
	for _, at := range regexp.MustCompile(`export interface (\w+)(?: extends (\w+))?\s*\{`).FindAllStringSubmatchIndex(src, -1) {
		name := src[at[2]:at[3]]
		if at[4] >= 0 {
			out.extends[name] = src[at[4]:at[5]]
		}
		depth, start := 1, at[1]
		fields := map[string]bool{}
		take := func(end int) {
			if m := field.FindStringSubmatch(src[start:end]); m != nil {
				fields[m[1]] = m[2] == "?"
			}
			start = end + 1
		}
		for i := at[1]; depth > 0; i++ {
			switch c := src[i]; {
			case strings.IndexByte("{[(<", c) >= 0:
				depth++
			case strings.IndexByte("}])>", c) >= 0:
				if depth--; depth == 0 {
					take(i)
				}
			case (c == ';' || c == '\n') && depth == 1:
				take(i)
			}
		}
		out.interfaces[name] = fields
	}
	return out
}
