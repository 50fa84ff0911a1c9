// SPDX-License-Identifier: Apache-2.0

package access

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/asepsis/asepsis/platform/config"
)

// OIDC configures log-in through an OpenID Connect provider.
type OIDC struct {
	Issuer           string            `yaml:"issuer" doc:"The provider's issuer, as its discovery document has it."`
	ClientID         string            `yaml:"client_id" doc:"The client that is registered there for Asepsis."`
	ClientSecretFile config.SecretFile `yaml:"client_secret_file" doc:"Its secret; nothing for a public client."`
	Name             string            `yaml:"name" doc:"What the log-in page calls the provider."`
	Scopes           []string          `yaml:"scopes" doc:"What is asked for; nothing for openid, profile and email."`
	NameClaim        string            `yaml:"name_claim" doc:"The claim that names new users; nothing for preferred_username."`
	RoleClaim        string            `yaml:"role_claim" doc:"The claim that roles are taken from, a text or a list; dots go into objects (realm_access.roles); nothing for groups."`
	Roles            map[string]Role   `yaml:"roles" doc:"Which value of that claim gives which role. Who has none of them is not let in."`
	CAFile           string            `yaml:"ca_file" doc:"PEM certificates that the provider's is checked with; nothing for the system's."`
}

// Validate checks the values.
func (o OIDC) Validate() error {
	var errs []error
	fail := func(field, hint, format string, args ...any) {
		errs = append(errs, config.Invalid(field, hint, format, args...))
	}
	u, err := url.Parse(o.Issuer)
	switch {
	case err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		fail("issuer", "", "must be the address of the provider, such as https://login.example")
	case u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())):
		fail("issuer", "", "must be an https address")
	}
	if o.ClientID == "" {
		fail("client_id", "register Asepsis at the provider", "is missing")
	}
	if o.Name == "" || len(o.Name) > 60 {
		fail("name", "", "must have 1 to 60 characters")
	}
	if len(o.Scopes) > 0 && !slices.Contains(o.Scopes, oidc.ScopeOpenID) {
		fail("scopes", "", `must contain "openid"`)
	}
	if len(o.Roles) == 0 {
		fail("roles", "map at least one value to a role, {or-security: analyst}", "without it nobody is let in")
	}
	return errors.Join(errs...)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// provider talks to the OpenID provider. Its metadata are asked for at the first
// log-in, not at the start: the provider may be away then, and passwords work.
type provider struct {
	cfg    OIDC
	now    func() time.Time
	client *http.Client
	lock   chan struct{} // guards what is below; a channel, so that waiting ends with a request
	found  *oidc.Provider
	failed time.Time
	err    error
}

// Bounds of what a provider may do to us.
const (
	providerTimeout = 10 * time.Second
	providerBody    = 1 << 20
	providerRetry   = 5 * time.Second
)

func newProvider(cfg OIDC, now func() time.Time) (*provider, error) {
	if cfg.NameClaim == "" {
		cfg.NameClaim = "preferred_username"
	}
	if cfg.RoleClaim == "" {
		cfg.RoleClaim = "groups"
	}
	if len(cfg.Scopes) == 0 {
		cfg.Scopes = []string{oidc.ScopeOpenID, "profile", "email"}
	}
	if _, err := cfg.ClientSecretFile.Read(); err != nil {
		return nil, fmt.Errorf("client_secret_file: %w", err)
	}
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		tlsConfig.RootCAs = x509.NewCertPool()
		if !tlsConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file: %s has no certificate in PEM", cfg.CAFile)
		}
	}
	client := &http.Client{
		Timeout: providerTimeout,
		// What a token endpoint redirects would be sent elsewhere: the code, the secret.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     bounded{&http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: tlsConfig, ForceAttemptHTTP2: true, MaxIdleConns: 4, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10}},
	}
	return &provider{cfg: cfg, now: now, client: client, lock: make(chan struct{}, 1)}, nil
}

// bounded limits the bodies that are read from the provider.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, providerBody), resp.Body}
	return resp, nil
}

// metadata returns the provider as its discovery document describes it.
func (p *provider) metadata(ctx context.Context) (*oidc.Provider, error) {
	select {
	case p.lock <- struct{}{}:
		defer func() { <-p.lock }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if p.found != nil {
		return p.found, nil
	}
	if p.err != nil && p.now().Sub(p.failed) < providerRetry {
		return nil, p.err
	}
	// The key set keeps its context: it must not be the request's.
	found, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.client), p.cfg.Issuer)
	if err != nil {
		p.failed, p.err = p.now(), fmt.Errorf("ask %s for its metadata: %w", p.cfg.Issuer, err)
		return nil, p.err
	}
	p.found, p.err = found, nil
	return found, nil
}

