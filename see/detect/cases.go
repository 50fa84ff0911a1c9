// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/see/clock"
	"github.com/asepsis/asepsis/see/recorder"
)

// The document that says what was published about cases.
const (
	CaseKind = "detect-cases"
	CaseID   = "told"
)

const (
	maxWaiting = 1000
	maxTold    = 2000
	// keepWaiting is how long an instance that does not publish keeps what it would
	// have said, for the case that it takes over.
	keepWaiting = 10 * time.Minute
	// alike is how far two tellings of one change may be apart: while nothing
	// happens the clock of a live instance follows the time of day, and in a replay it
	// leaps from event to event.
	alike = 2 * time.Minute
)

// told is a change that was published.
type told struct {
	Change string `json:"change"` // see nameOf
	At     int64  `json:"at"`
}

// caseBook is what became known about cases, and what of it was published. Every
// instance has the same clock and makes the same changes; the one that has partition 0
// publishes them. It notes which, so that one that starts again, or takes over, publishes what
// was not, and nothing twice. Between the publisher's queue and the note a kill may
// repeat an event, never lose one that was not queued.
type caseBook struct {
	waiting []clock.Change // oldest first
	side    []clock.Change // of an engine that catches up

	held   bool   // partition 0 is ours and the note was read
	told   []told // oldest first
	replay []told // of told: what a replay may say again
	quiet  bool   // nothing was ever told: what is older than this process is past
	dirty  bool
	rev    uint64
	floor  int64 // a replay begins no earlier
}

// nameOf tells changes apart.
func nameOf(c *clock.Change) string {
	d := &c.Detail
	return fmt.Sprintf("%s %d %s>%s %s %d-%d %s", d.Theatre, c.Activity, d.Before, d.State, d.AppointmentRef, d.Start, d.End, d.Conflict)
}

func near(a, b int64) bool { return a-b <= int64(alike) && b-a <= int64(alike) }

// caseChanged takes what the clock of the engine says.
func (r *Room) caseChanged(c clock.Change) { r.cases.add(c) }

// caseCaughtUp takes what the clock of an engine at the side says.
func (r *Room) caseCaughtUp(c clock.Change) { r.cases.side = append(r.cases.side, c) }

func (b *caseBook) add(c clock.Change) {
	if len(b.waiting) >= maxWaiting {
		b.waiting = slices.Delete(b.waiting, 0, 1)
	}
	b.waiting = append(b.waiting, c)
}

// merge adds what an engine at the side said to what the engine said itself meanwhile.
func (b *caseBook) merge() {
	for i := range b.side {
		c := &b.side[i]
		if !slices.ContainsFunc(b.waiting, func(w clock.Change) bool { return near(w.At, c.At) && nameOf(&w) == nameOf(c) }) {
			b.add(*c)
		}
	}
	b.side = nil
	slices.SortStableFunc(b.waiting, func(x, y clock.Change) int { return int(min(max(x.At-y.At, -1), 1)) })
}

// hold reads what was published, when partition 0 became ours.
func (b *caseBook) hold(ctx context.Context, st store.Documents, floor int64) error {
	doc, err := st.Document(ctx, CaseKind, CaseID)
	b.told, b.rev = nil, 0
	switch {
	case errors.Is(err, store.ErrNotFound):
		b.quiet = true
	case err != nil:
		return err
	default:
		b.rev, b.quiet = doc.Revision, false
		if err := json.Unmarshal(doc.Body, &b.told); err != nil {
			b.told = nil
		}
	}
	b.replay, b.held, b.floor = slices.Clone(b.told), true, floor
	return nil
}

// take returns what is to be published now.
func (b *caseBook) take(past bool) (out []clock.Change) {
	for i := range b.waiting {
		c := &b.waiting[i]
		if b.quiet && past {
			continue
		}
		t := told{nameOf(c), c.At}
		if n := slices.IndexFunc(b.replay, func(x told) bool { return x.Change == t.Change && near(x.At, t.At) }); n >= 0 {
			b.replay = slices.Delete(b.replay, n, n+1)
			continue
		}
		out = append(out, *c)
		b.told, b.dirty = append(b.told, t), true
	}
	b.waiting = b.waiting[:0]
	if n := len(b.told) - maxTold; n > 0 {
		b.told = slices.Delete(b.told, 0, n)
	}
	return out
}

