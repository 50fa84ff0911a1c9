// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"net/netip"
	"slices"
)

// ZoneOf returns the zone of an end, and why it is there; "" when it is in
// none. What a person set on the device comes first, then zones that list the
// device, then the selector that asks for most, then the longest network, then the order of the file.
func (p *Policy) ZoneOf(e End) (zone, why string) {
	if _, ok := p.zones[e.Zone]; ok {
		return e.Zone, "set on the device"
	}
	if z, ok := p.devices[e.Device]; ok && e.Device != "" {
		return z, "the zone lists the device"
	}
	ip := e.IP.Unmap()
	best, bits := -1, -1
	for i := range p.order {
		s := &p.order[i]
		if best >= 0 && s.criteria < p.order[best].criteria {
			break // asks for less than what was found
		}
		if n, ok := s.selects(e, ip); ok && (best < 0 || n > bits) {
			best, bits = i, n
		}
	}
	if best >= 0 {
		return p.order[best].zone, p.order[best].why(e, ip)
	}
	if outside(ip) {
		return Internet, "a public address that is in no zone"
	}
	return "", "in no zone"
}

// selects reports whether an end is a member, and the length of its network.
func (s *selection) selects(e End, ip netip.Addr) (bits int, ok bool) {
	if len(s.Devices) > 0 && !slices.Contains(s.Devices, e.Device) ||
		len(s.Theatres) > 0 && !slices.Contains(s.Theatres, e.Theatre) ||
		len(s.Classes) > 0 && !slices.Contains(s.Classes, e.Class) ||
		len(s.VLANs) > 0 && !slices.ContainsFunc(e.VLANs, func(v uint16) bool { return slices.Contains(s.VLANs, v) }) {
		return 0, false
	}
	if len(s.Networks) == 0 {
		return 0, true
	}
	bits = -1
	for _, n := range s.Networks {
		if n.Contains(ip) {
			bits = max(bits, length(n))
		}
	}
	return bits, bits >= 0
}

func (s *selection) why(e End, ip netip.Addr) string {
	text := ""
	add := func(t string) {
		if text != "" {
			text += ", "
		}
		text += t
	}
	if len(s.Devices) > 0 {
		add("listed")
	}
	if len(s.Theatres) > 0 {
		add("in theatre " + e.Theatre)
	}
	if len(s.Classes) > 0 {
		add("class " + string(e.Class))
	}
	if len(s.VLANs) > 0 {
		add("by its VLAN")
	}
	if len(s.Networks) > 0 {
		add(ip.String() + " is in its network")
	}
	return text
}

// outside reports whether an address is of the Internet.
func outside(ip netip.Addr) bool {
	return ip.IsValid() && ip.IsGlobalUnicast() && !ip.IsPrivate()
}

// Covers reports whether an address lies in a network of a zone.
func (p *Policy) Covers(ip netip.Addr) bool {
	ip = ip.Unmap()
	for i := range p.order {
		for _, n := range p.order[i].Networks {
			if n.Contains(ip) {
				return true
			}
		}
	}
	return false
}

// Check says what the policy says about a conversation at a time (ns since the
// Unix epoch). from asked, to answered.
func (p *Policy) Check(from, to End, s Service, at int64) Verdict {
	v := Verdict{Proposed: p.spec.Proposed}
	var fromWhy, toWhy string
	v.FromZone, fromWhy = p.ZoneOf(from)
	v.ToZone, toWhy = p.ZoneOf(to)
	switch {
	case v.FromZone == "":
		v.Why = "the client is in no zone"
		return v
	case v.ToZone == "":
		v.Why = "the server is in no zone"
		return v
	case p.spec.Proposed:
		v.Why = "the zones are proposals; nobody has said what is allowed"
		return v
	}
	v.Known = true
	if v.FromZone == v.ToZone && v.FromZone != Internet {
		switch p.zones[v.FromZone].Within {
		case "", "all":
			v.Allowed, v.Why = true, "both are in zone "+v.FromZone+", whose members may talk to each other"
			return v
		case "none":
			v.Why = "both are in zone " + v.FromZone + ", whose members may not talk to each other"
			return v
		}
	}
	near := ""
	for _, i := range p.between[[2]string{v.FromZone, v.ToZone}] {
		c := &p.spec.Conduits[i]
		ok, why := p.serves(c, s)
		switch {
		case !ok:
			if near == "" && why != "" {
				near = "conduit " + c.ID + " " + why
			}
		case c.Expires.over(at):
			if !v.Expired {
				v.Expired, v.Conduit = true, c.ID
			}
		default:
			v.Allowed, v.Expired, v.Conduit = true, false, c.ID
			v.Why = fmt.Sprintf("conduit %s allows it from %s (%s) to %s (%s)", c.ID, v.FromZone, fromWhy, v.ToZone, toWhy)
			return v
		}
	}
	switch {
	case v.Expired:
		v.Why = "conduit " + v.Conduit + " allowed it and has expired"
	case near != "":
		v.Why = near
	default:
		v.Why = fmt.Sprintf("no conduit allows %s from %s (%s) to %s (%s)", s, v.FromZone, fromWhy, v.ToZone, toWhy)
	}
	return v
}

// serves reports whether a conduit is for a service. why says what is missing
// where it nearly is.
func (p *Policy) serves(c *Conduit, s Service) (ok bool, why string) {
	for _, id := range c.Services {
		if id == "any" {
			return true, ""
		}
		n := p.services[id]
		if n.Transport != "" && n.Transport != s.Transport {
			continue
		}
		if len(n.Ports) > 0 && !slices.ContainsFunc(n.Ports, func(r Ports) bool { return r.First <= s.Port && s.Port <= r.Last }) {
			continue
		}
		hidden := s.Protocol == "tls" || s.Protocol == "" // what is inside cannot be seen
		if n.Protocol != "" && s.Protocol != n.Protocol && !hidden {
			why = "is for " + n.Protocol + ", this is " + s.Protocol
			continue
		}
		encrypted := s.TLS || s.Protocol == "tls" || s.Protocol == "dtls" || s.Protocol == "quic"
		switch {
		case n.TLS == "required" && !encrypted && s.Protocol != "":
			why = "requires TLS, this is in clear"
			continue
		case n.TLS == "never" && encrypted && n.Protocol != "tls":
			why = "is for clear text, this is encrypted"
			continue
		}
		return true, ""
	}
	return false, why
}

// String is the service in words: "dicom on tcp port 104".
func (s Service) String() string {
	name := s.Protocol
	if name == "" {
		name = "an unknown protocol"
	}
	switch {
	case s.Transport == "":
		return name
	case s.Port == 0:
		return name + " over " + s.Transport
	}
	return fmt.Sprintf("%s on %s port %d", name, s.Transport, s.Port)
}
