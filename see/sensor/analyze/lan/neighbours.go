// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/cdp"
	"github.com/asepsis/asepsis/wire/lldp"
	"github.com/asepsis/asepsis/wire/packet"
)

// capabilities tells what a neighbour says it does, and the class that follows.
func capabilities(f *analyze.Facts, caps []string, source string) {
	for _, k := range caps {
		switch k {
		case "switch":
			k = "bridge"
		case "host":
			k = "station"
		}
		f.Add(device.AttrCapability, told(device.AttrCapability, k), source, device.Structured)
	}
	has := func(k string) bool { return slices.Contains(caps, k) }
	switch {
	case has("phone"): // phones often bridge for the computer behind them
		f.Add(device.AttrClass, string(device.ClassPhone), source, device.Structured)
	case has("router") || has("wlan-ap") || has("switch"):
		f.Add(device.AttrClass, string(device.ClassNetwork), source, device.Structured)
	case has("bridge"): // hosts with virtual machines bridge as well
		f.Add(device.AttrClass, string(device.ClassNetwork), source, device.Hint)
	}
	if has("router") {
		f.Add(device.AttrRouter, "true", source, device.Claimed)
	}
}

func addresses(f *analyze.Facts, list []netip.Addr, source string) {
	for _, a := range list {
		if usable(a) {
			f.Add(device.AttrIP, a.String(), source, device.Claimed)
		}
	}
}

// lldpStation and cdpStation are what a station's announcement says. A station
// sends the same one twice a minute, for years: it is read once.
type lldpStation struct {
	lldp.Message
	facts analyze.Facts
}

type cdpStation struct {
	cdp.Message
	facts analyze.Facts
}

// announced reads an announcement, or remembers what it read in the same one. It is
// not ok when there is nothing to report in it.
func announced[T any](c *analyze.Conn, kind analyze.MemoKind, p *packet.Packet, read func([]byte) *T) (*T, bool) {
	if p.Missing > 0 { // cut: what lies behind may differ
		m := read(p.Payload)
		return m, m != nil
	}
	if m, ok := c.Memo().Recall(kind, p.Payload).(*T); ok {
		return m, true
	}
	m := read(p.Payload)
	if m != nil {
		c.Memo().Remember(kind, p.Payload, m)
	}
	return m, m != nil
}

// lldpProtocol reports what a station says about itself. The sender is the
// device that the chassis identifier names.
func lldpProtocol() analyze.Protocol {
	return analyze.Protocol{
		Name:   "lldp",
		Select: func(p *packet.Packet) bool { return p.EtherType == packet.EtherTypeLLDP && p.IPVersion == 0 },
		Frame: func(c *analyze.Conn, p *packet.Packet) {
			m, ok := announced(c, analyze.MemoLLDP, p, func(b []byte) *lldpStation {
				m, err := lldp.Parse(b)
				if err != nil && (p.Missing == 0 || m.TTL == 0) || m.Chassis.Text == "" {
					return nil
				}
				return &lldpStation{*m, lldpFacts(m)}
			})
			if !ok {
				return
			}
			s := frameSubject(p)
			s.VLAN = 0 // LLDP is of the link, not of a VLAN
			c.FactsFor(s, &m.facts)

			if !c.Full() {
				c.Note(event.ClassApplication)
				return
			}
			attrs := pairs{}
			attrs.add("chassis_id", m.Chassis.Text)
			attrs.add("port_id", m.Port.Text)
			attrs.add("port_description", m.PortDescription)
			attrs.add("system_name", m.SystemName)
			attrs.add("system_description", m.SystemDescription)
			attrs.add("capabilities", join(m.Enabled))
			attrs.add("management_address", joinAddrs(m.Management))
			if m.PVID != 0 {
				attrs.add("port_vlan", strconv.Itoa(int(m.PVID)))
			}
			attrs.add("med_class", m.MEDClass)
			attrs.add("hardware", m.Hardware)
			attrs.add("firmware", m.Firmware)
			attrs.add("software", m.Software)
			attrs.add("serial", m.Serial)
			attrs.add("manufacturer", m.Manufacturer)
			attrs.add("model", m.Model)
			attrs.add("asset_id", m.Asset)
			attrs.add("location", m.Location)
			for _, v := range m.Policies {
				attrs.add("policy_"+strings.ReplaceAll(v.Application, "-", "_"), fmt.Sprintf("vlan %d priority %d dscp %d", v.VLAN, v.Priority, v.DSCP))
			}
			name := m.SystemName
			if name == "" {
				name = m.Chassis.Text
			}
			op := "advertisement"
			if m.TTL == 0 {
				op = "shutdown"
			}
			application(c, announcement, "", op, fmt.Sprintf("%s announces itself on its port %s", name, m.Port.Text), attrs)
		},
	}
}

