// SPDX-License-Identifier: Apache-2.0

package identity_test

import (
	"context"
	"testing"
	"time"

	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/prove/ledger"
)

// TestTheRealLedgerTakesEverything does everything that makes a statement, once
// with the ledger there and once delivered to it later, and counts.
func TestTheRealLedgerTakesEverything(t *testing.T) {
	cfg := ledger.Default()
	cfg.Dir = t.TempDir()
	l, err := ledger.New(cfg, ledger.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = l.Close()
	}()
	size := func() uint64 {
		s, err := l.Status()
		if err != nil {
			t.Fatal(err)
		}
		return s.Size
	}
	for _, later := range []bool{false, true} {
		before := size()
		s := identitytest.New(t, identitytest.Options{Deps: func(d *identity.Deps) {
			if !later {
				d.Journal = l
			}
		}})
		everything(t, s)
		a := s.Authority
		if later {
			if a, err = identity.Open(s.Dir, identity.Default(), identity.Deps{Documents: s.Store, Passphrase: []byte(identitytest.Passphrase), Journal: l}); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := a.Deliver(t.Context()); err != nil || n != 0 {
			t.Errorf("later %v: %d statements wait, %v", later, n, err)
		}
		// authority-made twice, issued, renewed, code-made twice, code-used with its
		// issued, code-withdrawn, revoked twice, authority-rotated, and the old one revoked.
		if got := size() - before; got != 13 {
			t.Errorf("later %v: %d entries, want 13", later, got)
		}
	}
}

func everything(t *testing.T, s *identitytest.Site) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	by := identity.Actor{User: "anna"}
	old := s.Authority.Site().Active
	must(s.Announced(t.Context(), by))
	i, _ := s.Issue(t, identity.DICOMNode, "dev-1")
	_, err := s.Renew(t.Context(), i.Leaf, csr(t), "est-renewal")
	must(err)
	r := identity.Request{Profile: identity.XRHeadset, Device: "dev-2", By: by}
	used, err := s.MakeCode(t.Context(), r, time.Hour, "")
	must(err)
	_, err = s.Enroll(t.Context(), identity.CodeTicket(used.Text), csr(t), "est-code")
	must(err)
	unused, err := s.MakeCode(t.Context(), r, time.Hour, "")
	must(err)
	must(s.WithdrawCode(t.Context(), unused.Hash, by))
	_, err = s.Revoke(t.Context(), identity.Revocation{Device: "dev-1", Reason: identity.KeyCompromise, Note: "lost\nin transport", By: by})
	must(err)
	access := identity.RootAccess{Passphrase: []byte(identitytest.Passphrase)}
	_, err = s.Rotate(t.Context(), access, by)
	must(err)
	must(s.RevokeIssuing(t.Context(), old, access, identity.Cessation, by))
}
