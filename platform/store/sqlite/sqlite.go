// SPDX-License-Identifier: Apache-2.0

// Package sqlite is the embedded store: SQLite files in one directory, for one
// process that writes events and any number that read.
//
// # Files
//
//	main.db               documents, audit trail, devices
//	lead.lock             held by the process that appends
//	events/index.db       positions, days, the newest sequence number
//	events/2026-11-22.db  the events of a day (UTC), in segments, with their sums
//	events/odd.db         events whose time cannot be right, see eventlog.Odd
//	damaged/              days that could not be read, set aside
//
// Directories are 0700 and files 0600. Files that are not the store's are left
// alone.
//
// # Durability
//
// All files use a write-ahead log. Commit waits for the disk (synchronous=FULL).
// Append does not: its logs are forced to the disk once a second, which is what
// a power cut may take. It writes the day first, then the index, in two
// transactions; readers see what the index says is there. Whoever leads after a
// kill or a power cut takes out of the days what the index does not know, or sets
// the index back to what the days still have, together with the position, so that
// the bus gives it again: exactly once either way.
//
// # Faults
//
// A full disk is store.ErrFull; the call may be repeated and succeeds when there is
// room. A day that cannot be read is set aside in damaged/, logged and counted in
// Stats; the rest goes on. Network file systems do not keep SQLite's
// promises: use PostgreSQL there.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/devlist"
	"github.com/asepsis/asepsis/platform/store/eventlog"
	"github.com/asepsis/asepsis/platform/store/segment"
)

// Config says where the store is.
type Config struct {
	Dir string // is made when it does not exist
}

// Deps is what a store needs of its process.
type Deps struct {
	Log *slog.Logger     // slog.Default when nil
	Now func() time.Time // time.Now when nil
}

// DB is an open store.
type DB struct {
	dir   string
	log   *slog.Logger
	now   func() time.Time
	codec *segment.Codec
	*eventlog.Log

	main     *sql.DB // reads
	mainW    *sql.DB // one connection, synchronous=FULL
	commitMu sync.Mutex
	index    *sql.DB // reads
	indexW   *sql.DB // one connection
	days     days
	devices  devlist.List
	tail     tail

	appendMu sync.Mutex
	leader   *leader // nil while this process does not lead

	closeMu sync.RWMutex // held for reading by every call
	closed  bool
}

var _ store.Store = (*DB)(nil)

// Open opens the store in a directory, or makes one. A store of a newer version
// is store.ErrNewer and stays as it is; one of an older version is brought
// forward.
func Open(ctx context.Context, c Config, deps Deps) (*DB, error) {
	if c.Dir == "" {
		return nil, errors.New("open store: no directory given")
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	for _, d := range []string{dir, filepath.Join(dir, "events")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("open store: %w", explain(err))
		}
	}
	db := &DB{dir: dir, log: deps.Log, now: deps.Now}
	if db.log == nil {
		db.log = slog.Default()
	}
	if db.now == nil {
		db.now = time.Now
	}
	if db.codec, err = segment.NewCodec(runtime.GOMAXPROCS(0)); err != nil {
		return nil, err
	}
	db.Log = eventlog.New(db.codec, db.view)
	db.days.init(filepath.Join(dir, "events"))
	db.tail.init()
	if err := db.openFiles(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", dir, explain(err)), db.closeFiles())
	}
	return db, nil
}

func (db *DB) openFiles(ctx context.Context) (err error) {
	if db.mainW, err = openFile(ctx, filepath.Join(db.dir, "main.db"), mainSchema, writeFull); err != nil {
		return err
	}
	if db.main, err = openFile(ctx, filepath.Join(db.dir, "main.db"), mainSchema, readOnly); err != nil {
		return err
	}
	path := filepath.Join(db.dir, "events", "index.db")
	if db.indexW, err = openFile(ctx, path, indexSchema, writeNormal); err != nil {
		return err
	}
	db.index, err = openFile(ctx, path, indexSchema, readOnly)
	return err
}

// enter is called first by every method, leave last: Close waits for the calls
// under way.
func (db *DB) enter() error {
	db.closeMu.RLock()
	if db.closed {
		db.closeMu.RUnlock()
		return errClosed
	}
	return nil
}

func (db *DB) leave() { db.closeMu.RUnlock() }

// Close implements store.Store. A Lead that is not released ends.
func (db *DB) Close() error {
	db.tail.close()
	db.closeMu.Lock()
	defer db.closeMu.Unlock()
	if db.closed {
		return nil
	}
	db.closed = true
	db.appendMu.Lock()
	if l := db.leader; l != nil {
		db.endLead(l)
	}
	db.appendMu.Unlock()
	return db.closeFiles()
}

func (db *DB) closeFiles() error {
	var errs []error
	errs = append(errs, db.days.close())
	for _, d := range []*sql.DB{db.main, db.mainW, db.index, db.indexW} {
		if d != nil {
			errs = append(errs, d.Close())
		}
	}
	db.codec.Close()
	return errors.Join(errs...)
}

// Ping implements store.Store.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.enter(); err != nil {
		return err
	}
	defer db.leave()
	for _, d := range []*sql.DB{db.main, db.index} {
		var n int
		if err := d.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&n); err != nil {
			return fmt.Errorf("read store: %w", explain(err))
		}
	}
	return nil
}

// Query implements store.Events.
func (db *DB) Query(ctx context.Context, q store.Query) (p store.Page, err error) {
	err = db.read(func() error { p, err = db.Log.Query(ctx, q); return err })
	return p, err
}

// Get implements store.Events.
func (db *DB) Get(ctx context.Context, seq uint64) (r record.Record, err error) {
	err = db.read(func() error { r, err = db.Log.Get(ctx, seq); return err })
	return r, err
}

// After implements store.Events.
func (db *DB) After(ctx context.Context, seq uint64, q store.Query, limit int) (recs []record.Record, next uint64, err error) {
	err = db.read(func() error { recs, next, err = db.Log.After(ctx, seq, q, limit); return err })
	return recs, next, err
}

// Histogram implements store.Events.
func (db *DB) Histogram(ctx context.Context, q store.Query, n int) (h store.Histogram, err error) {
	err = db.read(func() error { h, err = db.Log.Histogram(ctx, q, n); return err })
	return h, err
}

// Top implements store.Events.
func (db *DB) Top(ctx context.Context, q store.Query, f store.Field, n int) (t store.TopValues, err error) {
	err = db.read(func() error { t, err = db.Log.Top(ctx, q, f, n); return err })
	return t, err
}

// Links implements store.Events.
func (db *DB) Links(ctx context.Context, from, to int64, limit int) (links []store.Link, more bool, err error) {
	err = db.read(func() error { links, more, err = db.Log.Links(ctx, from, to, limit); return err })
	return links, more, err
}

// Activity implements store.Events.
func (db *DB) Activity(ctx context.Context, device string, from, to int64, n int) (a []store.ActivityStep, err error) {
	err = db.read(func() error { a, err = db.Log.Activity(ctx, device, from, to, n); return err })
	return a, err
}

// read calls f, and again after a damaged day was set aside.
func (db *DB) read(f func() error) error {
	if err := db.enter(); err != nil {
		return err
	}
	defer db.leave()
	for tries := 0; ; tries++ {
		err := f()
		var se *eventlog.ShardError
		if err == nil || tries == 8 || !isDamaged(err) || !errors.As(err, &se) {
			return explain(err)
		}
		if !db.setAsideForReader(se) {
			return explain(err)
		}
	}
}
