// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
)

// Inventory fuses evidence into devices. It is safe for concurrent use.
type Inventory struct {
	cfg       Config
	networks  []Network
	overrides []Override
	rules     *ruleSet

	mu     sync.Mutex
	now    int64 // latest time seen in any event
	macs   map[device.MAC]*node
	addrs  map[key16]*address
	order  lists
	nodes  int
	facts  int    // of all nodes
	change uint64 // rises with everything that can change a view's structure
	convs  conversations
	minted map[string]mint // element key to the ID first given for it
	mints  uint64
	edits  edits
	stats  Stats
	view   *view
	judged map[uint64]*judgement // by content
}

// Stats counts what went in and what had to be left out.
type Stats struct {
	Events               uint64 `json:"events"`
	Evidence             uint64 `json:"evidence"`
	EvidenceIgnored      uint64 `json:"evidence_ignored"`       // about group or unspecified addresses, or empty
	EvidenceOverflow     uint64 `json:"evidence_overflow"`      // beyond max_facts or max_values of an attachment
	NodesEvicted         uint64 `json:"nodes_evicted"`          // attachments forgotten to stay within max_nodes
	MedicalEvicted       uint64 `json:"medical_evicted"`        // of these, with medical evidence
	EditedEvicted        uint64 `json:"edited_evicted"`         // of these, edited by a person
	ConversationsEvicted uint64 `json:"conversations_evicted"`  // pairs forgotten to stay within max_conversations
	NamedOverflow        uint64 `json:"named_devices_overflow"` // devices named by messages beyond max_named
	Nodes                int    `json:"nodes"`
	Facts                int    `json:"facts"`
	Conversations        int    `json:"conversations"`
}

// New makes an empty inventory.
func New(cfg Config, opts ...Option) (*Inventory, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	i := &Inventory{cfg: cfg, rules: builtinRules()}
	for _, o := range opts {
		if err := o(i); err != nil {
			return nil, err
		}
	}
	i.reset()
	return i, nil
}

func (i *Inventory) reset() {
	i.now, i.nodes, i.facts, i.change = 0, 0, 0, i.change+1
	i.macs = map[device.MAC]*node{}
	i.addrs = map[key16]*address{}
	i.order = lists{}
	i.convs.init(i.cfg.MaxConversations)
	i.minted = map[string]mint{}
	i.edits = edits{}
	i.stats = Stats{}
	i.view, i.judged = nil, nil
}

// Stats returns the counters.
func (i *Inventory) Stats() Stats {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := i.stats
	s.Nodes, s.Facts, s.Conversations = i.nodes, i.facts, len(i.convs.byKey)
	s.ConversationsEvicted = i.convs.evicted
	return s
}

// Observe takes one event. Events of classes that tell nothing about devices
// cost a type switch. Evidence that repeats what is known allocates nothing.
func (i *Inventory) Observe(e *event.Event) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.stats.Events++
	if e.Time > i.now {
		i.now = e.Time
	}
	switch d := e.Detail.(type) {
	case *event.DeviceEvidence:
		i.evidence(&d.Evidence)
	case *event.Connection:
		i.connection(e, d)
	case *event.HL7Message:
		if e.Flow != nil {
			i.operation(e)
			for k := range d.Devices {
				i.names(e, e.Flow.Src, e.Flow.SrcHops, &d.Devices[k], "hl7")
			}
		}
	case *event.Rest:
		if e.Flow != nil {
			i.operation(e)
			switch {
			case d.Device == nil:
			case d.Interaction == "create" || d.Interaction == "update":
				i.names(e, e.Flow.Src, e.Flow.SrcHops, d.Device, "fhir-write")
			default:
				i.names(e, e.Flow.Dst, e.Flow.DstHops, d.Device, "fhir")
			}
		}
	case *event.DICOMOperation, *event.DICOMAssociation, *event.MedicalDevice:
		if e.Flow != nil {
			i.operation(e)
		}
	}
}

