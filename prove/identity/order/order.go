// SPDX-License-Identifier: Apache-2.0

// Package order signs what one of our services asks another to do, and what that one
// answers, so that both hold whoever carries them: a bus, a broker, a person with the
// bus's token.
//
// An [Order] says to whom it is, what is asked (a method and the SHA-256 of its
// arguments), for which person, and when. The service that gives it signs it with the key
// of its certificate and sends the chain along. A [Verifier] takes it when
//
//   - its signature is of the certificate's key, over exactly these bytes,
//   - the chain leads to the site's root, is valid now, and nothing in it is revoked; what
//     nobody can know (no CRL, one past its end) is refused,
//   - the certificate has the profile infrastructure, which no device gets, and names a
//     service that may give orders,
//   - it is to this receiver, at this site, and about this very request,
//   - it is new: within the bound on clocks, and not seen before, also over a restart.
//
// An [Answer] is bound to the very order that it answers, signature included, and to what
// was carried out. As each order has a nonce, an answer of yesterday is none to a question
// of today; and nobody in between can have the gateway answer something else in its place:
// an order with another signature, another method, other arguments.
//
// # Form
//
// What is signed is DSSE's pre-authentication encoding of a payload type and the payload's
// bytes, which travel as they were signed. A payload has one spelling: what does not come
// out the same when it is written again is refused. The algorithm is that of the
// certificate's key, and nothing in a message chooses it: ECDSA on P-256 with SHA-256, on
// P-384 with SHA-384, RSA-PSS with SHA-256. Those are the keys that the site's authority
// certifies.
//
// # What is not done
//
// Nothing here is secret: who listens on the bus reads orders and answers. Who has the
// key of a service may order in any person's name: that the person is there, and may, is
// what that service is trusted to have checked.
package order

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Payload types.
const (
	orderType  = "application/vnd.asepsis.order.v1+json"
	answerType = "application/vnd.asepsis.answer.v1+json"
)

// Limits of what is read.
const (
	maxPayload     = 4 << 10
	maxSignature   = 1 << 10
	maxCertificate = 8 << 10
	maxChain       = 4
)

// Order is what is asked, of whom, for whom, and when.
type Order struct {
	To     string    `json:"to"`             // who is to do it: a gateway's name
	Site   string    `json:"site"`           // of the bus
	Method string    `json:"method"`         // what
	Body   string    `json:"body"`           // SHA-256 of the arguments, hexadecimal
	User   string    `json:"user,omitempty"` // the account for whom it is asked
	At     time.Time `json:"at"`             // UTC
	Nonce  string    `json:"nonce"`          // 16 random bytes, hexadecimal
}

// Answer is what was made of an order.
type Answer struct {
	From   string `json:"from"` // who answers
	Site   string `json:"site"`
	Order  string `json:"order"`  // Signed.Envelope of the order as it came
	Method string `json:"method"` // of the request as it came
	Asked  string `json:"asked"`  // SHA-256 of its arguments, hexadecimal
	Body   string `json:"body"`   // SHA-256 of the answer, hexadecimal
}

// Signed is an order or an answer with its signature.
type Signed struct {
	Payload   []byte   `json:"payload"`
	Signature []byte   `json:"signature"`
	Chain     [][]byte `json:"chain"` // DER, leaf first, without the root
}

// Digest names an order: the SHA-256 of its payload, hexadecimal.
func (s *Signed) Digest() string { return digest(s.Payload) }

