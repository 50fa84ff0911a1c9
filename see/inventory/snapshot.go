// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"

	"github.com/asepsis/asepsis/core/device"
)

// SnapshotVersion is the version of the form that Save writes. Load reads this
// one and refuses others.
const SnapshotVersion = 1

const snapshotFormat = "asepsis-inventory"

// maxSnapshot bounds what Load reads.
const maxSnapshot = 4 << 30

// ErrSnapshot says that a snapshot cannot be used.
var ErrSnapshot = errors.New("inventory snapshot")

type savedFact struct {
	Attr   device.Attribute  `json:"a"`
	Value  string            `json:"v"`
	Source string            `json:"s"`
	Conf   device.Confidence `json:"c"`
	First  int64             `json:"f"`
	Last   int64             `json:"l"`
	Count  uint64            `json:"n"`
}

type savedNamed struct {
	Key   string      `json:"key"`
	IDs   []string    `json:"ids"`
	First int64       `json:"first"`
	Last  int64       `json:"last"`
	Facts []savedFact `json:"facts"`
}

type savedNode struct {
	MAC         device.MAC   `json:"mac,omitzero"`
	IP          netip.Addr   `json:"ip,omitzero"`
	Seq         uint16       `json:"seq,omitempty"`
	Hops        uint8        `json:"hops,omitempty"`
	VLANs       []uint16     `json:"vlans,omitempty"`
	First       int64        `json:"first"`
	Last        int64        `json:"last"`
	Failed      uint32       `json:"failed,omitempty"`
	FailedPeers [4]uint64    `json:"failed_peers,omitzero"`
	Full        uint32       `json:"full,omitempty"`
	Facts       []savedFact  `json:"facts,omitempty"`
	Named       []savedNamed `json:"named,omitempty"`
}

type savedClaim struct {
	MAC    device.MAC `json:"mac"`
	Seq    uint16     `json:"seq"`
	From   int64      `json:"from"`
	To     int64      `json:"to"`
	Count  uint64     `json:"count"`
	Source string     `json:"source"`
	Soft   bool       `json:"soft,omitempty"`
}

type savedDuplicate struct {
	A     device.MAC `json:"a"`
	B     device.MAC `json:"b"`
	From  int64      `json:"from"`
	To    int64      `json:"to"`
	Count uint64     `json:"count"`
}

type savedAddress struct {
	IP     netip.Addr       `json:"ip"`
	Seq    uint16           `json:"seq"`
	Since  int64            `json:"since,omitempty"`
	Last   int64            `json:"last"`
	Claims []savedClaim     `json:"claims,omitempty"`
	Dups   []savedDuplicate `json:"duplicates,omitempty"`
}

type savedEnd struct {
	IP  netip.Addr `json:"ip"`
	MAC device.MAC `json:"mac,omitzero"`
	Seq uint16     `json:"seq,omitempty"`
}

type savedConv struct {
	Src    savedEnd `json:"src"`
	Dst    savedEnd `json:"dst"`
	Proto  uint8    `json:"proto"`
	Port   uint16   `json:"port,omitempty"`
	App    string   `json:"app,omitempty"`
	Flows  uint64   `json:"flows"`
	Failed uint64   `json:"failed,omitempty"`
	Out    uint64   `json:"out"`
	In     uint64   `json:"in"`
	Ops    uint64   `json:"ops,omitempty"`
	First  int64    `json:"first"`
	Last   int64    `json:"last"`
}

type snapshot struct {
	Format        string          `json:"format"`
	Version       int             `json:"version"`
	Now           int64           `json:"now"`
	Mints         uint64          `json:"mints"`
	EditSeq       uint64          `json:"edit_seq"`
	IDs           map[string]mint `json:"ids"`
	Edits         []Edit          `json:"edits,omitempty"`
	Stats         Stats           `json:"stats"`
	Nodes         []savedNode     `json:"nodes"`
	Addresses     []savedAddress  `json:"addresses"`
	Conversations []savedConv     `json:"conversations"`
}

func saveFacts(in []fact) []savedFact {
	out := make([]savedFact, 0, len(in))
	for _, f := range in {
		out = append(out, savedFact{f.attr, f.value, f.source, f.conf, f.first, f.last, f.count})
	}
	return out
}

