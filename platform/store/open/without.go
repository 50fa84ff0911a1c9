// SPDX-License-Identifier: Apache-2.0

//go:build nopostgres

package open

import (
	"context"
	"log/slog"

	"github.com/asepsis/asepsis/platform/store"
)

// errWithout says that this build has no driver.
type errWithout struct{}

func (errWithout) Error() string { return "this program was built without PostgreSQL" }
func (errWithout) Hint() string  { return "make build makes one with it" }

func shared(context.Context, string, *slog.Logger) (store.Store, error) { return nil, errWithout{} }
