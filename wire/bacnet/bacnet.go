// SPDX-License-Identifier: Apache-2.0

// Package bacnet reads BACnet/IP (ANSI/ASHRAE 135-2020 annex J): the virtual
// link layer, the network layer (clause 6) and the application layer (clauses
// 20 and 21) as far as building equipment identifies itself and is read or
// written: Who-Is, I-Am, Who-Has, I-Have, ReadProperty and
// ReadPropertyMultiple with their answers, WriteProperty and
// WritePropertyMultiple, device management.
//
// At most MaxProperties properties of a message are kept, with the first value
// of each; tags nest at most MaxDepth deep. Segmented messages are recognised,
// not joined. Not done: BACnet/IPv6 (annex U), BACnet/SC (annex AB), network
// security, alarms' and trend logs' contents.
package bacnet

import (
	"encoding/binary"
	"net/netip"

	"github.com/asepsis/asepsis/wire/octet"
)

// Bounds.
const (
	MaxProperties = 64
	MaxDepth      = 8
)

// APDU types (clause 20.1).
const (
	ConfirmedRequest = 0
	Unconfirmed      = 1
	SimpleACK        = 2
	ComplexACK       = 3
	SegmentACK       = 4
	ErrorPDU         = 5
	Reject           = 6
	Abort            = 7
)

// Confirmed services used here (clause 21).
const (
	ReadProperty          = 12
	ReadPropertyMultiple  = 14
	WriteProperty         = 15
	WritePropertyMultiple = 16
)

// Unconfirmed services used here.
const (
	IAm    = 0
	IHave  = 1
	WhoHas = 7
	WhoIs  = 8
)

// ObjectID is an object type and instance.
type ObjectID struct {
	Type     uint16
	Instance uint32
}

// TypeDevice is the object type of a device.
const TypeDevice = 8

// Property is a property that is read or written, with its first value.
type Property struct {
	Object ObjectID
	ID     uint32
	Value  Value
}

// Message is one BACnet/IP packet.
type Message struct {
	Function   uint8      // BVLC function
	Forwarded  netip.Addr // Forwarded-NPDU: the original sender
	Foreign    bool       // Register-Foreign-Device
	Network    bool       // a network layer message, no APDU
	NetMessage uint8
	SourceNet  uint16 // SNET: behind a router, 0 when not
	DestNet    uint16
	HasAPDU    bool
	APDU       uint8
	Service    uint8
	InvokeID   uint8
	Segmented  bool

	Device     ObjectID // I-Am, I-Have
	HasDevice  bool
	MaxAPDU    uint32
	Vendor     uint32 // I-Am
	Low, High  uint32 // Who-Is range; High is 0 without one
	Object     ObjectID
	ObjectName string // I-Have, Who-Has
	Properties []Property
	ErrorClass uint32
	ErrorCode  uint32
	Priority   uint32 // of WriteProperty
}

// Looks reports whether b is a BACnet/IP packet: type 0x81, known function,
// exact length, and network layer version 1 where there is one.
func Looks(b []byte, missing int) bool {
	if len(b) < 4 || b[0] != 0x81 || b[1] > 12 || int(binary.BigEndian.Uint16(b[2:])) != len(b)+missing {
		return false
	}
	switch b[1] {
	case 4:
		return len(b) > 11 && b[10] == 1 && b[11]&0x50 == 0
	case 9, 10, 11:
		return len(b) > 5 && b[4] == 1 && b[5]&0x50 == 0
	case 0, 5, 8:
		return len(b)+missing == [...]int{6, 0, 0, 0, 0, 6, 0, 0, 10}[b[1]]
	case 2, 6:
		return len(b) == 4
	case 1, 3, 7:
		return (len(b)+missing-4)%10 == 0
	}
	return false
}

// Parse reads one packet. What was read before an error comes with it.
func Parse(b []byte) (*Message, error) {
	r := octet.New(b)
	m := &Message{}
	if r.U8("BVLC type") != 0x81 {
		r.Fail("BVLC type")
	}
	m.Function = r.U8("BVLC function")
	if n := int(r.U16("BVLC length")); r.Err() == nil && n != len(b) {
		r.Fail("BVLC length")
	}
	switch m.Function {
	case 4:
		m.Forwarded = r.IPv4("original address")
		r.Skip(2, "original port")
	case 5:
		m.Foreign = true
		return m, r.Err()
	case 9, 10, 11:
	default:
		return m, r.Err()
	}
	m.npdu(&r)
	if r.Err() == nil && !m.Network {
		m.apdu(&r)
	}
	return m, r.Err()
}

