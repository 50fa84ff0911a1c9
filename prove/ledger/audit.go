// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/asepsis/asepsis/platform/durable"
	"github.com/asepsis/asepsis/prove/receipt"
)

// auditor reads the log again while it is in use. It keeps the roots of the perfect
// subtrees of what it has read, apart from the log's own tiles, so that a log that is
// rewritten with all its tiles and checkpoints is found too.
//
// Two things are read: what is new, and round and round what is old.
type auditor struct {
	file string

	mu   sync.Mutex
	kept auditKept
}

// auditKept is what survives a restart.
type auditKept struct {
	Audit
	Range [][]byte `json:"range,omitempty"` // compact range of the entries checked
	Next  uint64   `json:"next,omitempty"`  // old bundle to read next
}

func (a *auditor) open(file string) error {
	a.file = file
	k, err := readKept(file)
	a.kept = k
	return err
}

func readKept(file string) (auditKept, error) {
	var k auditKept
	b, err := os.ReadFile(file)
	if err != nil {
		if notExist(err) {
			err = nil
		}
		return k, err
	}
	if err := json.Unmarshal(b, &k); err != nil || len(k.Range) != compact.RangeSize(0, k.Checked) {
		return auditKept{}, nil //nolint:nilerr // it can be made again from the log: everything is checked anew
	}
	return k, nil
}

func readAudit(file string) (Audit, error) {
	k, err := readKept(file)
	return k.Audit, err
}

func (a *auditor) state() Audit {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.kept.Audit
}

func (l *Ledger) runAudit(ctx context.Context) {
	tick := time.NewTicker(l.cfg.Audit.Every)
	defer tick.Stop()
	for {
		l.auditRound(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// auditRound checks what is new and some of what is old, and raises what it finds.
func (l *Ledger) auditRound(ctx context.Context) {
	k := l.audit.copy()
	err := l.auditOnce(ctx, &k)
	switch {
	case ctx.Err() != nil:
		return
	case err == nil:
		k.Last = l.deps.Now().UTC()
	case k.Problem == "":
		k.Problem = err.Error()
	}
	l.audit.mu.Lock()
	k.Problem = cmp.Or(l.audit.kept.Problem, k.Problem)
	l.audit.kept = k
	l.audit.mu.Unlock()
	if k.Problem != "" {
		l.notices.raise(l.deps, noticeInconsistent, k.Problem)
	}
	b, err := json.Marshal(k)
	if err == nil {
		err = durable.Write(l.audit.file, b)
	}
	if err != nil {
		l.deps.Log.Warn("the state of the self-audit cannot be written", "err", diskError(err))
	}
}

// found takes up a problem that was found elsewhere; the first one stays.
func (a *auditor) found(problem string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kept.Problem = cmp.Or(a.kept.Problem, problem)
}

func (a *auditor) copy() auditKept {
	a.mu.Lock()
	defer a.mu.Unlock()
	k := a.kept
	k.Range = append([][]byte(nil), k.Range...)
	return k
}

// errInconsistent says what disagrees.
func errInconsistent(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrDamaged}, args...)...)
}

func (l *Ledger) auditOnce(ctx context.Context, k *auditKept) error {
	c, err := l.Published()
	if err != nil {
		return errInconsistent("the published checkpoint: %w", err)
	}
	if c.Size < k.Checked {
		return errInconsistent("%d entries were published, now %d", k.Checked, c.Size)
	}
	if w, err := l.WitnessedCheckpoint(); err == nil && w.Size > c.Size {
		return errInconsistent("%d entries are witnessed, %d published", w.Size, c.Size)
	}
	factory := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	r, err := factory.NewRange(0, k.Checked, k.Range)
	if err != nil {
		return err
	}
	for r.End() < c.Size {
		if err := ctx.Err(); err != nil {
			return err
		}
		entries, err := l.freshBundle(r.End()/bundleWidth, c.Size)
		if err != nil {
			return errInconsistent("entry %d: %w", r.End(), err)
		}
		for _, e := range entries[r.End()%bundleWidth:] {
			if err := r.Append(rfc6962.DefaultHasher.HashLeaf(e), nil); err != nil {
				return err
			}
		}
	}
	if c.Size > 0 {
		root, err := r.GetRootHash(nil)
		if err != nil {
			return err
		}
		if [32]byte(root) != c.Root {
			return errInconsistent("the entries lead to another root than the checkpoint of %d entries", c.Size)
		}
	}
	k.Checked, k.Range = c.Size, r.Hashes()
	return l.auditOld(ctx, k, c)
}

// auditOld reads some bundles again, and holds them against the signed root.
func (l *Ledger) auditOld(ctx context.Context, k *auditKept, c receipt.Checkpoint) error {
	full := c.Size / bundleWidth
	for range min(uint64(l.cfg.Audit.Bundles), full) {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := k.Next % full
		if err := l.checkBundle(ctx, n, c); err != nil {
			return errInconsistent("bundle %d: %w", n, err)
		}
		k.Next = (n + 1) % full
	}
	return nil
}

// freshBundle reads a bundle from the disk, past the cache.
func (l *Ledger) freshBundle(n, size uint64) ([][]byte, error) {
	want := min(bundleWidth, size-n*bundleWidth)
	raw, err := l.tiles.rawBundle(n, uint8(want%bundleWidth)) // 256 is a full one
	if err != nil {
		return nil, err
	}
	entries, err := parseBundle(raw, int(want))
	if err != nil {
		return nil, err
	}
	return entries[:want], nil
}

// checkBundle computes the root over a bundle's entries and proves it to be in the
// checkpoint: the proof of its first entry passes through it.
func (l *Ledger) checkBundle(ctx context.Context, n uint64, c receipt.Checkpoint) error {
	entries, err := l.freshBundle(n, c.Size)
	if err != nil {
		return err
	}
	proof, err := l.tiles.inclusion(ctx, n*bundleWidth, c.Size)
	if err != nil {
		return err
	}
	level := make([][32]byte, len(entries))
	for i, e := range entries {
		level[i] = receipt.LeafHash(e)
	}
	leaf := level[0]
	// In a full bundle the first 8 hashes of the proof are the bundle's own.
	for i := 0; len(level) > 1; i++ {
		if i >= len(proof) || proof[i] != level[1] {
			return errors.New("its entries and its tile disagree")
		}
		next := level[:len(level)/2]
		for j := range next {
			next[j] = [32]byte(rfc6962.DefaultHasher.HashChildren(level[2*j][:], level[2*j+1][:]))
		}
		level = next
	}
	return receipt.CheckInclusion(leaf, n*bundleWidth, c.Size, proof, c.Root)
}
