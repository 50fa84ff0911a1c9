// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/capture"
	"github.com/asepsis/asepsis/wire/packet"
	"github.com/asepsis/asepsis/wire/stream"
)

// worker follows the flows that were given to it. It belongs to one goroutine
// and shares nothing with the others but the sink.
type worker struct {
	s         *Sensor
	n         int
	now       int64
	pkt       packet.Packet
	table     *table
	lane      lane
	frags     *packet.Reassembler
	budget    stream.Budget
	tcp       stream.Stats
	idle      [lists]int64
	expireAt  int64 // before that the heads of the lists do not expire
	maxFlows  int
	held      int64 // bytes that analyses keep between calls
	maxHeld   int64
	evidence  *evidenceCache
	repeats   *repeats
	out       emitter
	appIndex  map[string]uint16
	apps      []string
	flows     uint64       // started so far
	conn      analyze.Conn // for frame analysers
	stats     Stats
	stalls    stalls
	vlan      uint16                // of the frames that the lane took last
	inVLAN    uint64                // of them, those that stats does not count yet
	published atomic.Pointer[Stats] // a copy for others, see publish
	publishAt int64

	publishedAt time.Time
}

func newWorker(s *Sensor, n int) *worker {
	per := s.cfg.workers()
	w := &worker{
		s: s, n: n,
		table:    newTable(s.secret),
		frags:    packet.NewReassembler(),
		budget:   stream.Budget{Max: int64(s.cfg.MaxStreamBytes) / int64(per)},
		idle:     s.cfg.idle(),
		maxFlows: max(16, s.cfg.MaxFlows/per),
		maxHeld:  int64(s.cfg.MaxAnalysisBytes) / int64(per),
		appIndex: map[string]uint16{},
		apps:     []string{""},
	}
	w.out.memo = analyze.NewMemo()
	w.evidence = newEvidenceCache(int64(s.cfg.EvidenceInterval), w.emitEvidence)
	w.repeats = newRepeats(w.Emit)
	if !s.cfg.ReportOpen {
		w.stalls.at = math.MaxInt64
	}
	w.stats.init()
	return w
}

// app interns a protocol name.
func (w *worker) app(name string) uint16 {
	if i, ok := w.appIndex[name]; ok {
		return i
	}
	if len(w.apps) == 1<<16-1 { // names come from code, not from the wire
		return 0
	}
	i := uint16(len(w.apps))
	w.apps = append(w.apps, name)
	w.appIndex[name] = i
	return i
}

// frame takes one captured frame.
func (w *worker) frame(f *capture.Frame) {
	if f.Tick {
		w.tick(f.Time)
		return
	}
	w.stats.Packets++
	w.stats.Bytes += uint64(f.OrigLen)
	if f.Time > w.now {
		w.now = f.Time
		if w.now >= w.publishAt {
			w.publish()
		}
		if w.now >= w.stalls.at {
			w.stalled()
		}
	}
	if w.express(f) {
		return
	}
	p := &w.pkt
	p.Time = f.Time
	packet.Decode(p, uint16(f.Link), f.Data, f.OrigLen)
	if p.Fragment {
		whole := w.frags.Add(p, f.Data)
		if whole == nil {
			w.expire()
			return
		}
		packet.Decode(p, uint16(f.Link), whole, len(whole))
	}
	if p.Err != nil {
		w.stats.undecoded(p)
	}
	if p.Missing > 0 {
		w.stats.SnapCut++
	}
	w.stats.seen(p)
	switch {
	case p.IPVersion == 0:
		w.frameAnalysers()
	case p.Err != nil && p.Proto != packet.ProtoTCP && p.Proto != packet.ProtoUDP, p.Fragment:
	default:
		w.packet()
	}
	w.expire()
}