// npdu reads the network layer header (clause 6.2).
func (m *Message) npdu(r *octet.Reader) {
	if r.U8("NPDU version") != 1 {
		r.Fail("NPDU version")
	}
	c := r.U8("NPDU control")
	if c&0x20 != 0 {
		m.DestNet = r.U16("DNET")
		r.Skip(int(r.U8("DLEN")), "DADR")
	}
	if c&0x08 != 0 {
		m.SourceNet = r.U16("SNET")
		r.Skip(int(r.U8("SLEN")), "SADR")
	}
	if c&0x20 != 0 {
		r.Skip(1, "hop count")
	}
	if c&0x80 != 0 {
		m.Network, m.NetMessage = true, r.U8("message type")
	}
}

// apdu reads the application layer header (clause 20.1).
func (m *Message) apdu(r *octet.Reader) {
	h := r.U8("APDU type")
	if r.Err() != nil {
		return
	}
	m.HasAPDU, m.APDU = true, h>>4
	switch m.APDU {
	case ConfirmedRequest:
		m.Segmented = h&0x08 != 0
		r.Skip(1, "segments accepted")
		m.InvokeID = r.U8("invoke ID")
		if m.Segmented {
			r.Skip(2, "sequence")
		}
		m.Service = r.U8("service")
		m.request(r)
	case Unconfirmed:
		m.Service = r.U8("service")
		m.unconfirmed(r)
	case SimpleACK, Reject, Abort:
		m.InvokeID, m.Service = r.U8("invoke ID"), r.U8("service or reason")
	case ComplexACK:
		m.Segmented = h&0x08 != 0
		m.InvokeID = r.U8("invoke ID")
		if m.Segmented {
			r.Skip(2, "sequence")
		}
		m.Service = r.U8("service")
		if !m.Segmented && (m.Service == ReadProperty || m.Service == ReadPropertyMultiple) {
			m.properties(r, m.Service == ReadPropertyMultiple, true)
		}
	case SegmentACK:
		m.InvokeID = r.U8("invoke ID")
	case ErrorPDU:
		m.InvokeID, m.Service = r.U8("invoke ID"), r.U8("service")
		w := walker{r: r}
		if v, ok := w.value(); ok {
			m.ErrorClass = v.Number()
		}
		if v, ok := w.value(); ok {
			m.ErrorCode = v.Number()
		}
	default:
		r.Fail("APDU type")
	}
}

func (m *Message) request(r *octet.Reader) {
	if m.Segmented {
		return
	}
	switch m.Service {
	case ReadProperty, WriteProperty:
		m.properties(r, false, m.Service == WriteProperty)
	case ReadPropertyMultiple, WritePropertyMultiple:
		m.properties(r, true, m.Service == WritePropertyMultiple)
	}
}

func (m *Message) unconfirmed(r *octet.Reader) {
	w := walker{r: r}
	switch m.Service {
	case IAm: // clause 16.10.1
		id, ok1 := w.value()
		apdu, ok2 := w.value()
		_, ok3 := w.value()
		vendor, ok4 := w.value()
		if !ok1 || !ok2 || !ok3 || !ok4 || id.Kind != KindObject || id.Object.Type != TypeDevice {
			r.Fail("I-Am")
			return
		}
		m.Device, m.HasDevice, m.MaxAPDU, m.Vendor = id.Object, true, apdu.Number(), vendor.Number()
	case IHave:
		dev, ok1 := w.value()
		obj, ok2 := w.value()
		name, ok3 := w.value()
		if ok1 && ok2 && ok3 && dev.Kind == KindObject && obj.Kind == KindObject {
			m.Device, m.HasDevice, m.Object, m.ObjectName = dev.Object, dev.Object.Type == TypeDevice, obj.Object, name.Text
		}
	case WhoIs:
		if t, ok := w.tag(); ok && t.context && t.number == 0 {
			m.Low = unsigned(t.body)
			if t, ok := w.tag(); ok && t.context && t.number == 1 {
				m.High = unsigned(t.body)
			}
		}
	}
}
