// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/prove/identity"
	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/respond/access"
	"github.com/asepsis/asepsis/respond/problem"
)

// Live is a connection that is open with a certificate.
type Live struct {
	Consumer string // who has it: "gateway", "est"
	Peer     string // address of the other end
	Since    time.Time
	Policy   identity.Cut // what a revocation does to it
}

// Identity is what the API needs of the site's authority.
type Identity struct {
	Authority *identity.Authority
	// Live says which connections a certificate has open, in all processes that answer.
	Live func(ctx context.Context, serial string) ([]Live, error)
	// Served is where devices enrol and where OCSP is answered, "" when they are not; nil: nowhere.
	Served func() (est, ocsp string)
}

func (i *Identity) served() (est, ocsp string) {
	if i.Served == nil {
		return "", ""
	}
	return i.Served()
}

func (s *Server) identityRoutes(add func(method, path string, need access.Permission, h handler) *route) {
	with := func(h handler) handler {
		return func(w http.ResponseWriter, r *http.Request) error {
			if s.dep.Identity == nil {
				p := problem.NotFound("The site has no certificate authority.")
				p.Hint = "asepsis ca init makes one"
				return p
			}
			return h(w, r)
		}
	}
	add("GET", "/identity", access.Read, with(s.getIdentity))
	add("GET", "/identity/bundle.pem", access.Read, with(s.getBundle))
	add("GET", "/identity/certificates", access.Read, with(s.getCertificates))
	add("POST", "/identity/certificates", access.IdentityEdit, with(s.postCertificate))
	add("GET", "/identity/certificates/{serial}", access.Read, with(s.getCertificate))
	add("GET", "/identity/certificates/{serial}/impact", access.Read, with(s.getImpact))
	add("POST", "/identity/certificates/{serial}/revoke", access.IdentityRevoke, with(s.postRevoke))
	add("GET", "/identity/codes", access.Read, with(s.getCodes))
	add("POST", "/identity/codes", access.IdentityEdit, with(s.postCode))
	add("DELETE", "/identity/codes/{id}", access.IdentityEdit, with(s.deleteCode))
}

func (s *Server) getIdentity(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	a := s.dep.Identity.Authority
	site := a.Site()
	out := IdentityStatus{TrustDomain: site.TrustDomain, Authorities: []IdentityAuthority{}, Profiles: []IdentityProfile{}}
	out.EST, out.OCSP = s.dep.Identity.served()
	for _, c := range append([]*x509.Certificate{a.Root()}, a.Issuing()...) {
		out.Authorities = append(out.Authorities, s.authorityView(r.Context(), c, site))
	}
	for _, p := range identity.Specs() {
		out.Profiles = append(out.Profiles, IdentityProfile{Name: string(p.Profile), Client: p.Client, Server: p.Server, LifetimeHours: p.Lifetime.Hours(), LongLifeHours: p.LongLife.Hours(), What: p.Title})
	}
	n, err := a.Counts(r.Context())
	if err != nil {
		return identityProblem(err)
	}
	out.Counts = IdentityCounts{Good: n.Good, Due: n.Due, Expiring: n.Expiring, Expired: n.Expired, Revoked: n.Revoked, LongLife: n.LongLife}
	codes, err := a.Codes(r.Context())
	if err != nil {
		return identityProblem(err)
	}
	for _, c := range codes {
		if c.Used.IsZero() && s.now().Before(c.Expires) {
			out.Counts.Codes++
		}
	}
	return send(w, r, http.StatusOK, out)
}

func (s *Server) authorityView(ctx context.Context, c *x509.Certificate, site identity.Site) IdentityAuthority {
	id := identity.KeyID(c.SubjectKeyId)
	sum := sha256.Sum256(c.Raw)
	v := IdentityAuthority{ID: id, Subject: c.Subject.CommonName, NotBefore: momentText(c.NotBefore), NotAfter: momentText(c.NotAfter), Active: id == site.Active, Root: id == site.Root, SHA256: hex.EncodeToString(sum[:])}
	der, next, err := s.dep.Identity.Authority.CRL(ctx, id, false)
	if err != nil {
		return v // it has none yet, or its file is away: the answer shows no number
	}
	if l, err := x509.ParseRevocationList(der); err == nil && l.Number.IsUint64() {
		n := l.Number.Uint64()
		v.CRLNumber, v.CRLNext = &n, momentText(next)
	}
	return v
}

func (s *Server) getCertificates(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	f := identity.Filter{
		Device: p.text("device", 256), Profile: identity.Profile(p.choice("profile", profileNames()...)),
		Status: identity.Status(p.choice("status", string(identity.Good), string(identity.Revoked), string(identity.Expired), string(identity.Superseded))),
		After:  p.text("after", 256), Limit: p.number("limit", 1, 1000, 1000),
	}
	which := p.choice("due", "true")
	if err := p.end(); err != nil {
		return err
	}
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	out := IdentityCertificates{Certificates: []IdentityCertificate{}}
	for most := f.Limit; len(out.Certificates) < most; {
		f.Limit = most - len(out.Certificates)
		list, next, err := s.dep.Identity.Authority.List(r.Context(), f)
		if err != nil {
			return identityProblem(err)
		}
		for i := range list {
			if which == "" || list[i].Due(s.now()) {
				out.Certificates = append(out.Certificates, world.certificate(&list[i], s.now()))
			}
		}
		if out.After, f.After = next, next; next == "" {
			break
		}
	}
	return send(w, r, http.StatusOK, out)
}

