// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/eventlog"
)

// Append implements store.Events.
func (db *DB) Append(ctx context.Context, pos store.Position, recs []record.Record) error {
	if err := db.enter(); err != nil {
		return err
	}
	defer db.leave()
	db.appendMu.Lock()
	defer db.appendMu.Unlock()
	l := db.leader
	if l == nil {
		return fmt.Errorf("append events: %w", store.ErrNoLead)
	}
	for tries := 0; ; tries++ {
		err := db.append(ctx, l, pos, recs)
		var se *eventlog.ShardError
		if err == nil || tries == 3 || !isDamaged(err) || !errors.As(err, &se) || !db.setAside(se, l) {
			return explain(err)
		}
	}
}

func (db *DB) append(ctx context.Context, l *leader, pos store.Position, recs []record.Record) (err error) {
	if l.dirty {
		l.writer.Forget()
		if err := db.recover(ctx, l); err != nil {
			return fmt.Errorf("recover events: %w", err)
		}
	}
	if err := db.keepReserve(); err != nil {
		return fmt.Errorf("append events: %w", err)
	}
	v, err := db.view(ctx)
	if err != nil {
		return err
	}
	c, err := l.writer.Plan(ctx, v, pos, recs)
	v.Close()
	if err != nil || c == nil {
		if err != nil {
			l.writer.Forget()
		}
		return err
	}
	// From here on the append is finished or undone as a whole: the caller's
	// context no longer interrupts it.
	ctx = context.WithoutCancel(ctx)
	defer func() {
		if err != nil {
			l.dirty = true
			l.writer.Forget()
			// Undone now, so that the sums are right also while nothing can be
			// appended; where that fails, before the next append.
			db.useReserve(err)
			if undo := db.recover(ctx, l); undo != nil {
				db.log.Warn("undo an append that failed", "error", undo)
			}
		}
	}()
	if err := db.announce(ctx, l, c); err != nil {
		return fmt.Errorf("append events: %w", err)
	}
	for i := range c.Changes {
		ch := &c.Changes[i]
		day, err := db.dayWriter(ctx, l, ch.Shard)
		if err == nil {
			err = day.apply(ctx, ch, c.Last, c.Positions)
		}
		if err != nil {
			return fmt.Errorf("append events: %w", &eventlog.ShardError{Shard: ch.Shard, Err: err})
		}
		l.wrote(day.path)
	}
	if err := prepare(ctx, db.indexW, l.stmts, indexStatements[:]); err != nil {
		return fmt.Errorf("append events: %w", err)
	}
	tx, err := db.indexW.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("append events: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	if err := writeIndex(ctx, preparedTx{tx, l.stmts}, c); err != nil {
		return fmt.Errorf("append events: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("append events: %w", err)
	}
	l.wrote(filepath.Join(db.dir, "events", "index.db"))
	l.writer.Done(c)
	db.Appended(c.Last, recs)
	db.tail.advance(c.Last)
	return nil
}

// announce says in the index which shards are about to be written to for the
// first time.
func (db *DB) announce(ctx context.Context, l *leader, c *eventlog.Commit) error {
	var positions []byte
	for i := range c.Changes {
		s := c.Changes[i].Shard
		if d := l.days[s]; d != nil && d.announced {
			continue
		}
		if positions == nil {
			var err error
			if positions, err = json.Marshal(l.writer.Positions()); err != nil {
				return err
			}
		}
		if _, err := db.indexW.ExecContext(ctx, "INSERT OR IGNORE INTO written (shard, last, positions) VALUES (?, ?, ?)", int64(s), int64(l.writer.Last()), string(positions)); err != nil {
			return err
		}
		d, err := db.dayWriter(ctx, l, s)
		if err != nil {
			return &eventlog.ShardError{Shard: s, Err: err}
		}
		d.announced = true
	}
	return nil
}

var indexStatements = [...]string{
	"UPDATE counter SET value = ? WHERE name = 'last'",
	"DELETE FROM shard WHERE shard = ?",
	"INSERT OR REPLACE INTO shard (shard, events, first, last, min_time, max_time) VALUES (?, ?, ?, ?, ?, ?)",
	"INSERT INTO since (link, step) VALUES (?, ?) ON CONFLICT (link) DO UPDATE SET step = min(step, excluded.step)",
	"INSERT OR REPLACE INTO position (stream, seq) VALUES (?, ?)",
}

// execer is a transaction.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// preparedTx is a transaction that uses statements made before.
type preparedTx struct {
	tx    *sql.Tx
	stmts map[string]*sql.Stmt
}

func (p preparedTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return p.tx.StmtContext(ctx, p.stmts[query]).ExecContext(ctx, args...)
}

// prepare makes those statements that are not made yet.
func prepare(ctx context.Context, db *sql.DB, stmts map[string]*sql.Stmt, queries []string) error {
	for _, q := range queries {
		if stmts[q] != nil {
			continue
		}
		s, err := db.PrepareContext(ctx, q)
		if err != nil {
			return err
		}
		stmts[q] = s
	}
	return nil
}

// writeIndex brings the index to a commit.
func writeIndex(ctx context.Context, tx execer, c *eventlog.Commit) error {
	if _, err := tx.ExecContext(ctx, indexStatements[0], int64(c.Last)); err != nil {
		return err
	}
	if err := writePositions(ctx, tx, c.Positions); err != nil {
		return err
	}
	for i := range c.Changes {
		e := &c.Changes[i].Extent
		var err error
		if e.Events == 0 {
			_, err = tx.ExecContext(ctx, indexStatements[1], int64(e.Shard))
		} else {
			_, err = tx.ExecContext(ctx, indexStatements[2], int64(e.Shard), int64(e.Events), int64(e.First), int64(e.Last), e.MinTime, e.MaxTime)
		}
		if err != nil {
			return err
		}
	}
	for _, s := range c.Since {
		if _, err := tx.ExecContext(ctx, indexStatements[3], s.Link, s.Step); err != nil {
			return err
		}
	}
	return nil
}

func writePositions(ctx context.Context, tx execer, positions map[string]uint64) error {
	for stream, seq := range positions {
		if _, err := tx.ExecContext(ctx, indexStatements[4], stream, int64(seq)); err != nil {
			return err
		}
	}
	return nil
}

// dayWriter is the connection that writes to the file of a day.
type dayWriter struct {
	shard     eventlog.Shard
	path      string
	db        *sql.DB
	announced bool
	stmts     map[string]*sql.Stmt
	log       *checkpointer
}

// dayWriter returns the writer of a day, which is made when there is none.
func (db *DB) dayWriter(ctx context.Context, l *leader, s eventlog.Shard) (*dayWriter, error) {
	if i := slices.Index(l.used, s); i >= 0 {
		l.used = append(slices.Delete(l.used, i, i+1), s)
		return l.days[s], nil
	}
	d := &dayWriter{shard: s, path: db.days.path(s), stmts: map[string]*sql.Stmt{}}
	var err error
	if d.db, err = openFile(ctx, d.path, daySchema, writeNormal); err != nil {
		return nil, err
	}
	if d.log, err = newCheckpointer(d.path); err != nil {
		return nil, errors.Join(err, d.db.Close())
	}
	for len(l.used) >= maxWriters {
		oldest := l.used[0]
		l.used = l.used[1:]
		if err := l.closeDay(oldest); err != nil {
			db.log.Warn("close events", "day", oldest.String(), "error", err)
		}
	}
	l.days[s] = d
	l.used = append(l.used, s)
	l.mu.Lock()
	l.logs[s] = d.log
	l.mu.Unlock()
	return d, nil
}

// closeDay closes the writer of a day, which stays in used.
func (l *leader) closeDay(s eventlog.Shard) error {
	d := l.days[s]
	delete(l.days, s)
	l.mu.Lock()
	delete(l.logs, s)
	l.mu.Unlock()
	return d.close()
}

func (l *leader) closeDays() error {
	var errs []error
	for s := range l.days {
		errs = append(errs, l.closeDay(s))
	}
	l.used = nil
	for _, s := range l.stmts {
		errs = append(errs, s.Close())
	}
	clear(l.stmts)
	return errors.Join(errs...)
}

// forgetDay closes the writer of a day that is about to go.
func (l *leader) forgetDay(s eventlog.Shard) {
	if l.days[s] != nil {
		_ = l.closeDay(s)
		l.used = slices.DeleteFunc(l.used, func(u eventlog.Shard) bool { return u == s })
	}
}

func (d *dayWriter) close() error {
	var errs []error
	for _, s := range d.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, d.log.close(), d.db.Close())...)
}

