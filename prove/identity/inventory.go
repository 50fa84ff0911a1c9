// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/platform/store"
)

// Kinds of documents. IDs of the indexes begin with what is searched by, and
// their bodies are empty.
const (
	kindCert    = "identity.certificate" // <serial>
	kindOwner   = "identity.owner"       // <SPIFFE path>/<serial>
	kindCurrent = "identity.current"     // <SPIFFE path>/<profile>
	kindEnd     = "identity.end"         // <RFC 3339 end>/<serial>, of the newest of each owner and profile
	kindNumber  = "identity.crl-number"  // <issuer>
	kindRevoked = "identity.revoked"     // <issuer>/<number>-<serial>
	kindCRL     = "identity.crl"         // <issuer>
	kindCode    = "identity.code"        // <SHA-256 of the code>
	kindOutbox  = "identity.outbox"      // <time>-<serial>: statements on their way to the ledger
)

// Filter restricts a list; zero fields do not.
type Filter struct {
	Device  string
	Profile Profile
	Status  Status
	Before  time.Time // ends before this time
	After   string    // serial number or cursor of the page before
	Limit   int       // 1 to 1000; 0: 1000
}

// endMark is the body of the index by end, which holds the newest certificate of
// each owner and profile: enough to know that a certificate needs no look yet.
type endMark struct {
	Long bool      `json:"long,omitempty"`
	Due  time.Time `json:"due"` // when its renewal is overdue
}

// overdueFrom is when a renewal is overdue: a tenth of the life is for trying again.
func (c *Certificate) overdueFrom() time.Time {
	return c.RenewFrom.Add(c.NotAfter.Sub(c.NotBefore) / 10)
}

func (c *Certificate) endID() string { return c.NotAfter.Format(time.RFC3339) + "/" + c.Serial }

// noEnd takes a certificate out of the index by end.
func (c *Certificate) noEnd() store.Write {
	return store.Write{Kind: kindEnd, ID: c.endID(), Expect: store.AnyRevision, Delete: true}
}

// current says which certificate of an owner and a profile is the newest.
type current struct {
	Serial string `json:"serial"`
}

// inventoryWrites makes a new certificate's documents, and marks the one that it
// supersedes: the newest of the same owner and profile.
func (a *Authority) inventoryWrites(ctx context.Context, c *Certificate) ([]store.Write, error) {
	body, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	now, err := json.Marshal(current{c.Serial})
	if err != nil {
		return nil, err
	}
	mark, err := json.Marshal(endMark{c.LongLife, c.overdueFrom()})
	if err != nil {
		return nil, err
	}
	newest := store.Write{Kind: kindCurrent, ID: ownerKey(c.SPIFFE) + string(c.Profile), Body: now}
	out := []store.Write{
		{Kind: kindCert, ID: c.Serial, Body: body},
		{Kind: kindOwner, ID: ownerKey(c.SPIFFE) + c.Serial, Body: []byte("{}")},
		{Kind: kindEnd, ID: c.endID(), Body: mark},
	}
	d, err := a.deps.Documents.Document(ctx, kindCurrent, newest.ID)
	if errors.Is(err, store.ErrNotFound) {
		return append(out, newest), nil
	}
	var was current
	if err == nil {
		err = json.Unmarshal(d.Body, &was)
	}
	if err != nil {
		return nil, fmt.Errorf("read the newest certificate of %s: %w", c.SPIFFE, err)
	}
	newest.Expect = d.Revision
	out = append(out, newest)
	old, err := a.get(ctx, was.Serial)
	if err != nil {
		return nil, err
	}
	if old.Status != Good && old.Status != Expired { // one that ended is marked too: it is not the newest any more
		return out, nil
	}
	old.Status = Superseded
	if body, err = json.Marshal(old.Certificate); err != nil {
		return nil, err
	}
	return append(out, store.Write{Kind: kindCert, ID: old.Serial, Expect: old.revision, Body: body}, old.noEnd()), nil
}

// ownerKey is the SPIFFE path with a slash behind it.
func ownerKey(spiffe string) string {
	_, path, _ := strings.Cut(strings.TrimPrefix(spiffe, "spiffe://"), "/")
	return path + "/"
}

// kept is a certificate with its document's revision.
type kept struct {
	Certificate
	revision uint64
}

func (a *Authority) get(ctx context.Context, serial string) (kept, error) {
	d, err := a.deps.Documents.Document(ctx, kindCert, serial)
	if errors.Is(err, store.ErrNotFound) {
		return kept{}, refuse(NotFound, "asepsis ca list shows what there is", "there is no certificate %s", serial)
	}
	if err != nil {
		return kept{}, fmt.Errorf("read certificate %s: %w", serial, err)
	}
	return a.decode(d)
}

