// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/journal/vaulttest"
)

const year = 365 * 24 * time.Hour

func TestAClockThatIsSetAheadIsNotBelievedAtOnce(t *testing.T) {
	var passed time.Duration
	wall := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	c := calendar{log: slog.New(slog.DiscardHandler), passed: func(time.Time, time.Time) time.Duration { return passed }}
	for i, x := range []struct {
		passes, set time.Duration // set: besides
		late        time.Duration // of the clock: by how much it is not believed
	}{
		{0, 0, 0},
		{time.Hour, 0, 0},
		{time.Second, stride, 0}, // a small step
		{time.Second, -year, 0},  // back is always believed
		{time.Second, year, year},
		{time.Hour, 0, year},
		{time.Hour, -year, 0}, // and right again
		{time.Hour, year, year},
		{probation - time.Second, 0, year},
		{time.Second, 0, 0},
		{probation, 0, 0},
	} {
		passed = x.passes
		wall = wall.Add(x.passes + x.set)
		if got := wall.Sub(c.at(wall)); got != x.late {
			t.Errorf("step %d: %v behind the clock, want %v", i, got, x.late)
		}
	}
}

func TestAClockThatIsSetAheadGivesNothingUp(t *testing.T) {
	c := small(t.TempDir())
	c.History, c.Originals, c.Retention = 90*24*time.Hour, 30*24*time.Hour, 24*time.Hour
	j, k := timed(t, c)
	j.calendar.passed = func(time.Time, time.Time) time.Duration { return time.Second }
	original, done := vaulttest.Bytes(1, 50<<10), vaulttest.Bytes(2, 500)
	rec := vaulttest.Record(1, original)
	rec.State, rec.Received = instance.Replaced, k.now()
	kept := vaulttest.Put(t, j, rec, original)
	rec = vaulttest.Record(2, done, "pacs")
	rec.Received = k.now()
	delivered := vaulttest.Put(t, j, rec, done)
	vaulttest.Deliver(t, j, delivered.Number, "pacs")
	j.pay(t.Context())
	k.turn(year)
	j.Tidy(t.Context())
	for _, r := range []instance.Record{kept, delivered} {
		if _, err := j.Get(t.Context(), r.Number); err != nil {
			t.Errorf("record %d: %v", r.Number, err)
		}
	}
	if n := j.Counts(); n.Needed != 1 {
		t.Errorf("the original is given up: %+v", n)
	}
	j.calendar.passed = func(time.Time, time.Time) time.Duration { return probation }
	k.turn(2 * time.Minute) // it is not looked all the time
	j.Tidy(t.Context())
	if _, err := j.Get(t.Context(), delivered.Number); !errors.Is(err, instance.ErrNotFound) {
		t.Errorf("a clock that goes on so is not believed: %v", err)
	}
}

func TestRecordsOfAClockThatWasAheadDoNotKeepOthersFromBeingForgotten(t *testing.T) {
	c := small(t.TempDir())
	c.History = 24 * time.Hour
	j, k := timed(t, c)
	put := func(n int, received time.Time) instance.Record {
		data := vaulttest.Bytes(n, 50)
		rec := vaulttest.Record(n, data, "pacs")
		rec.Received = received
		r := vaulttest.Put(t, j, rec, data)
		vaulttest.Deliver(t, j, r.Number, "pacs")
		return r
	}
	for n := range nameBatch {
		put(n, k.now().Add(year))
	}
	old := put(nameBatch, k.now())
	j.pay(t.Context())
	k.turn(25 * time.Hour)
	j.Tidy(t.Context())
	if _, err := j.Get(t.Context(), old.Number); !errors.Is(err, instance.ErrNotFound) {
		t.Errorf("it is kept for ever: %v", err)
	}
}

func TestTheHistoryIsIndexedThoughThatFailsForAWhile(t *testing.T) {
	c := small(t.TempDir())
	j := must(t, c)
	data := vaulttest.Bytes(1, 500)
	r := vaulttest.Put(t, j, vaulttest.Record(1, data, "pacs"), data)
	vaulttest.Deliver(t, j, r.Number, "pacs")
	j.pay(t.Context())
	db, err := sql.Open("sqlite", filepath.Join(c.Dir, "history.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	do := func(list ...string) {
		t.Helper()
		for _, x := range list {
			if _, err := db.Exec(x); err != nil {
				t.Fatal(err)
			}
		}
	}
	do("DROP TABLE naming", "DELETE FROM names")
	j.hist.named.Store(false)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); j.indexing(ctx) }()
	defer func() { cancel(); <-done }()
	eventually(t, "it fails", func() bool { return !j.hist.fails().IsZero() })
	if m := j.Matters(j.now().Add(2 * historyAlarm)); len(m) != 1 || m[0].Key != "failing" {
		t.Errorf("%+v", m)
	}
	if _, err := j.List(t.Context(), instance.Query{SHA256: r.DataSet}); !errors.Is(err, instance.ErrIndexing) {
		t.Errorf("%v", err)
	}
	do("CREATE TABLE naming (below INTEGER NOT NULL) STRICT", "INSERT INTO naming VALUES (1000000)")
	eventually(t, "it is indexed", j.hist.named.Load)
	if list, err := j.List(t.Context(), instance.Query{SHA256: r.DataSet}); err != nil || len(list) != 1 {
		t.Errorf("%d, %v", len(list), err)
	}
	eventually(t, "nothing fails", func() bool { return len(j.Matters(j.now().Add(2*historyAlarm))) == 0 })
}
