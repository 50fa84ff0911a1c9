// SPDX-License-Identifier: Apache-2.0

// Package service runs the site's authority: it keeps CRLs fresh, serves CRLs,
// OCSP and authorities' certificates over plain HTTP (all of it is signed), and
// enrolment (EST, and SCEP where it is switched on) over TLS.
//
// Its own server certificate is one of the authority's, for the service "est",
// made at the start and renewed in memory.
//
// It fails closed: without an authority in its directory, or without the
// passphrase, New is an error.
package service

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/identity/est"
	"github.com/asepsis/asepsis/prove/identity/lint"
	"github.com/asepsis/asepsis/prove/identity/scep"
)

// Config is where and how the authority is served.
type Config struct {
	Dir            string            `yaml:"dir" doc:"Directory of the authority, as asepsis ca init makes it. Empty: ca in the data directory."`
	PassphraseFile config.SecretFile `yaml:"passphrase_file" doc:"File with the passphrase of the issuing authority's key, mode 0600."`
	PKIListen      string            `yaml:"pki_listen" doc:"Address for CRLs, OCSP and certificates over plain HTTP. Other machines have to reach it at the address that certificates name. Empty: not served."`
	ESTListen      string            `yaml:"est_listen" doc:"Address for enrolment over TLS. Empty: not served."`
	ESTNames       []string          `yaml:"est_names" doc:"DNS names and addresses under which devices reach the enrolment server."`
	Manufacturers  []Manufacturer    `yaml:"manufacturers" doc:"Whose devices may show a certificate of their manufacturer as first credential, when they are expected (asepsis ca expect)."`
	SCEP           bool              `yaml:"scep" doc:"Also serve SCEP, at /scep beside the CRLs: for devices that know nothing newer. Where a device can speak EST, it should."`
	Authority      identity.Config   `yaml:"authority" doc:"CRLs, OCSP and what is said about certificates that end."`
}

// Manufacturer is one whose certificates are taken.
type Manufacturer struct {
	Name   string `yaml:"name" doc:"As in asepsis ca expect --manufacturer."`
	CAFile string `yaml:"ca_file" doc:"The manufacturer's roots, PEM; issuing authorities may follow."`
}

// Validate implements config.Validator.
func (m Manufacturer) Validate() error {
	var errs []error
	if m.Name == "" {
		errs = append(errs, config.Invalid("name", "", "is empty"))
	}
	if m.CAFile == "" {
		errs = append(errs, config.Invalid("ca_file", "", "is empty"))
	}
	return errors.Join(errs...)
}

// Default returns the defaults.
func Default() Config {
	return Config{PKIListen: "127.0.0.1:8446", ESTListen: "127.0.0.1:8447", ESTNames: []string{"localhost", "127.0.0.1"}, Authority: identity.Default()}
}

// Validate implements config.Validator.
func (c Config) Validate() error {
	var errs []error
	for name, at := range map[string]string{"pki_listen": c.PKIListen, "est_listen": c.ESTListen} {
		if at == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(at); err != nil {
			errs = append(errs, config.Invalid(name, "127.0.0.1:8446", "%q is no address with a port", at))
		}
	}
	if c.ESTListen != "" && len(c.ESTNames) == 0 {
		errs = append(errs, config.Invalid("est_names", "[localhost]", "is empty: no device could check the server"))
	}
	return errors.Join(errs...)
}

// Deps is what the service needs from outside.
type Deps struct {
	Dir        string // the data directory
	Documents  store.Documents
	Keys       identity.Keys // nil: sealed files
	Passphrase []byte        // instead of Config.PassphraseFile
	Journal    identity.Journal
	Announcer  identity.Announcer
	Emit       func(*event.Event)
	Log        *slog.Logger
	Now        func() time.Time
	Software   string
}

// Present reports whether there is an authority to serve.
func Present(c Config, data string) bool {
	_, err := os.Stat(filepath.Join(Dir(c, data), "ca.json"))
	return err == nil
}

// Dir is the authority's directory.
func Dir(c Config, data string) string { return cmp.Or(c.Dir, filepath.Join(data, "ca")) }

// Service is the room.
type Service struct {
	cfg Config
	ca  *identity.Authority
	est *est.Server
	old http.Handler // SCEP, nil when it is off
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	own     *tls.Certificate
	ready   bool
	problem error
	at      map[string]net.Addr
}

