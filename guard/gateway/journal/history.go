// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// history has the records of which nothing is awaited, in SQLite. The log gives them up only
// when they are here durably.
type history struct {
	path string
	log  *slog.Logger
	now  func() time.Time

	mu  sync.RWMutex // held for writing while the file is exchanged
	db  *sql.DB      // reads
	dbw *sql.DB      // one connection, synchronous=FULL

	packing sync.Mutex
	packer  *packer

	named atomic.Bool // all records can be found by their names

	owing  sync.Mutex
	owed   map[uint64]uint64 // records to write, with the sequence number of their state
	filter *filter
	damage time.Time // when it was set aside
	swept  time.Time // when old records were deleted

	failing atomic.Bool // it was said that it cannot be used
	failed  time.Time   // when that was, guarded by owing
}

const historySchema = `
CREATE TABLE IF NOT EXISTS records (
	number INTEGER PRIMARY KEY, received INTEGER NOT NULL, state TEXT NOT NULL, study TEXT NOT NULL, sop TEXT NOT NULL, device TEXT NOT NULL,
	theatre TEXT NOT NULL, deliveries TEXT NOT NULL, body BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS records_study ON records (study, number);
CREATE INDEX IF NOT EXISTS records_sop ON records (sop, number);
CREATE INDEX IF NOT EXISTS records_device ON records (device, number);
CREATE TABLE IF NOT EXISTS names (key INTEGER NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (key, number)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS naming (below INTEGER NOT NULL) STRICT`

// historyVersion is 2 since records are found by their names, 3 since by their series too.
const historyVersion = 3

// openHistory opens the file, or makes it. room gives up what is held back of the disk, and says whether
// there was any: to be opened, too, a database needs some.
func openHistory(path string, log *slog.Logger, now func() time.Time, room func() bool) (*history, error) {
	h := &history{path: path, log: log, now: now, owed: map[uint64]uint64{}, filter: newFilter(), packer: newPacker()}
	err := h.open()
	if roomless(err) && room() {
		h.closeDB()
		err = h.open()
	}
	if err != nil && !errors.Is(err, ErrNewer) && !roomless(err) {
		err = h.setAside(err)
	}
	if err != nil {
		h.close()
		if roomless(err) {
			err = fmt.Errorf("open the journal's history: %w", &full{err})
		}
		return nil, err
	}
	return h, nil
}

func (h *history) open() error {
	f, err := os.OpenFile(h.path, os.O_RDWR|os.O_CREATE, 0o600) // SQLite gives -wal and -shm the mode of the file
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	dsn := func(pragmas ...string) string {
		v := url.Values{"_pragma": append(pragmas, "busy_timeout(10000)", "cache_size(-4096)", "temp_store(memory)", "mmap_size(0)"), "_txlock": {"immediate"}}
		return (&url.URL{Scheme: "file", Path: h.path, RawQuery: v.Encode()}).String()
	}
	if h.dbw, err = sql.Open("sqlite", dsn("journal_mode(wal)", "synchronous(full)")); err != nil {
		return err
	}
	h.dbw.SetMaxOpenConns(1)
	var version int
	if err := h.dbw.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > historyVersion {
		return fmt.Errorf("history.db: %w", ErrNewer)
	}
	if version < historyVersion { // a disk that is full keeps nobody from reading what is there
		if err := h.prepare(); err != nil {
			return err
		}
	}
	unnamed := 0
	if err := h.dbw.QueryRow("SELECT count(*) FROM naming").Scan(&unnamed); err != nil {
		return err
	}
	h.named.Store(unnamed == 0)
	if h.db, err = sql.Open("sqlite", dsn("query_only(1)")); err != nil {
		return err
	}
	h.db.SetMaxOpenConns(4)
	return nil
}

// roomless reports whether the disk refused to write: that says nothing about the file.
func roomless(err error) bool {
	var e *driver.Error
	if !errors.As(err, &e) {
		return errors.Is(diskError(err), instance.ErrFull)
	}
	switch e.Code() & 0xff {
	case lib.SQLITE_FULL, lib.SQLITE_CANTOPEN:
		return true
	case lib.SQLITE_IOERR:
		return e.Code() != lib.SQLITE_IOERR_READ && e.Code() != lib.SQLITE_IOERR_SHORT_READ
	}
	return false
}

// setAside begins a new history. The records of the damaged one are not in lists any more;
// nothing that is awaited was there.
func (h *history) setAside(why error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closeDB()
	aside := fmt.Sprintf("%s.damaged-%s", h.path, h.now().UTC().Format("20060102T150405"))
	h.log.Error("the history of the journal is damaged and was set aside", "file", filepath.Base(aside), "error", why)
	h.damage = h.now()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(h.path+suffix, aside+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return h.open()
}

func (h *history) closeDB() {
	for _, db := range []*sql.DB{h.db, h.dbw} {
		if db != nil {
			_ = db.Close()
		}
	}
	h.db, h.dbw = nil, nil
}

func (h *history) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closeDB()
}

// owe says that a record is to be written.
func (h *history) owe(number, sequence uint64) {
	h.owing.Lock()
	defer h.owing.Unlock()
	h.owed[number] = sequence
}

func (h *history) owes() int {
	h.owing.Lock()
	defer h.owing.Unlock()
	return len(h.owed)
}

