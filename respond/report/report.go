// SPDX-License-Identifier: Apache-2.0

// Package report analyses captures from end to end (frames, sensor, inventory)
// and says what was found: as JSON, whose shape is a contract with other
// programs, and as a table for people.
package report

import (
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/see/inventory"
	"github.com/asepsis/asepsis/see/sensor"
)

// Report is the result of an analysis. Its JSON form is documented in
// docs/see.md; fields are added, never changed or removed.
type Report struct {
	Capture       Capture            `json:"capture"`
	Devices       []Device           `json:"devices"`
	Flows         uint64             `json:"flows"`
	Protocols     map[string]uint64  `json:"protocols"`
	Findings      []Finding          `json:"findings"`
	BlindSpots    []sensor.BlindSpot `json:"blind_spots"`
	Conversations []Conversation     `json:"conversations"`
	Stats         sensor.Stats       `json:"-"`
}

// Capture says what was read.
type Capture struct {
	Files     []string `json:"files"`
	Packets   uint64   `json:"packets"`
	Bytes     uint64   `json:"bytes"`     // on the wire
	Truncated int      `json:"truncated"` // inputs that ended early or became unreadable
	Undecoded uint64   `json:"undecoded"` // packets whose headers could not be followed
	SnapCut   uint64   `json:"snap_cut"`
	First     *Time    `json:"first"` // null when nothing was read
	Last      *Time    `json:"last"`
	Damage    []Damage `json:"damage,omitempty"`
}

// Damage says where an input became unreadable.
type Damage struct {
	File   string `json:"file"`
	Offset int64  `json:"offset"` // bytes of decompressed input
	Reason string `json:"reason"`
}

// Device is a device of the inventory, with times as people write them.
type Device struct {
	ID          string             `json:"id"`
	Class       device.Class       `json:"class"`
	Vendor      string             `json:"vendor"`
	Model       string             `json:"model"`
	Name        string             `json:"name"`
	Firmware    string             `json:"firmware"`
	MACs        []string           `json:"macs"`
	IPs         []string           `json:"ips"`
	AETitles    []string           `json:"ae_titles"`
	Zone        string             `json:"zone"`
	Confidence  device.Confidence  `json:"confidence"`
	Evidence    []Evidence         `json:"evidence"`
	ClassWhy    string             `json:"class_why,omitempty"`
	Serial      string             `json:"serial,omitempty"`
	OS          string             `json:"os,omitempty"`
	UDI         string             `json:"udi,omitempty"`
	VLANs       []uint16           `json:"vlans,omitempty"`
	Services    []string           `json:"services,omitempty"`
	Uses        []string           `json:"uses,omitempty"`
	Theatre     string             `json:"theatre,omitempty"`
	Criticality device.Criticality `json:"criticality,omitempty"`
	Randomised  bool               `json:"randomised_mac,omitempty"`
	Conflicts   []device.Conflict  `json:"conflicts,omitempty"`
	First       Time               `json:"first"`
	Last        Time               `json:"last"`
}

// Evidence is why something is believed of a device.
type Evidence struct {
	Attribute  device.Attribute  `json:"attribute"`
	Value      string            `json:"value"`
	Source     string            `json:"source"`
	Confidence device.Confidence `json:"confidence"`
	First      Time              `json:"first"`
	Last       Time              `json:"last"`
	Count      uint64            `json:"count"`
}

// Conversation says who talked to whom.
type Conversation struct {
	Client    string `json:"client"` // device IDs, or addresses of what is no device (a multicast group)
	Server    string `json:"server"`
	Protocol  string `json:"protocol"` // "" when it was not recognised
	Port      uint16 `json:"port"`
	Transport string `json:"transport"` // "tcp", "udp", or the IP protocol's number
	Flows     uint64 `json:"flows"`
	Failed    uint64 `json:"flows_failed"` // of these, not answered or refused
	Out       uint64 `json:"bytes_to_server"`
	In        uint64 `json:"bytes_to_client"`
	First     Time   `json:"first"`
	Last      Time   `json:"last"`
	client    string // as people call them
	server    string
}

