// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/respond/api"
	"github.com/asepsis/asepsis/respond/problem"
)

func TestEveryAnswerCarriesTheHeadersThatProtectIt(t *testing.T) {
	h := newHouse(t, options{})
	for _, path := range []string{"//", "//api/v1/status", "//api/v1/nothing", "//healthz", "//none", "//api/v1/openapi.yaml"} {
		a := client{h: h}.do("GET", path, nil)
		csp := a.head.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(csp, part) {
				t.Errorf("%s: the policy %q lacks %q", path, csp, part)
			}
		}
		if strings.Contains(csp, "unsafe") {
			t.Errorf("%s: the policy is %q", path, csp)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin", "X-Frame-Options": "DENY"} {
			if got := a.head.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if a.head.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: other origins are let in", path)
		}
	}
}

func TestOnlyOurNamesAreServed(t *testing.T) {
	h := newHouse(t, options{change: func(c *api.Config, _ *api.Deps) { c.AllowedHosts = []string{"asepsis.hospital.example"} }})
	for host, want := range map[string]int{
		"localhost": 200, "localhost:8443": 200, "127.0.0.1:1": 200, "[::1]:8443": 200, "asepsis.hospital.example": 200, "ASEPSIS.hospital.example.:443": 200,
		"evil.example": 421, "localhost.evil.example": 421, "asepsis.hospital.example.evil.example:8443": 421,
	} {
		req := client{h: h}.request("GET", "/auth", nil)
		req.Host = host
		if a := (client{h: h}).send(req); a.status != want {
			t.Errorf("%s: %s, want %d", host, a, want)
		}
	}
}

func TestWhatIsNotThereIsSaidPrecisely(t *testing.T) {
	h := newHouse(t, options{})
	a := h.admin.do("DELETE", "/events", nil)
	if a.status != 405 || a.head.Get("Allow") != "GET, HEAD, OPTIONS" {
		t.Errorf("%s, Allow %q", a, a.head.Get("Allow"))
	}
	for query, says := range map[string]string{
		"/devices?classs=ct":                                        "did you mean class?",
		"/devices?class=ultrasond":                                  "did you mean ultrasound?",
		"/events?is=protokol:dicom":                                 "did you mean protocol?",
		"/events?min_severity=hihg":                                 "did you mean high?",
		"/events?from=gestern":                                      "a time ago such as -1h",
		"/events?limit=1000000":                                     "from 1 to 1000",
		"/events?order=newest&order=oldest":                         "is there 2 times",
		"/events?is=severity:high&not=foo":                          "a colon and a value",
		"/events?from=2026-03-16T08:00:00Z&to=2026-03-16T07:00:00Z": "before the end of the range",
		"/search":        "is needed",
		"/sensors?x=1":   "there are no parameters here",
		"/events?q=%zz":  "percent-encode it",
		"/events?q=%00a": "is not UTF-8",
	} {
		a := h.admin.do("GET", query, nil)
		p := read[problem.Problem](t, a, 400)
		all, _ := json.Marshal(p)
		if !strings.Contains(string(all), says) {
			t.Errorf("%s: %s, want %q in it", query, all, says)
		}
		if strings.Contains(string(all), "gestern") {
			t.Errorf("%s: the value is repeated: %s", query, all)
		}
	}
	for path, status := range map[string]int{"//healthz": 200, "//readyz": 200, "//": 200, "//theatres/OR-3": 200, "//devices": 200, "//devices/app.js": 404, "//etc/passwd": 404,
		"//..%2f..%2fetc/passwd": 404, "//assets/none.js": 404, "//metrics": 401} {
		if a := (client{h: h}).do("GET", path, nil); a.status != status {
			t.Errorf("%s: %d %.100s, want %d", path, a.status, a.body, status)
		}
	}
	if a := h.admin.do("GET", "//metrics", nil); a.status != 200 || !strings.Contains(string(a.body), "asepsis_api_request_seconds") {
		t.Errorf("metrics: %.200s", a)
	}
}

func TestFilesOfTheConsoleAreCachedByTheirContent(t *testing.T) {
	h := newHouse(t, options{})
	nobody := client{h: h}
	a := nobody.do("GET", "//", nil)
	if !strings.HasPrefix(a.head.Get("Content-Type"), "text/html") || a.head.Get("Cache-Control") != "no-cache" || a.head.Get("ETag") == "" {
		t.Fatalf("%v", a.head)
	}
	req := nobody.request("GET", "//", nil)
	req.Header.Set("If-None-Match", a.head.Get("ETag"))
	if b := nobody.send(req); b.status != 304 || len(b.body) > 0 {
		t.Errorf("the same again: %s", b)
	}
	for name, want := range map[string]bool{"assets/index-DiwrgTda.js": false, "assets/index-Diw4gTda.js": true, "assets/vendor-Highlight.js": false, "assets/index.js": false,
		"assets/app-0123456789abcdef.css": true, "assets/roboto-mono-latin-400-normal.woff2": false} {
		if api.Hashed(name) != want {
			t.Errorf("%s: taken for hashed: %t", name, !want)
		}
	}
}

