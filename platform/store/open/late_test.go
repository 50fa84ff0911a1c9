// SPDX-License-Identifier: Apache-2.0

//go:build !nopostgres

package open

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/postgres/pgtest"
)

func TestDocumentsOfADatabaseThatComesLaterAreThereWhenItIs(t *testing.T) {
	pg, err := pgtest.New(t.Context(), filepath.Join(t.TempDir(), "pg"))
	if errors.Is(err, pgtest.ErrAbsent) {
		t.Skip("PostgreSQL is not installed (Debian package postgresql)")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pg.Stop(context.Background(), "immediate") })
	if err := pg.CreateDatabase(t.Context(), "asepsis"); err != nil {
		t.Fatal(err)
	}
	if err := pg.Stop(t.Context(), "fast"); err != nil {
		t.Fatal(err)
	}
	l, err := Documents(t.Context(), store.Config{URL: pg.DSN("asepsis")}, "", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l.every = 20 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	_, one := l.Document(ctx, "theatre", "or-3")
	_, list := l.DocumentsOf(ctx, "theatre", "", 10)
	_, trail := l.AuditTrail(ctx, store.AuditQuery{Limit: 1})
	write := store.Write{Kind: "theatre", ID: "or-3", Expect: store.AnyRevision, Body: []byte("{}")}
	for what, err := range map[string]error{"a document": one, "a list": list, "the trail": trail, "a write": l.Commit(ctx, []store.Write{write}), "a ping": l.Ping(ctx)} {
		if !errors.Is(err, store.ErrAway) {
			t.Errorf("%s while the database is away: %v", what, err)
		}
	}
	if err := pg.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); l.Ping(ctx) != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the database is there for a minute, and its documents are not")
		}
	}
	if err := l.Commit(ctx, []store.Write{write}); err != nil {
		t.Fatal(err)
	}
	if d, err := l.Document(ctx, "theatre", "or-3"); err != nil || string(d.Body) != "{}" {
		t.Errorf("%+v, %v", d, err)
	}
	cancel()
	if err := errors.Join(<-ended, l.Close()); err != nil {
		t.Error(err)
	}
}

func TestWhatDoesNotMendItselfIsAnErrorAtOnce(t *testing.T) {
	_, err := Documents(t.Context(), store.Config{URL: "mysql://asepsis@127.0.0.1/asepsis"}, "", slog.New(slog.DiscardHandler))
	if err == nil || errors.Is(err, store.ErrAway) || strings.Contains(err.Error(), "not there since") {
		t.Errorf("%v", err)
	}
}
