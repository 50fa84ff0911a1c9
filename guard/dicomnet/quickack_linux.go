// SPDX-License-Identifier: Apache-2.0

package dicomnet

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// tcpConn is *net.TCPConn, or what a listener made of one.
type tcpConn interface {
	net.Conn
	syscall.Conn
	CloseWrite() error
	SetLinger(sec int) error
}

// ackConn is a TCP connection that acknowledges at once what it receives. Linux
// leaves the mode by itself (tcp(7): "not permanent"), so it is set again after
// every read, before the peer's next bytes can be on their way.
type ackConn struct {
	tcpConn
	raw syscall.RawConn
}

// acknowledgeAtOnce wraps c where that is possible.
func acknowledgeAtOnce(c net.Conn) net.Conn {
	tcp, ok := c.(tcpConn)
	if !ok {
		return c
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return c
	}
	a := &ackConn{tcp, raw}
	a.rearm()
	return a
}

// Read implements net.Conn.
func (c *ackConn) Read(p []byte) (int, error) {
	n, err := c.tcpConn.Read(p)
	if err == nil {
		c.rearm()
	}
	return n, err
}

// rearm is an attempt: without it the connection is slow, not wrong.
func (c *ackConn) rearm() {
	_ = c.raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
	})
}
