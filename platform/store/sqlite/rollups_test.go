// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"reflect"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/eventlog"
	"github.com/asepsis/asepsis/platform/store/storetest"
)

// TestADayThatWasBegunWithoutRollupsIsAnsweredFromTheFinerSums takes the rollups out
// of a day, as a version without them left it, and lets it grow.
func TestADayThatWasBegunWithoutRollupsIsAnsweredFromTheFinerSums(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	old, err := Open(ctx, Config{Dir: dir}, Deps{Now: storetest.Clock})
	if err != nil {
		t.Fatal(err)
	}
	with := openIn(t, t.TempDir())
	step := func(db *DB, i uint64) {
		t.Helper()
		release, err := db.Lead(ctx, false)
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		if err := db.Append(ctx, store.Position{Stream: "s", Seq: i}, storetest.Records(t, i, 1500, storetest.Base+int64(i)*int64(7*time.Hour), 9*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	step(old, 1)
	step(with, 1)
	paths := map[string]bool{}
	ix, err := readIndex(ctx, old.index)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range ix.Extents {
		paths[old.days.path(e.Shard)] = true
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	for path := range paths {
		day, err := openFile(ctx, path, daySchema, writeNormal)
		if err != nil {
			t.Fatal(err)
		}
		r, err := day.ExecContext(ctx, "DELETE FROM sum WHERE kind BETWEEN ? AND ?", int64(eventlog.KindRollups), int64(eventlog.KindLinkHour))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := r.RowsAffected(); err != nil || n < 10 {
			t.Fatalf("%d rollups, %v", n, err)
		}
		if err := day.Close(); err != nil {
			t.Fatal(err)
		}
	}
	old = openIn(t, dir)
	for i := uint64(2); i < 6; i++ {
		step(old, i)
		step(with, i)
	}
	for _, from := range []time.Duration{0, 3*time.Hour + 17*time.Minute, 20 * time.Hour} {
		for _, length := range []time.Duration{40 * time.Minute, 5 * time.Hour, 25 * time.Hour, 60 * time.Hour} {
			a, b := storetest.Base+int64(from), storetest.Base+int64(from+length)
			for _, severity := range []finding.Severity{0, finding.Medium} {
				q := store.Query{From: a, To: b, MinSeverity: severity}
				want, err := old.Histogram(ctx, q, 20)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := with.Histogram(ctx, q, 20); err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("histogram from %v, %v: %v\n%+v, want\n%+v", from, length, err, got, want)
				}
			}
			want, _, err := old.Links(ctx, a, b, 1000)
			if err != nil {
				t.Fatal(err)
			}
			got, _, err := with.Links(ctx, a, b, 1000)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("links from %v, %v: %v\n%+v, want\n%+v", from, length, err, got, want)
			}
			if length > 24*time.Hour && len(want) == 0 {
				t.Error("there are no links to compare")
			}
		}
	}
}
