// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"log/slog"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/journal/vaulttest"
	"github.com/asepsis/asepsis/platform/config"
)

// small is a configuration of a journal that meets its limits soon.
func small(dir string) Config {
	c := Default()
	c.Dir, c.Segment, c.Log, c.Reserve = dir, 16*config.MiB, minLog, 64*config.KiB
	c.Warn, c.Stop, c.Scrub = 0, 0, 0
	return c
}

func must(t testing.TB, c Config) *Journal {
	t.Helper()
	j, err := New(c, Deps{Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// running opens a journal and runs it.
func running(t testing.TB, c Config) *Journal {
	t.Helper()
	j := must(t, c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- j.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return j
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	gatewaytest.Until(t, what, ok)
}

func TestAJournalIsAVault(t *testing.T) {
	t.Run("that nobody looks after", func(t *testing.T) {
		vaulttest.Run(t, func(t *testing.T) instance.Vault { return must(t, small(t.TempDir())) })
	})
	t.Run("while it is looked after", func(t *testing.T) {
		vaulttest.Run(t, func(t *testing.T) instance.Vault { return running(t, small(t.TempDir())) })
	})
	t.Run("whose finished records are in the history at once", func(t *testing.T) {
		vaulttest.Run(t, func(t *testing.T) instance.Vault { return &eager{must(t, small(t.TempDir()))} })
	})
}

// eager writes what is owed to the history before every list.
type eager struct{ *Journal }

func (e *eager) List(ctx context.Context, q instance.Query) ([]instance.Record, error) {
	e.pay(ctx)
	return e.Journal.List(ctx, q)
}

func (e *eager) BySOP(ctx context.Context, uid string) ([]instance.Record, error) {
	e.pay(ctx)
	return e.Journal.BySOP(ctx, uid)
}

func (e *eager) Get(ctx context.Context, n uint64) (instance.Record, error) {
	e.pay(ctx)
	return e.Journal.Get(ctx, n)
}

// crash ends a journal as a kill does: nothing is written any more.
func crash(j *Journal) {
	_, _ = j.drafts.shut()
	j.closed.Store(true)
	j.release()
}
