// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/prove/receipt"
)

// request is a statement on its way into the log.
type request struct {
	statement custody.Statement
	content   [sha256.Size]byte
	same      []*request // of the same ID, that came while this one was under way

	data  []byte // canonical form, as it goes into the log
	hash  string
	leaf  [32]byte
	found keys // by what it can be found

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
		return r.entry, r.err
	case <-ctx.Done():
		return Entry{}, ctx.Err()
	case <-l.stopped:
		// The sequencer finished what it took; what it did not take is refused.
		select {
		case <-r.done:
			return r.entry, r.err
		default:
			return Entry{}, ErrClosed
		}
	}
}

// fill makes what goes into the log, but for the place in a case.
func (r *request) fill() (err error) {
	if r.data, err = r.statement.Filled(); err != nil {
		return err
	}
	if r.statement.Predicate.Case == nil { // else they are not known yet
		r.hash, r.leaf = custody.Digest(r.data), receipt.LeafHash(r.data)
	}
	r.found = keysOf(&r.statement, r.hash)
	return nil
}

// link fills in the place in a case.
func (r *request) link(sequence uint64, previous string) {
	c := r.statement.Predicate.Case
	c.Sequence, c.Previous = sequence, previous
	r.data = custody.Linked(r.data, sequence, previous)
	r.hash, r.leaf = custody.Digest(r.data), receipt.LeafHash(r.data)
	r.found.setHash(r.hash)
}

// recorded is the answer for an entry that was made.
func (r *request) recorded(i uint64) Entry {
	return Entry{Index: i, State: Recorded, Leaf: hex.EncodeToString(r.leaf[:]), Hash: r.hash, Recorded: r.statement.Predicate.Recorded, Statement: r.statement}
}

// filledIn is the most that a statement grows by what the ledger fills in.
const filledIn = 256
