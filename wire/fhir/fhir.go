// SPDX-License-Identifier: Apache-2.0

// Package fhir reads from HL7 FHIR resources (DSTU2 to R5, JSON and XML) what a
// passive observer needs: what the server is (CapabilityStatement, Conformance),
// what a Device resource says of a device, why a request failed
// (OperationOutcome), what a Bundle holds, and whom a resource is about.
//
// Both formats are walked as a sequence of leaves, a path and a value, from the
// first bytes of a body; a document that was cut gives what was readable.
//
// # Limits
//
// MaxBytes of a document are read, MaxDepth levels, MaxLeaves values, MaxValue
// bytes of a value and MaxList entries of a list; beyond, Truncated is set.
//
// # What is not done
//
// No validation, no references resolved, no extensions, no Turtle. Identifiers
// of patients are returned as they are: callers replace them before use.
package fhir

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/asepsis/asepsis/wire/xmltok"
)

// The limits.
const (
	MaxBytes  = 64 << 10
	MaxDepth  = 48
	MaxLeaves = 8192
	MaxValue  = 256
	MaxList   = 32
)

// Namespace of FHIR's XML format.
const Namespace = "http://hl7.org/fhir"

// ErrNotFHIR is returned for a document that is no resource.
var ErrNotFHIR = errors.New("fhir: not a resource")

// Device is a Device resource.
type Device struct {
	ID           string
	UDI          string // carrier, human readable form
	DI           string
	Manufacturer string
	Name         string // deviceName.name, model name first
	Model        string // modelNumber, or model in DSTU2 and STU3
	Serial       string
	Lot          string
	Version      string
	Type         string // type.text or its first display
	TypeCodes    []string
	Status       string
}

// Resource is what was read.
type Resource struct {
	Type string
	ID   string

	FHIRVersion     string
	SoftwareName    string
	SoftwareVersion string
	Publisher       string
	Implementation  string // implementation.description

	Devices []Device // the resource itself, or those in a bundle

	Patients []string // what it is about: "Patient/123", and ids of Patient resources
	Issues   []string // OperationOutcome issue.code
	Severity string   // of the first issue

	BundleType string
	Total      string
	Entries    int            // entries with a resource
	Kinds      map[string]int // resource types of entries, at most MaxList kinds

	Truncated bool
}

// Parse reads a document in either format.
func Parse(b []byte) (*Resource, error) {
	cut := len(b) > MaxBytes
	if cut {
		b = b[:MaxBytes]
	}
	w := &walker{r: new(Resource)}
	b = bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(b) == 0 {
		return nil, ErrNotFHIR
	}
	var whole bool
	switch b[0] {
	case '{':
		whole = w.json(b)
	case '<':
		whole = w.xml(b)
	default:
		return nil, ErrNotFHIR
	}
	if w.r.Type == "" {
		return nil, ErrNotFHIR
	}
	w.finish()
	if !whole || cut {
		w.r.Truncated = true
	}
	return w.r, nil
}

