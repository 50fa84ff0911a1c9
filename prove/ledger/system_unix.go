// SPDX-License-Identifier: Apache-2.0

//go:build unix

package ledger

import (
	"context"
	"net/http"
	"path/filepath"
	"syscall"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
)

// full are the errors of a disk without room.
var full = []error{syscall.ENOSPC, syscall.EDQUOT}

// freeBytes is how much room there is for this account.
func freeBytes(dir string) (uint64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil //nolint:gosec,unconvert // the type differs between systems, and no block has a negative size
}

func newDriver(ctx context.Context, dir string, client *http.Client) (tessera.Driver, error) {
	return posix.New(ctx, posix.Config{Path: filepath.Join(dir, logDir), HTTPClient: client})
}

// supported says whether a log can be written here.
func supported() error { return nil }
