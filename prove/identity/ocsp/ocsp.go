// SPDX-License-Identifier: Apache-2.0

// Package ocsp reads OCSP requests and writes OCSP responses (RFC 6960, nonces as
// in RFC 9654). golang.org/x/crypto/ocsp reads one certificate of a request and
// writes no nonce; clients that ask with one, openssl among them, would take
// an old answer for a new one or refuse it.
//
// Requests are at most MaxRequest bytes and MaxCertificates long. Signatures of
// requests are not checked: answers are public. Nothing here does I/O.
package ocsp

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // names issuers and responders (RFC 6960 §4.1.1, §4.2.1), proves nothing
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// Limits of a request.
const (
	MaxRequest      = 8 << 10
	MaxCertificates = 16
	MaxNonce        = 128 // RFC 9654 §2.1
)

// Bodies of answers that say only what went wrong (RFC 6960 §4.2.1); they are
// not signed.
var (
	malformed    = []byte{0x30, 3, 0x0a, 1, 1}
	internal     = []byte{0x30, 3, 0x0a, 1, 2}
	tryLater     = []byte{0x30, 3, 0x0a, 1, 3}
	unauthorized = []byte{0x30, 3, 0x0a, 1, 6}
)

// Malformed answers what is no request.
func Malformed() []byte { return bytes.Clone(malformed) }

// Internal answers when there is no answer.
func Internal() []byte { return bytes.Clone(internal) }

// TryLater answers when there is no answer now.
func TryLater() []byte { return bytes.Clone(tryLater) }

// Unauthorized answers for certificates of others (RFC 5019 §2.2.3).
func Unauthorized() []byte { return bytes.Clone(unauthorized) }

// CertID names a certificate by its issuer and its serial number.
type CertID struct {
	Hash       crypto.Hash
	NameHash   []byte
	KeyHash    []byte
	Serial     *big.Int
	asReceived certID
}

// Request is what a client asks.
type Request struct {
	Certificates []CertID
	Nonce        []byte // nil: none
}

type certID struct {
	Algorithm pkix.AlgorithmIdentifier
	NameHash  []byte
	KeyHash   []byte
	Serial    *big.Int
}

type ocspRequest struct {
	TBS       tbsRequest
	Signature asn1.RawValue `asn1:"explicit,tag:0,optional"`
}

type tbsRequest struct {
	Version    int           `asn1:"explicit,tag:0,default:0,optional"`
	Requestor  asn1.RawValue `asn1:"explicit,tag:1,optional"`
	List       []single
	Extensions []pkix.Extension `asn1:"explicit,tag:2,optional"`
}

type single struct {
	Cert       certID
	Extensions []pkix.Extension `asn1:"explicit,tag:0,optional"`
}

var (
	oidNonce = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}
	oidBasic = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}
)

// hashes are those that name issuers.
var hashes = []struct {
	oid  asn1.ObjectIdentifier
	hash crypto.Hash
}{
	{asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}, crypto.SHA1}, // what openssl asks with; no signature rests on it
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, crypto.SHA256},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}, crypto.SHA384},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}, crypto.SHA512},
}

func sum(h crypto.Hash, b []byte) []byte {
	switch h {
	case crypto.SHA1:
		s := sha1.Sum(b)
		return s[:]
	case crypto.SHA384:
		s := sha512.Sum384(b)
		return s[:]
	case crypto.SHA512:
		s := sha512.Sum512(b)
		return s[:]
	}
	s := sha256.Sum256(b)
	return s[:]
}

