// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"

	"github.com/asepsis/asepsis/core/custody"
)

// bench is a ledger whose storage a test holds in its hand.
type bench struct {
	*Ledger
	add tessera.AddFn
	end func()
}

func onBench(t *testing.T) *bench {
	t.Helper()
	l, err := New(quick(t.TempDir()), Deps{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	driver, err := posix.New(ctx, posix.Config{Path: filepath.Join(l.cfg.Dir, logDir)})
	if err != nil {
		t.Fatal(err)
	}
	a, shutdown, _, err := tessera.NewAppender(ctx, driver, tessera.NewAppendOptions().WithCheckpointSigner(l.key.Signer).WithBatching(16, time.Millisecond).
		WithCheckpointInterval(100*time.Millisecond).WithCheckpointRepublishInterval(0))
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

// A disk that is full for a moment: the first of a group is not written, the next of
// the same case is.
func TestAChainIsClosedWhenOnlyItsEndWasWritten(t *testing.T) {
	b := onBench(t)
	n := 0
	flaky := func(ctx context.Context, e *tessera.Entry) tessera.IndexFuture {
		n++
		if n == 1 || n == 4 { // and once more when it is tried again
			return func() (tessera.Index, error) { return tessera.Index{}, syscall.ENOSPC }
		}
		return b.add(ctx, e)
	}
	group := requests(t, inCase(statement(0), "x"), inCase(statement(1), "x"), statement(2))
	b.append(t.Context(), flaky, group)
	for i, r := range group {
		<-r.done
		if r.err != nil || r.entry.Statement.Predicate.ID != statement(i).Predicate.ID {
			t.Errorf("statement %d: %+v, %v", i, r.entry, r.err)
		}
	}
	if c := group[0].entry.Statement.Predicate.Case; c.Sequence != 1 || group[1].entry.Statement.Predicate.Case.Previous != group[0].entry.Hash {
		t.Errorf("the chain is not closed: %+v", c)
	}
	next := requests(t, inCase(statement(3), "x"))
	b.append(t.Context(), b.add, next)
	if c := next[0].entry.Statement.Predicate.Case; next[0].err != nil || c.Sequence != 3 || c.Previous != group[1].entry.Hash {
		t.Errorf("the next of the case: %+v, %v", c, next[0].err)
	}
	b.end()
	if r := mustFsck(t, b.cfg.Dir); len(r.Problems) > 0 || r.Size != 4 {
		t.Errorf("%+v", r)
	}
}

func TestTheEndOfAGroupThatFailsIsRefusedAndTheChainGoesOn(t *testing.T) {
	b := onBench(t)
	n := 0
	flaky := func(ctx context.Context, e *tessera.Entry) tessera.IndexFuture {
		if n++; n > 1 {
			return func() (tessera.Index, error) {
				return tessera.Index{}, fmt.Errorf("write: %v", syscall.ENOSPC) //nolint:errorlint // as the storage does
			}
		}
		return b.add(ctx, e)
	}
	group := requests(t, inCase(statement(0), "x"), inCase(statement(1), "x"))
	b.append(t.Context(), flaky, group)
	if group[0].err != nil || !errors.Is(group[1].err, ErrFull) {
		t.Fatalf("%v, %v", group[0].err, group[1].err)
	}
	again := requests(t, inCase(statement(1), "x"))
	b.append(t.Context(), b.add, again)
	if c := again[0].entry.Statement.Predicate.Case; again[0].err != nil || again[0].entry.Again || c.Sequence != 2 || c.Previous != group[0].entry.Hash {
		t.Errorf("sent again: %+v, %v", again[0].entry, again[0].err)
	}
	b.end()
	if r := mustFsck(t, b.cfg.Dir); len(r.Problems) > 0 {
		t.Errorf("%+v", r.Problems)
	}
}

// A write that was reported as failed and is on disk all the same.
func TestWhatIsOnDiskIsAcknowledgedWhateverTheWriteSaid(t *testing.T) {
	b := onBench(t)
	liar := func(ctx context.Context, e *tessera.Entry) tessera.IndexFuture {
		f := b.add(ctx, e)
		return func() (tessera.Index, error) {
			if _, err := f(); err != nil {
				return tessera.Index{}, err
			}
			return tessera.Index{}, errors.New("fsync of the directory failed")
		}
	}
	group := requests(t, inCase(statement(0), "x"), inCase(statement(1), "x"))
	b.append(t.Context(), liar, group)
	for i, r := range group {
		if r.err != nil || r.entry.Index != uint64(i) {
			t.Errorf("statement %d: %+v, %v", i, r.entry, r.err)
		}
	}
	next := requests(t, inCase(statement(2), "x"))
	b.append(t.Context(), b.add, next)
	if c := next[0].entry.Statement.Predicate.Case; next[0].err != nil || c.Sequence != 3 {
		t.Errorf("the next of the case: %+v, %v", c, next[0].err)
	}
	b.end()
	if r := mustFsck(t, b.cfg.Dir); len(r.Problems) > 0 {
		t.Errorf("%+v", r.Problems)
	}
}

func TestCallersAreToldWhenTooManyWait(t *testing.T) {
	c := quick(t.TempDir())
	c.BatchSize, c.Waiting = 1, 1
	l, err := New(c, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := l.Record(ctx, statement(1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("before it runs: %v", err)
	}
	close(l.running) // it takes requests, and nobody works on them
	l.queue <- requests(t, statement(0))[0]
	if _, err := l.Record(t.Context(), statement(1)); !errors.Is(err, ErrBusy) {
		t.Errorf("error %v", err)
	}
	if err := l.Ready(t.Context()); err != nil {
		t.Errorf("ready: %v", err)
	}
}

func TestABadConfigurationIsRefused(t *testing.T) {
	good := witnessFor(t, "witness.example", logKey(t, quick(t.TempDir()))).config()
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"origin":               {func(c *Config) { c.Origin = "a b" }, "origin"},
		"a batch of nothing":   {func(c *Config) { c.BatchSize = 0 }, "batch_size"},
		"a batch that waits":   {func(c *Config) { c.BatchAge = time.Second }, "batch_age"},
		"nobody waits":         {func(c *Config) { c.Waiting = 1 }, "waiting"},
		"too many checkpoints": {func(c *Config) { c.Checkpoint = time.Millisecond }, "checkpoint_interval"},
		"an alarm at once":     {func(c *Config) { c.Unwitnessed = 0 }, "unwitnessed_alarm"},
		"too many required":    {func(c *Config) { c.Required = 1 }, "required_witnesses"},
		"none required":        {func(c *Config) { c.Witnesses = []WitnessConfig{good} }, "required_witnesses"},
		"a key that is none":   {func(c *Config) { c.Witnesses, c.Required = []WitnessConfig{{Key: "x", URL: "http://x"}}, 1 }, "witnesses"},
		"a URL that is none":   {func(c *Config) { c.Witnesses, c.Required = []WitnessConfig{{Key: good.Key, URL: "x"}}, 1 }, "witnesses"},
		"a TSA that is none":   {func(c *Config) { c.Timestamp.URL = "x" }, "timestamp"},
		"stamps all the time":  {func(c *Config) { c.Timestamp = TimestampConfig{URL: "http://x"} }, "timestamp"},
		"an audit all day":     {func(c *Config) { c.Audit.Every = 0 }, "audit"},
		"fewer than none":      {func(c *Config) { c.Audit.Bundles = -1 }, "audit"},
	} {
		conf := Default()
		c.change(&conf)
		if err := conf.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
	if _, err := New(Default(), Deps{}); err == nil {
		t.Error("a ledger without a directory")
	}
}
