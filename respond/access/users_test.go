// SPDX-License-Identifier: Apache-2.0

package access_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/respond/access"
)

func TestRolesAndPermissions(t *testing.T) {
	want := map[access.Role]string{
		access.Viewer:   "read",
		access.Analyst:  "read view.edit theatre.state finding.edit packet.read",
		access.Biomed:   "read view.edit theatre.state finding.edit packet.read device.edit quarantine.decide",
		access.Engineer: "read view.edit theatre.state finding.edit packet.read device.edit quarantine.decide theatre.edit rule.edit settings.edit record.write identity.edit identity.revoke imaging.edit",
		access.Admin:    "read view.edit theatre.state finding.edit packet.read device.edit quarantine.decide theatre.edit rule.edit settings.edit record.write identity.edit identity.revoke imaging.edit user.edit audit.read patient.read",
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
