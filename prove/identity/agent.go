// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"time"

	"github.com/asepsis/asepsis/prove/identity/lint"
)

// agentLifetime is how long the certificates of what acts for the authority are
// valid: OCSP responders and SCEP agents. Their keys are never written down: each
// process makes its own, and a new one when half of the time is over. They
// cannot be revoked (id-pkix-ocsp-nocheck), so they are short.
const agentLifetime = 3 * 24 * time.Hour

// cmcRA is id-kp-cmcRA (RFC 6402 §2.10): who takes requests for an authority.
var cmcRA = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 28}

// agent is a certificate of what acts for an authority, with its key.
type agent struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// fresh reports whether it may be used for a while yet.
func (g *agent) fresh(now time.Time) bool {
	return g != nil && now.After(g.cert.NotBefore) && g.cert.NotAfter.Sub(now) > agentLifetime/2
}

// newAgent makes a certificate for one purpose, with a new key.
func (a *Authority) newAgent(i *issuer, name string, key crypto.Signer, usage x509.KeyUsage, known []x509.ExtKeyUsage, more []asn1.ObjectIdentifier, extra ...pkix.Extension) (*agent, error) {
	if i.key == nil {
		return nil, refuse(Unavailable, "", "the key of the issuer %s is not here", i.id)
	}
	now := a.deps.Now().UTC()
	end := now.Add(agentLifetime).Truncate(time.Second)
	if end.After(i.cert.NotAfter) {
		end = i.cert.NotAfter
	}
	site := a.Site()
	t := &x509.Certificate{
		SerialNumber: newSerial(), Subject: site.subject(name + " " + i.id[:8]), NotBefore: now.Add(-backdate).Truncate(time.Second), NotAfter: end,
		KeyUsage: usage, ExtKeyUsage: known, UnknownExtKeyUsage: more, BasicConstraintsValid: true, ExtraExtensions: extra,
	}
	var usages []string
	for _, u := range known {
		usages = append(usages, u.OID().String())
	}
	for _, u := range more {
		usages = append(usages, u.String())
	}
	cert, err := sign(t, i.cert, key.Public(), i.key, lint.Rules{Kind: lint.Leaf, Responder: true, KeyUsage: usage, Usages: usages, MaxLifetime: agentLifetime + backdate, Now: now})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &agent{cert, key}, nil
}

// newResponder makes an OCSP responder (RFC 6960 §4.2.2.2).
func (a *Authority) newResponder(i *issuer) (*agent, error) {
	curve := elliptic.P256()
	if k, ok := i.cert.PublicKey.(*ecdsa.PublicKey); ok && k.Curve == elliptic.P384() {
		curve = elliptic.P384()
	}
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("OCSP responder: %w", err)
	}
	return a.newAgent(i, "OCSP responder", key, x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}, nil, pkix.Extension{Id: oidNoCheck, Value: []byte{5, 0}})
}

// SCEPAgent makes the certificate to which SCEP clients encrypt: RSA, because
// they know nothing else, and the authority's keys are not.
func (a *Authority) SCEPAgent() (*x509.Certificate, *rsa.PrivateKey, error) {
	i, _, err := a.active()
	if err != nil {
		return nil, nil, err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, nil, fmt.Errorf("SCEP agent: %w", err)
	}
	g, err := a.newAgent(i, "SCEP agent", key, x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment, nil, []asn1.ObjectIdentifier{cmcRA})
	if err != nil {
		return nil, nil, err
	}
	return g.cert, key, nil
}
