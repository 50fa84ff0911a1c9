// SPDX-License-Identifier: Apache-2.0

// Package store keeps what the platform knows: events, devices, and the small
// documents that people and rooms write (theatres, users, settings, edits), with
// an audit trail of every change by a person.
//
// Store is the one interface. Two packages implement it: sqlite, embedded, for
// one process; and postgres, shared by several. storetest is the conformance
// suite that both pass, and the exact meaning of each method.
//
// # Durability
//
// Append returns after the records would survive a kill of the process; what
// a power cut may take is what was appended in the last second (SQLite) or
// nothing (PostgreSQL with its default settings), and then the position goes back
// with it, so that the bus gives it again. Commit returns after its writes are
// on the disk: nothing that a person was told is done is lost.
//
// # Order
//
// Sequence numbers are given in the order of Append. A reader that has seen
// number n never finds a number below n appear later.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/record"
)

// Errors that callers decide on. Implementations wrap them.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("changed by someone else meanwhile")
	// ErrNewer says that the data was written by a newer version of the program
	// and is left as it is.
	ErrNewer = errors.New("written by a newer version")
	// ErrFull says that there is no space left. Reading goes on working.
	ErrFull = errors.New("no space left")
	// ErrAway says that the database cannot be reached now, or does not take connections.
	ErrAway = errors.New("the database is away")
	// ErrBusy says that another process writes events to this store.
	ErrBusy = errors.New("another process writes events here")
	// ErrNoLead says that the caller has not, or no longer, the right to append:
	// it calls Lead (again), reads Position and goes on from there.
	ErrNoLead   = errors.New("events are appended only under Lead")
	ErrTooLarge = errors.New("too large")
	// ErrInvalid says that a query asks for what there is not: an unknown field,
	// a value that cannot be, a cursor of another query, a limit out of range.
	ErrInvalid = errors.New("invalid query")
)

// Store is everything kept. All methods may be called concurrently and end when
// ctx does. After an error that is not one of this package's, for example while the
// database is away, the same call may be tried again: a Store reconnects by itself.
type Store interface {
	Events
	Devices
	Documents

	// Stats says what is kept and what it takes.
	Stats(ctx context.Context) (Stats, error)
	// Ping reports whether the store can be read now.
	Ping(ctx context.Context) error
	// Close waits for calls under way and frees everything.
	Close() error
}

// Events is the part of a store that keeps events.
type Events interface {
	// Lead makes the caller the one that appends: it returns once no other
	// process does, or ErrBusy at once when wait is false. The right ends with
	// release, or with the process.
	Lead(ctx context.Context, wait bool) (release func(), err error)

	// Append stores records together with the position in the stream of the bus
	// that they came from. Exactly once: a position that is not after the stored
	// one of that stream changes nothing and is no error. Seq of the records is
	// ignored. At most MaxAppend records. All or nothing: after an error the same
	// call may be made again. ErrNoLead without Lead; ErrBusy when the lead was
	// lost to another process.
	Append(ctx context.Context, pos Position, recs []record.Record) error

	// Position returns the last stored position of a stream; 0 when there is
	// none.
	Position(ctx context.Context, stream string) (uint64, error)

	// Query returns events, by time and then sequence number, newest first
	// unless q.Oldest. What it cannot finish within q.Budget it returns as an
	// incomplete page, with where to go on; however short the budget, who goes on
	// gets to the end.
	Query(ctx context.Context, q Query) (Page, error)

	// Get returns one event by its sequence number, or ErrNotFound.
	Get(ctx context.Context, seq uint64) (record.Record, error)

	// After returns events with sequence numbers above seq, in their order, that
	// match q (whose time range, order and cursor do not count). next is the
	// number to go on from: it moves on also when nothing matched.
	After(ctx context.Context, seq uint64, q Query, limit int) (recs []record.Record, next uint64, err error)

	// Wait returns when an event with a number above seq is stored, also by
	// another process, within a quarter of a second of that, or when ctx ends.
	Wait(ctx context.Context, seq uint64) error

	// Last returns the newest sequence number and the first that is still kept;
	// both 0 when the store is empty.
	Last(ctx context.Context) (first, last uint64, err error)

	// Histogram counts matching events over time, in n equal steps of the
	// query's range, by severity. It reads minute rollups where q has only terms
	// that rollups know (class, severity, protocol, theatre, sensor), and scans
	// otherwise, within q.Budget.
	Histogram(ctx context.Context, q Query, n int) (Histogram, error)

	// Top counts matching events by the values of a field, most first, the same
	// count by value. A field of both ends counts an event once for each of its
	// two values, and for "" when it has neither. From rollups as Histogram.
	Top(ctx context.Context, q Query, f Field, n int) (TopValues, error)

	// Links sums up who talked to whom between two times, rounded outwards to
	// LinkStep. At most limit, most bytes first; more says there were others.
	Links(ctx context.Context, from, to int64, limit int) (links []Link, more bool, err error)

	// Activity counts events of one device over time by class, in n equal steps. In
	// steps of five minutes or longer, five minutes count as a whole for the step
	// in which they begin; the two ends of the range are exact.
	Activity(ctx context.Context, device string, from, to int64, n int) ([]ActivityStep, error)

	// Retain removes what is older than r.Age, and then, oldest first, what
	// exceeds r.MaxBytes. It does a bounded part of that in one call: a caller
	// repeats it until nothing is removed. Events go up to a thousand at a time, so
	// a few that are older may stay for as long as one beside them is not. It
	// needs the lead. Documents, devices and the audit trail are not touched,
	// except audit entries older than r.AuditAge.
	Retain(ctx context.Context, r Retention) (Removed, error)
}

