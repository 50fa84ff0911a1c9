// SPDX-License-Identifier: Apache-2.0

package identity_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	xocsp "golang.org/x/crypto/ocsp"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
	"github.com/asepsis/asepsis/prove/ledger"
)

// served is an authority whose addresses in certificates are where it is served.
func served(t *testing.T, o identitytest.Options) (*identitytest.Site, string) {
	t.Helper()
	var s *identitytest.Site
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.Handler().ServeHTTP(w, r) }))
	t.Cleanup(srv.Close)
	o.Site.Base = srv.URL
	s = identitytest.New(t, o)
	return s, srv.URL
}

// TestOpenSSLAgreesWithTheCRL fetches what the certificate points to, with curl,
// and lets openssl judge.
func TestOpenSSLAgreesWithTheCRL(t *testing.T) {
	s, _ := served(t, identitytest.Options{})
	good, _ := s.Issue(t, identity.DICOMNode, "dev-good")
	bad, _ := s.Issue(t, identity.DICOMNode, "dev-bad")
	if _, err := s.Revoke(t.Context(), identity.Revocation{Serials: []string{bad.Serial}, Reason: identity.KeyCompromise, Note: "the C-arm was stolen", By: identity.Actor{User: "anna"}}); err != nil {
		t.Fatal(err)
	}
	fetch := func(url string) []byte {
		out, err := identitytest.Run(t, nil, "curl", "-sSf", url)
		if err != nil {
			t.Fatalf("%s: %v: %s", url, err, out)
		}
		return []byte(out)
	}
	pem := func(der []byte) []byte {
		out, err := identitytest.Run(t, der, "openssl", "crl", "-inform", "DER", "-outform", "PEM")
		if err != nil {
			t.Fatal(err, out)
		}
		return []byte(out)
	}
	crls := pem(fetch(good.Leaf.CRLDistributionPoints[0]))
	issuing := write(t, identity.EncodePEM(s.Issuing()[0]))
	if out, err := identitytest.Run(t, crls, "openssl", "crl", "-noout", "-CAfile", issuing, "-verify"); err != nil || !strings.Contains(out, "verify OK") {
		t.Errorf("signature of the CRL: %v %s", err, out)
	}
	crls = append(crls, pem(fetch(s.Issuing()[0].CRLDistributionPoints[0]))...)
	trust := write(t, slices.Concat(identity.EncodePEM(s.Root()), crls))
	for _, c := range []struct {
		i    *identity.Issued
		want string
	}{{good, ": OK"}, {bad, "certificate revoked"}} {
		out, _ := identitytest.Run(t, nil, "openssl", "verify", "-x509_strict", "-crl_check_all", "-CAfile", trust, "-untrusted", issuing, write(t, identity.EncodePEM(c.i.Leaf)))
		if !strings.Contains(out, c.want) {
			t.Errorf("%s: want %q: %s", c.i.Device, c.want, out)
		}
	}
	text, _ := identitytest.Run(t, crls, "openssl", "crl", "-noout", "-text")
	for _, want := range []string{"Key Compromise", "X509v3 CRL Number", "X509v3 Freshest CRL"} {
		if !strings.Contains(text, want) {
			t.Errorf("openssl does not show %q in the CRL:\n%s", want, text)
		}
	}
}

