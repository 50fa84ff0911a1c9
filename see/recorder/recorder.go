// SPDX-License-Identifier: Apache-2.0

// Package recorder turns the stream of events on the bus into what is kept: it
// feeds the inventory, files each event under the devices and the theatre that it
// belonged to at that moment, and writes both to the store.
//
// Inventory and writing are one room on purpose. Which device an address belonged to
// is known for certain only at the event's place in the stream; two rooms that read
// the stream each at their own pace would disagree about it after every restart.
//
// # Exactly once
//
// Events and the position in the stream are written in one transaction. The
// inventory is saved now and then with its own, older position. After a crash
// the recorder loads it, reads the stream again from there, lets the inventory
// see everything and the store only what it does not have. Edits by people are
// on the disk before they are acknowledged, with the position at which they were
// made, and are made again there.
//
// One recorder writes to a store. A second one waits until the first is gone.
//
// # When something is away
//
// Without the store nothing is taken from the bus, which keeps what it is given
// within its bounds; the recorder tries again and catches up. How far it is behind,
// and what was lost before it came here, is in its report.
package recorder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/see/inventory"
)

// Config says how often what is kept.
type Config struct {
	BatchEvents   int           `yaml:"batch_events" doc:"The most events that are written in one transaction."`
	BatchDelay    time.Duration `yaml:"batch_delay" doc:"How long an event may wait for others before it is written."`
	DevicesEvery  time.Duration `yaml:"devices_every" doc:"How often changed devices are written for the console. It takes longer by itself, up to 10s, when that costs more than a fifth of the time."`
	SnapshotEvery time.Duration `yaml:"snapshot_every" doc:"How often the inventory is saved. A restart reads the bus from the last time."`
	RetainEvery   time.Duration `yaml:"retain_every" doc:"How often what is older than the retention is removed."`
}

// Default holds the documented defaults.
func Default() Config {
	return Config{BatchEvents: 8192, BatchDelay: 20 * time.Millisecond, DevicesEvery: time.Second, SnapshotEvery: time.Minute, RetainEvery: 10 * time.Minute}
}

// Validate reports the first field that cannot be used.
func (c Config) Validate() error {
	switch {
	case c.BatchEvents < 1 || c.BatchEvents > store.MaxAppend/2:
		return config.Invalid("batch_events", "8192 is usual", "%d is not within 1..%d", c.BatchEvents, store.MaxAppend/2)
	case c.BatchDelay < 0 || c.BatchDelay > time.Second:
		return config.Invalid("batch_delay", "20ms is usual", "%s is not within 0s..1s", c.BatchDelay)
	case c.DevicesEvery < 100*time.Millisecond:
		return config.Invalid("devices_every", "1s is usual", "%s is under 100ms", c.DevicesEvery)
	case c.SnapshotEvery < time.Second:
		return config.Invalid("snapshot_every", "1m is usual", "%s is under 1s", c.SnapshotEvery)
	case c.RetainEvery < time.Second:
		return config.Invalid("retain_every", "10m is usual", "%s is under 1s", c.RetainEvery)
	}
	return nil
}

// Deps is what a recorder needs from outside.
type Deps struct {
	Bus       *bus.Bus
	Store     store.Store
	Inventory func() (*inventory.Inventory, error) // makes an empty one
	Log       *slog.Logger
	Now       func() time.Time // nil for time.Now
}

// ReportKind is the kind of the recorder's report on the bus; its name is
// "recorder" and its body a Report.
const ReportKind = "recorder"

// Report is what the recorder says about itself.
type Report struct {
	At       int64  `json:"at"`                // ns since the Unix epoch, UTC
	Waiting  bool   `json:"waiting,omitempty"` // another recorder writes
	Stream   string `json:"stream,omitempty"`
	Position uint64 `json:"position"` // in the stream: everything up to it is stored
	// Behind is how much waits on the bus, and since when the oldest of it does.
	BehindBatches uint64 `json:"behind_batches"`
	BehindMS      int64  `json:"behind_ms"`
	Events        uint64 `json:"events"` // stored since this process started
	// LostEvents were given up by sensors because the bus did not take them.
	LostEvents uint64 `json:"lost_events"`
	// MissingBatches were removed from the bus before they came here.
	MissingBatches uint64 `json:"missing_batches"`
	MissingEvents  uint64 `json:"missing_events"` // in these, as far as it is known
	// Unreadable events could not be decoded, and are not stored.
	Unreadable uint64 `json:"unreadable"`
	Devices    int    `json:"devices"`
	Error      string `json:"error,omitempty"` // what keeps it from writing now
}

// Recorder is the room.
type Recorder struct {
	cfg  Config
	deps Deps
	inv  *sites

	// The rest belongs to the goroutine that reads the bus, and to whoever holds mu.
	mu       sync.Mutex
	rep      Report
	observed store.Position        // the inventory has seen everything up to it
	stored   store.Position        // the store has everything up to it
	edits    uint64                // number of the last edit that was made
	doubt    *savedEdit            // an edit of which it is not known whether it was stored
	redo     []savedEdit           // edits of a crashed process, not made again yet
	waiting  []savedEdit           // of these, for devices that have not been seen again
	rooms    assignment            // which device is in which theatre
	pub      published             // what the store was told
	runs     map[string]runState   // what is known of each sensor's run
	flows    map[uint64]flowTotals // what open flows have reported so far
	heard    map[string][]string   // sensors by site, as they came
	decoder  record.Decoder
}

