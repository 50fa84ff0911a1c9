// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/asepsis/asepsis/platform/durable"
	"github.com/asepsis/asepsis/prove/identity/lint"
	"github.com/asepsis/asepsis/prove/identity/seal"
	"github.com/asepsis/asepsis/prove/identity/shamir"
)

// Lifetimes of authorities, and how far before now their certificates begin, for
// clocks that are behind.
const (
	RootLifetime    = 20 * 365 * 24 * time.Hour
	IssuingLifetime = 6 * 365 * 24 * time.Hour
	RootCRLLifetime = 400 * 24 * time.Hour
	backdate        = 5 * time.Minute
)

// InitOptions says what a new authority is to be.
type InitOptions struct {
	Dir  string // made when it is not there
	Site Site   // Version, Root, Active and Created are filled in
	// Keys keeps the issuing authority's key. nil: sealed files in Dir under
	// Passphrase.
	Keys       Keys
	Passphrase []byte
	// RootPassphrase seals the root's key; nil: Passphrase. With Threshold and
	// Shares it is not used: the root is sealed under a random secret, which is
	// split.
	RootPassphrase    []byte
	Threshold, Shares int
	Cost              seal.Cost // zero: seal.DefaultCost
	Now               func() time.Time
}

// Initialised is what Init made.
type Initialised struct {
	Root, Issuing *x509.Certificate
	// RootKey is the file with the root's sealed key: to be taken off the machine.
	RootKey string
	// Shares of the secret under which it is sealed; nil when it was not split.
	// They are nowhere else.
	Shares []string
}

// Init makes a root and an issuing authority in a directory that has none. When
// it fails, the directory has no ca.json. A root's key is never written over: what
// is left of an Init that failed has to be moved away by hand.
func Init(o InitOptions) (*Initialised, error) {
	o.fill()
	if err := o.Site.validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the authority: %w", err)
	}
	if st, err := os.Stat(o.Dir); err != nil {
		return nil, fmt.Errorf("make the authority: %w", err)
	} else if st.Mode().Perm()&0o077 != 0 {
		return nil, refuse(NotAllowed, "chmod 700 "+o.Dir, "%s: others may read it (mode %04o)", o.Dir, st.Mode().Perm())
	}
	if _, err := os.Stat(filepath.Join(o.Dir, siteFile)); err == nil {
		return nil, refuse(Already, "asepsis ca list shows it; asepsis ca rotate makes a new issuing authority", "there is an authority in %s", o.Dir)
	}
	out := &Initialised{RootKey: filepath.Join(o.Dir, rootName+".key")}
	secret := o.RootPassphrase
	if o.Shares > 0 {
		raw := make([]byte, 32)
		_, _ = rand.Read(raw) // never fails, see crypto/rand
		secret = []byte(hex.EncodeToString(raw))
		var err error
		if out.Shares, err = shamir.Split(raw, o.Threshold, o.Shares); err != nil {
			return nil, refuse(BadRequest, "--shares 3of5", "%w", err)
		}
		o.Site.Shares = fmt.Sprintf("%dof%d", o.Threshold, o.Shares)
	}
	rootKey, err := (&SealedKeys{o.Dir, secret, o.Cost}).Create(rootName, o.Site.curve())
	if err != nil {
		return nil, err
	}
	now := o.Now().UTC()
	if out.Root, err = makeRoot(&o.Site, rootKey, now); err != nil {
		return nil, err
	}
	if err := durable.WriteMode(certPath(o.Dir, rootName), EncodePEM(out.Root), 0o644); err != nil {
		return nil, err
	}
	if out.Issuing, err = makeIssuing(o.Dir, &o.Site, o.Keys, out.Root, rootKey, now); err != nil {
		return nil, err
	}
	if _, err := writeRootCRL(o.Dir, out.Root, rootKey, nil, now); err != nil {
		return nil, err
	}
	o.Site.Version, o.Site.Created = 1, now.Truncate(time.Second)
	o.Site.Root, o.Site.Active = KeyID(out.Root.SubjectKeyId), KeyID(out.Issuing.SubjectKeyId)
	return out, o.Site.write(o.Dir)
}