// New opens the authority.
func New(cfg Config, d Deps) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Passphrase == nil && d.Keys == nil {
		var err error
		if d.Passphrase, err = cfg.PassphraseFile.Read(); err != nil {
			return nil, config.Invalid("passphrase_file", "", "%v", err)
		}
		if len(d.Passphrase) == 0 {
			return nil, config.Invalid("identity.passphrase_file", "name the file (mode 0600) with the passphrase that was given to asepsis ca init; there is an authority in the data directory", "is empty: the authority's key cannot be opened")
		}
	}
	ca, err := identity.Open(Dir(cfg, d.Dir), cfg.Authority, identity.Deps{Documents: d.Documents, Keys: d.Keys, Passphrase: d.Passphrase, Journal: d.Journal, Announcer: d.Announcer, Emit: d.Emit, Log: d.Log, Now: d.Now, Software: d.Software})
	if err != nil {
		return nil, err
	}
	s := &Service{cfg: cfg, ca: ca, log: d.Log, now: d.Now, at: map[string]net.Addr{}}
	var makers []est.Manufacturer
	for i, m := range cfg.Manufacturers {
		one, err := manufacturer(m)
		if err != nil {
			return nil, config.Invalid(fmt.Sprintf("manufacturers[%d].ca_file", i), "", "%v", err)
		}
		makers = append(makers, one)
	}
	if cfg.SCEP {
		if s.old, err = scep.New(scep.Deps{Authority: ca, Log: d.Log, Now: d.Now}); err != nil {
			return nil, err
		}
	}
	s.est, err = est.New(est.Deps{Authority: ca, Certificate: s.certificate, Manufacturers: makers, Log: d.Log, Now: d.Now})
	return s, err
}

func manufacturer(m Manufacturer) (est.Manufacturer, error) {
	out := est.Manufacturer{Name: m.Name, Roots: x509.NewCertPool(), Middle: x509.NewCertPool()}
	b, err := os.ReadFile(m.CAFile)
	if err != nil {
		return out, err
	}
	certs, err := identity.ParsePEM(b)
	if err != nil {
		return out, err
	}
	roots := 0
	for _, c := range certs {
		if c.CheckSignatureFrom(c) == nil {
			out.Roots.AddCert(c)
			roots++
		} else {
			out.Middle.AddCert(c)
		}
	}
	if roots == 0 {
		return out, errors.New("no root in it")
	}
	return out, nil
}

// public is what is served over plain HTTP.
func (s *Service) public() http.Handler {
	if s.old == nil {
		return s.ca.Handler()
	}
	m := http.NewServeMux()
	m.Handle("/", s.ca.Handler())
	m.Handle("/scep", s.old)
	return m
}

// Authority is what is served, for others in the same process.
func (s *Service) Authority() *identity.Authority { return s.ca }

// Addr is where something is served: "pki" or "est"; nil before Run listens.
func (s *Service) Addr(what string) net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at[what]
}

// Ready says what is wrong, nil when all is served.
func (s *Service) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ready {
		return errors.New("identity: not listening yet")
	}
	return s.problem
}

func (s *Service) certificate() (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.own == nil {
		return nil, errors.New("the enrolment server has no certificate")
	}
	return s.own, nil
}

// renewOwn makes the server's certificate when it is due.
func (s *Service) renewOwn(ctx context.Context) error {
	s.mu.Lock()
	own := s.own
	s.mu.Unlock()
	if own != nil && s.now().Before(identity.RenewFrom(own.Leaf)) {
		return nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	r := identity.Request{Profile: identity.APIServer, Service: "est", Public: key.Public(), Via: "self"}
	issuer := s.ca.Issuing()[0]
	names := slices.DeleteFunc(slices.Clone(s.cfg.ESTNames), func(n string) bool { return !lint.MayName(issuer, strings.ToLower(n)) })
	if len(names) == 0 {
		return config.Invalid("identity.est_names", "name this machine as devices reach it, within the domains and networks that asepsis ca init was given (asepsis ca show tells them); or set identity.est_listen to \"\"",
			"the authority may certify none of %s", strings.Join(s.cfg.ESTNames, ", "))
	}
	for _, n := range names {
		if ip, err := netip.ParseAddr(n); err == nil {
			r.Addresses = append(r.Addresses, ip)
		} else {
			r.DNS = append(r.DNS, strings.ToLower(n))
		}
	}
	i, err := s.ca.Issue(ctx, r)
	if err != nil {
		return fmt.Errorf("certificate of the enrolment server: %w", err)
	}
	c := &tls.Certificate{PrivateKey: key, Leaf: i.Leaf, Certificate: [][]byte{i.Leaf.Raw}}
	for _, up := range i.Chain {
		c.Certificate = append(c.Certificate, up.Raw)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.own = c
	return nil
}