func TestTheDeltaAndItsBaseTogetherAreTheFullCRL(t *testing.T) {
	s, base := served(t, identitytest.Options{})
	get := func(what string) *x509.RevocationList {
		r, err := http.Get(base + "/crl/" + s.Authority.Site().Active + what)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, _ := io.ReadAll(r.Body)
		l, err := x509.ParseRevocationList(b)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.CheckSignatureFrom(s.Issuing()[0]); err != nil {
			t.Error(err)
		}
		return l
	}
	revoke := func(n int) {
		for range n {
			i, _ := s.Issue(t, identity.XRHeadset, "dev-x")
			if _, err := s.Revoke(t.Context(), identity.Revocation{Serials: []string{i.Serial}, Reason: identity.Cessation}); err != nil {
				t.Fatal(err)
			}
		}
	}
	revoke(3)
	s.Clock.Advance(2 * time.Hour)
	if err := s.Publish(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	first := get(".crl")
	revoke(2)
	full, delta := get(".crl"), get(".delta.crl")
	if len(first.RevokedCertificateEntries) != 3 || len(full.RevokedCertificateEntries) != 5 || len(delta.RevokedCertificateEntries) != 2 {
		t.Errorf("%d at the base, %d in full, %d in the delta", len(first.RevokedCertificateEntries), len(full.RevokedCertificateEntries), len(delta.RevokedCertificateEntries))
	}
	if full.Number.Cmp(first.Number) <= 0 || delta.Number.Cmp(full.Number) != 0 {
		t.Errorf("numbers: base %v, full %v, delta %v", first.Number, full.Number, delta.Number)
	}
	var indicates string
	for _, e := range delta.Extensions {
		if e.Id.String() == "2.5.29.27" && e.Critical {
			indicates = fmt.Sprintf("%x", e.Value[2:])
		}
	}
	if want := fmt.Sprintf("%x", first.Number.Bytes()); indicates != want {
		t.Errorf("the delta adds to %s, want %s", indicates, want)
	}
	// Long after its end a certificate leaves the CRL.
	s.Clock.Advance(10 * 24 * time.Hour)
	if err := s.Publish(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if l := get(".crl"); len(l.RevokedCertificateEntries) != 0 {
		t.Errorf("%d entries of certificates that ended long ago", len(l.RevokedCertificateEntries))
	}
}

// TestOpenSSLAsksTheOCSPResponder lets `openssl ocsp` ask for good, revoked and
// unknown certificates, with and without a nonce, and check the answers.
func TestOpenSSLAsksTheOCSPResponder(t *testing.T) {
	for _, curve := range []string{"P-256", "P-384"} {
		s, base := served(t, identitytest.Options{Site: identity.Site{Curve: curve}})
		good, _ := s.Issue(t, identity.DICOMNode, "dev-good")
		bad, _ := s.Issue(t, identity.DICOMNode, "dev-bad")
		if _, err := s.Revoke(t.Context(), identity.Revocation{Device: "dev-bad", Reason: identity.KeyCompromise}); err != nil {
			t.Fatal(err)
		}
		root, issuing := write(t, identity.EncodePEM(s.Root())), write(t, identity.EncodePEM(s.Issuing()[0]))
		for _, nonce := range []string{"-nonce", "-no_nonce"} {
			for _, hash := range []string{"-sha1", "-sha256"} {
				if curve == "P-384" && hash == "-sha256" {
					continue
				}
				for what, args := range map[string][]string{
					": good":    {"-cert", write(t, identity.EncodePEM(good.Leaf))},
					": revoked": {"-cert", write(t, identity.EncodePEM(bad.Leaf))},
					": unknown": {"-serial", "0x1234567890abcdef1234567890abcdef"},
				} {
					// What openssl has asked once it asks again: the second answer is one
					// that was kept ready.
					for range 2 {
						out, err := identitytest.Run(t, nil, "openssl", slices.Concat([]string{"ocsp", "-url", base + "/ocsp", "-CAfile", root, "-issuer", issuing, nonce, hash}, args)...)
						if err != nil || !strings.Contains(out, "Response verify OK") || !strings.Contains(out, what) || strings.Contains(out, "WARNING") {
							t.Errorf("%s %s %s, want %q: %v\n%s", curve, nonce, hash, what, err, out)
						}
						if what == ": revoked" && !strings.Contains(out, "Reason: keyCompromise") {
							t.Errorf("no reason:\n%s", out)
						}
					}
				}
			}
		}
	}
}

func TestAnswersFollowARevocationAtOnce(t *testing.T) {
	s, _ := served(t, identitytest.Options{})
	i, _ := s.Issue(t, identity.DICOMNode, "dev-1")
	ask := func() *xocsp.Response {
		der, err := s.Staple(t.Context(), i.Serial)
		if err != nil {
			t.Fatal(err)
		}
		r, err := xocsp.ParseResponseForCert(der, i.Leaf, s.Issuing()[0])
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for range 3 {
		if r := ask(); r.Status != xocsp.Good {
			t.Fatalf("status %d", r.Status)
		}
	}
	if _, err := s.Revoke(t.Context(), identity.Revocation{Serials: []string{i.Serial}, Reason: identity.Privilege}); err != nil {
		t.Fatal(err)
	}
	if r := ask(); r.Status != xocsp.Revoked || r.RevocationReason != 9 {
		t.Errorf("status %d, reason %d", r.Status, r.RevocationReason)
	}
	// Another process on the same store, which was not there.
	other, err := identity.Open(s.Dir, identity.Default(), identity.Deps{Documents: s.Store, Passphrase: []byte(identitytest.Passphrase)})
	if err != nil {
		t.Fatal(err)
	}
	der, err := other.Staple(t.Context(), i.Serial)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := xocsp.ParseResponseForCert(der, i.Leaf, s.Issuing()[0]); err != nil || r.Status != xocsp.Revoked {
		t.Errorf("another process: %+v, %v", r, err)
	}
}

// TestOCSPOverGET asks for so many certificates that base64 has slashes in a row,
// as it is and percent-encoded.
func TestOCSPOverGET(t *testing.T) {
	s, base := served(t, identitytest.Options{})
	double := 0
	for n := range 400 {
		serial := new(big.Int).Lsh(big.NewInt(int64(n)*0x10101+0xfffff), 64)
		der, err := xocsp.CreateRequest(&x509.Certificate{SerialNumber: serial.Or(serial, big.NewInt(0x3fffffffffff))}, s.Issuing()[0], nil)
		if err != nil {
			t.Fatal(err)
		}
		text := base64.StdEncoding.EncodeToString(der)
		if strings.Contains(text, "//") {
			double++
		}
		for _, path := range []string{text, url.PathEscape(text)} {
			r, err := http.Get(base + "/ocsp/" + path)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(r.Body)
			r.Body.Close()
			if a, err := xocsp.ParseResponse(b, s.Issuing()[0]); err != nil || a.Status != xocsp.Unknown {
				t.Fatalf("%s: %+v, %v", path, a, err)
			}
		}
	}
	if double == 0 {
		t.Error("no request had two slashes in a row")
	}
}

func TestTheResponderAnswersWhatIsNoRequest(t *testing.T) {
	s, base := served(t, identitytest.Options{})
	stranger := identitytest.New(t, identitytest.Options{})
	i, _ := stranger.Issue(t, identity.DICOMNode, "dev-1")
	foreign, err := xocsp.CreateRequest(i.Leaf, stranger.Issuing()[0], &xocsp.RequestOptions{Hash: crypto.SHA256})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		body []byte
		want xocsp.ResponseStatus
	}{
		{"nothing", nil, xocsp.Malformed},
		{"noise", []byte("GET / HTTP/1.0"), xocsp.Malformed},
		{"a length beyond its end", []byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff}, xocsp.Malformed},
		{"a request about another authority's certificate", foreign, xocsp.Unauthorized},
	} {
		r, err := http.Post(base+"/ocsp", "application/ocsp-request", bytes.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(r.Body)
		r.Body.Close()
		var re xocsp.ResponseError
		if _, err := xocsp.ParseResponse(b, nil); !errors.As(err, &re) || re.Status != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	r, err := http.Post(base+"/ocsp", "application/ocsp-request", bytes.NewReader(make([]byte, 100<<10)))
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusBadRequest {
		t.Errorf("100 KB: %s", r.Status)
	}
	_ = s
}

func TestARevocationIsToldEverywhere(t *testing.T) {
	book := &book{}
	var mu sync.Mutex
	var events []*event.Event
	s := identitytest.New(t, identitytest.Options{Deps: func(d *identity.Deps) {
		d.Journal = book
		d.Emit = func(e *event.Event) { mu.Lock(); events = append(events, e); mu.Unlock() }
	}})
	a, _ := s.Issue(t, identity.DICOMNode, "dev-1")
	b, _ := s.Issue(t, identity.XRHeadset, "dev-1")
	done, err := s.Revoke(t.Context(), identity.Revocation{Device: "dev-1", Reason: identity.KeyCompromise, Note: "lost in\ntransport", By: identity.Actor{User: "anna"}})
	if err != nil || len(done) != 2 {
		t.Fatal(done, err)
	}
	for _, serial := range []string{a.Serial, b.Serial} {
		if c, err := s.Get(t.Context(), serial); err != nil || c.Status != identity.Revoked || c.Reason != "keyCompromise" {
			t.Errorf("%+v, %v", c, err)
		}
	}
	n := s.Air.Notices()
	if len(n) != 1 || len(n[0].Serials) != 2 {
		t.Fatalf("%+v", n)
	}
	l, err := x509.ParseRevocationList(n[0].Delta)
	if err != nil || l.CheckSignatureFrom(s.Issuing()[0]) != nil || len(l.RevokedCertificateEntries) != 2 || l.Number.Uint64() != n[0].Number {
		t.Errorf("the notice's delta: %+v, %v", l, err)
	}
	if got := book.actions(); !slices.Equal(got, []string{"issued", "issued", "revoked", "revoked"}) {
		t.Errorf("in the ledger: %v", got)
	}
	mu.Lock()
	if len(events) != 4 {
		t.Errorf("%d events", len(events))
	}
	mu.Unlock()
	_, err = s.Revoke(t.Context(), identity.Revocation{Serials: []string{a.Serial}, Reason: identity.KeyCompromise})
	if identity.KindOf(err) != identity.Already {
		t.Errorf("again: %v", err)
	}
	for name, r := range map[string]identity.Revocation{
		"a serial number that is none": {Serials: []string{"xyz"}, Reason: identity.KeyCompromise},
		"one that was never issued":    {Serials: []string{"1234"}, Reason: identity.KeyCompromise},
		"a reason that is none":        {Serials: []string{a.Serial}, Reason: "boredom"},
		"a device without any":         {Device: "dev-9", Reason: identity.KeyCompromise},
	} {
		if _, err := s.Revoke(t.Context(), r); identity.KindOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestALedgerThatIsAwayDelaysStatementsAndLosesNone(t *testing.T) {
	book := &book{away: true}
	s := identitytest.New(t, identitytest.Options{Deps: func(d *identity.Deps) { d.Journal = book }})
	i, _ := s.Issue(t, identity.DICOMNode, "dev-1")
	if _, err := s.Revoke(t.Context(), identity.Revocation{Serials: []string{i.Serial}, Reason: identity.KeyCompromise}); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Deliver(t.Context()); err == nil || n != 2 {
		t.Errorf("%d wait, %v", n, err)
	}
	book.mu.Lock()
	book.away = false
	book.mu.Unlock()
	if n, err := s.Deliver(t.Context()); err != nil || n != 0 {
		t.Errorf("%d wait, %v", n, err)
	}
	if got := book.actions(); !slices.Equal(got, []string{"issued", "revoked"}) {
		t.Errorf("in the ledger: %v", got)
	}
}

// TestAnotherProcessIsSeen revokes with an authority that has no way to tell
// anybody, as the command line has none, beside one that runs.
func TestAnotherProcessIsSeen(t *testing.T) {
	s := identitytest.New(t, identitytest.Options{})
	i, _ := s.Issue(t, identity.DICOMNode, "dev-1")
	s.Look(t.Context()) // what is there before counts as told
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	cli, err := identity.Open(s.Dir, identity.Default(), identity.Deps{Documents: s.Store, Passphrase: []byte(identitytest.Passphrase)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cli.Revoke(t.Context(), identity.Revocation{Serials: []string{i.Serial}, Reason: identity.KeyCompromise}); err != nil {
		t.Fatal(err)
	}
	identitytest.Wait(t, "the running authority to announce it", func() bool {
		n := s.Air.Notices()
		return len(n) == 1 && slices.Contains(n[0].Serials, i.Serial)
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestRevocationsAtTheSameTimeAreAllInTheCRL(t *testing.T) {
	s := identitytest.New(t, identitytest.Options{})
	var group sync.WaitGroup
	for n := range 8 {
		i, _ := s.Issue(t, identity.XRHeadset, fmt.Sprint("dev-", n))
		a := s.Authority
		if n%2 == 0 { // another process
			var err error
			if a, err = identity.Open(s.Dir, identity.Default(), identity.Deps{Documents: s.Store, Passphrase: []byte(identitytest.Passphrase)}); err != nil {
				t.Fatal(err)
			}
		}
		group.Go(func() {
			if _, err := a.Revoke(t.Context(), identity.Revocation{Serials: []string{i.Serial}, Reason: identity.KeyCompromise}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	der, _, err := s.CRL(t.Context(), s.Authority.Site().Active, false)
	if err != nil {
		t.Fatal(err)
	}
	if l, err := x509.ParseRevocationList(der); err != nil || len(l.RevokedCertificateEntries) != 8 {
		t.Errorf("%d entries, %v", len(l.RevokedCertificateEntries), err)
	}
}

// book is a ledger on a sheet of paper, which may be away.
type book struct {
	mu   sync.Mutex
	away bool
	list []custody.Statement
}

func (b *book) Record(_ context.Context, s custody.Statement) (ledger.Entry, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.away {
		return ledger.Entry{}, errors.New("the ledger is away")
	}
	b.list = append(b.list, s)
	return ledger.Entry{Statement: s}, s.Validate()
}

func (b *book) actions() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for _, s := range b.list {
		out = append(out, s.Predicate.Detail["action"].(string))
	}
	return out
}
