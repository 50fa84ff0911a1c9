// SPDX-License-Identifier: Apache-2.0

// Package access says who may do what: users and their roles, sessions of
// browsers, tokens of programs, log-in by password or through an OpenID provider,
// and the handlers of the API about them.
//
// Everything is kept as documents of the store, and each change is committed
// together with its entry of the audit trail: there is no change without an entry,
// and no entry for a change that did not happen.
//
// # Guarantees
//
// Secrets. Of session cookies, tokens and the set-up link the store has SHA-256
// hashes (they are 256 random bits), of passwords argon2id hashes. No secret is
// logged, audited or answered, except a new token, once.
//
// Revocation. Ending a session, removing a token, changing a password or roles,
// disabling or removing a user works at once in this process, and within two
// seconds in others on the same store: nothing read from the store is
// believed for longer. When the store cannot be read, nobody is let in (503, so
// that a console does not take it for a log-out).
//
// The last administrator. There is always one that is enabled and can log in
// with a password, also when two are demoted at the same moment in two processes:
// all changes of that set go through one document.
//
// Concurrency. All methods may be called concurrently. Two people who edit the
// same user at once: the second is refused with 409.
//
// # Limits
//
// Limits of log-ins are kept in memory, by process; a restart forgets them.
// A user has at most MaxSessions sessions, the oldest end first, and MaxTokens
// tokens. When a session or token was used last is kept to the minute and lost
// in a crash. What is not done: second factors and passkeys (an OpenID provider
// does them), groups, single log-out at the provider.
package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/platform/store"
)

// Bounds.
const (
	MaxSessions = 50 // of one user
	MaxTokens   = 50 // of one user
	MaxUsers    = 10_000

	// believed is how long something read from the store is taken for true.
	believed = 2 * time.Second
	// seenStep is how often it is written when something was used last.
	seenStep = time.Minute
	// keptExpired is how long an expired token is still listed, and known by
	// that name when somebody uses it.
	keptExpired = 30 * 24 * time.Hour

	maxBody = 16 << 10 // bytes of a request
)

// Config is the configuration of access.
type Config struct {
	SessionIdle    time.Duration   `yaml:"session_idle" doc:"A browser that asks for nothing for this long is logged out."`
	SessionMax     time.Duration   `yaml:"session_max" doc:"A log-in ends after this time, however it is used."`
	SetupExpires   time.Duration   `yaml:"setup_expires" doc:"How long the one-time link of the first start can be used."`
	TokenMaxDays   int             `yaml:"token_max_days" doc:"API tokens live at most this many days, at most 365."`
	LocalLogin     bool            `yaml:"local_login" doc:"Whether people may log in with a password. false needs oidc."`
	LoginFree      int             `yaml:"login_free_tries" doc:"Wrong passwords before the delays start: this many for an account from one address, twice as many for an account, four times as many for an address."`
	LoginMaxDelay  time.Duration   `yaml:"login_max_delay" doc:"The longest delay between two tries. It grows from 1s and doubles; for an account tried from many addresses it stays at 30s."`
	LoginForget    time.Duration   `yaml:"login_forget" doc:"Wrong passwords are forgotten after this time without another."`
	HashMemory     config.ByteSize `yaml:"hash_memory" doc:"Memory of one argon2id computation, from 19MiB. Hashes made with other values are renewed at the next log-in."`
	HashTime       int             `yaml:"hash_time" doc:"Passes of one argon2id computation; at least 2 below 46MiB."`
	HashConcurrent int             `yaml:"hash_concurrent" doc:"How many are computed at once. Memory: this many times hash_memory."`
	TrustedProxies []netip.Prefix  `yaml:"trusted_proxies" doc:"Networks of reverse proxies whose X-Forwarded-For is believed, for the audit trail and the delays."`
	OIDC           *OIDC           `yaml:"oidc" doc:"Log-in through an OpenID Connect provider; nothing for none."`
}

// Default returns the defaults.
func Default() Config {
	return Config{
		SessionIdle: time.Hour, SessionMax: 12 * time.Hour, SetupExpires: 24 * time.Hour, TokenMaxDays: 365, LocalLogin: true,
		LoginFree: 5, LoginMaxDelay: 5 * time.Minute, LoginForget: 15 * time.Minute,
		HashMemory: 64 << 20, HashTime: 2, HashConcurrent: 2,
	}
}

