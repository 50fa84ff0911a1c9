// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/storetest"
)

func TestAServerStoppedAndStartedUnderLoadLosesNothingAcknowledged(t *testing.T) {
	dsn := newDatabase(t)
	db, reader := openAt(t, dsn), openAt(t, dsn)
	release, err := db.Lead(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var acknowledged, committed, failed atomic.Uint64
	wg.Go(func() {
		for n := uint64(1); ctx.Err() == nil; {
			err := db.Append(ctx, store.Position{Stream: "s", Seq: n}, storetest.Records(t, n, 20, storetest.Base, time.Minute))
			switch {
			case err == nil:
				acknowledged.Store(n)
				n++
			case errors.Is(err, store.ErrNoLead):
				t.Errorf("the lead is lost for good: %v", err)
				return
			case ctx.Err() == nil: // the same again, as a reader of the bus does
				failed.Add(1)
				time.Sleep(10 * time.Millisecond)
			}
		}
	})
	wg.Go(func() {
		for n := uint64(0); ctx.Err() == nil; {
			err := reader.Commit(ctx, []store.Write{{Kind: "k", ID: "i", Expect: n, Body: []byte("x")}})
			switch {
			case err == nil:
				n++
				committed.Store(n)
			case errors.Is(err, store.ErrConflict):
				// The connection broke when the answer was on its way: it was done.
				d, err := reader.Document(ctx, "k", "i")
				if err == nil && d.Revision == n+1 {
					n++
				} else if err == nil && d.Revision < n {
					t.Errorf("revision %d after %d was acknowledged", d.Revision, n)
					return
				}
			default:
				time.Sleep(10 * time.Millisecond)
			}
		}
	})
	wg.Go(func() {
		seq := uint64(0)
		for ctx.Err() == nil {
			recs, next, err := reader.After(ctx, seq, store.Query{}, 1000)
			if err != nil {
				time.Sleep(10 * time.Millisecond)
				continue
			}
			for i, r := range recs {
				if r.Seq != seq+1+uint64(i) {
					t.Errorf("number %d after %d", r.Seq, seq)
					return
				}
			}
			if seq = next; len(recs) == 0 {
				_ = reader.Wait(ctx, seq)
			}
		}
	})
	until := func(what string, f func() bool) {
		t.Helper()
		for end := time.Now().Add(90 * time.Second); !f(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("not within 90 s: %s", what)
			}
		}
	}
	for _, mode := range []string{"fast", "immediate"} {
		a, c := acknowledged.Load(), committed.Load()
		until("appends before the stop", func() bool { return acknowledged.Load() > a+5 && committed.Load() > c+5 })
		if err := cluster.Stop(t.Context(), mode); err != nil {
			t.Fatal(err)
		}
		f := failed.Load()
		until("an append that fails", func() bool { return failed.Load() > f })
		if err := reader.Ping(ctx); err == nil {
			t.Error("ping answers without a server")
		}
		if err := cluster.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	a, c := acknowledged.Load(), committed.Load()
	until("appends after the start", func() bool { return acknowledged.Load() > a+5 && committed.Load() > c+5 })
	cancel()
	wg.Wait()
	db.pool.Reset() // connections that the stop ended are otherwise noticed when they are used
	var pos uint64
	until("the position can be read", func() bool {
		var err error
		pos, err = db.Position(t.Context(), "s")
		return err == nil
	})
	if pos < acknowledged.Load() {
		t.Fatalf("position %d: %d was acknowledged", pos, acknowledged.Load())
	}
	_, last, err := db.Last(t.Context())
	if err != nil || last != 20*pos {
		t.Errorf("%d events, %v: want %d", last, err, 20*pos)
	}
	for n := uint64(1); n <= pos; n += max(1, pos/50) {
		want := storetest.Records(t, n, 20, storetest.Base, time.Minute)
		got, _, err := db.After(t.Context(), 20*(n-1), store.Query{}, 20)
		if err != nil || len(got) != 20 || string(got[7].Data) != string(want[7].Data) {
			t.Fatalf("message %d: %d events, %v", n, len(got), err)
		}
	}
	h, err := db.Histogram(t.Context(), store.Query{From: storetest.Base - 3600e9, To: storetest.Base + 3600e9}, 2)
	if err != nil {
		t.Fatal(err)
	}
	sum := uint64(0)
	for _, s := range h.Steps {
		for _, k := range s.By {
			sum += k
		}
	}
	if sum != last {
		t.Errorf("the sums have %d events, want %d", sum, last)
	}
}

func TestWhoLosesTheLeadToAnotherCannotAppend(t *testing.T) {
	dsn := newDatabase(t)
	db, other := openAt(t, dsn), openAt(t, dsn)
	release, err := db.Lead(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	recs := storetest.Records(t, 1, 10, storetest.Base, time.Minute)
	if err := db.Append(t.Context(), store.Position{Stream: "s", Seq: 1}, recs); err != nil {
		t.Fatal(err)
	}
	// An administrator ends the connection; another process is faster than ours.
	if _, err := other.pool.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"); err != nil {
		t.Fatal(err)
	}
	release2, err := other.Lead(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	var last error
	for range 3 {
		if last = db.Append(t.Context(), store.Position{Stream: "s", Seq: 2}, recs); last == nil {
			t.Fatal("two append")
		}
	}
	if !errors.Is(last, store.ErrBusy) {
		t.Errorf("%v, want ErrBusy", last)
	}
	if err := other.Append(t.Context(), store.Position{Stream: "s", Seq: 2}, recs); err != nil {
		t.Fatal(err)
	}
	if err := func() error {
		third := openAt(t, dsn)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := third.Lead(ctx, true)
		return errors.Join(err, third.Close())
	}(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a third that waits: %v", err)
	}
	release2()
	// When the other has gone, the lead comes back by itself, and with it what the other stored.
	for range 2 {
		if err := db.Append(t.Context(), store.Position{Stream: "s", Seq: 2}, recs); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Append(t.Context(), store.Position{Stream: "s", Seq: 3}, recs); err != nil {
		t.Fatal(err)
	}
	if _, n, err := db.Last(t.Context()); n != 30 || err != nil {
		t.Errorf("%d events, %v", n, err)
	}
}

func TestANewerSchemaIsRefused(t *testing.T) {
	dsn := newDatabase(t)
	db := openAt(t, dsn)
	if _, err := db.pool.Exec(t.Context(), "UPDATE counter SET value = 99 WHERE name = 'schema'"); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), Config{DSN: dsn}, Deps{Log: slog.New(slog.DiscardHandler)})
	var hint interface{ Hint() string }
	if !errors.Is(err, store.ErrNewer) || !errors.As(err, &hint) || hint.Hint() == "" {
		t.Error(err)
	}
}

func TestAnOlderSchemaIsBroughtForwardOrLeft(t *testing.T) {
	pool, err := pgxpool.New(t.Context(), newDatabase(t)+"?search_path=asepsis")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	first := "CREATE TABLE t (x int); INSERT INTO t VALUES (1), (2)"
	if err := migrate(t.Context(), pool, []string{first}); err != nil {
		t.Fatal(err)
	}
	if err := migrate(t.Context(), pool, []string{first, "ALTER TABLE t ADD y int; SELECT no_such_function()"}); err == nil || !strings.Contains(err.Error(), "from version 1 to 2") {
		t.Fatalf("a step that fails: %v", err)
	}
	for range 2 {
		if err := migrate(t.Context(), pool, []string{first, "ALTER TABLE t ADD y int; UPDATE t SET y = 10 * x", "DELETE FROM t WHERE x = 1"}); err != nil {
			t.Fatal(err)
		}
		var y int
		if err := pool.QueryRow(t.Context(), "SELECT y FROM t").Scan(&y); err != nil || y != 20 {
			t.Errorf("y is %d, %v", y, err)
		}
	}
}

func TestSeveralProcessesMakeTheSchemaAtOnce(t *testing.T) {
	dsn := newDatabase(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			db, err := Open(t.Context(), Config{DSN: dsn}, Deps{Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Error(err)
				return
			}
			_ = db.Close()
		})
	}
	wg.Wait()
}

