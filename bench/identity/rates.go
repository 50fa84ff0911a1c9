// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"time"

	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/ocsp"
	"github.com/asepsis/asepsis/prove/identity/trust"
)

// issuing measures certificates: linted, signed, kept durably.
func issuing(ctx context.Context, s *site, o options) ([]row, error) {
	first, err := rate(o.seconds, func(n int) error {
		_, _, err := s.issue(ctx, identity.XRHeadset, fmt.Sprint("dev-", n))
		return err
	})
	if err != nil {
		return nil, err
	}
	again, err := rate(o.seconds, func(int) error {
		_, _, err := s.issue(ctx, identity.XRHeadset, "dev-0")
		return err
	})
	return []row{
		{"certificates issued", fmt.Sprintf("%.0f /s", first), "linted, in SQLite with its statement, synced"},
		{"certificates renewed", fmt.Sprintf("%.0f /s", again), "the one before becomes superseded"},
	}, err
}

// answering measures OCSP, with the CRL of the given length.
func answering(ctx context.Context, s *site, o options) ([]row, error) {
	ca := s.Issuing()[0]
	var serials []string
	for n := range 1000 {
		i, _, err := s.issue(ctx, identity.XRHeadset, fmt.Sprint("ocsp-", n))
		if err != nil {
			return nil, err
		}
		serials = append(serials, i.Serial)
	}
	var requests [][]byte
	for _, text := range serials {
		n, _ := new(big.Int).SetString(text, 16)
		q, err := ocsp.NewRequest(ca, n)
		if err != nil {
			return nil, err
		}
		requests = append(requests, q)
	}
	if _, err := ocsp.NewID(crypto.SHA1, ca, big.NewInt(1)); err != nil {
		return nil, err
	}
	i := 0
	signed, err := rate(float64(len(requests))/1e4, func(n int) error { // each once: none is ready
		i = n % len(requests)
		_, _, err := s.AnswerOCSP(ctx, requests[i])
		return err
	})
	if err != nil {
		return nil, err
	}
	ready, err := rate(o.seconds, func(n int) error {
		_, _, err := s.AnswerOCSP(ctx, requests[n%(i+1)])
		return err
	})
	if err != nil {
		return nil, err
	}
	out := []row{
		{"OCSP answers signed", fmt.Sprintf("%.0f /s", signed), "first question about a certificate"},
		{"OCSP answers kept ready", fmt.Sprintf("%.0f /s", ready), "without a nonce, asked again"},
	}
	revoked, err := fill(ctx, s, o.revoked)
	return append(out, revoked...), err
}

// fill revokes many, in as large steps as may be.
func fill(ctx context.Context, s *site, n int) ([]row, error) {
	var took []time.Duration
	for left := n; left > 0; {
		step := min(left, 1000)
		var serials []string
		for k := range step {
			i, _, err := s.issue(ctx, identity.XRHeadset, fmt.Sprintf("gone-%d-%d", left, k))
			if err != nil {
				return nil, err
			}
			serials = append(serials, i.Serial)
		}
		begin := time.Now()
		if _, err := s.Revoke(ctx, identity.Revocation{Serials: serials, Reason: identity.Cessation}); err != nil {
			return nil, err
		}
		took = append(took, time.Since(begin))
		left -= step
	}
	if len(took) == 0 {
		return nil, nil
	}
	begin := time.Now()
	if err := s.Publish(ctx, true); err != nil {
		return nil, err
	}
	return []row{{"CRL signed", fmt.Sprintf("%.1f ms", float64(time.Since(begin))/1e6), fmt.Sprintf("%d entries, kept durably", n)}}, nil
}

// handshakes compares full mutual handshakes with plain crypto/tls, both ends in
// this process, in turns.
func handshakes(ctx context.Context, s *site, o options) ([]row, error) {
	_, server, err := s.issue(ctx, identity.Infrastructure, "gateway")
	if err != nil {
		return nil, err
	}
	_, client, err := s.issue(ctx, identity.APIClient, "dev-client")
	if err != nil {
		return nil, err
	}
	mine := func(c *tls.Certificate) (*trust.Trust, error) {
		cfg := trust.Default()
		cfg.TrustDomain = domain
		return trust.New(ctx, cfg, trust.Deps{Source: trust.SourceFunc(s.CRLs), Material: func() (trust.Material, error) {
			return trust.Material{CA: append(s.Issuing(), s.Root()), Certificate: c}, nil
		}})
	}
	st, err := mine(server)
	if err != nil {
		return nil, err
	}
	ts, err := st.Server(trust.ServerOptions{Profiles: []identity.Profile{identity.APIClient}, NoTickets: true})
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Root())
	plain := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots, SessionTicketsDisabled: true}
	peer := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, Certificates: []tls.Certificate{*client}, ServerName: "127.0.0.1"}
	shake := func(l net.Listener) func(int) error {
		return func(int) error {
			errs := make(chan error, 1)
			go func() {
				c, err := l.Accept()
				if err == nil {
					err = c.(*tls.Conn).HandshakeContext(ctx)
					_ = c.Close()
				}
				errs <- err
			}()
			c, err := (&tls.Dialer{Config: peer}).DialContext(ctx, "tcp", l.Addr().String())
			if err != nil {
				return err
			}
			_ = c.Close()
			return <-errs
		}
	}
	listen := func() (net.Listener, error) {
		var lc net.ListenConfig
		return lc.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	a, err := listen()
	if err != nil {
		return nil, err
	}
	b, err := listen()
	if err != nil {
		return nil, err
	}
	la, lb := tls.NewListener(a, plain), ts.Listener(b)
	defer func() { _, _ = la.Close(), lb.Close() }()
	var pa, pb float64
	const turns = 4
	for range turns {
		x, err := rate(o.seconds/turns, shake(la))
		if err != nil {
			return nil, err
		}
		y, err := rate(o.seconds/turns, shake(lb))
		if err != nil {
			return nil, err
		}
		pa, pb = pa+x/turns, pb+y/turns
	}
	return []row{
		{"mutual TLS handshakes, crypto/tls alone", fmt.Sprintf("%.0f /s", pa), "both ends, one at a time"},
		{"the same with trust: profile, CRL, index", fmt.Sprintf("%.0f /s (%.2fx)", pb, pb/pa), fmt.Sprintf("CRL of %d entries", o.revoked)},
	}, nil
}
