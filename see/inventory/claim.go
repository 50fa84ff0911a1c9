// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/device"
)

// binds reports whether a source binds an address to a MAC: the protocols that
// exist for it. Others name addresses that may be someone else's (a
// certificate, a relayed mDNS record).
func binds(source string) bool {
	switch family(source) {
	case "arp", "dhcp", "dhcp6", "dhcpv4", "dhcpv6", "icmp6", "nd", "ndp", "radius":
		return true
	}
	return false
}

// tellsMAC reports whether a source tells the MAC of the interface that has the
// address. An SNMP interface table lists all of a device's.
func tellsMAC(source string) bool { return !strings.HasSuffix(source, "ifPhysAddress") }

// former returns the node for what is told late about an earlier holder of an
// address: reports of repeated evidence come when the repeating ends.
func (i *Inventory) former(a *address, m device.MAC, hops uint8) *node {
	for k := len(a.old) - 1; k >= 0; k-- {
		if a.old[k].mac == m {
			return a.old[k]
		}
	}
	if len(a.old) >= maxOldPerAddress {
		i.forget(a.old[0])
		i.addrs[keyOf(a.ip)] = a
	}
	n := &node{mac: m, ip: a.ip, seq: a.seq - 1, hops: hops}
	a.old = append(a.old, n)
	i.added(n)
	return n
}

// handOver ends the present holder's time at an address.
func (i *Inventory) handOver(a *address, t int64) {
	a.seq++
	a.since = t
	a.old = append(a.old, a.nodes...)
	a.nodes = nil
	for len(a.old) > maxOldPerAddress {
		i.forget(a.old[0])
	}
	i.change++
}

// claim files that a MAC says an address is its own. A soft claim is one by
// hearsay: it stands only while nobody else claims the address.
func (i *Inventory) claim(m device.MAC, ip netip.Addr, t int64, source string, soft bool) {
	if !usable(ip) || m.IsZero() || m.IsGroup() {
		return
	}
	a := i.addrs[keyOf(ip)]
	if a != nil {
		for k := range a.claims {
			if c := &a.claims[k]; c.seq == a.seq && c.mac == m {
				c.count++
				if t > c.to {
					c.to = t
				}
				if t < c.from {
					c.from = t
				}
				if c.soft && !soft {
					c.soft, c.source = false, source
				}
				if len(a.dups) > 0 {
					i.alternates(a, m, t)
				}
				return
			}
		}
	}
	if soft {
		if a == nil || len(a.nodes) == 0 {
			return
		}
		for k := range a.claims {
			if a.claims[k].seq == a.seq {
				return
			}
		}
		i.file(a, claim{mac: m, seq: a.seq, from: t, to: t, count: 1, source: source, soft: true})
		return
	}
	if a != nil && a.seq > 0 && t < a.since {
		// Told late about an earlier holder's time.
		if c := a.before(m); c != nil {
			c.count++
			c.to = max(c.to, t)
		}
		return
	}
	i.attachment(ip, m, 0, t)
	a = i.addrs[keyOf(ip)]
	a.claims = slices.DeleteFunc(a.claims, func(c claim) bool { return c.soft && c.seq == a.seq })
	var rival *claim
	for k := range a.claims {
		if c := &a.claims[k]; c.seq == a.seq && (rival == nil || c.to > rival.to) {
			rival = c
		}
	}
	if rival != nil {
		if back := a.before(m); back != nil && t-rival.to <= int64(i.cfg.DuplicateWindow) && t-back.to <= 2*int64(i.cfg.DuplicateWindow) {
			// It had the address, lost it, and claims it again at once: both
			// hold it.
			i.duplicated(a, m, rival.mac, t)
		} else {
			n := a.node(m)
			i.handOver(a, t)
			// What was just seen from the new holder is the new holder's.
			for k, o := range a.old {
				if o == n {
					a.old = append(a.old[:k], a.old[k+1:]...)
					n.seq = a.seq
					a.nodes = append(a.nodes, n)
					break
				}
			}
			if len(a.nodes) == 0 {
				i.attachment(ip, m, 0, t)
			}
		}
	}
	i.file(a, claim{mac: m, seq: a.seq, from: t, to: t, count: 1, source: source})
}

// file adds a claim; the oldest goes when there are too many.
func (i *Inventory) file(a *address, c claim) {
	if len(a.claims) >= maxClaimsPerAddress {
		a.claims = append(a.claims[:0], a.claims[1:]...)
	}
	a.claims = append(a.claims, c)
	i.change++
}

// before returns an earlier claim of m, of another holder's time.
func (a *address) before(m device.MAC) *claim {
	for k := len(a.claims) - 1; k >= 0; k-- {
		if a.claims[k].mac == m {
			return &a.claims[k]
		}
	}
	return nil
}

func (i *Inventory) duplicated(a *address, x, y device.MAC, t int64) {
	if y.String() < x.String() {
		x, y = y, x
	}
	for k := range a.dups {
		if d := &a.dups[k]; d.a == x && d.b == y {
			d.count++
			d.to = max(d.to, t)
			return
		}
	}
	if len(a.dups) >= maxDupsPerAddress {
		return
	}
	a.dups = append(a.dups, duplicate{a: x, b: y, from: t, to: t, count: 1})
	i.change++
}

func (i *Inventory) alternates(a *address, m device.MAC, t int64) {
	for k := range a.dups {
		if d := &a.dups[k]; d.a == m || d.b == m {
			d.count++
			d.to = max(d.to, t)
		}
	}
}
