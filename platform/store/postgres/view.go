// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/asepsis/asepsis/platform/store/eventlog"
	"github.com/asepsis/asepsis/platform/store/segment"
)

// view reads everything in one snapshot.
type view struct {
	conn *pgxpool.Conn // nil when the transaction is somebody else's
	tx   pgx.Tx
	// has caches which partitions there are.
	has map[eventlog.Shard]bool
}

func (db *DB) view(ctx context.Context) (eventlog.View, error) {
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		conn.Release()
		return nil, fmt.Errorf("read events: %w", err)
	}
	return &view{conn: conn, tx: tx, has: map[eventlog.Shard]bool{}}, nil
}

// Close implements eventlog.View.
func (v *view) Close() {
	if v.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = v.tx.Rollback(ctx) // a connection that cannot is not used again
	v.conn.Release()
}

// querier is a pool, connection or transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// each calls f with each row.
func each(ctx context.Context, q querier, f func(pgx.Rows) error, sql string, args ...any) error {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// partition returns the name of a shard's partition of a table.
func partition(table string, s eventlog.Shard) string {
	return table + "_" + strings.ReplaceAll(s.String(), "-", "")
}

// Index implements eventlog.View.
func (v *view) Index(ctx context.Context) (eventlog.Index, error) { return readIndex(ctx, v.tx) }

func readIndex(ctx context.Context, q querier) (ix eventlog.Index, err error) {
	if err := q.QueryRow(ctx, "SELECT value FROM counter WHERE name = 'last'").Scan(&ix.Last); err != nil {
		return ix, fmt.Errorf("read index: %w", err)
	}
	ix.Positions = map[string]uint64{}
	err = each(ctx, q, func(r pgx.Rows) error {
		var stream string
		var seq int64
		err := r.Scan(&stream, &seq)
		ix.Positions[stream] = uint64(seq)
		return err
	}, "SELECT stream, seq FROM position")
	if err == nil {
		err = each(ctx, q, func(r pgx.Rows) error {
			var e eventlog.Extent
			err := r.Scan(&e.Shard, &e.Events, &e.First, &e.Last, &e.MinTime, &e.MaxTime)
			ix.Extents = append(ix.Extents, e)
			return err
		}, "SELECT shard, events, first, last, min_time, max_time FROM shard")
	}
	if err != nil {
		return ix, fmt.Errorf("read index: %w", err)
	}
	return ix, nil
}

// there reports whether a shard has its partitions.
func (v *view) there(ctx context.Context, s eventlog.Shard) (bool, error) {
	if ok, known := v.has[s]; known {
		return ok, nil
	}
	var ok bool
	if err := v.tx.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", "asepsis."+partition("sum", s)).Scan(&ok); err != nil {
		return false, err
	}
	v.has[s] = ok
	return ok, nil
}

// Heads implements eventlog.View.
func (v *view) Heads(ctx context.Context, s eventlog.Shard, q eventlog.HeadQuery) ([]eventlog.Found, error) {
	if ok, err := v.there(ctx, s); err != nil || !ok {
		return nil, err
	}
	text, args := headQuery(s, q)
	found := make([]eventlog.Found, 0, min(q.Limit, 64))
	err := each(ctx, v.tx, func(r pgx.Rows) error {
		var f eventlog.Found
		var severities int16
		dest := []any{&f.First, &f.Last, &f.N, &f.MinTime, &f.MaxTime, &severities}
		if q.Filter {
			dest = append(dest, &f.Filter)
		}
		if q.Counts {
			dest = append(dest, &f.Counts)
		}
		err := r.Scan(dest...)
		f.Severities = uint8(severities)
		found = append(found, f)
		return err
	}, text, args...)
	if err != nil {
		return nil, &eventlog.ShardError{Shard: s, Err: err}
	}
	return found, nil
}

func headQuery(s eventlog.Shard, q eventlog.HeadQuery) (string, []any) {
	var args []any
	arg := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	table := partition("segment", s)
	text := "SELECT first, last, n, min_time, max_time, severities"
	if q.Filter {
		text += ", filter"
	}
	if q.Counts {
		text += ", counts"
	}
	above := int64(min(q.Above, math.MaxInt64))
	text += " FROM " + table + " WHERE last > " + arg(above)
	if q.From > math.MinInt64 {
		text += " AND max_time >= " + arg(q.From)
	}
	if q.To < math.MaxInt64 {
		text += " AND min_time < " + arg(q.To)
	}
	if q.MinSeverity > 0 {
		text += " AND severities >= " + arg(int16(1)<<q.MinSeverity)
	}
	a := q.After
	switch q.Order {
	case eventlog.Newest:
		if a != nil {
			text += " AND (max_time, first) < (" + arg(a.MaxTime) + ", " + arg(int64(a.First)) + ")"
		}
		text += " ORDER BY max_time DESC, first DESC"
	case eventlog.Oldest:
		if a != nil {
			text += " AND (min_time, first) > (" + arg(a.MinTime) + ", " + arg(int64(a.First)) + ")"
		}
		text += " ORDER BY min_time, first"
	case eventlog.BySeq:
		// Segments do not overlap in their numbers: the first that ends above is
		// found from the last that begins below.
		if a != nil {
			text += " AND first > " + arg(int64(a.First))
		} else {
			text += " AND first >= coalesce((SELECT max(first) FROM " + table + " WHERE first <= " + arg(above) + "), 0)"
		}
		text += " ORDER BY first"
	case eventlog.BySeqNewest:
		if a != nil {
			text += " AND first < " + arg(int64(a.First))
		}
		text += " ORDER BY first DESC"
	}
	return text + " LIMIT " + arg(q.Limit), args
}

