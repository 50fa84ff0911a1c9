// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/cdp"
	"github.com/asepsis/asepsis/wire/lldp"
	"github.com/asepsis/asepsis/wire/packet"
)

// capabilities reports what a neighbour says it does, and the class that
// follows.
func capabilities(c *analyze.Conn, s device.Subject, caps []string, source string) {
	for _, k := range caps {
		switch k {
		case "switch":
			k = "bridge"
		case "host":
			k = "station"
		}
		fact(c, s, device.AttrCapability, k, source, device.Structured)
	}
	has := func(k string) bool { return slices.Contains(caps, k) }
	switch {
	case has("phone"): // phones often bridge for the computer behind them
		fact(c, s, device.AttrClass, string(device.ClassPhone), source, device.Structured)
	case has("router") || has("wlan-ap") || has("switch"):
		fact(c, s, device.AttrClass, string(device.ClassNetwork), source, device.Structured)
	case has("bridge"): // hosts with virtual machines bridge as well
		fact(c, s, device.AttrClass, string(device.ClassNetwork), source, device.Hint)
	}
	if has("router") {
		fact(c, s, device.AttrRouter, "true", source, device.Claimed)
	}
}

func addresses(c *analyze.Conn, s device.Subject, list []netip.Addr, source string) {
	for _, a := range list {
		if usable(a) {
			fact(c, s, device.AttrIP, a.String(), source, device.Claimed)
		}
	}
}

// lldpProtocol reports what a station says about itself. The sender is the
// device that the chassis identifier names.
func lldpProtocol() analyze.Protocol {
	return analyze.Protocol{
		Name:   "lldp",
		Select: func(p *packet.Packet) bool { return p.EtherType == packet.EtherTypeLLDP && p.IPVersion == 0 },
		Frame: func(c *analyze.Conn, p *packet.Packet) {
			m, err := lldp.Parse(p.Payload)
			if err != nil && (p.Missing == 0 || m.TTL == 0) || m.Chassis.Text == "" {
				return
			}
			s := frameSubject(p)
			s.VLAN = 0 // LLDP is of the link, not of a VLAN
			ev := func(attr device.Attribute, value, field string) {
				fact(c, s, attr, value, "lldp."+field, device.Structured)
			}
			if m.Chassis.HasMAC {
				ev(device.AttrMAC, m.Chassis.Text, "chassis-id")
			} else {
				ev(device.AttrDeviceID, "lldp:"+m.Chassis.Text, "chassis-id")
			}
			ev(device.AttrHostname, m.SystemName, "system-name")
			ev(device.AttrBanner, clip(m.SystemDescription), "system-description")
			ev(device.AttrOS, osOf(m.SystemDescription), "system-description")
			capabilities(c, s, m.Enabled, "lldp.capabilities")
			addresses(c, s, m.Management, "lldp.management-address")
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
				fact(c, s, device.AttrClass, string(device.ClassPhone), "lldp.med.class", device.Hint)
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

// cdpProtocol reports the same for Cisco's protocol.
func cdpProtocol() analyze.Protocol {
	return analyze.Protocol{
		Name:   "cdp",
		Select: func(p *packet.Packet) bool { return p.LLC && p.SNAPOUI == 0x00000c && p.SNAPPID == 0x2000 },
		Frame: func(c *analyze.Conn, p *packet.Packet) {
			m, err := cdp.Parse(p.Payload)
			if err != nil && p.Missing == 0 || m.DeviceID == "" {
				return
			}
			s := frameSubject(p)
			s.VLAN = 0
			ev := func(attr device.Attribute, value, field string) {
				fact(c, s, attr, value, "cdp."+field, device.Structured)
			}
			ev(device.AttrDeviceID, "cdp:"+m.DeviceID, "device-id")
			name := m.SystemName
			if name == "" {
				name = m.DeviceID
			}
			ev(device.AttrHostname, name, "device-id")
			if osOf(m.Platform) == m.Platform { // hosts that speak CDP give their system here
				ev(device.AttrOS, m.Platform, "platform")
			} else {
				ev(device.AttrModel, m.Platform, "platform")
			}
			ev(device.AttrBanner, clip(m.Software), "version")
			ev(device.AttrOS, osOf(m.Software), "version")
			if strings.Contains(strings.ToLower(m.Platform), "cisco") {
				fact(c, s, device.AttrVendor, "Cisco", "cdp.platform", device.Claimed)
			}
			ev(device.AttrLocation, m.Location, "location")
			capabilities(c, s, m.Capabilities, "cdp.capabilities")
			addresses(c, s, append(slices.Clone(m.Addresses), m.Management...), "cdp.address")

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
			application(c, announcement, strconv.Itoa(int(m.Version)), "advertisement", fmt.Sprintf("%s announces itself on its port %s", name, m.Port), attrs)
		},
	}
}
