// SPDX-License-Identifier: Apache-2.0

package access

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/oauth2"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/problem"
)

// pending is a log-in that is under way at the provider. The browser keeps it in
// a cookie, so that nobody can fill our memory with log-ins never finished. It
// has nothing that the browser's owner may not know, and binds the answer to the
// browser that asked: another one has no such cookie.
type pending struct {
	State    string    `json:"s"`
	Nonce    string    `json:"n"`
	Verifier string    `json:"v"`
	Return   string    `json:"r"`
	Expires  time.Time `json:"e"`
}

const (
	pendingFor = 10 * time.Minute
	maxPending = 2 << 10 // bytes of the cookie
	maxReturn  = 512
)

func (p pending) encode() string { return base64.RawURLEncoding.EncodeToString(marshal(p)) }

func parsePending(s string) (pending, bool) {
	var p pending
	if len(s) > maxPending {
		return p, false
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || json.Unmarshal(b, &p) != nil {
		return pending{}, false
	}
	return p, isSecret(p.State) && isSecret(p.Nonce) && isSecret(p.Verifier) && returnPath(p.Return) == p.Return
}

// returnPath is where a browser goes after the log-in: an absolute path of this
// origin, "/" for anything else. Browsers read "//host", "/\host" and control
// characters in ways that lead elsewhere.
func returnPath(s string) string {
	u, err := url.Parse(s)
	if err != nil || len(s) > maxReturn || !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || u.IsAbs() || u.Host != "" || u.User != nil ||
		strings.HasPrefix(u.Path, "//") || strings.HasPrefix(u.Path, "/api/") ||
		strings.ContainsFunc(s, func(r rune) bool {
			return r == '\\' || unicode.IsControl(r) || unicode.IsSpace(r) || r > unicode.MaxASCII
		}) ||
		strings.ContainsAny(u.Path, "\\\r\n\t") {
		return "/"
	}
	return s
}

const callbackPath = "/api/v1/auth/oidc/callback"

// getOIDC sends a browser to the provider: authorization code with PKCE (RFC
// 7636), a state and a nonce.
func (a *Access) getOIDC(w http.ResponseWriter, r *http.Request) error {
	q, p := problem.Query(r, "return")
	if p != nil {
		return p
	}
	if a.oidc == nil {
		return problem.NotFound("No OpenID provider is configured.")
	}
	to, err := a.begin(w, r, returnPath(q.Get("return")))
	a.sendOn(w, r, to, err)
	return nil
}

// begin starts a log-in at the provider and returns where the browser goes.
func (a *Access) begin(w http.ResponseWriter, r *http.Request, back string) (string, error) {
	if a.base() == "" {
		return "", &refusal{http.StatusServiceUnavailable, "Asepsis does not know its own address, to which the provider would send you back.", "set the address of the console in the configuration", nil}
	}
	found, err := a.oidc.metadata(r.Context())
	if err != nil {
		return "", &refusal{http.StatusServiceUnavailable, a.oidc.cfg.Name + " does not answer.", "try again in a minute, or log in with a password", err}
	}
	conf, err := a.oidc.oauth(found, a.base()+callbackPath)
	if err != nil {
		return "", &refusal{http.StatusServiceUnavailable, "The secret for " + a.oidc.cfg.Name + " cannot be read.", "the log of Asepsis has the cause", err}
	}
	pend := pending{State: newSecret(), Nonce: newSecret(), Verifier: newSecret(), Return: back, Expires: a.now().Add(pendingFor)}
	// Lax: the provider's page sends the browser back, which is a request of
	// another site.
	http.SetCookie(w, a.cookie(r, "login", pend.encode(), pendingFor, http.SameSiteLaxMode))
	return conf.AuthCodeURL(pend.State, oauth2.S256ChallengeOption(pend.Verifier), oauth2.SetAuthURLParam("nonce", pend.Nonce)), nil
}

// getOIDCCallback is where the provider sends a browser back to.
func (a *Access) getOIDCCallback(w http.ResponseWriter, r *http.Request) error {
	if a.oidc == nil {
		return problem.NotFound("No OpenID provider is configured.")
	}
	to, err := a.finish(w, r)
	a.sendOn(w, r, to, err)
	return nil
}

// sendOn sends a browser on, or tells the person why not.
func (a *Access) sendOn(w http.ResponseWriter, r *http.Request, to string, err error) {
	if err != nil {
		var no *refusal
		if !errors.As(err, &no) {
			p := problem.From(err)
			no = &refusal{p.Status, p.Detail, p.Hint, p.Cause}
		}
		a.sorry(w, r, no)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// finish ends a log-in at the provider and returns where the browser goes.
func (a *Access) finish(w http.ResponseWriter, r *http.Request) (string, error) {
	again := func(text string) error {
		return &refusal{http.StatusForbidden, text, "start again from the log-in page", nil}
	}
	q := r.URL.Query()
	var pend pending
	ok := false
	if all := r.CookiesNamed(a.cookieName(r, "login")); len(all) == 1 {
		pend, ok = parsePending(all[0].Value)
	}
	// Used once, whatever comes of it.
	http.SetCookie(w, a.cookie(r, "login", "", 0, http.SameSiteLaxMode))
	switch {
	case !ok:
		return "", again("This log-in was not started in this browser, or longer ago than " + spoken(pendingFor) + ".")
	case len(q["state"]) != 1 || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(pend.State)) != 1:
		return "", again("This answer belongs to another log-in.")
	case !a.now().Before(pend.Expires):
		return "", again("This log-in took longer than " + spoken(pendingFor) + ".")
	case q.Has("iss") && q.Get("iss") != a.oidc.cfg.Issuer: // RFC 9207
		return "", again("This answer is of another provider.")
	case q.Has("error"):
		a.log.Info("access: the OpenID provider refused a log-in", "error", printable(q.Get("error")))
		return "", again(a.oidc.cfg.Name + " did not log you in.")
	case len(q["code"]) != 1 || q.Get("code") == "" || len(q.Get("code")) > 4096:
		return "", again("The answer of " + a.oidc.cfg.Name + " has no code.")
	case !a.redeem.AllowN(a.now(), 1):
		return "", &refusal{http.StatusTooManyRequests, "Too many people log in at this moment.", "try again in a few seconds", nil}
	}
	id, err := a.oidc.identify(r.Context(), a.base()+callbackPath, q.Get("code"), pend)
	if err != nil {
		e := a.entryOf(r, whoNobody, actLogin, "")
		e.Note = "by " + a.oidc.cfg.Name + ": what it said could not be trusted"
		a.note(r, e)
		return "", err
	}
	u, err := a.adopt(r, id)
	if err != nil {
		return "", err
	}
	if _, err := a.open(w, r, u.Name, u.Stamp, a.oidc.cfg.Name); err != nil {
		return "", err
	}
	return pend.Return, nil
}

// identID is where it is kept whose account an identity is: by issuer and
// subject, which are for ever, not by a name that others may be given.
func identID(issuer, subject string) string { return digest("ident " + issuer + "\x00" + subject) }

type identDoc struct {
	User string `json:"user"`
}

// adopt returns the user of an identity, made or brought up to date.
func (a *Access) adopt(r *http.Request, id identity) (*userDoc, error) {
	ctx := r.Context()
	var out *userDoc
	err := retry(func() error {
		link, _, err := fresh[identDoc](ctx, a, kindIdent, identID(id.issuer, id.subject))
		if errors.Is(err, store.ErrNotFound) {
			out, err = a.welcome(r, id)
			return err
		}
		if err != nil {
			return unreadable(err)
		}
		out, err = a.update(r, link.User, id)
		return err
	})
	return out, err
}

func (a *Access) noRole(r *http.Request, who string) error {
	e := a.entryOf(r, who, actLogin, "")
	e.Note = "by " + a.oidc.cfg.Name + ": no role"
	a.note(r, e)
	return &refusal{http.StatusForbidden, a.oidc.cfg.Name + " knows you, but gives you no role in Asepsis.", "ask the administrator to put you into one of the groups that have one", nil}
}

// welcome makes a user at his first log-in.
func (a *Access) welcome(r *http.Request, id identity) (*userDoc, error) {
	name, bad := checkName(id.name)
	if len(id.roles) == 0 {
		return nil, a.noRole(r, whoNobody)
	}
	refuse := func(text, note string) error {
		e := a.entryOf(r, whoNobody, actLogin, "")
		e.Note = "by " + a.oidc.cfg.Name + ": " + note
		a.note(r, e)
		return &refusal{http.StatusForbidden, text, "ask the administrator of Asepsis", nil}
	}
	if bad != nil {
		return nil, refuse(a.oidc.cfg.Name+" gives you no name that Asepsis can use.", "no usable name")
	}
	u := userDoc{Name: name, DisplayName: displayFrom(id.display, name), Roles: id.roles, Issuer: id.issuer, Subject: id.subject}
	e := a.entryOf(r, name, actUserCreate, name)
	e.Note = "first log-in by " + a.oidc.cfg.Name
	made, err := a.createUser(r.Context(), u, e, put(kindIdent, identID(id.issuer, id.subject), 0, identDoc{name}))
	if errors.Is(err, errTaken) {
		if _, _, err := fresh[identDoc](r.Context(), a, kindIdent, identID(id.issuer, id.subject)); err == nil {
			return nil, store.ErrConflict // by himself, in another window at this moment
		}
		return nil, refuse("Your name there, "+name+", is already that of another account here.", "name taken by another account")
	}
	if err != nil {
		return nil, err
	}
	return made, nil
}

// update brings a user to what the provider says now. Other roles end the
// sessions made with the old ones; no role ends them too, and takes the
// permissions of his tokens.
func (a *Access) update(r *http.Request, name string, id identity) (*userDoc, error) {
	var out *userDoc
	ctx := r.Context()
	was, _, err := fresh[userDoc](ctx, a, kindUser, name)
	if err != nil {
		return nil, err
	}
	if was.Issuer != id.issuer || was.Subject != id.subject {
		return nil, &refusal{http.StatusForbidden, "Your account here belongs to somebody else now.", "ask the administrator of Asepsis", nil}
	}
	display := was.DisplayName
	if id.display != "" {
		display = displayFrom(id.display, name)
	}
	if out = was; !slices.Equal(was.Roles, id.roles) || display != was.DisplayName {
		_, err := a.editUser(ctx, name, 0, func(u *userDoc) (store.Audit, error) {
			u.DisplayName = display
			if !slices.Equal(u.Roles, id.roles) {
				u.Roles = id.roles
				if u.Roles == nil {
					u.Roles = []Role{}
				}
				u.restamp()
			}
			out = u
			e := a.entryOf(r, name, actUserEdit, name)
			e.Note = "as " + a.oidc.cfg.Name + " has it"
			return e, nil
		})
		if err != nil {
			return nil, err
		}
	}
	switch {
	case out.Disabled:
		a.noteLogin(r, out, ErrDisabled)
		return nil, &refusal{http.StatusForbidden, "Your account is disabled in Asepsis.", "ask the administrator of Asepsis", nil}
	case len(id.roles) == 0:
		return nil, a.noRole(r, name)
	}
	return out, nil
}

func displayFrom(display, name string) string {
	if checkDisplay(display) != nil {
		return name
	}
	return displayOr(display, name)
}

var sorryPage = template.Must(template.New("sorry").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"><title>Not logged in - Asepsis</title></head>
<body><main><h1>You are not logged in</h1><p>{{.Text}}</p>{{with .Hint}}<p>What to do: {{.}}.</p>{{end}}<p><a href="/login">Back to the log-in page</a></p></main></body></html>
`))

// sorry tells a person why there was no log-in: as a page, since it is a browser
// that came here by itself; as a problem for all others.
func (a *Access) sorry(w http.ResponseWriter, r *http.Request, no *refusal) {
	if no.cause != nil && !errors.Is(no.cause, context.Canceled) {
		a.log.Warn("access: log-in through the OpenID provider failed", "why", no.text, "error", no.cause)
	}
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		p := problem.New(no.status, no.text, no.hint)
		if no.status == http.StatusUnauthorized {
			p.Challenge = realm
		}
		problem.Write(w, r, p)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(no.status)
	_ = sorryPage.Execute(w, struct{ Text, Hint string }{no.text, no.hint})
}
