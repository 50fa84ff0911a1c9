// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/packet"
	"github.com/asepsis/asepsis/wire/stream"
)

// Bounds of analysis, per flow.
const (
	// maxProbeBuffer is what is kept of both directions while nobody is sure.
	maxProbeBuffer = 16 << 10
	// budgetFactor and budgetFree bound the work of an analyser: the bytes
	// presented to it, again and again while it does not consume them, against
	// those that arrived.
	budgetFactor = 64
	budgetFree   = 1 << 20
	// datagramProbes is how many datagrams may be looked at before a UDP flow
	// is left alone.
	datagramProbes = 6
	// maxHandoffs bounds the protocols that one flow may go through.
	maxHandoffs = 4
)

// active is what a flow has while it is analysed. It is freed as soon as its
// analyser has seen enough.
type active struct {
	conn      analyze.Conn
	proto     *analyze.Protocol // nil while probing
	stream    analyze.Stream
	dgram     analyze.Datagram
	pend      [2][]byte // presented but not consumed
	arrived   int64
	presented int64
	cand      [2]uint64 // candidates by index into the sensor's protocols
	probed    uint8     // packets with payload looked at
	waits     bool      // until the other side speaks, see waitsForOther
	handoffs  uint8
	log       []logged // chunks in the order of arrival, while probing
	holder    analyze.Holder
	held      int64 // what the flow is accounted for in worker.held
	of        *flow
	describe  func() *event.Flow // of that flow
	brief     event.Flow         // what describe gives where nobody keeps it
}

// maxSpare bounds the states of analysis that wait for another flow,
// maxSpareBuffer each of their buffers.
const (
	maxSpare       = 256
	maxSpareBuffer = 4 << 10
)

// logged is a chunk that waits until the protocol is known. Its bytes are the
// next n of pend[dir].
type logged struct {
	dir analyze.Dir
	n   int
}

// activate starts probing.
func (w *worker) activate(f *flow, candidates int) *active {
	var a *active
	if n := len(w.out.spare); n > 0 {
		a, w.out.spare = w.out.spare[n-1], w.out.spare[:n-1]
	} else {
		a = &active{}
		a.describe = func() *event.Flow {
			e := &a.brief
			if w.Full() {
				e = new(event.Flow) // events keep it
			}
			w.describe(a.of, e)
			return e
		}
	}
	a.of = f
	w.arm(f, a, candidates)
	f.act = a
	return a
}

// release takes a flow's state of analysis away, for another one.
func (w *worker) release(f *flow) {
	a := f.act
	f.act = nil
	w.forget(a)
	if len(w.out.spare) >= maxSpare || a.describe == nil {
		return
	}
	pend := a.pend
	for d := range pend {
		if pend[d] = pend[d][:0]; cap(pend[d]) > maxSpareBuffer {
			pend[d] = nil
		}
	}
	*a = active{describe: a.describe, pend: pend, log: a.log[:0]}
	w.out.spare = append(w.out.spare, a)
}

// arm prepares a for probing, the first time and after a handoff.
func (w *worker) arm(f *flow, a *active, candidates int) {
	a.conn.Init(w, a.describe)
	a.conn.Proto = f.key.proto
	a.conn.VLAN = f.vlan
	a.conn.MidStream = f.midStream
	for d := range a.conn.Ends {
		a.conn.Ends[d] = f.end(analyze.Dir(d))
		a.conn.Hops[d] = hops(f.ttl[d])
	}
	all := uint64(1)<<candidates - 1
	a.cand = [2]uint64{all, all}
	a.proto, a.stream, a.dgram, a.holder = nil, nil, nil, nil
	a.probed, a.waits = 0, false
}

// refresh updates what may have been learned since the last call.
func (w *worker) refresh(f *flow, a *active) {
	c := &a.conn
	c.Now = f.last // of the packet being presented; at the end of a flow, of its last
	for d := range c.Ends {
		if c.Ends[d].MAC.IsZero() {
			c.Ends[d].MAC = f.mac[d]
		}
		c.Hops[d] = hops(f.ttl[d])
	}
}

// streamData takes bytes in order of one direction.
func (w *worker) streamData(f *flow, d analyze.Dir, data []byte) {
	a := f.act
	if a == nil {
		a = w.activate(f, len(w.s.streams))
	}
	w.refresh(f, a)
	a.arrived += int64(len(data))
	if a.proto != nil {
		w.deliver(f, a, d, data)
		return
	}
	w.probeStream(f, a, d, data)
}

