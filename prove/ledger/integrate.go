// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera"

	"github.com/asepsis/asepsis/platform/durable"
)

// integrator takes what is recorded into the tree, in the order in which it was
// acknowledged and in large batches. It computes the tree itself, too: the log's storage must come
// to the same root, and the log's key signs no other.
type integrator struct {
	l   *Ledger
	add tessera.AddFn
	// tree is over the entries that are in the tree.
	tree *compact.Range
	// unsure: what the last write left has not been looked at.
	unsure bool
}

// Bounds of the integrator's patience.
const (
	// gathered is how long the storage waits for the rest of a batch; the integrator gives it
	// whole batches.
	gathered = 20 * time.Millisecond
	// shortestPause and slowestPause are between attempts to write to a disk that fails.
	shortestPause = 10 * time.Millisecond
	slowestPause  = time.Second
	// lastChance is how long it tries after the end was asked for: what it does not bring in is
	// brought in at the next start.
	lastChance = 5 * time.Second
)

func rangeFactory() *compact.RangeFactory {
	return &compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
}

// rootOf is the root of the tree over a range that begins at 0.
func rootOf(r *compact.Range) ([32]byte, error) {
	if r.End() == 0 {
		return [32]byte(rfc6962.DefaultHasher.EmptyRoot()), nil
	}
	b, err := r.GetRootHash(nil)
	if err != nil {
		return [32]byte{}, err
	}
	return [32]byte(b), nil
}

// run goes on until ending is closed and everything is in the tree, or cannot be.
func (g *integrator) run(ending <-chan struct{}) {
	l := g.l
	var deadline time.Time
	for pause := shortestPause; ; {
		g.gather(ending)
		base, chunk := l.ahead.oldest(l.cfg.BatchSize)
		if over := int(base % bundleWidth); len(chunk) == l.cfg.BatchSize && over < len(chunk) && !g.unsure {
			// Full batches end where a bundle does, so that none is written twice.
			chunk = chunk[:len(chunk)-over]
		}
		ended := false
		select {
		case <-ending:
			ended = true
			if deadline.IsZero() {
				deadline = time.Now().Add(lastChance)
			}
		default:
		}
		if len(chunk) == 0 {
			if ended {
				return
			}
			continue
		}
		err := g.integrate(base, chunk)
		switch {
		case err == nil:
			pause = shortestPause
			if l.blocked.Swap(nil) != nil && l.hasRoom() == nil {
				l.notices.clear(l.deps, noticeFull)
			}
			continue
		case errors.Is(err, ErrDamaged):
			l.damaged(err)
			return
		}
		if pause == shortestPause { // of a disk that fails on and on, once is enough
			l.deps.Log.Error("what is recorded cannot be taken into the tree yet: it stays in the write-ahead log", "entries", l.ahead.len(), "err", err)
		}
		if errors.Is(err, ErrFull) && l.ahead.len() > 0 { // until what waits is in the tree
			l.blocked.Store(&err)
			l.notices.raise(l.deps, noticeFull, "")
		}
		l.freed()
		if ended && time.Now().After(deadline) {
			return
		}
		<-time.After(pause)
		pause = min(2*pause, slowestPause)
	}
}

// gather waits until a batch is full, or its first entry has waited for BatchAge.
func (g *integrator) gather(ending <-chan struct{}) {
	l := g.l
	for l.ahead.len() == 0 {
		select {
		case <-l.kick:
		case <-ending:
			return
		}
	}
	late := time.NewTimer(l.cfg.BatchAge)
	defer late.Stop()
	for l.ahead.len() < l.cfg.BatchSize {
		select {
		case <-l.kick:
		case <-late.C:
			return
		case <-ending:
			return
		}
	}
}

// integrate brings one batch into the tree. After an error some of it may be there.
func (g *integrator) integrate(base uint64, chunk []waiting) error {
	grown, err := g.grown(chunk)
	if err != nil {
		return err
	}
	root, err := rootOf(grown)
	if err != nil {
		return err
	}
	if g.unsure {
		return g.recover(base, chunk)
	}
	g.l.gate.allow(grown.End(), root)
	g.unsure = true
	if err := g.write(base, chunk); err != nil {
		return errors.Join(err, g.recover(base, chunk))
	}
	size, have, err := g.l.tiles.state()
	if err != nil {
		return err
	}
	if size != grown.End() || !bytes.Equal(have, root[:]) {
		return errInconsistent("the tree of %d entries is not the one of the %d entries that were acknowledged", size, grown.End())
	}
	g.reached(grown)
	return nil
}

