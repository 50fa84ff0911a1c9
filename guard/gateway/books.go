// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/owed"
	"github.com/asepsis/asepsis/prove/ledger"
)

// books sees that the ledger is told of every instance, and that the journal knows where.
//
// The journal is what remembers a debt: an instance in it whose record names no entry is one that the
// ledger has not been told of, or not for sure. So an entry's place is written into the record after the
// answer was given; after a crash in between the statement is made again, and the ledger knows it by its ID.
type books struct {
	g     *Gateway
	file  string
	notes *owed.Book // of what devices were given while the ledger was away; nil without a directory
	kick  chan struct{}
	desk  chan struct{} // places for what is written behind the answers
	busy  sync.WaitGroup

	mu      sync.Mutex
	pending map[uint64]bool // instances whose entries are not in their record yet; true: the ledger is not told either
	highest uint64
	settled uint64 // numbers up to it were highest when the books were saved last: those below have begun
	owed    int
	why     error     // of the last failure, nil when the ledger works
	since   time.Time // of the first failure in a row
	shut    time.Time // until then the ledger is not tried for a sender
	saved   uint64
}

// Bounds of books.
const (
	maxDesk    = 16                     // records that are being written to at once
	shutFor    = 500 * time.Millisecond // after a failure, senders do not wait for the ledger
	payEvery   = time.Second
	payMost    = 30 * time.Second
	lookMost   = 5 * time.Second // open routes do not ask a ledger that failed, so this is how soon they hear of it
	payAtOnce  = 256
	maxPending = 1 << 20 // beyond, debts are found again by reading the journal
)

// debt is what is kept over restarts: below it every instance is in the ledger.
type debt struct {
	Below uint64 `json:"below"`
}

// openBooks reads how far the books were.
func openBooks(g *Gateway) (*books, error) {
	b := &books{g: g, kick: make(chan struct{}, 1), desk: make(chan struct{}, maxDesk), pending: map[uint64]bool{}}
	if g.d.Dir == "" {
		return b, nil
	}
	var err error
	if b.notes, err = owed.Open(filepath.Join(g.d.Dir, "owed"), owed.Limits{Statements: g.cfg.Retrievals.Owed, Device: max(1, g.cfg.Retrievals.Owed/owedShares), Bytes: int64(g.cfg.Retrievals.OwedBytes)}); err != nil {
		return nil, err
	}
	if s := b.notes.State(); s.Unusable > 0 {
		g.log.Error("what the ledger was to be told of retrievals cannot be read; these are lost to it", "statements", s.Unusable, "hint", "the gateway's disk has a fault")
	}
	b.file = filepath.Join(g.d.Dir, "books.json")
	text, err := os.ReadFile(b.file)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	var d debt
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	if err != nil { // it only saves work
		g.log.Warn("how far the ledger was told of instances is not known; all of them are looked at", "why", err)
	}
	b.saved = d.Below
	return b, nil
}

// begin notes that an instance is on its way into the journal, as soon as it has a number.
func (b *books) begin(number uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pending[number] = false
	b.highest = max(b.highest, number)
}

// forget: the instance is not in the journal after all, or has its entries.
func (b *books) forget(number uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pending[number] {
		b.owed--
	}
	delete(b.pending, number)
}

// owe notes that the ledger must still be told.
func (b *books) owe(number uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.pending[number] {
		b.owed++
	}
	b.pending[number] = true
}

