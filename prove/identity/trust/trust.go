// SPDX-License-Identifier: Apache-2.0

// Package trust gives everybody who speaks TLS here one configuration that knows
// who is who: the site's devices and services by their certificates.
//
// A [Trust] holds the site's root, this process's own certificate, and an index of
// what is revoked. A [Server] or a [Client] made of it verifies at every handshake,
// full and resumed, that
//
//   - the chain leads to the root and is valid now,
//   - the certificate names a device or a service of the trust domain,
//   - its profile is one that may be there, and may be this end of TLS,
//   - neither it nor its issuer is revoked, by a CRL that is not too old,
//
// and refuses otherwise, with a [Denied] that says which. Nothing is accepted
// because something is missing: a CA file that cannot be read, a CRL that is
// not there, a CRL past its end are refusals.
//
// # Revocation
//
// The index is fed by CRLs, which are fetched at the start, every Config.Refresh
// and when a notice shows that one was missed; and by notices over the bus, which carry a
// delta CRL. Both count only with the issuer's signature, so that nobody on the
// bus can stop a stream. A notice is lost without harm: the next CRL has it.
//
// # Live connections
//
// Each connection stands in an index by its peer's issuer and serial number, from
// before the check of the handshake until it is closed, so that a revocation
// meets every one: either the check sees it, or the index does. What happens then
// is the clinical choice of whoever made the Server: cut now, finish the
// instance and then cut, or tell people and leave it ([identity.Cut]). Only
// connections of the revoked certificate are touched.
//
// # Reload
//
// Root, certificate and key files are read again when they change. A change that
// cannot be used is reported by Ready and the log, and what was there stays in force.
//
// # What is not done
//
// A connection whose certificate ends while it is open is not cut: a stream must
// not stop because a clock passed a second. Its next handshake is refused.
package trust

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/prove/identity"
)

// Config is where trust comes from.
type Config struct {
	TrustDomain  string            `yaml:"trust_domain" doc:"The site's trust domain, as in spiffe://or.st-example.internal/device/..."`
	CAFile       string            `yaml:"ca_file" doc:"The site's root in PEM; issuing authorities may follow it."`
	CertFile     string            `yaml:"cert_file" doc:"This process's certificate with its chain, PEM. Empty: none, which clients may do without only to enrol."`
	KeyFile      config.SecretFile `yaml:"key_file" doc:"The key of cert_file, PEM, mode 0600."`
	CRL          []string          `yaml:"crl" doc:"Where CRLs are: files, or addresses such as http://pki.st-example.internal/crl/bundle.pem."`
	Refresh      time.Duration     `yaml:"refresh" doc:"How often CRLs are fetched. Revocations come at once over the bus; this is for those that were missed."`
	FinishWithin time.Duration     `yaml:"finish_within" doc:"How long an instance or a request of a revoked device may go on where the choice is to let it finish."`
}

// Default returns the defaults.
func Default() Config { return Config{Refresh: time.Minute, FinishWithin: 30 * time.Second} }

// Validate implements config.Validator. What a file holds is found by New.
func (c Config) Validate() error {
	var errs []error
	if (c.CertFile == "") != (c.KeyFile == "") {
		errs = append(errs, config.Invalid("cert_file", "name both or none", "cert_file and key_file belong together"))
	}
	if c.Refresh < time.Second || c.Refresh > time.Hour {
		errs = append(errs, config.Invalid("refresh", "1m", "must be from 1s to 1h, is %s", c.Refresh))
	}
	if c.FinishWithin < 0 || c.FinishWithin > time.Hour {
		errs = append(errs, config.Invalid("finish_within", "30s", "must be from 0s to 1h, is %s", c.FinishWithin))
	}
	return errors.Join(errs...)
}

// Deps is what a Trust needs from outside.
type Deps struct {
	// Source gives CRLs, DER or PEM; nil: Config.CRL.
	Source Source
	// Announcer gives notices of revocations; nil: only CRLs.
	Announcer identity.Announcer
	// Material gives root and certificate, when they are not files; nil: files.
	Material func() (Material, error)
	// Staple gives an OCSP answer for the own certificate, by its serial number; nil:
	// none is stapled.
	Staple func(ctx context.Context, serial string) ([]byte, error)
	// Told is called for each live connection that a revocation meets, from a
	// goroutine of the Trust; nil: it is logged.
	Told func(Cutting)
	Log  *slog.Logger
	Now  func() time.Time
}

// Material is what files hold.
type Material struct {
	CA          []*x509.Certificate // roots, and issuing authorities
	Certificate *tls.Certificate    // nil: none
}

// Trust is the common ground of the servers and clients of one process. Its
// methods may be called concurrently.
type Trust struct {
	cfg    Config
	deps   Deps
	log    *slog.Logger
	source Source
	index  *index
	live   *live
	now    func() time.Time

	state   atomic.Pointer[anchors]
	staple  atomic.Pointer[[]byte]
	wake    chan struct{} // a CRL was missed: fetch
	fetched sync.Mutex    // one fetch at a time

	mu      sync.Mutex
	problem error     // why the last reload or fetch failed
	stamp   fileStamp // of the files that are loaded
	forced  time.Time // of the last fetch for a handshake
}

// anchors is what is in force: replaced as a whole.
type anchors struct {
	roots  *x509.CertPool
	middle *x509.CertPool
	certs  []*x509.Certificate
	own    *tls.Certificate
	id     [32]byte // of the anchors, for tickets
}

