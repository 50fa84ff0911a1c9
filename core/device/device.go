// SPDX-License-Identifier: Apache-2.0

// Package device holds the noun Device: one identity per physical thing,
// fused from evidence, and the vocabulary in which evidence is given.
//
// Everything here is a plain value. Who fuses evidence into devices is the
// inventory's business; who shows them is the console's.
package device

import "net/netip"

// Criticality is how much care depends on a device, set by a person.
type Criticality string

// The levels, lowest first.
const (
	CriticalityUnset  Criticality = ""
	CriticalityLow    Criticality = "low"
	CriticalityMedium Criticality = "medium"
	CriticalityHigh   Criticality = "high"
	CriticalityLife   Criticality = "life-supporting"
)

// Interface is one network attachment of a device.
type Interface struct {
	MAC   MAC          `json:"mac,omitzero"`
	IPs   []netip.Addr `json:"ips,omitempty"`
	VLANs []uint16     `json:"vlans,omitempty"`
}

// Fact is the value chosen for one attribute and why.
type Fact struct {
	Value      string     `json:"value"`
	Stated     string     `json:"stated,omitempty"` // as the strongest source wrote it, where Value is normalised: "Hospira" for "ICU Medical"
	Confidence Confidence `json:"confidence"`
	Sources    []string   `json:"sources"` // evidence sources that agree, strongest first
	ByPerson   bool       `json:"by_person,omitempty"`
}

// Conflict says that evidence disagrees about something that can have one
// value only. Conflicts are shown, never resolved in silence.
type Conflict struct {
	Attribute Attribute `json:"attribute"`
	Values    []string  `json:"values"`
	Why       string    `json:"why"`
}

// Join says why two attachments, or an attachment and an identifier, were
// taken for one device.
type Join struct {
	Why        string     `json:"why"`
	Confidence Confidence `json:"confidence"`
}

// Note is a person's remark.
type Note struct {
	Text string `json:"text"`
	Who  string `json:"who"`
	At   int64  `json:"at"` // ns since the Unix epoch, UTC
}

// Device is one physical thing on the network. The ID is stable over restarts
// and address changes; see the inventory for how it is chosen.
type Device struct {
	ID          string             `json:"id"`
	Aliases     []string           `json:"aliases,omitempty"` // IDs under which parts of it were known before
	Class       Class              `json:"class"`
	ClassWhy    string             `json:"class_why,omitempty"` // one sentence
	Vendor      string             `json:"vendor,omitempty"`
	Model       string             `json:"model,omitempty"`
	Name        string             `json:"name,omitempty"`
	Serial      string             `json:"serial,omitempty"`
	Firmware    string             `json:"firmware,omitempty"`
	OS          string             `json:"os,omitempty"`
	UDI         string             `json:"udi,omitempty"`
	Interfaces  []Interface        `json:"interfaces,omitempty"`
	AETitles    []string           `json:"ae_titles,omitempty"`
	Services    []string           `json:"services,omitempty"` // offered, "<protocol>/<transport>:<port>"
	Uses        []string           `json:"uses,omitempty"`
	Certs       []Certificate      `json:"certificates,omitempty"` // that it presents now, the first to expire first
	Via         string             `json:"via,omitempty"`          // ID of the device whose messages name this one, when it is behind it
	Site        string             `json:"site,omitempty"`         // name of the site that it is at; "" for the one whose inventory this is
	Theatre     string             `json:"theatre,omitempty"`
	Zone        string             `json:"zone,omitempty"`
	Criticality Criticality        `json:"criticality,omitempty"`
	Randomised  bool               `json:"randomised_mac,omitempty"` // every known MAC is locally administered
	Confidence  Confidence         `json:"confidence"`               // in Class
	Facts       map[Attribute]Fact `json:"facts,omitempty"`
	Conflicts   []Conflict         `json:"conflicts,omitempty"`
	Joined      []Join             `json:"joined,omitempty"` // why its parts are one device
	Notes       []Note             `json:"notes,omitempty"`
	Evidence    []Evidence         `json:"evidence,omitempty"`
	First       int64              `json:"first"` // ns since the Unix epoch, UTC
	Last        int64              `json:"last"`
}
