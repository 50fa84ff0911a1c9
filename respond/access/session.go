// SPDX-License-Identifier: Apache-2.0

package access

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/asepsis/asepsis/platform/store"
)

// Session is what a browser is told about itself.
type Session struct {
	User        SessionUser  `json:"user"`
	Permissions []Permission `json:"permissions"`
	CSRF        string       `json:"csrf"`
	Expires     time.Time    `json:"expires"`
	Demo        bool         `json:"demo"`
	Site        Site         `json:"site"`
	Version     string       `json:"version"`
}

// SessionUser is who is logged in.
type SessionUser struct {
	Name        string `json:"name"`
	DisplayName string `json:"display_name"`
	Roles       []Role `json:"roles"`
	Local       bool   `json:"local"`
}

// SessionInfo is a session in a list.
type SessionInfo struct {
	ID       string    `json:"id"`
	User     string    `json:"user"`
	Current  bool      `json:"current"`
	Created  time.Time `json:"created"`
	LastSeen time.Time `json:"last_seen"`
	From     string    `json:"from"`
	Agent    string    `json:"agent"`
	Expires  time.Time `json:"expires"`
}

type sessionDoc struct {
	User     string    `json:"user"`
	UID      string    `json:"uid"`
	Stamp    string    `json:"stamp"`
	Created  time.Time `json:"created"`
	LastSeen time.Time `json:"last_seen"`
	Expires  time.Time `json:"expires"` // whatever happens
	From     string    `json:"from"`
	Agent    string    `json:"agent"`
}

// secretLen is the length of a cookie: 256 bits in Base64.
const secretLen = 43

// sessionID is what a cookie is kept and listed as. It gives nothing away: the
// cookie is 256 random bits.
func sessionID(cookie string) string { return digest("session " + cookie) }

func digest(s string) string {
	h := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(h[:])
}

