// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/prove/identity/trust"
)

func TestAGatewayIsStartedThoughRevocationListsCannotBeFetched(t *testing.T) {
	site := identitytest.New(t, identitytest.Options{})
	_, pair := site.Issue(t, identity.DICOMNode, "gateway")
	file := filepath.Join(t.TempDir(), "crls.pem")
	away := errors.New("the authority is away")
	start := func(why error) (*trust.Trust, *keptCRLs, error) {
		k := &keptCRLs{file: file, log: slog.New(slog.DiscardHandler), source: trust.SourceFunc(func(ctx context.Context) ([][]byte, error) {
			if why != nil {
				return nil, why
			}
			return site.CRLs(ctx)
		})}
		cfg := trust.Default()
		cfg.TrustDomain = identitytest.Domain
		tr, err := trust.New(t.Context(), cfg, trust.Deps{Source: k, Announcer: site.Air, Now: site.Clock.Now, Material: func() (trust.Material, error) {
			return trust.Material{CA: append(site.Issuing(), site.Root()), Certificate: &tls.Certificate{Certificate: pair.Certificate, PrivateKey: pair.PrivateKey, Leaf: pair.Leaf}}, nil
		}})
		return tr, k, err
	}
	if _, _, err := start(away); !errors.Is(err, away) {
		t.Fatalf("without any it is started: %v", err)
	}
	if _, _, err := start(nil); err != nil {
		t.Fatal(err)
	}
	tr, k, err := start(away)
	if err != nil {
		t.Fatalf("with those of the last start: %v", err)
	}
	if err := tr.Fetch(t.Context()); !errors.Is(err, away) {
		t.Errorf("that they cannot be fetched is not told: %v", err)
	}
	if _, err := k.CRLs(t.Context()); !errors.Is(err, away) {
		t.Errorf("asked again: %v", err)
	}
	site.Clock.Advance(48 * time.Hour)
	if _, _, err := start(away); err == nil {
		t.Error("lists that have ended are good enough")
	}
}
