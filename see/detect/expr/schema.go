// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
)

// kind is what a value of an expression is made of.
type kind uint8

const (
	kBool kind = iota + 1
	kInt
	kFloat
	kText
	kTexts   // list of texts
	kInts    // list of whole numbers
	kObject  // struct
	kObjects // list of structs
	kAttrs   // named texts: []event.KV
	kCounts  // named numbers: map[string]uint32
)

// field is one name after a dot.
type field struct {
	name string
	kind kind
	of   *object // of kObject and kObjects
	doc  string
	node func(c *compiler) *node // of a field that is computed from the scene
	// of a field of an event's struct:
	index  int
	offset uintptr
	ptr    bool // a pointer: nil is absent
	plain  reflect.Kind
}

// object is a type that has fields.
type object struct {
	name   string
	doc    string
	typ    reflect.Type // of the struct; nil for one computed from the scene
	fields []*field
	byName map[string]*field
}

func (o *object) field(name string) *field { return o.byName[name] }

func (o *object) names() []string {
	out := make([]string, 0, len(o.fields))
	for _, f := range o.fields {
		out = append(out, f.name)
	}
	slices.Sort(out)
	return out
}

// detailKind is the detail of a class and the variable it has in expressions.
type detailKind struct {
	name   string
	detail event.Detail
	ptr    func(event.Detail) thing
	doc    string
}

// detailKinds are all details, in the order of their classes. It is never written to.
var detailKinds = [...]detailKind{
	{"conn", (*event.Connection)(nil), pointerOf[event.Connection], "A connection or a part of one."},
	{"tls", (*event.TLS)(nil), pointerOf[event.TLS], "A TLS, DTLS or QUIC handshake."},
	{"http", (*event.HTTP)(nil), pointerOf[event.HTTP], "An HTTP exchange."},
	{"dns", (*event.DNS)(nil), pointerOf[event.DNS], "A DNS, mDNS or LLMNR message."},
	{"dhcp", (*event.DHCP)(nil), pointerOf[event.DHCP], "A DHCP message."},
	{"rdp", (*event.RDP)(nil), pointerOf[event.RDP], "The opening of an RDP connection."},
	{"smb", (*event.SMB)(nil), pointerOf[event.SMB], "An SMB exchange."},
	{"ssh", (*event.SSH)(nil), pointerOf[event.SSH], "The opening of an SSH connection."},
	{"ftp", (*event.FTP)(nil), pointerOf[event.FTP], "An FTP command with its answer."},
	{"ntp", (*event.NTP)(nil), pointerOf[event.NTP], "An NTP packet."},
	{"assoc", (*event.DICOMAssociation)(nil), pointerOf[event.DICOMAssociation], "A DICOM association: its request with the outcome, or its end."},
	{"op", (*event.DICOMOperation)(nil), pointerOf[event.DICOMOperation], "A DIMSE operation with its outcome."},
	{"hl7", (*event.HL7Message)(nil), pointerOf[event.HL7Message], "An HL7 v2 message with its acknowledgement."},
	{"med", (*event.MedicalDevice)(nil), pointerOf[event.MedicalDevice], "A message of SDC, POCT1-A or LIS2-A2."},
	{"rest", (*event.Rest)(nil), pointerOf[event.Rest], "A FHIR or DICOMweb request."},
	{"app", (*event.Application)(nil), pointerOf[event.Application], "A message of a protocol that has no class of its own; its values are in app.attr[\"name\"], see attributes.md."},
	{"evidence", (*event.DeviceEvidence)(nil), evidenceOf, "A piece of evidence about a device."},
	{"theatre_event", (*event.TheatreActivity)(nil), pointerOf[event.TheatreActivity], "A case began or ended, or the schedule and what is seen disagree."},
	{"health", (*event.SensorHealth)(nil), pointerOf[event.SensorHealth], "What the sensor could not see or had to give up."},
}

// KindOf is the variable under which expressions read the detail of an event:
// "op", "tls"; "" for an event without detail.
func KindOf(d event.Detail) string {
	switch d.(type) {
	case *event.Connection:
		return "conn"
	case *event.TLS:
		return "tls"
	case *event.HTTP:
		return "http"
	case *event.DNS:
		return "dns"
	case *event.DHCP:
		return "dhcp"
	case *event.RDP:
		return "rdp"
	case *event.SMB:
		return "smb"
	case *event.SSH:
		return "ssh"
	case *event.FTP:
		return "ftp"
	case *event.NTP:
		return "ntp"
	case *event.DICOMAssociation:
		return "assoc"
	case *event.DICOMOperation:
		return "op"
	case *event.HL7Message:
		return "hl7"
	case *event.MedicalDevice:
		return "med"
	case *event.Rest:
		return "rest"
	case *event.Application:
		return "app"
	case *event.DeviceEvidence:
		return "evidence"
	case *event.TheatreActivity:
		return "theatre_event"
	case *event.SensorHealth:
		return "health"
	}
	return ""
}

