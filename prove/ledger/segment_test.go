// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/prove/receipt"
)

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSegmentsAreExportedAndImported(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	c, _ := witnessedBy(t, quick(dir), 1, 1)
	l := start(t, c, Deps{})
	recordAll(t, l, 0, 700, statement)
	witnessed(t, l, 700)
	first, err := Export(t.Context(), dir, out)
	if err != nil || len(first) != 1 || filepath.Base(first[0]) != SegmentName(0, 700) {
		t.Fatalf("%v, %v", first, err)
	}
	st, err := os.Stat(first[0])
	if err != nil || st.Mode().Perm() != 0o444 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if again, err := Export(t.Context(), dir, out); err != nil || len(again) != 0 {
		t.Errorf("exported again: %v, %v", again, err)
	}
	recordAll(t, l, 700, 900, statement)
	witnessed(t, l, 900)
	second, err := Export(t.Context(), dir, out)
	if err != nil || len(second) != 1 {
		t.Fatalf("%v, %v", second, err)
	}
	l.stop()
	trust := readFile(t, filepath.Join(dir, trustFile))
	back := filepath.Join(t.TempDir(), "back")
	cp, err := Import(t.Context(), slices.Concat(first, second), trust, back)
	if err != nil || cp.Size != 900 {
		t.Fatalf("size %d, %v", cp.Size, err)
	}
	if r := mustFsck(t, back); len(r.Problems) > 0 || r.Size != 900 || r.Witnessed != 900 {
		t.Errorf("imported: %+v", r)
	}
	r, err := OpenReader(back)
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Find(t.Context(), Query{Digest: statement(850).Subject[0].Digest["sha256"], Limit: 5})
	if err != nil || len(got) != 1 {
		t.Fatalf("found %v, %v", got, err)
	}
	file, err := r.Receipt(t.Context(), got[0].Index, Witnessed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := receipt.Verify(file, r.Trust(), receipt.Options{}); err != nil {
		t.Error(err)
	}
	if _, err := Import(t.Context(), second, trust, back); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("into a directory in use: %v", err)
	}
	older := filepath.Join(t.TempDir(), "older") // evidence of an earlier day stays whole
	if cp, err := Import(t.Context(), first, trust, older); err != nil || cp.Size != 700 {
		t.Errorf("size %d, %v", cp.Size, err)
	}
}