// Validate checks the values.
func (c Config) Validate() error {
	var errs []error
	fail := func(field, hint, format string, args ...any) {
		errs = append(errs, config.Invalid(field, hint, format, args...))
	}
	if c.SessionIdle < 5*time.Minute {
		fail("session_idle", "", "must be at least 5m, is %s", c.SessionIdle)
	}
	if c.SessionMax < c.SessionIdle || c.SessionMax > 30*24*time.Hour {
		fail("session_max", "", "must be from session_idle to 720h, is %s", c.SessionMax)
	}
	if c.SetupExpires < time.Minute || c.SetupExpires > 7*24*time.Hour {
		fail("setup_expires", "", "must be from 1m to 168h, is %s", c.SetupExpires)
	}
	if c.TokenMaxDays < 1 || c.TokenMaxDays > 365 {
		fail("token_max_days", "", "must be from 1 to 365, is %d", c.TokenMaxDays)
	}
	if !c.LocalLogin && c.OIDC == nil {
		fail("local_login", "configure oidc, or leave local_login at true", "without it nobody could log in")
	}
	if c.LoginFree < 1 || c.LoginFree > 100 {
		fail("login_free_tries", "", "must be from 1 to 100, is %d", c.LoginFree)
	}
	if c.LoginMaxDelay < time.Second || c.LoginMaxDelay > time.Hour {
		fail("login_max_delay", "a longer delay would shut people out", "must be from 1s to 1h, is %s", c.LoginMaxDelay)
	}
	if c.LoginForget < c.LoginMaxDelay || c.LoginForget > 24*time.Hour {
		fail("login_forget", "", "must be from login_max_delay to 24h, is %s", c.LoginForget)
	}
	if c.HashMemory < 19<<20 || c.HashMemory > maxMemory<<10 {
		fail("hash_memory", "", "must be from 19MiB to 1GiB, is %s", c.HashMemory)
	}
	if c.HashTime < 1 || c.HashTime > maxTime || c.HashTime < 2 && c.HashMemory < 46<<20 {
		fail("hash_time", "", "must be from 1 to %d, and at least 2 below 46MiB, is %d", maxTime, c.HashTime)
	}
	if c.HashConcurrent < 1 || c.HashConcurrent > 64 {
		fail("hash_concurrent", "", "must be from 1 to 64, is %d", c.HashConcurrent)
	}
	return errors.Join(errs...)
}

// Site is the place that the console speaks of.
type Site struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Timezone string `json:"timezone"`
}

// Deps is what access works with.
type Deps struct {
	Store   store.Documents
	Log     *slog.Logger                   // nil for slog.Default
	Now     func() time.Time               // nil for time.Now
	BaseURL func() string                  // where browsers find the console, "https://console.example"; needed for OIDC
	Secure  bool                           // browsers come by HTTPS: cookies are bound to it
	Demo    bool                           // what is shown is replayed
	Site    func(ctx context.Context) Site // nil for none
	Version string                         // of the program
}

// Access is who may do what.
type Access struct {
	cfg    Config
	deps   Deps
	log    *slog.Logger
	hash   *hasher
	limits *limiter
	cache  *cache
	seen   *lastSeen
	oidc   *provider // nil without

	cross *http.CrossOriginProtection

	// redeem bounds what strangers can make this process ask of the provider.
	redeem *rate.Limiter

	warnMu sync.Mutex
	warned map[string]time.Time // a trouble that goes on is logged once a minute
}

// New makes an Access. It does not read the store and asks no provider.
func New(cfg Config, deps Deps) (*Access, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	if cfg.OIDC != nil {
		if err := cfg.OIDC.Validate(); err != nil {
			return nil, fmt.Errorf("access: oidc: %w", err)
		}
	}
	if deps.Store == nil {
		return nil, errors.New("access: no store")
	}
	if deps.Log == nil {
		deps.Log = slog.Default()
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.BaseURL == nil {
		deps.BaseURL = func() string { return "" }
	}
	if deps.Site == nil {
		deps.Site = func(context.Context) Site { return Site{} }
	}
	a := &Access{
		cfg: cfg, deps: deps, log: deps.Log,
		hash:   newHasher(argon{memory: uint32(cfg.HashMemory >> 10), time: uint32(cfg.HashTime), lanes: 1}, cfg.HashConcurrent),
		limits: newLimiter(cfg),
		cache:  newCache(),
		seen:   &lastSeen{at: map[key]time.Time{}},
		cross:  http.NewCrossOriginProtection(),
		redeem: rate.NewLimiter(5, 20),
		warned: map[string]time.Time{},
	}
	if cfg.OIDC != nil {
		p, err := newProvider(*cfg.OIDC, deps.Now)
		if err != nil {
			return nil, fmt.Errorf("access: oidc: %w", err)
		}
		a.oidc = p
	}
	return a, nil
}

func (a *Access) now() time.Time { return a.deps.Now().UTC() }

// origin returns the scheme and host of BaseURL, "" when there is none.
func (a *Access) origin() string {
	u, err := url.Parse(a.deps.BaseURL())
	if err != nil || u.Scheme == "" || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// base is BaseURL without a slash at its end.
func (a *Access) base() string { return strings.TrimRight(a.deps.BaseURL(), "/") }

// warn logs a trouble that does not stop a request, at most once a minute.
func (a *Access) warn(what string, err error) {
	now := a.now()
	a.warnMu.Lock()
	quiet := now.Sub(a.warned[what]) < time.Minute
	if !quiet {
		a.warned[what] = now
	}
	a.warnMu.Unlock()
	if !quiet {
		a.log.Warn("access: "+what, "error", err)
	}
}
