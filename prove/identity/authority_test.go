// SPDX-License-Identifier: Apache-2.0

package identity_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/identitytest"
)

func write(t *testing.T, b []byte) string {
	t.Helper()
	f := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(f, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestEveryProfileIsWhatOpenSSLTakesItFor issues one certificate of each
// profile and asks openssl whether the chain is right for what the profile is for.
func TestEveryProfileIsWhatOpenSSLTakesItFor(t *testing.T) {
	for _, curve := range []string{"P-256", "P-384"} {
		s := identitytest.New(t, identitytest.Options{Site: identity.Site{Curve: curve}})
		root, chain := write(t, identity.EncodePEM(s.Root())), write(t, identity.EncodePEM(s.Issuing()...))
		for _, spec := range identity.Specs() {
			i, _ := s.Issue(t, spec.Profile, "dev-"+string(spec.Profile))
			leaf := write(t, identity.EncodePEM(i.Leaf))
			for purpose, want := range map[string]bool{"sslclient": spec.Client, "sslserver": spec.Server} {
				out, err := identitytest.Run(t, nil, "openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", root, "-untrusted", chain, leaf)
				if (err == nil) != want {
					t.Errorf("%s, %s as %s: %v\n%s", curve, spec.Profile, purpose, err, out)
				}
			}
			text, err := identitytest.Run(t, nil, "openssl", "x509", "-in", leaf, "-noout", "-text")
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"URI:spiffe://" + identitytest.Domain + "/device/dev-" + string(spec.Profile), spec.Policy, "Digital Signature", "CA:FALSE", "X509v3 Freshest CRL", "OCSP - URI:http://pki.st-example.internal/ocsp"} {
				if !strings.Contains(text, want) {
					t.Errorf("%s: openssl does not show %q:\n%s", spec.Profile, want, text)
				}
			}
			if got := identity.ProfileOf(i.Leaf); got != spec.Profile {
				t.Errorf("%s says it is %q", spec.Profile, got)
			}
			if d, _, ok := identity.Who(i.Leaf, identitytest.Domain); !ok || d != "dev-"+string(spec.Profile) {
				t.Errorf("%s is of %q", spec.Profile, d)
			}
			if life := i.NotAfter.Sub(i.NotBefore); life < spec.Lifetime || life > spec.Lifetime+time.Hour {
				t.Errorf("%s is valid for %s", spec.Profile, life)
			}
			if i.RenewFrom.Before(i.NotBefore.Add(spec.Lifetime/2)) || i.RenewFrom.After(i.NotAfter) {
				t.Errorf("%s, %s to %s, is renewed from %s", spec.Profile, i.NotBefore, i.NotAfter, i.RenewFrom)
			}
		}
	}
}

func TestWhatARequestMayNotAskIsRefusedWithTheReason(t *testing.T) {
	s := identitytest.New(t, identitytest.Options{Site: identity.Site{Domains: []string{"st-example.internal"}, Networks: []string{"10.20.0.0/16"}}})
	good := identitytest.Key(t).Public()
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	odd, _ := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	ed, _, _ := ed25519.GenerateKey(rand.Reader)
	type request = identity.Request
	for _, c := range []struct {
		name string
		r    request
		kind identity.Kind
		want string
	}{
		{"a profile that is none", request{Profile: "toaster", Device: "d", Public: good}, identity.BadProfile, `no profile "toaster"`},
		{"neither device nor service", request{Profile: identity.DICOMNode, Public: good}, identity.BadRequest, "one of them"},
		{"a device ID that would break out of the SPIFFE ID", request{Profile: identity.DICOMNode, Device: "../x", Public: good}, identity.BadRequest, `device "../x"`},
		{"a service with a device's profile", request{Profile: identity.DICOMNode, Service: "gateway", Public: good}, identity.BadProfile, "is for devices"},
		{"a weak RSA key", request{Profile: identity.DICOMNode, Device: "d", Public: weak.Public()}, identity.BadKey, "1024 bits"},
		{"a curve that few devices know", request{Profile: identity.DICOMNode, Device: "d", Public: odd.Public()}, identity.BadKey, "P-521"},
		{"Ed25519", request{Profile: identity.DICOMNode, Device: "d", Public: ed}, identity.BadKey, "Ed25519"},
		{"a client with a DNS name", request{Profile: identity.XRHeadset, Device: "d", Public: good, DNS: []string{"h.st-example.internal"}}, identity.BadRequest, "for clients"},
		{"a name outside the site", request{Profile: identity.APIServer, Device: "d", Public: good, DNS: []string{"api.example.com"}}, identity.BadRequest, "outside what the issuer may name"},
		{"an address outside the site", request{Profile: identity.APIServer, Device: "d", Public: good, Addresses: []netip.Addr{netip.MustParseAddr("10.21.0.1")}}, identity.BadRequest, "outside the addresses"},
		{"a wildcard", request{Profile: identity.APIServer, Device: "d", Public: good, DNS: []string{"*.st-example.internal"}}, identity.BadRequest, "wildcard"},
		{"a server without a name", request{Profile: identity.APIServer, Device: "d", Public: good}, identity.BadRequest, "without a DNS name"},
		{"a lifetime beyond the profile's", request{Profile: identity.XRHeadset, Device: "d", Public: good, Lifetime: 48 * time.Hour}, identity.BadRequest, "longer than"},
		{"a long life that the profile has not", request{Profile: identity.XRHeadset, Device: "d", Public: good, LongLife: true, LongLifeReason: "x"}, identity.BadProfile, "no long life"},
		{"a long life without a reason", request{Profile: identity.DICOMNode, Device: "d", Public: good, LongLife: true}, identity.BadRequest, "needs a reason"},
		{"a MUD URL in clear", request{Profile: identity.DICOMNode, Device: "d", Public: good, MUD: "http://mud.example.com/x"}, identity.BadRequest, "no https address"},
	} {
		_, err := s.Authority.Issue(t.Context(), c.r)
		if identity.KindOf(err) != c.kind || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q, %v", c.name, identity.KindOf(err), err)
		}
	}
	if list, _, err := s.List(t.Context(), identity.Filter{}); err != nil || len(list) != 0 {
		t.Errorf("refused requests left %d certificates, %v", len(list), err)
	}
}

