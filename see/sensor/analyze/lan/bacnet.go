// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"fmt"
	"strconv"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/bacnet"
)

// bacnetProtocol reports building equipment: the plant that keeps a theatre's
// air clean. Reads are reported once per property, writes and commands always.
func bacnetProtocol() analyze.Protocol {
	return analyze.Protocol{
		Name: "bacnet",
		Probe: func(c *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
			missing := 0
			if p := c.Packet; p != nil {
				missing = p.Missing + len(p.Payload) - len(head)
			}
			if bacnet.Looks(head, missing) {
				return analyze.Yes
			}
			return analyze.No
		},
		NewDatagram: func(*analyze.Conn) analyze.Datagram { return &bacnetFlow{} },
	}
}

type bacnetFlow struct {
	seen   once
	served bool
}

func (f *bacnetFlow) Close(*analyze.Conn, analyze.End) {}

func (f *bacnetFlow) Packet(c *analyze.Conn, dir analyze.Dir, payload []byte, missing int) analyze.Verdict {
	m, err := bacnet.Parse(payload)
	if err != nil && !m.HasAPDU || missing > 0 && !m.HasAPDU {
		return analyze.More
	}
	if m.HasAPDU {
		switch m.APDU {
		case bacnet.ConfirmedRequest:
			orient(c, dir, false)
		case bacnet.SimpleACK, bacnet.ComplexACK, bacnet.ErrorPDU, bacnet.Reject, bacnet.Abort, bacnet.SegmentACK:
			orient(c, dir, true)
			if !f.served {
				f.served = true
				c.Service("bacnet")
			}
		}
	}
	// Behind a BACnet router the packet's sender is the router, and behind a
	// broadcast distributor it is named in the packet.
	s := sender(c, dir)
	direct := m.SourceNet == 0
	if usable(m.Forwarded) {
		s = device.Subject{IP: m.Forwarded}
	}
	if direct {
		f.evidence(c, s, m)
	} else {
		fact(c, s, device.AttrCapability, "bacnet-router", "bacnet.source-network", device.Structured)
	}
	f.report(c, s, m)
	return analyze.More
}

func (f *bacnetFlow) evidence(c *analyze.Conn, s device.Subject, m *bacnet.Message) {
	ev := func(attr device.Attribute, value, field string, conf device.Confidence) {
		fact(c, s, attr, value, "bacnet."+field, conf)
	}
	if m.HasDevice {
		ev(device.AttrDeviceID, "bacnet:"+strconv.FormatUint(uint64(m.Device.Instance), 10), "i-am", device.Structured)
		ev(device.AttrClass, string(device.ClassBuilding), "i-am", device.Structured)
		ev(device.AttrService, "bacnet/udp:"+strconv.Itoa(int(bacnetPort(c, s))), "i-am", device.Claimed)
		if m.APDU == bacnet.Unconfirmed && m.Service == bacnet.IAm {
			ev(device.AttrVendor, bacnet.VendorName(m.Vendor), "i-am.vendor-id", device.Structured)
		}
	}
	if m.APDU != bacnet.ComplexACK {
		return
	}
	for _, p := range m.Properties {
		if p.Object.Type != bacnet.TypeDevice || !p.Value.Valid || p.Value.Kind != bacnet.KindText && p.ID != 120 {
			continue
		}
		switch p.ID {
		case 12:
			ev(device.AttrFirmware, p.Value.Text, "application-software-version", device.Claimed)
		case 44:
			ev(device.AttrFirmware, p.Value.Text, "firmware-revision", device.Structured)
		case 58:
			ev(device.AttrLocation, p.Value.Text, "location", device.Structured)
		case 70:
			ev(device.AttrModel, p.Value.Text, "model-name", device.Structured)
		case 77:
			ev(device.AttrHostname, p.Value.Text, "object-name", device.Structured)
		case 120:
			ev(device.AttrVendor, bacnet.VendorName(p.Value.Number()), "vendor-identifier", device.Structured)
		case 121:
			ev(device.AttrVendor, p.Value.Text, "vendor-name", device.Structured)
		case 372:
			ev(device.AttrSerial, p.Value.Text, "serial-number", device.Structured)
		}
	}
}

// bacnetPort is the port that the subject sends from, which is the one it
// listens on (annex J.1.2).
func bacnetPort(c *analyze.Conn, s device.Subject) uint16 {
	for _, e := range c.Ends {
		if e.IP == s.IP {
			return e.Port
		}
	}
	return 47808
}

func (f *bacnetFlow) report(c *analyze.Conn, s device.Subject, m *bacnet.Message) {
	attrs := pairs{}
	op, activity := "", uint8(request)
	always := false
	status, code := event.StatusUnknown, ""
	switch {
	case m.Foreign:
		op, always = "register-foreign-device", true
	case m.Function == 1:
		op, always = "write-broadcast-distribution-table", true
	case m.Network:
		op = "network-message-" + strconv.Itoa(int(m.NetMessage))
	case !m.HasAPDU:
		return
	case m.APDU == bacnet.ErrorPDU:
		op, activity, status = m.ServiceName(), response, event.StatusFailure
		code = fmt.Sprintf("%d/%d", m.ErrorClass, m.ErrorCode)
	case m.APDU == bacnet.Reject || m.APDU == bacnet.Abort:
		op, activity, status, code = [...]string{"reject", "abort"}[m.APDU-bacnet.Reject], response, event.StatusFailure, strconv.Itoa(int(m.Service))
	case m.APDU == bacnet.SegmentACK:
		return
	default:
		op = m.ServiceName()
		if m.APDU != bacnet.ConfirmedRequest && m.APDU != bacnet.Unconfirmed {
			activity, status = response, event.StatusSuccess
		}
		if m.APDU == bacnet.Unconfirmed {
			activity = announcement
		}
		switch m.Service {
		case 7, 8, 9, 10, 11, bacnet.WriteProperty, bacnet.WritePropertyMultiple, 17, 20: // files, lists, objects, device control
			always = m.APDU == bacnet.ConfirmedRequest
		}
	}
	if m.HasDevice {
		attrs.add("device_instance", strconv.FormatUint(uint64(m.Device.Instance), 10))
		if m.APDU == bacnet.Unconfirmed && m.Service == bacnet.IAm {
			attrs.add("vendor_id", strconv.FormatUint(uint64(m.Vendor), 10))
			attrs.add("vendor", bacnet.VendorName(m.Vendor))
		}
	}
	key := op + " " + strconv.Itoa(int(m.APDU)) + " " + code
	for i, p := range m.Properties {
		if i == 8 {
			break
		}
		name := p.Object.String() + " " + bacnet.PropertyName(p.ID)
		key += name
		if c.Full() {
			if p.Value.Valid {
				name += " = " + p.Value.Text
			}
			attrs.add("property", name)
		}
	}
	if m.Priority > 0 {
		attrs.add("priority", strconv.FormatUint(uint64(m.Priority), 10))
	}
	if m.SourceNet > 0 {
		attrs.add("source_network", strconv.Itoa(int(m.SourceNet)))
	}
	if !always && !f.seen.first(key) {
		return
	}
	if !c.Full() {
		c.Note(event.ClassApplication)
		return
	}
	e := &event.Event{Activity: activity, Status: status, StatusCode: code, Message: clip(fmt.Sprintf("%s sends a BACnet %s", s.IP, op)),
		Detail: &event.Application{Name: "bacnet", Operation: op, Attributes: attrs}}
	c.Emit(e)
}