// probeStream looks for the protocol of a stream with more bytes of one
// direction, and on success replays what waited.
func (w *worker) probeStream(f *flow, a *active, d analyze.Dir, data []byte) {
	if a.waits && w.waitsForOther(f, a, d) {
		return
	}
	head := data
	if len(a.pend[d]) > 0 {
		a.pend[d] = append(a.pend[d], data...)
		a.log = append(a.log, logged{d, len(data)})
		head, data = a.pend[d], nil
	}
	a.probed++
	last := a.probed >= analyze.ProbePackets || len(a.pend[0])+len(a.pend[1])+len(data) > maxProbeBuffer
	proto := w.probe(a, d, head[:min(len(head), analyze.ProbeBytes)], w.s.streams, last)
	if proto != nil {
		w.begin(f, a, proto)
		log, held := a.log, a.pend
		a.log, a.pend = nil, [2][]byte{}
		for _, l := range log {
			w.replay(f, a, l.dir, held[l.dir][:l.n])
			held[l.dir] = held[l.dir][l.n:]
		}
		w.replay(f, a, d, data)
		return
	}
	if last && w.waitsForOther(f, a, d) {
		a.cand[d], a.pend[d], a.log, a.probed, a.waits = 0, nil, a.log[:0], 0, true
		w.account(f, a)
		return
	}
	if a.cand[0]|a.cand[1] == 0 || last {
		w.giveUp(f)
		return
	}
	if data != nil {
		a.pend[d] = append(a.pend[d], data...)
		a.log = append(a.log, logged{d, len(data)})
	}
	w.account(f, a)
}

// maxUnanswered is how much one side of a connection may send before the sensor stops
// waiting for the other to say what it is.
const maxUnanswered = 4 << 20

// waitsForOther reports a connection whose opening was not seen and of which only
// direction d has spoken: it may have begun in the middle of an answer, and the next
// question tells the protocol.
func (w *worker) waitsForOther(f *flow, a *active, d analyze.Dir) bool {
	o := d.Other()
	return f.midStream && len(a.pend[o]) == 0 && a.cand[o] != 0 && a.arrived < maxUnanswered
}

// account notes what a flow's analysis holds, and gives some up when all
// together hold too much: first that of flows that were silent longest, so that
// flows which only hoard cannot blind the sensor for others, else this one.
func (w *worker) account(f *flow, a *active) {
	n := int64(len(a.pend[0]) + len(a.pend[1]))
	if a.holder != nil {
		n += int64(a.holder.Held())
	}
	w.held += n - a.held
	a.held = n
	if w.held <= w.maxHeld {
		return
	}
	for l := range w.table.head {
		i := w.table.head[l]
		for n := 0; i != 0 && n < 256 && w.held > w.maxHeld; n++ {
			o := w.table.at(i)
			i = o.next
			if o != f && o.act != nil && o.act.held > 0 {
				w.stats.AnalysesEvicted++
				w.stop(o, analyze.Evicted)
			}
		}
	}
	if w.held > w.maxHeld {
		w.stats.AnalysesEvicted++
		w.stop(f, analyze.Evicted)
	}
}

// forget takes a flow's analysis out of the account.
func (w *worker) forget(a *active) {
	w.held -= a.held
	a.held = 0
}

// probe asks the candidates. A Yes wins over those of lower rank; a Yes of
// negative rank waits while a better one says Maybe, unless this is the last
// time.
func (w *worker) probe(a *active, d analyze.Dir, head []byte, protos []analyze.Protocol, last bool) (best *analyze.Protocol) {
	defer w.recovered("probe")
	maybe := false
	maybeRank := 0
	for i := range protos {
		bit := uint64(1) << i
		if a.cand[d]&bit == 0 {
			continue
		}
		p := &protos[i]
		switch p.Probe(&a.conn, d, head) {
		case analyze.Yes:
			if best == nil || p.Rank > best.Rank {
				best = p
			}
		case analyze.Maybe:
			if !maybe || p.Rank > maybeRank {
				maybe, maybeRank = true, p.Rank
			}
			if len(head) >= analyze.ProbeBytes {
				a.cand[d] &^= bit
			}
		default:
			a.cand[d] &^= bit
		}
	}
	if best != nil && best.Rank < 0 && maybe && maybeRank > best.Rank && !last {
		return nil
	}
	return best
}

