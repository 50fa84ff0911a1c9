// SPDX-License-Identifier: Apache-2.0

package access

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/problem"
)

// AuthInfo is what a person who is not logged in may know.
type AuthInfo struct {
	SetupNeeded bool      `json:"setup_needed"`
	Password    bool      `json:"password"`
	OIDC        *OIDCInfo `json:"oidc"`
	Demo        bool      `json:"demo"`
	Site        string    `json:"site"`
	Version     string    `json:"version"`
}

// OIDCInfo names the provider on the log-in page.
type OIDCInfo struct {
	Name string `json:"name"`
}

func (a *Access) getAuth(w http.ResponseWriter, r *http.Request) error {
	needed, err := a.setupNeeded(r.Context())
	if err != nil {
		return unreadable(err)
	}
	info := AuthInfo{SetupNeeded: needed, Password: a.cfg.LocalLogin, Demo: a.deps.Demo, Site: a.deps.Site(r.Context()).Name, Version: a.deps.Version}
	if a.oidc != nil {
		info.OIDC = &OIDCInfo{a.oidc.cfg.Name}
	}
	answer(w, http.StatusOK, info)
	return nil
}

type loginRequest struct {
	Name     string `json:"name"`
	Password string `json:"password"`
}

// postSession is a log-in by password. Whether a name exists can be told neither
// from the answer nor from how long it takes.
func (a *Access) postSession(w http.ResponseWriter, r *http.Request) error {
	req, p := problem.DecodeJSON[loginRequest](r, maxBody)
	if p != nil {
		return p
	}
	if !a.cfg.LocalLogin {
		return problem.Forbidden("Nobody logs in with a password here.", "log in through "+a.oidc.cfg.Name)
	}
	if len(req.Password) > 4*MaxPassword {
		return problem.BadRequest("One field is not right.", "", problem.Field{Field: "password", Message: "is longer than any password can be"})
	}
	ctx, name, from := r.Context(), canonical(req.Name), a.ClientAddr(r)
	account := name
	if account == "" {
		account = "?" // all that can be nobody's name count together
	}
	try, wait, first := a.limits.try(a.now(), account, from)
	if wait > 0 {
		return a.slowDown(r, name, wait, first, actLogin)
	}
	u, err := a.check(ctx, name, req.Password)
	if err != nil {
		var no *problem.Problem
		if !errors.As(err, &no) || no.Status != http.StatusUnauthorized && no.Status != http.StatusForbidden {
			try.undo()
			return err
		}
		a.noteLogin(r, u, no.Cause)
		return no
	}
	try.right(a.now(), account, from)
	return a.admit(w, r, u.Name, u.Stamp, "password")
}

// check returns the user of a name and password. Where it refuses, it returns
// the user too, if there is one.
func (a *Access) check(ctx context.Context, name, password string) (*userDoc, error) {
	var u *userDoc
	var revision uint64
	stored := ""
	if name != "" {
		var err error
		if u, revision, err = fresh[userDoc](ctx, a, kindUser, name); err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, unreadable(err)
		}
		if u != nil && u.Local {
			stored = u.Password
		}
	}
	ok, stale, err := a.hash.verify(ctx, password, stored)
	if err != nil {
		return u, hashError(err)
	}
	if !ok {
		return u, refuse(errWrong, "The name or the password is wrong.", "")
	}
	if u.Disabled {
		return u, refuse(ErrDisabled, "This account is disabled.", "an administrator can enable it")
	}
	if stale {
		a.renew(ctx, u, revision, password)
	}
	return u, nil
}

var errWrong = errors.New("wrong name or password")

// renew makes the hash of a right password anew with today's parameters. It can
// wait for the next log-in.
func (a *Access) renew(ctx context.Context, u *userDoc, revision uint64, password string) {
	hash, err := a.hash.hash(ctx, password)
	if err != nil {
		return
	}
	next := *u
	next.Password = hash
	e := store.Audit{Time: a.now().UnixNano(), Who: whoSystem, Action: actPassword, Object: u.Name, Result: done, Note: "same password, stored with today's parameters"}
	if err := a.commit(ctx, []store.Write{put(kindUser, u.Name, revision, next)}, e); err != nil && !errors.Is(err, store.ErrConflict) {
		a.warn("a password hash could not be renewed", err)
	}
}

// noteLogin writes a refused log-in. Of a name that nobody has nothing is
// written: people type their password there.
func (a *Access) noteLogin(r *http.Request, u *userDoc, why error) {
	who, note := whoNobody, "no such user"
	if u != nil {
		if who, note = u.Name, "wrong password"; errors.Is(why, ErrDisabled) {
			note = "account disabled"
		} else if !u.Local {
			note = "this account has no password"
		}
	}
	e := a.entryOf(r, who, actLogin, "")
	e.Note = note
	a.note(r, e)
}

// slowDown answers a try that came too early. The first in each wait is written
// to the audit trail.
func (a *Access) slowDown(r *http.Request, name string, wait time.Duration, first bool, action string) error {
	if first {
		who := whoNobody
		if u, err := load[userDoc](r.Context(), a, kindUser, name); name != "" && err == nil {
			who = u.Name
		}
		e := a.entryOf(r, who, action, "")
		e.Note = "too many tries; none is looked at for " + wait.Round(time.Second).String()
		a.note(r, e)
	}
	return problem.TooMany("There were too many wrong tries.", wait)
}

// admit starts a session of a user and answers with it.
func (a *Access) admit(w http.ResponseWriter, r *http.Request, name, stamp, how string) error {
	s, err := a.open(w, r, name, stamp, how)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, s)
	return nil
}

// open starts a session of a user: it sets the cookie and returns what the page
// is told. The user is read again and must still have the stamp that he had when
// he was recognised: computing a hash takes long enough for his password to be
// changed meanwhile.
func (a *Access) open(w http.ResponseWriter, r *http.Request, name, stamp, how string) (Session, error) {
	u, _, err := fresh[userDoc](r.Context(), a, kindUser, name)
	if errors.Is(err, store.ErrNotFound) || err == nil && u.Disabled {
		return Session{}, refuse(ErrDisabled, "This account is disabled.", "an administrator can enable it")
	} else if err != nil {
		return Session{}, unreadable(err)
	} else if u.Stamp != stamp {
		return Session{}, refuse(ErrRevoked, "The password or the roles of this account were changed at this moment.", "log in again")
	}
	secret, doc, writes, err := a.start(r.Context(), r, u)
	if err != nil {
		return Session{}, err
	}
	e := a.entryOf(r, u.Name, actLogin, sessionID(secret))
	e.Note = "by " + how
	if err := a.commit(r.Context(), writes, e); err != nil {
		return Session{}, fmt.Errorf("start a session: %w", err)
	}
	http.SetCookie(w, a.cookie(r, "session", secret, a.cfg.SessionMax, http.SameSiteStrictMode))
	who := a.sessionActor(sessionID(secret), &doc, u, a.ClientAddr(r))
	return a.session(r.Context(), who, csrfOf(secret)), nil
}

func (a *Access) session(ctx context.Context, who Actor, csrf string) Session {
	return Session{User: SessionUser{who.Name, who.Display, who.Roles, who.Local}, Permissions: who.Permissions, CSRF: csrf,
		Expires: who.Expires, Demo: a.deps.Demo, Site: a.deps.Site(ctx), Version: a.deps.Version}
}
