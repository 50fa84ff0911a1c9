// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/eventlog"
)

// leader is what the process that appends has: a connection with the advisory
// lock, on which it appends.
type leader struct {
	conn   *pgx.Conn
	writer *eventlog.Writer // nil: to be made from what is stored
	has    map[eventlog.Shard]bool
}

// end gives the lock back with the connection.
func (l *leader) end() {
	if l.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = l.conn.Close(ctx)
}

// Lead implements store.Events.
func (db *DB) Lead(ctx context.Context, wait bool) (release func(), err error) {
	if err := db.enter(); err != nil {
		return nil, err
	}
	defer db.leave()
	l := &leader{}
	for {
		if err = db.take(ctx, l); err == nil {
			break
		}
		if !errors.Is(err, store.ErrBusy) || !wait {
			return nil, fmt.Errorf("lead: %w", explain(err))
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-db.tail.done.Done():
			return nil, errClosed
		case <-time.After(100 * time.Millisecond):
		}
	}
	db.appendMu.Lock()
	defer db.appendMu.Unlock()
	db.leader = l
	var once sync.Once
	return func() {
		once.Do(func() {
			db.appendMu.Lock()
			defer db.appendMu.Unlock()
			if db.leader == l {
				db.leader = nil
				db.ForgetAppended() // from here on somebody else may append
				l.end()
			}
		})
	}, nil
}

// take connects and takes the lock, or returns store.ErrBusy.
func (db *DB) take(ctx context.Context, l *leader) error {
	if l.conn == nil || l.conn.IsClosed() {
		conn, err := pgx.ConnectConfig(ctx, db.pool.Config().ConnConfig)
		if err != nil {
			return err
		}
		l.conn = conn
	}
	var got bool
	err := l.conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", leadLock).Scan(&got)
	if err == nil && !got {
		err = store.ErrBusy
	}
	if err != nil {
		l.end()
		l.conn = nil
		return err
	}
	l.writer, l.has = nil, map[eventlog.Shard]bool{}
	db.ForgetAppended()
	return nil
}

// Append implements store.Events.
func (db *DB) Append(ctx context.Context, pos store.Position, recs []record.Record) error {
	if err := db.enter(); err != nil {
		return err
	}
	defer db.leave()
	db.appendMu.Lock()
	defer db.appendMu.Unlock()
	l, err := db.ready(ctx)
	if err != nil {
		return fmt.Errorf("append events: %w", explain(err))
	}
	if l.writer == nil {
		ix, err := readIndex(ctx, l.conn)
		if err != nil {
			return fmt.Errorf("append events: %w", explain(err))
		}
		l.writer = eventlog.NewWriter(db.codec, ix, db.now)
	}
	var c *eventlog.Commit
	err = pgx.BeginFunc(ctx, l.conn, func(tx pgx.Tx) (err error) {
		c, err = l.writer.Plan(ctx, &view{tx: tx, has: maps.Clone(l.has)}, pos, recs)
		if err != nil || c == nil {
			return err
		}
		for i := range c.Changes {
			if err := l.apply(ctx, tx, &c.Changes[i]); err != nil {
				return err
			}
		}
		return writeIndex(ctx, tx, c)
	})
	if err != nil {
		// Whether it was stored is not known when the connection broke at the
		// commit: what counts is read anew.
		l.writer.Forget()
		l.writer, l.has = nil, map[eventlog.Shard]bool{}
		return fmt.Errorf("append events: %w", explain(err))
	}
	if c != nil {
		l.writer.Done(c)
		db.Appended(c.Last, recs)
		db.tail.advance(c.Last)
	}
	return nil
}

// ready returns the leader with a connection; one that is lost is made anew.
func (db *DB) ready(ctx context.Context) (*leader, error) {
	l := db.leader
	if l == nil {
		return nil, store.ErrNoLead
	}
	if l.conn == nil || l.conn.IsClosed() {
		if err := db.take(ctx, l); err != nil {
			return nil, err
		}
		db.log.Info("connected to PostgreSQL again, events are appended again")
	}
	return l, nil
}