// ParseRequest reads a request, DER.
func ParseRequest(der []byte) (*Request, error) {
	if len(der) > MaxRequest {
		return nil, fmt.Errorf("OCSP request: %d bytes, at most %d", len(der), MaxRequest)
	}
	var q ocspRequest
	if rest, err := asn1.Unmarshal(der, &q); err != nil {
		return nil, fmt.Errorf("OCSP request: %w", err)
	} else if len(rest) > 0 {
		return nil, fmt.Errorf("OCSP request: %d bytes behind it", len(rest))
	}
	if n := len(q.TBS.List); n == 0 || n > MaxCertificates {
		return nil, fmt.Errorf("OCSP request: %d certificates, want 1 to %d", n, MaxCertificates)
	}
	r := &Request{}
	for _, s := range q.TBS.List {
		id := CertID{NameHash: s.Cert.NameHash, KeyHash: s.Cert.KeyHash, Serial: s.Cert.Serial, asReceived: s.Cert}
		for _, h := range hashes {
			if h.oid.Equal(s.Cert.Algorithm.Algorithm) {
				id.Hash = h.hash
			}
		}
		if id.Hash == 0 || len(id.NameHash) != id.Hash.Size() || len(id.KeyHash) != id.Hash.Size() {
			return nil, fmt.Errorf("OCSP request: hash %s of %d and %d bytes", s.Cert.Algorithm.Algorithm, len(id.NameHash), len(id.KeyHash))
		}
		if id.Serial == nil || id.Serial.BitLen() > 159 {
			return nil, errors.New("OCSP request: no serial number")
		}
		r.Certificates = append(r.Certificates, id)
	}
	for _, e := range q.TBS.Extensions {
		if e.Id.Equal(oidNonce) {
			// RFC 9654: an OCTET STRING inside the extension's; old clients leave it out.
			if rest, err := asn1.Unmarshal(e.Value, &r.Nonce); err != nil || len(rest) > 0 {
				r.Nonce = e.Value
			}
			if len(r.Nonce) == 0 || len(r.Nonce) > MaxNonce {
				return nil, fmt.Errorf("OCSP request: a nonce of %d bytes, want 1 to %d", len(r.Nonce), MaxNonce)
			}
		} else if e.Critical {
			return nil, fmt.Errorf("OCSP request: extension %s is critical and not known", e.Id)
		}
	}
	return r, nil
}

// Of reports whether the certificate's issuer is ca.
func (id *CertID) Of(ca *x509.Certificate) bool {
	key, err := keyBits(ca)
	return err == nil && bytes.Equal(id.NameHash, sum(id.Hash, ca.RawSubject)) && bytes.Equal(id.KeyHash, sum(id.Hash, key))
}

// keyBits is the subjectPublicKey's bit string without its tag (RFC 6960
// §4.1.1).
func keyBits(c *x509.Certificate) ([]byte, error) {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &info); err != nil {
		return nil, err
	}
	return info.Key.RightAlign(), nil
}

// NewID names a certificate as a client asks for it.
func NewID(h crypto.Hash, ca *x509.Certificate, serial *big.Int) (CertID, error) {
	key, err := keyBits(ca)
	if err != nil {
		return CertID{}, fmt.Errorf("OCSP: issuer's key: %w", err)
	}
	id := CertID{Hash: h, NameHash: sum(h, ca.RawSubject), KeyHash: sum(h, key), Serial: serial}
	for _, x := range hashes {
		if x.hash == h {
			id.asReceived = certID{pkix.AlgorithmIdentifier{Algorithm: x.oid, Parameters: asn1.NullRawValue}, id.NameHash, id.KeyHash, serial}
			return id, nil
		}
	}
	return CertID{}, fmt.Errorf("OCSP: hash %s", h)
}

// Status is how a certificate stands.
type Status uint8

// The states, as RFC 6960 §2.2 has them.
const (
	Good Status = iota
	Revoked
	Unknown
)

// Answer is what is said about one certificate.
type Answer struct {
	ID        CertID
	Status    Status
	RevokedAt time.Time
	Reason    int // RFC 5280 §5.3.1; 0 is left out
	This      time.Time
	Next      time.Time
}

type responseData struct {
	Version    int           `asn1:"optional,default:0,explicit,tag:0"`
	Responder  asn1.RawValue // byKey
	Produced   time.Time     `asn1:"generalized"`
	Responses  []singleResponse
	Extensions []pkix.Extension `asn1:"explicit,tag:1,optional"`
}

