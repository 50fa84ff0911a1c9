// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"errors"
	"fmt"
)

// Kind says why something was refused. The words are part of the API and of the
// EST server's answers.
type Kind string

// The kinds of refusal.
const (
	BadProfile   Kind = "bad-profile"   // no such profile, or not for this
	BadRequest   Kind = "bad-request"   // the request itself: a CSR, a name, a device ID
	BadKey       Kind = "bad-key"       // a key of a type or size that is not accepted
	BadSignature Kind = "bad-signature" // the CSR is not signed by its key
	BadCode      Kind = "bad-code"      // no such enrolment code
	UsedCode     Kind = "used-code"     // an enrolment code that was used
	ExpiredCode  Kind = "expired-code"
	NotFound     Kind = "not-found" // no such certificate
	Already      Kind = "already"   // revoked before
	NotAllowed   Kind = "not-allowed"
	Limited      Kind = "limited"     // too many attempts
	Unavailable  Kind = "unavailable" // no issuing authority with a key
)

// Refusal is an error that says why, and what to do about it.
type Refusal struct {
	Kind Kind
	Text string
	Help string
	Err  error
}

func (r *Refusal) Error() string { return r.Text }

// Hint says what to do.
func (r *Refusal) Hint() string { return r.Help }

func (r *Refusal) Unwrap() error { return r.Err }

func refuse(k Kind, hint, format string, args ...any) *Refusal {
	err := fmt.Errorf(format, args...)
	return &Refusal{Kind: k, Text: err.Error(), Help: hint, Err: errors.Unwrap(err)}
}

// KindOf returns why an error refuses, "" when it is of another sort.
func KindOf(err error) Kind {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Kind
	}
	return ""
}
