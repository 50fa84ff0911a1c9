// SPDX-License-Identifier: Apache-2.0

package access_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/access"
	"github.com/asepsis/asepsis/respond/access/accesstest"
)

func TestRolesAndPermissions(t *testing.T) {
	want := map[access.Role]string{
		access.Viewer:   "read",
		access.Analyst:  "read view.edit theatre.state",
		access.Biomed:   "read view.edit theatre.state device.edit",
		access.Engineer: "read view.edit theatre.state device.edit theatre.edit settings.edit",
		access.Admin:    "read view.edit theatre.state device.edit theatre.edit settings.edit user.edit audit.read",
	}
	h := newHouse(t)
	admin := h.setUp()
	for role, list := range want {
		t.Run(string(role), func(t *testing.T) {
			b := admin
			if role != access.Admin {
				b = admin.user(string(role)+"-user", role)
			}
			for _, p := range access.Permissions() {
				r := b.do("GET", "/need/"+string(p), nil)
				if slices.Contains(strings.Fields(list), string(p)) {
					r.want(200)
					continue
				}
				r.want(403, string(p), string(role))
				for _, has := range access.RolesWith(p) {
					r.want(403, string(has))
				}
			}
		})
	}
	if access.Role("owner").Permissions() != nil && len(access.Role("owner").Permissions()) > 0 {
		t.Error("an unknown role may something")
	}
}

func TestFirstStart(t *testing.T) {
	ctx := context.Background()
	setup := func(h *house, token, name, password string) reply {
		return h.browser().do("POST", "/setup", map[string]string{"token": token, "name": name, "display_name": "Ada", "password": password})
	}
	t.Run("the link makes an administrator, once", func(t *testing.T) {
		h := newHouse(t)
		if i := into[access.AuthInfo](h.browser().do("GET", "/auth", nil).want(200)); !i.SetupNeeded || !i.Password || i.OIDC != nil || i.Site != "St. Example" || i.Version != "1.2.3" {
			t.Errorf("before: %+v", i)
		}
		link, needed, err := h.access.SetupLink(ctx, h.server.URL+"/")
		if err != nil || !needed {
			t.Fatal(link, needed, err)
		}
		token := tokenOf(t, link)
		r := setup(h, token, "Ada", goodPassword).want(200)
		s := into[access.Session](r)
		if s.User.Name != "ada" || !slices.Equal(s.User.Roles, []access.Role{access.Admin}) || !s.User.Local || len(s.Permissions) != 8 || s.CSRF == "" || s.Site.Timezone != "Europe/Zurich" {
			t.Errorf("session %+v", s)
		}
		setup(h, token, "eve", goodPassword).want(409, "set up already")
		if i := into[access.AuthInfo](h.browser().do("GET", "/auth", nil).want(200)); i.SetupNeeded {
			t.Error("still needed")
		}
		if link, needed, err := h.access.SetupLink(ctx, "x"); link != "" || needed || err != nil {
			t.Error("a link for a house that is set up:", link, needed, err)
		}
		if strings.Contains(h.log.String(), token) {
			t.Error("the token is in the log")
		}
	})
	t.Run("a new start makes the link before it worthless", func(t *testing.T) {
		h := newHouse(t)
		first, _, _ := h.access.SetupLink(ctx, h.server.URL)
		second, _, _ := h.access.SetupLink(ctx, h.server.URL)
		setup(h, tokenOf(t, first), "ada", goodPassword).want(403, "not, or no longer")
		setup(h, tokenOf(t, second), "ada", goodPassword).want(200)
	})
	t.Run("the link expires", func(t *testing.T) {
		h := newHouse(t)
		link, _, _ := h.access.SetupLink(ctx, h.server.URL)
		h.clock.pass(24 * time.Hour)
		setup(h, tokenOf(t, link), "ada", goodPassword).want(403, "expired", "start asepsis again")
	})
	t.Run("a weak password leaves the link as it is", func(t *testing.T) {
		h := newHouse(t)
		link, _, _ := h.access.SetupLink(ctx, h.server.URL)
		setup(h, tokenOf(t, link), "ada", "short").want(400, "password", "12")
		setup(h, tokenOf(t, link), "ada", goodPassword).want(200)
	})
	t.Run("of two who use it at once one is refused", func(t *testing.T) {
		h := newHouse(t)
		link, _, _ := h.access.SetupLink(ctx, h.server.URL)
		got := make(chan int, 4)
		for _, name := range []string{"ada", "bob", "cyd", "dee"} {
			go func() { got <- setup(h, tokenOf(t, link), name, goodPassword).status }()
		}
		ok := 0
		for range 4 {
			if s := <-got; s == 200 {
				ok++
			} else if s != 409 && s != 403 {
				t.Errorf("answered %d", s)
			}
		}
		if ok != 1 {
			t.Errorf("%d administrators were made with one link", ok)
		}
	})
	t.Run("guesses are slowed down", func(t *testing.T) {
		h := newHouse(t)
		_, _, _ = h.access.SetupLink(ctx, h.server.URL)
		for range 20 {
			setup(h, "guess", "ada", goodPassword).want(403)
		}
		setup(h, "guess", "ada", goodPassword).want(429)
	})
}

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

