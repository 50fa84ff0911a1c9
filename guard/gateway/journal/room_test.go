// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/journal/vaulttest"
	"github.com/asepsis/asepsis/platform/config"
)

// clock is a clock that a test turns.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) turn(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func timed(t *testing.T, c Config) (*Journal, *clock) {
	t.Helper()
	k := &clock{t: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)}
	j, err := New(c, Deps{Now: k.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j, k
}

func files(t *testing.T, dir string) int {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestRoomIsGivenBackWhenNothingIsAwaitedAndItsTimeIsOver(t *testing.T) {
	c := small(t.TempDir())
	c.Segment, c.Retention = 1*config.MiB, time.Hour
	j, k := timed(t, c)
	var all []instance.Record
	for n := range 60 {
		data := vaulttest.Bytes(n, 100<<10)
		all = append(all, vaulttest.Put(t, j, vaulttest.Record(n, data, "pacs"), data))
	}
	segments := files(t, j.segs.dir)
	if segments < 6 {
		t.Fatalf("%d segments", segments)
	}
	k.turn(48 * time.Hour)
	j.Tidy(t.Context())
	for n, r := range all { // all wait: nothing goes, however old
		if !bytes.Equal(vaulttest.Read(t, j, r.Number), vaulttest.Bytes(n, 100<<10)) {
			t.Fatal("an instance that waits is gone")
		}
	}
	for _, r := range all {
		vaulttest.Deliver(t, j, r.Number, "pacs")
	}
	j.pay(t.Context())
	if n := j.Counts(); n.Records != 0 || n.Bytes != 0 {
		t.Errorf("%+v", n)
	}
	k.turn(30 * time.Minute)
	j.Tidy(t.Context())
	for n, r := range all { // within the retention they can still be read
		if !bytes.Equal(vaulttest.Read(t, j, r.Number), vaulttest.Bytes(n, 100<<10)) {
			t.Fatal("an instance within its retention differs")
		}
	}
	k.turn(31 * time.Minute)
	reader, err := j.Open(t.Context(), all[0].Number)
	if err != nil {
		t.Fatal(err)
	}
	j.Tidy(t.Context())
	if got := make([]byte, 100); true {
		if _, err := reader.ReadAt(got, 0); err != nil || !bytes.Equal(got, vaulttest.Bytes(0, 100<<10)[:100]) {
			t.Errorf("a reader lost its bytes: %v", err)
		}
	}
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	j.Tidy(t.Context())
	if total, _ := j.segs.used(); total != int64(c.Segment) || files(t, j.segs.dir) > 1+keptSpares {
		t.Errorf("%d bytes in %d files are left", total, files(t, j.segs.dir))
	}
	if _, err := j.Open(t.Context(), all[3].Number); !errors.Is(err, instance.ErrNotFound) {
		t.Errorf("bytes that were given up: %v", err)
	}
	if r, err := j.Get(t.Context(), all[3].Number); err != nil || r.Deliveries[0].State != instance.Delivered {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestDeliveredInstancesGoBeforeTheirTimeWhenTheyAreTooMany(t *testing.T) {
	c := small(t.TempDir())
	c.Segment, c.Retain = 1*config.MiB, 2*config.MiB
	j, _ := timed(t, c)
	for n := range 60 {
		data := vaulttest.Bytes(n, 100<<10)
		vaulttest.Deliver(t, j, vaulttest.Put(t, j, vaulttest.Record(n, data, "pacs"), data).Number, "pacs")
	}
	j.Tidy(t.Context())
	if total, idle := j.segs.used(); idle > 2<<20 || total > 3<<20 {
		t.Errorf("%d bytes are kept, %d of them for nothing", total, idle)
	}
}

func TestAnInstanceThatIsStuckDoesNotKeepItsSegment(t *testing.T) {
	c := small(t.TempDir())
	c.Segment, c.Retention = 1*config.MiB, time.Hour
	j, k := timed(t, c)
	var stuck []instance.Record
	for n := range 60 {
		data := vaulttest.Bytes(n, 100<<10)
		r := vaulttest.Put(t, j, vaulttest.Record(n, data, "pacs"), data)
		if n%20 == 4 {
			stuck = append(stuck, r)
			continue
		}
		vaulttest.Deliver(t, j, r.Number, "pacs")
	}
	k.turn(2 * time.Hour)
	j.Tidy(t.Context())
	j.Tidy(t.Context())
	if total, _ := j.segs.used(); total > 2<<20 {
		t.Errorf("%d bytes are kept for %d instances", total, len(stuck))
	}
	for range 2 {
		for i, r := range stuck {
			if !bytes.Equal(vaulttest.Read(t, j, r.Number), vaulttest.Bytes(4+20*i, 100<<10)) {
				t.Errorf("instance %d differs", r.Number)
			}
			if again, err := j.Get(t.Context(), r.Number); err != nil || again.Revision != 1 {
				t.Errorf("%+v, %v", again, err)
			}
		}
		crash(j)
		j = must(t, c)
	}
}

func TestDestroyedBytesAreNotOnTheDiskAnyMore(t *testing.T) {
	c := small(t.TempDir())
	j := must(t, c)
	data := bytes.Repeat([]byte("what nobody may see any more. "), 3000)
	rec := vaulttest.Record(1, data)
	rec.State = instance.Quarantined
	r := vaulttest.Put(t, j, rec, data)
	e, err := j.envelope(t.Context(), r.Number)
	if err != nil {
		t.Fatal(err)
	}
	path := j.segs.path(e.Extents[0].segment)
	onDisk := func() bool {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(b, []byte("nobody may see"))
	}
	if !onDisk() {
		t.Fatal("the test looks at the wrong place")
	}
	reader, err := j.Open(t.Context(), r.Number)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Change(t.Context(), r.Number, func(r *instance.Record) error { r.State = instance.Destroyed; return nil }); err != nil {
		t.Fatal(err)
	}
	if !onDisk() {
		t.Error("a reader lost what it reads")
	}
	// The journal ends before the reader does.
	crash(j)
	_ = running(t, c)
	eventually(t, "the bytes are erased when the journal is opened again", func() bool { return !onDisk() })
	_ = reader
}

func TestTheLogIsShortenedAndSaysTheSame(t *testing.T) {
	c := small(t.TempDir())
	j := must(t, c)
	want := map[uint64]int{}
	for n := range 200 {
		data := vaulttest.Bytes(n, 2000)
		r := vaulttest.Put(t, j, vaulttest.Record(n, data, "pacs"), data)
		want[r.Number] = 0
	}
	for range 30 {
		var wg sync.WaitGroup
		for number := range want {
			want[number]++
			wg.Go(func() {
				if _, err := j.Change(t.Context(), number, func(r *instance.Record) error { r.Deliveries[0].Attempts++; return nil }); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		j.Tidy(t.Context())
	}
	total, live, n := j.wal.sizes()
	if total > 2*int64(c.Log) || live <= 0 || live > total {
		t.Errorf("the log has %d bytes in %d files, %d of them count", total, n, live)
	}
	for range 2 {
		for number, attempts := range want {
			if r, err := j.Get(t.Context(), number); err != nil || r.Deliveries[0].Attempts != attempts || r.Revision != uint64(attempts)+1 {
				t.Fatalf("%+v, %v", r, err)
			}
		}
		crash(j)
		j = must(t, c)
	}
	again, liveAgain, _ := j.wal.sizes()
	if liveAgain != live || again < live {
		t.Errorf("%d bytes count, and %d did", liveAgain, live)
	}
}

func TestRecordsSurviveInTheHistory(t *testing.T) {
	c := small(t.TempDir())
	j := must(t, c)
	var all []instance.Record
	for n := range 300 {
		data := vaulttest.Bytes(n, 500)
		r := vaulttest.Put(t, j, vaulttest.Record(n, data, "pacs"), data)
		all = append(all, vaulttest.Deliver(t, j, r.Number, "pacs"))
	}
	j.pay(t.Context())
	if n := j.Counts(); n.Records != 0 {
		t.Fatalf("%+v", n)
	}
	// What was finished comes back, and goes again.
	if _, err := j.Change(t.Context(), all[7].Number, func(r *instance.Record) error { r.Deliveries[0].State = instance.Waiting; return nil }); err != nil {
		t.Fatal(err)
	}
	if list, err := j.List(t.Context(), instance.Query{Delivery: instance.Waiting}); err != nil || len(list) != 1 || list[0].Number != all[7].Number {
		t.Fatalf("%+v, %v", list, err)
	}
	if list, err := j.List(t.Context(), instance.Query{Delivery: instance.Delivered, Limit: 1000}); err != nil || len(list) != 299 {
		t.Fatalf("%d, %v", len(list), err)
	}
	crash(j)
	j = must(t, c)
	if err := j.hist.fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !j.hist.filter.mayHave("1.2.3.5") || j.hist.filter.mayHave("1.2.3.5000") {
		t.Error("the filter does not know what is there")
	}
	for _, r := range all {
		got, err := j.BySOP(t.Context(), r.SOPInstance)
		if err != nil || len(got) != 1 || got[0].Number != r.Number {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if !bytes.Equal(vaulttest.Read(t, j, all[7].Number), vaulttest.Bytes(7, 500)) {
		t.Error("its bytes differ")
	}
}

func TestADamagedHistoryIsSetAside(t *testing.T) {
	c := small(t.TempDir())
	j := must(t, c)
	data := vaulttest.Bytes(1, 500)
	waits := vaulttest.Put(t, j, vaulttest.Record(1, data, "pacs"), data)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.Dir, "history.db"), bytes.Repeat([]byte("no database "), 5000), 0o600); err != nil {
		t.Fatal(err)
	}
	j = must(t, c)
	if r, err := j.Get(t.Context(), waits.Number); err != nil || r.State != instance.Accepted {
		t.Errorf("%+v, %v", r, err)
	}
	if list, err := j.List(t.Context(), instance.Query{}); err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	if m := j.Matters(time.Now()); len(m) != 1 || m[0].Rule != "gateway.history-damaged" {
		t.Errorf("%+v", m)
	}
}

func TestOneProcessHasAJournal(t *testing.T) {
	c := small(t.TempDir())
	j := must(t, c)
	if _, err := New(c, Deps{}); !errors.Is(err, ErrInUse) {
		t.Errorf("%v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	_ = must(t, c)
}

func TestANewerFormatIsRefused(t *testing.T) {
	c := small(t.TempDir())
	if err := must(t, c).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.Dir, "journal.json"), []byte(`{"format":"asepsis-journal","version":2,"segment":1048576}`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := New(c, Deps{})
	var h interface{ Hint() string }
	if !errors.Is(err, ErrNewer) || !errors.As(err, &h) || h.Hint() == "" {
		t.Errorf("%v", err)
	}
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	c := small(filepath.Join(t.TempDir(), "journal"))
	j := must(t, c)
	data := vaulttest.Bytes(1, 500)
	vaulttest.Deliver(t, j, vaulttest.Put(t, j, vaulttest.Record(1, data, "pacs"), data).Number, "pacs")
	j.pay(t.Context())
	err := filepath.WalkDir(c.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		if want := map[bool]os.FileMode{true: 0o700, false: 0o600}[d.IsDir()]; st.Mode().Perm() != want {
			t.Errorf("%s: %v", path, st.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestEightAtOnceShareFlushes(t *testing.T) {
	j := running(t, small(t.TempDir()))
	var mu sync.Mutex
	all := map[uint64]int{}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 50 {
				n := 1000*w + i
				data := vaulttest.Bytes(n, 30000+n)
				r := vaulttest.Put(t, j, vaulttest.Record(n, data, "pacs"), data)
				mu.Lock()
				all[r.Number] = n
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(all) != 400 {
		t.Fatalf("%d numbers for 400 instances", len(all))
	}
	for number, n := range all {
		if !bytes.Equal(vaulttest.Read(t, j, number), vaulttest.Bytes(n, 30000+n)) {
			t.Errorf("instance %d differs", n)
		}
	}
	j.wal.mu.Lock()
	defer j.wal.mu.Unlock()
	if j.wal.frames < 400 || j.wal.groups >= j.wal.frames {
		t.Errorf("%d frames in %d flushes", j.wal.frames, j.wal.groups)
	}
}

func TestConfig(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
	if u := config.Undocumented(Default()); len(u) > 0 {
		t.Errorf("%v", u)
	}
	for i, f := range []func(*Config){
		func(c *Config) { c.Segment = 100 }, func(c *Config) { c.Segment = 8 * config.GiB }, func(c *Config) { c.Retention = -1 }, func(c *Config) { c.Retain = -1 },
		func(c *Config) { c.Warn = c.Stop - 1 }, func(c *Config) { c.Stop = -1 }, func(c *Config) { c.Reserve = -1 }, func(c *Config) { c.Log = 5 },
		func(c *Config) { c.History = time.Minute }, func(c *Config) { c.Scrub = -1 }, func(c *Config) { c.Originals = -1 },
	} {
		c := Default()
		f(&c)
		if err := c.Validate(); err == nil {
			t.Errorf("case %d was accepted", i)
		}
	}
}

// What is being received is not held, however large it is.
func TestALargeInstanceTakesNoMemory(t *testing.T) {
	j := must(t, small(t.TempDir()))
	piece := vaulttest.Bytes(1, 1<<20)
	sum := sha256.New()
	const pieces = 192
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	d, err := j.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range pieces {
		sum.Write(piece)
		if _, err := d.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	r, err := d.Seal(t.Context(), instance.Record{State: instance.Accepted, DataSet: hex.EncodeToString(sum.Sum(nil))})
	if err != nil {
		t.Fatal(err)
	}
	if same, err := j.same(t.Context(), mustEnvelope(t, j, r.Number)); err != nil || !same {
		t.Fatalf("%v, %v", same, err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
		t.Errorf("%d bytes were allocated for an instance of %d MiB", n, pieces)
	}
}

func mustEnvelope(t *testing.T, j *Journal, number uint64) *envelope {
	t.Helper()
	e, err := j.envelope(t.Context(), number)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// BenchmarkFlush is what the disk gives: writing over a file and fdatasync, by one.
func BenchmarkFlush(b *testing.B) {
	for _, size := range []int{39 << 10, 530 << 10} {
		b.Run(fmt.Sprintf("%dkB", size>>10), func(b *testing.B) {
			f, err := os.Create(filepath.Join(b.TempDir(), "file"))
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			const room = 64 << 20
			if err := wipe(f, 0, room); err != nil {
				b.Fatal(err)
			}
			data := vaulttest.Bytes(1, size)
			b.SetBytes(int64(size))
			at := int64(0)
			for b.Loop() {
				if at += pages(int64(size)); at+int64(size) > room {
					at = 0
				}
				if _, err := f.WriteAt(data, at); err != nil {
					b.Fatal(err)
				}
				if err := flush(f); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "flushes/s")
		})
	}
}

func BenchmarkSeal(b *testing.B) {
	for _, size := range []int{39 << 10, 530 << 10} {
		for _, writers := range []int{1, 8} {
			b.Run(fmt.Sprintf("%dkB/%d", size>>10, writers), func(b *testing.B) {
				c := Default()
				c.Dir, c.Warn, c.Stop, c.Retain = b.TempDir(), 0, 0, 1*config.GiB
				j := running(b, c)
				data := vaulttest.Bytes(1, size)
				rec := vaulttest.Record(1, data)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				work := make(chan int)
				var wg sync.WaitGroup
				for range writers {
					wg.Go(func() {
						for range work {
							vaulttest.Put(b, j, rec, data)
						}
					})
				}
				for b.Loop() {
					work <- 1
				}
				close(work)
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "seals/s")
			})
		}
	}
}
