// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"path/filepath"
	"testing"
)

func TestALogThatHasBecomeLongBeginsAgainBetweenTwoAppends(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "2026-11-22.db")
	db, err := openFile(ctx, path, daySchema, writeNormal)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	c, err := newCheckpointer(path)
	if err != nil {
		t.Fatal(err)
	}
	first := 0
	write := func(frames int) {
		t.Helper()
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		for range frames {
			first++
			if _, err := tx.ExecContext(ctx, "INSERT INTO filter (first, bits) VALUES (?, zeroblob(8000))", first); err != nil {
				t.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	write(finishFrom)
	if err := c.run(ctx); err != nil || c.late.Load() {
		t.Fatalf("nothing was said to be written, and a log is late: %v, %v", c.late.Load(), err)
	}
	c.wrote.Store(checkpointFrom)
	if err := c.run(ctx); err != nil || !c.late.Load() {
		t.Fatalf("a log of %d frames is not late: %v", finishFrom, err)
	}
	write(10) // an append while the log was brought in
	if err := c.finish(ctx, db); err != nil {
		t.Fatal(err)
	}
	write(10)
	frames, err := checkpointOf(ctx, db)
	if err != nil || frames >= finishFrom {
		t.Errorf("the log has %d frames after it began again, %v", frames, err)
	}
	var n int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM filter").Scan(&n); err != nil || n != first {
		t.Errorf("%d rows of %d, %v", n, first, err)
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	c.wrote.Store(checkpointFrom)
	if err := c.run(ctx); err != nil {
		t.Errorf("a day that is closed: %v", err)
	}
}
