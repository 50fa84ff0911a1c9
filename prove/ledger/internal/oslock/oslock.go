// SPDX-License-Identifier: Apache-2.0

// Package oslock gives a file to one process at a time, for as long as it has it open. A
// process that dies gives it back.
package oslock

import "errors"

// ErrUnsupported: this operating system has no such lock.
var ErrUnsupported = errors.New("files cannot be locked on this operating system")
