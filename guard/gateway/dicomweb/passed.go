// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"context"
	"errors"
	"sync"
	"time"
)

// passedBefore remembers which instances passed the inspection, which are being inspected, and to whom parts
// of them were given.
type passedBefore struct {
	keep time.Duration

	mu      sync.Mutex
	passed  map[string]*pass
	running map[string]chan struct{}
}

// pass is an instance that passed.
type pass struct {
	retrieval Retrieval
	until     time.Time
	given     map[string]*giving // by device and resource
}

// giving is somebody to whom parts of an instance are given.
type giving struct {
	told chan struct{} // closed when it was told, or could not be
	err  error         // why it could not
}

// maxPassed bounds what is remembered, maxGiven of whom for each instance.
const (
	maxPassed = 50_000
	maxGiven  = 256
)

func newPassedBefore(keep time.Duration) *passedBefore {
	return &passedBefore{keep: keep, passed: make(map[string]*pass), running: make(map[string]chan struct{})}
}

func (b *passedBefore) add(key string, r *Retrieval, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.passed) >= maxPassed {
		for k, p := range b.passed {
			if !now.Before(p.until) || len(b.passed) >= maxPassed {
				delete(b.passed, k)
			}
		}
	}
	b.passed[key] = &pass{retrieval: *r, until: now.Add(b.keep)}
}

// errForgotten: so many instances were retrieved at once that one was forgotten before its parts were given.
var errForgotten = errors.New("too many instances are being retrieved at once")

// give has tell told, once, that parts of an instance go to somebody, and returns when it was. When it could
// not be told, the next who asks tries again.
func (b *passedBefore) give(ctx context.Context, key, who string, tell func(Retrieval) error) error {
	b.mu.Lock()
	p := b.passed[key]
	if p == nil {
		b.mu.Unlock()
		return errForgotten
	}
	g := p.given[who]
	if g != nil {
		b.mu.Unlock()
		select {
		case <-g.told:
			return g.err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if p.given == nil || len(p.given) >= maxGiven {
		p.given = make(map[string]*giving)
	}
	g = &giving{told: make(chan struct{})}
	p.given[who] = g
	b.mu.Unlock()
	defer close(g.told)
	if g.err = tell(p.retrieval); g.err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		if p.given[who] == g {
			delete(p.given, who)
		}
	}
	return g.err
}

// begin reports whether an instance passed before. Otherwise the caller inspects it when wait is nil, and
// calls end; or asks again when wait is closed.
func (b *passedBefore) begin(key, policy string, now time.Time) (wait <-chan struct{}, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.passed[key]; p != nil && p.retrieval.Policy == policy && now.Before(p.until) {
		return nil, true
	}
	if c := b.running[key]; c != nil {
		return c, false
	}
	b.running[key] = make(chan struct{})
	return nil, false
}

func (b *passedBefore) end(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.running[key])
	delete(b.running, key)
}
