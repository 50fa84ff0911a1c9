// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/prove/identity/trust"
)

// nobody is a study that no archive has.
const nobody = "2.25.226417339713861453968432178094112647351.404"

// Echo tries the way to the server with an OPTIONS request, on a connection of its own where the
// transport can make one. A server that does not know that method is asked for a study that
// nobody has. Neither changes anything or gives anybody's data.
func (c *Client) Echo(ctx context.Context) control.Echo {
	ctx, cancel := context.WithTimeout(ctx, c.d.Wait+c.d.Stall)
	defer cancel()
	rt := c.rt
	if t, ok := rt.(*http.Transport); ok {
		own := t.Clone()
		own.DisableKeepAlives = true
		defer own.CloseIdleConnections()
		rt = own
	}
	e := &echo{}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { e.begin() },
		GotConn: func(i httptrace.GotConnInfo) { e.connected(i.Conn) },
	})
	began := time.Now()
	e.begin()
	said, err := e.ask(rt, c.request(ctx, http.MethodOptions, "/studies"))
	if err == nil && !said.ok() {
		switch said.status {
		case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
			r := c.request(ctx, http.MethodGet, "/studies")
			r.URL.RawQuery = "StudyInstanceUID=" + nobody + "&limit=1"
			r.Header.Set("Accept", jsonType)
			said, err = e.ask(rt, r)
		}
	}
	out := e.end(said, err)
	out.Milliseconds = time.Since(began).Milliseconds()
	return out
}

// said is what a server answered.
type said struct {
	status int
	line   string
	allow  string
}

// ok reports an answer by which there is something that can be stored to.
func (s *said) ok() bool {
	return s.status/100 == 2 || s.status == http.StatusMethodNotAllowed && strings.Contains(s.allow, http.MethodPost)
}

// ask sends a request and reads over the answer.
func (e *echo) ask(rt http.RoundTripper, r *http.Request) (said, error) {
	rsp, err := rt.RoundTrip(r)
	if err != nil {
		return said{}, err
	}
	defer func() { _ = rsp.Body.Close() }()
	_, _ = io.CopyN(io.Discard, rsp.Body, 64<<10)
	return said{rsp.StatusCode, rsp.Status, strings.Join(rsp.Header.Values("Allow"), ",")}, nil
}

// echo notes the steps; the transport calls from goroutines of its own.
type echo struct {
	mu    sync.Mutex
	last  time.Time
	steps []control.Step
}

func (e *echo) begin() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last = time.Now()
}

func (e *echo) connected(c net.Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.steps) > 0 {
		return // the second request, on a second connection
	}
	e.step("connect", true, c.RemoteAddr().String())
	if t, ok := c.(*tls.Conn); ok {
		state := t.ConnectionState()
		detail := strings.Replace(tls.VersionName(state.Version), "TLS ", "TLSv", 1)
		if p, ok := trust.PeerOf(c); ok {
			detail += ", certificate of " + p.Name() + " until " + p.Expires.UTC().Format(time.DateOnly)
		}
		e.step("tls", true, detail)
	}
}

// step needs mu.
func (e *echo) step(name string, ok bool, detail string) {
	now := time.Now()
	e.steps = append(e.steps, control.Step{Name: name, OK: ok, Milliseconds: now.Sub(e.last).Milliseconds(), Detail: detail})
	e.last = now
}

// end makes the answer of what the server said.
func (e *echo) end(s said, err error) control.Echo {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := control.Echo{}
	switch {
	case err != nil && len(e.steps) == 0:
		e.step("connect", false, err.Error())
		out.What, out.Hint = "no connection: "+err.Error(), "check address, port and certificates, and whether a firewall is between"
	case err != nil:
		e.step("request", false, err.Error())
		out.What, out.Hint = "the server does not answer: "+err.Error(), "look at the server's log"
	default:
		out.OK = s.ok()
		e.step("request", out.OK, s.line)
		if !out.OK {
			refused := statusError(s.status)
			out.What, out.Hint = refused.Error(), refused.Advice
		}
	}
	out.Steps = e.steps
	return out
}
