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

	"github.com/asepsis/asepsis/wire/dicom/ul"
)

// Server takes associations. Its fields must not change once Serve was called.
type Server struct {
	// Services are what is accepted of what peers propose.
	Services []Service
	// Negotiate, when not nil, decides about each association request after Services have
	// prepared the answer. An error refuses it: a *RejectedError says how, any other
	// rejects without a reason. The error's words stay on this side.
	Negotiate func(ctx context.Context, n *Negotiation) error
	// Handler performs requests.
	Handler Handler
	// TLS, when not nil, makes every connection TLS.
	TLS *tls.Config
	// Wrap, when not nil, is given each connection before TLS is put on it, for who keeps
	// connections by their peer. Association.NetConn and Negotiation.Conn lead back to what it returned.
	Wrap     func(net.Conn) net.Conn
	Limits   Limits
	Timeouts Timeouts
	// MaxAssociations are served at once; more are rejected with "local-limit-exceeded". 0 is DefaultAssociations.
	MaxAssociations int
	// Established, when not nil, is called with each association once it was accepted.
	Established func(a *Association)
	// Ended, when not nil, is called once for every connection, when nothing of it runs any more.
	Ended func(e End)
}

// DefaultAssociations is how many associations a Server serves at once.
const DefaultAssociations = 64

// End is how a connection ended.
type End struct {
	Conn          net.Conn // as it was accepted and wrapped, below TLS
	Remote, Local net.Addr
	// Association is nil when none was established.
	Association *Association
	Duration    time.Duration
	// Err is nil when the association was released, or the connection opened and closed
	// without a byte, as port checks do.
	Err error
}

// Serve takes connections from ln until ctx ends or ln fails, and returns when
// every association has ended. When ctx ends, associations that do nothing are
// aborted, others when what is being served was answered, and all after drain.
func (s *Server) Serve(ctx context.Context, ln net.Listener, drain time.Duration) error {
	r := &serving{Server: s, limits: s.Limits.withDefaults(), timeouts: s.Timeouts.withDefaults(), open: map[*Association]bool{}}
	most := s.MaxAssociations
	if most <= 0 {
		most = DefaultAssociations
	}
	r.places = make(chan struct{}, most)
	r.doors = make(chan struct{}, 4*most)
	r.ctx, r.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	defer r.cancel(ErrShutdown)
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	defer stop()
	err := r.accept(ctx, ln)
	r.drain(drain)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// serving is one call of Serve.
type serving struct {
	*Server
	limits   Limits
	timeouts Timeouts
	ctx      context.Context
	cancel   context.CancelCauseFunc
	places   chan struct{} // a place for each association
	doors    chan struct{} // a place for each connection, those to be refused included
	wait     sync.WaitGroup

	mu     sync.Mutex
	ending bool
	open   map[*Association]bool
}

func (s *serving) accept(ctx context.Context, ln net.Listener) error {
	for {
		c, err := ln.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil //nolint:nilerr // the listener was closed because the server is to stop
			}
			var temporary interface{ Temporary() bool }
			if errors.As(err, &temporary) && temporary.Temporary() { // such as too many open files
				select {
				case <-time.After(50 * time.Millisecond):
					continue
				case <-ctx.Done():
					return nil
				}
			}
			return fmt.Errorf("accept DICOM connections: %w", err)
		}
		select {
		case s.doors <- struct{}{}:
		default: // not even a refusal can be afforded
			_ = c.Close()
			continue
		}
		s.wait.Add(1)
		go func() {
			defer s.wait.Done()
			defer func() { <-s.doors }()
			s.connection(c)
		}()
	}
}

// drain ends what is open.
func (s *serving) drain(limit time.Duration) {
	s.mu.Lock()
	s.ending = true
	open := make([]*Association, 0, len(s.open))
	for a := range s.open {
		open = append(open, a)
	}
	s.mu.Unlock()
	s.cancel(ErrShutdown) // negotiations under way
	for _, a := range open {
		a.shutdown()
	}
	over := time.AfterFunc(limit, func() {
		for _, a := range open {
			a.fail(ErrShutdown)
		}
	})
	defer over.Stop()
	s.wait.Wait()
}

func (s *serving) connection(c net.Conn) {
	begin := time.Now()
	c = acknowledgeAtOnce(c)
	if s.Wrap != nil {
		c = s.Wrap(c)
	}
	e := End{Conn: c, Remote: c.RemoteAddr(), Local: c.LocalAddr()}
	e.Association, e.Err = s.serve(c)
	e.Duration = time.Since(begin)
	if s.Ended != nil {
		s.Ended(e)
	}
}

