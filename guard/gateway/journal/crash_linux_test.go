// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bufio"
	"bytes"
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

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/journal/vaulttest"
	"github.com/asepsis/asepsis/platform/config"
)

// childEnv makes the test binary a process that fills a journal until it is killed.
const childEnv = "ASEPSIS_JOURNAL_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		child(dir, os.Getenv(childEnv+"_FROM"))
		return
	}
	os.Exit(m.Run())
}

// size of the n-th instance: most are small, a few span stretches.
func size(n int) int {
	switch n % 17 {
	case 3:
		return 600<<10 + n
	case 11:
		return 5<<20 + n
	}
	return 1000 + n*37%70000
}

// child seals instances, delivers every third, and says what was acknowledged.
func child(dir, from string) {
	first, err := strconv.Atoi(from)
	if err != nil {
		panic(err)
	}
	j, err := New(small(dir), Deps{})
	if err != nil {
		panic(err)
	}
	if r := j.Recovery(); r.Lost > 0 || r.Missing > 0 {
		panic(fmt.Sprintf("%+v", r))
	}
	go func() { _ = j.Run(context.Background()) }()
	var next atomic.Int64
	next.Store(int64(first) - 1)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				n := int(next.Add(1))
				data := vaulttest.Bytes(n, size(n))
				d, err := j.Create(context.Background())
				if err != nil {
					panic(err)
				}
				if _, err := d.Write(data); err != nil {
					panic(err)
				}
				if n%13 == 5 {
					fmt.Printf("draft %d %d\n", n, d.Number())
					d.Discard()
					continue
				}
				r, err := d.Seal(context.Background(), vaulttest.Record(n, data, "pacs"))
				if err != nil {
					panic(err)
				}
				fmt.Printf("sealed %d %d\n", n, r.Number) // one write(2): whole or not there
				if n%3 == 0 {
					if _, err := j.Change(context.Background(), r.Number, func(r *instance.Record) error { r.Deliveries[0].State = instance.Delivered; return nil }); err != nil {
						panic(err)
					}
					fmt.Printf("delivered %d %d\n", n, r.Number)
				}
			}
		})
	}
	wg.Wait()
}

// said is what a child acknowledged of an instance.
type said struct {
	number    uint64
	sealed    bool
	delivered bool
}