// closed is why the ledger is not asked now: it failed a moment ago. Who goes on without it does not
// wait for it at all while something is owed: by that it is found out behind the answers when it works again.
func (b *books) closed(open bool) error {
	noted := 0
	if open {
		noted = b.noted().Statements
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.why != nil && (b.g.now().Before(b.shut) || open && b.owed+noted > 0) {
		return b.why
	}
	return nil
}

// record tells the ledger of an instance, as long as a sender may be kept waiting. open: the instance goes on all the same.
func (b *books) record(ctx context.Context, list []custody.Statement, open bool) ([]instance.Entry, error) {
	if why := b.closed(open); why != nil {
		return nil, why
	}
	// A sender that goes away meanwhile is no reason not to record what the journal has.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.g.cfg.Ingest.LedgerWait)
	defer cancel()
	return b.tell(ctx, list)
}

// tell records statements in their order.
func (b *books) tell(ctx context.Context, list []custody.Statement) ([]instance.Entry, error) {
	out := make([]instance.Entry, 0, len(list))
	for _, s := range list {
		e, err := b.g.d.Ledger.Record(ctx, s)
		if err != nil {
			err = fmt.Errorf("record %s: %w", s.Kind(), err)
			if !never(err) && !errors.Is(ctx.Err(), context.Canceled) { // which is no fault of the ledger's
				b.fail(err)
			}
			return nil, err
		}
		out = append(out, instance.Entry{Index: e.Index, Kind: string(s.Kind()), At: cmp.Or(e.Recorded, s.Predicate.Time)})
	}
	b.mu.Lock()
	again := b.why != nil
	b.why, b.since, b.shut = nil, time.Time{}, time.Time{}
	owed := b.owed
	b.mu.Unlock()
	if again {
		b.g.log.Info("the ledger records again", "owed", owed)
		b.wake()
	}
	return out, nil
}

func (b *books) fail(err error) {
	b.mu.Lock()
	first := b.why == nil
	if first {
		b.since = b.g.now()
	}
	b.why, b.shut = err, b.g.now().Add(shutFor)
	b.mu.Unlock()
	if first {
		b.g.log.Error("the ledger does not record; routes that fail closed refuse, the others go on and alarm", "why", err, "hint", hintOf(err))
	}
}

// problem is why the ledger does not record, nil when it does.
func (b *books) problem() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.why
}

// state says how the ledger is: since when it fails, and how many statements are owed.
func (b *books) state() (since time.Time, owed int, why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.since, b.owed, b.why
}

// write puts the entries into the instance's record, behind the answer. Records are written several at
// a time, so that they share the journal's flushes.
func (b *books) write(number uint64, entries []instance.Entry) {
	b.desk <- struct{}{}
	b.busy.Add(1)
	go func() {
		defer b.busy.Done()
		defer func() { <-b.desk }()
		_ = b.put(context.Background(), number, entries) // it is said, and tried again
	}()
}

func (b *books) put(ctx context.Context, number uint64, entries []instance.Entry) error {
	_, err := b.g.d.Vault.Change(ctx, number, func(r *instance.Record) error {
		for i, e := range entries { // before those of its deliveries
			if !slices.ContainsFunc(r.Entries, func(x instance.Entry) bool { return x.Index == e.Index && x.Kind == e.Kind }) {
				r.Entries = slices.Insert(r.Entries, min(i, len(r.Entries)), e)
			}
		}
		unhold(r)
		return nil
	})
	switch {
	case err == nil, errors.Is(err, instance.ErrNotFound):
		b.forget(number)
		b.g.d.Router.Wake()
		return nil
	default:
		b.g.log.Error("the journal could not note the ledger's entry; it is tried again", "number", number, "why", err)
		b.owe(number)
		return err
	}
}

func (b *books) wake() {
	select {
	case b.kick <- struct{}{}:
	default:
	}
}

// holdFor keeps deliveries back until the ledger knows the instance: a forwarder must not be faster than the
// answer, and what is refused after all must not have gone. The record is what says so, hence a crash changes nothing.
const holdFor = 100 * 365 * 24 * time.Hour

// hold keeps an instance's deliveries back.
func hold(r *instance.Record) {
	for i := range r.Deliveries {
		if d := &r.Deliveries[i]; d.State == instance.Waiting {
			d.Next = r.Received.Add(holdFor)
		}
	}
}

