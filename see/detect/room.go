// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/see/clock"
	"github.com/asepsis/asepsis/see/detect/alert"
	"github.com/asepsis/asepsis/see/detect/match"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// StateKind is the kind of the documents that hold the state of a partition.
const StateKind = "detect-state"

// How the room reads.
const (
	readEvents  = 4096                   // of one query
	feedEvents  = 512                    // between two looks at what waits to be written
	idleWait    = 200 * time.Millisecond // the longest wait for events, for what happens without
	lookEvery   = time.Second            // for changes of the world, the rules, the suppressions
	alertsEvery = 30 * time.Second       // all alerts are read again, beside those that are told
)

// Bus is what a room needs of the bus. Any part may fail: detection goes on.
type Bus interface {
	Tell(subject string, body []byte) error
	Listen(subject string, f func([]byte)) (stop func(), err error)
	Report(ctx context.Context, kind, name string, body []byte) error
	Serve(subject string, h func(context.Context, []byte) ([]byte, error)) (stop func(), err error)
}

// RoomDeps is what a Room works with. Store and Rules are needed.
type RoomDeps struct {
	Store  store.Store
	Rules  fs.FS              // that are shipped
	Bus    Bus                // nil for none
	Emit   func(clock.Change) // publishes what becomes known about cases; nil: nobody is told
	Secret [16]byte
	Log    *slog.Logger
	Now    func() time.Time
}

// Room is live detection: one of one or several instances that share the partitions.
type Room struct {
	cfg  Config
	deps RoomDeps
	name string

	// These belong to the goroutine of Run.
	engine   *Engine
	base     *Content // shipped, and of the directory
	content  *Content // with what people decided
	revs     revisions
	write    *writer
	leases   *leases
	own      uint32
	pos      uint64 // everything up to it was fed
	start    uint64 // where a partition begins that was never saved
	last     uint64 // in the store, when it was last looked
	decoder  record.Decoder
	world    *scene.World
	devsNext time.Time // devices are not read again before
	fedAt    time.Time // when the last event came, and its time
	fedTime  int64
	settled  map[string]bool
	problems map[string]string // why something is not as it should be, by what
	oldest   time.Time         // since when something waits to be written
	rate     rateMeter
	cases    caseBook
	affected affected

	index *alert.Index
	wake  chan struct{} // capacity 1: look for changes now
	asks  chan asked

	mu      sync.Mutex
	report  Report
	started bool
	open    map[string]bool // devices with an alert that matters
}

// revisions of what is read now and then.
type revisions struct {
	dir, site, hidings, rooms, policy, guards string
	devices                                   uint64
}

// New makes a room. It acquires nothing.
func New(cfg Config, deps RoomDeps) (*Room, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Store == nil || deps.Rules == nil {
		return nil, errors.New("BUG: detect: a dependency is missing")
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	r := &Room{cfg: cfg, deps: deps, name: cfg.Name, wake: make(chan struct{}, 1), asks: make(chan asked), settled: map[string]bool{}, problems: map[string]string{}, open: map[string]bool{}, index: alert.NewIndex(deps.Store)}
	if r.name == "" {
		r.name, _ = os.Hostname()
	}
	if r.name == "" {
		r.name = "detect"
	}
	return r, nil
}

// Ready reports whether events are being looked at.
func (r *Room) Ready(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !r.started:
		return errors.New("detection has not begun yet")
	case r.report.Problem != "":
		return errors.New(r.report.Problem)
	}
	return nil
}

// Run detects until ctx ends. What was found is written when it returns, and the state
// is saved. While the store is away it waits and tries again.
func (r *Room) Run(ctx context.Context) error {
	r.write = newWriter(r.deps.Store, r.deps.Log, r.deps.Now)
	r.leases = newLeases(r.deps.Store, r.name, rand.Text(), r.deps.Now)
	if err := r.retry(ctx, "begin", r.begin); err != nil {
		return r.ended(ctx, err)
	}
	stop := r.listen(ctx)
	defer stop()
	var side sync.WaitGroup
	defer side.Wait()
	sideCtx, end := context.WithCancel(ctx)
	defer end()
	side.Go(func() { r.reports(sideCtx) })
	err := r.loop(ctx)
	if err != nil {
		return r.ended(ctx, err)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return r.leave(last)
}

func (r *Room) ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // the caller has ended it
	}
	return fmt.Errorf("detect: %w", err)
}

