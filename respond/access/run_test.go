// SPDX-License-Identifier: Apache-2.0

package access_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/respond/access"
	"github.com/asepsis/asepsis/respond/access/accesstest"
)

// inside is an access room without a network, for tests in a bubble of time.
type inside struct {
	t    *testing.T
	docs *accesstest.Documents
	a    *access.Access
	mux  *http.ServeMux
}

func newInside(t *testing.T) *inside {
	t.Helper()
	i := &inside{t: t, docs: &accesstest.Documents{}, mux: http.NewServeMux()}
	a, err := access.New(access.Default(), access.Deps{Store: i.docs, Secure: true, BaseURL: func() string { return "https://console.example" }})
	if err != nil {
		t.Fatal(err)
	}
	access.Cheapen(a)
	for _, r := range a.Routes() {
		i.mux.Handle(r.Method+" "+r.Path, r.Handler)
	}
	i.a = a
	return i
}

func (i *inside) do(method, path, body, cookie, csrf string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://console.example/api/v1"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-CSRF-Token", csrf)
	if cookie != "" {
		r.AddCookie(&http.Cookie{Name: "__Host-asepsis-session", Value: cookie})
	}
	w := httptest.NewRecorder()
	i.mux.ServeHTTP(w, r)
	return w
}

// setUp makes "ada" and returns her cookie and CSRF token.
func (i *inside) setUp() (cookie, csrf string) {
	i.t.Helper()
	link, _, err := i.a.SetupLink(context.Background(), "https://console.example")
	if err != nil {
		i.t.Fatal(err)
	}
	w := i.do("POST", "/setup", `{"token":"`+tokenOf(i.t, link)+`","name":"ada","display_name":"","password":"`+goodPassword+`"}`, "", "")
	if w.Code != 200 {
		i.t.Fatalf("set-up: %d %s", w.Code, w.Body)
	}
	c := w.Result().Cookies()[0]
	if c.Name != "__Host-asepsis-session" || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteStrictMode || c.MaxAge != 12*3600 {
		i.t.Errorf("the cookie is not bound to HTTPS and this host: %+v", c)
	}
	return c.Value, into[access.Session](reply{t: i.t, status: 200, body: w.Body.Bytes()}).CSRF
}

func (i *inside) count(kind string) int {
	list, err := i.docs.DocumentsOf(context.Background(), kind, "", 1000)
	if err != nil {
		i.t.Fatal(err)
	}
	return len(list)
}

func (i *inside) revision(kind string) uint64 {
	list, err := i.docs.DocumentsOf(context.Background(), kind, "", 1)
	if err != nil || len(list) == 0 {
		i.t.Fatal(kind, err)
	}
	return list[0].Revision
}

func TestRunCleansUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newInside(t)
		cookie, csrf := i.setUp()
		w := i.do("POST", "/tokens", `{"name":"x","permissions":["read"],"expires_in_days":1}`, cookie, csrf)
		if w.Code != 201 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- i.a.Run(ctx) }()

		// Used all the time, a session is written once a minute.
		before := i.revision("session")
		for range 240 {
			time.Sleep(time.Second)
			if w := i.do("GET", "/session", "", cookie, ""); w.Code != 200 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		}
		synctest.Wait()
		if n := i.revision("session") - before; n < 3 || n > 4 {
			t.Errorf("written %d times in four minutes", n)
		}
		reads := i.docs.Reads()
		for range 100 {
			i.do("GET", "/session", "", cookie, "")
		}
		if n := i.docs.Reads() - reads; n > 2 {
			t.Errorf("100 requests at once read the store %d times", n)
		}

		// What is over goes: the session after an hour without use, the token a
		// month after its end.
		time.Sleep(30 * time.Minute)
		if i.count("session") != 1 {
			t.Error("a session that can be used is gone")
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if i.count("session") != 0 {
			t.Error("the session stays")
		}
		time.Sleep(25 * time.Hour)
		if i.count("token") != 1 {
			t.Error("an expired token is not kept for a while")
		}
		time.Sleep(30 * 24 * time.Hour)
		synctest.Wait()
		if i.count("token") != 0 {
			t.Error("the token stays")
		}
		list, _ := i.docs.AuditTrail(ctx, store.AuditQuery{Action: "token.expired", Limit: 1})
		if len(list) != 1 || list[0].Who != "system" {
			t.Errorf("audited %+v", list)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestWhatWasUsedIsWrittenAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newInside(t)
		cookie, _ := i.setUp()
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- i.a.Run(ctx) }()
		time.Sleep(30 * time.Second)
		i.do("GET", "/session", "", cookie, "")
		before := i.revision("session")
		cancel()
		if err := <-ended; err != nil || i.revision("session") != before+1 {
			t.Errorf("%v, revision %d after %d", err, i.revision("session"), before)
		}
	})
}

func TestUseDoesNotBringBackWhatWasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newInside(t)
		cookie, csrf := i.setUp()
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- i.a.Run(ctx) }()
		synctest.Wait()
		i.do("GET", "/session", "", cookie, "")
		if w := i.do("DELETE", "/session", "", cookie, csrf); w.Code != 204 {
			t.Fatal(w.Code)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if i.count("session") != 0 {
			t.Error("the session is back")
		}
		cancel()
		<-ended
	})
}

func TestLongAnswersEndWithTheirSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newInside(t)
		cookie, csrf := i.setUp()
		r := httptest.NewRequest("GET", "https://console.example/stream", nil)
		r.AddCookie(&http.Cookie{Name: "__Host-asepsis-session", Value: cookie})
		who, err := i.a.Authenticate(r)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 { // a stream that is open is use
			time.Sleep(30 * time.Minute)
			if who, err = i.a.Still(context.Background(), who); err != nil || !who.May(access.Read) {
				t.Fatal(who, err)
			}
		}
		i.do("DELETE", "/session", "", cookie, csrf)
		if _, err := i.a.Still(context.Background(), who); err == nil {
			t.Error("it goes on after the log-out")
		}
		if _, err := i.a.Still(context.Background(), access.Actor{}); err == nil {
			t.Error("nobody may go on")
		}
	})
}

func TestClientAddresses(t *testing.T) {
	cfg := access.Default()
	cfg.TrustedProxies = prefixes("10.0.0.0/8", "::1/128")
	a, err := access.New(cfg, access.Deps{Store: &accesstest.Documents{}})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		peer    string
		headers []string
		want    string
	}{
		"nobody between":                         {"192.0.2.7:99", nil, "192.0.2.7"},
		"a stranger who makes up a header":       {"192.0.2.7:99", []string{"198.51.100.1"}, "192.0.2.7"},
		"a proxy":                                {"10.0.0.1:99", []string{"198.51.100.1"}, "198.51.100.1"},
		"a proxy in IPv6":                        {"[::1]:99", []string{"2001:db8::5"}, "2001:db8::5"},
		"two proxies":                            {"10.0.0.1:99", []string{"198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		"a client that makes up a hop":           {"10.0.0.1:99", []string{"203.0.113.9, 198.51.100.1"}, "198.51.100.1"},
		"a client that makes up a header before": {"10.0.0.1:99", []string{"203.0.113.9", "198.51.100.1"}, "198.51.100.1"},
		"a proxy that says nothing":              {"10.0.0.1:99", nil, "10.0.0.1"},
		"a proxy that says what is no address":   {"10.0.0.1:99", []string{"198.51.100.1, unknown"}, "10.0.0.1"},
		"an IPv4 address in IPv6":                {"[::ffff:192.0.2.7]:99", nil, "192.0.2.7"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = tt.peer
			for _, h := range tt.headers {
				r.Header.Add("X-Forwarded-For", h)
			}
			if got := a.ClientAddr(r).String(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestConfigurations(t *testing.T) {
	if err := access.Default().Validate(); err != nil {
		t.Error(err)
	}
	oidc := func(f func(*access.OIDC)) func(*access.Config) {
		return func(c *access.Config) {
			c.OIDC = &access.OIDC{Issuer: "https://login.example", ClientID: "asepsis", Name: "Login", Roles: map[string]access.Role{"x": access.Viewer}}
			f(c.OIDC)
		}
	}
	for field, change := range map[string]func(*access.Config){
		"session_idle":     func(c *access.Config) { c.SessionIdle = time.Minute },
		"session_max":      func(c *access.Config) { c.SessionMax = time.Minute },
		"setup_expires":    func(c *access.Config) { c.SetupExpires = 0 },
		"token_max_days":   func(c *access.Config) { c.TokenMaxDays = 366 },
		"local_login":      func(c *access.Config) { c.LocalLogin = false },
		"login_free_tries": func(c *access.Config) { c.LoginFree = 0 },
		"login_max_delay":  func(c *access.Config) { c.LoginMaxDelay = 2 * time.Hour },
		"login_forget":     func(c *access.Config) { c.LoginForget = time.Second },
		"hash_memory":      func(c *access.Config) { c.HashMemory = 1 << 20 },
		"hash_time":        func(c *access.Config) { c.HashTime, c.HashMemory = 1, 19<<20 },
		"hash_concurrent":  func(c *access.Config) { c.HashConcurrent = 0 },
		"issuer":           oidc(func(o *access.OIDC) { o.Issuer = "http://login.example" }),
		"client_id":        oidc(func(o *access.OIDC) { o.ClientID = "" }),
		"name":             oidc(func(o *access.OIDC) { o.Name = "" }),
		"roles":            oidc(func(o *access.OIDC) { o.Roles = nil }),
		"scopes":           oidc(func(o *access.OIDC) { o.Scopes = []string{"email"} }),
		"ca_file":          oidc(func(o *access.OIDC) { o.CAFile = "/nowhere/ca.pem" }),
	} {
		c := access.Default()
		change(&c)
		if _, err := access.New(c, access.Deps{Store: &accesstest.Documents{}}); err == nil || !strings.Contains(err.Error(), field+":") {
			t.Errorf("%s: %v", field, err)
		}
	}
	c := access.Default()
	oidc(func(o *access.OIDC) { o.Issuer = "http://127.0.0.1:5556/dex" })(&c)
	if err := c.OIDC.Validate(); err != nil {
		t.Error(err)
	}
	if !slices.Equal(access.RolesWith(access.TheatreEdit), []access.Role{access.Engineer, access.Admin}) {
		t.Error(access.RolesWith(access.TheatreEdit))
	}
}
