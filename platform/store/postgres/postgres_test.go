// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/postgres/pgtest"
	"github.com/asepsis/asepsis/platform/store/storetest"
)

// cluster is started once for all tests; nil when there is no PostgreSQL.
var cluster *pgtest.Cluster

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "pg-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		ctx := context.Background()
		cluster, err = pgtest.New(ctx, dir)
		if errors.Is(err, pgtest.ErrAbsent) {
			fmt.Fprintln(os.Stderr, "SKIP: tests against PostgreSQL:", err)
			cluster = nil
			return m.Run()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer cluster.Stop(ctx, "immediate")
		return m.Run()
	}())
}

var databases atomic.Int32

// newDatabase returns the URL of an empty database.
func newDatabase(t testing.TB) string {
	t.Helper()
	if cluster == nil {
		t.Skip("PostgreSQL is not installed")
	}
	name := fmt.Sprintf("d%d", databases.Add(1))
	if err := cluster.CreateDatabase(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	return cluster.DSN(name)
}

func openAt(t testing.TB, dsn string) *DB {
	t.Helper()
	db, err := Open(t.Context(), Config{DSN: dsn}, Deps{Log: slog.New(slog.DiscardHandler), Now: storetest.Clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return openAt(t, newDatabase(t)) },
		func(t *testing.T, s store.Store) store.Store {
			return openAt(t, s.(*DB).pool.Config().ConnString())
		})
}
