// SPDX-License-Identifier: Apache-2.0

package access_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/respond/access"
)

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
		if s.User.Name != "ada" || !slices.Equal(s.User.Roles, []access.Role{access.Admin}) || !s.User.Local || len(s.Permissions) != len(access.Permissions()) || s.CSRF == "" || s.Site.Timezone != "Europe/Zurich" {
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
