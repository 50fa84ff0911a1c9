// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
)

// Conversation is who talks to whom in which protocol: all flows from one
// device to one service of another.
type Conversation struct {
	From        string     `json:"from,omitempty"` // device ID of the client, "" when it is no device of the inventory
	To          string     `json:"to,omitempty"`
	FromAddress netip.Addr `json:"from_address,omitzero"`
	ToAddress   netip.Addr `json:"to_address,omitzero"`
	Protocol    string     `json:"protocol,omitempty"` // found by content, "" when not recognised
	Transport   string     `json:"transport"`          // "tcp", "udp", or the IP protocol's number
	Port        uint16     `json:"port,omitempty"`     // of the service
	Flows       uint64     `json:"flows"`
	Failed      uint64     `json:"failed,omitempty"` // of the flows, not answered or refused
	BytesOut    uint64     `json:"bytes_out"`        // from the client
	BytesIn     uint64     `json:"bytes_in"`
	Operations  uint64     `json:"operations,omitempty"` // DICOM, HL7, FHIR and device messages
	First       int64      `json:"first"`                // ns since the Unix epoch, UTC
	Last        int64      `json:"last"`
}

// end is one side of a conversation as it was seen.
type end struct {
	ip  key16
	mac device.MAC
	seq uint16
}

type convKey struct {
	src, dst end
	proto    uint8
	port     uint16
	app      string
}

type conv struct {
	key         convKey
	flows       uint64
	failed      uint64
	out, in     uint64
	ops         uint64
	first, last int64
	prev, next  *conv
}

// progress is what was already counted of a flow that reports while it lasts.
type progress struct {
	out, in uint64
	counted bool
}

// maxOpenFlows bounds the flows whose progress is remembered.
const maxOpenFlows = 65536

type conversations struct {
	limit      int
	byKey      map[convKey]*conv
	head, tail *conv // most recent first
	open       map[uint64]progress
	evicted    uint64
}

func (c *conversations) init(limit int) {
	*c = conversations{limit: limit, byKey: map[convKey]*conv{}, open: map[uint64]progress{}}
}

func (c *conversations) get(k convKey, t int64) *conv {
	v := c.byKey[k]
	if v == nil {
		for len(c.byKey) >= c.limit {
			old := c.tail
			c.unlink(old)
			delete(c.byKey, old.key)
			c.evicted++
		}
		v = &conv{key: k, first: t, last: t}
		c.byKey[k] = v
		c.link(v)
		return v
	}
	if c.head != v && t-v.last > 1e9 {
		c.unlink(v)
		c.link(v)
	}
	if t < v.first {
		v.first = t
	}
	if t > v.last {
		v.last = t
	}
	return v
}

func (c *conversations) link(v *conv) {
	v.prev, v.next = nil, c.head
	if c.head != nil {
		c.head.prev = v
	} else {
		c.tail = v
	}
	c.head = v
}

func (c *conversations) unlink(v *conv) {
	if v.prev != nil {
		v.prev.next = v.next
	} else {
		c.head = v.next
	}
	if v.next != nil {
		v.next.prev = v.prev
	} else {
		c.tail = v.prev
	}
	v.prev, v.next = nil, nil
}

// Activities of Connection, see core/event.
const (
	connOpen   = 1
	connFail   = 4
	connRefuse = 5
	connTraf   = 6
)

// connection takes a flow's summary. Its counters are those of the flow since
// its start: what an earlier report of the same flow brought is subtracted.
func (i *Inventory) connection(e *event.Event, d *event.Connection) {
	f := e.Flow
	if f == nil {
		return
	}
	t := max(e.Time, d.End)
	src := i.endOf(f.Src, f.SrcHops, f, true, t)
	// An address that never answered is no device.
	dst := i.endOf(f.Dst, f.DstHops, f, d.PacketsIn > 0, t)
	if !usable(f.Src.IP) || !f.Dst.IP.IsValid() {
		return
	}
	v := i.convs.get(convKey{src: src, dst: dst, proto: f.Proto, port: servicePort(f), app: d.App}, t)
	if d.Start != 0 && d.Start < v.first {
		v.first = d.Start
	}
	p, known := i.convs.open[f.ID]
	known = known && f.ID != 0
	if !known || !p.counted {
		v.flows++
	}
	v.out += d.BytesOut - min(p.out, d.BytesOut)
	v.in += d.BytesIn - min(p.in, d.BytesIn)
	switch e.Activity {
	case connOpen, connTraf:
		if f.ID != 0 && (known || len(i.convs.open) < maxOpenFlows) {
			i.convs.open[f.ID] = progress{out: d.BytesOut, in: d.BytesIn, counted: true}
		}
	default:
		delete(i.convs.open, f.ID)
	}
	if e.Activity == connFail || e.Activity == connRefuse {
		v.failed++
		if n := i.nodeOf(src); n != nil {
			n.failed++
			h := hash64(f.Dst.IP, f.Dst.Port)
			bit := uint64(1) << (h & 63)
			if w := &n.failedPeers[h>>6&3]; *w&bit == 0 {
				*w |= bit
				i.changed(n)
			}
		}
	}
}