// evidence files one piece of evidence under its subject's node.
func (i *Inventory) evidence(ev *device.Evidence) {
	i.stats.Evidence++
	sub := ev.Subject
	n := i.subject(sub, ev.Last)
	if n == nil || ev.Value == "" {
		i.stats.EvidenceIgnored++
		return
	}
	n.vlan(sub.VLAN)
	switch ev.Attribute {
	case device.AttrIP:
		if ip, err := netip.ParseAddr(ev.Value); err == nil && !sub.MAC.IsZero() && sub.Hops == 0 && binds(ev.Source) && ev.Confidence >= device.Hint {
			i.claim(sub.MAC, ip.Unmap().WithZone(""), ev.Last, ev.Source, false)
		}
	case device.AttrMAC:
		// What a device tells of its MAC from behind a router. On the link
		// its frames tell better: there it may be another of its MACs.
		if m, err := device.ParseMAC(ev.Value); err == nil && (sub.MAC.IsZero() || sub.Hops > 0) && ev.Confidence >= device.Claimed && tellsMAC(ev.Source) {
			i.claim(m, sub.IP.Unmap().WithZone(""), ev.Last, ev.Source, true)
		}
	}
	i.record(n, ev)
}

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

// record adds the evidence to the node or counts it as seen again.
func (i *Inventory) record(n *node, ev *device.Evidence) {
	if f := n.find(ev.Attribute, ev.Value, ev.Source); f != nil {
		f.count += max(ev.Count, 1)
		if ev.Last > f.last {
			f.last = ev.Last
		}
		if ev.First != 0 && ev.First < f.first {
			f.first = ev.First
		}
		if ev.Confidence > f.conf {
			f.conf = ev.Confidence
			i.changed(n)
		}
		return
	}
	values, weakest := 0, -1
	for k := range n.facts {
		f := &n.facts[k]
		if f.attr == ev.Attribute {
			values++
			if weakest < 0 || f.conf < n.facts[weakest].conf || f.conf == n.facts[weakest].conf && f.last < n.facts[weakest].last {
				weakest = k
			}
		}
	}
	nf := fact{attr: ev.Attribute, value: ev.Value, source: ev.Source, first: ev.First, last: ev.Last, count: max(ev.Count, 1), conf: min(ev.Confidence, device.Verified)}
	if nf.first == 0 {
		nf.first = nf.last
	}
	if values >= i.maxValues(ev.Attribute) || len(n.facts) >= i.cfg.MaxFacts {
		n.full++
		i.stats.EvidenceOverflow++
		// The newest of equals takes the place of the oldest: a device that
		// changes its name often shows its last names, not its first.
		if weakest < 0 || n.facts[weakest].conf > nf.conf {
			return
		}
		n.facts[weakest] = nf
	} else {
		n.facts = append(n.facts, nf)
		i.facts++
		i.makeRoom(n)
	}
	i.changed(n)
	if !n.med && (medicalAttribute(nf.attr) || nf.attr == device.AttrClass && device.Class(nf.value).Medical()) {
		n.med = true
		i.promote(n)
	}
}

// maxValues bounds the values of an attribute. A requestor of DICOM
// associations proposes up to 128 presentation contexts.
func (i *Inventory) maxValues(a device.Attribute) int {
	switch a {
	case device.AttrDICOMRole, device.AttrService, device.AttrUses:
		return 5 * i.cfg.MaxValues
	}
	return i.cfg.MaxValues
}

func (i *Inventory) changed(n *node) {
	i.change++
	n.version = i.change
}

// subject returns the node for a subject, made when it is new, or nil when
// the subject names no device.
func (i *Inventory) subject(sub device.Subject, t int64) *node {
	m := sub.MAC
	if m.IsGroup() {
		m = device.MAC{}
	}
	if !sub.IP.IsValid() || !usable(sub.IP) {
		if m.IsZero() {
			return nil
		}
		n := i.macs[m]
		if n == nil {
			n = &node{mac: m, hops: sub.Hops}
			i.macs[m] = n
			i.added(n)
		}
		i.seen(n, t)
		return n
	}
	n := i.attachment(sub.IP, m, sub.Hops, t)
	if sub.Hops < n.hops {
		n.hops = sub.Hops
		i.changed(n)
	}
	i.seen(n, t)
	return n
}

