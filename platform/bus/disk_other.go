// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package bus

import (
	"errors"
	"os"
)

// freeBytes is not known on this system.
func freeBytes(string) (int64, error) { return 0, errors.ErrUnsupported }

// lockDir keeps the file open; what that prevents depends on the system.
func lockDir(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}
