// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/platform/store/eventlog"
	"github.com/asepsis/asepsis/platform/store/segment"
)

// view reads the index and the days as they are when it first touches each. A
// day is read after the index, so it has at least what the index says.
type view struct {
	db    *DB
	index *sql.Conn
	days  map[eventlog.Shard]*dayView
}

// dayView is a read transaction on the file of a day; conn is nil when there is
// no file.
type dayView struct {
	file    *dayFile
	conn    *sql.Conn
	columns *sql.Stmt
	data    *sql.Stmt
	sum     *sql.Stmt
}

func (db *DB) view(context.Context) (eventlog.View, error) {
	return &view{db: db, days: map[eventlog.Shard]*dayView{}}, nil
}

// Close implements eventlog.View.
func (v *view) Close() {
	for _, d := range v.days {
		d.close(v.db)
	}
	if v.index != nil {
		endRead(v.index)
	}
}

func (d *dayView) close(db *DB) {
	for _, s := range []*sql.Stmt{d.columns, d.data, d.sum} {
		if s != nil {
			_ = s.Close()
		}
	}
	if d.conn != nil {
		endRead(d.conn)
	}
	if d.file != nil {
		db.days.release(d.file)
	}
}

// beginRead takes a connection with a snapshot.
func beginRead(ctx context.Context, db *sql.DB) (*sql.Conn, error) {
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := c.ExecContext(ctx, "BEGIN"); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// endRead gives it back. A connection that cannot end its transaction is not used
// again.
func endRead(c *sql.Conn) {
	if _, err := c.ExecContext(context.Background(), "ROLLBACK"); err != nil {
		_ = c.Raw(func(any) error { return driver.ErrBadConn })
	}
	_ = c.Close()
}

// Index implements eventlog.View.
func (v *view) Index(ctx context.Context) (eventlog.Index, error) {
	if v.index == nil {
		c, err := beginRead(ctx, v.db.index)
		if err != nil {
			return eventlog.Index{}, fmt.Errorf("read index: %w", err)
		}
		v.index = c
	}
	return readIndex(ctx, v.index)
}

// querier is a connection or transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func readIndex(ctx context.Context, c querier) (ix eventlog.Index, err error) {
	if err := c.QueryRowContext(ctx, "SELECT value FROM counter WHERE name = 'last'").Scan(&ix.Last); err != nil {
		return ix, fmt.Errorf("read index: %w", err)
	}
	ix.Positions = map[string]uint64{}
	err = each(ctx, c, func(r *sql.Rows) error {
		var stream string
		var seq int64
		err := r.Scan(&stream, &seq)
		ix.Positions[stream] = uint64(seq)
		return err
	}, "SELECT stream, seq FROM position")
	if err != nil {
		return ix, fmt.Errorf("read positions: %w", err)
	}
	err = each(ctx, c, func(r *sql.Rows) error {
		var e eventlog.Extent
		err := r.Scan(&e.Shard, &e.Events, &e.First, &e.Last, &e.MinTime, &e.MaxTime)
		ix.Extents = append(ix.Extents, e)
		return err
	}, "SELECT shard, events, first, last, min_time, max_time FROM shard")
	if err != nil {
		return ix, fmt.Errorf("read days: %w", err)
	}
	return ix, nil
}

// each calls f with each row.
func each(ctx context.Context, c querier, f func(*sql.Rows) error, query string, args ...any) error {
	rows, err := c.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// day returns the snapshot of a day; its conn is nil when there is none.
func (v *view) day(ctx context.Context, s eventlog.Shard) (*dayView, error) {
	if d := v.days[s]; d != nil {
		return d, nil
	}
	file, err := v.db.days.acquire(ctx, s)
	if err != nil {
		return nil, &eventlog.ShardError{Shard: s, Err: err}
	}
	d := &dayView{file: file}
	if file != nil {
		if d.conn, err = beginRead(ctx, file.db); err == nil {
			// The snapshot begins with the first read, which also finds out
			// whether the file has its tables yet.
			var n int
			if err = d.conn.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE name = 'state'").Scan(&n); err == nil && n == 0 {
				endRead(d.conn)
				d.conn = nil
			}
		}
		if err != nil {
			d.close(v.db)
			if _, gone := os.Stat(v.db.days.path(s)); !errors.Is(gone, os.ErrNotExist) {
				return nil, &eventlog.ShardError{Shard: s, Err: err}
			}
			d = &dayView{} // it was removed just now
		}
	}
	v.days[s] = d
	return d, nil
}

