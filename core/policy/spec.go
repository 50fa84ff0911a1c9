// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/asepsis/asepsis/core/device"
)

// Version is the version of the policy's form that this package reads.
const Version = 1

// Bounds of a policy.
const (
	MaxZones    = 500
	MaxConduits = 5000
	MaxServices = 1000
	MaxMembers  = 200 // selectors of one zone
	MaxValues   = 1000
)

// Internet is the zone of every address that no other zone has and that is not
// of a private range. It needs no definition.
const Internet = "internet"

// Spec is a policy as it is written.
type Spec struct {
	Version  int            `yaml:"version" doc:"Version of this form: 1."`
	Name     string         `yaml:"name" doc:"What it is called, for people."`
	Proposed bool           `yaml:"proposed" doc:"True while nobody has confirmed it: zones are shown, and nothing is called a violation."`
	Services []NamedService `yaml:"services" doc:"What can be spoken, by name."`
	Zones    []Zone         `yaml:"zones" doc:"Sets of things with the same need for protection."`
	Conduits []Conduit      `yaml:"conduits" doc:"Who may talk to whom. What none allows is not in the policy."`
}

// NamedService is a named service. A conversation is of it when its transport and
// port are, and its protocol is or could not be recognised.
type NamedService struct {
	ID        string  `yaml:"id" doc:"Name in conduits."`
	Protocol  string  `yaml:"protocol" doc:"Protocol as the sensor recognises it by content, for example dicom, hl7, http. Empty: any."`
	Transport string  `yaml:"transport" doc:"tcp, udp or icmp. Empty: any."`
	Ports     []Ports `yaml:"ports" doc:"Ports of the server: 104, or 11112-11115. Empty: any."`
	TLS       string  `yaml:"tls" doc:"required, allowed (the default) or never."`
}

// Zone is a set of things with the same need for protection.
type Zone struct {
	ID      string     `yaml:"id" doc:"Short and stable: or-3-imaging."`
	Title   string     `yaml:"title" doc:"As people call it."`
	Owner   string     `yaml:"owner" doc:"Who answers for it, a role or a team."`
	Members []Selector `yaml:"members" doc:"What belongs to it: whatever one of these selects."`
	Within  string     `yaml:"within" doc:"What members may say to each other: all (the default), none, or listed (conduits from the zone to itself)."`
}

// Selector selects ends. All fields that are set must hold; of the values of one
// field, one.
type Selector struct {
	Devices  []string       `yaml:"devices" doc:"IDs of devices."`
	Theatres []string       `yaml:"theatres" doc:"IDs of theatres."`
	Classes  []device.Class `yaml:"classes" doc:"Classes of devices: ct, infusion-pump, xr-headset ..."`
	VLANs    []uint16       `yaml:"vlans" doc:"VLANs, 1 to 4094."`
	Networks []netip.Prefix `yaml:"networks" doc:"Networks: 10.20.0.0/16, fd00:20::/64."`
}

// Conduit allows communication from one zone to another.
type Conduit struct {
	ID        string   `yaml:"id" doc:"Short and stable: modalities-to-pacs."`
	From      []string `yaml:"from" doc:"Zones of the clients."`
	To        []string `yaml:"to" doc:"Zones of the servers; internet is everything outside."`
	Services  []string `yaml:"services" doc:"Names of services, or any."`
	Direction string   `yaml:"direction" doc:"forward (the default: From asks To) or both."`
	Owner     string   `yaml:"owner" doc:"Who answers for it, a role or a team."`
	Reason    string   `yaml:"reason" doc:"Why it is needed."`
	Expires   Date     `yaml:"expires" doc:"Last day on which it holds, 2027-03-31. Empty: until somebody removes it."`
}

// Date is a day, in UTC.
type Date struct{ t time.Time }

// UnmarshalText reads 2006-01-02.
func (d *Date) UnmarshalText(b []byte) error {
	t, err := time.Parse(time.DateOnly, string(b))
	if err != nil {
		return fmt.Errorf("%q is no date such as 2027-03-31", b)
	}
	d.t = t
	return nil
}

// MarshalText writes 2006-01-02, nothing for no date.
func (d Date) MarshalText() ([]byte, error) {
	if d.t.IsZero() {
		return nil, nil
	}
	return d.t.AppendFormat(nil, time.DateOnly), nil
}

// IsZero reports whether there is no date.
func (d Date) IsZero() bool { return d.t.IsZero() }

// Day makes a Date of the day on which t is.
func Day(t time.Time) Date { return Date{t.UTC().Truncate(24 * time.Hour)} }

// UnixNano is the beginning of the day.
func (d Date) UnixNano() int64 { return d.t.UnixNano() }

// over reports whether the whole day is over.
func (d Date) over(at int64) bool { return !d.t.IsZero() && at >= d.t.AddDate(0, 0, 1).UnixNano() }

// String is the day, "" for none.
func (d Date) String() string {
	b, _ := d.MarshalText()
	return string(b)
}

// Ports is a range of ports.
type Ports struct{ First, Last uint16 }

// UnmarshalText reads 104 or 11112-11115.
func (p *Ports) UnmarshalText(b []byte) error {
	var first, last uint16
	if n, err := fmt.Sscanf(string(b)+" ", "%d-%d ", &first, &last); err == nil && n == 2 && fmt.Sprintf("%d-%d", first, last) == string(b) && first <= last && first > 0 {
		*p = Ports{first, last}
		return nil
	}
	if n, err := fmt.Sscanf(string(b)+" ", "%d ", &first); err == nil && n == 1 && fmt.Sprint(first) == string(b) && first > 0 {
		*p = Ports{first, first}
		return nil
	}
	return fmt.Errorf("%q is no port from 1 to 65535, nor a range such as 11112-11115", b)
}

// String writes it as it is read.
func (p Ports) String() string {
	if p.First == p.Last {
		return fmt.Sprint(p.First)
	}
	return fmt.Sprintf("%d-%d", p.First, p.Last)
}

// MarshalText implements encoding.TextMarshaler.
func (p Ports) MarshalText() ([]byte, error) { return []byte(p.String()), nil }
