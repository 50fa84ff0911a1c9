// SPDX-License-Identifier: Apache-2.0

// Package problem is how the API says no: problem details as RFC 9457 has them,
// and the strict reading of JSON requests that finds most of them.
//
// A Problem is an error value. A handler returns one, or any other error, and
// Write sends it: what went wrong in this request, which fields are at fault, and
// what to do. From turns the errors of the store and of a context into
// problems; an error that nobody has named becomes a plain 500 that says nothing
// of the inside, and the caller logs it.
//
// # Privacy
//
// A problem repeats names of fields and, shortened, what a client may mistype in
// a name. It never repeats a value of the request: that may be a password or
// a patient's name.
//
// # Limits
//
// DecodeJSON reads at most the bytes that its caller allows, MaxDepth nested
// values and MaxErrors wrong fields. Problems are written in English.
package problem

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/asepsis/asepsis/platform/store"
)

// Problem is the body of an answer of type application/problem+json, RFC 9457.
// Its zero Type means "about:blank", its empty Title the status's own phrase.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"` // what is wrong with this request
	Hint   string `json:"hint,omitempty"`   // what to do
	// Code is stable where a program decides by it; the words around it may change.
	Code   string  `json:"code,omitempty"`
	Errors []Field `json:"errors,omitempty"` // each field at fault
	// RetryAfter is in seconds, and is sent as a header too.
	RetryAfter int `json:"retry_after,omitempty"`

	// Challenge is the value of WWW-Authenticate, which RFC 9110 §15.5.2 asks
	// of each 401.
	Challenge string `json:"-"`
	// Allow lists the methods that a 405 must name (RFC 9110 §15.5.6).
	Allow string `json:"-"`
	// Cause is for the log alone; it is never sent.
	Cause error `json:"-"`
}

