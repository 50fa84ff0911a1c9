// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/guard/gateway/binding"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/prove/identity/trust"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

// session is one connection of a peer, from its association request to its end.
type session struct {
	g      *Gateway
	d      *door
	below  net.Conn
	conn   *trust.Conn // nil in clear
	peer   trust.Peer  // zero in clear
	local  netip.AddrPort
	remote netip.AddrPort
	flow   uint64 // of its events
	rq     *ul.Associate
	ac     *ul.Associate
	sender instance.Sender
	// problem is why it was refused; set before anything else runs.
	problem *Problem
	// withheld are the abstract syntaxes that the binding does not have, granted how many it has.
	withheld []string
	granted  int

	mu    sync.Mutex
	shown control.Association
	used  map[dimse.Field]uint32 // requests, by command
	stop  *Problem               // why this side ends it
}

func (g *Gateway) newSession(d *door, n *dicomnet.Negotiation) *session {
	s := &session{g: g, d: d, flow: g.flows.Add(1), below: d.below(n.Conn), local: addrPort(n.Local), remote: addrPort(n.Remote), rq: n.Request, ac: n.Answer, used: map[dimse.Field]uint32{}}
	s.conn, _ = s.below.(*trust.Conn)
	s.sender = instance.Sender{Way: instance.DIMSE, CallingAE: clean(n.Request.CallingAE), CalledAE: clean(n.Request.CalledAE), Address: s.remote.Addr().String(), Association: random(8)}
	if n.TLS != nil {
		s.sender.TLS = version(n.TLS.Version)
	}
	if p, ok := trust.PeerOf(n.Conn); ok {
		s.peer = p
		s.sender.Device, s.sender.Certificate = p.Name(), p.SHA256
	}
	return s
}

func version(v uint16) string {
	switch v {
	case tls.VersionTLS13:
		return "TLSv1.3"
	case tls.VersionTLS12:
		return "TLSv1.2"
	}
	return tls.VersionName(v)
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		p := t.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap().WithZone(""), p.Port())
	}
	return netip.AddrPort{}
}

// bound returns what the peer may do now; bindings may have changed since it came.
func (s *session) bound() (*binding.Bound, *Problem) {
	set := s.g.d.Bindings.Set()
	if s.d.secure {
		b, ok := set.Device(s.peer.Name())
		if !ok {
			return nil, refuse(UnboundDevice, dicomnet.RejectCallingAE, "bind the device in the gateway's bindings, if it belongs here", "the device %s has a certificate of this site, and no binding at this gateway", s.peer.Name())
		}
		return b, nil
	}
	list := set.Plain(s.remote.Addr())
	if len(list) == 0 {
		return nil, refuse(UnknownPlain, dicomnet.RejectCallingAE, "list the device with plain: true and this address, or better give it a certificate", "no device may come in clear from %s", s.remote.Addr())
	}
	for _, b := range list {
		if b.IsCalled(s.sender.CallingAE) {
			return b, nil
		}
	}
	return nil, refuse(UnknownCalling, dicomnet.RejectCallingAE, "AE titles are case-sensitive; the binding lists those of the device", "%q is the AE title of no device that may come in clear from %s", s.sender.CallingAE, s.remote.Addr())
}

// may says whether the peer is still bound to what it said when it came.
func (s *session) may() (*binding.Bound, *Problem) {
	b, p := s.bound()
	if p != nil {
		return nil, p
	}
	calling, called := s.sender.CallingAE, s.sender.CalledAE
	switch {
	case !b.MayComeFrom(s.remote.Addr()):
		return b, refuse(WrongAddress, dicomnet.RejectCallingAE, "was the device moved, or is somebody else using its certificate? The binding lists its addresses", "%s may not come from %s", b.Device, s.remote.Addr())
	case !b.IsCalled(calling):
		return b, refuse(UnknownCalling, dicomnet.RejectCallingAE, "AE titles are case-sensitive; the binding lists those of the device", "%s calls itself %q, which is not its AE title", b.Device, calling)
	case !b.MayCall(called):
		return b, refuse(UnboundCalled, dicomnet.RejectCalledAE, "the binding lists the AE titles that it may call", "%s may not call %q", b.Device, called)
	}
	return b, nil
}

// begin is called when the association is established.
func (s *session) begin(a *dicomnet.Association) {
	s.mu.Lock()
	s.shown = s.association()
	s.shown.Since = a.Info().Established
	shown := s.shown
	s.mu.Unlock()
	s.g.counts.association()
	s.g.log.Debug("association", "id", s.sender.Association, "device", s.sender.Device, "calling", s.sender.CallingAE, "called", s.sender.CalledAE, "address", s.sender.Address)
	s.show(shown)
	s.accepted()
}

// association is the session as it is shown.
func (s *session) association() control.Association {
	return control.Association{ID: s.sender.Association, Way: string(instance.DIMSE), Direction: "in", Listener: s.d.cfg.name(), Device: s.sender.Device, CallingAE: s.sender.CallingAE,
		CalledAE: s.sender.CalledAE, Address: s.remote.String(), TLS: s.sender.TLS, Theatre: s.sender.Theatre, Since: s.g.now()}
}

