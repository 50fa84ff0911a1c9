// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"net"
	"net/netip"
	"sync"
)

// crowd is a listener on which no address has more than its share of the connections: one device that opens
// them without end, broken or not, must not keep the others out.
type crowd struct {
	net.Listener
	most int
	full func(net.Addr) // told of the first of a row that is turned away

	mu   sync.Mutex
	open map[netip.Addr]int
	told map[netip.Addr]bool
}

func newCrowd(ln net.Listener, most int, full func(net.Addr)) *crowd {
	return &crowd{Listener: ln, most: most, full: full, open: map[netip.Addr]int{}, told: map[netip.Addr]bool{}}
}

// Accept implements net.Listener.
func (c *crowd) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		a := addrPort(conn.RemoteAddr()).Addr()
		c.mu.Lock()
		room := c.open[a] < c.most
		news := !room && !c.told[a]
		if room {
			c.open[a]++
		} else {
			c.told[a] = true
		}
		c.mu.Unlock()
		if room {
			leave := sync.OnceFunc(func() { c.leave(a) })
			if tcp, ok := conn.(*net.TCPConn); ok {
				return &counted{TCPConn: tcp, leave: leave}, nil
			}
			leave() // only TCP has many peers
			return conn, nil
		}
		_ = conn.Close()
		if news {
			c.full(conn.RemoteAddr())
		}
	}
}

func (c *crowd) leave(a netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[a]--; c.open[a] == 0 {
		delete(c.open, a)
	}
	delete(c.told, a)
}

// counted is a connection of a crowd.
type counted struct {
	*net.TCPConn
	leave func()
}

// Close implements net.Conn.
func (c *counted) Close() error {
	defer c.leave()
	return c.TCPConn.Close()
}
