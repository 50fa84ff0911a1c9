// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"cmp"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/platform/store"
)

// Deps is what an authority needs from outside.
type Deps struct {
	// Documents keeps the inventory of certificates. It is the platform's store
	// and not a file of our own: the console and other processes read it, it is
	// backed up and shared with the rest, and a certificate, its enrolment code and
	// its statement for the ledger are written in one Commit or not at all.
	Documents store.Documents
	// Keys keeps the private keys; nil: sealed files in the directory under
	// Passphrase.
	Keys       Keys
	Passphrase []byte
	// Journal is the ledger; nil: statements wait in the store until an
	// authority with one delivers them.
	Journal Journal
	// Announcer tells other processes of revocations; nil: they find out from
	// the CRL.
	Announcer Announcer
	// Emit is given an event for everything that is done; nil: nobody is told.
	Emit func(*event.Event)
	Log  *slog.Logger
	Now  func() time.Time
	// Software is who says so in statements: "asepsis/identity 1.0".
	Software string
}

// Authority issues and revokes. Its methods may be called concurrently, also
// by several processes on one directory and one store.
type Authority struct {
	dir  string
	cfg  Config
	deps Deps
	log  *slog.Logger

	mu       sync.RWMutex
	site     Site
	root     *x509.Certificate
	issuers  map[string]*issuer // by key ID
	released map[string]uint64  // highest CRL number announced, by issuer
	delivery sync.Mutex         // one delivers statements at a time
	counts   counter
}

// issuer is an issuing authority: the active one, or one whose certificates are
// still valid.
type issuer struct {
	cert *x509.Certificate
	id   string
	key  crypto.Signer // nil where the key is not here: it can be checked, not used
	crls crlCache
	ocsp responder
}

// Open opens an authority. It fails closed: a key that cannot be opened, or a
// certificate that does not belong to the root, is an error.
func Open(dir string, cfg Config, d Deps) (*Authority, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if d.Documents == nil {
		return nil, errors.New("authority: no store")
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	d.Software = cmp.Or(d.Software, "asepsis/identity")
	if d.Keys == nil {
		d.Keys = &SealedKeys{Dir: dir, Passphrase: d.Passphrase}
	}
	a := &Authority{dir: dir, cfg: cfg, deps: d, log: d.Log, released: map[string]uint64{}}
	return a, a.load()
}

// load reads the directory; keys that are open already stay open.
func (a *Authority) load() error {
	site, err := readSite(a.dir)
	if err != nil {
		return err
	}
	root, err := readCert(a.dir, rootName)
	if err != nil {
		return err
	}
	if KeyID(root.SubjectKeyId) != site.Root {
		return fmt.Errorf("authority: root.crt is not the root of %s", siteFile)
	}
	names, err := issuingNames(a.dir)
	if err != nil {
		return err
	}
	a.mu.RLock()
	old := a.issuers
	a.mu.RUnlock()
	issuers := map[string]*issuer{}
	for _, n := range names {
		cert, err := readCert(a.dir, n)
		if err != nil {
			return err
		}
		if err := cert.CheckSignatureFrom(root); err != nil {
			return fmt.Errorf("authority: %s.crt is not of this root: %w", n, err)
		}
		id := KeyID(cert.SubjectKeyId)
		if i := old[id]; i != nil {
			issuers[id] = i
			continue
		}
		i := &issuer{cert: cert, id: id}
		key, err := a.deps.Keys.Open(n)
		switch {
		case errors.Is(err, fs.ErrNotExist) && id != site.Active:
		case err != nil:
			return fmt.Errorf("authority: %w", err)
		case !samePublic(key.Public(), cert.PublicKey):
			return fmt.Errorf("authority: %s.key is not the key of %s.crt", n, n)
		default:
			i.key = key
		}
		issuers[id] = i
	}
	if issuers[site.Active] == nil {
		return refuse(Unavailable, "restore the directory from a backup: asepsis ca restore", "authority: the active issuing authority %s is not in %s", site.Active, a.dir)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.site, a.root, a.issuers = site, root, issuers
	return nil
}

func samePublic(a, b crypto.PublicKey) bool {
	e, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && e.Equal(b)
}

// Site says what the authority is.
func (a *Authority) Site() Site {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.site
}

// Root returns the root's certificate.
func (a *Authority) Root() *x509.Certificate {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.root
}

// active returns the issuing authority that signs.
func (a *Authority) active() (*issuer, Site, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	i := a.issuers[a.site.Active]
	if now := a.deps.Now(); now.After(i.cert.NotAfter) {
		return nil, a.site, refuse(Unavailable, "asepsis ca rotate makes a new one", "the issuing authority ended on %s", i.cert.NotAfter.Format(time.DateOnly))
	}
	return i, a.site, nil
}

func (a *Authority) issuer(id string) *issuer {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.issuers[id]
}

// allIssuers returns those whose certificates may still be valid.
func (a *Authority) allIssuers() []*issuer {
	a.mu.RLock()
	defer a.mu.RUnlock()
	var out []*issuer
	for _, i := range a.issuers {
		out = append(out, i)
	}
	return out
}

// Issuing returns the certificates of the issuing authorities, the active one
// first.
func (a *Authority) Issuing() []*x509.Certificate {
	a.mu.RLock()
	defer a.mu.RUnlock()
	out := []*x509.Certificate{a.issuers[a.site.Active].cert}
	for id, i := range a.issuers {
		if id != a.site.Active {
			out = append(out, i.cert)
		}
	}
	return out
}

// Verify checks that a certificate is one of ours and is not revoked, by the
// inventory. It is what the EST server asks before it renews.
func (a *Authority) Verify(ctx context.Context, c *x509.Certificate) (Certificate, error) {
	i := a.issuer(KeyID(c.AuthorityKeyId))
	if i == nil || c.CheckSignatureFrom(i.cert) != nil {
		return Certificate{}, refuse(NotAllowed, "", "the certificate is not of this authority")
	}
	have, err := a.Get(ctx, SerialString(c.SerialNumber))
	if err != nil {
		return Certificate{}, err
	}
	switch now := a.deps.Now(); {
	case have.Status == Revoked:
		return have, refuse(NotAllowed, "a new enrolment code lets the device in again", "the certificate %s was revoked (%s)", have.Serial, cmp.Or(have.Reason, "unspecified"))
	case now.After(c.NotAfter):
		return have, refuse(NotAllowed, "a new enrolment code lets the device in again", "the certificate %s ended on %s", have.Serial, c.NotAfter.Format(time.RFC3339))
	case now.Before(c.NotBefore):
		return have, refuse(NotAllowed, "compare the clocks", "the certificate %s begins only in %s", have.Serial, c.NotBefore.Sub(now).Round(time.Second))
	}
	return have, nil
}
