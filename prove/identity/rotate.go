// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/prove/identity/shamir"
)

// RootAccess says how the root's key is reached for once: the sealed file, which
// may lie on a stick, and the passphrase or the shares of it.
type RootAccess struct {
	KeyFile    string // "": root.key in the authority's directory
	Passphrase []byte
	Shares     []string
}

func (r RootAccess) open(dir string) (crypto.Signer, error) {
	if r.KeyFile == "" {
		r.KeyFile = filepath.Join(dir, rootName+".key")
	}
	file, err := os.ReadFile(r.KeyFile)
	if err != nil {
		return nil, refuse(Unavailable, "the root's key is kept off-line: bring it back and name it with --root-key", "the root's key: %w", err)
	}
	pass := r.Passphrase
	if len(r.Shares) > 0 {
		secret, err := shamir.Combine(r.Shares)
		if err != nil {
			return nil, refuse(BadRequest, "each share on a line of its own", "the root's shares: %w", err)
		}
		pass = []byte(hex.EncodeToString(secret))
	}
	return openKey(rootName, file, pass)
}

// Rotate makes a new issuing authority, which signs from now on. The old one
// stays: its certificates are valid to their end, and it goes on signing CRLs
// and OCSP answers for them. Relying parties trust the root and need nothing new;
// they fetch the new one's CRL when they first meet it.
func (a *Authority) Rotate(ctx context.Context, r RootAccess, by Actor) (*x509.Certificate, error) {
	key, err := r.open(a.dir)
	if err != nil {
		return nil, err
	}
	root, site := a.Root(), a.Site()
	if !samePublic(key.Public(), root.PublicKey) {
		return nil, refuse(BadKey, "", "the key is not that of the root %s", site.Root)
	}
	cert, err := makeIssuing(a.dir, &site, a.deps.Keys, root, key, a.deps.Now().UTC())
	if err != nil {
		return nil, err
	}
	entries, _, err := a.rootEntries()
	if err != nil {
		return nil, err
	}
	if _, err := writeRootCRL(a.dir, root, key, entries, a.deps.Now()); err != nil {
		return nil, err
	}
	// Its CRL comes before its first certificate: who meets one finds the other.
	if err := a.load(); err != nil {
		return nil, err
	}
	site.Active = KeyID(cert.SubjectKeyId)
	if err := a.publish(ctx, a.issuer(site.Active), true); err != nil {
		return nil, err
	}
	if err := site.write(a.dir); err != nil {
		return nil, err
	}
	if err := a.load(); err != nil {
		return nil, err
	}
	return cert, a.authorityStatement(ctx, "authority-rotated", cert, by, "", 0)
}

// RevokeIssuing ends an issuing authority, and with it all that it issued: the
// root says so in its CRL. The active one must be rotated away before.
func (a *Authority) RevokeIssuing(ctx context.Context, id string, r RootAccess, reason Reason, by Actor) error {
	i := a.issuer(id)
	if i == nil {
		return refuse(NotFound, "asepsis ca show lists them", "there is no issuing authority %s", id)
	}
	if a.Site().Active == id {
		return refuse(NotAllowed, "asepsis ca rotate first", "the authority %s is the active one", id)
	}
	key, err := r.open(a.dir)
	if err != nil {
		return err
	}
	entries, before, err := a.rootEntries()
	if err != nil {
		return err
	}
	serial := SerialString(i.cert.SerialNumber)
	for _, e := range entries {
		if e.Serial == serial {
			return refuse(Already, "", "the authority %s was revoked on %s", id, e.At.Format(time.RFC3339))
		}
	}
	entries = append(entries, revocation{Serial: serial, At: a.deps.Now().UTC().Truncate(time.Second), Reason: reason, End: i.cert.NotAfter})
	root := a.Root()
	number, err := writeRootCRL(a.dir, root, key, entries, a.deps.Now())
	if err != nil {
		return err
	}
	a.announce(ctx, &issuer{cert: root, id: KeyID(root.SubjectKeyId), key: key}, number, entries[len(entries)-1:], before)
	return a.authorityStatement(ctx, "revoked", i.cert, by, string(reason), number)
}

// RenewRootCRL signs the root's CRL again, before it ends.
func (a *Authority) RenewRootCRL(r RootAccess) error {
	key, err := r.open(a.dir)
	if err != nil {
		return err
	}
	entries, _, err := a.rootEntries()
	if err != nil {
		return err
	}
	_, err = writeRootCRL(a.dir, a.Root(), key, entries, a.deps.Now())
	return err
}

// rootEntries are the issuing authorities that are revoked.
func (a *Authority) rootEntries() (out []revocation, number uint64, err error) {
	der, _, err := a.CRL(context.Background(), KeyID(a.Root().SubjectKeyId), false)
	if err != nil {
		return nil, 0, err
	}
	l, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, 0, fmt.Errorf("CRL of the root: %w", err)
	}
	for _, e := range l.RevokedCertificateEntries {
		out = append(out, revocation{Serial: SerialString(e.SerialNumber), At: e.RevocationTime, Reason: ReasonOf(e.ReasonCode)})
	}
	return out, l.Number.Uint64(), nil
}

// authorityStatement records what was done to an authority.
func (a *Authority) authorityStatement(ctx context.Context, action string, cert *x509.Certificate, by Actor, reason string, number uint64) error {
	sum := sha256.Sum256(cert.Raw)
	c := Certificate{Serial: SerialString(cert.SerialNumber), Subject: cert.Subject.String(), Issuer: KeyID(cert.AuthorityKeyId), NotBefore: cert.NotBefore, NotAfter: cert.NotAfter, SHA256: hex.EncodeToString(sum[:])}
	c.Reason = reason
	c.SPIFFE = "spiffe://" + a.Site().TrustDomain + "/authority/" + KeyID(cert.SubjectKeyId)
	st, err := a.statement(action, &c, by, reason, number)
	if err != nil {
		return err
	}
	if err := a.deps.Documents.Commit(ctx, []store.Write{st.write}, a.audit("identity."+action, &c, by)); err != nil {
		return fmt.Errorf("keep the statement: %w", err)
	}
	a.record(ctx, st)
	a.emit(action, &c)
	return nil
}

// Announced records that an authority was made. It is called once after Init,
// when there is a store.
func (a *Authority) Announced(ctx context.Context, by Actor) error {
	for _, c := range append([]*x509.Certificate{a.Root()}, a.Issuing()...) {
		if err := a.authorityStatement(ctx, "authority-made", c, by, "", 0); err != nil {
			return err
		}
	}
	return nil
}

// Reload reads the directory again when another process rotated. Run calls it.
func (a *Authority) Reload() error {
	site, err := readSite(a.dir)
	if err != nil {
		return err
	}
	if site.Active == a.Site().Active {
		return nil
	}
	return a.load()
}
