// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"
)

// Background does what Run does besides listening.
func (s *Server) Background(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	stopFindings, err := s.dep.Bus.Listen("findings", s.heardFindings)
	if err != nil {
		return err
	}
	defer stopFindings()
	stop, err := s.dep.Bus.Listen("changed", s.heard)
	if err != nil {
		return err
	}
	defer stop()
	all.Go(func() { s.know.run(ctx) })
	all.Go(func() { s.watch.run(ctx) })
	<-ctx.Done()
	return nil
}

// Routes lists the routes as "METHOD /path", without the prefix of the API.
func (s *Server) Routes() (out []string) {
	for _, r := range s.routes {
		out = append(out, r.method+" "+r.path[len(prefix):])
	}
	return out
}

// Hashed is hashed.
func Hashed(name string) bool { return hashed(name) }

// Occupy takes all places for requests until the returned function is called.
func Occupy(s *Server) func() {
	for range cap(s.requests) {
		s.requests <- struct{}{}
	}
	return func() {
		for range cap(s.requests) {
			<-s.requests
		}
	}
}

// PanicIn sends a request to a handler that panics behind everything that stands
// before a handler.
func PanicIn(s *Server) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "http://localhost/x?name=value", nil)
	s.guarded(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("kaboom") })).ServeHTTP(w, r)
	return w
}

// Certificate loads or makes the server's certificate.
func Certificate(cfg Config, dir string, now func() time.Time, log *slog.Logger) (*tls.Certificate, error) {
	c, err := newCertificates(cfg.TLS, dir, certificateNames(cfg), now, log)
	if err != nil {
		return nil, err
	}
	return c.get(), nil
}

// GuardCell is guardCell.
func GuardCell(s string) string { return guardCell(s) }

// StepsOf is stepsOf.
func StepsOf(from, to int64, n int) (int64, int64, int64) { return stepsOf(from, to, n) }
