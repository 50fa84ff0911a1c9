// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/transparency-dev/tessera"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/prove/receipt"
)

// request is a statement on its way into the log.
type request struct {
	statement custody.Statement
	content   [sha256.Size]byte
	same      []*request // of the same ID, that came while this one was under way

	data   []byte // canonical form, as it goes into the log
	hash   string
	future tessera.IndexFuture
	owed   bool // a successor in its case is on disk already

	done  chan struct{}
	entry Entry
	err   error
}

func (r *request) finish(e Entry, err error) {
	r.entry, r.err = e, err
	close(r.done)
	for _, s := range r.same {
		again := e
		again.Again = err == nil
		if err == nil && s.content != r.content {
			again, err = Entry{}, ErrConflict
		}
		s.finish(again, err)
	}
}

// Record is described at [Recorder].
func (l *Ledger) Record(ctx context.Context, s custody.Statement) (Entry, error) {
	s.Predicate.Recorded = time.Time{}
	if s.Predicate.Case != nil {
		s.Predicate.Case = &custody.CaseLink{Case: s.Predicate.Case.Case}
	}
	b, err := s.Canonical()
	if err != nil {
		return Entry{}, err
	}
	if n := len(b) + filledIn; n > custody.MaxStatement {
		return Entry{}, &custody.Invalid{Why: fmt.Sprintf("it has %d bytes with what the ledger adds, more than %d", n, custody.MaxStatement)}
	}
	// Nothing is filled in yet, so this is the content.
	r := &request{statement: s, content: sha256.Sum256(b), done: make(chan struct{})}
	r.statement.Predicate.Recorded = l.deps.Now().UTC()
	// Encoded here, beside the sequencer; the caller may change its maps when Record returns.
	if err := r.fill(); err != nil {
		return Entry{}, err
	}
	select {
	case <-l.running:
	case <-l.stopped:
		return Entry{}, ErrClosed
	case <-ctx.Done():
		return Entry{}, ctx.Err()
	}
	select {
	case <-l.stopped:
		return Entry{}, ErrClosed
	default:
	}
	select {
	case l.queue <- r:
	default:
		return Entry{}, ErrBusy
	}
	select {
	case <-r.done:
		return r.answer()
	case <-ctx.Done():
		return Entry{}, ctx.Err()
	case <-l.stopped:
		// The sequencer finished what it took; what it did not take is refused.
		select {
		case <-r.done:
			return r.answer()
		default:
			return Entry{}, ErrClosed
		}
	}
}

// answer completes the entry in its caller's goroutine.
func (r *request) answer() (Entry, error) {
	if r.err == nil && r.entry.Leaf == "" {
		leaf := receipt.LeafHash(r.data)
		r.entry.Leaf = hex.EncodeToString(leaf[:])
	}
	return r.entry, r.err
}

// fill makes what goes into the log, but for the place in a case.
func (r *request) fill() (err error) {
	if r.data, err = r.statement.Filled(); err == nil {
		r.hash = custody.Digest(r.data)
	}
	return err
}

// filledIn is the most that a statement grows by what the ledger fills in.
const filledIn = 256

// groupBatches is how many batches of the log's storage a group may fill: they are
// written while the next are put together.
const groupBatches = 4

// sequence takes requests in groups. A group is written together and finished before
// the next begins, so a statement is linked only to one that is on disk or in the
// same group.
func (l *Ledger) sequence(ctx context.Context, add tessera.AddFn) {
	defer close(l.stopped)
	group := make([]*request, 0, groupBatches*l.cfg.BatchSize)
	var last int           // size of the group before
	var took time.Duration // and how long it took
	for {
		group = group[:0]
		select {
		case r := <-l.queue:
			group = l.gather(append(group, r), last, min(took/4, longestLinger))
			began := time.Now()
			l.append(ctx, add, group)
			last, took = len(group), time.Since(began)
		case <-ctx.Done():
			for {
				group = l.fill(group[:0])
				if len(group) == 0 {
					return
				}
				l.append(ctx, add, group)
			}
		}
	}
}

// longestLinger bounds how long a group waits for callers that were just answered.
const longestLinger = 10 * time.Millisecond

// gather fills a group. Those who were answered a moment ago come back one by one: a
// group of the first few would cost as much as one of all of them, so it waits a
// little until about as many are there. Who is alone never waits.
func (l *Ledger) gather(group []*request, last int, linger time.Duration) []*request {
	group = l.fill(group)
	want := min(last-last/8, groupBatches*l.cfg.BatchSize)
	if len(group) >= want || linger <= 0 {
		return group
	}
	late := time.NewTimer(linger)
	defer late.Stop()
	for len(group) < want {
		select {
		case r := <-l.queue:
			group = append(group, r)
		case <-late.C:
			return l.fill(group)
		}
	}
	return l.fill(group)
}

