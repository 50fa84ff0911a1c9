// SPDX-License-Identifier: Apache-2.0

package access_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/respond/access"
)

func TestLogIn(t *testing.T) {
	h := newHouse(t)
	admin := h.setUp()
	admin.user("bea", access.Biomed)
	login := func(name, password string) reply {
		return h.browser().do("POST", "/session", map[string]string{"name": name, "password": password})
	}
	r := login(" BEA ", goodPassword).want(200)
	s := into[access.Session](r)
	if s.User.Name != "bea" || s.User.DisplayName != "bea" || !s.Expires.Equal(h.clock.now().Add(12*time.Hour)) {
		t.Errorf("session %+v", s)
	}
	c := r.cookies[0]
	if len(r.cookies) != 1 || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Secure || len(c.Value) != 43 || r.header.Get("Cache-Control") != "no-store" {
		t.Errorf("cookie %+v", c)
	}
	wrong := login("bea", goodPassword+"x").want(401, "name or the password")
	if wrong.header.Get("WWW-Authenticate") == "" || len(wrong.cookies) != 0 {
		t.Error("headers", wrong.header)
	}
	nobody := login("nobody-here", goodPassword).want(401)
	if string(nobody.body) != string(wrong.body) {
		t.Errorf("a name that nobody has is told apart: %s, %s", nobody.body, wrong.body)
	}
	login("", "").want(401)
	login("bea", strings.Repeat("x", 2000)).want(400)
	admin.do("PATCH", "/users/bea", map[string]any{"revision": admin.revision("bea"), "disabled": true}).want(200)
	login("bea", goodPassword).want(401, "disabled")
	login("bea", "wrong wrong wrong").want(401, "name or the password")

	var notes []string
	for _, e := range h.audit() {
		if e.Action == "session.login" && e.Result == "refused" {
			notes = append(notes, e.Who+": "+e.Note)
		}
		if e.From != "127.0.0.1" && e.Who != "system" {
			t.Errorf("entry without its address: %+v", e)
		}
	}
	want := []string{"bea: wrong password", "bea: account disabled", "nobody: no such user", "nobody: no such user", "bea: wrong password"}
	if !slices.Equal(notes, want) {
		t.Errorf("audited %q", notes)
	}
	all, _ := json.Marshal(h.audit())
	for _, secret := range []string{goodPassword, "nobody-here", c.Value, "argon2"} {
		if strings.Contains(string(all), secret) || strings.Contains(h.log.String(), secret) {
			t.Errorf("%q is in the audit trail or the log", secret)
		}
	}
}

func TestSessions(t *testing.T) {
	t.Run("a session ends when nothing is asked for", func(t *testing.T) {
		h := newHouse(t)
		b := h.setUp()
		h.clock.pass(59 * time.Minute)
		b.do("GET", "/session", nil).want(200)
		h.clock.pass(59 * time.Minute)
		b.do("GET", "/session", nil).want(200)
		h.clock.pass(time.Hour)
		r := b.do("GET", "/session", nil).want(401, "nothing was asked for in 1h")
		if !strings.Contains(r.header.Get("WWW-Authenticate"), "invalid_token") {
			t.Error(r.header)
		}
	})
	t.Run("a session ends in the end", func(t *testing.T) {
		h := newHouse(t)
		b := h.setUp()
		for range 23 {
			h.clock.pass(30 * time.Minute)
			b.do("GET", "/session", nil).want(200)
		}
		h.clock.pass(30 * time.Minute)
		b.do("GET", "/session", nil).want(401, "after 12h")
	})
	t.Run("logging out ends it at once", func(t *testing.T) {
		h := newHouse(t)
		b := h.setUp()
		stolen := h.browser()
		stolen.client.Jar.SetCookies(mustURL(t, h.server.URL), b.client.Jar.Cookies(mustURL(t, h.server.URL)))
		stolen.do("GET", "/session", nil).want(200)
		r := b.do("DELETE", "/session", nil).want(204)
		if len(r.cookies) != 1 || r.cookies[0].MaxAge >= 0 {
			t.Errorf("the cookie stays: %v", r.cookies)
		}
		stolen.do("GET", "/session", nil).want(401, "has ended")
		b.do("GET", "/session", nil).want(401, "needs a log-in")
	})
	t.Run("a list, and ending one of it", func(t *testing.T) {
		h := newHouse(t)
		admin := h.setUp()
		admin.header.Set("User-Agent", "Browser \u2603 1")
		bea := admin.user("bea", access.Viewer)
		other := h.login("bea")
		list := into[[]access.SessionInfo](bea.do("GET", "/sessions", nil).want(200))
		if len(list) != 2 || list[0].User != "bea" || list[0].Current == list[1].Current {
			t.Fatalf("list %+v", list)
		}
		i := slices.IndexFunc(list, func(s access.SessionInfo) bool { return !s.Current })
		bea.do("GET", "/sessions?all=true", nil).want(403, "user.edit")
		bea.do("GET", "/sessions?every=true", nil).want(400, "every")
		bea.do("DELETE", "/sessions/"+list[i].ID, nil).want(204)
		other.do("GET", "/session", nil).want(401)
		bea.do("GET", "/session", nil).want(200)
		bea.do("DELETE", "/sessions/"+list[i].ID, nil).want(404)

		every := into[[]access.SessionInfo](admin.do("GET", "/sessions?all=true", nil).want(200))
		if len(every) != 2 {
			t.Fatalf("all: %+v", every)
		}
		for _, s := range every {
			if s.User == "ada" {
				bea.do("DELETE", "/sessions/"+s.ID, nil).want(404)
			}
		}
		for _, s := range every {
			if s.User == "bea" {
				admin.do("DELETE", "/sessions/"+s.ID, nil).want(204)
			}
		}
		bea.do("GET", "/session", nil).want(401)
		admin.do("GET", "/session", nil).want(200)
	})
	t.Run("a log-in gives a new cookie and ends the session before it", func(t *testing.T) {
		h := newHouse(t)
		b := h.setUp()
		u := mustURL(t, h.server.URL)
		before := b.client.Jar.Cookies(u)
		b.do("POST", "/session", map[string]string{"name": "ada", "password": goodPassword}).want(200)
		if after := b.client.Jar.Cookies(u); after[0].Value == before[0].Value {
			t.Error("the same cookie")
		}
		old := h.browser()
		old.client.Jar.SetCookies(u, before)
		old.do("GET", "/session", nil).want(401)
	})
	t.Run("the oldest of too many end", func(t *testing.T) {
		h := newHouse(t)
		first := h.setUp()
		for range access.MaxSessions {
			h.clock.pass(time.Second)
			h.login("ada")
		}
		first.do("GET", "/session", nil).want(401)
		if list := into[[]access.SessionInfo](h.login("ada").do("GET", "/sessions", nil).want(200)); len(list) != access.MaxSessions {
			t.Errorf("%d sessions", len(list))
		}
	})
}

