// SPDX-License-Identifier: Apache-2.0

//go:build unix

package oslock

import (
	"os"
	"syscall"
)

// Take locks the file, or is an error when another process has it.
func Take(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
