// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/announce"
	"github.com/asepsis/asepsis/prove/identity/trust"
)

func freePort() (int, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// setup is what the consumer is told.
type setup struct {
	Bus     string
	Address string // where it listens
}

// consume is the other process: a TLS server that trusts the site, fed by the bus.
func consume(ctx context.Context, dir string) error {
	var set setup
	if err := readJSON(filepath.Join(dir, "setup.json"), &set); err != nil {
		return err
	}
	cfg := bus.Default()
	cfg.URL = set.Bus
	b, err := bus.Open(ctx, cfg, bus.Deps{})
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	tc := trust.Default()
	tc.TrustDomain, tc.CAFile, tc.CertFile, tc.KeyFile, tc.CRL = domain, filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), config.SecretFile(filepath.Join(dir, "key.pem")), []string{filepath.Join(dir, "crl.pem")}
	t, err := trust.New(ctx, tc, trust.Deps{Announcer: announce.Over(b), Told: func(trust.Cutting) {}})
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	group.Go(func() { _ = t.Run(ctx) })
	s, err := t.Server(trust.ServerOptions{Profiles: []identity.Profile{identity.APIClient}})
	if err != nil {
		return err
	}
	inner, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	l := s.Listener(inner)
	context.AfterFunc(ctx, func() { _ = l.Close() })
	set.Address = inner.Addr().String()
	if err := writeJSON(filepath.Join(dir, "ready.tmp"), set); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(dir, "ready.tmp"), filepath.Join(dir, "ready.json")); err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			group.Wait()
			return nil //nolint:nilerr // the end
		}
		group.Go(func() {
			defer func() { _ = c.Close() }()
			if c.(*tls.Conn).HandshakeContext(ctx) != nil {
				return
			}
			_, _ = c.Write([]byte("in\n"))
			_, _ = bufio.NewReader(c).ReadByte() // until it is cut
		})
	}
}

// revoking measures from the call of Revoke to the cut of a live connection, and to
// the first handshake that is refused, at the consumer.
func revoking(ctx context.Context, s *site, o options) ([]row, error) {
	address, stop, err := startConsumer(ctx, s)
	if err != nil {
		return nil, err
	}
	defer stop()
	roots := x509.NewCertPool()
	roots.AddCert(s.Root())
	var cut, refused, returned []time.Duration
	for n := range o.rounds {
		i, cert, err := s.issue(ctx, identity.APIClient, fmt.Sprint("revoked-", n))
		if err != nil {
			return nil, err
		}
		c := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots, Certificates: []tls.Certificate{*cert}, ServerName: "127.0.0.1"}
		live, err := enter(ctx, address, c)
		if err != nil {
			return nil, fmt.Errorf("before the revocation: %w", err)
		}
		begin := time.Now()
		ended := make(chan time.Duration, 1)
		go func() {
			_ = live.SetReadDeadline(time.Now().Add(5 * time.Second))
			_, err := live.Read(make([]byte, 1))
			at := time.Since(begin)
			if n, ok := errors.AsType[net.Error](err); ok && n.Timeout() {
				at = -1
			}
			ended <- at
		}()
		done := make(chan error, 1)
		go func() {
			_, err := s.Revoke(ctx, identity.Revocation{Serials: []string{i.Serial}, Reason: identity.KeyCompromise})
			returned = append(returned, time.Since(begin))
			done <- err
		}()
		// Knock until nobody opens: the time of the last one that was let in is a
		// lower bound, the beginning of the first that was not an upper one.
		for {
			at := time.Since(begin)
			again, err := enter(ctx, address, c)
			if err != nil {
				refused = append(refused, at)
				break
			}
			_ = again.Close()
			time.Sleep(2 * time.Millisecond) // leave the processor to the one that is measured
			if at > 5*time.Second {
				return nil, errors.New("a revoked certificate was let in for five seconds")
			}
		}
		if err := <-done; err != nil {
			return nil, err
		}
		at := <-ended
		_ = live.Close()
		if at < 0 {
			return nil, errors.New("a live connection was not cut within five seconds")
		}
		cut = append(cut, at)
	}
	if len(cut) == 0 {
		return nil, errNothing
	}
	with := fmt.Sprintf("%d rounds, another process, over the bus, CRL of %d entries", o.rounds, o.revoked)
	return []row{
		{"revocation to the cut of a live stream", spread(cut), with},
		{"revocation to the refusal of a handshake", spread(refused), "knocking every 2 ms meanwhile"},
		{"revocation to Revoke's return", spread(returned), "certificate, CRLs and statement durable"},
	}, nil
}

// enter shakes hands and waits for the server's word, without which a client in
// TLS 1.3 does not know.
func enter(ctx context.Context, address string, c *tls.Config) (net.Conn, error) {
	conn, err := (&tls.Dialer{Config: c}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Read(make([]byte, 3)); err != nil {
		_ = conn.Close()
		return nil, err
	}
	_ = conn.SetReadDeadline(time.Time{})
	return conn, nil
}

func startConsumer(ctx context.Context, s *site) (address string, stop func(), err error) {
	dir, err := os.MkdirTemp(s.dir, "consumer-")
	if err != nil {
		return "", nil, err
	}
	_, cert, err := s.issue(ctx, identity.Infrastructure, "consumer")
	if err != nil {
		return "", nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return "", nil, err
	}
	lists, err := s.CRLs(ctx)
	if err != nil {
		return "", nil, err
	}
	var crl, chain []byte
	for _, l := range lists {
		crl = append(crl, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: l})...)
	}
	for _, c := range cert.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c})...)
	}
	for name, b := range map[string][]byte{"key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), "cert.pem": chain, "ca.pem": s.Bundle(), "crl.pem": crl} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			return "", nil, err
		}
	}
	if err := writeJSON(filepath.Join(dir, "setup.json"), setup{Bus: s.url}); err != nil {
		return "", nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	c := exec.CommandContext(ctx, self, "-consume", dir) //nolint:gosec // this program
	c.Stderr = os.Stderr
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 5 * time.Second
	if err := c.Start(); err != nil {
		cancel()
		return "", nil, err
	}
	stop = func() { cancel(); _ = c.Wait() }
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		var set setup
		if readJSON(filepath.Join(dir, "ready.json"), &set) == nil {
			return set.Address, stop, nil
		}
	}
	stop()
	return "", nil, errors.New("the consumer did not start")
}
