// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/eventlog"
)

// syncEvery is how often the logs are forced to the disk: what a power cut may
// take.
const syncEvery = time.Second

// maxWriters is how many files of days are kept open for writing.
const maxWriters = 8

// leader is what the process that appends has.
type leader struct {
	lock   *os.File
	writer *eventlog.Writer
	dirty  bool // an append failed half-way: recover first
	days   map[eventlog.Shard]*dayWriter
	used   []eventlog.Shard     // of days, the one used last at the end
	stmts  map[string]*sql.Stmt // of the index

	stop    chan struct{}
	stopped sync.WaitGroup

	mu       sync.Mutex
	unsynced map[string]struct{}              // logs with commits that may not be on the disk
	logs     map[eventlog.Shard]*checkpointer // of days
}

// Lead implements store.Events.
func (db *DB) Lead(ctx context.Context, wait bool) (release func(), err error) {
	if err := db.enter(); err != nil {
		return nil, err
	}
	defer db.leave()
	var lock *os.File
	for {
		if lock, err = tryLock(filepath.Join(db.dir, "lead.lock")); err == nil {
			break
		}
		if !errors.Is(err, store.ErrBusy) || !wait {
			return nil, fmt.Errorf("lead: %w", explain(err))
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-db.tail.done:
			return nil, errClosed
		case <-time.After(100 * time.Millisecond):
		}
	}
	db.appendMu.Lock()
	defer db.appendMu.Unlock()
	l := &leader{lock: lock, days: map[eventlog.Shard]*dayWriter{}, stmts: map[string]*sql.Stmt{}, stop: make(chan struct{}),
		unsynced: map[string]struct{}{}, logs: map[eventlog.Shard]*checkpointer{}}
	if err := db.recover(ctx, l); err != nil {
		return nil, errors.Join(fmt.Errorf("lead: %w", explain(err)), l.closeDays(), lock.Close())
	}
	_ = db.keepReserve() // without one, appending says so
	l.stopped.Go(func() { db.syncLoop(l) })
	db.leader = l
	var once sync.Once
	return func() {
		once.Do(func() {
			db.appendMu.Lock()
			defer db.appendMu.Unlock()
			if db.leader == l {
				db.endLead(l)
			}
		})
	}, nil
}

// endLead needs appendMu. What is written is on the disk afterwards.
func (db *DB) endLead(l *leader) {
	db.leader = nil
	db.ForgetAppended() // from here on somebody else may append
	close(l.stop)
	l.stopped.Wait()
	db.syncLogs(l)
	err := l.closeDays()
	if err == nil && !l.dirty {
		// Everything agrees and is on the disk: the next leader need not look.
		_, err = db.indexW.ExecContext(context.Background(), "DELETE FROM written")
	}
	if err != nil {
		db.log.Warn("close events", "error", err)
	}
	_ = l.lock.Close()
}

func (db *DB) syncLoop(l *leader) {
	t := time.NewTicker(syncEvery)
	defer t.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-t.C:
			db.syncLogs(l)
			db.checkpoint(l)
		}
	}
}

// wrote remembers that a log has commits that are not forced to the disk.
func (l *leader) wrote(path string) {
	l.mu.Lock()
	l.unsynced[path+"-wal"] = struct{}{}
	l.mu.Unlock()
}

// syncLogs forces the logs to the disk. It may open them: SQLite holds no locks on
// a log, only on its database and -shm, which are not touched.
func (db *DB) syncLogs(l *leader) {
	l.mu.Lock()
	logs := slices.Sorted(maps.Keys(l.unsynced))
	clear(l.unsynced)
	l.mu.Unlock()
	for _, path := range logs {
		f, err := os.Open(path)
		if err != nil {
			continue // checkpointed and gone: it is in the database, synced
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			db.log.Warn("force events to the disk", "file", filepath.Base(path), "error", err)
		}
	}
}