// Kinds are the variables of the details that events of a class can have: "conn"
// and "tls" for network_activity.
func Kinds(c event.Class) []string {
	var out []string
	for _, k := range detailKinds {
		if k.detail.Class() == c {
			out = append(out, k.name)
		}
	}
	return out
}

// ClassOf is the class whose events have the detail of that name, 0 when none does.
func ClassOf(kind string) event.Class {
	for _, k := range detailKinds {
		if k.name == kind {
			return k.detail.Class()
		}
	}
	return 0
}

// details are the objects of detailKinds, by name.
var details = sync.OnceValue(func() map[string]*object {
	r := reflected{}
	out := map[string]*object{}
	for _, k := range detailKinds {
		t := reflect.TypeOf(k.detail).Elem()
		if k.name == "evidence" {
			t = reflect.TypeFor[device.Evidence]() // the only thing that the detail holds
		}
		o := r.object(k.name, t)
		o.doc = k.doc
		out[k.name] = o
	}
	return out
})

// reflected makes the objects of struct types, each once.
type reflected map[reflect.Type]*object

// names of struct types that are not the snake case of the Go name.
var typeNames = map[reflect.Type]string{
	reflect.TypeFor[event.DNSAnswer]():   "dns_answer",
	reflect.TypeFor[event.HL7Device]():   "hl7_device",
	reflect.TypeFor[event.HL7Schedule](): "hl7_schedule",
}

func (r reflected) object(name string, t reflect.Type) *object {
	if o := r[t]; o != nil {
		return o
	}
	if name == "" {
		if name = typeNames[t]; name == "" {
			name = snake(t.Name())
		}
	}
	o := &object{name: name, typ: t, byName: map[string]*field{}}
	r[t] = o
	for i := range t.NumField() {
		sf := t.Field(i)
		f := &field{name: fieldName(sf), index: i, offset: sf.Offset}
		if f.name == "protocol_attributes" {
			f.name = "attr"
		}
		r.shape(f, sf.Type)
		o.fields = append(o.fields, f)
		o.byName[f.name] = f
	}
	return o
}

var (
	typeAddr = reflect.TypeFor[netip.Addr]()
	typeMAC  = reflect.TypeFor[device.MAC]()
	typeKVs  = reflect.TypeFor[[]event.KV]()
)

// shape says how a Go type reads in an expression.
func (r reflected) shape(f *field, t reflect.Type) {
	if t.Kind() == reflect.Pointer {
		f.ptr = true
		t = t.Elem()
	}
	f.plain = t.Kind()
	switch {
	case t == typeAddr, t == typeMAC:
		f.kind = kText
		return
	case t == typeKVs:
		f.kind = kAttrs
		return
	}
	switch t.Kind() {
	case reflect.String:
		f.kind = kText
	case reflect.Bool:
		f.kind = kBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		f.kind = kInt
	case reflect.Float32, reflect.Float64:
		f.kind = kFloat
	case reflect.Struct:
		f.kind, f.of = kObject, r.object("", t)
	case reflect.Slice:
		switch {
		case t.Elem().Kind() == reflect.String:
			f.kind = kTexts
		case t.Elem().Kind() == reflect.Struct:
			f.kind, f.of = kObjects, r.object("", t.Elem())
		}
	case reflect.Map:
		if t == reflect.TypeFor[map[string]uint32]() {
			f.kind = kCounts
		}
	}
	if f.kind == 0 {
		panic("BUG: an event has a field of type " + t.String() + " that expressions cannot read: " + f.name)
	}
}

// fieldName is the name of a struct's field in expressions: its JSON tag, or
// the snake case of its Go name.
func fieldName(sf reflect.StructField) string {
	if n, _, _ := strings.Cut(sf.Tag.Get("json"), ","); n != "" && n != "-" {
		return n
	}
	return snake(sf.Name)
}

// words whose capitals do not follow the rule.
var snakeNames = map[string]string{"NTLMv1": "ntlmv1", "RCode": "rcode", "RCodeName": "rcode_name", "QClass": "qclass"}

func snake(s string) string {
	if n := snakeNames[s]; n != "" {
		return n
	}
	var b strings.Builder
	rs := []rune(s)
	for i, c := range rs {
		if unicode.IsUpper(c) && i > 0 {
			afterLower := !unicode.IsUpper(rs[i-1])
			endOfAcronym := i+1 < len(rs) && unicode.IsLower(rs[i+1])
			if afterLower || endOfAcronym {
				b.WriteByte('_')
			}
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

// kindName is what a person calls a type.
func kindName(k kind, of *object) string {
	switch k {
	case kBool:
		return "true or false"
	case kInt:
		return "whole number"
	case kFloat:
		return "number"
	case kText:
		return "text"
	case kTexts:
		return "list of texts"
	case kInts:
		return "list of whole numbers"
	case kObject:
		return of.name
	case kObjects:
		return "list of " + of.name
	case kAttrs:
		return "texts by name"
	case kCounts:
		return "whole numbers by name"
	}
	return "nothing"
}
