// SPDX-License-Identifier: Apache-2.0

// Package postgres is the store on PostgreSQL 15 or later, shared by several
// processes: one appends events, all read and write documents.
//
// # Layout
//
// Everything is in the schema "asepsis" of the database. Events lie in native
// partitions by day (UTC), segment_20261122 and sum_20261122 of the tables
// segment and sum, and segment_odd for events whose time cannot be right, see
// eventlog.Odd. A row of segment is up to 1024 events; its bodies are stored out
// of line, as they are, since they are compressed already. So there is a row for a
// thousand events, for which two B-trees by time are small, and a BRIN index
// has nothing to add.
//
// # Durability and order
//
// An append is one transaction: events, sums, position and the newest number.
// It runs on the connection that holds the lead, a session advisory lock: who
// has lost that connection cannot write. After a lost connection the next append
// takes the lead again by itself, unless another process has it, and reads from
// the database whether the append before was stored. Nothing that was
// acknowledged is lost with the default settings of PostgreSQL (fsync and
// synchronous_commit on).
//
// # Faults
//
// While the server is away calls return an error and may be repeated; connections
// are made anew. disk_full is store.ErrFull.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/devlist"
	"github.com/asepsis/asepsis/platform/store/eventlog"
	"github.com/asepsis/asepsis/platform/store/segment"
)

// Config says where the database is.
type Config struct {
	DSN     string            // postgres://user@host/database?sslmode=verify-full
	DSNFile config.SecretFile // file with the DSN instead
}

// Deps is what a store needs of its process.
type Deps struct {
	Log *slog.Logger     // slog.Default when nil
	Now func() time.Time // time.Now when nil
}

// maxConns is how many connections a process uses, besides those of the lead and of Wait.
const maxConns = 16

// DB is an open store.
type DB struct {
	pool  *pgxpool.Pool
	log   *slog.Logger
	now   func() time.Time
	codec *segment.Codec
	*eventlog.Log
	devices devlist.List
	tail    tail

	appendMu sync.Mutex
	leader   *leader // nil while this process does not lead

	closeMu sync.RWMutex // held for reading by every call
	closed  bool
}

var _ store.Store = (*DB)(nil)

// insecureError is a connection over which everything could be read.
type insecureError struct{ host string }

func (e *insecureError) Error() string {
	return fmt.Sprintf("the connection to PostgreSQL on %s is not required to be encrypted", e.host)
}

// Hint says what to do.
func (e *insecureError) Hint() string {
	return "add ?sslmode=verify-full (and sslrootcert=...) to the URL; sslmode=disable says that it is meant"
}

// parse reads the DSN, which must be a URL.
func parse(dsn string) (*pgxpool.Config, error) {
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, errors.New("want a URL such as postgres://user@host/database") // the cause would show a password
	}
	c, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("the URL of PostgreSQL cannot be read")
	}
	if mode := u.Query().Get("sslmode"); mode == "" || mode == "allow" || mode == "prefer" {
		hosts := []string{c.ConnConfig.Host}
		for _, f := range c.ConnConfig.Fallbacks {
			hosts = append(hosts, f.Host)
		}
		for _, h := range hosts {
			if !isLocal(h) {
				return nil, &insecureError{h}
			}
		}
	}
	c.MaxConns = maxConns
	c.MaxConnIdleTime = 5 * time.Minute
	c.HealthCheckPeriod = 15 * time.Second
	if c.ConnConfig.ConnectTimeout == 0 {
		c.ConnConfig.ConnectTimeout = 10 * time.Second
	}
	for k, v := range map[string]string{"application_name": "asepsis", "search_path": "asepsis", "lock_timeout": "10s", "idle_in_transaction_session_timeout": "5min", "client_encoding": "UTF8", "timezone": "UTC"} {
		if _, ok := c.ConnConfig.RuntimeParams[k]; !ok || k == "search_path" {
			c.ConnConfig.RuntimeParams[k] = v
		}
	}
	return c, nil
}

// isLocal reports a Unix socket or the loopback.
func isLocal(host string) bool {
	if strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// Open connects and makes or migrates the schema. A schema of a newer version
// is store.ErrNewer and stays as it is.
func Open(ctx context.Context, c Config, deps Deps) (*DB, error) {
	dsn := c.DSN
	if c.DSNFile != "" {
		b, err := c.DSNFile.Read()
		if err != nil {
			return nil, fmt.Errorf("open store: %w", err)
		}
		dsn = string(b)
	}
	pc, err := parse(dsn)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	db := &DB{log: deps.Log, now: deps.Now}
	if db.log == nil {
		db.log = slog.Default()
	}
	if db.now == nil {
		db.now = time.Now
	}
	if db.codec, err = segment.NewCodec(runtime.GOMAXPROCS(0)); err != nil {
		return nil, err
	}
	if db.pool, err = pgxpool.NewWithConfig(ctx, pc); err != nil {
		db.codec.Close()
		return nil, fmt.Errorf("open store: %w", explain(err))
	}
	db.Log = eventlog.New(db.codec, db.view)
	db.tail.init()
	if err := migrate(ctx, db.pool, schemaSteps); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("open store: %w", explain(err))
	}
	return db, nil
}

