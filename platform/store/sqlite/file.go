// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/asepsis/asepsis/platform/store"
)

// applicationID marks our files ("ASEP"), see https://www.sqlite.org/pragma.html#pragma_application_id.
const applicationID = 0x41534550

// schema is the layout of one kind of file. Step i brings version i to i+1; the
// last version is that of this program. A released step never changes.
type schema struct {
	name  string
	steps []func(ctx context.Context, tx *sql.Tx) error
}

func (s *schema) version() int { return len(s.steps) }

// statements is a step that is SQL alone.
func statements(text string) func(ctx context.Context, tx *sql.Tx) error {
	return func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, text)
		return err
	}
}

// mode is what a handle of a file is for.
type mode uint8

const (
	readOnly    mode = iota // several connections
	writeNormal             // one; a commit does not wait for the disk
	writeFull               // one; a commit does
)

// maxReaders is how many queries read one file at once; others wait.
const maxReaders = 8

// newerError is a file of a newer program.
type newerError struct {
	file     string
	is, want int
}

func (e *newerError) Error() string {
	return fmt.Sprintf("%s has layout %d, this program knows %d: %v", e.file, e.is, e.want, store.ErrNewer)
}

// Unwrap returns store.ErrNewer.
func (e *newerError) Unwrap() error { return store.ErrNewer }

// Hint says what to do.
func (e *newerError) Hint() string {
	return "start the version of asepsis that wrote it, or a later one; or choose another data directory"
}

// openFile opens a database file. For writing it is made where there is none,
// and brought to the version of the schema.
func openFile(ctx context.Context, path string, s *schema, m mode) (*sql.DB, error) {
	if m != readOnly {
		// SQLite makes -wal and -shm with the mode of the file itself.
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		switch {
		case err == nil:
			if err := f.Close(); err != nil {
				return nil, err
			}
			if err := syncDir(filepath.Dir(path)); err != nil {
				return nil, err
			}
		case !errors.Is(err, os.ErrExist):
			return nil, err
		}
	}
	pragmas := []string{"busy_timeout(10000)", "cache_size(-8192)", "temp_store(memory)", "mmap_size(0)"}
	switch m {
	case readOnly:
		pragmas = append(pragmas, "query_only(1)")
	case writeNormal:
		pragmas = append(pragmas, "synchronous(normal)")
		// Without room for a long log, each commit keeps it short itself.
		if free := freeSpace(filepath.Dir(path)); s == daySchema && (free < 0 || free >= roomForLogs) {
			pragmas = append(pragmas, fmt.Sprintf("wal_autocheckpoint(%d)", checkpointLast))
		}
	case writeFull:
		pragmas = append(pragmas, "synchronous(full)")
	}
	v := url.Values{"_pragma": pragmas, "_txlock": {"immediate"}}
	if m == readOnly {
		v.Set("mode", "rw") // a reader of a write-ahead log writes to its -shm
		v.Set("_txlock", "deferred")
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: v.Encode()}).String())
	if err != nil {
		return nil, err
	}
	db.SetConnMaxLifetime(0)
	if m == readOnly {
		db.SetMaxOpenConns(maxReaders)
		db.SetMaxIdleConns(2)
		return db, nil
	}
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	if err := prepareFile(ctx, db, filepath.Base(path), s); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// prepareFile checks whose file it is and migrates it.
func prepareFile(ctx context.Context, db *sql.DB, name string, s *schema) error {
	var id, version, tables int
	if err := db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if id != applicationID && (id != 0 || tables > 0) {
		return fmt.Errorf("%s is a database of another program", name)
	}
	if version > s.version() {
		return &newerError{name, version, s.version()}
	}
	if version == s.version() {
		return nil
	}
	if tables == 0 {
		// These can only be set before the first table; neither can be in a transaction.
		for _, p := range []string{"PRAGMA page_size=8192", "PRAGMA auto_vacuum=incremental"} {
			if _, err := db.ExecContext(ctx, p); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	for _, p := range []string{"PRAGMA journal_mode=wal", "PRAGMA journal_size_limit=67108864"} {
		if _, err := db.ExecContext(ctx, p); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer func() { _ = tx.Rollback() }()
	// Another process may have been here first.
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for ; version < s.version(); version++ {
		if err := s.steps[version](ctx, tx); err != nil {
			return fmt.Errorf("bring %s from layout %d to %d: %w", name, version, version+1, err)
		}
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version=%d; PRAGMA application_id=%d", s.version(), applicationID)); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return tx.Commit()
}

// syncDir forces the names in a directory to the disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