// retry does something until it works, ctx ends, or the error is one that time does
// not heal.
func (r *Room) retry(ctx context.Context, what string, f func(context.Context) error) error {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := f(ctx)
		if err == nil {
			r.problem(what, "")
			return nil
		}
		if ctx.Err() != nil || errors.Is(err, errSameName) || errors.Is(err, store.ErrNewer) || errors.Is(err, errContent) {
			return err
		}
		r.problem(what, err.Error())
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// problem notes what is not as it should be, and logs it when that is news.
func (r *Room) problem(what, why string) {
	if r.problems[what] == why {
		return
	}
	if why == "" {
		delete(r.problems, what)
		r.deps.Log.Info("detection works again", "what", what)
	} else {
		r.problems[what] = why
		r.deps.Log.Error("detection: "+what, "why", why)
	}
}

// begin reads everything that is needed before the first event.
func (r *Room) begin(ctx context.Context) error {
	if r.base == nil {
		if err := r.readRules(ctx); err != nil {
			return err
		}
	}
	if err := r.loadAlerts(ctx); err != nil {
		return err
	}
	r.opened()
	if err := r.look(ctx); err != nil {
		return err
	}
	first, last, err := r.deps.Store.Last(ctx)
	if err != nil {
		return err
	}
	r.last, r.pos = last, last
	if r.cfg.First > 0 && last > 0 {
		r.pos = max(first, 1) - 1
		if last-r.pos > r.cfg.First {
			r.pos = last - r.cfg.First
		}
	}
	r.engine.at, r.start = r.pos, r.pos
	r.mu.Lock()
	r.started = true
	r.mu.Unlock()
	return nil
}

// loadAlerts reads all alerts. One that cannot be read is a problem, and stops nothing.
func (r *Room) loadAlerts(ctx context.Context) error {
	err := r.index.Load(ctx)
	if errors.Is(err, alert.ErrUnreadable) {
		r.problem("read alerts", err.Error())
		return nil
	}
	if err == nil {
		r.problem("read alerts", "")
	}
	return err
}

// loop reads, feeds and writes.
func (r *Room) loop(ctx context.Context) error {
	var beat, look, save, alerts, minute, archived time.Time
	save = r.deps.Now()
	alerts, minute = save, save
	for ctx.Err() == nil {
		now := r.deps.Now()
		if now.Sub(beat) >= beatEvery {
			beat = now
			if err := r.retry(ctx, "share the work", r.share); err != nil {
				return err
			}
		}
		if now.Sub(look) >= lookEvery || r.woken() {
			look = now
			if err := r.retry(ctx, "look for changes", r.look); err != nil {
				return err
			}
		}
		if now.Sub(alerts) >= alertsEvery {
			alerts = now
			if err := r.loadAlerts(ctx); err == nil {
				r.opened()
			}
		}
		if now.Sub(minute) >= time.Minute {
			minute = now
			r.engine.Check()
		}
		if now.Sub(save) >= r.cfg.StateEvery {
			if err := r.retry(ctx, "save the state", r.save); err != nil {
				return err
			}
			save = r.deps.Now()
		}
		if r.own&1 != 0 && now.Sub(archived) >= archiveEvery {
			archived = now
			if err := r.retry(ctx, "remove old findings", r.archive); err != nil {
				return err
			}
		}
		r.answerAsked()
		if r.own == 0 {
			_ = r.tellCases(ctx) // writes nothing: it forgets
			r.publish()
			if !sleep(ctx, idleWait) {
				return nil
			}
			continue
		}
		if err := r.retry(ctx, "read events", r.step); err != nil {
			return err
		}
		if err := r.retry(ctx, "tell about cases", r.tellCases); err != nil {
			return err
		}
		r.publish()
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// step reads some events, shows them to the rules and writes what they found.
func (r *Room) step(ctx context.Context) error {
	recs, next, err := r.deps.Store.After(ctx, r.pos, store.Query{}, readEvents)
	if err != nil {
		return err
	}
	if len(recs) == 0 {
		r.pos = max(r.pos, next)
		if err := r.flush(ctx, false); err != nil {
			return err
		}
		wait, cancel := context.WithTimeout(ctx, r.patience())
		defer cancel()
		if err := r.deps.Store.Wait(wait, r.pos); err != nil && ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		r.idle()
		return nil
	}
	for i := range recs {
		r.feed(&recs[i])
		if i%feedEvents == feedEvents-1 {
			if err := r.flush(ctx, false); err != nil {
				return err
			}
		}
	}
	r.pos = max(next, r.pos)
	return r.flush(ctx, false)
}

// patience is how long to wait for events: no longer than what waits to be written may.
func (r *Room) patience() time.Duration {
	if len(r.write.due) > 0 {
		return max(r.cfg.WriteDelay, time.Millisecond)
	}
	return idleWait
}

// feed shows one stored event to the rules.
func (r *Room) feed(rec *record.Record) {
	r.pos = rec.Seq
	ev, err := r.decoder.Decode(rec.Data)
	if err != nil {
		return // a class of a newer version; the recorder counts what is broken
	}
	s := r.world.Scene(rec, ev)
	r.engine.Feed(&s)
	r.fedAt, r.fedTime = r.deps.Now(), r.engine.Clock()
	r.rate.n++
}

// idle moves the clock of the events on while none come, as fast as time passes.
func (r *Room) idle() {
	if r.fedTime != 0 {
		r.engine.Advance(r.fedTime + int64(r.deps.Now().Sub(r.fedAt)))
	}
}

// flush writes what was found.
func (r *Room) flush(ctx context.Context, everything bool) error {
	if len(r.write.due) == 0 {
		r.oldest = time.Time{}
		return nil
	}
	now := r.deps.Now()
	if r.oldest.IsZero() {
		r.oldest = now
	}
	if !everything && now.Sub(r.oldest) < r.cfg.WriteDelay && len(r.write.due) < maxBatch {
		return nil
	}
	if err := r.write.flush(ctx, everything); err != nil {
		return err
	}
	r.oldest = time.Time{}
	r.tell(ctx)
	return nil
}

// tell lets everybody know which alerts changed.
func (r *Room) tell(ctx context.Context) {
	ids := r.write.told()
	if len(ids) == 0 {
		return
	}
	if err := r.index.Refresh(ctx, ids); err == nil {
		r.opened()
	}
	if r.deps.Bus == nil {
		return
	}
	for len(ids) > 0 {
		n := min(len(ids), 500)
		body, err := json.Marshal(Changed{IDs: ids[:n]})
		if err == nil {
			err = r.deps.Bus.Tell(ChangedSubject, body)
		}
		if err != nil {
			r.deps.Log.Debug("a notice about findings did not get through", "err", err)
		}
		ids = ids[n:]
	}
}

// Changed is the notice about alerts that changed.
type Changed struct {
	IDs []string `json:"ids"`
}

// ChangedSubject is where it is told.
const ChangedSubject = "findings"

// save writes what was found and then the state of all partitions that are ours, each
// only as long as it is.
func (r *Room) save(ctx context.Context) error {
	if err := r.flush(ctx, true); err != nil {
		return err
	}
	if err := r.tellCases(ctx); err != nil {
		return err
	}
	writes, saved, err := r.write.tallies(ctx)
	if err != nil {
		return err
	}
	if len(writes) > 0 {
		if err := r.deps.Store.Commit(ctx, writes); err != nil {
			return err
		}
		saved()
	}
	for p := range match.Partitions {
		if r.own&(1<<p) == 0 {
			continue
		}
		if err := r.savePart(ctx, p, r.name); errors.Is(err, store.ErrConflict) {
			r.lose(p)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// savePart writes the state of a partition and who has it from now on.
func (r *Room) savePart(ctx context.Context, p int, owner string) error {
	state, skipped, err := r.engine.Save(p)
	if err != nil {
		return err
	}
	if len(skipped) > 0 {
		r.deps.Log.Warn("the state of rules is too large to be saved; they begin anew after a restart", "rules", skipped)
	}
	err = r.deps.Store.Commit(ctx, []store.Write{{Kind: StateKind, ID: partID(p), Expect: store.AnyRevision, Body: state}, r.leases.hold(p, owner)})
	if err == nil {
		r.leases.held(p, owner)
		if p == 0 {
			r.cases.saved(r.engine.Clock())
		}
	}
	return err
}

// lose gives up a partition that another instance took.
func (r *Room) lose(p int) {
	r.deps.Log.Warn("another instance has taken a part of the work over", "partition", p)
	r.own &^= 1 << p
	r.engine.Own(r.own)
}

// leave saves and gives all partitions back, so that another instance need not wait.
func (r *Room) leave(ctx context.Context) error {
	if err := r.flush(ctx, true); err != nil {
		return fmt.Errorf("detect: write findings at the end: %w", err)
	}
	if err := r.tellCases(ctx); err != nil {
		return fmt.Errorf("detect: tell about cases at the end: %w", err)
	}
	var errs []error
	for p := range match.Partitions {
		if r.own&(1<<p) != 0 {
			if err := r.savePart(ctx, p, ""); err != nil && !errors.Is(err, store.ErrConflict) {
				errs = append(errs, err)
			}
		}
	}
	errs = append(errs, r.leases.write(ctx, true))
	return errors.Join(errs...)
}
