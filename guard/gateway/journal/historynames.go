// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// The history finds a record by any of its names, and by its series: the table names has their keys. The table naming has a row
// while records that an earlier version wrote, those with numbers below it, are not there yet.

const (
	addName  = "INSERT OR IGNORE INTO names VALUES (?,?)"
	dropName = "DELETE FROM names WHERE key = ? AND number = ?"
	// nameBatch is how many records are read for their names in one transaction.
	nameBatch = 500
)

// prepare makes the tables, or brings those of an earlier version up to date.
func (h *history) prepare() error {
	tx, err := h.dbw.Begin()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	// What an earlier version had not indexed yet is among what this one has to.
	for _, do := range []string{historySchema, "DELETE FROM naming", "INSERT INTO naming SELECT max(number) + 1 FROM records HAVING count(*) > 0", fmt.Sprintf("PRAGMA user_version = %d", historyVersion)} {
		if _, err := tx.Exec(do); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// name gives the records that an earlier version wrote their names, newest first.
func (h *history) name(ctx context.Context) error {
	for !h.named.Load() {
		if err := h.nameSome(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (h *history) nameSome(ctx context.Context) error {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.dbw == nil {
		return ErrClosed
	}
	tx, err := h.dbw.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	var below int64
	if err := tx.QueryRowContext(ctx, "SELECT below FROM naming").Scan(&below); err != nil {
		return err
	}
	list, err := bodies(ctx, tx, "SELECT number, body FROM records WHERE number < ? ORDER BY number DESC LIMIT ?", below, nameBatch)
	if err != nil {
		return err
	}
	for i := range list {
		b := &list[i]
		for _, key := range b.keys() {
			if _, err := tx.ExecContext(ctx, addName, key, b.number); err != nil {
				return err
			}
		}
		below = b.number
	}
	next, args := "DELETE FROM naming", []any(nil)
	if len(list) > 0 {
		next, args = "UPDATE naming SET below = ?", []any{below}
	}
	if _, err := tx.ExecContext(ctx, next, args...); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	h.named.Store(len(list) == 0)
	return nil
}

// keyed is a name of a record.
type keyed struct {
	key    int64
	number uint64
}

// body is a record as the history has it.
type body struct {
	number int64
	packed []byte
}

// keys are those of its names. A record that cannot be read has none.
func (b *body) keys() []int64 {
	e, err := unpack(b.packed)
	if err != nil {
		return nil
	}
	return nameKeys(&e.Record)
}

func bodies(ctx context.Context, tx *sql.Tx, query string, args ...any) ([]body, error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []body
	for rows.Next() {
		var b body
		if err := rows.Scan(&b.number, &b.packed); err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, rows.Err()
}

// unname takes the names of a record as the history has it.
func unname(ctx context.Context, tx *sql.Tx, number uint64) error {
	list, err := bodies(ctx, tx, "SELECT number, body FROM records WHERE number = ?", number)
	if err != nil || len(list) == 0 {
		return err
	}
	return list[0].unname(ctx, tx)
}

func (b *body) unname(ctx context.Context, tx *sql.Tx) error {
	for _, key := range b.keys() {
		if _, err := tx.ExecContext(ctx, dropName, key, b.number); err != nil {
			return err
		}
	}
	return nil
}

// forget deletes records that are older than their time, with their names, some at once.
func (h *history) forget(ctx context.Context, before, now time.Time) (int64, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.dbw == nil {
		return 0, ErrClosed
	}
	tx, err := h.dbw.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }()
	// Numbers grow with time: the oldest are the first, but for those that came while the clock was ahead.
	list, err := bodies(ctx, tx, "SELECT number, body FROM (SELECT number, received, body FROM records WHERE received <= ? ORDER BY number LIMIT ?) WHERE received < ?", now.UnixMicro(), nameBatch, before.UnixMicro())
	if err != nil {
		return 0, err
	}
	for i := range list {
		b := &list[i]
		if err := b.unname(ctx, tx); err != nil {
			return 0, err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM records WHERE number = ?", b.number); err != nil {
			return 0, err
		}
	}
	return int64(len(list)), tx.Commit()
}
