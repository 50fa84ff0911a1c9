// SPDX-License-Identifier: Apache-2.0

//go:build !nopostgres

package open

import (
	"context"
	"log/slog"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/postgres"
)

func shared(ctx context.Context, url string, log *slog.Logger) (store.Store, error) {
	return postgres.Open(ctx, postgres.Config{DSN: url}, postgres.Deps{Log: log})
}
