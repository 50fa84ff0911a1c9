// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/guard/gateway/binding"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/prove/identity/trust"
	"github.com/asepsis/asepsis/prove/ledger"
)

// Firewall is the content firewall.
type Firewall interface {
	instance.Inspector
	// Sanitiser makes the harmless copy that a verdict of Sanitise asks for.
	Sanitiser(a instance.Arrival, r instance.Result) instance.Transformer
}

// Router knows where instances go.
type Router interface {
	// Route returns the deliveries of an instance, none where no route takes it.
	Route(r instance.Record, a instance.Arrival, h instance.Header) []instance.Delivery
	// Open reports whether a route lets pass what ledger or firewall could not see.
	Open(route string) bool
	// Wake says that there is something to deliver.
	Wake()
}

// Watcher is shown what goes on. Its methods are called often and must return at once.
type Watcher interface {
	// Association is called when one begins, with each operation of it, and when it has ended.
	Association(a control.Association)
	// Instance is called for each instance that was brought.
	Instance(a instance.Arrival, o instance.Outcome)
}

// Web serves DICOMweb.
type Web interface {
	// Serve serves a listener, on which it puts TLS, until ctx ends, and lets what has begun go on for drain.
	Serve(ctx context.Context, ln net.Listener, t *trust.Server, drain time.Duration) error
	// Open is how many connections are open.
	Open() int
}

// Deps is what a gateway works with.
type Deps struct {
	Trust    *trust.Trust // nil: no listener with TLS can be made
	Bindings *binding.File
	Vault    instance.Vault
	Firewall Firewall
	Router   Router
	Ledger   ledger.Recorder
	// LedgerReady says whether the ledger records, asked where nothing is there to try it with; nil: it is known from the next that is.
	LedgerReady func(ctx context.Context) error
	Queries     Queries                   // nil: nothing is proxied
	Web         Web                       // of dicomweb listeners; nil: none can be made
	Watch       Watcher                   // nil: nobody
	Emit        func(*event.Event)        // nil: nobody
	Case        func(theatre string) bool // whether a case is in progress; nil: nobody knows
	// Room returns the bytes of a device's instances that are held, and those that the disk has for all instances; nil: nobody knows.
	Room     func(device string) (held, all int64)
	Key      pseudonym.Key
	Site     string
	Dir      string // of what the gateway itself must remember
	Software string // "asepsis/gateway 1.4.0"
	Log      *slog.Logger
	Now      func() time.Time
}

// Gateway is the room.
type Gateway struct {
	cfg    Config
	d      Deps
	log    *slog.Logger
	now    func() time.Time
	doors  []*door
	books  *books
	claims *claims
	counts counters
	run    string // of this start, in the UIDs of events
	events atomic.Uint64
	flows  atomic.Uint64
	given  atomic.Uint64 // instances over DICOMweb, in the IDs of their statements
	first  sync.Map      // binding's device: *seen
	shares shares

	mu     sync.Mutex
	failed error // of the firewall, or of the journal, since it last worked
}

var _ instance.Ingest = (*Gateway)(nil)

// New makes a gateway. Nothing listens before Run.
func New(cfg Config, d Deps) (*Gateway, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
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
	if d.Bindings == nil || d.Vault == nil || d.Firewall == nil || d.Router == nil || d.Ledger == nil {
		return nil, errors.New("gateway: bindings, journal, firewall, routes and ledger are all needed")
	}
	g := &Gateway{cfg: cfg, d: d, log: d.Log, now: d.Now, claims: newClaims(), run: random(8)}
	var err error
	if g.books, err = openBooks(g); err != nil {
		return nil, err
	}
	for i, l := range cfg.Listeners {
		door, err := g.door(l)
		if err != nil {
			g.books.close()
			return nil, fmt.Errorf("listeners[%d]: %w", i, err)
		}
		g.doors = append(g.doors, door)
	}
	return g, nil
}

// Open opens the listeners. Run does it where nobody did before, which is of use
// where ports need a right that the process gives up.
func (g *Gateway) Open(ctx context.Context) error {
	var errs []error
	for _, d := range g.doors {
		if err := d.open(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Run serves until ctx ends, then lets what is under way finish, at most for Config.Drain.
func (g *Gateway) Run(ctx context.Context) error {
	if err := g.Open(ctx); err != nil {
		for _, d := range g.doors {
			d.close()
		}
		g.books.close()
		return err
	}
	defer g.books.close()
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx)) // outlives the associations
	var back, front sync.WaitGroup
	back.Go(func() { g.books.run(inner) })
	failed := make(chan error, len(g.doors))
	ctx, stop := context.WithCancel(ctx)
	for _, d := range g.doors {
		front.Go(func() {
			if err := d.serve(ctx, g.cfg.Drain); err != nil {
				failed <- fmt.Errorf("listener %s: %w", d.cfg.name(), err)
				stop() // a gateway with a door that nobody answers is worse than one that is restarted
			}
		})
	}
	front.Wait()
	stop()
	cancel()
	back.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// Ready reports whether instances are taken.
func (g *Gateway) Ready(context.Context) error {
	for _, d := range g.doors {
		if l := d.state(); l.State != "open" {
			return fmt.Errorf("listener %s: %s", l.Name, l.Why)
		}
	}
	if err := g.books.problem(); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failed
}

// Listeners says how the doors are.
func (g *Gateway) Listeners() []control.Listener {
	out := make([]control.Listener, len(g.doors))
	for i, d := range g.doors {
		out[i] = d.state()
	}
	return out
}

// Addr returns where a listener listens, nil while it does not.
func (g *Gateway) Addr(name string) net.Addr {
	for _, d := range g.doors {
		if d.cfg.name() == name {
			return d.addr()
		}
	}
	return nil
}

// Ledger says why the ledger does not record, nil when it does, since when, and of how many instances and retrievals it
// must still be told.
func (g *Gateway) Ledger() (since time.Time, owed int, why error) {
	since, owed, why = g.books.state()
	return since, owed + g.books.noted().Statements, why
}

// Fault is why the last instance could not be taken as it should, nil when it could.
func (g *Gateway) Fault() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failed
}

// working notes that the firewall or the journal works, or why not.
func (g *Gateway) working(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failed = err
}

// random returns n random bytes in hexadecimal.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// emit gives an event a UID of its own and hands it out.
func (g *Gateway) emit(e *event.Event) {
	if g.d.Emit == nil {
		return
	}
	e.UID = "gw-" + g.run + "-" + strconv.FormatUint(g.events.Add(1), 36)
	g.d.Emit(e)
}
