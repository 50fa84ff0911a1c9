// SPDX-License-Identifier: Apache-2.0

// Package triage is what people do with findings: acknowledge, assign, close with an
// outcome and a reason, reopen, note, snooze; one by one and in bulk.
//
// # Guarantees
//
// A decision is on the store's disk, with its entry in the audit trail, before it is
// answered. It is made on the finding as the person saw it: when another person
// decided meanwhile it is a conflict, which says what there is now. Occurrences that
// detection adds meanwhile are no conflict, and neither side overwrites the other.
//
// Nothing is ever removed by a decision. Closing means one of four different things: true
// (it was what it said and is dealt with), false (it was not: a defect of the rule), benign
// (it was, and is allowed), wont-fix (it is, and somebody takes the risk).
//
// # Limits
//
// The history of a finding keeps its first step and the latest finding.MaxHistory-1;
// the audit trail keeps all. Bulk changes at most MaxBulk findings, each by itself:
// one that fails does not keep the others from changing.
package triage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/see/detect/alert"
)

// Bounds.
const (
	MaxNote   = 2000 // characters
	MaxBulk   = 2000
	MaxSnooze = 30 * 24 * time.Hour
	tries     = 20
)

// Action is what a person does.
type Action string

// The actions.
const (
	Acknowledge Action = "acknowledge"
	Assign      Action = "assign"
	Close       Action = "close"
	Reopen      Action = "reopen"
	Note        Action = "note"
	Snooze      Action = "snooze"
)

// Actions lists all actions.
func Actions() []Action { return []Action{Acknowledge, Assign, Close, Reopen, Note, Snooze} }

// Change is one decision.
type Change struct {
	Action   Action
	Assignee string          // of Assign; "" takes the assignment back
	Outcome  finding.Outcome // of Close
	Note     string          // of all; the reason of Close, the text of Note
	Until    int64           // of Snooze, ns; 0 ends it
	// Revision is the one that the person saw. 0 is for what was not read before, as
	// in bulk over a search: the decision is then about whatever there is.
	Revision uint64
}

// Who decides.
type Who struct {
	Name string // as the audit trail has it
	From string // address
}

// Outcomes lists all outcomes.
func Outcomes() []finding.Outcome {
	return []finding.Outcome{finding.TruePositive, finding.FalsePositive, finding.Harmless, finding.WontFix}
}

// InvalidError says which field of a change cannot be.
type InvalidError struct{ Field, Message string }

func (e *InvalidError) Error() string { return e.Field + " " + e.Message }

// ConflictError says that somebody else decided meanwhile, and what there is now.
type ConflictError struct {
	Had uint64
	Now *alert.Document
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("this finding was changed by someone else meanwhile: it is at revision %d, not %d", e.Now.Decisions, e.Had)
}

// StateError says that an action does not fit the state: closing what is closed.
type StateError struct{ Message string }

func (e *StateError) Error() string { return e.Message }

// ErrNotFound says that there is no such finding.
var ErrNotFound = errors.New("there is no finding with this ID")

// Check says what is wrong with a change, whatever it is for.
func (c *Change) Check(now int64) error {
	if !slices.Contains(Actions(), c.Action) {
		return &InvalidError{"action", "must be one of acknowledge, assign, close, reopen, note, snooze"}
	}
	c.Note = strings.TrimSpace(c.Note)
	if utf8.RuneCountInString(c.Note) > MaxNote || !utf8.ValidString(c.Note) || strings.ContainsRune(c.Note, 0) {
		return &InvalidError{"note", fmt.Sprintf("must be text of at most %d characters", MaxNote)}
	}
	switch c.Action {
	case Close:
		if !slices.Contains(Outcomes(), c.Outcome) {
			return &InvalidError{"outcome", "must be one of true, false, benign, wont-fix"}
		}
		if c.Note == "" && c.Outcome != finding.TruePositive {
			return &InvalidError{"reason", "is needed, unless the finding was true and is dealt with"}
		}
	case Note:
		if c.Note == "" {
			return &InvalidError{"note", "is empty"}
		}
	case Snooze:
		if c.Until != 0 && (c.Until <= now || c.Until > now+int64(MaxSnooze)) {
			return &InvalidError{"until", "must be within the next 30 days"}
		}
	case Assign:
		if len(c.Assignee) > 100 {
			return &InvalidError{"assignee", "is longer than 100 bytes"}
		}
	}
	return nil
}