// packet handles an IP packet.
func (w *worker) packet() {
	p := &w.pkt
	if p.Proto != packet.ProtoTCP && p.Proto != packet.ProtoUDP {
		w.frameAnalysers()
	} else if p.Err != nil {
		return
	}
	k, low := keyOf(p)
	if p.Proto == packet.ProtoICMP || p.Proto == packet.ProtoICMPv6 {
		k.pa, k.pb = uint16(icmpFamily(p)), 0
	}
	h := k.hash(w.table.secret)
	i := w.table.find(&k, h)
	if i != 0 {
		f := w.table.at(i)
		switch {
		case w.now-f.last > w.idle[f.list]:
			w.end(i, analyze.Timeout)
			i = 0
		case p.Proto == packet.ProtoTCP && w.reopened(f, p, low):
			w.end(i, analyze.Finished)
			i = 0
		}
	}
	if i == 0 {
		i = w.open(&k, h, p, low)
	}
	f := w.table.at(i)
	d := f.dir(low)
	f.last = w.now
	f.packets[d]++
	f.bytes[d] += uint64(p.IPLen)
	f.seen[d] |= sawPacket
	if f.ttl[d] == 0 || p.TTL > f.ttl[d] {
		f.ttl[d] = p.TTL
	}
	if f.packets[d] == 1 && p.HasMAC {
		f.mac[d] = p.SrcMAC
		if o := d.Other(); f.mac[o].IsZero() && f.packets[o] == 0 && !device.MAC(p.DstMAC).IsGroup() {
			f.mac[o] = p.DstMAC
		}
	}
	switch p.Proto {
	case packet.ProtoTCP:
		w.tcpPacket(i, f, d)
		if f.list == listTCP {
			w.remember(i, f, p, low)
		}
	case packet.ProtoUDP:
		w.udpPacket(i, f, d)
	default:
		w.table.touch(i, f, listOther, w.now)
	}
	if f.reportAt != 0 && w.now >= f.reportAt {
		w.report(f)
	}
}

// icmpFamily makes request and reply one flow.
func icmpFamily(p *packet.Packet) uint8 {
	t := p.ICMPType
	if p.IPVersion == 4 {
		switch t {
		case 0:
			return 8
		case 14, 16, 18:
			return t - 1
		case 9:
			return 10
		}
		return t
	}
	switch t {
	case 129, 131, 134, 136, 140, 145:
		return t - 1
	}
	return t
}

// open starts a flow.
func (w *worker) open(k *flowKey, h uint64, p *packet.Packet, low bool) uint32 {
	if w.table.count >= w.maxFlows {
		w.evict()
	}
	list := uint8(listOther)
	switch p.Proto {
	case packet.ProtoTCP:
		list = listTCPOpening
	case packet.ProtoUDP:
		list = listUDP
	}
	i := w.table.add(k, h, list, w.now)
	f := w.table.at(i)
	w.flows++
	f.id = uint64(w.n)<<48 | w.flows
	f.first = w.now
	f.vlan = p.VLAN()
	f.icmpType, f.icmpCode = p.ICMPType, p.ICMPCode
	fromClient := true
	switch p.Proto {
	case packet.ProtoTCP:
		switch {
		case p.Flags&packet.SYN != 0 && p.Flags&packet.ACK == 0:
		case p.Flags&packet.SYN != 0:
			fromClient = false
			f.midStream = true
		default:
			fromClient = clientByPort(p.SrcPort, p.DstPort)
			f.guessed, f.midStream = true, true
		}
	case packet.ProtoUDP:
		fromClient = clientByPort(p.SrcPort, p.DstPort) || !unicast(p)
		f.guessed = !fromClient
	case packet.ProtoICMP:
		fromClient = p.ICMPType != 0
	case packet.ProtoICMPv6:
		fromClient = p.ICMPType != 129
	}
	f.clientLow = fromClient == low
	if w.s.cfg.ReportInterval > 0 {
		f.reportAt = w.now + int64(w.s.cfg.ReportInterval)
	}
	return i
}

func unicast(p *packet.Packet) bool {
	return !p.Dst.IsMulticast() && !(p.HasMAC && device.MAC(p.DstMAC).IsGroup())
}

// clientByPort guesses whether the sender is the client. Without a handshake
// the sender of the first packet is taken for the client, unless it sends from
// a well-known port to one that is not.
func clientByPort(src, dst uint16) bool {
	return !(src < 1024 && dst >= 1024) && !(src < 32768 && dst >= 49152)
}

// expire ends flows that were idle too long. It looks at the oldest of each
// list only, and only when one of these is another one or can have become too
// old, so that most packets touch no flow but their own.
func (w *worker) expire() {
	if !w.table.changed && w.now < w.expireAt {
		return
	}
	w.table.changed = false
	w.expireAt = math.MaxInt64
	for l := range w.table.head {
		for n := 0; ; n++ {
			i := w.table.head[l]
			if i == 0 {
				break
			}
			f := w.table.at(i)
			if n == 64 { // the rest later: no packet waits long
				w.expireAt = w.now
				break
			}
			if w.now-f.last <= w.idle[l] {
				w.expireAt = min(w.expireAt, f.last+w.idle[l]+1)
				break
			}
			why := analyze.Timeout
			if l == listTCPClosed || l == listUDP || l == listOther {
				why = analyze.Finished
			}
			if f.seen[0]&sawRST != 0 || f.seen[1]&sawRST != 0 {
				why = analyze.Reset
			}
			w.end(i, why)
		}
	}
}