// begin gives the flow to a protocol.
func (w *worker) begin(f *flow, a *active, p *analyze.Protocol) {
	a.proto = p
	a.conn.App = p.Name
	if a.conn.Handed != "" {
		a.conn.App = a.conn.Handed + "+" + p.Name
	}
	f.app = w.app(a.conn.App)
	func() {
		defer w.recovered(p.Name)
		if p.NewStream != nil {
			a.stream = p.NewStream(&a.conn)
		} else {
			a.dgram = p.NewDatagram(&a.conn)
		}
		a.holder, _ = a.stream.(analyze.Holder)
	}()
}

// replay delivers a chunk that waited while probing. What an earlier chunk of
// its direction asked to skip may lie in it.
func (w *worker) replay(f *flow, a *active, d analyze.Dir, chunk []byte) {
	if f.act != a {
		return
	}
	h := &f.half[d]
	k := min(h.Skipping(), int64(len(chunk)))
	h.Unskip(k)
	chunk = chunk[k:]
	switch {
	case len(chunk) == 0:
	case a.proto == nil: // handed over meanwhile
		w.probeStream(f, a, d, chunk)
	default:
		w.deliver(f, a, d, chunk)
	}
}

// deliver presents bytes to the flow's stream analyser.
func (w *worker) deliver(f *flow, a *active, d analyze.Dir, data []byte) {
	buf := data
	if len(a.pend[d]) > 0 {
		a.pend[d] = append(a.pend[d], data...)
		buf = a.pend[d]
	}
	maxPending := a.proto.MaxPending
	if maxPending == 0 {
		maxPending = analyze.DefaultMaxPending
	}
	for len(buf) > 0 {
		a.presented += int64(len(buf))
		if a.presented > budgetFree+budgetFactor*a.arrived {
			w.stats.OverBudget++
			w.stop(f, analyze.Cut)
			return
		}
		n, v, ok := w.callData(a, d, buf)
		if !ok {
			w.stop(f, analyze.Cut)
			return
		}
		if n < 0 {
			n = 0
		}
		if over := n - int64(len(buf)); over > 0 {
			f.half[d].Skip(over, &w.budget)
			n = int64(len(buf))
		}
		buf = buf[n:]
		switch v {
		case analyze.Done, analyze.Reject:
			if v == analyze.Reject {
				w.stats.Rejected++
			}
			w.stop(f, analyze.Cut)
			return
		case analyze.Handoff:
			w.handoff(f, a, d, buf)
			return
		}
		if n == 0 {
			break
		}
	}
	if len(buf) > maxPending {
		w.stats.OverBudget++
		w.stop(f, analyze.Cut)
		return
	}
	a.pend[d] = append(a.pend[d][:0], buf...)
	if a.held > 0 || len(buf) > 0 || a.holder != nil {
		w.account(f, a)
	}
}

func (w *worker) callData(a *active, d analyze.Dir, buf []byte) (n int64, v analyze.Verdict, ok bool) {
	defer w.recovered(a.proto.Name)
	n, v = a.stream.Data(&a.conn, d, buf)
	return n, v, true
}

// handoff begins afresh behind what was consumed.
func (w *worker) handoff(f *flow, a *active, d analyze.Dir, rest []byte) {
	name := a.conn.App
	w.callClose(a, analyze.Handed)
	rest = append([]byte(nil), rest...)
	other := append([]byte(nil), a.pend[d.Other()]...)
	flipped := a.conn.Flipped()
	a.handoffs++
	a.pend, a.log = [2][]byte{}, nil
	if a.handoffs > maxHandoffs {
		w.giveUp(f)
		return
	}
	w.arm(f, a, len(w.s.streams))
	if flipped {
		a.conn.Flip()
	}
	a.conn.Handed = name
	f.app = w.app(name)
	w.refresh(f, a)
	if len(other) > 0 {
		w.streamData(f, d.Other(), other)
	}
	if len(rest) > 0 && f.act == a {
		w.streamData(f, d, rest)
	}
}