// stored is a certificate as it was written, whatever the time is now.
func stored(d store.Document) (c Certificate, err error) {
	if err := json.Unmarshal(d.Body, &c); err != nil {
		return c, fmt.Errorf("read certificate %s: %w", d.ID, err)
	}
	return c, nil
}

func (a *Authority) decode(d store.Document) (kept, error) {
	c, err := stored(d)
	k := kept{c, d.Revision}
	if err != nil {
		return k, err
	}
	if k.Status != Revoked && a.deps.Now().After(k.NotAfter) {
		k.Status = Expired
	}
	return k, nil
}

// Get returns one certificate by its serial number.
func (a *Authority) Get(ctx context.Context, serial string) (Certificate, error) {
	s, err := ParseSerial(serial)
	if err != nil {
		return Certificate{}, err
	}
	k, err := a.get(ctx, s)
	return k.Certificate, err
}

// owned returns all of one owner, in the order of their serial numbers.
func (a *Authority) owned(ctx context.Context, spiffe string) ([]kept, error) {
	var out []kept
	prefix := ownerKey(spiffe)
	for after := prefix; ; {
		docs, err := a.deps.Documents.DocumentsOf(ctx, kindOwner, after, 100)
		if err != nil {
			return nil, fmt.Errorf("list certificates: %w", err)
		}
		for _, d := range docs {
			serial, ok := strings.CutPrefix(d.ID, prefix)
			if !ok {
				return out, nil
			}
			k, err := a.get(ctx, serial)
			if err != nil {
				return nil, err
			}
			out = append(out, k)
			after = d.ID
		}
		if len(docs) < 100 {
			return out, nil
		}
	}
}

// List returns certificates in the order of their serial numbers, of one device
// newest first. next is for Filter.After, "" at the end.
func (a *Authority) List(ctx context.Context, f Filter) (list []Certificate, next string, err error) {
	if f.Limit <= 0 || f.Limit > 1000 {
		f.Limit = 1000
	}
	if f.Device != "" {
		mine, err := a.owned(ctx, SPIFFEID(a.Site().TrustDomain, f.Device))
		if err != nil {
			return nil, "", err
		}
		for _, k := range mine {
			if f.has(&k.Certificate) {
				list = append(list, k.Certificate)
			}
		}
		slices.SortFunc(list, func(a, b Certificate) int { return b.NotBefore.Compare(a.NotBefore) })
		return list[:min(len(list), f.Limit)], "", nil
	}
	after := f.After
	for {
		docs, err := a.deps.Documents.DocumentsOf(ctx, kindCert, after, 500)
		if err != nil {
			return nil, "", fmt.Errorf("list certificates: %w", err)
		}
		for _, d := range docs {
			k, err := a.decode(d)
			if err != nil {
				return nil, "", err
			}
			after = d.ID
			if f.has(&k.Certificate) {
				list = append(list, k.Certificate)
				if len(list) == f.Limit {
					return list, after, nil
				}
			}
		}
		if len(docs) < 500 {
			return list, "", nil
		}
	}
}

func (f *Filter) has(c *Certificate) bool {
	return (f.Profile == "" || c.Profile == f.Profile) && (f.Status == "" || c.Status == f.Status) && (f.Before.IsZero() || c.NotAfter.Before(f.Before))
}

// ending returns certificates that end between two times and are good then,
// first to end first: those with a long life, and those whose renewal is overdue.
func (a *Authority) ending(ctx context.Context, from, to time.Time) ([]Certificate, error) {
	var out []Certificate
	last := to.UTC().Format(time.RFC3339)
	for after := from.UTC().Format(time.RFC3339); ; {
		docs, err := a.deps.Documents.DocumentsOf(ctx, kindEnd, after, 500)
		if err != nil {
			return nil, fmt.Errorf("list certificates: %w", err)
		}
		for _, d := range docs {
			at, serial, _ := strings.Cut(d.ID, "/")
			if at > last { // RFC 3339 in UTC sorts by time
				return out, nil
			}
			after = d.ID
			var mark endMark
			if err := json.Unmarshal(d.Body, &mark); err != nil {
				return nil, fmt.Errorf("read the end of certificate %s: %w", serial, err)
			}
			if !mark.Long && from.Before(mark.Due) {
				continue
			}
			k, err := a.get(ctx, serial)
			if err != nil {
				return nil, err
			}
			if k.Status == Good {
				out = append(out, k.Certificate)
			}
		}
		if len(docs) < 500 {
			return out, nil
		}
	}
}
