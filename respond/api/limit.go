// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net"
	"sync"
)

// limitListener takes at most n connections at a time. Further ones wait in the
// kernel's queue.
func limitListener(l net.Listener, n int) net.Listener {
	return &limited{Listener: l, slots: make(chan struct{}, n), closed: make(chan struct{})}
}

type limited struct {
	net.Listener
	slots  chan struct{}
	once   sync.Once
	closed chan struct{}
}

func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &limitedConn{Conn: c, free: sync.OnceFunc(func() { <-l.slots })}, nil
}

func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	free func()
}

func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.free()
	return err
}

// streamCount bounds streams, all in all and of one session.
type streamCount struct {
	most, mostEach int

	mu   sync.Mutex
	all  int
	each map[string]int
}

// take reports whether one more stream may begin; free ends it.
func (c *streamCount) take(session string) (free func(), which string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all >= c.most {
		return nil, "all"
	}
	if c.each[session] >= c.mostEach {
		return nil, "session"
	}
	if c.each == nil {
		c.each = map[string]int{}
	}
	c.all++
	c.each[session]++
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.all--
		if c.each[session]--; c.each[session] == 0 {
			delete(c.each, session)
		}
	}), ""
}

func (c *streamCount) open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all
}
