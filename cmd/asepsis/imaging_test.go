// SPDX-License-Identifier: Apache-2.0

package main

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
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/steer/steertest"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/store/sqlite"
	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/respond/access"
	"github.com/asepsis/asepsis/respond/api"
	"github.com/asepsis/asepsis/wire/dicom"
)

// TestGatewayCommandLine runs the scripts in testdata/imaging against a server with a
// gateway that has two images of a study that went on, and one that is held.
func TestGatewayCommandLine(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/imaging", Setup: func(e *testscript.Env) error {
		if err := os.Mkdir(filepath.Join(e.WorkDir, "home"), 0o700); err != nil {
			return err
		}
		s := &imagingSite{e: e}
		e.Defer(func() {
			if s.close != nil {
				s.close()
			}
		})
		return s.open()
	}})
}

// imagingSite is a server with a gateway, for one script.
type imagingSite struct {
	e     *testscript.Env
	wait  []chan error
	close func()
	web   *httptest.Server
}

func (s *imagingSite) run(f func() error) {
	done := make(chan error, 1)
	s.wait = append(s.wait, done)
	go func() { done <- f() }()
}

func (s *imagingSite) open() error {
	ctx, stop := context.WithCancel(context.Background())
	dir := filepath.Join(s.e.WorkDir, ".server")
	quiet := slog.New(slog.DiscardHandler)
	b, err := bus.Open(ctx, bus.Default(), bus.Deps{Dir: filepath.Join(dir, "bus"), Log: quiet})
	if err != nil {
		stop()
		return err
	}
	db, err := sqlite.Open(ctx, sqlite.Config{Dir: filepath.Join(dir, "store")}, sqlite.Deps{Log: quiet})
	if err != nil {
		stop()
		return err
	}
	s.close = func() {
		stop()
		if s.web != nil {
			s.web.Close()
		}
		for _, done := range s.wait {
			<-done
		}
		_ = b.Close()
		_ = db.Close()
	}
	ac := access.Default()
	ac.HashMemory, ac.HashTime = 19<<20, 2
	a, err := access.New(ac, access.Deps{Store: db, Log: quiet, Now: time.Now, BaseURL: func() string { return s.web.URL }, Version: "test", Site: func(ctx context.Context) access.Site { return api.SiteOf(ctx, db) }})
	if err != nil {
		return err
	}
	cfg := api.Default()
	cfg.TLS = api.TLS{Plain: true}
	srv, err := api.New(cfg, api.Deps{Store: db, Bus: b, Access: a, Dir: dir, Version: "test", Log: quiet})
	if err != nil {
		return err
	}
	s.web = httptest.NewServer(srv.Handler())
	if err := s.gateway(ctx, dir, b); err != nil {
		return err
	}
	link, _, err := a.SetupLink(ctx, s.web.URL)
	if err != nil {
		return err
	}
	s.e.Setenv("ASEPSIS_SERVER", s.web.URL)
	return s.people(link)
}

func (s *imagingSite) gateway(ctx context.Context, dir string, b *bus.Bus) error {
	lc := ledger.Default()
	lc.Dir, lc.Origin, lc.Checkpoint, lc.Reserve = filepath.Join(dir, "ledger"), "ledger.example/gateway", 100*time.Millisecond, 0
	l, err := ledger.New(lc, ledger.Deps{})
	if err != nil {
		return err
	}
	s.run(func() error { return l.Run(ctx) })
	g, err := steertest.Open(steertest.Options{Dir: s.e.WorkDir, Ledger: l})
	if err != nil {
		return err
	}
	var passed instance.Record
	for n := range 2 {
		if passed, err = g.Put(ctx, steertest.Image(1, n+1, ""), nil); err != nil {
			return err
		}
		if passed, err = g.Deliver(ctx, passed.Number); err != nil {
			return err
		}
	}
	if err := g.Forward.Strand(ctx, "old", 1); err != nil { // a destination that is gone
		return err
	}
	held, err := g.Put(ctx, steertest.Image(1, 3, steertest.Script), func(r *instance.Record) { r.State, r.Verdict = instance.Quarantined, instance.Quarantine })
	if err != nil {
		return err
	}
	s.run(func() error { return control.Serve(ctx, b, "gateway-or-3", g) })
	s.e.Setenv("STUDY", passed.Study)
	s.e.Setenv("SOP", passed.SOPInstance)
	s.e.Setenv("SERIES", passed.Series)
	s.e.Setenv("SUM", passed.DataSet)
	s.e.Setenv("PASSED", fmt.Sprint(passed.Number))
	s.e.Setenv("HELD", fmt.Sprint(held.Number))
	s.e.Setenv("FORWARDED", fmt.Sprint(passed.Entries[1].Index))
	// What the receiver has: the same data set behind a head of its own.
	head, err := dicom.AppendFileHead(nil, dicom.Preamble{'I', 'I'}, &dicom.FileMeta{SOPClass: passed.SOPClass, SOPInstance: passed.SOPInstance, TransferSyntax: passed.TransferSyntax, ImplUID: "1.2.826.0.1.3680043.10.99"})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.e.WorkDir, "image.dcm"), append(head, steertest.Image(1, 2, "")...), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.e.WorkDir, "other.dcm"), append(head, steertest.Image(1, 4, "")...), 0o600); err != nil {
		return err
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		st, err := g.Ledger(ctx)
		if list, lerr := control.Gateways(ctx, b, time.Now()); err == nil && lerr == nil && len(list) == 1 && st.Published == st.Size {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the gateway was not there in time: %v", err)
		}
	}
}

const sitePassword = "violet anchor tumbles 7"

// people makes an administrator and an engineer, with a token each.
func (s *imagingSite) people(link string) error {
	u, err := url.Parse(link)
	if err != nil {
		return err
	}
	frag, err := url.ParseQuery(u.Fragment)
	if err != nil {
		return err
	}
	admin, err := s.post("/setup", map[string]any{"token": frag.Get("token"), "name": "ada", "display_name": "Ada Example", "password": sitePassword}, nil)
	if err != nil {
		return err
	}
	if _, err := s.post("/users", map[string]any{"name": "ben", "display_name": "Ben Example", "roles": []string{"engineer"}, "password": sitePassword}, admin); err != nil {
		return err
	}
	ben, err := s.post("/session", map[string]any{"name": "ben", "password": sitePassword}, nil)
	if err != nil {
		return err
	}
	for name, x := range map[string]struct {
		who  *session
		more []string
	}{"ada": {admin, []string{"patient.read"}}, "ben": {ben, nil}} {
		t, err := s.post("/tokens", map[string]any{"name": "tool", "permissions": append([]string{"read", "quarantine.decide", "imaging.edit"}, x.more...), "expires_in_days": 1}, x.who)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(s.e.WorkDir, name+".token"), []byte(t.Secret), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// session is somebody who is logged in, or what was answered.
type session struct{ CSRF, Secret, cookie string }

func (s *imagingSite) post(path string, body any, who *session) (*session, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest(http.MethodPost, s.web.URL+"/api/v1"+path, bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if who != nil {
		req.Header.Set("Cookie", who.cookie)
		req.Header.Set("X-CSRF-Token", who.CSRF)
		req.Header.Set("Origin", s.web.URL)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	var out session
	if resp.StatusCode >= 300 || json.Unmarshal(answer, &out) != nil {
		return nil, fmt.Errorf("POST %s: %d %s", path, resp.StatusCode, answer)
	}
	out.cookie, _, _ = strings.Cut(resp.Header.Get("Set-Cookie"), ";")
	return &out, nil
}
