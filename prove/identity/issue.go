// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/prove/identity/lint"
)

// Request asks for a certificate. What it says is decided by who asks in the
// site's name, never by the CSR: of that, only the key counts.
type Request struct {
	Profile Profile
	// Device is the device's ID. Service instead names one of our own processes,
	// with the profiles api-server, radius-server, api-client and infrastructure.
	Device, Service string
	Public          crypto.PublicKey // of a CSR that ParseCSR accepted
	DNS             []string
	Addresses       []netip.Addr
	MUD             string
	// Lifetime is shorter than the profile's where it is not 0.
	Lifetime time.Duration
	// LongLife is for a device that cannot renew; LongLifeReason says why, and
	// is kept.
	LongLife       bool
	LongLifeReason string
	Via            string // as Certificate.Via
	By             Actor
	// Renews is the serial number that this one follows; it becomes superseded.
	Renews string

	used string // the code that it costs, for the ledger
}

// Actor is who asked: a person's account, or a device by its certificate.
type Actor struct {
	User        string
	Device      string
	Certificate string // SHA-256 of the DER, hexadecimal
}

// Issued is a new certificate with its chain.
type Issued struct {
	Certificate
	Leaf  *x509.Certificate
	Chain []*x509.Certificate // the issuing authority's, without the root
}

// PEMChain is the leaf and its chain as servers load them.
func (i *Issued) PEMChain() []byte {
	return EncodePEM(append([]*x509.Certificate{i.Leaf}, i.Chain...)...)
}

// Issue makes a certificate. When it returns without an error, the certificate
// and the statement about it are in the store, durably, and the statement is in
// the ledger or will be.
//
// Errors are *Refusal where the request is at fault.
func (a *Authority) Issue(ctx context.Context, r Request) (*Issued, error) {
	for range casTries {
		out, err := a.issueFor(ctx, r, nil)
		if !errors.Is(err, store.ErrConflict) { // another one for the same device at the same time
			return out, err
		}
	}
	return nil, fmt.Errorf("issue: %w", store.ErrConflict)
}

// issueFor is Issue, with more that is written in the same go: the code that it
// costs.
func (a *Authority) issueFor(ctx context.Context, r Request, more func(serial string) ([]store.Write, error)) (*Issued, error) {
	spec, err := SpecOf(r.Profile)
	if err != nil {
		return nil, err
	}
	if err := r.check(spec); err != nil {
		return nil, err
	}
	ca, site, err := a.active()
	if err != nil {
		return nil, err
	}
	if ca.key == nil {
		return nil, refuse(Unavailable, "", "the key of the issuing authority is not here")
	}
	t, rules, err := a.template(&r, spec, ca, &site)
	if err != nil {
		return nil, err
	}
	leaf, err := sign(t, ca.cert, r.Public, ca.key, rules)
	if err != nil {
		return nil, err
	}
	c := a.describe(leaf, &r, &site)
	done := "issued"
	if r.Renews != "" {
		done = "renewed"
	}
	writes, err := a.inventoryWrites(ctx, &c)
	if err != nil {
		return nil, err
	}
	st, err := a.statement(done, &c, r.By, r.LongLifeReason, 0)
	if err != nil {
		return nil, err
	}
	writes = append(writes, st.write)
	if more != nil {
		w, err := more(c.Serial)
		if err != nil {
			return nil, err
		}
		writes = append(writes, w...)
	}
	statements := []outgoing{st}
	if r.used != "" {
		used, err := a.codeStatement("code-used", r.used, &c, r.By)
		if err != nil {
			return nil, err
		}
		statements = append(statements, used)
		writes = append(writes, used.write)
	}
	if err := a.deps.Documents.Commit(ctx, writes, a.audit("identity.issue", &c, r.By)); err != nil {
		return nil, fmt.Errorf("keep the certificate: %w", err)
	}
	a.counts.wrote(writes)
	a.record(ctx, statements...)
	a.emit(done, &c)
	return &Issued{Certificate: c, Leaf: leaf, Chain: []*x509.Certificate{ca.cert}}, nil
}

func (r *Request) check(spec Spec) error {
	switch {
	case (r.Device == "") == (r.Service == ""):
		return refuse(BadRequest, "", "a certificate is for a device or for a service, one of them")
	case r.Device != "":
		if err := checkID("device", r.Device); err != nil {
			return err
		}
	default:
		if err := checkID("service", r.Service); err != nil {
			return err
		}
		if !slices.Contains([]Profile{APIServer, APIClient, RADIUSServer, Infrastructure}, r.Profile) {
			return refuse(BadProfile, "", "the profile %s is for devices, %q is a service", r.Profile, r.Service)
		}
	}
	if err := CheckPublic(r.Public); err != nil {
		return err
	}
	if r.LongLife {
		if spec.LongLife == 0 {
			return refuse(BadProfile, "", "the profile %s has no long life: such devices renew", r.Profile)
		}
		if strings.TrimSpace(r.LongLifeReason) == "" {
			return refuse(BadRequest, "say why the device cannot renew", "a long life needs a reason")
		}
	}
	if len(r.DNS)+len(r.Addresses) > 0 && !spec.Server {
		return refuse(BadRequest, "", "the profile %s is for clients, which have no DNS names or addresses", r.Profile)
	}
	return nil
}