func TestRevocation(t *testing.T) {
	for name, act := range map[string]func(admin *browser){
		"another role": func(b *browser) { b.patch("bea", map[string]any{"roles": []string{"viewer"}}).want(200) },
		"disabling":    func(b *browser) { b.patch("bea", map[string]any{"disabled": true}).want(200) },
		"a new password": func(b *browser) {
			b.do("POST", "/users/bea/password", map[string]string{"new": "ochre kettle 19 windows"}).want(204)
		},
		"removal": func(b *browser) { b.do("DELETE", "/users/bea", nil).want(204) },
	} {
		t.Run(name+" ends the sessions of a user at once", func(t *testing.T) {
			h := newHouse(t)
			admin := h.setUp()
			bea := admin.user("bea", access.Engineer)
			bea.do("GET", "/need/settings.edit", nil).want(200)
			act(admin)
			bea.do("GET", "/need/read", nil).want(401)
		})
	}
	t.Run("another display name does not", func(t *testing.T) {
		h := newHouse(t)
		admin := h.setUp()
		bea := admin.user("bea", access.Engineer)
		admin.patch("bea", map[string]any{"display_name": "Bea Muster"}).want(200, "Bea Muster")
		if s := into[access.Session](bea.do("GET", "/session", nil).want(200)); s.User.DisplayName != "Bea Muster" {
			t.Errorf("%+v", s)
		}
	})
	t.Run("one's own new password ends all sessions but this browser's, which gets another", func(t *testing.T) {
		h := newHouse(t)
		admin := h.setUp()
		bea := admin.user("bea", access.Engineer)
		other := h.login("bea")
		u := mustURL(t, h.server.URL)
		before := bea.client.Jar.Cookies(u)
		bea.do("PUT", "/account/password", map[string]string{"old": "not the old one", "new": "ochre kettle 19 windows"}).want(400, `"old"`)
		bea.do("PUT", "/account/password", map[string]string{"old": goodPassword, "new": "bea.bea.bea.bea"}).want(400, `"new"`)
		bea.do("PUT", "/account/password", map[string]string{"old": goodPassword, "new": goodPassword}).want(400, "is the old")
		bea.csrf = into[access.Session](bea.do("PUT", "/account/password", map[string]string{"old": goodPassword, "new": "ochre kettle 19 windows"}).want(200)).CSRF
		other.do("GET", "/session", nil).want(401, "password")
		bea.do("GET", "/session", nil).want(200)
		stolen := h.browser()
		stolen.client.Jar.SetCookies(u, before)
		stolen.do("GET", "/session", nil).want(401)
		h.browser().do("POST", "/session", map[string]string{"name": "bea", "password": goodPassword}).want(401)
		h.browser().do("POST", "/session", map[string]string{"name": "bea", "password": "ochre kettle 19 windows"}).want(200)
	})
	t.Run("another process believes what it read for two seconds at most", func(t *testing.T) {
		h := newHouse(t)
		admin := h.setUp()
		bea := admin.user("bea", access.Engineer)
		second := newHouse(t, func(_ *access.Config, d *access.Deps) { d.Store, d.Now = h.docs, h.clock.now })
		there := second.browser()
		there.client.Jar.SetCookies(mustURL(t, second.server.URL), renamed(bea.client.Jar.Cookies(mustURL(t, h.server.URL)), second))
		there.do("GET", "/need/read", nil).want(200)
		admin.patch("bea", map[string]any{"disabled": true}).want(200)
		there.do("GET", "/need/read", nil).want(200) // still believed
		h.clock.pass(2 * time.Second)
		there.do("GET", "/need/read", nil).want(401, "disabled")
	})
}
