// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package ledger

import (
	"context"
	"net/http"

	"github.com/transparency-dev/tessera"
)

var full []error

func freeBytes(string) (uint64, error) { return 0, ErrUnsupported }

func newDriver(context.Context, string, *http.Client) (tessera.Driver, error) {
	return nil, ErrUnsupported
}

// supported says whether a log can be written here: the log rests on what POSIX says of
// locks, renames and synced directories.
func supported() error { return ErrUnsupported }
