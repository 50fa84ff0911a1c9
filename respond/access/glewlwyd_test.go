// SPDX-License-Identifier: Apache-2.0

package access_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/platform/porttest"
	"github.com/asepsis/asepsis/respond/access"
)

// glewlwyd is the OpenID provider of that name (Debian package glewlwyd), run for
// one test with its own database and certificate.
type glewlwyd struct {
	t          *testing.T
	base       string
	ca, secret string
	admin      *http.Client
	output     *bytes.Buffer
}

const glewlwydSchema = "/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3"

// It takes the secret of HTTP Basic as it stands, without the form encoding of RFC
// 6749 §2.3.1: this one has nothing to encode.
const glewlwydSecret = "s3cret-of-the-client"

func startGlewlwyd(t *testing.T) *glewlwyd {
	t.Helper()
	path, err := exec.LookPath("glewlwyd")
	schema, schemaErr := os.ReadFile(glewlwydSchema)
	if err != nil || schemaErr != nil {
		t.Skip("glewlwyd (Debian package glewlwyd) is not installed")
	}
	dir := t.TempDir()
	g := &glewlwyd{t: t, ca: filepath.Join(dir, "tls.pem"), secret: filepath.Join(dir, "secret"), output: &bytes.Buffer{}}
	roots := g.certificate(filepath.Join(dir, "tls.key"))
	if err := os.WriteFile(g.secret, []byte(glewlwydSecret), 0o600); err != nil {
		t.Fatal(err)
	}

	db, err := sql.Open("sqlite", filepath.Join(dir, "db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{string(schema),
		`UPDATE g_user_module_instance SET gumi_parameters='{"use-glewlwyd-connection":true,"data-format":{"groups":{"multiple":true,"read":true,"write":true}}}'`} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	port, err := porttest.Free()
	if err != nil {
		t.Fatal(err)
	}
	g.base = fmt.Sprintf("https://127.0.0.1:%d/api", port)
	conf := fmt.Sprintf(`port=%d
bind_address="127.0.0.1"
external_url="https://127.0.0.1:%d/"
login_url="login.html"
api_prefix="api"
log_mode="console"
log_level="INFO"
session_expiration=3600
session_key="S"
admin_session_authentication="cookie"
profile_session_authentication="cookie"
login_api_enabled=true
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="/usr/lib/glewlwyd/user"
client_module_path="/usr/lib/glewlwyd/client"
user_auth_scheme_module_path="/usr/lib/glewlwyd/scheme"
plugin_module_path="/usr/lib/glewlwyd/plugin"
use_secure_connection=true
secure_connection_key_file="%s/tls.key"
secure_connection_pem_file="%s/tls.pem"
hash_algorithm="SHA512"
database={ type="sqlite3"; path="%s/db"; };
`, port, port, dir, dir, dir)
	if err := os.WriteFile(filepath.Join(dir, "conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, "--config-file="+filepath.Join(dir, "conf"))
	cmd.Stdout, cmd.Stderr = g.output, g.output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("glewlwyd said:\n%s", g.output)
		}
	})
	g.admin = g.client(roots)
	g.wait(port)
	return g
}

// certificate writes a certificate for loopback and its key.
func (g *glewlwyd) certificate(keyFile string) *x509.CertPool {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		g.t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		g.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		g.t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, data := range map[string][]byte{g.ca: public, keyFile: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			g.t.Fatal(err)
		}
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(public)
	return roots
}

func (g *glewlwyd) client(roots *x509.CertPool) *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		g.t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// wait returns when the provider listens.
func (g *glewlwyd) wait(port int) {
	g.t.Helper()
	tick, late := time.NewTicker(50*time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for {
		c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
		if err == nil {
			_ = c.Close()
			return
		}
		select {
		case <-tick.C:
		case <-late:
			g.t.Fatalf("glewlwyd does not listen: %v", err)
		}
	}
}

func (g *glewlwyd) call(c *http.Client, method, path string, body any) {
	g.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		g.t.Fatal(err)
	}
	r, err := http.NewRequest(method, g.base+path, bytes.NewReader(b))
	if err != nil {
		g.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	if out, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		g.t.Fatalf("glewlwyd: %s %s: %d %s", method, path, resp.StatusCode, out)
	}
}

