// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"net/netip"
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
	heard  heard                 // by expression and value
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
