// SPDX-License-Identifier: Apache-2.0

package identity_test

import (
	"crypto/rand"
	"crypto/x509"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
)

func csr(t *testing.T) *x509.CertificateRequest {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, identitytest.Key(t))
	if err != nil {
		t.Fatal(err)
	}
	c, err := identity.ParseCSR(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestACodeIsSpentOnceHoweverManyTryAtOnce races eight devices, half of them at
// another process, for one code.
func TestACodeIsSpentOnceHoweverManyTryAtOnce(t *testing.T) {
	book := &book{}
	s := identitytest.New(t, identitytest.Options{Deps: func(d *identity.Deps) { d.Journal = book }})
	code, err := s.MakeCode(t.Context(), identity.Request{Profile: identity.DICOMNode, Device: "dev-arm"}, time.Hour, "https://pki.st-example.internal")
	if err != nil {
		t.Fatal(err)
	}
	other, err := identity.Open(s.Dir, identity.Default(), identity.Deps{Documents: s.Store, Passphrase: []byte(identitytest.Passphrase)})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	var mu sync.Mutex
	kinds := map[identity.Kind]int{}
	for n := range 8 {
		a, req := s.Authority, csr(t)
		if n%2 == 0 {
			a = other
		}
		group.Go(func() {
			_, err := a.Enroll(t.Context(), identity.CodeTicket(code.Text), req, "est-code")
			mu.Lock()
			defer mu.Unlock()
			if err != nil && identity.KindOf(err) == "" {
				t.Error(err)
			}
			kinds[identity.KindOf(err)]++
		})
	}
	group.Wait()
	if kinds[""] != 1 || kinds[identity.UsedCode] != 7 {
		t.Errorf("%v", kinds)
	}
	if list, _, err := s.List(t.Context(), identity.Filter{}); err != nil || len(list) != 1 {
		t.Errorf("%d certificates, %v", len(list), err)
	}
	if _, err := s.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := book.actions()
	slices.Sort(got)
	if !slices.Equal(got, []string{"code-made", "code-used", "issued"}) {
		t.Errorf("in the ledger: %v", got)
	}
}

func TestACodeThatCouldNeverBeUsedIsNotMade(t *testing.T) {
	s := identitytest.New(t, identitytest.Options{Site: identity.Site{Domains: []string{"st-example.internal"}}})
	for name, r := range map[string]identity.Request{
		"a name outside the site":     {Profile: identity.APIServer, Device: "d", DNS: []string{"www.example.com"}},
		"a server without a name":     {Profile: identity.APIServer, Device: "d"},
		"no device":                   {Profile: identity.DICOMNode},
		"a long life without reasons": {Profile: identity.DICOMNode, Device: "d", LongLife: true},
	} {
		if _, err := s.MakeCode(t.Context(), r, time.Hour, ""); identity.KindOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, life := range []time.Duration{0, -time.Hour, identity.MaxCodeLife + 1} {
		if _, err := s.MakeCode(t.Context(), identity.Request{Profile: identity.DICOMNode, Device: "d"}, life, ""); identity.KindOf(err) != identity.BadRequest {
			t.Errorf("valid for %s: %v", life, err)
		}
	}
	if codes, err := s.Codes(t.Context()); err != nil || len(codes) != 0 {
		t.Errorf("%v, %v", codes, err)
	}
}

func TestACodeIsNowhereInClear(t *testing.T) {
	s := identitytest.New(t, identitytest.Options{})
	code, err := s.MakeCode(t.Context(), identity.Request{Profile: identity.XRHeadset, Device: "dev-headset"}, time.Hour, "https://pki.st-example.internal")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"identity.code", "identity.outbox"} {
		docs, err := s.Store.DocumentsOf(t.Context(), kind, "", 100)
		if err != nil || len(docs) == 0 {
			t.Fatal(kind, docs, err)
		}
		for _, d := range docs {
			if body := string(d.Body) + d.ID; strings.Contains(body, code.Text) || strings.Contains(body, strings.ReplaceAll(code.Text, "-", "")) {
				t.Errorf("%s holds the code", kind)
			}
		}
	}
	if !strings.Contains(code.URI, code.Text) || !strings.HasPrefix(code.URI, "asepsis-enroll:?") {
		t.Errorf("URI %q", code.URI)
	}
}
