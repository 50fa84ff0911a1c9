// SPDX-License-Identifier: Apache-2.0

package atna

import (
	"crypto/tls"
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/asepsis/asepsis/prove/identity/trust"
)

// unacknowledged is how many bytes the machine at the other end has not acknowledged (tcp(7), SIOCOUTQ).
// known is false where that cannot be asked.
func unacknowledged(c net.Conn) (n int, known bool) {
	if t, ok := c.(*tls.Conn); ok {
		if own := trust.Below(t); own != nil {
			c = own.Conn
		} else {
			c = t.NetConn()
		}
	}
	s, ok := c.(syscall.Conn)
	if !ok {
		return 0, false
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return 0, false
	}
	var asked error
	if err := raw.Control(func(fd uintptr) { n, asked = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) }); err != nil || asked != nil {
		return 0, false
	}
	return n, true
}