// Field is what is wrong with one field of a request, named by its path:
// "roles[0]", "retention.events_days".
type Field struct {
	Field   string `json:"field"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// ContentType is the media type of a problem.
const ContentType = "application/problem+json"

// Error gives the detail, and the cause that a client does not see.
func (p *Problem) Error() string {
	s := p.Detail
	if s == "" {
		s = http.StatusText(p.Status)
	}
	if len(p.Errors) > 0 {
		s += " (" + p.Errors[0].Field + ": " + p.Errors[0].Message + ")"
	}
	if p.Cause != nil {
		s += ": " + p.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Cause }

// New makes a problem of any status.
func New(status int, detail, hint string) *Problem {
	return &Problem{Status: status, Detail: detail, Hint: hint}
}

// BadRequest is a request that cannot be understood, or with values that cannot
// be: 400.
func BadRequest(detail, hint string, fields ...Field) *Problem {
	return &Problem{Status: http.StatusBadRequest, Detail: detail, Hint: hint, Errors: fields}
}

// Unauthorized is a request of nobody that is known: 401. The challenge is the
// value of WWW-Authenticate.
func Unauthorized(detail, hint, challenge string) *Problem {
	return &Problem{Status: http.StatusUnauthorized, Detail: detail, Hint: hint, Challenge: challenge}
}

// Forbidden is a request of somebody who may not: 403.
func Forbidden(detail, hint string) *Problem {
	return &Problem{Status: http.StatusForbidden, Detail: detail, Hint: hint}
}

// NotFound is 404; the detail names what was looked for.
func NotFound(detail string) *Problem { return &Problem{Status: http.StatusNotFound, Detail: detail} }

// MethodNotAllowed is 405, with the methods that are: "GET, PUT".
func MethodNotAllowed(allow string) *Problem {
	return &Problem{Status: http.StatusMethodNotAllowed, Detail: "This address does not take that method.", Hint: "use " + allow, Allow: allow}
}

// The codes of problems by which a program decides.
const (
	CaseInProgress   = "case-in-progress"  // what is meant all the same is sent again with confirm_in_case
	RevisionConflict = "revision-conflict" // somebody else changed it since it was read: load it again
	SamePerson       = "same-person"       // another person must agree
)

// Coded gives a problem its code.
func (p *Problem) Coded(code string) *Problem {
	p.Code = code
	return p
}

// Conflict is a change of something that is not any more as the client saw it,
// or that contradicts what is there: 409.
func Conflict(detail, hint string) *Problem {
	return &Problem{Status: http.StatusConflict, Detail: detail, Hint: hint}
}

// TooLarge is a request of more bytes than are read: 413.
func TooLarge(limit int64) *Problem {
	return &Problem{Status: http.StatusRequestEntityTooLarge, Detail: "The request is larger than " + strconv.FormatInt(limit, 10) + " bytes."}
}

// TooMany is 429, with when to try again, rounded up to seconds.
func TooMany(detail string, wait time.Duration) *Problem {
	return &Problem{Status: http.StatusTooManyRequests, Detail: detail, RetryAfter: seconds(wait)}
}

// Unavailable is 503: a part that is needed is away now, and is expected back.
func Unavailable(detail, hint string, wait time.Duration, cause error) *Problem {
	return &Problem{Status: http.StatusServiceUnavailable, Detail: detail, Hint: hint, RetryAfter: seconds(wait), Cause: cause}
}

// Internal is 500. The cause goes to the log alone.
func Internal(cause error) *Problem {
	return &Problem{Status: http.StatusInternalServerError, Detail: "Something went wrong inside; the log has the cause.", Cause: cause}
}

func seconds(d time.Duration) int {
	if d <= 0 {
		return 0
	}
	return int((d + time.Second - 1) / time.Second)
}

// statusClosed is what nginx logs for a client that went away before the
// answer. No client ever sees it.
const statusClosed = 499

// From makes a problem of any error: a *Problem anywhere in its chain is taken as
// it is, the errors of the store become what they mean to a client, and
// everything else Internal. From(nil) is nil.
func From(err error) *Problem {
	if err == nil {
		return nil
	}
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		p = NotFound("There is no such thing (any more).")
	case errors.Is(err, store.ErrConflict):
		p = Conflict("Somebody else changed this meanwhile; nothing was changed now.", "load it again, look at what is new, and repeat the change").Coded(RevisionConflict)
	case errors.Is(err, store.ErrTooLarge):
		p = New(http.StatusRequestEntityTooLarge, "This is too large to be kept.", "")
	case errors.Is(err, store.ErrFull):
		p = New(http.StatusInsufficientStorage, "The disk is full: nothing can be changed until there is space. Reading goes on.", "free space on the disk, or shorten the retention")
	case errors.Is(err, context.Canceled):
		p = New(statusClosed, "The request was given up by its client.", "")
	case errors.Is(err, context.DeadlineExceeded):
		p = Unavailable("The answer took longer than is allowed.", "ask for a shorter time or for less", 0, nil)
	default:
		return Internal(err)
	}
	p.Cause = err
	return p
}

// Write sends a problem. Answers to HEAD have no body. What the client does not
// take any more is lost without an error: there is nobody to tell.
func Write(w http.ResponseWriter, r *http.Request, p *Problem) {
	out := *p
	if out.Status < 400 || out.Status > 599 {
		out.Status = http.StatusInternalServerError
	}
	if out.Type == "" {
		out.Type = "about:blank"
	}
	if out.Title == "" {
		if out.Title = http.StatusText(out.Status); out.Title == "" {
			out.Title = "Client Closed Request"
		}
	}
	h := w.Header()
	// What was said about the body that is not sent now does not hold for this one.
	for _, name := range []string{"Content-Length", "Content-Encoding", "Content-Disposition", "Etag", "Last-Modified"} {
		h.Del(name)
	}
	h.Set("Content-Type", ContentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if out.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(out.RetryAfter))
	}
	if out.Challenge != "" {
		h.Set("WWW-Authenticate", out.Challenge)
	}
	if out.Allow != "" {
		h.Set("Allow", out.Allow)
	}
	body, err := json.Marshal(out)
	if err != nil { // strings and numbers always marshal
		panic("BUG: problem: " + err.Error())
	}
	w.WriteHeader(out.Status)
	if r == nil || r.Method != http.MethodHead {
		_, _ = w.Write(append(body, '\n'))
	}
}
