// SPDX-License-Identifier: Apache-2.0

package access

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/problem"
)

// This file has what people do with their own sessions, password and tokens.

func (a *Access) getSession(w http.ResponseWriter, r *http.Request) error {
	who, csrf := actor(r), ""
	if who.Via == ViaSession {
		cookie, _, _ := a.cookieOf(r)
		csrf = csrfOf(cookie)
	}
	answer(w, http.StatusOK, a.session(r.Context(), who, csrf))
	return nil
}

// deleteSession logs out.
func (a *Access) deleteSession(w http.ResponseWriter, r *http.Request) error {
	who, err := person(r)
	if err != nil {
		return err
	}
	if err := a.commit(r.Context(), []store.Write{remove(kindSession, who.ID, store.AnyRevision)}, a.entry(who, actLogout, who.ID)); err != nil {
		return err
	}
	http.SetCookie(w, a.cookie(r, "session", "", 0, http.SameSiteStrictMode))
	nothing(w)
	return nil
}

func (a *Access) getSessions(w http.ResponseWriter, r *http.Request) error {
	who := actor(r)
	everybody, err := all(r, who)
	if err != nil {
		return err
	}
	user := who.Name
	if everybody {
		user = ""
	}
	list, err := a.sessions(r.Context(), user, who.ID)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, list)
	return nil
}

// deleteSessions ends a session: one's own, or with user.edit anybody's.
func (a *Access) deleteSessions(w http.ResponseWriter, r *http.Request) error {
	who, err := person(r)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	none := problem.NotFound("There is no such session (any more).")
	if len(id) > 2*secretLen {
		return none
	}
	s, _, err := fresh[sessionDoc](r.Context(), a, kindSession, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && s.User != who.Name && !who.May(UserEdit) {
		return none
	} else if err != nil {
		return err
	}
	e := a.entry(who, actRevoke, id)
	e.Before = marshal(map[string]any{"user": s.User, "created": s.Created, "from": s.From, "agent": s.Agent})
	if err := a.commit(r.Context(), []store.Write{remove(kindSession, id, store.AnyRevision)}, e); err != nil {
		return err
	}
	if id == who.ID {
		http.SetCookie(w, a.cookie(r, "session", "", 0, http.SameSiteStrictMode))
	}
	nothing(w)
	return nil
}

type passwordRequest struct {
	Old string `json:"old"`
	New string `json:"new"`
}

// putPassword changes one's own password. All sessions of the user end; the
// browser that did it is given a new one, and the answer is that Session.
func (a *Access) putPassword(w http.ResponseWriter, r *http.Request) error {
	who, err := person(r)
	if err != nil {
		return err
	}
	req, p := problem.DecodeJSON[passwordRequest](r, maxBody)
	if p != nil {
		return p
	}
	if !who.Local {
		return problem.Conflict("This account has no password here: it logs in through "+a.providerName()+".", "change the password there")
	}
	if len(req.Old) > 4*MaxPassword {
		return problem.BadRequest("One field is not right.", "", problem.Field{Field: "old", Message: "is longer than any password can be"})
	}
	ctx := r.Context()
	// Who found a screen unlocked must not guess the password here.
	try, wait, first := a.limits.try(a.now(), who.Name, who.From)
	if wait > 0 {
		return a.slowDown(r, who.Name, wait, first, actPassword)
	}
	if _, err := a.check(ctx, who.Name, req.Old); err != nil {
		if !errors.Is(err, errWrong) {
			try.undo()
			return err
		}
		e := a.entry(who, actPassword, who.Name)
		e.Note = "the old password was wrong"
		a.note(r, e)
		return problem.BadRequest("The password was not changed.", "", problem.Field{Field: "old", Message: "is not the password of this account"})
	}
	try.right(a.now(), who.Name, who.From)
	if wrong := checkPassword("new", req.New, a.words(who.Name, who.Display)...); wrong != nil {
		return problem.BadRequest("The password was not changed.", "", wrong...)
	}
	if req.New == req.Old {
		return problem.BadRequest("The password was not changed.", "", problem.Field{Field: "new", Message: "is the old password"})
	}
	stamp, err := a.setPassword(r, who, who.Name, req.New)
	if err != nil {
		return err
	}
	return a.admit(w, r, who.Name, stamp, "changed password")
}

// setPassword returns the new stamp of the user.
func (a *Access) setPassword(r *http.Request, who Actor, name, password string) (stamp string, err error) {
	hash, err := a.hash.hash(r.Context(), password)
	if err != nil {
		return "", hashError(err)
	}
	_, err = a.editUser(r.Context(), name, 0, func(u *userDoc) (store.Audit, error) {
		if !u.Local {
			return store.Audit{}, problem.Conflict("This account has no password here: it logs in through "+a.providerName()+".", "")
		}
		u.Password = hash
		u.restamp()
		stamp = u.Stamp
		return a.entry(who, actPassword, name), nil
	})
	return stamp, err
}

func (a *Access) providerName() string {
	if a.oidc == nil {
		return "an OpenID provider"
	}
	return a.oidc.cfg.Name
}

func (a *Access) getTokens(w http.ResponseWriter, r *http.Request) error {
	who := actor(r)
	everybody, err := all(r, who)
	if err != nil {
		return err
	}
	owner := who.Name
	if everybody {
		owner = ""
	}
	list, err := a.tokens(r.Context(), owner)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, list)
	return nil
}

