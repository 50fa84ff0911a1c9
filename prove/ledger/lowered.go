// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"context"
	"log/slog"
)

// lowered lowers what a library tells of its own work to debug; warnings and errors stay.
type lowered struct{ slog.Handler }

func (q lowered) level(l slog.Level) slog.Level {
	if l >= slog.LevelWarn {
		return l
	}
	return min(l, slog.LevelDebug)
}

func (q lowered) Enabled(ctx context.Context, l slog.Level) bool {
	return q.Handler.Enabled(ctx, q.level(l))
}

func (q lowered) Handle(ctx context.Context, r slog.Record) error {
	r.Level = q.level(r.Level)
	return q.Handler.Handle(ctx, r)
}

func (q lowered) WithAttrs(a []slog.Attr) slog.Handler { return lowered{q.Handler.WithAttrs(a)} }

func (q lowered) WithGroup(name string) slog.Handler { return lowered{q.Handler.WithGroup(name)} }