// serve has one connection from its first byte to its last.
func (s *serving) serve(c net.Conn) (*Association, error) {
	var state *tls.ConnectionState
	until := time.Now().Add(s.timeouts.Associate)
	if s.TLS != nil {
		tc := tls.Server(c, s.TLS)
		ctx, cancel := context.WithTimeout(s.ctx, s.timeouts.Connect)
		err := tc.HandshakeContext(ctx)
		cancel()
		if err != nil {
			var header tls.RecordHeaderError
			if errors.As(err, &header) {
				_ = c.SetWriteDeadline(time.Now().Add(s.timeouts.Close))
				answerPlain(c, header.RecordHeader)
			}
			linger(c, s.timeouts.Close, true)
			if errors.Is(err, io.EOF) {
				return nil, nil // a port check
			}
			return nil, handshakeError(err, true)
		}
		cs := tc.ConnectionState()
		c, state = tc, &cs
	}
	a, err := s.associate(c, state, until)
	if err != nil || a == nil {
		return nil, err
	}
	defer func() { <-s.places }()
	s.mu.Lock()
	s.open[a] = true
	ending := s.ending
	s.mu.Unlock()
	if ending {
		a.fail(ErrShutdown)
	} else if s.Established != nil {
		s.Established(a)
	}
	err = a.run()
	s.mu.Lock()
	delete(s.open, a)
	s.mu.Unlock()
	return a, ignoreReleased(err)
}

// associate waits for a request and answers it. Without an association the connection is closed.
func (s *serving) associate(c net.Conn, state *tls.ConnectionState, until time.Time) (*Association, error) {
	rd, wr := newReader(c, s.limits, s.timeouts), newWriter(c, s.limits, s.timeouts)
	rd.until = until
	stop := context.AfterFunc(s.ctx, func() {
		rd.stopped.Store(true)
		_ = c.SetReadDeadline(past)
	})
	defer stop()
	refuse := func(pdu []byte, err error) (*Association, error) {
		if pdu != nil {
			_ = wr.pdu(pdu)
		}
		linger(c, s.timeouts.Close, true) // Sta13
		return nil, err
	}
	ev, err := rd.next()
	if err != nil {
		return s.noRequest(c, rd, err, refuse)
	}
	h := ul.ReceivedPData
	if ev.Kind == ul.PDU {
		h = ul.Received(ev.Type)
	}
	switch action, _, _ := ul.Next(ul.AwaitingRequest, h, false); action {
	case ul.AE6:
	case ul.AA2: // A-ABORT: the peer thought better of it
		return refuse(nil, &AbortedError{Doing: "being awaited to ask for an association"})
	default:
		return refuse(ul.AppendAbort(nil, ul.Abort{}), violation("%v instead of an association request", ev.Type))
	}
	rq, err := ul.ParseAssociate(ul.TypeAssociateRQ, append([]byte(nil), ev.Body...))
	if err != nil {
		return refuse(ul.AppendAbort(nil, ul.Abort{Source: 2, Reason: 6}), misread(err))
	}
	rejected := request(rq)
	n := &Negotiation{Conn: c, Remote: c.RemoteAddr(), Local: c.LocalAddr(), TLS: state, Request: rq}
	if rejected == nil {
		n.Answer = answer(rq, s.Services, s.limits)
		rejected = decide(s.ctx, s.Negotiate, n)
	}
	if rejected == nil {
		select {
		case s.places <- struct{}{}:
		default:
			rejected = &RejectedError{Reject: RejectLimit, CallingAE: rq.CallingAE, CalledAE: rq.CalledAE, ByUs: true, Why: "as many associations are open as may be"}
		}
	}
	if rejected != nil { // AE-8
		return refuse(ul.AppendReject(nil, rejected.Reject), rejected)
	}
	info, err := negotiated(rq, n.Answer, false)
	if err == nil {
		var pdu []byte
		if pdu, err = ul.AppendAssociate(nil, n.Answer); err == nil {
			wr.negotiated(info.PeerMaxPDU, s.limits)
			err = wr.pdu(pdu) // AE-7
		}
	}
	if err != nil {
		<-s.places
		return refuse(ul.AppendAbort(nil, ul.Abort{Source: 2, Reason: 6}), err)
	}
	info.TLS, info.Local, info.Remote, info.Established = state, c.LocalAddr(), c.RemoteAddr(), time.Now()
	stop()
	return newAssociation(c, info, ul.Established, s.Handler, s.limits, s.timeouts, rd, wr), nil
}

// noRequest says why there was none.
func (s *serving) noRequest(c net.Conn, rd *reader, err error, refuse func([]byte, error) (*Association, error)) (*Association, error) {
	var pdu *ul.Error
	switch {
	case errors.Is(err, io.EOF) && rd.received.Load() == 0:
		return refuse(nil, nil)
	case errors.Is(err, ul.ErrTLS), errors.Is(err, ul.ErrHTTP):
		_ = c.SetWriteDeadline(time.Now().Add(s.timeouts.Close))
		answerMistaken(c, err)
		return refuse(nil, misread(err))
	case errors.As(err, &pdu):
		return refuse(ul.AppendAbort(nil, ul.Abort{Source: 2, Reason: map[bool]uint8{true: 1, false: 6}[errors.Is(err, ul.ErrType)]}), misread(pdu))
	case errors.Is(err, errStopped):
		return refuse(nil, ErrShutdown)
	}
	return refuse(nil, fmt.Errorf("waiting for an association request: %w", err))
}