// set makes the OpenID plugin, the client and a user.
func (g *glewlwyd) set(callback string) {
	g.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		g.t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		g.t.Fatal(err)
	}
	claim := func(name, property string) map[string]any {
		return map[string]any{"name": name, "user-property": property, "type": "string", "mandatory": true, "on-demand": false, "scope": []string{}}
	}
	g.call(g.admin, "POST", "/auth/", map[string]any{"username": "admin", "password": "password"})
	g.call(g.admin, "POST", "/mod/plugin/", map[string]any{"module": "oidc", "name": "oidc", "display_name": "oidc", "order_rank": 0, "readonly": false, "parameters": map[string]any{
		"iss": g.base + "/oidc", "jwt-type": "rsa", "jwt-key-size": "256",
		"key":           string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
		"cert":          string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
		"code-duration": 600, "refresh-token-duration": 3600, "access-token-duration": 600, "allow-non-oidc": false, "auth-type-code-enabled": true, "auth-type-token-enabled": false,
		"auth-type-id-token-enabled": true, "auth-type-none-enabled": false, "auth-type-password-enabled": false, "auth-type-client-enabled": false, "auth-type-refresh-enabled": false,
		"auth-type-device-enabled": false, "pkce-allowed": true, "pkce-method-plain-allowed": false, "pkce-required": true, "subject-type": "public", "jwks-show": true,
		"name-claim": "mandatory", "email-claim": "no", "claims": []any{claim("preferred_username", "username"), claim("groups", "groups")}}})
	g.call(g.admin, "POST", "/client/?source=database", map[string]any{"client_id": "asepsis", "name": "Asepsis", "confidential": true, "password": glewlwydSecret, "enabled": true,
		"redirect_uri": []string{callback}, "authorization_type": []string{"code"}, "scope": []string{"openid"}, "token_endpoint_auth_method": []string{"client_secret_basic"}})
	g.user("eve", "Eve Example", "staff", "or-security")
}

func (g *glewlwyd) user(name, display string, groups ...string) {
	g.t.Helper()
	g.call(g.admin, "POST", "/user/?source=database", map[string]any{"username": name, "name": display, "password": "password of " + name, "enabled": true, "email": "",
		"scope": []string{"openid", "g_profile"}, "groups": groups})
}

// through logs a person in at the provider, as its own pages do, and returns
// where the provider sends the browser.
func (g *glewlwyd) through(name, to string) string {
	g.t.Helper()
	c := g.client(g.admin.Transport.(*http.Transport).TLSClientConfig.RootCAs)
	g.call(c, "POST", "/auth/", map[string]any{"username": name, "password": "password of " + name})
	g.call(c, "PUT", "/auth/grant/asepsis/", map[string]any{"scope": "openid"})
	resp, err := c.Get(to + "&g_continue")
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusFound {
		g.t.Fatalf("glewlwyd answered %d to %s", resp.StatusCode, to)
	}
	return resp.Header.Get("Location")
}

func TestGlewlwyd(t *testing.T) {
	g := startGlewlwyd(t)
	h := newHouse(t, func(c *access.Config, d *access.Deps) {
		c.OIDC = &access.OIDC{Issuer: g.base + "/oidc", ClientID: "asepsis", ClientSecretFile: config.SecretFile(g.secret), Name: "Glewlwyd", CAFile: g.ca, Scopes: []string{"openid"},
			Roles: map[string]access.Role{"or-security": access.Engineer}}
		d.Now = nil // its tokens expire by the real clock
	})
	g.set(h.server.URL + "/api/v1/auth/oidc/callback")
	begin := func() (*browser, string) {
		b := h.browser()
		return b, b.do("GET", "/auth/oidc?return=/devices", nil).want(303).header.Get("Location")
	}

	b, to := begin()
	back := g.through("eve", to)
	if r := b.back(back).want(303); r.header.Get("Location") != "/devices" {
		t.Errorf("sent on to %q", r.header.Get("Location"))
	}
	s := into[access.Session](b.do("GET", "/session", nil).want(200))
	if s.User.Name != "eve" || s.User.DisplayName != "Eve Example" || s.User.Local || !slices.Equal(s.User.Roles, []access.Role{access.Engineer}) {
		t.Errorf("%+v", s.User)
	}

	t.Run("a code works once", func(t *testing.T) {
		c, to := begin()
		u := mustURL(t, g.through("eve", to))
		q := u.Query()
		q.Set("code", mustURL(t, back).Query().Get("code"))
		u.RawQuery = q.Encode()
		c.back(u.String()).want(403, "cannot be trusted")
	})
	t.Run("a code of another log-in fails PKCE", func(t *testing.T) {
		c, to := begin()
		mine := mustURL(t, g.through("eve", to))
		_, to = begin()
		theirs := mustURL(t, g.through("eve", to))
		q := mine.Query()
		q.Set("code", theirs.Query().Get("code"))
		mine.RawQuery = q.Encode()
		c.back(mine.String()).want(403, "cannot be trusted")
	})
	t.Run("somebody without a role", func(t *testing.T) {
		g.user("vic", "Vic Visitor", "staff")
		c, to := begin()
		c.back(g.through("vic", to)).want(403, "gives you no role")
	})
	t.Run("a wrong client secret", func(t *testing.T) {
		if err := os.WriteFile(g.secret, []byte("another one"), 0o600); err != nil {
			t.Fatal(err)
		}
		c, to := begin()
		c.back(g.through("eve", to)).want(403, "cannot be trusted")
	})
	if strings.Contains(h.log.String(), glewlwydSecret) || strings.Contains(h.log.String(), url.QueryEscape(glewlwydSecret)) {
		t.Error("the client's secret is in the log")
	}
}
