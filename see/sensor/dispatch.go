// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"context"
	"errors"
	"io"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/asepsis/asepsis/wire/capture"
	"github.com/asepsis/asepsis/wire/packet"
)

// dispatcher decides which worker a frame belongs to. It joins IP fragments,
// since only the first carries the ports.
type dispatcher struct {
	secret    uint64
	pkt       packet.Packet
	frags     *packet.Reassembler
	held      uint64 // fragments that were joined into others
	heldBytes uint64
	seen      [laneSize]routed
}

// routed is the hash of a connection, remembered as the lane remembers flows.
type routed struct {
	addrs, hash uint64
	ports       uint32
}

func newDispatcher(secret uint64) *dispatcher {
	return &dispatcher{secret: secret, frags: packet.NewReassembler()}
}

// route returns the frame to analyse and a hash that is equal for both
// directions of a flow. The frame is nil while a datagram is incomplete.
// Frames without a flow go by their source, so that one neighbour's messages
// stay in order; ARP goes to one worker.
func (d *dispatcher) route(f *capture.Frame) ([]byte, uint64) {
	h, _, ok := plainTCP(f)
	if ok {
		addrs, ports := h.addrs(), h.ports()
		if r := &d.seen[laneSlot(addrs, ports)]; r.addrs == addrs && r.ports == ports && r.hash != 0 {
			return f.Data, r.hash
		}
	}
	data, hash := d.decode(f)
	if ok && d.pkt.Err == nil && !d.pkt.Fragment {
		addrs, ports := h.addrs(), h.ports()
		d.seen[laneSlot(addrs, ports)] = routed{addrs, hash, ports}
	}
	return data, hash
}

// decode is route the long way.
func (d *dispatcher) decode(f *capture.Frame) ([]byte, uint64) {
	p := &d.pkt
	p.Time = f.Time
	data := f.Data
	packet.Decode(p, uint16(f.Link), data, f.OrigLen)
	if p.Fragment {
		whole := d.frags.Add(p, data)
		if whole == nil {
			d.held++
			d.heldBytes += uint64(f.OrigLen)
			return nil, 0
		}
		data = whole
		packet.Decode(p, uint16(f.Link), data, len(data))
	}
	if p.IPVersion == 0 {
		h := d.secret
		if p.EtherType == packet.EtherTypeARP {
			return data, h // one worker sees all of it: who claims an address by turns with whom is a matter of order
		}
		for _, b := range p.SrcMAC {
			h = (h ^ uint64(b)) * 0x9e3779b97f4a7c15
		}
		return data, h
	}
	k, _ := keyOf(p)
	if p.Proto == packet.ProtoICMP || p.Proto == packet.ProtoICMPv6 {
		k.pa, k.pb = uint16(icmpFamily(p)), 0
	}
	// Mixed once more, so that a worker's table is not filled by keys that
	// share the high bits.
	return data, k.hash(d.secret) * 0xd6e8feb86659fd93
}

// A batch carries frames from the dispatcher to a worker: copies in one piece,
// or frames where they lie, all in one stretch that stays until the worker is
// done.
type batch struct {
	frames []batched
	bytes  []byte
	kept   *kept
}

type batched struct {
	time int64
	data []byte
	wire int
	link capture.LinkType
	tick bool
}

const (
	batchFrames = 512
	batchBytes  = 256 << 10
	batchQueue  = 8 // per worker
)

// crew is the workers of one source while it is dispatched.
type crew struct {
	queues []chan *batch
	fill   []*batch // what goes to each worker next
	pool   chan *batch
	fault  atomic.Pointer[error] // of a worker that looked at what the file no longer has
	wg     sync.WaitGroup
}

// work is a worker's goroutine.
func (c *crew) work(w *worker, queue <-chan *batch) {
	for b := range queue {
		if c.fault.Load() == nil {
			if err := w.batch(b); err != nil {
				c.fault.CompareAndSwap(nil, &err)
			}
		}
		if b.kept != nil {
			b.kept.release()
		}
		clear(b.frames)
		b.frames, b.bytes, b.kept = b.frames[:0], b.bytes[:0], nil
		select {
		case c.pool <- b:
		default:
		}
	}
}

