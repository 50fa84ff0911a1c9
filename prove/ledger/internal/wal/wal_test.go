// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

const id = 4711

func config(dir string) Config { return Config{Dir: dir, ID: id, Slot: MinSlot, Slots: 4} }

func mustOpen(t testing.TB, c Config, from uint64) (*Log, Tail) {
	t.Helper()
	l, tail, err := Open(c, from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l, tail
}

// group makes entries that say which index they are for.
func group(first uint64, n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = fmt.Appendf(nil, "entry %d %s", first+uint64(i), bytes.Repeat([]byte("x"), int(first+uint64(i))%700))
	}
	return out
}

func mustAppend(t testing.TB, l *Log, first uint64, n int) {
	t.Helper()
	if err := l.Append(first, group(first, n)); err != nil {
		t.Fatal(err)
	}
}

// holds says that a tail has exactly the entries [from, to) beyond from.
func holds(t testing.TB, tail Tail, from, to uint64) {
	t.Helper()
	if max(tail.End(), from) != to {
		t.Fatalf("it ends at %d, want %d", tail.End(), to)
	}
	want := group(from, int(to-from))
	for i := from; i < to; i++ {
		if e, ok := tail.Entry(i); !ok || !bytes.Equal(e, want[i-from]) {
			t.Fatalf("entry %d is %q, %v", i, e, ok)
		}
	}
}

func scan(t testing.TB, dir string, from uint64) Tail {
	t.Helper()
	tail, err := Scan(dir, id, from)
	if err != nil {
		t.Fatal(err)
	}
	return tail
}

func TestWhatWasAppendedIsThereAtTheNextOpening(t *testing.T) {
	dir := t.TempDir()
	l, tail := mustOpen(t, config(dir), 100)
	holds(t, tail, 100, 100)
	mustAppend(t, l, 100, 1)
	mustAppend(t, l, 101, 50)
	holds(t, scan(t, dir, 100), 100, 151) // beside the writer
	holds(t, scan(t, dir, 120), 120, 151) // of which a part is elsewhere already
	holds(t, scan(t, dir, 151), 151, 151)
	l.Close()
	l, tail = mustOpen(t, config(dir), 130)
	holds(t, tail, 130, 151)
	mustAppend(t, l, 151, 3)
	l.Close()
	_, tail = mustOpen(t, config(dir), 130)
	holds(t, tail, 130, 154)
}

func TestSlotsAreUsedAgainWhenTheyAreReleasedAndNotBefore(t *testing.T) {
	dir := t.TempDir()
	l, _ := mustOpen(t, config(dir), 0)
	next, released := uint64(0), uint64(0)
	fill := func() {
		for {
			err := l.Append(next, group(next, 40))
			if errors.Is(err, ErrNoRoom) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			next += 40
		}
	}
	for range 30 {
		fill()
		holds(t, scan(t, dir, released), released, next)
		released = next - 100
		if err := l.Release(released); err != nil {
			t.Fatal(err)
		}
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 4 {
		t.Errorf("%v, %v", names, err)
	}
	l.Close()
	l, tail := mustOpen(t, config(dir), released)
	holds(t, tail, released, next)
	// Another size from now on: what is there is kept until it is released.
	l.Close()
	c := config(dir)
	c.Slot, c.Slots = 2*MinSlot, 2
	l, tail = mustOpen(t, c, released)
	holds(t, tail, released, next)
	if err := l.Release(next); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, next, 3)
	if names, err := os.ReadDir(dir); err != nil || len(names) > 2 {
		t.Errorf("%v, %v", names, err)
	}
}

func TestAGroupLargerThanASlotIsCut(t *testing.T) {
	dir := t.TempDir()
	l, _ := mustOpen(t, config(dir), 0)
	var big [][]byte
	for i := range 6 {
		big = append(big, bytes.Repeat([]byte{byte('a' + i)}, 60000))
	}
	if err := l.Append(0, big); err != nil {
		t.Fatal(err)
	}
	tail := scan(t, dir, 0)
	for i, want := range big {
		if e, ok := tail.Entry(uint64(i)); !ok || !bytes.Equal(e, want) {
			t.Errorf("entry %d has %d bytes, %v", i, len(e), ok)
		}
	}
}

