// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"time"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/eventlog"
)

// Bounds of one call of Retain, so that appending does not wait long for it.
const (
	retainDays     = 30  // whole days
	retainSegments = 256 // segments of a day that does not go as a whole
	retainAudit    = 10_000
)

// Retain implements store.Events. It needs the lead, as it changes what is
// appended to.
func (db *DB) Retain(ctx context.Context, r store.Retention) (removed store.Removed, err error) {
	if err := db.enter(); err != nil {
		return removed, err
	}
	defer db.leave()
	if r.AuditAge > 0 {
		if err := db.retainAudit(ctx, r.AuditAge); err != nil {
			return removed, err
		}
	}
	db.appendMu.Lock()
	defer db.appendMu.Unlock()
	l := db.leader
	if l == nil {
		return removed, fmt.Errorf("remove events: %w", store.ErrNoLead)
	}
	if l.dirty {
		l.writer.Forget()
		if err := db.recover(ctx, l); err != nil {
			return removed, fmt.Errorf("recover events: %w", explain(err))
		}
	}
	defer db.ForgetAppended()
	defer func() { err = explain(err) }()
	ix, err := readIndex(ctx, db.index)
	if err != nil {
		return removed, err
	}
	slices.SortFunc(ix.Extents, func(a, b eventlog.Extent) int { return cmp.Compare(a.MaxTime, b.MaxTime) })
	if r.Age > 0 {
		if err := db.retainAge(ctx, l, ix, db.now().Add(-r.Age).UnixNano(), &removed); err != nil {
			return removed, fmt.Errorf("remove old events: %w", err)
		}
	}
	if r.MaxBytes > 0 {
		if err := db.retainBytes(ctx, l, r.MaxBytes, &removed); err != nil {
			return removed, fmt.Errorf("remove events: %w", err)
		}
	}
	return removed, nil
}

func (db *DB) retainAudit(ctx context.Context, age time.Duration) error {
	db.commitMu.Lock()
	defer db.commitMu.Unlock()
	_, err := db.mainW.ExecContext(ctx, "DELETE FROM audit WHERE seq IN (SELECT seq FROM audit WHERE time < ? ORDER BY seq LIMIT ?)", db.now().Add(-age).UnixNano(), retainAudit)
	if err != nil {
		return fmt.Errorf("remove audit entries: %w", explain(err))
	}
	return nil
}

func (db *DB) retainAge(ctx context.Context, l *leader, ix eventlog.Index, before int64, removed *store.Removed) error {
	days := 0
	for _, e := range ix.Extents {
		switch {
		case e.MinTime >= before:
		case e.MaxTime < before:
			if days++; days > retainDays {
				return nil
			}
			if err := db.removeDay(ctx, l, e, removed); err != nil {
				return err
			}
		default:
			if _, err := db.expire(ctx, l, e.Shard, before, removed); err != nil {
				return err
			}
		}
	}
	return nil
}

func (db *DB) retainBytes(ctx context.Context, l *leader, most int64, removed *store.Removed) error {
	for range retainDays {
		ix, err := readIndex(ctx, db.index)
		if err != nil || len(ix.Extents) == 0 {
			return err
		}
		total, _ := db.eventBytes(ix)
		if total <= most {
			return nil
		}
		slices.SortFunc(ix.Extents, func(a, b eventlog.Extent) int { return cmp.Compare(a.MaxTime, b.MaxTime) })
		if len(ix.Extents) > 1 {
			if err := db.removeDay(ctx, l, ix.Extents[0], removed); err != nil {
				return err
			}
			continue
		}
		// The last day: its oldest segments, and their pages back to the device.
		s := ix.Extents[0].Shard
		if n, err := db.expire(ctx, l, s, ix.Extents[0].MaxTime, removed); err != nil || n == 0 {
			return err
		}
	}
	return nil
}