func TestConnectionsThatCouldBeReadAreRefused(t *testing.T) {
	for dsn, ok := range map[string]bool{
		"postgres://u@db.hospital.example/asepsis":                        false,
		"postgres://u@10.1.2.3/asepsis":                                   false,
		"postgres://u@10.1.2.3/asepsis?sslmode=prefer":                    false,
		"postgres://u@localhost,10.1.2.3/asepsis":                         false,
		"postgres://u@10.1.2.3/asepsis?sslmode=disable":                   true,
		"postgres://u@10.1.2.3/asepsis?sslmode=require":                   true,
		"postgres://u@db.hospital.example/asepsis?sslmode=verify-full":    true,
		"postgres://u@127.0.0.1/asepsis":                                  true,
		"postgres://u@[::1]:5433/asepsis":                                 true,
		"postgres://u@/asepsis?host=/run/postgresql":                      true,
		"host=10.1.2.3 dbname=asepsis":                                    false,
		"postgres://u:secret@db.hospital.example:notaport/asepsis":        false,
		"postgres://u@127.0.0.1/asepsis?sslmode=verify-full&port=5433&x=": true,
	} {
		_, err := parse(dsn)
		if (err == nil) != ok {
			t.Errorf("%s: %v", dsn, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

func TestTheURLMayBeInAFile(t *testing.T) {
	dsn := newDatabase(t)
	path := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(path, []byte(dsn+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := Open(t.Context(), Config{DSNFile: config.SecretFile(path)}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	var n int
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if err := c.QueryRow(t.Context(), "SELECT count(*) FROM pg_inherits").Scan(&n); err != nil {
		t.Error(err)
	}
}
