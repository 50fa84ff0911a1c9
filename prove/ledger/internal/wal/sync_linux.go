// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncData flushes what was written; a slot's size does not change, so there is nothing
// else to flush.
func syncData(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if err != unix.EINTR { //nolint:errorlint // the system call returns it as it is
			if err != nil {
				return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
			}
			return nil
		}
	}
}
