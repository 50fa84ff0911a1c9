// SPDX-License-Identifier: Apache-2.0

package access

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/asepsis/asepsis/respond/problem"
)

// Route is one operation of the API. Its handler has everything around it that
// Permission asks for: it is mounted as it is.
type Route struct {
	Method     string
	Path       string // a pattern of http.ServeMux
	Permission Permission
	Handler    http.Handler
}

// Routes returns the operations about sessions, users, tokens and the audit trail.
func (a *Access) Routes() []Route {
	type handler = func(http.ResponseWriter, *http.Request) error
	var out []Route
	add := func(method, path string, p Permission, h handler) {
		out = append(out, Route{method, "/api/v1" + path, p, a.Require(p, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				a.fail(w, r, err)
			}
		}))})
	}
	add("GET", "/auth", Public, a.getAuth)
	add("POST", "/setup", Public, a.postSetup)
	add("GET", "/session", SignedIn, a.getSession)
	add("POST", "/session", Public, a.postSession)
	add("DELETE", "/session", SignedIn, a.deleteSession)
	add("GET", "/sessions", SignedIn, a.getSessions)
	add("DELETE", "/sessions/{id}", SignedIn, a.deleteSessions)
	add("PUT", "/account/password", SignedIn, a.putPassword)
	add("GET", "/users", UserEdit, a.getUsers)
	add("POST", "/users", UserEdit, a.postUsers)
	add("PATCH", "/users/{name}", UserEdit, a.patchUser)
	add("DELETE", "/users/{name}", UserEdit, a.deleteUsers)
	add("POST", "/users/{name}/password", UserEdit, a.postUserPassword)
	add("GET", "/tokens", SignedIn, a.getTokens)
	add("POST", "/tokens", SignedIn, a.postTokens)
	add("DELETE", "/tokens/{id}", SignedIn, a.deleteTokens)
	add("GET", "/audit", AuditRead, a.getAudit)
	add("GET", "/auth/oidc", Public, a.getOIDC)
	add("GET", "/auth/oidc/callback", Public, a.getOIDCCallback)
	return out
}

// answer sends JSON. What is about people and sessions is kept by no cache.
func answer(w http.ResponseWriter, status int, v any) {
	body := marshal(v)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(json.RawMessage(nil), append(body, '\n')...))
}

func nothing(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}

// actor returns who makes a request, for handlers behind Require.
func actor(r *http.Request) Actor {
	a, ok := ActorOf(r.Context())
	if !ok {
		panic("BUG: access: a handler without Require")
	}
	return a
}

// person refuses tokens: what is about people and credentials is done by people.
func person(r *http.Request) (Actor, error) {
	who := actor(r)
	if who.Via != ViaSession {
		return who, problem.Forbidden("An API token cannot do this, whatever its permissions.", "log in to the console")
	}
	return who, nil
}

// all reads the parameter all, which needs user.edit.
func all(r *http.Request, who Actor) (bool, error) {
	q, p := problem.Query(r, "all")
	if p != nil {
		return false, p
	}
	switch s := q.Get("all"); s {
	case "", "false":
		return false, nil
	case "true":
		if !who.May(UserEdit) {
			return false, lacks(who, UserEdit)
		}
		return true, nil
	}
	return false, problem.BadRequest("One parameter is not right.", "", problem.Field{Field: "all", Message: "must be true or false"})
}

// expectRevision reads the parameter revision; 0 when it is not there.
func expectRevision(r *http.Request) (uint64, error) {
	q, p := problem.Query(r, "revision")
	if p != nil {
		return 0, p
	}
	if q.Get("revision") == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(q.Get("revision"), 10, 63)
	if err != nil || n == 0 {
		return 0, problem.BadRequest("One parameter is not right.", "", problem.Field{Field: "revision", Message: "must be the revision that was read"})
	}
	return n, nil
}