func TestALongLifeHasItsReasonAndAMUDURLIsInTheCertificate(t *testing.T) {
	s := identitytest.New(t, identitytest.Options{})
	i, err := s.Authority.Issue(t.Context(), identity.Request{Profile: identity.SurgicalDevice, Device: "dev-table", Public: identitytest.Key(t).Public(),
		LongLife: true, LongLifeReason: "the table has no EST client", MUD: "https://mud.example.com/table.json"})
	if err != nil {
		t.Fatal(err)
	}
	if d := i.NotAfter.Sub(i.NotBefore); d < 1000*24*time.Hour || !i.LongLife || i.Note == "" {
		t.Errorf("%s, %+v", d, i.Certificate)
	}
	if got := identity.MUDOf(i.Leaf); got != "https://mud.example.com/table.json" {
		t.Errorf("MUD URL %q", got)
	}
}

// TestTheConstraintsOfTheIssuerHoldForOthers makes what our lint would refuse,
// with the issuing authority's own key, and asks openssl and Go.
func TestTheConstraintsOfTheIssuerHoldForOthers(t *testing.T) {
	s := identitytest.New(t, identitytest.Options{Site: identity.Site{Domains: []string{"st-example.internal"}}})
	keys := &identity.SealedKeys{Dir: s.Dir, Passphrase: []byte(identitytest.Passphrase)}
	ca := s.Issuing()[0]
	key, err := keys.Open(issuingName(t, s))
	if err != nil {
		t.Fatal(err)
	}
	i, err := s.Authority.Issue(t.Context(), identity.Request{Profile: identity.APIServer, Device: "d", Public: identitytest.Key(t).Public(), DNS: []string{"api.st-example.internal"}})
	if err != nil {
		t.Fatal(err)
	}
	root, chain := write(t, identity.EncodePEM(s.Root())), write(t, identity.EncodePEM(ca))
	for _, c := range []struct {
		name   string
		change func(*x509.Certificate)
		ok     bool
	}{
		{"as it was issued", func(*x509.Certificate) {}, true},
		{"of another domain", func(c *x509.Certificate) { c.DNSNames = []string{"www.example.com"} }, false},
		{"of another trust domain", func(c *x509.Certificate) { c.URIs[0].Host = "or.elsewhere.internal" }, false},
		{"an authority below the issuing one", func(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign }, false},
	} {
		copied, err := x509.ParseCertificate(i.Leaf.Raw)
		if err != nil {
			t.Fatal(err)
		}
		c.change(copied)
		der, err := x509.CreateCertificate(rand.Reader, copied, ca, identitytest.Key(t).Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		cert, _ := x509.ParseCertificate(der)
		args := []string{"verify", "-CAfile", root, "-untrusted", chain}
		leaf := write(t, identity.EncodePEM(cert))
		if c.name == "an authority below the issuing one" { // it matters when it signs
			k := identitytest.Key(t)
			mid, _ := x509.CreateCertificate(rand.Reader, copied, ca, k.Public(), key)
			midCert, _ := x509.ParseCertificate(mid)
			der, err := x509.CreateCertificate(rand.Reader, i.Leaf, midCert, k.Public(), k)
			if err != nil {
				t.Fatal(err)
			}
			low, _ := x509.ParseCertificate(der)
			chain2 := write(t, identity.EncodePEM(ca, midCert))
			args, leaf = []string{"verify", "-CAfile", root, "-untrusted", chain2}, write(t, identity.EncodePEM(low))
		}
		out, err := identitytest.Run(t, nil, "openssl", append(args, leaf)...)
		if (err == nil) != c.ok {
			t.Errorf("%s: openssl: %v\n%s", c.name, err, out)
		}
	}
}

func TestTheInventoryKnowsWhatFollowsWhat(t *testing.T) {
	s := identitytest.New(t, identitytest.Options{})
	a, _ := s.Issue(t, identity.DICOMNode, "dev-a")
	x, _ := s.Issue(t, identity.XRHeadset, "dev-a")
	b, _ := s.Issue(t, identity.DICOMNode, "dev-b")
	s.Clock.Advance(time.Hour)
	a2, _ := s.Issue(t, identity.DICOMNode, "dev-a")
	for serial, want := range map[string]identity.Status{a.Serial: identity.Superseded, x.Serial: identity.Good, b.Serial: identity.Good, a2.Serial: identity.Good} {
		if c, err := s.Get(t.Context(), serial); err != nil || c.Status != want {
			t.Errorf("%s is %s, want %s, %v", serial, c.Status, want, err)
		}
	}
	mine, _, err := s.List(t.Context(), identity.Filter{Device: "dev-a", Profile: identity.DICOMNode})
	if err != nil || len(mine) != 2 || mine[0].Serial != a2.Serial {
		t.Errorf("%d certificates, %v", len(mine), err)
	}
	var pages []string
	for after, n := "", 0; n < 10; n++ {
		list, next, err := s.List(t.Context(), identity.Filter{Limit: 2, After: after})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range list {
			pages = append(pages, c.Serial)
		}
		if after = next; next == "" {
			break
		}
	}
	if len(pages) != 4 {
		t.Errorf("pages gave %v", pages)
	}
	s.Clock.Advance(30 * 24 * time.Hour)
	if c, err := s.Get(t.Context(), strings.ToUpper("00:"+a2.Serial)); err != nil || c.Status != identity.Expired {
		t.Errorf("a month later: %s, %v", c.Status, err)
	}
}

func TestAnAuthorityThatIsNotRightDoesNotOpen(t *testing.T) {
	s := identitytest.New(t, identitytest.Options{})
	other := identitytest.New(t, identitytest.Options{})
	issuing := issuingName(t, s)
	open := func(pass string) error {
		_, err := identity.Open(s.Dir, identity.Default(), identity.Deps{Documents: s.Store, Passphrase: []byte(pass)})
		return err
	}
	if err := open("another passphrase"); err == nil || !strings.Contains(err.Error(), "wrong passphrase") {
		t.Errorf("a wrong passphrase: %v", err)
	}
	for _, c := range []struct {
		name, file, want string
		body             []byte // nil: removed
	}{
		{"without its settings", "ca.json", "there is no authority", nil},
		{"without its root", "root.crt", "no such file", nil},
		{"with another root", "root.crt", "not the root", identity.EncodePEM(other.Root())},
		{"without its key", issuing + ".key", "no such file", nil},
		{"with a key of another", issuing + ".key", "is not the key of", otherKey(t, other)},
		{"without its issuing authority", issuing + ".crt", "is not in", nil},
		{"with an issuing authority of another root", issuing + ".crt", "not of this root", identity.EncodePEM(other.Issuing()[0])},
	} {
		path := filepath.Join(s.Dir, c.file)
		was, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if c.body == nil {
			_ = os.Remove(path)
		} else if err := os.WriteFile(path, c.body, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := open(identitytest.Passphrase); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if err := os.WriteFile(path, was, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(s.Dir, issuing+".key"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := open(identitytest.Passphrase); err == nil || !strings.Contains(err.Error(), "others may read it") {
		t.Errorf("a key that others may read: %v", err)
	}
}

func otherKey(t *testing.T, s *identitytest.Site) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.Dir, issuingName(t, s)+".key"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// issuingName is the name of the only issuing authority's files.
func issuingName(t *testing.T, s *identitytest.Site) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(s.Dir, "issuing-*.crt"))
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	return strings.TrimSuffix(filepath.Base(names[0]), ".crt")
}

func TestNoKeyIsInClearOnTheDisk(t *testing.T) {
	s := identitytest.New(t, identitytest.Options{})
	files, _ := filepath.Glob(filepath.Join(s.Dir, "*"))
	if len(files) < 5 {
		t.Fatalf("only %v", files)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("PRIVATE KEY")) || strings.HasSuffix(f, ".key") && !bytes.HasPrefix(b, []byte("-----BEGIN ASEPSIS SEALED-----")) {
			t.Errorf("%s holds a key in clear", f)
		}
		if st, _ := os.Stat(f); strings.HasSuffix(f, ".key") && st.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", f, st.Mode())
		}
	}
}

// Counting reads the inventory once, and then knows what this process issues and revokes.
func TestCertificatesAreCounted(t *testing.T) {
	s := identitytest.New(t, identitytest.Options{})
	counts := func(want identity.Counts) {
		t.Helper()
		if n, err := s.Counts(t.Context()); err != nil || n != want {
			t.Errorf("%+v, %v, want %+v", n, err, want)
		}
	}
	counts(identity.Counts{})
	s.Issue(t, identity.DICOMNode, "dev-a")
	b, _ := s.Issue(t, identity.XRHeadset, "dev-b")
	counts(identity.Counts{Good: 2})
	a, _ := s.Issue(t, identity.DICOMNode, "dev-a") // the first is superseded
	counts(identity.Counts{Good: 2})
	if _, err := s.Revoke(t.Context(), identity.Revocation{Serials: []string{b.Serial}, Reason: identity.KeyCompromise}); err != nil {
		t.Fatal(err)
	}
	counts(identity.Counts{Good: 1, Revoked: 1})
	c, _ := s.Issue(t, identity.DICOMNode, "dev-c")
	later := c.RenewFrom
	if a.RenewFrom.After(later) {
		later = a.RenewFrom
	}
	s.Clock.Advance(later.Sub(s.Clock.Now()) + time.Minute)
	n, err := s.Counts(t.Context())
	if err != nil || n.Good != 2 || n.Due != 2 {
		t.Errorf("due: %+v, %v", n, err)
	}
	s.Clock.Advance(c.NotAfter.Sub(s.Clock.Now()) + time.Minute)
	counts(identity.Counts{Expired: 3, Revoked: 1})
}
