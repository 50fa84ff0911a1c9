// SPDX-License-Identifier: Apache-2.0

package dicomnet

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/asepsis/asepsis/wire/dicom/dimse"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

// reader splits what a peer sends. It belongs to one goroutine at a time: that of
// the association, or the one that reads a data set.
type reader struct {
	conn     net.Conn
	scanner  ul.Scanner
	timeouts Timeouts
	minRate  int64
	// quiet tells whether the association does nothing and since when; a wait
	// between messages ends when it has lasted Timeouts.Idle.
	quiet func() (since time.Time, ok bool)
	// until, when set, is the end of the association's next phase, whatever arrives.
	until time.Time

	// stopped ends every read: the deadline that fail sets would else be replaced by the next.
	stopped atomic.Bool

	buf      []byte
	r, w     int
	received atomic.Uint64
	began    time.Time // of the PDU under way, zero before its first wait
	message  time.Time // first wait of the message under way, zero outside of one
	inside   bool      // a message is under way
	start    uint64    // received when it began
}

var errStopped = errors.New("the association was ended from elsewhere")

func newReader(c net.Conn, l Limits, t Timeouts) *reader {
	r := &reader{conn: c, timeouts: t, minRate: l.MinRate, buf: make([]byte, l.Buffer)}
	// A few senders count the header of the PDU in its length.
	r.scanner.Limits = ul.Limits{Associate: l.Associate, PData: l.MaxPDU + 16}
	return r
}

// next returns the next step. The bytes of an event are valid until the next call.
func (r *reader) next() (ul.Event, error) {
	for {
		boundary := r.scanner.Boundary()
		ev, n, err := r.scanner.Next(r.buf[r.r:r.w])
		r.r += n
		if boundary || r.scanner.Boundary() {
			r.began = time.Time{}
		}
		if err != nil {
			return ev, err
		}
		if ev.Kind != ul.Need {
			return ev, nil
		}
		if err := r.fill(); err != nil {
			return ev, err
		}
	}
}

// enter and leave mark the bounds of a message, for the time that it may take.
func (r *reader) enter() { r.inside, r.message, r.start = true, time.Time{}, r.received.Load() }
func (r *reader) leave() { r.inside = false }

// fill reads from the connection. Precondition: every byte of the buffer was consumed.
func (r *reader) fill() error {
	r.r, r.w = 0, 0
	for {
		now := time.Now()
		deadline, doing, idle := r.deadline(now)
		if err := r.conn.SetReadDeadline(deadline); err != nil {
			return err
		}
		if r.stopped.Load() {
			return errStopped
		}
		n, err := r.conn.Read(r.buf)
		r.w = n
		r.received.Add(uint64(n))
		if n > 0 {
			return nil
		}
		switch {
		case r.stopped.Load():
			return errStopped
		case err == nil:
			continue
		case idle && errors.Is(err, os.ErrDeadlineExceeded):
			if since, quiet := r.quiet(); !quiet || time.Since(since) < r.timeouts.Idle {
				continue // it was not idle after all
			}
			return fmt.Errorf("%w: nothing was asked for in %v", ErrTimeout, r.timeouts.Idle)
		case errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("%w: %s", ErrTimeout, doing)
		case errors.Is(err, io.EOF) && (r.inside || !r.scanner.Boundary()):
			return fmt.Errorf("the peer closed the connection inside a message: %w", io.ErrUnexpectedEOF)
		}
		return err
	}
}

func (r *reader) deadline(now time.Time) (t time.Time, doing string, idle bool) {
	pdu := r.timeouts.PDU
	switch {
	case !r.until.IsZero():
		return r.until, "the peer did not go on with the association in time", false
	case !r.scanner.Boundary():
		if r.began.IsZero() {
			r.began = now
		}
		t, doing = r.began.Add(pdu), fmt.Sprintf("a PDU was not complete after %v", pdu)
	case r.inside:
		t, doing = now.Add(pdu), fmt.Sprintf("a message did not go on for %v", pdu)
	default:
		since, quiet := r.quiet()
		if !quiet {
			since = now
		}
		return since.Add(r.timeouts.Idle), "", true
	}
	if r.inside {
		if r.message.IsZero() {
			r.message = now
		}
		earned := time.Duration(float64(r.received.Load()-r.start) / float64(r.minRate) * float64(time.Second))
		if slow := r.message.Add(pdu + earned); slow.Before(t) {
			return slow, fmt.Sprintf("a message came slower than %d bytes a second", r.minRate), false
		}
	}
	return t, doing, false
}

// command collects the command set whose first fragment is p (PS3.7 §6.3.1).
func (r *reader) command(p ul.PDV, pdata func() error) (dimse.Command, error) {
	var set []byte
	for {
		ev, err := r.next()
		if err != nil {
			return dimse.Command{}, err
		}
		switch ev.Kind {
		case ul.PDVData:
			if len(set)+len(ev.Body) > dimse.MaxCommand {
				return dimse.Command{}, violation("a command set longer than %d bytes", dimse.MaxCommand)
			}
			if set == nil && ev.End && p.Last {
				return dimse.ParseCommand(ev.Body) // whole, as nearly always
			}
			set = append(set, ev.Body...)
			if ev.End && p.Last {
				return dimse.ParseCommand(set)
			}
		case ul.PDataStart:
			if err := pdata(); err != nil {
				return dimse.Command{}, err
			}
		case ul.PDVStart:
			if !ev.PDV.Command || ev.PDV.Context != p.Context {
				return dimse.Command{}, violation("fragments of two messages are interleaved (PS3.8 §E.1)")
			}
			p = ev.PDV
		default:
			return dimse.Command{}, &interruption{ev.Type, append([]byte(nil), ev.Body...)}
		}
	}
}

// interruption is a PDU of the association in the middle of a message. The association's
// goroutine decides what it means.
type interruption struct {
	typ  ul.Type
	body []byte
}

func (i *interruption) Error() string { return i.typ.String() + " inside a message" }
