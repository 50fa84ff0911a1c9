// SPDX-License-Identifier: Apache-2.0

package access_test

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/respond/access"
)

func TestLogInThroughAProvider(t *testing.T) {
	p := newOpenID(t)
	h := p.house()
	ada := h.setUp()
	if i := into[access.AuthInfo](h.browser().do("GET", "/auth", nil).want(200)); i.OIDC == nil || i.OIDC.Name != "Hospital login" {
		t.Errorf("%+v", i)
	}
	b := h.browser()
	if r := p.through(b, "/events?q=a%20b#x").want(303); r.header.Get("Location") != "/events?q=a%20b#x" {
		t.Errorf("sent on to %q", r.header.Get("Location"))
	}
	s := into[access.Session](b.do("GET", "/session", nil).want(200))
	if s.User.Name != "eve@hospital.example" || s.User.DisplayName != "Eve Example" || s.User.Local || !slices.Equal(s.User.Roles, []access.Role{access.Analyst}) {
		t.Errorf("%+v", s.User)
	}
	b.csrf = s.CSRF
	b.do("PUT", "/account/password", map[string]string{"old": goodPassword, "new": goodPassword}).want(409, "Hospital login")
	ada.do("POST", "/users/eve@hospital.example/password", map[string]string{"new": "ochre kettle 19 windows"}).want(409, "Hospital login")
	ada.patch("eve@hospital.example", map[string]any{"roles": []string{"admin"}}).want(409, "Hospital login")
	h.browser().do("POST", "/session", map[string]string{"name": "eve@hospital.example", "password": goodPassword}).want(401, "name or the password")

	t.Run("another name and role there are taken over, and end the sessions with the old role", func(t *testing.T) {
		p.set(func() { p.claims["name"], p.claims["groups"] = "Eve Newname", "biomed" })
		c := h.browser()
		p.through(c, "/").want(303)
		s := into[access.Session](c.do("GET", "/session", nil).want(200))
		if s.User.Name != "eve@hospital.example" || s.User.DisplayName != "Eve Newname" || !slices.Equal(s.User.Roles, []access.Role{access.Biomed}) {
			t.Errorf("%+v", s.User)
		}
		b.do("GET", "/session", nil).want(401, "roles")
	})
	t.Run("another name of the account does not make another user", func(t *testing.T) {
		p.set(func() { p.claims["preferred_username"] = "somebody.else" })
		c := h.browser()
		p.through(c, "/").want(303)
		if s := into[access.Session](c.do("GET", "/session", nil).want(200)); s.User.Name != "eve@hospital.example" {
			t.Errorf("%+v", s.User)
		}
	})
	t.Run("no role any more takes everything", func(t *testing.T) {
		c := h.browser()
		p.through(c, "/").want(303)
		c.csrf = into[access.Session](c.do("GET", "/session", nil).want(200)).CSRF
		cli, _ := c.token("x", access.Read)
		cli.do("GET", "/need/read", nil).want(200)
		p.set(func() { p.claims["groups"] = []string{"staff"} })
		p.through(h.browser(), "/").want(403, "gives you no role", "ask the administrator")
		c.do("GET", "/session", nil).want(401)
		cli.do("GET", "/need/read", nil).want(403)
	})
	t.Run("a disabled account stays out", func(t *testing.T) {
		p.set(func() { p.claims["groups"] = []string{"biomed"} })
		p.through(h.browser(), "/").want(303)
		ada.patch("eve@hospital.example", map[string]any{"disabled": true}).want(200)
		p.through(h.browser(), "/").want(403, "disabled")
	})
	t.Run("nobody is given an account that is another's by its name", func(t *testing.T) {
		p.set(func() { p.claims["sub"], p.claims["preferred_username"], p.claims["groups"] = "u-2", "Ada", "it" })
		p.through(h.browser(), "/").want(403, "already that of another account")
		p.set(func() { p.claims["preferred_username"] = "eve@hospital.example" })
		p.through(h.browser(), "/").want(403, "already that of another account")
		p.set(func() { p.claims["preferred_username"] = "eve hospital" })
		p.through(h.browser(), "/").want(403, "no name")
	})
	t.Run("an administrator there is no reason to let the last one with a password go", func(t *testing.T) {
		p.set(func() { p.claims["preferred_username"] = "idp-admin" })
		c := h.browser()
		p.through(c, "/").want(303)
		c.csrf = into[access.Session](c.do("GET", "/session", nil).want(200)).CSRF
		c.do("DELETE", "/users/ada", nil).want(409, "last administrator")
	})
	var who []string
	for _, e := range h.audit() {
		if e.Action == "session.login" && strings.Contains(e.Note, "Hospital login") {
			who = append(who, e.Who+" "+e.Result)
		}
	}
	if len(who) == 0 || !slices.Contains(who, "nobody refused") || !slices.Contains(who, "eve@hospital.example done") || !slices.Contains(who, "eve@hospital.example refused") {
		t.Errorf("audited %q", who)
	}
}

