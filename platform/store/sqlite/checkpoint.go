// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// A write-ahead log is brought into its database beside the appends: both wait
// for the disk, and an append that did would stand still for as long as that
// takes. Frames have 8 KiB.
const (
	checkpointFrom = 4 << 20 // bytes of segments since the last one, at the next tick
	finishFrom     = 4096    // frames, with an append held up, see finish
	// Frames at which SQLite does it by itself, in a commit, where everything else failed.
	checkpointLast = 8192
	// Bytes that must be free when a day is opened for a log to become long.
	roomForLogs = 1 << 30
)

// checkpointer brings the log of one day into its database. It has a connection of
// its own.
type checkpointer struct {
	path  string
	wrote atomic.Int64 // bytes of segments since the last checkpoint
	late  atomic.Bool  // the log has grown beyond finishFrom

	mu sync.Mutex
	db *sql.DB // nil once it is closed
}

func newCheckpointer(path string) (*checkpointer, error) {
	v := url.Values{"_pragma": {"busy_timeout(0)", "synchronous(normal)", "cache_size(-256)"}, "mode": {"rw"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: v.Encode()}).String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return &checkpointer{path: path, db: db}, nil
}

// close waits for a checkpoint under way.
func (c *checkpointer) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	db := c.db
	c.db = nil
	return db.Close()
}

// run does what can be done without holding anybody up. What is appended meanwhile
// stays in the log.
func (c *checkpointer) run(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.db == nil {
		return nil
	}
	if c.wrote.Load() < checkpointFrom {
		return nil
	}
	c.wrote.Store(0)
	frames, err := checkpointOf(ctx, c.db)
	if err == nil && frames >= finishFrom {
		c.late.Store(true)
	}
	return err
}

// finish is called between two appends. Where the log has become long it takes the
// little that came since the last run, so that the log begins at its start again:
// while somebody appends all the time, run alone never gets to the end of it.
func (c *checkpointer) finish(ctx context.Context, db *sql.DB) error {
	if !c.late.Swap(false) {
		return nil
	}
	_, err := checkpointOf(ctx, db)
	return err
}

// checkpointOf returns how many frames the log had.
func checkpointOf(ctx context.Context, db *sql.DB) (frames int, err error) {
	var busy, done int
	err = db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &frames, &done)
	return frames, err
}

// checkpoint looks at the logs of all days.
func (db *DB) checkpoint(l *leader) {
	l.mu.Lock()
	logs := make([]*checkpointer, 0, len(l.logs))
	for _, c := range l.logs {
		logs = append(logs, c)
	}
	l.mu.Unlock()
	for _, c := range logs {
		// A damaged or full disk is found, and said, by who appends.
		if err := c.run(context.Background()); err != nil && !errors.Is(err, context.Canceled) {
			db.log.Debug("bring the log into its day", "file", filepath.Base(c.path), "error", err)
		}
	}
}
