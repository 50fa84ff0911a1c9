// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"net"
	"sync"
	"time"

	"github.com/asepsis/asepsis/prove/identity"
)

// Cutting is what happened to one live connection when its certificate was
// revoked.
type Cutting struct {
	Peer   Peer
	Remote string // address
	Choice identity.Cut
	// Done is false where it is left open, or goes on until its instance is
	// finished; then a second Cutting follows.
	Done   bool
	Reason identity.Reason
	At     time.Time // when the revocation came here
	Closed time.Time
}

// live is the index of open connections by their peer's certificate.
type live struct {
	t *Trust

	mu    sync.Mutex
	conns map[key]map[*Conn]struct{}
	count int
	told  sync.WaitGroup
}

func newLive(t *Trust) *live { return &live{t: t, conns: map[key]map[*Conn]struct{}{}} }

func (l *live) add(c *Conn, p Peer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(c)
	c.peer = p
	k := key{p.Issuer, p.Serial}
	if l.conns[k] == nil {
		l.conns[k] = map[*Conn]struct{}{}
	}
	l.conns[k][c] = struct{}{}
	l.count++
}

func (l *live) remove(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(c)
	if c.timer != nil {
		c.timer.Stop()
	}
}

// Preconditions: l.mu is held.
func (l *live) drop(c *Conn) {
	k := key{c.peer.Issuer, c.peer.Serial}
	if _, ok := l.conns[k][c]; ok {
		delete(l.conns[k], c)
		if len(l.conns[k]) == 0 {
			delete(l.conns, k)
		}
		l.count--
	}
}

// meet does what was chosen to the connections of certificates that are newly
// revoked: those themselves, and all that a revoked authority issued.
func (l *live) meet(newly []key) {
	if len(newly) == 0 {
		return
	}
	at := l.t.now()
	l.mu.Lock()
	var hit []*Conn
	for _, k := range newly {
		for c := range l.conns[k] {
			hit = append(hit, c)
		}
		if id := l.t.index.authority(k); id != "" {
			for other, conns := range l.conns {
				if other.issuer == id {
					for c := range conns {
						hit = append(hit, c)
					}
				}
			}
		}
	}
	l.mu.Unlock()
	for _, c := range hit {
		c.revoked(at)
	}
}

func (l *live) tell(c Cutting) {
	if l.t.deps.Told == nil {
		l.t.log.Warn("a revocation met a live connection", "peer", c.Peer.Name(), "serial", c.Peer.Serial, "remote", c.Remote, "choice", string(c.Choice), "closed", c.Done)
		return
	}
	l.told.Go(func() { l.t.deps.Told(c) })
}

func (l *live) wait() { l.told.Wait() }

// Connection is one that is open now.
type Connection struct {
	Peer   Peer
	Remote string
	Since  time.Time
	Choice identity.Cut // what a revocation does to it, as it is now
}

// Live lists open connections of a device or service, of all with "".
func (t *Trust) Live(name string) []Connection {
	var out []Connection
	var chooses []func(Peer) identity.Cut
	t.live.mu.Lock()
	for _, conns := range t.live.conns {
		for c := range conns {
			if name == "" || c.peer.Device == name || c.peer.Service == name {
				out = append(out, Connection{Peer: c.peer, Remote: c.RemoteAddr().String(), Since: c.since, Choice: identity.CutNow})
				chooses = append(chooses, c.choose)
			}
		}
	}
	t.live.mu.Unlock()
	for i, choose := range chooses { // which is somebody else's code
		if choose != nil {
			out[i].Choice = choose(out[i].Peer)
		}
	}
	return out
}

// Conn is a connection below TLS that stands in the index. A server gets it from
// the listener of a Server, a client from Dial; Below finds it under a tls.Conn.
type Conn struct {
	net.Conn
	t      *Trust
	choose func(Peer) identity.Cut
	since  time.Time
	timer  *time.Timer // ends what may finish; guarded by live.mu
	peer   Peer        // guarded by live.mu

	mu    sync.Mutex
	busy  int
	ended bool // to be cut when busy is 0
	err   error
	gone  bool
}

