// SPDX-License-Identifier: Apache-2.0

// Package service is a whole DICOM gateway: it makes the rooms of one process out of its
// parts, in the order in which they need each other, and says how they are.
//
//	peers ──► gateway ──► firewall, journal, ledger ──► forward ──► destinations
//	             │  └─► query ──► archives
//	             └────► dicomweb
//
// Rooms are stopped in the reverse order: doors first, then forwarding, the journal and the ledger last, so
// that what was acknowledged is on the disk whatever happens meanwhile.
//
// One gateway writes one ledger: that of the process it runs in, or, alone, one of its own in its
// directory. What needs a person is put as standing matters under the gateway's name, where there is a store.
package service

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/guard/gateway"
	"github.com/asepsis/asepsis/guard/gateway/atna"
	"github.com/asepsis/asepsis/guard/gateway/binding"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/deid"
	"github.com/asepsis/asepsis/guard/gateway/dicomweb"
	"github.com/asepsis/asepsis/guard/gateway/firewall"
	"github.com/asepsis/asepsis/guard/gateway/forward"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/journal"
	"github.com/asepsis/asepsis/guard/gateway/owed"
	"github.com/asepsis/asepsis/guard/gateway/query"
	"github.com/asepsis/asepsis/guard/gateway/steer"
	"github.com/asepsis/asepsis/platform/lifecycle"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/order"
	"github.com/asepsis/asepsis/prove/identity/self"
	"github.com/asepsis/asepsis/prove/identity/trust"
	"github.com/asepsis/asepsis/prove/ledger"
)

// Deps is what a gateway needs from outside.
type Deps struct {
	Data      string          // the data directory
	Documents store.Documents // for standing matters; nil: none are kept
	Authority Authority       // the site's, in this process; nil: Config.Trust
	Announcer identity.Announcer
	Ledger    *ledger.Ledger // of this process, which runs it; nil: one of its own
	Case      func(theatre string) bool
	Room      func(id string) (theatre.State, time.Time) // what the theatre board has, and since when; nil: there is none
	Emit      func(*event.Event)
	Key       pseudonym.Key
	Site      string
	Bus       string // the name of the bus's site, which orders over it carry
	Reached   bool   // others than this process reach the bus
	Software  string // "asepsis/gateway 1.2.3"
	Log       *slog.Logger
	Now       func() time.Time
}

// Service is one gateway.
type Service struct {
	cfg   Config
	d     Deps
	log   *slog.Logger
	now   func() time.Time
	dir   string
	since time.Time

	trust    *trust.Trust
	own      *self.Certificate
	orders   *control.Orders
	ground   *order.Ground // of a gateway that needs certificates for orders alone
	refusals refusals
	ledger   *ledger.Ledger
	journal  *journal.Journal
	bindings *binding.File
	policy   *firewall.File
	forward  *forward.Forwarder
	query    *query.Proxy
	web      *dicomweb.Server
	gateway  *gateway.Gateway
	live     *steer.Live
	steer    *steer.Steer
	audit    *atna.Room // nil: no audit messages are sent

	closers []func()

	mu      sync.Mutex
	clients map[string]*trust.Client
}

