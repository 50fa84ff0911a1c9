// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
)

type steps = []func(ctx context.Context, tx *sql.Tx) error

var mainSchema = &schema{name: "main", steps: steps{statements(`
CREATE TABLE document (
	kind     TEXT NOT NULL,
	id       TEXT NOT NULL,
	revision INTEGER NOT NULL,
	changed  INTEGER NOT NULL,
	body     BLOB NOT NULL,
	UNIQUE (kind, id)
);
CREATE TABLE audit (
	seq    INTEGER PRIMARY KEY AUTOINCREMENT,
	time   INTEGER NOT NULL,
	who    TEXT NOT NULL,
	source TEXT NOT NULL,
	action TEXT NOT NULL,
	object TEXT NOT NULL,
	before BLOB,
	after  BLOB,
	result TEXT NOT NULL,
	note   TEXT NOT NULL
);
CREATE INDEX audit_who ON audit (who, seq);
CREATE INDEX audit_object ON audit (object, seq) WHERE object <> '';
CREATE INDEX audit_time ON audit (time);
-- A device that was removed keeps its row without a body, so that a reader who
-- knows an older revision learns of it.
CREATE TABLE device (
	id       TEXT PRIMARY KEY,
	revision INTEGER NOT NULL,
	body     BLOB,
	evidence BLOB
) WITHOUT ROWID;
CREATE INDEX device_revision ON device (revision);
CREATE TABLE device_alias (
	alias TEXT PRIMARY KEY,
	id    TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX device_alias_id ON device_alias (id);
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO counter VALUES ('devices', 0), ('devices_forgotten', 0);
`)}}

var indexSchema = &schema{name: "index", steps: steps{statements(`
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO counter VALUES ('last', 0), ('damaged', 0);
CREATE TABLE position (stream TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE shard (
	shard    INTEGER PRIMARY KEY,
	events   INTEGER NOT NULL,
	first    INTEGER NOT NULL,
	last     INTEGER NOT NULL,
	min_time INTEGER NOT NULL,
	max_time INTEGER NOT NULL
);
-- Shards that this or the last leader has written to, with the state of the
-- index before: what recovery must look at, and may have to go back to.
CREATE TABLE written (
	shard     INTEGER PRIMARY KEY,
	last      INTEGER NOT NULL,
	positions TEXT NOT NULL
);
-- Shards whose files are to be deleted, with the time of their newest event.
CREATE TABLE removed (shard INTEGER PRIMARY KEY, until INTEGER NOT NULL);
CREATE TABLE since (link BLOB PRIMARY KEY, step INTEGER NOT NULL) WITHOUT ROWID;
`)}}

var daySchema = &schema{name: "day", steps: steps{statements(`
CREATE TABLE head (
	first      INTEGER PRIMARY KEY,
	last       INTEGER NOT NULL,
	n          INTEGER NOT NULL,
	min_time   INTEGER NOT NULL,
	max_time   INTEGER NOT NULL,
	severities INTEGER NOT NULL
);
CREATE INDEX head_newest ON head (max_time, first);
CREATE INDEX head_oldest ON head (min_time, first);
CREATE TABLE filter (first INTEGER PRIMARY KEY, bits BLOB NOT NULL);
CREATE TABLE counts (first INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE body (first INTEGER PRIMARY KEY, columns BLOB NOT NULL, data BLOB NOT NULL);
CREATE TABLE sum (
	kind INTEGER NOT NULL,
	a    INTEGER NOT NULL,
	b    INTEGER NOT NULL,
	body BLOB NOT NULL,
	PRIMARY KEY (kind, a, b)
) WITHOUT ROWID;
-- What the index said, or was about to say, when this file was last written to.
CREATE TABLE state (
	id        INTEGER PRIMARY KEY CHECK (id = 1),
	last      INTEGER NOT NULL,
	positions TEXT NOT NULL
);
`)}}
