// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Errors of a ledger that callers decide on. Each has a hint.
var (
	// ErrConflict: the ID is that of another statement.
	ErrConflict error = &refusal{"the ID is already that of another statement", "an ID names one event: make a new one for a new event"}
	// ErrFull: the disk has no room. Nothing that was acknowledged is lost; reading goes on.
	ErrFull error = &refusal{"the ledger's disk is full", "free space on the ledger's disk; what was acknowledged is safe, what was refused must be sent again"}
	// ErrBusy: too many statements wait.
	ErrBusy error = &refusal{"too many statements wait to be recorded", "send it again in a moment, with the same ID"}
	// ErrClosed: the ledger is stopping, or was not started.
	ErrClosed error = &refusal{"the ledger does not run", "send it again when it runs, with the same ID"}
	// ErrNotFound: there is no such entry.
	ErrNotFound error = &refusal{"there is no such entry", ""}
	// ErrNotYet: the entry has not come as far as was asked.
	ErrNotYet error = &refusal{"the entry is recorded, but no checkpoint of the kind that was asked for covers it yet", "wait for the next checkpoint; asepsis ledger status says whether witnesses answer"}
	// ErrLocked: another process has the log.
	ErrLocked error = &refusal{"another process writes this ledger", "stop it first, or give this one another directory"}
	// ErrUnsupported: a log cannot be written on this operating system; it can be read and verified.
	ErrUnsupported error = &refusal{"a ledger cannot be written on this operating system", "run the server on Linux; receipts and exported segments can be verified anywhere"}
	// ErrDamaged: the log is not what it was.
	ErrDamaged error = &refusal{"the ledger is damaged", "asepsis ledger fsck says what and where; keep the directory as it is for whoever investigates, and restore a backup elsewhere"}
)

type refusal struct{ what, hint string }

func (e *refusal) Error() string { return e.what }

// Hint says what to do about it.
func (e *refusal) Hint() string { return e.hint }

// diskError says whether an error is one of a full disk. The log's storage wraps some
// errors as text alone.
func diskError(err error) error {
	if err == nil {
		return nil
	}
	for _, f := range full {
		if errors.Is(err, f) || strings.Contains(err.Error(), f.Error()) {
			return fmt.Errorf("%w: %w", ErrFull, err)
		}
	}
	return err
}

func notExist(err error) bool { return errors.Is(err, os.ErrNotExist) }
