// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/postgres/pgtest"
	"github.com/asepsis/asepsis/platform/store/storetest"
)

// smallDisk mounts a file system of that many MiB, of which ballast takes some until
// free is called.
func smallDisk(t *testing.T, size, ballast int) (dir string, free func()) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to mount a small file system")
	}
	// Not below the directory of the test, which PostgreSQL's user may not enter.
	dir, err := os.MkdirTemp("", "pgfull-")
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=755", size)); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := errors.Join(syscall.Unmount(dir, syscall.MNT_DETACH), os.Remove(dir)); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(dir, "ballast")
	if err := os.WriteFile(path, make([]byte, ballast<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}

// bulky returns records that cannot be compressed.
func bulky(t *testing.T, n uint64) []record.Record {
	t.Helper()
	source := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)})
	recs := make([]record.Record, 16)
	for i := range recs {
		noise := make([]byte, 32<<10)
		_, _ = source.Read(noise)
		r, err := record.Of(&event.Event{UID: fmt.Sprintf("%d-%d", n, i), Time: storetest.Base + int64(n), Protocol: "bulk", StatusDetail: base32.StdEncoding.EncodeToString(noise)}, "or-1")
		if err != nil {
			t.Fatal(err)
		}
		recs[i] = r
	}
	return recs
}

// fill appends until the store says no. It returns how many appends were confirmed.
func fill(t *testing.T, db *DB) (confirmed uint64, err error) {
	t.Helper()
	for n := uint64(1); n < 2000; n++ {
		if err := db.Append(t.Context(), store.Position{Stream: "s", Seq: n}, bulky(t, n)); err != nil {
			return n - 1, err
		}
	}
	t.Fatal("the disk was never full")
	return 0, nil
}

// goesOn checks that the append after the confirmed ones succeeds in the end, and that
// everything is there once.
func goesOn(t *testing.T, db *DB, confirmed uint64) {
	t.Helper()
	end := time.Now().Add(time.Minute)
	for n := confirmed + 1; n <= confirmed+3; {
		err := db.Append(t.Context(), store.Position{Stream: "s", Seq: n}, bulky(t, n))
		if err == nil {
			n++
			continue
		}
		if time.Now().After(end) {
			t.Fatalf("nothing can be appended though there is space: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	want := (confirmed + 3) * 16
	var seq, got uint64
	for seq < want {
		recs, next, err := db.Log.After(t.Context(), seq, store.Query{}, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for i := range recs {
			if recs[i].Seq != got+1 {
				t.Fatalf("number %d after %d", recs[i].Seq, got)
			}
			got = recs[i].Seq
			if e, err := record.Decode(recs[i].Data); err != nil || e.UID != fmt.Sprintf("%d-%d", (got-1)/16+1, (got-1)%16) {
				t.Fatalf("number %d is %v, %v", got, e.UID, err)
			}
		}
		if next == seq {
			break
		}
		seq = next
	}
	if st, err := db.Stats(t.Context()); err != nil || st.Events != want || got != want {
		t.Errorf("%d events are kept and %d are read, want %d; %v", st.Events, got, want, err)
	}
}

func TestAFullDiskIsSaidAndOvercome(t *testing.T) {
	if cluster == nil {
		t.Skip("PostgreSQL is not installed")
	}
	dir, free := smallDisk(t, 28, 10)
	if err := cluster.Own(dir); err != nil {
		t.Fatal(err)
	}
	admin, err := pgx.Connect(t.Context(), cluster.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close(t.Context()) }()
	for _, q := range []string{"CREATE TABLESPACE small LOCATION '" + dir + "'", "CREATE DATABASE small TABLESPACE small"} {
		if _, err := admin.Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	db := openAt(t, cluster.DSN("small"))
	release, err := db.Lead(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	confirmed, err := fill(t, db)
	if !errors.Is(err, store.ErrFull) {
		t.Fatalf("a full disk is %v", err)
	}
	if confirmed < 5 {
		t.Fatalf("full after %d appends", confirmed)
	}
	if st, err := db.Stats(t.Context()); err != nil || st.Events != confirmed*16 {
		t.Errorf("while the disk is full %d events are kept, want %d; %v", st.Events, confirmed*16, err)
	}
	if p, err := db.Query(t.Context(), store.Query{Limit: 20}); err != nil || len(p.Records) != 20 {
		t.Errorf("while the disk is full %d events are read, %v", len(p.Records), err)
	}
	free()
	goesOn(t, db, confirmed)
	release()
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	for _, q := range []string{"DROP DATABASE small WITH (FORCE)", "DROP TABLESPACE small"} {
		if _, err := admin.Exec(t.Context(), q); err != nil {
			t.Error(err)
		}
	}
}

// TestAServerThatStopsBecauseItsLogHasNoSpaceLosesNothing fills the disk that the
// write-ahead log is on: PostgreSQL then stops as after a crash, and comes back by
// itself or is started by its service when there is space.
func TestAServerThatStopsBecauseItsLogHasNoSpaceLosesNothing(t *testing.T) {
	if cluster == nil {
		t.Skip("PostgreSQL is not installed")
	}
	disk, free := smallDisk(t, 70, 30)
	wal := filepath.Join(disk, "wal")
	if err := errors.Join(os.Mkdir(wal, 0o700), cluster.Own(wal)); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "pg-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	c, err := pgtest.New(t.Context(), dir, "--waldir", wal)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Stop(context.WithoutCancel(t.Context()), "immediate") }()
	db := openAt(t, c.DSN("postgres"))
	release, err := db.Lead(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	confirmed, err := fill(t, db)
	t.Logf("after %d appends: %v", confirmed, err)
	if confirmed < 5 {
		t.Fatalf("full after %d appends: %v", confirmed, err)
	}
	// Whatever PostgreSQL says, nothing is taken as confirmed.
	for range 3 {
		if err := db.Append(t.Context(), store.Position{Stream: "s", Seq: confirmed + 1}, bulky(t, confirmed+1)); err == nil {
			confirmed++
		}
	}
	free()
	if err := db.Ping(t.Context()); err != nil {
		_ = c.Start(t.Context()) // an error where it came back by itself meanwhile
	}
	goesOn(t, db, confirmed)
}
