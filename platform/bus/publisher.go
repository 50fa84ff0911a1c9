// SPDX-License-Identifier: Apache-2.0

package bus

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/platform/record"
)

// PublisherOptions says what a publisher does when its queue is full.
type PublisherOptions struct {
	// Wait makes Emit wait for room, for sources that can be read later, like
	// files. Otherwise the oldest batch that waits is given up and counted.
	Wait bool
	// QueueBytes bounds the memory of what waits; 0 for Config.QueueBytes.
	QueueBytes int64
}

// PublisherStats counts since the making of the publisher.
type PublisherStats struct {
	Events      uint64 // given to Emit
	Stored      uint64 // acknowledged by the bus
	Lost        uint64 // given up: the queue was full, or the event too large
	Queued      uint64 // in memory, not acknowledged; includes Unacked
	QueuedBytes int64
	Unacked     uint64        // of them sent
	Oldest      time.Duration // how long the oldest of them has waited
	LastError   error         // why the bus does not take them; when it does, why an event was refused; nil for none
}

// Publisher publishes the events of one sensor. Emit may be called from many
// goroutines; one goroutine calls Run.
type Publisher struct {
	bus     *Bus
	name    string
	wait    bool
	most    int64
	run     [runSize]byte
	id      string // run in hexadecimal
	subject string
	kick    chan struct{} // capacity 1: there is something to do

	mu      sync.Mutex
	room    *sync.Cond
	open    *pending
	queue   []*pending // sealed, not sent, oldest first
	sent    []*pending // sent, not acknowledged, oldest first
	free    [][]byte   // bodies to use again
	bytes   int64      // in open, queue and sent
	events  uint64
	stored  uint64
	lost    uint64
	told    uint64    // lost, as the last batch said
	seq     uint64    // of the last batch that was sent
	left    time.Time // when it was
	first   uint64    // events in batches that were sent
	ended   bool      // nobody publishes any more
	lastErr error     // why the bus takes nothing now
	refused error     // why an event was not taken
}

// pending is a batch on its way.
type pending struct {
	body   []byte
	events int
	since  time.Time
	seq    uint64    // given when it is sent
	at     time.Time // when it was sent last
	msg    []byte
}

const (
	linger       = 20 * time.Millisecond
	ackTimeout   = 5 * time.Second
	drainTimeout = 5 * time.Second
	window       = 8 // batches in flight
	retryFirst   = 100 * time.Millisecond
	retryMost    = 2 * time.Second
	maxFree      = 16
)

// NewPublisher makes the publisher of a sensor's events. The name stands in
// every batch.
func (b *Bus) NewPublisher(name string, o PublisherOptions) *Publisher {
	if len(name) > maxSensor {
		name = name[:maxSensor]
	}
	p := &Publisher{bus: b, name: name, wait: o.Wait, most: o.QueueBytes, kick: make(chan struct{}, 1)}
	if p.most <= 0 {
		p.most = int64(b.cfg.QueueBytes)
	}
	p.room = sync.NewCond(&p.mu)
	_, _ = rand.Read(p.run[:]) // never fails
	p.id = hex.EncodeToString(p.run[:])
	p.subject = b.cfg.Name + ".events." + token(name) + "." + p.id
	return p
}

// scratch holds encoded events on their way into a batch.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

// Emit implements sensor.Sink. It returns when the event is in memory; see
// PublisherOptions.Wait. After Run has returned, events are counted as lost.
func (p *Publisher) Emit(e *event.Event) {
	buf := scratch.Get().(*[]byte)
	data, err := record.Encode((*buf)[:0], e)
	*buf = data[:0]
	p.add(data, err)
	scratch.Put(buf)
}

func (p *Publisher) add(data []byte, err error) {
	size := int64(len(data)) + 4
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events++
	if err == nil && p.wait {
		for p.bytes > 0 && p.bytes+size > p.most && !p.ended {
			p.room.Wait()
		}
	}
	if err != nil || p.ended || !p.makeRoom(size) {
		p.lost++
		if err != nil {
			if p.refused == nil {
				p.bus.log.Warn("an event cannot be published and is counted as lost", "sensor", p.name, "why", err)
			}
			p.refused = err
		}
		p.wake()
		return
	}
	if p.open != nil && len(p.open.body)+int(size) > batchBytes {
		p.seal()
	}
	if p.open == nil {
		p.open = &pending{since: time.Now()}
		if n := len(p.free); n > 0 {
			p.open.body, p.free = p.free[n-1], p.free[:n-1]
		}
		p.wake()
	}
	before := len(p.open.body)
	p.open.body = appendEvent(p.open.body, data)
	p.open.events++
	p.bytes += int64(len(p.open.body) - before)
	if p.open.events == batchEvents || len(p.open.body) >= batchBytes {
		p.seal()
	}
}

