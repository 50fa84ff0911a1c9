// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/prove/identity/trust"
	"github.com/asepsis/asepsis/wire/dicom"
)

// Bindings says what a device may do.
type Bindings interface {
	// Bound returns the binding of a peer that comes from an address, false when there is none
	// that allows it.
	Bound(peer trust.Peer, from netip.Addr) (control.Binding, bool)
}

// Deps is what a Server needs from outside.
type Deps struct {
	Ingest   instance.Ingest
	Bindings Bindings
	// Inspector is the content firewall for what is retrieved. It is needed where there is an upstream.
	Inspector instance.Inspector
	// Passed is told of an instance that is about to be given out, whole or in part: it and all that goes
	// with it have passed the inspection, and no byte of the answer has gone. An error withholds the answer. It may be
	// called concurrently. Of parts (frames, bulk data, renderings) it is told once for each device and resource, as
	// long as it is remembered that the instance passed. nil: nobody is told.
	Passed func(ctx context.Context, r Retrieval) error
	// Upstream carries requests to the archive, see Transport. It is needed where there is an upstream.
	Upstream http.RoundTripper
	// Takes says whether a binding allows a SOP class; nil: all that are storage classes.
	Takes func(b control.Binding, sopClass string) bool
	// InCase says whether a case is in progress in a theatre; nil: never.
	InCase func(theatre string) bool
	// Note is told of each request when it has ended; nil: nobody is. It must not block.
	Note func(Activity)
	// Ended is told of each connection on which requests came, when it was closed; nil: nobody is. It must not block.
	Ended func(control.Association)
	Log   *slog.Logger
	Now   func() time.Time
}

// Retrieval is an instance that is about to be given to a device. It holds no identifier of a patient.
type Retrieval struct {
	To       instance.Sender // the device that it goes to
	From     instance.Sender // the archive
	Resource string          // Instances: all of it; Frames, BulkData, Rendered: a part of it

	SOPClass, SOPInstance, TransferSyntax string
	Study, Series                         string

	Digests instance.Digests
	Verdict instance.Verdict
	Rules   []string // that met, each once
	Policy  string   // under which it was inspected
}

// Server is the door. It may serve several listeners.
type Server struct {
	cfg   Config
	d     Deps
	links *links
	root  *url.URL // of the archive; nil for none
	auth  string   // Authorization for it
	keys  map[dicom.Tag]bool
	hold  *hold
	known *passedBefore
	open  atomic.Int64

	// peerOf is trust.FromContext but in tests of what has nothing to do with TLS.
	peerOf func(ctx context.Context) (trust.Peer, bool)
}

// New makes one.
func New(cfg Config, d Deps) (*Server, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("DICOMweb: %w", err)
	}
	if d.Ingest == nil || d.Bindings == nil {
		return nil, errors.New("DICOMweb: neither Ingest nor Bindings may be missing")
	}
	if d.Takes == nil {
		d.Takes = func(_ control.Binding, class string) bool { return dicom.IsStorage(class) }
	}
	if d.InCase == nil {
		d.InCase = func(string) bool { return false }
	}
	if d.Note == nil {
		d.Note = func(Activity) {}
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	s := &Server{cfg: cfg, d: d, links: newLinks(cfg.Idle), peerOf: trust.FromContext}
	if cfg.Upstream.URL == "" {
		return s, nil
	}
	if d.Inspector == nil || d.Upstream == nil {
		return nil, errors.New("DICOMweb: with an upstream, neither Inspector nor Upstream may be missing")
	}
	var err error
	if s.root, err = rootOf(cfg.Upstream.URL); err != nil {
		return nil, fmt.Errorf("DICOMweb: upstream: %w", err)
	}
	if s.auth, err = authorization(cfg.Upstream.Username, cfg.Upstream.PasswordFile, cfg.Upstream.TokenFile); err != nil {
		return nil, fmt.Errorf("DICOMweb: upstream: %w", err)
	}
	if s.keys, err = keysOf(cfg.Query.Keys); err != nil {
		return nil, fmt.Errorf("DICOMweb: query: %w", err)
	}
	s.hold = newHold(cfg.Retrieve)
	probe, err := s.hold.open()
	if err != nil {
		return nil, fmt.Errorf("DICOMweb: retrieve.spool: %w", err)
	}
	probe.close()
	s.known = newPassedBefore(cfg.Retrieve.Remember)
	return s, nil
}

// check is every Validate of the configuration.
func (c Config) check() error {
	return errors.Join(c.Validate(), c.Store.Validate(), c.Upstream.Validate(), c.Query.Validate(), c.Retrieve.Validate())
}

// Associations returns the connections that are open, newest first, then those that ended
// lately.
func (s *Server) Associations() []control.Association { return s.links.list(s.d.Now()) }