// Save writes everything known, edits by people included, as one JSON object.
// IDs stay the same over Save and Load. The same state gives the same bytes.
func (i *Inventory) Save(w io.Writer) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.current() // so that every device has its ID
	s := snapshot{Format: snapshotFormat, Version: SnapshotVersion, Now: i.now, Mints: i.mints, EditSeq: i.edits.seq, IDs: i.minted, Edits: i.edits.log, Stats: i.stats}
	node := func(n *node) {
		x := savedNode{MAC: n.mac, IP: n.ip, Seq: n.seq, Hops: n.hops, First: n.first, Last: n.last, Failed: n.failed, FailedPeers: n.failedPeers, Full: n.full, Facts: saveFacts(n.facts)}
		for _, v := range n.vlans {
			if v != 0 {
				x.VLANs = append(x.VLANs, v)
			}
		}
		for _, d := range n.named {
			x.Named = append(x.Named, savedNamed{d.key, d.ids, d.first, d.last, saveFacts(d.facts)})
		}
		s.Nodes = append(s.Nodes, x)
	}
	for _, n := range sortedMACs(i.macs) {
		node(n)
	}
	addrs := make([]*address, 0, len(i.addrs))
	for _, a := range i.addrs {
		addrs = append(addrs, a)
	}
	slices.SortFunc(addrs, func(a, b *address) int { return a.ip.Compare(b.ip) })
	for _, a := range addrs {
		x := savedAddress{IP: a.ip, Seq: a.seq, Since: a.since, Last: a.last}
		for _, c := range a.claims {
			x.Claims = append(x.Claims, savedClaim{c.mac, c.seq, c.from, c.to, c.count, c.source, c.soft})
		}
		for _, d := range a.dups {
			x.Dups = append(x.Dups, savedDuplicate{d.a, d.b, d.from, d.to, d.count})
		}
		s.Addresses = append(s.Addresses, x)
		for _, n := range a.old {
			node(n)
		}
		for _, n := range a.nodes {
			node(n)
		}
	}
	for c := i.convs.tail; c != nil; c = c.prev {
		end := func(e end) savedEnd { return savedEnd{netip.AddrFrom16(e.ip).Unmap(), e.mac, e.seq} }
		s.Conversations = append(s.Conversations, savedConv{end(c.key.src), end(c.key.dst), c.key.proto, c.key.port, c.key.app, c.flows, c.failed, c.out, c.in, c.ops, c.first, c.last})
	}
	if err := json.NewEncoder(w).Encode(&s); err != nil {
		return fmt.Errorf("%w: write: %w", ErrSnapshot, err)
	}
	return nil
}

func sortedMACs(m map[device.MAC]*node) []*node {
	out := make([]*node, 0, len(m))
	for _, n := range m {
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b *node) int { return slices.Compare(a.mac[:], b.mac[:]) })
	return out
}