// evict ends the flow that matters least: one that was never answered, closed,
// or else the longest idle.
func (w *worker) evict() {
	for _, l := range [...]int{listTCPClosed, listOther, listTCPOpening, listUDP, listTCP} {
		if i := w.table.head[l]; i != 0 {
			w.stats.FlowsEvicted++
			w.table.at(i).evicted = true
			w.end(i, analyze.Evicted)
			return
		}
	}
}

// end finishes a flow: what waits is delivered, its analyser closed, its
// summary emitted.
func (w *worker) end(i uint32, why analyze.End) {
	f := w.table.at(i)
	if f.key.proto == packet.ProtoTCP {
		w.flush(i, f)
	}
	w.closeAnalyser(f, why)
	for d := range f.half {
		f.half[d].Drop(&w.budget)
	}
	w.summary(f)
	w.table.remove(i)
}

// summary emits the flow's Network Activity and counts it.
func (w *worker) summary(f *flow) {
	w.stats.Flows++
	app := w.apps[f.app]
	if app != "" {
		w.stats.Protocols[app]++
	}
	oneSided := f.key.proto == packet.ProtoTCP && (f.packets[0] == 0) != (f.packets[1] == 0) && f.payload[0]+f.payload[1] > 0
	if oneSided {
		w.stats.OneSided++
	}
	if f.key.proto == packet.ProtoTCP && f.midStream {
		w.stats.MidStream++
	}
	if f.key.proto == packet.ProtoTCP && app == "" && f.payload[0]+f.payload[1] > 0 {
		w.stats.Unrecognised++
		w.stats.UnrecognisedBytes += f.payload[0] + f.payload[1]
	}
	if f.flipped {
		w.flip(f)
	}
	activity := uint8(2)
	switch f.state() {
	case "REJ":
		activity = 5
	case "S0", "RSTOS0", "SH":
		if f.key.proto == packet.ProtoTCP {
			activity = 4
		}
	case "RSTO", "RSTR", "RSTRH":
		activity = 3
	}
	w.emitConnection(f, activity)
}

// report emits that a flow goes on.
func (w *worker) report(f *flow) {
	f.reportAt = w.now + int64(w.s.cfg.ReportInterval)
	if f.flipped {
		w.flip(f)
		defer w.flip(f)
	}
	w.emitConnection(f, 6)
}

// frameAnalysers gives the packet to the analysers of protocols without flows.
func (w *worker) frameAnalysers() {
	p := &w.pkt
	for i := range w.s.frames {
		if proto := &w.s.frames[i]; proto.Select(p) {
			w.stats.Protocols[proto.Name]++
			w.callFrame(proto, p)
			return
		}
	}
}

func (w *worker) callFrame(proto *analyze.Protocol, p *packet.Packet) {
	c := &w.conn
	c.Init(w, nil)
	c.Now, c.App, c.Proto, c.VLAN, c.Packet = w.now, proto.Name, p.Proto, p.VLAN(), p
	c.Ends[0] = event.Endpoint{MAC: p.SrcMAC, IP: p.Src}
	c.Ends[1] = event.Endpoint{MAC: p.DstMAC, IP: p.Dst}
	if p.IPVersion != 0 {
		c.Hops[0] = hops(p.TTL)
	}
	defer w.recovered(proto.Name)
	proto.Frame(c, p)
}

// recovered is deferred around every call into an analyser: a panic loses the
// flow, not the sensor.
func (w *worker) recovered(name string) {
	if r := recover(); r != nil {
		w.stats.Panics++
		w.s.panicked(name, r)
	}
}

// publishPause is how much of this machine's time passes between two
// publications: of a file, thousands of seconds go by in one.
const publishPause = 100 * time.Millisecond

// publish copies the counts for Sensor.Stats, once per second of capture time.
func (w *worker) publish() {
	w.publishAt = w.now + 1e9
	w.repeats.due(w.now)
	now := time.Now()
	if now.Sub(w.publishedAt) < publishPause {
		return
	}
	w.publishedAt = now
	w.stats.ActiveFlows = uint64(w.table.count)
	w.countVLAN()
	w.stats.Newest = w.now
	c := w.stats.clone()
	c.TCP, c.Fragments = w.tcp, w.frags.Stats()
	w.published.Store(&c)
}

// finish ends all flows, at the end of the input.
func (w *worker) finish() {
	for l := range w.table.head {
		for w.table.head[l] != 0 {
			w.end(w.table.head[l], analyze.EndOfInput)
		}
	}
	w.evidence.flush()
	w.repeats.flush()
	w.countVLAN()
	w.stats.ActiveFlows = 0
	w.stats.Newest = w.now
	w.stats.TCP = w.tcp
	w.stats.Fragments = w.frags.Stats()
}
