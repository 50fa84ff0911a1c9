// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/prove/ledger/internal/wal"
)

// head is the newest statement of a case.
type head struct {
	sequence uint64
	hash     string
}

// heads remembers the cases that are in progress.
type heads map[custody.Commitment]head

const maxHeads = 4096

// maxGroup is how many statements are written with one flush of the disk.
const maxGroup = 2048

// sequence takes requests in groups: what came while the group before was written. It
// alone decides which index a statement has, and is done with a group, one way or the other,
// before it takes the next.
func (l *Ledger) sequence(ctx context.Context) {
	defer close(l.stopped)
	group := make([]*request, 0, maxGroup)
	for {
		select {
		case r := <-l.queue:
			l.append(ctx, l.fill(append(group[:0], r)))
		case <-ctx.Done():
			for {
				group = l.fill(group[:0])
				if len(group) == 0 {
					return
				}
				l.append(ctx, group)
			}
		}
	}
}

// fill takes what waits, without waiting itself.
func (l *Ledger) fill(group []*request) []*request {
	for len(group) < maxGroup {
		select {
		case r := <-l.queue:
			group = append(group, r)
		default:
			return group
		}
	}
	return group
}

// refused is why nothing can be recorded now, nil when something can.
func (l *Ledger) refused() error {
	if err := l.blocked.Load(); err != nil {
		return *err
	}
	return l.hasRoom()
}

// append records one group and answers all of it.
func (l *Ledger) append(ctx context.Context, group []*request) {
	if err := l.refused(); err != nil {
		l.refuse(group, err)
		return
	}
	fresh := l.prepare(group)
	if len(fresh) == 0 {
		l.notices.clear(l.deps, noticeFull) // there is room again
		return
	}
	data := make([][]byte, len(fresh))
	for i, r := range fresh {
		data[i] = r.data
	}
	if err := l.writeAhead(ctx, l.size.Load(), data); err != nil {
		if errors.Is(err, ErrFull) {
			l.notices.raise(l.deps, noticeFull, "")
		}
		for _, r := range fresh {
			r.finish(Entry{}, err)
		}
		return
	}
	l.notices.clear(l.deps, noticeFull)
	l.commit(fresh)
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// refuse answers a group that cannot be recorded. What is recorded already is found.
func (l *Ledger) refuse(group []*request, why error) {
	for _, r := range group {
		if e, found, err := l.again(r); found {
			r.finish(e, err)
		} else {
			r.finish(Entry{}, why)
		}
	}
	if errors.Is(why, ErrFull) {
		l.notices.raise(l.deps, noticeFull, "")
	}
}

// writeAhead writes a group to the write-ahead log. While that is full because the tree
// lags behind, it waits, and callers with it.
func (l *Ledger) writeAhead(ctx context.Context, first uint64, data [][]byte) error {
	var late <-chan time.Time
	end := ctx.Done()
	for {
		err := l.wal.Append(first, data)
		if !errors.Is(err, wal.ErrNoRoom) {
			if err != nil {
				return fmt.Errorf("ledger: append: %w", diskError(err))
			}
			return nil
		}
		select {
		case <-l.room:
		case <-end:
			end, late = nil, time.After(lastChance)
		case <-late:
			return ErrBusy // the end does not wait for a disk
		}
		if err := l.blocked.Load(); err != nil {
			return *err
		}
	}
}

// prepareAhead has room in the write-ahead log made before it is needed, where that leaves
// enough of the disk for what was recorded.
func (l *Ledger) prepareAhead() error {
	if errors.Is(l.hasRoom(), ErrFull) {
		return nil
	}
	if err := l.wal.Prepare(); err != nil && !errors.Is(err, wal.ErrNoRoom) {
		return diskError(err)
	}
	return nil
}

// prepare answers what is recorded already, links the rest to their cases, and
// returns it in the order in which it goes into the log.
func (l *Ledger) prepare(group []*request) []*request {
	fresh := make([]*request, 0, len(group))
	inGroup := make(map[string]*request, len(group))
	linked := heads{} // of this group, forgotten when it fails
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
		if c := r.statement.Predicate.Case; c != nil {
			h, ok := linked[c.Case]
			if !ok {
				var err error
				if h, err = l.headOf(c.Case); err != nil {
					r.finish(Entry{}, err)
					continue
				}
			}
			r.link(h.sequence+1, h.hash)
			linked[c.Case] = head{c.Sequence, r.hash}
		}
		inGroup[id] = r
		fresh = append(fresh, r)
	}
	return fresh
}

// again looks for an entry with the request's ID.
func (l *Ledger) again(r *request) (Entry, bool, error) {
	at, err := l.index.newest(r.found.id())
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

// headOf finds the newest statement of a case, in memory or in the log. In a log that an
// earlier version wrote it is not always the last. As a chain has no gaps, its length is the number
// of its end.
func (l *Ledger) headOf(c custody.Commitment) (head, error) {
	if h, ok := l.heads[c]; ok {
		return h, nil
	}
	at, err := l.index.all(keyOf(byCase, string(c)))
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

// commit makes a group that is on disk known, and answers it.
func (l *Ledger) commit(group []*request) {
	first := l.size.Load()
	entries := make([]waiting, len(group))
	for i, r := range group {
		entries[i] = waiting{r.data, r.leaf}
	}
	l.ahead.add(entries)
	l.size.Store(first + uint64(len(group)))
	l.rate.add(l.deps.Now(), len(group))
	for i, r := range group {
		l.index.add(first+uint64(i), r.found, nano(r.statement.Predicate.Time))
		if c := r.statement.Predicate.Case; c != nil {
			if len(l.heads) >= maxHeads {
				clear(l.heads)
			}
			l.heads[c.Case] = head{c.Sequence, r.hash}
		}
		// Answered when it can be found, each at once: its caller goes on meanwhile.
		r.finish(r.recorded(first+uint64(i)), nil)
	}
}
