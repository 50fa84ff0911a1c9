// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/asepsis/asepsis/platform/store"
)

var errClosed = errors.New("the store is closed")

// state returns the SQLSTATE of an error, "" when it has none.
func state(err error) string {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return pe.Code
	}
	return ""
}

// explain gives an error of PostgreSQL the meaning that the store promises.
func explain(err error) error {
	if err != nil && state(err) == "53100" && !errors.Is(err, store.ErrFull) { // disk_full
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return err
}

// isGone reports that a table was not there: a day was removed.
func isGone(err error) bool { return state(err) == "42P01" }
