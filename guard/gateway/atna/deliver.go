// SPDX-License-Identifier: Apache-2.0

package atna

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"time"

	"github.com/asepsis/asepsis/wire/atna"
	"github.com/asepsis/asepsis/wire/syslog"
)

// batchBytes is how much is written at a time.
const batchBytes = 128 << 10

// checkEvery is how often it is asked what was acknowledged.
const checkEvery = 100 * time.Millisecond

// provedAfter is how long a connection must live to count as one.
const provedAfter = 500 * time.Millisecond

// deliver connects and sends, again and again, until ctx ends.
func (r *Room) deliver(ctx context.Context) {
	wait := r.cfg.RetryMin
	for {
		began := r.d.Now()
		err := r.connection(ctx)
		r.saveLost()
		if ctx.Err() != nil {
			return
		}
		if r.d.Now().Sub(began) > time.Minute {
			wait = r.cfg.RetryMin
		}
		r.set("down", fmt.Sprintf("%s: %v", r.cfg.Address, err), hint(err))
		r.d.Log.Warn("the audit repository cannot be reached", "address", r.cfg.Address, "error", err, "again_in", wait)
		// Gateways that lost a repository together do not come back together.
		pause := wait/2 + rand.N(wait/2+1) //nolint:gosec // it only spreads load
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		wait = min(2*wait, r.cfg.RetryMax)
	}
}

func hint(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) && h.Hint() != "" {
		return h.Hint()
	}
	return "check that the repository listens for syslog over TLS at that address, and that each side trusts the other's certificate"
}

// saveLost writes down how many messages were lost, when that has changed.
func (r *Room) saveLost() {
	if _, lost, _, _ := r.spool.state(); lost != r.spool.saved {
		if err := r.spool.writeState(r.from, lost); err != nil {
			r.d.Log.Error("audit spool", "error", err)
		}
	}
}

// connection makes one connection and sends on it until that or ctx ends.
func (r *Room) connection(ctx context.Context) error {
	dialing, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	conn, err := r.d.Dial(dialing, "tcp", r.cfg.Address)
	cancel()
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- r.listen(conn) }()
	defer func() {
		_ = conn.Close()
		if ended != nil {
			<-ended
		}
	}()
	r.link(true)
	defer r.link(false)
	began, proved := r.d.Now(), false
	at := r.from
	var sent acks
	// Nobody waits for a write to a repository that takes nothing when the gateway ends.
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	buf, out := make([]byte, maxMessage), make([]byte, 0, batchBytes+maxMessage+16)
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		out = out[:0]
		n := 0
		for len(out) < batchBytes && len(sent.open) < 2*maxOpen {
			message, behind, ok := r.spool.read(at, buf)
			at = behind
			if !ok {
				break
			}
			out = syslog.AppendFrame(out, message)
			n++
		}
		if n > 0 {
			if err := conn.SetWriteDeadline(r.d.Now().Add(r.cfg.Timeout)); err != nil {
				return err
			}
			if _, err := conn.Write(out); err != nil {
				return err
			}
			sent.wrote(at, n, len(out), r.d.Now())
		}
		if err := r.settle(conn, &sent); err != nil {
			return err
		}
		// In TLS 1.3 a server refuses a client's certificate after the client believes to be connected.
		if now := r.d.Now(); !proved && now.Sub(began) > provedAfter {
			proved = true
			r.set("ok", "", "")
			r.tell()
		}
		if n > 0 && len(sent.open) < maxOpen {
			select {
			case err := <-ended:
				ended = nil
				return err
			default:
				continue
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-ended:
			ended = nil
			return err
		case <-r.spool.wake:
		case <-tick.C:
			r.saveLost()
			if proved {
				r.tell()
			}
		}
	}
}

var errClosed = errors.New("the repository closed the connection")

// listen notices the end of a connection, on which a repository never says anything.
func (r *Room) listen(conn net.Conn) error {
	var b [512]byte
	for {
		if _, err := conn.Read(b[:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = errClosed
			}
			return err
		}
	}
}

// maxOpen is how many writes may be under way before they are awaited.
const maxOpen = 64

// settle notes what has been delivered. It is an error when the repository's machine acknowledges nothing.
func (r *Room) settle(conn net.Conn, sent *acks) error {
	now := r.d.Now()
	left, known := unacknowledged(conn)
	if !known {
		left = 0
	}
	sent.heard(left, now)
	if behind, messages, some := sent.settled(now, r.cfg.Settle); some {
		r.from = behind
		if err := r.spool.delivered(behind, messages); err != nil {
			return err
		}
	}
	if sent.stalled(now) > r.cfg.Timeout {
		return fmt.Errorf("the repository's machine has acknowledged nothing for %v", r.cfg.Timeout)
	}
	return nil
}

// tell says how many messages were lost, once there is room to say it.
func (r *Room) tell() {
	_, lost, _, full := r.spool.state()
	if lost == 0 || full {
		return
	}
	m := Alert{Kind: atna.AuditRecordingStopped, Outcome: atna.SeriousFailure, Reporter: Node{ID: r.d.Name, Address: r.cfg.Host}, Subject: r.d.Name,
		Description: fmt.Sprintf("%d audit messages were lost because the spool was full", lost)}.message(r)
	if err := r.Send(m); err == nil {
		r.spool.told(lost)
		r.saveLost()
	}
}
