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

// Reason is why a certificate was revoked, in RFC 5280 §5.3.1's words.
type Reason string

// The reasons that a person may give. certificateHold is not one: what was
// suspended and comes back needs a new certificate, which costs a renewal and
// leaves no doubt about what was valid when.
const (
	Unspecified    Reason = "unspecified"
	KeyCompromise  Reason = "keyCompromise"
	Affiliation    Reason = "affiliationChanged"
	SupersededBy   Reason = "superseded"
	Cessation      Reason = "cessationOfOperation"
	Privilege      Reason = "privilegeWithdrawn"
	authorityBroke Reason = "cACompromise" // of an issuing authority
)

var reasonCodes = map[Reason]int{Unspecified: 0, KeyCompromise: 1, authorityBroke: 2, Affiliation: 3, SupersededBy: 4, Cessation: 5, Privilege: 9}

func (r Reason) code() int { return reasonCodes[r] }

// Reasons lists what a person may give.
func Reasons() []Reason {
	return []Reason{Unspecified, KeyCompromise, Affiliation, SupersededBy, Cessation, Privilege}
}

// ParseReason reads one.
func ParseReason(s string) (Reason, error) {
	if i := slices.IndexFunc(Reasons(), func(r Reason) bool { return strings.EqualFold(string(r), s) }); i >= 0 {
		return Reasons()[i], nil
	}
	return "", refuse(BadRequest, fmt.Sprintf("one of %v", Reasons()), "%q is no reason of revocation", s)
}

// ReasonOf gives a reason's word by its number, as CRLs and OCSP have it.
func ReasonOf(code int) Reason {
	for r, c := range reasonCodes {
		if c == code {
			return r
		}
	}
	return Unspecified
}

// Revocation asks for the end of certificates.
type Revocation struct {
	Serials []string // of one issuer or several, at most 1000
	// Device revokes all of a device's that are still good, besides Serials.
	Device string
	Reason Reason
	Note   string // what the person wrote; kept in the inventory, the audit trail and the ledger
	By     Actor
}

const maxRevocation = 1000

// Revoke ends certificates. When it returns, they are in a signed CRL and in the
// OCSP responder of this process, durably, and everybody who listens was told. An
// error together with certificates says that they are revoked, and their CRL is
// signed later.
// Those that were revoked before stay as they are; when there is none but those,
// it is a *Refusal of kind Already.
func (a *Authority) Revoke(ctx context.Context, r Revocation) ([]Certificate, error) {
	if _, err := ParseReason(string(r.Reason)); err != nil {
		return nil, err
	}
	if len([]rune(r.Note)) > 500 {
		return nil, refuse(BadRequest, "", "the note has more than 500 characters")
	}
	list, err := a.toRevoke(ctx, &r)
	if err != nil {
		return nil, err
	}
	by := map[string][]kept{}
	for _, k := range list {
		by[k.Issuer] = append(by[k.Issuer], k)
	}
	var out []Certificate
	for id, some := range by {
		i := a.issuer(id)
		if i == nil || i.key == nil {
			return out, refuse(Unavailable, "", "the key of the issuer %s is not here", id)
		}
		done, err := a.revoke(ctx, i, some, &r)
		if err != nil {
			return out, err
		}
		out = append(out, done...)
	}
	return out, nil
}

// toRevoke finds the certificates that are meant and not revoked yet.
func (a *Authority) toRevoke(ctx context.Context, r *Revocation) ([]kept, error) {
	var list []kept
	for _, s := range r.Serials {
		serial, err := ParseSerial(s)
		if err != nil {
			return nil, err
		}
		k, err := a.get(ctx, serial)
		if err != nil {
			return nil, err
		}
		list = append(list, k)
	}
	if r.Device != "" {
		mine, err := a.owned(ctx, SPIFFEID(a.Site().TrustDomain, r.Device))
		if err != nil {
			return nil, err
		}
		for _, k := range mine {
			if k.Status != Expired && !slices.ContainsFunc(list, func(o kept) bool { return o.Serial == k.Serial }) {
				list = append(list, k)
			}
		}
	}
	if len(list) == 0 {
		return nil, refuse(NotFound, "asepsis ca list shows what there is", "nothing to revoke")
	}
	if len(list) > maxRevocation {
		return nil, refuse(BadRequest, "revoke in several steps, or the issuing authority", "%d certificates at once, at most %d", len(list), maxRevocation)
	}
	fresh := slices.DeleteFunc(slices.Clone(list), func(k kept) bool { return k.Status == Revoked })
	if len(fresh) == 0 {
		return nil, refuse(Already, "", "certificate %s was revoked on %s (%s)", list[0].Serial, list[0].Revoked.Format(time.RFC3339), list[0].Reason)
	}
	return fresh, nil
}

