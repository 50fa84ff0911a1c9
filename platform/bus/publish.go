// SPDX-License-Identifier: Apache-2.0

package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// session publishes over one connection. Whatever fails ends it: the batches
// that were sent and not acknowledged are sent again, in order, over the next. It
// returns nil when ctx has ended and nothing is left. progress says that a batch was
// acknowledged.
func (p *Publisher) session(ctx, drain context.Context, z *zstd.Encoder) (progress bool, err error) {
	gone := make(chan struct{})
	nc, err := p.bus.dial(nats.NoReconnect(), nats.ClosedHandler(func(*nats.Conn) { close(gone) }))
	if err != nil {
		return false, explain("publish", err)
	}
	defer func() {
		nc.Close()
		<-gone
	}()
	most, err := p.recover(drain, nc)
	if err != nil {
		return false, explain("publish", err)
	}
	inbox := nc.NewInbox()
	acks := make(chan *nats.Msg, 4*window)
	if _, err := nc.ChanSubscribe(inbox+".*", acks); err != nil {
		return false, explain("publish", err)
	}
	p.mu.Lock()
	again := append([]*pending(nil), p.sent...)
	p.mu.Unlock()
	flight, stopping := 0, ctx.Done()
	timer := time.NewTimer(ackTimeout)
	defer timer.Stop()
	for {
		var due time.Time
		for flight < most {
			b := (*pending)(nil)
			if len(again) > 0 {
				b, again = again[0], again[1:]
			} else {
				var lost uint64
				if b, lost, due = p.next(stopping == nil); b == nil {
					break
				}
				p.mu.Lock()
				h := header{run: p.run, seq: b.seq, first: p.first - uint64(b.events), lost: lost, sensor: p.name, events: b.events}
				p.mu.Unlock()
				b.msg = appendMessage(nil, &h, b.body, z)
			}
			m := &nats.Msg{Subject: p.subject, Reply: inbox + "." + strconv.FormatUint(b.seq, 10), Data: b.msg, Header: nats.Header{
				jetstream.MsgIDHeader: {p.id + "." + strconv.FormatUint(b.seq, 10)}, jetstream.ExpectedStreamHeader: {p.bus.cfg.streamName()}}}
			if err := nc.PublishMsg(m); err != nil {
				return progress, explain("publish", err)
			}
			p.mu.Lock()
			b.at = time.Now()
			p.mu.Unlock()
			flight++
		}
		if flight == 0 && due.IsZero() && stopping == nil {
			return progress, nil
		}
		wait := ackTimeout
		if flight == 0 && due.IsZero() {
			wait = time.Hour
		} else if !due.IsZero() {
			wait = min(wait, max(time.Until(due), 0))
		}
		timer.Reset(wait)
		select {
		case m := <-acks:
			if err := p.acknowledged(m); err != nil {
				return progress, explain("publish", err)
			}
			progress = true
			flight--
		case <-p.kick:
		case <-stopping:
			stopping = nil
		case <-drain.Done():
			return progress, drain.Err()
		case <-gone:
			return progress, explain("publish", nats.ErrConnectionClosed)
		case <-timer.C:
			if flight > 0 && p.stuck() {
				return progress, explain("publish", nats.ErrTimeout)
			}
		}
	}
}

// stuck reports whether the oldest batch in flight has waited for too long.
func (p *Publisher) stuck() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.sent) > 0 && time.Since(p.sent[0].at) >= ackTimeout
}

// recover finds out, before batches are sent again, which of them the bus has:
// their acknowledgement may have been lost, and the server's own memory of what
// was sent twice is two minutes. It returns how many may be in flight: one in a
// cluster, where a change of the leader could lose one and take the next.
func (p *Publisher) recover(ctx context.Context, nc *nats.Conn) (most int, err error) {
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(apiTimeout))
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	s, err := js.Stream(ctx, p.bus.cfg.streamName())
	if errors.Is(err, jetstream.ErrStreamNotFound) { // somebody removed it
		if err = p.bus.prepareEvents(ctx); err == nil {
			s, err = js.Stream(ctx, p.bus.cfg.streamName())
		}
	}
	if err != nil {
		return 0, err
	}
	most = window
	if s.CachedInfo().Config.Replicas > 1 {
		most = 1
	}
	p.mu.Lock()
	again := len(p.sent) > 0
	p.mu.Unlock()
	if !again {
		return most, nil
	}
	last, err := s.GetLastMsgForSubject(ctx, p.subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return most, nil
	}
	if err != nil {
		return 0, err
	}
	h, _, _, _, err := parseHeader(last.Data)
	if err != nil || h.run != p.run {
		return most, nil // somebody else wrote to the subject: the server's memory must do
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.sent) > 0 && p.sent[0].seq <= h.seq {
		p.done()
	}
	return most, nil
}

// done takes the oldest batch in flight as stored. Preconditions: p.mu is held.
func (p *Publisher) done() {
	b := p.sent[0]
	p.sent = p.sent[1:]
	p.stored += uint64(b.events)
	p.release(b)
}

// ack is the answer of JetStream to a published message.
type ack struct {
	Stream string `json:"stream"`
	Error  *struct {
		Code int    `json:"code"`
		Err  uint64 `json:"err_code"`
		Text string `json:"description"`
	} `json:"error"`
}

// acknowledged takes an answer. It is an error when the batch was not stored.
func (p *Publisher) acknowledged(m *nats.Msg) error {
	if m.Header.Get("Status") == "503" {
		return nats.ErrNoResponders
	}
	var a ack
	if err := json.Unmarshal(m.Data, &a); err != nil {
		return fmt.Errorf("answer of the server: %w", err)
	}
	if a.Error != nil {
		return &Error{Kind: ErrAway.Kind, Text: fmt.Sprintf("the server refuses: %s (%d)", a.Error.Text, a.Error.Err), Help: "check the limits and the disk of the NATS server"}
	}
	seq, _ := strconv.ParseUint(m.Subject[strings.LastIndexByte(m.Subject, '.')+1:], 10, 64)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.sent) == 0 || p.sent[0].seq != seq {
		return errors.New("the server acknowledges out of order")
	}
	p.done()
	if p.lastErr != nil {
		p.lastErr = nil
		p.bus.log.Info("the bus takes events again", "sensor", p.name)
	}
	return nil
}
