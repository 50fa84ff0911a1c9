// SPDX-License-Identifier: Apache-2.0

package dicomnet

import (
	"net"
	"time"
)

// maxLinger bounds what is read from a peer that goes on sending after the end.
const maxLinger = 4 << 20

// linger closes a connection so that the peer gets what was written last. A socket
// that is closed with bytes unread is reset, and the reset may overtake an
// A-ABORT, an A-ASSOCIATE-RJ or a TLS alert that says why. So the sending side is
// closed first (unless half is false: the peer is to close), and what still comes
// is thrown away until the peer closes too.
func linger(c net.Conn, limit time.Duration, half bool) {
	defer func() { _ = c.Close() }()
	if c.SetDeadline(time.Now().Add(limit)) != nil {
		return
	}
	if half {
		if w, ok := c.(interface{ CloseWrite() error }); !ok || w.CloseWrite() != nil {
			return
		}
	}
	buf := make([]byte, 8<<10)
	for n := 0; n < maxLinger; {
		k, err := c.Read(buf)
		if err != nil {
			return
		}
		n += k
	}
}
