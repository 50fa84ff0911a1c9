// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/devlist"
)

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
	db.commitMu.Lock()
	defer db.commitMu.Unlock()
	tx, err := db.mainW.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("store devices: %w", explain(err))
	}
	defer func() { _ = tx.Rollback() }()
	exec := func(query string, args ...any) {
		if err == nil {
			_, err = tx.ExecContext(ctx, query, args...)
		}
	}
	exec("UPDATE counter SET value = value + 1 WHERE name = 'devices'")
	const revision = "(SELECT value FROM counter WHERE name = 'devices')"
	for _, id := range removed {
		exec("UPDATE device SET body = NULL, evidence = NULL, revision = "+revision+" WHERE id = ?", id)
		exec("DELETE FROM device_alias WHERE id = ?", id)
	}
	for i := range rows {
		r := &rows[i]
		exec("INSERT OR REPLACE INTO device (id, revision, body, evidence) VALUES (?, "+revision+", ?, ?)", r.ID, r.Body, r.Evidence)
		exec("DELETE FROM device_alias WHERE id = ?", r.ID)
		for _, a := range r.Aliases {
			exec("INSERT OR REPLACE INTO device_alias (alias, id) VALUES (?, ?)", a, r.ID)
		}
	}
	exec("DELETE FROM device WHERE body IS NULL AND revision <= "+revision+" - ?", devlist.KeepRemoved)
	exec("UPDATE counter SET value = max(0, "+revision+" - ?) WHERE name = 'devices_forgotten'", devlist.KeepRemoved)
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		return fmt.Errorf("store devices: %w", explain(err))
	}
	return nil
}

// DevicesRevision implements store.Devices.
func (db *DB) DevicesRevision(ctx context.Context) (revision uint64, err error) {
	if err := db.enter(); err != nil {
		return 0, err
	}
	defer db.leave()
	err = db.main.QueryRowContext(ctx, "SELECT value FROM counter WHERE name = 'devices'").Scan(&revision)
	if err != nil {
		return 0, fmt.Errorf("read devices: %w", explain(err))
	}
	return revision, nil
}

// DeviceList implements store.Devices. The list is the caller's; what its devices
// refer to is shared and not to be changed.
func (db *DB) DeviceList(ctx context.Context) ([]device.Device, uint64, error) {
	if err := db.enter(); err != nil {
		return nil, 0, err
	}
	defer db.leave()
	conn, err := beginRead(ctx, db.main)
	if err != nil {
		return nil, 0, fmt.Errorf("read devices: %w", explain(err))
	}
	defer endRead(conn)
	list, revision, err := db.devices.Read(ctx, deviceSource{conn})
	if err != nil {
		return nil, 0, fmt.Errorf("read devices: %w", explain(err))
	}
	return list, revision, nil
}

// deviceSource implements devlist.Source.
type deviceSource struct{ conn *sql.Conn }

func (s deviceSource) Revisions(ctx context.Context) (newest, forgotten uint64, err error) {
	err = s.conn.QueryRowContext(ctx, "SELECT (SELECT value FROM counter WHERE name = 'devices'), (SELECT value FROM counter WHERE name = 'devices_forgotten')").Scan(&newest, &forgotten)
	return newest, forgotten, err
}

func (s deviceSource) Since(ctx context.Context, revision uint64, yield func(id string, body []byte) error) error {
	return each(ctx, s.conn, func(r *sql.Rows) error {
		var id string
		var body sql.RawBytes
		if err := r.Scan(&id, &body); err != nil {
			return err
		}
		return yield(id, body)
	}, "SELECT id, body FROM device WHERE revision > ?", int64(revision))
}

// Device implements store.Devices. An ID goes before a former ID.
func (db *DB) Device(ctx context.Context, id string) (d device.Device, err error) {
	if err := db.enter(); err != nil {
		return d, err
	}
	defer db.leave()
	var body, evidence []byte
	err = db.main.QueryRowContext(ctx, `SELECT body, evidence FROM device WHERE body IS NOT NULL AND id = ?1
		UNION ALL SELECT d.body, d.evidence FROM device_alias a JOIN device d ON d.id = a.id WHERE a.alias = ?1 AND d.body IS NOT NULL
		LIMIT 1`, id).Scan(&body, &evidence)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		err = store.ErrNotFound
	case err == nil:
		d, err = devlist.Decode(body, evidence)
	}
	if err != nil {
		return device.Device{}, fmt.Errorf("device %q: %w", id, explain(err))
	}
	return d, nil
}