func lldpFacts(m *lldp.Message) (f analyze.Facts) {
	ev := func(attr device.Attribute, value, field string) {
		f.Add(attr, told(attr, value), "lldp."+field, device.Structured)
	}
	if m.Chassis.HasMAC {
		ev(device.AttrMAC, m.Chassis.Text, "chassis-id")
	} else {
		ev(device.AttrDeviceID, "lldp:"+m.Chassis.Text, "chassis-id")
	}
	ev(device.AttrHostname, m.SystemName, "system-name")
	ev(device.AttrBanner, clip(m.SystemDescription), "system-description")
	ev(device.AttrOS, osOf(m.SystemDescription), "system-description")
	capabilities(&f, m.Enabled, "lldp.capabilities")
	addresses(&f, m.Management, "lldp.management-address")
	ev(device.AttrVendor, m.Manufacturer, "med.manufacturer")
	ev(device.AttrModel, m.Model, "med.model")
	ev(device.AttrSerial, m.Serial, "med.serial")
	fw := m.Software
	if fw == "" {
		fw = m.Firmware
	}
	ev(device.AttrFirmware, fw, "med.software-revision")
	if m.Asset != "" {
		ev(device.AttrRegistration, "asset:"+m.Asset, "med.asset-id")
	}
	ev(device.AttrLocation, m.Location, "med.location")
	if m.MEDClass == "endpoint-3" {
		f.Add(device.AttrClass, string(device.ClassPhone), "lldp.med.class", device.Hint)
	}
	return f
}

// cdpProtocol reports the same for Cisco's protocol.
func cdpProtocol() analyze.Protocol {
	return analyze.Protocol{
		Name:   "cdp",
		Select: func(p *packet.Packet) bool { return p.LLC && p.SNAPOUI == 0x00000c && p.SNAPPID == 0x2000 },
		Frame: func(c *analyze.Conn, p *packet.Packet) {
			m, ok := announced(c, analyze.MemoCDP, p, func(b []byte) *cdpStation {
				m, err := cdp.Parse(b)
				if err != nil && p.Missing == 0 || m.DeviceID == "" {
					return nil
				}
				m.SystemOID = nil // a part of the frame, which does not stay
				return &cdpStation{*m, cdpFacts(m)}
			})
			if !ok {
				return
			}
			s := frameSubject(p)
			s.VLAN = 0
			c.FactsFor(s, &m.facts)

			if !c.Full() {
				c.Note(event.ClassApplication)
				return
			}
			attrs := pairs{}
			attrs.add("device_id", m.DeviceID)
			attrs.add("port_id", m.Port)
			attrs.add("platform", m.Platform)
			attrs.add("software", m.Software)
			attrs.add("capabilities", join(m.Capabilities))
			attrs.add("addresses", joinAddrs(m.Addresses))
			attrs.add("management_address", joinAddrs(m.Management))
			attrs.add("vtp_domain", m.VTPDomain)
			if m.NativeVLAN != 0 {
				attrs.add("native_vlan", strconv.Itoa(int(m.NativeVLAN)))
			}
			if m.VoiceVLAN != 0 {
				attrs.add("voice_vlan", strconv.Itoa(int(m.VoiceVLAN)))
			}
			application(c, announcement, strconv.Itoa(int(m.Version)), "advertisement", fmt.Sprintf("%s announces itself on its port %s", cdpName(&m.Message), m.Port), attrs)
		},
	}
}

func cdpName(m *cdp.Message) string {
	if m.SystemName != "" {
		return m.SystemName
	}
	return m.DeviceID
}

func cdpFacts(m *cdp.Message) (f analyze.Facts) {
	ev := func(attr device.Attribute, value, field string) {
		f.Add(attr, told(attr, value), "cdp."+field, device.Structured)
	}
	ev(device.AttrDeviceID, "cdp:"+m.DeviceID, "device-id")
	ev(device.AttrHostname, cdpName(m), "device-id")
	if osOf(m.Platform) == m.Platform { // hosts that speak CDP give their system here
		ev(device.AttrOS, m.Platform, "platform")
	} else {
		ev(device.AttrModel, m.Platform, "platform")
	}
	ev(device.AttrBanner, clip(m.Software), "version")
	ev(device.AttrOS, osOf(m.Software), "version")
	if strings.Contains(strings.ToLower(m.Platform), "cisco") {
		f.Add(device.AttrVendor, "Cisco", "cdp.platform", device.Claimed)
	}
	ev(device.AttrLocation, m.Location, "location")
	capabilities(&f, m.Capabilities, "cdp.capabilities")
	addresses(&f, m.Addresses, "cdp.address")
	addresses(&f, m.Management, "cdp.address")
	return f
}
