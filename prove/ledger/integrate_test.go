// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/transparency-dev/tessera"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/prove/ledger/internal/wal"
)

// bench is a ledger whose parts a test holds in its hand.
type bench struct {
	*Ledger
	real tessera.AddFn
	end  func()
}

func onBench(t *testing.T) *bench { return onBenchAt(t, t.TempDir(), hooks{per: blockEntries}) }

func onBenchAt(t *testing.T, dir string, h hooks) *bench {
	t.Helper()
	l, err := newLedger(quick(dir), Deps{}, h)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	a, shutdown, err := l.openStorage(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return &bench{l, a.Add, func() {
		if err := errors.Join(shutdown(ctx), l.Close()); err != nil {
			t.Error(err)
		}
		cancel()
	}}
}

// integrate takes all that is recorded into the tree.
func (b *bench) integrate(add tessera.AddFn) {
	ending := make(chan struct{})
	close(ending)
	g := &integrator{l: b.Ledger, add: add, tree: b.tree}
	g.run(ending)
	b.tree = g.tree
}

// record records statements as one group, and returns how they were answered.
func (b *bench) record(t *testing.T, statements ...custody.Statement) []*request {
	t.Helper()
	group := requests(t, statements...)
	b.append(t.Context(), group)
	for _, r := range group {
		<-r.done
	}
	return group
}

func requests(t *testing.T, statements ...custody.Statement) []*request {
	t.Helper()
	out := make([]*request, len(statements))
	for i, s := range statements {
		if err := s.Validate(); err != nil {
			t.Fatal(err)
		}
		out[i] = &request{statement: s, content: s.ContentHash(), done: make(chan struct{})}
		out[i].statement.Predicate.Recorded = noon
		if err := out[i].fill(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// inTree holds that the tree has all that was acknowledged, at the index that was said.
func (b *bench) inTree(t *testing.T, answered ...*request) {
	t.Helper()
	if n := b.Ledger.ahead.len(); n > 0 {
		t.Fatalf("%d entries are not in the tree", n)
	}
	for i, r := range answered {
		if r.err != nil {
			t.Fatalf("statement %d: %v", i, r.err)
		}
		data, err := b.tiles.entry(r.entry.Index, b.size.Load())
		if err != nil || string(data) != string(r.data) {
			t.Errorf("statement %d was acknowledged at index %d: there is %q, %v", i, r.entry.Index, data, err)
		}
	}
}

func TestWhatIsRecordedIsKnownBeforeItIsInTheTree(t *testing.T) {
	b := onBench(t)
	group := b.record(t, inCase(statement(0), "x"), inCase(statement(1), "x"), statement(2))
	if tree, recorded := b.Ledger.ahead.sizes(); tree != 0 || recorded != 3 {
		t.Fatalf("%d in the tree, %d recorded", tree, recorded)
	}
	// By this process, and by another that reads the files.
	other, err := OpenReader(b.cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]*Reader{"here": b.Reader, "elsewhere": other} {
		for i, q := range group {
			e, err := r.Entry(uint64(i))
			if err != nil || e.State != Recorded || e.Hash != q.entry.Hash || e.Leaf != q.entry.Leaf {
				t.Errorf("%s: entry %d: %+v, %v", name, i, e, err)
			}
		}
		if _, err := r.Entry(3); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: entry 3: %v", name, err)
		}
		if found, err := r.Find(t.Context(), Query{Case: group[0].statement.Predicate.Case.Case, Limit: 9}); err != nil || len(found) != 2 {
			t.Errorf("%s: %d of the case, %v", name, len(found), err)
		}
		if _, err := r.Receipt(t.Context(), 1, Published); !errors.Is(err, ErrNotYet) {
			t.Errorf("%s: receipt: %v", name, err)
		}
		if s, err := r.Status(); err != nil || s.Size != 3 || s.Integrated != 0 || s.Published.Size != 0 {
			t.Errorf("%s: status %+v, %v", name, s, err)
		}
	}
	if again := b.record(t, statement(2))[0]; again.err != nil || !again.entry.Again || again.entry.Index != 2 {
		t.Errorf("sent again: %+v, %v", again.entry, again.err)
	}
	if r := mustFsck(t, b.cfg.Dir); len(r.Problems) > 0 || r.Size != 3 || r.Ahead != 3 || r.Cases != 1 {
		t.Errorf("fsck: %+v", r)
	}
	b.integrate(b.real)
	b.inTree(t, group...)
	if _, err := other.Entry(2); err != nil { // whose view of it is older
		t.Error(err)
	}
	if n, err := other.Size(); err != nil || n != 3 {
		t.Errorf("%d entries, %v", n, err)
	}
	b.end()
	if r := mustFsck(t, b.cfg.Dir); len(r.Problems) > 0 || r.Size != 3 || r.Ahead != 0 {
		t.Errorf("fsck: %+v", r)
	}
}

func TestWhatIsRecordedComesIntoTheTreeAtTheNextStart(t *testing.T) {
	dir := t.TempDir()
	b := onBenchAt(t, dir, hooks{per: 4}) // an index with full blocks
	group := b.record(t, inCase(statement(0), "x"), inCase(statement(1), "x"), statement(2), statement(3), statement(4))
	b.end()
	c := quick(dir)
	l := startWith(t, c, Deps{}, hooks{per: 4})
	if e := mustRecord(t, l, statement(3)); !e.Again || e.Index != 3 {
		t.Errorf("sent again: %+v", e)
	}
	next := mustRecord(t, l, inCase(statement(5), "x"))
	if k := next.Statement.Predicate.Case; next.Index != 5 || k.Sequence != 3 || k.Previous != group[1].entry.Hash {
		t.Errorf("the next of the case: %+v", next)
	}
	published(t, l.Reader, 6)
	l.stop()
	if r := mustFsck(t, dir); len(r.Problems) > 0 || r.Size != 6 || r.Published != 6 {
		t.Errorf("%+v", r)
	}
}

// A disk that is full for a moment. The storage cut the batch in two, wrote the end of it and
// not its beginning: the tree is taken back, and no such tree is ever signed.
func TestATreeWithoutTheBeginningOfABatchIsTakenBack(t *testing.T) {
	b := onBench(t)
	first := b.record(t, statement(100), statement(101))
	b.integrate(b.real)
	n := 0
	flaky := func(ctx context.Context, e *tessera.Entry) tessera.IndexFuture {
		if n++; n == 1 || n == 4 { // and once more when it is tried again
			return func() (tessera.Index, error) {
				return tessera.Index{}, fmt.Errorf("write: %v", syscall.ENOSPC) //nolint:errorlint // as the storage does
			}
		}
		return b.real(ctx, e)
	}
	group := b.record(t, inCase(statement(0), "x"), inCase(statement(1), "x"), statement(2))
	b.integrate(flaky)
	b.inTree(t, append(first, group...)...)
	b.end()
	if r := mustFsck(t, b.cfg.Dir); len(r.Problems) > 0 || r.Size != 5 || r.Published != 5 {
		t.Errorf("%+v", r)
	}
}

func TestTheBeginningOfABatchThatWasWrittenIsKept(t *testing.T) {
	b := onBench(t)
	n := 0
	flaky := func(ctx context.Context, e *tessera.Entry) tessera.IndexFuture {
		if n++; n == 3 {
			return func() (tessera.Index, error) { return tessera.Index{}, syscall.EIO }
		}
		return b.real(ctx, e)
	}
	group := b.record(t, statement(0), statement(1), statement(2))
	b.integrate(flaky)
	b.inTree(t, group...)
	if n != 4 {
		t.Errorf("%d entries were given to the storage, want the third twice", n)
	}
	b.end()
	if r := mustFsck(t, b.cfg.Dir); len(r.Problems) > 0 || r.Size != 3 {
		t.Errorf("%+v", r)
	}
}

// A write that was reported as failed and is on disk all the same.
func TestWhatIsInTheTreeCountsWhateverTheWriteSaid(t *testing.T) {
	for _, failure := range []error{syscall.EIO, syscall.ENOSPC} {
		t.Run(failure.Error(), func(t *testing.T) { whateverTheWriteSaid(t, failure) })
	}
}

func whateverTheWriteSaid(t *testing.T, failure error) {
	b := onBench(t)
	liar := func(ctx context.Context, e *tessera.Entry) tessera.IndexFuture {
		f := b.real(ctx, e)
		return func() (tessera.Index, error) {
			if _, err := f(); err != nil {
				return tessera.Index{}, err
			}
			return tessera.Index{}, fmt.Errorf("fsync of the directory: %w", failure)
		}
	}
	group := b.record(t, inCase(statement(0), "x"), inCase(statement(1), "x"))
	b.integrate(liar)
	b.inTree(t, group...)
	next := b.record(t, inCase(statement(2), "x"))
	b.integrate(b.real)
	b.inTree(t, append(group, next...)...)
	b.end()
	if r := mustFsck(t, b.cfg.Dir); len(r.Problems) > 0 || r.Size != 3 {
		t.Errorf("%+v", r)
	}
}

func TestATreeThatDisagreesStopsRecording(t *testing.T) {
	for name, disagrees := range map[string]func(*bench) tessera.AddFn{
		"another index": func(b *bench) tessera.AddFn {
			return func(ctx context.Context, e *tessera.Entry) tessera.IndexFuture {
				f := b.real(ctx, e)
				return func() (tessera.Index, error) {
					i, err := f()
					i.Index++
					return i, err
				}
			}
		},
		"another entry": func(b *bench) tessera.AddFn {
			return func(ctx context.Context, e *tessera.Entry) tessera.IndexFuture {
				return b.real(ctx, tessera.NewEntry([]byte(strings.Replace(string(e.Data()), "or-3", "or-4", 1))))
			}
		},
		"one more entry": func(b *bench) tessera.AddFn {
			return func(ctx context.Context, e *tessera.Entry) tessera.IndexFuture {
				f := b.real(ctx, e)
				_, _ = b.real(ctx, e)()
				return f
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := onBench(t)
			notices := make(chan Notice, 9)
			b.deps.Notice = func(n Notice) { notices <- n }
			group := b.record(t, statement(0))
			b.integrate(disagrees(b))
			if n := <-notices; n.Rule != "ledger-inconsistent" || n.Over {
				t.Errorf("notice %+v", n)
			}
			close(b.running)
			if err := b.Ready(t.Context()); !errors.Is(err, ErrDamaged) {
				t.Errorf("ready: %v", err)
			}
			if next := b.record(t, statement(1))[0]; !errors.Is(next.err, ErrDamaged) {
				t.Errorf("recorded: %+v, %v", next.entry, next.err)
			}
			// What was acknowledged can still be read, and its ID is known.
			if again := b.record(t, statement(0))[0]; again.err != nil || again.entry.Hash != group[0].entry.Hash {
				t.Errorf("sent again: %+v, %v", again.entry, again.err)
			}
			if s, err := b.Status(); err != nil || s.Audit.Problem == "" {
				t.Errorf("status %+v, %v", s, err)
			}
			if name != "another index" { // there the tree itself is right
				if c, err := b.Published(); err != nil || c.Size != 0 {
					t.Errorf("%d entries were published, %v", c.Size, err)
				}
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheGateSignsOnlyTreesOfTheLedger(t *testing.T) {
	b := onBench(t)
	b.record(t, statement(0), statement(1))
	b.integrate(b.real)
	root, err := rootOf(b.tree)
	if err != nil {
		t.Fatal(err)
	}
	text := func(origin string, size int, root [32]byte) []byte {
		return fmt.Appendf(nil, "%s\n%d\n%s\n", origin, size, base64.StdEncoding.EncodeToString(root[:]))
	}
	if _, err := b.gate.Sign(text(b.gate.Name(), 2, root)); err != nil {
		t.Errorf("its own: %v", err)
	}
	other := root
	other[0] ^= 1
	for name, bad := range map[string][]byte{"another root": text(b.gate.Name(), 2, other), "another size": text(b.gate.Name(), 3, root), "another log": text("x", 2, root), "no checkpoint": []byte("x"), "a size that is none": []byte(b.gate.Name() + "\nx\ny\n")} {
		if sig, err := b.gate.Sign(bad); err == nil {
			t.Errorf("%s is signed: %x", name, sig)
		}
	}
	b.end()
	g := newGate(b.key.Signer)
	for i := range uint64(3 * keptRoots) {
		g.allow(10+i, root)
	}
	if len(g.roots) != keptRoots || len(g.order) != keptRoots {
		t.Errorf("%d and %d are kept", len(g.roots), len(g.order))
	}
}

// A flush that fails: the group is refused as a whole, whatever is on disk of it, and the
// next takes its place.
func TestAGroupWhoseFlushFailsIsRefusedAndTheChainGoesOn(t *testing.T) {
	dir := t.TempDir()
	fail := error(nil)
	b := onBenchAt(t, dir, hooks{per: blockEntries, sync: func(f *os.File) error {
		if fail != nil {
			return fail
		}
		return f.Sync()
	}})
	first := b.record(t, inCase(statement(0), "x"))
	for _, fail = range []error{syscall.ENOSPC, syscall.EIO} {
		for _, r := range b.record(t, inCase(statement(1), "x"), inCase(statement(2), "x")) {
			if r.err == nil || errors.Is(r.err, ErrFull) != errors.Is(fail, syscall.ENOSPC) {
				t.Errorf("%v: %+v, %v", fail, r.entry, r.err)
			}
		}
	}
	fail = nil
	next := b.record(t, inCase(statement(2), "x"))
	if c := next[0].entry.Statement.Predicate.Case; next[0].err != nil || next[0].entry.Index != 1 || next[0].entry.Again || c.Sequence != 2 || c.Previous != first[0].entry.Hash {
		t.Errorf("the next of the case: %+v, %v", next[0].entry, next[0].err)
	}
	b.end() // before anything was taken into the tree
	l := start(t, quick(dir), Deps{})
	if e := mustRecord(t, l, inCase(statement(1), "x")); e.Again || e.Index != 2 {
		t.Errorf("refused and sent again: %+v", e)
	}
	published(t, l.Reader, 3)
	l.stop()
	if r := mustFsck(t, dir); len(r.Problems) > 0 || r.Size != 3 {
		t.Errorf("%+v", r)
	}
}

// The tree cannot keep up: writers wait for it, and nothing is lost.
func TestWritersWaitWhenTheWriteAheadLogIsFull(t *testing.T) {
	b := onBench(t)
	const n = 4096
	answered := requests(t, statements(n)...)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; i < n; i += 64 {
			b.append(context.Background(), answered[i:i+64])
		}
	}()
	eventually(t, "every slot is in use", func() bool { return errors.Is(b.wal.Prepare(), wal.ErrNoRoom) })
	for waiting := true; waiting; {
		select {
		case <-done:
			waiting = false
		default:
		}
		b.integrate(b.real)
	}
	var bytes int
	for _, r := range answered {
		<-r.done
		bytes += len(r.data)
	}
	if bytes < int(b.cfg.WriteAhead) {
		t.Fatalf("%d bytes fit into the write-ahead log: nobody had to wait", bytes)
	}
	b.inTree(t, answered...)
	b.end()
	if r := mustFsck(t, b.cfg.Dir); len(r.Problems) > 0 || r.Size != n {
		t.Errorf("%+v", r)
	}
}

func statements(n int) []custody.Statement {
	out := make([]custody.Statement, n)
	for i := range out {
		out[i] = statement(i)
	}
	return out
}

func TestADamagedWriteAheadLogIsFound(t *testing.T) {
	dir := t.TempDir()
	b := onBenchAt(t, dir, hooks{per: blockEntries})
	b.record(t, statement(0))
	b.integrate(b.real)
	b.record(t, statement(1), statement(2))
	b.record(t, statement(3))
	b.end()
	file := filepath.Join(dir, walDir, "00")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// The second group, entries 1 and 2, was acknowledged, and the third follows it.
	from := bytes.Index(whole[4096:], []byte("asxwal")) + 4096
	damaged := bytes.Clone(whole)
	damaged[from+500] ^= 1
	write := func(b []byte) {
		t.Helper()
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(damaged)
	const want = "entries 1 to 2 are missing"
	if r := mustFsck(t, dir); len(r.Problems) != 1 || !strings.Contains(r.Problems[0].What, want) {
		t.Errorf("fsck: %+v", r)
	}
	if _, err := New(quick(dir), Deps{}); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), want) {
		t.Errorf("start: %v", err)
	}
	if _, err := OpenReader(dir); !errors.Is(err, ErrDamaged) {
		t.Errorf("reading: %v", err)
	}
	// Another entry than the tree has.
	forged := bytes.Clone(whole)
	copy(forged[from:], whole[:from]) // the first group in the place of the second: no gap at 0, one at 1
	write(forged)
	if _, err := New(quick(dir), Deps{}); !errors.Is(err, ErrDamaged) {
		t.Errorf("start: %v", err)
	}
	write(whole)
	l := start(t, quick(dir), Deps{})
	if e := mustRecord(t, l, statement(2)); !e.Again || e.Index != 2 {
		t.Errorf("%+v", e)
	}
}
