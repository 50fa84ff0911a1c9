// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/respond/access"
	"github.com/asepsis/asepsis/see/detect"
	"github.com/asepsis/asepsis/see/inventory"
)

// Bus is what the API needs of the bus.
type Bus interface {
	Ask(ctx context.Context, subject string, body []byte) ([]byte, error)
	Listen(subject string, f func([]byte)) (stop func(), err error)
	Tell(subject string, body []byte) error
	Reports(ctx context.Context, kind string) ([]bus.Report, error)
	Stats(ctx context.Context) (bus.Stats, error)
}

// Deps is what a Server works with. Store, Bus, Access and Log are needed.
type Deps struct {
	Store   store.Store
	Bus     Bus
	Access  *access.Access
	Web     fs.FS  // the console's files; nil for the API alone
	Dir     string // data directory: a certificate of its own is kept in Dir/tls
	Demo    bool
	Version string
	Log     *slog.Logger
	Now     func() time.Time
	Metrics *prometheus.Registry // what /metrics gives, and where the server's own metrics go; nil for a new one

	// Rules are those that are shipped; RulesDir and Policy are as in detect.Config. Without
	// Rules nothing can be said about rules.
	Rules    fs.FS
	RulesDir string
	Policy   string

	// Ledger is where what can be proved is kept, nil when none runs here; Records takes operation
	// records into it. UnwitnessedAlarm is how long its entries may wait for witnesses.
	Ledger           Ledger
	Records          *ledger.Records
	UnwitnessedAlarm time.Duration
	// Identity is the site's certificate authority, nil when there is none.
	Identity *Identity

	// Gateways are those of this process, by name: they are asked without the bus. Orders signs
	// what is asked of others, nil when the console has nothing to sign with.
	Gateways map[string]control.Control
	Orders   *control.Orderer

	// Ready says for each room whether it can do its work now; /readyz asks all.
	Ready map[string]func(context.Context) error
}

// Server is the API and the console. All its methods may be called concurrently.
type Server struct {
	cfg     Config
	dep     Deps
	log     *slog.Logger
	now     func() time.Time
	started time.Time

	know      *knowledge
	advisory  *advisoryShelf
	watch     *watcher
	notices   *notices
	metrics   *metrics
	static    *static
	rules     *rulebook
	backtests *backtests
	routes    []route
	handler   http.Handler
	hosts     map[string]bool
	certs     *certificates // nil when plain

	requests chan struct{} // one slot for each request under way
	exports  chan struct{}
	streams  streamCount

	checking  atomic.Bool // somebody has the ledger checked
	linkCache linkCache
	ready     readyCache
	draining  chan struct{} // closed when streams shall end
	listens   chan struct{} // closed when the listener is open

	mu   sync.Mutex
	base string // URL, once the listener is open
}

// New makes a Server. It opens nothing but the certificate's files.
func New(cfg Config, dep Deps) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if dep.Store == nil || dep.Bus == nil || dep.Access == nil || dep.Log == nil {
		return nil, errors.New("api: Store, Bus, Access and Log are needed")
	}
	if dep.Now == nil {
		dep.Now = time.Now
	}
	if dep.Metrics == nil {
		dep.Metrics = prometheus.NewRegistry()
	}
	s := &Server{
		cfg: cfg, dep: dep, log: dep.Log, now: dep.Now, started: dep.Now(),
		requests: make(chan struct{}, cfg.MaxRequests),
		exports:  make(chan struct{}, cfg.Export.Max),
		draining: make(chan struct{}),
		listens:  make(chan struct{}),
		hosts:    hosts(cfg),
	}
	s.streams.most, s.streams.mostEach = cfg.Streams.Max, cfg.Streams.MaxPerSession
	s.know = newKnowledge(dep.Store, dep.Now, dep.Log)
	s.advisory = newAdvisoryShelf(dep.Store)
	s.rules = &rulebook{s: s}
	s.backtests = newBacktests(s)
	s.know.edits = func(ctx context.Context) ([]inventory.Edit, error) { return s.askEdits(ctx, "") }
	s.notices = newNotices()
	s.know.changes = func(what string, revision uint64) { s.notices.tell(notice{what, revision}) }
	s.watch = newWatch(s)
	var err error
	if s.metrics, err = newMetrics(s); err != nil {
		return nil, err
	}
	if s.static, err = newStatic(dep.Web); err != nil {
		return nil, err
	}
	if !cfg.TLS.Plain {
		if s.certs, err = newCertificates(cfg.TLS, dep.Dir, certificateNames(cfg), dep.Now, dep.Log); err != nil {
			return nil, err
		}
	}
	s.routes = s.table()
	s.handler = s.guarded(s.mux())
	return s, nil
}