// enter is called first by every method, leave last: Close waits for the calls
// under way.
func (db *DB) enter() error {
	db.closeMu.RLock()
	if db.closed {
		db.closeMu.RUnlock()
		return errClosed
	}
	return nil
}

func (db *DB) leave() { db.closeMu.RUnlock() }

// Close implements store.Store. A Lead that is not released ends.
func (db *DB) Close() error {
	db.tail.close()
	db.closeMu.Lock()
	defer db.closeMu.Unlock()
	if db.closed {
		return nil
	}
	db.closed = true
	db.appendMu.Lock()
	if db.leader != nil {
		db.leader.end()
		db.leader = nil
	}
	db.appendMu.Unlock()
	db.pool.Close()
	db.codec.Close()
	return nil
}

// Ping implements store.Store.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.enter(); err != nil {
		return err
	}
	defer db.leave()
	var n int64
	if err := db.pool.QueryRow(ctx, "SELECT value FROM counter WHERE name = 'schema'").Scan(&n); err != nil {
		return fmt.Errorf("read store: %w", explain(err))
	}
	return nil
}

// read calls f, and once more when a day was removed under it.
func (db *DB) read(f func() error) error {
	if err := db.enter(); err != nil {
		return err
	}
	defer db.leave()
	err := f()
	if isGone(err) {
		err = f()
	}
	return explain(err)
}

// Query implements store.Events.
func (db *DB) Query(ctx context.Context, q store.Query) (p store.Page, err error) {
	err = db.read(func() error { p, err = db.Log.Query(ctx, q); return err })
	return p, err
}

// Get implements store.Events.
func (db *DB) Get(ctx context.Context, seq uint64) (r record.Record, err error) {
	err = db.read(func() error { r, err = db.Log.Get(ctx, seq); return err })
	return r, err
}

// After implements store.Events.
func (db *DB) After(ctx context.Context, seq uint64, q store.Query, limit int) (recs []record.Record, next uint64, err error) {
	err = db.read(func() error { recs, next, err = db.Log.After(ctx, seq, q, limit); return err })
	return recs, next, err
}

// Histogram implements store.Events.
func (db *DB) Histogram(ctx context.Context, q store.Query, n int) (h store.Histogram, err error) {
	err = db.read(func() error { h, err = db.Log.Histogram(ctx, q, n); return err })
	return h, err
}

// Top implements store.Events.
func (db *DB) Top(ctx context.Context, q store.Query, f store.Field, n int) (t store.TopValues, err error) {
	err = db.read(func() error { t, err = db.Log.Top(ctx, q, f, n); return err })
	return t, err
}

// Links implements store.Events.
func (db *DB) Links(ctx context.Context, from, to int64, limit int) (links []store.Link, more bool, err error) {
	err = db.read(func() error { links, more, err = db.Log.Links(ctx, from, to, limit); return err })
	return links, more, err
}

// Activity implements store.Events.
func (db *DB) Activity(ctx context.Context, device string, from, to int64, n int) (a []store.ActivityStep, err error) {
	err = db.read(func() error { a, err = db.Log.Activity(ctx, device, from, to, n); return err })
	return a, err
}

// Last implements store.Events.
func (db *DB) Last(ctx context.Context) (first, last uint64, err error) {
	err = db.read(func() error {
		return db.pool.QueryRow(ctx, "SELECT coalesce((SELECT min(first) FROM shard), 0), (SELECT value FROM counter WHERE name = 'last')").Scan(&first, &last)
	})
	return first, last, err
}

// Position implements store.Events.
func (db *DB) Position(ctx context.Context, stream string) (seq uint64, err error) {
	err = db.read(func() error {
		err := db.pool.QueryRow(ctx, "SELECT seq FROM position WHERE stream = $1", stream).Scan(&seq)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	return seq, err
}

// Stats implements store.Store.
func (db *DB) Stats(ctx context.Context) (store.Stats, error) {
	s := store.Stats{Engine: "postgresql", Schema: len(schemaSteps), Free: -1}
	err := db.read(func() error {
		ix, err := readIndex(ctx, db.pool)
		if err != nil {
			return err
		}
		sizes, err := shardSizes(ctx, db.pool)
		if err != nil {
			return err
		}
		if err := db.pool.QueryRow(ctx, "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c WHERE c.relnamespace = 'asepsis'::regnamespace AND c.relkind = 'r'").Scan(&s.Bytes); err != nil {
			return err
		}
		s.Days = nil
		eventlog.FillStats(&s, ix, sizes)
		return nil
	})
	return s, err
}
