// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package dicomnet

import "net"

// acknowledgeAtOnce returns c: only Linux can be told not to delay acknowledgements.
func acknowledgeAtOnce(c net.Conn) net.Conn { return c }
