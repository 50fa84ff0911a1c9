// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/asepsis/asepsis/platform/durable"
	"github.com/asepsis/asepsis/platform/store"
)

// crlState is where an issuer's revocations stand: a small document, so that a
// revocation is on the disk and told to everybody before a long list is signed.
// Who writes it has the next number; numbers are in the order of the writes.
type crlState struct {
	Number uint64 `json:"number"` // of the last revocation or publication
}

// revocation is a document of its own, under its issuer and number.
type revocation struct {
	Serial string    `json:"serial"`
	At     time.Time `json:"at"`
	Reason Reason    `json:"reason"`
	End    time.Time `json:"end"` // of the certificate: it leaves the CRL some time later
}

func revocationID(issuer string, number uint64, serial string) string {
	return fmt.Sprintf("%s/%020d-%s", issuer, number, serial)
}

// published are the CRLs that were signed last.
type published struct {
	Number uint64    `json:"number"` // of Full and Delta
	This   time.Time `json:"this"`
	Next   time.Time `json:"next"`
	Base   uint64    `json:"base"` // number of the full CRL that Delta adds to
	Full   []byte    `json:"full"` // DER
	Delta  []byte    `json:"delta"`
}

// numbered is a revocation with the number under which it was made.
type numbered struct {
	revocation
	number uint64
	id     string
}

// crlCache holds what was read of an issuer's documents: for OCSP, which is
// asked often, and so that only what is new is read again.
type crlCache struct {
	mu       sync.RWMutex
	entries  []numbered // in the order of their numbers
	revoked  map[string]revocation
	last     string // ID of the last document of a revocation that was read
	version  uint64 // changes with the entries
	revision uint64 // of the document of shown
	shown    *published
}

// get returns the CRLs and who is revoked. The map is never changed.
func (c *crlCache) get() (*published, map[string]revocation, uint64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.shown, c.revoked, c.version
}

// readRevocations reads revocations that are not in the cache yet, also those of
// other processes, and returns them.
func (a *Authority) readRevocations(ctx context.Context, i *issuer) ([]numbered, error) {
	i.crls.mu.Lock()
	defer i.crls.mu.Unlock()
	if i.crls.last == "" {
		i.crls.last = i.id + "/"
	}
	var fresh []numbered
	for {
		docs, err := a.deps.Documents.DocumentsOf(ctx, kindRevoked, i.crls.last, 1000)
		if err != nil {
			return nil, fmt.Errorf("read revocations: %w", err)
		}
		more := len(docs) == 1000
		for _, d := range docs {
			rest, ok := strings.CutPrefix(d.ID, i.id+"/")
			if !ok {
				more = false
				break
			}
			n := numbered{id: d.ID}
			text, _, _ := strings.Cut(rest, "-")
			if n.number, err = strconv.ParseUint(text, 10, 64); err == nil {
				err = json.Unmarshal(d.Body, &n.revocation)
			}
			if err != nil {
				return nil, fmt.Errorf("read revocation %s: %w", d.ID, err)
			}
			fresh = append(fresh, n)
			i.crls.last = d.ID
		}
		if !more {
			break
		}
	}
	if len(fresh) > 0 || i.crls.revoked == nil {
		m := maps.Clone(i.crls.revoked)
		if m == nil {
			m = map[string]revocation{}
		}
		for _, n := range fresh {
			m[n.Serial] = n.revocation
		}
		i.crls.entries = append(i.crls.entries, fresh...)
		i.crls.revoked = m
		i.crls.version++
	}
	return fresh, nil
}

// readPublished reads the CRLs that were signed last, by whichever process; nil
// when there are none.
func (a *Authority) readPublished(ctx context.Context, i *issuer) (*published, uint64, error) {
	d, err := a.deps.Documents.Document(ctx, kindCRL, i.id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read the CRL: %w", err)
	}
	i.crls.mu.Lock()
	defer i.crls.mu.Unlock()
	if i.crls.shown != nil && d.Revision <= i.crls.revision {
		return i.crls.shown, i.crls.revision, nil
	}
	var p published
	if err := json.Unmarshal(d.Body, &p); err != nil {
		return nil, 0, fmt.Errorf("read the CRL of %s: %w", i.id, err)
	}
	i.crls.shown, i.crls.revision = &p, d.Revision
	return &p, d.Revision, nil
}

