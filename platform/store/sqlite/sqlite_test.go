// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"log/slog"
	"testing"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/storetest"
)

// openIn opens a store for the length of a test.
func openIn(t testing.TB, dir string) *DB {
	t.Helper()
	db, err := Open(t.Context(), Config{Dir: dir}, Deps{Log: slog.New(slog.DiscardHandler), Now: storetest.Clock})
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
	storetest.Run(t, func(t *testing.T) store.Store { return openIn(t, t.TempDir()) },
		func(t *testing.T, s store.Store) store.Store { return openIn(t, s.(*DB).dir) })
}
