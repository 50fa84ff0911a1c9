// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/postgres"
	"github.com/asepsis/asepsis/platform/store/postgres/pgtest"
)

// openPostgres starts a server in a directory of its own.
func openPostgres(ctx context.Context, _ options) (store.Store, func(), error) {
	dir, err := os.MkdirTemp("", "asepsis-bench-pg-")
	if err != nil {
		return nil, nil, err
	}
	clean := func() { _ = os.RemoveAll(dir) }
	c, err := pgtest.New(ctx, dir)
	if err != nil {
		clean()
		return nil, nil, err
	}
	end := func() {
		if err := c.Stop(context.WithoutCancel(ctx), "immediate"); err != nil {
			fmt.Fprintln(os.Stderr, "bench/store:", err)
		}
		clean()
	}
	s, err := postgres.Open(ctx, postgres.Config{DSN: c.DSN("postgres")}, postgres.Deps{Log: slog.Default()})
	if err != nil {
		end()
		return nil, nil, err
	}
	return s, end, nil
}
