// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/wire/packet"
)

// Conn is what an analyser knows of the conversation it analyses and how it
// speaks to the sensor. It belongs to one flow and one goroutine.
type Conn struct {
	// Now is the capture time of the packet being presented, ns since the
	// Unix epoch. There is no other clock.
	Now int64
	// Proto is the IP protocol number, 0 when not IP.
	Proto uint8
	// Ends are the two ends in the order of Dir: Ends[ToServer] sends in
	// direction ToServer.
	Ends [2]event.Endpoint
	// Hops are the routers between sensor and each end, estimated from TTL.
	Hops [2]uint8
	// VLAN is the innermost VLAN ID.
	VLAN uint16
	// MidStream is set when the opening of the connection was not seen.
	MidStream bool
	// Encrypted is set by an analyser that found the flow to be encrypted.
	Encrypted bool
	// Packet is the packet being presented, where the sensor has it: always
	// for Frame and Datagram analysers, nil for reassembled streams.
	Packet *packet.Packet
	// App is the protocol's name, as the flow's summary will show it. An
	// analyser may refine it ("http" to "fhir").
	App string
	// Handed names the protocol that handed this connection over, with
	// Handoff: "rdp", "postgresql", "http". "" when the flow began with this
	// protocol.
	Handed string

	host     Host
	note     Selective // nil where events are read in full
	memo     *Memo
	flow     *event.Flow
	makeFlow func() *event.Flow
	flipped  bool
}

// NewConn makes a Conn. flow is called once, when the first event needs it;
// nil gives a flow made of the Conn's own fields.
func NewConn(h Host, flow func() *event.Flow) *Conn {
	c := new(Conn)
	c.Init(h, flow)
	return c
}

// Init makes c ready for use as NewConn does, without allocating.
func (c *Conn) Init(h Host, flow func() *event.Flow) {
	*c = Conn{host: h, makeFlow: flow}
	if s, ok := h.(Selective); ok {
		c.memo = s.Memo()
		if !s.Full() {
			c.note = s
		}
	}
}

// Flip records that the side taken for the client is the server: the
// protocol's content says so (mid-stream captures). Dir keeps its meaning.
// Events emitted from now on show the corrected roles.
func (c *Conn) Flip() {
	c.flipped = !c.flipped
	c.flow = nil
}

// Flipped reports whether Flip was called an odd number of times.
func (c *Conn) Flipped() bool { return c.flipped }

// Flow returns the flow as events show it.
func (c *Conn) Flow() *event.Flow {
	if c.flow != nil {
		return c.flow
	}
	if c.makeFlow != nil {
		c.flow = c.makeFlow()
	} else {
		c.flow = &event.Flow{Proto: c.Proto, Src: c.Ends[0], Dst: c.Ends[1], SrcHops: c.Hops[0], DstHops: c.Hops[1], Guessed: c.MidStream}
		if c.VLAN != 0 {
			c.flow.VLANs = []uint16{c.VLAN}
		}
	}
	if c.flipped {
		f := *c.flow
		f.Src, f.Dst = f.Dst, f.Src
		f.SrcHops, f.DstHops = f.DstHops, f.SrcHops
		c.flow = &f
	}
	return c.flow
}

// Emit emits an event of this conversation. Time (unless set), Flow (unless
// set), Protocol (unless set) and Encrypted are filled in.
func (c *Conn) Emit(e *event.Event) {
	c.complete(e)
	c.host.Emit(e)
}

func (c *Conn) complete(e *event.Event) {
	if e.Time == 0 {
		e.Time = c.Now
	}
	if e.Flow == nil {
		e.Flow = c.Flow()
	}
	if e.Protocol == "" {
		e.Protocol = c.App
	}
	if c.Encrypted {
		e.Encrypted = true
	}
}

// Memo returns what the analysers of this goroutine remember; it may be nil.
func (c *Conn) Memo() *Memo { return c.memo }

// Full reports whether anybody reads events in full. Where nobody does, an
// analyser need not put together what only an event would show, and calls Note
// where it would have called Emit. Evidence is wanted always.
func (c *Conn) Full() bool { return c.note == nil }

// Note stands for the emission of an event of that class, at c.Now and of the
// protocol c.App, where Full is false.
func (c *Conn) Note(class event.Class) { c.NoteAt(class, c.Now, c.App) }

// NoteAt is Note for an event with a time or protocol of its own.
func (c *Conn) NoteAt(class event.Class, t int64, protocol string) {
	if t == 0 {
		t = c.Now
	}
	var f *event.Flow
	if c.makeFlow != nil {
		f = c.Flow()
	}
	c.note.Note(class, t, protocol, f)
}

// Subject returns the subject of evidence about one side of the flow.
func (c *Conn) Subject(s Side) device.Subject {
	i := 0
	if (s == Server) != c.flipped {
		i = 1
	}
	sub := device.Subject{IP: c.Ends[i].IP, VLAN: c.VLAN, Hops: c.Hops[i]}
	if !c.Ends[i].MAC.IsGroup() {
		sub.MAC = c.Ends[i].MAC
	}
	return sub
}

// Evidence reports what the flow tells about the device on one side. An empty
// value is ignored.
func (c *Conn) Evidence(s Side, attr device.Attribute, value, source string, conf device.Confidence) {
	c.EvidenceFor(c.Subject(s), attr, value, source, conf)
}

// EvidenceFor reports evidence about a device that need not be an end of the
// flow (a DHCP client behind a relay, an LLDP neighbour).
func (c *Conn) EvidenceFor(sub device.Subject, attr device.Attribute, value, source string, conf device.Confidence) {
	if value == "" {
		return
	}
	c.host.Evidence(device.Evidence{Subject: sub, Attribute: attr, Value: value, Source: source, Confidence: conf, First: c.Now, Last: c.Now, Count: 1})
}

// Service reports that one side offers a service on the flow's port and the
// other uses it: the usual pair of evidence once a protocol is certain.
func (c *Conn) Service(protocol string) {
	c.Flow() // as it is now is what events show of it
	c.Evidence(Server, device.AttrService, c.ServiceName(protocol), protocol, device.Claimed)
	c.Evidence(Client, device.AttrUses, protocol, protocol, device.Claimed)
}

// ServiceName names what the server offers on the flow's port, as
// device.AttrService has it: "dicom/tcp:104".
func (c *Conn) ServiceName(protocol string) string {
	transport := "tcp"
	if c.Proto == packet.ProtoUDP {
		transport = "udp"
	}
	return c.memo.Service(protocol, transport, c.ServerPort())
}

// ServerPort returns the port of the side that is taken for the server.
func (c *Conn) ServerPort() uint16 {
	if c.flipped {
		return c.Ends[0].Port
	}
	return c.Ends[1].Port
}

// Pseudonym replaces a patient's identifier, see core/pseudonym. Only events
// carry pseudonyms: where nobody reads them in full, it is "p:" for everybody.
func (c *Conn) Pseudonym(kind pseudonym.Kind, value string) string {
	if c.note != nil {
		if strings.TrimSpace(value) == "" {
			return ""
		}
		return "p:"
	}
	return c.host.Pseudonym(kind, value)
}
