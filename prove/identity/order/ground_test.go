// SPDX-License-Identifier: Apache-2.0

package order

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/prove/identity/trust"
)

func TestAGroundIsWaitedForAndNothingCountsMeanwhile(t *testing.T) {
	site := identitytest.New(t, identitytest.Options{})
	_, pair := site.Issue(t, identity.Infrastructure, "dev-console")
	away := errors.New("no revocation list can be had")
	renewed := make(chan *trust.Trust, 1)
	open := func(ctx context.Context) (*trust.Trust, func(context.Context, *trust.Trust) error, error) {
		if away != nil {
			return nil, nil, away
		}
		cfg := trust.Default()
		cfg.TrustDomain = identitytest.Domain
		tr, err := trust.New(ctx, cfg, trust.Deps{Source: trust.SourceFunc(site.CRLs), Material: func() (trust.Material, error) {
			return trust.Material{CA: append(site.Issuing(), site.Root()), Certificate: &pair}, nil
		}})
		return tr, func(ctx context.Context, tr *trust.Trust) error { renewed <- tr; <-ctx.Done(); return nil }, err
	}
	g, err := NewGround(t.Context(), open, nil)
	if err != nil {
		t.Fatal(err)
	}
	signer := NewSigner(g, nil)
	if _, err := signer.Order(Order{}, nil); err == nil || !strings.Contains(err.Error(), "no revocation list") {
		t.Errorf("without it, signing: %v", err)
	}
	if _, err := g.Check(nil, identity.Infrastructure); err == nil {
		t.Error("without it, everybody is trusted")
	}
	away = nil
	if err := g.try(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := signer.Order(Order{}, nil); err != nil {
		t.Errorf("with it, signing: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	select {
	case <-renewed:
	case <-time.After(identitytest.Patience):
		t.Error("nobody renews it")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	away = config.Invalid("ca_file", "", "is not there")
	if _, err := NewGround(t.Context(), open, nil); err == nil {
		t.Error("a setting that is wrong is waited for")
	}
}
