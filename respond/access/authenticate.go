// SPDX-License-Identifier: Apache-2.0

package access

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/respond/problem"
)

// Why somebody is not let in. Authenticate returns a *problem.Problem that wraps
// one of these.
var (
	ErrNone      = errors.New("no credentials")
	ErrMalformed = errors.New("malformed credentials")
	ErrExpired   = errors.New("expired")
	ErrRevoked   = errors.New("revoked or unknown")
	ErrDisabled  = errors.New("account disabled")
	ErrForgery   = errors.New("request of another site")
)

const realm = `Bearer realm="asepsis"`

// refuse is a 401. Its challenge is as RFC 6750 §3 has it.
func refuse(why error, detail, hint string) *problem.Problem {
	challenge := realm
	switch {
	case errors.Is(why, ErrMalformed):
		challenge += `, error="invalid_request"`
	case !errors.Is(why, ErrNone):
		challenge += `, error="invalid_token"`
	}
	p := problem.Unauthorized(detail, hint, challenge)
	p.Cause = why
	return p
}

// unreadable is not a 401: a console must not take it for a log-out.
func unreadable(err error) error {
	if p := problem.From(err); p.Status != http.StatusInternalServerError {
		return p
	}
	return problem.Unavailable("Who you are cannot be checked now: the store does not answer.", "this ends by itself when the store is back", 5*time.Second, err)
}

// Via says how an actor came in.
type Via string

// The ways in.
const (
	ViaSession Via = "session"
	ViaToken   Via = "token"
)

// Actor is who makes a request.
type Actor struct {
	Name        string // of the user; of a token, its owner
	Display     string
	Roles       []Role
	Local       bool
	Via         Via
	ID          string // of the session or token
	TokenName   string // of the token
	From        netip.Addr
	Permissions []Permission // of the roles; of a token, those it has of them
	Expires     time.Time    // when this way in ends
}

// May reports whether the actor has a permission. Everybody who is signed in has
// Public and SignedIn.
func (a Actor) May(p Permission) bool {
	return p == Public || p == SignedIn && a.ID != "" || slices.Contains(a.Permissions, p)
}

// AuditName is the actor in the audit trail: a user's name, or
// "token:<owner>/<name of the token>". No user has a name like that.
func (a Actor) AuditName() string {
	if a.Via == ViaToken {
		return "token:" + a.Name + "/" + a.TokenName
	}
	return a.Name
}

// Address is From as it is written in the audit trail.
func (a Actor) Address() string { return addressText(a.From) }

func addressText(x netip.Addr) string {
	if !x.IsValid() {
		return ""
	}
	return x.String()
}

type actorKey struct{}

// ActorOf returns the actor that Require put into the context of a request.
func ActorOf(ctx context.Context) (Actor, bool) {
	a, ok := ctx.Value(actorKey{}).(Actor)
	return a, ok
}

// WithActor returns a context with an actor, as Require makes it.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// Authenticate says who makes a request: by the API token of its Authorization
// header, or by its session cookie. A header that is wrong is refused, whatever
// the cookie. Changes that come with a cookie must come from our own pages: they
// carry the session's token in X-CSRF-Token, and nothing that says otherwise in
// Origin and Sec-Fetch-Site.
func (a *Access) Authenticate(r *http.Request) (Actor, error) {
	ctx := r.Context()
	if h := r.Header.Values("Authorization"); len(h) > 0 {
		scheme, text, ok := strings.Cut(h[0], " ")
		if len(h) > 1 || !ok || !strings.EqualFold(scheme, "Bearer") {
			return Actor{}, refuse(ErrMalformed, "The Authorization header is not of the form Bearer TOKEN.", "send Authorization: Bearer asp_...")
		}
		id, t, u, err := a.bearer(ctx, strings.TrimSpace(text))
		if err != nil {
			return Actor{}, err
		}
		a.seen.touch(key{kindToken, id}, a.now())
		return a.tokenActor(id, t, u, a.ClientAddr(r)), nil
	}
	cookie, present, ok := a.cookieOf(r)
	switch {
	case !present:
		return Actor{}, refuse(ErrNone, "This needs a log-in.", "log in, or send an API token as Authorization: Bearer asp_...")
	case !ok:
		return Actor{}, refuse(ErrMalformed, "The session cookie is malformed.", "log in again")
	}
	id := sessionID(cookie)
	s, u, err := a.live(ctx, id)
	if err != nil {
		return Actor{}, err
	}
	if unsafe(r.Method) {
		if err := a.sameOrigin(r); err != nil {
			return Actor{}, err
		}
		if sent := r.Header.Values("X-Csrf-Token"); len(sent) != 1 || subtle.ConstantTimeCompare([]byte(sent[0]), []byte(csrfOf(cookie))) != 1 {
			return Actor{}, forgery("The request does not carry this session's X-CSRF-Token.", "load the page again; GET /api/v1/session has the token")
		}
	}
	a.seen.touch(key{kindSession, id}, a.now())
	return a.sessionActor(id, s, u, a.ClientAddr(r)), nil
}