// Handler returns all of it as one handler. It needs no Run, but without it
// nothing is known before it is asked for.
func (s *Server) Handler() http.Handler { return s.handler }

// Listening is closed once connections are taken and URL is the real one.
func (s *Server) Listening() <-chan struct{} { return s.listens }

// URL returns how browsers reach the console, without a slash at its end.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.base != "" {
		return s.base
	}
	return s.baseURL(s.cfg.Listen)
}

func (s *Server) baseURL(listen string) string {
	if s.cfg.PublicURL != "" {
		return strings.TrimRight(s.cfg.PublicURL, "/")
	}
	host, port, _ := net.SplitHostPort(listen)
	switch host {
	case "", "0.0.0.0", "::":
		host = "127.0.0.1"
		if name, err := os.Hostname(); err == nil && name != "" {
			host = name
		}
	}
	u := url.URL{Scheme: "https", Host: net.JoinHostPort(host, port)}
	if s.cfg.TLS.Plain {
		u.Scheme = "http"
	}
	return u.String()
}

// Run listens until ctx ends, then lets requests under way finish for at most
// Config.DrainTimeout. Streams are ended at once; browsers resume them.
func (s *Server) Run(ctx context.Context) error {
	l, err := listen(ctx, s.cfg.Listen)
	if err != nil {
		return err
	}
	var metricsListener net.Listener
	if s.cfg.MetricsListen != "" {
		if metricsListener, err = listen(ctx, s.cfg.MetricsListen); err != nil {
			_ = l.Close()
			return err
		}
	}
	s.mu.Lock()
	s.base = s.baseURL(l.Addr().String())
	if h, _, _ := net.SplitHostPort(s.cfg.Listen); h == "localhost" {
		_, port, _ := net.SplitHostPort(l.Addr().String())
		s.base = s.baseURL(net.JoinHostPort(h, port))
	}
	s.mu.Unlock()

	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	var background sync.WaitGroup
	background.Go(func() { s.know.run(inner) })
	background.Go(func() { s.watch.run(inner) })
	stop, err := s.dep.Bus.Listen("changed", s.heard)
	if err != nil {
		// Notices only make what the revisions tell anyway quicker.
		s.log.Warn("notices of changes are not heard; lists are refreshed by the clock", "error", err)
		stop = func() {}
	}
	stopFindings, err := s.dep.Bus.Listen(detect.ChangedSubject, s.heardFindings)
	if err != nil {
		stopFindings = func() {}
	}

	main := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 100, MaxReadFrameSize: 64 << 10, SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	serving := []*http.Server{main}
	errs := make(chan error, 2)
	limited := limitListener(l, s.cfg.MaxConnections)
	background.Go(func() {
		if s.certs != nil {
			main.TLSConfig = s.certs.config()
			errs <- main.Serve(tls.NewListener(limited, main.TLSConfig))
			return
		}
		errs <- main.Serve(limited)
	})
	if metricsListener != nil {
		m := &http.Server{Handler: s.metrics.handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10,
			ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
		serving = append(serving, m)
		background.Go(func() { errs <- m.Serve(limitListener(metricsListener, 16)) })
	}
	close(s.listens)
	s.log.Info("console and API are served", "url", s.URL(), "listen", l.Addr().String(), "tls", s.certs != nil)
	if s.certs != nil {
		s.log.Info("certificate", "sha256", s.certs.fingerprint(), "self_signed", s.cfg.TLS.CertFile == "")
	}

	var failed error
	select {
	case <-ctx.Done():
	case failed = <-errs:
	}
	close(s.draining)
	drain, done := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.DrainTimeout)
	defer done()
	for _, srv := range serving {
		if err := srv.Shutdown(drain); err != nil {
			s.log.Warn("requests were cut off at the end", "error", err)
			_ = srv.Close()
		}
	}
	stop()
	stopFindings()
	cancel()
	s.backtests.end()
	background.Wait()
	if failed != nil && !errors.Is(failed, http.ErrServerClosed) {
		return fmt.Errorf("serve the console: %w", failed)
	}
	return nil
}

// listenError says what to do about an address that cannot be listened on.
type listenError struct {
	addr string
	err  error
}

func (e *listenError) Error() string { return "listen on " + e.addr + ": " + e.err.Error() }
func (e *listenError) Unwrap() error { return e.err }

// Hint says what to do.
func (e *listenError) Hint() string {
	return "another program may use that port: choose another one in console.listen"
}

func listen(ctx context.Context, addr string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, &listenError{addr, err}
	}
	return l, nil
}

func itoa[T ~int | ~int64 | ~uint16 | ~uint32](n T) string { return strconv.FormatInt(int64(n), 10) }