func TestAnswersAreCompressedAndTheDeviceListIsTagged(t *testing.T) {
	h := newHouse(t, options{capture: theatreCapture})
	req := h.admin.request("GET", "/devices", nil)
	req.Header.Set("Accept-Encoding", "br;q=1.0, gzip;q=0.8")
	a := h.admin.send(req)
	if a.head.Get("Content-Encoding") != "gzip" {
		t.Fatalf("%v", a.head)
	}
	z, err := gzip.NewReader(strings.NewReader(string(a.body)))
	if err != nil {
		t.Fatal(err)
	}
	var l api.DeviceList
	if err := json.NewDecoder(z).Decode(&l); err != nil || l.Total != len(l.Devices) || l.Total < 10 {
		t.Fatalf("%d devices of %d, %v", len(l.Devices), l.Total, err)
	}
	h.until("the list is not changed any more", func() bool {
		tag := h.admin.do("GET", "/devices", nil).head.Get("ETag")
		req = h.admin.request("GET", "/devices", nil)
		req.Header.Set("If-None-Match", tag)
		return tag != "" && h.admin.send(req).status == 304
	})
	req = h.admin.request("GET", "/devices", nil)
	req.Header.Set("Accept-Encoding", "gzip;q=0")
	if a := h.admin.send(req); a.head.Get("Content-Encoding") != "" {
		t.Error("compressed, though it was refused")
	}
	// Page after page is the whole.
	var ids []string
	for after := ""; ; {
		page := get[api.DeviceList](h.admin, "/devices?limit=7&after="+after)
		for _, d := range page.Devices {
			ids = append(ids, d.ID)
		}
		if page.Next == nil {
			break
		}
		after = *page.Next
	}
	if len(ids) != l.Total {
		t.Errorf("%d devices on pages, %d in all", len(ids), l.Total)
	}
}

func TestAPanicCostsItsRequestAlone(t *testing.T) {
	h := newHouse(t, options{change: func(_ *api.Config, d *api.Deps) {
		d.Ready["loud"] = func(context.Context) error { return errors.New("secret/path is broken") }
	}})
	// Who is not logged in learns that a room is not ready, and not why.
	a := client{h: h}.do("GET", "//readyz", nil)
	if a.status != 503 || strings.Contains(string(a.body), "secret") || !strings.Contains(string(a.body), `"loud"`) {
		t.Errorf("readyz as nobody: %s", a)
	}
	if a := h.admin.do("GET", "//readyz", nil); !strings.Contains(string(a.body), "secret/path") {
		t.Errorf("readyz as admin: %s", a)
	}
	rec := api.PanicIn(h.api)
	a = answer{rec.Code, rec.Header(), rec.Body.Bytes()}
	if a.status != 500 || strings.Contains(string(a.body), "kaboom") || strings.Contains(string(a.body), ".go") {
		t.Errorf("a panic is answered with %s", a)
	}
	var p problem.Problem
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatal(err)
	}
	id := strings.TrimSuffix(p.Detail[strings.LastIndex(p.Detail, " ")+1:], ".")
	if log := h.log.String(); !strings.Contains(log, id) || !strings.Contains(log, "kaboom") || strings.Contains(log, "name=value") {
		t.Errorf("the log has no %s, or the query: %s", id, log)
	}
}

func TestTooManyRequestsAreToldToComeBack(t *testing.T) {
	h := newHouse(t, options{change: func(c *api.Config, _ *api.Deps) { c.MaxRequests = 4 }})
	free := api.Occupy(h.api)
	a := h.admin.do("GET", "/status", nil)
	if a.status != 503 || a.head.Get("Retry-After") != "1" {
		t.Errorf("%s", a)
	}
	free()
	if a := h.admin.do("GET", "/status", nil); a.status != 200 {
		t.Errorf("afterwards: %s", a)
	}
}

func TestABodyThatIsTooLargeIsNotRead(t *testing.T) {
	h := newHouse(t, options{change: func(c *api.Config, _ *api.Deps) { c.MaxBody = 16 << 10 }})
	if a := h.admin.do("POST", "/views", map[string]string{"name": strings.Repeat("x", 20<<10)}); a.status != 413 {
		t.Errorf("%s", a)
	}
	req := h.admin.request("POST", "/views", map[string]string{"name": "x"})
	req.Header.Set("Content-Type", "text/plain")
	if a := h.admin.send(req); a.status != 415 {
		t.Errorf("%s", a)
	}
	req = h.admin.request("POST", "/views", map[string]string{"page": "events", "name": "x", "query": ""})
	req.Header.Del("X-CSRF-Token")
	if a := h.admin.send(req); a.status != 403 {
		t.Errorf("without the token against forgery: %s", a)
	}
}

