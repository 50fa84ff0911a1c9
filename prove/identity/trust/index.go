// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/asepsis/asepsis/prove/identity"
)

// Limits of what is read.
const (
	maxCRL     = 64 << 20
	maxDelta   = 1 << 20
	maxIssuers = 64 // whose CRLs are kept; the rest would be of nobody here
	ahead      = 5 * time.Minute
)

// key names a certificate.
type key struct{ issuer, serial string }

// entry is a revoked one.
type entry struct {
	at     time.Time
	reason identity.Reason
	number uint64 // of the CRL that first had it
}

// list is what is known of one issuer.
type list struct {
	number uint64 // of the full CRL
	told   uint64 // of the last notice, when none before it was missed
	next   time.Time
	// revoked is by serial number. Entries of notices that no full CRL has yet
	// have a number above that of the full one.
	revoked map[string]entry
}

// index is what is revoked.
type index struct {
	now func() time.Time

	mu      sync.RWMutex
	issuers map[string]*x509.Certificate // by key ID: whose signature counts
	lists   map[string]*list
	waiting map[string][]byte // CRLs of issuers that are not known yet
}

func newIndex(now func() time.Time) *index {
	return &index{now: now, issuers: map[string]*x509.Certificate{}, lists: map[string]*list{}, waiting: map[string][]byte{}}
}

// know adds issuers whose chain was verified, and takes CRLs that waited for them.
func (x *index) know(certs ...*x509.Certificate) {
	for _, c := range certs {
		id := identity.KeyID(c.SubjectKeyId)
		x.mu.RLock()
		_, known := x.issuers[id]
		x.mu.RUnlock()
		if known {
			continue
		}
		x.mu.Lock()
		_, have := x.issuers[id]
		if !have && len(x.issuers) < maxIssuers {
			x.issuers[id] = c
		}
		der := x.waiting[id]
		delete(x.waiting, id)
		x.mu.Unlock()
		if der != nil {
			_, _ = x.put(der) // what is wrong with it shows as a list that is missing
		}
	}
}

var oidDelta = asn1.ObjectIdentifier{2, 5, 29, 27}

// parse reads a CRL. base is 0 for a full one.
func parse(der []byte, limit int) (l *x509.RevocationList, issuer string, base uint64, err error) {
	if len(der) > limit {
		return nil, "", 0, fmt.Errorf("CRL: %d bytes, at most %d", len(der), limit)
	}
	if l, err = x509.ParseRevocationList(der); err != nil {
		return nil, "", 0, fmt.Errorf("CRL: %w", err)
	}
	if len(l.AuthorityKeyId) == 0 || l.Number == nil || !l.Number.IsUint64() || l.Number.Sign() <= 0 || l.NextUpdate.IsZero() {
		return nil, "", 0, errors.New("CRL: without issuer's key, number or next update (RFC 5280 §5)")
	}
	for _, e := range l.Extensions {
		if e.Id.Equal(oidDelta) {
			var n *big.Int
			if _, err := asn1.Unmarshal(e.Value, &n); err != nil || !n.IsUint64() || n.Sign() <= 0 {
				return nil, "", 0, errors.New("CRL: the number of its base")
			}
			base = n.Uint64()
		} else if e.Critical { // §5.2: one that speaks of a part only must not be taken for all
			return nil, "", 0, fmt.Errorf("CRL: extension %s is critical and not known", e.Id)
		}
	}
	return l, identity.KeyID(l.AuthorityKeyId), base, nil
}

