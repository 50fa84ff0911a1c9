// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	xocsp "golang.org/x/crypto/ocsp"

	"github.com/asepsis/asepsis/prove/identity"
)

// Why says why a peer was refused.
type Why string

// The reasons of a Denied.
const (
	NoCertificate Why = "no-certificate"
	Untrusted     Why = "untrusted"     // of no authority of this site, or not well formed
	NotYetValid   Why = "not-yet-valid" // its clock or ours
	Ended         Why = "expired"
	Unnamed       Why = "no-identity"   // no SPIFFE ID of the trust domain
	WrongProfile  Why = "wrong-profile" // may not be there, or not this end of TLS
	WrongName     Why = "wrong-name"    // a server with another name, or another device
	IsRevoked     Why = "revoked"
	NoCRL         Why = "no-crl"    // nobody can know whether it is revoked
	StaleCRL      Why = "stale-crl" // the same: what is known is too old
	Refused       Why = "refused"   // by the one who made the server
)

// Denied is a refusal of a peer.
type Denied struct {
	Why  Why
	Peer Peer // as far as it is known
	Text string
	Err  error
}

func (d *Denied) Error() string {
	if d.Peer.Serial == "" {
		return "peer refused: " + d.Text
	}
	return fmt.Sprintf("peer refused: %s (certificate %s): %s", d.Peer.Name(), d.Peer.Serial, d.Text)
}

func (d *Denied) Unwrap() error { return d.Err }

// Hint says what to do.
func (d *Denied) Hint() string {
	switch d.Why {
	case NotYetValid:
		return "compare the clocks of both machines"
	case Ended:
		return "the device renews with asepsis enroll; when it has ended, it needs a new enrolment code"
	case IsRevoked:
		return "asepsis ca list --device shows why; a new enrolment code lets the device in again"
	case NoCRL, StaleCRL:
		return "is the authority running, and can its CRL be fetched from here?"
	}
	return ""
}

// Peer is who is at the other end.
type Peer struct {
	Device  string // device ID, or
	Service string // the name of a service
	Profile identity.Profile
	Serial  string
	Issuer  string // key ID
	SHA256  string // of the certificate's DER, hexadecimal
	Expires time.Time
	Cert    *x509.Certificate
}

// Name is the device or the service.
func (p Peer) Name() string {
	switch {
	case p.Device != "":
		return p.Device
	case p.Service != "":
		return p.Service
	case p.Cert != nil:
		return p.Cert.Subject.CommonName
	}
	return "unknown"
}

// demand is what one end asks of the other.
type demand struct {
	profiles []identity.Profile
	usage    x509.ExtKeyUsage // of the peer
	name     string           // DNS name or address of a server; "" with device
	device   string           // its device ID or service name instead
	allow    func(Peer) error
	verified *anchors // those that crypto/tls verified against; nil: it did not
}

