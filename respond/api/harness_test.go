// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/sqlite"
	"github.com/asepsis/asepsis/respond/access"
	"github.com/asepsis/asepsis/respond/api"
	"github.com/asepsis/asepsis/see/inventory"
	"github.com/asepsis/asepsis/see/recorder"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/see/watch"
	"github.com/asepsis/asepsis/web"
	"github.com/asepsis/asepsis/wire/capture"
)

const password = "violet anchor tumbles 7"

// house is the platform in one process: a bus, a store, a recorder, a sensor that
// reads the recorded morning of a theatre, and the API before them.
type house struct {
	t      testing.TB
	bus    *bus.Bus
	store  *flaky
	access *access.Access
	api    *api.Server
	web    *httptest.Server
	log    *lockedBuffer
	admin  client
}

type options struct {
	capture    string // "" for an empty house
	noRecorder bool   // the test appends events itself
	change     func(*api.Config, *api.Deps)
	idle       time.Duration // session idle time
	bus        func(*bus.Config)
	opened     func(*bus.Bus) // called with the bus before anything else is
}

// newHouse starts everything and waits until the capture is stored.
func newHouse(t testing.TB, o options) *house {
	t.Helper()
	h := &house{t: t, log: &lockedBuffer{}}
	log := slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	quiet := slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(context.Background())
	dir := t.TempDir()
	var rooms sync.WaitGroup
	var err error
	bc := bus.Default()
	if o.bus != nil {
		o.bus(&bc)
	}
	if h.bus, err = bus.Open(ctx, bc, bus.Deps{Dir: filepath.Join(dir, "bus"), Log: quiet}); err != nil {
		t.Fatal(err)
	}
	if o.opened != nil {
		o.opened(h.bus)
	}
	db, err := sqlite.Open(ctx, sqlite.Config{Dir: filepath.Join(dir, "store")}, sqlite.Deps{Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	h.store = &flaky{Store: db}
	t.Cleanup(func() {
		cancel()
		rooms.Wait()
		_ = h.bus.Close()
		_ = db.Close()
		if t.Failed() && os.Getenv("ASEPSIS_TEST_LOG") != "" {
			t.Log(h.log.String())
		}
	})
	run := func(name string, f func(context.Context) error) {
		rooms.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}

	rc := recorder.Default()
	rc.DevicesEvery = 100 * time.Millisecond
	rec, err := recorder.New(rc, recorder.Deps{Bus: h.bus, Store: db, Log: quiet, Inventory: func() (*inventory.Inventory, error) { return inventory.New(inventory.Default()) }})
	if err != nil {
		t.Fatal(err)
	}
	if !o.noRecorder {
		run("recorder", rec.Run)
	}

	ac := access.Default()
	ac.HashMemory, ac.HashTime = 19<<20, 2
	if o.idle != 0 {
		ac.SessionIdle = o.idle
	}
	h.access, err = access.New(ac, access.Deps{Store: h.store, Log: quiet, Now: time.Now, BaseURL: func() string { return h.web.URL }, Version: "test",
		Site: func(ctx context.Context) access.Site { return api.SiteOf(ctx, h.store) }})
	if err != nil {
		t.Fatal(err)
	}
	cfg := api.Default()
	cfg.TLS = api.TLS{Plain: true}
	dep := api.Deps{Store: h.store, Bus: h.bus, Access: h.access, Web: web.Dist(), Dir: dir, Version: "test", Log: log,
		Ready: map[string]func(context.Context) error{"store": db.Ping, "bus": h.bus.Check}}
	if o.change != nil {
		o.change(&cfg, &dep)
	}
	if h.api, err = api.New(cfg, dep); err != nil {
		t.Fatal(err)
	}
	h.web = httptest.NewServer(h.api.Handler())
	t.Cleanup(h.web.Close)
	run("api", func(ctx context.Context) error { return h.api.Background(ctx) })

	if o.capture != "" {
		h.watch(ctx, run, o.capture)
	}
	h.setUp()
	if o.capture != "" {
		h.shown()
	}
	return h
}

// watch reads a capture through the real sensor, its times moved so that its end is
// now, and waits until it is stored.
func (h *house) watch(ctx context.Context, run func(string, func(context.Context) error), file string) {
	h.t.Helper()
	key, err := pseudonym.New(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		h.t.Fatal(err)
	}
	shift := captureShift(h.t, file)
	w, err := watch.New(watch.Config{Name: "theatre-span", ReportEvery: 200 * time.Millisecond, HealthEvery: time.Minute, KeepPackets: 8 << 20}, watch.Deps{
		Bus: h.bus, Sensor: sensor.Default(), Key: key, Log: slog.New(slog.DiscardHandler),
		Input: watch.Input{Label: filepath.Base(file), Finite: true, Open: func(context.Context) (watch.Opened, error) {
			f, err := sensor.OpenFile(file)
			if err != nil {
				return watch.Opened{}, err
			}
			return watch.Opened{Sources: []capture.Source{&shifted{f, shift}}, Close: f.Close}, nil
		}},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	run("sensor", w.Run)
	h.until("the capture is stored", func() bool {
		reports, err := h.bus.Reports(ctx, watch.ReportKind)
		if err != nil || len(reports) == 0 {
			return false
		}
		var r watch.Report
		if json.Unmarshal(reports[0].Body, &r) != nil || r.State != watch.Finished || r.Publisher.Queued > 0 || r.Publisher.Events == 0 {
			return false
		}
		st, err := h.store.Stats(ctx)
		if err != nil || st.Events < r.Publisher.Events {
			return false
		}
		l, _, err := h.store.DeviceList(ctx)
		return err == nil && len(l) > 10
	})
}

// shown waits until the API knows what is stored.
func (h *house) shown() {
	h.t.Helper()
	h.until("the API knows what is stored", func() bool {
		return get[api.DeviceList](h.admin, "/devices").Total > 10 && get[api.Status](h.admin, "/status").State == "blind" &&
			get[api.Storage](h.admin, "/storage").Events > 0
	})
}

// captureShift is what moves the end of a capture to a few minutes ago.
func captureShift(t testing.TB, file string) int64 {
	f, err := sensor.OpenFile(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var last int64
	for {
		var fr capture.Frame
		if f.Next(&fr) != nil {
			break
		}
		last = max(last, fr.Time)
	}
	return time.Now().Add(-2*time.Minute).UnixNano() - last
}

type shifted struct {
	capture.Source
	by int64
}

func (s *shifted) Next(f *capture.Frame) error {
	err := s.Source.Next(f)
	f.Time += s.by
	return err
}

// until waits for a condition. The longest is that for a hub which asked a site before it was connected: it waits 30 s
// for the answer, and asks again after 12 s.
func (h *house) until(what string, f func() bool) {
	h.t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for !f() {
		if time.Now().After(deadline) {
			h.t.Fatalf("waited for long: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// flaky is a store that can be away.
type flaky struct {
	store.Store
	mu   sync.Mutex
	away error
}

func (f *flaky) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = err
}

func (f *flaky) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.away
}

func (f *flaky) Ping(ctx context.Context) error {
	if err := f.err(); err != nil {
		return err
	}
	return f.Store.Ping(ctx)
}

func (f *flaky) Query(ctx context.Context, q store.Query) (store.Page, error) {
	if err := f.err(); err != nil {
		return store.Page{}, err
	}
	return f.Store.Query(ctx, q)
}

func (f *flaky) DevicesRevision(ctx context.Context) (uint64, error) {
	if err := f.err(); err != nil {
		return 0, err
	}
	return f.Store.DevicesRevision(ctx)
}

func (f *flaky) DocumentsOf(ctx context.Context, kind, after string, limit int) ([]store.Document, error) {
	if err := f.err(); err != nil {
		return nil, err
	}
	return f.Store.DocumentsOf(ctx, kind, after, limit)
}

func (f *flaky) Commit(ctx context.Context, writes []store.Write, audit ...store.Audit) error {
	if err := f.err(); err != nil {
		return err
	}
	return f.Store.Commit(ctx, writes, audit...)
}

// client is somebody who asks.
type client struct {
	h      *house
	cookie string
	csrf   string
	token  string
}

// answer is what was answered.
type answer struct {
	status int
	head   http.Header
	body   []byte
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.body) }

func (c client) request(method, path string, body any) *http.Request {
	c.h.t.Helper()
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			c.h.t.Fatal(err)
		}
		r = bytes.NewReader(b)
	}
	if !strings.HasPrefix(path, "/api") && !strings.HasPrefix(path, "//") {
		path = "/api/v1" + path
	}
	req, err := http.NewRequest(method, c.h.web.URL+strings.TrimPrefix(path, "/"+"/"), r)
	if strings.HasPrefix(path, "//") {
		req, err = http.NewRequest(method, c.h.web.URL+path[1:], r)
	}
	if err != nil {
		c.h.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.cookie != "" {
		req.Header.Set("Cookie", c.cookie)
		req.Header.Set("X-CSRF-Token", c.csrf)
		req.Header.Set("Origin", c.h.web.URL)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	return req
}

func (c client) do(method, path string, body any) answer {
	c.h.t.Helper()
	return c.send(c.request(method, path, body))
}

func (c client) send(req *http.Request) answer {
	c.h.t.Helper()
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		c.h.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.h.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, b}
}

// get asks for JSON and reads it into a T.
func get[T any](c client, path string) T {
	c.h.t.Helper()
	return read[T](c.h.t, c.do("GET", path, nil), 200)
}

func read[T any](t testing.TB, a answer, status int) T {
	t.Helper()
	var out T
	if a.status != status {
		t.Fatalf("answered %s, want %d", a, status)
	}
	if err := json.Unmarshal(a.body, &out); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	return out
}

// setUp makes the first administrator by the one-time link.
func (h *house) setUp() {
	h.t.Helper()
	link, _, err := h.access.SetupLink(context.Background(), h.web.URL)
	if err != nil {
		h.t.Fatal(err)
	}
	u, err := url.Parse(link)
	if err != nil {
		h.t.Fatal(err)
	}
	frag, err := url.ParseQuery(u.Fragment)
	if err != nil {
		h.t.Fatal(err)
	}
	a := client{h: h}.do("POST", "/setup", map[string]string{"token": frag.Get("token"), "name": "ada", "display_name": "Ada Example", "password": password})
	h.admin = h.loggedIn(a)
}

func (h *house) loggedIn(a answer) client {
	h.t.Helper()
	if a.status != 200 && a.status != 201 {
		h.t.Fatalf("logging in: %s", a)
	}
	var s struct{ CSRF string }
	if err := json.Unmarshal(a.body, &s); err != nil {
		h.t.Fatal(err)
	}
	cookie, _, _ := strings.Cut(a.head.Get("Set-Cookie"), ";")
	return client{h: h, cookie: cookie, csrf: s.CSRF}
}

// as makes a user with a role and logs in.
func (h *house) as(role string) client {
	h.t.Helper()
	a := h.admin.do("POST", "/users", map[string]any{"name": role + "1", "display_name": "Some " + role, "roles": []string{role}, "password": password})
	if a.status != 201 {
		h.t.Fatalf("make a user: %s", a)
	}
	return h.loggedIn(client{h: h}.do("POST", "/session", map[string]string{"name": role + "1", "password": password}))
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

const theatreCapture = "../../testdata/captures/theatre.pcapng"
