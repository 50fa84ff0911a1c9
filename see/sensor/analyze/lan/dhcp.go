// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/dhcp"
)

// dhcpProtocol is DHCP for IPv4. Evidence about the client has its hardware
// address as subject, not the sender of the frame: relays forward.
func dhcpProtocol() analyze.Protocol {
	return analyze.Protocol{
		Name: "dhcp",
		Rank: 1,
		Probe: func(_ *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
			if dhcp.LooksV4(head) {
				return analyze.Yes
			}
			return analyze.No
		},
		NewDatagram: func(*analyze.Conn) analyze.Datagram { return dhcpFlow{} },
	}
}

type dhcpFlow struct{}

func (dhcpFlow) Close(*analyze.Conn, analyze.End) {}

var dhcpActivity = [...]uint8{6, 1, 2, 3, 4, 5, 6, 7, 8}

func (dhcpFlow) Packet(c *analyze.Conn, dir analyze.Dir, payload []byte, missing int) analyze.Verdict {
	m := analyze.Scratch[dhcp.V4](c.Memo(), analyze.ScratchDHCP)
	defer m.Reset() // it points into the payload
	if err := m.Parse(payload); err != nil && missing == 0 && m.Type == 0 {
		return analyze.More
	}
	orient(c, dir, m.Reply)
	mac := device.MAC(m.ClientMAC)
	if m.Reply {
		dhcpServer(c, dir, m)
	}
	if !mac.IsZero() && !mac.IsGroup() {
		dhcpClient(c, m, mac)
	}
	if !c.Full() {
		c.Note(event.ClassDHCP)
		return analyze.More
	}
	d := &event.DHCP{
		Version: 4, Type: m.TypeName(), Transaction: fmt.Sprintf("%08x", m.XID), ClientID: clientID(m), ServerID: addr(m.ServerID), Relay: addr(m.Giaddr),
		LeaseSeconds: m.Lease, Hostname: m.Hostname, FQDN: m.FQDN, VendorClass: m.VendorClass, UserClass: m.UserClass, ParameterList: dhcp.List(m.Parameters),
		Routers: addrStrings(m.Routers), DNSServers: addrStrings(m.DNS), Domain: m.Domain,
	}
	if !mac.IsZero() {
		d.ClientMAC = mac.String()
	}
	switch {
	case m.Reply && usable(m.Yiaddr):
		d.ClientIP = m.Yiaddr.String()
	case usable(m.Ciaddr):
		d.ClientIP = m.Ciaddr.String()
		d.Renewal = m.Type == dhcp.V4Request
	default:
		d.ClientIP = addr(m.RequestedIP)
	}
	e := &event.Event{Activity: 6, Detail: d, Message: dhcpText(d, m)}
	if int(m.Type) < len(dhcpActivity) {
		e.Activity = dhcpActivity[m.Type]
	}
	switch m.Type {
	case dhcp.V4Ack:
		e.Status = event.StatusSuccess
	case dhcp.V4Nak, dhcp.V4Decline:
		e.Status, e.StatusDetail = event.StatusFailure, m.Message
	}
	c.Emit(e)
	return analyze.More
}

// clientID is option 61 in hexadecimal.
func clientID(m *dhcp.V4) string {
	return hex.EncodeToString(m.ClientID[:min(len(m.ClientID), analyze.MaxString/2)])
}

func dhcpText(d *event.DHCP, m *dhcp.V4) string {
	who := d.ClientMAC
	if d.Hostname != "" && !m.Reply {
		who = d.Hostname + " (" + d.ClientMAC + ")"
	}
	switch m.Type {
	case dhcp.V4Discover:
		return clip(who + " looks for an address")
	case dhcp.V4Offer:
		return clip(d.ServerID + " offers " + d.ClientIP + " to " + who)
	case dhcp.V4Request:
		return clip(who + " asks for " + d.ClientIP)
	case dhcp.V4Ack:
		return clip(d.ServerID + " gives " + d.ClientIP + " to " + who)
	case dhcp.V4Nak:
		return clip(d.ServerID + " refuses an address to " + who)
	case dhcp.V4Release:
		return clip(who + " gives " + d.ClientIP + " back")
	case dhcp.V4Decline:
		return clip(who + " finds " + d.ClientIP + " in use by another station")
	}
	return clip(m.TypeName() + " of " + who)
}

