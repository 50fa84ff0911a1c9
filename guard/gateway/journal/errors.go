// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// Errors of a journal besides those of instance.Vault. Each has a hint.
var (
	// ErrFailed: a flush failed, and what the disk has is not known any more.
	ErrFailed error = &refusal{"the gateway's journal does not know any more what its disk has", "look at the disk and the system's log, then start the gateway again: what was acknowledged is checked then"}
	// ErrClosed: the journal was closed.
	ErrClosed error = &refusal{"the gateway's journal is closed", ""}
	// ErrInUse: another process has the journal.
	ErrInUse error = &refusal{"another process has this journal", "stop it first, or give this one another directory"}
	// ErrNewer: the journal was written by a later version.
	ErrNewer error = &refusal{"the journal was written by a later version", "start the version of asepsis that wrote it, or a later one"}
	// ErrDamaged: the bytes are not those that were acknowledged.
	ErrDamaged error = &refusal{"what the disk has of the instance is not what was acknowledged", "the disk is failing or somebody changed it; send the instance again from its origin, and replace the disk"}
)

type refusal struct{ what, hint string }

func (e *refusal) Error() string { return e.what }

// Hint says what to do about it.
func (e *refusal) Hint() string { return e.hint }

// full is instance.ErrFull with its cause.
type full struct{ err error }

func (e *full) Error() string   { return fmt.Sprintf("%v: %v", instance.ErrFull, e.err) }
func (e *full) Unwrap() []error { return []error{instance.ErrFull, e.err} }
func (e *full) Hint() string {
	return "make room on the journal's disk; what was acknowledged is safe and goes on to its destinations"
}

// diskError gives the errors of a disk without room their meaning.
func diskError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &full{err}
	}
	return err
}

func noRoom(format string, args ...any) error { return &full{fmt.Errorf(format, args...)} }
