// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package atna

import "net"

// unacknowledged cannot be asked here: that the connection lives on must do.
func unacknowledged(net.Conn) (n int, known bool) { return 0, false }