func (o *InitOptions) fill() {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Cost = cmp.Or(o.Cost, seal.DefaultCost())
	o.Site.Curve = cmp.Or(o.Site.Curve, "P-256")
	if o.Keys == nil {
		o.Keys = &SealedKeys{o.Dir, o.Passphrase, o.Cost}
	}
	if o.RootPassphrase == nil {
		o.RootPassphrase = o.Passphrase
	}
}

// newSerial draws 127 random bits below a one, so that every number has the same
// length and none is small.
func newSerial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	b[0] = b[0]&0x3f | 0x40
	return new(big.Int).SetBytes(b)
}

// keyID is RFC 7093 §2 method 1: the first 160 bits of the SHA-256 of the key.
func keyID(pub crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("subject key identifier: %w", err)
	}
	sum := sha256.Sum256(der)
	return sum[:20], nil
}

func (s *Site) subject(name string) pkix.Name {
	return pkix.Name{Organization: []string{s.Organisation}, CommonName: name}
}

func makeRoot(s *Site, key crypto.Signer, now time.Time) (*x509.Certificate, error) {
	ski, err := keyID(key.Public())
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: newSerial(), Subject: s.subject("Asepsis root " + now.Format("2006") + " " + KeyID(ski)[:8]),
		NotBefore: now.Add(-backdate).Truncate(time.Second), NotAfter: now.Add(RootLifetime).Truncate(time.Second),
		IsCA: true, BasicConstraintsValid: true, MaxPathLen: 1, SubjectKeyId: ski,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	return sign(t, nil, key.Public(), key, lint.Rules{Kind: lint.Root, MaxLifetime: RootLifetime + backdate, Now: now})
}

// makeIssuing makes an issuing authority, whose names are constrained to the
// site's, and writes its certificate.
func makeIssuing(dir string, s *Site, keys Keys, root *x509.Certificate, rootKey crypto.Signer, now time.Time) (*x509.Certificate, error) {
	name := issuingPrefix + SerialString(newSerial())[:16]
	key, err := keys.Create(name, s.curve())
	if err != nil {
		return nil, err
	}
	ski, err := keyID(key.Public())
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: newSerial(), Subject: s.subject("Asepsis issuing " + now.Format("2006-01") + " " + KeyID(ski)[:8]),
		NotBefore: now.Add(-backdate).Truncate(time.Second), NotAfter: now.Add(IssuingLifetime).Truncate(time.Second),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, SubjectKeyId: ski,
		KeyUsage:            x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		PermittedURIDomains: []string{s.TrustDomain}, PermittedDNSDomainsCritical: true, PermittedDNSDomains: s.Domains,
		CRLDistributionPoints: []string{s.Base + "/crl/" + KeyID(root.SubjectKeyId) + ".crl"},
		IssuingCertificateURL: []string{s.Base + "/ca/" + KeyID(root.SubjectKeyId) + ".crt"},
		Policies:              []x509.OID{anyPolicy()},
	}
	for _, n := range s.Networks {
		_, ipn, err := net.ParseCIDR(n)
		if err != nil {
			return nil, fmt.Errorf("networks: %w", err)
		}
		t.PermittedIPRanges = append(t.PermittedIPRanges, ipn)
	}
	if t.NotAfter.After(root.NotAfter) {
		t.NotAfter = root.NotAfter
	}
	cert, err := sign(t, root, key.Public(), rootKey, lint.Rules{Kind: lint.Issuing, TrustDomain: s.TrustDomain, MaxLifetime: IssuingLifetime + backdate, Now: now})
	if err != nil {
		return nil, err
	}
	return cert, durable.WriteMode(certPath(dir, name), EncodePEM(cert), 0o644)
}

// anyPolicy is RFC 5280 §4.2.1.4's: an issuing authority issues under all
// profiles.
func anyPolicy() x509.OID {
	o, err := x509.OIDFromInts([]uint64{2, 5, 29, 32, 0})
	if err != nil {
		panic("BUG: anyPolicy: " + err.Error())
	}
	return o
}
