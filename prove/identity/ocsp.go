// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"context"
	"crypto"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/asepsis/asepsis/prove/identity/ocsp"
)

// maxAnswers bounds the answers that are kept ready, for each issuer.
const maxAnswers = 50_000

// responder signs OCSP answers for one issuer (RFC 6960 §4.2.2.2, delegated).
type responder struct {
	mu      sync.Mutex
	agent   *agent
	version uint64 // of the revocations that the answers are of
	ready   map[readyKey]readyAnswer
}

type readyKey struct {
	serial string
	hash   crypto.Hash
}

type readyAnswer struct {
	der   []byte
	until time.Time
}

// signer returns the responder's certificate and key, made anew where they are
// due.
func (r *responder) signer(a *Authority, i *issuer) (*agent, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.agent.fresh(a.deps.Now()) {
		return r.agent, nil
	}
	g, err := a.newResponder(i)
	if err != nil {
		return nil, err
	}
	r.agent, r.ready = g, nil
	return g, nil
}

// AnswerOCSP answers a request, DER to DER, and says until when the answer may
// be kept (zero: not at all). What is wrong with the request is in the answer;
// err is for the log.
func (a *Authority) AnswerOCSP(ctx context.Context, der []byte) (answer []byte, until time.Time, err error) {
	q, err := ocsp.ParseRequest(der)
	if err != nil {
		return ocsp.Malformed(), time.Time{}, err
	}
	var i *issuer
	for _, one := range a.allIssuers() {
		if q.Certificates[0].Of(one.cert) {
			i = one
		}
	}
	// All of one request are of one issuer: one responder signs for one.
	if i == nil || slices.ContainsFunc(q.Certificates[1:], func(id ocsp.CertID) bool { return !id.Of(i.cert) }) {
		return ocsp.Unauthorized(), time.Time{}, nil
	}
	by, err := i.ocsp.signer(a, i)
	if err != nil {
		return ocsp.TryLater(), time.Time{}, err
	}
	s, revoked, revision := i.crls.get()
	if s == nil || revoked == nil {
		if _, err := a.readRevocations(ctx, i); err != nil {
			return ocsp.TryLater(), time.Time{}, err
		}
		if s, _, err = a.readPublished(ctx, i); err != nil || s == nil {
			return ocsp.TryLater(), time.Time{}, err
		}
		s, revoked, revision = i.crls.get()
	}
	now := a.deps.Now()
	simple := q.Nonce == nil && len(q.Certificates) == 1
	at := readyKey{SerialString(q.Certificates[0].Serial), q.Certificates[0].Hash}
	if simple {
		if r, ok := i.ocsp.take(at, revision, now); ok {
			return r.der, r.until, nil
		}
	}
	var answers []ocsp.Answer
	next := now.Add(a.cfg.OCSPValid)
	if s.Next.Before(next) { // never longer than what it rests on
		next = s.Next
	}
	known := true
	for _, id := range q.Certificates {
		one := ocsp.Answer{ID: id, Status: ocsp.Unknown, This: now, Next: next}
		serial := SerialString(id.Serial)
		if r, ok := revoked[serial]; ok {
			one.Status, one.RevokedAt, one.Reason = ocsp.Revoked, r.At, r.Reason.code()
		} else if _, err := a.get(ctx, serial); err == nil {
			one.Status = ocsp.Good
		} else if KindOf(err) != NotFound {
			return ocsp.TryLater(), time.Time{}, err
		} else {
			known = false
		}
		answers = append(answers, one)
	}
	out, err := ocsp.Sign(answers, q.Nonce, now, by.cert, by.key)
	if err != nil {
		return ocsp.Internal(), time.Time{}, err
	}
	if !simple || !known { // answers about what does not exist would fill the memory
		return out, time.Time{}, nil
	}
	keep := readyAnswer{out, now.Add(next.Sub(now) / 2)}
	i.ocsp.keep(at, revision, keep)
	return out, keep.until, nil
}

func (r *responder) take(k readyKey, revision uint64, now time.Time) (readyAnswer, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if revision != r.version {
		return readyAnswer{}, false
	}
	a, ok := r.ready[k]
	return a, ok && now.Before(a.until)
}

func (r *responder) keep(k readyKey, revision uint64, a readyAnswer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if revision < r.version {
		return
	}
	if revision > r.version || r.ready == nil || len(r.ready) >= maxAnswers {
		r.version, r.ready = revision, map[readyKey]readyAnswer{}
	}
	r.ready[k] = a
}

// Staple returns an OCSP answer for a certificate of ours, for a server that
// staples (RFC 6066 §8).
func (a *Authority) Staple(ctx context.Context, serial string) ([]byte, error) {
	c, err := a.Get(ctx, serial)
	if err != nil {
		return nil, err
	}
	i := a.issuer(c.Issuer)
	if i == nil {
		return nil, refuse(NotFound, "", "there is no issuer %s", c.Issuer)
	}
	n, _ := new(big.Int).SetString(c.Serial, 16)
	der, err := ocsp.NewRequest(i.cert, n)
	if err != nil {
		return nil, err
	}
	out, until, err := a.AnswerOCSP(ctx, der)
	if err == nil && until.IsZero() {
		err = fmt.Errorf("staple %s: no answer", serial)
	}
	return out, err
}