// New makes a recorder. It acquires nothing.
func New(cfg Config, deps Deps) (*Recorder, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Bus == nil || deps.Store == nil || deps.Inventory == nil {
		return nil, errors.New("BUG: recorder: a dependency is missing")
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	return &Recorder{cfg: cfg, deps: deps, runs: map[string]runState{}, flows: map[uint64]flowTotals{}, rep: Report{Waiting: true}}, nil
}

// Ready reports whether events are being written.
func (r *Recorder) Ready(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.rep.Error != "":
		return errors.New(r.rep.Error)
	case r.rep.Waiting:
		return errors.New("another recorder writes to this store, or nothing was read yet")
	}
	return nil
}

// Report returns what it says about itself now.
func (r *Recorder) Report() Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	rep := r.rep
	rep.At = r.deps.Now().UnixNano()
	return rep
}

// Run records until ctx ends. What was taken from the bus is stored when it
// returns, or will be taken again. Where another recorder takes the store over, it
// waits for its turn again.
func (r *Recorder) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	side, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	wg.Go(func() { r.every(side, 2*time.Second, r.sendReport) })
	for {
		err := r.turn(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if !errors.Is(err, store.ErrBusy) && !errors.Is(err, store.ErrNoLead) {
			return err
		}
		r.deps.Log.Warn("another recorder writes to the store now; this one waits", "err", err)
		r.reset()
	}
}

// reset forgets what belongs to a turn.
func (r *Recorder) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rep.Waiting, r.rep.Error = true, ""
	r.observed, r.stored, r.edits, r.doubt, r.redo, r.waiting = store.Position{}, store.Position{}, 0, nil, nil, nil
	r.rooms, r.pub = assignment{}, published{}
	r.runs, r.flows, r.heard = map[string]runState{}, map[uint64]flowTotals{}, nil
}

// turn is the time from getting the lead of the store to losing it.
func (r *Recorder) turn(ctx context.Context) error {
	release, err := r.lead(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := r.restore(ctx); err != nil {
		return fmt.Errorf("recorder: %w", err)
	}
	stopServing, err := r.serve()
	if err != nil {
		return fmt.Errorf("recorder: %w", err)
	}
	defer stopServing()
	var wg sync.WaitGroup
	defer wg.Wait()
	side, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	wg.Go(func() { r.publishDevices(side) })
	wg.Go(func() { r.every(side, r.cfg.RetainEvery, r.retain) })
	wg.Go(func() { r.every(side, r.cfg.SnapshotEvery, r.snapshot) })
	wg.Go(func() { r.series(side) })
	r.update(func(rep *Report) { rep.Waiting = false })

	err = r.record(ctx)
	if err != nil {
		return err // who has the lead now saves
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	r.snapshot(last)
	r.putDevices(last, true)
	r.sendReport(last)
	return nil
}

// lead waits until no other recorder writes to the store.
func (r *Recorder) lead(ctx context.Context) (func(), error) {
	for pause := time.Second; ; pause = min(2*pause, 10*time.Second) {
		release, err := r.deps.Store.Lead(ctx, true)
		if err == nil {
			return release, nil
		}
		if ctx.Err() != nil || errors.Is(err, store.ErrNewer) {
			return nil, fmt.Errorf("recorder: %w", err)
		}
		r.failing("the store cannot be reached", err)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// every calls f at intervals until ctx ends.
func (r *Recorder) every(ctx context.Context, d time.Duration, f func(context.Context)) {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			f(ctx)
		}
	}
}

func (r *Recorder) update(f func(*Report)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.rep)
}

// failing notes why nothing is written, and logs it when that is news.
func (r *Recorder) failing(what string, err error) {
	text := what + ": " + err.Error()
	news := false
	r.update(func(rep *Report) { news, rep.Error = rep.Error != text, text })
	if news {
		r.deps.Log.Error(what, "err", err)
	}
}

// working notes that writing works again.
func (r *Recorder) working() {
	news := false
	r.update(func(rep *Report) { news, rep.Error = rep.Error != "", "" })
	if news {
		r.deps.Log.Info("the recorder writes again")
	}
}

func (r *Recorder) sendReport(ctx context.Context) {
	r.mu.Lock()
	stream, pos := r.rep.Stream, r.rep.Position
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if stream != "" {
		if p, err := r.deps.Bus.Pending(ctx, pos); err == nil {
			r.update(func(rep *Report) {
				rep.BehindBatches, rep.BehindMS = p.Messages, 0
				if !p.Oldest.IsZero() {
					rep.BehindMS = r.deps.Now().Sub(p.Oldest).Milliseconds()
				}
			})
		}
	}
	rep := r.Report()
	if rep.Waiting {
		return // the one that writes reports
	}
	body, err := json.Marshal(rep)
	if err == nil {
		err = r.deps.Bus.Report(ctx, ReportKind, "recorder", body)
	}
	if err != nil && ctx.Err() == nil {
		r.deps.Log.Warn("the recorder's report did not get through", "err", err)
	}
}

// Theatre is a theatre as the console keeps it: the document of kind
// "theatre". The recorder reads which VLANs and networks it has.
type Theatre struct {
	ID       string        `json:"id"`
	Name     string        `json:"name"`
	Order    int           `json:"order"`
	Building string        `json:"building,omitempty"`
	Contact  string        `json:"contact,omitempty"`
	VLANs    []uint16      `json:"vlans"`
	Prefixes []string      `json:"prefixes"`
	State    theatre.State `json:"state"`
	Since    string        `json:"since"` // RFC 3339
	Source   string        `json:"source"`
	Site     string        `json:"site,omitempty"` // name of the site that it is at; "" for the recorder's own
}
