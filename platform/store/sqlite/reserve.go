// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/asepsis/asepsis/platform/store"
)

// reserveSize is what is kept free for the time when the disk is full: to undo
// the append that found out, and for readers, who need a little room to open a
// day.
const reserveSize = 4 << 20

func (db *DB) reservePath() string { return filepath.Join(db.dir, "events", "reserve") }

// keepReserve makes the reserve where there is none. While that is not possible
// nothing is appended.
func (db *DB) keepReserve() error {
	path := db.reservePath()
	s, err := os.Stat(path)
	if err == nil && s.Size() == reserveSize {
		return nil
	}
	if free := freeSpace(db.dir); free >= 0 && free < 2*reserveSize {
		return &fullError{fmt.Errorf("%d bytes are left: %w", free, syscall.ENOSPC)}
	}
	// Written, not only extended: a file with holes reserves nothing.
	if err := os.WriteFile(path, make([]byte, reserveSize), 0o600); err != nil {
		return errors.Join(explain(err), os.Remove(path))
	}
	return nil
}

// useReserve gives the reserve away when the disk is full.
func (db *DB) useReserve(err error) {
	if errors.Is(explain(err), store.ErrFull) {
		_ = os.Remove(db.reservePath())
	}
}
