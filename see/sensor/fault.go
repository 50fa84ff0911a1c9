// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"runtime"
	"runtime/debug"

	"github.com/asepsis/asepsis/wire/capture"
)

// surviveFaults is deferred, called, around what looks at frames: a mapped file
// that is cut, or whose disk fails, while it is read faults where it is looked at. The
// fault becomes the error.
//
//	defer surviveFaults(&err)()
func surviveFaults(err *error) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		r := recover()
		if r == nil {
			return
		}
		fault, ok := r.(interface {
			runtime.Error
			Addr() uintptr
		})
		if !ok {
			panic(r)
		}
		*err = &faultError{fault}
	}
}

// faultError is a fault where a file was looked at.
type faultError struct{ error }

func (e *faultError) Unwrap() error { return e.error }

// cutShort says of a fault what it means, as damage in a file does. Other errors
// stay as they are.
func cutShort(src capture.Source, err error) error {
	if f, ok := err.(*faultError); ok { //nolint:errorlint // surviveFaults wraps nothing
		return &capture.CorruptError{Offset: src.Stats().Offset, Reason: "the file was cut or became unreadable while it was read", Err: f.error}
	}
	return err
}