type tokenRequest struct {
	Name        string       `json:"name"`
	Permissions []Permission `json:"permissions"`
	Days        int          `json:"expires_in_days"`
}

// postTokens makes a token. It may at most what its owner may, at each use anew;
// user.edit is not given to tokens: they make neither users nor tokens.
func (a *Access) postTokens(w http.ResponseWriter, r *http.Request) error {
	who, err := person(r)
	if err != nil {
		return err
	}
	req, p := problem.DecodeJSON[tokenRequest](r, maxBody)
	if p != nil {
		return p
	}
	var wrong []problem.Field
	req.Name = strings.TrimSpace(req.Name)
	if n := utf8.RuneCountInString(req.Name); n < 1 || n > 64 || strings.ContainsFunc(req.Name, func(c rune) bool { return !unicode.IsPrint(c) }) {
		wrong = append(wrong, problem.Field{Field: "name", Message: "must have 1 to 64 characters that can be printed", Hint: "what the token is for"})
	}
	if len(req.Permissions) == 0 {
		wrong = append(wrong, problem.Field{Field: "permissions", Message: "must have at least one permission", Hint: "read is enough to look"})
	}
	for i, perm := range req.Permissions {
		field := "permissions[" + itoa(i) + "]"
		switch {
		case perm == UserEdit:
			wrong = append(wrong, problem.Field{Field: field, Message: "cannot be given to a token", Hint: "users are made by people"})
		case !who.May(perm):
			wrong = append(wrong, problem.Field{Field: field, Message: "is a permission that you do not have", Hint: "the roles that have it: " + names(RolesWith(perm))})
		}
	}
	if req.Days < 1 || req.Days > a.cfg.TokenMaxDays {
		wrong = append(wrong, problem.Field{Field: "expires_in_days", Message: "must be from 1 to " + itoa(a.cfg.TokenMaxDays)})
	}
	if wrong != nil {
		return problem.BadRequest("The token cannot be made like this.", "", wrong[:min(len(wrong), problem.MaxErrors)]...)
	}
	u, err := a.enabledOwner(r, who)
	if err != nil {
		return err
	}
	mine, err := a.tokens(r.Context(), who.Name)
	if err != nil {
		return err
	}
	if len(mine) >= MaxTokens {
		return problem.Conflict("You have "+itoa(MaxTokens)+" tokens already.", "remove those that nobody uses")
	}
	if slices.ContainsFunc(mine, func(t Token) bool { return t.Name == req.Name }) {
		return problem.Conflict("You have a token of that name already.", "remove it first, or choose another name")
	}
	now := a.now()
	id, text := makeToken()
	doc := tokenDoc{Name: req.Name, Owner: who.Name, UID: u.UID, Permissions: both(req.Permissions, Permissions()), Created: now,
		Expires: now.Add(time.Duration(req.Days) * 24 * time.Hour), Hash: digest("token " + text)}
	e := a.entry(who, actTokenCreate, id)
	e.After = doc.audited()
	if err := a.commit(r.Context(), []store.Write{put(kindToken, id, 0, doc)}, e); err != nil {
		return err
	}
	answer(w, http.StatusCreated, NewToken{doc.view(id), text})
	return nil
}

func (a *Access) enabledOwner(r *http.Request, who Actor) (*userDoc, error) {
	u, _, err := fresh[userDoc](r.Context(), a, kindUser, who.Name)
	if err != nil {
		return nil, err
	}
	if u.Disabled {
		return nil, refuse(ErrDisabled, "This account is disabled.", "")
	}
	return u, nil
}

func (t *tokenDoc) audited() []byte {
	return marshal(map[string]any{"name": t.Name, "owner": t.Owner, "permissions": t.Permissions, "expires": t.Expires})
}

// deleteTokens removes a token: one's own, or with user.edit anybody's.
func (a *Access) deleteTokens(w http.ResponseWriter, r *http.Request) error {
	who, err := person(r)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	none := problem.NotFound("There is no such token (any more).")
	if len(id) > 2*tokenIDLen {
		return none
	}
	t, _, err := fresh[tokenDoc](r.Context(), a, kindToken, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && t.Owner != who.Name && !who.May(UserEdit) {
		return none
	} else if err != nil {
		return err
	}
	e := a.entry(who, actTokenDelete, id)
	e.Before = t.audited()
	if err := a.commit(r.Context(), []store.Write{remove(kindToken, id, store.AnyRevision)}, e); err != nil {
		return err
	}
	nothing(w)
	return nil
}
