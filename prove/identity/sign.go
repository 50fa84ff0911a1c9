// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/asepsis/asepsis/prove/identity/lint"
)

// rehearse makes a certificate with a throw-away key in place of the authority's,
// and lints it. parent nil: self-signed.
func rehearse(t, parent *x509.Certificate, pub, authority crypto.PublicKey, rules lint.Rules) (*x509.Certificate, error) {
	if len(t.SubjectKeyId) == 0 {
		var err error
		if t.SubjectKeyId, err = keyID(pub); err != nil {
			return nil, err
		}
	}
	issuer := parent
	if issuer == nil {
		issuer = t
	}
	rules.Issuer = parent
	trial, err := trialKey(authority)
	if err != nil {
		return nil, err
	}
	stand := *issuer // the issuer with the throw-away key: crypto/x509 compares them
	stand.PublicKey = trial.Public()
	der, err := x509.CreateCertificate(rand.Reader, t, &stand, pub, trial)
	if err != nil {
		return nil, refuse(BadRequest, "", "make the certificate: %w", err)
	}
	linted, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, refuse(BadRequest, "", "make the certificate: %w", err)
	}
	if err := lint.Check(linted, rules); err != nil {
		return nil, refuse(BadRequest, "", "%w", err)
	}
	return linted, nil
}

// sign makes a certificate. It is rehearsed and linted first; only when nothing was
// found, and the very same bytes are to be signed, the authority's key is used.
func sign(t, parent *x509.Certificate, pub crypto.PublicKey, key crypto.Signer, rules lint.Rules) (*x509.Certificate, error) {
	linted, err := rehearse(t, parent, pub, key.Public(), rules)
	if err != nil {
		return nil, err
	}
	issuer := parent
	if issuer == nil {
		issuer = t
	}
	der, err := x509.CreateCertificate(rand.Reader, t, issuer, pub, key)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	if !bytes.Equal(cert.RawTBSCertificate, linted.RawTBSCertificate) {
		return nil, errors.New("sign: the certificate is not the one that was linted")
	}
	return cert, nil
}

// trialKey makes a key that signs with the same algorithm.
func trialKey(pub crypto.PublicKey) (crypto.Signer, error) {
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.GenerateKey(k.Curve, rand.Reader)
	case *rsa.PublicKey: // an authority in hardware that has no elliptic curves
		return rsa.GenerateKey(rand.Reader, k.N.BitLen())
	}
	return nil, fmt.Errorf("an authority's key of type %T", pub)
}
