// SPDX-License-Identifier: Apache-2.0

package recorder

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/netip"
	"strconv"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/see/inventory"
)

// Activities of event.Connection that the recorder tells apart.
const (
	connOpen    = 1
	connFail    = 4
	connRefuse  = 5
	connTraffic = 6
)

// Bounds of what is remembered about open flows and runs of sensors.
const (
	maxFlows = 200_000
	maxRuns  = 1000
)

// runState is what is known of one run of one sensor.
type runState struct {
	lost uint64 // as its last batch said
	salt uint64 // makes its flow numbers differ from those of other runs
	at   uint64 // position of its last batch
}

// flowTotals is what an open flow has reported so far.
type flowTotals struct {
	out, in uint64
	at      uint64 // position of the report
}

// written is a batch on its way to the store.
type written struct {
	pos  store.Position
	recs []record.Record
}

// record reads the bus and writes to the store until ctx ends. Decoding and
// writing overlap.
func (r *Recorder) record(ctx context.Context) error {
	toStore := make(chan written, 16)
	writeCtx, stopWriting := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWriting()
	readCtx, stopReading := context.WithCancel(ctx)
	defer stopReading()
	writeErr := make(chan error, 1)
	go func() {
		err := r.write(writeCtx, toStore)
		stopReading()
		writeErr <- err
	}()
	// When the store is away at the end, what was taken from the bus waits there.
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(5*time.Second, stopWriting) })
	defer stop()

	r.mu.Lock()
	// The snapshot can be ahead of the events: they are written apart, and a power
	// cut takes the last second of events only.
	after := r.observed.Seq
	if r.stored.Stream == r.observed.Stream {
		after = min(after, r.stored.Seq)
	}
	r.mu.Unlock()
	err := r.deps.Bus.Read(readCtx, after, func(ctx context.Context, b bus.Batch) error {
		w := r.observe(b)
		select {
		case toStore <- w:
			return nil
		case <-readCtx.Done():
			return readCtx.Err()
		}
	})
	close(toStore)
	werr := <-writeErr
	if ctx.Err() != nil {
		return nil
	}
	if werr != nil {
		return werr
	}
	return err
}

// observe lets the inventory see a batch and makes its records. The inventory
// and the position in the stream change together, under mu.
func (r *Recorder) observe(b bus.Batch) written {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b.Pos > 0 {
		r.redoEdits(b.Pos - 1)
	}
	r.rep.MissingBatches += b.Missing
	r.rep.MissingEvents += b.MissingEvents
	w := written{pos: store.Position{Stream: b.Stream, Seq: b.Pos}}
	// Edits made after this batch and before the next are made again here.
	seen := w.pos.Stream == r.observed.Stream && w.pos.Seq <= r.observed.Seq
	defer func() {
		if !seen {
			r.observed = w.pos
		}
		r.redoEdits(w.pos.Seq)
	}()
	if len(b.Events) == 0 {
		return w
	}
	// The inventory sees again what came after its snapshot; the store has it.
	again := w.pos.Stream == r.stored.Stream && w.pos.Seq <= r.stored.Seq
	salt := r.run(b)
	inv, site, sensor := r.site(b.Site, b.Sensor)
	w.recs = make([]record.Record, 0, len(b.Events))
	for _, data := range b.Events {
		e, err := r.decoder.Decode(data)
		if err != nil {
			r.rep.Unreadable++
			continue
		}
		if e.Flow != nil && e.Flow.ID != 0 {
			e.Flow.ID ^= salt
		}
		if !seen {
			inv.Observe(e)
		}
		if x := r.fileUnder(e, filing{inv, site, sensor, b.Pos}, data); !again {
			w.recs = append(w.recs, x)
		}
	}
	return w
}

// run notes what a batch says about the run of its sensor and returns the run's salt.
func (r *Recorder) run(b bus.Batch) uint64 {
	s, known := r.runs[b.Run]
	if !known {
		if len(r.runs) >= maxRuns {
			oldest, at := "", b.Pos
			for k, v := range r.runs {
				if v.at <= at {
					oldest, at = k, v.at
				}
			}
			delete(r.runs, oldest)
		}
		s.salt = saltOf(b.Run)
	}
	if b.Lost > s.lost {
		r.rep.LostEvents += b.Lost - s.lost
		s.lost = b.Lost
	}
	s.at = b.Pos
	r.runs[b.Run] = s
	return s.salt
}

// saltOf is the same for the same run after a restart.
func saltOf(run string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(run))
	return h.Sum64() | 1<<63
}

// fileUnder makes the record of an event: whose it is, and where.
func (r *Recorder) fileUnder(e *event.Event, at filing, data []byte) record.Record {
	x := record.Record{Time: e.Time, Class: e.Class(), Activity: e.Activity, Severity: e.Severity, Status: e.Status, Protocol: e.Protocol, Sensor: at.sensor, Data: data}
	switch f := e.Flow; {
	case f != nil:
		var vlan uint16
		if n := len(f.VLANs); n > 0 {
			vlan = f.VLANs[n-1]
		}
		x.Src, x.Dst = f.Src.IP, f.Dst.IP
		x.SrcDevice = at.whose(device.Subject{MAC: f.Src.MAC, IP: f.Src.IP, VLAN: vlan, Hops: f.SrcHops}, e.Time)
		x.DstDevice = at.whose(device.Subject{MAC: f.Dst.MAC, IP: f.Dst.IP, VLAN: vlan, Hops: f.DstHops}, e.Time)
	default:
		if d, ok := e.Detail.(*event.DeviceEvidence); ok {
			x.Src = d.Evidence.Subject.IP
			x.SrcDevice = at.whose(d.Evidence.Subject, e.Time)
		}
	}
	var vlans []uint16
	if e.Flow != nil {
		vlans = e.Flow.VLANs
	}
	if x.Theatre = r.rooms.of(x.SrcDevice, at.site, x.Src, vlans); x.Theatre == "" {
		x.Theatre = r.rooms.of(x.DstDevice, at.site, x.Dst, vlans)
	}
	if c, ok := e.Detail.(*event.Connection); ok && e.Flow != nil {
		x.Link = r.link(e, c, at.pos)
		if x.Protocol == "" {
			x.Protocol = c.App
		}
	}
	return x
}

