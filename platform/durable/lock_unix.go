// SPDX-License-Identifier: Apache-2.0

//go:build unix

package durable

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// locks: who writes a file has it locked.
const locks = true

// lock waits until nobody else has the file locked. It goes with the file's closing, or with the
// process. A file system without locks has none.
func lock(f *os.File) {
	for errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_EX), unix.EINTR) {
	}
}