// patch changes a user at the revision that he has.
func (b *browser) patch(name string, change map[string]any) reply {
	b.h.t.Helper()
	change["revision"] = b.revision(name)
	return b.do("PATCH", "/users/"+name, change)
}

func TestTheLastAdministratorStays(t *testing.T) {
	h := newHouse(t)
	ada := h.setUp()
	bob := ada.user("bob", access.Admin, access.Viewer)
	// bob is refused what would leave him alone with nobody.
	ada.patch("ada", map[string]any{"roles": []string{"viewer"}}).want(409, "own roles")
	ada.patch("ada", map[string]any{"disabled": true}).want(409, "own account")
	ada.do("DELETE", "/users/ada", nil).want(409, "own account")
	bob.patch("ada", map[string]any{"roles": []string{"viewer"}}).want(200)
	bob.do("DELETE", "/users/ada", nil).want(204)

	t.Run("also when two demote each other at once", func(t *testing.T) {
		for range 20 {
			h := newHouse(t)
			ada := h.setUp()
			bob := ada.user("bob", access.Admin)
			a, b := ada.revision("bob"), bob.revision("ada")
			got := make(chan int, 2)
			go func() {
				got <- ada.do("PATCH", "/users/bob", map[string]any{"revision": a, "disabled": true}).status
			}()
			go func() { got <- bob.do("DELETE", "/users/ada", nil).status }()
			one, two := <-got, <-got
			_ = b
			if (one == 200 || one == 204) && (two == 200 || two == 204) {
				t.Fatal("both were let through: nobody is left")
			}
			n := 0
			for _, name := range []string{"ada", "bob"} {
				if h.browser().do("POST", "/session", map[string]string{"name": name, "password": goodPassword}).status == 200 {
					n++
				}
			}
			if n == 0 {
				t.Fatal("nobody can log in")
			}
		}
	})
}

func TestTwoPeopleEditOneUser(t *testing.T) {
	h := newHouse(t)
	ada := h.setUp()
	ada.user("bea", access.Viewer)
	rev := ada.revision("bea")
	got := make(chan int, 8)
	for i := range 8 {
		go func() {
			got <- ada.do("PATCH", "/users/bea", map[string]any{"revision": rev, "display_name": strings.Repeat("x", i+1)}).status
		}()
	}
	n := map[int]int{}
	for range 8 {
		n[<-got]++
	}
	if n[200] != 1 || n[409] != 7 {
		t.Errorf("answers %v", n)
	}
	ada.do("PATCH", "/users/bea", map[string]any{"display_name": "x"}).want(400, "revision")
	ada.do("DELETE", "/users/bea?revision=1", nil).want(409, "meanwhile")
	ada.do("DELETE", "/users/bea?revision=2", nil).want(204)
	ada.do("DELETE", "/users/bea", nil).want(404)
}

