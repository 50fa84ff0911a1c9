// SPDX-License-Identifier: Apache-2.0

package dicomnet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/asepsis/asepsis/wire/dicom/dimse"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

// Info is what was negotiated. It does not change.
type Info struct {
	Requestor   bool   // this side asked for the association
	CallingAE   string // of the requestor
	CalledAE    string
	Local       net.Addr
	Remote      net.Addr
	TLS         *tls.ConnectionState // nil on a plain connection
	Established time.Time

	PeerImplUID     string // implementation class UID
	PeerImplVersion string
	PeerMaxPDU      uint32 // 0: the peer takes any length
	Invoke, Perform int    // operations in flight that this side may invoke, and performs
	Contexts        []Context
	// Extended and CommonExtended are the requestor's proposals, IdentityType the sort of its
	// user identity ("" for none); the credential itself is not kept.
	Extended       []ul.ExtendedNegotiation
	CommonExtended []ul.CommonExtendedNegotiation
	IdentityType   string
}

// Context is a presentation context (PS3.8 §7.1.1.13) and the answer to it.
type Context struct {
	ID             uint8
	AbstractSyntax string
	TransferSyntax string // the accepted one; "" when Result is not acceptance
	Result         uint8  // ul.Acceptance ...
	SCU, SCP       bool   // what this side is in it (PS3.7 §D.3.3.4)
}

// Accepted reports whether the context can be used.
func (c *Context) Accepted() bool { return c.Result == ul.Acceptance && c.TransferSyntax != "" }

// Context returns the accepted presentation context with an ID.
func (i *Info) Context(id uint8) (*Context, bool) {
	for n := range i.Contexts {
		if c := &i.Contexts[n]; c.ID == id && c.Accepted() {
			return c, true
		}
	}
	return nil, false
}

// Association is an association that was established. Its methods may be called
// from several goroutines.
type Association struct {
	conn     net.Conn
	info     Info
	handler  Handler
	limits   Limits
	timeouts Timeouts
	rd       *reader
	wr       *writer

	ctx     context.Context // ends with the association; its cause is why
	cancel  context.CancelCauseFunc
	invoke  chan struct{} // a place for each operation that may be in flight
	perform chan struct{} // a place for each request that may be served
	serving sync.WaitGroup
	done    chan struct{} // closed when nothing of the association runs any more

	mu       sync.Mutex
	state    ul.State
	err      error // why it ended
	wanted   error // why this side ended it, before the connection is closed
	lastID   uint16
	pending  map[uint16]*operation // by message ID
	requests map[uint16]*Request   // being served, by message ID; not those whose response is on its way
	busy     int                   // requests being served, their responses included
	active   time.Time             // of the last operation's end
	draining bool
	stats    Stats
}

// Stats counts what an association did.
type Stats struct {
	BytesIn, BytesOut uint64
	Performed         uint64 // requests of the peer that were answered
	Invoked           uint64 // operations that were answered by the peer
}

func newAssociation(c net.Conn, info Info, state ul.State, h Handler, l Limits, t Timeouts, rd *reader, wr *writer) *Association {
	a := &Association{conn: c, info: info, state: state, handler: h, limits: l, timeouts: t, rd: rd, wr: wr,
		invoke: make(chan struct{}, info.Invoke), perform: make(chan struct{}, info.Perform), done: make(chan struct{}),
		pending: map[uint16]*operation{}, requests: map[uint16]*Request{}, active: time.Now()}
	a.ctx, a.cancel = context.WithCancelCause(context.Background())
	rd.quiet = a.quiet
	rd.until = time.Time{}
	return a
}

// NetConn returns the connection below, the *tls.Conn where there is TLS. It is only to
// be asked who is at its other end.
func (a *Association) NetConn() net.Conn { return a.conn }

// Info returns what was negotiated.
func (a *Association) Info() *Info { return &a.info }

// Done is closed when the association has ended and no handler of it runs.
func (a *Association) Done() <-chan struct{} { return a.done }

// Err returns why the association ended: ErrReleased when it was released by
// either side, nil while it has not ended.
func (a *Association) Err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

// Stats returns what was counted so far.
func (a *Association) Stats() Stats {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.stats
	s.BytesIn, s.BytesOut = a.rd.received.Load(), a.wr.sent.Load()
	return s
}

// quiet reports since when no operation is under way.
func (a *Association) quiet() (time.Time, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.active, len(a.pending) == 0 && a.busy == 0
}