// eventBytes returns what the events take on the disk, all and by day.
func (db *DB) eventBytes(ix eventlog.Index) (total int64, days map[eventlog.Shard]int64) {
	days = map[eventlog.Shard]int64{}
	for _, e := range ix.Extents {
		days[e.Shard] = sizeOf(db.days.path(e.Shard))
		total += days[e.Shard]
	}
	return total, days
}

// removeDay deletes a day.
func (db *DB) removeDay(ctx context.Context, l *leader, e eventlog.Extent, removed *store.Removed) error {
	size := sizeOf(db.days.path(e.Shard))
	if err := db.dropDay(ctx, l, e.Shard, e.MaxTime, false); err != nil {
		return err
	}
	removed.Events += e.Events
	removed.Bytes += size
	removed.Before = max(removed.Before, e.MaxTime+1)
	return db.finishRemovals(ctx)
}

// dropDay takes a day out of the index, and out of the links' first steps. Its
// file goes with finishRemovals, unless it was set aside.
func (db *DB) dropDay(ctx context.Context, l *leader, s eventlog.Shard, until int64, damaged bool) error {
	if l != nil {
		l.forgetDay(s)
		if l.writer != nil {
			l.writer.Forget()
		}
	}
	db.days.forget(s)
	tx, err := db.indexW.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for _, q := range []string{"DELETE FROM shard WHERE shard = ?", "DELETE FROM written WHERE shard = ?"} {
		if _, err := tx.ExecContext(ctx, q, int64(s)); err != nil {
			return err
		}
	}
	if !damaged {
		_, err = tx.ExecContext(ctx, "INSERT OR REPLACE INTO removed (shard, until) VALUES (?, ?)", int64(s), until)
	} else {
		_, err = tx.ExecContext(ctx, "UPDATE counter SET value = value + 1 WHERE name = 'damaged'")
	}
	if err != nil {
		return err
	}
	return tx.Commit()
}

// finishRemovals deletes the files of removed days, also those that a process
// which was killed left over, and then brings up the first steps of links.
func (db *DB) finishRemovals(ctx context.Context) error {
	var shards []eventlog.Shard
	last := int64(math.MinInt64)
	err := each(ctx, db.indexW, func(r *sql.Rows) error {
		var s eventlog.Shard
		var until int64
		err := r.Scan(&s, &until)
		shards, last = append(shards, s), max(last, until)
		return err
	}, "SELECT shard, until FROM removed")
	if err != nil || len(shards) == 0 {
		return err
	}
	for _, s := range shards {
		if err := removeFile(db.days.path(s)); err != nil {
			return err
		}
	}
	if err := db.updateSince(ctx, last); err != nil {
		return err
	}
	for _, s := range shards {
		if _, err := db.indexW.ExecContext(ctx, "DELETE FROM removed WHERE shard = ?", int64(s)); err != nil {
			return err
		}
	}
	return nil
}

// updateSince brings the first steps of links to what is still kept, after
// events up to a time were removed.
func (db *DB) updateSince(ctx context.Context, until int64) error {
	v, err := db.view(ctx)
	if err != nil {
		return err
	}
	defer v.Close()
	ix, err := v.Index(ctx)
	if err != nil {
		return err
	}
	stale := map[string]int64{} // links whose first step may be gone
	err = each(ctx, db.indexW, func(r *sql.Rows) error {
		var link []byte
		err := r.Scan(&link)
		stale[string(link)] = 0
		return err
	}, "SELECT link FROM since WHERE step <= ?", until)
	if err != nil || len(stale) == 0 {
		return err
	}
	if err := eventlog.FirstSteps(ctx, v, ix, stale); err != nil {
		return err
	}
	tx, err := db.indexW.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for link, at := range stale {
		if at == 0 {
			_, err = tx.ExecContext(ctx, "DELETE FROM since WHERE link = ?", []byte(link))
		} else {
			_, err = tx.ExecContext(ctx, "UPDATE since SET step = ? WHERE link = ?", at, []byte(link))
		}
		if err != nil {
			return err
		}
	}
	return tx.Commit()
}

