// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a policy, at a field of its Spec.
type Problem struct {
	Path    string // "conduits[2].to[0]"
	Message string
	Hint    string
}

// Error implements error.
func (p Problem) Error() string { return p.Path + ": " + p.Message }

var identifier = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// Policy is a checked policy, ready to be asked. It is immutable.
type Policy struct {
	spec     Spec
	zones    map[string]*Zone
	services map[string]*NamedService
	order    []selection         // most specific first
	devices  map[string]string   // ID -> zone, listed by ID
	between  map[[2]string][]int // zones -> conduits, forward or both, in the order of the file
}

// selection is one selector with its zone.
type selection struct {
	zone string
	Selector
	criteria int // how many kinds of things it asks for; a list of devices counts most
}

// compiler collects problems.
type compiler struct {
	spec *Spec
	out  []Problem
}

func (c *compiler) fail(path, hint, format string, args ...any) {
	c.out = append(c.out, Problem{path, fmt.Sprintf(format, args...), hint})
}

// Compile checks a policy. With problems there is no policy; all are reported.
func Compile(s Spec) (*Policy, []Problem) {
	c := &compiler{spec: &s}
	p := &Policy{spec: s, zones: map[string]*Zone{}, services: map[string]*NamedService{}, devices: map[string]string{}, between: map[[2]string][]int{}}
	c.bound("services", len(s.Services), MaxServices)
	c.bound("zones", len(s.Zones), MaxZones)
	c.bound("conduits", len(s.Conduits), MaxConduits)
	if len(c.out) > 0 {
		return nil, c.out
	}
	if s.Version != Version {
		c.fail("version", "write version: 1", "is %d; this program reads version %d", s.Version, Version)
	}
	for i := range s.Services {
		c.service(p, i)
	}
	for i := range s.Zones {
		c.zone(p, i)
	}
	ids := map[string]bool{}
	for i := range s.Conduits {
		c.conduit(p, i, ids)
	}
	if len(c.out) > 0 {
		return nil, c.out
	}
	slices.SortStableFunc(p.order, func(a, b selection) int { return b.criteria - a.criteria })
	return p, nil
}

// asks counts what a selector asks for.
func (s *Selector) asks() int {
	n := 0
	for _, set := range []bool{len(s.Theatres) > 0, len(s.Classes) > 0, len(s.VLANs) > 0, len(s.Networks) > 0} {
		if set {
			n++
		}
	}
	if len(s.Devices) > 0 {
		n += 10
	}
	return n
}

func (c *compiler) bound(path string, n, most int) {
	if n > most {
		c.fail(path, "", "has %d entries, more than %d", n, most)
	}
}

// name checks an identifier and that it is new.
func (c *compiler) name(path, id string, taken bool) bool {
	switch {
	case id == "":
		c.fail(path, "", "is needed")
	case !identifier.MatchString(id):
		c.fail(path, "small letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 63", "%q cannot be a name", id)
	case taken:
		c.fail(path, "", "%q is there already", id)
	default:
		return true
	}
	return false
}

// choice checks a word.
func (c *compiler) choice(path, v string, of ...string) {
	if v != "" && !slices.Contains(of, v) {
		c.fail(path, "one of: "+strings.Join(of, ", "), "%q is not known", v)
	}
}

func (c *compiler) service(p *Policy, i int) {
	v, at := &c.spec.Services[i], fmt.Sprintf("services[%d].", i)
	_, taken := p.services[v.ID]
	if v.ID == "any" {
		c.fail(at+"id", "conduits use it for everything", "%q is built in", v.ID)
	} else if c.name(at+"id", v.ID, taken) {
		p.services[v.ID] = v
	}
	c.choice(at+"transport", v.Transport, "tcp", "udp", "icmp")
	c.choice(at+"tls", v.TLS, "required", "allowed", "never")
	c.bound(at+"ports", len(v.Ports), MaxValues)
	if v.Transport == "icmp" && len(v.Ports) > 0 {
		c.fail(at+"ports", "", "icmp has no ports")
	}
	if v.Protocol == "" && v.Transport == "" && len(v.Ports) == 0 {
		c.fail(at+"protocol", `"any" in a conduit's services allows everything`, "the service says nothing: name a protocol, a transport or ports")
	}
}

