// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/device"
)

// elements gives every node its element.
func (i *Inventory) elements(v *view, addrs []*address, infos map[device.MAC]*macInfo) {
	macElem := func(m device.MAC) int {
		x := infos[m]
		if x == nil {
			x = &macInfo{element: -1}
			infos[m] = x
		}
		if x.element < 0 {
			x.element = len(v.elems)
			rank := 0
			if m.IsLocal() {
				rank = 2
			}
			v.elems = append(v.elems, element{key: "mac:" + m.String(), rank: rank, mac: m, router: x.router, sender: -1, parent: x.element, split: i.edits.splitOf(m, netip.Addr{})})
			v.byMAC[m] = x.element
		}
		return x.element
	}
	ipElems := map[string]int{}
	ipElem := func(a *address, seq uint16) int {
		k := ipKey(a.ip, seq)
		e, ok := ipElems[k]
		if !ok {
			e = len(v.elems)
			ipElems[k] = e
			v.elems = append(v.elems, element{key: k, rank: 3, ip: a.ip, seq: seq, sender: -1, parent: e, split: i.edits.splitOf(device.MAC{}, a.ip)})
		}
		return e
	}
	file := func(e int, n *node) {
		v.elems[e].nodes = append(v.elems[e].nodes, n)
		v.byNode[n] = e
	}
	macs := make([]device.MAC, 0, len(infos))
	for m := range infos {
		macs = append(macs, m)
	}
	slices.SortFunc(macs, func(a, b device.MAC) int { return slices.Compare(a[:], b[:]) })
	for _, m := range macs {
		if n := i.macs[m]; n != nil {
			file(macElem(m), n)
		} else if infos[m].router != "" {
			macElem(m)
		}
	}
	for _, a := range addrs {
		for _, s := range [][]*node{a.old, a.nodes} {
			for _, n := range s {
				var e int
				foreign := false
				latest, mine := a.claimed(n.seq, n.mac)
				x := infos[n.mac]
				switch {
				case i.edits.splitOf(device.MAC{}, a.ip) != 0:
					e = ipElem(a, n.seq)
				case mine && !x.proxy:
					e = macElem(n.mac)
				case !n.mac.IsZero() && a.ip.Is6() && a.ip.IsLinkLocalUnicast():
					e = macElem(n.mac)
				case latest != nil && !infos[latest.mac].proxy:
					e = macElem(latest.mac)
					foreign = !n.mac.IsZero() && n.hops == 0 && x.router == ""
				case !n.mac.IsZero() && n.hops == 0 && (x.router == "" || x.keeps):
					e = macElem(n.mac)
				case a.ownMAC(n.seq, infos) != device.MAC{}:
					e = macElem(a.ownMAC(n.seq, infos))
				default:
					if m, ok := macFromEUI64(a.ip); ok && !m.IsLocal() {
						e = macElem(m)
					} else {
						e = ipElem(a, n.seq)
					}
				}
				file(e, n)
				if foreign {
					v.conflicts[e] = append(v.conflicts[e], device.Conflict{Attribute: device.AttrMAC, Values: []string{latest.mac.String(), n.mac.String()},
						Why: fmt.Sprintf("%s is claimed by the first (%s), but frames of it also come from the second, which is not known to be a router", a.ip, latest.source)})
				}
			}
		}
		for _, d := range a.dups {
			why := fmt.Sprintf("two MACs claim %s by turns", a.ip) // how often depends on what was folded before it came here
			for _, m := range []device.MAC{d.a, d.b} {
				e := macElem(m)
				v.conflicts[e] = append(v.conflicts[e], device.Conflict{Attribute: device.AttrIP, Values: []string{d.a.String(), d.b.String()}, Why: why})
			}
		}
	}
	// Two MACs send one address and neither is known to be a router or claimed
	// it: shown on both, since either may be the true one.
	for _, a := range addrs {
		var own []*node
		for _, n := range a.nodes {
			if e := v.byNode[n]; !n.mac.IsZero() && v.elems[e].mac == n.mac {
				own = append(own, n)
			}
		}
		if len(own) < 2 || a.ip.Is6() && a.ip.IsLinkLocalUnicast() || len(a.dups) > 0 {
			continue
		}
		slices.SortFunc(own, func(x, y *node) int { return slices.Compare(x.mac[:], y.mac[:]) })
		for k := 1; k < len(own); k++ {
			x, y := own[k-1], own[k]
			if x.last < y.first || y.last < x.first {
				continue // one after the other
			}
			c := device.Conflict{Attribute: device.AttrIP, Values: []string{x.mac.String(), y.mac.String()}, Why: fmt.Sprintf("both send as %s at the same time", a.ip)}
			v.conflicts[v.byNode[x]] = append(v.conflicts[v.byNode[x]], c)
			v.conflicts[v.byNode[y]] = append(v.conflicts[v.byNode[y]], c)
		}
	}
}

