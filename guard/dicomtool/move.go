// SPDX-License-Identifier: Apache-2.0

package dicomtool

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/wire/dicom"
)

// MoveOptions say what is retrieved with C-MOVE, and where to.
type MoveOptions struct {
	RetrieveOptions
	// Destination is the AE title that the peer sends to. It must know its address.
	Destination string
	// Listen, when not empty, is the address on which this side is that destination until the peer has sent everything; what
	// comes is kept in Dir.
	Listen string
	// ListenTLS, when not nil, makes what is listened on TLS.
	ListenTLS *tls.Config
	Dir       string
	Tree      bool // a directory for each study, and in it one for each series
	// Listening, when not nil, is called with the address that is listened on.
	Listening func(net.Addr)
}

// drain is how long associations that still bring instances may take after the peer said that it is done.
const drain = 10 * time.Second

// Move asks the peer to send to a destination (PS3.4 §C.4.2). The error is of what prevented it; what the peer could not send
// is in the result.
func Move(ctx context.Context, p Peer, o MoveOptions) (*Retrieved, error) {
	if n := len(o.Destination); n == 0 || n > 16 {
		return nil, &hinted{fmt.Errorf("destination %q: it has %d characters", o.Destination, n), "AE titles have 1 to 16 characters"}
	}
	ctx, w := newWatch(ctx, o.Wait)
	defer w.stop()
	begin := time.Now()
	requests, err := o.resolve(ctx, p)
	if err != nil {
		return nil, err
	}
	w.touch()
	m := &mover{peer: p, o: &o, watch: w, result: &Retrieved{Requests: len(requests), Destination: o.Destination}}
	stop := func() error { return nil }
	if o.Listen != "" {
		if stop, err = m.listen(ctx); err != nil {
			return nil, err
		}
	}
	err = m.all(ctx, requests)
	err = errors.Join(err, stop())
	m.end(time.Since(begin))
	return m.result, err
}

type mover struct {
	peer   Peer
	o      *MoveOptions
	watch  *watch
	keeper *keeper // nil when somebody else is the destination
	result *Retrieved
	done   int // of the retrievals before
}

// listen makes this side the destination, until stop is called.
func (m *mover) listen(ctx context.Context) (stop func() error, err error) {
	if m.keeper, err = newKeeper(m.o.Dir, m.o.Tree, m.peer.CalledAE, m.watch.touch); err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", m.o.Listen)
	if err != nil {
		return nil, &hinted{err, "ports below 1024 need privileges; the peer must know the one that is listened on"}
	}
	s := &dicomnet.Server{Handler: m.keeper, TLS: m.o.ListenTLS, Services: []dicomnet.Service{{AbstractSyntax: dicom.UIDVerification}, {AbstractSyntax: dicomnet.AnyStorage}},
		Negotiate: func(_ context.Context, n *dicomnet.Negotiation) error {
			if n.Request.CalledAE != m.o.Destination {
				return &dicomnet.RejectedError{Reject: dicomnet.RejectCalledAE}
			}
			return nil
		}}
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, ln, drain) }()
	if m.o.Listening != nil {
		m.o.Listening(ln.Addr())
	}
	return func() error {
		cancel()
		return errors.Join(<-served, m.keeper.sync())
	}, nil
}

func (m *mover) all(ctx context.Context, requests []request) error {
	if len(requests) == 0 {
		return nil
	}
	class := retrievals[m.o.Model].move
	d := m.peer.dialer()
	d.Timeouts.Response = 24 * time.Hour // the watch knows better
	d.Contexts = []dicomnet.Proposal{{AbstractSyntax: class, TransferSyntaxes: dicomnet.UncompressedSyntaxes()}}
	a, err := d.Dial(ctx, m.peer.Address)
	var none *dicomnet.ContextError
	if errors.As(err, &none) {
		return &hinted{err, adviceGet}
	}
	if err != nil {
		return err
	}
	defer a.Abort() // does nothing after Release
	r := m.result
	for i := range requests {
		out, err := asked(ctx, a, class, m.o.Destination, &requests[i], m.watch, m.progress)
		switch {
		case errors.As(err, &none):
			return &hinted{err, adviceGet}
		case err != nil:
			return err
		case out.err != nil:
			r.Errors = append(r.Errors, m.explained(out.err))
		}
		r.Completed += out.completed
		r.Failed += out.failed
		r.Warnings += out.warnings
		r.Missing = append(r.Missing, out.missing...)
		m.done += out.completed + out.failed + out.warnings
	}
	return a.Release(ctx)
}

const adviceGet = "the peer does not offer C-MOVE; asepsis dicom get may do"

// explained adds what helps against the refusal that everybody meets first.
func (m *mover) explained(err error) error {
	var status *dicomnet.StatusError
	if errors.As(err, &status) && status.Status == 0xA801 {
		return &hinted{err, fmt.Sprintf("the peer must be told of the AE title %q, with its address and port", m.o.Destination)}
	}
	return err
}

func (m *mover) progress(done, total int) {
	if m.o.Progress == nil {
		return
	}
	bytes := int64(0)
	if m.keeper != nil {
		_, bytes = m.keeper.count()
	}
	if total > 0 {
		total += m.done
	}
	m.o.Progress(m.done+done, total, bytes)
}

// end draws the sum.
func (m *mover) end(d time.Duration) {
	r := m.result
	r.Duration = d
	if m.keeper == nil {
		return
	}
	r.Files = m.keeper.all()
	r.Stored, r.Bytes = m.keeper.count()
	if lost := r.Completed + r.Warnings - r.Stored; lost > 0 { // sent, says the peer, and yet they are not here
		r.Failed += lost
	}
}
