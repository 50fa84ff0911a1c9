// SPDX-License-Identifier: Apache-2.0

package access_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/respond/access"
)

// openID is an OpenID provider with HTTPS and a certificate of its own: discovery,
// keys, authorization, token and user info endpoints. It is as strict with its
// client as a good one is; what it says about people a test can bend.
type openID struct {
	t      *testing.T
	server *httptest.Server
	key    *rsa.PrivateKey
	clock  *clock

	mu    sync.Mutex
	codes map[string]url.Values // what was asked, by code
	// claims of the ID token beyond the usual ones; user info has them too when
	// fromUserInfo is set, and the ID token does not.
	claims       map[string]any
	fromUserInfo bool
	bend         func(header, claims map[string]any) // last changes to a token
	sign         func(signing string) []byte         // nil for RS256 with the published key
	token        func(w http.ResponseWriter) bool    // answers in place of the token endpoint
	discovery    func(map[string]any)
	down         bool
}

const clientSecret = "s3cret of the client"

func newOpenID(t *testing.T) *openID {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &openID{t: t, key: key, codes: map[string]url.Values{},
		claims: map[string]any{"sub": "u-1", "preferred_username": "Eve@hospital.example", "name": "Eve Example", "groups": []string{"staff", "or-security"}}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.metadata)
	mux.HandleFunc("GET /keys", p.keys)
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.redeem)
	mux.HandleFunc("GET /userinfo", p.userinfo)
	p.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		down := p.down
		p.mu.Unlock()
		if down {
			http.Error(w, "maintenance", http.StatusBadGateway)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(p.server.Close)
	return p
}

// house makes an access room that logs in through the provider.
func (p *openID) house(change ...func(*access.Config, *access.Deps)) *house {
	p.t.Helper()
	dir := p.t.TempDir()
	ca, secret := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "secret")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw}), 0o600); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(secret, []byte(clientSecret+"\n"), 0o600); err != nil {
		p.t.Fatal(err)
	}
	h := newHouse(p.t, append([]func(*access.Config, *access.Deps){func(c *access.Config, _ *access.Deps) {
		c.OIDC = &access.OIDC{Issuer: p.server.URL, ClientID: "asepsis", ClientSecretFile: config.SecretFile(secret), Name: "Hospital login", CAFile: ca,
			Roles: map[string]access.Role{"or-security": access.Analyst, "biomed": access.Biomed, "it": access.Admin}}
	}}, change...)...)
	p.clock = h.clock
	return h
}

func sendJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (p *openID) metadata(w http.ResponseWriter, _ *http.Request) {
	u := p.server.URL
	m := map[string]any{"issuer": u, "authorization_endpoint": u + "/authorize", "token_endpoint": u + "/token", "jwks_uri": u + "/keys", "userinfo_endpoint": u + "/userinfo",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"}}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.discovery != nil {
		p.discovery(m)
	}
	sendJSON(w, m)
}

var b64 = base64.RawURLEncoding

func (p *openID) keys(w http.ResponseWriter, _ *http.Request) {
	sendJSON(w, map[string]any{"keys": []any{map[string]any{"kty": "RSA", "use": "sig", "kid": "k1", "alg": "RS256",
		"n": b64.EncodeToString(p.key.N.Bytes()), "e": b64.EncodeToString(big.NewInt(int64(p.key.E)).Bytes())}}})
}

// authorize logs in whoever comes.
func (p *openID) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	for name, want := range map[string]string{"response_type": "code", "client_id": "asepsis", "code_challenge_method": "S256"} {
		if q.Get(name) != want {
			http.Error(w, name+" is "+q.Get(name), http.StatusBadRequest)
			return
		}
	}
	if q.Get("nonce") == "" || q.Get("state") == "" || len(q.Get("code_challenge")) != 43 || !strings.Contains(q.Get("scope"), "openid") {
		http.Error(w, "incomplete", http.StatusBadRequest)
		return
	}
	code := rand.Text()
	p.mu.Lock()
	p.codes[code] = q
	p.mu.Unlock()
	to, err := url.Parse(q.Get("redirect_uri"))
	if err != nil {
		http.Error(w, "redirect_uri", http.StatusBadRequest)
		return
	}
	to.RawQuery = url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {p.server.URL}}.Encode()
	http.Redirect(w, r, to.String(), http.StatusFound)
}

func (p *openID) redeem(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.token != nil && p.token(w) {
		return
	}
	asked, ok := p.codes[r.FormValue("code")]
	delete(p.codes, r.FormValue("code"))
	id, secret, _ := r.BasicAuth()
	secret, _ = url.QueryUnescape(secret)
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if !ok || id != "asepsis" || secret != clientSecret || r.FormValue("redirect_uri") != asked.Get("redirect_uri") || b64.EncodeToString(sum[:]) != asked.Get("code_challenge") {
		w.WriteHeader(http.StatusBadRequest)
		sendJSON(w, map[string]any{"error": "invalid_grant"})
		return
	}
	now := p.clock.now()
	header := map[string]any{"alg": "RS256", "kid": "k1", "typ": "JWT"}
	claims := map[string]any{"iss": p.server.URL, "aud": "asepsis", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "nonce": asked.Get("nonce"), "sub": p.claims["sub"]}
	if !p.fromUserInfo {
		maps.Copy(claims, p.claims)
	}
	if p.bend != nil {
		p.bend(header, claims)
	}
	sendJSON(w, map[string]any{"access_token": "access", "token_type": "Bearer", "expires_in": 60, "id_token": p.jwt(header, claims)})
}

func (p *openID) jwt(header, claims map[string]any) string {
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			p.t.Error(err)
		}
		return b64.EncodeToString(b)
	}
	signing := part(header) + "." + part(claims)
	if p.sign != nil {
		return signing + "." + b64.EncodeToString(p.sign(signing))
	}
	return signing + "." + b64.EncodeToString(rs256(p.t, p.key, signing))
}

func rs256(t *testing.T, key *rsa.PrivateKey, signing string) []byte {
	sum := sha256.Sum256([]byte(signing))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Error(err)
	}
	return sig
}

func hs256(secret, signing string) []byte {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(signing))
	return m.Sum(nil)
}

func (p *openID) userinfo(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer access" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	sendJSON(w, p.claims)
}

// set changes what the provider says, between two log-ins.
func (p *openID) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// visit takes a browser through the provider and returns the address that it is
// sent back to.
func (p *openID) visit(b *browser, to string) string {
	p.t.Helper()
	c := p.server.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := c.Get(to)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusFound {
		p.t.Fatalf("the provider answered %d to %s", resp.StatusCode, to)
	}
	return resp.Header.Get("Location")
}

// back makes the callback that the provider asked the browser for.
func (b *browser) back(location string) reply {
	b.h.t.Helper()
	path, ok := strings.CutPrefix(location, b.h.server.URL+"/api/v1")
	if !ok {
		b.h.t.Fatalf("sent back to %s", location)
	}
	return b.do("GET", path, nil)
}

// through logs a browser in and returns the last answer.
func (p *openID) through(b *browser, from string) reply {
	p.t.Helper()
	r := b.do("GET", "/auth/oidc?return="+url.QueryEscape(from), nil).want(303)
	return b.back(p.visit(b, r.header.Get("Location")))
}
