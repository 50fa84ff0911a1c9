// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/dns"
)

// maxAnswers is how many records one event lists.
const maxAnswers = 32

// The groups of multicast DNS (RFC 6762 §3) and LLMNR (RFC 4795 §2).
var (
	mdnsGroups  = [2]netip.Addr{netip.MustParseAddr("224.0.0.251"), netip.MustParseAddr("ff02::fb")}
	llmnrGroups = [2]netip.Addr{netip.MustParseAddr("224.0.0.252"), netip.MustParseAddr("ff02::1:3")}
)

// dnsKind tells the three protocols of one format apart: the group addresses
// and ports are theirs alone.
func dnsKind(c *analyze.Conn) string {
	for i := range c.Ends {
		ip := c.Ends[i].IP.WithZone("")
		switch {
		case ip == mdnsGroups[0] || ip == mdnsGroups[1]:
			return "mdns"
		case ip == llmnrGroups[0] || ip == llmnrGroups[1]:
			return "llmnr"
		}
	}
	for i := range c.Ends {
		switch c.Ends[i].Port {
		case 5353:
			return "mdns"
		case 5355:
			return "llmnr"
		}
	}
	return "dns"
}

func dnsProbe(kind string) func(*analyze.Conn, analyze.Dir, []byte) analyze.Match {
	return func(c *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
		missing := 0
		if p := c.Packet; p != nil {
			missing = p.Missing + len(p.Payload) - len(head)
		}
		if dns.Looks(head, missing) && dnsKind(c) == kind {
			return analyze.Yes
		}
		return analyze.No
	}
}

func dnsProtocol() analyze.Protocol {
	return analyze.Protocol{Name: "dns", Probe: dnsProbe("dns"), NewDatagram: func(*analyze.Conn) analyze.Datagram { return &dnsFlow{} }}
}

func llmnrProtocol() analyze.Protocol {
	return analyze.Protocol{Name: "llmnr", Probe: dnsProbe("llmnr"), NewDatagram: func(*analyze.Conn) analyze.Datagram { return &dnsFlow{} }}
}

// pendingQuery is a question that waits for its answer.
type pendingQuery struct {
	id, typ uint16
	dir     analyze.Dir
	at      int64
	name    string
	base    *event.DNS // where it is read in full
}

// dnsFlow joins answers with their questions.
type dnsFlow struct {
	pending []pendingQuery
	served  bool
}

func (f *dnsFlow) Packet(c *analyze.Conn, dir analyze.Dir, payload []byte, missing int) analyze.Verdict {
	m, err := dns.Parse(payload)
	if err != nil && missing == 0 && len(m.Questions) == 0 && len(m.Answers) == 0 {
		return analyze.More
	}
	f.message(c, dir, m)
	return analyze.More
}

func (f *dnsFlow) message(c *analyze.Conn, dir analyze.Dir, m *dns.Message) {
	orient(c, dir, m.Response)
	name, typ := "", uint16(0)
	if len(m.Questions) > 0 {
		name, typ = m.Questions[0].Name, m.Questions[0].Type
	}
	var d *event.DNS
	if c.Full() {
		d = dnsDetail(m)
	}
	if !m.Response {
		if len(f.pending) >= maxPendingQueries {
			f.emitQuery(c, &f.pending[0])
			f.pending = f.pending[1:]
		}
		for i := range f.pending {
			if f.pending[i].id == m.ID && f.pending[i].name == name && f.pending[i].typ == typ {
				return // asked again
			}
		}
		f.pending = append(f.pending, pendingQuery{id: m.ID, typ: typ, at: c.Now, dir: dir, name: name, base: d})
		return
	}
	activity := uint8(2)
	for i := range f.pending {
		q := &f.pending[i]
		if q.id == m.ID && q.dir != dir && (m.Counts[0] == 0 || strings.EqualFold(q.name, name) && q.typ == typ) {
			activity = 6
			if d != nil && d.Questions == 0 {
				d.Query, d.Type, d.QClass, d.Questions = q.base.Query, q.base.Type, q.base.QClass, q.base.Questions
			}
			f.pending = append(f.pending[:i], f.pending[i+1:]...)
			break
		}
	}
	if !f.served && usable(sender(c, dir).IP) {
		f.served = true
		if c.App == "dns" {
			c.Service("dns")
		}
	}
	dnsEvidence(c, dir, m)
	if !c.Full() {
		c.Note(event.ClassDNS)
		return
	}
	e := &event.Event{Activity: activity, Detail: d, Status: event.StatusSuccess, StatusCode: d.RCodeName}
	if d.RCode != 0 {
		e.Status = event.StatusFailure
	}
	e.Message = clip(d.Query + " " + d.Type + ": " + d.RCodeName + ", " + strconv.Itoa(int(m.Counts[1])) + " answers")
	c.Emit(e)
}

func (f *dnsFlow) emitQuery(c *analyze.Conn, q *pendingQuery) {
	if !c.Full() {
		c.NoteAt(event.ClassDNS, q.at, c.App)
		return
	}
	base := q.base
	c.Emit(&event.Event{Time: q.at, Activity: 1, Detail: base, Message: clip(base.Query + " " + base.Type + " was asked and not answered")})
}