// New makes a gateway. What it opened is closed by Close, also where New fails.
func New(ctx context.Context, cfg Config, d Deps) (_ *Service, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	s := &Service{cfg: cfg, d: d, log: d.Log.With("room", "gateway"), now: d.Now, dir: cfg.dir(d.Data), since: d.Now(), clients: map[string]*trust.Client{}}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	// Everything below goes by it, whatever the process's working directory is later.
	if s.dir, err = filepath.Abs(s.dir); err != nil {
		return nil, fmt.Errorf("the gateway's directory: %w", err)
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("the gateway's directory: %w", err)
	}
	for _, step := range []func(context.Context) error{s.newTrust, s.newOrders, s.newLedger, s.newJournal, s.newAudit, s.newForward, s.newQuery, s.newPolicy, s.newGateway, s.newSteer} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Close closes what New opened. The rooms must have ended.
func (s *Service) Close() {
	for i := len(s.closers) - 1; i >= 0; i-- {
		s.closers[i]()
	}
	s.closers = nil
}

func (s *Service) room(name string) *slog.Logger { return s.d.Log.With("room", name) }

func (s *Service) newLedger(context.Context) error {
	if s.d.Ledger != nil {
		s.ledger = s.d.Ledger
		return nil
	}
	cfg := s.cfg.Ledger
	cfg.Dir = cmp.Or(cfg.Dir, filepath.Join(s.dir, "ledger"))
	l, err := ledger.New(cfg, ledger.Deps{Log: s.room("ledger"), Now: s.d.Now, Name: ledger.OriginOf(s.d.Site, s.cfg.Name)})
	if err != nil {
		return err
	}
	s.ledger = l
	s.closers = append(s.closers, func() { _ = l.Close() })
	return nil
}

func (s *Service) newJournal(context.Context) (err error) {
	cfg := s.cfg.Journal
	cfg.Dir = cmp.Or(cfg.Dir, filepath.Join(s.dir, "journal"))
	if cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil {
		return fmt.Errorf("the journal's directory: %w", err)
	}
	j, err := journal.New(cfg, journal.Deps{Log: s.room("journal"), Now: s.d.Now})
	if err != nil {
		return err
	}
	s.journal = j
	s.closers = append(s.closers, func() { _ = j.Close() })
	return nil
}

// newAudit makes the room that sends audit messages, where there is somebody to send them to.
func (s *Service) newAudit(context.Context) (err error) {
	d := atna.Deps{Dir: filepath.Join(s.dir, "audit"), Name: s.cfg.Name, Log: s.room("audit"), Now: s.d.Now}
	if s.trust != nil {
		client, err := s.client(s.cfg.Audit.Device)
		if err != nil {
			return err
		}
		d.Dial = client.Dial
	}
	if s.audit, err = atna.New(s.cfg.Audit, d); s.audit != nil {
		s.closers = append(s.closers, s.journal.Watch(s.audit.Record))
	}
	return err
}

// watchers are shown what goes on: who watches the gateway, and who audits it.
type watchers struct{ s *Service }

// Association implements gateway.Watcher.
func (w watchers) Association(a control.Association) {
	w.s.live.Association(a)
	if !a.Ended.IsZero() {
		w.s.audit.Association(a)
	}
}

// Instance implements gateway.Watcher.
func (w watchers) Instance(a instance.Arrival, o instance.Outcome) {
	w.s.live.Instance(a, o)
	if !o.Again && o.Record.State == instance.Quarantined && slices.ContainsFunc(o.Record.Hits, func(h instance.Hit) bool { return h.Rule == firewall.OtherCase && h.Verdict >= instance.Quarantine }) {
		w.s.query.Patients().Held(a.Sender.Theatre)
	}
}

func (s *Service) newForward(context.Context) error {
	set, err := deid.New(s.cfg.Deid, s.d.Key)
	if err != nil {
		return err
	}
	s.live = steer.NewLive(s.d.Now)
	s.forward, err = forward.New(s.cfg.Forward, forward.Deps{
		Vault: s.journal, Ledger: s.ledger, LedgerReady: s.ledger.Ready, Trust: s.trust, Deid: set.Profile, Case: s.d.Case, Dir: s.dir, Name: s.cfg.Name, Site: s.d.Site, Software: s.d.Software,
		Log: s.room("forward"), Now: s.d.Now, Sent: func(r instance.Record, _ instance.Delivery) { s.live.Forwarded(r.Bytes) }, Passes: s.cfg.Retrievals.OpenMove,
	})
	return err
}

// late is an instance.Ingest, and a query.Custody, for who is made before the gateway is.
type late struct{ s *Service }

func (l late) Store(ctx context.Context, a instance.Arrival, data io.Reader) (instance.Outcome, error) {
	return l.s.gateway.Store(ctx, a, data)
}

func (l late) Retrieval(device, theatre string) (string, bool) {
	return l.s.gateway.Retrieval(device, theatre)
}

func (l late) Give(ctx context.Context, n owed.Note, open bool) (*instance.Entry, error) {
	return l.s.gateway.Give(ctx, n, open)
}

func (s *Service) newQuery(context.Context) (err error) {
	commits := map[string]bool{}
	for _, d := range s.cfg.Forward.Destinations {
		commits[d.Name] = d.Commitment
	}
	s.query, err = query.New(s.cfg.Query, query.Deps{
		Handshake: s.handshake, AETitle: s.cfg.AETitles[0], Ingest: late{s}, Vault: s.journal, Custody: late{s}, MustCommit: func(name string) bool { return commits[name] }, Report: s.report, Asked: s.audit.Asked, Wake: s.forward.Wake, Room: s.d.Room, Changed: s.live.Changed,
		Key: s.d.Key, Site: s.d.Site, Name: s.cfg.Name, Software: s.d.Software, Dir: s.dir, Log: s.room("query"), Now: s.d.Now,
	})
	return err
}

// report hands a report of storage commitment of a destination to forwarding.
func (s *Service) report(ctx context.Context, _, transaction string, done, failed []string) bool {
	return s.forward.CommitmentReport(ctx, transaction, done, failed) == nil
}

func (s *Service) newPolicy(context.Context) (err error) {
	path := cmp.Or(s.cfg.BindingsFile, filepath.Join(s.dir, "bindings.yaml"))
	if s.bindings, err = binding.Open(path, s.room("bindings")); err != nil {
		return err
	}
	facts := map[string]Device{}
	for _, d := range s.cfg.Devices {
		facts[d.Device] = d
	}
	deps := firewall.Deps{
		Expected:  s.query.Patients().Expected,
		InRoom:    s.query.Patients().InRoom,
		Pseudonym: func(issuer, id string) string { return query.Pseudonym(s.d.Key, issuer, id) },
		Known:     s.known,
		Key:       []byte(s.d.Key.Of("gateway", "the UIDs of sanitised copies")),
		Device: func(id string) (firewall.Facts, bool) {
			d, known := facts[id]
			f := firewall.Facts{Manufacturer: d.Manufacturer, Models: d.Models, Serials: d.Serials, Stations: d.Stations}
			if b, bound := s.bindings.Set().Device(id); bound {
				f.AETitles, known = b.CallingAE, true
			}
			return f, known
		},
	}
	s.policy, err = firewall.Open(cmp.Or(s.cfg.PolicyFile, filepath.Join(s.dir, "policy.yaml")), deps, s.room("firewall"), s.d.Now)
	return err
}

// known returns the digests of what is kept under a SOP instance UID.
func (s *Service) known(uid string) [][sha256.Size]byte {
	list, err := s.journal.BySOP(context.Background(), uid)
	if err != nil {
		s.log.Warn("whether an instance is known could not be found out", "why", err)
		return nil
	}
	var out [][sha256.Size]byte
	for i := range list {
		if list[i].State == instance.Destroyed {
			continue
		}
		if sum, err := hex.DecodeString(list[i].DataSet); err == nil && len(sum) == sha256.Size {
			out = append(out, [sha256.Size]byte(sum))
		}
	}
	return out
}

func (s *Service) newGateway(context.Context) (err error) {
	d := gateway.Deps{
		Trust: s.trust, Bindings: s.bindings, Vault: s.journal, Firewall: s.policy, Router: s.forward, Ledger: s.ledger, LedgerReady: s.ledger.Ready, Queries: s.query, Watch: watchers{s}, Emit: s.d.Emit, Case: s.d.Case, Room: s.journal.Room,
		Key: s.d.Key, Site: s.d.Site, Dir: s.dir, Software: s.d.Software, Log: s.log, Now: s.d.Now,
	}
	if s.serves(gateway.KindWeb) {
		if err := s.newWeb(); err != nil {
			return err
		}
		d.Web = s.web
	}
	s.gateway, err = gateway.New(s.cfg.Config, d)
	return err
}

func (s *Service) serves(kind string) bool {
	for _, l := range s.cfg.Listeners {
		if l.Kind == kind {
			return true
		}
	}
	return false
}

func (s *Service) newWeb() (err error) {
	var up http.RoundTripper
	if s.cfg.Web.Upstream.URL != "" {
		var client *trust.Client
		if s.trust != nil {
			if client, err = s.trust.Client(trust.ClientOptions{Device: s.cfg.Web.Upstream.Device}); err != nil {
				return err
			}
		}
		t := dicomweb.Transport(client, s.cfg.Web.Upstream.Wait)
		s.closers = append(s.closers, t.CloseIdleConnections)
		up = t
	}
	s.web, err = dicomweb.New(s.cfg.Web, dicomweb.Deps{
		Ingest: late{s}, Bindings: webBindings{s.bindings}, Inspector: s.policy, Upstream: up, InCase: s.d.Case, Note: s.webActivity, Passed: s.retrieved, Ended: watchers{s}.Association, Log: s.room("dicomweb"), Now: s.d.Now,
		Takes: func(b control.Binding, class string) bool {
			bound, ok := s.bindings.Set().Device(b.Device)
			return ok && bound.MayStore(class)
		},
	})
	return err
}

func (s *Service) newSteer(context.Context) (err error) {
	s.steer, err = steer.New(steer.Deps{
		Name: s.cfg.Name, Site: s.d.Site, Vault: s.journal, Forward: s.forward, Firewall: s.policy, Bindings: s.bindings, Ledger: s.ledger, Steps: s.query.Patients(), Live: s.live, Fill: s.fill, Seen: s.seen,
		Software: s.d.Software, Log: s.room("steer"), Now: s.d.Now,
	})
	return err
}

// Control is the gateway as it is steered.
func (s *Service) Control() control.Control { return &audited{s.steer, s.audit} }

// steering is embedded under a name that is none of its methods'.
type steering = steer.Steer

// audited has what people decide in the audit trail.
type audited struct {
	*steering
	audit *atna.Room
}

// Decide implements control.Control.
func (a *audited) Decide(ctx context.Context, d control.Decide) (control.Held, error) {
	h, err := a.steering.Decide(ctx, d)
	if err == nil {
		a.audit.Decided(h, d)
	}
	return h, err
}

// Drop implements control.Control.
func (a *audited) Drop(ctx context.Context, d control.Drop) (control.Dropped, error) {
	done, err := a.steering.Drop(ctx, d)
	if done.Deliveries > 0 { // also where not all of it could be done
		a.audit.Dropped(d, done)
	}
	return done, err
}

// EndStep implements control.Control.
func (a *audited) EndStep(ctx context.Context, e control.EndStep) (control.ProcedureStep, error) {
	x, err := a.steering.EndStep(ctx, e)
	if err == nil {
		a.audit.StepEnded(x)
	}
	return x, err
}

// Gateway is the room with the listeners.
func (s *Service) Gateway() *gateway.Gateway { return s.gateway }

// Trust is what the gateway speaks TLS with; nil where nothing needs it.
func (s *Service) Trust() *trust.Trust { return s.trust }

// Journal is where instances are kept.
func (s *Service) Journal() *journal.Journal { return s.journal }

// Addr returns where a listener listens, nil while it does not.
func (s *Service) Addr(listener string) net.Addr { return s.gateway.Addr(listener) }

// Open opens the listeners, where ports need a right that the process gives up before its rooms run.
func (s *Service) Open(ctx context.Context) error { return s.gateway.Open(ctx) }

// Collectors are the gateway's metrics.
func (s *Service) Collectors() []prometheus.Collector {
	return []prometheus.Collector{s.gateway, &s.refusals}
}

// Rooms returns the rooms in the order in which they are started.
func (s *Service) Rooms() []lifecycle.Room {
	var out []lifecycle.Room
	add := func(r lifecycle.Room) {
		r.Name = s.cfg.Name + ": " + r.Name
		out = append(out, r)
	}
	if s.d.Ledger == nil {
		add(lifecycle.Room{Name: "ledger", Run: s.ledger.Run, Ready: s.ledger.Ready, Drain: 30 * time.Second})
	}
	if s.trust != nil {
		add(lifecycle.Room{Name: "trust", Run: s.trust.Run, Ready: func(context.Context) error { return s.trust.Ready() }})
	}
	if s.own != nil {
		add(lifecycle.Room{Name: "certificate", Run: func(ctx context.Context) error { return s.own.Run(ctx, s.trust) }})
	}
	if s.ground != nil {
		add(lifecycle.Room{Name: "orders", Run: s.ground.Run})
	}
	add(lifecycle.Room{Name: "journal", Run: s.journal.Run, Ready: s.journal.Ready, Drain: 30 * time.Second})
	if s.audit != nil {
		add(lifecycle.Room{Name: "audit", Run: s.audit.Run})
	}
	add(lifecycle.Room{Name: "policy", Run: s.policy.Run})
	add(lifecycle.Room{Name: "bindings", Run: s.bindings.Run})
	add(lifecycle.Room{Name: "forward", Run: s.forward.Run, Ready: s.forward.Ready, Drain: 30 * time.Second})
	add(lifecycle.Room{Name: "query", Run: s.query.Run})
	add(lifecycle.Room{Name: "listeners", Run: s.gateway.Run, Ready: s.gateway.Ready, Drain: s.cfg.Drain + 5*time.Second})
	if s.d.Documents != nil {
		add(lifecycle.Room{Name: "matters", Run: s.tell})
		add(lifecycle.Room{Name: "guarded", Run: s.guards})
	}
	return out
}