func (a *Access) sessionActor(id string, s *sessionDoc, u *userDoc, from netip.Addr) Actor {
	return Actor{Name: u.Name, Display: u.DisplayName, Roles: slices.Clone(u.Roles), Local: u.Local, Via: ViaSession, ID: id, From: from,
		Permissions: permissionsOf(u.Roles), Expires: s.Expires}
}

func (a *Access) tokenActor(id string, t *tokenDoc, u *userDoc, from netip.Addr) Actor {
	return Actor{Name: u.Name, Display: u.DisplayName, Roles: slices.Clone(u.Roles), Local: u.Local, Via: ViaToken, ID: id, TokenName: t.Name, From: from,
		Permissions: both(t.Permissions, permissionsOf(u.Roles)), Expires: t.Expires}
}

// Still says whether an actor who was let in may go on, and with what
// permissions: for answers that last, such as event streams, which ask every
// second or two. It counts as use of the session or token.
func (a *Access) Still(ctx context.Context, who Actor) (Actor, error) {
	switch who.Via {
	case ViaSession:
		s, u, err := a.live(ctx, who.ID)
		if err != nil {
			return Actor{}, err
		}
		a.seen.touch(key{kindSession, who.ID}, a.now())
		return a.sessionActor(who.ID, s, u, who.From), nil
	case ViaToken:
		t, u, err := a.liveToken(ctx, who.ID, "")
		if err != nil {
			return Actor{}, err
		}
		a.seen.touch(key{kindToken, who.ID}, a.now())
		return a.tokenActor(who.ID, t, u, who.From), nil
	}
	return Actor{}, refuse(ErrNone, "This needs a log-in.", "")
}

func unsafe(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

func forgery(detail, hint string) error {
	p := problem.Forbidden(detail, hint)
	p.Cause = ErrForgery
	return p
}

// sameOrigin refuses requests that a page of another origin made a browser send.
// Programs, which send neither header, pass: they have no cookies of others.
func (a *Access) sameOrigin(r *http.Request) error {
	if o := r.Header.Get("Origin"); o != "" && o == a.origin() && r.Header.Get("Sec-Fetch-Site") != "cross-site" {
		return nil // behind a proxy Host may be another one
	}
	if err := a.cross.Check(r); err != nil {
		return forgery("A page of another site made this request.", "open the console at its own address")
	}
	return nil
}

// Require lets requests with a permission through to h, with their Actor in the
// context, and answers all others.
func (a *Access) Require(p Permission, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p == Public {
			if unsafe(r.Method) {
				if err := a.sameOrigin(r); err != nil {
					a.fail(w, r, err)
					return
				}
			}
			h.ServeHTTP(w, r)
			return
		}
		who, err := a.Authenticate(r)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		if !who.May(p) {
			problem.Write(w, r, lacks(who, p))
			return
		}
		h.ServeHTTP(w, r.WithContext(WithActor(r.Context(), who)))
	})
}

// lacks names the permission that is missing and who has it.
func lacks(who Actor, p Permission) *problem.Problem {
	with := names(RolesWith(p))
	if who.Via == ViaToken {
		return problem.Forbidden("This needs the permission "+string(p)+", which this API token does not have.",
			"make a token with it; its owner needs one of the roles "+with)
	}
	return problem.Forbidden("This needs the permission "+string(p)+", which "+who.Name+" ("+names(who.Roles)+") does not have.",
		"the roles that have it: "+with)
}

// fail answers an error, and logs it where it is ours.
func (a *Access) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problem.From(err)
	if p.Status >= 500 {
		a.log.Error("access: request failed", "method", r.Method, "path", r.URL.Path, "status", p.Status, "error", p.Cause)
	}
	problem.Write(w, r, p)
}