// unhold lets them go.
func unhold(r *instance.Record) {
	for i := range r.Deliveries {
		if d := &r.Deliveries[i]; d.Next.Equal(r.Received.Add(holdFor)) {
			d.Next = time.Time{}
		}
	}
}

// run pays what is owed, until ctx ends.
func (b *books) run(ctx context.Context) {
	whole := b.find(ctx)
	keep := func() {
		if whole { // what was not read must be read at the next start
			b.save()
		}
	}
	defer b.busy.Wait()
	defer keep()
	wait := payEvery
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		case <-b.kick:
			wait = payEvery
		}
		if b.payAll(ctx) {
			wait = payEvery
		} else {
			wait = min(2*wait, lookMost)
		}
		b.ask(ctx)
		if !whole {
			whole = b.find(ctx)
		}
		keep()
		t.Reset(wait)
	}
}

// askAfter is how long after a failure the ledger is asked whether it works: one that says so and does not must not be believed
// each time.
const askAfter = 10 * time.Second

// ask finds out that the ledger works again where nothing is owed with which it could be tried: what was refused meanwhile came
// to nothing, and people would be alarmed until somebody comes again.
func (b *books) ask(ctx context.Context) {
	noted := b.noted().Statements
	b.mu.Lock()
	why, idle := b.why, b.why != nil && b.owed+noted == 0 && !b.g.now().Before(b.shut.Add(askAfter))
	b.mu.Unlock()
	if !idle || b.g.d.LedgerReady == nil || b.g.d.LedgerReady(ctx) != nil {
		return
	}
	b.mu.Lock()
	again := b.why == why //nolint:errorlint // the same failure, and none since
	if again {
		b.why, b.since, b.shut = nil, time.Time{}, time.Time{}
	}
	b.mu.Unlock()
	if again {
		b.g.log.Info("the ledger says that it records again")
	}
}

// find reads the journal for instances that the ledger was not told of before a crash. It reports whether it has
// read all of it.
func (b *books) find(ctx context.Context) (whole bool) {
	before, found := uint64(0), 0
	for !whole && ctx.Err() == nil {
		list, err := b.g.d.Vault.List(ctx, instance.Query{Before: before, Limit: 1000})
		if err != nil {
			b.g.log.Error("the journal could not be read for what the ledger was not told; it is tried again", "why", err)
			break
		}
		for i := range list {
			r := &list[i]
			b.mu.Lock()
			_, known := b.pending[r.Number]
			b.highest = max(b.highest, r.Number)
			b.mu.Unlock()
			if r.Number >= b.saved && !known && !told(r) {
				b.owe(r.Number)
				found++
			}
			before = r.Number
		}
		whole = len(list) < 1000 || before <= b.saved
		if found > maxPending {
			break
		}
	}
	if found > 0 {
		b.g.log.Info("the ledger is told of instances that it may not know", "instances", found)
	}
	return whole
}

// told reports whether the record names the entries that an instance has from the start.
func told(r *instance.Record) bool {
	want := custody.Received
	switch {
	case r.Original != 0:
		want = custody.Altered
	case !taken(r):
		want = custody.Decision
	}
	return slices.ContainsFunc(r.Entries, func(e instance.Entry) bool { return e.Kind == string(want) })
}

// payAll tells the ledger of instances, and then of what was given out until then: first that an instance came, then to
// whom it went. One that cannot be told of for another reason than the ledger's holds up no retrieval.
func (b *books) payAll(ctx context.Context) bool {
	var due owed.Due
	if b.notes != nil {
		due = b.notes.Due()
	}
	paid := b.pay(ctx)
	if !paid && b.problem() != nil {
		return false
	}
	return b.payNotes(ctx, due) && paid
}

