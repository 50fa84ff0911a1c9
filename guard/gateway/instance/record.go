// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"context"
	"errors"
	"io"
	"time"
)

// State is where an instance is.
type State string

// The states.
const (
	Accepted    State = "accepted"    // acknowledged, and on its way to its destinations
	Quarantined State = "quarantined" // kept until two people decide
	Released    State = "released"    // out of quarantine, and on its way
	Destroyed   State = "destroyed"   // out of quarantine; only its record is left
	Replaced    State = "replaced"    // quarantined, and a sanitised copy goes on in its place
	Refused     State = "refused"     // never taken; only its record is left
)

// Record is what is kept of an instance besides its bytes. It holds no identifier of a patient.
type Record struct {
	// Number is unique in a gateway, and larger for what came later. Never 0.
	Number   uint64    `json:"number"`
	State    State     `json:"state"`
	Received time.Time `json:"received"` // when the last byte had come
	Sender   Sender    `json:"sender"`

	SOPClass       string `json:"sop_class"`
	SOPInstance    string `json:"sop_instance"`
	TransferSyntax string `json:"transfer_syntax"`
	Study          string `json:"study"`
	Series         string `json:"series"`
	Modality       string `json:"modality,omitempty"`
	Description    string `json:"study_description,omitempty"` // only where the site says that it names nobody
	Patient        string `json:"patient,omitempty"`           // pseudonym of issuer and patient ID
	Accession      string `json:"accession,omitempty"`         // pseudonym

	Preamble Preamble `json:"preamble,omitzero"` // of a file
	Case     bool     `json:"case,omitempty"`    // a case was in progress in the sender's theatre
	DataSet  string   `json:"data_set"`          // SHA-256, hexadecimal
	Pixel    string   `json:"pixel,omitempty"`   // SHA-256, hexadecimal
	Bytes    int64    `json:"bytes"`

	Verdict  Verdict `json:"verdict"`
	Hits     []Hit   `json:"hits,omitempty"`
	MoreHits int     `json:"more_hits,omitempty"`
	Policy   string  `json:"policy"` // SHA-256 of the firewall's policy

	// MovedTo is the destination that somebody's C-MOVE asked to have it sent to; "" where none did. The
	// routes have no say in it then, neither when it comes nor when it is released from quarantine.
	MovedTo string `json:"moved_to,omitempty"`

	// Original is the number of the instance that this one was made of, Copy that of the one
	// made of this: sanitising.
	Original uint64 `json:"original,omitempty"`
	Copy     uint64 `json:"copy,omitempty"`

	// Entries are the indexes of the ledger's entries about it, in their order: received first.
	Entries []Entry `json:"entries,omitempty"`
	// Deliveries has one for each destination that it goes to.
	Deliveries []Delivery `json:"deliveries,omitempty"`
	// Asked is what one person wants done with an instance in quarantine; another must agree.
	Asked *Asked `json:"asked,omitempty"`
	// Revision grows with every change.
	Revision uint64 `json:"revision"`
}

