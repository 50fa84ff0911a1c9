// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/asepsis/asepsis/core/device"
)

// components makes a component of each joined set and gives it an ID.
//
// The ID is made of the best key of the set: a burned-in MAC before an
// identifier that messages tell, before a local MAC, before an address; of
// equals the smallest. Once given it stays with that key: a set that grows
// keeps the ID that was given first, and the others become aliases.
func (i *Inventory) components(v *view) {
	sets := map[int]int{}
	for e := range v.elems {
		r := v.root(e)
		c, ok := sets[r]
		if !ok {
			c = len(v.comps)
			sets[r] = c
			v.comps = append(v.comps, component{via: -1, joined: v.elems[r].joined})
		}
		comp, el := &v.comps[c], &v.elems[e]
		comp.elements = append(comp.elements, e)
		comp.nodes = append(comp.nodes, el.nodes...)
		if el.named != nil {
			comp.named = append(comp.named, el.named)
		}
		if el.sender >= 0 && comp.via < 0 {
			comp.via = el.sender
		}
		comp.many = comp.many || el.many
		if comp.router == "" {
			comp.router = el.router
		}
		comp.conflicts = append(comp.conflicts, v.conflicts[e]...)
	}
	out := v.comps[:0]
	for k := range v.comps {
		c := v.comps[k]
		if len(c.nodes) == 0 && len(c.named) == 0 && c.router == "" {
			continue
		}
		slices.SortFunc(c.elements, func(a, b int) int {
			x, y := &v.elems[a], &v.elems[b]
			return cmp.Or(cmp.Compare(x.rank, y.rank), cmp.Compare(x.key, y.key))
		})
		c.external = i.isExternal(v, &c)
		out = append(out, c)
	}
	v.comps = out
	slices.SortFunc(v.comps, func(a, b component) int {
		x, y := &v.elems[a.elements[0]], &v.elems[b.elements[0]]
		return cmp.Or(cmp.Compare(x.rank, y.rank), cmp.Compare(x.key, y.key))
	})
	used := make(map[string]bool, len(v.comps))
	present := map[string]bool{}
	for e := range v.elems {
		if v.elems[e].rank == 3 {
			present[v.elems[e].key] = true
		}
	}
	edits := i.editsByID()
	for k := range v.comps {
		c := &v.comps[k]
		for _, n := range c.nodes {
			v.byNode[n] = k
		}
		if c.external {
			for _, n := range c.nodes {
				v.byNode[n] = -1
			}
			continue
		}
		var best mint
		known := func(key string) {
			m, ok := i.minted[key]
			if !ok || used[key] {
				return
			}
			used[key] = true
			switch {
			case best.ID == "":
				best = m
			case m.Seq < best.Seq:
				c.aliases = append(c.aliases, best.ID)
				best = m
			case m.ID != best.ID:
				c.aliases = append(c.aliases, m.ID)
			}
		}
		for _, e := range c.elements {
			known(v.elems[e].key)
		}
		for _, e := range c.elements {
			// What was once a device under its address alone.
			for _, n := range v.elems[e].nodes {
				if n.ip.IsValid() && n.mac != v.elems[e].mac && v.elems[e].rank != 3 {
					if key := ipKey(n.ip, n.seq); !present[key] {
						known(key)
					}
				}
			}
		}
		if best.ID == "" {
			key := v.elems[c.elements[0]].key
			best = mint{ID: newID(key), Seq: i.nextMint()}
			for _, taken := v.byID[best.ID]; taken; _, taken = v.byID[best.ID] {
				key += "'"
				best.ID = newID(key)
			}
			i.minted[v.elems[c.elements[0]].key] = best
			used[v.elems[c.elements[0]].key] = true
		}
		c.id = best.ID
		slices.Sort(c.aliases)
		c.aliases = slices.Compact(c.aliases)
		v.byID[c.id] = k
		for _, a := range c.aliases {
			if _, taken := v.byID[a]; !taken {
				v.byID[a] = k
			}
		}
	}
	clear(v.byMAC)
	for k := range v.comps {
		c := &v.comps[k]
		for _, e := range c.elements {
			if m := v.elems[e].mac; !m.IsZero() {
				v.byMAC[m] = k
			}
		}
		i.applyEdits(v, c, edits)
	}
	// What no longer exists needs no ID, unless a person's edit hangs on it.
	if len(i.minted) > 2*len(v.comps)+1024 {
		held := map[string]bool{}
		for k := range i.edits.log {
			held[i.edits.log[k].Device] = true
			held[i.edits.log[k].Value] = true
		}
		for key, m := range i.minted {
			if !used[key] && !held[m.ID] {
				delete(i.minted, key)
			}
		}
	}
}

func (i *Inventory) nextMint() uint64 {
	i.mints++
	return i.mints
}

