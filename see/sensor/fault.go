// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"runtime"
	"runtime/debug"

	"github.com/asepsis/asepsis/wire/capture"
)

// surviveFaults is deferred, called, around the reading of a source: a mapped
// file that is cut, or whose disk fails, while it is read faults where it is looked at.
// That ends the source as damage in a file does.
//
//	defer surviveFaults(src, &err)()
func surviveFaults(src capture.Source, err *error) func() {
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
		*err = &capture.CorruptError{Offset: src.Stats().Offset, Reason: "the file was cut or became unreadable while it was read", Err: fault}
	}
}