// readState reads the number that was given last.
func (a *Authority) readState(ctx context.Context, i *issuer) (crlState, uint64, error) {
	var s crlState
	d, err := a.deps.Documents.Document(ctx, kindNumber, i.id)
	if errors.Is(err, store.ErrNotFound) {
		return s, 0, nil
	}
	if err == nil {
		err = json.Unmarshal(d.Body, &s)
	}
	if err != nil {
		return s, 0, fmt.Errorf("read the CRL's number: %w", err)
	}
	return s, d.Revision, nil
}

// following is the next number. Numbers follow the clock, so that an authority
// which was restored from a backup goes on above those that it gave after it.
func (a *Authority) following(s crlState) crlState {
	return crlState{max(uint64(max(a.deps.Now().UnixMilli(), 1)), s.Number+1)}
}

func stateWrite(i *issuer, s crlState, revision uint64) (store.Write, error) {
	body, err := json.Marshal(s)
	return store.Write{Kind: kindNumber, ID: i.id, Expect: revision, Body: body}, err
}

// maxDelta is how many entries a delta CRL has before a new base is made.
const maxDelta = 1000

// signBoth makes the full CRL and the delta since its base, of all revocations that
// were made up to a number. A scheduled one becomes the new base.
func (a *Authority) signBoth(i *issuer, old *published, number uint64, scheduled bool) (*published, error) {
	now := a.deps.Now().UTC().Truncate(time.Second)
	p := &published{Number: number, This: now, Next: now.Add(a.cfg.CRLValid)}
	if old != nil {
		p.Base = old.Base
	}
	i.crls.mu.RLock()
	all := i.crls.entries
	i.crls.mu.RUnlock()
	var full, since []revocation
	for _, e := range all {
		if e.number > number {
			continue
		}
		full = append(full, e.revocation)
		if e.number > p.Base {
			since = append(since, e.revocation)
		}
	}
	if scheduled || p.Base == 0 || len(since) > maxDelta {
		p.Base, since = number, nil
	}
	var err error
	if p.Full, err = signCRL(i.cert, i.key, p, full, 0, a.Site().Base); err != nil {
		return nil, err
	}
	p.Delta, err = signCRL(i.cert, i.key, p, since, p.Base, "")
	return p, err
}

var (
	oidDelta = asn1.ObjectIdentifier{2, 5, 29, 27}
)

// signCRL makes a CRL. With a base it is a delta of that.
func signCRL(ca *x509.Certificate, key crypto.Signer, s *published, entries []revocation, base uint64, site string) ([]byte, error) {
	t := &x509.RevocationList{Number: new(big.Int).SetUint64(s.Number), ThisUpdate: s.This, NextUpdate: s.Next}
	for _, e := range entries {
		n, ok := new(big.Int).SetString(e.Serial, 16)
		if !ok {
			return nil, fmt.Errorf("sign the CRL: serial number %q", e.Serial)
		}
		t.RevokedCertificateEntries = append(t.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: n, RevocationTime: e.At, ReasonCode: e.Reason.code()})
	}
	if base != 0 { // RFC 5280 §5.2.4
		b, err := asn1.Marshal(new(big.Int).SetUint64(base))
		if err != nil {
			return nil, fmt.Errorf("sign the CRL: %w", err)
		}
		t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{Id: oidDelta, Critical: true, Value: b})
	} else if site != "" { // RFC 5280 §5.2.6
		fresh, err := freshestExtension(site + "/crl/" + KeyID(ca.SubjectKeyId) + ".delta.crl")
		if err != nil {
			return nil, err
		}
		t.ExtraExtensions = append(t.ExtraExtensions, fresh)
	}
	der, err := x509.CreateRevocationList(rand.Reader, t, ca, key)
	if err != nil {
		return nil, fmt.Errorf("sign the CRL: %w", err)
	}
	return der, nil
}

// Publish signs CRLs where the last is older than Config.CRLEvery, or all when
// now is set. It is called by Run, and at the start.
func (a *Authority) Publish(ctx context.Context, now bool) error {
	var errs []error
	for _, i := range a.allIssuers() {
		if i.key != nil && a.deps.Now().Before(i.cert.NotAfter) {
			errs = append(errs, a.publish(ctx, i, now))
		}
	}
	return errors.Join(errs...)
}