// put takes a full CRL, and returns what is newly revoked by it. An older one
// than is known is refused: somebody plays back the past.
func (x *index) put(der []byte) ([]key, error) {
	l, id, base, err := parse(der, maxCRL)
	if err != nil {
		return nil, err
	}
	if base != 0 {
		return nil, errors.New("CRL: a delta where a full one is expected")
	}
	x.mu.RLock()
	ca, old := x.issuers[id], x.lists[id]
	x.mu.RUnlock()
	if ca == nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		if len(x.waiting) < maxIssuers {
			x.waiting[id] = der
		}
		return nil, nil
	}
	number := l.Number.Uint64()
	if old != nil && number == old.number && l.NextUpdate.Equal(old.next) {
		return nil, nil
	}
	if err := l.CheckSignatureFrom(ca); err != nil {
		return nil, fmt.Errorf("CRL of %s: %w", ca.Subject.CommonName, err)
	}
	if l.ThisUpdate.After(x.now().Add(ahead)) {
		return nil, fmt.Errorf("CRL of %s: is of %s, which is in the future: compare the clocks", ca.Subject.CommonName, l.ThisUpdate.UTC().Format(time.RFC3339))
	}
	fresh := &list{number: number, told: number, next: l.NextUpdate, revoked: make(map[string]entry, len(l.RevokedCertificateEntries))}
	for _, e := range l.RevokedCertificateEntries {
		fresh.revoked[identity.SerialString(e.SerialNumber)] = entry{e.RevocationTime, identity.ReasonOf(e.ReasonCode), number}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	old = x.lists[id]
	var newly []key
	if old != nil {
		if number < old.number && x.now().Before(old.next) {
			return nil, fmt.Errorf("CRL of %s: number %d is older than %d, which is known", ca.Subject.CommonName, number, old.number)
		}
		fresh.told = max(number, old.told)
		for s, e := range old.revoked { // told by notices, and newer than this CRL
			if _, ok := fresh.revoked[s]; !ok && e.number > number {
				fresh.revoked[s] = e
			}
		}
	}
	for s := range fresh.revoked {
		if old == nil || !has(old.revoked, s) {
			newly = append(newly, key{id, s})
		}
	}
	x.lists[id] = fresh
	return newly, nil
}

func has(m map[string]entry, s string) bool { _, ok := m[s]; return ok }

// delta takes a delta CRL: what is newly revoked. gap says that CRLs between the one
// that is known and this one were missed.
func (x *index) delta(der []byte) (newly []key, gap bool, err error) {
	l, id, base, err := parse(der, maxDelta)
	if err != nil {
		return nil, true, err
	}
	if base == 0 {
		return nil, true, errors.New("CRL: a full one where a delta is expected")
	}
	x.mu.RLock()
	ca := x.issuers[id]
	x.mu.RUnlock()
	if ca == nil {
		return nil, true, fmt.Errorf("CRL of an issuer that is not known: %s", id)
	}
	if err := l.CheckSignatureFrom(ca); err != nil {
		return nil, true, fmt.Errorf("delta CRL of %s: %w", ca.Subject.CommonName, err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	have := x.lists[id]
	if have == nil {
		return nil, true, nil
	}
	number := l.Number.Uint64()
	for _, e := range l.RevokedCertificateEntries {
		s := identity.SerialString(e.SerialNumber)
		if !has(have.revoked, s) {
			have.revoked[s] = entry{e.RevocationTime, identity.ReasonOf(e.ReasonCode), number}
			newly = append(newly, key{id, s})
		}
	}
	if gap = base > max(have.number, have.told); !gap {
		have.told = max(have.told, number)
	}
	return newly, gap, nil
}

// Reasons of index.check.
var (
	errNoCRL    = errors.New("there is no CRL of its issuer")
	errStaleCRL = errors.New("the CRL of its issuer is past its end")
)

// check says whether a certificate of an issuer is revoked. An error says that
// nobody can know.
func (x *index) check(issuer *x509.Certificate, serial string) (entry, bool, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	l := x.lists[identity.KeyID(issuer.SubjectKeyId)]
	if l == nil {
		return entry{}, false, errNoCRL
	}
	if e, ok := l.revoked[serial]; ok { // however old the CRL is
		return e, true, nil
	}
	if x.now().After(l.next) {
		return entry{}, false, fmt.Errorf("%w: since %s", errStaleCRL, l.next.UTC().Format(time.RFC3339))
	}
	return entry{}, false, nil
}

// fresh says what is missing of the CRLs of some issuers.
func (x *index) fresh(issuers []*x509.Certificate) error {
	var errs []error
	for _, c := range issuers {
		if x.now().After(c.NotAfter) {
			continue
		}
		if _, _, err := x.check(c, ""); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.Subject.CommonName, err))
		}
	}
	return errors.Join(errs...)
}

// entry returns what is known of a revoked certificate.
func (x *index) entry(k key) (entry, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	l := x.lists[k.issuer]
	if l == nil {
		return entry{}, false
	}
	e, ok := l.revoked[k.serial]
	return e, ok
}

// authority returns the key ID of an authority by its own certificate's issuer
// and serial number, "" when it is none.
func (x *index) authority(k key) string {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for id, c := range x.issuers {
		if identity.KeyID(c.AuthorityKeyId) == k.issuer && identity.SerialString(c.SerialNumber) == k.serial {
			return id
		}
	}
	return ""
}
