// SPDX-License-Identifier: Apache-2.0

package access

import (
	"context"
	"errors"
	"time"

	"github.com/asepsis/asepsis/platform/store"
)

// sweepStep is how often what is over is removed.
const sweepStep = 10 * time.Minute

// Run writes when sessions and tokens were used last, and removes those that are
// over, until ctx ends. Nothing is let in for longer without it: it only cleans up.
func (a *Access) Run(ctx context.Context) error {
	tick := time.NewTicker(seenStep)
	defer tick.Stop()
	var swept time.Time
	for {
		if now := a.now(); now.Sub(swept) >= sweepStep {
			swept = now
			if err := a.sweep(ctx); err != nil && ctx.Err() == nil {
				a.warn("expired sessions and tokens could not be removed", err)
			}
			a.limits.forget(now)
		}
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			a.flush(last)
			return nil
		case <-tick.C:
			a.flush(ctx)
		}
	}
}

// flush writes when what was used last. A write expects the revision that was
// read, so that nothing removed meanwhile comes back.
func (a *Access) flush(ctx context.Context) {
	for k, at := range a.seen.take() {
		var w store.Write
		var err error
		switch k.kind {
		case kindSession:
			w, err = later(ctx, a, k, func(s *sessionDoc) bool { changed := at.After(s.LastSeen); s.LastSeen = at; return changed })
		case kindToken:
			w, err = later(ctx, a, k, func(t *tokenDoc) bool {
				changed := t.LastUsed == nil || at.After(*t.LastUsed)
				t.LastUsed = &at
				return changed
			})
		}
		if err == nil && w.Kind != "" {
			err = a.commit(ctx, []store.Write{w})
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrConflict) {
			a.seen.touch(k, at) // for the next time
			a.warn("when sessions and tokens were used could not be written", err)
		}
	}
}

// later returns the write of a document that f changed.
func later[T any](ctx context.Context, a *Access, k key, f func(*T) bool) (store.Write, error) {
	v, revision, err := fresh[T](ctx, a, k.kind, k.id)
	if err != nil || !f(v) {
		return store.Write{}, err
	}
	return put(k.kind, k.id, revision, v), nil
}

// sweep removes sessions that are over and tokens that expired long ago, and
// both of users who are gone.
func (a *Access) sweep(ctx context.Context) error {
	type has[T any] struct {
		id       string
		revision uint64
		v        *T
	}
	var sessions []has[sessionDoc]
	var tokens []has[tokenDoc]
	// Users are read last: a session seen here with a stamp that its user does
	// not have afterwards is an old one, never one that is newer.
	err := each(ctx, a, kindSession, func(id string, revision uint64, s *sessionDoc) {
		sessions = append(sessions, has[sessionDoc]{id, revision, s})
	})
	if err == nil {
		err = each(ctx, a, kindToken, func(id string, revision uint64, t *tokenDoc) { tokens = append(tokens, has[tokenDoc]{id, revision, t}) })
	}
	users := map[string]*userDoc{}
	if err == nil {
		err = each(ctx, a, kindUser, func(name string, _ uint64, u *userDoc) { users[name] = u })
	}
	if err != nil {
		return err
	}
	type over struct {
		write store.Write
		audit []store.Audit
	}
	var list []over
	for _, s := range sessions {
		if u, ok := users[s.v.User]; !ok || u.Stamp != s.v.Stamp || a.expired(s.id, s.v) != nil {
			list = append(list, over{write: remove(kindSession, s.id, s.revision)})
		}
	}
	now := a.now()
	for _, t := range tokens {
		if u, ok := users[t.v.Owner]; ok && u.UID == t.v.UID && now.Sub(t.v.Expires) < keptExpired {
			continue
		}
		e := store.Audit{Time: now.UnixNano(), Who: whoSystem, Action: actTokenExpired, Object: t.id, Before: t.v.audited(), Result: done}
		list = append(list, over{remove(kindToken, t.id, t.revision), []store.Audit{e}})
	}
	for _, o := range list {
		// A conflict is a session that is used at this moment, or another process
		// that removed it.
		if err := a.commit(ctx, []store.Write{o.write}, o.audit...); err != nil && !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}