// dhcpServer reports what an answer tells about the network.
func dhcpServer(c *analyze.Conn, dir analyze.Dir, m *dhcp.V4) {
	if m.Type == dhcp.V4Offer || m.Type == dhcp.V4Ack || m.Type == dhcp.V4Nak {
		s := device.Subject{IP: m.ServerID, VLAN: c.VLAN}
		if from := sender(c, dir); from.IP == m.ServerID {
			s = from
		}
		if usable(m.ServerID) {
			fact(c, s, device.AttrService, "dhcp/udp:67", "dhcp.option54", device.Structured)
		}
	}
	if m.Type != dhcp.V4Ack && m.Type != dhcp.V4Offer {
		return
	}
	at := func(a netip.Addr) device.Subject { return device.Subject{IP: a, VLAN: c.VLAN} }
	for _, r := range m.Routers {
		if usable(r) {
			fact(c, at(r), device.AttrRouter, "true", "dhcp.option3", device.Structured)
		}
	}
	for _, a := range m.DNS {
		if usable(a) {
			fact(c, at(a), device.AttrService, "dns/udp:53", "dhcp.option6", device.Claimed)
		}
	}
	for _, a := range m.NTP {
		if usable(a) {
			fact(c, at(a), device.AttrService, "ntp/udp:123", "dhcp.option42", device.Claimed)
		}
	}
	if usable(m.Giaddr) {
		fact(c, at(m.Giaddr), device.AttrRouter, "true", "dhcp.giaddr", device.Claimed)
	}
}

// dhcpClient reports what a message tells about the client.
func dhcpClient(c *analyze.Conn, m *dhcp.V4, mac device.MAC) {
	s := device.Subject{MAC: mac, VLAN: c.VLAN}
	ev := func(attr device.Attribute, value, source string, conf device.Confidence) {
		fact(c, s, attr, value, source, conf)
	}
	port := ""
	if m.RelayCircuit != "" {
		relay := m.RelayRemote
		if relay == "" {
			relay = addr(m.Giaddr)
		}
		port = clip(relay + "|" + m.RelayCircuit)
	}
	ev(device.AttrSwitchPort, port, "dhcp.option82", device.Structured)
	if m.Reply {
		if m.Type == dhcp.V4Ack && usable(m.Yiaddr) {
			s.IP = m.Yiaddr
			ev(device.AttrIP, c.Memo().Addr(m.Yiaddr), "dhcp.ack", device.Structured)
		}
		return
	}
	switch m.Type {
	case dhcp.V4Release, dhcp.V4Decline:
		return
	}
	if usable(m.Ciaddr) {
		s.IP = m.Ciaddr
		ev(device.AttrIP, c.Memo().Addr(m.Ciaddr), "dhcp.ciaddr", device.Claimed)
	}
	ev(device.AttrUses, "dhcp", "dhcp", device.Claimed)
	ev(device.AttrHostname, m.Hostname, "dhcp.option12", device.Claimed)
	ev(device.AttrFQDN, m.FQDN, "dhcp.option81", device.Claimed)
	ev(device.AttrDHCPVendor, m.VendorClass, "dhcp.option60", device.Structured)
	ev(device.AttrDHCPPrint, dhcp.List(m.Parameters), "dhcp.option55", device.Structured)
	if len(m.ClientID) > 0 && !(len(m.ClientID) == 7 && m.ClientID[0] == 1 && device.MAC(m.ClientID[1:7]) == mac) {
		ev(device.AttrDeviceID, "dhcp:"+clientID(m), "dhcp.option61", device.Structured)
	}
	if m.ClientUUID != "" {
		ev(device.AttrDeviceID, "uuid:"+m.ClientUUID, "dhcp.option97", device.Structured)
	}
	for _, v := range m.VendorClasses {
		ev(device.AttrDHCPVendor, v.Data, "dhcp.option124", device.Structured)
	}
}

// dhcp6Protocol is DHCP for IPv6.
func dhcp6Protocol() analyze.Protocol {
	return analyze.Protocol{
		Name: "dhcp6",
		Rank: 1,
		Probe: func(c *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
			// The format has no magic: the ports are demanded as well (RFC 8415 §7.2).
			if dhcpPort(c.Ends[0].Port) && dhcpPort(c.Ends[1].Port) && c.Ends[0].IP.Is6() && dhcp.LooksV6(head) {
				return analyze.Yes
			}
			return analyze.No
		},
		NewDatagram: func(*analyze.Conn) analyze.Datagram { return dhcp6Flow{} },
	}
}

func dhcpPort(p uint16) bool { return p == 546 || p == 547 }

type dhcp6Flow struct{}

func (dhcp6Flow) Close(*analyze.Conn, analyze.End) {}

var dhcp6Activity = [...]uint8{0, 1, 2, 3, 3, 3, 3, 5, 7, 4, 3, 8, 3, 5}

