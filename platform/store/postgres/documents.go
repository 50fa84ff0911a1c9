// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/devlist"
)

// Document implements store.Documents.
func (db *DB) Document(ctx context.Context, kind, id string) (store.Document, error) {
	d := store.Document{Kind: kind, ID: id}
	err := db.read(func() error {
		err := db.pool.QueryRow(ctx, "SELECT revision, changed, body FROM document WHERE kind = $1 AND id = $2", kind, id).Scan(&d.Revision, &d.Changed, &d.Body)
		if errors.Is(err, pgx.ErrNoRows) {
			err = store.ErrNotFound
		}
		return err
	})
	if err != nil {
		return store.Document{}, fmt.Errorf("%s %q: %w", kind, id, err)
	}
	return d, nil
}

// DocumentsOf implements store.Documents.
func (db *DB) DocumentsOf(ctx context.Context, kind, after string, limit int) (docs []store.Document, err error) {
	if limit < 1 || limit > store.MaxLimit {
		return nil, fmt.Errorf("%w: limit %d: want 1 to %d", store.ErrInvalid, limit, store.MaxLimit)
	}
	err = db.read(func() error {
		docs = nil
		return each(ctx, db.pool, func(r pgx.Rows) error {
			d := store.Document{Kind: kind}
			err := r.Scan(&d.ID, &d.Revision, &d.Changed, &d.Body)
			docs = append(docs, d)
			return err
		}, "SELECT id, revision, changed, body FROM document WHERE kind = $1 AND id > $2 ORDER BY id LIMIT $3", kind, after, limit)
	})
	if err != nil {
		return nil, fmt.Errorf("documents %s: %w", kind, err)
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
	now := db.now().UnixNano()
	err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		for i := range writes {
			if err := write(ctx, tx, &writes[i], now); err != nil {
				return fmt.Errorf("%s %q: %w", writes[i].Kind, writes[i].ID, err)
			}
		}
		for i := range audit {
			a := &audit[i]
			at := a.Time
			if at == 0 {
				at = now
			}
			// One counter, whose row is locked to the end of the transaction: an entry
			// with a lower number is never seen after one with a higher.
			var seq int64
			if err := tx.QueryRow(ctx, "UPDATE counter SET value = value + 1 WHERE name = 'audit' RETURNING value").Scan(&seq); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, "INSERT INTO audit (seq, time, who, source, action, object, before, after, result, note) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
				seq, at, text(a.Who), text(a.From), text(a.Action), text(a.Object), []byte(a.Before), []byte(a.After), text(a.Result), text(a.Note)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("commit: %w", explain(err))
	}
	return nil
}

// text makes what a client sent fit into PostgreSQL's text, which is UTF-8 without
// NUL.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}

func write(ctx context.Context, tx pgx.Tx, w *store.Write, now int64) error {
	body := w.Body
	if body == nil {
		body = []byte{}
	}
	var query string
	args := []any{w.Kind, w.ID}
	// Each is one statement, so that of two at once the second sees what the first did.
	switch {
	case w.Delete && w.Expect == store.AnyRevision:
		_, err := tx.Exec(ctx, "DELETE FROM document WHERE kind = $1 AND id = $2", args...)
		return err
	case w.Delete && w.Expect == 0:
		var n int
		if err := tx.QueryRow(ctx, "SELECT count(*) FROM document WHERE kind = $1 AND id = $2", args...).Scan(&n); err != nil || n == 0 {
			return err
		}
		return store.ErrConflict
	case w.Delete:
		query, args = "DELETE FROM document WHERE kind = $1 AND id = $2 AND revision = $3", append(args, int64(w.Expect))
	case w.Expect == store.AnyRevision:
		query = `INSERT INTO document (kind, id, revision, changed, body) VALUES ($1, $2, 1, $3, $4)
			ON CONFLICT (kind, id) DO UPDATE SET revision = document.revision + 1, changed = excluded.changed, body = excluded.body`
		args = append(args, now, body)
	case w.Expect == 0:
		query, args = "INSERT INTO document (kind, id, revision, changed, body) VALUES ($1, $2, 1, $3, $4) ON CONFLICT DO NOTHING", append(args, now, body)
	default:
		query, args = "UPDATE document SET revision = revision + 1, changed = $4, body = $5 WHERE kind = $1 AND id = $2 AND revision = $3", append(args, int64(w.Expect), now, body)
	}
	tag, err := tx.Exec(ctx, query, args...)
	if err == nil && tag.RowsAffected() == 0 {
		err = store.ErrConflict
	}
	return err
}

// AuditTrail implements store.Documents.
func (db *DB) AuditTrail(ctx context.Context, q store.AuditQuery) (trail []store.Audit, err error) {
	if q.Limit < 1 || q.Limit > store.MaxAudit {
		return nil, fmt.Errorf("%w: limit %d: want 1 to %d", store.ErrInvalid, q.Limit, store.MaxAudit)
	}
	where, args := []string{"true"}, []any{}
	arg := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	if q.Before > 0 {
		where = append(where, "seq < "+arg(int64(min(q.Before, 1<<62))))
	}
	if q.Who != "" {
		where = append(where, "who = "+arg(text(q.Who)))
	}
	if prefix, ok := strings.CutSuffix(q.Action, "."); ok {
		where = append(where, "action >= "+arg(text(q.Action)), "action < "+arg(text(prefix)+"/")) // "/" is the character after "."
	} else if q.Action != "" {
		where = append(where, "action = "+arg(text(q.Action)))
	}
	if q.Object != "" {
		where = append(where, "object <> '' AND object = "+arg(text(q.Object)))
	}
	if q.From != 0 {
		where = append(where, "time >= "+arg(q.From))
	}
	if q.To != 0 {
		where = append(where, "time < "+arg(q.To))
	}
	err = db.read(func() error {
		trail = nil
		return each(ctx, db.pool, func(r pgx.Rows) error {
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
		}, "SELECT seq, time, who, source, action, object, before, after, result, note FROM audit WHERE "+strings.Join(where, " AND ")+" ORDER BY seq DESC LIMIT "+arg(q.Limit), args...)
	})
	if err != nil {
		return nil, fmt.Errorf("audit trail: %w", err)
	}
	return trail, nil
}

// PutDevices implements store.Devices.
func (db *DB) PutDevices(ctx context.Context, changed []device.Device, removed []string) error {
	rows, err := devlist.EncodeAll(changed)
	if err != nil {
		return fmt.Errorf("store devices: %w", err)
	}
	if err := db.enter(); err != nil {
		return err
	}
	defer db.leave()
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		// The counter's row is locked first: one after the other.
		var revision int64
		if err := tx.QueryRow(ctx, "UPDATE counter SET value = value + 1 WHERE name = 'devices' RETURNING value").Scan(&revision); err != nil {
			return err
		}
		b := &pgx.Batch{}
		if len(removed) > 0 {
			b.Queue("UPDATE device SET body = NULL, evidence = NULL, revision = $2 WHERE id = ANY($1)", removed, revision)
			b.Queue("DELETE FROM device_alias WHERE id = ANY($1)", removed)
		}
		for i := range rows {
			r := &rows[i]
			b.Queue("INSERT INTO device (id, revision, body, evidence) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, body = excluded.body, evidence = excluded.evidence",
				r.ID, revision, r.Body, r.Evidence)
			b.Queue("DELETE FROM device_alias WHERE id = $1", r.ID)
			for _, a := range r.Aliases {
				b.Queue("INSERT INTO device_alias (alias, id) VALUES ($1, $2) ON CONFLICT (alias) DO UPDATE SET id = excluded.id", a, r.ID)
			}
		}
		b.Queue("DELETE FROM device WHERE body IS NULL AND revision <= $1", revision-devlist.KeepRemoved)
		b.Queue("UPDATE counter SET value = greatest(0, $1::bigint) WHERE name = 'devices_forgotten'", revision-devlist.KeepRemoved)
		return tx.SendBatch(ctx, b).Close()
	})
	if err != nil {
		return fmt.Errorf("store devices: %w", explain(err))
	}
	return nil
}