func (c *crew) empty() *batch {
	select {
	case b := <-c.pool:
		return b
	default:
		return &batch{frames: make([]batched, 0, batchFrames)}
	}
}

// send gives a worker what was gathered for it.
func (c *crew) send(i int) {
	if b := c.fill[i]; len(b.frames) > 0 {
		c.fill[i] = c.empty()
		c.queues[i] <- b
	}
}

func (c *crew) sendAll() {
	for i := range c.fill {
		c.send(i)
	}
}

// dispatch reads one source and shares its frames out to n workers by flow.
// Frames of a mapped file are looked at where they lie; others are copied.
func (s *Sensor) dispatch(ctx context.Context, src capture.Source, n int) error {
	c := &crew{queues: make([]chan *batch, n), fill: make([]*batch, n), pool: make(chan *batch, n*(batchQueue+2))}
	for i := range c.queues {
		c.queues[i] = make(chan *batch, batchQueue)
		c.fill[i] = c.empty()
		w := s.worker(i)
		c.wg.Go(func() {
			c.work(w, c.queues[i])
			s.done(w)
		})
	}
	d := newDispatcher(s.secret)
	err := c.share(ctx, src, d)
	c.sendAll()
	for _, q := range c.queues {
		close(q)
	}
	c.wg.Wait()
	s.mu.Lock()
	s.total.Packets += d.held
	s.total.Bytes += d.heldBytes
	addFragments(&s.total.Fragments, d.frags.Stats())
	s.mu.Unlock()
	if fault := c.fault.Load(); fault != nil {
		err = *fault
	}
	err = cutShort(src, err)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return err
}

// share reads the source until it or ctx ends, or a worker cannot go on.
func (c *crew) share(ctx context.Context, src capture.Source, d *dispatcher) (err error) {
	defer surviveFaults(&err)()
	keeps := keeperOf(src)
	var kept *kept // where the frames lie that were not sent yet
	var f capture.Frame
	for k := 0; ; k++ {
		if k&1023 == 0 && (ctx.Err() != nil || c.fault.Load() != nil) {
			return nil
		}
		if err := src.Next(&f); err != nil {
			return err
		}
		if keeps != nil {
			if now := keeps.keptBy(); now != kept {
				c.sendAll()
				kept = now
			}
		}
		if f.Tick {
			for i, b := range c.fill {
				b.frames = append(b.frames, batched{time: f.Time, tick: true})
				c.send(i)
			}
			continue
		}
		data, h := d.route(&f)
		if data == nil { // a fragment that waits for the others
			continue
		}
		hi, _ := bits.Mul64(h, uint64(len(c.queues)))
		i := int(hi)
		b := c.fill[i]
		wire := max(f.OrigLen, len(data))
		switch inPlace := kept != nil && len(data) > 0 && &data[0] == &f.Data[0]; {
		case !inPlace:
			if b.bytes == nil {
				b.bytes = make([]byte, 0, batchBytes)
			}
			off := len(b.bytes)
			b.bytes = append(b.bytes, data...)
			data = b.bytes[off:len(b.bytes):len(b.bytes)]
		case b.kept == nil:
			kept.hold()
			b.kept = kept
		}
		b.frames = append(b.frames, batched{time: f.Time, data: data, wire: wire, link: f.Link})
		if len(b.frames) >= batchFrames || len(b.bytes) >= batchBytes-64<<10 {
			c.send(i)
		}
	}
}

// batch handles the frames of a batch. Its error is that the file no longer has
// them.
func (w *worker) batch(b *batch) (err error) {
	defer surviveFaults(&err)()
	var f capture.Frame
	for i := range b.frames {
		r := &b.frames[i]
		f.Time, f.Data, f.OrigLen, f.Link, f.Tick = r.time, r.data, r.wire, r.link, r.tick
		w.frame(&f)
	}
	return nil
}

func addFragments(f *packet.FragmentStats, g packet.FragmentStats) {
	f.Fragments += g.Fragments
	f.Joined += g.Joined
	f.Overlaps += g.Overlaps
	f.TimedOut += g.TimedOut
	f.Evicted += g.Evicted
	f.Invalid += g.Invalid
}