// Closed tells that a connection was closed, and returns it as it ended; false where no request came on it.
// Serve tells it itself: it is for http.Server.ConnState of another server that this one is the handler of. Without it,
// connections end in the list when they have been idle.
func (s *Server) Closed(c net.Conn) (control.Association, bool) {
	return s.links.end(c.RemoteAddr().String(), s.d.Now())
}

// Open is how many connections of Serve are open.
func (s *Server) Open() int { return int(s.open.Load()) }

// Serve serves a listener, on which it puts TLS, until ctx ends; then requests that have begun may go on
// for drain. It closes the listener.
func (s *Server) Serve(ctx context.Context, inner net.Listener, t *trust.Server, drain time.Duration) error {
	return s.serve(ctx, &bounded{Listener: t.Listener(inner), s: s}, t.Handler(s), t.ConnContext, drain)
}

func (s *Server) serve(ctx context.Context, l net.Listener, h http.Handler, connContext func(context.Context, net.Conn) context.Context, drain time.Duration) error {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	// Requests that have begun keep their context: an instance that arrives may be finished.
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var running sync.WaitGroup // connections, with the requests on them
	hs := &http.Server{
		Handler: h, Protocols: &protocols, ReadHeaderTimeout: s.cfg.Stall, IdleTimeout: s.cfg.Idle, MaxHeaderBytes: 16 << 10,
		ConnContext: connContext,
		BaseContext: func(net.Listener) context.Context { return base },
		ConnState: func(c net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				running.Add(1)
				s.open.Add(1)
			case http.StateClosed, http.StateHijacked:
				s.open.Add(-1)
				if a, ok := s.Closed(c); ok && s.d.Ended != nil {
					s.d.Ended(a)
				}
				running.Done()
			default:
			}
		},
		ErrorLog: slog.NewLogLogger(s.d.Log.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- hs.Serve(l) }()
	var err error
	select {
	case err = <-ended:
		err = fmt.Errorf("DICOMweb: %w", err)
	case <-ctx.Done():
		stop, done := context.WithTimeout(base, drain)
		_ = hs.Shutdown(stop) // what has not ended by then is ended below
		done()
		<-ended
	}
	_ = hs.Close()
	cancel()
	running.Wait()
	return err
}

// bounded closes what is accepted beyond Config.Connections.
type bounded struct {
	net.Listener
	s *Server
}

func (b *bounded) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil || b.s.Open() < b.s.cfg.Connections {
			return c, err
		}
		_ = c.Close()
		b.s.d.Log.Warn("as many DICOMweb connections are open as may be", "open", b.s.cfg.Connections, "address", c.RemoteAddr().String())
	}
}

// exchange is one request on its way.
type exchange struct {
	s       *Server
	w       http.ResponseWriter
	r       *http.Request
	t       target
	binding control.Binding
	sender  instance.Sender
	link    *link
	a       Activity
	base    string // of our own addresses
}

// ServeHTTP implements http.Handler. It wants to stand behind trust.Server.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{s: s, w: w, r: r}
	x.a.At = s.d.Now()
	x.link = s.links.request(r.RemoteAddr, x.a.At)
	x.sender = instance.Sender{Way: instance.STOW, Association: x.link.shown.ID}
	defer x.end()
	h := w.Header()
	// Nothing that comes from here is a page, and nothing of it is to be kept by what is between.
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", "no-store")
	if p := x.serve(); p != nil {
		x.refuse(p)
	}
}

// lingering is how long a client may go on with a body that was refused.
const lingering = 2 * time.Second

// refuse answers with a problem.
func (x *exchange) refuse(p *Problem) {
	x.a.Status, x.a.Problem, x.a.What, x.a.Hint, x.a.Cause = p.Status, p.Code, p.Detail, p.Hint, p.cause
	if x.r.Body != nil && x.r.Body != http.NoBody {
		// What is left of a refused body is not worth much waiting: the server reads some of it over, so
		// that the client hears the answer before the connection is closed.
		p.close = true
		_ = http.NewResponseController(x.w).SetReadDeadline(x.s.d.Now().Add(min(lingering, x.s.cfg.Stall)))
	}
	_ = http.NewResponseController(x.w).SetWriteDeadline(x.s.d.Now().Add(x.s.cfg.Stall))
	p.write(x.w)
}

