// SPDX-License-Identifier: Apache-2.0

// Package poct1a reads the messages that point-of-care instruments and their
// data manager exchange: the Device Messaging Layer of CLSI POCT1-A2 (Appendix
// B), XML documents that follow each other on a TCP connection without framing.
// Package xmltok's Splitter finds the documents.
//
// A value stands in the attribute V of an element whose name is "OBJ.field"
// (<DEV.serial_id V="123"/>). What identifies the instrument, the conversation
// and the tests is read; results are counted, not read. Identifiers of patients
// and operators are returned as they are: callers replace them before use.
//
// # Limits
//
// Those of package xmltok, MaxList entries in a list, MaxValue bytes a value.
//
// # What is not done
//
// Vendor extensions (DTV.<vendor>.*) are recognised by their message type and
// header only. Values in element content, which the standard does not allow,
// are not read.
package poct1a

import (
	"bytes"

	"github.com/asepsis/asepsis/wire/xmltok"
)

// The limits.
const (
	MaxList  = 64
	MaxValue = 256
)

// Device is the DEV object with its capabilities (DCP, DSC).
type Device struct {
	ID, Vendor, Model, Serial, Manufacturer, Name, Hardware, Software string
	Profile                                                           string // DSC.connection_profile_cd: "CS" continuous, "SA" sometimes available
	Topics, Directives                                                []string
}

// Code is a coded value: V with its name SN and code system DN where given.
type Code struct{ Value, Name, System string }

// Message is one message.
type Message struct {
	Type      string // "HEL.R01"
	ControlID string
	Version   string
	Device    Device

	AckCode, AckControlID, AckError string
	Condition                       string // DST.condition_cd: "R" ready, "B" busy, "L" locked
	NewResults                      string // DST.new_observations_qty
	Request, Command, Topic, Reason string // REQ.request_cd, DTV.command_cd, EOT.topic_cd, TRM/END.reason_cd
	Role                            string // SVC.role_cd: "OBS" patient test, "LQC" quality control ...

	Patients     []string // PT.patient_id
	Operators    []string // OPR.operator_id
	Orders       []string // ORD.order_id
	Observations []Code   // OBS.observation_id, each once
	Results      int      // OBS objects
	Services     int      // SVC objects
	Events       int      // EVT objects
	Truncated    bool     // the document was cut, or a list is full
	Err          *xmltok.Error
}

var roots = []string{"HEL", "DST", "OBS", "ACK", "REQ", "DTV", "EOT", "END", "KPA", "EVS", "OPL", "PTL", "ESC", "TRM", "EVT"}

// IsType reports whether an element name is a message type: a known object, a
// point and a revision, or a vendor's directive.
func IsType(name []byte) bool {
	if len(name) < 7 || name[3] != '.' {
		return false
	}
	known := false
	for _, r := range roots {
		known = known || string(name[:3]) == r
	}
	if !known {
		return false
	}
	if name[4] == 'R' && len(name) == 7 && digit(name[5]) && digit(name[6]) {
		return true
	}
	if string(name[:3]) != "DTV" || len(name) > 64 {
		return false
	}
	for _, c := range name[4:] {
		if !digit(c) && (c < 'A' || c > 'Z') && c != '.' && c != '_' {
			return false
		}
	}
	return true
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// Parse reads one document. It fails only when the root element is no message
// type; a document that is cut gives what was readable, with Err and Truncated.
func Parse(b []byte) (*Message, error) {
	var t xmltok.Tokenizer
	t.Reset(b)
	if t.Next() != xmltok.Start || !IsType(t.Local()) {
		if e := t.Err(); e != nil {
			return nil, e
		}
		return nil, &xmltok.Error{Reason: "root element is no POCT1-A message type"}
	}
	m := &Message{Type: string(t.Local())}
	for k := t.Next(); k != xmltok.None; k = t.Next() {
		if k == xmltok.Start {
			m.element(&t)
		}
	}
	if m.Err = t.Err(); m.Err != nil {
		m.Truncated = true
	}
	return m, nil
}

func (m *Message) element(t *xmltok.Tokenizer) {
	switch string(t.Local()) {
	case "SVC":
		m.Services++
		return
	case "OBS":
		m.Results++
		return
	case "EVT":
		m.Events++
		return
	}
	raw := t.Attr("V")
	if raw == nil {
		return
	}
	if len(raw) > 4*MaxValue {
		raw = raw[:4*MaxValue]
	}
	v := string(bytes.TrimSpace(xmltok.AppendUnescaped(nil, raw)))
	if len(v) > MaxValue {
		v = v[:MaxValue]
	}
	set := func(p *string) {
		if *p == "" {
			*p = v
		}
	}
	add := func(p *[]string) {
		if len(*p) >= MaxList {
			m.Truncated = true
			return
		}
		*p = append(*p, v)
	}
	switch string(t.Local()) {
	case "HDR.control_id":
		set(&m.ControlID)
	case "HDR.version_id":
		set(&m.Version)
	case "DEV.device_id":
		set(&m.Device.ID)
	case "DEV.vendor_id":
		set(&m.Device.Vendor)
	case "DEV.model_id":
		set(&m.Device.Model)
	case "DEV.serial_id":
		set(&m.Device.Serial)
	case "DEV.manufacturer_name":
		set(&m.Device.Manufacturer)
	case "DEV.device_name":
		set(&m.Device.Name)
	case "DEV.hw_version":
		set(&m.Device.Hardware)
	case "DEV.sw_version":
		set(&m.Device.Software)
	case "DSC.connection_profile_cd":
		set(&m.Device.Profile)
	case "DSC.topics_supported_cd":
		add(&m.Device.Topics)
	case "DSC.directives_supported_cd":
		add(&m.Device.Directives)
	case "ACK.type_cd":
		set(&m.AckCode)
	case "ACK.ack_control_id":
		set(&m.AckControlID)
	case "ACK.error_detail_cd":
		set(&m.AckError)
	case "DST.condition_cd":
		set(&m.Condition)
	case "DST.new_observations_qty":
		set(&m.NewResults)
	case "REQ.request_cd":
		set(&m.Request)
	case "DTV.command_cd":
		set(&m.Command)
	case "EOT.topic_cd":
		set(&m.Topic)
	case "TRM.reason_cd", "END.reason_cd":
		set(&m.Reason)
	case "SVC.role_cd":
		set(&m.Role)
	case "PT.patient_id":
		add(&m.Patients)
	case "OPR.operator_id":
		add(&m.Operators)
	case "ORD.order_id":
		add(&m.Orders)
	case "OBS.observation_id":
		c := Code{v, value(t, "DN"), value(t, "SN")}
		for _, o := range m.Observations {
			if o == c {
				return
			}
		}
		if len(m.Observations) >= MaxList {
			m.Truncated = true
			return
		}
		m.Observations = append(m.Observations, c)
	}
}

func value(t *xmltok.Tokenizer, attr string) string {
	v := t.Attr(attr)
	return string(xmltok.AppendUnescaped(nil, v[:min(len(v), MaxValue)]))
}