func (c *compiler) zone(p *Policy, i int) {
	z, at := &c.spec.Zones[i], fmt.Sprintf("zones[%d].", i)
	_, taken := p.zones[z.ID]
	if z.ID == Internet {
		c.fail(at+"id", "leave it out: every public address that no zone has is in it", "%q is built in", Internet)
	} else if c.name(at+"id", z.ID, taken) {
		p.zones[z.ID] = z
	}
	c.choice(at+"within", z.Within, "all", "none", "listed")
	c.bound(at+"members", len(z.Members), MaxMembers)
	if len(z.Members) == 0 {
		c.fail(at+"members", "a zone lists networks, vlans, theatres, classes or devices", "the zone %s has no members", z.ID)
	}
	for k, m := range z.Members {
		here := fmt.Sprintf("%smembers[%d]", at, k)
		if len(m.Devices)+len(m.Theatres)+len(m.Classes)+len(m.VLANs)+len(m.Networks) == 0 {
			c.fail(here, "", "selects nothing")
		}
		c.bound(here, len(m.Devices)+len(m.Theatres)+len(m.Classes)+len(m.VLANs)+len(m.Networks), MaxValues)
		for n, cl := range m.Classes {
			if !cl.Valid() {
				c.fail(fmt.Sprintf("%s.classes[%d]", here, n), "docs/devices.md lists the classes", "%q is no class", cl)
			}
		}
		for n, v := range m.VLANs {
			if v < 1 || v > 4094 {
				c.fail(fmt.Sprintf("%s.vlans[%d]", here, n), "", "%d is not within 1..4094", v)
			}
		}
		s := selection{zone: z.ID, Selector: m, criteria: m.asks()}
		for n, net := range m.Networks {
			if net != net.Masked() {
				c.fail(fmt.Sprintf("%s.networks[%d]", here, n), "write "+net.Masked().String(), "%s has bits beyond its length", net)
			}
			c.overlap(p, here, n, s, net)
		}
		if alone := len(m.Theatres)+len(m.Classes)+len(m.VLANs)+len(m.Networks) == 0; alone {
			for n, d := range m.Devices {
				if other, taken := p.devices[d]; taken && other != z.ID {
					c.fail(fmt.Sprintf("%s.devices[%d]", here, n), "", "the device %s is in zone %s already", d, other)
				}
				p.devices[d] = z.ID
			}
			continue
		}
		p.order = append(p.order, s)
	}
}

// length is how long a network's prefix is, as of IPv6.
func length(n netip.Prefix) int {
	if n.Addr().Is4() {
		return n.Bits() + 96
	}
	return n.Bits()
}

// overlap refuses the same network, selected by nothing else, in two zones.
func (c *compiler) overlap(p *Policy, here string, n int, s selection, net netip.Prefix) {
	if len(s.Theatres)+len(s.Classes)+len(s.VLANs)+len(s.Devices) > 0 {
		return
	}
	for _, o := range p.order {
		if o.zone != s.zone && len(o.Theatres)+len(o.Classes)+len(o.VLANs)+len(o.Devices) == 0 && slices.Contains(o.Networks, net) {
			c.fail(fmt.Sprintf("%s.networks[%d]", here, n), "", "%s is in zone %s already", net, o.zone)
			return
		}
	}
}

func (c *compiler) conduit(p *Policy, i int, ids map[string]bool) {
	v, at := &c.spec.Conduits[i], fmt.Sprintf("conduits[%d].", i)
	if c.name(at+"id", v.ID, ids[v.ID]) {
		ids[v.ID] = true
	}
	c.choice(at+"direction", v.Direction, "forward", "both")
	if strings.TrimSpace(v.Owner) == "" {
		c.fail(at+"owner", "a role or a team that can be asked in a year", "is needed")
	}
	if strings.TrimSpace(v.Reason) == "" {
		c.fail(at+"reason", "one sentence: what stops working without it", "is needed")
	}
	known := func(field string, list []string) {
		if len(list) == 0 {
			c.fail(at+field, "", "is needed")
		}
		c.bound(at+field, len(list), MaxValues)
		for n, z := range list {
			if _, ok := p.zones[z]; !ok && z != Internet {
				c.fail(fmt.Sprintf("%s%s[%d]", at, field, n), "zones are defined above, under zones", "there is no zone %q", z)
			}
		}
	}
	known("from", v.From)
	known("to", v.To)
	if len(v.Services) == 0 {
		c.fail(at+"services", `name services, or "any"`, "is needed")
	}
	for n, s := range v.Services {
		if _, ok := p.services[s]; !ok && s != "any" {
			c.fail(fmt.Sprintf("%sservices[%d]", at, n), "services are defined above, under services", "there is no service %q", s)
		}
	}
	for _, f := range v.From {
		for _, t := range v.To {
			p.between[[2]string{f, t}] = append(p.between[[2]string{f, t}], i)
			if v.Direction == "both" && f != t {
				p.between[[2]string{t, f}] = append(p.between[[2]string{t, f}], i)
			}
		}
	}
}

// Spec returns the policy as it was written. It is not to be changed.
func (p *Policy) Spec() Spec { return p.spec }
