// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
)

// EventPage answers GET /events.
type EventPage struct {
	Events   []EventRow `json:"events"`
	Next     *string    `json:"next"`
	Complete bool       `json:"complete"`
	Reached  string     `json:"reached"`
	TookMS   float64    `json:"took_ms"`
}

// EventRow is an event as lists show it.
type EventRow struct {
	ID           string    `json:"id"`
	Time         string    `json:"time"`
	Class        uint32    `json:"class"`
	ClassName    string    `json:"class_name"`
	Activity     uint8     `json:"activity"`
	ActivityName string    `json:"activity_name"`
	Severity     Severity  `json:"severity"`
	Status       string    `json:"status"`
	Protocol     string    `json:"protocol"`
	Sensor       string    `json:"sensor"`
	Theatre      string    `json:"theatre"`
	Message      string    `json:"message"`
	Src          *EventEnd `json:"src"`
	Dst          *EventEnd `json:"dst"`
}

// EventEnd is one end of what an event is about.
type EventEnd struct {
	IP     string `json:"ip"`
	Port   uint16 `json:"port"`
	MAC    string `json:"mac"`
	Device string `json:"device"`
	Name   string `json:"name"`
}

// EventDetail answers GET /events/{id}.
type EventDetail struct {
	EventRow
	UID    string          `json:"uid"`
	Groups []EventGroup    `json:"groups"`
	OCSF   json.RawMessage `json:"ocsf"`
}

// EventGroup is decoded fields that belong together.
type EventGroup struct {
	Title  string       `json:"title"`
	Fields []EventField `json:"fields"`
}

// EventField is one decoded field. Field and Raw are there when a click on it can
// include or exclude events: raw is the value to ask for.
type EventField struct {
	Name  string `json:"name"`
	Label string `json:"label"`
	Value string `json:"value"`
	Field string `json:"field,omitempty"`
	Raw   any    `json:"raw,omitempty"`
}

// EventHistogram answers GET /events/histogram.
type EventHistogram struct {
	From     string          `json:"from"`
	To       string          `json:"to"`
	StepMS   int64           `json:"step_ms"`
	Steps    []HistogramStep `json:"steps"`
	Complete bool            `json:"complete"`
	Reached  string          `json:"reached"`
}

// HistogramStep is one step of it, severities without events left out.
type HistogramStep struct {
	Start string            `json:"start"`
	By    map[string]uint64 `json:"by"`
}

// TopValues answers GET /events/top.
type TopValues struct {
	Field    string     `json:"field"`
	Values   []TopValue `json:"values"`
	Others   uint64     `json:"others"`
	Complete bool       `json:"complete"`
	Reached  string     `json:"reached"`
}

// TopValue is a value, as people read it, and how many events have it.
type TopValue struct {
	Value string `json:"value"`
	Label string `json:"label"`
	Count uint64 `json:"count"`
}

// NamedDevice is a device by its ID and name.
type NamedDevice struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}
