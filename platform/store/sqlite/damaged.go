// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/platform/store/eventlog"
)

// setAsideForReader is setAside for a call that does not hold appendMu.
func (db *DB) setAsideForReader(se *eventlog.ShardError) bool {
	db.appendMu.Lock()
	defer db.appendMu.Unlock()
	if db.leader == nil {
		// Only who could lead may move files away.
		lock, err := tryLock(filepath.Join(db.dir, "lead.lock"))
		if err != nil {
			return false
		}
		defer func() { _ = lock.Close() }()
	}
	return db.setAside(se, db.leader)
}

// setAside moves the file of a damaged day to damaged/ and goes on without it. It
// reports whether the same call may be tried again.
func (db *DB) setAside(se *eventlog.ShardError, l *leader) bool {
	ix, err := readIndex(context.Background(), db.index)
	if err != nil {
		return false
	}
	if _, err := os.Stat(db.days.path(se.Shard)); err != nil && !slices.ContainsFunc(ix.Extents, func(e eventlog.Extent) bool { return e.Shard == se.Shard }) {
		return true // somebody else was faster
	}
	db.log.Error("a day of events cannot be read and is set aside", "day", se.Shard.String(), "error", se.Err)
	ctx := context.Background()
	dir := filepath.Join(db.dir, "damaged")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		db.log.Error("set a damaged day aside", "error", err)
		return false
	}
	path := db.days.path(se.Shard)
	to := filepath.Join(dir, se.Shard.String()+"."+db.now().UTC().Format("20060102T150405.000000000")+".db")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(path+suffix, to+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			db.log.Error("set a damaged day aside", "error", err)
			return false
		}
	}
	defer db.ForgetAppended()
	if err := db.dropDay(ctx, l, se.Shard, 0, true); err != nil {
		db.log.Error("set a damaged day aside", "error", err)
		return false
	}
	return true
}

// adopt makes the index anew from the days, when it was lost.
func (db *DB) adopt(ctx context.Context, l *leader, ix *eventlog.Index) error {
	entries, err := os.ReadDir(filepath.Join(db.dir, "events"))
	if err != nil {
		return err
	}
	c := &eventlog.Commit{}
	for _, f := range entries {
		name, ok := strings.CutSuffix(f.Name(), ".db")
		if !ok || f.Name() == "index.db" || f.IsDir() {
			continue
		}
		s, err := eventlog.ParseShard(name)
		if err != nil {
			continue // not ours
		}
		d, err := db.dayWriter(ctx, l, s)
		if err != nil {
			if isDamaged(err) {
				continue
			}
			return err
		}
		st, ok, err := d.state(ctx)
		if err != nil {
			return err
		}
		e, err := d.extent(ctx)
		if err != nil {
			return err
		}
		if !ok || e.Events == 0 {
			continue
		}
		c.Changes = append(c.Changes, eventlog.Change{Shard: s, Extent: e})
		if st.last >= c.Last {
			c.Last, c.Positions = st.last, st.positions
		}
	}
	if len(c.Changes) == 0 {
		return nil
	}
	db.log.Warn("the index of events was lost and is made anew from the days", "days", len(c.Changes), "last", c.Last)
	ix.Last, ix.Positions = c.Last, c.Positions
	for _, ch := range c.Changes {
		ix.Extents = append(ix.Extents, ch.Extent)
	}
	v, err := db.view(ctx)
	if err != nil {
		return err
	}
	first, err := eventlog.AllFirstSteps(ctx, v, *ix)
	v.Close()
	if err != nil {
		return err
	}
	for link, at := range first {
		c.Since = append(c.Since, eventlog.Since{Link: []byte(link), Step: at})
	}
	tx, err := db.indexW.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := writeIndex(ctx, tx, c); err != nil {
		return err
	}
	return tx.Commit()
}