// Load replaces what the inventory knows with a snapshot. On an error nothing
// has changed. What exceeds the configured bounds is evicted as it would be
// when observed.
func (i *Inventory) Load(r io.Reader) error {
	var s snapshot
	d := json.NewDecoder(io.LimitReader(r, maxSnapshot))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return fmt.Errorf("%w: read: %w", ErrSnapshot, err)
	}
	if s.Format != snapshotFormat {
		return fmt.Errorf("%w: format %q, want %q", ErrSnapshot, s.Format, snapshotFormat)
	}
	if s.Version != SnapshotVersion {
		return fmt.Errorf("%w: version %d, this program reads %d", ErrSnapshot, s.Version, SnapshotVersion)
	}
	for k, e := range s.Edits {
		if e.Seq == 0 || e.Seq > s.EditSeq || e.Who == "" {
			return fmt.Errorf("%w: edit %d has no place or nobody who made it", ErrSnapshot, k)
		}
	}
	// Nodes are filed oldest first, so that the order of forgetting is kept.
	slices.SortStableFunc(s.Nodes, func(a, b savedNode) int { return cmp.Compare(a.Last, b.Last) })
	fresh := &Inventory{cfg: i.cfg, networks: i.networks, overrides: i.overrides, rules: i.rules}
	fresh.reset()
	for _, x := range s.Addresses {
		if !usable(x.IP) || len(x.Claims) > maxClaimsPerAddress || len(x.Dups) > maxDupsPerAddress {
			return fmt.Errorf("%w: address %s cannot be", ErrSnapshot, x.IP)
		}
		a := &address{ip: x.IP, seq: x.Seq, since: x.Since, last: x.Last}
		for _, c := range x.Claims {
			a.claims = append(a.claims, claim{c.MAC, c.Seq, c.From, c.To, c.Count, c.Source, c.Soft})
		}
		for _, d := range x.Dups {
			a.dups = append(a.dups, duplicate{d.A, d.B, d.From, d.To, d.Count})
		}
		fresh.addrs[keyOf(x.IP)] = a
	}
	sources := map[string]string{}
	same := func(v string) string {
		if o, ok := sources[v]; ok {
			return o
		}
		sources[v] = v
		return v
	}
	load := func(in []savedFact, limit int) []fact {
		if len(in) > limit {
			in = in[:limit]
		}
		out := make([]fact, 0, len(in))
		for _, f := range in {
			out = append(out, fact{attr: device.Attribute(same(string(f.Attr))), value: f.Value, source: same(f.Source), first: f.First, last: f.Last, count: f.Count, conf: min(f.Conf, device.Verified)})
		}
		return out
	}
	for _, x := range s.Nodes {
		n := &node{mac: x.MAC, ip: x.IP, seq: x.Seq, hops: x.Hops, first: x.First, last: x.Last, failed: x.Failed, failedPeers: x.FailedPeers, full: x.Full, facts: load(x.Facts, i.cfg.MaxFacts)}
		copy(n.vlans[:], x.VLANs)
		for _, d := range x.Named {
			if len(n.named) < i.cfg.MaxNamed {
				n.named = append(n.named, named{key: d.Key, ids: d.IDs[:min(len(d.IDs), maxNamedIDs)], first: d.First, last: d.Last, facts: load(d.Facts, maxNamedFacts)})
			}
		}
		n.med = len(n.named) > 0
		for _, f := range n.facts {
			n.med = n.med || medicalAttribute(f.attr) || f.attr == device.AttrClass && device.Class(f.value).Medical()
		}
		if !n.ip.IsValid() {
			if n.mac.IsZero() || fresh.macs[n.mac] != nil {
				return fmt.Errorf("%w: MAC %s is there twice or empty", ErrSnapshot, n.mac)
			}
			fresh.macs[n.mac] = n
		} else {
			a := fresh.addrs[keyOf(n.ip)]
			if a == nil || n.seq > a.seq {
				return fmt.Errorf("%w: a node at %s has no address", ErrSnapshot, n.ip)
			}
			if n.seq == a.seq {
				a.nodes = append(a.nodes, n)
			} else {
				a.old = append(a.old, n)
			}
		}
		fresh.added(n)
		fresh.promote(n)
	}
	for k, a := range fresh.addrs {
		if len(a.nodes)+len(a.old) == 0 {
			delete(fresh.addrs, k)
		}
		slices.SortStableFunc(a.old, func(x, y *node) int { return cmp.Compare(x.seq, y.seq) })
	}
	for _, x := range s.Conversations {
		end := func(e savedEnd) end { return end{keyOf(e.IP), e.MAC, e.Seq} }
		if !x.Src.IP.IsValid() || !x.Dst.IP.IsValid() {
			return fmt.Errorf("%w: a conversation has no address", ErrSnapshot)
		}
		c := fresh.convs.get(convKey{end(x.Src), end(x.Dst), x.Proto, x.Port, same(x.App)}, x.Last)
		c.flows, c.failed, c.out, c.in, c.ops, c.first, c.last = x.Flows, x.Failed, x.Out, x.In, x.Ops, x.First, x.Last
	}
	evicted, medical := fresh.stats.NodesEvicted, fresh.stats.MedicalEvicted
	fresh.stats = s.Stats
	fresh.stats.NodesEvicted += evicted
	fresh.stats.MedicalEvicted += medical

	i.mu.Lock()
	defer i.mu.Unlock()
	i.now, i.macs, i.addrs, i.order, i.nodes, i.facts, i.convs, i.stats = s.Now, fresh.macs, fresh.addrs, fresh.order, fresh.nodes, fresh.facts, fresh.convs, fresh.stats
	i.minted, i.mints, i.edits = s.IDs, s.Mints, edits{log: s.Edits, seq: s.EditSeq}
	if i.minted == nil {
		i.minted = map[string]mint{}
	}
	i.change += fresh.change + 1 // versions of loaded nodes are new here
	i.view, i.judged = nil, nil
	return nil
}
