// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"fmt"
	"strconv"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/arp"
	"github.com/asepsis/asepsis/wire/igmp"
	"github.com/asepsis/asepsis/wire/packet"
	"github.com/asepsis/asepsis/wire/stp"
	"github.com/asepsis/asepsis/wire/vrrp"
)

// arpSources names the kinds of ARP packets as sources of evidence.
var arpSources = [...]string{
	arp.Request: "arp.request", arp.Reply: "arp.reply", arp.Probe: "arp.probe", arp.Announcement: "arp.announcement", arp.Gratuitous: "arp.gratuitous-reply",
}

// arpProtocol reports who has which address. Plain questions and answers are
// evidence only; what is unusual is an event: probes, announcements, answers
// that nobody asked for, and packets whose sender is not who the frame is from.
func arpProtocol() analyze.Protocol {
	return analyze.Protocol{
		Name:   "arp",
		Select: func(p *packet.Packet) bool { return p.EtherType == packet.EtherTypeARP && p.IPVersion == 0 },
		Frame: func(c *analyze.Conn, p *packet.Packet) {
			a, err := arp.Parse(p.Payload)
			if err != nil {
				return
			}
			mac, kind := device.MAC(a.SenderMAC), a.Kind()
			if mac.IsGroup() || mac.IsZero() {
				return
			}
			if usable(a.SenderIP) && kind != arp.Other {
				c.EvidenceFor(device.Subject{MAC: mac, IP: a.SenderIP, VLAN: p.VLAN()}, device.AttrIP, c.Memo().Addr(a.SenderIP), arpSources[kind], device.Claimed)
			}
			foreign := p.HasMAC && p.SrcMAC != a.SenderMAC
			if !foreign && (kind == arp.Request || kind == arp.Reply) {
				return
			}
			if !c.Full() {
				c.Note(event.ClassApplication)
				return
			}
			ip := a.SenderIP
			if kind == arp.Probe {
				ip = a.TargetIP
			}
			attrs := pairs{}
			attrs.add("sender_mac", mac.String())
			attrs.add("sender_ip", addr(a.SenderIP))
			attrs.add("target_ip", addr(a.TargetIP))
			text := fmt.Sprintf("%s sent an ARP %s for %s", mac, kind, ip)
			if foreign {
				attrs.add("frame_source_mac", device.MAC(p.SrcMAC).String())
				text += " in a frame from " + device.MAC(p.SrcMAC).String()
			}
			c.Ends[0].IP, c.Ends[1].IP = a.SenderIP, a.TargetIP
			application(c, announcement, "", kind.String(), text, attrs)
		},
	}
}

// groupUses are multicast groups whose members use a protocol.
var groupUses = map[string]string{
	"224.0.0.251": "mdns", "224.0.0.252": "llmnr", "239.255.255.250": "ssdp", "224.0.1.129": "ptp", "224.0.1.1": "ntp", "239.255.255.246": "matter", "224.0.1.187": "coap",
}

// igmpProtocol reports which well-known groups a host joins.
func igmpProtocol() analyze.Protocol {
	return analyze.Protocol{
		Name:   "igmp",
		Select: func(p *packet.Packet) bool { return p.Proto == packet.ProtoIGMP && !p.Fragment },
		Frame: func(c *analyze.Conn, p *packet.Packet) {
			m, err := igmp.Parse(p.Payload)
			if err != nil || !usable(p.Src) {
				return
			}
			s := c.Subject(analyze.Client)
			s.Hops = 0 // TTL 1
			c.EvidenceFor(s, device.AttrIP, c.Memo().Addr(p.Src), "igmp", device.Claimed)
			if m.Type == igmp.TypeQuery {
				fact(c, s, device.AttrCapability, "igmp-querier", "igmp.query", device.Claimed)
				fact(c, s, device.AttrClass, string(device.ClassNetwork), "igmp.query", device.Hint)
				return
			}
			for _, g := range m.Groups {
				if !g.Leave {
					fact(c, s, device.AttrUses, groupUses[c.Memo().Addr(g.Group)], "igmp.report", device.Hint)
				}
			}
		},
	}
}

func bridge(c *analyze.Conn, s device.Subject, source string) {
	fact(c, s, device.AttrCapability, "bridge", source, device.Structured)
	fact(c, s, device.AttrClass, string(device.ClassNetwork), source, device.Claimed)
}