// pay tells the ledger what it must still be told. It reports whether it could. What the journal does not give, or does not
// take a note of, holds up nothing else, and is tried again the next time.
func (b *books) pay(ctx context.Context) bool {
	later := map[uint64]bool{}
	for {
		b.mu.Lock()
		var list []uint64
		for n, owed := range b.pending {
			if owed && !later[n] {
				list = append(list, n)
			}
		}
		b.mu.Unlock()
		if len(list) == 0 || ctx.Err() != nil {
			return len(later) == 0
		}
		slices.Sort(list)
		for _, n := range list[:min(len(list), payAtOnce)] {
			err := b.payOne(ctx, n)
			if err != nil && (b.problem() != nil || ctx.Err() != nil) {
				return false
			}
			if err != nil {
				later[n] = true
				b.g.log.Warn("the ledger could not be told of an instance; it is tried again", "number", n, "why", err)
			}
		}
	}
}

func (b *books) payOne(ctx context.Context, number uint64) error {
	r, original, err := b.read(ctx, number)
	switch {
	case errors.Is(err, errOrphan):
		return b.orphan(ctx, number)
	case errors.Is(err, instance.ErrNotFound):
		b.forget(number)
		return nil
	case err != nil:
		return err
	}
	list, err := b.g.statements(&r, original)
	if err != nil {
		b.g.log.Error("BUG: an instance of which the ledger cannot be told", "number", number, "why", err)
		b.forget(number)
		return nil
	}
	limit, cancel := context.WithTimeout(ctx, payMost)
	defer cancel()
	entries, err := b.tell(limit, list)
	if errors.Is(err, ledger.ErrConflict) {
		// It was told before a crash, by another version of this program: the ledger knows of it.
		b.g.log.Warn("the ledger knows of an instance in other words; the record does not name the entry", "number", number)
		return b.put(ctx, number, nil)
	}
	if err != nil {
		if never(err) {
			b.g.log.Error("BUG: a statement that the ledger does not take", "number", number, "why", err)
			b.forget(number)
			return nil
		}
		return err
	}
	return b.put(ctx, number, entries)
}

func (b *books) read(ctx context.Context, number uint64) (r instance.Record, original *instance.Record, err error) {
	if r, err = b.g.d.Vault.Get(ctx, number); err != nil || r.Original == 0 {
		return r, nil, err
	}
	o, err := b.g.d.Vault.Get(ctx, r.Original)
	if errors.Is(err, instance.ErrNotFound) {
		err = errOrphan
	}
	return r, &o, err
}

// errOrphan: the original of a copy is not in the journal.
var errOrphan = errors.New("a sanitised copy without its original")

// orphan takes back a copy whose original a crash kept out of the journal: nobody was told that it was taken, and it is
// held back for ever otherwise.
func (b *books) orphan(ctx context.Context, number uint64) error {
	_, err := b.g.d.Vault.Change(ctx, number, func(r *instance.Record) error { r.State, r.Deliveries = instance.Refused, nil; return nil })
	if err != nil && !errors.Is(err, instance.ErrNotFound) {
		return err
	}
	b.g.log.Info("a copy that was being made when the gateway ended is given up; its original was not acknowledged", "number", number)
	b.forget(number)
	return nil
}

// save keeps how far the books are. It may be lost: then more is read at the next start.
func (b *books) save() {
	b.mu.Lock()
	// Another may have taken its number before the highest one, and not have begun: it has until the next time.
	below := b.settled + 1
	b.settled = b.highest
	for n := range b.pending {
		below = min(below, n)
	}
	below = max(below, b.saved)
	same := below == b.saved
	b.mu.Unlock()
	if same || b.file == "" {
		return
	}
	text, _ := json.Marshal(debt{below}) // a number
	temporary := b.file + ".new"
	err := os.WriteFile(temporary, text, 0o600)
	if err == nil {
		err = os.Rename(temporary, b.file)
	}
	if err != nil { // tried again; until then more is read at a start
		_ = os.Remove(temporary)
		b.g.log.Debug("how far the ledger was told could not be kept", "why", err)
		return
	}
	b.mu.Lock()
	b.saved = below
	b.mu.Unlock()
}