// Heads implements eventlog.View.
func (v *view) Heads(ctx context.Context, s eventlog.Shard, q eventlog.HeadQuery) ([]eventlog.Found, error) {
	d, err := v.day(ctx, s)
	if err != nil || d.conn == nil {
		return nil, err
	}
	sql0, args := headQuery(q)
	found := make([]eventlog.Found, 0, min(q.Limit, 64))
	err = each(ctx, d.conn, func(r *sql.Rows) error {
		var f eventlog.Found
		dest := []any{&f.First, &f.Last, &f.N, &f.MinTime, &f.MaxTime, &f.Severities}
		if q.Filter {
			dest = append(dest, &f.Filter)
		}
		if q.Counts {
			dest = append(dest, &f.Counts)
		}
		err := r.Scan(dest...)
		found = append(found, f)
		return err
	}, sql0, args...)
	if err != nil {
		return nil, &eventlog.ShardError{Shard: s, Err: err}
	}
	return found, nil
}

func headQuery(q eventlog.HeadQuery) (string, []any) {
	text := "SELECT h.first, h.last, h.n, h.min_time, h.max_time, h.severities"
	from := " FROM head h"
	if q.Filter {
		text += ", f.bits"
		from += " LEFT JOIN filter f ON f.first = h.first"
	}
	if q.Counts {
		text += ", c.body"
		from += " LEFT JOIN counts c ON c.first = h.first"
	}
	text += from
	text += " WHERE h.last > ?"
	args := []any{int64(min(q.Above, math.MaxInt64))}
	if q.From > math.MinInt64 {
		text, args = text+" AND h.max_time >= ?", append(args, q.From)
	}
	if q.To < math.MaxInt64 {
		text, args = text+" AND h.min_time < ?", append(args, q.To)
	}
	if q.MinSeverity > 0 {
		text, args = text+" AND h.severities >= ?", append(args, int64(1)<<q.MinSeverity)
	}
	a := q.After
	switch q.Order {
	case eventlog.Newest:
		if a != nil {
			text, args = text+" AND (h.max_time, h.first) < (?, ?)", append(args, a.MaxTime, int64(a.First))
		}
		text += " ORDER BY h.max_time DESC, h.first DESC"
	case eventlog.Oldest:
		if a != nil {
			text, args = text+" AND (h.min_time, h.first) > (?, ?)", append(args, a.MinTime, int64(a.First))
		}
		text += " ORDER BY h.min_time, h.first"
	case eventlog.BySeq:
		// Segments do not overlap in their numbers: Last grows with First, and
		// the first that ends above is found from the last that begins below.
		if a != nil {
			text, args = text+" AND h.first > ?", append(args, int64(a.First))
		} else {
			text += " AND h.first >= coalesce((SELECT max(first) FROM head WHERE first <= ?), 0)"
			args = append(args, int64(min(q.Above, math.MaxInt64)))
		}
		text += " ORDER BY h.first"
	case eventlog.BySeqNewest:
		if a != nil {
			text, args = text+" AND h.first < ?", append(args, int64(a.First))
		}
		text += " ORDER BY h.first DESC"
	}
	return text + " LIMIT ?", append(args, q.Limit)
}

// Columns implements eventlog.View.
func (v *view) Columns(ctx context.Context, s eventlog.Shard, first uint64) ([]byte, error) {
	return v.part(ctx, s, first, "SELECT columns FROM body WHERE first = ?", func(d *dayView) **sql.Stmt { return &d.columns })
}

// Data implements eventlog.View.
func (v *view) Data(ctx context.Context, s eventlog.Shard, first uint64) ([]byte, error) {
	return v.part(ctx, s, first, "SELECT data FROM body WHERE first = ?", func(d *dayView) **sql.Stmt { return &d.data })
}

