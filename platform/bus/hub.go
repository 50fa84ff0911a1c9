// SPDX-License-Identifier: Apache-2.0

package bus

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

// HubStats says how far the hub is behind this site.
type HubStats struct {
	Connected bool
	Lag       uint64    // messages that the hub has not taken over
	Oldest    time.Time // when the first of them was published; zero when there is none
}

// hubState is how far the hub has come. It is written down now and then, so
// that the lag is known after a start with the hub away.
type hubState struct {
	mu        sync.Mutex
	connected bool
	taken     uint64 // position in the stream up to which the hub has taken over
	stream    string // identity of the stream that it is a position of
	oldest    time.Time
	oldestPos uint64
}

const (
	hubEvery  = time.Second
	hubKind   = "hub"
	hubReport = "taken"
)

// watchHub keeps hubState. It ends with the bus.
func (b *Bus) watchHub() {
	b.loadHub()
	tick := time.NewTicker(hubEvery)
	defer tick.Stop()
	var written uint64
	for {
		b.lookAtHub()
		b.hub.mu.Lock()
		taken, stream := b.hub.taken, b.hub.stream
		b.hub.mu.Unlock()
		if taken != written && stream != "" {
			if b.Report(b.ctx, hubKind, hubReport, []byte(stream+" "+strconv.FormatUint(taken, 10))) == nil {
				written = taken
			}
		}
		select {
		case <-b.ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// loadHub reads what an earlier life of this process wrote down.
func (b *Bus) loadHub() {
	list, err := b.Reports(b.ctx, hubKind)
	if err != nil {
		return
	}
	id, err := b.Stream(b.ctx)
	if err != nil {
		return
	}
	for _, r := range list {
		stream, pos, ok := cutLast(string(r.Body))
		if n, err := strconv.ParseUint(pos, 10, 64); ok && err == nil && r.Name == hubReport && stream == id {
			b.hub.mu.Lock()
			b.hub.taken, b.hub.stream = n, stream
			b.hub.mu.Unlock()
		}
	}
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, ' ')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// lookAtHub asks the embedded server how far the hub's consumer has come. The
// consumer is "direct": only the server itself knows of it. While the link is down
// what was known last stands.
func (b *Bus) lookAtHub() {
	srv := b.srv.current()
	if srv == nil {
		return
	}
	connected := false
	if z, err := srv.Leafz(nil); err == nil {
		for _, l := range z.Leafs {
			connected = connected || l.IsSpoke
		}
	}
	taken, found := hubTaken(srv, b.cfg.streamName())
	i, err := b.info(b.ctx)
	b.hub.mu.Lock()
	b.hub.connected = connected
	if connected && found && err == nil {
		b.hub.taken, b.hub.stream = taken, identity(i)
	}
	known, oldestPos := b.hub.taken, b.hub.oldestPos
	if err == nil && b.hub.stream != identity(i) {
		known = 0
	}
	b.hub.mu.Unlock()
	if err != nil {
		return
	}
	next := max(known+1, i.State.FirstSeq)
	if next == oldestPos {
		return
	}
	p, err := b.Pending(b.ctx, known)
	if err != nil {
		return
	}
	b.hub.mu.Lock()
	defer b.hub.mu.Unlock()
	if b.hub.oldest, b.hub.oldestPos = p.Oldest, next; p.Messages == 0 {
		b.hub.oldestPos = 0
	}
}

// hubTaken returns the position that the newest consumer of the hub has come
// to.
func hubTaken(srv *server.Server, stream string) (pos uint64, found bool) {
	a, err := srv.JszAccount(&server.JSzOptions{Account: server.DEFAULT_GLOBAL_ACCOUNT, Streams: true, Consumer: true, DirectConsumer: true, Config: true})
	if err != nil {
		return 0, false
	}
	var newest time.Time
	for _, s := range a.Streams {
		if s.Name != stream {
			continue
		}
		for _, c := range s.DirectConsumer {
			if c.Created.Before(newest) {
				continue
			}
			newest, found = c.Created, true
			pos = c.Delivered.Stream
			if c.Config != nil && c.Config.AckPolicy != server.AckNone {
				pos = c.AckFloor.Stream
			}
		}
	}
	return pos, found
}

// hubStats is what is known now; the state of the stream may be nil.
func (b *Bus) hubStats(i *jetstream.StreamInfo) HubStats {
	b.hub.mu.Lock()
	defer b.hub.mu.Unlock()
	h := HubStats{Connected: b.hub.connected}
	if i == nil {
		return h
	}
	taken := b.hub.taken
	if b.hub.stream != identity(i) {
		taken = 0
	}
	if next := max(taken+1, i.State.FirstSeq); i.State.Msgs > 0 && next <= i.State.LastSeq {
		h.Lag, h.Oldest = i.State.LastSeq-next+1, b.hub.oldest
	}
	return h
}