// verify decides over a peer. chains are what crypto/tls verified against the
// anchors in force, where it did. The same is asked of resumed handshakes.
func (t *Trust) verify(cs *tls.ConnectionState, d *demand) (Peer, error) {
	a, now := t.state.Load(), t.now()
	if len(cs.PeerCertificates) == 0 {
		return Peer{}, &Denied{Why: NoCertificate, Text: "it has no certificate"}
	}
	leaf := cs.PeerCertificates[0]
	sum := sha256.Sum256(leaf.Raw)
	p := Peer{Serial: identity.SerialString(leaf.SerialNumber), Issuer: identity.KeyID(leaf.AuthorityKeyId), Profile: identity.ProfileOf(leaf), SHA256: hex.EncodeToString(sum[:]), Expires: leaf.NotAfter, Cert: leaf}
	deny := func(w Why, err error, format string, args ...any) (Peer, error) {
		return p, &Denied{Why: w, Peer: p, Text: fmt.Sprintf(format, args...), Err: err}
	}
	if now.Before(leaf.NotBefore) {
		return deny(NotYetValid, nil, "it is valid only in %s, from %s", leaf.NotBefore.Sub(now).Round(time.Second), leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	if now.After(leaf.NotAfter) {
		return deny(Ended, nil, "it ended %s ago, on %s", now.Sub(leaf.NotAfter).Round(time.Second), leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	chain, err := t.chain(a, cs, d, now)
	if err != nil {
		return deny(Untrusted, err, "%v", err)
	}
	var ok bool
	if p.Device, p.Service, ok = identity.Who(leaf, t.cfg.TrustDomain); !ok {
		return deny(Unnamed, nil, "it names no device or service of %s", t.cfg.TrustDomain)
	}
	if p.Profile == "" || !slices.Contains(d.profiles, p.Profile) {
		return deny(WrongProfile, nil, "its profile is %q, want one of %v", p.Profile, d.profiles)
	}
	if d.name != "" {
		if err := leaf.VerifyHostname(d.name); err != nil {
			return deny(WrongName, err, "%v", err)
		}
	}
	if d.device != "" && d.device != p.Device && d.device != p.Service {
		return deny(WrongName, nil, "it is of %s, want %s", p.Name(), d.device)
	}
	if err := t.revocation(chain); err != nil {
		var r *revokedError
		switch {
		case errors.As(err, &r):
			return deny(IsRevoked, nil, "%v", err)
		case errors.Is(err, errStaleCRL):
			return deny(StaleCRL, err, "%v", err)
		}
		return deny(NoCRL, err, "%v", err)
	}
	if err := stapled(cs, chain); err != nil {
		return deny(IsRevoked, nil, "%v", err)
	}
	if d.allow != nil {
		if err := d.allow(p); err != nil {
			return deny(Refused, err, "%v", err)
		}
	}
	return p, nil
}

// Check decides over a certificate that came another way than by TLS: in 802.1X, or
// under a signed record. chain is the leaf and what came with it. It asks what a
// handshake would, of a client.
func (t *Trust) Check(chain []*x509.Certificate, profiles ...identity.Profile) (Peer, error) {
	return t.verify(&tls.ConnectionState{PeerCertificates: chain}, &demand{profiles: profiles, usage: x509.ExtKeyUsageClientAuth})
}

// chain finds the way to the root, leaf first. What crypto/tls has verified counts
// only against the anchors that are in force.
func (t *Trust) chain(a *anchors, cs *tls.ConnectionState, d *demand, now time.Time) ([]*x509.Certificate, error) {
	if d.verified == a && len(cs.VerifiedChains) > 0 {
		// crypto/tls has verified it against these very anchors: just now, or when
		// the session began, which is bound to them. Only the time has gone on.
		for _, c := range cs.VerifiedChains[0] {
			if now.Before(c.NotBefore) || now.After(c.NotAfter) {
				return nil, fmt.Errorf("%s is valid from %s to %s", c.Subject.CommonName, c.NotBefore.UTC().Format(time.RFC3339), c.NotAfter.UTC().Format(time.RFC3339))
			}
		}
		t.index.know(cs.VerifiedChains[0][1:]...)
		return cs.VerifiedChains[0], nil
	}
	middle := a.middle
	if len(cs.PeerCertificates) > 1 {
		middle = middle.Clone()
		for _, c := range cs.PeerCertificates[1:] {
			middle.AddCert(c)
		}
	}
	chains, err := cs.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: a.roots, Intermediates: middle, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{d.usage}})
	if err != nil {
		return nil, err
	}
	t.index.know(chains[0][1:]...)
	return chains[0], nil
}

// revokedError says which certificate of a chain is revoked.
type revokedError struct {
	cert *x509.Certificate
	leaf bool
	entry
}

func (r *revokedError) Error() string {
	what := "it"
	if !r.leaf {
		what = "its issuer " + r.cert.Subject.CommonName
	}
	return fmt.Sprintf("%s was revoked on %s (%s)", what, r.at.UTC().Format(time.RFC3339), r.reason)
}

// revocation checks each certificate of a chain below the root. Where there is no
// CRL of an issuer, or only one past its end, they are fetched once: a new issuing
// authority is met like that.
func (t *Trust) revocation(chain []*x509.Certificate) error {
	for i, c := range chain[:len(chain)-1] {
		serial := identity.SerialString(c.SerialNumber)
		e, yes, err := t.index.check(chain[i+1], serial)
		if err != nil && t.mayFetch() {
			ctx, cancel := context.WithTimeout(context.Background(), inHandshake)
			_ = t.Fetch(ctx) // what it could not get shows in the next line
			cancel()
			e, yes, err = t.index.check(chain[i+1], serial)
		}
		if err != nil {
			return err
		}
		if yes {
			return &revokedError{c, i == 0, e}
		}
	}
	return nil
}

// Fetching for a handshake is bounded: peers must not make us flood the authority.
const (
	inHandshake = 3 * time.Second
	fetchPause  = 2 * time.Second
)

func (t *Trust) mayFetch() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := t.now(); now.Sub(t.forced) > fetchPause || now.Before(t.forced) {
		t.forced = now
		return true
	}
	return false
}

// stapled looks at the OCSP answer that a server sent with its certificate. One
// that says "revoked" is believed. Any other changes nothing: the CRL decides.
func stapled(cs *tls.ConnectionState, chain []*x509.Certificate) error {
	if len(cs.OCSPResponse) == 0 || len(chain) < 2 {
		return nil
	}
	r, err := xocsp.ParseResponseForCert(cs.OCSPResponse, chain[0], chain[1])
	if err == nil && r.Status == xocsp.Revoked {
		return &revokedError{chain[0], true, entry{at: r.RevokedAt, reason: identity.ReasonOf(r.RevocationReason)}}
	}
	return nil
}
