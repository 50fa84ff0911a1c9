// SPDX-License-Identifier: Apache-2.0

package order

import (
	"errors"
	"fmt"
)

// Why says why an order or an answer does not count.
type Why string

// The reasons of a Refusal.
const (
	Unsigned  Why = "unsigned"
	Malformed Why = "malformed"
	Forged    Why = "forged"      // the signature does not fit
	Untrusted Why = "untrusted"   // of no authority of the site, ended, revoked, or of another profile
	Unknown   Why = "unknown"     // of a service that may not give orders, or of another gateway
	Elsewhere Why = "elsewhere"   // to somebody else
	Altered   Why = "altered"     // about another request
	Stale     Why = "stale"       // too old, or of the future: somebody's clock
	Replayed  Why = "replayed"    // it came before
	Unkept    Why = "unkept"      // that it came cannot be remembered
	Unready   Why = "unavailable" // the own certificate is missing
)

// Refusal is why an order or an answer does not count. It holds nothing of what was asked.
type Refusal struct {
	Why  Why
	Text string
	Help string
	Err  error
}

// Error implements error.
func (r *Refusal) Error() string { return r.Text }

// Hint says what to do.
func (r *Refusal) Hint() string { return r.Help }

// Unwrap gives the cause.
func (r *Refusal) Unwrap() error { return r.Err }

func refuse(w Why, hint, format string, args ...any) *Refusal {
	err := fmt.Errorf(format, args...)
	return &Refusal{Why: w, Text: err.Error(), Help: hint, Err: errors.Unwrap(err)}
}