// saved notes that the state of partition 0 was, at a time: nothing older is said again.
func (b *caseBook) saved(at int64) {
	before := b.floor - int64(alike)
	b.told = slices.DeleteFunc(b.told, func(t told) bool { return t.At < before })
	b.floor = at
}

// tellCases publishes what became known about cases and writes it into the theatres.
func (r *Room) tellCases(ctx context.Context) error {
	b := &r.cases
	if r.own&1 == 0 {
		b.held, b.told, b.replay = false, nil, nil
		if n := len(b.waiting); n > 0 && r.engine != nil {
			b.waiting = slices.DeleteFunc(b.waiting, func(c clock.Change) bool { return c.At < r.engine.Clock()-int64(keepWaiting) })
		}
		return nil
	}
	if !b.held {
		if err := b.hold(ctx, r.deps.Store, r.engine.Clock()); err != nil {
			return err
		}
	}
	past := r.pos < r.last
	b.dirty = b.dirty || b.quiet && !past // from now on nothing is past
	if len(b.waiting) == 0 && !b.dirty {
		return nil
	}
	out := b.take(past)
	if r.deps.Emit != nil {
		for i := range out {
			r.deps.Emit(out[i])
		}
	}
	if b.dirty {
		body, err := json.Marshal(b.told)
		if err != nil {
			return err
		}
		err = r.deps.Store.Commit(ctx, []store.Write{{Kind: CaseKind, ID: CaseID, Expect: b.rev, Body: body}})
		if errors.Is(err, store.ErrConflict) { // another instance took over meanwhile, which share finds out
			b.held, b.dirty = false, false
			return nil
		}
		if err != nil {
			return err
		}
		b.rev++
		b.dirty, b.quiet = false, false
	}
	return r.writeCases(ctx)
}

// writeCases brings the theatres' documents to what the clock knows: what goes on, since
// when, and who says so. A person's word that is newer stays, and so does a document
// that somebody changed meanwhile; the next look compares again.
func (r *Room) writeCases(ctx context.Context) error {
	if r.own&1 == 0 || r.engine == nil || r.world == nil {
		return nil
	}
	for _, t := range r.world.Theatres() {
		state, since, source, ok := r.engine.deps.Clock.State(t.ID)
		if !ok || state == t.State || strings.HasPrefix(source, clock.ByHand) || !writable(&t, since) {
			continue
		}
		err := r.writeCase(ctx, t, state, since, source)
		if err != nil && !errors.Is(err, store.ErrConflict) {
			return fmt.Errorf("theatre %s: %w", t.ID, err)
		}
	}
	return nil
}

// writable reports whether a theatre's state may be replaced by what has been so since
// some time: a person's word that is newer may not, and what another program says
// about its own rooms neither.
func writable(t *theatre.Theatre, since int64) bool {
	switch t.Source {
	case "", clock.FromSchedule, clock.FromWorklist, clock.FromProcedure:
		return true
	}
	return strings.HasPrefix(t.Source, clock.ByHand) && t.Since <= since
}

// writeCase writes what goes on in one theatre, where it still is as it was seen.
func (r *Room) writeCase(ctx context.Context, was theatre.Theatre, state theatre.State, since int64, source string) error {
	doc, err := r.deps.Store.Document(ctx, recorder.TheatreKind, was.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var t recorder.Theatre
	if err := json.Unmarshal(doc.Body, &t); err != nil {
		return err
	}
	if t.State == state || t.State != was.State || t.Source != was.Source || sinceOf(t.Since) != was.Since {
		return nil
	}
	t.ID, t.State, t.Since, t.Source = was.ID, state, time.Unix(0, since).UTC().Format(time.RFC3339Nano), source
	body, err := json.Marshal(t)
	if err != nil {
		return err
	}
	err = r.deps.Store.Commit(ctx, []store.Write{{Kind: recorder.TheatreKind, ID: was.ID, Expect: doc.Revision, Body: body}}, store.Audit{
		Time: r.deps.Now().UnixNano(), Who: "system", Action: "theatre.state", Object: "theatre:" + was.ID, Result: "done", Before: doc.Body, After: body, Note: "as " + source + " says"})
	if err != nil {
		return err
	}
	if r.deps.Bus != nil {
		if err := r.deps.Bus.Tell("changed", []byte(`{"what":"theatres"}`)); err != nil {
			r.deps.Log.Debug("a notice about a theatre did not get through", "err", err)
		}
	}
	return nil
}