// Finding is a finding with times as people write them.
type Finding struct {
	Rule     string           `json:"rule"`
	Severity finding.Severity `json:"severity"`
	Title    string           `json:"title"`
	Devices  []string         `json:"devices"`
	Count    uint64           `json:"count"`
	First    Time             `json:"first"`
	Last     Time             `json:"last"`
	Attack   []string         `json:"attack"`
	Evidence []string         `json:"evidence"`
}

// Time is nanoseconds since the Unix epoch, written as RFC 3339 in UTC.
type Time int64

// MarshalText implements encoding.TextMarshaler.
func (t Time) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *Time) UnmarshalText(b []byte) error {
	v, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		return err
	}
	*t = Time(v.UnixNano())
	return nil
}

// String is RFC 3339 with nanoseconds where there are any.
func (t Time) String() string { return time.Unix(0, int64(t)).UTC().Format(time.RFC3339Nano) }

// Worst returns the highest severity among the findings.
func (r *Report) Worst() finding.Severity {
	worst := finding.Unknown
	for _, f := range r.Findings {
		worst = max(worst, f.Severity)
	}
	return worst
}

func strs[T interface{ String() string }](in []T) []string {
	out := make([]string, 0, len(in))
	for _, v := range in {
		out = append(out, v.String())
	}
	return out
}

func orEmpty[T any](in []T) []T {
	if in == nil {
		return []T{}
	}
	return in
}

// Devices returns an inventory's devices as reports show them.
func Devices(in []device.Device) []Device {
	out := make([]Device, len(in))
	for i, d := range in {
		out[i] = OfDevice(d)
	}
	return out
}

// OfDevice returns one device as reports show it.
func OfDevice(d device.Device) Device {
	r := Device{
		ID: d.ID, Class: d.Class, Vendor: d.Vendor, Model: d.Model, Name: d.Name, Firmware: d.Firmware,
		MACs: []string{}, IPs: []string{}, AETitles: orEmpty(d.AETitles), Zone: d.Zone, Confidence: d.Confidence,
		Evidence: make([]Evidence, 0, len(d.Evidence)), ClassWhy: d.ClassWhy, Serial: d.Serial, OS: d.OS, UDI: d.UDI,
		Services: d.Services, Uses: d.Uses, Theatre: d.Theatre, Criticality: d.Criticality, Randomised: d.Randomised,
		Conflicts: d.Conflicts, First: Time(d.First), Last: Time(d.Last),
	}
	for _, i := range d.Interfaces {
		if !i.MAC.IsZero() {
			r.MACs = append(r.MACs, i.MAC.String())
		}
		r.IPs = append(r.IPs, strs(i.IPs)...)
		r.VLANs = append(r.VLANs, i.VLANs...)
	}
	for _, e := range d.Evidence {
		r.Evidence = append(r.Evidence, Evidence{e.Attribute, e.Value, e.Source, e.Confidence, Time(e.First), Time(e.Last), e.Count})
	}
	return r
}

// title is how people call a device in one or two words.
func title(d *Device) string {
	switch {
	case d.Name != "":
		return d.Name
	case inventory.OwnTitle(d.AETitles) != "":
		return inventory.OwnTitle(d.AETitles)
	case d.Model != "":
		return d.Model
	case len(d.IPs) > 0:
		return d.IPs[0]
	case len(d.MACs) > 0:
		return d.MACs[0]
	}
	return d.ID
}

// conversations converts the inventory's pairs and names their ends.
func conversations(in []inventory.Conversation, devs []Device) []Conversation {
	names := map[string]string{}
	for i := range devs {
		names[devs[i].ID] = title(&devs[i])
	}
	name := func(id string) string {
		if n := names[id]; n != "" {
			return n
		}
		return id
	}
	out := make([]Conversation, 0, len(in))
	for _, c := range in {
		r := Conversation{
			Client: c.From, Server: c.To, Protocol: c.Protocol, Port: c.Port, Transport: c.Transport,
			Flows: c.Flows, Failed: c.Failed, Out: c.BytesOut, In: c.BytesIn, First: Time(c.First), Last: Time(c.Last),
		}
		if r.Client == "" {
			r.Client = c.FromAddress.String()
		}
		if r.Server == "" {
			r.Server = c.ToAddress.String()
		}
		r.client, r.server = name(r.Client), name(r.Server)
		out = append(out, r)
	}
	return out
}