// apply makes the change of a shard.
func (l *leader) apply(ctx context.Context, tx pgx.Tx, ch *eventlog.Change) error {
	if !l.has[ch.Shard] {
		if err := makePartitions(ctx, tx, ch.Shard); err != nil {
			return fmt.Errorf("make partitions of %v: %w", ch.Shard, err)
		}
		l.has[ch.Shard] = true // forgotten again when the transaction fails
	}
	segments, sums := partition("segment", ch.Shard), partition("sum", ch.Shard)
	if len(ch.Delete) > 0 {
		first := make([]int64, len(ch.Delete))
		for i, f := range ch.Delete {
			first[i] = int64(f)
		}
		if _, err := tx.Exec(ctx, "DELETE FROM "+segments+" WHERE first = ANY($1)", first); err != nil {
			return err
		}
	}
	if len(ch.Put) > 0 {
		rows := pgx.CopyFromSlice(len(ch.Put), func(i int) ([]any, error) {
			s, err := ch.Put[i].Segment()
			if err != nil {
				return nil, err
			}
			return []any{int32(ch.Shard), int64(s.First), int64(s.Last), int32(s.N), s.MinTime, s.MaxTime, int16(s.Severities), s.Filter, s.Counts, s.Columns, s.Data}, nil
		})
		columns := []string{"shard", "first", "last", "n", "min_time", "max_time", "severities", "filter", "counts", "columns", "data"}
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{"asepsis", segments}, columns, rows); err != nil {
			return err
		}
	}
	var kinds []int16
	var as, bs []int64
	var bodies [][]byte
	for i := range ch.Sums {
		s := &ch.Sums[i]
		if s.Body == nil {
			if _, err := tx.Exec(ctx, "DELETE FROM "+sums+" WHERE kind = $1 AND a = $2 AND b = $3", int16(s.Kind), s.A, s.B); err != nil {
				return err
			}
			continue
		}
		kinds, as, bs, bodies = append(kinds, int16(s.Kind)), append(as, s.A), append(bs, s.B), append(bodies, s.Body)
	}
	if len(kinds) > 0 {
		_, err := tx.Exec(ctx, "INSERT INTO "+sums+" (shard, kind, a, b, body) SELECT $1, * FROM unnest($2::smallint[], $3::bigint[], $4::bigint[], $5::bytea[]) ON CONFLICT (shard, kind, a, b) DO UPDATE SET body = excluded.body",
			int32(ch.Shard), kinds, as, bs, bodies)
		if err != nil {
			return err
		}
	}
	return nil
}

// makePartitions makes the partitions of a shard where there are none. They are
// attached, not made as partitions at once, which would lock out all readers.
func makePartitions(ctx context.Context, tx pgx.Tx, s eventlog.Shard) error {
	n := strconv.FormatInt(int64(s), 10)
	for _, table := range []string{"segment", "sum"} {
		name := partition(table, s)
		var exists bool
		if err := tx.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", "asepsis."+name).Scan(&exists); err != nil {
			return err
		}
		if exists {
			continue
		}
		for _, q := range []string{
			"CREATE TABLE " + name + " (LIKE " + table + " INCLUDING ALL, CONSTRAINT " + name + "_shard CHECK (shard = " + n + "))",
			"ALTER TABLE " + table + " ATTACH PARTITION " + name + " FOR VALUES IN (" + n + ")",
		} {
			if _, err := tx.Exec(ctx, q); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeIndex brings the index to a commit, and tells who waits.
func writeIndex(ctx context.Context, tx pgx.Tx, c *eventlog.Commit) error {
	b := &pgx.Batch{}
	b.Queue("UPDATE counter SET value = $1 WHERE name = 'last'", int64(c.Last))
	for _, stream := range slices.Sorted(maps.Keys(c.Positions)) {
		b.Queue("INSERT INTO position (stream, seq) VALUES ($1, $2) ON CONFLICT (stream) DO UPDATE SET seq = excluded.seq", stream, int64(c.Positions[stream]))
	}
	for i := range c.Changes {
		e := &c.Changes[i].Extent
		if e.Events == 0 {
			b.Queue("DELETE FROM shard WHERE shard = $1", int32(e.Shard))
			continue
		}
		b.Queue(`INSERT INTO shard (shard, events, first, last, min_time, max_time) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (shard) DO UPDATE SET events = excluded.events, first = excluded.first, last = excluded.last, min_time = excluded.min_time, max_time = excluded.max_time`,
			int32(e.Shard), int64(e.Events), int64(e.First), int64(e.Last), e.MinTime, e.MaxTime)
	}
	if len(c.Since) > 0 {
		first := map[string]int64{}
		for _, s := range c.Since {
			if old, ok := first[string(s.Link)]; !ok || s.Step < old {
				first[string(s.Link)] = s.Step
			}
		}
		links, steps := make([][]byte, 0, len(first)), make([]int64, 0, len(first))
		for _, l := range slices.Sorted(maps.Keys(first)) {
			links, steps = append(links, []byte(l)), append(steps, first[l])
		}
		b.Queue("INSERT INTO since (link, step) SELECT * FROM unnest($1::bytea[], $2::bigint[]) ON CONFLICT (link) DO UPDATE SET step = excluded.step WHERE excluded.step < since.step", links, steps)
	}
	b.Queue("SELECT pg_notify('asepsis_events', $1)", strconv.FormatUint(c.Last, 10))
	return tx.SendBatch(ctx, b).Close()
}