// Asked is the first person's word about an instance in quarantine.
type Asked struct {
	Action string    `json:"action"` // "release", "destroy"
	By     string    `json:"by"`     // account name
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// Entry is an entry of the ledger about an instance.
type Entry struct {
	Index uint64    `json:"index"`
	Kind  string    `json:"kind"` // of the statement: "artefact-received"
	At    time.Time `json:"at"`
	// Destination is where it went, of an "artefact-forwarded".
	Destination string `json:"destination,omitempty"`
}

// DeliveryState is where a delivery is.
type DeliveryState string

// The states of a delivery.
const (
	Waiting   DeliveryState = "waiting"   // to be sent, maybe again
	Delivered DeliveryState = "delivered" // the destination answered with success or a warning
	Committed DeliveryState = "committed" // the destination took responsibility too (storage commitment)
	Dead      DeliveryState = "dead"      // given up; a person must look
	Dropped   DeliveryState = "dropped"   // a person gave it up, or its destination is gone
)

// Delivery is an instance on its way to one destination.
type Delivery struct {
	Destination string        `json:"destination"`
	Route       string        `json:"route"`
	State       DeliveryState `json:"state"`
	Attempts    int           `json:"attempts"`
	Next        time.Time     `json:"next,omitzero"` // not before
	At          time.Time     `json:"at,omitzero"`   // of the last attempt
	// Why is why the last attempt failed, in a sentence without any value of the data set.
	Why string `json:"why,omitempty"`
	// Forwarded is the SHA-256 of the data set as it went, which is that of Record.DataSet when
	// nothing was changed, with the SOP instance under which it went.
	Forwarded   string `json:"forwarded,omitempty"`
	SOPInstance string `json:"sop_instance,omitempty"`
	// TransferSyntax and Bytes are those of what went, where they differ from the record's. Status is
	// what the destination answered ("0x0000"), TLS and Certificate how it was known.
	TransferSyntax string `json:"transfer_syntax,omitempty"`
	Bytes          int64  `json:"bytes,omitempty"`
	Status         string `json:"status,omitempty"`
	TLS            string `json:"tls,omitempty"`
	Certificate    string `json:"certificate,omitempty"` // SHA-256 of the DER, hexadecimal
	// Urgent: a case is in progress where it goes to.
	Urgent bool `json:"urgent,omitempty"`
}

// Errors of a Vault.
var (
	// ErrFull: the disk is past its watermark. Nothing that was acknowledged is touched.
	ErrFull = errors.New("the gateway's disk is almost full")
	// ErrNotFound: there is no such instance, or its bytes are gone.
	ErrNotFound = errors.New("no such instance")
	// ErrIndexing: it is not known yet whether there is one, as older records are still being indexed.
	ErrIndexing = errors.New("older instances are still being indexed")
	// ErrRevision: somebody else changed the record in between.
	ErrRevision = errors.New("the record has changed meanwhile")
)

// Vault keeps instances: a durable journal. Implementations may be used concurrently.
type Vault interface {
	// Create begins an instance. ErrFull when there is no room for more.
	Create(ctx context.Context) (Draft, error)
	// Get returns a record.
	Get(ctx context.Context, number uint64) (Record, error)
	// Open reads an instance's data set, as received. The reader is not affected by what
	// happens to the record meanwhile. ErrNotFound when the bytes are gone.
	Open(ctx context.Context, number uint64) (Content, error)
	// BySOP returns the records with a SOP instance UID that are not Refused, oldest first.
	BySOP(ctx context.Context, uid string) ([]Record, error)
	// List returns records, newest first. ErrIndexing where it cannot be said yet which there are.
	List(ctx context.Context, q Query) ([]Record, error)
	// Change changes a record durably: change is given it as it is, and what it leaves is
	// kept unless it returns an error, which Change returns then. Number, digests and sender
	// cannot be changed. State Destroyed gives the bytes' room back.
	Change(ctx context.Context, number uint64, change func(*Record) error) (Record, error)
}

// Content is the bytes of a data set.
type Content interface {
	io.Reader
	io.ReaderAt
	io.Closer
	Size() int64
}

// Draft is an instance that is being received. It belongs to one goroutine.
type Draft interface {
	// Write appends to the data set. It fails with ErrFull when the disk fills meanwhile.
	io.Writer
	// Content reads what was written so far: the firewall's copy is made of it.
	Content() (Content, error)
	// Number is that which the instance will have.
	Number() uint64
	// Seal makes the instance durable, bytes and record, and returns when it is: a crash or
	// power cut after it loses nothing. Several seals share one flush of the disk.
	Seal(ctx context.Context, r Record) (Record, error)
	// Discard gives the room back. It does nothing after Seal.
	Discard()
}

// Query asks for records. Zero fields ask for nothing.
type Query struct {
	// SOPInstance is the UID under which an instance came, or one under which it was forwarded. Study and
	// Series are those with which it came.
	Study, Series, SOPInstance, Device, Destination string
	// SHA256 is of a data set as it came or was forwarded, in hexadecimal.
	SHA256   string
	States   []State
	Delivery DeliveryState // a delivery is in this state
	Theatre  string
	From, To time.Time
	Before   uint64 // numbers smaller than this
	Limit    int    // 0: 100; at most 1000
}

// Outcome is what became of an instance that was brought.
type Outcome struct {
	Record Record
	// Again is true where the same instance with the same content was there already: nothing
	// new was kept, and the sender may be told success.
	Again bool
	// Status, Comment are the answer over DIMSE; STOW makes its own of them.
	Status  uint16
	Comment string
}

// Ingest takes instances, whichever way they come.
type Ingest interface {
	// Store reads data to its end, inspects and hashes it, and returns when the answer may be
	// given: where Status is success or a warning, the instance and the ledger's entry about
	// it are durable. The error is that of data, of a peer that went away; then nothing is kept.
	Store(ctx context.Context, a Arrival, data io.Reader) (Outcome, error)
}
