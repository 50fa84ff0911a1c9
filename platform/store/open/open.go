// SPDX-License-Identifier: Apache-2.0

// Package open opens the store that the configuration names. Built with the tag
// nopostgres it knows SQLite alone.
package open

import (
	"context"
	"log/slog"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/sqlite"
)

// Store opens PostgreSQL where a URL is configured, and SQLite in dir otherwise.
func Store(ctx context.Context, c store.Config, dir string, log *slog.Logger) (store.Store, error) {
	url, err := c.Resolve()
	if err != nil {
		return nil, err
	}
	if url == "" {
		return sqlite.Open(ctx, sqlite.Config{Dir: dir}, sqlite.Deps{Log: log})
	}
	return shared(ctx, url, log)
}