// attachment returns the node of an address seen with a MAC.
func (i *Inventory) attachment(ip netip.Addr, m device.MAC, hops uint8, t int64) *node {
	k := keyOf(ip)
	a := i.addrs[k]
	if a == nil {
		a = &address{ip: ip.Unmap().WithZone(""), last: t}
		i.addrs[k] = a
	}
	if a.last != 0 && t-a.last > int64(i.cfg.ReuseGap) {
		i.handOver(a, t)
	}
	if t != 0 && t < a.since && a.seq > 0 {
		return i.former(a, m, hops)
	}
	if t > a.last {
		a.last = t
	}
	n := a.node(m)
	if n == nil {
		if len(a.nodes) >= maxNodesPerAddress {
			// Someone sends one address from ever new MACs: the oldest goes.
			i.forget(a.nodes[0])
			i.addrs[k] = a
		}
		n = &node{mac: m, ip: a.ip, seq: a.seq, hops: hops}
		a.nodes = append(a.nodes, n)
		i.added(n)
	}
	return n
}

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

// added files a new node and makes room for it.
func (i *Inventory) added(n *node) {
	i.nodes++
	i.order.push(n)
	i.facts += len(n.facts)
	i.changed(n)
	i.makeRoom(n)
}

// makeRoom forgets the least valuable nodes, n not among them, until the
// bounds are kept.
func (i *Inventory) makeRoom(n *node) {
	for i.nodes > i.cfg.MaxNodes || i.facts > i.cfg.MaxEvidenceTotal {
		v := i.order.oldest()
		if v == n { // never the one that is being filled
			if v = n.prev; v == nil {
				for t := n.tier + 1; t < tiers; t++ {
					if v = i.order[t].tail; v != nil {
						break
					}
				}
			}
		}
		if v == nil {
			return
		}
		i.stats.NodesEvicted++
		if v.med {
			i.stats.MedicalEvicted++
		}
		if v.tier == tierEdited {
			i.stats.EditedEvicted++
		}
		i.forget(v)
	}
}

// seen notes the use of a node. Its place in the order changes at most once a
// second of capture time, so that repeats stay cheap.
func (i *Inventory) seen(n *node, t int64) {
	const second = 1e9
	if t-n.last < second && n.last != 0 {
		n.touch(t)
		return
	}
	n.touch(t)
	i.order.front(n)
	if (n.tier == tierFresh || n.tier == tierFreshMedical) && n.last-n.first >= int64(i.cfg.EstablishAfter) {
		i.promote(n)
	}
}

// promote puts a node into the tier that it has earned.
func (i *Inventory) promote(n *node) {
	if n.tier == tierEdited {
		return
	}
	to := tierFresh
	old := n.last-n.first >= int64(i.cfg.EstablishAfter)
	switch {
	case n.med && old:
		to = tierMedical
	case n.med:
		to = tierFreshMedical
	case old:
		to = tierEstablished
	}
	if to > n.tier {
		i.order.move(n, to)
	}
}

// forget removes a node.
func (i *Inventory) forget(n *node) {
	i.order.remove(n)
	i.nodes--
	i.facts -= len(n.facts)
	i.change++
	if !n.ip.IsValid() {
		delete(i.macs, n.mac)
		return
	}
	a := i.addrs[keyOf(n.ip)]
	if a == nil {
		return
	}
	drop := func(s []*node) []*node {
		for k, o := range s {
			if o == n {
				return append(s[:k], s[k+1:]...)
			}
		}
		return s
	}
	a.nodes, a.old = drop(a.nodes), drop(a.old)
	if len(a.nodes)+len(a.old) == 0 {
		delete(i.addrs, keyOf(n.ip))
	}
}

// ipKey names one holder's time at an address of which no MAC is known.
func ipKey(ip netip.Addr, seq uint16) string {
	var b strings.Builder
	b.WriteString("ip:")
	b.WriteString(ip.String())
	if seq > 0 {
		b.WriteByte('#')
		b.WriteString(strconv.Itoa(int(seq)))
	}
	return b.String()
}
