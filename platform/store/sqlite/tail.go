// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"errors"
	"sync"
	"time"
)

// pollEvery is how often the index is looked at for what another process
// appended, while somebody waits for it.
const pollEvery = 100 * time.Millisecond

// tail tells those who wait that there are new events.
type tail struct {
	mu      sync.Mutex
	last    uint64        // newest number known here
	news    chan struct{} // closed when last grows
	polling bool
	waiting int
	done    chan struct{}
	closed  bool
	polls   sync.WaitGroup
}

func (t *tail) init() { t.news, t.done = make(chan struct{}), make(chan struct{}) }

func (t *tail) advance(last uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.set(last)
}

func (t *tail) set(last uint64) {
	if last != t.last {
		t.last = last
		close(t.news)
		t.news = make(chan struct{})
	}
}

// read is advance with what read finds. What an append of this process said
// meanwhile is newer, and stays.
func (t *tail) read(read func() (uint64, error)) {
	t.mu.Lock()
	before := t.last
	t.mu.Unlock()
	last, err := read()
	if err != nil {
		return // it is seen by whoever reads next; waiting goes on
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == before {
		t.set(last)
	}
}

func (t *tail) close() {
	t.mu.Lock()
	if !t.closed {
		t.closed = true
		close(t.done)
	}
	t.mu.Unlock()
	t.polls.Wait()
}

var errClosed = errors.New("the store is closed")

// Wait implements store.Events.
func (db *DB) Wait(ctx context.Context, seq uint64) error {
	t := &db.tail
	t.mu.Lock()
	t.waiting++
	if !t.polling && !t.closed {
		t.polling = true
		t.polls.Go(db.poll)
	}
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		t.waiting--
		t.mu.Unlock()
	}()
	for {
		t.mu.Lock()
		last, news := t.last, t.news
		t.mu.Unlock()
		if last > seq {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.done:
			return errClosed
		case <-news:
		}
	}
}

// poll looks for what others append, until nobody waits. There is one for all
// who do.
func (db *DB) poll() {
	t := &db.tail
	ctx := context.Background()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		t.read(func() (last uint64, err error) {
			err = db.index.QueryRowContext(ctx, "SELECT value FROM counter WHERE name = 'last'").Scan(&last)
			return last, err
		})
		select {
		case <-t.done:
			return
		case <-tick.C:
		}
		t.mu.Lock()
		if t.waiting == 0 {
			t.polling = false
			t.mu.Unlock()
			return
		}
		t.mu.Unlock()
	}
}