// Below finds the indexed connection under one that TLS runs on; nil when it is
// none of ours.
func Below(c net.Conn) *Conn {
	for range 8 {
		if own, ok := c.(*Conn); ok {
			return own
		}
		n, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		c = n.NetConn()
	}
	return nil
}

// Peer is who is at the other end; the zero Peer before the handshake.
func (c *Conn) Peer() Peer {
	c.t.live.mu.Lock()
	defer c.t.live.mu.Unlock()
	return c.peer
}

// Err says why the connection must not be used for anything new: its peer was
// revoked. A server asks it before each request or instance.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Begin says that an instance or a request begins, which may be finished where
// that is the choice. It is an error when the peer is revoked. done ends it.
func (c *Conn) Begin() (done func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	c.busy++
	var once sync.Once
	return func() { once.Do(c.end) }, nil
}

func (c *Conn) end() {
	if c.finished() {
		c.cut(identity.CutAfter, c.t.now())
	}
}

// drain is how long an HTTP server has to send the end of an answer whose handler
// has returned.
const drain = 250 * time.Millisecond

// endSoon is end for who has not sent all yet.
func (c *Conn) endSoon() {
	if !c.finished() {
		return
	}
	c.t.live.mu.Lock()
	defer c.t.live.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
	}
	at := c.t.now()
	c.timer = time.AfterFunc(drain, func() { c.cut(identity.CutAfter, at) })
}

// finished counts one less under way, and says whether the connection was only
// kept for it.
func (c *Conn) finished() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy--
	return c.busy == 0 && c.ended && !c.gone
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	c.mu.Lock()
	c.gone = true
	c.mu.Unlock()
	c.t.live.remove(c)
	return c.Conn.Close()
}

// revoked does what was chosen.
func (c *Conn) revoked(at time.Time) {
	p := c.Peer()
	choice := identity.CutNow
	if c.choose != nil {
		choice = c.choose(p)
	}
	c.mu.Lock()
	if c.gone || c.err != nil {
		c.mu.Unlock()
		return
	}
	idle := c.busy == 0
	if choice != identity.CutByAlarm {
		c.err = &Denied{Why: IsRevoked, Peer: p, Text: "it was revoked while it was connected"}
	}
	c.ended = choice == identity.CutAfter
	c.mu.Unlock()
	switch {
	case choice == identity.CutByAlarm, choice == identity.CutAfter && !idle:
		c.t.live.tell(c.cutting(p, choice, at, false))
		if choice == identity.CutAfter {
			c.t.live.mu.Lock()
			if c.timer == nil { // else it finished meanwhile
				c.timer = time.AfterFunc(c.t.cfg.FinishWithin, func() { c.cut(choice, at) })
			}
			c.t.live.mu.Unlock()
		}
	default:
		c.cut(choice, at)
	}
}

// cut ends the connection. Cut now means now: what waits to be sent is thrown
// away. What was finished is sent.
func (c *Conn) cut(choice identity.Cut, at time.Time) {
	c.mu.Lock()
	if c.gone {
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	p := c.Peer()
	if l, ok := c.Conn.(interface{ SetLinger(int) error }); ok && choice == identity.CutNow {
		_ = l.SetLinger(0)
	}
	_ = c.Close()
	c.t.live.tell(c.cutting(p, choice, at, true))
}

func (c *Conn) cutting(p Peer, choice identity.Cut, at time.Time, done bool) Cutting {
	e, _ := c.t.index.entry(key{p.Issuer, p.Serial})
	out := Cutting{Peer: p, Remote: c.RemoteAddr().String(), Choice: choice, Done: done, Reason: e.reason, At: at}
	if done {
		out.Closed = c.t.now()
	}
	return out
}

// fill completes the peer of a connection that stands in the index, unless it
// has been closed meanwhile.
func (l *live) fill(c *Conn, p Peer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.peer = p
}
