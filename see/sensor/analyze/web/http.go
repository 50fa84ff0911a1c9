// SPDX-License-Identifier: Apache-2.0

package web

import (
	"slices"
	"strings"

	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/http1"
)

// Bounds of what a connection holds.
const (
	maxWaiting = 64        // requests without answer
	maxHeld    = 512 << 10 // bytes of their heads and bodies
)

func probeHTTP(_ *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
	n := min(len(head), len(http1.Preface))
	if string(head[:n]) == http1.Preface[:n] {
		if n == len(http1.Preface) {
			return analyze.Yes
		}
		return analyze.Maybe
	}
	return matchOf(http1.Looks(head, "HTTP"))
}

func matchOf(a http1.Answer) analyze.Match {
	switch a {
	case http1.Request, http1.Response:
		return analyze.Yes
	case http1.NeedMore:
		return analyze.Maybe
	}
	return analyze.No
}

// exchange is a request and its response under way.
type exchange struct {
	x            analyze.Exchange
	version      string
	anomalies    http1.Anomaly
	asked        bool // the request is complete
	answered     bool // the response is complete
	responding   bool // its head was seen
	held         int
	requestSeen  bool
	responseSeen bool
}

// httpStream follows one connection: HTTP/1 until it becomes something else.
type httpStream struct {
	reporter
	parsers [2]http1.Parser // by direction
	known   bool            // the roles are
	client  analyze.Dir
	waiting []*exchange // oldest first
	spare   *exchange
	held    int
	lossy   bool
	h2      *h2Conn
	seen    [2]bool
	passed  int64 // bytes of a message that began before the capture

	pool   *analyze.Pool[httpStream]
	bodies *http1.Bodies
	method func() string // of the exchange whose response is due
}

// maxPassed bounds passed: what goes on for so long is a transfer that nothing follows.
const maxPassed = 1 << 20

var _ analyze.Stream = (*httpStream)(nil)

func newHTTP(c *analyze.Conn, interpreters []analyze.Interpreter) *httpStream {
	pool := analyze.Scratch[analyze.Pool[httpStream]](c.Memo(), analyze.ScratchHTTP)
	s := pool.Take()
	s.interpreters, s.pool = interpreters, pool
	s.bodies = analyze.Scratch[http1.Bodies](c.Memo(), analyze.ScratchBodies)
	return s
}

// reset forgets everything but room for the next connection.
func (s *httpStream) reset() {
	parsers, method, waiting := s.parsers, s.method, s.waiting[:0]
	for i := range parsers {
		parsers[i].Reset()
	}
	*s = httpStream{parsers: parsers, method: method, waiting: waiting}
}

// Held implements analyze.Holder.
func (s *httpStream) Held() int {
	return s.held + s.parsers[0].Held() + s.parsers[1].Held()
}

func (s *httpStream) Data(c *analyze.Conn, dir analyze.Dir, data []byte) (int64, analyze.Verdict) {
	if s.h2 != nil {
		return s.h2.data(c, dir, data)
	}
	if c.MidStream && !s.seen[dir] && s.passed < maxPassed && data[0] != http1.Preface[0] && http1.Looks(data, "HTTP") == http1.NotHTTP {
		// The rest of a body: a message begins with a segment of its own, mostly.
		s.passed += int64(len(data))
		return int64(len(data)), analyze.More
	}
	if !s.known {
		n := min(len(data), len(http1.Preface))
		if string(data[:n]) == http1.Preface[:n] {
			if n < len(http1.Preface) {
				return 0, analyze.More
			}
			s.setRoles(c, dir)
			s.h2 = newH2(&s.reporter, dir)
			return s.h2.data(c, dir, data)
		}
		switch http1.Looks(data, "HTTP") {
		case http1.NeedMore:
			return 0, analyze.More
		case http1.Request:
			s.setRoles(c, dir)
		case http1.Response:
			s.setRoles(c, dir.Other())
		default:
			return 0, analyze.Reject
		}
	}
	return s.read(c, dir, data)
}

func (s *httpStream) setRoles(c *analyze.Conn, client analyze.Dir) {
	s.client = client
	setClient(c, client)
	s.known = true
	if s.method == nil {
		s.method = func() string {
			if x := s.next(); x != nil {
				return x.x.Method
			}
			return ""
		}
	}
	asks, answers := &s.parsers[client], &s.parsers[client.Other()]
	asks.Response, asks.RequestMethod, asks.Bodies = false, nil, s.bodies
	answers.Response, answers.RequestMethod, answers.Bodies = true, s.method, s.bodies
}

// next returns the exchange whose response is due or under way.
func (s *httpStream) next() *exchange {
	for _, x := range s.waiting {
		if !x.answered {
			return x
		}
	}
	return nil
}

func (s *httpStream) read(c *analyze.Conn, dir analyze.Dir, data []byte) (int64, analyze.Verdict) {
	p := &s.parsers[dir]
	s.seen[dir] = true
	used := int64(0)
	for {
		n, ev, err := p.Next(data)
		used += n
		data = data[min(n, int64(len(data))):]
		if err != nil {
			return used, analyze.Reject
		}
		switch ev {
		case http1.None:
			return used, analyze.More
		case http1.GotHead:
			if dir == s.client {
				s.request(c, p)
			} else {
				s.response(c, p)
			}
		case http1.GotMessage:
			if dir == s.client {
				s.requestDone(c, p)
			} else {
				s.responseDone(c, p)
			}
		case http1.GotTunnel:
			return used, s.tunnel(c, p)
		}
	}
}