// Bounds of the store.
const (
	MaxAppend    = 20_000
	MaxLimit     = 10_000   // events of one page
	MaxDocument  = 64 << 20 // bytes of one document
	LinkStep     = 15 * time.Minute
	DefaultQuery = 2 * time.Second // Budget when it is 0
)

// Position is a place in a stream of the bus. A stream that was made anew has
// another name.
type Position struct {
	Stream string
	Seq    uint64
}

// Field names a column that events are searched and counted by.
type Field string

// The fields. FieldDevice and FieldIP stand for either end.
const (
	FieldClass     Field = "class"    // class_uid, decimal
	FieldActivity  Field = "activity" // "class_uid/activity_id", decimal
	FieldSeverity  Field = "severity" // "info", "low" ...
	FieldStatus    Field = "status"   // "success", "failure", "unknown"
	FieldProtocol  Field = "protocol"
	FieldSensor    Field = "sensor"
	FieldTheatre   Field = "theatre"
	FieldDevice    Field = "device"
	FieldSrcDevice Field = "src_device"
	FieldDstDevice Field = "dst_device"
	FieldIP        Field = "ip"
	FieldSrcIP     Field = "src_ip"
	FieldDstIP     Field = "dst_ip"
)

// Fields lists all fields in the order in which a sidebar shows them.
func Fields() []Field {
	return []Field{FieldProtocol, FieldClass, FieldActivity, FieldSeverity, FieldStatus, FieldTheatre, FieldDevice,
		FieldSrcDevice, FieldDstDevice, FieldIP, FieldSrcIP, FieldDstIP, FieldSensor}
}

// Term asks for events whose field has one of the values; the value "" stands for
// none. With Not, for all others. Several terms of a query must all hold.
type Term struct {
	Field  Field
	Values []string // at most 100
	Not    bool
}

// Query says which events are asked for.
type Query struct {
	From, To    int64 // ns since the Unix epoch, UTC; From is part of the range, To is not; 0 for no bound
	Terms       []Term
	MinSeverity finding.Severity // 0 for all

	// Text searches in every text of the event, without regard to case. White
	// space parts words, all of which must occur; "in quotes" is a phrase; a
	// word with * at its end is a prefix; a word with - before it must not occur.
	// A word of an address, a UID, an AE title or a name is the whole of it, or
	// parts of it between its separators: anything but letters, digits and
	// marks. At most 1000 bytes and 50 words.
	Text string

	Oldest bool   // oldest first
	Limit  int    // 1 to MaxLimit
	Cursor string // Page.Next of the page before; "" for the first

	Budget time.Duration // how long a scan may take, 0 for DefaultQuery
}

// Page is a part of the answer to a query.
type Page struct {
	Records []record.Record
	// Next is the cursor of the next page, "" at the end.
	Next string
	// Complete is false when the budget ended before Limit records or the end of
	// the range were found. Next goes on from there.
	Complete bool
	// Reached is the time up to which the range was searched.
	Reached int64
}

// Histogram is events counted over time.
type Histogram struct {
	From, To int64
	Steps    []Step
	Complete bool // false: the budget ended at Reached
	Reached  int64
}

// Step is one step of a histogram.
type Step struct {
	Start int64
	By    [6]uint64 // by finding.Severity
}

// TopValues is the answer of Top.
type TopValues struct {
	Values   []Value
	Others   uint64 // events with further values
	Complete bool   // false: counted over the newest part of the range only, see Reached
	Reached  int64
}

