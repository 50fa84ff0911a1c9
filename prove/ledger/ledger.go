// SPDX-License-Identifier: Apache-2.0

// Package ledger keeps custody statements in a transparency log that anyone can
// verify (C2SP tlog-tiles), and gives receipts for them.
//
// An entry has three states, and callers and users see which:
//
//   - Recorded: it is on this machine's disk, synced, at a fixed index: in a write-ahead
//     log, and a moment later in the tree. A crash or a power cut does not lose it. This is
//     what [Ledger.Record] waits for, for one flush of the disk.
//   - Published: a checkpoint signed by the log covers it. It cannot be taken back
//     without breaking that signature's promise.
//   - Witnessed: N of M witnesses have cosigned such a checkpoint. It cannot be
//     taken back without those witnesses' help.
//
// Losing witnesses stops neither recording nor publishing; how long and how many
// entries are unwitnessed is in [Status].
package ledger

import (
	"context"
	"time"

	"github.com/asepsis/asepsis/core/custody"
)

// Recorder is what a guard needs of a ledger. Implementations are safe for use
// by several goroutines.
type Recorder interface {
	// Record checks a statement, places it in its case's chain, and returns when
	// it is recorded. The same Predicate.ID with the same content gives the first
	// entry again, also after a crash; with other content it is ErrConflict. When
	// the context ends first, or the disk fails while it is written, the statement may or may
	// not be recorded: send it again. Its subjects belong to the ledger then, and must not be changed in place.
	//
	// Errors: *custody.Invalid, ErrConflict, ErrFull (disk), ErrBusy (too many
	// outstanding; try again), ErrClosed, ErrDamaged (nothing is recorded any more), and those
	// of the disk.
	Record(ctx context.Context, s custody.Statement) (Entry, error)
}

// State is how far an entry has come.
type State string

// The states, each includes those before it.
const (
	Recorded  State = "recorded"
	Published State = "published"
	Witnessed State = "witnessed"
)

// Entry is a statement in the log.
type Entry struct {
	Index     uint64            `json:"index"`
	State     State             `json:"state"`
	Leaf      string            `json:"leaf"` // SHA-256 of the Merkle leaf (RFC 6962 §2.1), hexadecimal
	Hash      string            `json:"hash"` // SHA-256 of the canonical statement, hexadecimal
	Recorded  time.Time         `json:"recorded"`
	Statement custody.Statement `json:"statement"`
	// Again says that this Record found the entry instead of making it.
	Again bool `json:"again,omitempty"`
}

// Status is what there is to know about a log.
type Status struct {
	Origin string `json:"origin"` // the log's name, as in its checkpoints
	Size   uint64 `json:"size"`   // recorded entries
	// Integrated is how many of them are in the tree, the rest is in the write-ahead log; both
	// are durable.
	Integrated uint64     `json:"integrated"`
	Published  Checkpoint `json:"published"`
	Witnessed  Checkpoint `json:"witnessed"` // the newest that enough witnesses signed
	Witnesses  []Witness  `json:"witnesses"`
	Required   int        `json:"required"` // N of the N-of-M policy; 0: no witnesses are configured
	// Unwitnessed is how many entries wait for witnesses, since when.
	Unwitnessed      uint64    `json:"unwitnessed"`
	UnwitnessedSince time.Time `json:"unwitnessed_since,omitzero"`
	PerMinute        float64   `json:"per_minute"` // entries recorded, over the last five minutes
	Audit            Audit     `json:"audit"`
}

// Checkpoint is a signed tree head, without its signatures.
type Checkpoint struct {
	Size uint64    `json:"size"`
	Root string    `json:"root"` // base64, as in the checkpoint
	Time time.Time `json:"time,omitzero"`
}

// Witness is one witness as the log sees it.
type Witness struct {
	Name   string    `json:"name"`
	URL    string    `json:"url,omitempty"`
	Size   uint64    `json:"size"` // of the last checkpoint that it cosigned
	Last   time.Time `json:"last,omitzero"`
	Error  string    `json:"error,omitempty"` // why the last attempt failed
	Failed time.Time `json:"failed,omitzero"`
}

// Audit is what the log's own checks found.
type Audit struct {
	Checked uint64    `json:"checked"` // entries whose bytes were compared with the tree
	Last    time.Time `json:"last,omitzero"`
	Problem string    `json:"problem,omitempty"` // the first inconsistency, in words; it does not go away by itself
}

// Query asks for entries, newest first; empty fields do not restrict.
type Query struct {
	Digest   string // SHA-256 of an artefact, hexadecimal
	Hash     string // of a statement
	Device   string
	Case     custody.Commitment
	Theatre  string
	Kind     custody.Kind
	From, To time.Time // by Predicate.Time
	Before   uint64    // entries with a lower index; 0: from the newest
	Limit    int       // 1 to 1000
}
