// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

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
	if away(err) && !errors.Is(err, store.ErrAway) {
		return fmt.Errorf("%w: %w", store.ErrAway, err)
	}
	if err != nil && state(err) == "53100" && !errors.Is(err, store.ErrFull) { // disk_full
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return err
}

// isGone reports that a table was not there: a day was removed.
func isGone(err error) bool { return state(err) == "42P01" }

// away reports that no connection could be made, and that it may succeed later: nobody answers, or the server starts,
// ends (class 57P) or has too many connections (53300). One that refuses a name or password, or whose certificate is
// not trusted, is not away.
func away(err error) bool {
	if _, connecting := errors.AsType[*pgconn.ConnectError](err); !connecting {
		return false
	}
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted {
		return false
	}
	code := state(err)
	return code == "" || code == "53300" || strings.HasPrefix(code, "57P")
}