// revoke writes one issuer's revocations: certificates, entries, number,
// statements and audit entries, in one go. Then everybody is told, and then the
// long lists are signed.
func (a *Authority) revoke(ctx context.Context, i *issuer, list []kept, r *Revocation) ([]Certificate, error) {
	for range casTries {
		state, revision, err := a.readState(ctx, i)
		if err != nil {
			return nil, err
		}
		next := a.following(state)
		w, err := stateWrite(i, next, revision)
		if err != nil {
			return nil, err
		}
		now := a.deps.Now().UTC()
		writes := []store.Write{w}
		var add []revocation
		var done []Certificate
		var statements []outgoing
		var audit []store.Audit
		for _, k := range list {
			c := k.Certificate
			c.Status, c.Revoked, c.Reason, c.Note = Revoked, now.Truncate(time.Second), string(r.Reason), r.Note
			e := revocation{k.Serial, c.Revoked, r.Reason, k.NotAfter}
			body, err := json.Marshal(c)
			if err != nil {
				return nil, err
			}
			entry, err := json.Marshal(e)
			if err != nil {
				return nil, err
			}
			st, err := a.statement("revoked", &c, r.By, string(r.Reason)+noted(r.Note), next.Number)
			if err != nil {
				return nil, err
			}
			writes = append(writes, store.Write{Kind: kindCert, ID: c.Serial, Expect: k.revision, Body: body}, store.Write{Kind: kindRevoked, ID: revocationID(i.id, next.Number, c.Serial), Body: entry}, c.noEnd(), st.write)
			add, statements, done, audit = append(add, e), append(statements, st), append(done, c), append(audit, a.audit("identity.revoke", &c, r.By))
		}
		err = a.deps.Documents.Commit(ctx, writes, audit...)
		if errors.Is(err, store.ErrConflict) { // another process: look again
			if list, err = a.again(ctx, list); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("revoke: %w", err)
		}
		a.counts.wrote(writes)
		// From here on it is done, whatever becomes of the one who asked.
		ctx := context.WithoutCancel(ctx)
		a.announce(ctx, i, next.Number, add, state.Number)
		if _, err := a.readRevocations(ctx, i); err != nil {
			return done, err
		}
		err = a.publish(ctx, i, false)
		a.record(ctx, statements...)
		for n := range done {
			a.emit("revoked", &done[n])
		}
		return done, err
	}
	return nil, fmt.Errorf("revoke: %w", store.ErrConflict)
}

func noted(note string) string {
	if note == "" {
		return ""
	}
	return ": " + strings.Join(strings.Fields(note), " ")
}

// again reads certificates anew after a conflict.
func (a *Authority) again(ctx context.Context, list []kept) ([]kept, error) {
	var out []kept
	for _, k := range list {
		now, err := a.get(ctx, k.Serial)
		if err != nil {
			return nil, err
		}
		if now.Status != Revoked {
			out = append(out, now)
		}
	}
	if len(out) == 0 {
		return nil, refuse(Already, "", "certificate %s was revoked meanwhile", list[0].Serial)
	}
	return out, nil
}

// announce tells everybody who listens. The notice carries a delta CRL of just
// these revocations, signed: who gets it believes the authority, not the bus.
func (a *Authority) announce(ctx context.Context, i *issuer, number uint64, add []revocation, before uint64) {
	a.mu.Lock()
	a.released[i.id] = max(a.released[i.id], number)
	a.mu.Unlock()
	if a.deps.Announcer == nil || len(add) == 0 {
		return
	}
	now := a.deps.Now().UTC()
	n := RevocationNotice{Number: number, Issuer: i.id, Reason: string(add[0].Reason), At: now}
	for _, e := range add {
		n.Serials = append(n.Serials, e.Serial)
	}
	var err error
	p := &published{Number: number, This: now.Truncate(time.Second), Next: now.Add(a.cfg.CRLValid).Truncate(time.Second)}
	if n.Delta, err = signCRL(i.cert, i.key, p, add, max(before, 1), ""); err == nil {
		err = a.deps.Announcer.Announce(ctx, n)
	}
	if err != nil {
		a.log.Warn("a revocation was not announced; consumers find it in the CRL", "issuer", i.id, "number", number, "why", err)
	}
}