// streamGap tells a hole to the analyser.
func (w *worker) streamGap(f *flow, d analyze.Dir, n int64) {
	a := f.act
	if a == nil {
		return
	}
	a.pend[d] = a.pend[d][:0]
	if a.proto == nil { // the beginning is lost: look at what follows as mid-stream
		a.conn.MidStream = true
		kept := a.log[:0]
		for _, l := range a.log {
			if l.dir != d {
				kept = append(kept, l)
			}
		}
		a.log = kept
		a.cand[d] = uint64(1)<<len(w.s.streams) - 1
		return
	}
	w.refresh(f, a)
	v, ok := w.callGap(a, d, n)
	if !ok || v != analyze.More {
		w.stop(f, analyze.Cut)
	}
}

func (w *worker) callGap(a *active, d analyze.Dir, n int64) (v analyze.Verdict, ok bool) {
	defer w.recovered(a.proto.Name)
	v = a.stream.Gap(&a.conn, d, n)
	return v, true
}

func (w *worker) callClose(a *active, why analyze.End) {
	if a.proto == nil {
		return
	}
	defer w.recovered(a.proto.Name)
	switch {
	case a.stream != nil:
		a.stream.Close(&a.conn, why)
	case a.dgram != nil:
		a.dgram.Close(&a.conn, why)
	}
}

// closeAnalyser closes the flow's analyser and notes the name it settled on.
func (w *worker) closeAnalyser(f *flow, why analyze.End) {
	a := f.act
	if a == nil {
		return
	}
	w.refresh(f, a)
	a.conn.Now = f.last // what is told at the end happened no later
	a.conn.Packet = nil
	w.callClose(a, why)
	if a.proto != nil {
		f.app = w.app(a.conn.App)
		f.flipped = a.conn.Flipped()
	}
	w.release(f)
}

// flip exchanges the roles of the ends, for the summary of a flow whose
// content showed that the guess was wrong.
func (w *worker) flip(f *flow) {
	f.clientLow = !f.clientLow
	f.packets[0], f.packets[1] = f.packets[1], f.packets[0]
	f.bytes[0], f.bytes[1] = f.bytes[1], f.bytes[0]
	f.payload[0], f.payload[1] = f.payload[1], f.payload[0]
	f.mac[0], f.mac[1] = f.mac[1], f.mac[0]
	f.ttl[0], f.ttl[1] = f.ttl[1], f.ttl[0]
	f.flags[0], f.flags[1] = f.flags[1], f.flags[0]
	f.seen[0], f.seen[1] = f.seen[1], f.seen[0]
	for i, c := range f.history[:f.nhistory] {
		f.history[i] = c ^ 0x20
	}
}

// stop ends the analysis of a flow that goes on.
func (w *worker) stop(f *flow, why analyze.End) {
	w.closeAnalyser(f, why)
	w.giveUp(f)
}

// giveUp leaves a flow alone from now on.
func (w *worker) giveUp(f *flow) {
	if f.act != nil {
		w.release(f)
	}
	f.noApp = true
	for d := range f.half {
		f.half[d].Skip(stream.SkipAll, &w.budget)
	}
}

// udpPacket handles a datagram of a known flow.
func (w *worker) udpPacket(i uint32, f *flow, d analyze.Dir) {
	p := &w.pkt
	f.payload[d] += uint64(len(p.Payload) + p.Missing)
	f.note(d, 'D')
	w.table.touch(i, f, listUDP, w.now)
	if f.noApp || len(p.Payload) == 0 {
		return
	}
	a := f.act
	if a == nil {
		a = w.activate(f, len(w.s.datagrams))
	}
	w.refresh(f, a)
	a.conn.Packet = p
	if a.proto == nil {
		a.probed++
		last := a.probed >= datagramProbes
		proto := w.probe(a, d, p.Payload, w.s.datagrams, last)
		if proto == nil {
			a.cand[d] = uint64(1)<<len(w.s.datagrams) - 1 // the next datagram is another message
			if last {
				w.giveUp(f)
			}
			return
		}
		w.begin(f, a, proto)
		if a.dgram == nil {
			w.giveUp(f)
			return
		}
	}
	v, ok := w.callPacket(a, d, p)
	a.conn.Packet = nil
	if !ok || v != analyze.More {
		if v == analyze.Reject {
			w.stats.Rejected++
		}
		w.stop(f, analyze.Cut)
	}
}

func (w *worker) callPacket(a *active, d analyze.Dir, p *packet.Packet) (v analyze.Verdict, ok bool) {
	defer w.recovered(a.proto.Name)
	v = a.dgram.Packet(&a.conn, d, p.Payload, p.Missing)
	return v, true
}
