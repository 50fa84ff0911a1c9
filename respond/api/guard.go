// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/asepsis/asepsis/respond/problem"
)

// contentPolicy lets a page load what comes from here and nothing else; there is
// no inline script and no inline style.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

const permissionsPolicy = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=()"

// hosts returns the names under which the server may be reached, in lower case.
func hosts(cfg Config) map[string]bool {
	out := map[string]bool{"localhost": true}
	if h, err := os.Hostname(); err == nil {
		out[strings.ToLower(h)] = true
	}
	if h, _, err := net.SplitHostPort(cfg.Listen); err == nil {
		out[strings.ToLower(h)] = true
	}
	if u, err := url.Parse(cfg.PublicURL); err == nil && u.Hostname() != "" {
		out[strings.ToLower(u.Hostname())] = true
	}
	for _, h := range cfg.AllowedHosts {
		out[strings.ToLower(h)] = true
	}
	delete(out, "")
	return out
}

// ours reports whether a Host header names this server. An address literal does:
// DNS rebinding needs a name.
func (s *Server) ours(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
	if s.hosts[host] {
		return true
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}

// guarded is what stands before every request: headers, host, bounds, panics, and
// the log.
func (s *Server) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := s.now()
		rec := &answered{ResponseWriter: w}
		h := rec.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", permissionsPolicy)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		defer s.done(rec, r, began)
		// Set for every request: a connection that is used again still has the
		// deadlines of the request before. httptest's recorders have none.
		rc, deadline := http.NewResponseController(w), time.Now().Add(s.cfg.RequestTimeout)
		_ = rc.SetReadDeadline(deadline)
		_ = rc.SetWriteDeadline(deadline.Add(5 * time.Second))
		if !s.ours(r.Host) {
			problem.Write(rec, r, problem.New(http.StatusMisdirectedRequest, "This server is not reached under that name.",
				"use its address, or add the name to console.allowed_hosts in the configuration"))
			return
		}
		if len(r.URL.Path) > 2048 {
			problem.Write(rec, r, problem.New(http.StatusRequestURITooLong, "The path is longer than 2048 bytes.", ""))
			return
		}
		next.ServeHTTP(rec, r)
	})
}

// serve gives a request to its route within the bounds of its kind.
func (s *Server) serve(to *route, w http.ResponseWriter, r *http.Request) {
	if rec, ok := w.(*answered); ok {
		rec.route = to.path
	}
	if to.long {
		rc := http.NewResponseController(w)
		_ = rc.SetReadDeadline(time.Time{})
		_ = rc.SetWriteDeadline(time.Time{}) // each write has its own
		to.h.ServeHTTP(w, r)
		return
	}
	select {
	case s.requests <- struct{}{}:
		defer func() { <-s.requests }()
	default:
		s.metrics.busy.Inc()
		problem.Write(w, r, problem.Unavailable("Too many requests are under way.", "try again in a moment", time.Second, nil))
		return
	}
	if r.Body != nil {
		r.Body = http.MaxBytesReader(w, r.Body, int64(s.cfg.MaxBody))
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.RequestTimeout)
	defer cancel()
	to.h.ServeHTTP(w, r.WithContext(ctx))
}

// done ends a request: a panic becomes a problem with an ID by which the log
// has its stack; then the log and the metrics. Query strings are not logged:
// they hold what people search for.
func (s *Server) done(rec *answered, r *http.Request, began time.Time) {
	if v := recover(); v != nil {
		if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(v)
		}
		id := rand.Text()[:12]
		s.log.Error("panic in a request", "id", id, "method", r.Method, "path", r.URL.Path, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
		s.metrics.panics.Inc()
		if rec.status != 0 {
			panic(http.ErrAbortHandler) // the answer has begun: cut it off visibly
		}
		p := problem.Internal(nil)
		p.Detail = "Something went wrong inside; the log has it under " + id + "."
		problem.Write(rec, r, p)
	}
	took := s.now().Sub(began)
	route := rec.route
	if route == "" {
		route = "other"
	}
	s.metrics.observe(route, r.Method, rec.code(), took)
	level := levelOf(r.Method, rec.code())
	s.log.Log(r.Context(), level, "request", "method", r.Method, "path", r.URL.Path, "status", rec.code(), "bytes", rec.bytes, "took", took, "from", clientAddr(r))
}

func clientAddr(r *http.Request) string {
	if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return a.Addr().Unmap().String()
	}
	return r.RemoteAddr
}

// answered remembers what was answered.
type answered struct {
	http.ResponseWriter
	route  string
	status int
	bytes  int64
}

// WriteHeader implements http.ResponseWriter.
func (r *answered) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *answered) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *answered) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *answered) code() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}