// apply makes the change in a document.
func (c *Change) apply(d *alert.Document, who string, now int64) error {
	t := &d.Alert.Triage
	if t.State == "" {
		t.State = finding.Open
	}
	was := struct {
		State    finding.State   `json:"state,omitempty"`
		Assignee string          `json:"assignee,omitempty"`
		Outcome  finding.Outcome `json:"outcome,omitempty"`
		Until    int64           `json:"until,omitempty"`
	}{t.State, t.Assignee, t.Outcome, t.Until}
	switch c.Action {
	case Acknowledge:
		if t.State != finding.Open {
			return &StateError{"This finding is " + string(t.State) + " already."}
		}
		t.State = finding.Acknowledged
		if t.Assignee == "" {
			t.Assignee = who
		}
	case Assign:
		if t.State == finding.Closed {
			return &StateError{"This finding is closed; reopen it first."}
		}
		t.Assignee = c.Assignee
	case Close:
		if t.State == finding.Closed {
			return &StateError{"This finding is closed already."}
		}
		t.State, t.Outcome, t.Reason, t.Until = finding.Closed, c.Outcome, c.Note, 0
	case Reopen:
		if t.State == finding.Open {
			return &StateError{"This finding is open already."}
		}
		t.State, t.Outcome, t.Reason = finding.Open, "", ""
	case Snooze:
		if t.State == finding.Closed {
			return &StateError{"This finding is closed; reopen it first."}
		}
		t.Until = c.Until
	case Note:
	}
	detail, err := json.Marshal(was)
	if err != nil {
		return err
	}
	t.Changed = now
	t.History = append(t.History, finding.Step{At: now, Who: who, Action: string(c.Action), Note: c.Note, Detail: detail})
	if len(t.History) > finding.MaxHistory {
		t.History = slices.Delete(t.History, 1, 2)
	}
	d.Decisions++
	return nil
}

// Apply makes a decision about one finding and returns what it is then.
func Apply(ctx context.Context, st store.Documents, id string, c Change, who Who, now time.Time) (*alert.Document, error) {
	if err := c.Check(now.UnixNano()); err != nil {
		return nil, err
	}
	for try := 0; ; try++ {
		doc, err := st.Document(ctx, alert.Kind, id)
		if errors.Is(err, store.ErrNotFound) {
			return nil, ErrNotFound
		}
		if err != nil {
			return nil, err
		}
		d, err := alert.Read(doc.Body)
		if err != nil {
			return nil, err
		}
		if c.Revision != 0 && c.Revision != d.Decisions+1 {
			return nil, &ConflictError{Had: c.Revision, Now: d}
		}
		before, err := json.Marshal(brief(d))
		if err != nil {
			return nil, err
		}
		if c.Action == Reopen {
			if err := superseded(ctx, st, d); err != nil {
				return nil, err
			}
		}
		if err := c.apply(d, who.Name, now.UnixNano()); err != nil {
			return nil, err
		}
		after, err := json.Marshal(brief(d))
		if err != nil {
			return nil, err
		}
		body, err := json.Marshal(d)
		if err != nil {
			return nil, err
		}
		err = st.Commit(ctx, []store.Write{{Kind: alert.Kind, ID: id, Expect: doc.Revision, Body: body}}, store.Audit{
			Time: now.UnixNano(), Who: who.Name, From: who.From, Action: "finding." + string(c.Action), Object: "finding:" + id,
			Before: before, After: after, Result: "done", Note: c.Note,
		})
		if errors.Is(err, store.ErrConflict) && try < tries {
			continue // detection added an occurrence, or somebody decided: the next turn sees
		}
		if err != nil {
			return nil, err
		}
		return d, nil
	}
}

// superseded reports that a later finding of the same group goes on where this one was
// closed: two open ones would share its occurrences.
func superseded(ctx context.Context, st store.Documents, d *alert.Document) error {
	key := alert.KeyOf(d.Alert.ID)
	_, err := st.Document(ctx, alert.Kind, alert.ID(key, d.Generation+1))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return &StateError{"It happened again after this finding was closed, and that is a finding of its own."}
}

// brief is what of a finding the audit trail shows.
func brief(d *alert.Document) any {
	t := d.Alert.Triage
	return struct {
		State    finding.State   `json:"state"`
		Assignee string          `json:"assignee,omitempty"`
		Outcome  finding.Outcome `json:"outcome,omitempty"`
		Until    int64           `json:"until,omitempty"`
		Rule     string          `json:"rule"`
	}{t.State, t.Assignee, t.Outcome, t.Until, d.Alert.Rule}
}

// Result is what became of one finding of a bulk change.
type Result struct {
	ID       string
	Document *alert.Document // nil when it failed
	Err      error
}

// Bulk makes one decision about many findings, each by itself and in the order given.
func Bulk(ctx context.Context, st store.Documents, ids []string, c Change, who Who, now time.Time) ([]Result, error) {
	if len(ids) > MaxBulk {
		return nil, &InvalidError{"ids", fmt.Sprintf("are more than %d", MaxBulk)}
	}
	c.Revision = 0
	if err := c.Check(now.UnixNano()); err != nil {
		return nil, err
	}
	out := make([]Result, 0, len(ids))
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		d, err := Apply(ctx, st, id, c, who, now)
		out = append(out, Result{id, d, err})
	}
	return out, nil
}