// end tells what became of the request.
func (x *exchange) end() {
	v := recover()
	if v != nil && v != http.ErrAbortHandler { //nolint:errorlint // it is compared as net/http does
		x.a.Problem, x.a.What = "internal", "the request ended in an error of the gateway"
		// The value itself may hold what a client sent.
		x.s.d.Log.Error("BUG: a DICOMweb request panicked", "request", x.t.String(), "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
		v = http.ErrAbortHandler
	}
	x.a.Took = x.s.d.Now().Sub(x.a.At)
	x.a.Sender = x.sender
	x.link.done(x.s.d.Now(), func(a *control.Association) {
		a.Operations++
		a.Instances += uint64(max(0, x.a.Instances))
		a.Bytes += uint64(max(0, x.a.Bytes))
		a.Problem, a.What, a.Hint = x.a.Problem, x.a.What, x.a.Hint
	})
	x.s.d.Note(x.a)
	if v != nil {
		panic(v)
	}
}

// serve finds out who asks for what, and whether that may be.
func (x *exchange) serve() *Problem {
	from, _ := netip.ParseAddrPort(x.r.RemoteAddr)
	x.sender.Address = from.Addr().Unmap().String()
	if x.r.TLS != nil {
		x.sender.TLS = strings.Replace(tls.VersionName(x.r.TLS.Version), "TLS ", "TLSv", 1)
	}
	peer, ok := x.s.peerOf(x.r.Context())
	if !ok {
		return problem(http.StatusForbidden, "no-identity", "the connection has no certificate by which the device is known", "connect with TLS and the device's certificate")
	}
	x.sender.Device, x.sender.Certificate = peer.Name(), peer.SHA256
	b, ok := x.s.d.Bindings.Bound(peer, from.Addr().Unmap())
	if ok {
		x.binding = b
		x.sender.Binding, x.sender.Theatre = b.Device, b.Theatre
		if len(b.CallingAE) > 0 {
			x.sender.CallingAE = b.CallingAE[0]
		}
	}
	var p *Problem
	x.t, p = targetOf(x.r.Method, x.r.URL, x.s.cfg.Path)
	x.a.Service, x.a.Resource, x.a.Level, x.a.Study = string(x.t.service), x.t.resource, x.t.level, x.t.study
	x.link.change(func(a *control.Association) {
		a.Device, a.CallingAE, a.TLS, a.Theatre = x.sender.Device, x.sender.CallingAE, x.sender.TLS, x.sender.Theatre
		a.Doing = strings.ToUpper(string(x.t.service))
	})
	switch {
	case !ok:
		return problem(http.StatusForbidden, "no-binding", "nothing is bound to this device's certificate at this address", "bind the device in Guard > Imaging, and say what it may do")
	case p != nil:
		return p
	case x.t.service == probe:
		return x.options()
	case !slices.Contains(b.Operations, string(x.t.service)):
		return problem(http.StatusForbidden, "operation", "this device may not "+map[service]string{stow: "store (stow)", qido: "ask (qido)", wado: "retrieve (wado)"}[x.t.service], "allow the operation in the device's binding if it is meant to")
	}
	if x.base, p = x.ownBase(); p != nil {
		return p
	}
	if x.t.service == stow {
		return x.store()
	}
	if x.r.ContentLength != 0 {
		return problem(http.StatusBadRequest, "body", "a GET request has a body", "").closing()
	}
	if x.s.root == nil {
		return problem(http.StatusNotFound, "no-upstream", "this gateway only stores: no archive is set up behind it", "")
	}
	if x.t.service == qido {
		return x.query()
	}
	return x.retrieve()
}

// options says which methods this device may use here.
func (x *exchange) options() *Problem {
	allow := "OPTIONS"
	if x.s.root != nil && (slices.Contains(x.binding.Operations, string(qido)) || slices.Contains(x.binding.Operations, string(wado))) {
		allow += ", GET"
	}
	if slices.Contains(x.binding.Operations, string(stow)) {
		allow += ", POST"
	}
	x.a.Status = http.StatusNoContent
	x.w.Header().Set("Allow", allow)
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}

// ownBase is what addresses of the gateway begin with.
func (x *exchange) ownBase() (string, *Problem) {
	if x.s.cfg.URL != "" {
		return strings.TrimSuffix(x.s.cfg.URL, "/"), nil
	}
	// The client's own word, in an answer to itself alone; it must still be a host and a port.
	host := x.r.Host
	for i := range len(host) {
		if c := host[i]; !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(".-:[]", c) >= 0) {
			return "", problem(http.StatusBadRequest, "host", "the Host field is not a name and a port", "")
		}
	}
	if host == "" || len(host) > 255 {
		return "", problem(http.StatusBadRequest, "host", "the Host field is missing or too long", "")
	}
	scheme := "https"
	if x.r.TLS == nil {
		scheme = "http"
	}
	return scheme + "://" + host + x.s.cfg.Path, nil
}

// arrival is that of an instance of this exchange.
func (x *exchange) arrival() instance.Arrival {
	return instance.Arrival{Sender: x.sender, At: x.s.d.Now(), Case: x.sender.Theatre != "" && x.s.d.InCase(x.sender.Theatre)}
}

func (x *exchange) pace() pace {
	return pace{rc: http.NewResponseController(x.w), stall: x.s.cfg.Stall, minRate: int64(x.s.cfg.MinRate), now: x.s.d.Now}
}
