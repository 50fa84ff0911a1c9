// SPDX-License-Identifier: Apache-2.0

// Package custody holds the words in which Asepsis says what happened to an
// artefact: an image, a model, a configuration, a certificate, an operation
// record.
//
// A [Statement] is an in-toto Statement v1 with one of our predicate types. Its
// canonical form (RFC 8785) is what a ledger keeps and what a receipt proves.
// Nothing in it identifies a patient: such values enter as a [Commitment], a
// salted hash whose salt is kept elsewhere. Erasing the salt erases the
// meaning and leaves every proof intact.
//
// Values here are plain. Who appends them is prove/ledger, who checks them
// without it is prove/receipt.
package custody

import "time"

// StatementType is the `_type` of every statement.
const StatementType = "https://in-toto.io/Statement/v1"

// Limits of a statement; what exceeds one is refused, never cut.
const (
	MaxStatement = 60 << 10 // bytes of the canonical form
	MaxSubjects  = 64
	MaxDepth     = 16      // of nested objects and lists in Detail
	MaxString    = 8 << 10 // bytes of one string
	MaxName      = 256     // bytes of a subject's name, an ID, a device
	MaxMembers   = 256     // of one object or list
)

// Kind says what happened. It is the middle of the predicate type.
type Kind string

// The kinds of statement.
const (
	Received      Kind = "artefact-received"
	Altered       Kind = "artefact-altered" // two subjects: "before" and "after"
	Forwarded     Kind = "artefact-forwarded"
	Displayed     Kind = "artefact-displayed"
	Operation     Kind = "operation-record"
	Configuration Kind = "configuration-change"
	Certificate   Kind = "certificate-event" // issued, renewed, revoked, enrolment code made or used
	Decision      Kind = "decision"
	Override      Kind = "override" // a person went past a guard; always with a reason
)

// Kinds returns all kinds in the order of their declaration.
func Kinds() []Kind {
	return []Kind{Received, Altered, Forwarded, Displayed, Operation, Configuration, Certificate, Decision, Override}
}

// predicateTypes are the URIs of the kinds, made once.
var predicateTypes = func() map[string]Kind {
	m := map[string]Kind{}
	for _, k := range Kinds() {
		m[k.PredicateType()] = k
	}
	return m
}()

// predicateRoot is where the predicate types are described; the version is that
// of the predicate's shape.
const predicateRoot = "https://github.com/asepsis/asepsis/custody/"

// PredicateType is the URI of a kind: ".../custody/artefact-received/v1".
func (k Kind) PredicateType() string { return predicateRoot + string(k) + "/v1" }

// Statement is one claim about artefacts.
type Statement struct {
	Type          string    `json:"_type"`
	Subject       []Subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     Predicate `json:"predicate"`
}

// Subject is an artefact by its content. The name is a role or a path inside
// the product ("instance", "before", "model", "proxy.yaml"), never anything of a
// patient.
type Subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"` // "sha256" always; hexadecimal, lower case
}

// Predicate is what is claimed. Empty members are left out of the canonical
// form.
type Predicate struct {
	// ID is the client's key: the same ID with the same content is the same
	// statement, however often it is sent; with other content it is refused.
	ID string `json:"id"`
	// Time is when it happened by the clock of who says so, UTC.
	Time time.Time `json:"time"`
	// Recorded is when the ledger took it, by the ledger's clock. The ledger
	// fills it; what a client sends in it is replaced.
	Recorded time.Time `json:"recorded,omitzero"`
	// Site and Theatre say where; Theatre is the theatre's ID.
	Site    string `json:"site,omitempty"`
	Theatre string `json:"theatre,omitempty"`
	// Actor is who claims it.
	Actor Actor `json:"actor"`
	// Device is the device it is about, where that is not the actor.
	Device string `json:"device,omitempty"`
	// Case links the statements of one case.
	Case *CaseLink `json:"case,omitempty"`
	// Reason is required of an Override and a revocation.
	Reason string `json:"reason,omitempty"`
	// Commitments are values that must not be read here, by their field.
	Commitments map[string]Commitment `json:"commitments,omitempty"`
	// Detail is what the kind adds; its shape is checked for every kind.
	Detail map[string]any `json:"detail,omitempty"`
}

// Actor is who claims a statement.
type Actor struct {
	Software    string `json:"software,omitempty"`    // "asepsis/gateway", with the version behind a space
	Device      string `json:"device,omitempty"`      // device ID
	Certificate string `json:"certificate,omitempty"` // SHA-256 of the DER, hexadecimal
	User        string `json:"user,omitempty"`        // account name, never a patient
}

// CaseLink places a statement in the chain of its case. The ledger fills
// Sequence and Previous when it records.
type CaseLink struct {
	// Case is a commitment to the case's identifier.
	Case Commitment `json:"case"`
	// Sequence is 1 for the first statement of the case and one more for each.
	Sequence uint64 `json:"sequence,omitempty"`
	// Previous is the SHA-256 of the canonical form of the statement before,
	// hexadecimal; "" for the first.
	Previous string `json:"previous,omitempty"`
}