// New reads everything and fetches CRLs. It fails closed: without a root, and
// with a CRL source but without a CRL that is valid now, there is no Trust.
func New(ctx context.Context, cfg Config, d Deps) (*Trust, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.TrustDomain == "" {
		return nil, config.Invalid("trust_domain", "asepsis ca show prints it", "is empty")
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	t := &Trust{cfg: cfg, deps: d, log: d.Log, now: d.Now, source: d.Source, wake: make(chan struct{}, 1)}
	if t.source == nil {
		if len(cfg.CRL) == 0 {
			return nil, config.Invalid("crl", "http://pki.st-example.internal/crl/bundle.pem", "is empty: without CRLs nobody would know what is revoked")
		}
		t.source = Sources(cfg.CRL...)
	}
	if d.Material == nil {
		t.deps.Material = t.files
	}
	t.live = newLive(t)
	t.index = newIndex(d.Now)
	if err := t.load(); err != nil {
		return nil, err
	}
	if err := t.Fetch(ctx); err != nil {
		return nil, fmt.Errorf("trust: no revocation list can be had: %w", err)
	}
	return t, nil
}

// files reads Config's files.
func (t *Trust) files() (Material, error) {
	var m Material
	b, err := os.ReadFile(t.cfg.CAFile)
	if err != nil {
		return m, config.Invalid("ca_file", "asepsis ca show --pem prints it", "%v", err)
	}
	if m.CA, err = identity.ParsePEM(b); err != nil {
		return m, config.Invalid("ca_file", "", "%s: %v", t.cfg.CAFile, err)
	}
	if t.cfg.CertFile == "" {
		return m, nil
	}
	key, err := t.cfg.KeyFile.Read()
	if err != nil {
		return m, config.Invalid("key_file", "", "%v", err)
	}
	chain, err := os.ReadFile(t.cfg.CertFile)
	if err != nil {
		return m, config.Invalid("cert_file", "", "%v", err)
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return m, config.Invalid("cert_file", "it must hold the certificate of the key in key_file, both in PEM", "%v", err)
	}
	m.Certificate = &pair
	return m, nil
}

// load puts material in force.
func (t *Trust) load() error {
	m, err := t.deps.Material()
	if err != nil {
		return err
	}
	a := &anchors{roots: x509.NewCertPool(), middle: x509.NewCertPool(), certs: m.CA, own: m.Certificate}
	h := sha256.New()
	roots := 0
	for _, c := range m.CA {
		if !c.IsCA {
			return config.Invalid("ca_file", "", "%s is no authority", c.Subject)
		}
		if c.CheckSignatureFrom(c) == nil {
			a.roots.AddCert(c)
			roots++
			h.Write(c.Raw)
		} else {
			a.middle.AddCert(c)
		}
	}
	if roots == 0 {
		return config.Invalid("ca_file", "asepsis ca show --pem prints it", "holds no root")
	}
	h.Sum(a.id[:0])
	if a.own != nil && a.own.Leaf == nil {
		if a.own.Leaf, err = x509.ParseCertificate(a.own.Certificate[0]); err != nil {
			return config.Invalid("cert_file", "", "%v", err)
		}
	}
	if a.own != nil {
		if _, err := a.own.Leaf.Verify(x509.VerifyOptions{Roots: a.roots, Intermediates: intermediates(a, a.own), CurrentTime: a.own.Leaf.NotAfter, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
			return config.Invalid("cert_file", "enrol it anew: asepsis enroll", "the certificate is not of this site's root: %v", err)
		}
	}
	t.index.know(m.CA...)
	t.staple.Store(nil)
	t.state.Store(a)
	return nil
}

func intermediates(a *anchors, own *tls.Certificate) *x509.CertPool {
	p := a.middle.Clone()
	for _, der := range own.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			p.AddCert(c)
		}
	}
	return p
}

// Reload reads root, certificate and key again, now. Run does it when files
// change. On an error, what was there stays in force.
func (t *Trust) Reload() error {
	err := t.load()
	t.report(err)
	return err
}

// Fetch gets CRLs and puts them into the index. It is an error when the own
// root's CRL, or every other, is missing or past its end.
func (t *Trust) Fetch(ctx context.Context) error {
	t.fetched.Lock()
	defer t.fetched.Unlock()
	lists, err := t.source.CRLs(ctx)
	var errs []error
	for _, der := range lists {
		newly, e := t.index.put(der)
		if e != nil {
			errs = append(errs, e)
		}
		t.live.meet(newly)
	}
	if err != nil {
		errs = append(errs, err)
	}
	if e := t.index.fresh(t.state.Load().certs); e != nil {
		errs = append(errs, e)
	}
	return errors.Join(errs...)
}

// report keeps what is wrong for Ready, and logs it when it is new.
func (t *Trust) report(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil && (t.problem == nil || t.problem.Error() != err.Error()) {
		t.log.Error("trust could not be renewed; what was there stays in force", "why", err)
	}
	t.problem = err
}

// Ready says what is wrong, nil when nothing is.
func (t *Trust) Ready() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.problem
}

// Certificate returns the process's own certificate as it is in force now, for who signs
// other things with it than handshakes.
func (t *Trust) Certificate() (*tls.Certificate, error) { return t.own() }

// own returns the process's certificate with its stapled answer.
func (t *Trust) own() (*tls.Certificate, error) {
	a := t.state.Load()
	if a.own == nil {
		return nil, errors.New("trust: this process has no certificate")
	}
	s := t.staple.Load()
	if s == nil {
		return a.own, nil
	}
	c := *a.own
	c.OCSPStaple = *s
	return &c, nil
}
