// SPDX-License-Identifier: Apache-2.0

package finding

import (
	"encoding/json"

	"github.com/asepsis/asepsis/core/theatre"
)

// Alert is a finding as it is kept and worked on: all occurrences of one thing,
// grouped, from its first to its last, with what people decided about it. What the
// rule said is written by detection, what people said by triage; neither
// overwrites the other.
type Alert struct {
	// ID is the same for the same rule and group until it is closed; an
	// occurrence after that is a new alert that names the old one in Previous.
	ID       string `json:"id"`
	Previous string `json:"previous,omitempty"`

	Rule        string   `json:"rule"`
	RuleVersion int      `json:"rule_version"`
	Family      string   `json:"family"` // "dicom", "hl7" ...: the folder of the rule
	Severity    Severity `json:"severity"`
	Why         []string `json:"severity_why,omitempty"` // why it is not the rule's own: "a case is in progress in OR-3"
	Confidence  uint8    `json:"confidence"`             // percent
	Title       string   `json:"title"`                  // what happened, to what; for the analyst
	Description string   `json:"description"`            // what it means and why it matters
	Room        string   `json:"room"`                   // what it means in the theatre and whom to call, without jargon
	Attack      []string `json:"attack"`
	Playbook    []string `json:"playbook"`
	References  []string `json:"references,omitempty"`
	Benign      []string `json:"false_positives,omitempty"` // what else looks like this

	Devices  []string          `json:"devices"` // device IDs, the one to act on first
	Entities map[string]string `json:"entities,omitempty"`
	Theatre  string            `json:"theatre,omitempty"`
	Case     theatre.State     `json:"case_state,omitempty"` // of the theatre at the worst occurrence
	Group    string            `json:"group"`                // key that occurrences are grouped by

	Count    uint64     `json:"count"`
	First    int64      `json:"first"` // ns since the Unix epoch, UTC
	Last     int64      `json:"last"`
	Evidence []Evidence `json:"evidence"` // the first and the latest occurrences, at most MaxEvidence
	Pace     []Pace     `json:"pace,omitempty"`

	Suppressed string `json:"suppressed_by,omitempty"` // ID of the suppression or maintenance window that hides it now
	Hidden     uint64 `json:"suppressed_count,omitempty"`
	Triage     Triage `json:"triage"`
}

// Bounds of an alert.
const (
	MaxEvidence = 20
	MaxHistory  = 200
	MaxDevices  = 64
)

// Evidence is one occurrence: an event, with the fields that decided.
type Evidence struct {
	Time     int64   `json:"time"`               // of the event, ns
	Seq      uint64  `json:"seq,omitempty"`      // in the store, 0 where it is not kept
	UID      string  `json:"uid,omitempty"`      // of the event
	Sentence string  `json:"sentence"`           // what happened, in words
	Fields   []Field `json:"fields,omitempty"`   // what the rule looked at
	Expected string  `json:"expected,omitempty"` // what would have been normal: "these 3 stations since 2026-11-02"
}

// Field is one value that a rule looked at.
type Field struct {
	Name    string `json:"name"` // as in expressions: "op.move_destination_ae_title"
	Value   string `json:"value"`
	Decided bool   `json:"decided,omitempty"` // this is what made the rule fire
}

// Pace is how often it happened in one hour, for the timeline; at most the last
// 168 hours.
type Pace struct {
	Hour  int64  `json:"hour"` // start of the hour, ns
	Count uint64 `json:"count"`
}

// State of the work on an alert.
type State string

// The states of an alert.
const (
	Open         State = "open"
	Acknowledged State = "acknowledged"
	Closed       State = "closed"
)

// Outcome says how an alert was closed. They are different things: a false
// finding is a defect of the rule, a benign one is true and allowed, and what will
// not be fixed stays a risk that somebody took.
type Outcome string

// The outcomes.
const (
	TruePositive  Outcome = "true"
	FalsePositive Outcome = "false"
	Harmless      Outcome = "benign"
	WontFix       Outcome = "wont-fix"
)

// Triage is what people decided about an alert.
type Triage struct {
	State    State   `json:"state"`
	Assignee string  `json:"assignee,omitempty"` // user name
	Outcome  Outcome `json:"outcome,omitempty"`  // when closed
	Reason   string  `json:"reason,omitempty"`
	Until    int64   `json:"until,omitempty"` // snoozed until then, ns
	History  []Step  `json:"history,omitempty"`
	Changed  int64   `json:"changed,omitempty"`
}

// Step is one thing that a person, or the program, did with an alert.
type Step struct {
	At     int64           `json:"at"`     // ns since the Unix epoch, UTC
	Who    string          `json:"who"`    // user name, "token:<name>", "system"
	Action string          `json:"action"` // "acknowledge", "assign", "close", "reopen", "note", "snooze"
	Note   string          `json:"note,omitempty"`
	Detail json.RawMessage `json:"detail,omitempty"` // what changed
}
