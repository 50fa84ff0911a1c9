// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/asepsis/asepsis/core/custody"
)

// childEnv makes the test binary a process that records until it is killed.
const childEnv = "ASEPSIS_LEDGER_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		child(dir, os.Getenv(childEnv+"_FROM"))
		return
	}
	os.Exit(m.Run())
}

// child records statements from a number on, and says which were acknowledged.
func child(dir, from string) {
	first, err := strconv.Atoi(from)
	if err != nil {
		panic(err)
	}
	c := quick(dir)
	l, err := New(c, Deps{})
	if err != nil {
		panic(err)
	}
	go func() { panic(l.Run(context.Background())) }()
	var next atomic.Int64
	next.Store(int64(first) - 1)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for {
				n := int(next.Add(1))
				e, err := l.Record(context.Background(), crashStatement(n))
				if err != nil {
					panic(err)
				}
				fmt.Printf("%d %d %s\n", n, e.Index, e.Hash) // one write(2): whole or not there
			}
		})
	}
	wg.Wait()
}

func crashStatement(n int) custody.Statement {
	return inCase(statement(n), fmt.Sprint("case ", n%3))
}

type acknowledged struct {
	index uint64
	hash  string
}

// killed runs a child, kills it after some acknowledgements, and returns them all.
func killed(t *testing.T, dir string, from, after int) map[int]acknowledged {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+dir, childEnv+"_FROM="+strconv.Itoa(from))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	got := map[int]acknowledged{}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var n int
		var a acknowledged
		if _, err := fmt.Sscanf(lines.Text(), "%d %d %s", &n, &a.index, &a.hash); err != nil || len(a.hash) != 64 {
			continue // cut by the kill
		}
		got[n] = a
		if len(got) == after {
			if err := cmd.Process.Kill(); err != nil { // SIGKILL
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait()
	if len(got) < after {
		t.Fatalf("the child ended by itself after %d statements", len(got))
	}
	return got
}

// Killed in mid-append over and over: every acknowledged entry is there, at its index
// and with its hash; what was sent again is the same entry; the log is whole.
func TestNothingAcknowledgedIsLostByKill9(t *testing.T) {
	rounds := 5
	if os.Getenv("ASEPSIS_TEST_SLOW") != "" {
		rounds = 100
	}
	dir := t.TempDir()
	all := map[int]acknowledged{}
	from := 0
	for round := range rounds {
		got := killed(t, dir, from, 40+round*37%160)
		last := from
		for n, a := range got {
			if was, ok := all[n]; ok && was != a {
				t.Fatalf("round %d: statement %d was entry %d, sent again it is entry %d", round, n, was.index, a.index)
			}
			all[n], last = a, max(last, n)
		}
		r, err := OpenReader(dir)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for n, a := range all {
			e, err := r.Entry(a.index)
			if err != nil || e.Hash != a.hash || e.Statement.Predicate.ID != statement(n).Predicate.ID {
				t.Fatalf("round %d: statement %d was acknowledged as entry %d: %+v, %v", round, n, a.index, e, err)
			}
		}
		if report := mustFsck(t, dir); len(report.Problems) > 0 {
			t.Fatalf("round %d: %+v", round, report.Problems)
		}
		from = max(0, last-60) // some are sent again, acknowledged or not
	}
	l := start(t, quick(dir), Deps{})
	size, err := l.Size()
	if err != nil {
		t.Fatal(err)
	}
	mustRecord(t, l, statement(1<<20))
	published(t, l.Reader, size+1)
}

// tiny mounts a file system of a few pages.
func tiny(t *testing.T, bytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		t.Skipf("a small file system cannot be mounted here (%v): a full disk is not tried", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestAFullDiskRefusesAndLosesNothing(t *testing.T) {
	for _, c := range []struct {
		name    string
		reserve int
	}{{"with a reserve", 256 << 10}, {"until the last byte", 0}} {
		t.Run(c.name, func(t *testing.T) {
			disk := tiny(t, 2<<20)
			notices := make(chan Notice, 100)
			conf := quick(filepath.Join(disk, "ledger"))
			conf.Reserve = 0
			if c.reserve > 0 {
				conf.Reserve = 256 << 10
			}
			l := start(t, conf, Deps{Notice: func(n Notice) { notices <- n }})
			var kept []Entry
			var full error
			for n := 0; full == nil; n += 20 {
				var mu sync.Mutex
				var wg sync.WaitGroup
				for i := range 20 {
					wg.Go(func() {
						e, err := l.Record(t.Context(), crashStatement(n+i))
						mu.Lock()
						defer mu.Unlock()
						if err != nil {
							full = err
							return
						}
						kept = append(kept, e)
					})
				}
				wg.Wait()
				if n > 100000 {
					t.Fatal("the disk does not become full")
				}
			}
			if !errors.Is(full, ErrFull) {
				t.Fatalf("the error is %v", full)
			}
			if n := <-notices; n.Rule != "ledger-full" || n.Over {
				t.Errorf("notice %+v", n)
			}
			check := func(what string) {
				t.Helper()
				for _, e := range kept {
					if got, err := l.Entry(e.Index); err != nil || got.Hash != e.Hash {
						t.Fatalf("%s: entry %d: %+v, %v", what, e.Index, got, err)
					}
				}
				if got, err := l.Find(t.Context(), Query{Digest: kept[3].Statement.Subject[0].Digest["sha256"], Limit: 1}); err != nil || len(got) != 1 {
					t.Errorf("%s: %v, %v", what, got, err)
				}
			}
			check("with a full disk")
			if c.reserve > 0 { // there is room to publish what was recorded
				published(t, l.Reader, uint64(len(kept)))
			}
			if err := unix.Mount("tmpfs", disk, "tmpfs", unix.MS_REMOUNT, "size=16777216"); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			for n := range 200 {
				e, err := l.Record(ctx, crashStatement(n))
				if err != nil {
					t.Fatalf("with room again: statement %d: %v", n, err)
				}
				kept = append(kept, e)
			}
			check("with room again")
			eventually(t, "the notice is over", func() bool {
				n := <-notices
				return n.Rule == "ledger-full" && n.Over
			})
			l.stop()
			if r := mustFsck(t, conf.Dir); len(r.Problems) > 0 {
				t.Errorf("%+v", r.Problems)
			}
		})
	}
}

// A log that was cut off on a full disk opens on one: it refuses, reads and proves, and goes on when there is room.
func TestALogOpensOnAFullDisk(t *testing.T) {
	disk := tiny(t, 4<<20)
	conf := quick(filepath.Join(disk, "ledger"))
	conf.Reserve = 256 << 10
	l := start(t, conf, Deps{})
	var kept []Entry
	for n := range 20 {
		e, err := l.Record(t.Context(), crashStatement(n))
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, e)
	}
	published(t, l.Reader, uint64(len(kept)))
	l.stop()
	free, err := freeBytes(disk)
	if err == nil {
		err = os.WriteFile(filepath.Join(disk, "others"), make([]byte, free), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	l = start(t, conf, Deps{})
	for _, e := range kept {
		if got, err := l.Entry(e.Index); err != nil || got.Hash != e.Hash {
			t.Fatalf("entry %d: %+v, %v", e.Index, got, err)
		}
		if _, err := l.Receipt(t.Context(), e.Index, Published); err != nil {
			t.Errorf("entry %d has no receipt: %v", e.Index, err)
		}
	}
	if _, err := l.Record(t.Context(), crashStatement(100)); !errors.Is(err, ErrFull) {
		t.Errorf("on a full disk a statement is answered with %v", err)
	}
	if err := os.Remove(filepath.Join(disk, "others")); err != nil {
		t.Fatal(err)
	}
	if e, err := l.Record(t.Context(), crashStatement(100)); err != nil || e.Index != uint64(len(kept)) {
		t.Errorf("with room again: %+v, %v", e, err)
	}
	l.stop()
	if r := mustFsck(t, conf.Dir); len(r.Problems) > 0 {
		t.Errorf("%+v", r.Problems)
	}
}