// Columns implements eventlog.View.
func (v *view) Columns(ctx context.Context, s eventlog.Shard, first uint64) ([]byte, error) {
	return v.part(ctx, s, first, "columns")
}

// Data implements eventlog.View.
func (v *view) Data(ctx context.Context, s eventlog.Shard, first uint64) ([]byte, error) {
	return v.part(ctx, s, first, "data")
}

func (v *view) part(ctx context.Context, s eventlog.Shard, first uint64, column string) ([]byte, error) {
	var b []byte
	err := v.tx.QueryRow(ctx, "SELECT "+column+" FROM "+partition("segment", s)+" WHERE shard = $1 AND first = $2", int32(s), int64(first)).Scan(&b)
	if errors.Is(err, pgx.ErrNoRows) {
		err = fmt.Errorf("%w: segment %d has no body", segment.ErrDamaged, first)
	}
	if err != nil {
		return nil, &eventlog.ShardError{Shard: s, Err: err}
	}
	return b, nil
}

// Sum implements eventlog.View.
func (v *view) Sum(ctx context.Context, s eventlog.Shard, k eventlog.Key) ([]byte, error) {
	if ok, err := v.there(ctx, s); err != nil || !ok {
		return nil, err
	}
	var b []byte
	err := v.tx.QueryRow(ctx, "SELECT body FROM "+partition("sum", s)+" WHERE shard = $1 AND kind = $2 AND a = $3 AND b = $4", int32(s), int16(k.Kind), k.A, k.B).Scan(&b)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, &eventlog.ShardError{Shard: s, Err: err}
	}
	return b, nil
}

// maxSteps is up to how many times sums are looked up one by one.
const maxSteps = 100_000

// Sums implements eventlog.View.
func (v *view) Sums(ctx context.Context, s eventlog.Shard, kind eventlog.Kind, from, to, fromB, toB int64, yield func(eventlog.Key, []byte) error) error {
	if ok, err := v.there(ctx, s); err != nil || !ok {
		return err
	}
	text := "SELECT a, b, body FROM " + partition("sum", s) + " WHERE shard = $1 AND kind = $2 AND a BETWEEN $3 AND $4 AND b BETWEEN $5 AND $6 ORDER BY a, b"
	args := []any{int32(s), int16(kind), from, to, fromB, toB}
	if kind.ByTime() && fromB == toB && from <= to && uint64(to)-uint64(from) < maxSteps {
		// Of everything in that time one in many is asked for: each by its key.
		text = "SELECT s.a, s.b, s.body FROM generate_series($3::bigint, $4::bigint) step CROSS JOIN LATERAL (SELECT a, b, body FROM " + partition("sum", s) +
			" WHERE shard = $1 AND kind = $2 AND a = step AND b = $5 OFFSET 0) s ORDER BY s.a"
		args = args[:5]
	}
	err := each(ctx, v.tx, func(r pgx.Rows) error {
		k := eventlog.Key{Kind: kind}
		var body pgtypeBytes
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

// pgtypeBytes is a body that is valid until the next row, without a copy.
type pgtypeBytes []byte

// ScanBytes implements pgtype.BytesScanner.
func (b *pgtypeBytes) ScanBytes(v []byte) error {
	*b = v
	return nil
}

// Since implements eventlog.View.
func (v *view) Since(ctx context.Context, links [][]byte) ([]int64, error) {
	at := make(map[string]int64, len(links))
	err := each(ctx, v.tx, func(r pgx.Rows) error {
		var link []byte
		var step int64
		err := r.Scan(&link, &step)
		at[string(link)] = step
		return err
	}, "SELECT link, step FROM since WHERE link = ANY($1)", links)
	if err != nil {
		return nil, fmt.Errorf("read first steps of links: %w", err)
	}
	out := make([]int64, len(links))
	for i, l := range links {
		out[i] = at[string(l)]
	}
	return out, nil
}