// IsType reports whether s can be the name of a resource type.
func IsType(s string) bool {
	if len(s) < 4 || len(s) > 40 || s[0] < 'A' || s[0] > 'Z' {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

// IsID reports whether s can be a logical id (R5 §2.1.27.0.1 "id").
func IsID(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

// walker collects leaves. The state of the resource within an entry is kept
// until the next entry begins, since resourceType may come after its values.
type walker struct {
	r      *Resource
	leaves int

	kind    string // of the resource within the current entry
	device  Device // being read
	id      string // of the resource within the current entry
	modelOK bool   // device.Name is the model name
	name    string // last deviceName.name, until its type is known
}

// level is an object or array that is open in a JSON document.
type level struct {
	object bool
	key    string
	wait   bool // a value is due for key
}

// json walks a JSON document and reports whether it was complete.
func (w *walker) json(b []byte) bool {
	var stack [MaxDepth]level
	var path [MaxDepth]string
	depth := 0
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	for {
		tok, err := d.Token()
		if err != nil {
			return false
		}
		if w.leaves++; w.leaves > MaxLeaves {
			return false
		}
		var top *level
		if depth > 0 {
			top = &stack[depth-1]
		}
		if delim, ok := tok.(json.Delim); ok {
			switch delim {
			case '{', '[':
				if depth >= MaxDepth {
					return false
				}
				if top != nil {
					top.wait = false
				}
				stack[depth] = level{object: delim == '{'}
				depth++
			default:
				if delim == '}' {
					w.close(keys(path[:0], stack[:depth-1]))
				}
				depth--
				if depth == 0 {
					return true
				}
			}
			continue
		}
		if top == nil {
			return false
		}
		if top.object && !top.wait {
			top.key, _ = tok.(string)
			top.wait = true
			continue
		}
		top.wait = false
		var v string
		switch t := tok.(type) {
		case string:
			v = t
		case json.Number:
			v = t.String()
		case bool:
			if v = "false"; t {
				v = "true"
			}
		default:
			continue
		}
		w.leaf(keys(path[:0], stack[:depth]), v)
	}
}

// keys gives the object keys on the stack: arrays add nothing.
func keys(dst []string, stack []level) []string {
	for i := range stack {
		if stack[i].key != "" {
			dst = append(dst, stack[i].key)
		}
	}
	return dst
}

// xml walks an XML document. The type of a resource is an element's name there:
// such elements are left out of the path and given as resourceType.
func (w *walker) xml(b []byte) bool {
	var t xmltok.Tokenizer
	t.Reset(b)
	var path [xmltok.MaxDepth]string
	n := 0
	for k := t.Next(); k != xmltok.None; k = t.Next() {
		if w.leaves++; w.leaves > MaxLeaves {
			return false
		}
		switch k {
		case xmltok.Start:
			local := string(t.Local())
			if t.Depth() == 1 && string(t.Space()) != Namespace {
				return false
			}
			resource := n == 0 || path[n-1] == "resource" || path[n-1] == "contained"
			if resource && IsType(local) {
				w.leaf(append(compact(path[:n]), "resourceType"), local)
				if n == 0 {
					n, path[0] = 1, "" // the root stands for nothing
				} else {
					path[n] = ""
					n++
				}
				continue
			}
			path[n] = local
			n++
			p := compact(path[:n])
			if v := t.Attr("value"); v != nil {
				w.leaf(p, string(xmltok.AppendUnescaped(nil, v[:min(len(v), 4*MaxValue)])))
			}
		case xmltok.End:
			if n > 0 {
				n--
				w.close(compact(path[:n+1]))
			}
		}
	}
	return t.Err() == nil
}

func compact(path []string) []string {
	out := make([]string, 0, len(path))
	for _, p := range path {
		if p != "" {
			out = append(out, p)
		}
	}
	return out
}

// entry splits a path into whether it lies in a bundle entry's resource and the
// path within the resource.
func entry(path []string) (bool, []string) {
	if len(path) >= 2 && path[0] == "entry" && path[1] == "resource" {
		return true, path[2:]
	}
	return false, path
}

// close ends an object or element: a bundle entry's resource is complete.
func (w *walker) close(path []string) {
	if in, rest := entry(path); in && len(rest) == 0 {
		w.endEntry()
	}
	if _, rest := entry(path); len(rest) == 1 && rest[0] == "deviceName" {
		w.takeName("")
	}
}

func (w *walker) endEntry() {
	if w.kind == "" {
		return
	}
	w.r.Entries++
	if w.r.Kinds == nil {
		w.r.Kinds = make(map[string]int)
	}
	if _, known := w.r.Kinds[w.kind]; known || len(w.r.Kinds) < MaxList {
		w.r.Kinds[w.kind]++
	}
	w.endResource(w.kind)
}

func (w *walker) endResource(kind string) {
	w.takeName("")
	switch kind {
	case "Device":
		if len(w.r.Devices) < MaxList {
			w.device.ID = w.id
			w.r.Devices = append(w.r.Devices, w.device)
		} else {
			w.r.Truncated = true
		}
	case "Patient":
		w.patient("Patient/" + w.id)
	}
	w.kind, w.id, w.device, w.modelOK = "", "", Device{}, false
}

// finish ends what was being read when the document ended.
func (w *walker) finish() {
	w.endEntry()
	if w.r.Type == "Device" || w.r.Type == "Patient" {
		w.id = w.r.ID
		w.endResource(w.r.Type)
	}
}

func (w *walker) patient(ref string) {
	if ref == "Patient/" || len(w.r.Patients) >= MaxList {
		return
	}
	for _, p := range w.r.Patients {
		if p == ref {
			return
		}
	}
	w.r.Patients = append(w.r.Patients, ref)
}

func (w *walker) takeName(kind string) {
	if w.name != "" && (!w.modelOK || kind == "model-name") && (w.device.Name == "" || kind == "model-name") {
		w.device.Name = w.name
		w.modelOK = kind == "model-name"
	}
	w.name = ""
}

func (w *walker) leaf(path []string, v string) {
	if len(v) > MaxValue {
		v = v[:MaxValue]
	}
	v = strings.ToValidUTF8(v, "")
	in, rest := entry(path)
	key := strings.Join(rest, ".")
	if key == "resourceType" {
		if !IsType(v) {
			return
		}
		if in {
			w.kind = v
		} else if w.r.Type == "" {
			w.r.Type = v
		}
		return
	}
	if key == "id" {
		if in {
			w.id = v
		} else if w.r.ID == "" {
			w.r.ID = v
		}
		return
	}
	if n := len(rest); n > 1 && rest[n-1] == "reference" {
		if i := strings.LastIndex(v, "Patient/"); i >= 0 && (i == 0 || v[i-1] == '/') {
			w.patient(v[i:])
		}
	}
	w.deviceLeaf(key, v)
	if in {
		return
	}
	r := w.r
	switch key {
	case "fhirVersion":
		set(&r.FHIRVersion, v)
	case "software.name":
		set(&r.SoftwareName, v)
	case "software.version":
		set(&r.SoftwareVersion, v)
	case "publisher":
		set(&r.Publisher, v)
	case "implementation.description":
		set(&r.Implementation, v)
	case "issue.code":
		if len(r.Issues) < MaxList {
			r.Issues = append(r.Issues, v)
		}
	case "issue.severity":
		set(&r.Severity, v)
	case "type":
		set(&r.BundleType, v)
	case "total":
		set(&r.Total, v)
	}
}

func (w *walker) deviceLeaf(key, v string) {
	d := &w.device
	switch key {
	case "udiCarrier.carrierHRF", "udi.carrierHRF", "udiCarrier", "udi":
		set(&d.UDI, v)
	case "udiCarrier.deviceIdentifier", "udi.deviceIdentifier":
		set(&d.DI, v)
	case "manufacturer":
		set(&d.Manufacturer, v)
	case "deviceName.name", "deviceName.value", "udi.name":
		w.takeName("")
		w.name = v
	case "deviceName.type":
		w.takeName(v)
	case "modelNumber", "model":
		set(&d.Model, v)
	case "serialNumber":
		set(&d.Serial, v)
	case "lotNumber":
		set(&d.Lot, v)
	case "version.value", "version":
		set(&d.Version, v)
	case "type.text", "type.coding.display":
		set(&d.Type, v)
	case "type.coding.code":
		if len(d.TypeCodes) < MaxList {
			d.TypeCodes = append(d.TypeCodes, v)
		}
	case "status":
		set(&d.Status, v)
	}
}

func set(p *string, v string) {
	if *p == "" {
		*p = v
	}
}