func (dhcp6Flow) Packet(c *analyze.Conn, dir analyze.Dir, payload []byte, missing int) analyze.Verdict {
	m, err := dhcp.ParseV6(payload)
	if err != nil && (missing == 0 || len(m.Options) == 0) {
		return analyze.More
	}
	reply := m.Type == dhcp.V6Advertise || m.Type == dhcp.V6Reply || m.Type == dhcp.V6Reconfigure
	orient(c, dir, reply)
	d := &event.DHCP{Version: 6, Type: m.TypeName(), Transaction: fmt.Sprintf("%06x", m.XID), ClientID: hex.EncodeToString(m.Client.Raw), ServerID: hex.EncodeToString(m.Server.Raw),
		FQDN: m.FQDN, UserClass: m.UserClass, DNSServers: addrStrings(m.DNS), Renewal: m.Type == dhcp.V6Renew || m.Type == dhcp.V6Rebind}
	d.ClientID, d.ServerID = clip(d.ClientID), clip(d.ServerID)
	if len(m.Search) > 0 {
		d.Domain = m.Search[0]
	}
	if len(m.VendorClasses) > 0 {
		d.VendorClass = clip(strconv.FormatUint(uint64(m.VendorClasses[0].Enterprise), 10) + " " + m.VendorClasses[0].Data)
	}
	var codes []byte
	for i, o := range m.Requested {
		if i > 0 {
			codes = append(codes, ',')
		}
		codes = strconv.AppendUint(codes, uint64(o), 10)
	}
	d.ParameterList = clip(string(codes))
	if len(m.Leases) > 0 {
		l := m.Leases[0]
		d.LeaseSeconds = l.Valid
		if d.ClientIP = l.Prefix.String(); l.Prefix.Bits() == 128 {
			d.ClientIP = l.Prefix.Addr().String()
		}
	}
	client := device.Subject{VLAN: c.VLAN}
	switch {
	case len(m.Relays) > 0:
		last := m.Relays[len(m.Relays)-1]
		d.Relay = addr(last.Link)
		if usable(last.Peer) {
			client.IP = last.Peer
		}
	case reply:
		client = sender(c, dir.Other())
	default:
		client = sender(c, dir)
	}
	// DUID addresses stay with the device when interfaces change; the option that
	// the relay adds is of the interface.
	mac, source := device.MAC{}, ""
	switch {
	case m.HasClientMAC:
		mac, source = m.ClientMAC, "dhcp6.option79"
		client.MAC = mac
	case m.Client.HasMAC:
		mac, source = m.Client.MAC, "dhcp6.duid"
	}
	if !mac.IsZero() {
		d.ClientMAC = mac.String()
		if client.MAC.IsZero() {
			client.MAC = mac
		}
	}
	ev := func(attr device.Attribute, value, source string, conf device.Confidence) {
		if !client.MAC.IsZero() || client.IP.IsValid() {
			fact(c, client, attr, value, source, conf)
		}
	}
	ev(device.AttrMAC, d.ClientMAC, source, device.Claimed)
	if d.ClientID != "" {
		ev(device.AttrDeviceID, "duid:"+d.ClientID, "dhcp6.duid", device.Structured)
	}
	if !reply {
		ev(device.AttrUses, "dhcp6", "dhcp6", device.Claimed)
		ev(device.AttrFQDN, m.FQDN, "dhcp6.option39", device.Claimed)
		ev(device.AttrDHCPVendor, d.VendorClass, "dhcp6.option16", device.Structured)
		if d.ParameterList != "" {
			ev(device.AttrDHCPPrint, "6:"+d.ParameterList, "dhcp6.option6", device.Structured)
		}
		for i := range m.Relays {
			if r := &m.Relays[i]; r.InterfaceID != "" && usable(r.Link) {
				ev(device.AttrSwitchPort, clip(r.Link.String()+"|"+r.InterfaceID), "dhcp6.option18", device.Structured)
			}
		}
	} else {
		if m.Type == dhcp.V6Reply {
			for _, l := range m.Leases {
				if l.Prefix.Bits() == 128 && l.Valid > 0 && usable(l.Prefix.Addr()) {
					ev(device.AttrIP, l.Prefix.Addr().String(), "dhcp6.reply", device.Structured)
				}
			}
		}
		s := sender(c, dir)
		if len(m.Relays) == 0 && usable(s.IP) {
			fact(c, s, device.AttrService, "dhcp6/udp:547", "dhcp6", device.Claimed)
			if m.Server.HasMAC {
				fact(c, s, device.AttrMAC, device.MAC(m.Server.MAC).String(), "dhcp6.server-duid", device.Claimed)
			}
		}
		for _, a := range m.DNS {
			fact(c, device.Subject{IP: a, VLAN: c.VLAN}, device.AttrService, "dns/udp:53", "dhcp6.option23", device.Claimed)
		}
	}
	if !c.Full() {
		c.Note(event.ClassDHCP)
		return analyze.More
	}
	e := &event.Event{Activity: dhcp6Activity[min(int(m.Type), len(dhcp6Activity)-1)], Detail: d, Message: clip("DHCPv6 " + m.TypeName() + " of client " + d.ClientMAC)}
	if m.HasStatus && m.Status != 0 {
		e.Status, e.StatusCode, e.StatusDetail = event.StatusFailure, strconv.Itoa(int(m.Status)), m.StatusText
	} else if m.Type == dhcp.V6Reply {
		e.Status = event.StatusSuccess
	}
	c.Emit(e)
	return analyze.More
}