// stpProtocol reports bridges, and an event when the topology changes.
func stpProtocol() analyze.Protocol {
	return analyze.Protocol{
		Name:   "stp",
		Select: func(p *packet.Packet) bool { return p.LLC && p.DSAP == 0x42 && p.SSAP == 0x42 && p.IPVersion == 0 },
		Frame: func(c *analyze.Conn, p *packet.Packet) {
			b, err := stp.Parse(p.Payload)
			if err != nil {
				return
			}
			s := frameSubject(p)
			bridge(c, s, "stp.bpdu")
			if b.Type == 0x80 {
				return
			}
			fact(c, s, device.AttrMAC, device.MAC(b.Bridge.MAC).String(), "stp.bridge-id", device.Structured)
			if !b.TopologyChange {
				return
			}
			attrs := pairs{}
			attrs.add("root", fmt.Sprintf("%d/%s", b.Root.Priority, device.MAC(b.Root.MAC)))
			attrs.add("bridge", fmt.Sprintf("%d/%s", b.Bridge.Priority, device.MAC(b.Bridge.MAC)))
			application(c, announcement, b.VersionName(), "topology-change", fmt.Sprintf("Bridge %s signals a topology change", device.MAC(b.Bridge.MAC)), attrs)
		},
	}
}

// lacpProtocol reports systems that aggregate links.
func lacpProtocol() analyze.Protocol {
	return analyze.Protocol{
		Name:   "lacp",
		Select: func(p *packet.Packet) bool { return p.EtherType == 0x8809 && len(p.Payload) > 0 && p.Payload[0] == 1 },
		Frame: func(c *analyze.Conn, p *packet.Packet) {
			l, err := stp.ParseLACP(p.Payload)
			if err != nil {
				return
			}
			s := frameSubject(p)
			fact(c, s, device.AttrMAC, device.MAC(l.Actor.MAC).String(), "lacp.actor", device.Structured)
			fact(c, s, device.AttrCapability, "link-aggregation", "lacp.actor", device.Structured)
		},
	}
}

// vrrpProtocol reports routers that share an address.
func vrrpProtocol() analyze.Protocol {
	return analyze.Protocol{
		Name:   "vrrp",
		Select: func(p *packet.Packet) bool { return p.Proto == 112 && !p.Fragment },
		Frame: func(c *analyze.Conn, p *packet.Packet) {
			a, err := vrrp.Parse(p.Payload, p.IPVersion == 6)
			if err != nil || p.TTL != 255 { // RFC 9568 §5.1.1.3
				return
			}
			// The frame comes from the virtual router's MAC: only the address is the router's own.
			s := device.Subject{IP: p.Src, VLAN: p.VLAN()}
			fact(c, s, device.AttrRouter, "true", "vrrp.advertisement", device.Structured)
			fact(c, s, device.AttrClass, string(device.ClassNetwork), "vrrp.advertisement", device.Claimed)
			fact(c, s, device.AttrCapability, "router", "vrrp.advertisement", device.Structured)
			if a.Priority != 0 {
				return
			}
			attrs := pairs{}
			attrs.add("router_id", strconv.Itoa(int(a.RouterID)))
			attrs.add("addresses", joinAddrs(a.Addresses))
			application(c, announcement, strconv.Itoa(int(a.Version)), "resign", fmt.Sprintf("%s gives up virtual router %d", p.Src, a.RouterID), attrs)
		},
	}
}

// hsrpProtocol is HSRP version 0 over UDP.
func hsrpProtocol() analyze.Protocol {
	return analyze.Protocol{
		Name: "hsrp",
		Probe: func(c *analyze.Conn, dir analyze.Dir, head []byte) analyze.Match {
			if c.Ends[dir].Port == 1985 && c.Ends[dir.Other()].Port == 1985 && vrrp.LooksHSRP(head) {
				return analyze.Yes
			}
			return analyze.No
		},
		NewDatagram: func(*analyze.Conn) analyze.Datagram { return &hsrpFlow{} },
	}
}

type hsrpFlow struct{ seen once }

func (f *hsrpFlow) Packet(c *analyze.Conn, dir analyze.Dir, payload []byte, missing int) analyze.Verdict {
	h, err := vrrp.ParseHSRP(payload)
	if err != nil || missing > 0 {
		return analyze.More
	}
	s := device.Subject{IP: c.Ends[dir].IP, VLAN: c.VLAN}
	fact(c, s, device.AttrRouter, "true", "hsrp.hello", device.Structured)
	fact(c, s, device.AttrClass, string(device.ClassNetwork), "hsrp.hello", device.Claimed)
	if f.seen.first(fmt.Sprint(h.Op, h.State, h.Group)) {
		attrs := pairs{}
		attrs.add("group", strconv.Itoa(int(h.Group)))
		attrs.add("virtual_ip", addr(h.Virtual))
		attrs.add("priority", strconv.Itoa(int(h.Priority)))
		attrs.add("default_password", strconv.FormatBool(h.DefaultKey))
		op := [...]string{"hello", "coup", "resign"}[min(h.Op, 2)]
		application(c, announcement, "0", op, fmt.Sprintf("%s announces standby group %d for %s", c.Ends[dir].IP, h.Group, h.Virtual), attrs)
	}
	return analyze.More
}

func (f *hsrpFlow) Close(*analyze.Conn, analyze.End) {}