type singleResponse struct {
	ID      certID
	Good    asn1.Flag   `asn1:"tag:0,optional"`
	Revoked revokedInfo `asn1:"tag:1,optional"`
	Unknown asn1.Flag   `asn1:"tag:2,optional"`
	This    time.Time   `asn1:"generalized"`
	Next    time.Time   `asn1:"generalized,explicit,tag:0,optional"`
}

type revokedInfo struct {
	At     time.Time       `asn1:"generalized"`
	Reason asn1.Enumerated `asn1:"explicit,tag:0,optional"`
}

type basicResponse struct {
	Data         asn1.RawValue
	Algorithm    pkix.AlgorithmIdentifier
	Signature    asn1.BitString
	Certificates []asn1.RawValue `asn1:"explicit,tag:0,optional"`
}

type response struct {
	Status asn1.Enumerated
	Bytes  struct {
		Type asn1.ObjectIdentifier
		Body []byte
	} `asn1:"explicit,tag:0"`
}

var (
	ecdsaSHA256 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	ecdsaSHA384 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}
)

// Sign makes a response with the responder's key, and puts its certificate into it.
func Sign(answers []Answer, nonce []byte, produced time.Time, responder *x509.Certificate, key crypto.Signer) ([]byte, error) {
	pub, ok := key.Public().(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("OCSP response: a key of type %T", key.Public())
	}
	bits, err := keyBits(responder)
	if err != nil {
		return nil, fmt.Errorf("OCSP response: %w", err)
	}
	byKey, err := asn1.Marshal(sum(crypto.SHA1, bits))
	if err != nil {
		return nil, fmt.Errorf("OCSP response: %w", err)
	}
	d := responseData{
		Responder: asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 2, IsCompound: true, Bytes: byKey},
		Produced:  produced.UTC().Truncate(time.Second),
	}
	for _, a := range answers {
		s := singleResponse{ID: a.ID.asReceived, This: a.This.UTC().Truncate(time.Second), Next: a.Next.UTC().Truncate(time.Second)}
		switch a.Status {
		case Good:
			s.Good = true
		case Revoked:
			s.Revoked = revokedInfo{a.RevokedAt.UTC().Truncate(time.Second), asn1.Enumerated(a.Reason)}
		default:
			s.Unknown = true
		}
		d.Responses = append(d.Responses, s)
	}
	if nonce != nil {
		v, err := asn1.Marshal(nonce)
		if err != nil {
			return nil, fmt.Errorf("OCSP response: %w", err)
		}
		d.Extensions = []pkix.Extension{{Id: oidNonce, Value: v}}
	}
	tbs, err := asn1.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("OCSP response: %w", err)
	}
	hash, algorithm := crypto.SHA256, ecdsaSHA256
	if pub.Curve.Params().BitSize > 256 {
		hash, algorithm = crypto.SHA384, ecdsaSHA384
	}
	signature, err := key.Sign(rand.Reader, sum(hash, tbs), hash)
	if err != nil {
		return nil, fmt.Errorf("OCSP response: %w", err)
	}
	basic, err := asn1.Marshal(basicResponse{
		Data: asn1.RawValue{FullBytes: tbs}, Algorithm: pkix.AlgorithmIdentifier{Algorithm: algorithm},
		Signature: asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}, Certificates: []asn1.RawValue{{FullBytes: responder.Raw}},
	})
	if err != nil {
		return nil, fmt.Errorf("OCSP response: %w", err)
	}
	var r response
	r.Bytes.Type, r.Bytes.Body = oidBasic, basic
	return asn1.Marshal(r)
}

// NewRequest asks for one certificate without a nonce, as for stapling.
func NewRequest(ca *x509.Certificate, serial *big.Int) ([]byte, error) {
	id, err := NewID(crypto.SHA1, ca, serial)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(struct {
		TBS struct{ List []struct{ Cert certID } }
	}{struct{ List []struct{ Cert certID } }{[]struct{ Cert certID }{{id.asReceived}}}})
}
