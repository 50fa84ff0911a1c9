// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/see/detect/match"
)

// share looks who else lives, gives partitions to whom they shall belong, and takes those
// that shall be ours and nobody has.
func (r *Room) share(ctx context.Context) error {
	if err := r.leases.beat(ctx); err != nil {
		return err
	}
	give, lost := r.leases.toGive(r.own)
	for _, p := range lost {
		r.lose(p)
	}
	if len(give) > 0 {
		if err := r.flush(ctx, true); err != nil {
			return err
		}
		if err := r.tellCases(ctx); err != nil {
			return err
		}
	}
	for _, p := range give {
		if err := r.savePart(ctx, p, ""); err != nil && !errors.Is(err, store.ErrConflict) {
			return err
		}
		r.own &^= 1 << p
	}
	if len(give) > 0 {
		r.engine.Own(r.own)
	}
	var got []int
	for _, p := range r.leases.toClaim(r.own) {
		switch err := r.leases.claim(ctx, p); {
		case errors.Is(err, store.ErrConflict):
		case err != nil:
			return err
		default:
			got = append(got, p)
		}
	}
	if len(got) == 0 {
		return nil
	}
	return r.adopt(ctx, got)
}

// adopt goes on with partitions where whoever had them saved them last.
func (r *Room) adopt(ctx context.Context, parts []int) error {
	states := map[int][]byte{}
	at := map[uint64][]int{} // by the event that they have come to
	// A partition that was never saved begins where the room began: others may have been
	// saved, and are further on, when whoever had it was killed.
	fresh := func(p int) { at[r.start] = append(at[r.start], p) }
	for _, p := range parts {
		doc, err := r.deps.Store.Document(ctx, StateKind, partID(p))
		if errors.Is(err, store.ErrNotFound) {
			fresh(p)
			continue
		}
		if err != nil {
			return err
		}
		h, _, err := readHeader(doc.Body)
		if err != nil {
			r.deps.Log.Error("what rules remembered cannot be read; they begin anew", "partition", p, "err", err)
			fresh(p)
			continue
		}
		states[p] = doc.Body
		at[h.Seq] = append(at[h.Seq], p)
	}
	places := slices.SortedFunc(maps.Keys(at), func(a, b uint64) int { return cmp.Compare(b, a) }) // the latest first
	for _, seq := range places {
		group := at[seq]
		switch {
		case r.own == 0:
			r.engine.at, r.pos = seq, seq
		case seq > r.pos:
			if err := r.advanceTo(ctx, seq); err != nil {
				return err
			}
		}
		if seq == r.pos {
			if err := r.load(r.engine, group, states); err != nil {
				return err
			}
		} else if err := r.catchUp(ctx, seq, group, states); err != nil {
			return err
		}
		r.take(group)
	}
	return nil
}

func (r *Room) take(parts []int) {
	for _, p := range parts {
		r.own |= 1 << p
	}
	r.engine.Own(r.own)
}

// load puts the states of partitions into an engine.
func (r *Room) load(e *Engine, parts []int, states map[int][]byte) error {
	own := e.own
	for _, p := range parts {
		own |= 1 << p
	}
	e.Own(own)
	for _, p := range parts {
		if states[p] == nil {
			continue
		}
		_, dropped, err := e.Load(p, states[p])
		if err != nil {
			return fmt.Errorf("partition %d: %w", p, err)
		}
		for id, why := range dropped {
			r.deps.Log.Warn("what a rule remembered cannot be used any more", "rule", id, "partition", p, "why", why)
		}
	}
	return nil
}

// advanceTo feeds events up to one.
func (r *Room) advanceTo(ctx context.Context, seq uint64) error {
	return r.through(ctx, r.pos, seq, r.engine)
}

// catchUp brings partitions that stand further back to where the engine is, in an engine of their
// own, and then hands them over.
func (r *Room) catchUp(ctx context.Context, from uint64, parts []int, states map[int][]byte) error {
	side, err := r.newEngine(r.content, true)
	if err != nil {
		return err
	}
	side.Own(0)
	side.at = from
	if err := r.load(side, parts, states); err != nil {
		return err
	}
	if err := r.through(ctx, from, r.pos, side); err != nil {
		return err
	}
	side.Advance(r.engine.clock)
	if slices.Contains(parts, 0) {
		r.cases.merge()
	} else {
		r.cases.side = nil // who has partition 0 says it
	}
	var own uint32
	for _, p := range parts {
		own |= 1 << p
	}
	r.engine.Own(r.own | own)
	for _, p := range parts {
		if err := side.moveTo(r.engine, p); err != nil {
			return fmt.Errorf("partition %d: %w", p, err)
		}
	}
	return nil
}

// through feeds the events after one place up to another.
func (r *Room) through(ctx context.Context, from, to uint64, e *Engine) error {
	beat := r.deps.Now()
	for from < to {
		recs, next, err := r.deps.Store.After(ctx, from, store.Query{}, readEvents)
		if err != nil {
			return err
		}
		if len(recs) == 0 && next <= from {
			break
		}
		for i := range recs {
			if recs[i].Seq > to {
				break
			}
			if ev, err := r.decoder.Decode(recs[i].Data); err == nil {
				s := r.world.Scene(&recs[i], ev)
				e.Feed(&s)
			}
		}
		from = max(next, from)
		if err := r.flush(ctx, false); err != nil {
			return err
		}
		if now := r.deps.Now(); now.Sub(beat) >= beatEvery { // others must not take us for dead meanwhile
			beat = now
			if err := r.leases.write(ctx, false); err != nil {
				return err
			}
		}
	}
	if e == r.engine {
		r.pos = max(r.pos, to)
	}
	return nil
}

// newEngine makes an engine over content whose findings are written. What one at the side
// says about cases is kept apart.
func (r *Room) newEngine(c *Content, side bool) (*Engine, error) {
	d := Deps{Content: c, Limits: r.cfg.limits(), Learner: r, Emit: r.write.add, Log: r.deps.Log, Secret: r.deps.Secret, Changed: r.caseChanged}
	if side {
		d.Changed = r.caseCaughtUp
	}
	var err error
	if d.Clock, err = newClock(r.cfg); err != nil {
		return nil, err
	}
	e, err := NewEngine(d)
	if err != nil {
		return nil, err
	}
	e.Suppress(r.set())
	e.World = r.world
	return e, nil
}

var _ match.Learner = (*Room)(nil)
