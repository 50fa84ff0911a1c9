// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// pollEvery is how often the newest number is read while somebody waits, beside
// the notices of PostgreSQL: these come at once, but not over a connection pooler,
// and not while the connection is being made anew.
const pollEvery = 200 * time.Millisecond

// tail tells those who wait that there are new events.
type tail struct {
	mu      sync.Mutex
	last    uint64        // newest number known here
	news    chan struct{} // closed when last changes
	waiting int
	polling bool
	closed  bool
	done    context.Context
	cancel  context.CancelFunc
	polls   sync.WaitGroup
}

func (t *tail) init() {
	t.news = make(chan struct{})
	t.done, t.cancel = context.WithCancel(context.Background())
}

func (t *tail) advance(last uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last > t.last {
		t.last = last
		close(t.news)
		t.news = make(chan struct{})
	}
}

func (t *tail) close() {
	t.mu.Lock()
	t.closed = true
	t.cancel()
	t.mu.Unlock()
	t.polls.Wait()
}

// Wait implements store.Events.
func (db *DB) Wait(ctx context.Context, seq uint64) error {
	t := &db.tail
	t.mu.Lock()
	t.waiting++
	if !t.polling && !t.closed {
		t.polling = true
		t.polls.Go(db.listen)
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
		case <-t.done.Done():
			return errClosed
		case <-news:
		}
	}
}

// listen hears of what anybody appends, until nobody waits. There is one for all
// who do, on a connection of its own.
func (db *DB) listen() {
	t := &db.tail
	var conn *pgx.Conn
	defer func() {
		if conn != nil {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_ = conn.Close(ctx)
		}
	}()
	for t.done.Err() == nil {
		t.mu.Lock()
		if t.waiting == 0 {
			t.polling = false
			t.mu.Unlock()
			return
		}
		t.mu.Unlock()
		if conn == nil || conn.IsClosed() {
			conn = db.listener(t.done)
		}
		if conn == nil {
			select {
			case <-t.done.Done():
			case <-time.After(pollEvery):
			}
			continue
		}
		var last uint64
		if err := conn.QueryRow(t.done, "SELECT value FROM counter WHERE name = 'last'").Scan(&last); err == nil {
			t.advance(last)
		}
		ctx, cancel := context.WithTimeout(t.done, pollEvery)
		n, err := conn.WaitForNotification(ctx)
		cancel()
		if err == nil {
			if last, err := strconv.ParseUint(n.Payload, 10, 64); err == nil {
				t.advance(last)
			}
		}
	}
}

// listener connects and listens, nil when that fails: it is tried again.
func (db *DB) listener(ctx context.Context) *pgx.Conn {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, db.pool.Config().ConnConfig)
	if err != nil {
		return nil
	}
	if _, err := conn.Exec(ctx, "LISTEN asepsis_events"); err != nil {
		_ = conn.Close(ctx)
		return nil
	}
	return conn
}