func TestWhileTheStoreIsAwayWhatWasKnownIsShown(t *testing.T) {
	h := newHouse(t, options{capture: theatreCapture})
	h.store.set(errors.New("the disk is unplugged at /secret"))
	h.until("the status says so", func() bool { return get[api.Status](h.admin, "/status").State == "down" })
	if l := get[api.DeviceList](h.admin, "/devices"); l.Total < 10 {
		t.Errorf("%d devices are left", l.Total)
	}
	for _, path := range []string{"/events", "/views"} {
		a := h.admin.do("GET", path, nil)
		if a.status != 500 || strings.Contains(string(a.body), "secret") {
			t.Errorf("%s: %s", path, a)
		}
	}
	h.store.set(nil)
	h.until("it is back", func() bool { return get[api.Status](h.admin, "/status").State != "down" })
	if a := h.admin.do("GET", "/events", nil); a.status != 200 {
		t.Errorf("%s", a)
	}
}

func TestTheServersOwnCertificateIsMadeKeptAndRenewed(t *testing.T) {
	dir := t.TempDir()
	at := time.Now()
	cfg := api.Default()
	cfg.AllowedHosts = []string{"asepsis.hospital.example"}
	leaf := func() *x509.Certificate {
		t.Helper()
		pair, err := api.Certificate(cfg, dir, func() time.Time { return at }, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return pair.Leaf
	}
	first := leaf()
	for _, name := range []string{"localhost", "127.0.0.1", "::1", "asepsis.hospital.example"} {
		if err := first.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
	if !leaf().Equal(first) {
		t.Error("a second start makes another certificate")
	}
	for _, f := range []string{"console.key", "console.crt"} {
		if info, err := os.Stat(filepath.Join(dir, "tls", f)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, info.Mode(), err)
		}
	}
	at = first.NotAfter.Add(-29 * 24 * time.Hour)
	if leaf().Equal(first) {
		t.Error("it is not renewed before its end")
	}
	at = time.Now()
	second := leaf()
	cfg.AllowedHosts = append(cfg.AllowedHosts, "console.hospital.example")
	if third := leaf(); third.Equal(second) || third.VerifyHostname("console.hospital.example") != nil {
		t.Error("it is not made anew for another name")
	}
	if err := os.WriteFile(filepath.Join(dir, "tls", "console.key"), []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if leaf() == nil {
		t.Error("a broken key is not replaced")
	}
}

func TestRunServesHTTPSAndDrains(t *testing.T) {
	h := newHouse(t, options{})
	cfg := api.Default()
	cfg.Listen = "127.0.0.1:0"
	s, err := api.New(cfg, api.Deps{Store: h.store, Bus: h.bus, Access: h.access, Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	<-s.Listening()
	c := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	resp, err := c.Get(s.URL() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != 200 || string(b) != "ok\n" || resp.ProtoMajor != 2 || resp.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%d %q %s %v", resp.StatusCode, b, resp.Proto, resp.Header)
	}
	old, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}}}).Get(s.URL())
	if err == nil {
		_ = old.Body.Close()
		t.Error("TLS 1.1 is spoken")
	}
	c.CloseIdleConnections()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	u := strings.TrimPrefix(s.URL(), "https://")
	if conn, err := net.DialTimeout("tcp", u, time.Second); err == nil {
		_ = conn.Close()
		t.Error("it still listens")
	}
}

func TestAConfigurationThatIsUnsafeIsRefused(t *testing.T) {
	for name, change := range map[string]func(*api.Config){
		"clear text off loopback":  func(c *api.Config) { c.Listen, c.TLS = "0.0.0.0:80", api.TLS{Plain: true} },
		"clear text on all":        func(c *api.Config) { c.Listen, c.TLS = ":80", api.TLS{Plain: true} },
		"no certificate":           func(c *api.Config) { c.TLS = api.TLS{} },
		"half a certificate":       func(c *api.Config) { c.TLS.CertFile = "x" },
		"metrics off loopback":     func(c *api.Config) { c.MetricsListen = "10.0.0.1:9090" },
		"no port":                  func(c *api.Config) { c.Listen = "127.0.0.1" },
		"a wildcard host":          func(c *api.Config) { c.AllowedHosts = []string{"*.example"} },
		"a public URL with a path": func(c *api.Config) { c.PublicURL = "https://x.example/a" },
		"no requests at all":       func(c *api.Config) { c.MaxRequests = 0 },
	} {
		c := api.Default()
		change(&c)
		if c.Validate() == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if err := api.Default().Validate(); err != nil {
		t.Error(err)
	}
}