const putSum = "INSERT OR REPLACE INTO sum (kind, a, b, body) VALUES "

// sumsAtOnce is how many sums one statement stores.
const sumsAtOnce = 64

var dayStatements = [...]string{
	"DELETE FROM head WHERE first = ?",
	"DELETE FROM filter WHERE first = ?",
	"DELETE FROM body WHERE first = ?",
	"INSERT INTO head (first, last, n, min_time, max_time, severities) VALUES (?, ?, ?, ?, ?, ?)",
	"INSERT INTO filter (first, bits) VALUES (?, ?)",
	"INSERT INTO body (first, columns, data) VALUES (?, ?, ?)",
	"DELETE FROM sum WHERE kind = ? AND a = ? AND b = ?",
	putSum + "(?, ?, ?, ?)",
	"INSERT OR REPLACE INTO state (id, last, positions) VALUES (1, ?, ?)",
	"DELETE FROM counts WHERE first = ?",
	"INSERT INTO counts (first, body) VALUES (?, ?)",
}

// apply makes a change in one transaction.
func (d *dayWriter) apply(ctx context.Context, ch *eventlog.Change, last uint64, positions map[string]uint64) error {
	many := putSum + strings.TrimSuffix(strings.Repeat("(?, ?, ?, ?), ", sumsAtOnce), ", ")
	if err := prepare(ctx, d.db, d.stmts, append(dayStatements[:], many)); err != nil {
		return err
	}
	if err := d.log.finish(ctx, d.db); err != nil {
		return err
	}
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	exec := func(query string, args ...any) {
		if err == nil {
			_, err = tx.StmtContext(ctx, d.stmts[query]).ExecContext(ctx, args...)
		}
	}
	for _, first := range ch.Delete {
		for _, q := range dayStatements[:3] {
			exec(q, int64(first))
		}
		exec(dayStatements[9], int64(first))
	}
	var args []any
	for i := range ch.Sums {
		s := &ch.Sums[i]
		if s.Body == nil {
			exec(dayStatements[6], int64(s.Kind), s.A, s.B)
			continue
		}
		if args = append(args, int64(s.Kind), s.A, s.B, s.Body); len(args) == 4*sumsAtOnce {
			exec(many, args...)
			args = args[:0]
		}
	}
	for ; len(args) > 0; args = args[4:] {
		exec(dayStatements[7], args[:4]...)
	}
	for _, e := range ch.Put { // last: they may still be being made
		s, err := e.Segment()
		if err != nil {
			return err
		}
		exec(dayStatements[3], int64(s.First), int64(s.Last), s.N, s.MinTime, s.MaxTime, int64(s.Severities))
		exec(dayStatements[4], int64(s.First), s.Filter)
		exec(dayStatements[5], int64(s.First), s.Columns, s.Data)
		exec(dayStatements[10], int64(s.First), s.Counts)
		d.log.wrote.Add(int64(s.Size()))
	}
	text, jsonErr := json.Marshal(positions)
	if jsonErr != nil {
		return jsonErr
	}
	exec(dayStatements[8], int64(last), string(text))
	if err != nil {
		return err
	}
	return tx.Commit()
}

// state returns what the index was about to say when the file was last written
// to; ok is false when it never was.
func (d *dayWriter) state(ctx context.Context) (b baseline, ok bool, err error) {
	var positions string
	err = d.db.QueryRowContext(ctx, "SELECT last, positions FROM state").Scan(&b.last, &positions)
	if errors.Is(err, sql.ErrNoRows) {
		return b, false, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(positions), &b.positions)
	}
	return b, err == nil, err
}

// extent adds up the heads.
func (d *dayWriter) extent(ctx context.Context) (eventlog.Extent, error) {
	e := eventlog.Extent{Shard: d.shard}
	err := d.db.QueryRowContext(ctx, `SELECT coalesce(sum(n), 0), coalesce(min(first), 0), coalesce(max(last), 0), coalesce(min(min_time), 0), coalesce(max(max_time), 0) FROM head`).
		Scan(&e.Events, &e.First, &e.Last, &e.MinTime, &e.MaxTime)
	return e, err
}