// Whatever is cut from the end, as by a crash, what was appended before is there.
func TestAGroupThatWasCutIsNotThere(t *testing.T) {
	dir := t.TempDir()
	l, _ := mustOpen(t, config(dir), 0)
	mustAppend(t, l, 0, 7)
	mustAppend(t, l, 7, 5)
	l.Close()
	file := filepath.Join(dir, slotName(0))
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at := 4096 // where the second group begins
	size := len(appendFrame(nil, id, 1, 7, group(7, 5)))
	for cut := range size {
		torn := bytes.Clone(whole)
		clear(torn[at+cut : at+size])
		if bytes.Equal(torn, whole) {
			continue
		}
		if err := os.WriteFile(file, torn, 0o600); err != nil {
			t.Fatal(err)
		}
		tail := scan(t, dir, 0)
		holds(t, tail, 0, 7)
		if want := cut >= 32; want != (len(tail.Unfinished) == 1) { // the index is known from then on
			t.Fatalf("cut behind %d bytes: unfinished %+v", cut, tail.Unfinished)
		}
	}
	// The ledger goes on behind it, and it is not unfinished any more.
	l, tail := mustOpen(t, config(dir), 0)
	holds(t, tail, 0, 7)
	mustAppend(t, l, 7, 9)
	if tail = scan(t, dir, 0); len(tail.Unfinished) != 0 {
		t.Errorf("%+v", tail.Unfinished)
	}
	holds(t, tail, 0, 16)
}

// Every byte of a group that others follow is changed, one after the other.
func TestAChangedGroupThatOthersFollowIsAGap(t *testing.T) {
	dir := t.TempDir()
	l, _ := mustOpen(t, config(dir), 0)
	mustAppend(t, l, 0, 3)
	mustAppend(t, l, 3, 4)
	mustAppend(t, l, 7, 2)
	l.Close()
	file := filepath.Join(dir, slotName(0))
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at, size := 4096, len(appendFrame(nil, id, 1, 3, group(3, 4)))
	for i := at; i < at+size; i++ {
		b[i] ^= 1 << (i % 8)
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		var gap *GapError
		if _, err := Scan(dir, id, 0); !errors.As(err, &gap) || gap.From != 3 || gap.To != 7 {
			t.Fatalf("byte %d: %v", i-at, err)
		}
		if _, _, err := Open(config(dir), 0); !errors.As(err, &gap) {
			t.Fatalf("byte %d: %v", i-at, err)
		}
		if _, err := Scan(dir, id, 7); err != nil { // those are elsewhere
			t.Fatalf("byte %d: %v", i-at, err)
		}
		b[i] ^= 1 << (i % 8)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	holds(t, scan(t, dir, 9), 9, 9)
}

// A flush that fails leaves something, or nothing; the indexes are given again.
func TestAFailedGroupIsVoidWhenTheNextTakesItsPlace(t *testing.T) {
	dir := t.TempDir()
	c := config(dir)
	fail := false
	c.Sync = func(f *os.File) error {
		if fail {
			return errors.New("the disk fails")
		}
		return f.Sync()
	}
	l, _ := mustOpen(t, c, 0)
	mustAppend(t, l, 0, 10)
	fail = true
	if err := l.Append(10, [][]byte{[]byte("never acknowledged"), []byte("nor this")}); err == nil {
		t.Fatal("no error")
	}
	fail = false
	mustAppend(t, l, 10, 1)
	holds(t, scan(t, dir, 0), 0, 11)
	fail = true
	if err := l.Append(11, [][]byte{[]byte("at the beginning of a slot"), []byte("a")}); err == nil {
		t.Fatal("no error")
	}
	if err := l.Append(11, [][]byte{[]byte("and once more")}); err == nil {
		t.Fatal("no error")
	}
	fail = false
	mustAppend(t, l, 11, 30)
	holds(t, scan(t, dir, 0), 0, 41)
	l.Close()
	l, tail := mustOpen(t, c, 5)
	holds(t, tail, 5, 41)
	mustAppend(t, l, 41, 1)
	holds(t, scan(t, dir, 5), 5, 42)
}

// The disk fails for one flush: what was refused does not come back, whatever happens then.
func TestARefusedGroupIsTakenAway(t *testing.T) {
	p := platter{t.TempDir()}
	c := config(t.TempDir())
	failures := 0
	c.Sync = func(f *os.File) error {
		if failures > 0 {
			failures--
			_ = p.sync(f) // it is on the disk all the same
			return errors.New("the disk fails")
		}
		return p.sync(f)
	}
	l, _ := mustOpen(t, c, 0)
	mustAppend(t, l, 0, 10)
	failures = 1
	if err := l.Append(10, [][]byte{[]byte("refused")}); err == nil {
		t.Fatal("no error")
	}
	holds(t, scan(t, p.copy(t), 0), 0, 10)
	mustAppend(t, l, 10, 2)
	holds(t, scan(t, p.copy(t), 0), 0, 12)
}

// platter is what a power cut leaves: of each file what was flushed last, and nothing since.
type platter struct{ dir string }

func (p platter) sync(f *os.File) error {
	b, err := os.ReadFile(f.Name())
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(p.dir, filepath.Base(f.Name())), b, 0o600)
}