func (p *provider) oauth(found *oidc.Provider, redirect string) (*oauth2.Config, error) {
	secret, err := p.cfg.ClientSecretFile.Read()
	if err != nil {
		return nil, err
	}
	// How the client proves itself is said in the metadata (Discovery §3); trying
	// out would send the code twice.
	var meta struct {
		Methods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := found.Claims(&meta); err != nil {
		return nil, err
	}
	endpoint := found.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if len(secret) == 0 || len(meta.Methods) > 0 && !slices.Contains(meta.Methods, "client_secret_basic") {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{ClientID: p.cfg.ClientID, ClientSecret: string(secret), Endpoint: endpoint, RedirectURL: redirect, Scopes: p.cfg.Scopes}, nil
}

// identity is what the provider says about a person.
type identity struct {
	issuer, subject string
	name, display   string
	roles           []Role
}

// refusal is a sentence for the person in front of the browser.
type refusal struct {
	status int
	text   string
	hint   string
	cause  error
}

func (e *refusal) Error() string {
	if e.cause != nil {
		return e.text + " " + e.cause.Error()
	}
	return e.text
}

func (e *refusal) Unwrap() error { return e.cause }

// algorithms are what an ID token may be signed with: asymmetric ones only. "none"
// and those keyed by the client's secret are not among them.
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA}

// identify redeems a code and checks what comes back (OpenID Connect Core 1.0
// §3.1.3.7).
func (p *provider) identify(ctx context.Context, redirect, code string, pend pending) (identity, error) {
	var id identity
	away := func(err error) error {
		return &refusal{http.StatusServiceUnavailable, p.cfg.Name + " does not answer as it should.", "try again; the log of Asepsis has the cause", err}
	}
	wrong := func(err error) error {
		return &refusal{http.StatusForbidden, "What " + p.cfg.Name + " says about this log-in cannot be trusted.", "start again from the log-in page; the log of Asepsis has the cause", err}
	}
	found, err := p.metadata(ctx)
	if err != nil {
		return id, away(err)
	}
	conf, err := p.oauth(found, redirect)
	if err != nil {
		return id, away(err)
	}
	ctx = oidc.ClientContext(ctx, p.client)
	token, err := conf.Exchange(ctx, code, oauth2.VerifierOption(pend.Verifier))
	if err != nil {
		var answered *oauth2.RetrieveError
		if errors.As(err, &answered) && answered.Response != nil && answered.Response.StatusCode < 500 {
			// Its body is not passed on: it may repeat what was sent.
			return id, wrong(fmt.Errorf("the token endpoint answered %d %s", answered.Response.StatusCode, printable(answered.ErrorCode)))
		}
		return id, away(err)
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok || len(raw) > providerBody {
		return id, wrong(errors.New("no ID token"))
	}
	verified, err := found.Verifier(&oidc.Config{ClientID: p.cfg.ClientID, SupportedSigningAlgs: algorithms, Now: p.now}).Verify(ctx, raw)
	if err != nil {
		return id, wrong(err)
	}
	if subtle.ConstantTimeCompare([]byte(verified.Nonce), []byte(pend.Nonce)) != 1 {
		return id, wrong(errors.New("the ID token is not for this log-in (nonce)"))
	}
	if verified.AccessTokenHash != "" {
		if err := verified.VerifyAccessToken(token.AccessToken); err != nil {
			return id, wrong(err)
		}
	}
	claims := map[string]any{}
	if err := verified.Claims(&claims); err != nil {
		return id, wrong(err)
	}
	if azp, given := claims["azp"]; given && azp != p.cfg.ClientID || !given && len(verified.Audience) > 1 {
		return id, wrong(errors.New("the ID token is for another client (azp)"))
	}
	if verified.Subject == "" || len(verified.Subject) > 255 {
		return id, wrong(errors.New("no subject"))
	}
	id.issuer, id.subject = verified.Issuer, verified.Subject
	if !p.has(claims) && found.UserInfoEndpoint() != "" {
		// Some providers give groups and names only there (§5.3).
		info, err := found.UserInfo(ctx, oauth2.StaticTokenSource(token))
		if err != nil {
			return id, away(err)
		}
		if info.Subject != verified.Subject {
			return id, wrong(errors.New("user info is about another subject"))
		}
		more := map[string]any{}
		if err := info.Claims(&more); err != nil {
			return id, wrong(err)
		}
		for k, v := range more {
			if _, ok := claims[k]; !ok {
				claims[k] = v
			}
		}
	}
	id.name = text(claims, p.cfg.NameClaim)
	id.display = text(claims, "name")
	id.roles = p.roles(claims)
	return id, nil
}

// has reports whether the claims have all that is asked of them.
func (p *provider) has(claims map[string]any) bool {
	return claim(claims, p.cfg.RoleClaim) != nil && text(claims, p.cfg.NameClaim) != ""
}

// claim finds a claim; dots go into objects, unless the whole name is one.
func claim(claims map[string]any, path string) any {
	if v, ok := claims[path]; ok {
		return v
	}
	var at any = claims
	for part := range strings.SplitSeq(path, ".") {
		m, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = m[part]
	}
	return at
}

func text(claims map[string]any, path string) string {
	s, _ := claim(claims, path).(string)
	return s
}

// roles maps the values of the role claim, in the order of Roles.
func (p *provider) roles(claims map[string]any) []Role {
	var values []string
	switch v := claim(claims, p.cfg.RoleClaim).(type) {
	case string:
		values = []string{v}
	case []any:
		for _, x := range v {
			if s, ok := x.(string); ok {
				values = append(values, s)
			}
		}
	}
	return slices.DeleteFunc(Roles(), func(r Role) bool {
		return !slices.ContainsFunc(values, func(v string) bool { return p.cfg.Roles[v] == r })
	})
}

// printable shortens what a provider says for the log.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s[:min(len(s), 80)])
}
