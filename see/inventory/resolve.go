// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"net/netip"
	"strings"

	"github.com/asepsis/asepsis/core/device"
)

// Device finds one device by ID, former ID, name, host name, AE title, MAC or
// IP address, in this order. It reports false when nothing or more than one
// device has that name.
func (i *Inventory) Device(what string) (device.Device, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	v := i.current()
	if c, ok := v.byID[what]; ok {
		return i.assemble(v, c), true
	}
	if m, err := device.ParseMAC(what); err == nil {
		if c, ok := v.byMAC[m]; ok {
			return i.assemble(v, c), true
		}
		return device.Device{}, false
	}
	if ip, err := netip.ParseAddr(what); err == nil {
		if c := i.holder(v, ip.Unmap().WithZone("")); c >= 0 {
			return i.assemble(v, c), true
		}
		return device.Device{}, false
	}
	found := -1
	for k := range v.comps {
		c := &v.comps[k]
		if c.external {
			continue
		}
		j := i.judged1(v, c)
		hit := strings.EqualFold(j.name, what) || c.edited != nil && strings.EqualFold(c.edited.name, what)
		for _, e := range c.elements {
			v.elems[e].each(func(f *fact) {
				switch f.attr {
				case device.AttrHostname, device.AttrFQDN:
					hit = hit || strings.EqualFold(strings.TrimSuffix(f.value, "."), what)
				case device.AttrAETitle:
					hit = hit || f.value == what
				}
			})
		}
		if !hit {
			continue
		}
		if found >= 0 {
			return device.Device{}, false
		}
		found = k
	}
	if found < 0 {
		return device.Device{}, false
	}
	return i.assemble(v, found), true
}

// holder returns the component that last held an address, -1 when none did.
func (i *Inventory) holder(v *view, ip netip.Addr) int {
	a := i.addrs[keyOf(ip)]
	if a == nil {
		return -1
	}
	best := -1
	var last int64
	for _, n := range a.nodes {
		if c, ok := v.byNode[n]; ok && c >= 0 && (best < 0 || n.last > last) {
			best, last = c, n.last
		}
	}
	return best
}

// staleFor is how far capture time may run ahead of the view that Resolve
// uses: joins found in between show a second late, new attachments at once.
const staleFor = 1e9

// Resolve returns the ID of the device that a subject belonged to at a time
// (ns since the Unix epoch, UTC; 0 for now). It reports false when the subject
// is no device of the inventory: never seen, or outside the site.
//
// It is made for every event. A view is rebuilt for it at most once per second
// of capture time, or when the subject is not in it.
func (i *Inventory) Resolve(sub device.Subject, at int64) (id string, ok bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	m := sub.MAC
	if m.IsGroup() {
		m = device.MAC{}
	}
	var n *node
	if !sub.IP.IsValid() || !usable(sub.IP) {
		n = i.macs[m]
		if n == nil && !m.IsZero() {
			if c, ok := i.fresh(nil).byMAC[m]; ok {
				return i.view.comps[c].id, true
			}
			return "", false
		}
	} else if a := i.addrs[keyOf(sub.IP)]; a != nil {
		n = a.at(m, at)
	}
	if n == nil {
		return "", false
	}
	v := i.fresh(n)
	id = v.idOf(n)
	return id, id != ""
}

// fresh returns a view that is new enough and knows n.
func (i *Inventory) fresh(n *node) *view {
	if i.view == nil || i.view.change != i.change && i.now-i.view.at >= staleFor {
		return i.current()
	}
	if n != nil {
		if _, ok := i.view.byNode[n]; !ok {
			return i.current()
		}
	}
	return i.view
}

// at returns the attachment that held the address at a time, with this MAC
// when there is one.
func (a *address) at(m device.MAC, t int64) *node {
	var best *node
	better := func(n *node) bool {
		if best == nil {
			return true
		}
		in := func(x *node) bool { return t == 0 || x.first <= t && t <= x.last }
		if in(n) != in(best) {
			return in(n)
		}
		if (n.mac == m) != (best.mac == m) {
			return n.mac == m
		}
		if t != 0 && !in(n) {
			return dist(n, t) < dist(best, t)
		}
		return n.last > best.last
	}
	for _, s := range [][]*node{a.nodes, a.old} {
		for _, n := range s {
			if better(n) {
				best = n
			}
		}
	}
	return best
}

func dist(n *node, t int64) int64 {
	if t < n.first {
		return n.first - t
	}
	return t - n.last
}
