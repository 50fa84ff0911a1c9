// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"sync"

	"github.com/asepsis/asepsis/platform/store/eventlog"
)

// maxDays is how many files of days stay open while nobody uses them.
const maxDays = 16

// days keeps the files of days open for reading, a bounded number of those that
// are not in use.
type days struct {
	dir string

	mu   sync.Mutex
	open map[eventlog.Shard]*dayFile
	tick uint64
}

// dayFile is one file of a day, for reading.
type dayFile struct {
	shard eventlog.Shard
	db    *sql.DB
	users int
	gone  bool // no new users: it was removed
	used  uint64
}

func (d *days) init(dir string) { d.dir, d.open = dir, map[eventlog.Shard]*dayFile{} }

func (d *days) path(s eventlog.Shard) string { return filepath.Join(d.dir, s.String()+".db") }

// acquire returns the file of a day, nil when there is none.
func (d *days) acquire(ctx context.Context, s eventlog.Shard) (*dayFile, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tick++
	f := d.open[s]
	if f == nil {
		if _, err := os.Stat(d.path(s)); err != nil {
			if errors.Is(err, os.ErrNotExist) {
				return nil, nil
			}
			return nil, err
		}
		db, err := openFile(ctx, d.path(s), daySchema, readOnly)
		if err != nil {
			return nil, err
		}
		f = &dayFile{shard: s, db: db}
		d.open[s] = f
	}
	f.users++
	f.used = d.tick
	return f, nil
}

func (d *days) release(f *dayFile) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f.users--; f.users > 0 {
		return
	}
	if f.gone {
		_ = f.db.Close() // nothing was written through it
		return
	}
	for len(d.open) > maxDays {
		var oldest *dayFile
		for _, o := range d.open {
			if o.users == 0 && (oldest == nil || o.used < oldest.used) {
				oldest = o
			}
		}
		if oldest == nil {
			return
		}
		delete(d.open, oldest.shard)
		_ = oldest.db.Close()
	}
}

// forget makes that nobody opens the file of a day as it was: it is about to be
// removed. Who uses it goes on with what it was.
func (d *days) forget(s eventlog.Shard) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.open[s]
	if f == nil {
		return
	}
	delete(d.open, s)
	f.gone = true
	if f.users == 0 {
		_ = f.db.Close()
	}
}

func (d *days) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	for _, f := range d.open {
		errs = append(errs, f.db.Close())
	}
	clear(d.open)
	return errors.Join(errs...)
}

// removeFile deletes a database file with what belongs to it.
func removeFile(path string) error {
	var errs []error
	for _, p := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Remove(p); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// sizeOf returns the bytes of a database file with what belongs to it.
func sizeOf(path string) int64 {
	n := int64(0)
	for _, p := range []string{path, path + "-wal", path + "-shm"} {
		if s, err := os.Stat(p); err == nil {
			n += s.Size()
		}
	}
	return n
}