// applyEdits puts what people and the configuration say on a component.
func (i *Inventory) applyEdits(v *view, c *component, edits map[string][]*Edit) {
	var ls []*Edit
	for _, id := range append([]string{c.id}, c.aliases...) {
		ls = append(ls, edits[id]...)
	}
	slices.SortFunc(ls, func(a, b *Edit) int { return cmp.Compare(a.Seq, b.Seq) })
	var e edited
	for k := range i.overrides {
		o := &i.overrides[k]
		if !v.fits(c, o.Match) {
			continue
		}
		for kind, val := range map[EditKind]string{EditName: o.Name, EditClass: string(o.Class), EditVendor: o.Vendor, EditModel: o.Model, EditTheatre: o.Theatre, EditCriticality: string(o.Criticality)} {
			if val != "" {
				e.apply(&Edit{Kind: kind, Value: val, Who: "configuration"})
			}
		}
	}
	for _, l := range ls {
		e.apply(l)
	}
	if e.who == nil {
		return
	}
	c.edited = &e
	for _, n := range c.nodes {
		if n.tier != tierEdited {
			i.order.move(n, tierEdited)
		}
	}
}

// fits reports whether every given part of a match fits a component.
func (v *view) fits(c *component, m Match) bool {
	mac, ip, ae, host, serial := m.MAC.IsZero(), !m.IP.IsValid(), m.AETitle == "", m.Hostname == "", m.Serial == ""
	for _, n := range c.nodes {
		mac = mac || n.mac == m.MAC && n.hops == 0
		ip = ip || n.ip == m.IP
	}
	if !mac || !ip {
		return false
	}
	for _, e := range c.elements {
		v.elems[e].each(func(f *fact) {
			switch f.attr {
			case device.AttrAETitle:
				ae = ae || f.value == m.AETitle
			case device.AttrHostname:
				host = host || shortHost(f.value) == shortHost(m.Hostname)
			case device.AttrSerial:
				serial = serial || f.value == m.Serial
			}
		})
	}
	return ae && host && serial
}

// isExternal reports a device that is only known by addresses outside the
// site and has nothing medical about it.
func (i *Inventory) isExternal(v *view, c *component) bool {
	if i.cfg.External {
		return false
	}
	for _, e := range c.elements {
		el := &v.elems[e]
		if !el.mac.IsZero() || el.named != nil || i.ofSite(el.ip) {
			return false
		}
		for _, n := range el.nodes {
			if n.med {
				return false
			}
		}
	}
	return true
}

// ofSite reports whether an address belongs to the site.
func (i *Inventory) ofSite(ip netip.Addr) bool {
	if ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsLoopback() {
		return true
	}
	for _, n := range i.networks {
		if n.Prefix.Contains(ip) {
			return true
		}
	}
	return false
}

// zone returns the zone of the longest of the site's prefixes that holds the
// address.
func (i *Inventory) zone(ip netip.Addr) string {
	best, zone := -1, ""
	for _, n := range i.networks {
		if n.Prefix.Contains(ip) && n.Prefix.Bits() > best {
			best, zone = n.Prefix.Bits(), n.Zone
		}
	}
	return zone
}

// peers counts with how many others a device speaks what, from what the
// conversations show.
type peers struct {
	hl7To, hl7From     int // sends to, receives from
	dicomTo, dicomFrom int
	fhirFrom           int
	mediaTo            int // exchanges live media with
}

// countPeers counts distinct partners of the protocols that tell what a
// device is for.
func (i *Inventory) countPeers(v *view) {
	type pair struct {
		a, b int
		app  string
	}
	seen := map[pair]bool{}
	for x := i.convs.head; x != nil; x = x.next {
		switch x.key.app {
		case "hl7", "dicom", "dicomweb", "fhir", "webrtc", "rtsp":
		default:
			continue
		}
		a, okA := v.byNode[i.nodeOf(x.key.src)]
		b, okB := v.byNode[i.nodeOf(x.key.dst)]
		if !okA || !okB || a == b {
			continue
		}
		p := pair{a, b, x.key.app}
		if seen[p] {
			continue
		}
		seen[p] = true
		bump := func(c int, f func(*peers) *int) {
			if c >= 0 {
				*f(&v.comps[c].peers)++
			}
		}
		switch x.key.app {
		case "hl7":
			bump(a, func(p *peers) *int { return &p.hl7To })
			bump(b, func(p *peers) *int { return &p.hl7From })
		case "dicom", "dicomweb":
			bump(a, func(p *peers) *int { return &p.dicomTo })
			bump(b, func(p *peers) *int { return &p.dicomFrom })
		case "fhir":
			bump(b, func(p *peers) *int { return &p.fhirFrom })
		case "webrtc", "rtsp":
			bump(a, func(p *peers) *int { return &p.mediaTo })
			bump(b, func(p *peers) *int { return &p.mediaTo })
		}
	}
}
