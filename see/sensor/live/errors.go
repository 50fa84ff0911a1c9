// SPDX-License-Identifier: Apache-2.0

package live

import "errors"

// What can be wrong. Each comes as the cause of an [*Error].
var (
	ErrConfig          = errors.New("invalid configuration")
	ErrNoInterface     = errors.New("no such interface")
	ErrInterfaceDown   = errors.New("the interface is down")
	ErrPermission      = errors.New("no right to capture")
	ErrUnsupportedLink = errors.New("unsupported kind of interface")
	ErrUnsupported     = errors.New("live capture works on Linux only")
	ErrPrivileges      = errors.New("cannot drop privileges")
)

// Error is a failure of live capture with what a person can do about it.
type Error struct {
	Interface string // "" when it is about none
	Err       error
	hint      string
}

func (e *Error) Error() string {
	if e.Interface == "" {
		return "live capture: " + e.Err.Error()
	}
	return "live capture on " + e.Interface + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *Error) Hint() string { return e.hint }