func (s *httpStream) request(c *analyze.Conn, p *http1.Parser) {
	if s.lossy && len(s.waiting) > 0 {
		// Some message is missing: what waits will not be answered in order.
		s.flush(c)
		s.lossy = false
	}
	h := p.Current()
	x := s.exchange()
	x.version, x.requestSeen = h.Version, true
	x.x = analyze.Exchange{Time: c.Now, Method: h.Method, Target: h.Target, Host: h.Get("host"), Request: h.Fields}
	x.held = h.Size
	s.held += x.held
	s.waiting = append(s.waiting, x)
	for len(s.waiting) > 1 && (len(s.waiting) > maxWaiting || s.held > maxHeld) {
		s.pop(c)
	}
}

func (s *httpStream) requestDone(c *analyze.Conn, p *http1.Parser) {
	if len(s.waiting) == 0 {
		return
	}
	x := s.waiting[len(s.waiting)-1]
	if x.asked {
		return
	}
	x.asked = true
	x.anomalies |= p.Current().Anomalies
	x.x.RequestBody, x.x.RequestLength = p.Body(), p.Length()
	x.held += len(x.x.RequestBody)
	s.held += len(x.x.RequestBody)
	s.release(c)
}

func (s *httpStream) response(c *analyze.Conn, p *http1.Parser) {
	h := p.Current()
	if h.Status/100 == 1 && h.Status != 101 {
		return
	}
	x := s.next()
	if x == nil {
		x = s.exchange()
		x.version, x.asked = h.Version, true
		x.x.Time, x.x.RequestLength = c.Now, -1
		if s.seen[s.client] && !s.lossy && !c.MidStream {
			x.anomalies |= http1.UnexpectedResponse
		}
		s.waiting = append(s.waiting, x)
	}
	x.responding, x.responseSeen = true, true
	x.x.ResponseTime, x.x.Status, x.x.Response = c.Now, h.Status, h.Fields
	x.held += h.Size
	s.held += h.Size
}

func (s *httpStream) responseDone(c *analyze.Conn, p *http1.Parser) {
	h := p.Current()
	x := s.next()
	if x == nil || !x.responding || h.Status/100 == 1 && h.Status != 101 {
		return
	}
	x.answered = true
	x.anomalies |= h.Anomalies
	x.x.ResponseBody, x.x.ResponseLength = p.Body(), p.Length()
	x.held += len(x.x.ResponseBody)
	s.held += len(x.x.ResponseBody)
	s.release(c)
}

// release reports what is complete, oldest first.
func (s *httpStream) release(c *analyze.Conn) {
	for len(s.waiting) > 0 && s.waiting[0].answered && s.waiting[0].asked {
		s.pop(c)
	}
}

func (s *httpStream) pop(c *analyze.Conn) {
	x := s.waiting[0]
	s.waiting = slices.Delete(s.waiting, 0, 1)
	s.held -= x.held
	s.report(c, x)
	s.bodies.Give(x.x.RequestBody)
	s.bodies.Give(x.x.ResponseBody)
	*x = exchange{}
	s.spare = x
}

func (s *httpStream) exchange() *exchange {
	x := s.spare
	if s.spare = nil; x == nil {
		x = new(exchange)
	}
	return x
}

// flush reports everything that waits, complete or not.
func (s *httpStream) flush(c *analyze.Conn) {
	for len(s.waiting) > 0 {
		s.pop(c)
	}
}

// tunnel is reached when a response says that another protocol follows.
func (s *httpStream) tunnel(c *analyze.Conn, p *http1.Parser) analyze.Verdict {
	h := p.Current()
	x := s.next()
	up := strings.ToLower(h.Get("upgrade"))
	if strings.HasPrefix(up, "h2c") {
		// RFC 7540 §3.2: the answer to the request that asked for the change
		// comes as stream 1 of the new connection.
		s.h2 = newH2(&s.reporter, s.client)
		if x != nil {
			s.h2.upgraded(x, s.client)
			s.waiting, s.held = nil, 0
		}
		return analyze.More
	}
	s.responseDone(c, p)
	s.flush(c)
	if strings.HasPrefix(up, "websocket") {
		c.App = "websocket"
		return analyze.Done
	}
	return analyze.Handoff
}

func (s *httpStream) Gap(c *analyze.Conn, dir analyze.Dir, n int64) analyze.Verdict {
	if s.h2 != nil {
		return s.h2.gap(c)
	}
	if !s.known || s.parsers[dir].Lost(n) {
		return analyze.More
	}
	s.lossy = true
	if dir == s.client {
		// The request under way is known as far as its head.
		if k := len(s.waiting); k > 0 {
			s.waiting[k-1].asked = true
		}
		s.release(c)
	} else if x := s.next(); x != nil && x.responding {
		x.answered = true
		s.release(c)
	}
	return analyze.More
}

func (s *httpStream) Close(c *analyze.Conn, _ analyze.End) {
	if s.h2 != nil {
		s.h2.close(c)
		return
	}
	for _, dir := range []analyze.Dir{s.client, s.client.Other()} {
		if !s.known {
			break
		}
		p := &s.parsers[dir]
		if p.Close() == http1.GotMessage {
			if dir == s.client {
				s.requestDone(c, p)
			} else {
				s.responseDone(c, p)
			}
		} else if x := s.next(); dir != s.client && x != nil && x.responding {
			x.x.ResponseBody, x.x.ResponseLength = p.Body(), p.Length()
		}
	}
	s.flush(c)
	if pool := s.pool; pool != nil {
		s.reset()
		pool.Give(s)
	}
}