func TestUsers(t *testing.T) {
	h := newHouse(t)
	ada := h.setUp()
	ada.user("bea", access.Viewer)
	post := func(v map[string]any) reply { return ada.do("POST", "/users", v) }
	full := func(k string, v any) map[string]any {
		m := map[string]any{"name": "cyd", "display_name": "Cyd", "roles": []string{"viewer"}, "password": goodPassword}
		if v == nil {
			delete(m, k)
		} else {
			m[k] = v
		}
		return m
	}
	for name, tt := range map[string]struct {
		body map[string]any
		want []string
	}{
		"a name with a slash":      {full("name", "a/b"), []string{`"name"`}},
		"a name that is reserved":  {full("name", "System"), []string{"reserved"}},
		"a long name":              {full("name", strings.Repeat("a", 65)), []string{`"name"`}},
		"no name":                  {full("name", nil), []string{`"name"`}},
		"no role":                  {full("roles", []string{}), []string{"at least one role"}},
		"a role that is not known": {full("roles", []string{"viewer", "owner"}), []string{"roles[1]", "must be a role", "engineer"}},
		"a role alone":             {full("roles", "viewer"), []string{"must be a list, is text"}},
		"a short password":         {full("password", "12345678901"), []string{`"password"`, "12"}},
		"a common password":        {full("password", "Password1234567!"), []string{`"password"`}},
		"the name as password":     {full("password", "cydcydcyd-cyd1"), []string{`"password"`}},
		"an unknown field":         {full("rolls", []string{"viewer"}), []string{"rolls", `did you mean \"roles\"`}},
		"a bell in the name":       {full("display_name", "a\ab"), []string{"display_name"}},
	} {
		t.Run(name+" is refused", func(t *testing.T) { post(tt.body).want(400, tt.want...) })
	}
	post(full("name", "BEA")).want(409, "already")
	r := post(full("x", nil)).want(201)
	if u := into[access.User](r); u.Name != "cyd" || !u.Local || u.Revision != 1 || r.header.Get("Location") != "/api/v1/users/cyd" || strings.Contains(string(r.body), "argon") {
		t.Errorf("%s", r.body)
	}
	list := into[[]access.User](ada.do("GET", "/users", nil).want(200))
	if len(list) != 3 || list[0].LastLogin == nil || list[2].LastLogin != nil {
		t.Errorf("%+v", list)
	}
	ada.do("POST", "/users/ada/password", map[string]string{"new": goodPassword}).want(409, "account/password")
	ada.do("POST", "/users/none/password", map[string]string{"new": goodPassword}).want(404)
	ada.do("PATCH", "/users/none", map[string]any{"revision": 1}).want(404)
	ada.do("PATCH", "/users/cyd", map[string]any{"revision": 1, "roles": nil, "disabled": nil}).want(400, "must not be null")

	var actions []string
	for _, e := range slices.Backward(h.audit()) {
		actions = append(actions, e.Who+" "+e.Action+" "+e.Result)
	}
	want := []string{"system setup.link done", "ada setup.done done", "ada session.login done", "ada user.create done", "bea session.login done", "ada user.create done"}
	if !slices.Equal(actions, want) {
		t.Errorf("audited %q", actions)
	}
}