// killed runs a child, kills it after some lines, and returns what it said.
func killed(t *testing.T, dir string, from, after int) map[int]*said {
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
	got := map[int]*said{}
	count := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var what string
		var n int
		var number uint64
		if _, err := fmt.Sscanf(lines.Text(), "%s %d %d", &what, &n, &number); err != nil {
			t.Fatalf("the child says %q", lines.Text())
		}
		s := got[n]
		if s == nil {
			s = &said{number: number}
			got[n] = s
		}
		s.sealed = s.sealed || what == "sealed"
		s.delivered = s.delivered || what == "delivered"
		if count++; count == after {
			if err := cmd.Process.Kill(); err != nil { // SIGKILL
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait()
	if count < after {
		t.Fatalf("the child ended by itself after %d lines", count)
	}
	return got
}

func TestNothingAcknowledgedIsLostByKill9(t *testing.T) {
	rounds := 6
	if os.Getenv("ASEPSIS_TEST_SLOW") != "" {
		rounds = 60
	}
	dir := t.TempDir()
	all, numbers := map[int]*said{}, map[uint64]int{}
	from := 0
	for round := range rounds {
		last := map[int]*said{}
		for n, s := range killed(t, dir, from, 30+round*37%120) {
			if was, ok := numbers[s.number]; ok {
				t.Fatalf("round %d: number %d was given to instances %d and %d", round, s.number, was, n)
			}
			all[n], last[n], numbers[s.number] = s, s, n
			from = max(from, n+20)
		}
		func() {
			j := must(t, small(dir))
			defer j.Close()
			if r := j.Recovery(); r.Lost > 0 || r.Missing > 0 {
				t.Fatalf("round %d: %+v", round, r)
			}
			if round%10 != 9 && round != rounds-1 {
				check(t, j, last)
				return
			}
			check(t, j, all)
			if bad, err := j.Scrub(t.Context(), 0); err != nil || len(bad) > 0 {
				t.Fatalf("round %d: damaged: %v, %v", round, bad, err)
			}
		}()
	}
}

// check compares a journal with what was acknowledged. What was not may be there, but whole.
func check(t *testing.T, j *Journal, all map[int]*said) {
	t.Helper()
	for n, s := range all {
		r, err := j.Get(t.Context(), s.number)
		if !s.sealed {
			continue
		}
		if err != nil || r.SOPInstance != vaulttest.Record(n, nil).SOPInstance {
			t.Fatalf("instance %d was sealed as %d: %+v, %v", n, s.number, r, err)
		}
		if s.delivered && r.Deliveries[0].State != instance.Delivered {
			t.Fatalf("instance %d was delivered and is %q", n, r.Deliveries[0].State)
		}
		if want := vaulttest.Bytes(n, size(n)); !bytes.Equal(vaulttest.Read(t, j, s.number), want) {
			t.Fatalf("instance %d has other bytes", n)
		}
	}
}

// tiny mounts a small file system.
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

// tinyConfig fits into 24 MiB.
func tinyConfig(disk string) Config {
	c := small(filepath.Join(disk, "journal"))
	c.Segment, c.Stop, c.Warn, c.Reserve = 2*config.MiB, 6*config.MiB, 8*config.MiB, 512*config.KiB
	return c
}

func fillUp(t *testing.T, j *Journal, kept map[uint64]int, from int) int {
	t.Helper()
	for n := from; ; n++ {
		data := vaulttest.Bytes(n, 100<<10)
		d, err := j.Create(t.Context())
		if err == nil {
			_, err = d.Write(data)
			if err == nil {
				var r instance.Record
				if r, err = d.Seal(t.Context(), vaulttest.Record(n, data, "pacs")); err == nil {
					kept[r.Number] = n
					continue
				}
			}
			d.Discard()
		}
		if !errors.Is(err, instance.ErrFull) {
			t.Fatalf("instance %d: %v", n, err)
		}
		return n
	}
}

func TestAFullDiskRefusesBeforeItIsFullAndLosesNothing(t *testing.T) {
	disk := tiny(t, 24<<20)
	c := tinyConfig(disk)
	j := must(t, c)
	kept := map[uint64]int{}
	next := fillUp(t, j, kept, 0)
	if len(kept) < 50 {
		t.Fatalf("only %d instances were taken", len(kept))
	}
	j.Tidy(t.Context())
	if d := j.Disk(); d.State != "full" || d.Free < int64(c.Stop) {
		t.Errorf("%+v", d)
	}
	// Somebody else takes the rest of the disk: states go on into the reserve.
	var other []byte
	if free, err := freeBytes(disk); err == nil {
		other = make([]byte, free)
	}
	if err := os.WriteFile(filepath.Join(disk, "other"), other, 0o600); err != nil {
		t.Fatal(err)
	}
	before := j.Counts()
	for range 8 { // enough for the log to grow beyond what is left
		for number := range kept {
			if _, err := j.Change(t.Context(), number, func(r *instance.Record) error { r.Deliveries[0].Attempts++; return nil }); err != nil {
				t.Fatalf("with a full disk: %v", err)
			}
		}
		j.Tidy(t.Context()) // as Run does every second
	}
	if j.Counts() != before {
		t.Errorf("%+v, before %+v", j.Counts(), before)
	}
	for number, n := range kept {
		if !bytes.Equal(vaulttest.Read(t, j, number), vaulttest.Bytes(n, 100<<10)) {
			t.Fatalf("instance %d differs", n)
		}
		vaulttest.Deliver(t, j, number, "pacs")
	}
	if err := os.Remove(filepath.Join(disk, "other")); err != nil {
		t.Fatal(err)
	}
	// What was delivered makes room for what comes.
	j.Tidy(t.Context())
	if d := j.Disk(); d.State == "full" {
		t.Errorf("%+v", d)
	}
	more := map[uint64]int{}
	fillUp(t, j, more, next)
	if len(more) < 50 {
		t.Errorf("only %d instances were taken when there was room again", len(more))
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = must(t, c)
	for number, n := range more {
		if !bytes.Equal(vaulttest.Read(t, j, number), vaulttest.Bytes(n, 100<<10)) {
			t.Fatalf("instance %d differs", n)
		}
	}
	for number := range kept {
		if r, err := j.Get(t.Context(), number); err != nil || r.Deliveries[0].State != instance.Delivered {
			t.Fatalf("%+v, %v", r, err)
		}
	}
}

// A file size limit makes writes fail where the file system would have had room.
func TestAWriteThatFailsIsNotAcknowledged(t *testing.T) {
	dir := t.TempDir()
	j := must(t, small(dir))
	data := vaulttest.Bytes(1, 50<<10)
	kept := vaulttest.Put(t, j, vaulttest.Record(1, data, "pacs"), data)
	j.wal.mu.Lock()
	f := j.wal.files[len(j.wal.files)-1]
	broken, err := os.Open(f.f.Name()) // for reading alone: writing fails
	if err != nil {
		t.Fatal(err)
	}
	f.f, broken = broken, f.f
	j.wal.mu.Unlock()
	defer broken.Close()
	d, err := j.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Write(data); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Seal(t.Context(), vaulttest.Record(2, data, "pacs")); err == nil {
		t.Fatal("acknowledged")
	}
	if _, err := j.Change(t.Context(), kept.Number, func(*instance.Record) error { return nil }); !errors.Is(err, ErrFailed) {
		t.Errorf("after a failed flush: %v", err)
	}
	if err := j.Ready(t.Context()); !errors.Is(err, ErrFailed) {
		t.Errorf("ready: %v", err)
	}
	_ = j.Close()
	j = must(t, small(dir))
	if list, err := j.List(t.Context(), instance.Query{}); err != nil || len(list) != 1 || list[0].Number != kept.Number {
		t.Errorf("%+v, %v", list, err)
	}
}

// A power cut may leave any part of the last group.
func TestWhatAPowerCutLeavesOfTheLastGroupIsSettled(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, j *Journal, last *envelope, at place)
	}{
		{"the record without the bytes", func(t *testing.T, j *Journal, last *envelope, _ place) {
			patch(t, j.segs.path(last.Extents[0].segment), last.Extents[0].off+4096, make([]byte, 4096))
		}},
		{"half of the record", func(t *testing.T, j *Journal, _ *envelope, at place) {
			patch(t, at.file.f.Name(), at.at+at.size/2, make([]byte, at.size/2))
		}},
		{"nothing of the record", func(t *testing.T, j *Journal, _ *envelope, at place) {
			patch(t, at.file.f.Name(), at.at, make([]byte, at.size))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			j := must(t, small(dir))
			data := vaulttest.Bytes(1, 50<<10)
			var kept []instance.Record
			for n := range 5 {
				kept = append(kept, vaulttest.Put(t, j, vaulttest.Record(n, data, "pacs"), data))
			}
			last := kept[4]
			e, err := j.envelope(t.Context(), last.Number)
			if err != nil {
				t.Fatal(err)
			}
			at := j.idx.get(last.Number).at
			crash(j)
			c.damage(t, j, e, at)
			for range 2 { // and again, when nothing was written since
				j = must(t, small(dir))
				if r := j.Recovery(); r.Lost > 0 {
					t.Errorf("%+v", r)
				}
				for _, r := range kept[:4] {
					if !bytes.Equal(vaulttest.Read(t, j, r.Number), data) {
						t.Errorf("instance %d differs", r.Number)
					}
				}
				if _, err := j.Get(t.Context(), last.Number); !errors.Is(err, instance.ErrNotFound) {
					t.Errorf("what was not whole: %v", err)
				}
				crash(j)
			}
			j = must(t, small(dir))
			if r := vaulttest.Put(t, j, vaulttest.Record(9, data, "pacs"), data); r.Number <= last.Number {
				t.Errorf("number %d after %d", r.Number, last.Number)
			}
			crash(j)
			j = must(t, small(dir))
			if list, err := j.List(t.Context(), instance.Query{}); err != nil || len(list) != 5 {
				t.Errorf("%d records, %v", len(list), err)
			}
		})
	}
}

func patch(t *testing.T, path string, at int64, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func flip(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0x10
	patch(t, path, at, b)
}

func TestDamageOfWhatWasAcknowledgedIsFoundAndTold(t *testing.T) {
	dir := t.TempDir()
	j := must(t, small(dir))
	data := vaulttest.Bytes(1, 50<<10)
	var kept []instance.Record
	for n := range 5 {
		kept = append(kept, vaulttest.Put(t, j, vaulttest.Record(n, data, "pacs"), data))
	}
	e, err := j.envelope(t.Context(), kept[1].Number)
	if err != nil {
		t.Fatal(err)
	}
	flip(t, j.segs.path(e.Extents[0].segment), e.Extents[0].off+777)
	if bad, err := j.Scrub(t.Context(), 0); err != nil || len(bad) != 1 || bad[0] != kept[1].Number {
		t.Fatalf("%v, %v", bad, err)
	}
	if _, err := j.Open(t.Context(), kept[1].Number); !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
	if m := j.Matters(time.Now()); len(m) != 1 || m[0].Rule != "gateway.instance-damaged" {
		t.Errorf("%+v", m)
	}
	at := j.idx.get(kept[2].Number).at
	if err := j.Close(); err != nil { // in order: everything is known to be durable
		t.Fatal(err)
	}
	flip(t, at.file.f.Name(), at.at+at.size/2)
	j = must(t, small(dir))
	if r := j.Recovery(); r.Lost != 1 {
		t.Errorf("%+v", r)
	}
	for _, i := range []int{0, 3, 4} {
		if !bytes.Equal(vaulttest.Read(t, j, kept[i].Number), data) {
			t.Errorf("instance %d differs", i)
		}
	}
	if m := j.Matters(time.Now()); len(m) == 0 || m[0].Rule != "gateway.journal-damaged" {
		t.Errorf("%+v", m)
	}
}