func (s *session) show(a control.Association) {
	if s.g.d.Watch != nil {
		s.g.d.Watch.Association(a)
	}
}

// update changes what is shown.
func (s *session) update(f func(*control.Association)) {
	s.mu.Lock()
	f(&s.shown)
	shown := s.shown
	s.mu.Unlock()
	s.show(shown)
}

// abort ends the association for a reason of this side, once what is being answered was.
func (s *session) abort(a *dicomnet.Association, p *Problem) {
	s.mu.Lock()
	if s.stop == nil {
		s.stop = p
	}
	s.mu.Unlock()
	go a.Abort() // it waits for the handler that asks for it
}

// end is called when nothing of the connection runs any more.
func (s *session) end(e *dicomnet.End) {
	p := s.problem
	s.mu.Lock()
	if p == nil {
		p = s.stop
	}
	s.mu.Unlock()
	if p == nil && s.conn != nil && e.Err != nil {
		if err := s.conn.Err(); err != nil {
			p = &Problem{Code: CutOff, What: "the certificate of " + s.peer.Name() + " was revoked while it was connected", Tip: hintOf(err), Identity: true}
		}
	}
	if p == nil {
		p = classify(e.Err, s.d.secure, s.g.now())
	}
	if e.Association != nil {
		if n := s.nothing(p); n != nil {
			p = n
		}
	}
	now := s.g.now()
	s.mu.Lock()
	if e.Association == nil {
		s.shown = s.association()
		s.shown.Since = now.Add(-e.Duration)
	}
	s.shown.Ended, s.shown.Doing = now, ""
	if p != nil {
		s.shown.Problem, s.shown.What, s.shown.Hint = p.Code, p.What, p.Tip
	}
	shown := s.shown
	s.mu.Unlock()
	if p != nil {
		s.g.trouble(shown, p)
	}
	if e.Association == nil {
		s.rejected(p)
	} else {
		s.released(e, p)
	}
	s.show(shown)
}

// trouble logs a problem once and counts it.
func (g *Gateway) trouble(a control.Association, p *Problem) {
	g.counts.problem(p.Code)
	g.note(a.Device, p)
	log := g.log.Info
	if p.Identity || p.Code == Panicked {
		log = g.log.Warn
	}
	log("an association went wrong", "problem", p.Code, "what", p.What, "hint", p.Tip, "listener", a.Listener, "address", a.Address, "device", a.Device, "calling", a.CallingAE, "called", a.CalledAE)
}

// turnedAway is a connection that never asked for an association.
func (d *door) turnedAway(e *dicomnet.End) {
	p := classify(e.Err, d.secure, d.g.now())
	if p == nil {
		return
	}
	s := &session{g: d.g, d: d, flow: d.g.flows.Add(1), local: addrPort(e.Local), remote: addrPort(e.Remote), problem: p}
	s.sender = instance.Sender{Way: instance.DIMSE, Address: s.remote.Addr().String(), Association: random(8)}
	var no *trust.Denied
	if errors.As(e.Err, &no) {
		s.sender.Device = no.Peer.Name()
		if no.Peer.Serial == "" {
			s.sender.Device = ""
		}
	}
	s.end(e)
}

// handle performs one request of the peer.
func (s *session) handle(ctx context.Context, r *dicomnet.Request) dicomnet.Reply {
	begin := s.g.now()
	op := &operation{s: s, r: r, began: begin}
	s.mu.Lock()
	s.used[r.Command.Field]++
	s.mu.Unlock()
	s.update(func(a *control.Association) { a.Doing, a.Operations = r.Command.Field.Service(), a.Operations+1 })
	reply := op.perform(ctx)
	s.update(func(a *control.Association) {
		a.Doing = ""
		if op.stored {
			a.Instances++
			a.Bytes += uint64(op.bytes)
		}
	})
	op.emit(&reply)
	return reply
}

// clean makes an AE title of a peer fit to be shown: it may hold anything.
func clean(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b[:min(len(b), 16)])
}

// seen is what is remembered of a device since the start.
type seen struct {
	mu      sync.Mutex
	last    time.Time
	refused uint64
	problem string
}

func (g *Gateway) seen(device string) *seen {
	if v, ok := g.first.Load(device); ok {
		return v.(*seen)
	}
	v, _ := g.first.LoadOrStore(device, &seen{})
	return v.(*seen)
}

// note remembers what a bound device did: of others there is no end.
func (g *Gateway) note(device string, p *Problem) {
	if _, ok := g.d.Bindings.Set().Device(device); !ok {
		return
	}
	s := g.seen(device)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = g.now()
	if p != nil {
		s.refused++
		s.problem = p.Code + ": " + p.What
	}
}

// Seen adds to a binding what was seen of its device since the start.
func (g *Gateway) Seen(b *control.Binding) {
	v, ok := g.first.Load(b.Device)
	if !ok {
		return
	}
	s := v.(*seen)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.last.IsZero() {
		b.LastSeen = s.last.UTC().Format(time.RFC3339)
	}
	b.Refused, b.LastProblem = s.refused, s.problem
}