// take returns some of the records that are owed, at most n.
func (h *history) take(n int) map[uint64]uint64 {
	h.owing.Lock()
	defer h.owing.Unlock()
	out := make(map[uint64]uint64, min(n, len(h.owed)))
	for number, sequence := range h.owed {
		if len(out) == n {
			break
		}
		out[number] = sequence
	}
	return out
}

// paid takes records off what is owed, unless they have changed since.
func (h *history) paid(list map[uint64]uint64) {
	h.owing.Lock()
	defer h.owing.Unlock()
	for number, sequence := range list {
		if h.owed[number] == sequence {
			delete(h.owed, number)
		}
	}
}

// write adds records, or replaces them.
func (h *history) write(ctx context.Context, list []*envelope) error {
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
	put, err := tx.PrepareContext(ctx, "INSERT INTO records VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING")
	if err != nil {
		return err
	}
	defer func() { _ = put.Close() }()
	name, err := tx.PrepareContext(ctx, addName)
	if err != nil {
		return err
	}
	defer func() { _ = name.Close() }()
	h.packing.Lock()
	defer h.packing.Unlock()
	names := make([]keyed, 0, 2*len(list))
	for _, e := range list {
		body, err := json.Marshal(e)
		if err != nil {
			return err
		}
		r := &e.Record
		h.filter.add(r.SOPInstance)
		row := []any{r.Number, r.Received.UnixMicro(), string(r.State), r.Study, r.SOPInstance, r.Sender.Device, r.Sender.Theatre, deliveriesText(r), h.packer.pack(body)}
		done, err := put.ExecContext(ctx, row...)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil {
			return err
		} else if n == 0 { // it was here before
			if err := unname(ctx, tx, r.Number); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "REPLACE INTO records VALUES (?,?,?,?,?,?,?,?,?)", row...); err != nil {
				return err
			}
		}
		for _, key := range nameKeys(r) {
			names = append(names, keyed{key, r.Number})
		}
	}
	// In their order each page of the index is visited once.
	slices.SortFunc(names, func(a, b keyed) int { return cmp.Compare(a.key, b.key) })
	for _, x := range names {
		if _, err := name.ExecContext(ctx, x.key, x.number); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	h.failing.Store(false)
	return nil
}

// deliveriesText is what lists by destination look at: "|pacs=delivered|".
func deliveriesText(r *instance.Record) string {
	if len(r.Deliveries) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteByte('|')
	for i := range r.Deliveries {
		d := &r.Deliveries[i]
		fmt.Fprintf(&b, "%s=%s|", d.Destination, d.State)
	}
	return b.String()
}

func (h *history) get(ctx context.Context, number uint64) (*envelope, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.db == nil {
		return nil, ErrClosed
	}
	var body []byte
	err := h.db.QueryRowContext(ctx, "SELECT body FROM records WHERE number = ?", number).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, instance.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read the journal's history: %w", err)
	}
	return unpack(body)
}

// each reads records in the order of a query that selects bodies, until f returns false.
func (h *history) each(ctx context.Context, query string, args []any, f func(*envelope) bool) error {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.db == nil {
		return ErrClosed
	}
	rows, err := h.db.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("read the journal's history: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var body sql.RawBytes
		if err := rows.Scan(&body); err != nil {
			return fmt.Errorf("read the journal's history: %w", err)
		}
		e, err := unpack(body)
		if err != nil {
			return err
		}
		if !f(e) {
			break
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the journal's history: %w", err)
	}
	return nil
}

// fill makes the filter of what is there.
func (h *history) fill(ctx context.Context) error {
	last := int64(0)
	for {
		n := 0
		err := func() error {
			h.mu.RLock()
			defer h.mu.RUnlock()
			if h.db == nil {
				return ErrClosed
			}
			rows, err := h.db.QueryContext(ctx, "SELECT number, sop FROM records WHERE number > ? ORDER BY number LIMIT 5000", last)
			if err != nil {
				return err
			}
			defer func() { _ = rows.Close() }()
			for rows.Next() {
				var sop string
				if err := rows.Scan(&last, &sop); err != nil {
					return err
				}
				h.filter.add(sop)
				n++
			}
			return rows.Err()
		}()
		if err != nil {
			return err
		}
		if n == 0 {
			h.filter.complete.Store(true)
			return nil
		}
	}
}

// suspect looks at what went wrong. A file that SQLite calls damaged is set aside.
func (h *history) suspect(err error) {
	var e *driver.Error
	if errors.As(err, &e) && (e.Code()&0xff == lib.SQLITE_CORRUPT || e.Code()&0xff == lib.SQLITE_NOTADB) {
		if err = h.setAside(err); err == nil {
			return
		}
	}
	if !h.failing.Swap(true) {
		h.owing.Lock()
		h.failed = h.now()
		h.owing.Unlock()
		h.log.Warn("the journal's history cannot be used; its records stay in the log", "error", err)
	}
}

// due reports whether old records are to be deleted.
func (h *history) due(now time.Time) bool {
	h.owing.Lock()
	defer h.owing.Unlock()
	return now.Sub(h.swept) > time.Minute
}

func (h *history) forgot(now time.Time, n int64) {
	if n > 0 {
		return // there may be more: at once
	}
	h.owing.Lock()
	defer h.owing.Unlock()
	h.swept = now
}

// fails is since when the history cannot be used; zero when it can.
func (h *history) fails() time.Time {
	if !h.failing.Load() {
		return time.Time{}
	}
	h.owing.Lock()
	defer h.owing.Unlock()
	return h.failed
}
