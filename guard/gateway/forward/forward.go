// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/prove/identity/trust"
	"github.com/asepsis/asepsis/prove/ledger"
)

// Vault is what is needed of the journal; *journal.Journal is one.
type Vault interface {
	instance.Vault
	// Waiting gives every record with a delivery that is open, oldest first.
	Waiting(ctx context.Context, each func(instance.Record) error) error
	// Watch has f called with every record that is new or has changed, when that is durable.
	Watch(f func(instance.Record)) (stop func())
}

// Deps is what a Forwarder works with.
type Deps struct {
	Vault  Vault
	Ledger ledger.Recorder
	// Ledger's readiness, before anything is sent on a route that fails closed; nil: it is tried.
	LedgerReady func(ctx context.Context) error
	Trust       *trust.Trust // nil: no destination may be reached with tls: site
	// Deid gives the transformer of a de-identification profile; nil: there are none.
	Deid func(profile string) (instance.Transformer, error)
	// Case says whether a case is in progress in a theatre; nil: nobody knows. It is asked often.
	Case func(theatre string) bool
	// Open makes the sender of a destination, for tests and other kinds; nil: by its kind.
	Open func(d Destination) (Sender, error)
	// Passes says of a route that is none of Config.Routes whether it lets pass what the ledger could not see; nil: none does.
	Passes func(route string) bool
	// Sent is told of every delivery that succeeded, from several goroutines; nil: nobody.
	Sent func(r instance.Record, d instance.Delivery)
	// Dir is where it is remembered what is paused and what is being sent. "": it is not.
	Dir      string
	Name     string // of the gateway: of its statements
	Site     string
	Software string // "asepsis/gateway 1.2.3"
	Log      *slog.Logger
	Now      func() time.Time

	turn, drain, stay time.Duration // other than the constants, for tests
}

// Forwarder is the room.
type Forwarder struct {
	cfg    Config
	d      Deps
	log    *slog.Logger
	now    func() time.Time
	dests  []*destination
	byName map[string]*destination
	routes []*route

	systems map[string]*system // by address

	books  chan *outcome
	flight *flight
	ledger ledgerState

	steering sync.Mutex // one writes down what is paused at a time

	orphans orphans // what waits for destinations that are not configured

	mu    sync.Mutex
	doubt int    // instances that were being sent when the gateway ended last
	again uint64 // of those, sent again
	ready bool
}

// New makes a Forwarder. Nothing is sent before Run.
func New(cfg Config, d Deps) (*Forwarder, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("forward: %w", err)
	}
	if d.Vault == nil || d.Ledger == nil {
		return nil, errors.New("forward: journal and ledger are needed")
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Case == nil {
		d.Case = func(string) bool { return false }
	}
	if d.Name == "" {
		d.Name = "gateway"
	}
	d.turn, d.drain, d.stay = cmp.Or(d.turn, turn), cmp.Or(d.drain, drain), cmp.Or(d.stay, commitStay)
	if d.Software == "" {
		d.Software = "asepsis/gateway"
	}
	f := &Forwarder{cfg: cfg, d: d, log: d.Log, now: d.Now, byName: map[string]*destination{}, systems: map[string]*system{}, books: make(chan *outcome, 4*bookers), orphans: orphans{of: map[string]map[uint64]orphan{}}}
	paused, err := f.readPaused()
	if err != nil {
		return nil, err
	}
	for i, c := range cfg.Destinations {
		if err := c.Validate(); err != nil {
			return nil, fmt.Errorf("forward: destinations[%d]: %w", i, err)
		}
		dest, err := f.destination(c.filled())
		if err != nil {
			return nil, fmt.Errorf("forward: destination %s: %w", c.Name, err)
		}
		dest.paused = paused[c.Name]
		f.dests = append(f.dests, dest)
		f.byName[c.Name] = dest
	}
	for i, c := range cfg.Routes {
		if err := c.Validate(); err != nil {
			return nil, fmt.Errorf("forward: routes[%d]: %w", i, err)
		}
		r, err := compileRoute(c)
		if err != nil {
			return nil, err
		}
		f.routes = append(f.routes, r)
	}
	return f, nil
}

// Run forwards until ctx ends, then finishes or aborts what is being sent, and returns.
func (f *Forwarder) Run(ctx context.Context) error {
	var err error
	var doubt []uint64
	if f.flight, doubt, err = openFlight(f.d.Dir); err != nil {
		return fmt.Errorf("forward: %w", err)
	}
	defer f.flight.close()
	stop := f.d.Vault.Watch(f.seen)
	defer stop()
	if err := f.load(ctx, doubt); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("forward: %w", err)
	}
	if f.d.LedgerReady != nil {
		if err := f.d.LedgerReady(ctx); err != nil {
			f.ledger.failed(err)
		}
	}
	// Bookkeeping outlives the senders: what was sent is written down.
	// Not for ever: a journal that fails must not keep the senders, who wait to be written down, from ending.
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var booking, sending, limit sync.WaitGroup
	limit.Go(func() {
		select {
		case <-ctx.Done():
			sleep(inner, f.d.drain)
			cancel()
		case <-inner.Done():
		}
	})
	for range bookers {
		booking.Go(func() { f.booking(inner) })
	}
	for _, d := range f.dests {
		for i := range d.cfg.Associations {
			sending.Go(func() { d.work(ctx, i) })
		}
		if d.cfg.Commitment {
			sending.Go(func() { d.committing(ctx) })
		}
	}
	sending.Go(func() { f.owing(ctx) })
	f.mu.Lock()
	f.ready = true
	f.mu.Unlock()
	sending.Wait()
	f.mu.Lock()
	f.ready = false
	f.mu.Unlock()
	close(f.books)
	booking.Wait()
	cancel()
	limit.Wait()
	return nil
}

// drain is how long what was sent may take to be written down when the program ends.
const drain = 10 * time.Second

// load makes the queues of the journal.
func (f *Forwarder) load(ctx context.Context, doubt []uint64) error {
	was := map[uint64]bool{}
	for _, n := range doubt {
		was[n] = true
	}
	n, inDoubt := 0, 0
	err := f.d.Vault.Waiting(ctx, func(r instance.Record) error {
		f.seen(r)
		n++
		if was[r.Number] {
			inDoubt++
			f.mu.Lock()
			f.doubt++
			f.mu.Unlock()
		}
		return context.Cause(ctx)
	})
	if err != nil {
		return fmt.Errorf("read what waits: %w", err)
	}
	if n > 0 {
		f.log.Info("forwarding goes on", "instances", n, "in_doubt", inDoubt)
	}
	return nil
}

// seen is told of every record that is new or has changed.
func (f *Forwarder) seen(r instance.Record) {
	alive := r.State == instance.Accepted || r.State == instance.Released
	for i := range r.Deliveries {
		d := &r.Deliveries[i]
		dest := f.byName[d.Destination]
		if dest == nil {
			f.orphans.seen(&r, d, alive)
			continue
		}
		dest.seen(&r, d, alive)
	}
}

// Wake has every queue looked at. Nothing depends on it: the journal tells of what is new.
func (f *Forwarder) Wake() {
	for _, d := range f.dests {
		d.signal()
	}
}

// Ready reports whether deliveries are being made.
func (f *Forwarder) Ready(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.ready {
		return errors.New("forwarding has not begun")
	}
	return nil
}

// urgent reports whether what belongs to a theatre goes first.
func (f *Forwarder) urgent(theatre string) bool { return theatre != "" && f.d.Case(theatre) }
