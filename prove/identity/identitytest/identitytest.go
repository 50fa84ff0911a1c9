// SPDX-License-Identifier: Apache-2.0

// Package identitytest makes authorities for tests: of a hospital that does not
// exist, in temporary directories, with keys that cost nothing to open.
package identitytest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/sqlite"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/seal"
)

// Cheap is a cost for tests only.
var Cheap = seal.Cost{Memory: 64, Passes: 1, Lanes: 1}

// Passphrase opens every test authority.
const Passphrase = "correct horse battery staple"

// Domain is the trust domain of the hospital that does not exist.
const Domain = "or.st-example.internal"

// Site is an authority with what is around it.
type Site struct {
	*identity.Authority
	Dir   string
	Store store.Store
	Clock *Clock
	Air   *Air
	Made  *identity.Initialised
}

// Options change what New makes.
type Options struct {
	Site   identity.Site // overrides what is not ""
	Config func(*identity.Config)
	Deps   func(*identity.Deps)
	Init   func(*identity.InitOptions)
}

// New makes an authority that ends with the test.
func New(t testing.TB, o Options) *Site {
	t.Helper()
	dir := t.TempDir()
	st, err := sqlite.Open(t.Context(), sqlite.Config{Dir: filepath.Join(dir, "store")}, sqlite.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	s := &Site{Dir: filepath.Join(dir, "ca"), Store: st, Clock: &Clock{}, Air: &Air{}}
	i := identity.InitOptions{Dir: s.Dir, Passphrase: []byte(Passphrase), Cost: Cheap, Now: s.Clock.Now, Site: identity.Site{
		TrustDomain: Domain, Organisation: "St. Example Hospital", Base: "http://pki.st-example.internal",
	}}
	if o.Site.Base != "" {
		i.Site.Base = o.Site.Base
	}
	i.Site.Curve, i.Site.Domains, i.Site.Networks = o.Site.Curve, o.Site.Domains, o.Site.Networks
	if o.Init != nil {
		o.Init(&i)
	}
	if s.Made, err = identity.Init(i); err != nil {
		t.Fatal(err)
	}
	cfg, d := identity.Default(), identity.Deps{Documents: st, Announcer: s.Air, Now: s.Clock.Now, Keys: i.Keys}
	if d.Keys == nil {
		d.Keys = &identity.SealedKeys{Dir: s.Dir, Passphrase: []byte(Passphrase), Cost: Cheap}
	}
	if o.Config != nil {
		o.Config(&cfg)
	}
	if o.Deps != nil {
		o.Deps(&d)
	}
	if s.Authority, err = identity.Open(s.Dir, cfg, d); err != nil {
		t.Fatal(err)
	}
	if err := s.Publish(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	return s
}

// Key makes a device's key.
func Key(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Issue makes a certificate with its key; servers are localhost.
func (s *Site) Issue(t testing.TB, p identity.Profile, device string) (*identity.Issued, tls.Certificate) {
	t.Helper()
	k := Key(t)
	r := identity.Request{Profile: p, Device: device, Public: k.Public(), Via: "csr-file", By: identity.Actor{User: "anna"}}
	if spec, _ := identity.SpecOf(p); spec.Server {
		r.DNS, r.Addresses = []string{"localhost"}, []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	}
	out, err := s.Authority.Issue(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return out, Pair(t, out, k)
}

// Pair joins a certificate and its key.
func Pair(t testing.TB, i *identity.Issued, k *ecdsa.PrivateKey) tls.Certificate {
	t.Helper()
	c, err := tls.X509KeyPair(i.PEMChain(), KeyPEM(t, k))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// KeyPEM writes a key as files have it.
func KeyPEM(t testing.TB, k *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// Clock is a clock that a test moves. It starts at the machine's time.
type Clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

// Now is the time on it.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

// Advance moves it.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// Air is an announcer within one process. It can be made to lose everything.
type Air struct {
	mu     sync.Mutex
	ears   []func(identity.RevocationNotice)
	Silent bool
	Sent   []identity.RevocationNotice
}

// Announce implements identity.Announcer.
func (a *Air) Announce(_ context.Context, n identity.RevocationNotice) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.Sent = append(a.Sent, n)
	if !a.Silent {
		for _, f := range a.ears {
			f(n)
		}
	}
	return nil
}

// Listen implements identity.Announcer.
func (a *Air) Listen(ctx context.Context, f func(identity.RevocationNotice)) error {
	a.mu.Lock()
	a.ears = append(a.ears, f)
	a.mu.Unlock()
	<-ctx.Done()
	return nil
}

// Notices returns what was announced.
func (a *Air) Notices() []identity.RevocationNotice {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]identity.RevocationNotice(nil), a.Sent...)
}

// Listening is how many have begun to listen.
func (a *Air) Listening() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.ears)
}

// Run runs a real program and returns what it printed. Where it is missing, the
// test is skipped by name.
func Run(t testing.TB, stdin []byte, name string, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("peer missing: %s", name)
	}
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	c := exec.CommandContext(ctx, path, args...) //nolint:gosec // a test's peer
	c.Stdin = bytes.NewReader(stdin)
	out, err := c.CombinedOutput()
	return string(out), err
}

// Patience is how long a program or a condition is waited for before a test fails: long enough for a machine of
// two cores on which everything is tested at the same time.
const Patience = 30 * time.Second

// Wait waits until f is true.
func Wait(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(Patience); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v for %s", Patience, what)
		}
	}
}