// recover makes index and days agree, after whatever ended the last leader, or
// made an append fail. It needs appendMu and the lock.
func (db *DB) recover(ctx context.Context, l *leader) error {
	for tries := 0; ; tries++ {
		err := db.recoverOnce(ctx, l)
		var se *eventlog.ShardError
		if err == nil || tries == 8 || !isDamaged(err) || !errors.As(err, &se) || !db.setAside(se, l) {
			return err
		}
	}
}

func (db *DB) recoverOnce(ctx context.Context, l *leader) error {
	db.ForgetAppended()
	if err := db.finishRemovals(ctx); err != nil {
		return err
	}
	ix, err := readIndex(ctx, db.indexW)
	if err != nil {
		return err
	}
	if ix.Last == 0 && len(ix.Extents) == 0 {
		if err := db.adopt(ctx, l, &ix); err != nil {
			return err
		}
	}
	written, err := readWritten(ctx, db.indexW)
	if err != nil {
		return err
	}
	if len(written) > 0 {
		if err := db.reconcile(ctx, l, &ix, written); err != nil {
			return err
		}
	}
	l.writer = eventlog.NewWriter(db.codec, ix, db.now)
	l.dirty = false
	return nil
}

// baseline is the state of the index before a shard was written to.
type baseline struct {
	shard     eventlog.Shard
	last      uint64
	positions map[string]uint64
}

func readWritten(ctx context.Context, c querier) (out []baseline, err error) {
	err = each(ctx, c, func(r *sql.Rows) error {
		var b baseline
		var positions string
		if err := r.Scan(&b.shard, &b.last, &positions); err != nil {
			return err
		}
		out = append(out, b)
		return json.Unmarshal([]byte(positions), &out[len(out)-1].positions)
	}, "SELECT shard, last, positions FROM written ORDER BY shard")
	return out, err
}

// reconcile goes back to the newest state that index and all days that were
// written to have.
func (db *DB) reconcile(ctx context.Context, l *leader, ix *eventlog.Index, written []baseline) error {
	target := baseline{last: ix.Last, positions: ix.Positions}
	extents := map[eventlog.Shard]eventlog.Extent{}
	for _, e := range ix.Extents {
		extents[e.Shard] = e
	}
	for _, b := range written {
		day, err := db.dayWriter(ctx, l, b.shard)
		if err != nil {
			return &eventlog.ShardError{Shard: b.shard, Err: err}
		}
		has, ok, err := day.state(ctx)
		if err != nil {
			return &eventlog.ShardError{Shard: b.shard, Err: err}
		}
		if !ok {
			has = b // nothing of what was written is left
		}
		// The index has seen a later append of this shard than the shard itself.
		if extents[b.shard].Last > has.last && has.last < target.last {
			target = has
		}
	}
	if target.last != ix.Last {
		db.log.Warn("events of the last second before a power cut are read from the bus again", "from", target.last+1, "to", ix.Last)
	}
	v, err := db.view(ctx)
	if err != nil {
		return err
	}
	defer v.Close()
	commit := &eventlog.Commit{Last: target.last, Positions: target.positions}
	for _, b := range written {
		day, err := db.dayWriter(ctx, l, b.shard)
		if err != nil {
			return &eventlog.ShardError{Shard: b.shard, Err: err}
		}
		ch, err := eventlog.Truncate(ctx, db.codec, v, b.shard, target.last)
		if err != nil {
			return err
		}
		if ch != nil {
			if err := day.apply(ctx, ch, target.last, target.positions); err != nil {
				return &eventlog.ShardError{Shard: b.shard, Err: err}
			}
			l.wrote(day.path)
		}
		e, err := day.extent(ctx)
		if err != nil {
			return &eventlog.ShardError{Shard: b.shard, Err: err}
		}
		commit.Changes = append(commit.Changes, eventlog.Change{Shard: b.shard, Extent: e})
	}
	// The days are on the disk before the index forgets that they were written to.
	db.syncLogs(l)
	tx, err := db.indexW.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := writeIndex(ctx, tx, commit); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM position"); err != nil {
		return err
	}
	if err := writePositions(ctx, tx, target.positions); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM written"); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	l.wrote(filepath.Join(db.dir, "events", "index.db"))
	*ix, err = readIndex(ctx, db.indexW)
	return err
}