// publish signs CRLs when they are due, when force is set, or when there are
// revocations that the last ones do not have.
func (a *Authority) publish(ctx context.Context, i *issuer, force bool) error {
	for range casTries {
		p, revision, err := a.readPublished(ctx, i)
		if err != nil {
			return err
		}
		state, stateRevision, err := a.readState(ctx, i)
		if err != nil {
			return err
		}
		due := p == nil || force || a.deps.Now().Sub(p.This) >= a.cfg.CRLEvery
		if !due && p.Number >= state.Number {
			return nil
		}
		var writes []store.Write
		number := state.Number
		if due {
			next := a.following(state)
			w, err := stateWrite(i, next, stateRevision)
			if err != nil {
				return err
			}
			number, writes = next.Number, append(writes, w)
		}
		if _, err := a.readRevocations(ctx, i); err != nil {
			return err
		}
		if due {
			writes = append(writes, a.leaving(i)...)
		}
		fresh, err := a.signBoth(i, p, number, due)
		if err != nil {
			return err
		}
		body, err := json.Marshal(fresh)
		if err != nil {
			return fmt.Errorf("keep the CRL: %w", err)
		}
		writes = append(writes, store.Write{Kind: kindCRL, ID: i.id, Expect: revision, Body: body})
		err = a.deps.Documents.Commit(ctx, writes)
		if errors.Is(err, store.ErrConflict) { // another process revoked or published
			continue
		}
		if err != nil {
			return fmt.Errorf("keep the CRL: %w", err)
		}
		i.crls.mu.Lock()
		if revision+1 > i.crls.revision {
			i.crls.shown, i.crls.revision = fresh, revision+1
		}
		i.crls.mu.Unlock()
		return nil
	}
	return fmt.Errorf("keep the CRL: %w", store.ErrConflict)
}

// leaving takes entries out whose certificates ended so long ago that a CRL after
// that had them (RFC 5280 §3.3), and returns the writes that remove them.
func (a *Authority) leaving(i *issuer) []store.Write {
	now := a.deps.Now()
	i.crls.mu.Lock()
	defer i.crls.mu.Unlock()
	var out []store.Write
	var stay []numbered
	for _, e := range i.crls.entries {
		if len(out) < maxRevocation && now.Sub(e.End) > 2*a.cfg.CRLValid {
			out = append(out, store.Write{Kind: kindRevoked, ID: e.id, Expect: store.AnyRevision, Delete: true})
		} else {
			stay = append(stay, e)
		}
	}
	if len(out) > 0 {
		i.crls.entries = stay
	}
	return out
}

// casTries is how often a write is tried that others may come before.
const casTries = 50

// CRL returns the newest CRL of an issuer, DER: the full one, or the delta.
func (a *Authority) CRL(ctx context.Context, issuerID string, delta bool) ([]byte, time.Time, error) {
	if root := a.Root(); issuerID == KeyID(root.SubjectKeyId) && !delta {
		der, err := os.ReadFile(filepath.Join(a.dir, rootCRLFile))
		if err != nil {
			return nil, time.Time{}, fmt.Errorf("CRL of the root: %w", err)
		}
		l, err := x509.ParseRevocationList(der)
		if err != nil {
			return nil, time.Time{}, fmt.Errorf("CRL of the root: %w", err)
		}
		return der, l.NextUpdate, nil
	}
	i := a.issuer(issuerID)
	if i == nil {
		return nil, time.Time{}, refuse(NotFound, "", "there is no issuer %s", issuerID)
	}
	s, _, err := a.readPublished(ctx, i)
	if err != nil {
		return nil, time.Time{}, err
	}
	if s == nil {
		return nil, time.Time{}, refuse(NotFound, "", "no CRL of %s was signed yet", issuerID)
	}
	if delta {
		return s.Delta, s.Next, nil
	}
	return s.Full, s.Next, nil
}

// CRLs returns the full CRLs of the root and of all issuers.
func (a *Authority) CRLs(ctx context.Context) ([][]byte, error) {
	ids := []string{KeyID(a.Root().SubjectKeyId)}
	for _, i := range a.allIssuers() {
		ids = append(ids, i.id)
	}
	var out [][]byte
	for _, id := range ids {
		der, _, err := a.CRL(ctx, id, false)
		if KindOf(err) == NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, der)
	}
	return out, nil
}

const rootCRLFile = "root.crl"

// writeRootCRL signs the root's CRL, which is about issuing authorities only.
func writeRootCRL(dir string, root *x509.Certificate, key crypto.Signer, entries []revocation, now time.Time) (number uint64, err error) {
	s := &published{Number: uint64(max(now.UnixMilli(), 1)), This: now.UTC().Truncate(time.Second), Next: now.UTC().Add(RootCRLLifetime).Truncate(time.Second)}
	if s.Next.After(root.NotAfter) {
		s.Next = root.NotAfter
	}
	der, err := signCRL(root, key, s, entries, 0, "")
	if err != nil {
		return 0, err
	}
	return s.Number, durable.WriteMode(filepath.Join(dir, rootCRLFile), der, 0o644)
}