func TestTokens(t *testing.T) {
	h := newHouse(t)
	ada := h.setUp()
	bea := ada.user("bea", access.Engineer)
	cli, made := bea.token("backup job", access.Read, access.DeviceEdit)
	if len(made.Secret) != 80 || !strings.HasPrefix(made.Secret, "asp_"+made.ID+"_") || made.Owner != "bea" || !made.Expires.Equal(h.clock.now().Add(30*24*time.Hour)) {
		t.Errorf("%+v", made)
	}
	if got := string(cli.do("GET", "/need/device.edit", nil).want(200).body); got != "token:bea/backup job" {
		t.Errorf("it is called %q", got)
	}
	cli.do("POST", "/need/device.edit", nil).want(200) // no CSRF for tokens
	cli.do("GET", "/need/settings.edit", nil).want(403, "API token does not have")
	if s := into[access.Session](cli.do("GET", "/session", nil).want(200)); s.CSRF != "" || len(s.Permissions) != 2 {
		t.Errorf("%+v", s)
	}
	for name, r := range map[string]reply{
		"make a token":     cli.do("POST", "/tokens", map[string]any{"name": "x", "permissions": []string{"read"}, "expires_in_days": 1}),
		"remove a token":   cli.do("DELETE", "/tokens/"+made.ID, nil),
		"end a session":    cli.do("DELETE", "/session", nil),
		"change passwords": cli.do("PUT", "/account/password", map[string]string{"old": goodPassword, "new": goodPassword + "y"}),
		"list users":       cli.do("GET", "/users", nil),
	} {
		if r.status != 403 {
			t.Errorf("a token could %s: %d", name, r.status)
		}
	}
	for name, tt := range map[string]struct {
		body string
		want string
	}{
		"more than its owner may": {`{"name":"x","permissions":["audit.read"],"expires_in_days":1}`, "do not have"},
		"the right to make users": {`{"name":"x","permissions":["user.edit"],"expires_in_days":1}`, "cannot be given"},
		"no permission":           {`{"name":"x","permissions":[],"expires_in_days":1}`, "at least one"},
		"an unknown permission":   {`{"name":"x","permissions":["write"],"expires_in_days":1}`, "must be a permission"},
		"no end":                  {`{"name":"x","permissions":["read"]}`, "expires_in_days"},
		"an end too far away":     {`{"name":"x","permissions":["read"],"expires_in_days":366}`, "from 1 to 365"},
		"no name":                 {`{"name":" ","permissions":["read"],"expires_in_days":1}`, `"name"`},
	} {
		bea.do("POST", "/tokens", tt.body).want(400, tt.want)
		_ = name
	}
	bea.do("POST", "/tokens", `{"name":"backup job","permissions":["read"],"expires_in_days":1}`).want(409, "of that name")

	// What the owner loses, the token loses.
	ada.patch("bea", map[string]any{"roles": []string{"viewer"}}).want(200)
	cli.do("GET", "/need/device.edit", nil).want(403)
	cli.do("GET", "/need/read", nil).want(200)
	ada.patch("bea", map[string]any{"disabled": true}).want(200)
	cli.do("GET", "/need/read", nil).want(401, "disabled")
	ada.patch("bea", map[string]any{"disabled": false}).want(200)
	cli.do("GET", "/need/read", nil).want(200)

	h.clock.pass(30 * 24 * time.Hour)
	cli.do("GET", "/need/read", nil).want(401, "expired on 15 April 2026")
	bea = h.login("bea")
	if list := into[[]access.Token](bea.do("GET", "/tokens", nil).want(200)); len(list) != 1 || list[0].LastUsed == nil {
		t.Errorf("%+v", list)
	}
	cli2, made2 := bea.token("second", access.Read)
	ada = h.login("ada")
	if list := into[[]access.Token](ada.do("GET", "/tokens", nil).want(200)); len(list) != 0 {
		t.Errorf("%+v", list)
	}
	if list := into[[]access.Token](ada.do("GET", "/tokens?all=true", nil).want(200)); len(list) != 2 {
		t.Errorf("%+v", list)
	}
	bea.do("GET", "/tokens?all=true", nil).want(403)
	ada.do("DELETE", "/tokens/"+made2.ID, nil).want(204)
	cli2.do("GET", "/need/read", nil).want(401, "removed")
	bea.do("DELETE", "/tokens/"+made2.ID, nil).want(404)

	// A later user of the same name does not inherit.
	cli3, _ := bea.token("third", access.Read)
	ada.do("DELETE", "/users/bea", nil).want(204)
	cli3.do("GET", "/need/read", nil).want(401)
	ada.user("bea", access.Viewer)
	cli3.do("GET", "/need/read", nil).want(401)
	all, _ := json.Marshal(h.audit())
	if strings.Contains(string(all), made.Secret[21:]) || strings.Contains(h.log.String(), made.Secret[21:]) {
		t.Error("the secret is in the audit trail or the log")
	}
}