// filing is where the events of a batch come from.
type filing struct {
	inv          *inventory.Inventory // of the site
	site, sensor string               // the site is "" for this one
	pos          uint64
}

// whose returns the device that had an address, "" for none.
func (f *filing) whose(s device.Subject, at int64) string {
	if s.MAC.IsGroup() || !s.IP.IsValid() && s.MAC.IsZero() || s.IP.IsValid() && (s.IP.IsMulticast() || s.IP == broadcast) {
		return ""
	}
	id, _ := f.inv.Resolve(s, at)
	return join(id, f.site)
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// link says what a connection's report adds to what its two ends have said so
// far: reports on the way carry totals since its beginning.
func (r *Recorder) link(e *event.Event, c *event.Connection, pos uint64) *record.Link {
	l := record.Link{Transport: transport(e.Flow.Proto), Port: e.Flow.Dst.Port, BytesOut: c.BytesOut, BytesIn: c.BytesIn}
	if e.Flow.Proto != 6 && e.Flow.Proto != 17 {
		l.Port = 0
	}
	before, open := r.flows[e.Flow.ID]
	if open {
		l.BytesOut -= min(before.out, l.BytesOut)
		l.BytesIn -= min(before.in, l.BytesIn)
	}
	switch e.Activity {
	case connOpen, connTraffic:
		if open || len(r.flows) < maxFlows {
			r.flows[e.Flow.ID] = flowTotals{max(before.out, c.BytesOut), max(before.in, c.BytesIn), pos}
		}
	default:
		delete(r.flows, e.Flow.ID)
		l.Flows = 1
		if e.Activity == connFail || e.Activity == connRefuse {
			l.Failed = 1
		}
	}
	return &l
}

func transport(proto uint8) string {
	switch proto {
	case 6:
		return "tcp"
	case 17:
		return "udp"
	}
	return strconv.Itoa(int(proto))
}

// leadEvery is how often a recorder that has nothing to write makes sure that it
// is still the one that writes.
const leadEvery = 2 * time.Second

// write stores batches, several in one transaction, and tries again for as long
// as it takes.
func (r *Recorder) write(ctx context.Context, in <-chan written) error {
	idle := time.NewTicker(leadEvery)
	defer idle.Stop()
	var began time.Time // of the last transaction
	for {
		var w written
		select {
		case next, ok := <-in:
			if !ok {
				return nil
			}
			if w = r.collect(next, in, began.Add(r.cfg.BatchDelay)); r.has(w.pos) {
				continue
			}
			began = time.Now()
		case <-idle.C:
			r.mu.Lock()
			w.pos = r.stored // changes nothing where this one leads
			r.mu.Unlock()
		}
		for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
			err := r.append(ctx, w)
			if err == nil {
				r.working()
				r.mu.Lock()
				r.stored = w.pos
				r.rep.Stream, r.rep.Position = w.pos.Stream, w.pos.Seq
				r.rep.Events += uint64(len(w.recs))
				r.mu.Unlock()
				break
			}
			if ctx.Err() != nil {
				return nil
			}
			if errors.Is(err, store.ErrNewer) || errors.Is(err, store.ErrBusy) || errors.Is(err, store.ErrNoLead) {
				return err
			}
			r.failing("events cannot be stored", err)
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(pause):
			}
			// The store may have been away for long enough that another one led
			// meanwhile, and is gone again.
			if at, err := r.deps.Store.Position(ctx, w.pos.Stream); err == nil && at != w.pos.Seq && !r.wrote(w.pos.Stream, at) {
				return fmt.Errorf("recorder: %w", store.ErrNoLead)
			}
		}
	}
}

// has reports whether the store has everything up to a position.
func (r *Recorder) has(pos store.Position) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return pos.Stream == r.stored.Stream && pos.Seq <= r.stored.Seq
}

// wrote reports whether a position of the store can be what this recorder left
// there. After a power cut a store may have gone back.
func (r *Recorder) wrote(stream string, at uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if stream != r.stored.Stream {
		return at == 0
	}
	return at <= r.stored.Seq
}

// appendTimeout is how long one attempt to write may take: a database that went
// away without a word is noticed then.
const appendTimeout = 30 * time.Second

func (r *Recorder) append(ctx context.Context, w written) error {
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	return r.deps.Store.Append(ctx, w.pos, w.recs)
}

// collect adds to a batch what else is there, and, until a time, what else comes,
// as long as there are not enough events. An event that comes alone does not wait
// at all; under load each transaction has what came during the one before.
func (r *Recorder) collect(w written, in <-chan written, until time.Time) written {
	t := time.NewTimer(time.Until(until))
	defer t.Stop()
	late := t.C
	for len(w.recs) < r.cfg.BatchEvents {
		select {
		case more, ok := <-in:
			if !ok {
				return w
			}
			w.pos = more.pos
			w.recs = append(w.recs, more.recs...)
			continue
		default:
		}
		if late == nil {
			return w
		}
		select {
		case more, ok := <-in:
			if !ok {
				return w
			}
			w.pos = more.pos
			w.recs = append(w.recs, more.recs...)
		case <-late:
			late = nil // once more what is there
		}
	}
	return w
}
