// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/trust"
)

// door is one listener.
type door struct {
	g      *Gateway
	cfg    Listener
	secure bool
	tls    *trust.Server // nil on a plain door
	dimse  *dicomnet.Server

	mu        sync.Mutex
	ln        net.Listener
	why       string
	sessions  map[net.Conn]*session // by the connection below TLS
	connected int
}

// door makes a listener.
func (g *Gateway) door(l Listener) (*door, error) {
	d := &door{g: g, cfg: l, secure: l.Kind != KindPlain, sessions: map[net.Conn]*session{}, why: "it was not opened yet"}
	if d.secure {
		if g.d.Trust == nil {
			return nil, config.Invalid("kind", "set gateway.trust, or run the site's authority in this process", "TLS needs a certificate and the site's root")
		}
		profiles := l.Profiles
		if len(profiles) == 0 {
			profiles = []identity.Profile{identity.DICOMNode, identity.SurgicalDevice, identity.XRHeadset}
		}
		o := trust.ServerOptions{Name: g.cfg.Name + "/" + l.name(), Profiles: profiles, Cut: g.cut}
		if l.MinTLS == "1.3" {
			o.MinVersion = tls.VersionTLS13
		}
		if l.Kind == KindWeb {
			o.NextProtos = []string{"http/1.1"}
		}
		var err error
		if d.tls, err = g.d.Trust.Server(o); err != nil {
			return nil, err
		}
	}
	if l.Kind == KindWeb {
		if g.d.Web == nil {
			return nil, config.Invalid("kind", "", "there is nothing to serve over DICOMweb")
		}
		return d, nil
	}
	d.dimse = &dicomnet.Server{
		Services: g.services(), Negotiate: d.negotiate, Handler: dicomnet.HandlerFunc(d.handle), Limits: g.cfg.Limits, Timeouts: g.cfg.Timeouts,
		MaxAssociations: g.cfg.Associations, Established: d.established, Ended: d.ended,
	}
	if d.secure {
		d.dimse.TLS, d.dimse.Wrap = d.tls.Config(), d.tls.Wrap
	}
	return d, nil
}

// cut is the clinical choice for a live connection whose certificate was revoked.
func (g *Gateway) cut(p trust.Peer) identity.Cut {
	if b, ok := g.d.Bindings.Set().Device(p.Name()); ok {
		return b.Cut()
	}
	return identity.CutNow
}

func (d *door) open(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ln != nil {
		return nil
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", d.cfg.Listen)
	if err != nil {
		d.why = err.Error()
		return &openError{fmt.Errorf("listener %s: %w", d.cfg.name(), err)}
	}
	d.ln, d.why = newCrowd(ln, d.g.cfg.PerAddress, d.crowded), ""
	return nil
}

// crowded notes that an address has more connections than it may.
func (d *door) crowded(from net.Addr) {
	d.turnedAway(&dicomnet.End{Remote: from, Local: d.addr(), Err: &Problem{Code: TooMany, What: fmt.Sprintf("%s has more than %d connections; those beyond are closed", addrPort(from).Addr(), d.g.cfg.PerAddress),
		Tip: "find out what opens them; if it must, raise gateway.connections_per_address"}})
}

// openError is a door that could not be opened.
type openError struct{ error }

func (e *openError) Unwrap() error { return e.error }

// Hint says what to do.
func (e *openError) Hint() string {
	return "another program may have the port (ss -ltnp), or the address is none of this machine; ports below 1024 need CAP_NET_BIND_SERVICE"
}

func (d *door) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ln != nil {
		_ = d.ln.Close()
		d.ln = nil
	}
}

func (d *door) addr() net.Addr {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ln == nil {
		return nil
	}
	return d.ln.Addr()
}

// serve returns when ctx has ended and nothing of the door runs any more, or when it cannot go on.
func (d *door) serve(ctx context.Context, drain time.Duration) error {
	d.mu.Lock()
	ln := d.ln
	d.mu.Unlock()
	d.g.log.Info("listening", "listener", d.cfg.name(), "kind", d.cfg.Kind, "address", ln.Addr().String())
	var err error
	if d.dimse != nil {
		err = d.dimse.Serve(ctx, ln, drain)
	} else {
		err = d.g.d.Web.Serve(ctx, ln, d.tls, drain)
	}
	d.mu.Lock()
	d.ln, d.why = nil, "it is closed"
	if err != nil {
		d.why = err.Error()
	}
	d.mu.Unlock()
	return err
}

func (d *door) count(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.connected += n
}

// state says how the door is.
func (d *door) state() control.Listener {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := control.Listener{Name: d.cfg.name(), Kind: d.cfg.Kind, Address: d.cfg.Listen, State: "open", Why: d.why, Open: d.connected}
	if d.ln == nil {
		l.State = "failed"
	} else {
		l.Address = d.ln.Addr().String()
	}
	if d.cfg.Kind == KindWeb {
		l.Open = d.g.d.Web.Open()
	}
	if !d.secure {
		l.Plain = len(d.g.d.Bindings.Set().PlainDevices())
	}
	return l
}

// below is the key of a session: what End.Conn will be.
func (d *door) below(c net.Conn) net.Conn {
	if own := trust.Below(c); own != nil {
		return own
	}
	return c
}

func (d *door) put(c net.Conn, s *session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sessions[c] = s
}

func (d *door) session(c net.Conn) *session {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sessions[c]
}

func (d *door) take(c net.Conn) *session {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.sessions[c]
	delete(d.sessions, c)
	return s
}

// negotiate admits a peer, or says why not.
func (d *door) negotiate(_ context.Context, n *dicomnet.Negotiation) error {
	s := d.g.newSession(d, n)
	p := s.admit(n)
	s.problem = p
	d.put(s.below, s)
	if p != nil {
		return &dicomnet.RejectedError{Reject: p.reject, Why: p.What}
	}
	return nil
}

func (d *door) established(a *dicomnet.Association) {
	if s := d.session(d.below(a.NetConn())); s != nil {
		d.count(1)
		s.begin(a)
	}
}

func (d *door) handle(ctx context.Context, r *dicomnet.Request) dicomnet.Reply {
	s := d.session(d.below(r.Association.NetConn()))
	if s == nil {
		return dicomnet.Reply{Status: statusNotAuthorised, Comment: "unknown association"}
	}
	return s.handle(ctx, r)
}

func (d *door) ended(e dicomnet.End) {
	s := d.take(e.Conn)
	switch {
	case s == nil && e.Err == nil: // a port check
	case s == nil:
		d.turnedAway(&e)
	default:
		if e.Association != nil {
			d.count(-1)
		}
		s.end(&e)
	}
}