func TestCredentialsThatAreRefused(t *testing.T) {
	h := newHouse(t)
	ada := h.setUp()
	_, made := ada.token("t", access.Read)
	for name, tt := range map[string]struct {
		header string
		want   string
	}{
		"nothing":                      {"", "needs a log-in"},
		"another scheme":               {"Basic YWRhOmFkYQ==", "Bearer TOKEN"},
		"no token":                     {"Bearer", "Bearer TOKEN"},
		"an empty token":               {"Bearer  ", "Bearer TOKEN"},
		"a token that is cut off":      {"Bearer " + made.Secret[:60], "cut off or mistyped"},
		"a token with a wrong letter":  {"Bearer " + flip(made.Secret, 30), "cut off or mistyped"},
		"a token in capitals":          {"Bearer " + strings.ToUpper(made.Secret), "cut off or mistyped"},
		"a token that was never given": {"Bearer asp_aaaaaaaaaaaaaaaa_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "cut off or mistyped"},
	} {
		t.Run(name, func(t *testing.T) {
			b := h.browser()
			if tt.header != "" {
				b.header.Set("Authorization", tt.header)
				// The cookie does not help.
				b.client.Jar = ada.client.Jar
			}
			r := b.do("GET", "/need/read", nil).want(401, tt.want)
			if !strings.HasPrefix(r.header.Get("WWW-Authenticate"), `Bearer realm="asepsis"`) {
				t.Error(r.header)
			}
			if made.Secret != "" && strings.Contains(string(r.body), made.Secret[30:50]) {
				t.Error("the answer repeats the token")
			}
		})
	}
	t.Run("a scheme in another case is taken", func(t *testing.T) {
		b := h.browser()
		b.header.Set("Authorization", "bEARER "+made.Secret)
		b.do("GET", "/need/read", nil).want(200)
	})
	t.Run("a cookie of another form", func(t *testing.T) {
		b := h.browser()
		b.client.Jar.SetCookies(mustURL(t, h.server.URL), []*http.Cookie{{Name: cookieName(h), Value: "x"}})
		b.do("GET", "/need/read", nil).want(401, "malformed")
	})
	t.Run("two cookies", func(t *testing.T) {
		b := h.browser()
		b.client.Jar = nil
		v := ada.client.Jar.Cookies(mustURL(t, h.server.URL))[0].Value
		b.header.Set("Cookie", cookieName(h)+"="+v+"; "+cookieName(h)+"="+v)
		b.do("GET", "/need/read", nil).want(401, "malformed")
	})
	t.Run("a cookie that was never given", func(t *testing.T) {
		b := h.browser()
		b.client.Jar.SetCookies(mustURL(t, h.server.URL), []*http.Cookie{{Name: cookieName(h), Value: strings.Repeat("A", 43)}})
		b.do("GET", "/need/read", nil).want(401, "has ended")
	})
}

func TestRequestsOfOtherSites(t *testing.T) {
	h := newHouse(t)
	ada := h.setUp()
	for name, tt := range map[string]struct {
		change func(b *browser)
		status int
	}{
		"our own page":                        {func(*browser) {}, 200},
		"our own page, said by Origin":        {func(b *browser) { b.header.Set("Origin", h.server.URL) }, 200},
		"our own page, said by the browser":   {func(b *browser) { b.header.Set("Sec-Fetch-Site", "same-origin") }, 200},
		"no token":                            {func(b *browser) { b.csrf = "" }, 403},
		"the token of another session":        {func(b *browser) { b.csrf = h.login("ada").csrf }, 403},
		"two tokens":                          {func(b *browser) { b.header["X-Csrf-Token"] = []string{b.csrf, b.csrf} }, 403},
		"another origin":                      {func(b *browser) { b.header.Set("Origin", "https://evil.example") }, 403},
		"another port of this host":           {func(b *browser) { b.header.Set("Origin", "http://127.0.0.1:1") }, 403},
		"no origin, as a sandbox has it":      {func(b *browser) { b.header.Set("Origin", "null") }, 403},
		"another site, said by the browser":   {func(b *browser) { b.header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		"the same site, another origin":       {func(b *browser) { b.header.Set("Sec-Fetch-Site", "same-site") }, 403},
		"our origin, but the browser objects": {func(b *browser) { b.header.Set("Origin", h.server.URL); b.header.Set("Sec-Fetch-Site", "cross-site") }, 403},
	} {
		t.Run(name, func(t *testing.T) {
			b := *ada
			b.header = http.Header{}
			tt.change(&b)
			b.do("POST", "/need/read", nil).want(tt.status)
			if tt.status == 403 {
				b.do("GET", "/need/read", nil).want(200) // reading changes nothing
			}
		})
	}
	t.Run("a log-in that another site makes", func(t *testing.T) {
		b := h.browser()
		b.header.Set("Sec-Fetch-Site", "cross-site")
		r := b.do("POST", "/session", map[string]string{"name": "ada", "password": goodPassword}).want(403, "another site")
		if len(r.cookies) != 0 {
			t.Error("it was given a cookie")
		}
	})
}

func TestTheStoreIsAway(t *testing.T) {
	docs := &accesstest.Documents{}
	h := newHouse(t, inMemory(docs))
	ada := h.setUp()
	ada.do("GET", "/session", nil).want(200)
	h.clock.pass(2 * time.Second)
	docs.Fail = func(string) error { return errAway }
	r := ada.do("GET", "/need/read", nil).want(503, "store")
	if r.header.Get("Retry-After") != "5" || strings.Contains(string(r.body), errAway.Error()) {
		t.Errorf("%v %s", r.header, r.body)
	}
	h.browser().do("POST", "/session", map[string]string{"name": "ada", "password": goodPassword}).want(503)
	h.browser().do("GET", "/auth", nil).want(503)
	docs.Fail = func(call string) error {
		if call == "Commit" {
			return store.ErrFull
		}
		return nil
	}
	ada.do("GET", "/need/read", nil).want(200)
	ada.do("POST", "/users", map[string]any{"name": "x", "roles": []string{"viewer"}, "password": goodPassword}).want(507, "disk is full")
	docs.Fail = nil
	ada.do("GET", "/need/read", nil).want(200)
	if strings.Count(h.log.String(), "request failed") == 0 {
		t.Error("nothing was logged")
	}
}

func TestAuditPages(t *testing.T) {
	h := newHouse(t)
	ada := h.setUp()
	bea := ada.user("bea", access.Viewer)
	for range 10 {
		h.login("bea")
	}
	bea.do("GET", "/audit", nil).want(403, "audit.read")
	var got []uint64
	path := "/audit?limit=4&action=session."
	for {
		p := into[access.AuditPage](ada.do("GET", path, nil).want(200))
		for _, e := range p.Entries {
			got = append(got, e.ID)
			if !strings.HasPrefix(e.Action, "session.") || e.Time.IsZero() {
				t.Errorf("%+v", e)
			}
		}
		if p.Next == nil {
			break
		}
		path = "/audit?limit=4&action=session.&before=" + itoa(*p.Next)
	}
	if len(got) != 12 || !slices.IsSortedFunc(got, func(a, b uint64) int { return int(b) - int(a) }) {
		t.Errorf("%v", got)
	}
	if p := into[access.AuditPage](ada.do("GET", "/audit?who=ada&action=user.create&object=bea", nil).want(200)); len(p.Entries) != 1 || !strings.Contains(string(p.Entries[0].After), `"viewer"`) {
		t.Errorf("%+v", p)
	}
	for _, bad := range []string{"limit=0", "limit=1000", "before=x", "before=0", "from=yesterday", "whom=ada", "who=a&who=b", "who=%ff", "who=%zz"} {
		ada.do("GET", "/audit?"+bad, nil).want(400)
	}
}
