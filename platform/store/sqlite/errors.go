// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"errors"
	"fmt"
	"syscall"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/segment"
)

// code returns SQLite's extended result code of an error, 0 when it has none.
func code(err error) int {
	var e *driver.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// explain gives an error of SQLite or the system the meaning that the store
// promises.
func explain(err error) error {
	if err == nil || errors.Is(err, store.ErrFull) {
		return err
	}
	c := code(err)
	switch {
	case c == lib.SQLITE_FULL, errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &fullError{err}
	case c == lib.SQLITE_IOERR_WRITE, c == lib.SQLITE_IOERR_FSYNC, c == lib.SQLITE_IOERR_SHMSIZE, c == lib.SQLITE_IOERR_SHMMAP, c == lib.SQLITE_IOERR_SHMOPEN,
		c == lib.SQLITE_IOERR_TRUNCATE:
		// What SQLite says when the log, its index or its directory cannot grow.
		return &fullError{err}
	}
	return err
}

// fullError is store.ErrFull with its cause.
type fullError struct{ err error }

func (e *fullError) Error() string { return fmt.Sprintf("%v: %v", store.ErrFull, e.err) }

// Unwrap returns store.ErrFull and the cause.
func (e *fullError) Unwrap() []error { return []error{store.ErrFull, e.err} }

// Hint says what to do.
func (e *fullError) Hint() string {
	return "make room on the device, or lower the retention; writing goes on by itself then"
}

// isDamaged reports that what was read cannot be right.
func isDamaged(err error) bool {
	if errors.Is(err, segment.ErrDamaged) {
		return true
	}
	switch code(err) & 0xff {
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return true
	}
	return false
}
