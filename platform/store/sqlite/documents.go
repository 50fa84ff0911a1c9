// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/asepsis/asepsis/platform/store"
)

// Document implements store.Documents.
func (db *DB) Document(ctx context.Context, kind, id string) (store.Document, error) {
	if err := db.enter(); err != nil {
		return store.Document{}, err
	}
	defer db.leave()
	d := store.Document{Kind: kind, ID: id}
	err := db.main.QueryRowContext(ctx, "SELECT revision, changed, body FROM document WHERE kind = ? AND id = ?", kind, id).Scan(&d.Revision, &d.Changed, &d.Body)
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Document{}, fmt.Errorf("%s %q: %w", kind, id, explain(err))
	}
	return d, nil
}

// DocumentsOf implements store.Documents.
func (db *DB) DocumentsOf(ctx context.Context, kind, after string, limit int) ([]store.Document, error) {
	if limit < 1 || limit > store.MaxLimit {
		return nil, fmt.Errorf("%w: limit %d: want 1 to %d", store.ErrInvalid, limit, store.MaxLimit)
	}
	if err := db.enter(); err != nil {
		return nil, err
	}
	defer db.leave()
	var docs []store.Document
	err := each(ctx, db.main, func(r *sql.Rows) error {
		d := store.Document{Kind: kind}
		err := r.Scan(&d.ID, &d.Revision, &d.Changed, &d.Body)
		docs = append(docs, d)
		return err
	}, "SELECT id, revision, changed, body FROM document WHERE kind = ? AND id > ? ORDER BY id LIMIT ?", kind, after, limit)
	if err != nil {
		return nil, fmt.Errorf("documents %s: %w", kind, explain(err))
	}
	return docs, nil
}

// Commit implements store.Documents.
func (db *DB) Commit(ctx context.Context, writes []store.Write, audit ...store.Audit) error {
	for i := range writes {
		if err := writes[i].Check(); err != nil {
			return err
		}
	}
	if err := db.enter(); err != nil {
		return err
	}
	defer db.leave()
	db.commitMu.Lock()
	defer db.commitMu.Unlock()
	tx, err := db.mainW.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("commit: %w", explain(err))
	}
	defer func() { _ = tx.Rollback() }()
	now := db.now().UnixNano()
	for i := range writes {
		if err := write(ctx, tx, &writes[i], now); err != nil {
			return fmt.Errorf("%s %q: %w", writes[i].Kind, writes[i].ID, explain(err))
		}
	}
	for i := range audit {
		a := &audit[i]
		at := a.Time
		if at == 0 {
			at = now
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO audit (time, who, source, action, object, before, after, result, note) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			at, a.Who, a.From, a.Action, a.Object, []byte(a.Before), []byte(a.After), a.Result, a.Note)
		if err != nil {
			return fmt.Errorf("audit: %w", explain(err))
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", explain(err))
	}
	return nil
}

func write(ctx context.Context, tx *sql.Tx, w *store.Write, now int64) error {
	var has uint64 // 0: there is none
	err := tx.QueryRowContext(ctx, "SELECT revision FROM document WHERE kind = ? AND id = ?", w.Kind, w.ID).Scan(&has)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if w.Expect != store.AnyRevision && w.Expect != has {
		return store.ErrConflict
	}
	if w.Delete {
		_, err = tx.ExecContext(ctx, "DELETE FROM document WHERE kind = ? AND id = ?", w.Kind, w.ID)
		return err
	}
	body := w.Body
	if body == nil {
		body = []byte{}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO document (kind, id, revision, changed, body) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (kind, id) DO UPDATE SET revision = excluded.revision, changed = excluded.changed, body = excluded.body`,
		w.Kind, w.ID, int64(has+1), now, body)
	return err
}

// AuditTrail implements store.Documents.
func (db *DB) AuditTrail(ctx context.Context, q store.AuditQuery) ([]store.Audit, error) {
	if q.Limit < 1 || q.Limit > store.MaxAudit {
		return nil, fmt.Errorf("%w: limit %d: want 1 to %d", store.ErrInvalid, q.Limit, store.MaxAudit)
	}
	if err := db.enter(); err != nil {
		return nil, err
	}
	defer db.leave()
	var where []string
	var args []any
	add := func(cond string, a ...any) { where, args = append(where, cond), append(args, a...) }
	if q.Before > 0 {
		add("seq < ?", int64(min(q.Before, 1<<62)))
	}
	if q.Who != "" {
		add("who = ?", q.Who)
	}
	if strings.HasSuffix(q.Action, ".") {
		add("action >= ? AND action < ?", q.Action, strings.TrimSuffix(q.Action, ".")+"/") // "/" is the character after "."
	} else if q.Action != "" {
		add("action = ?", q.Action)
	}
	if q.Object != "" {
		add("object = ? AND object <> ''", q.Object)
	}
	if q.From != 0 {
		add("time >= ?", q.From)
	}
	if q.To != 0 {
		add("time < ?", q.To)
	}
	text := "SELECT seq, time, who, source, action, object, before, after, result, note FROM audit"
	if len(where) > 0 {
		text += " WHERE " + strings.Join(where, " AND ")
	}
	var trail []store.Audit
	err := each(ctx, db.main, func(r *sql.Rows) error {
		var a store.Audit
		var before, after []byte
		err := r.Scan(&a.Seq, &a.Time, &a.Who, &a.From, &a.Action, &a.Object, &before, &after, &a.Result, &a.Note)
		if len(before) > 0 {
			a.Before = before
		}
		if len(after) > 0 {
			a.After = after
		}
		trail = append(trail, a)
		return err
	}, text+" ORDER BY seq DESC LIMIT ?", append(args, q.Limit)...)
	if err != nil {
		return nil, fmt.Errorf("audit trail: %w", explain(err))
	}
	return trail, nil
}
