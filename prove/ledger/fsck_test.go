// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/transparency-dev/merkle/rfc6962"
	tfsck "github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/prove/receipt"
)

// small makes a witnessed log with partial tiles of several widths, and returns its
// directory.
func small(t testing.TB, n int) string {
	t.Helper()
	dir := t.TempDir()
	c, peers := witnessedBy(t, quick(dir), 1, 1)
	l := start(t, c, Deps{})
	if n <= 50 {
		for i := range n { // one after the other: partial tiles of every width
			mustRecord(t, l, inCase(statement(i), "case"))
			integrated(t, l)
		}
	} else {
		recordAll(t, l, 0, n, func(i int) custody.Statement { return inCase(statement(i), "case") })
	}
	witnessed(t, l, uint64(n))
	l.stop()
	peers[0].stop()
	return dir
}

// integrated waits until all that is recorded is in the tree.
func integrated(t testing.TB, l *running) {
	t.Helper()
	eventually(t, "all is in the tree", func() bool {
		s, err := l.Status()
		return err == nil && s.Integrated == s.Size
	})
}

func mustFsck(t testing.TB, dir string) Report {
	t.Helper()
	r, err := Fsck(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAWholeLogIsFoundWhole(t *testing.T) {
	dir := t.TempDir()
	c, _ := witnessedBy(t, quick(dir), 1, 1)
	l := start(t, c, Deps{})
	recordAll(t, l, 0, 1500, func(i int) custody.Statement { return inCase(statement(i), fmt.Sprint(i%4)) })
	witnessed(t, l, 1500)
	if r := mustFsck(t, dir); len(r.Problems) > 0 || r.Size != 1500 || r.Published != 1500 || r.Witnessed != 1500 || r.Cases != 4 {
		t.Errorf("while it runs: %+v", r)
	}
	l.stop()
	if r := mustFsck(t, dir); len(r.Problems) > 0 || len(r.Leftovers) > 0 {
		t.Errorf("%+v", r)
	}
}

// Tessera's own fsck agrees on a log of ours.
func TestTesserasFsckAgrees(t *testing.T) {
	dir := small(t, 300)
	vkey := mustKey(t, dir)
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	// (Of a log that was changed it says nothing: a worker that finds something ends, and
	// the others wait for it.)
	err = tfsck.New(v.Name(), v, tesseraView{openTiles(filepath.Join(dir, logDir))}, func(b []byte) ([][]byte, error) {
		n := 0
		for at := 0; at+2 <= len(b); n++ {
			at += 2 + int(b[at])<<8 + int(b[at+1])
		}
		entries, err := parseBundle(b, n)
		var out [][]byte
		for _, e := range entries {
			out = append(out, rfc6962.DefaultHasher.HashLeaf(e))
		}
		return out, err
	}, tfsck.Opts{N: 1}).Check(t.Context())
	if err != nil {
		t.Errorf("Tessera's fsck: %v", err)
	}
}

type tesseraView struct{ t *tiles }

func (v tesseraView) ReadCheckpoint(context.Context) ([]byte, error) { return v.t.checkpoint() }
func (v tesseraView) ReadTile(ctx context.Context, l, i uint64, p uint8) ([]byte, error) {
	return v.t.tile(ctx, l, i, p)
}
func (v tesseraView) ReadEntryBundle(_ context.Context, i uint64, p uint8) ([]byte, error) {
	return v.t.rawBundle(i, p)
}

func mustKey(t testing.TB, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, keyFile))
	if err != nil {
		t.Fatal(err)
	}
	vkey, err := verifierOf(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return vkey
}

// Every byte of every file of a small log is changed, one after the other, and each
// change is found.
func TestAFlippedBitAnywhereIsFound(t *testing.T) {
	t.Parallel()
	dir := small(t, 4)
	if r := mustFsck(t, dir); len(r.Problems) > 0 || len(r.Leftovers) > 0 {
		t.Fatalf("before: %+v", r)
	}
	var files []string
	err := filepath.WalkDir(filepath.Join(dir, logDir), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, filepath.Join(dir, witnessedFile))
	flips := 0
	for _, file := range files {
		was, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(file, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		for i, b := range was {
			if _, err := f.WriteAt([]byte{b ^ 1<<(i%8)}, int64(i)); err != nil {
				t.Fatal(err)
			}
			flips++
			if r, err := Fsck(t.Context(), dir, nil); err == nil && len(r.Problems) == 0 {
				t.Errorf("%s: bit %d of byte %d of %d was changed, and nothing was found", strings.TrimPrefix(file, dir), i%8, i, len(was))
			}
			if _, err := f.WriteAt([]byte{b}, int64(i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if len(was) > 0 { // and a file that is cut or gone
			for _, n := range []int64{int64(len(was) - 1), 0} {
				if err := os.Truncate(file, n); err != nil {
					t.Fatal(err)
				}
				if r, err := Fsck(t.Context(), dir, nil); err == nil && len(r.Problems) == 0 {
					t.Errorf("%s was cut to %d bytes, and nothing was found", strings.TrimPrefix(file, dir), n)
				}
			}
		}
		if err := os.WriteFile(file, was, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if flips < 5000 {
		t.Errorf("only %d bytes were changed", flips)
	}
	if r := mustFsck(t, dir); len(r.Problems) > 0 {
		t.Errorf("after: %+v", r)
	}
}

func TestAFlippedBitInAReceiptIsFound(t *testing.T) {
	t.Parallel()
	dir := small(t, 5)
	r, err := OpenReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	file, err := r.Receipt(t.Context(), 2, Witnessed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := receipt.Verify(file, r.Trust(), receipt.Options{}); err != nil {
		t.Fatal(err)
	}
	for i := range file {
		for bit := range 8 {
			file[i] ^= 1 << bit
			if _, err := receipt.Verify(file, r.Trust(), receipt.Options{}); err == nil {
				t.Errorf("bit %d of byte %d was changed, and the receipt verifies", bit, i)
			}
			file[i] ^= 1 << bit
		}
	}
}

func TestWhatWasRewrittenWithItsTilesIsFound(t *testing.T) {
	dir := small(t, 20)
	r, err := OpenReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	// Somebody with all rights builds the whole log again with one statement changed, and
	// everything in it agrees but the signatures.
	var bundle [][]byte
	for i := range uint64(20) {
		b, err := r.tiles.entry(i, 20)
		if err != nil {
			t.Fatal(err)
		}
		if i == 7 {
			b = []byte(strings.Replace(string(b), "or-3", "or-4", 1))
		}
		bundle = append(bundle, b)
	}
	forged := t.TempDir()
	b := newBuilder(filepath.Join(forged, logDir))
	if err := b.add("tile/entries/000.p/20", marshalBundle(bundle)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.finish(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"log/checkpoint", witnessedFile, trustFile} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(forged, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	found := fmt.Sprint(mustFsck(t, forged).Problems)
	for _, want := range []string{"log/checkpoint was signed for another content", "witnessed was signed for another content", "entry 8 does not name the statement before it"} {
		if !strings.Contains(strings.NewReplacer("{", "", "}", "").Replace(found), want) {
			t.Errorf("found %s, want %q", found, want)
		}
	}
}

func TestTheSelfAuditFindsAChangeWhileTheLogIsInUse(t *testing.T) {
	notices := make(chan Notice, 16)
	dir := t.TempDir()
	c := quick(dir)
	l := start(t, c, Deps{Notice: func(n Notice) { notices <- n }})
	recordAll(t, l, 0, 600, statement)
	eventually(t, "all is checked", func() bool {
		s, err := l.Status()
		return err == nil && s.Audit.Checked == 600 && s.Audit.Problem == ""
	})
	name := filepath.Join(dir, logDir, "tile/entries/001")
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b[1000] ^= 4
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
	n := <-notices
	if n.Rule != "ledger-inconsistent" || !strings.Contains(n.Detail, "bundle 1") {
		t.Errorf("notice %+v", n)
	}
	l.stop()
	// It is remembered, and said again.
	l = start(t, c, Deps{Notice: func(n Notice) { notices <- n }})
	if n := <-notices; n.Rule != "ledger-inconsistent" {
		t.Errorf("notice %+v", n)
	}
	if s, err := l.Status(); err != nil || s.Audit.Problem == "" {
		t.Errorf("audit %+v, %v", s.Audit, err)
	}
}

func TestALogThatLostEntriesDoesNotStart(t *testing.T) {
	dir := small(t, 5)
	if err := os.WriteFile(filepath.Join(dir, logDir, treeStateFile), []byte(`{"size":2,"root":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}`), 0o644); err != nil {
		t.Fatal(err)
	}
	c := quick(dir)
	if _, err := New(c, Deps{}); err == nil || !strings.Contains(err.Error(), "2 entries are recorded, 5 published") {
		t.Errorf("error %v", err)
	}
}