func (f *dnsFlow) Close(c *analyze.Conn, _ analyze.End) {
	for i := range f.pending {
		f.emitQuery(c, &f.pending[i])
	}
	f.pending = nil
}

func dnsDetail(m *dns.Message) *event.DNS {
	d := &event.DNS{ID: m.ID, Opcode: m.Opcode, RCode: int(m.RCode), RCodeName: dns.RCodeName(m.RCode), Questions: int(m.Counts[0]), Truncated: m.More}
	if len(m.Questions) > 0 {
		q := m.Questions[0]
		d.Query, d.Type, d.QClass = q.Name, dns.TypeName(q.Type), dns.ClassName(q.Class)
	}
	for _, f := range [...]struct {
		on   bool
		name string
	}{{m.AA, "AA"}, {m.TC, "TC"}, {m.RD, "RD"}, {m.RA, "RA"}, {m.AD, "AD"}, {m.CD, "CD"}} {
		if f.on {
			d.Flags = append(d.Flags, f.name)
		}
	}
	for i := range m.Answers {
		if i == maxAnswers {
			d.Truncated = true
			break
		}
		r := &m.Answers[i]
		d.Answers = append(d.Answers, event.DNSAnswer{Name: r.Name, Type: dns.TypeName(r.Type), Class: dns.ClassName(r.Class), TTL: r.TTL, RData: r.Data})
	}
	return d
}

// dnsEvidence reports names of addresses on this side of the world.
func dnsEvidence(c *analyze.Conn, dir analyze.Dir, m *dns.Message) {
	for i := range m.Answers {
		r := &m.Answers[i]
		switch {
		case r.Addr.IsValid() && (r.Addr.IsPrivate() || r.Addr.IsLinkLocalUnicast()):
			if c.App == "llmnr" { // the owner of a name answers itself
				s := sender(c, dir)
				if s.IP != r.Addr {
					s = device.Subject{IP: r.Addr, VLAN: c.VLAN}
				}
				fact(c, s, device.AttrHostname, r.Name, "llmnr.answer", device.Claimed)
				continue
			}
			if strings.Contains(r.Name, ".") {
				fact(c, device.Subject{IP: r.Addr}, device.AttrFQDN, clip(r.Name), "dns.answer", device.Claimed)
			}
		case r.Type == dns.TypePTR:
			if a, ok := reverse(r.Name); ok && a.IsPrivate() && r.Target != "" {
				fact(c, device.Subject{IP: a}, device.AttrFQDN, clip(r.Target), "dns.ptr", device.Claimed)
			}
		}
	}
}

// reverse reads the address in a name under in-addr.arpa or ip6.arpa.
func reverse(name string) (netip.Addr, bool) {
	labels := strings.Split(strings.ToLower(name), ".")
	n := len(labels)
	switch {
	case n == 6 && labels[4] == "in-addr" && labels[5] == "arpa":
		var a [4]byte
		for i := range a {
			v, err := strconv.ParseUint(labels[3-i], 10, 8)
			if err != nil {
				return netip.Addr{}, false
			}
			a[i] = byte(v)
		}
		return netip.AddrFrom4(a), true
	case n == 34 && labels[32] == "ip6" && labels[33] == "arpa":
		var a [16]byte
		for i := range 32 {
			v, err := strconv.ParseUint(labels[31-i], 16, 4)
			if err != nil {
				return netip.Addr{}, false
			}
			a[i/2] |= byte(v) << (4 - 4*(i%2))
		}
		return netip.AddrFrom16(a), true
	}
	return netip.Addr{}, false
}

// dnsStreamProtocol is DNS over TCP (RFC 7766): messages after a 16-bit length.
func dnsStreamProtocol() analyze.Protocol {
	return analyze.Protocol{
		Name:       "dns",
		MaxPending: 2 + 65535,
		Probe: func(_ *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
			if len(head) < 2+dns.HeaderSize+5 {
				return analyze.Maybe
			}
			n := int(binary.BigEndian.Uint16(head))
			if n < dns.HeaderSize+5 {
				return analyze.No
			}
			b := head[2:]
			missing := n - len(b)
			if missing < 0 {
				b, missing = b[:n], 0
			}
			if dns.Looks(b, missing) {
				return analyze.Yes
			}
			return analyze.No
		},
		NewStream: func(*analyze.Conn) analyze.Stream { return &dnsStream{} },
	}
}

type dnsStream struct{ dnsFlow }

func (s *dnsStream) Data(c *analyze.Conn, dir analyze.Dir, data []byte) (int64, analyze.Verdict) {
	if len(data) < 2 {
		return 0, analyze.More
	}
	n := int(binary.BigEndian.Uint16(data))
	if n < dns.HeaderSize {
		return 0, analyze.Reject
	}
	if len(data) < 2+n {
		return 0, analyze.More
	}
	m, err := dns.Parse(data[2 : 2+n])
	if err != nil && len(m.Questions) == 0 && len(m.Answers) == 0 {
		return 0, analyze.Reject
	}
	s.message(c, dir, m)
	return int64(2 + n), analyze.More
}

// Gap gives up: the next message boundary is lost.
func (s *dnsStream) Gap(*analyze.Conn, analyze.Dir, int64) analyze.Verdict { return analyze.Done }