func profileNames() []string {
	var out []string
	for _, p := range identity.Specs() {
		out = append(out, string(p.Profile))
	}
	return out
}

func (w *world) certificate(c *identity.Certificate, now time.Time) IdentityCertificate {
	v := IdentityCertificate{
		Serial: c.Serial, Device: c.Device, SPIFFE: c.SPIFFE, Profile: string(c.Profile), Subject: c.Subject, Issuer: c.Issuer,
		NotBefore: momentText(c.NotBefore), NotAfter: momentText(c.NotAfter), RenewFrom: momentText(c.RenewFrom), SHA256: c.SHA256, Status: string(c.Status),
		Revoked: momentText(c.Revoked), Reason: c.Reason, Note: c.Note, Via: c.Via, LongLife: c.LongLife, Due: c.Due(now),
	}
	if row, ok := w.row(c.Device); ok {
		v.DeviceName, v.Theatre = row.Name, row.Theatre
	}
	return v
}

func (s *Server) getCertificate(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	c, err := s.dep.Identity.Authority.Get(r.Context(), r.PathValue("serial"))
	if err != nil {
		return identityProblem(err)
	}
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	out := IdentityCertificateDetail{Certificate: world.certificate(&c, s.now()), PEM: c.PEM, History: []LedgerEntry{}}
	if s.dep.Ledger != nil {
		list, err := s.dep.Ledger.Find(r.Context(), ledger.Query{Digest: c.SHA256, Limit: 100})
		if err != nil {
			return ledgerProblem(err)
		}
		if out.History, err = s.entryViews(r.Context(), list); err != nil {
			return err
		}
	}
	return send(w, r, http.StatusOK, out)
}

// getImpact says what revoking a certificate would cut, as of now.
func (s *Server) getImpact(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	out, _, err := s.impact(r.Context(), r.PathValue("serial"))
	if err != nil {
		return err
	}
	return send(w, r, http.StatusOK, out)
}

func (s *Server) impact(ctx context.Context, serial string) (IdentityImpact, identity.Certificate, error) {
	c, err := s.dep.Identity.Authority.Get(ctx, serial)
	if err != nil {
		return IdentityImpact{}, c, identityProblem(err)
	}
	world, err := s.know.get(ctx)
	if err != nil {
		return IdentityImpact{}, c, err
	}
	out := IdentityImpact{Live: []IdentityLive{}}
	if s.dep.Identity.Live != nil {
		list, err := s.dep.Identity.Live(ctx, c.Serial)
		if err != nil {
			return out, c, err
		}
		for _, l := range list {
			out.Live = append(out.Live, IdentityLive{Consumer: l.Consumer, Peer: l.Peer, Since: momentText(l.Since), Policy: string(l.Policy)})
		}
	}
	name := cmp.Or(world.nameIfKnown(c.Device), c.Device, c.SPIFFE)
	if row, ok := world.row(c.Device); ok && row.Theatre != "" {
		out.Theatre = row.Theatre
		if t, ok := world.theatre(row.Theatre); ok {
			out.InCase = t.State == string(theatre.InCase)
		}
	}
	out.Sentence = impactSentence(name, len(out.Live), out.InCase)
	return out, c, nil
}

func impactSentence(name string, live int, inCase bool) string {
	var s string
	switch live {
	case 0:
		s = name + " has no connection open through Asepsis now; it cannot open one afterwards."
	case 1:
		s = "One connection of " + name + " is open now and ends as its policy says; it cannot open another."
	default:
		s = itoa(live) + " connections of " + name + " are open now and end as their policy says; it cannot open others."
	}
	if inCase {
		s += " A case is in progress in its theatre."
	}
	return s
}

func (s *Server) getBundle(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/x-pem-file")
	h.Set("Content-Disposition", `attachment; filename="authorities.pem"`)
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(s.dep.Identity.Authority.Bundle())
	return nil
}

// identityProblem turns a refusal of the authority into an answer.
func identityProblem(err error) error {
	var r *identity.Refusal
	if !errors.As(err, &r) {
		return err
	}
	switch r.Kind {
	case identity.NotFound, identity.BadCode:
		p := problem.NotFound(sentence(r.Text))
		p.Hint = r.Help
		return p
	case identity.Already, identity.NotAllowed, identity.UsedCode, identity.ExpiredCode:
		return problem.Conflict(sentence(r.Text), r.Help)
	case identity.Limited:
		return problem.TooMany(sentence(r.Text), time.Minute)
	case identity.Unavailable:
		return problem.Unavailable(sentence(r.Text), r.Help, time.Minute, err)
	}
	return problem.BadRequest(sentence(r.Text), r.Help)
}

// sentence makes one of an error's text.
func sentence(s string) string {
	s = upperFirst(s)
	if s == "" || s[len(s)-1] == '.' {
		return s
	}
	return s + "."
}