func TestSegmentsOfALongLogFollowEachOther(t *testing.T) {
	const per = 1024 // entries of a segment, and of a block of the index
	dir, out := t.TempDir(), t.TempDir()
	l := startWith(t, quick(dir), Deps{}, hooks{per: per})
	const n = per + 300
	recordAll(t, l, 0, n, statement)
	published(t, l.Reader, n)
	l.stop()
	files, err := export(t.Context(), dir, out, per)
	if err != nil || len(files) != 2 {
		t.Fatalf("%v, %v", files, err)
	}
	trust, err := receipt.ParseTrust(readFile(t, filepath.Join(dir, trustFile)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files { // each proves itself without the other
		if s, c, _, err := ReadSegment(f, trust, nil); err != nil || c.Size != n || s.Origin != "ledger.example/or" {
			t.Errorf("%s: %+v, %v", filepath.Base(f), c, err)
		}
	}
	back := filepath.Join(t.TempDir(), "back")
	if _, err := Import(t.Context(), files[1:], readFile(t, filepath.Join(dir, trustFile)), back); err == nil || !strings.Contains(err.Error(), "no segment begins at entry 0") {
		t.Errorf("half of it: %v", err)
	}
	// The index: a full block is a file, and what it has is found as before.
	if _, err := os.Stat(filepath.Join(dir, indexDir, blockName(0))); err != nil {
		t.Error(err)
	}
	find := func(l *running) {
		t.Helper()
		for _, i := range []int{0, 3, 400, per - 1, per, n - 1} {
			got, err := l.Find(t.Context(), Query{Digest: statement(i).Subject[0].Digest["sha256"], Limit: 5})
			if err != nil || len(got) != 1 || got[0].Statement.Predicate.ID != statement(i).Predicate.ID {
				t.Errorf("statement %d: %v, %v", i, got, err)
			}
			if e := mustRecord(t, l, statement(i)); !e.Again {
				t.Errorf("statement %d was recorded twice", i)
			}
		}
	}
	l = startWith(t, quick(dir), Deps{}, hooks{per: per})
	find(l)
	got, err := l.Find(t.Context(), Query{Device: "dev-3", Limit: 100})
	if err != nil || len(got) != 100 || got[0].Index < per || got[99].Index >= per {
		t.Errorf("%d entries of a device, %v", len(got), err)
	}
	l.stop()
	// A damaged block is made again.
	name := filepath.Join(dir, indexDir, blockName(0))
	b := readFile(t, name)
	b[len(b)/2] ^= 1
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	l = startWith(t, quick(dir), Deps{}, hooks{per: per})
	l.index.wait.Wait() // the file is written again
	find(l)
}

func TestAChangedSegmentIsRefused(t *testing.T) {
	dir, out := small(t, 20), t.TempDir()
	files, err := Export(t.Context(), dir, out)
	if err != nil {
		t.Fatal(err)
	}
	trust, err := receipt.ParseTrust(readFile(t, filepath.Join(dir, trustFile)))
	if err != nil {
		t.Fatal(err)
	}
	was := readFile(t, files[0])
	name := filepath.Join(t.TempDir(), "changed.tar")
	for _, change := range []struct {
		name string
		do   func([]byte) []byte
	}{
		{"an entry", func(b []byte) []byte { return []byte(strings.Replace(string(b), "or-3", "or-4", 1)) }},
		{"the checkpoint's size", func(b []byte) []byte { return []byte(strings.Replace(string(b), "\n20\n", "\n21\n", 1)) }},
		{"the manifest's range", func(b []byte) []byte { return []byte(strings.Replace(string(b), `"to": 20`, `"to": 19`, 1)) }},
		{"cut in the middle", func(b []byte) []byte { return b[:len(b)/2] }},
		{"nothing", func([]byte) []byte { return nil }},
		{"no archive", func([]byte) []byte { return []byte(strings.Repeat("x", 2000)) }},
	} {
		b := change.do(slices.Clone(was))
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := ReadSegment(name, trust, func(string, []byte) error { t.Errorf("%s: something was given", change.name); return nil }); err == nil {
			t.Errorf("%s was changed, and nothing was found", change.name)
		}
	}
}

func TestABackupIsMadeWhileTheLedgerIsWritten(t *testing.T) {
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "backup")
	c := quick(dir)
	l := start(t, c, Deps{})
	recordAll(t, l, 0, 600, statement)
	published(t, l.Reader, 600)
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 1000; ; i++ {
			select {
			case <-stop:
				return
			default:
				mustRecord(t, l, statement(i))
			}
		}
	}()
	for range 3 { // again into the same: what is there is kept
		recorded, err := l.Size() // before the backup began: in the tree or in the write-ahead log
		if err != nil {
			t.Fatal(err)
		}
		cp, err := Backup(t.Context(), dir, to, BackupOptions{Secrets: true})
		if err != nil || cp.Size < 600 {
			t.Fatalf("size %d, %v", cp.Size, err)
		}
		r := mustFsck(t, to)
		if len(r.Problems) > 0 || r.Published != cp.Size || r.Size < recorded || r.Size != cp.Size+r.Ahead {
			t.Errorf("backup of %d entries: %+v", recorded, r)
		}
	}
	close(stop)
	<-done
	l.stop()
	c.Dir = to
	restored := start(t, c, Deps{}) // a backup with secrets is a ledger
	if e := mustRecord(t, restored, statement(3)); !e.Again {
		t.Errorf("%+v", e)
	}
	mustRecord(t, restored, statement(100000))
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Backup(t.Context(), dir, other, BackupOptions{}); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("into a directory in use: %v", err)
	}
}
