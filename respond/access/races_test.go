// SPDX-License-Identifier: Apache-2.0

package access_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/access"
	"github.com/asepsis/asepsis/respond/access/accesstest"
)

// meanwhile is a store in which something happens between two calls.
type meanwhile struct {
	store.Documents

	mu   sync.Mutex
	when func(call, kind, id string) bool
	what func()
}

// arm lets f happen once, after the first call for which when is true.
func (m *meanwhile) arm(when func(call, kind, id string) bool, f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.when, m.what = when, f
}

func (m *meanwhile) happen(call, kind, id string) {
	m.mu.Lock()
	f := m.what
	if f == nil || !m.when(call, kind, id) {
		m.mu.Unlock()
		return
	}
	m.what = nil
	m.mu.Unlock()
	f()
}

func (m *meanwhile) Document(ctx context.Context, kind, id string) (store.Document, error) {
	d, err := m.Documents.Document(ctx, kind, id)
	m.happen("Document", kind, id)
	return d, err
}

func (m *meanwhile) DocumentsOf(ctx context.Context, kind, after string, limit int) ([]store.Document, error) {
	d, err := m.Documents.DocumentsOf(ctx, kind, after, limit)
	m.happen("DocumentsOf", kind, after)
	return d, err
}

func newMeanwhile(t *testing.T) (*house, *meanwhile) {
	m := &meanwhile{Documents: openDocuments(t)}
	return newHouse(t, func(_ *access.Config, d *access.Deps) { d.Store = m }), m
}

func reading(kind string) func(string, string, string) bool {
	return func(call, k, _ string) bool { return call == "Document" && k == kind }
}

func TestWhatHappensMeanwhile(t *testing.T) {
	t.Run("a password that is changed while the old one is looked at lets nobody in", func(t *testing.T) {
		h, m := newMeanwhile(t)
		ada := h.setUp()
		ada.user("bea", access.Viewer)
		m.arm(reading("user"), func() {
			ada.do("POST", "/users/bea/password", map[string]string{"new": "ochre kettle 19 windows"}).want(204)
		})
		// The request of ada reads no user that is not in the cache: the first is
		// the log-in's.
		ada.do("GET", "/session", nil).want(200)
		r := h.browser().do("POST", "/session", map[string]string{"name": "bea", "password": goodPassword}).want(401, "changed at this moment")
		if len(r.cookies) > 0 {
			t.Error("it was given a cookie")
		}
	})
	t.Run("a user who is disabled while he is let in is out", func(t *testing.T) {
		h, m := newMeanwhile(t)
		ada := h.setUp()
		ada.user("bea", access.Viewer)
		rev := ada.revision("bea")
		m.arm(func(call, kind, _ string) bool { return call == "DocumentsOf" && kind == "session" }, func() {
			ada.do("PATCH", "/users/bea", map[string]any{"revision": rev, "disabled": true}).want(200)
		})
		b := h.browser()
		b.do("POST", "/session", map[string]string{"name": "bea", "password": goodPassword}).want(200)
		b.do("GET", "/session", nil).want(401, "disabled")
	})
	t.Run("a session that is read while it is ended is not believed afterwards", func(t *testing.T) {
		h, m := newMeanwhile(t)
		ada := h.setUp()
		bea := ada.user("bea", access.Viewer)
		id := ""
		for _, s := range into[[]access.SessionInfo](ada.do("GET", "/sessions?all=true", nil).want(200)) {
			if s.User == "bea" {
				id = s.ID
			}
		}
		h.clock.pass(2 * time.Second)
		ada.do("GET", "/session", nil).want(200)
		m.arm(func(call, kind, key string) bool { return kind == "session" && key == id }, func() {
			ada.do("DELETE", "/sessions/"+id, nil).want(204)
		})
		bea.do("GET", "/session", nil).want(200) // it was read before
		bea.do("GET", "/session", nil).want(401)
	})
	t.Run("a role that is taken while its owner makes a token is not in the token", func(t *testing.T) {
		h, m := newMeanwhile(t)
		ada := h.setUp()
		bea := ada.user("bea", access.Engineer)
		rev := ada.revision("bea")
		ada.do("GET", "/session", nil).want(200)
		m.arm(func(call, kind, _ string) bool { return call == "DocumentsOf" && kind == "token" }, func() {
			ada.do("PATCH", "/users/bea", map[string]any{"revision": rev, "roles": []string{"viewer"}}).want(200)
		})
		cli, _ := bea.token("x", access.Read, access.DeviceEdit)
		cli.do("GET", "/need/read", nil).want(200)
		cli.do("GET", "/need/device.edit", nil).want(403)
	})
	t.Run("somebody who is logged in while old sessions are swept away stays", func(t *testing.T) {
		h, m := newMeanwhile(t)
		ada := h.setUp()
		old := ada.user("bea", access.Viewer)
		var bea *browser
		in := make(chan struct{})
		m.arm(func(call, kind, _ string) bool { return call == "DocumentsOf" && kind == "session" }, func() {
			ada.patch("bea", map[string]any{"roles": []string{"analyst"}}).want(200)
			bea = h.login("bea")
			close(in)
		})
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- h.access.Run(ctx) }()
		<-in
		until(t, func() bool {
			list, err := m.Documents.DocumentsOf(ctx, "session", "", 10)
			return err == nil && len(list) == 2 // of three: the old one is gone
		})
		bea.do("GET", "/session", nil).want(200)
		old.do("GET", "/session", nil).want(401)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// until waits for a condition.
func until(t *testing.T, f func() bool) {
	t.Helper()
	tick, late := time.NewTicker(5*time.Millisecond), time.After(30*time.Second)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("it does not happen")
		}
	}
}

func TestHashesAreRenewed(t *testing.T) {
	docs := &accesstest.Documents{}
	h := newHouse(t, inMemory(docs))
	b := h.setUp()
	stored := func() string {
		d, err := docs.Document(context.Background(), "user", "ada")
		if err != nil {
			t.Fatal(err)
		}
		var u struct{ Password string }
		if err := json.Unmarshal(d.Body, &u); err != nil {
			t.Fatal(err)
		}
		return u.Password
	}
	before := stored()
	h.login("ada")
	if stored() != before {
		t.Error("renewed without need")
	}
	access.CheapenOtherwise(h.access)
	h.browser().do("POST", "/session", map[string]string{"name": "ada", "password": goodPassword + "x"}).want(401)
	if stored() != before {
		t.Error("renewed by a wrong password")
	}
	h.login("ada")
	after := stored()
	if after == before || !strings.Contains(after, "m=128,t=1,p=1") {
		t.Errorf("stored as %q", after)
	}
	h.login("ada")
	b.do("GET", "/session", nil).want(200) // nobody is logged out by it
	n := 0
	for _, e := range h.audit() {
		if e.Action == "user.password" && e.Who == "system" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d entries about it", n)
	}
}
