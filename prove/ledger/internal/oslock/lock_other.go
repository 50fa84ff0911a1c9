// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package oslock

import "os"

// Take is ErrUnsupported.
func Take(*os.File) error { return ErrUnsupported }
