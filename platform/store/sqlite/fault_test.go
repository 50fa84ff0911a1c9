// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/eventlog"
	"github.com/asepsis/asepsis/platform/store/storetest"
)

// TestMain is also the child that appends until it is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("ASEPSIS_TEST_APPEND"); dir != "" {
		if err := appendForever(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// message makes the records of one message of a bus: the same for the same
// number, some over midnight.
func message(t testing.TB, n uint64) []record.Record {
	at := storetest.Base + int64(n)*int64(time.Second)
	spread := time.Second
	if n%3 == 0 {
		at, spread = storetest.Base+int64(119*time.Minute), 2*time.Minute
	}
	return storetest.Records(t, n, 1+int(n*7%300), at, spread)
}

// appendForever reads its position and goes on from there, as a reader of the bus
// does, with several messages in an append. It prints each position that is
// acknowledged.
func appendForever(dir string) error {
	ctx := context.Background()
	db, err := Open(ctx, Config{Dir: dir}, Deps{Log: slog.New(slog.DiscardHandler), Now: storetest.Clock})
	if err != nil {
		return err
	}
	if _, err := db.Lead(ctx, true); err != nil {
		return err
	}
	pos, err := db.Position(ctx, "s")
	if err != nil {
		return err
	}
	for {
		var recs []record.Record
		for range 1 + rand.IntN(3) {
			pos++
			recs = append(recs, message(&testing.B{}, pos)...)
		}
		if err := db.Append(ctx, store.Position{Stream: "s", Seq: pos}, recs); err != nil {
			return err
		}
		fmt.Println(pos)
	}
}

// check holds a store to the messages up to its position.
func check(t *testing.T, db *DB, acknowledged uint64) (pos uint64) {
	t.Helper()
	ctx := t.Context()
	pos, err := db.Position(ctx, "s")
	if err != nil {
		t.Fatal(err)
	}
	if pos < acknowledged {
		t.Fatalf("position %d after %d was acknowledged", pos, acknowledged)
	}
	seq := uint64(0)
	for n := uint64(1); n <= pos; n++ {
		want := message(t, n)
		for len(want) > 0 {
			got, next, err := db.After(ctx, seq, store.Query{}, len(want))
			if err != nil {
				t.Fatal(err)
			}
			if len(got) == 0 {
				t.Fatalf("message %d of %d: an event is missing after %d", n, pos, seq)
			}
			for i := range got {
				if string(got[i].Data) != string(want[i].Data) || got[i].Time != want[i].Time || got[i].Seq != seq+uint64(i)+1 {
					t.Fatalf("message %d of %d: event %d is another", n, pos, got[i].Seq)
				}
			}
			want, seq = want[len(got):], next
		}
	}
	if _, last, err := db.Last(ctx); last != seq || err != nil {
		t.Fatalf("%d events, want %d: %v", last, seq, err)
	}
	s, err := db.Stats(ctx)
	if err != nil || s.Events != seq || s.Damaged != 0 {
		t.Fatalf("%+v, %v: want %d events", s, err, seq)
	}
	// The sums have each event once as well.
	h, err := db.Histogram(ctx, store.Query{From: storetest.Base - 48*3600e9, To: storetest.Base + 48*3600e9}, 96)
	if err != nil {
		t.Fatal(err)
	}
	sum := uint64(0)
	for _, st := range h.Steps {
		for _, n := range st.By {
			sum += n
		}
	}
	if sum != seq {
		t.Fatalf("the sums have %d events, want %d", sum, seq)
	}
	return pos
}

func TestKilledAtAnyPointNothingIsLostAndNothingIsTwice(t *testing.T) {
	dir := t.TempDir()
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	acknowledged := uint64(0)
	for range rounds {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), "ASEPSIS_TEST_APPEND="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		stderr := &strings.Builder{}
		cmd.Stderr = stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		before := acknowledged
		for i := 0; lines.Scan(); i++ {
			if _, err := fmt.Sscan(lines.Text(), &acknowledged); err != nil {
				t.Fatal(err)
			}
			if i == 3 {
				// Somewhere in the next appends.
				time.AfterFunc(time.Duration(rand.IntN(60_000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
			}
		}
		_ = cmd.Wait()
		if acknowledged == before {
			t.Fatalf("the child appended nothing: %s", stderr)
		}
		db := openIn(t, dir)
		release, err := db.Lead(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		acknowledged = check(t, db, acknowledged)
		release()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// copyDir copies the files of a store as they are on the disk.
func copyDir(t *testing.T, to, from string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

func TestAPowerCutThatTookADaysLastSecondTakesThePositionBackWithIt(t *testing.T) {
	// A power cut may leave the index newer than a day, or one day newer than
	// another. Here they are put together from copies of different times.
	for _, c := range []struct {
		name string
		old  string // file that is older than the rest
	}{{"index", "index.db"}, {"first day", "2026-11-20.db"}, {"second day", "2026-11-21.db"}} {
		t.Run(c.name, func(t *testing.T) {
			dir, early, late := t.TempDir(), filepath.Join(t.TempDir(), "early"), filepath.Join(t.TempDir(), "late")
			db := openIn(t, dir)
			release, err := db.Lead(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			for n := uint64(1); n <= 20; n++ {
				if err := db.Append(t.Context(), store.Position{Stream: "s", Seq: n}, message(t, n)); err != nil {
					t.Fatal(err)
				}
				if n == 11 {
					copyDir(t, early, dir)
				}
			}
			copyDir(t, late, dir)
			release()
			for _, suffix := range []string{"", "-wal", "-shm"} {
				name := filepath.Join("events", c.old+suffix)
				b, err := os.ReadFile(filepath.Join(early, name))
				if errors.Is(err, os.ErrNotExist) {
					_ = os.Remove(filepath.Join(late, name))
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(late, name), b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			db = openIn(t, late)
			if release, err = db.Lead(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			pos := check(t, db, 0)
			if pos < 9 || pos > 19 {
				t.Errorf("position %d", pos)
			}
			// The bus gives the rest again.
			for n := pos + 1; n <= 25; n++ {
				if err := db.Append(t.Context(), store.Position{Stream: "s", Seq: n}, message(t, n)); err != nil {
					t.Fatal(err)
				}
			}
			check(t, db, 25)
			release()
		})
	}
}

func TestALostIndexIsMadeAnewFromTheDays(t *testing.T) {
	dir := t.TempDir()
	db := openIn(t, dir)
	release, err := db.Lead(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	for n := uint64(1); n <= 20; n++ {
		if err := db.Append(t.Context(), store.Position{Stream: "s", Seq: n}, message(t, n)); err != nil {
			t.Fatal(err)
		}
	}
	links, _, err := db.Links(t.Context(), 0, 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	release()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := removeFile(filepath.Join(dir, "events", "index.db")); err != nil {
		t.Fatal(err)
	}
	db = openIn(t, dir)
	if release, err = db.Lead(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	defer release()
	if pos := check(t, db, 20); pos != 20 {
		t.Errorf("position %d", pos)
	}
	again, _, err := db.Links(t.Context(), 0, 0, 10_000)
	if err != nil || fmt.Sprint(again) != fmt.Sprint(links) {
		t.Errorf("links differ: %v", err)
	}
}

func TestADamagedDayIsSetAsideAndTheRestGoesOn(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, path string)
	}{
		{"overwritten from the start", func(t *testing.T, path string) { overwrite(t, path, 0, 4096) }},
		{"overwritten in the middle", func(t *testing.T, path string) { overwrite(t, path, 8192, 1<<20) }},
		{"cut off", func(t *testing.T, path string) {
			if err := os.Truncate(path, 20_000); err != nil {
				t.Fatal(err)
			}
		}},
		{"not a database", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("This is something else. ", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			db := openIn(t, dir)
			release, err := db.Lead(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			recs := storetest.Records(t, 1, 5000, storetest.Base, 4*time.Hour) // over midnight
			if err := db.Append(t.Context(), store.Position{Stream: "s", Seq: 1}, recs); err != nil {
				t.Fatal(err)
			}
			release()
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "events", "2026-11-20.db")
			c.damage(t, path)
			db = openIn(t, dir)
			if release, err = db.Lead(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			defer release()
			kept := 0
			for _, r := range recs {
				if eventlog.ShardOf(r.Time, storetest.Clock().UnixNano()).String() != "2026-11-20" {
					kept++
				}
			}
			got, err := db.Query(t.Context(), store.Query{Limit: 10_000, Text: "-absent"}) // reads everything
			if err != nil || len(got.Records) != kept {
				t.Fatalf("%d events, want the %d of the other day; %v", len(got.Records), kept, err)
			}
			s, err := db.Stats(t.Context())
			if err != nil || s.Damaged != 1 || len(s.Days) != 1 {
				t.Errorf("%+v, %v", s, err)
			}
			if set, err := filepath.Glob(filepath.Join(dir, "damaged", "2026-11-20.*.db")); len(set) != 1 || err != nil {
				t.Errorf("set aside: %v, %v", set, err)
			}
			// The day may be written to again.
			if err := db.Append(t.Context(), store.Position{Stream: "s", Seq: 2}, recs[:10]); err != nil {
				t.Fatal(err)
			}
			if r, err := db.Get(t.Context(), 5001); err != nil || r.Time != recs[0].Time {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

func overwrite(t *testing.T, path string, from, n int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	junk := make([]byte, min(n, s.Size()-from))
	for i := range junk {
		junk[i] = byte(i*7 + 1)
	}
	if _, err := f.WriteAt(junk, from); err != nil {
		t.Fatal(err)
	}
}

func TestAFullDiskIsSaidAndOvercome(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to mount a small file system")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=26m"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 12<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	db := openIn(t, filepath.Join(dir, "store"))
	release, err := db.Lead(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	n := uint64(1)
	for ; ; n++ {
		if err = db.Append(t.Context(), store.Position{Stream: "s", Seq: n}, message(t, n)); err != nil {
			break
		}
		if n > 5000 {
			t.Fatal("the disk does not get full")
		}
	}
	if !errors.Is(err, store.ErrFull) {
		t.Fatalf("append: %v", err)
	}
	for range 3 {
		if err := db.Append(t.Context(), store.Position{Stream: "s", Seq: n}, message(t, n)); !errors.Is(err, store.ErrFull) {
			t.Fatalf("append again: %v", err)
		}
	}
	// Reading goes on.
	check(t, db, n-1)
	err = db.Commit(t.Context(), []store.Write{{Kind: "k", ID: "i", Body: make([]byte, 30<<20)}})
	if !errors.Is(err, store.ErrFull) {
		t.Errorf("commit: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for end := n + 20; n < end; n++ {
		if err := db.Append(t.Context(), store.Position{Stream: "s", Seq: n}, message(t, n)); err != nil {
			t.Fatalf("with room again: %v", err)
		}
	}
	check(t, db, n-1)
	if err := db.Commit(t.Context(), []store.Write{{Kind: "k", ID: "i", Body: []byte("x")}}); err != nil {
		t.Errorf("commit: %v", err)
	}
	release()
}

func TestANewerLayoutIsRefusedAndLeftAsItIs(t *testing.T) {
	for _, name := range []string{"main.db", "events/index.db"} {
		dir := t.TempDir()
		if err := openIn(t, dir).Close(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		exec1(t, path, "PRAGMA user_version=99")
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Open(t.Context(), Config{Dir: dir}, Deps{Log: slog.New(slog.DiscardHandler)})
		var hint interface{ Hint() string }
		if !errors.Is(err, store.ErrNewer) || !errors.As(err, &hint) || hint.Hint() == "" {
			t.Errorf("%s: %v", name, err)
		}
		after, err := os.ReadFile(path)
		if err != nil || string(before) != string(after) {
			t.Errorf("%s was changed: %v", name, err)
		}
	}
}

func exec1(t *testing.T, path, query string) {
	t.Helper()
	c, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(query); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAnotherProgramsDatabaseIsRefused(t *testing.T) {
	dir := t.TempDir()
	exec1(t, filepath.Join(dir, "main.db"), "CREATE TABLE t (x)")
	if _, err := Open(t.Context(), Config{Dir: dir}, Deps{}); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Error(err)
	}
}

func TestAnOlderLayoutIsBroughtForward(t *testing.T) {
	dir := t.TempDir()
	old := &schema{name: "test", steps: steps{statements("CREATE TABLE t (x INTEGER); INSERT INTO t VALUES (1), (2)")}}
	db, err := openFile(t.Context(), filepath.Join(dir, "t.db"), old, writeFull)
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	failing := &schema{name: "test", steps: append(old.steps[:1:1], statements("ALTER TABLE t ADD COLUMN y INTEGER; SELECT no_such_function()"))}
	if _, err := openFile(t.Context(), filepath.Join(dir, "t.db"), failing, writeFull); err == nil || !strings.Contains(err.Error(), "from layout 1 to 2") {
		t.Fatalf("a step that fails: %v", err)
	}
	good := &schema{name: "test", steps: append(old.steps[:1:1], statements("ALTER TABLE t ADD COLUMN y INTEGER; UPDATE t SET y = 10 * x"), statements("DELETE FROM t WHERE x = 1"))}
	for range 2 {
		if db, err = openFile(t.Context(), filepath.Join(dir, "t.db"), good, writeFull); err != nil {
			t.Fatal(err)
		}
		var y, version int
		if err := db.QueryRow("SELECT y FROM t").Scan(&y); err != nil || y != 20 {
			t.Errorf("y is %d, %v", y, err)
		}
		if err := db.QueryRow("PRAGMA user_version").Scan(&version); err != nil || version != 3 {
			t.Errorf("version %d, %v", version, err)
		}
		db.Close()
	}
}

func TestFilesAreTheOwnersOnlyAndStrangeOnesAreLeftAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	db := openIn(t, dir)
	strange := []string{filepath.Join(dir, "notes.txt"), filepath.Join(dir, "events", "2026-13-45.db"), filepath.Join(dir, "events", "readme")}
	for _, p := range strange {
		if err := os.WriteFile(p, []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	release, err := db.Lead(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := db.Append(t.Context(), store.Position{Stream: "s", Seq: 1}, message(t, 3)); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Query(t.Context(), store.Query{Limit: 1}); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		s, err := d.Info()
		if err != nil {
			return err
		}
		for _, p := range strange {
			if p == path {
				return nil
			}
		}
		if s.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, s.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Retain(t.Context(), store.Retention{Age: 1}); err != nil {
		t.Fatal(err)
	}
	for _, p := range strange {
		if b, err := os.ReadFile(p); string(b) != "mine" || err != nil {
			t.Errorf("%s: %q, %v", p, b, err)
		}
	}
}
