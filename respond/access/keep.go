// SPDX-License-Identifier: Apache-2.0

package access

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/asepsis/asepsis/platform/store"
)

// Kinds of documents.
const (
	kindUser    = "user"    // by name
	kindLogin   = "login"   // by name of the user: when he logged in last, apart so that a log-in is no edit
	kindIdent   = "ident"   // by hash of issuer and subject: whose account that is
	kindSession = "session" // by hash of the cookie
	kindToken   = "token"   // by ID of the token
	kindSetup   = "setup"   // "link": the set-up link; "admins": who is an administrator
)

// key names a document.
type key struct{ kind, id string }

// cache keeps decoded documents for as long as they are believed. A change by
// this process takes effect at once: what a reader fetched before a change is not
// put in after it.
type cache struct {
	mu      sync.Mutex
	changes uint64 // one more with every drop
	entries map[key]cached
}

type cached struct {
	value    any // pointer to a value that nobody changes
	revision uint64
	read     time.Time
}

const maxCached = 20_000

func newCache() *cache { return &cache{entries: map[key]cached{}} }

func (c *cache) get(k key) (e cached, ok bool, changes uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok = c.entries[k]
	return e, ok, c.changes
}

func (c *cache) put(k key, e cached, changes uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes != changes {
		return
	}
	if len(c.entries) >= maxCached {
		for old, x := range c.entries {
			if e.read.Sub(x.read) > believed {
				delete(c.entries, old)
			}
		}
		if len(c.entries) >= maxCached {
			clear(c.entries) // they are read again
		}
	}
	c.entries[k] = e
}

func (c *cache) drop(keys ...key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	for _, k := range keys {
		delete(c.entries, k)
	}
}

// load returns a document, decoded, at most believed old. The value is shared:
// it must not be changed.
func load[T any](ctx context.Context, a *Access, kind, id string) (*T, error) {
	k, now := key{kind, id}, a.now()
	e, ok, changes := a.cache.get(k)
	if age := now.Sub(e.read); ok && age >= 0 && age < believed {
		return e.value.(*T), nil
	}
	d, err := a.deps.Store.Document(ctx, kind, id)
	if err != nil {
		a.cache.drop(k)
		return nil, err
	}
	if ok && e.revision == d.Revision {
		e.read = now
		a.cache.put(k, e, changes)
		return e.value.(*T), nil
	}
	v, err := decode[T](d)
	if err != nil {
		return nil, err
	}
	a.cache.put(k, cached{v, d.Revision, now}, changes)
	return v, nil
}

// fresh returns a document as it is now, with its revision, for a change.
func fresh[T any](ctx context.Context, a *Access, kind, id string) (*T, uint64, error) {
	d, err := a.deps.Store.Document(ctx, kind, id)
	if err != nil {
		return nil, 0, err
	}
	v, err := decode[T](d)
	return v, d.Revision, err
}

func decode[T any](d store.Document) (*T, error) {
	v := new(T)
	if err := json.Unmarshal(d.Body, v); err != nil {
		return nil, fmt.Errorf("document %s %q: %w", d.Kind, d.ID, err)
	}
	return v, nil
}

// each calls f for every document of a kind in the order of their IDs.
func each[T any](ctx context.Context, a *Access, kind string, f func(id string, revision uint64, v *T)) error {
	const page = 500
	after := ""
	for {
		docs, err := a.deps.Store.DocumentsOf(ctx, kind, after, page)
		if err != nil {
			return err
		}
		for _, d := range docs {
			v, err := decode[T](d)
			if err != nil {
				return err
			}
			f(d.ID, d.Revision, v)
		}
		if len(docs) < page {
			return nil
		}
		after = docs[len(docs)-1].ID
	}
}

// put is the write of a document.
func put(kind, id string, expect uint64, v any) store.Write {
	body, err := json.Marshal(v)
	if err != nil {
		panic("BUG: access: " + err.Error())
	}
	return store.Write{Kind: kind, ID: id, Expect: expect, Body: body}
}

func remove(kind, id string, expect uint64) store.Write {
	return store.Write{Kind: kind, ID: id, Expect: expect, Delete: true}
}

// commit writes, and makes this process believe it. What was to be written is
// dropped from the cache also after an error: the store may have done it.
func (a *Access) commit(ctx context.Context, writes []store.Write, audit ...store.Audit) error {
	err := a.deps.Store.Commit(ctx, writes, audit...)
	keys := make([]key, len(writes))
	for i, w := range writes {
		keys[i] = key{w.Kind, w.ID}
	}
	a.cache.drop(keys...)
	return err
}

// lastSeen remembers when sessions and tokens were used, until it is written.
// Requests only write memory.
type lastSeen struct {
	mu sync.Mutex
	at map[key]time.Time
}

func (s *lastSeen) touch(k key, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.at[k]; !ok && len(s.at) >= maxCached {
		return
	}
	if now.After(s.at[k]) {
		s.at[k] = now
	}
}

// of returns the later of what is stored and what is remembered.
func (s *lastSeen) of(k key, stored time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.at[k]; t.After(stored) {
		return t
	}
	return stored
}

// take returns everything and forgets it.
func (s *lastSeen) take() map[key]time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.at
	s.at = map[key]time.Time{}
	return out
}