// expire takes the oldest segments out of a day.
func (db *DB) expire(ctx context.Context, l *leader, s eventlog.Shard, before int64, removed *store.Removed) (n uint64, err error) {
	v, err := db.view(ctx)
	if err != nil {
		return 0, err
	}
	ch, n, err := eventlog.Expire(ctx, db.codec, v, s, before, retainSegments)
	v.Close()
	if err != nil || ch == nil {
		return 0, err
	}
	path := db.days.path(s)
	size := sizeOf(path)
	ctx = context.WithoutCancel(ctx)
	l.writer.Forget()
	defer func() {
		if err != nil {
			l.dirty = true
		}
	}()
	day, err := db.dayWriter(ctx, l, s)
	if err != nil {
		return 0, err
	}
	c := &eventlog.Commit{Last: l.writer.Last(), Positions: l.writer.Positions(), Changes: []eventlog.Change{*ch}}
	if err := db.announce(ctx, l, c); err != nil {
		return 0, err
	}
	if err := day.apply(ctx, ch, c.Last, c.Positions); err != nil {
		return 0, err
	}
	if c.Changes[0].Extent, err = day.extent(ctx); err != nil {
		return 0, err
	}
	tx, err := db.indexW.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }()
	if err := writeIndex(ctx, tx, c); err != nil {
		return 0, err
	}
	if err := tx.Commit(); err != nil {
		return 0, err
	}
	l.wrote(path)
	l.wrote(filepath.Join(db.dir, "events", "index.db"))
	// Give the pages back; what does not succeed now, succeeds another time.
	for _, p := range []string{"PRAGMA incremental_vacuum", "PRAGMA wal_checkpoint(TRUNCATE)"} {
		if err := drain(ctx, day.db, p); err != nil {
			db.log.Debug("shrink events", "day", s.String(), "error", err)
		}
	}
	removed.Events += n
	removed.Bytes += max(0, size-sizeOf(path))
	removed.Before = max(removed.Before, c.Changes[0].Extent.MinTime)
	return n, db.updateSince(ctx, before)
}

// drain runs a pragma that answers with rows, to its end.
func drain(ctx context.Context, db *sql.DB, pragma string) error {
	return each(ctx, db, func(*sql.Rows) error { return nil }, pragma)
}

// Last implements store.Events.
func (db *DB) Last(ctx context.Context) (first, last uint64, err error) {
	if err := db.enter(); err != nil {
		return 0, 0, err
	}
	defer db.leave()
	err = db.index.QueryRowContext(ctx, "SELECT coalesce((SELECT min(first) FROM shard), 0), (SELECT value FROM counter WHERE name = 'last')").Scan(&first, &last)
	if err != nil {
		return 0, 0, fmt.Errorf("read index: %w", explain(err))
	}
	return first, last, nil
}

// Position implements store.Events.
func (db *DB) Position(ctx context.Context, stream string) (seq uint64, err error) {
	if err := db.enter(); err != nil {
		return 0, err
	}
	defer db.leave()
	err = db.index.QueryRowContext(ctx, "SELECT seq FROM position WHERE stream = ?", stream).Scan(&seq)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("read position: %w", explain(err))
	}
	return seq, nil
}

// Stats implements store.Store.
func (db *DB) Stats(ctx context.Context) (store.Stats, error) {
	if err := db.enter(); err != nil {
		return store.Stats{}, err
	}
	defer db.leave()
	ix, err := readIndex(ctx, db.index)
	if err != nil {
		return store.Stats{}, explain(err)
	}
	s := store.Stats{Engine: "sqlite", Schema: mainSchema.version(), Free: freeSpace(db.dir)}
	if err := db.index.QueryRowContext(ctx, "SELECT value FROM counter WHERE name = 'damaged'").Scan(&s.Damaged); err != nil {
		return store.Stats{}, explain(err)
	}
	total, days := db.eventBytes(ix)
	s.Bytes = total + sizeOf(filepath.Join(db.dir, "main.db")) + sizeOf(filepath.Join(db.dir, "events", "index.db"))
	eventlog.FillStats(&s, ix, days)
	return s, nil
}
