// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/eventlog"
)

// Bounds of one call of Retain, so that appending does not wait long for it.
const (
	retainDays     = 30
	retainSegments = 256
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
		if _, err := db.pool.Exec(ctx, "DELETE FROM audit WHERE seq IN (SELECT seq FROM audit WHERE time < $1 ORDER BY seq LIMIT $2)", db.now().Add(-r.AuditAge).UnixNano(), retainAudit); err != nil {
			return removed, fmt.Errorf("remove audit entries: %w", explain(err))
		}
	}
	db.appendMu.Lock()
	defer db.appendMu.Unlock()
	l, err := db.ready(ctx)
	if err != nil {
		return removed, fmt.Errorf("remove events: %w", explain(err))
	}
	defer func() {
		l.writer, l.has = nil, map[eventlog.Shard]bool{}
		db.ForgetAppended()
	}()
	if r.Age > 0 {
		if err := db.retainAge(ctx, l, db.now().Add(-r.Age).UnixNano(), &removed); err != nil {
			return removed, fmt.Errorf("remove old events: %w", explain(err))
		}
	}
	if r.MaxBytes > 0 {
		if err := db.retainBytes(ctx, l, r.MaxBytes, &removed); err != nil {
			return removed, fmt.Errorf("remove events: %w", explain(err))
		}
	}
	return removed, nil
}

// oldestFirst returns the shards that have events.
func oldestFirst(ctx context.Context, q querier) ([]eventlog.Extent, error) {
	ix, err := readIndex(ctx, q)
	slices.SortFunc(ix.Extents, func(a, b eventlog.Extent) int { return cmp.Compare(a.MaxTime, b.MaxTime) })
	return ix.Extents, err
}

func (db *DB) retainAge(ctx context.Context, l *leader, before int64, removed *store.Removed) error {
	extents, err := oldestFirst(ctx, l.conn)
	if err != nil {
		return err
	}
	days := 0
	for _, e := range extents {
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
		extents, err := oldestFirst(ctx, l.conn)
		if err != nil || len(extents) == 0 {
			return err
		}
		sizes, err := shardSizes(ctx, l.conn)
		if err != nil {
			return err
		}
		total := int64(0)
		for _, n := range sizes {
			total += n
		}
		if total <= most {
			return nil
		}
		if len(extents) > 1 {
			if err := db.removeDay(ctx, l, extents[0], removed); err != nil {
				return err
			}
			continue
		}
		// What is taken out of a table leaves room for new rows in it; the table
		// does not shrink until it is dropped. So that is done once a call.
		_, err = db.expire(ctx, l, extents[0].Shard, extents[0].MaxTime, removed)
		return err
	}
	return nil
}

// shardSizes returns what the partitions take.
func shardSizes(ctx context.Context, q querier) (map[eventlog.Shard]int64, error) {
	sizes := map[eventlog.Shard]int64{}
	err := each(ctx, q, func(r pgx.Rows) error {
		var shard int32
		var a, b int64
		var err error
		if err = r.Scan(&shard, &a, &b); err == nil {
			sizes[eventlog.Shard(shard)] = a + b
		}
		return err
	}, `SELECT shard, coalesce(pg_total_relation_size(to_regclass('asepsis.segment_' || name)), 0), coalesce(pg_total_relation_size(to_regclass('asepsis.sum_' || name)), 0)
		FROM (SELECT shard, CASE WHEN shard = -2147483648 THEN 'odd' ELSE to_char('1970-01-01'::date + shard, 'YYYYMMDD') END AS name FROM shard) named`)
	return sizes, err
}

// removeDay drops the partitions of a day.
func (db *DB) removeDay(ctx context.Context, l *leader, e eventlog.Extent, removed *store.Removed) error {
	sizes, err := shardSizes(ctx, l.conn)
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, l.conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "DELETE FROM shard WHERE shard = $1", int32(e.Shard)); err != nil {
			return err
		}
		for _, table := range []string{"segment", "sum"} {
			if _, err := tx.Exec(ctx, "DROP TABLE IF EXISTS "+partition(table, e.Shard)); err != nil {
				return err
			}
		}
		return updateSince(ctx, tx, e.MaxTime)
	})
	if err != nil {
		return err
	}
	removed.Events += e.Events
	removed.Bytes += sizes[e.Shard]
	removed.Before = max(removed.Before, e.MaxTime+1)
	return nil
}

// updateSince brings the first steps of links to what is still kept, after
// events up to a time were removed.
func updateSince(ctx context.Context, tx pgx.Tx, until int64) error {
	v := &view{tx: tx, has: map[eventlog.Shard]bool{}}
	ix, err := v.Index(ctx)
	if err != nil {
		return err
	}
	stale := map[string]int64{}
	err = each(ctx, tx, func(r pgx.Rows) error {
		var link []byte
		err := r.Scan(&link)
		stale[string(link)] = 0
		return err
	}, "SELECT link FROM since WHERE step <= $1", until)
	if err != nil || len(stale) == 0 {
		return err
	}
	if err := eventlog.FirstSteps(ctx, v, ix, stale); err != nil {
		return err
	}
	var gone, links [][]byte
	var steps []int64
	for link, at := range stale {
		if at == 0 {
			gone = append(gone, []byte(link))
		} else {
			links, steps = append(links, []byte(link)), append(steps, at)
		}
	}
	if _, err := tx.Exec(ctx, "DELETE FROM since WHERE link = ANY($1)", gone); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "UPDATE since SET step = n.step FROM unnest($1::bytea[], $2::bigint[]) AS n(link, step) WHERE since.link = n.link", links, steps)
	return err
}

// expire takes the oldest segments out of a day.
func (db *DB) expire(ctx context.Context, l *leader, s eventlog.Shard, before int64, removed *store.Removed) (n uint64, err error) {
	var e eventlog.Extent
	err = pgx.BeginFunc(ctx, l.conn, func(tx pgx.Tx) error {
		var ch *eventlog.Change
		ch, n, err = eventlog.Expire(ctx, db.codec, &view{tx: tx, has: map[eventlog.Shard]bool{}}, s, before, retainSegments)
		if err != nil || ch == nil {
			return err
		}
		if err := l.apply(ctx, tx, ch); err != nil {
			return err
		}
		e.Shard = s
		if err := tx.QueryRow(ctx, `SELECT coalesce(sum(n), 0)::bigint, coalesce(min(first), 0), coalesce(max(last), 0), coalesce(min(min_time), 0), coalesce(max(max_time), 0) FROM `+partition("segment", s)).
			Scan(&e.Events, &e.First, &e.Last, &e.MinTime, &e.MaxTime); err != nil {
			return err
		}
		if e.Events == 0 {
			_, err = tx.Exec(ctx, "DELETE FROM shard WHERE shard = $1", int32(s))
		} else {
			_, err = tx.Exec(ctx, "UPDATE shard SET events = $2, first = $3, last = $4, min_time = $5, max_time = $6 WHERE shard = $1",
				int32(s), int64(e.Events), int64(e.First), int64(e.Last), e.MinTime, e.MaxTime)
		}
		if err != nil {
			return err
		}
		return updateSince(ctx, tx, before)
	})
	if err != nil || n == 0 {
		return 0, err
	}
	removed.Events += n
	removed.Before = max(removed.Before, e.MinTime)
	return n, nil
}
