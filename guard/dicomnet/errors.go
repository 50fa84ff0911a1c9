// SPDX-License-Identifier: Apache-2.0

package dicomnet

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
	"github.com/asepsis/asepsis/wire/dicom/ul"
)

// Ends of an association that are nobody's fault.
var (
	// ErrReleased: the association was released in order.
	ErrReleased = errors.New("the association was released")
	// ErrClosed: this side closed the association.
	ErrClosed = errors.New("the association was closed")
	// ErrCancelled is the cause of a handler's context when the peer sent C-CANCEL.
	ErrCancelled = errors.New("cancelled by the peer (C-CANCEL)")
	// ErrTimeout is wrapped by every error that a deadline of Timeouts caused.
	ErrTimeout = errors.New("timeout")
	// ErrShutdown: the server is being stopped.
	ErrShutdown = errors.New("the server is being stopped")
)

// RejectedError is an A-ASSOCIATE-RJ (PS3.8 §9.3.4).
type RejectedError struct {
	ul.Reject
	CallingAE, CalledAE string
	// ByUs: this side refused the peer.
	ByUs bool
	// Why is this side's own reason in words; it does not go over the network.
	Why string
}

// Rejections that a Negotiate function may return (PS3.8 table 9-21).
var (
	RejectCallingAE   = ul.Reject{Result: 1, Source: 1, Reason: 3}
	RejectCalledAE    = ul.Reject{Result: 1, Source: 1, Reason: 7}
	RejectApplication = ul.Reject{Result: 1, Source: 1, Reason: 2}
	RejectNoReason    = ul.Reject{Result: 1, Source: 1, Reason: 1}
	RejectVersion     = ul.Reject{Result: 1, Source: 2, Reason: 2}
	RejectCongestion  = ul.Reject{Result: 2, Source: 3, Reason: 1}
	RejectLimit       = ul.Reject{Result: 2, Source: 3, Reason: 2}
)

// Error implements error.
func (e *RejectedError) Error() string {
	who := "the peer rejected the association"
	if e.ByUs {
		who = "the association was refused"
	}
	s := fmt.Sprintf("%s of %q with %q: %s (%s, %s)", who, e.CallingAE, e.CalledAE, e.ReasonName(), e.ResultName(), e.SourceName())
	if e.Why != "" {
		s += ": " + e.Why
	}
	return s
}

// Hint says what to do.
func (e *RejectedError) Hint() string {
	switch e.Reject {
	case RejectCallingAE:
		return fmt.Sprintf("the peer must be told of the calling AE title %q (and often of this machine's address)", e.CallingAE)
	case RejectCalledAE:
		return fmt.Sprintf("nothing at that address is called %q; AE titles are case-sensitive", e.CalledAE)
	case RejectApplication:
		return "the peer does not speak DICOM's application context"
	case RejectCongestion, RejectLimit:
		return "the peer serves as many associations as it can; try again later"
	}
	if e.Result == 2 {
		return "the peer calls the reason transient; try again later"
	}
	return ""
}

// AbortedError is an A-ABORT (PS3.8 §9.3.8).
type AbortedError struct {
	ul.Abort
	// Doing is what was under way: "waiting for the answer to the association request".
	Doing string
}

// Error implements error.
func (e *AbortedError) Error() string {
	s := "the peer aborted the association (" + e.SourceName()
	if r := e.ReasonName(); r != "" {
		s += ": " + r
	}
	s += ")"
	if e.Doing != "" {
		s += " while " + e.Doing
	}
	return s
}

// ProtocolError is what a peer sent that PS3.7 or PS3.8 forbids, or that is no DICOM at all.
type ProtocolError struct {
	What string
	Err  error // may be nil
	hint string
}

// Error implements error.
func (e *ProtocolError) Error() string {
	if e.Err != nil {
		return e.What + ": " + e.Err.Error()
	}
	return e.What
}

// Unwrap returns what was found in the bytes.
func (e *ProtocolError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *ProtocolError) Hint() string { return e.hint }

func violation(format string, args ...any) *ProtocolError {
	return &ProtocolError{What: "the peer breaks the protocol: " + fmt.Sprintf(format, args...)}
}

// ContextError says that an operation has no accepted presentation context.
type ContextError struct {
	AbstractSyntax   string
	TransferSyntaxes []string // wanted
	// Results are the peer's answers to the contexts proposed for the abstract syntax; empty when none was proposed.
	Results []uint8
}

// Error implements error.
func (e *ContextError) Error() string {
	s := "no presentation context for " + named(e.AbstractSyntax)
	if len(e.TransferSyntaxes) > 0 {
		n := make([]string, len(e.TransferSyntaxes))
		for i, t := range e.TransferSyntaxes {
			n[i] = named(t)
		}
		s += " in " + strings.Join(n, " or ")
	}
	if len(e.Results) == 0 {
		return s + ": none was proposed"
	}
	var n []string
	for _, r := range e.Results {
		if name := ul.ResultName(r); !slices.Contains(n, name) {
			n = append(n, name)
		}
	}
	return s + ": the peer answered " + strings.Join(n, ", ")
}

// StatusError is a response whose status is a failure (PS3.7 annex C).
type StatusError struct {
	Field   dimse.Field // of the request
	Status  dimse.Status
	Comment string // error comment (0000,0902): words of the peer, which may name a patient
}

// Error implements error. It does not repeat the comment.
func (e *StatusError) Error() string {
	return fmt.Sprintf("%s failed with status %v: %s", e.Field.Service(), e.Status, e.Status.Name(e.Field))
}

// named returns a UID with its name in front, where it has one.
func named(uid string) string {
	if n := dicom.UIDName(uid); n != "" {
		return fmt.Sprintf("%s (%s)", n, uid)
	}
	return uid
}
