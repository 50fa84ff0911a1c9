// SPDX-License-Identifier: Apache-2.0

package bus

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	prefetchMessages = 128
	prefetchBytes    = 8 << 20
	readerIdle       = time.Minute // after which the server forgets a reader that vanished
	heartbeat        = time.Second // two that do not come end a session
	maxRuns          = 4096
)

// Read gives handle every batch after a position, 0 for all, in the order of
// the stream, one call at a time. What comes next is fetched meanwhile. It
// returns when ctx ends, the bus is closed, or handle returns an error, which it
// returns; when the bus is away it tries again for ever.
//
// handle may keep what it is given. When the stream is made anew, Batch.Stream
// changes and positions begin again. Where the position is beyond the end of
// the stream, as a power cut of the server can leave it, the stream is moved on to it.
func (b *Bus) Read(ctx context.Context, after uint64, handle func(context.Context, Batch) error) error {
	if err := b.enter(); err != nil {
		return err
	}
	defer b.running.Done()
	ctx, cancel := b.until(ctx)
	defer cancel()
	r := &reader{bus: b, handle: handle, pos: after, runs: map[[runSize]byte]*runState{}, z: newDecompressor()}
	defer r.z.Close()
	wait := retryFirst
	for {
		progress, err := r.session(ctx)
		var h handlerError
		switch {
		case errors.As(err, &h):
			return h.error
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		if progress {
			wait = retryFirst
		}
		if r.quiet == 0 {
			b.log.Warn("reading from the bus is interrupted", "why", err, "after", r.pos)
		}
		r.quiet++
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(wait*2, retryMost)
	}
}

// handlerError marks what the caller's function returned.
type handlerError struct{ error }

// reader is one call of Read.
type reader struct {
	bus    *Bus
	handle func(context.Context, Batch) error
	stream string // identity, "" before the first connection
	pos    uint64 // the last position that is dealt with
	gap    uint64 // position below which the stream had lost messages
	runs   map[[runSize]byte]*runState
	z      *zstd.Decoder
	quiet  int // interruptions since the last batch
}

// runState is what is known of one publisher's life.
type runState struct {
	seq    uint64 // the last that was seen
	events uint64 // up to and with it
	pos    uint64
	late   [2]uint64 // numbers from and below which were reported as missing last
}

// give calls the handler.
func (r *reader) give(ctx context.Context, b Batch) error {
	b.Stream = r.stream
	if err := r.handle(ctx, b); err != nil {
		return handlerError{err}
	}
	return nil
}

// session reads over one consumer until something is wrong with it.
func (r *reader) session(ctx context.Context) (progress bool, err error) {
	s, err := r.bus.js.Stream(ctx, r.bus.cfg.streamName())
	if err != nil {
		return false, explain("stream of events", err)
	}
	i := s.CachedInfo()
	if id := identity(i); id != r.stream {
		if r.stream != "" {
			r.pos, r.gap = 0, 0
		}
		r.stream = id
	}
	if first := i.State.FirstSeq; first > r.pos+1 {
		if err := r.skipped(ctx, first-1); err != nil {
			return false, err
		}
	}
	if last := i.State.LastSeq; last < r.pos {
		r.bus.log.Warn("the stream of events ends before what was read: its server lost the end", "position", r.pos, "last", last)
		if err := r.bus.move(ctx, r.pos-last); err != nil {
			return false, explain("stream of events", err)
		}
	}
	c, err := s.CreateConsumer(ctx, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: r.pos + 1, AckPolicy: jetstream.AckNonePolicy,
		MemoryStorage: true, Replicas: 1, InactiveThreshold: readerIdle,
	})
	if err != nil {
		return false, explain("reader", err)
	}
	defer func() { // the server would forget it by itself, but later
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = s.DeleteConsumer(ctx, c.CachedInfo().Name)
	}()
	ms, err := c.Messages(jetstream.PullMaxMessagesWithBytesLimit(prefetchMessages, prefetchBytes), jetstream.PullHeartbeat(heartbeat), jetstream.PullExpiry(5*heartbeat))
	if err != nil {
		return false, explain("reader", err)
	}
	defer ms.Stop()
	for delivered := uint64(1); ; delivered++ {
		m, err := ms.Next(jetstream.NextContext(ctx))
		if err != nil {
			return progress, explain("reader", err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return progress, explain("reader", err)
		}
		if meta.Sequence.Consumer != delivered {
			return progress, fmt.Errorf("reader: message %d came instead of %d: one was lost on the way", meta.Sequence.Consumer, delivered)
		}
		if err := r.message(ctx, m, meta); err != nil {
			return progress, err
		}
		progress, r.quiet = true, 0
	}
}

// skipped reports that what is after r.pos up to a position is no longer in
// the stream.
func (r *reader) skipped(ctx context.Context, upto uint64) error {
	b := Batch{Pos: upto, Missing: upto - r.pos}
	r.pos, r.gap = upto, upto
	r.bus.log.Warn("events were given up before they were read", "messages", b.Missing)
	return r.give(ctx, b)
}

func (r *reader) message(ctx context.Context, m jetstream.Msg, meta *jetstream.MsgMetadata) error {
	pos := meta.Sequence.Stream
	if pos <= r.pos {
		return nil
	}
	if pos > r.pos+1 {
		if err := r.skipped(ctx, pos-1); err != nil {
			return err
		}
	}
	if string(m.Data()) == filler {
		r.pos = pos
		return nil
	}
	h, events, err := parseMessage(m.Data(), r.z)
	if err != nil {
		r.pos = pos
		if n := r.bus.foreign.Add(1); n&(n-1) == 0 { // not for each
			r.bus.log.Warn("a message on the bus is no batch of events and is passed over", "subject", m.Subject(), "why", err, "so_far", n)
		}
		return nil
	}
	known, fresh := r.runs[h.run], false
	if known == nil {
		known, fresh = r.remember(h.run), true
	}
	switch {
	case fresh, h.seq == known.seq+1:
	case h.seq <= known.seq && h.seq >= known.late[0] && h.seq < known.late[1]:
		// It was reported as missing, and comes after all.
	case h.seq <= known.seq:
		r.pos = pos
		r.bus.twice.Add(1)
		return nil
	default:
		gone := Batch{Pos: pos - 1, Sensor: h.sensor, Run: hex.EncodeToString(h.run[:]), Missing: h.seq - known.seq - 1, MissingEvents: h.first - min(known.events, h.first)}
		if known.pos <= r.gap {
			gone.Missing = 0 // they are among those that the stream gave up, which were reported
		} else {
			known.late = [2]uint64{known.seq + 1, h.seq}
		}
		if err := r.give(ctx, gone); err != nil {
			return err
		}
	}
	if h.seq > known.seq {
		known.seq, known.events = h.seq, h.first+uint64(h.events)
	}
	known.pos = pos
	site, _, _ := strings.Cut(m.Subject(), ".")
	err = r.give(ctx, Batch{Pos: pos, Published: meta.Timestamp, Site: site, Sensor: h.sensor, Run: hex.EncodeToString(h.run[:]), Seq: h.seq,
		First: h.first, Lost: h.lost, Events: events})
	if err == nil {
		r.pos = pos
	}
	return err
}

// remember makes the state of a run, and forgets the one that was silent for
// longest when there are too many.
func (r *reader) remember(run [runSize]byte) *runState {
	if len(r.runs) >= maxRuns {
		var oldest [runSize]byte
		least := ^uint64(0)
		for k, v := range r.runs {
			if v.pos < least {
				oldest, least = k, v.pos
			}
		}
		delete(r.runs, oldest)
	}
	s := &runState{}
	r.runs[run] = s
	return s
}