// fill takes what waits, without waiting itself.
func (l *Ledger) fill(group []*request) []*request {
	for len(group) < groupBatches*l.cfg.BatchSize {
		select {
		case r := <-l.queue:
			group = append(group, r)
		default:
			return group
		}
	}
	return group
}

// append records one group and answers all of it.
func (l *Ledger) append(ctx context.Context, add tessera.AddFn, group []*request) {
	if err := l.hasRoom(); err != nil {
		for _, r := range group {
			if e, found, ferr := l.again(r); found {
				r.finish(e, ferr)
			} else {
				r.finish(Entry{}, err)
			}
		}
		l.notices.raise(l.deps, noticeFull, "")
		return
	}
	fresh := l.prepare(group)
	// Hashed first and then added in one go: the storage writes what came within BatchAge
	// of the first, and a group that is cut in two costs two writes.
	made := make([]*tessera.Entry, len(fresh))
	for i, r := range fresh {
		made[i] = tessera.NewEntry(r.data)
	}
	for i, r := range fresh {
		r.future = add(context.WithoutCancel(ctx), made[i])
	}
	l.settle(ctx, add, fresh)
	if len(fresh) > 0 {
		select {
		case l.kick <- struct{}{}:
		default:
		}
	}
}

// prepare answers what is recorded already, links the rest to their cases, and
// returns it in the order in which it goes into the log.
func (l *Ledger) prepare(group []*request) []*request {
	fresh := make([]*request, 0, len(group))
	inGroup := make(map[string]*request, len(group))
	heads := map[custody.Commitment]head{} // of this group, forgotten when it fails
	for _, r := range group {
		id := r.statement.Predicate.ID
		if first, ok := inGroup[id]; ok {
			first.same = append(first.same, r)
			continue
		}
		if e, found, err := l.again(r); found || err != nil {
			r.finish(e, err)
			continue
		}
		if err := l.link(r, heads); err != nil {
			r.finish(Entry{}, err)
			continue
		}
		inGroup[id] = r
		fresh = append(fresh, r)
	}
	return fresh
}

// again looks for an entry with the request's ID.
func (l *Ledger) again(r *request) (Entry, bool, error) {
	at, err := l.index.newest(byID, r.statement.Predicate.ID)
	if err != nil {
		return Entry{}, false, err
	}
	for _, i := range at {
		e, err := l.Entry(i)
		if err != nil {
			return Entry{}, false, err
		}
		if e.Statement.Predicate.ID != r.statement.Predicate.ID {
			continue
		}
		if e.Statement.ContentHash() != r.content {
			return Entry{}, true, ErrConflict
		}
		e.Again = true
		return e, true, nil
	}
	return Entry{}, false, nil
}

// link gives a statement its place in its case.
func (l *Ledger) link(r *request, heads map[custody.Commitment]head) error {
	c := r.statement.Predicate.Case
	if c == nil {
		return nil
	}
	h, ok := heads[c.Case]
	if !ok {
		var err error
		if h, err = l.headOf(c.Case); err != nil {
			return err
		}
	}
	c.Sequence, c.Previous = h.sequence+1, h.hash
	r.data = custody.Linked(r.data, c.Sequence, c.Previous)
	r.hash = custody.Digest(r.data)
	heads[c.Case] = head{c.Sequence, r.hash}
	return nil
}

// headOf finds the newest statement of a case, in memory or in the log. In the log it
// is not always the last: one that was owed comes after its successors. As a chain has
// no gaps, its length is the number of its end.
func (l *Ledger) headOf(c custody.Commitment) (head, error) {
	if h, ok := l.heads[c]; ok {
		return h, nil
	}
	at, err := l.index.all(byCase, string(c))
	if err != nil {
		return head{}, err
	}
	var newest head
	for i := len(at) - 1; i >= 0 && newest.sequence < uint64(len(at)); i-- {
		e, err := l.Entry(at[i])
		if err != nil {
			return head{}, err
		}
		if k := e.Statement.Predicate.Case; k != nil && k.Case == c && k.Sequence > newest.sequence {
			newest = head{k.Sequence, e.Hash}
		}
	}
	return newest, nil
}