// step moves the protocol machine (PS3.8 §9.2).
func (a *Association) step(h ul.Happening) (ul.Action, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if h == ul.SendData && a.wanted != nil {
		return ul.None, a.wanted // nothing may be answered any more, above all not with success
	}
	action, to, ok := ul.Next(a.state, h, a.info.Requestor)
	if !ok {
		if a.err != nil {
			return action, a.err
		}
		if a.wanted != nil {
			return action, a.wanted
		}
		return action, fmt.Errorf("%v is not possible in %v", h, a.state)
	}
	a.state = to
	return action, nil
}

// received moves the machine for a PDU and turns what may not come into an error.
func (a *Association) received(h ul.Happening) error {
	action, err := a.step(h)
	if err != nil {
		return err
	}
	switch action {
	case ul.AA1, ul.AA8:
		// The machine is in Sta13 and the A-ABORT is on its way (loop).
		return &unexpected{h}
	case ul.AA6, ul.AA7:
		return errIgnored
	}
	return nil
}

// unexpected is a PDU that may not come in the state.
type unexpected struct{ h ul.Happening }

func (u *unexpected) Error() string {
	return "the peer breaks the protocol: a PDU that may not come now (" + u.h.String() + ", PS3.8 table 9-10)"
}

var errIgnored = errors.New("the association is being closed")

// run reads until the association ends, then cleans up. It returns why it ended.
func (a *Association) run() error {
	err := a.loop()
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		// Closed for sending between two messages. The peer may still wait for answers.
		_ = a.served(a.timeouts.Close)
	}
	a.end(err)
	return a.Err()
}

func (a *Association) loop() error {
	for {
		ev, err := a.rd.next()
		if err != nil {
			return err
		}
		switch ev.Kind {
		case ul.PDataStart:
			err = a.received(ul.ReceivedPData)
		case ul.PDVStart:
			err = a.message(ev.PDV)
		case ul.PDU:
			err = a.control(ev.Type, ev.Body)
		}
		var in *interruption
		if errors.As(err, &in) {
			err = violation("%v inside a message", in.typ)
			if in.typ == ul.TypeAbort {
				err = a.control(in.typ, in.body)
			}
		}
		if err != nil {
			return err
		}
	}
}

// control handles a PDU other than P-DATA-TF. An error ends the association.
func (a *Association) control(t ul.Type, body []byte) error {
	action, err := a.step(ul.Received(t))
	if err != nil {
		return err
	}
	switch action {
	case ul.AR2: // the peer releases
		return a.answerRelease()
	case ul.AR8: // both release
		if a.info.Requestor {
			if _, err := a.step(ul.AnswerRelease); err != nil { // AR-9
				return err
			}
			return a.wr.pdu(ul.AppendReleaseRP(nil))
		}
		return nil
	case ul.AR10:
		if _, err := a.step(ul.AnswerRelease); err != nil { // AR-4
			return err
		}
		if err := a.wr.pdu(ul.AppendReleaseRP(nil)); err != nil {
			return err
		}
		return ErrReleased
	case ul.AR3:
		return ErrReleased
	case ul.AA3, ul.AA2:
		abort, err := ul.ParseAbort(body)
		if err != nil {
			return err
		}
		return &AbortedError{Abort: abort}
	}
	return &unexpected{ul.Received(t)}
}

// answerRelease answers an A-RELEASE-RQ once what is being served has been
// answered: responses may still be sent before it (PS3.8 table 9-10, AR-7).
func (a *Association) answerRelease() error {
	if !a.served(a.timeouts.Response) {
		return fmt.Errorf("%w: the peer released the association while a request of it was being served", ErrTimeout)
	}
	if _, err := a.step(ul.AnswerRelease); err != nil { // AR-4
		return err
	}
	if err := a.wr.pdu(ul.AppendReleaseRP(nil)); err != nil {
		return err
	}
	return ErrReleased
}

// served waits until nothing is being served, at most for limit.
func (a *Association) served(limit time.Duration) bool {
	served := make(chan struct{})
	go func() { a.serving.Wait(); close(served) }() // ends at the latest with the association
	late := time.NewTimer(limit)
	defer late.Stop()
	select {
	case <-served:
		return true
	case <-late.C:
		return false
	}
}

