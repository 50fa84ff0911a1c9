// SPDX-License-Identifier: Apache-2.0

package order

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/trust"
)

// OpenGround opens what a Ground stands on. renew, where it is not nil, keeps the certificate
// fresh until its ctx ends.
type OpenGround func(ctx context.Context) (t *trust.Trust, renew func(context.Context, *trust.Trust) error, err error)

// Ground is a trust.Trust for who needs one to give or take orders and for nothing else. A
// process does not wait for it: while the authority's revocation lists cannot be had, it is
// tried again, and until then nothing is signed and nothing counts. It is an Own and a
// Checker; its methods may be called concurrently.
type Ground struct {
	open OpenGround
	log  *slog.Logger

	mu      sync.Mutex
	trust   *trust.Trust
	renew   func(context.Context, *trust.Trust) error
	problem error
}

var (
	_ Own     = (*Ground)(nil)
	_ Checker = (*Ground)(nil)
)

// groundAgain is how often it is tried again.
const groundAgain = 5 * time.Second

// NewGround tries once. It is an error only where trying again will not help: a setting is
// wrong.
func NewGround(ctx context.Context, open OpenGround, log *slog.Logger) (*Ground, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	g := &Ground{open: open, log: log, problem: errors.New("it was not tried yet")}
	err := g.try(ctx)
	var wrong *config.FieldError
	if errors.As(err, &wrong) {
		return nil, err
	}
	return g, nil
}

func (g *Ground) try(ctx context.Context) error {
	t, renew, err := g.open(ctx)
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil && err.Error() != g.problem.Error() {
			g.log.Warn("nothing can be signed or verified yet that is ordered over the bus; it is tried again", "why", err)
		}
		g.problem = err
		return err
	}
	g.trust, g.renew = t, renew
	return nil
}

func (g *Ground) get() (*trust.Trust, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.trust == nil {
		return nil, g.problem
	}
	return g.trust, nil
}

// Run tries until it stands, and keeps it, until ctx ends.
func (g *Ground) Run(ctx context.Context) error {
	t, err := g.get()
	for err != nil {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(groundAgain):
		}
		_ = g.try(ctx) // is in the log, and what get gives
		t, err = g.get()
	}
	g.mu.Lock()
	renew := g.renew
	g.mu.Unlock()
	var group sync.WaitGroup
	defer group.Wait()
	if renew != nil {
		group.Go(func() { _ = renew(ctx, t) }) // ends with ctx alone
	}
	return t.Run(ctx)
}

// Certificate implements Own.
func (g *Ground) Certificate() (*tls.Certificate, error) {
	t, err := g.get()
	if err != nil {
		return nil, err
	}
	return t.Certificate()
}

// Check implements Checker.
func (g *Ground) Check(chain []*x509.Certificate, profiles ...identity.Profile) (trust.Peer, error) {
	t, err := g.get()
	if err != nil {
		return trust.Peer{}, err
	}
	return t.Check(chain, profiles...)
}
