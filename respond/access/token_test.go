// SPDX-License-Identifier: Apache-2.0

package access_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/respond/access"
)

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