// Envelope names an order as it was sent: the SHA-256 of its parts, each behind its length.
func (s *Signed) Envelope() string {
	b := binary.AppendUvarint(nil, uint64(len(s.Payload)))
	b = append(b, s.Payload...)
	for _, part := range append([][]byte{s.Signature}, s.Chain...) {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	return digest(b)
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

const nonceSize = 16

func newNonce() string {
	b := make([]byte, nonceSize)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return hex.EncodeToString(b)
}

// encoding is DSSE's PAE: lengths stand before type and payload, so that no two pairs have
// the same bytes.
func encoding(typ string, payload []byte) []byte {
	return append(fmt.Appendf(make([]byte, 0, len(typ)+len(payload)+32), "DSSEv1 %d %s %d ", len(typ), typ, len(payload)), payload...)
}

// options of a signature by a key.
func options(public any) (crypto.SignerOpts, error) {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return crypto.SHA256, nil
		case elliptic.P384():
			return crypto.SHA384, nil
		}
	case *rsa.PublicKey:
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}, nil
	}
	return nil, fmt.Errorf("a key of type %T signs nothing here: want ECDSA on P-256 or P-384, or RSA", public)
}

func hashed(o crypto.SignerOpts, b []byte) []byte {
	h := o.HashFunc().New()
	h.Write(b)
	return h.Sum(nil)
}

// sign seals a payload with the key of a certificate.
func sign(own *tls.Certificate, typ string, v any) (*Signed, error) {
	if len(own.Certificate) == 0 {
		return nil, errors.New("there is no certificate to sign with")
	}
	key, ok := own.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, errors.New("the certificate's key cannot sign")
	}
	o, err := options(key.Public())
	if err != nil {
		return nil, err
	}
	payload, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if len(payload) > maxPayload {
		return nil, fmt.Errorf("it has %d bytes, more than %d", len(payload), maxPayload)
	}
	signature, err := key.Sign(rand.Reader, hashed(o, encoding(typ, payload)), o)
	if err != nil {
		return nil, err
	}
	return &Signed{Payload: payload, Signature: signature, Chain: slices.Clone(own.Certificate[:min(len(own.Certificate), maxChain)])}, nil
}

// open reads what was signed and checks that the leaf's key signed it. Whose certificate
// that is, it does not ask.
func open[T any](s *Signed, typ string) (out T, chain []*x509.Certificate, err error) {
	switch {
	case s == nil:
		return out, nil, refuse(Unsigned, "", "it is not signed")
	case len(s.Payload) > maxPayload || len(s.Signature) > maxSignature || len(s.Chain) > maxChain:
		return out, nil, refuse(Malformed, "", "its signature is larger than any")
	case len(s.Chain) == 0:
		return out, nil, refuse(Malformed, "", "its signature has no certificate")
	}
	for _, der := range s.Chain {
		if len(der) > maxCertificate {
			return out, nil, refuse(Malformed, "", "a certificate of its signature has %d bytes, more than %d", len(der), maxCertificate)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return out, nil, refuse(Malformed, "", "a certificate of its signature cannot be read: %w", err)
		}
		chain = append(chain, c)
	}
	if err := verify(chain[0].PublicKey, encoding(typ, s.Payload), s.Signature); err != nil {
		return out, nil, err
	}
	if err := json.Unmarshal(s.Payload, &out); err != nil {
		return out, nil, refuse(Malformed, sameVersion, "what is signed cannot be read")
	}
	if again, err := json.Marshal(out); err != nil || !bytes.Equal(again, s.Payload) {
		return out, nil, refuse(Malformed, sameVersion, "what is signed is not spelled as it has to be")
	}
	return out, chain, nil
}

const sameVersion = "run the same version of Asepsis everywhere"

func verify(public any, text, signature []byte) error {
	o, err := options(public)
	if err != nil {
		return refuse(Malformed, "enrol with a key on P-256: asepsis enroll", "%w", err)
	}
	good := false
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		good = ecdsa.VerifyASN1(k, hashed(o, text), signature)
	case *rsa.PublicKey:
		pss, _ := o.(*rsa.PSSOptions)
		good = rsa.VerifyPSS(k, crypto.SHA256, hashed(o, text), signature, pss) == nil
	}
	if !good {
		return refuse(Forged, "", "its signature is not of its certificate's key, or it was altered")
	}
	return nil
}
