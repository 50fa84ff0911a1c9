// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package durable

// renameNew gives a file a name that must be free: fs.ErrExist where it is not.
func renameNew(from, to string) error { return renameChecked(from, to) }
