// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/device"
)

// group is a kind of zone that is proposed.
type group struct {
	id, title string
	room      bool // one for each theatre
	classes   []device.Class
}

// groups are the zones that a hospital usually has, by what devices are for.
var groups = []group{
	{"imaging", "Imaging", true, []device.Class{device.ClassCT, device.ClassMR, device.ClassUltrasound, device.ClassXRay, device.ClassCArm, device.ClassAngiography, device.ClassNuclear, device.ClassEndoscopy, device.ClassModality}},
	{"display", "XR and navigation", true, []device.Class{device.ClassXRHeadset, device.ClassXRProcessor, device.ClassNavigation}},
	{"robotics", "Robots and tables", true, []device.Class{device.ClassSurgicalRobot, device.ClassSurgicalTable}},
	{"life-support", "Monitoring and life support", true, []device.Class{device.ClassInfusionPump, device.ClassPatientMonitor, device.ClassVentilator, device.ClassAnaesthesia}},
	{"archive", "Archive and image processing", false, []device.Class{device.ClassPACS, device.ClassImageProcessor}},
	{"clinical", "Clinical systems", false, []device.Class{device.ClassInterfaceEngine, device.ClassEHR, device.ClassRTLS}},
	{"laboratory", "Laboratory", false, []device.Class{device.ClassLabAnalyser}},
	{"office", "Workstations, printers, phones", false, []device.Class{device.ClassWorkstation, device.ClassPrinter, device.ClassPhone, device.ClassMobile}},
	{"servers", "Servers", false, []device.Class{device.ClassServer}},
	{"infrastructure", "Network", false, []device.Class{device.ClassNetwork}},
	{"building", "Building and cameras", false, []device.Class{device.ClassBuilding, device.ClassCamera}},
}

// Propose makes zones of what was seen: by what devices are for, and for what
// stands in a theatre, by theatre. Subnets in which all known devices are of one zone
// belong to it as a whole, so that a device that comes tomorrow is in it, too. It
// proposes no conduits: what is seen is not what is allowed.
func Propose(devs []device.Device) Spec {
	s := Spec{Version: Version, Name: "Proposed from what is seen", Proposed: true}
	zones := map[string]*Zone{}
	subnets := map[netip.Prefix]map[string]bool{}
	var rank []string
	for _, d := range devs {
		g := groupOf(d.Class)
		if g == nil {
			continue
		}
		id, title, sel := g.id, g.title, Selector{Classes: g.classes}
		if g.room && d.Theatre != "" {
			id, title = name(d.Theatre)+"-"+g.id, g.title+", "+d.Theatre
			sel.Theatres = []string{d.Theatre}
		}
		if zones[id] == nil {
			zones[id] = &Zone{ID: id, Title: title, Members: []Selector{sel}}
			rank = append(rank, id)
		}
		for _, n := range d.Interfaces {
			for _, ip := range n.IPs {
				if net, ok := subnet(ip); ok {
					if subnets[net] == nil {
						subnets[net] = map[string]bool{}
					}
					subnets[net][id] = true
				}
			}
		}
	}
	nets := map[string][]netip.Prefix{}
	for net, in := range subnets {
		if len(in) == 1 {
			for id := range in {
				nets[id] = append(nets[id], net)
			}
		}
	}
	slices.SortFunc(rank, func(a, b string) int { return cmp.Or(cmp.Compare(place(a), place(b)), strings.Compare(a, b)) })
	for _, id := range rank {
		z := zones[id]
		if list := nets[id]; len(list) > 0 {
			slices.SortFunc(list, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
			z.Members = append(z.Members, Selector{Networks: list[:min(len(list), MaxValues)]})
		}
		if len(s.Zones) < MaxZones {
			s.Zones = append(s.Zones, *z)
		}
	}
	return s
}

func groupOf(c device.Class) *group {
	for i := range groups {
		if slices.Contains(groups[i].classes, c) {
			return &groups[i]
		}
	}
	return nil
}

// place is where in the list of groups a proposed zone is.
func place(id string) int {
	return slices.IndexFunc(groups, func(g group) bool { return id == g.id || strings.HasSuffix(id, "-"+g.id) })
}

// subnet is the network that an address is likely to share with its neighbours.
func subnet(ip netip.Addr) (netip.Prefix, bool) {
	ip = ip.Unmap()
	if !ip.IsPrivate() {
		return netip.Prefix{}, false
	}
	bits := 24
	if ip.Is6() {
		bits = 64
	}
	net, err := ip.Prefix(bits)
	return net, err == nil
}

// name makes an identifier of a theatre's ID.
func name(s string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '.' || r == '_':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, s), "-._")
}