// makeRoom gives up the oldest batches that were not sent. It is false when
// there is no room even so. Preconditions: p.mu is held.
func (p *Publisher) makeRoom(size int64) bool {
	for p.bytes > 0 && p.bytes+size > p.most { // one event alone always has room
		var old *pending
		switch {
		case len(p.queue) > 0:
			old, p.queue = p.queue[0], p.queue[1:]
		case p.open != nil:
			old, p.open = p.open, nil
		default:
			return false
		}
		p.lost += uint64(old.events)
		p.release(old)
	}
	return true
}

// release gives the memory of a batch back. Preconditions: p.mu is held.
func (p *Publisher) release(b *pending) {
	p.bytes -= int64(len(b.body))
	if len(p.free) < maxFree && cap(b.body) <= 2*batchBytes {
		p.free = append(p.free, b.body[:0])
	}
	b.body = nil
	p.room.Broadcast()
}

// seal ends the batch that is being filled. Preconditions: p.mu is held.
func (p *Publisher) seal() {
	if p.open != nil {
		p.queue = append(p.queue, p.open)
		p.open = nil
		p.wake()
	}
}

func (p *Publisher) wake() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// Stats returns the counts of now.
func (p *Publisher) Stats() PublisherStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := PublisherStats{Events: p.events, Stored: p.stored, Lost: p.lost, QueuedBytes: p.bytes, LastError: p.lastErr}
	if s.LastError == nil {
		s.LastError = p.refused
	}
	var oldest time.Time
	count := func(b *pending) {
		s.Queued += uint64(b.events)
		if oldest.IsZero() {
			oldest = b.since
		}
	}
	for _, b := range p.sent {
		count(b)
		s.Unacked += uint64(b.events)
	}
	for _, b := range p.queue {
		count(b)
	}
	if p.open != nil {
		count(p.open)
	}
	if !oldest.IsZero() {
		s.Oldest = time.Since(oldest)
	}
	return s
}

// Run publishes until ctx ends or the bus is closed, and then what is left, for
// five seconds at most. The error says how many events were left behind; it is
// nil when none was. The bus's being away is no error: Run waits for it.
func (p *Publisher) Run(ctx context.Context) error {
	if err := p.bus.enter(); err != nil {
		return err
	}
	defer p.bus.running.Done()
	ctx, cancel := p.bus.until(ctx)
	defer cancel()
	drain, stopDrain := context.WithCancel(context.WithoutCancel(ctx))
	defer stopDrain()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(drainTimeout, stopDrain) })()

	z := newCompressor()
	defer func() { _ = z.Close() }()
	wait, silent := retryFirst, 0
	for {
		progress, err := p.session(ctx, drain, z)
		if err == nil || drain.Err() != nil {
			return p.end(err)
		}
		silent++
		if progress || !errors.Is(err, ErrAway) {
			silent = 0
		}
		if progress {
			wait = retryFirst
		} else if silent >= 3 && p.bus.srv != nil {
			p.bus.srv.suspected(err) // it is in this process and says nothing: start it anew
		}
		p.mu.Lock()
		first := p.lastErr == nil
		p.lastErr = err
		p.mu.Unlock()
		if first {
			p.bus.log.Warn("events wait in memory: the bus does not take them", "sensor", p.name, "why", err)
		}
		select {
		case <-time.After(wait):
		case <-drain.Done():
		}
		wait = min(wait*2, retryMost)
	}
}

// end counts what is left as lost and lets nobody wait for room.
func (p *Publisher) end(err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.room.Broadcast()
	p.seal()
	var left uint64
	for _, b := range append(p.sent, p.queue...) {
		left += uint64(b.events)
		p.bytes -= int64(len(b.body))
	}
	p.sent, p.queue = nil, nil
	if left == 0 {
		return nil
	}
	p.lost += left
	if err == nil || errors.Is(err, context.Canceled) {
		err = ErrAway
	}
	return fmt.Errorf("%d events of %s could not be given to the bus: %w", left, p.name, err)
}

// next gives the batch to send now, nil when there is none: another one is due
// at the time returned. With all, also one that is not full yet.
func (p *Publisher) next(all bool) (b *pending, lost uint64, due time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 && p.open != nil {
		// An event that comes alone goes at once; those that follow it go together.
		if due = p.left.Add(linger); all || !time.Now().Before(due) {
			p.seal()
		}
	}
	switch {
	case len(p.queue) > 0:
		b, p.queue = p.queue[0], p.queue[1:]
	case p.open == nil && p.lost != p.told:
		b = &pending{since: time.Now()} // an empty batch tells of the loss
	default:
		return nil, 0, due
	}
	p.sent = append(p.sent, b)
	p.left = time.Now()
	p.seq++
	b.seq = p.seq
	p.told = p.lost
	p.first += uint64(b.events)
	return b, p.lost, time.Time{}
}