func (v *view) part(ctx context.Context, s eventlog.Shard, first uint64, query string, stmt func(*dayView) **sql.Stmt) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d, err := v.day(ctx, s)
	if err != nil {
		return nil, err
	}
	if d.conn == nil {
		return nil, fmt.Errorf("segment %d of %v is gone", first, s)
	}
	// One row by its key: nothing to cancel within, and a context that cannot end
	// spares the driver a goroutine for each.
	ctx = context.WithoutCancel(ctx)
	p := stmt(d)
	if *p == nil {
		if *p, err = d.conn.PrepareContext(ctx, query); err != nil {
			return nil, &eventlog.ShardError{Shard: s, Err: err}
		}
	}
	var b []byte
	if err := (*p).QueryRowContext(ctx, int64(first)).Scan(&b); err != nil {
		if errors.Is(err, sql.ErrNoRows) {
			err = fmt.Errorf("%w: segment %d has no body", segment.ErrDamaged, first)
		}
		return nil, &eventlog.ShardError{Shard: s, Err: err}
	}
	return b, nil
}

// Sum implements eventlog.View.
func (v *view) Sum(ctx context.Context, s eventlog.Shard, k eventlog.Key) ([]byte, error) {
	d, err := v.day(ctx, s)
	if err != nil || d.conn == nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx)
	if d.sum == nil {
		if d.sum, err = d.conn.PrepareContext(ctx, "SELECT body FROM sum WHERE kind = ? AND a = ? AND b = ?"); err != nil {
			return nil, &eventlog.ShardError{Shard: s, Err: err}
		}
	}
	var b []byte
	err = d.sum.QueryRowContext(ctx, int64(k.Kind), k.A, k.B).Scan(&b)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, &eventlog.ShardError{Shard: s, Err: err}
	}
	return b, nil
}

// maxSteps is up to how many times sums are looked up one by one.
const maxSteps = 100_000

// Sums implements eventlog.View.
func (v *view) Sums(ctx context.Context, s eventlog.Shard, kind eventlog.Kind, from, to, fromB, toB int64, yield func(eventlog.Key, []byte) error) error {
	d, err := v.day(ctx, s)
	if err != nil || d.conn == nil {
		return err
	}
	text := "SELECT a, b, body FROM sum WHERE kind = ? AND a >= ? AND a <= ? AND b >= ? AND b <= ? ORDER BY a, b"
	args := []any{int64(kind), from, to, fromB, toB}
	if kind.ByTime() && fromB == toB && from <= to && uint64(to)-uint64(from) < maxSteps {
		// Of everything in that time one in many is asked for: each by its key.
		text = "WITH RECURSIVE step (a) AS (VALUES (?) UNION ALL SELECT a + 1 FROM step WHERE a < ?) " +
			"SELECT s.a, s.b, s.body FROM step CROSS JOIN sum s ON s.kind = ? AND s.a = step.a AND s.b = ? ORDER BY step.a"
		args = []any{from, to, int64(kind), fromB}
	}
	err = each(ctx, d.conn, func(r *sql.Rows) error {
		k := eventlog.Key{Kind: kind}
		var body sql.RawBytes
		if err := r.Scan(&k.A, &k.B, &body); err != nil {
			return err
		}
		return yield(k, body)
	}, text, args...)
	if err != nil {
		return &eventlog.ShardError{Shard: s, Err: err}
	}
	return nil
}

// sinceAtOnce is how many links one statement looks up.
const sinceAtOnce = 256

// Since implements eventlog.View.
func (v *view) Since(ctx context.Context, links [][]byte) ([]int64, error) {
	if _, err := v.Index(ctx); err != nil {
		return nil, err
	}
	query := strings.Join([]string{"SELECT link, step FROM since WHERE link IN (", strings.Repeat("?, ", sinceAtOnce-1), "?)"}, "")
	stmt, err := v.index.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { _ = stmt.Close() }()
	found := make(map[string]int64, len(links))
	args := make([]any, sinceAtOnce) // those that are left over are NULL, which is in nothing
	for part := range slices.Chunk(links, sinceAtOnce) {
		clear(args)
		for i, l := range part {
			args[i] = l
		}
		if err := firstSteps(ctx, stmt, args, found); err != nil {
			return nil, fmt.Errorf("read first steps of links: %w", err)
		}
	}
	out := make([]int64, len(links))
	for i, l := range links {
		out[i] = found[string(l)]
	}
	return out, nil
}

func firstSteps(ctx context.Context, stmt *sql.Stmt, args []any, found map[string]int64) error {
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var link sql.RawBytes
		var step int64
		if err := rows.Scan(&link, &step); err != nil {
			return err
		}
		found[string(link)] = step
	}
	return rows.Err()
}
