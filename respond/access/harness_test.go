// SPDX-License-Identifier: Apache-2.0

package access_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/sqlite"
	"github.com/asepsis/asepsis/respond/access"
	"github.com/asepsis/asepsis/respond/access/accesstest"
	"github.com/asepsis/asepsis/respond/problem"
)

const goodPassword = "violet anchor tumbles 7"

// clock is a time that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// house is an access room behind a real HTTP server.
type house struct {
	t      *testing.T
	docs   store.Documents
	access *access.Access
	clock  *clock
	server *httptest.Server
	log    *bytes.Buffer
}

func newHouse(t *testing.T, change ...func(*access.Config, *access.Deps)) *house {
	t.Helper()
	h := &house{t: t, clock: &clock{at: time.Date(2026, 3, 16, 8, 0, 0, 0, time.UTC)}, log: &bytes.Buffer{}}
	mux := http.NewServeMux()
	h.server = httptest.NewServer(mux)
	t.Cleanup(func() {
		h.server.Close()
		if t.Failed() && h.log.Len() > 0 {
			t.Logf("the log:\n%s", h.log)
		}
	})
	cfg := access.Default()
	deps := access.Deps{Now: h.clock.now, Log: slog.New(slog.NewTextHandler(&lockedWriter{w: h.log}, nil)),
		BaseURL: func() string { return h.server.URL }, Version: "1.2.3",
		Site: func(context.Context) access.Site {
			return access.Site{ID: "s1", Name: "St. Example", Timezone: "Europe/Zurich"}
		}}
	for _, f := range change {
		f(&cfg, &deps)
	}
	if deps.Store == nil {
		deps.Store = openDocuments(t)
	}
	h.docs = deps.Store
	a, err := access.New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	access.Cheapen(a)
	h.access = a
	for _, r := range a.Routes() {
		mux.Handle(r.Method+" "+r.Path, r.Handler)
	}
	for _, p := range access.Permissions() {
		mux.Handle("/need/"+string(p), a.Require(p, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			who, ok := access.ActorOf(r.Context())
			if !ok {
				t.Error("no actor behind Require")
			}
			_, _ = io.WriteString(w, who.AuditName())
		})))
	}
	return h
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// browser is a client with cookies, as a page has it.
type browser struct {
	h      *house
	client *http.Client
	csrf   string
	header http.Header
}

func (h *house) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return &browser{h: h, header: http.Header{}, client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// reply is an answer, read.
type reply struct {
	t       *testing.T
	status  int
	header  http.Header
	body    []byte
	cookies []*http.Cookie
}

func (b *browser) do(method, path string, body any) reply {
	b.h.t.Helper()
	var in io.Reader
	if s, ok := body.(string); ok {
		in = strings.NewReader(s)
	} else if body != nil {
		j, err := json.Marshal(body)
		if err != nil {
			b.h.t.Fatal(err)
		}
		in = bytes.NewReader(j)
	}
	if strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "/need/") {
		path = "/api/v1" + path
	}
	r, err := http.NewRequest(method, b.h.server.URL+path, in)
	if err != nil {
		b.h.t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if b.csrf != "" {
		r.Header.Set("X-CSRF-Token", b.csrf)
	}
	for k, v := range b.header {
		if v == nil {
			r.Header.Del(k)
		} else {
			r.Header[k] = v
		}
	}
	resp, err := b.client.Do(r)
	if err != nil {
		b.h.t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		b.h.t.Fatal(err)
	}
	return reply{b.h.t, resp.StatusCode, resp.Header, out, resp.Cookies()}
}

// want checks the status and, of a problem, that its detail or hint or one of
// its fields has a text.
func (r reply) want(status int, text ...string) reply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("answered %d %s, want %d", r.status, r.body, status)
	}
	for _, s := range text {
		if !strings.Contains(string(r.body), s) {
			r.t.Errorf("answered %s, want %q in it", r.body, s)
		}
	}
	if status >= 400 && strings.HasPrefix(r.header.Get("Content-Type"), problem.ContentType) {
		var p problem.Problem
		if err := json.Unmarshal(r.body, &p); err != nil || p.Status != status || p.Title == "" || p.Type == "" || p.Detail == "" {
			r.t.Errorf("not a whole problem: %s", r.body)
		}
	}
	return r
}

func into[T any](r reply) T {
	r.t.Helper()
	var v T
	d := json.NewDecoder(bytes.NewReader(r.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		r.t.Fatalf("%v in %s", err, r.body)
	}
	return v
}

// setUp makes the first administrator, "ada".
func (h *house) setUp() *browser {
	h.t.Helper()
	link, needed, err := h.access.SetupLink(context.Background(), h.server.URL)
	if err != nil || !needed {
		h.t.Fatalf("set-up link: needed %v, %v", needed, err)
	}
	b := h.browser()
	s := into[access.Session](b.do("POST", "/setup", map[string]any{"token": tokenOf(h.t, link), "name": "ada", "display_name": "Ada Example", "password": goodPassword}).want(200))
	b.csrf = s.CSRF
	return b
}

func tokenOf(t *testing.T, link string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	v, err := url.ParseQuery(u.Fragment)
	if err != nil || v.Get("token") == "" || u.Path != "/setup" {
		t.Fatalf("the link is %q", link)
	}
	return v.Get("token")
}

// login logs a user in with the usual password.
func (h *house) login(name string) *browser {
	h.t.Helper()
	b := h.browser()
	b.csrf = into[access.Session](b.do("POST", "/session", map[string]string{"name": name, "password": goodPassword}).want(200)).CSRF
	return b
}

// user makes a user and logs him in.
func (b *browser) user(name string, roles ...access.Role) *browser {
	b.h.t.Helper()
	b.do("POST", "/users", map[string]any{"name": name, "display_name": "", "roles": roles, "password": goodPassword}).want(201)
	return b.h.login(name)
}

// token makes a token and returns a client that has nothing else.
func (b *browser) token(name string, permissions ...access.Permission) (*browser, access.NewToken) {
	b.h.t.Helper()
	made := into[access.NewToken](b.do("POST", "/tokens", map[string]any{"name": name, "permissions": permissions, "expires_in_days": 30}).want(201))
	c := b.h.browser()
	c.header.Set("Authorization", "Bearer "+made.Secret)
	return c, made
}

func (b *browser) revision(name string) uint64 {
	b.h.t.Helper()
	for _, u := range into[[]access.User](b.do("GET", "/users", nil).want(200)) {
		if u.Name == name {
			return u.Revision
		}
	}
	b.h.t.Fatalf("no user %q", name)
	return 0
}

// audit returns entries, newest first, in the form "who action object result".
func (h *house) audit() []store.Audit {
	h.t.Helper()
	list, err := h.docs.AuditTrail(context.Background(), store.AuditQuery{Limit: 1000})
	if err != nil {
		h.t.Fatal(err)
	}
	return list
}

// openDocuments opens a real store, as it is in one process.
func openDocuments(t *testing.T) store.Documents {
	t.Helper()
	db, err := sqlite.Open(context.Background(), sqlite.Config{Dir: t.TempDir()}, sqlite.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// inMemory gives a house documents whose failures a test can choose.
func inMemory(docs *accesstest.Documents) func(*access.Config, *access.Deps) {
	return func(_ *access.Config, d *access.Deps) { d.Store = docs }
}
