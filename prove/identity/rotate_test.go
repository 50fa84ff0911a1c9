// SPDX-License-Identifier: Apache-2.0

package identity_test

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/platform/store/sqlite"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
)

// TestRotationOverlaps rotates the issuing authority under a running one: the
// old certificates stay good, and both issuers answer for theirs.
func TestRotationOverlaps(t *testing.T) {
	s, base := served(t, identitytest.Options{})
	before, _ := s.Issue(t, identity.DICOMNode, "dev-before")
	old := s.Authority.Site().Active
	running, err := identity.Open(s.Dir, identity.Default(), identity.Deps{Documents: s.Store, Passphrase: []byte(identitytest.Passphrase), Now: s.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := s.Rotate(t.Context(), identity.RootAccess{Passphrase: []byte(identitytest.Passphrase)}, identity.Actor{User: "anna"})
	if err != nil {
		t.Fatal(err)
	}
	if now := s.Authority.Site().Active; now == old || now != identity.KeyID(cert.SubjectKeyId) {
		t.Errorf("active is %s", now)
	}
	after, _ := s.Issue(t, identity.DICOMNode, "dev-after")
	if after.Issuer == before.Issuer {
		t.Error("the old authority still signs")
	}
	root := write(t, identity.EncodePEM(s.Root()))
	for _, i := range []*identity.Issued{before, after} {
		if out, err := identitytest.Run(t, nil, "openssl", "verify", "-CAfile", root, "-untrusted", write(t, identity.EncodePEM(i.Chain...)), write(t, identity.EncodePEM(i.Leaf))); err != nil {
			t.Errorf("%s: %v: %s", i.Device, err, out)
		}
		if _, err := s.Revoke(t.Context(), identity.Revocation{Serials: []string{i.Serial}, Reason: identity.Cessation}); err != nil {
			t.Errorf("%s: %v", i.Device, err)
		}
		out, err := identitytest.Run(t, nil, "openssl", "ocsp", "-url", base+"/ocsp", "-CAfile", root, "-issuer", write(t, identity.EncodePEM(i.Chain...)), "-cert", write(t, identity.EncodePEM(i.Leaf)))
		if err != nil || !strings.Contains(out, ": revoked") {
			t.Errorf("%s: %v: %s", i.Device, err, out)
		}
	}
	// Another process that was running learns of it.
	if err := running.Reload(); err != nil {
		t.Fatal(err)
	}
	if running.Site().Active != identity.KeyID(cert.SubjectKeyId) {
		t.Error("the other process signs with the old authority")
	}

	if err := s.RevokeIssuing(t.Context(), identity.KeyID(cert.SubjectKeyId), identity.RootAccess{Passphrase: []byte(identitytest.Passphrase)}, identity.Cessation, identity.Actor{}); identity.KindOf(err) != identity.NotAllowed {
		t.Errorf("the active authority was revoked: %v", err)
	}
	if err := s.RevokeIssuing(t.Context(), old, identity.RootAccess{Passphrase: []byte(identitytest.Passphrase)}, identity.Cessation, identity.Actor{}); err != nil {
		t.Fatal(err)
	}
	der, _, err := s.CRL(t.Context(), s.Authority.Site().Root, false)
	if err != nil {
		t.Fatal(err)
	}
	crl, _ := identitytest.Run(t, der, "openssl", "crl", "-inform", "DER", "-outform", "PEM")
	trust := write(t, append(identity.EncodePEM(s.Root()), crl...))
	out, _ := identitytest.Run(t, nil, "openssl", "verify", "-crl_check", "-CAfile", trust, write(t, identity.EncodePEM(before.Chain...)))
	if !strings.Contains(out, "certificate revoked") {
		t.Errorf("the old authority: %s", out)
	}
}

func TestTheRootOpensWithEnoughShares(t *testing.T) {
	s := identitytest.New(t, identitytest.Options{Init: func(o *identity.InitOptions) { o.Threshold, o.Shares = 2, 3 }})
	if len(s.Made.Shares) != 3 || s.Authority.Site().Shares != "2of3" {
		t.Fatalf("%v, %q", s.Made.Shares, s.Authority.Site().Shares)
	}
	// The key file is taken away and brought back from elsewhere.
	stick := filepath.Join(t.TempDir(), "root-of-the-hospital.key")
	if err := os.Rename(s.Made.RootKey, stick); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		a    identity.RootAccess
		want string
	}{
		{"without the key file", identity.RootAccess{Shares: s.Made.Shares}, "root's key"},
		{"with one share", identity.RootAccess{KeyFile: stick, Shares: s.Made.Shares[:1]}, "1 different shares, want 2"},
		{"with the passphrase of the issuing authority", identity.RootAccess{KeyFile: stick, Passphrase: []byte(identitytest.Passphrase)}, "wrong passphrase"},
		{"with two shares", identity.RootAccess{KeyFile: stick, Shares: s.Made.Shares[1:]}, ""},
	} {
		_, err := s.Rotate(t.Context(), c.a, identity.Actor{})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestABackupGoesOnElsewhere(t *testing.T) {
	s := identitytest.New(t, identitytest.Options{})
	i, _ := s.Issue(t, identity.DICOMNode, "dev-1")
	x, _ := s.Issue(t, identity.DICOMNode, "dev-2")
	if _, err := s.Revoke(t.Context(), identity.Revocation{Serials: []string{x.Serial}, Reason: identity.KeyCompromise}); err != nil {
		t.Fatal(err)
	}
	file, err := s.Backup(t.Context(), []byte("the backup's own passphrase"), identitytest.Cheap)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	st, err := sqlite.Open(t.Context(), sqlite.Config{Dir: filepath.Join(dir, "store")}, sqlite.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if err := identity.Restore(t.Context(), filepath.Join(dir, "ca"), st, file, []byte("not the backup's passphrase")); err == nil {
		t.Fatal("restored under another passphrase")
	}
	if err := identity.Restore(t.Context(), filepath.Join(dir, "ca"), st, file, []byte("the backup's own passphrase")); err != nil {
		t.Fatal(err)
	}
	a, err := identity.Open(filepath.Join(dir, "ca"), identity.Default(), identity.Deps{Documents: st, Passphrase: []byte(identitytest.Passphrase)})
	if err != nil {
		t.Fatal(err)
	}
	for serial, want := range map[string]identity.Status{i.Serial: identity.Good, x.Serial: identity.Revoked} {
		if c, err := a.Get(t.Context(), serial); err != nil || c.Status != want {
			t.Errorf("%s: %s, %v", serial, c.Status, err)
		}
	}
	before, _, _ := s.CRL(t.Context(), a.Site().Active, false)
	if _, err := a.Revoke(t.Context(), identity.Revocation{Serials: []string{i.Serial}, Reason: identity.Cessation}); err != nil {
		t.Fatal(err)
	}
	after, _, err := a.CRL(t.Context(), a.Site().Active, false)
	if err != nil {
		t.Fatal(err)
	}
	if n, m := crlNumber(t, before), crlNumber(t, after); m <= n {
		t.Errorf("the CRL's number went from %d to %d", n, m)
	}
	if err := identity.Restore(t.Context(), filepath.Join(dir, "ca2"), st, file, []byte("the backup's own passphrase")); identity.KindOf(err) != identity.Already {
		t.Errorf("restored over an inventory: %v", err)
	}
}

func TestWhatEndsSoonIsAFinding(t *testing.T) {
	s := identitytest.New(t, identitytest.Options{})
	rules := func() map[string]int {
		out := map[string]int{}
		list, err := s.Findings(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range list {
			out[f.Rule]++
			if f.Title == "" || f.Room == "" || len(f.Evidence) == 0 {
				t.Errorf("%+v", f)
			}
		}
		return out
	}
	s.Issue(t, identity.DICOMNode, "dev-renews")
	long, err := s.Authority.Issue(t.Context(), identity.Request{Profile: identity.DICOMNode, Device: "dev-long", Public: identitytest.Key(t).Public(), LongLife: true, LongLifeReason: "no client"})
	if err != nil {
		t.Fatal(err)
	}
	if got := rules(); len(got) != 0 {
		t.Errorf("on the first day: %v", got)
	}
	s.Clock.Advance(6 * 24 * time.Hour) // the renewal of a week's certificate is overdue
	if got := rules(); got[identity.RuleRenewal] != 1 || len(got) != 1 {
		t.Errorf("after six days: %v", got)
	}
	s.Issue(t, identity.DICOMNode, "dev-renews")
	if got := rules(); len(got) != 0 {
		t.Errorf("after the renewal: %v", got)
	}
	s.Clock.Advance(long.NotAfter.Sub(s.Clock.Now()) - 30*24*time.Hour)
	if err := s.Publish(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if got := rules(); got[identity.RuleExpiry] != 1 || got[identity.RuleAuthority] != 1 { // the root's CRL
		t.Errorf("a month before the end of a long life: %v", got)
	}
	s.Clock.Advance(31 * 24 * time.Hour)
	if got := rules(); got[identity.RuleExpired] != 1 {
		t.Errorf("after the end: %v", got)
	}
}

func crlNumber(t *testing.T, der []byte) uint64 {
	t.Helper()
	l, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	return l.Number.Uint64()
}
