// SPDX-License-Identifier: Apache-2.0

package order

import (
	"crypto/tls"
	"time"
)

// Own gives the certificate that a service signs with, as it is in force now: it is
// renewed while the service runs.
type Own interface {
	Certificate() (*tls.Certificate, error)
}

// Signer signs orders and answers with the process's own certificate. Its methods may be
// called concurrently.
type Signer struct {
	own Own
	now func() time.Time
}

// NewSigner makes one.
func NewSigner(own Own, now func() time.Time) *Signer {
	if now == nil {
		now = time.Now
	}
	return &Signer{own, now}
}

// Ready says why nothing can be signed now, nil when it can.
func (s *Signer) Ready() error {
	if _, err := s.own.Certificate(); err != nil {
		return refuse(Unready, "", "%w", err)
	}
	return nil
}

// Order signs an order about a request with these arguments. At, Nonce and Body are filled
// in here.
func (s *Signer) Order(o Order, body []byte) (*Signed, error) {
	o.At, o.Nonce, o.Body = s.now().UTC().Truncate(time.Millisecond), newNonce(), digest(body)
	return s.sign(orderType, o)
}

// Answer signs an answer, to an order that came with a request of this method and with these
// arguments.
func (s *Signer) Answer(a Answer, to *Signed, method string, asked, body []byte) (*Signed, error) {
	return s.sign(answerType, a.about(to, method, asked, body))
}

// about fills in what an answer is about.
func (a Answer) about(to *Signed, method string, asked, body []byte) Answer {
	a.Order, a.Method, a.Asked, a.Body = to.Envelope(), method, digest(asked), digest(body)
	return a
}

func (s *Signer) sign(typ string, v any) (*Signed, error) {
	own, err := s.own.Certificate()
	if err != nil {
		return nil, refuse(Unready, "", "%w", err)
	}
	out, err := sign(own, typ, v)
	if err != nil {
		return nil, refuse(Unready, "enrol with a key on P-256: asepsis enroll", "it cannot be signed: %w", err)
	}
	return out, nil
}
