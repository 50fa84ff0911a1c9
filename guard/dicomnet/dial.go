// SPDX-License-Identifier: Apache-2.0

package dicomnet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

// Dialer opens associations. Its fields must not change while it is used; it
// may be used from several goroutines.
type Dialer struct {
	CallingAE, CalledAE string
	// Contexts are proposed in their order, at most 128.
	Contexts []Proposal
	// TLS, when not nil, is used for the connection. ServerName is taken from the address when it is empty.
	TLS *tls.Config
	// Handshake, when not nil, puts TLS on a connection instead, and closes it when it fails: that of a
	// trust.Client. It returns a connection with a method ConnectionState, such as *tls.Conn.
	Handshake func(ctx context.Context, c net.Conn, serverName string) (net.Conn, error)
	// Handler performs what the peer asks for on the association: the C-STORE sub-operations
	// of a C-GET, N-EVENT-REPORT. Requests are refused where it is nil.
	Handler  Handler
	Extended []ul.ExtendedNegotiation
	Common   []ul.CommonExtendedNegotiation
	// Identity is sent as user identity (PS3.7 §D.3.3.7). It is no proof of anything, and in
	// clear without TLS.
	Identity *ul.UserIdentity
	Limits   Limits
	Timeouts Timeouts
	// FirstMessageID is the message ID of the first operation; 0 is 1. Who asks for a C-MOVE knows by it
	// what comes of it (PS3.7 §9.3.1.1, move originator message ID).
	FirstMessageID uint16
	// LocalAddr, when not nil, is where connections come from.
	LocalAddr net.Addr
}

// Dial opens an association with the peer at address, "host:port". At least one presentation
// context is accepted when it returns no error.
func (d *Dialer) Dial(ctx context.Context, address string) (*Association, error) {
	limits, timeouts := d.Limits.withDefaults(), d.Timeouts.withDefaults()
	rq, err := d.request(limits)
	if err != nil {
		return nil, err
	}
	bytes, err := ul.AppendAssociate(nil, rq)
	if err != nil {
		return nil, fmt.Errorf("association request: %w", err)
	}
	conn, state, err := d.connect(ctx, address, timeouts)
	if err != nil {
		return nil, err
	}
	a, err := d.associate(ctx, conn, bytes, rq, limits, timeouts)
	if err != nil {
		return nil, fmt.Errorf("associate with %s: %w", address, err)
	}
	a.info.TLS = state
	a.lastID = max(d.FirstMessageID, 1) - 1
	go func() { _ = a.run() }()
	return a, nil
}

func (d *Dialer) request(l Limits) (*ul.Associate, error) {
	switch {
	case d.CallingAE == "" || d.CalledAE == "":
		return nil, errors.New("association request: an AE title is empty")
	case len(d.Contexts) == 0:
		return nil, errors.New("association request: no presentation context to propose")
	case len(d.Contexts) > ul.MaxContexts:
		return nil, fmt.Errorf("association request: %d presentation contexts, at most %d are possible", len(d.Contexts), ul.MaxContexts)
	}
	rq := &ul.Associate{Type: ul.TypeAssociateRQ, ProtocolVersion: 1, CalledAE: d.CalledAE, CallingAE: d.CallingAE, ApplicationContext: dicom.UIDDICOMApplicationContext}
	rq.User = ul.UserInformation{MaxLength: l.MaxPDU, ImplUID: ImplementationClassUID, ImplVersion: ImplementationVersionName,
		Extended: d.Extended, CommonExtended: d.Common, Identity: d.Identity}
	if l.Invoke > 1 || l.Perform > 1 {
		rq.User.Async, rq.User.AsyncInvoked, rq.User.AsyncPerformed = true, l.Invoke, l.Perform
	}
	roles := map[string]bool{}
	for i, p := range d.Contexts {
		if len(p.TransferSyntaxes) == 0 {
			return nil, fmt.Errorf("association request: no transfer syntax to propose for %s", named(p.AbstractSyntax))
		}
		rq.Contexts = append(rq.Contexts, ul.PresentationContext{ID: uint8(2*i + 1), AbstractSyntax: p.AbstractSyntax, TransferSyntaxes: p.TransferSyntaxes})
		if p.SCP && !roles[p.AbstractSyntax] {
			roles[p.AbstractSyntax] = true
			rq.User.Roles = append(rq.User.Roles, ul.RoleSelection{SOPClass: p.AbstractSyntax, SCU: p.SCU, SCP: true})
		}
	}
	rq.ContextCount = len(rq.Contexts)
	return rq, nil
}