// ownMAC returns the MAC from which a holder's own frames came, when a capture
// has both sides of a router: the smallest of those that are no router's.
func (a *address) ownMAC(seq uint16, infos map[device.MAC]*macInfo) device.MAC {
	var best device.MAC
	for _, s := range [][]*node{a.old, a.nodes} {
		for _, n := range s {
			if n.seq != seq || n.hops > 0 || n.mac.IsZero() || infos[n.mac].router != "" {
				continue
			}
			if best.IsZero() || slices.Compare(n.mac[:], best[:]) < 0 {
				best = n.mac
			}
		}
	}
	return best
}

// children makes elements of devices that a sender's messages name. One
// device named is the sender itself; of several, each stands behind it. What
// a FHIR server holds is never the server.
func (i *Inventory) children(v *view) {
	for e, last := 0, len(v.elems); e < last; e++ {
		seen := map[string]*named{}
		var order []*named
		for _, n := range v.elems[e].nodes {
			for k := range n.named {
				d := &n.named[k]
				if seen[d.key] == nil {
					seen[d.key] = d
					order = append(order, d)
				}
			}
		}
		if len(order) == 0 {
			continue
		}
		stored := 0
		for _, d := range order {
			if d.stored() {
				stored++
			}
		}
		v.elems[e].many = len(order)-stored > 1
		slices.SortFunc(order, func(a, b *named) int { return strings.Compare(a.key, b.key) })
		for _, d := range order {
			if !d.stored() && !v.elems[e].many {
				v.elems[e].named = d
				continue
			}
			key, rank := "named:"+d.key, 1
			if !d.unique() {
				key, rank = v.elems[e].key+"|"+d.key, 4
			}
			v.elems = append(v.elems, element{key: key, rank: rank, named: d, sender: e, parent: len(v.elems)})
		}
	}
}

// stored reports that the device is a record that a server gave out.
func (d *named) stored() bool {
	return len(d.facts) > 0 && family(d.facts[0].source) == "fhir"
}

// unique reports that the key names one thing, whoever says it.
func (d *named) unique() bool {
	return strings.HasPrefix(d.key, "eui64:") || strings.HasPrefix(d.key, "udi:")
}

// joinAddresses joins the times at an address that a long silence parted,
// when nothing says that another device has taken it.
func (i *Inventory) joinAddresses(v *view) {
	byIP := map[netip.Addr][]int{}
	for e := range v.elems {
		if v.elems[e].rank == 3 {
			byIP[v.elems[e].ip] = append(byIP[v.elems[e].ip], e)
		}
	}
	for ip, es := range byIP {
		slices.SortFunc(es, func(a, b int) int { return int(v.elems[a].seq) - int(v.elems[b].seq) })
		for k := 1; k < len(es); k++ {
			if !v.contradict(es[k-1], es[k]) && i.quietBetween(ip, v.elems[es[k-1]].seq, v.elems[es[k]].seq) {
				v.union(es[k-1], es[k], "the same address, and nothing says that another device has taken it", device.Claimed)
			}
		}
	}
}

// quietBetween reports that no MAC claimed the address from one holder's time
// to another's.
func (i *Inventory) quietBetween(ip netip.Addr, from, to uint16) bool {
	a := i.addrs[keyOf(ip)]
	if a == nil {
		return true
	}
	for k := range a.claims {
		if c := &a.claims[k]; c.seq >= from && c.seq <= to {
			return false
		}
	}
	return true
}