// settle waits for a group and answers it.
//
// When a part of a group cannot be written and a later part can (a disk that was
// full for a moment), a statement may be on disk whose predecessor in its case is not.
// Such predecessors are owed: they are added again until they are there, and their
// callers wait meanwhile.
func (l *Ledger) settle(ctx context.Context, add tessera.AddFn, group []*request) {
	for pause, tries := 10*time.Millisecond, 0; ; pause, tries = min(2*pause, time.Second), tries+1 {
		failed, failure := l.await(group)
		if len(failed) == 0 {
			l.notices.clear(l.deps, noticeFull)
			return
		}
		failed = l.resync(failed)
		owed := l.owed(failed)
		if ctx.Err() != nil && tries > 20 {
			clear(owed) // the end of the program does not wait for a disk; the self-audit names the gap
		}
		for _, r := range failed {
			if !owed[r] {
				r.finish(Entry{}, fmt.Errorf("ledger: append: %w", failure))
			}
		}
		if errors.Is(failure, ErrFull) {
			l.notices.raise(l.deps, noticeFull, "")
		}
		if len(owed) == 0 {
			return
		}
		<-time.After(pause)
		group = make([]*request, 0, len(owed))
		for _, r := range failed {
			if owed[r] {
				r.owed = true
				r.future = add(context.WithoutCancel(ctx), tessera.NewEntry(r.data))
				group = append(group, r)
			}
		}
	}
}

// await waits for the futures of a group, answers what is recorded, and returns the
// rest with why.
func (l *Ledger) await(group []*request) (failed []*request, failure error) {
	done := make([]*request, 0, len(group))
	at := make(map[*request]uint64, len(group))
	for _, r := range group {
		i, err := r.future()
		if err != nil {
			failed, failure = append(failed, r), diskError(err)
			continue
		}
		at[r] = i.Index
		done = append(done, r)
	}
	l.commit(done, at)
	return failed, failure
}

// resync reads from the disk what is there after a failure: a write may have been
// reported as failed and be there. It answers such requests and returns the others.
func (l *Ledger) resync(failed []*request) []*request {
	size, _, err := l.tiles.recorded()
	if err == nil {
		err = errors.Join(sweep(filepath.Join(l.dir, logDir), size), l.catchUp(size))
	}
	if err != nil {
		l.deps.Log.Error("the log cannot be read after a failure", "err", err)
		return failed
	}
	l.size.Store(size)
	clear(l.heads) // from the log from now on
	out := failed[:0]
	for _, r := range failed {
		if e, found, err := l.again(r); found && err == nil {
			e.Again = false
			r.finish(e, nil)
			continue
		}
		out = append(out, r)
	}
	return out
}

// owed are the failed requests that have a successor on disk.
func (l *Ledger) owed(failed []*request) map[*request]bool {
	out := map[*request]bool{}
	for _, r := range failed {
		if c := r.statement.Predicate.Case; c != nil {
			if h, err := l.headOf(c.Case); err == nil && h.sequence > c.Sequence {
				out[r] = true
			}
		}
	}
	return out
}

// commit puts recorded requests into the index, in the order of the log, and answers
// them.
func (l *Ledger) commit(done []*request, at map[*request]uint64) {
	if len(done) == 0 {
		return
	}
	// Indexes of one batch are in the order of adding, so this is sorted but for what
	// was added again; the index is told in the order of the log.
	for i := 1; i < len(done); i++ {
		for j := i; j > 0 && at[done[j]] < at[done[j-1]]; j-- {
			done[j], done[j-1] = done[j-1], done[j]
		}
	}
	if last := at[done[len(done)-1]] + 1; last > l.size.Load() {
		l.size.Store(last)
	}
	l.rate.add(l.deps.Now(), len(done))
	for _, r := range done {
		i := at[r]
		if size := l.index.size(); i > size {
			// Entries of a batch that failed after it was written cannot be; read what is there.
			if err := l.catchUp(i); err != nil {
				l.deps.Log.Error("the index cannot be kept", "err", err)
			}
		}
		l.index.add(i, &r.statement, r.hash)
		if c := r.statement.Predicate.Case; c != nil {
			if h, ok := l.heads[c.Case]; c.Sequence > h.sequence && (ok || !r.owed) {
				if len(l.heads) >= maxHeads {
					clear(l.heads)
				}
				l.heads[c.Case] = head{c.Sequence, r.hash}
			}
		}
		// Answered when it can be found, each at once: its caller goes on meanwhile.
		r.finish(Entry{Index: i, State: Recorded, Hash: r.hash, Recorded: r.statement.Predicate.Recorded, Statement: r.statement}, nil)
	}
}