// csrfOf derives the token that a page sends with changes from the cookie that
// no page can read. Another site knows neither.
func csrfOf(cookie string) string {
	m := hmac.New(sha256.New, []byte(cookie))
	m.Write([]byte("csrf"))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// cookieName binds the cookie to HTTPS and this host where there is HTTPS. Cookies
// do not tell ports apart (RFC 6265 §8.5): without it, two consoles on loopback
// would log each other out, so the port is part of the name.
func (a *Access) cookieName(r *http.Request, what string) string {
	if a.deps.Secure {
		return "__Host-asepsis-" + what
	}
	name := "asepsis-" + what
	if _, port, err := net.SplitHostPort(r.Host); err == nil && port != "" && len(port) <= 5 && strings.Trim(port, "0123456789") == "" {
		name += "-" + port
	}
	return name
}

// cookie makes a cookie that lasts for a time; with no value, one that removes it.
// It has Max-Age and no Expires: the clock of the browser may be another one.
func (a *Access) cookie(r *http.Request, what, value string, lasts time.Duration, same http.SameSite) *http.Cookie {
	c := &http.Cookie{Name: a.cookieName(r, what), Value: value, Path: "/", MaxAge: int(lasts.Seconds()), HttpOnly: true, Secure: a.deps.Secure, SameSite: same}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

// cookieOf returns the session cookie of a request. Several of the same name, or
// one of another form, count as malformed.
func (a *Access) cookieOf(r *http.Request) (value string, present, wellFormed bool) {
	all := r.CookiesNamed(a.cookieName(r, "session"))
	if len(all) == 0 || len(all) == 1 && all[0].Value == "" {
		return "", false, false
	}
	v := all[0].Value
	return v, true, len(all) == 1 && isSecret(v)
}

func isSecret(v string) bool {
	if len(v) != secretLen {
		return false
	}
	_, err := base64.RawURLEncoding.Strict().DecodeString(v)
	return err == nil
}

func newSecret() string { return base64.RawURLEncoding.EncodeToString(random(32)) }

// start prepares a session of a user: the cookie's value and the writes that make
// it so. The oldest sessions beyond MaxSessions end, and the one that the browser
// came with, whoever's it was.
func (a *Access) start(ctx context.Context, r *http.Request, u *userDoc) (secret string, doc sessionDoc, writes []store.Write, err error) {
	now := a.now()
	secret = newSecret()
	doc = sessionDoc{User: u.Name, UID: u.UID, Stamp: u.Stamp, Created: now, LastSeen: now, Expires: now.Add(a.cfg.SessionMax), From: a.ClientAddr(r).String(), Agent: agentOf(r)}
	writes = []store.Write{put(kindSession, sessionID(secret), 0, doc), put(kindLogin, u.Name, store.AnyRevision, loginDoc{now})}
	old := ""
	if c, _, ok := a.cookieOf(r); ok {
		old = sessionID(c)
		writes = append(writes, remove(kindSession, old, store.AnyRevision))
	}
	type has struct {
		id      string
		created time.Time
	}
	var mine []has
	err = each(ctx, a, kindSession, func(id string, _ uint64, s *sessionDoc) {
		if s.User == u.Name && id != old {
			mine = append(mine, has{id, s.Created})
		}
	})
	slices.SortFunc(mine, func(x, y has) int { return x.created.Compare(y.created) })
	for len(mine) >= MaxSessions {
		writes = append(writes, remove(kindSession, mine[0].id, store.AnyRevision))
		mine = mine[1:]
	}
	return secret, doc, writes, err
}

// sessionsOf returns the writes that end all sessions of a user.
func (a *Access) sessionsOf(ctx context.Context, name string) ([]store.Write, error) {
	var writes []store.Write
	err := each(ctx, a, kindSession, func(id string, _ uint64, s *sessionDoc) {
		if s.User == name {
			writes = append(writes, remove(kindSession, id, store.AnyRevision))
		}
	})
	return writes, err
}

// live returns a session that can be used now, and its user.
func (a *Access) live(ctx context.Context, id string) (*sessionDoc, *userDoc, error) {
	s, err := load[sessionDoc](ctx, a, kindSession, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, refuse(ErrRevoked, "This log-in has ended.", "log in again")
	} else if err != nil {
		return nil, nil, unreadable(err)
	}
	if err := a.expired(id, s); err != nil {
		return nil, nil, err
	}
	u, err := a.enabled(ctx, s.User, s.UID)
	if err != nil {
		return nil, nil, err
	}
	if u.Stamp != s.Stamp {
		return nil, nil, refuse(ErrRevoked, "This log-in has ended: the password or the roles of the account were changed.", "log in again")
	}
	return s, u, nil
}

func (a *Access) expired(id string, s *sessionDoc) error {
	now := a.now()
	seen := a.seen.of(key{kindSession, id}, s.LastSeen)
	switch {
	case !now.Before(s.Expires):
		return refuse(ErrExpired, "This log-in has ended after "+spoken(a.cfg.SessionMax)+".", "log in again")
	case now.Sub(seen) >= a.cfg.SessionIdle:
		return refuse(ErrExpired, "This log-in has ended: nothing was asked for in "+spoken(a.cfg.SessionIdle)+".", "log in again")
	}
	return nil
}

// spoken writes a duration without the zeros at its end: 12h, 10m, 1h30m.
func spoken(d time.Duration) string {
	s := d.String()
	if cut, ok := strings.CutSuffix(s, "m0s"); ok {
		s = cut + "m"
	}
	if cut, ok := strings.CutSuffix(s, "h0m"); ok {
		s = cut + "h"
	}
	return s
}

// enabled returns a user who may act now. uid is of the user that the session or
// token was made for.
func (a *Access) enabled(ctx context.Context, name, uid string) (*userDoc, error) {
	u, err := load[userDoc](ctx, a, kindUser, name)
	switch {
	case errors.Is(err, store.ErrNotFound) || err == nil && u.UID != uid:
		return nil, refuse(ErrRevoked, "The account of this log-in does not exist any more.", "")
	case err != nil:
		return nil, unreadable(err)
	case u.Disabled:
		return nil, refuse(ErrDisabled, "This account is disabled.", "an administrator can enable it")
	}
	return u, nil
}

// sessions lists sessions that can be used, newest use first; those of one user,
// or all with "".
func (a *Access) sessions(ctx context.Context, user, current string) ([]SessionInfo, error) {
	stamps := map[string]string{}
	if err := each(ctx, a, kindUser, func(name string, _ uint64, u *userDoc) {
		if !u.Disabled {
			stamps[name] = u.Stamp
		}
	}); err != nil {
		return nil, err
	}
	out := []SessionInfo{}
	err := each(ctx, a, kindSession, func(id string, _ uint64, s *sessionDoc) {
		if user != "" && s.User != user || a.expired(id, s) != nil || stamps[s.User] != s.Stamp {
			return
		}
		out = append(out, SessionInfo{ID: id, User: s.User, Current: id == current, Created: s.Created,
			LastSeen: a.seen.of(key{kindSession, id}, s.LastSeen), From: s.From, Agent: s.Agent, Expires: s.Expires})
	})
	slices.SortStableFunc(out, func(x, y SessionInfo) int { return y.LastSeen.Compare(x.LastSeen) })
	return out, err
}

// agentOf is what a browser says it is, fit to be shown.
func agentOf(r *http.Request) string {
	const most = 200
	s := strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return -1
		}
		return c
	}, strings.ToValidUTF8(r.UserAgent(), ""))
	if rs := []rune(s); len(rs) > most {
		s = string(rs[:most])
	}
	return s
}

// ClientAddr returns where a request comes from: the peer of the connection, or,
// when that is a trusted proxy, the last address in X-Forwarded-For that is not.
func (a *Access) ClientAddr(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	from := ap.Addr().Unmap()
	trusted := func(x netip.Addr) bool {
		return slices.ContainsFunc(a.cfg.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(x) })
	}
	if !trusted(from) {
		return from
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		x, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			return from
		}
		if from = x.Unmap().WithZone(""); !trusted(from) {
			return from
		}
	}
	return from
}