func (p platter) copy(t *testing.T) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(p.dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// A process is killed between writing and flushing; the next one takes up what it finds in
// the file, goes on behind it, and then the power fails.
func TestWhatAKilledProcessDidNotFlushIsFlushedBeforeAnythingFollowsIt(t *testing.T) {
	p := platter{t.TempDir()}
	dir := t.TempDir()
	c := config(dir)
	c.Sync = p.sync
	l, _ := mustOpen(t, c, 0)
	mustAppend(t, l, 0, 3)
	if _, err := l.active.file.WriteAt(appendFrame(nil, id, l.epoch, 3, group(3, 2)), l.at); err != nil {
		t.Fatal(err)
	}
	holds(t, scan(t, p.copy(t), 0), 0, 3)
	l.Close()
	l, tail := mustOpen(t, c, 0)
	holds(t, tail, 0, 5) // written, never acknowledged: it may be there
	mustAppend(t, l, 5, 1)
	holds(t, scan(t, p.copy(t), 0), 0, 6)
}

// The power fails after any of many groups, with slots being used again.
func TestWhatWasAcknowledgedSurvivesAPowerCut(t *testing.T) {
	p := platter{t.TempDir()}
	c := config(t.TempDir())
	c.Sync = p.sync
	l, _ := mustOpen(t, c, 0)
	next, released := uint64(0), uint64(0)
	for n := range 200 {
		err := l.Append(next, group(next, 1+n%60))
		if errors.Is(err, ErrNoRoom) {
			released = next - uint64(n%17)
			if err := l.Release(released); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		next += uint64(1 + n%60)
		if n%9 == 0 {
			holds(t, scan(t, p.copy(t), released), released, next)
		}
	}
	if released == 0 {
		t.Error("no slot was used again")
	}
}

func TestTheLogOfAnotherLedgerIsNotRead(t *testing.T) {
	dir := t.TempDir()
	l, _ := mustOpen(t, config(dir), 0)
	mustAppend(t, l, 0, 10)
	if tail, err := Scan(dir, id+1, 0); err != nil || tail.End() != 0 {
		t.Errorf("%d entries, %v", tail.End(), err)
	}
	if tail, err := Scan(filepath.Join(dir, "none"), id, 0); err != nil || tail.End() != 0 {
		t.Errorf("%d entries, %v", tail.End(), err)
	}
}

func TestACopyIsRead(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, CopyName), Copy(id, 50, group(50, 900)), 0o600); err != nil {
		t.Fatal(err)
	}
	holds(t, scan(t, dir, 50), 50, 950)
	l, tail := mustOpen(t, config(dir), 50)
	holds(t, tail, 50, 950)
	mustAppend(t, l, 950, 5)
	holds(t, scan(t, dir, 50), 50, 955)
	if err := l.Release(950); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, CopyName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the copy is still there: %v", err)
	}
	holds(t, scan(t, dir, 950), 950, 955)
}

// Frames that nobody wrote neither stop the program nor make it allocate.
func FuzzFrames(f *testing.F) {
	good := appendFrame(nil, id, 3, 77, group(77, 4))
	f.Add(good)
	f.Add(append(bytes.Clone(good[:50]), good...))
	f.Add(Copy(id, 1, group(1, 9)))
	f.Fuzz(func(t *testing.T, b []byte) {
		total := 0
		for _, x := range frames(b, id, func(int, uint64, uint32) {}) {
			for _, e := range x.entries {
				total += lengthSize + len(e)
			}
			if x.first > 1<<53 || len(x.entries) == 0 {
				t.Errorf("first %d, %d entries", x.first, len(x.entries))
			}
		}
		if total > len(b) {
			t.Errorf("%d bytes of entries in %d", total, len(b))
		}
	})
}
