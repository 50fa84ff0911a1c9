// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Bounds of the listeners.
const (
	maxConns    = 512
	readTimeout = 15 * time.Second
	idleTimeout = 30 * time.Second
	maxHeader   = 16 << 10
	drainFor    = 5 * time.Second
	renewLook   = time.Minute
)

// Run serves until ctx ends, and returns when what was under way is answered.
func (s *Service) Run(ctx context.Context) error {
	if s.cfg.ESTListen != "" {
		if err := s.renewOwn(ctx); err != nil {
			return err
		}
	}
	var servers []*http.Server
	var group sync.WaitGroup
	errs := make(chan error, 4)
	listen := func(what, at string, h http.Handler, c *tls.Config) error {
		if at == "" {
			return nil
		}
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", at)
		if err != nil {
			return fmt.Errorf("identity: listen for %s: %w", what, err)
		}
		s.mu.Lock()
		s.at[what] = l.Addr()
		s.mu.Unlock()
		l = newBounded(l, maxConns)
		if c != nil {
			l = tls.NewListener(l, c)
		}
		srv := &http.Server{Handler: h, ReadHeaderTimeout: readTimeout, ReadTimeout: readTimeout, WriteTimeout: 2 * readTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
		servers = append(servers, srv)
		group.Go(func() {
			if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				errs <- fmt.Errorf("identity: %s: %w", what, err)
			}
		})
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err := errors.Join(listen("pki", s.cfg.PKIListen, s.public(), nil), listen("est", s.cfg.ESTListen, s.est.Handler(), s.est.TLS()))
	if err == nil {
		group.Go(func() {
			if err := s.ca.Run(ctx); err != nil {
				errs <- err
			}
		})
		s.mu.Lock()
		s.ready = true
		s.mu.Unlock()
		err = s.watch(ctx, errs)
	}
	cancel()
	stop, done := context.WithTimeout(context.WithoutCancel(ctx), drainFor)
	defer done()
	for _, srv := range servers {
		if e := srv.Shutdown(stop); e != nil {
			_ = srv.Close()
		}
	}
	group.Wait()
	return err
}

// watch renews the own certificate until ctx ends or something fails.
func (s *Service) watch(ctx context.Context, errs chan error) error {
	tick := time.NewTicker(renewLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-errs:
			return err
		case <-tick.C:
		}
		if s.cfg.ESTListen == "" {
			continue
		}
		err := s.renewOwn(ctx)
		if err != nil {
			s.log.Error("the enrolment server's certificate could not be renewed", "why", err)
		}
		s.mu.Lock()
		s.problem = err
		s.mu.Unlock()
	}
}

// bounded accepts at most so many connections at a time; others wait in the
// kernel's queue.
type bounded struct {
	net.Listener
	slots chan struct{}
	ended chan struct{}
	once  sync.Once
}

func newBounded(l net.Listener, n int) net.Listener {
	return &bounded{Listener: l, slots: make(chan struct{}, n), ended: make(chan struct{})}
}

func (b *bounded) Accept() (net.Conn, error) {
	select {
	case b.slots <- struct{}{}:
	case <-b.ended:
		return nil, net.ErrClosed
	}
	c, err := b.Listener.Accept()
	if err != nil {
		<-b.slots
		return nil, err
	}
	return &boundedConn{Conn: c, free: sync.OnceFunc(func() { <-b.slots })}, nil
}

func (b *bounded) Close() error {
	b.once.Do(func() { close(b.ended) })
	return b.Listener.Close()
}

type boundedConn struct {
	net.Conn
	free func()
}

func (c *boundedConn) Close() error {
	defer c.free()
	return c.Conn.Close()
}
