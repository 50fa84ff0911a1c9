// SPDX-License-Identifier: Apache-2.0

package atna

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxText is how many bytes of a value are written.
const MaxText = 1024

// Message is an audit message.
type Message struct {
	Event        Event
	Participants []Participant // at least one
	Source       Source
	Objects      []Object
}

// Event says what happened.
type Event struct {
	ID          Code
	Types       []Code
	Action      byte // Create, Read ...
	At          time.Time
	Outcome     Outcome
	Description string // of the outcome; may be ""
}

// Participant is who took part: a person or a process.
type Participant struct {
	UserID        string
	AlternativeID string // "AETITLES=CT_OR3"
	Name          string
	Requestor     bool
	Roles         []Code
	Address       string // name or IP address of the node; may be ""
}

// Source is who reports.
type Source struct {
	Site  string // may be ""
	ID    string
	Types []string // digits of PS3.15 §A.5.1.2.1
}

// Object is what it was done to.
type Object struct {
	ID          string
	IDType      Code
	Type        int // Person or SystemObject; 0 leaves it out
	Role        int // 0 leaves it out
	LifeCycle   int // 0 leaves it out
	Sensitivity string
	// Name or Query: the schema wants one of them. An empty Query with Queried set is written as an
	// empty Query.
	Name    string
	Query   []byte
	Queried bool
	Details []Detail
	// What stands in ParticipantObjectDescription.
	Accessions []string
	SOPClasses []SOPClass
	Studies    []string
	Encrypted  *bool
	Anonymized *bool
}

// Detail is a named value, which is written in base64.
type Detail struct {
	Type  string
	Value []byte
}

// SOPClass counts instances.
type SOPClass struct {
	UID       string // may be ""
	Instances []string
	Count     int
}

// Validate finds what the schema would refuse.
func (m *Message) Validate() error {
	switch {
	case m.Event.ID.Value == "" || m.Event.At.IsZero():
		return errors.New("audit message: the event has no code or no time")
	case strings.IndexByte("CRUDE", m.Event.Action) < 0:
		return errors.New("audit message: the action is none")
	case m.Event.Outcome != Success && m.Event.Outcome != MinorFailure && m.Event.Outcome != SeriousFailure && m.Event.Outcome != MajorFailure:
		return fmt.Errorf("audit message: there is no outcome %d", m.Event.Outcome)
	case len(m.Participants) == 0:
		return errors.New("audit message: nobody took part")
	case m.Source.ID == "":
		return errors.New("audit message: the source has no name")
	}
	for i := range m.Objects {
		o := &m.Objects[i]
		if o.ID == "" || o.IDType.Value == "" || o.Type < 0 || o.Type > 4 || o.Role < 0 || o.Role > 26 || o.LifeCycle < 0 || o.LifeCycle > 15 {
			return fmt.Errorf("audit message: object %d has no identifier, or a type, role or life cycle that there is not", i+1)
		}
	}
	return nil
}

// Append appends the message as an XML document.
func Append(dst []byte, m *Message) []byte {
	w := writer{append(dst, `<?xml version="1.0" encoding="UTF-8"?><AuditMessage>`...)}
	w.event(&m.Event)
	for i := range m.Participants {
		w.participant(&m.Participants[i])
	}
	w.source(&m.Source)
	for i := range m.Objects {
		w.object(&m.Objects[i])
	}
	w.puts("</AuditMessage>")
	return w.b
}

type writer struct{ b []byte }

func (w *writer) puts(s string) { w.b = append(w.b, s...) }

// attr writes an attribute, unless it has no value.
func (w *writer) attr(name, value string) {
	if value != "" {
		w.must(name, value)
	}
}

func (w *writer) must(name, value string) {
	w.puts(" " + name + `="`)
	w.text(value)
	w.puts(`"`)
}

// text writes what XML and the schema's tokens can hold.
func (w *writer) text(s string) {
	if len(s) > MaxText {
		s = s[:MaxText]
		for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
			s = s[:len(s)-1]
		}
		if r, n := utf8.DecodeLastRuneInString(s); r == utf8.RuneError && n == 1 {
			s = s[:len(s)-1]
		}
	}
	for _, r := range s {
		switch {
		case r == '&':
			w.puts("&amp;")
		case r == '<':
			w.puts("&lt;")
		case r == '>':
			w.puts("&gt;")
		case r == '"':
			w.puts("&#34;")
		case r == '\t' || r == '\n' || r == '\r':
			w.puts(" ")
		case r < ' ' || r == 0x7F || r >= 0x80 && r < 0xA0 || r == 0xFFFE || r == 0xFFFF:
			w.puts("\uFFFD")
		default:
			w.b = utf8.AppendRune(w.b, r)
		}
	}
}