func TestRolesOfSeveralForms(t *testing.T) {
	for name, tt := range map[string]struct {
		claim string
		value any
		want  []access.Role
	}{
		"a text":                   {"groups", "biomed", []access.Role{access.Biomed}},
		"a list with other things": {"groups", []any{1, nil, "it", "biomed"}, []access.Role{access.Biomed, access.Admin}},
		"inside an object":         {"realm_access.roles", map[string]any{"roles": []string{"biomed"}}, []access.Role{access.Biomed}},
		"a name with dots":         {"https://example.org/roles", []string{"it"}, []access.Role{access.Admin}},
		"a number":                 {"groups", 7, nil},
		"an object":                {"groups", map[string]any{"biomed": true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := newOpenID(t)
			h := p.house(func(c *access.Config, _ *access.Deps) { c.OIDC.RoleClaim = tt.claim })
			p.set(func() {
				delete(p.claims, "groups")
				key := tt.claim
				if strings.HasPrefix(key, "realm") {
					key = "realm_access"
				}
				p.claims[key] = tt.value
			})
			b := h.browser()
			r := p.through(b, "/")
			if tt.want == nil {
				r.want(403, "no role")
				return
			}
			r.want(303)
			if s := into[access.Session](b.do("GET", "/session", nil).want(200)); !slices.Equal(s.User.Roles, tt.want) {
				t.Errorf("roles %v", s.User.Roles)
			}
		})
	}
	t.Run("from user info, where the ID token has none", func(t *testing.T) {
		p := newOpenID(t)
		h := p.house()
		p.set(func() { p.fromUserInfo = true })
		p.through(h.browser(), "/").want(303)
		p.set(func() { p.bend = func(_, claims map[string]any) { claims["sub"] = "u-9" } })
		p.through(h.browser(), "/").want(403, "cannot be trusted")
	})
}

func TestWhatAProviderMayNotSay(t *testing.T) {
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, bend := range map[string]func(p *openID, header, claims map[string]any){
		"another nonce":            func(_ *openID, _, c map[string]any) { c["nonce"] = strings.Repeat("A", 43) },
		"no nonce":                 func(_ *openID, _, c map[string]any) { delete(c, "nonce") },
		"another audience":         func(_ *openID, _, c map[string]any) { c["aud"] = "other" },
		"no audience":              func(_ *openID, _, c map[string]any) { delete(c, "aud") },
		"several, without azp":     func(_ *openID, _, c map[string]any) { c["aud"] = []string{"asepsis", "other"} },
		"another authorised party": func(_ *openID, _, c map[string]any) { c["azp"] = "other" },
		"another issuer":           func(_ *openID, _, c map[string]any) { c["iss"] = "https://evil.example" },
		"an expired token":         func(p *openID, _, c map[string]any) { c["exp"] = p.clock.now().Add(-time.Second).Unix() },
		"no expiry":                func(_ *openID, _, c map[string]any) { delete(c, "exp") },
		"no subject":               func(_ *openID, _, c map[string]any) { c["sub"] = "" },
		"another access token":     func(_ *openID, _, c map[string]any) { c["at_hash"] = "AAAAAAAAAAAAAAAAAAAAAA" },
		"no signature":             func(p *openID, h, _ map[string]any) { h["alg"] = "none"; p.sign = func(string) []byte { return nil } },
		"a MAC with the secret": func(p *openID, h, _ map[string]any) {
			h["alg"] = "HS256"
			p.sign = func(s string) []byte { return hs256(clientSecret, s) }
		},
		"a MAC with the public key": func(p *openID, h, _ map[string]any) {
			h["alg"] = "HS256"
			p.sign = func(s string) []byte { return hs256(string(p.key.N.Bytes()), s) }
		},
		"a stranger's key": func(p *openID, h, _ map[string]any) {
			p.sign = func(s string) []byte { return rs256(p.t, stranger, s) }
		},
		"a key that is not known": func(_ *openID, h, _ map[string]any) { h["kid"] = "k2" },
	} {
		t.Run(name, func(t *testing.T) {
			p := newOpenID(t)
			h := p.house()
			p.bend = func(header, claims map[string]any) { bend(p, header, claims) }
			b := h.browser()
			r := p.through(b, "/").want(403, "cannot be trusted")
			for _, c := range r.cookies {
				if c.Value != "" {
					t.Errorf("a cookie: %v", c)
				}
			}
			b.do("GET", "/session", nil).want(401)
			if !strings.Contains(h.log.String(), "log-in through the OpenID provider failed") {
				t.Errorf("the cause is not in the log: %s", h.log)
			}
			if a := h.audit(); len(a) != 1 || a[0].Result != "refused" || a[0].Who != "nobody" {
				t.Errorf("audited %+v", a)
			}
		})
	}
	t.Run("several audiences with us as the authorised party", func(t *testing.T) {
		p := newOpenID(t)
		p.bend = func(_, c map[string]any) { c["aud"], c["azp"] = []string{"other", "asepsis"}, "asepsis" }
		p.through(p.house().browser(), "/").want(303)
	})
}