// connect opens the connection; the TLS handshake counts against the same time.
func (d *Dialer) connect(ctx context.Context, address string, t Timeouts) (net.Conn, *tls.ConnectionState, error) {
	ctx, cancel := context.WithTimeout(ctx, t.Connect)
	defer cancel()
	dialer := net.Dialer{LocalAddr: d.LocalAddr}
	c, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, nil, connectError(err)
	}
	c = acknowledgeAtOnce(c)
	if d.Handshake != nil {
		return d.handshake(ctx, c, address)
	}
	if d.TLS == nil {
		return c, nil, nil
	}
	config := d.TLS.Clone()
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(address)
	}
	tc := tls.Client(c, config)
	if err := tc.HandshakeContext(ctx); err != nil {
		_ = c.Close()
		if cause := context.Cause(ctx); cause != nil {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		return nil, nil, fmt.Errorf("connect to %s: %w", address, handshakeError(err, false))
	}
	state := tc.ConnectionState()
	return tc, &state, nil
}

func (d *Dialer) handshake(ctx context.Context, c net.Conn, address string) (net.Conn, *tls.ConnectionState, error) {
	name, _, _ := net.SplitHostPort(address)
	tc, err := d.Handshake(ctx, c, name)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		return nil, nil, fmt.Errorf("connect to %s: %w", address, handshakeError(err, false))
	}
	s, ok := tc.(interface{ ConnectionState() tls.ConnectionState })
	if !ok {
		_ = tc.Close()
		return nil, nil, fmt.Errorf("connect to %s: the connection after the handshake is not TLS", address)
	}
	state := s.ConnectionState()
	return tc, &state, nil
}

// unreachable is a connection that could not be opened.
type unreachable struct {
	error
	hint string
}

func (u *unreachable) Unwrap() error { return u.error }
func (u *unreachable) Hint() string  { return u.hint }

func connectError(err error) error {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return &unreachable{err, "nothing listens on that port; check address and port, and that the peer runs"}
	case errors.Is(err, context.DeadlineExceeded):
		return &unreachable{err, "nothing answers at that address; check the address, and firewalls on the way"}
	}
	return err
}

// associate asks for the association on a connection. It closes the connection when it fails.
func (d *Dialer) associate(ctx context.Context, c net.Conn, bytes []byte, rq *ul.Associate, l Limits, t Timeouts) (_ *Association, err error) {
	rd, wr := newReader(c, l, t), newWriter(c, l, t)
	rd.until = time.Now().Add(t.Associate)
	stop := context.AfterFunc(ctx, func() {
		rd.stopped.Store(true)
		_ = c.SetReadDeadline(past)
	})
	defer stop()
	state := ul.AwaitingResponse // AE-1, AE-2
	defer func() {
		if err == nil {
			return
		}
		if ctx.Err() != nil && errors.Is(err, errStopped) {
			err = context.Cause(ctx)
		}
		if action, _, ok := ul.Next(state, ul.RequestAbort, true); ok && action == ul.AA1 {
			wr.abort(ul.AppendAbort(nil, ul.Abort{}))
		}
		linger(c, min(t.Close, time.Second), true)
	}()
	if err := wr.pdu(bytes); err != nil {
		return nil, err
	}
	ev, err := rd.next()
	if err != nil {
		var pdu *ul.Error
		switch {
		case errors.As(err, &pdu):
			return nil, misread(pdu)
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
			state = ul.Idle
			return nil, &ProtocolError{What: "the peer closed the connection instead of answering", Err: err,
				hint: "the peer may want TLS, may not know this machine's address, or may not speak DICOM"}
		}
		return nil, err
	}
	h := ul.ReceivedPData
	if ev.Kind == ul.PDU {
		h = ul.Received(ev.Type)
	}
	action, to, _ := ul.Next(state, h, true)
	state = to
	switch action {
	case ul.AE3:
	case ul.AE4:
		r, err := ul.ParseReject(ev.Body)
		if err != nil {
			return nil, misread(err)
		}
		return nil, &RejectedError{Reject: r, CallingAE: rq.CallingAE, CalledAE: rq.CalledAE}
	case ul.AA3:
		abort, err := ul.ParseAbort(ev.Body)
		if err != nil {
			return nil, misread(err)
		}
		return nil, &AbortedError{Abort: abort, Doing: "answering the association request"}
	default:
		state = ul.AwaitingResponse
		return nil, violation("%v instead of an answer to the association request", ev.Type)
	}
	ac, err := ul.ParseAssociate(ul.TypeAssociateAC, append([]byte(nil), ev.Body...))
	if err != nil {
		return nil, misread(err)
	}
	info, err := negotiated(rq, ac, true)
	if err != nil {
		return nil, err
	}
	info.Local, info.Remote, info.Established = c.LocalAddr(), c.RemoteAddr(), time.Now()
	if !accepted(&info) {
		e := &ContextError{AbstractSyntax: rq.Contexts[0].AbstractSyntax, TransferSyntaxes: rq.Contexts[0].TransferSyntaxes}
		for _, c := range info.Contexts {
			e.Results = append(e.Results, c.Result)
		}
		return nil, e
	}
	wr.negotiated(info.PeerMaxPDU, l)
	if !stop() {
		return nil, context.Cause(ctx)
	}
	return newAssociation(c, info, state, d.Handler, l, t, rd, wr), nil
}

func accepted(i *Info) bool {
	for n := range i.Contexts {
		if i.Contexts[n].Accepted() {
			return true
		}
	}
	return false
}
