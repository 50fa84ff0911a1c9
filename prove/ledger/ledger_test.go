// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/prove/receipt"
)

var noon = time.Date(2027, 3, 31, 12, 0, 0, 0, time.UTC)

// statement is one of a gateway's; n makes it differ.
func statement(n int) custody.Statement {
	s := custody.New(custody.Received, fmt.Sprintf("gw-1/%d", n), noon.Add(time.Duration(n)*time.Second), custody.SHA256("instance", sha256.Sum256(fmt.Append(nil, n))))
	s.Predicate.Actor = custody.Actor{Software: "asepsis/gateway 1.0.0", Device: "dev-gw"}
	s.Predicate.Device = fmt.Sprintf("dev-%d", n%7)
	s.Predicate.Theatre = "or-3"
	s.Predicate.Detail = map[string]any{"protocol": "dicom", "bytes": n}
	return s
}

func inCase(s custody.Statement, name string) custody.Statement {
	s.Predicate.Case = &custody.CaseLink{Case: custody.Commit([]byte(strings.Repeat("s", 32)), name)}
	return s
}

func quick(dir string) Config {
	c := Default()
	c.Dir, c.Origin = dir, "ledger.example/or"
	c.Checkpoint, c.Audit.Every, c.Reserve = 100*time.Millisecond, 100*time.Millisecond, 0
	c.BatchAge, c.WriteAhead = 5*time.Millisecond, 1<<20
	return c
}

// running is a ledger that runs until stop or the end of the test.
type running struct {
	*Ledger
	stop func()
}

func start(t testing.TB, c Config, d Deps) *running {
	t.Helper()
	return startWith(t, c, d, hooks{per: blockEntries})
}

