// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"fmt"
	"strconv"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/icmp"
	"github.com/asepsis/asepsis/wire/packet"
)

// icmpProtocol reports errors and redirects of IPv4. Echoes are flows; the
// address masks and time stamps that only scanners ask for are events.
func icmpProtocol() analyze.Protocol {
	return analyze.Protocol{
		Name: "icmp",
		Select: func(p *packet.Packet) bool {
			return p.Proto == packet.ProtoICMP && p.IPVersion == 4 && !p.Fragment && p.Err == nil
		},
		Frame: func(c *analyze.Conn, p *packet.Packet) {
			m, err := icmp.Parse4(p.ICMPType, p.ICMPCode, p.Payload)
			if err != nil {
				return
			}
			s := c.Subject(analyze.Client)
			switch p.ICMPType {
			case icmp.Unreachable:
				if p.ICMPCode == 0 || p.ICMPCode == 1 {
					fact(c, s, device.AttrRouter, "true", "icmp.unreachable", device.Claimed)
				}
				unreachable(c, p, &m, unreachable4(p.ICMPCode))
			case icmp.TimeExceeded:
				if p.ICMPCode == 0 {
					fact(c, s, device.AttrRouter, "true", "icmp.time-exceeded", device.Claimed)
				}
			case icmp.Redirect:
				fact(c, s, device.AttrRouter, "true", "icmp.redirect", device.Claimed)
				attrs := pairs{}
				attrs.add("gateway", addr(m.Gateway))
				attrs.add("destination", addr(m.Quoted.Dst))
				application(c, message, "4", "redirect", fmt.Sprintf("%s redirects %s to %s for %s", p.Src, p.Dst, m.Gateway, m.Quoted.Dst), attrs)
			case icmp.RouterAdvert:
				fact(c, s, device.AttrRouter, "true", "icmp.router-advertisement", device.Claimed)
				application(c, announcement, "4", "router-advertisement", fmt.Sprintf("%s announces itself as router", p.Src), nil)
			case icmp.TimestampAsk, icmp.MaskAsk:
				application(c, request, "4", map[uint8]string{icmp.TimestampAsk: "timestamp", icmp.MaskAsk: "address-mask"}[p.ICMPType],
					fmt.Sprintf("%s asks %s for its %s", p.Src, p.Dst, map[uint8]string{icmp.TimestampAsk: "time", icmp.MaskAsk: "address mask"}[p.ICMPType]), nil)
			}
		},
	}
}

func unreachable4(code uint8) string {
	names := [...]string{"net-unreachable", "host-unreachable", "protocol-unreachable", "port-unreachable", "fragmentation-needed", "source-route-failed", "net-unknown",
		"host-unknown", "source-isolated", "net-prohibited", "host-prohibited", "net-tos", "host-tos", "administratively-prohibited", "precedence-violation", "precedence-cutoff"}
	if int(code) < len(names) {
		return names[code]
	}
	return "unreachable-" + strconv.Itoa(int(code))
}

func unreachable(c *analyze.Conn, p *packet.Packet, m *icmp.Message, why string) {
	if !c.Full() {
		c.Note(event.ClassApplication)
		return
	}
	// Whatever knocks at many doors, or at one without pause, gets one each time.
	k := analyze.Repetition{What: why, From: p.Src, To: p.Dst, About: m.Quoted.Dst, Port: m.Quoted.DstPort}
	r := c.Repeat(k, c.Now, 0)
	if r == analyze.Counted {
		return
	}
	attrs := pairs{}
	attrs.add("source", addr(m.Quoted.Src))
	attrs.add("destination", addr(m.Quoted.Dst))
	attrs.add("protocol", strconv.Itoa(int(m.Quoted.Proto)))
	target := m.Quoted.Dst.String()
	if m.Quoted.DstPort != 0 {
		attrs.add("destination_port", strconv.Itoa(int(m.Quoted.DstPort)))
		target += " port " + strconv.Itoa(int(m.Quoted.DstPort))
	}
	if m.MTU != 0 {
		attrs.add("mtu", strconv.FormatUint(uint64(m.MTU), 10))
	}
	c.EmitRepeated(r, k, applicationEvent(c, message, strconv.Itoa(int(p.IPVersion)), why,
		fmt.Sprintf("%s tells %s that %s cannot be reached: %s", p.Src, m.Quoted.Src, target, why), attrs))
}

