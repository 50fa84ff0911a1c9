// SPDX-License-Identifier: Apache-2.0

// Package scene holds what a detection sees: one event, who its two ends are,
// in which theatre, whether a case is in progress there, and what the policy says
// about it.
//
// A World is a snapshot of what is known: devices, theatres, policy. It is
// immutable and may be used by many goroutines; a new one is made when something
// changed. A Scene belongs to one call and is not kept.
package scene

import (
	"net/netip"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/policy"
	"github.com/asepsis/asepsis/core/theatre"
)

// Scene is one event with its surroundings.
type Scene struct {
	Seq    uint64 // in the store, 0 where it is not kept
	Sensor string
	Event  *event.Event
	Src    Party // the initiator; of an event without conversation whom it is about
	Dst    Party
	// Theatre is where it happens, "" for none; Case is what went on there at that
	// time, Idle where nobody knows.
	Theatre string
	Case    theatre.State
	World   *World
	Titles  *Titles // nil where nobody notes them

	verdict *policy.Verdict
}

// Party is one end.
type Party struct {
	IP     netip.Addr
	MAC    device.MAC
	Port   uint16
	ID     string         // of the device, "" when it is none of the inventory
	Device *device.Device // nil when it is not known (yet); not to be changed
	// Internal says that it is one of ours: a device, or an address in a zone of
	// the policy or, without one, of a private range.
	Internal bool
}

// Policy says what the policy says about the conversation of the event. It is
// asked once.
func (s *Scene) Policy() policy.Verdict {
	if s.verdict == nil {
		v := policy.Verdict{}
		if s.World != nil && s.World.policy != nil && s.Event.Flow != nil {
			v = s.World.policy.Check(s.Src.End(), s.Dst.End(), Service(s.Event), s.Event.Time)
		}
		s.verdict = &v
	}
	return *s.verdict
}

// End is the party as the policy sees it.
func (p *Party) End() policy.End {
	e := policy.End{IP: p.IP}
	if p.Device != nil {
		e.Device, e.Class, e.Theatre, e.Zone = p.ID, p.Device.Class, p.Device.Theatre, p.Device.Zone
		for _, n := range p.Device.Interfaces {
			e.VLANs = append(e.VLANs, n.VLANs...)
		}
	}
	return e
}

// Service is what the event's conversation is, for the policy: the protocol and
// the port it was asked on.
func Service(e *event.Event) policy.Service {
	s := policy.Service{Protocol: e.Protocol, TLS: e.Encrypted}
	if c, ok := e.Detail.(*event.Connection); ok && c.App != "" {
		s.Protocol = c.App
	}
	if f := e.Flow; f != nil {
		s.Port = f.Dst.Port
		switch f.Proto {
		case 6:
			s.Transport = "tcp"
		case 17:
			s.Transport = "udp"
		case 1, 58:
			s.Transport = "icmp"
		}
	}
	return s
}
