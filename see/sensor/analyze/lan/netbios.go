// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/netbios"
)

// nbnsProtocol is the NetBIOS name service.
func nbnsProtocol() analyze.Protocol {
	return analyze.Protocol{
		Name: "nbns",
		Rank: 1, // its names are legal in DNS as well
		Probe: func(_ *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
			if netbios.Looks(head) {
				return analyze.Yes
			}
			return analyze.No
		},
		NewDatagram: func(*analyze.Conn) analyze.Datagram { return &nbnsFlow{} },
	}
}

type nbnsFlow struct{ seen once }

func (f *nbnsFlow) Close(*analyze.Conn, analyze.End) {}

// nbName shows a name; messenger names are those of users as well.
func nbName(c *analyze.Conn, n netbios.Name) string {
	text := n.Text
	if n.Suffix == 0x03 && text != "" {
		text = c.Pseudonym(pseudonym.Person, text)
	}
	return fmt.Sprintf("%s<%02x>", text, n.Suffix)
}

func (f *nbnsFlow) Packet(c *analyze.Conn, dir analyze.Dir, payload []byte, missing int) analyze.Verdict {
	m, err := netbios.Parse(payload)
	if err != nil && missing == 0 {
		return analyze.More
	}
	orient(c, dir, m.Response)
	s := sender(c, dir)
	host := func(n netbios.Name, source string) {
		if !n.Group && (n.Suffix == 0x00 || n.Suffix == 0x20) && n.Text != "" && n.Text != "*" && !strings.HasPrefix(n.Text, "__") {
			fact(c, s, device.AttrHostname, n.Text, source, device.Claimed)
			if n.Suffix == 0x20 {
				fact(c, s, device.AttrCapability, "file-server", source, device.Claimed)
			}
		}
	}
	fact(c, s, device.AttrUses, "nbns", "nbns", device.Claimed)
	op := m.OpcodeName()
	switch {
	case m.Response:
		if m.RCode == 0 && op == "query" {
			for _, a := range m.Addresses {
				if a == s.IP {
					host(m.Name, "nbns.answer")
				}
			}
		}
		if m.HasMAC {
			fact(c, s, device.AttrMAC, device.MAC(m.MAC).String(), "nbns.node-status", device.Claimed)
		}
		for _, n := range m.Names {
			host(n, "nbns.node-status")
		}
	case op == "registration" || op == "refresh":
		if len(m.Addresses) == 0 || m.Addresses[0] == s.IP {
			n := m.Name
			n.Group = m.GroupRecord
			host(n, "nbns."+op)
		}
	}
	if f.seen.first(op, " ", nbKey(&m.Name), bit(m.Response), strconv.Itoa(int(m.RCode))) {
		f.report(c, s, m)
	}
	return analyze.More
}

// nbKey tells names apart that are shown differently.
func nbKey(n *netbios.Name) string {
	return strings.TrimSpace(n.Text) + "<" + strconv.Itoa(int(n.Suffix)) + ">"
}

func (f *nbnsFlow) report(c *analyze.Conn, s device.Subject, m *netbios.Message) {
	if !c.Full() {
		c.Note(event.ClassApplication)
		return
	}
	op := m.OpcodeName()
	attrs := pairs{}
	shown := nbName(c, m.Name)
	attrs.add("name", shown)
	attrs.add("role", m.Name.Role())
	attrs.add("addresses", joinAddrs(m.Addresses))
	activity, text := uint8(request), fmt.Sprintf("%s asks for %s", s.IP, shown)
	switch {
	case m.Response:
		activity = response
		text = fmt.Sprintf("%s answers for %s", s.IP, shown)
		if m.HasMAC {
			attrs.add("unit_id", device.MAC(m.MAC).String())
		}
		var names []string
		for _, n := range m.Names {
			names = append(names, nbName(c, n))
		}
		attrs.add("names", join(names))
	case op == "registration" || op == "refresh":
		activity = announcement
		text = fmt.Sprintf("%s claims the name %s", s.IP, shown)
	case op == "release":
		text = fmt.Sprintf("%s gives up the name %s", s.IP, shown)
	}
	application(c, activity, "", op, text, attrs)
}

// nbdgmProtocol is the NetBIOS datagram service with browser announcements.
func nbdgmProtocol() analyze.Protocol {
	return analyze.Protocol{
		Name: "nbdgm",
		Probe: func(_ *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
			if netbios.LooksDatagram(head) {
				return analyze.Yes
			}
			return analyze.No
		},
		NewDatagram: func(*analyze.Conn) analyze.Datagram { return &nbdgmFlow{} },
	}
}

type nbdgmFlow struct{ seen once }

func (f *nbdgmFlow) Close(*analyze.Conn, analyze.End) {}

func (f *nbdgmFlow) Packet(c *analyze.Conn, dir analyze.Dir, payload []byte, _ int) analyze.Verdict {
	d, err := netbios.ParseDatagram(payload)
	if err != nil {
		return analyze.More
	}
	s := sender(c, dir)
	if d.SourceIP != s.IP {
		s = device.Subject{IP: d.SourceIP, VLAN: c.VLAN}
	}
	if (d.Source.Suffix == 0x00 || d.Source.Suffix == 0x20) && d.Source.Text != "" {
		fact(c, s, device.AttrHostname, d.Source.Text, "nbdgm.source", device.Claimed)
	}
	named := func() (attrs pairs) {
		attrs.add("source", nbName(c, d.Source))
		attrs.add("destination", nbName(c, d.Destination))
		return attrs
	}
	a := d.Announcement
	if a == nil {
		switch {
		case !f.seen.first(nbKey(&d.Source), nbKey(&d.Destination)):
		case c.Full():
			application(c, message, "", "datagram", fmt.Sprintf("%s sends to %s", nbName(c, d.Source), nbName(c, d.Destination)), named())
		default:
			c.Note(event.ClassApplication)
		}
		return analyze.More
	}
	if a.Kind != "domain" && a.Server != "" {
		fact(c, s, device.AttrHostname, a.Server, "nbdgm."+a.Kind+"-announcement", device.Claimed)
		for _, r := range a.Roles() {
			fact(c, s, device.AttrCapability, r, "nbdgm."+a.Kind+"-announcement", device.Claimed)
		}
		// Samba states a Windows version as well, but sets the Unix bit ([MS-BRWS] §2.2.1).
		if os := a.OS; a.ServerType&0x800 == 0 {
			fact(c, s, device.AttrOS, os, "nbdgm."+a.Kind+"-announcement", device.Claimed)
		}
		if a.ServerType&0x18 != 0 {
			fact(c, s, device.AttrClass, string(device.ClassServer), "nbdgm."+a.Kind+"-announcement", device.Claimed)
		}
	}
	if f.seen.first(a.Kind, a.Server) {
		if !c.Full() {
			c.Note(event.ClassApplication)
			return analyze.More
		}
		attrs := named()
		attrs.add("announced", a.Server)
		attrs.add("roles", join(a.Roles()))
		attrs.add("os", a.OS)
		application(c, announcement, "", a.Kind+"-announcement", fmt.Sprintf("%s announces %s", s.IP, a.Server), attrs)
	}
	return analyze.More
}