func startWith(t testing.TB, c Config, d Deps, h hooks) *running {
	t.Helper()
	if d.Log == nil && testing.Verbose() {
		d.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	l, err := newLedger(c, d, h)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return &running{l, stop}
}

func mustRecord(t testing.TB, l Recorder, s custody.Statement) Entry {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	e, err := l.Record(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// recordAll records statements from..to-1 from several goroutines.
func recordAll(t testing.TB, l Recorder, from, to int, of func(int) custody.Statement) []Entry {
	t.Helper()
	out := make([]Entry, to-from)
	var wg sync.WaitGroup
	next := from
	var mu sync.Mutex
	for range 64 {
		wg.Go(func() {
			for {
				mu.Lock()
				n := next
				next++
				mu.Unlock()
				if n >= to {
					return
				}
				e, err := l.Record(t.Context(), of(n))
				if err != nil {
					t.Errorf("statement %d: %v", n, err)
					return
				}
				out[n-from] = e
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return out
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func published(t testing.TB, r *Reader, size uint64) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d entries are published", size), func() bool {
		c, err := r.Published()
		return err == nil && c.Size >= size
	})
}

func TestWhatIsRecordedIsFoundAndProven(t *testing.T) {
	l := start(t, quick(t.TempDir()), Deps{})
	const n = 700 // more than two bundles
	entries := recordAll(t, l, 0, n, statement)
	seen := map[uint64]bool{}
	for i, e := range entries {
		if seen[e.Index] || e.Again || e.State != Recorded || e.Statement.Predicate.ID != statement(i).Predicate.ID || e.Recorded.IsZero() {
			t.Fatalf("entry of statement %d: %+v", i, e)
		}
		seen[e.Index] = true
	}
	published(t, l.Reader, n)
	for _, i := range []int{0, 1, 255, 256, 511, 512, n - 1} {
		file, err := l.Receipt(t.Context(), entries[i].Index, Published)
		if err != nil {
			t.Fatal(err)
		}
		r, err := receipt.Verify(file, l.Trust(), receipt.Options{})
		if err != nil {
			t.Fatalf("receipt of statement %d: %v", i, err)
		}
		if r.Index != entries[i].Index || r.Hash != entries[i].Hash || r.Statement.Predicate.ID != statement(i).Predicate.ID {
			t.Errorf("statement %d: %+v", i, r)
		}
		if name, err := r.Match(sha256.Sum256(fmt.Append(nil, i))); err != nil || name != "instance" {
			t.Errorf("statement %d: its file is %q, %v", i, name, err)
		}
	}
	if _, err := l.Receipt(t.Context(), n, Published); !errors.Is(err, ErrNotFound) {
		t.Errorf("receipt of no entry: %v", err)
	}
	if _, err := l.Receipt(t.Context(), 1, Witnessed); !errors.Is(err, ErrNotYet) {
		t.Errorf("witnessed receipt without witnesses: %v", err)
	}
	st, err := l.Status()
	if err != nil || st.Size != n || st.Published.Size != n || st.PerMinute <= 0 || st.Unwitnessed != 0 {
		t.Errorf("status %+v, %v", st, err)
	}
}

func TestQueriesFindEntriesNewestFirst(t *testing.T) {
	dir := t.TempDir()
	l := start(t, quick(dir), Deps{})
	const n = 128
	for i := range n { // one after the other: the order of the log is that of the numbers
		s := statement(i)
		if i%50 == 0 {
			s = inCase(s, "case-1")
		}
		if i == 123 {
			s.Predicate.Theatre = "or-4"
		}
		mustRecord(t, l, s)
	}
	check := func(r interface {
		Find(context.Context, Query) ([]Entry, error)
	}) {
		t.Helper()
		for name, c := range map[string]struct {
			q    Query
			want []int
		}{
			"by artefact":        {Query{Digest: statement(17).Subject[0].Digest["sha256"], Limit: 10}, []int{17}},
			"upper case too":     {Query{Digest: strings.ToUpper(statement(17).Subject[0].Digest["sha256"]), Limit: 10}, []int{17}},
			"by device":          {Query{Device: "dev-3", Limit: 3}, []int{122, 115, 108}},
			"by case":            {Query{Case: inCase(statement(0), "case-1").Predicate.Case.Case, Limit: 100}, []int{100, 50, 0}},
			"further back":       {Query{Case: inCase(statement(0), "case-1").Predicate.Case.Case, Before: 100, Limit: 100}, []int{50, 0}},
			"by theatre":         {Query{Theatre: "or-4", Limit: 100}, []int{123}},
			"by kind":            {Query{Kind: custody.Received, Limit: 2}, []int{127, 126}},
			"of no kind there":   {Query{Kind: custody.Override, Limit: 2}, nil},
			"by time":            {Query{From: noon.Add(10 * time.Second), To: noon.Add(12 * time.Second), Limit: 9}, []int{11, 10}},
			"by device and time": {Query{Device: "dev-3", From: noon.Add(10 * time.Second), To: noon.Add(20 * time.Second), Limit: 9}, []int{17, 10}},
			"everything":         {Query{Limit: 2}, []int{127, 126}},
			"another case":       {Query{Case: custody.Commit(nil, "x"), Limit: 2}, nil},
		} {
			got, err := r.Find(t.Context(), c.q)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			var numbers []int
			for _, e := range got {
				numbers = append(numbers, int(e.Index))
			}
			if fmt.Sprint(numbers) != fmt.Sprint(c.want) {
				t.Errorf("%s: %v, want %v", name, numbers, c.want)
			}
		}
		for name, q := range map[string]Query{"no limit": {}, "too much": {Limit: MaxLimit + 1}, "no hash": {Digest: "x", Limit: 1}, "a case in clear": {Case: "4711", Limit: 1}, "no kind": {Kind: "x", Limit: 1}} {
			if got, err := r.Find(t.Context(), q); err == nil {
				t.Errorf("%s: %v", name, got)
			}
		}
	}
	check(l)
	l.stop()
	r, err := OpenReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	check(r)
}

func TestACaseIsAChain(t *testing.T) {
	dir := t.TempDir()
	l := start(t, quick(dir), Deps{})
	const n = 200
	of := func(i int) custody.Statement { return inCase(statement(i), fmt.Sprint("case ", i%3)) }
	recordAll(t, l, 0, n, of)
	l.stop()
	l = start(t, quick(dir), Deps{}) // a restart goes on with the chain
	recordAll(t, l, n, 2*n, of)
	for c := range 3 {
		got, err := l.Find(t.Context(), Query{Case: of(c).Predicate.Case.Case, Limit: MaxLimit})
		if err != nil {
			t.Fatal(err)
		}
		bySequence := map[uint64]Entry{}
		for _, e := range got {
			bySequence[e.Statement.Predicate.Case.Sequence] = e
		}
		previous := ""
		for i := uint64(1); i <= uint64(len(got)); i++ {
			e, ok := bySequence[i]
			if !ok || e.Statement.Predicate.Case.Previous != previous {
				t.Fatalf("case %d: statement %d of %d: there %v, previous %q, want %q", c, i, len(got), ok, e.Statement.Predicate.Case.Previous, previous)
			}
			previous = e.Hash
		}
		if len(got) < 2*n/3 {
			t.Errorf("case %d has %d statements", c, len(got))
		}
	}
}

func TestTheSameIDIsTheSameEntry(t *testing.T) {
	dir := t.TempDir()
	l := start(t, quick(dir), Deps{})
	s := inCase(statement(1), "case")
	first := mustRecord(t, l, s)
	check := func() {
		t.Helper()
		again := mustRecord(t, l, s)
		if !again.Again || again.Index != first.Index || again.Hash != first.Hash {
			t.Errorf("again %+v, first %+v", again, first)
		}
		other := inCase(statement(1), "case")
		other.Predicate.Detail["bytes"] = 2
		if _, err := l.Record(t.Context(), other); !errors.Is(err, ErrConflict) {
			t.Errorf("other content: %v", err)
		}
	}
	check()
	mustRecord(t, l, statement(2))
	check()
	l.stop()
	l = start(t, quick(dir), Deps{})
	check()
	if n, err := l.Size(); err != nil || n != 2 {
		t.Errorf("%d entries, %v", n, err)
	}
}

func TestManyOfTheSameAtOnceAreOneEntry(t *testing.T) {
	l := start(t, quick(t.TempDir()), Deps{})
	entries := recordAll(t, l, 0, 500, func(i int) custody.Statement { return statement(i % 5) })
	firsts := 0
	for i, e := range entries {
		if !e.Again {
			firsts++
		}
		if e.Hash != entries[i%5].Hash {
			t.Errorf("statement %d is entry %d", i, e.Index)
		}
	}
	if n, err := l.Size(); n != 5 || firsts != 5 || err != nil {
		t.Errorf("%d entries, %d of them first, %v", n, firsts, err)
	}
}

func TestABadStatementIsRefusedAndNothingIsRecorded(t *testing.T) {
	l := start(t, quick(t.TempDir()), Deps{})
	s := statement(1)
	s.Predicate.Detail["patient"] = "x"
	var bad *custody.Invalid
	if _, err := l.Record(t.Context(), s); !errors.As(err, &bad) {
		t.Errorf("error %v", err)
	}
	if n, err := l.Size(); n != 0 || err != nil {
		t.Errorf("%d entries, %v", n, err)
	}
}

func TestALedgerHasOneWriter(t *testing.T) {
	c := quick(t.TempDir())
	l := start(t, c, Deps{})
	mustRecord(t, l, statement(1))
	if _, err := New(c, Deps{}); !errors.Is(err, ErrLocked) {
		t.Errorf("a second writer: %v", err)
	}
	l.stop()
	if _, err := l.Record(t.Context(), statement(2)); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
	start(t, c, Deps{}).stop()
}

func TestTheSigningKeyIsKept(t *testing.T) {
	c := quick(t.TempDir())
	l := start(t, c, Deps{})
	mustRecord(t, l, statement(1))
	l.stop()
	key := filepath.Join(c.Dir, keyFile)
	st, err := os.Stat(key)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the key has mode %v, %v", st.Mode(), err)
	}
	text, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	fails := func(what, want string, c Config) {
		t.Helper()
		if _, err := New(c, Deps{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	other := c
	other.Origin = "ledger.example/another"
	fails("another origin", "the log is ledger.example/or", other)
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	fails("a key that others read", "others may read it", c)
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	fails("no key", "there is a log but no signing key", c)
	if err := os.WriteFile(key, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	fails("no note key", "it is no Ed25519 note key", c)
	if err := os.WriteFile(key, text, 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, c, Deps{}).stop()
}

// Two processes of a site, each with a log of its own.
func TestLogsOfOneSiteAreToldApart(t *testing.T) {
	origins := map[string]bool{}
	for _, process := range []string{"asepsis", "gateway or 3+4", "gateway or 3+4"} { // the last one begun anew
		c := quick(t.TempDir())
		c.Origin = ""
		name := OriginOf("north", process)
		l := start(t, c, Deps{Name: name})
		s, err := l.Status()
		if err != nil || !strings.HasPrefix(s.Origin, name+"/") || origins[s.Origin] {
			t.Errorf("%q, %v", s.Origin, err)
		}
		origins[s.Origin] = true
		if e := mustRecord(t, l, statement(1)); e.Index != 0 {
			t.Errorf("entry %d", e.Index)
		}
		l.stop()
		l = start(t, c, Deps{Name: OriginOf("south", "renamed")}) // a log keeps its origin
		if again, err := l.Status(); err != nil || again.Origin != s.Origin {
			t.Errorf("%q, was %q, %v", again.Origin, s.Origin, err)
		}
	}
	for _, c := range [][3]string{{"", "", "asepsis-ledger/asepsis"}, {"St. Anna", "a/b\n", "St.-Anna/a-b-"}, {strings.Repeat("ü", 99), "x", strings.Repeat("ü", 40) + "/x"}} {
		if got := OriginOf(c[0], c[1]); got != c[2] {
			t.Errorf("%q, want %q", got, c[2])
		}
	}
}
