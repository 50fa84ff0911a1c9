// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package sqlite

import (
	"errors"
	"os"
)

// tryLock needs flock(2): without it two processes could append.
func tryLock(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func freeSpace(string) int64 { return -1 }
