// SPDX-License-Identifier: Apache-2.0

package access_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/access"
	"github.com/asepsis/asepsis/respond/access/accesstest"
)

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
