// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"net/netip"

	"github.com/asepsis/asepsis/core/device"
)

// fact is one piece of evidence as it is kept: the subject is the node's.
type fact struct {
	attr          device.Attribute
	value, source string
	first, last   int64
	count         uint64
	conf          device.Confidence
}

// tier orders nodes by how late they may be forgotten.
type tier uint8

// The tiers, first to be forgotten first. Medical evidence counts less on a
// device that was seen for a moment only: otherwise a flood of made-up AE
// titles would push out the real ones.
const (
	tierFresh tier = iota
	tierEstablished
	tierFreshMedical
	tierMedical
	tierEdited
	tiers
)

// node is one attachment: a MAC of which no address was told (ip is zero), or
// an address together with the MAC of the frames that carried it (zero when
// unknown). Which device a node belongs to is decided when a view is built,
// never when evidence arrives: so it can be decided anew when more is known.
type node struct {
	mac   device.MAC
	ip    netip.Addr
	seq   uint16 // which holder of the address, see address.seq
	hops  uint8  // fewest routers seen in between
	tier  tier
	med   bool
	vlans [4]uint16

	first, last int64
	facts       []fact
	after       int     // index behind the fact that find found last
	named       []named // devices that messages of this node name
	version     uint64  // of the inventory, when a fact last came or went
	full        uint32  // evidence that found no room

	failed      uint32    // connections that nobody answered
	failedPeers [4]uint64 // which peers, as a bitmap of hashes

	prev, next *node // in the tier's list, most recent first
}

// find returns the fact with this content, of which there is at most one.
// Evidence repeats in the order in which it was first told, mostly: the search
// begins behind the fact that was found last.
func (n *node) find(attr device.Attribute, value, source string) *fact {
	k := n.after
	for range n.facts {
		if k >= len(n.facts) {
			k = 0
		}
		f := &n.facts[k]
		k++
		if len(f.value) == len(value) && f.attr == attr && f.value == value && f.source == source {
			n.after = k
			return f
		}
	}
	return nil
}

func (n *node) touch(t int64) {
	if t == 0 {
		return
	}
	if n.first == 0 || t < n.first {
		n.first = t
	}
	if t > n.last {
		n.last = t
	}
}

func (n *node) vlan(v uint16) {
	if v == 0 {
		return
	}
	for i := range n.vlans {
		if n.vlans[i] == v {
			return
		}
		if n.vlans[i] == 0 {
			n.vlans[i] = v
			return
		}
	}
}

// medicalAttribute reports whether an attribute is one that devices in care
// have and others do not.
func medicalAttribute(a device.Attribute) bool {
	switch a {
	case device.AttrUDI, device.AttrEUI64, device.AttrAETitle, device.AttrDICOMImpl, device.AttrDICOMRole, device.AttrModality,
		device.AttrHL7App, device.AttrHL7Facility, device.AttrHL7Role, device.AttrRegistration:
		return true
	}
	return false
}

// claim is a stretch of time in which a MAC claimed an address: by ARP, by
// neighbour discovery, by a DHCP lease.
type claim struct {
	mac      device.MAC
	seq      uint16
	from, to int64
	count    uint64
	source   string
	soft     bool // by hearsay: gives way to every other claim
}

// duplicate is two MACs claiming one address by turns.
type duplicate struct {
	a, b     device.MAC
	from, to int64
	count    uint64
}

// address is what is known of one IP address over time.
type address struct {
	ip     netip.Addr
	seq    uint16  // counts holders: rises when another MAC takes over, or after a long silence
	nodes  []*node // of the present holder
	old    []*node // of earlier holders, oldest first
	claims []claim
	dups   []duplicate
	since  int64 // when the present holder began, 0 for the first
	last   int64
}

// Bounds of one address, small because honest addresses need few.
const (
	maxNodesPerAddress  = 16
	maxOldPerAddress    = 16
	maxClaimsPerAddress = 16
	maxDupsPerAddress   = 4
)

func (a *address) node(m device.MAC) *node {
	for _, n := range a.nodes {
		if n.mac == m {
			return n
		}
	}
	return nil
}

// claimed returns the latest claim of holder seq, and whether m claimed it.
func (a *address) claimed(seq uint16, m device.MAC) (latest *claim, byM bool) {
	for i := range a.claims {
		c := &a.claims[i]
		if c.seq != seq {
			continue
		}
		if c.mac == m {
			byM = true
		}
		if latest == nil || c.to >= latest.to {
			latest = c
		}
	}
	return latest, byM
}

// key16 is an address as a map key: IPv4 in its IPv6-mapped form.
type key16 [16]byte

func keyOf(ip netip.Addr) key16 { return ip.As16() }

// usable reports whether an address can be a device's own.
func usable(ip netip.Addr) bool {
	if !ip.IsValid() || ip.IsUnspecified() || ip.IsMulticast() {
		return false
	}
	if ip.Is4() {
		b := ip.As4()
		return b != [4]byte{255, 255, 255, 255} && b[0] != 0 && b[0] < 240
	}
	return true
}

// lists holds the nodes of each tier in the order of their last use.
type lists [tiers]struct {
	head, tail *node
	n          int
}

func (l *lists) push(n *node) {
	t := &l[n.tier]
	n.prev, n.next = nil, t.head
	if t.head != nil {
		t.head.prev = n
	}
	t.head = n
	if t.tail == nil {
		t.tail = n
	}
	t.n++
}

func (l *lists) remove(n *node) {
	t := &l[n.tier]
	if n.prev != nil {
		n.prev.next = n.next
	} else {
		t.head = n.next
	}
	if n.next != nil {
		n.next.prev = n.prev
	} else {
		t.tail = n.prev
	}
	n.prev, n.next = nil, nil
	t.n--
}

// front marks n as used just now.
func (l *lists) front(n *node) {
	if l[n.tier].head == n {
		return
	}
	l.remove(n)
	l.push(n)
}

func (l *lists) move(n *node, to tier) {
	l.remove(n)
	n.tier = to
	l.push(n)
}

// oldest returns the node to forget next.
func (l *lists) oldest() *node {
	for i := range l {
		if l[i].tail != nil {
			return l[i].tail
		}
	}
	return nil
}
