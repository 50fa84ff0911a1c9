// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/device"
)

// element is the smallest thing that is surely one device: a MAC that is its
// own, one holder's time at an address without a known MAC, or a device that
// messages name.
type element struct {
	key    string
	rank   int // of its key for making IDs, best first
	mac    device.MAC
	ip     netip.Addr
	seq    uint16
	nodes  []*node
	named  *named
	sender int  // the element that named it, -1
	many   bool // its messages name several devices, which are not itself
	router string
	split  int   // a person set it apart: elements of different splits never join by evidence
	parent int   // union-find
	set    []int // of a representative: the others of its set
	joined []join
}

// join is why two elements are one device.
type join struct {
	why  string
	conf device.Confidence
}

// component is one device of a view.
type component struct {
	id        string
	aliases   []string
	elements  []int
	nodes     []*node
	named     []*named
	via       int // element that named it, -1
	many      bool
	router    string
	joined    []join
	conflicts []device.Conflict
	peers     peers
	edited    *edited
	external  bool
}

// view is a decision about all nodes at one moment: which of them are one
// device. It is replaced, never changed.
type view struct {
	change    uint64
	at        int64
	elems     []element
	comps     []component
	byID      map[string]int
	byNode    map[*node]int
	byMAC     map[device.MAC]int
	conflicts map[int][]device.Conflict // by element, before joining
}

// mint is the ID that was first given for a key.
type mint struct {
	ID  string `json:"id"`
	Seq uint64 `json:"seq"`
}

var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newID makes the ID for a key: the same key gives the same ID everywhere.
func newID(key string) string {
	sum := sha256.Sum256([]byte("asepsis device\x00" + key))
	return "dev-" + idEncoding.EncodeToString(sum[:10])
}

func (v *view) idOf(n *node) string {
	if n == nil {
		return ""
	}
	if c, ok := v.byNode[n]; ok && c >= 0 {
		return v.comps[c].id
	}
	return ""
}

// current returns the view of everything observed so far.
func (i *Inventory) current() *view {
	if i.view == nil || i.view.change != i.change {
		i.view = i.build()
	}
	return i.view
}

// build decides anew which nodes belong together. The order of observation
// does not matter beyond what claims say about time.
func (i *Inventory) build() *view {
	v := &view{change: i.change, at: i.now, byID: map[string]int{}, byNode: map[*node]int{}, byMAC: map[device.MAC]int{}, conflicts: map[int][]device.Conflict{}}
	addrs := make([]*address, 0, len(i.addrs))
	for _, a := range i.addrs {
		addrs = append(addrs, a)
	}
	slices.SortFunc(addrs, func(a, b *address) int { return a.ip.Compare(b.ip) })
	infos := i.survey(addrs)
	i.elements(v, addrs, infos)
	i.children(v)
	i.joinAddresses(v)
	i.joinIdentifiers(v)
	i.joinPeople(v)
	i.components(v)
	i.countPeers(v)
	return v
}

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
				e, foreign := -1, false
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
			why := fmt.Sprintf("two MACs claim %s by turns, %d times seen", a.ip, d.count)
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

// root finds the representative of an element's set.
func (v *view) root(e int) int {
	for v.elems[e].parent != e {
		v.elems[e].parent = v.elems[v.elems[e].parent].parent
		e = v.elems[e].parent
	}
	return e
}

// union joins two sets. The lower index stays the representative.
func (v *view) union(a, b int, why string, conf device.Confidence) {
	a, b = v.root(a), v.root(b)
	if a == b {
		return
	}
	if b < a {
		a, b = b, a
	}
	v.elems[b].parent = a
	v.elems[a].set = append(append(v.elems[a].set, b), v.elems[b].set...)
	v.elems[b].set = nil
	v.elems[a].joined = append(append(v.elems[a].joined, v.elems[b].joined...), join{why, conf})
	v.elems[b].joined = nil
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

// contradict reports that two elements have different values of something
// that one device has one of.
func (v *view) contradict(a, b int) bool {
	for _, attr := range []device.Attribute{device.AttrSerial, device.AttrEUI64, device.AttrUDI, device.AttrHostname, device.AttrAETitle} {
		x, y := v.values(a, attr), v.values(b, attr)
		if len(x) == 0 || len(y) == 0 {
			continue
		}
		common := false
		for s := range x {
			if y[s] {
				common = true
			}
		}
		if !common {
			return true
		}
	}
	return false
}

func (v *view) values(e int, attr device.Attribute) map[string]bool {
	var out map[string]bool
	v.elems[e].each(func(f *fact) {
		if f.attr == attr && f.conf >= device.Claimed {
			if out == nil {
				out = map[string]bool{}
			}
			out[strings.ToLower(f.value)] = true
		}
	})
	return out
}

// each calls do with every fact about the element itself. What its messages
// say about other devices is left out.
func (e *element) each(do func(*fact)) {
	for _, n := range e.nodes {
		for k := range n.facts {
			f := &n.facts[k]
			if ofOthers(f, e.many) {
				continue
			}
			do(f)
		}
	}
	if e.named != nil {
		for k := range e.named.facts {
			do(&e.named.facts[k])
		}
	}
}

// ofOthers reports that a fact was said by a device about another: one of
// several that its HL7 messages or FHIR writes name.
func ofOthers(f *fact, many bool) bool {
	switch f.attr {
	case device.AttrUDI, device.AttrEUI64, device.AttrVendor, device.AttrModel, device.AttrSerial, device.AttrDeviceID, device.AttrFirmware, device.AttrClass, device.AttrRegistration:
	default:
		return false
	}
	if !many {
		return false
	}
	if strings.HasPrefix(f.source, "fhir.device") {
		return true
	}
	return strings.HasPrefix(f.source, "hl7.") && !strings.HasPrefix(f.source, "hl7.sft") && !strings.HasPrefix(f.source, "hl7.msh") && f.source != "hl7.devices-behind"
}