// grown is the tree with some entries more.
func (g *integrator) grown(chunk []waiting) (*compact.Range, error) {
	r, err := rangeFactory().NewRange(0, g.tree.End(), slices.Clone(g.tree.Hashes()))
	if err != nil {
		return nil, err
	}
	for i := range chunk {
		leaf := chunk[i].leaf // the range keeps it, the chunk does not
		if err := r.Append(leaf[:], nil); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// write gives a batch to the log's storage, and returns when all of it was written or
// refused.
func (g *integrator) write(base uint64, chunk []waiting) error {
	// Hashed first and then added in one go: the storage waits for the rest of a batch, but
	// not for ever.
	made := make([]*tessera.Entry, len(chunk))
	for i := range chunk {
		made[i] = tessera.NewEntry(chunk[i].data)
	}
	futures := make([]tessera.IndexFuture, len(chunk))
	for i := range made {
		futures[i] = g.add(context.Background(), made[i])
	}
	var failed, wrong error
	for i, future := range futures {
		at, err := future()
		switch {
		case err != nil:
			failed = diskError(err)
		case at.Index != base+uint64(i) && wrong == nil:
			wrong = errInconsistent("the entry that was acknowledged at index %d is at %d in the tree", base+uint64(i), at.Index)
		}
	}
	if failed != nil {
		return failed // where the others went is seen from the tree
	}
	return wrong
}

// reached says that the tree has grown, durably.
func (g *integrator) reached(tree *compact.Range) {
	l := g.l
	g.tree, g.unsure = tree, false
	l.ahead.integrated(tree.End())
	err := l.wal.Release(tree.End())
	if perr := l.prepareAhead(); err == nil {
		err = perr // who appends next makes room itself, or is told why there is none
	}
	if err != nil {
		l.deps.Log.Warn("the write-ahead log cannot be tidied up", "err", diskError(err))
	}
	l.freed()
}

// recover looks at what is there after a failure. A write may have been reported as failed
// and be there; and of a batch that the storage cut in two, only the end may be: such a tree was not
// signed and is taken back.
func (g *integrator) recover(base uint64, chunk []waiting) error {
	size, have, err := g.l.tiles.state()
	if err != nil {
		return err
	}
	if size < base || size > base+uint64(len(chunk)) {
		return errInconsistent("the tree has %d entries after a failure, %d to %d are expected", size, base, base+uint64(len(chunk)))
	}
	reached, err := g.grown(chunk[:size-base])
	if err != nil {
		return err
	}
	root, err := rootOf(reached)
	if err != nil {
		return err
	}
	log := filepath.Join(g.l.dir, logDir)
	switch {
	case bytes.Equal(have, root[:]):
		g.l.gate.allow(size, root)
	case size == base:
		return errInconsistent("the tree of %d entries has another root than it had", size)
	default:
		if root, err = rootOf(g.tree); err != nil {
			return err
		}
		if err := writeTreeState(log, base, root); err != nil {
			return diskError(err)
		}
		reached = g.tree
	}
	if err := sweep(log, reached.End()); err != nil {
		return diskError(err)
	}
	g.reached(reached)
	return nil
}

// writeTreeState writes the state of a log's storage: what is in its tree.
func writeTreeState(log string, size uint64, root [32]byte) error {
	state, err := json.Marshal(struct {
		Size uint64 `json:"size"`
		Root []byte `json:"root"`
	}{size, root[:]})
	if err != nil {
		return err
	}
	return durable.WriteMode(filepath.Join(log, filepath.FromSlash(treeStateFile)), state, 0o644)
}

// damaged stops recording: an acknowledged index and the tree disagree.
func (l *Ledger) damaged(err error) {
	err = fmt.Errorf("ledger: %w", err)
	l.blocked.Store(&err)
	l.audit.found(err.Error())
	l.notices.raise(l.deps, noticeInconsistent, err.Error())
	l.freed()
}

// freed tells the sequencer that something changed for which it may wait.
func (l *Ledger) freed() {
	select {
	case l.room <- struct{}{}:
	default:
	}
}