func TestAnswersOfAProvider(t *testing.T) {
	p := newOpenID(t)
	h := p.house()
	start := func() (*browser, string) {
		b := h.browser()
		return b, p.visit(b, b.do("GET", "/auth/oidc?return=/", nil).want(303).header.Get("Location"))
	}
	change := func(location string, f func(url.Values)) string {
		u := mustURL(t, location)
		q := u.Query()
		f(q)
		u.RawQuery = q.Encode()
		return u.String()
	}
	t.Run("in another browser", func(t *testing.T) {
		_, to := start()
		h.browser().back(to).want(403, "not started in this browser")
	})
	t.Run("of another log-in", func(t *testing.T) {
		b, to := start()
		b.back(change(to, func(q url.Values) { q.Set("state", strings.Repeat("A", 43)) })).want(403, "another log-in")
	})
	t.Run("twice", func(t *testing.T) {
		b, to := start()
		b.back(to).want(303)
		b.back(to).want(403, "not started in this browser")
	})
	t.Run("too late", func(t *testing.T) {
		b, to := start()
		h.clock.pass(10 * time.Minute)
		b.back(to).want(403, "longer than 10m")
	})
	t.Run("of another provider (RFC 9207)", func(t *testing.T) {
		b, to := start()
		b.back(change(to, func(q url.Values) { q.Set("iss", "https://evil.example") })).want(403, "another provider")
	})
	t.Run("a refusal", func(t *testing.T) {
		b, to := start()
		r := b.back(change(to, func(q url.Values) {
			q.Del("code")
			q.Set("error", "access_denied")
			q.Set("error_description", "<b>call 555</b>")
		})).want(403, "did not log you in")
		if strings.Contains(string(r.body), "555") {
			t.Error("the answer repeats what anybody may write into a link")
		}
	})
	t.Run("without a code", func(t *testing.T) {
		b, to := start()
		b.back(change(to, func(q url.Values) { q.Del("code") })).want(403, "no code")
	})
	t.Run("with a code that is not his", func(t *testing.T) {
		b, to := start()
		_, other := start()
		b.back(change(to, func(q url.Values) { q.Set("code", mustURL(t, other).Query().Get("code")) })).want(403, "cannot be trusted")
	})
	t.Run("as a page, for a browser", func(t *testing.T) {
		b, to := start()
		b.header.Set("Accept", "text/html,*/*")
		r := b.back(change(to, func(q url.Values) { q.Set("state", "x") })).want(403, "<h1>", "another log-in", `href="/login"`)
		if !strings.HasPrefix(r.header.Get("Content-Type"), "text/html") || strings.Contains(string(r.body), "<script") || strings.Contains(string(r.body), "style") {
			t.Errorf("%s", r.body)
		}
	})
	t.Run("no ID token", func(t *testing.T) {
		b, to := start()
		p.set(func() {
			p.token = func(w http.ResponseWriter) bool {
				sendJSON(w, map[string]any{"access_token": "access", "token_type": "Bearer"})
				return true
			}
		})
		b.back(to).want(403, "cannot be trusted")
	})
	t.Run("an endless token", func(t *testing.T) {
		b, to := start()
		p.set(func() {
			p.token = func(w http.ResponseWriter) bool {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(`{"id_token":"`))
				for range 4 << 10 {
					if _, err := w.Write(make([]byte, 1<<10)); err != nil {
						break
					}
				}
				return true
			}
		})
		b.back(to).want(503, "does not answer as it should")
	})
	t.Run("a token endpoint that sends elsewhere", func(t *testing.T) {
		b, to := start()
		p.set(func() {
			p.token = func(w http.ResponseWriter) bool {
				w.Header().Set("Location", "http://127.0.0.1:1/steal")
				w.WriteHeader(http.StatusTemporaryRedirect)
				return true
			}
		})
		b.back(to).want(403, "cannot be trusted")
	})
	t.Run("too many at once", func(t *testing.T) {
		p.set(func() { p.token = nil })
		b, to := start()
		for range 40 {
			start := h.browser()
			start.client.Jar.SetCookies(mustURL(t, h.server.URL), b.client.Jar.Cookies(mustURL(t, h.server.URL)))
			if start.back(to).status == 429 {
				return
			}
		}
		t.Error("a stranger can make us ask the provider without end")
	})
}

