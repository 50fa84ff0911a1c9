// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/asepsis/asepsis/platform/store"
)

// schemaSteps bring the schema from version i to i+1. A released step never changes.
var schemaSteps = []string{`
CREATE TABLE document (
	kind     text COLLATE "C" NOT NULL,
	id       text COLLATE "C" NOT NULL,
	revision bigint NOT NULL,
	changed  bigint NOT NULL,
	body     bytea NOT NULL,
	PRIMARY KEY (kind, id)
);
CREATE TABLE audit (
	seq    bigint PRIMARY KEY,
	time   bigint NOT NULL,
	who    text COLLATE "C" NOT NULL,
	source text NOT NULL,
	action text COLLATE "C" NOT NULL,
	object text COLLATE "C" NOT NULL,
	before bytea,
	after  bytea,
	result text NOT NULL,
	note   text NOT NULL
);
CREATE INDEX audit_who ON audit (who, seq);
CREATE INDEX audit_object ON audit (object, seq) WHERE object <> '';
CREATE INDEX audit_time ON audit (time);
CREATE TABLE device (
	id       text COLLATE "C" PRIMARY KEY,
	revision bigint NOT NULL,
	body     bytea,
	evidence bytea
);
CREATE INDEX device_revision ON device (revision);
CREATE TABLE device_alias (
	alias text COLLATE "C" PRIMARY KEY,
	id    text COLLATE "C" NOT NULL
);
CREATE INDEX device_alias_id ON device_alias (id);
INSERT INTO counter VALUES ('devices', 0), ('devices_forgotten', 0), ('audit', 0), ('last', 0);

CREATE TABLE position (stream text PRIMARY KEY, seq bigint NOT NULL);
CREATE TABLE shard (
	shard    integer PRIMARY KEY,
	events   bigint NOT NULL,
	first    bigint NOT NULL,
	last     bigint NOT NULL,
	min_time bigint NOT NULL,
	max_time bigint NOT NULL
);
CREATE TABLE since (link bytea PRIMARY KEY, step bigint NOT NULL);
CREATE TABLE segment (
	shard      integer NOT NULL,
	first      bigint NOT NULL,
	last       bigint NOT NULL,
	n          integer NOT NULL,
	min_time   bigint NOT NULL,
	max_time   bigint NOT NULL,
	severities smallint NOT NULL,
	filter     bytea NOT NULL,
	counts     bytea NOT NULL,
	columns    bytea NOT NULL,
	data       bytea NOT NULL,
	PRIMARY KEY (shard, first)
) PARTITION BY LIST (shard);
ALTER TABLE segment ALTER filter SET STORAGE EXTERNAL, ALTER counts SET STORAGE EXTERNAL, ALTER columns SET STORAGE EXTERNAL, ALTER data SET STORAGE EXTERNAL;
CREATE INDEX segment_newest ON segment (max_time, first);
CREATE INDEX segment_oldest ON segment (min_time, first);
CREATE TABLE sum (
	shard integer NOT NULL,
	kind  smallint NOT NULL,
	a     bigint NOT NULL,
	b     bigint NOT NULL,
	body  bytea NOT NULL,
	PRIMARY KEY (shard, kind, a, b)
) PARTITION BY LIST (shard);
`}

// schemaLock is the key of the advisory lock under which the schema is changed,
// leadLock of the one that the process has that appends: "asepsis" and a number.
const (
	schemaLock int64 = 0x61736570_00000001
	leadLock   int64 = 0x61736570_00000002
)

type newerError struct{ is, want int }

func (e *newerError) Error() string {
	return fmt.Sprintf("the schema has version %d, this program knows %d: %v", e.is, e.want, store.ErrNewer)
}

// Unwrap returns store.ErrNewer.
func (e *newerError) Unwrap() error { return store.ErrNewer }

// Hint says what to do.
func (e *newerError) Hint() string {
	return "start the version of asepsis that wrote it, or a later one; or use another database"
}

// oldServerError is a server without what is needed.
type oldServerError struct{ version int }

func (e *oldServerError) Error() string {
	return fmt.Sprintf("PostgreSQL %d is too old: 15 or later is needed", e.version/10000)
}

// migrate makes the schema, or brings it to the version of this program, in one
// transaction.
func migrate(ctx context.Context, pool *pgxpool.Pool, steps []string) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		var server int
		if err := tx.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&server); err != nil {
			return err
		}
		if server < 150000 {
			return &oldServerError{server}
		}
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", schemaLock); err != nil {
			return err
		}
		version := 0
		var exists bool
		if err := tx.QueryRow(ctx, "SELECT to_regclass('asepsis.counter') IS NOT NULL").Scan(&exists); err != nil {
			return err
		}
		if exists {
			if err := tx.QueryRow(ctx, "SELECT value FROM asepsis.counter WHERE name = 'schema'").Scan(&version); err != nil {
				return err
			}
		}
		if version > len(steps) {
			return &newerError{version, len(steps)}
		}
		if version == len(steps) {
			return nil
		}
		if !exists {
			if _, err := tx.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS asepsis; SET LOCAL search_path = asepsis;
				CREATE TABLE counter (name text PRIMARY KEY, value bigint NOT NULL); INSERT INTO counter VALUES ('schema', 0)`); err != nil {
				return err
			}
		}
		for ; version < len(steps); version++ {
			if _, err := tx.Exec(ctx, steps[version]); err != nil {
				return fmt.Errorf("bring the schema from version %d to %d: %w", version, version+1, err)
			}
		}
		_, err := tx.Exec(ctx, "UPDATE counter SET value = $1 WHERE name = 'schema'", version)
		return err
	})
}
