// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"sync"

	"github.com/asepsis/asepsis/wire/capture"
	"github.com/asepsis/asepsis/wire/packet"
)

// PacketQuery asks a sensor for frames that it still has: those between two ends within
// a time. An address that is not valid, and a port that is 0, is any.
type PacketQuery struct {
	From int64      `json:"from"` // ns
	To   int64      `json:"to"`   // inclusive
	A    netip.Addr `json:"a"`
	B    netip.Addr `json:"b"`
	// Ports of A and of B.
	APort uint16 `json:"a_port,omitempty"`
	BPort uint16 `json:"b_port,omitempty"`
	After uint64 `json:"after,omitempty"` // Next of the answer before
}

// PacketAnswer is a page of frames, in the order in which they were seen by one
// source of the sensor.
type PacketAnswer struct {
	Frames []KeptFrame `json:"frames"`
	Next   uint64      `json:"next,omitempty"` // 0: there are no more
	Since  int64       `json:"since"`          // ns: the oldest frame that is kept
}

// KeptFrame is one frame.
type KeptFrame struct {
	ID   uint64 `json:"id"` // of this run of the sensor
	Time int64  `json:"time"`
	Link uint16 `json:"link"`
	Wire int    `json:"wire"` // length on the wire
	Data []byte `json:"data"`
}

// PacketsSubject is where a sensor that keeps packets answers a PacketQuery.
func PacketsSubject(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	return "sensor." + b.String() + ".packets"
}

// Bounds of what is kept and given.
const (
	minKeep   = 1 << 20
	maxKeep   = 64 << 30
	pageBytes = 600 << 10 // of frames in an answer: as JSON it fits into one message
	perFrame  = 40        // what keeping a frame takes beside its bytes
)

// packets keeps the latest frames of a sensor in memory: blocks of bytes, of which the
// oldest is used again when all are full. Nothing of it is ever written to a disk.
type packets struct {
	mu     sync.Mutex
	blocks []block
	each   int    // bytes of a block
	head   uint64 // number of the block that is filled now; it lies at head modulo len(blocks)
	page   int    // pageBytes; smaller in tests
}

// block is a stretch of frames.
type block struct {
	data   []byte
	frames []keptAt
}

type keptAt struct {
	time      int64
	off, size uint32
	wire      uint32
	link      uint16
}

// newPackets makes a ring of a number of bytes. They are taken as frames come.
func newPackets(bytes int64) *packets {
	n := int64(16)
	for bytes/n > 4<<20 { // a block is looked through while the sensor waits: small ones
		n *= 2
	}
	return &packets{blocks: make([]block, n), each: int(bytes / n), page: pageBytes}
}

// add copies a frame into the ring.
func (p *packets) add(f *capture.Frame) {
	if f.Tick || len(f.Data)+perFrame > p.each {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	b := &p.blocks[p.head%uint64(len(p.blocks))]
	if len(b.data)+len(b.frames)*perFrame+len(f.Data)+perFrame > p.each {
		p.head++
		b = &p.blocks[p.head%uint64(len(p.blocks))]
		b.data, b.frames = b.data[:0], b.frames[:0]
	}
	b.frames = append(b.frames, keptAt{f.Time, uint32(len(b.data)), uint32(len(f.Data)), uint32(max(f.OrigLen, len(f.Data))), uint16(f.Link)}) //nolint:gosec // a block is far below 4 GiB
	b.data = append(b.data, f.Data...)
}

// find returns a page of the frames that a query asks for. It holds the ring for
// one block at a time.
func (p *packets) find(q *PacketQuery) PacketAnswer {
	out := PacketAnswer{Frames: []KeptFrame{}}
	const inBlock = 1 << 24
	p.mu.Lock()
	last, first := p.head, uint64(0)
	if n := uint64(len(p.blocks)); last >= n {
		first = last - n + 1
	}
	if l := p.blocks[first%uint64(len(p.blocks))].frames; len(l) > 0 {
		out.Since = l[0].time
	}
	p.mu.Unlock()
	size, from := 0, max(q.After/inBlock, first)
	for n := from; n <= last; n++ {
		p.mu.Lock()
		if p.head >= n+uint64(len(p.blocks)) { // it was used again meanwhile
			p.mu.Unlock()
			continue
		}
		b := &p.blocks[n%uint64(len(p.blocks))]
		for i := range b.frames {
			f, id := &b.frames[i], n*inBlock+uint64(i)+1
			if id <= q.After || f.time < q.From || f.time > q.To {
				continue
			}
			data := b.data[f.off : f.off+f.size]
			if !q.wants(f, data) {
				continue
			}
			if size += len(data) + 2*perFrame; size > p.page && len(out.Frames) > 0 {
				out.Next = id - 1
				p.mu.Unlock()
				return out
			}
			out.Frames = append(out.Frames, KeptFrame{ID: id, Time: f.time, Link: f.link, Wire: int(f.wire), Data: append([]byte(nil), data...)})
		}
		p.mu.Unlock()
	}
	return out
}

// wants reports whether a frame goes between the two ends, either way.
func (q *PacketQuery) wants(f *keptAt, data []byte) bool {
	var p packet.Packet
	packet.Decode(&p, f.link, data, int(f.wire))
	is := func(addr netip.Addr, port uint16, ip netip.Addr, at uint16) bool {
		// Only the first fragment has ports.
		return (!addr.IsValid() || addr == ip.Unmap()) && (port == 0 || port == at || p.Fragment && at == 0)
	}
	return is(q.A, q.APort, p.Src, p.SrcPort) && is(q.B, q.BPort, p.Dst, p.DstPort) ||
		is(q.A, q.APort, p.Dst, p.DstPort) && is(q.B, q.BPort, p.Src, p.SrcPort)
}

// keeping is a source whose frames are kept, too.
type keeping struct {
	capture.Source
	kept *packets
}

// Next implements capture.Source.
func (k keeping) Next(f *capture.Frame) error {
	err := k.Source.Next(f)
	if err == nil {
		k.kept.add(f)
	}
	return err
}

// Unwrap gives the source whose frames these are.
func (k keeping) Unwrap() capture.Source { return k.Source }

// keep wraps sources so that their frames are kept, where that is wanted.
func (w *Watch) keep(in []capture.Source) []capture.Source {
	if w.kept == nil {
		return in
	}
	out := make([]capture.Source, len(in))
	for i, s := range in {
		out[i] = keeping{s, w.kept}
	}
	return out
}

// servePackets answers about packets until stop is called.
func (w *Watch) servePackets() (stop func()) {
	if w.kept == nil {
		return func() {}
	}
	stop, err := w.deps.Bus.Serve(PacketsSubject(w.cfg.Name), func(_ context.Context, body []byte) ([]byte, error) {
		var q PacketQuery
		if err := json.Unmarshal(body, &q); err != nil {
			return nil, fmt.Errorf("the question about packets: %w", err)
		}
		return json.Marshal(w.kept.find(&q))
	})
	if err != nil {
		w.deps.Log.Warn("nobody can ask for packets of this sensor", "err", err)
		return func() {}
	}
	return stop
}