func (w *writer) code(element string, c Code) {
	w.puts("<" + element)
	w.must("csd-code", c.Value)
	w.must("codeSystemName", c.System)
	w.must("originalText", c.Meaning)
	w.puts("/>")
}

func (w *writer) event(e *Event) {
	w.puts("<EventIdentification")
	w.must("EventActionCode", string(e.Action))
	w.must("EventDateTime", e.At.UTC().Format("2006-01-02T15:04:05.000Z"))
	w.must("EventOutcomeIndicator", strconv.Itoa(int(e.Outcome)))
	w.puts(">")
	w.code("EventID", e.ID)
	for _, t := range e.Types {
		w.code("EventTypeCode", t)
	}
	if e.Description != "" {
		w.puts("<EventOutcomeDescription>")
		w.text(e.Description)
		w.puts("</EventOutcomeDescription>")
	}
	w.puts("</EventIdentification>")
}

func (w *writer) participant(p *Participant) {
	w.puts("<ActiveParticipant")
	w.must("UserID", p.UserID)
	w.attr("AlternativeUserID", p.AlternativeID)
	w.attr("UserName", p.Name)
	w.must("UserIsRequestor", strconv.FormatBool(p.Requestor))
	if p.Address != "" {
		w.must("NetworkAccessPointID", p.Address)
		kind := "1" // a name
		if isIP(p.Address) {
			kind = "2"
		}
		w.must("NetworkAccessPointTypeCode", kind)
	}
	w.puts(">")
	for _, r := range p.Roles {
		w.code("RoleIDCode", r)
	}
	w.puts("</ActiveParticipant>")
}

// isIP tells addresses from names: an address has a colon, or digits and dots alone.
func isIP(s string) bool {
	return strings.Contains(s, ":") || strings.Trim(s, "0123456789.") == ""
}

func (w *writer) source(s *Source) {
	w.puts("<AuditSourceIdentification")
	w.attr("AuditEnterpriseSiteID", s.Site)
	w.must("AuditSourceID", s.ID)
	w.puts(">")
	for _, t := range s.Types {
		w.puts("<AuditSourceTypeCode")
		w.must("csd-code", t)
		w.puts("/>")
	}
	w.puts("</AuditSourceIdentification>")
}

func (w *writer) object(o *Object) {
	number := func(name string, n int) {
		if n > 0 {
			w.must(name, strconv.Itoa(n))
		}
	}
	w.puts("<ParticipantObjectIdentification")
	w.must("ParticipantObjectID", o.ID)
	number("ParticipantObjectTypeCode", o.Type)
	number("ParticipantObjectTypeCodeRole", o.Role)
	number("ParticipantObjectDataLifeCycle", o.LifeCycle)
	w.attr("ParticipantObjectSensitivity", o.Sensitivity)
	w.puts(">")
	w.code("ParticipantObjectIDTypeCode", o.IDType)
	if o.Queried {
		w.puts("<ParticipantObjectQuery>" + base64.StdEncoding.EncodeToString(o.Query) + "</ParticipantObjectQuery>")
	} else {
		w.puts("<ParticipantObjectName>")
		w.text(o.Name)
		w.puts("</ParticipantObjectName>")
	}
	for _, d := range o.Details {
		w.puts("<ParticipantObjectDetail")
		w.must("type", d.Type)
		w.puts(` value="` + base64.StdEncoding.EncodeToString(d.Value) + `"/>`)
	}
	w.description(o)
	w.puts("</ParticipantObjectIdentification>")
}

func (w *writer) description(o *Object) {
	if len(o.Accessions)+len(o.SOPClasses)+len(o.Studies) == 0 && o.Encrypted == nil && o.Anonymized == nil {
		return
	}
	w.puts("<ParticipantObjectDescription>")
	for _, a := range o.Accessions {
		w.puts("<Accession")
		w.must("Number", a)
		w.puts("/>")
	}
	for _, c := range o.SOPClasses {
		w.puts("<SOPClass")
		w.attr("UID", c.UID)
		w.must("NumberOfInstances", strconv.Itoa(c.Count))
		w.puts(">")
		for _, i := range c.Instances {
			w.puts("<Instance")
			w.must("UID", i)
			w.puts("/>")
		}
		w.puts("</SOPClass>")
	}
	if len(o.Studies) > 0 {
		w.puts("<ParticipantObjectContainsStudy>")
		for _, s := range o.Studies {
			w.puts("<StudyIDs")
			w.must("UID", s)
			w.puts("/>")
		}
		w.puts("</ParticipantObjectContainsStudy>")
	}
	for _, b := range []struct {
		name  string
		value *bool
	}{{"Encrypted", o.Encrypted}, {"Anonymized", o.Anonymized}} {
		if b.value != nil {
			w.puts("<" + b.name + ">" + strconv.FormatBool(*b.value) + "</" + b.name + ">")
		}
	}
	w.puts("</ParticipantObjectDescription>")
}