// template is the certificate as it will be, and what it is linted against.
func (a *Authority) template(r *Request, spec Spec, ca *issuer, site *Site) (*x509.Certificate, lint.Rules, error) {
	now := a.deps.Now().UTC().Truncate(time.Second)
	life, most := spec.Lifetime, spec.Lifetime
	if r.LongLife {
		life, most = spec.LongLife, spec.LongLife
	}
	if r.Lifetime > 0 {
		if r.Lifetime > most {
			return nil, lint.Rules{}, refuse(BadRequest, "asepsis ca issue --long-life is for devices that cannot renew", "%s is longer than the profile %s allows: %s", r.Lifetime, r.Profile, most)
		}
		life = r.Lifetime
	}
	end := now.Add(life)
	if end.After(ca.cert.NotAfter) {
		end = ca.cert.NotAfter
		a.log.Warn("a certificate ends early because its issuing authority does", "at", end, "hint", "asepsis ca rotate")
	}
	id := r.Device
	uri := SPIFFEID(site.TrustDomain, id)
	if r.Service != "" {
		id = r.Service
		uri = serviceID(site.TrustDomain, id)
	}
	u, err := url.Parse(uri)
	if err != nil {
		return nil, lint.Rules{}, refuse(BadRequest, "", "%q is no SPIFFE ID: %w", uri, err)
	}
	policy, err := x509.ParseOID(spec.Policy)
	if err != nil {
		return nil, lint.Rules{}, fmt.Errorf("policy of %s: %w", spec.Profile, err)
	}
	t := &x509.Certificate{
		SerialNumber: newSerial(),
		Subject:      pkix.Name{Organization: []string{site.Organisation}, OrganizationalUnit: []string{spec.Title}, CommonName: id},
		// A clock that is behind must not refuse what is new; beyond the lifetime's
		// share nothing is backdated.
		NotBefore: now.Add(-min(backdate, life/4)).Truncate(time.Second), NotAfter: end,
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		URIs: []*url.URL{u}, DNSNames: r.DNS, Policies: []x509.OID{policy},
		OCSPServer:            []string{site.Base + "/ocsp"},
		IssuingCertificateURL: []string{site.Base + "/ca/" + ca.id + ".crt"},
		CRLDistributionPoints: []string{site.Base + "/crl/" + ca.id + ".crl"},
	}
	t.ExtKeyUsage, t.UnknownExtKeyUsage = spec.usages()
	if _, ok := r.Public.(*rsa.PublicKey); ok {
		t.KeyUsage |= x509.KeyUsageKeyEncipherment // TLS 1.2 of devices that know nothing else
	}
	for _, ip := range r.Addresses {
		t.IPAddresses = append(t.IPAddresses, ip.Unmap().AsSlice())
	}
	fresh, err := freshestExtension(site.Base + "/crl/" + ca.id + ".delta.crl")
	if err != nil {
		return nil, lint.Rules{}, err
	}
	t.ExtraExtensions = []pkix.Extension{fresh}
	if r.MUD != "" {
		mud, err := mudExtension(r.MUD)
		if err != nil {
			return nil, lint.Rules{}, err
		}
		t.ExtraExtensions = append(t.ExtraExtensions, mud)
	}
	return t, lint.Rules{
		Kind: lint.Leaf, TrustDomain: site.TrustDomain, Policy: spec.Policy, Usages: spec.usageOIDs(), KeyUsage: t.KeyUsage,
		MaxLifetime: most + backdate, Now: now,
		// Both ends of DICOM are known by their certificate, not by a name.
		Named: spec.Server && !spec.Client,
	}, nil
}

// describe is what the inventory keeps of a new certificate.
func (a *Authority) describe(leaf *x509.Certificate, r *Request, site *Site) Certificate {
	sum := sha256.Sum256(leaf.Raw)
	c := Certificate{
		Serial: SerialString(leaf.SerialNumber), Device: r.Device, SPIFFE: leaf.URIs[0].String(), Profile: r.Profile,
		Subject: leaf.Subject.String(), Issuer: KeyID(leaf.AuthorityKeyId), NotBefore: leaf.NotBefore.UTC(), NotAfter: leaf.NotAfter.UTC(),
		SHA256: hex.EncodeToString(sum[:]), Status: Good, Via: r.Via, LongLife: r.LongLife, PEM: string(EncodePEM(leaf)),
		Note: r.LongLifeReason,
	}
	c.RenewFrom = renewFrom(c.NotBefore, c.NotAfter, leaf.SerialNumber.Bytes())
	return c
}