// end brings the association to an end for the reason err: tells the peer, waits
// for handlers, closes the connection.
func (a *Association) end(err error) {
	a.mu.Lock()
	if a.wanted != nil {
		err = a.wanted // what this side did comes first; the rest is its consequence
	} else if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		err = &ProtocolError{What: "the peer closed the connection without releasing the association", Err: io.EOF}
	}
	a.mu.Unlock()
	err = a.abortFor(err)
	a.mu.Lock()
	a.err = err
	a.mu.Unlock()
	a.cancel(err)
	// After a release the requestor closes (PS3.8 §9.2, Sta13 and AR-3).
	linger(a.conn, a.timeouts.Close, a.info.Requestor || !errors.Is(err, ErrReleased))
	a.serving.Wait()
	a.mu.Lock()
	a.state = ul.Idle
	a.mu.Unlock()
	close(a.done)
}

// abortFor sends the A-ABORT that the reason calls for, and returns the reason.
func (a *Association) abortFor(err error) error {
	var (
		aborted  *AbortedError
		protocol *ProtocolError
		wrong    *unexpected
		command  *dimse.Error
		pdu      *ul.Error
	)
	send := func(h ul.Happening, reason uint8) {
		action, serr := a.step(h)
		switch {
		case serr != nil:
		case action == ul.AA1:
			a.wr.abort(ul.AppendAbort(nil, ul.Abort{}))
		case action == ul.AA8 || action == ul.AA7:
			a.wr.abort(ul.AppendAbort(nil, ul.Abort{Source: 2, Reason: reason}))
		}
	}
	switch {
	case errors.Is(err, ErrReleased) && a.State() != ul.Established, errors.As(err, &aborted):
	case errors.As(err, &wrong): // the machine has moved already
		a.wr.abort(ul.AppendAbort(nil, ul.Abort{Source: 2, Reason: 2}))
		return &ProtocolError{What: wrong.Error()}
	case errors.As(err, &pdu):
		send(ul.ReceivedUnrecognisedPDU, map[bool]uint8{true: 1, false: 6}[errors.Is(err, ul.ErrType)])
		return misread(pdu)
	case errors.As(err, &protocol) && errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		_, _ = a.step(ul.ConnectionClosed)
	case errors.As(err, &protocol), errors.As(err, &command):
		send(ul.ReceivedUnrecognisedPDU, 6)
		if protocol == nil {
			return &ProtocolError{What: "the peer sent a command that cannot be read", Err: err}
		}
	default:
		send(ul.RequestAbort, 0)
	}
	return err
}

// State returns where the association is in the standard's protocol machine.
func (a *Association) State() ul.State {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state
}

// Usable reports whether an operation may be invoked: the association is established, and nothing has begun to end it.
func (a *Association) Usable() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state == ul.Established && a.wanted == nil && a.err == nil && !a.draining
}

// fail ends the association from another goroutine than the one that reads.
func (a *Association) fail(err error) {
	a.mu.Lock()
	if a.wanted == nil && a.err == nil {
		a.wanted = err
	}
	a.mu.Unlock()
	a.cancel(err)
	// Wakes whoever reads; there is no going on afterwards.
	a.rd.stopped.Store(true)
	_ = a.conn.SetReadDeadline(past)
}

var past = time.Unix(1, 0)

// Abort ends the association at once (A-ABORT, PS3.8 §7.3) and waits until nothing of it runs.
func (a *Association) Abort() {
	a.fail(ErrClosed)
	<-a.done
}

// Release ends the association in order (A-RELEASE, PS3.8 §7.2) and waits until
// nothing of it runs. A peer that does not answer within Timeouts.Close, or before ctx ends, is aborted.
// Precondition: no operation that this side invoked is under way.
func (a *Association) Release(ctx context.Context) error {
	if _, err := a.step(ul.RequestRelease); err != nil {
		<-a.done
		return ignoreReleased(a.Err())
	}
	if err := a.wr.pdu(ul.AppendReleaseRQ(nil)); err != nil {
		a.fail(fmt.Errorf("release the association: %w", err))
	}
	limit := time.NewTimer(a.timeouts.Close)
	defer limit.Stop()
	select {
	case <-a.done:
	case <-limit.C:
		a.fail(fmt.Errorf("%w: the peer did not answer A-RELEASE-RQ in %v", ErrTimeout, a.timeouts.Close))
	case <-ctx.Done():
		a.fail(context.Cause(ctx))
	}
	<-a.done
	return ignoreReleased(a.Err())
}

func ignoreReleased(err error) error {
	if errors.Is(err, ErrReleased) {
		return nil
	}
	return err
}