// DevicesRevision implements store.Devices.
func (db *DB) DevicesRevision(ctx context.Context) (revision uint64, err error) {
	err = db.read(func() error {
		return db.pool.QueryRow(ctx, "SELECT value FROM counter WHERE name = 'devices'").Scan(&revision)
	})
	return revision, err
}

// DeviceList implements store.Devices. The list is the caller's; what its devices
// refer to is shared and not to be changed.
func (db *DB) DeviceList(ctx context.Context) (list []device.Device, revision uint64, err error) {
	err = db.read(func() error {
		return pgx.BeginTxFunc(ctx, db.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) (err error) {
			list, revision, err = db.devices.Read(ctx, deviceSource{tx})
			return err
		})
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read devices: %w", err)
	}
	return list, revision, nil
}

// deviceSource implements devlist.Source.
type deviceSource struct{ tx pgx.Tx }

func (s deviceSource) Revisions(ctx context.Context) (newest, forgotten uint64, err error) {
	err = s.tx.QueryRow(ctx, "SELECT (SELECT value FROM counter WHERE name = 'devices'), (SELECT value FROM counter WHERE name = 'devices_forgotten')").Scan(&newest, &forgotten)
	return newest, forgotten, err
}

func (s deviceSource) Since(ctx context.Context, revision uint64, yield func(id string, body []byte) error) error {
	return each(ctx, s.tx, func(r pgx.Rows) error {
		var id string
		var body []byte
		if err := r.Scan(&id, &body); err != nil {
			return err
		}
		return yield(id, body)
	}, "SELECT id, body FROM device WHERE revision > $1", int64(revision))
}

// Device implements store.Devices. An ID goes before a former ID.
func (db *DB) Device(ctx context.Context, id string) (d device.Device, err error) {
	var body, evidence []byte
	err = db.read(func() error {
		err := db.pool.QueryRow(ctx, `SELECT body, evidence FROM (
			SELECT 0 AS former, body, evidence FROM device WHERE body IS NOT NULL AND id = $1
			UNION ALL SELECT 1, d.body, d.evidence FROM device_alias a JOIN device d ON d.id = a.id WHERE a.alias = $1 AND d.body IS NOT NULL
			) found ORDER BY former LIMIT 1`, text(id)).Scan(&body, &evidence)
		if errors.Is(err, pgx.ErrNoRows) {
			err = store.ErrNotFound
		}
		return err
	})
	if err == nil {
		d, err = devlist.Decode(body, evidence)
	}
	if err != nil {
		return device.Device{}, fmt.Errorf("device %q: %w", id, err)
	}
	return d, nil
}