// operation counts an application's operation in its conversation.
func (i *Inventory) operation(e *event.Event) {
	f := e.Flow
	if !usable(f.Src.IP) || !f.Dst.IP.IsValid() {
		return
	}
	src := i.endOf(f.Src, f.SrcHops, f, true, e.Time)
	dst := i.endOf(f.Dst, f.DstHops, f, true, e.Time)
	i.convs.get(convKey{src: src, dst: dst, proto: f.Proto, port: servicePort(f), app: e.Protocol}, e.Time).ops++
}

func servicePort(f *event.Flow) uint16 {
	if f.Proto == 6 || f.Proto == 17 || f.Proto == 132 {
		return f.Dst.Port
	}
	return 0
}

// endOf files that an end of a flow was there, when it is known to exist.
func (i *Inventory) endOf(p event.Endpoint, hops uint8, f *event.Flow, exists bool, t int64) end {
	if !p.IP.IsValid() {
		return end{}
	}
	e := end{ip: keyOf(p.IP), mac: p.MAC}
	if e.mac.IsGroup() {
		e.mac = device.MAC{}
	}
	if exists && usable(p.IP) {
		sub := device.Subject{IP: p.IP, MAC: e.mac, Hops: hops}
		if len(f.VLANs) > 0 {
			sub.VLAN = f.VLANs[len(f.VLANs)-1]
		}
		if n := i.subject(sub, t); n != nil {
			n.vlan(sub.VLAN)
			e.seq = n.seq
			return e
		}
	}
	if a := i.addrs[e.ip]; a != nil {
		e.seq = a.seq
	}
	return e
}

// nodeOf finds the node of a conversation's end.
func (i *Inventory) nodeOf(e end) *node {
	a := i.addrs[e.ip]
	if a == nil {
		return nil
	}
	var any *node
	for _, s := range [][]*node{a.nodes, a.old} {
		for _, n := range s {
			if n.seq == e.seq {
				if n.mac == e.mac {
					return n
				}
				any = n
			}
		}
	}
	return any
}

// hash64 spreads an address and port over the bits of a small bitmap (FNV-1a).
func hash64(ip netip.Addr, port uint16) uint64 {
	h := uint64(14695981039346656037)
	b := ip.As16()
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	h = (h ^ uint64(port)) * 1099511628211
	return h ^ h>>29
}

func transportName(proto uint8) string {
	switch proto {
	case 1:
		return "icmp"
	case 6:
		return "tcp"
	case 17:
		return "udp"
	case 58:
		return "icmpv6"
	case 132:
		return "sctp"
	}
	return "ip-" + strconv.Itoa(int(proto))
}

// Conversations returns who talks to whom, most bytes first.
func (i *Inventory) Conversations() []Conversation {
	i.mu.Lock()
	defer i.mu.Unlock()
	v := i.current()
	type key struct {
		from, to, app string
		fa, ta        netip.Addr
		proto         uint8
		port          uint16
	}
	sum := map[key]*Conversation{}
	for c := i.convs.head; c != nil; c = c.next {
		k := key{app: c.key.app, proto: c.key.proto, port: c.key.port}
		fa, ta := netip.AddrFrom16(c.key.src.ip).Unmap(), netip.AddrFrom16(c.key.dst.ip).Unmap()
		k.from, k.to = v.idOf(i.nodeOf(c.key.src)), v.idOf(i.nodeOf(c.key.dst))
		if k.from == "" {
			k.fa = fa
		}
		if k.to == "" {
			k.ta = ta
		}
		s := sum[k]
		if s == nil {
			s = &Conversation{From: k.from, To: k.to, FromAddress: fa, ToAddress: ta, Protocol: k.app, Transport: transportName(k.proto), Port: k.port, First: c.first, Last: c.last}
			sum[k] = s
		}
		s.Flows += c.flows
		s.Failed += c.failed
		s.BytesOut += c.out
		s.BytesIn += c.in
		s.Operations += c.ops
		s.First, s.Last = min(s.First, c.first), max(s.Last, c.last)
		if fa.Compare(s.FromAddress) < 0 {
			s.FromAddress = fa
		}
		if ta.Compare(s.ToAddress) < 0 {
			s.ToAddress = ta
		}
	}
	// A flow is recognised only once its content is seen. Operations may be
	// filed under the protocol's name while the flow's summary has none.
	out := make([]Conversation, 0, len(sum))
	for _, s := range sum {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b Conversation) int {
		return cmp.Or(
			cmp.Compare(b.BytesOut+b.BytesIn, a.BytesOut+a.BytesIn),
			cmp.Compare(b.Operations, a.Operations),
			a.FromAddress.Compare(b.FromAddress), a.ToAddress.Compare(b.ToAddress),
			cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Transport, b.Transport), cmp.Compare(a.Port, b.Port),
			cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), // link-local addresses are many devices'
		)
	})
	return out
}