// Value is a value of a field with how many events have it.
type Value struct {
	Value string
	Count uint64
}

// Link is what one device said to a service of another in a time.
type Link struct {
	From, To    string // device IDs; an address where the end is no device
	Protocol    string
	Transport   string
	Port        uint16
	Flows       uint64
	Failed      uint64
	BytesOut    uint64
	BytesIn     uint64
	First, Last int64 // first and last step (its start) in the range, ns
	Since       int64 // first step in all that is kept, ns
}

// ActivityStep is one step of a device's activity.
type ActivityStep struct {
	Start   int64
	Classes map[uint32]uint64 // by class_uid
	Worst   finding.Severity
}

// Retention says how long events are kept.
type Retention struct {
	Age      time.Duration // 0 for ever
	MaxBytes int64         // 0 for no limit
	AuditAge time.Duration // 0 for ever
}

// Removed says what Retain removed.
type Removed struct {
	Events uint64
	Bytes  int64
	Before int64 // events before this time are gone, 0 when none was removed
}

// Stats says what is kept.
type Stats struct {
	Engine string // "sqlite", "postgresql"
	Schema int    // version of the layout
	Events uint64
	First  int64 // time of the oldest and newest event, 0 when there is none
	Last   int64
	Bytes  int64 // on disk, all in all
	Free   int64 // left on the device, -1 when it is not known
	Days   []Day // oldest first
	// Damaged is how many days of events were set aside because they could not be
	// read.
	Damaged int
}

// Day is what is kept of one day (UTC).
type Day struct {
	Day    string // "2006-01-02", or "odd" for events whose time cannot be right
	Events uint64
	Bytes  int64
}

// Devices is the part of a store that keeps the inventory as others read it.
type Devices interface {
	// PutDevices stores changed devices and removes others, in one go.
	PutDevices(ctx context.Context, changed []device.Device, removed []string) error
	// DeviceList returns all devices without their evidence, in the order of
	// their IDs, and a revision that changes with every PutDevices.
	DeviceList(ctx context.Context) (list []device.Device, revision uint64, err error)
	// DevicesRevision returns the revision alone.
	DevicesRevision(ctx context.Context) (uint64, error)
	// Device returns one device in full, by its ID or a former ID.
	Device(ctx context.Context, id string) (device.Device, error)
}

// Documents is the part of a store that keeps small documents and the audit
// trail.
type Documents interface {
	// Document returns one, or ErrNotFound.
	Document(ctx context.Context, kind, id string) (Document, error)
	// DocumentsOf returns documents of a kind in the order of their IDs, with IDs
	// after the given one, at most limit.
	DocumentsOf(ctx context.Context, kind, after string, limit int) ([]Document, error)
	// Commit makes all writes or none, together with the audit entries. Where a
	// write's revision is not the stored one it is ErrConflict and nothing changes.
	Commit(ctx context.Context, writes []Write, audit ...Audit) error
	// AuditTrail returns audit entries, newest first.
	AuditTrail(ctx context.Context, q AuditQuery) ([]Audit, error)
}

// Document is a small thing that is kept: a theatre, a user, a saved search.
type Document struct {
	Kind     string // at most 64 bytes
	ID       string // at most 256 bytes
	Revision uint64 // 1 when it is new, one more with each write
	Changed  int64  // ns since the Unix epoch, UTC
	Body     []byte // usually JSON
}

// AnyRevision in a Write means: whatever is stored, or nothing.
const AnyRevision = ^uint64(0)

// Write is one change of a document.
type Write struct {
	Kind, ID string
	Expect   uint64 // the revision that it has now; 0: it must not exist; AnyRevision
	Body     []byte
	Delete   bool
}

// Audit is one entry of the audit trail: who did what to what. It never holds a
// secret. Seq is given by the store.
type Audit struct {
	Seq    uint64          `json:"id"`
	Time   int64           `json:"time"`           // ns since the Unix epoch, UTC
	Who    string          `json:"who"`            // user name, "token:<name>", "system"
	From   string          `json:"from,omitempty"` // address of the client
	Action string          `json:"action"`         // "theatre.state", "user.create" ...
	Object string          `json:"object,omitempty"`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
	Result string          `json:"result"` // "done", "refused", "failed"
	Note   string          `json:"note,omitempty"`
}

// AuditQuery says which entries are asked for; zero fields do not restrict.
type AuditQuery struct {
	Before   uint64 // entries with a lower number
	Who      string
	Action   string // whole, or a prefix that ends with "."
	Object   string
	From, To int64
	Limit    int // 1 to 1000
}
