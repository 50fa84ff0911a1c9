// SPDX-License-Identifier: Apache-2.0

//go:build !amd64 && !arm64

package capture

// prefetch does nothing where no instruction for it is known.
func prefetch(*byte) {}
