// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"math"

	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/packet"
	"github.com/asepsis/asepsis/wire/stream"
)

// reuseAfter is the silence after which a SYN with another sequence number is
// taken for a new connection although the old one was not seen to close.
const reuseAfter = int64(10e9)

// reopened reports whether a packet begins a new connection between the same
// ends and ports.
func (w *worker) reopened(f *flow, p *packet.Packet, low bool) bool {
	if p.Flags&(packet.SYN|packet.ACK|packet.RST) != packet.SYN {
		return false
	}
	d := f.dir(low)
	h := &f.half[d]
	if h.Started() && p.Seq+1 == h.Next() && f.seen[d]&sawData == 0 {
		return false // the same SYN again
	}
	return f.list == listTCPClosed || w.now-f.last > reuseAfter
}

// tcpPacket handles a TCP packet of a known flow.
func (w *worker) tcpPacket(i uint32, f *flow, d analyze.Dir) {
	p := &w.pkt
	fl := p.Flags
	f.flags[d] |= fl
	n := len(p.Payload) + p.Missing
	f.payload[d] += uint64(n)
	o := d.Other()
	switch {
	case fl&packet.SYN != 0 && fl&packet.ACK != 0:
		f.seen[d] |= sawSYNACK
		f.note(d, 'H')
	case fl&packet.SYN != 0:
		f.seen[d] |= sawSYN
		f.note(d, 'S')
	case fl&packet.RST != 0:
		f.seen[d] |= sawRST
		f.note(d, 'R')
	case n == 0 && fl&packet.FIN == 0:
		f.note(d, 'A')
		if fl&packet.ACK != 0 {
			f.seen[d] |= sawACK
		}
	}
	if n > 0 {
		f.seen[d] |= sawData
		f.note(d, 'D')
	}
	if fl&packet.FIN != 0 {
		f.seen[d] |= sawFIN
		f.note(d, 'F')
	}
	if fl&packet.ACK != 0 && fl&packet.RST == 0 {
		f.half[o].Acked(p.Ack, w.now)
		if f.half[o].Overdue(w.now) {
			w.pull(i, f, o, true)
		}
	}
	syn := fl&packet.SYN != 0
	if n > 0 || syn || fl&packet.FIN != 0 {
		c, ok := f.half[d].Push(p.Seq, syn, fl&packet.FIN != 0, p.Payload, p.Missing, &w.budget, &w.tcp)
		if ok {
			w.chunk(f, d, c)
			w.pull(i, f, d, false)
		}
	}
	list := uint8(listTCP)
	switch {
	case (f.seen[0]|f.seen[1])&sawRST != 0, f.seen[0]&sawFIN != 0 && f.seen[1]&sawFIN != 0:
		list = listTCPClosed
	case !f.midStream && f.seen[1]&sawPacket == 0:
		list = listTCPOpening
	}
	w.table.touch(i, f, list, w.now)
	if w.s.cfg.ReportOpen && !f.opened && list == listTCP && f.packets[0] > 0 && f.packets[1] > 0 && (f.app != 0 || f.noApp) {
		f.opened = true
		w.emitConnection(f, 1)
	}
}

// pull delivers what is in order behind the last chunk.
func (w *worker) pull(_ uint32, f *flow, d analyze.Dir, flush bool) {
	for {
		c, ok := f.half[d].Pull(flush, &w.budget, &w.tcp)
		if !ok {
			return
		}
		w.chunk(f, d, c)
	}
}

// flush delivers all that waits, holes as gaps.
func (w *worker) flush(i uint32, f *flow) {
	for d := range f.half {
		if f.half[d].Waiting() > 0 {
			w.pull(i, f, analyze.Dir(d), true)
		}
	}
}

// chunk hands bytes or a gap to whoever analyses the flow.
func (w *worker) chunk(f *flow, d analyze.Dir, c stream.Chunk) {
	if c.Gap > 0 {
		f.note(d, 'G')
		f.missed = uint32(min(int64(f.missed)+c.Gap, math.MaxUint32))
		w.streamGap(f, d, c.Gap)
		return
	}
	if len(c.Data) > 0 && !f.noApp {
		w.streamData(f, d, c.Data)
	}
}
