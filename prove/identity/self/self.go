// SPDX-License-Identifier: Apache-2.0

// Package self gives a service of ours a certificate of the site's authority where both
// run in one process: no file, no enrolment.
//
// The key is made here and is in memory only. The certificate is renewed when it is due, with
// a new key; one that cannot be renewed stays in use to its end, and each failure is logged.
package self

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/order"
	"github.com/asepsis/asepsis/prove/identity/trust"
)

// look is how often a certificate is looked at.
const look = time.Minute

// Authority is the site's authority in the same process; *identity.Authority is one.
type Authority interface {
	Issue(ctx context.Context, r identity.Request) (*identity.Issued, error)
	CRLs(ctx context.Context) ([][]byte, error)
	Publish(ctx context.Context, force bool) error
	Issuing() []*x509.Certificate
	Root() *x509.Certificate
	Site() identity.Site
}

// Certificate is one that the authority gives us. Its methods may be called concurrently.
type Certificate struct {
	ca      Authority
	request identity.Request
	now     func() time.Time
	log     *slog.Logger

	mu   sync.Mutex
	pair *tls.Certificate
}

// New has the first certificate made. Of the request, the key is filled in here.
func New(ctx context.Context, ca Authority, r identity.Request, log *slog.Logger, now func() time.Time) (*Certificate, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if now == nil {
		now = time.Now
	}
	r.Via = "self"
	c := &Certificate{ca: ca, request: r, now: now, log: log}
	if err := c.renew(ctx); err != nil {
		return nil, err
	}
	if err := ca.Publish(ctx, false); err != nil { // an authority that is new, or slept long, has no CRL that counts
		return nil, fmt.Errorf("the authority's revocation list: %w", err)
	}
	return c, nil
}

// Trust is the common ground of TLS and of what is signed, with this certificate and the
// authority's own revocation lists.
func (c *Certificate) Trust(ctx context.Context, cfg trust.Config, d trust.Deps) (*trust.Trust, error) {
	cfg.TrustDomain = c.ca.Site().TrustDomain
	d.Source, d.Material = trust.SourceFunc(c.ca.CRLs), c.material
	return trust.New(ctx, cfg, d)
}

// Ground opens, for an order.Ground, a certificate of one's own and the trust around it.
func Ground(ca Authority, r identity.Request, cfg trust.Config, d trust.Deps, log *slog.Logger) order.OpenGround {
	return func(ctx context.Context) (*trust.Trust, func(context.Context, *trust.Trust) error, error) {
		c, err := New(ctx, ca, r, log, d.Now)
		if err != nil {
			return nil, nil, fmt.Errorf("the own certificate: %w", err)
		}
		t, err := c.Trust(ctx, cfg, d)
		return t, c.Run, err
	}
}

func (c *Certificate) material() (trust.Material, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return trust.Material{CA: append(slices.Clone(c.ca.Issuing()), c.ca.Root()), Certificate: c.pair}, nil
}

// renew makes the certificate when it is due.
func (c *Certificate) renew(ctx context.Context) error {
	c.mu.Lock()
	pair := c.pair
	c.mu.Unlock()
	if pair != nil && c.now().Before(identity.RenewFrom(pair.Leaf)) {
		return nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	r := c.request
	r.Public = key.Public()
	i, err := c.ca.Issue(ctx, r)
	if err != nil {
		return err
	}
	fresh := &tls.Certificate{PrivateKey: key, Leaf: i.Leaf, Certificate: [][]byte{i.Leaf.Raw}}
	for _, up := range i.Chain {
		fresh.Certificate = append(fresh.Certificate, up.Raw)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pair = fresh
	return nil
}

// Run renews the certificate until ctx ends, and has the Trust take it.
func (c *Certificate) Run(ctx context.Context, t *trust.Trust) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := c.renew(ctx); err != nil {
			if ctx.Err() == nil {
				c.log.Error("the own certificate could not be renewed; it is tried again", "why", err)
			}
			continue
		}
		if err := t.Reload(); err != nil && ctx.Err() == nil {
			c.log.Error("the own renewed certificate cannot be used", "why", err)
		}
	}
}
