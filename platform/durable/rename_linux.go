// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// renameNew gives a file a name that must be free: fs.ErrExist where it is not.
func renameNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // of file systems that cannot (NFS)
		return renameChecked(from, to)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}
