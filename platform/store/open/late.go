// SPDX-License-Identifier: Apache-2.0

package open

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/asepsis/asepsis/platform/store"
)

// Late is the documents of a store that may be away when the process starts: a gateway must
// take images after a power cut also when it comes up before the database. Until the store
// is open, every call is store.ErrAway.
type Late struct {
	cfg   store.Config
	dir   string
	log   *slog.Logger
	every time.Duration

	mu     sync.Mutex
	s      store.Store // nil until it is open
	closed bool
}

var _ store.Documents = (*Late)(nil)

// lateEvery is how often a store that is away is tried, and lateFirst how long the first time.
const (
	lateEvery = 5 * time.Second
	lateFirst = 10 * time.Second
)

// Documents opens the store if it can be reached now, and leaves it to Run otherwise. What will not mend
// itself (a URL that is none, a password that is refused, a schema of a newer version) is an error.
func Documents(ctx context.Context, c store.Config, dir string, log *slog.Logger) (*Late, error) {
	l := &Late{cfg: c, dir: dir, log: log, every: lateEvery}
	err := l.open(ctx)
	switch {
	case err == nil:
	case errors.Is(err, store.ErrAway), errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		log.Warn("the store cannot be reached yet; it is tried on", "why", err)
	default:
		return nil, err
	}
	return l, nil
}

// open opens the store. A server that answers nothing costs lateFirst.
func (l *Late) open(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lateFirst)
	defer cancel()
	s, err := Store(ctx, l.cfg, l.dir, l.log)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return s.Close()
	}
	l.s = s
	return nil
}

// Run opens the store when it is there, and waits for the end of ctx.
func (l *Late) Run(ctx context.Context) error {
	t := time.NewTicker(l.every)
	defer t.Stop()
	said := ""
	for {
		l.mu.Lock()
		there := l.s != nil
		l.mu.Unlock()
		if there {
			<-ctx.Done()
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		switch err := l.open(ctx); {
		case err == nil:
			l.log.Info("the store is there")
		case ctx.Err() == nil && err.Error() != said:
			said = err.Error()
			l.log.Warn("the store cannot be used yet; it is tried again", "why", err)
		}
	}
}

// Close closes the store, where it is open.
func (l *Late) Close() error {
	l.mu.Lock()
	s := l.s
	l.closed = true
	l.mu.Unlock()
	if s == nil {
		return nil
	}
	return s.Close()
}

// Ping says whether the store can be used.
func (l *Late) Ping(ctx context.Context) error {
	s, err := l.there()
	if err != nil {
		return err
	}
	return s.Ping(ctx)
}

func (l *Late) there() (store.Store, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.s == nil {
		return nil, fmt.Errorf("store: %w: it was not there since the start", store.ErrAway)
	}
	return l.s, nil
}

// Document implements store.Documents.
func (l *Late) Document(ctx context.Context, kind, id string) (store.Document, error) {
	s, err := l.there()
	if err != nil {
		return store.Document{}, err
	}
	return s.Document(ctx, kind, id)
}

// DocumentsOf implements store.Documents.
func (l *Late) DocumentsOf(ctx context.Context, kind, after string, limit int) ([]store.Document, error) {
	s, err := l.there()
	if err != nil {
		return nil, err
	}
	return s.DocumentsOf(ctx, kind, after, limit)
}

// Commit implements store.Documents.
func (l *Late) Commit(ctx context.Context, writes []store.Write, audit ...store.Audit) error {
	s, err := l.there()
	if err != nil {
		return err
	}
	return s.Commit(ctx, writes, audit...)
}

// AuditTrail implements store.Documents.
func (l *Late) AuditTrail(ctx context.Context, q store.AuditQuery) ([]store.Audit, error) {
	s, err := l.there()
	if err != nil {
		return nil, err
	}
	return s.AuditTrail(ctx, q)
}
