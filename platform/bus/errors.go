// SPDX-License-Identifier: Apache-2.0

package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Error is an error that travels: what a handler of Serve returns, Ask gives to
// the one who asked, with the same kind. Two of the same kind are equal to
// errors.Is, whatever their text.
type Error struct {
	Kind string // "not-found", "conflict" ...: what a caller decides on
	Text string
	Help string // a hint, "" when there is none
}

// The kinds that the bus itself uses.
var (
	// ErrNobody says that nobody serves the subject.
	ErrNobody = &Error{Kind: "nobody", Text: "nobody answers", Help: "the part of asepsis that answers is not running, or not connected to this bus"}
	// ErrTooLarge says that a body is larger than the bus carries.
	ErrTooLarge = &Error{Kind: "too-large", Text: "too large for the bus"}
	// ErrBusy says that too many requests are being answered.
	ErrBusy = &Error{Kind: "busy", Text: "too many requests at once", Help: "try again in a moment"}
	// ErrInternal is the kind of errors that are no Error.
	ErrInternal = &Error{Kind: "internal", Text: "internal error"}
	// ErrClosed says that this end was closed.
	ErrClosed = &Error{Kind: "closed", Text: "the bus is closed"}
	// ErrAway says that the bus cannot be reached or does not store now.
	ErrAway = &Error{Kind: "away", Text: "the bus is not available"}
	// ErrInUse says that another process runs a server on the directory.
	ErrInUse = &Error{Kind: "in-use", Text: "another process uses the directory", Help: "stop the other process, or give each its own data directory"}
	// ErrFull says that there is no room on the disk.
	ErrFull = &Error{Kind: "full", Text: "no space left for the bus", Help: "make room on the disk: the bus goes on by itself"}
)

// Error gives the text.
func (e *Error) Error() string { return e.Text }

// Hint says what to do, "" when there is nothing to say.
func (e *Error) Hint() string { return e.Help }

// Is reports whether the other is an Error of the same kind.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Kind == e.Kind
}

// as makes an error of a kind with a cause in its text.
func (e *Error) as(cause error) *Error {
	return &Error{Kind: e.Kind, Text: e.Text + ": " + cause.Error(), Help: e.Help}
}

// travelling is the error in the form in which it is sent.
func travelling(err error) *Error {
	var e *Error
	if !errors.As(err, &e) {
		e = ErrInternal
	}
	out := &Error{Kind: e.Kind, Text: err.Error(), Help: e.Help}
	var hint interface{ Hint() string }
	if out.Help == "" && errors.As(err, &hint) {
		out.Help = hint.Hint()
	}
	return out
}

// explain gives errors of the client library a kind and a hint.
func explain(what string, err error) error {
	var e *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e), errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w", what, err)
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked), errors.Is(err, nats.ErrPermissionViolation):
		e = &Error{Kind: "refused", Text: err.Error(), Help: "check bus.token_file or bus.credentials_file: the server does not take them"}
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		e = &Error{Kind: ErrAway.Kind, Text: "the server has no JetStream now: " + err.Error(), Help: "enable JetStream on the NATS server (jetstream {} in its configuration), or wait for its cluster to elect a leader"}
	case errors.Is(err, nats.ErrNoServers), errors.Is(err, nats.ErrTimeout), errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrConnectionClosed),
		errors.Is(err, nats.ErrDisconnected), errors.Is(err, nats.ErrConnectionReconnecting), errors.Is(err, nats.ErrNoStreamResponse),
		errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, nats.ErrHeadersNotSupported): // what it says before it was connected for the first time
		e = ErrAway.as(err)
		e.Help = "check that the NATS server at bus.url runs and can be reached"
	case errors.Is(err, nats.ErrSecureConnRequired), errors.Is(err, nats.ErrSecureConnWanted):
		e = &Error{Kind: "refused", Text: err.Error(), Help: "one end speaks TLS and the other does not: bus.url begins with tls:// where the server has it"}
	case strings.Contains(err.Error(), "x509:") || strings.Contains(err.Error(), "tls"):
		e = &Error{Kind: "refused", Text: err.Error(), Help: "check bus.tls: the certificates do not fit together"}
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %w", what, e)
}