// icmp6Protocol is ICMPv6 with neighbour discovery. Listener reports are
// counted with it and tell nothing else.
func icmp6Protocol() analyze.Protocol {
	return analyze.Protocol{
		Name: "icmp6",
		Select: func(p *packet.Packet) bool {
			return p.Proto == packet.ProtoICMPv6 && p.IPVersion == 6 && !p.Fragment && p.Err == nil
		},
		Frame: func(c *analyze.Conn, p *packet.Packet) {
			switch p.ICMPType {
			case icmp.V6Unreachable, icmp.V6TooBig, icmp.V6TimeExceeded, icmp.V6ParameterProb:
				m, err := icmp.Parse6(p.ICMPType, p.ICMPCode, p.Payload)
				if err != nil {
					return
				}
				switch p.ICMPType {
				case icmp.V6Unreachable:
					names := [...]string{"no-route", "administratively-prohibited", "beyond-scope", "address-unreachable", "port-unreachable", "policy-failed", "reject-route"}
					unreachable(c, p, &m, names[min(int(p.ICMPCode), len(names)-1)])
				case icmp.V6TimeExceeded:
					if p.ICMPCode == 0 {
						fact(c, c.Subject(analyze.Client), device.AttrRouter, "true", "icmp6.time-exceeded", device.Claimed)
					}
				}
			case icmp.V6RouterSolicit, icmp.V6RouterAdvert, icmp.V6NeighSolicit, icmp.V6NeighAdvert, icmp.V6Redirect:
				if p.TTL != 255 { // RFC 4861 §6.1, §7.1: anything else came through a router
					return
				}
				n, err := icmp.ParseND(p.ICMPType, p.Payload)
				if err == nil {
					neighbour(c, p, &n)
				}
			}
		},
	}
}

func neighbour(c *analyze.Conn, p *packet.Packet, n *icmp.ND) {
	s := frameSubject(p)
	if n.HasLinkAddr && !device.MAC(n.LinkAddr).IsGroup() && p.ICMPType != icmp.V6Redirect {
		s.MAC = n.LinkAddr
	}
	s.IP = p.Src
	switch p.ICMPType {
	case icmp.V6NeighSolicit, icmp.V6RouterSolicit:
		if usable(p.Src) {
			fact(c, s, device.AttrIP, p.Src.String(), "icmp6.solicitation", device.Claimed)
		}
	case icmp.V6NeighAdvert:
		if usable(n.Target) {
			s.IP = n.Target
			fact(c, s, device.AttrIP, n.Target.String(), "icmp6.neighbor-advertisement", device.Claimed)
		}
		if n.Router {
			fact(c, s, device.AttrRouter, "true", "icmp6.neighbor-advertisement", device.Claimed)
		}
	case icmp.V6RouterAdvert:
		fact(c, s, device.AttrIP, p.Src.String(), "icmp6.router-advertisement", device.Claimed)
		if n.Lifetime > 0 {
			fact(c, s, device.AttrRouter, "true", "icmp6.router-advertisement", device.Structured)
			fact(c, s, device.AttrCapability, "router", "icmp6.router-advertisement", device.Structured)
		}
		for _, d := range n.DNS {
			fact(c, device.Subject{IP: d, VLAN: p.VLAN()}, device.AttrService, "dns/udp:53", "icmp6.rdnss", device.Claimed)
		}
		if !c.Full() {
			c.Note(event.ClassApplication)
			return
		}
		attrs := pairs{}
		var prefixes []string
		for _, x := range n.Prefixes {
			prefixes = append(prefixes, x.Prefix.String())
		}
		attrs.add("prefixes", join(prefixes))
		attrs.add("dns_servers", joinAddrs(n.DNS))
		attrs.add("search", join(n.DNSSearch))
		attrs.add("lifetime_seconds", strconv.Itoa(int(n.Lifetime)))
		attrs.add("managed", strconv.FormatBool(n.Managed))
		attrs.add("other_configuration", strconv.FormatBool(n.Other))
		application(c, announcement, "6", "router-advertisement", fmt.Sprintf("%s announces itself as router for %s", p.Src, clip(join(prefixes))), attrs)
	case icmp.V6Redirect:
		fact(c, s, device.AttrRouter, "true", "icmp6.redirect", device.Claimed)
		attrs := pairs{}
		attrs.add("gateway", addr(n.Target))
		attrs.add("destination", addr(n.Destination))
		application(c, message, "6", "redirect", fmt.Sprintf("%s redirects %s to %s for %s", p.Src, p.Dst, n.Target, n.Destination), attrs)
	}
}