func TestAProviderThatIsAway(t *testing.T) {
	p := newOpenID(t)
	p.down = true
	h := p.house()
	h.setUp()
	b := h.browser()
	b.do("GET", "/auth/oidc", nil).want(503, "does not answer", "password")
	h.login("ada")
	p.set(func() { p.down = false })
	b.do("GET", "/auth/oidc", nil).want(503) // it is not asked at every click
	h.clock.pass(5 * time.Second)
	p.through(b, "/").want(303)
	p.set(func() { p.down = true })
	p.through2(t, h)

	t.Run("another issuer in its metadata", func(t *testing.T) {
		p := newOpenID(t)
		p.discovery = func(m map[string]any) { m["issuer"] = "https://evil.example" }
		p.house().browser().do("GET", "/auth/oidc", nil).want(503)
	})
	t.Run("no provider", func(t *testing.T) {
		h := newHouse(t)
		h.browser().do("GET", "/auth/oidc", nil).want(404)
		h.browser().do("GET", "/auth/oidc/callback?code=x&state=y", nil).want(404)
	})
}

// through2: the provider goes away between its page and our question.
func (p *openID) through2(t *testing.T, h *house) {
	b := h.browser()
	to := b.do("GET", "/auth/oidc", nil).want(303).header.Get("Location")
	p.set(func() { p.down = false })
	back := p.visit(b, to)
	p.set(func() { p.down = true })
	b.back(back).want(503, "does not answer as it should")
}

func TestReturnPaths(t *testing.T) {
	p := newOpenID(t)
	h := p.house(func(c *access.Config, _ *access.Deps) {})
	for from, want := range map[string]string{
		"/devices":                     "/devices",
		"/events?is=protocol:dicom":    "/events?is=protocol:dicom",
		"":                             "/",
		"devices":                      "/",
		"//evil.example":               "/",
		"///evil.example":              "/",
		`/\evil.example`:               "/",
		`\\evil.example`:               "/",
		"/%5Cevil.example":             "/",
		"/\tevil.example":              "/",
		"/\n/evil.example":             "/",
		"/%0d%0aSet-Cookie:x":          "/",
		"https://evil.example/":        "/",
		"javascript:alert(1)":          "/",
		"/.//evil.example":             "/.//evil.example", // stays here
		"/%2f/evil.example":            "/",
		"/api/v1/session":              "/",
		"/" + strings.Repeat("a", 600): "/",
		"/münchen":                     "/",
	} {
		if got := access.ReturnPath(from); got != want {
			t.Errorf("%q leads to %q, want %q", from, got, want)
		}
	}
	b := h.browser()
	if r := p.through(b, "//evil.example").want(303); r.header.Get("Location") != "/" {
		t.Errorf("sent on to %q", r.header.Get("Location"))
	}
}
