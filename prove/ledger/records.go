// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/custody"
)

// Records takes operation records of surgical tables, robots and XR sessions, holds
// them to the schema of their type, takes out what could identify a patient, and
// records them.
type Records struct {
	ledger Recorder
	salts  *Salts
	now    func() time.Time
}

// NewRecords makes the service. A nil clock is the machine's.
func NewRecords(r Recorder, s *Salts, now func() time.Time) *Records {
	if now == nil {
		now = time.Now
	}
	return &Records{r, s, now}
}

// MaxRecord is the most bytes of one record as it is sent.
const MaxRecord = 16 << 10

// Record is what a device or an integration sends.
type Record struct {
	// ID is the sender's key: sent again with the same content it is the same entry.
	ID      string             `json:"id"`
	Type    custody.RecordType `json:"type"`
	Time    time.Time          `json:"time"`
	Device  string             `json:"device"`
	Site    string             `json:"site,omitempty"`
	Theatre string             `json:"theatre,omitempty"`
	// Case and Patient are identifiers in clear. They are replaced by commitments before
	// anything is kept.
	Case    string `json:"case,omitempty"`
	Patient string `json:"patient,omitempty"`
	// Operator is an account name of the device, committed to as well.
	Operator string         `json:"operator,omitempty"`
	Reason   string         `json:"reason,omitempty"`
	Data     map[string]any `json:"data"`
}

// Bounds of records.
const (
	maxIdentifier = 256
	// maxAhead is how far the sender's clock may be before ours.
	maxAhead = 24 * time.Hour
)

// RecordError says what is wrong with a record, without any of its values.
type RecordError struct{ Why string }

func (e *RecordError) Error() string { return "record: " + e.Why }

// Hint says where the schema is.
func (e *RecordError) Hint() string {
	return "docs/ledger.md has the records; asepsis record --schema TYPE prints the schema of one"
}

// ParseRecord reads one record strictly.
func ParseRecord(b []byte) (Record, error) {
	var r Record
	if len(b) > MaxRecord {
		return r, &RecordError{fmt.Sprintf("it has %d bytes, more than %d", len(b), MaxRecord)}
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		var kind *json.UnmarshalTypeError
		var syntax *json.SyntaxError
		switch {
		case errors.As(err, &kind):
			return r, &RecordError{fmt.Sprintf("%s: %s where %s belongs", kind.Field, kind.Value, kind.Type)}
		case errors.As(err, &syntax):
			return r, &RecordError{fmt.Sprintf("no JSON: byte %d", syntax.Offset)}
		case strings.HasPrefix(err.Error(), "json: unknown field "):
			return r, &RecordError{"there is no member " + strings.TrimPrefix(err.Error(), "json: unknown field ")}
		}
		return r, &RecordError{"it ends too soon, or a time is none"}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return r, &RecordError{"something follows it"}
	}
	return r, nil
}

// Put records one. The actor is who sent it, as the server authenticated it. Errors
// are *RecordError, *custody.Invalid, and those of [Recorder].
func (s *Records) Put(ctx context.Context, actor custody.Actor, r Record) (Entry, error) {
	st, err := s.Statement(actor, r)
	if err != nil {
		return Entry{}, err
	}
	return s.ledger.Record(ctx, st)
}

// Statement makes the custody statement of a record. Its subject is the record
// itself, by the SHA-256 of its canonical form without the identifiers; the ID and the
// device are part of it.
func (s *Records) Statement(actor custody.Actor, r Record) (custody.Statement, error) {
	if r.Time.After(s.now().Add(maxAhead)) {
		return custody.Statement{}, &RecordError{"its time is more than a day ahead of this server's clock"}
	}
	st, err := r.statement(actor) // judged before salts are made for nothing
	if err != nil {
		return custody.Statement{}, err
	}
	return st, s.commit(&st.Predicate, r)
}

// CheckRecord says whether a record is right, as far as can be said without a server.
func CheckRecord(r Record) error {
	_, err := r.statement(custody.Actor{Software: "check"})
	return err
}

// statement is Statement without the commitments.
func (r *Record) statement(actor custody.Actor) (custody.Statement, error) {
	switch {
	case r.Type.Shape() == nil:
		return custody.Statement{}, &RecordError{"its type is none of surgical-table, surgical-robot, xr-session"}
	case r.ID == "":
		return custody.Statement{}, &RecordError{"id is missing"}
	case r.Device == "":
		return custody.Statement{}, &RecordError{"device is missing"}
	case r.Time.IsZero():
		return custody.Statement{}, &RecordError{"time is missing"}
	case len(r.Case) > maxIdentifier || len(r.Patient) > maxIdentifier || len(r.Operator) > maxIdentifier:
		return custody.Statement{}, &RecordError{fmt.Sprintf("an identifier is longer than %d bytes", maxIdentifier)}
	}
	if _, ok := r.Data["type"]; ok {
		return custody.Statement{}, &RecordError{"data has a member type: that stands beside it"}
	}
	detail := map[string]any{"type": string(r.Type)}
	for k, v := range r.Data {
		detail[k] = v
	}
	body, err := custody.Canonical(map[string]any{"id": r.ID, "device": r.Device, "time": r.Time.UTC().Format(time.RFC3339Nano), "detail": detail}, custody.MaxDepth)
	if err != nil {
		return custody.Statement{}, &RecordError{err.Error()}
	}
	st := custody.New(custody.Operation, "record/"+r.Device+"/"+r.ID, r.Time, custody.SHA256("record", sha256.Sum256(body)))
	p := &st.Predicate
	p.Actor, p.Device, p.Site, p.Theatre, p.Reason, p.Detail = actor, r.Device, r.Site, r.Theatre, r.Reason, detail
	return st, st.Validate()
}

// commit replaces the identifiers. What belongs to a case is under the case's
// secret, so that erasing the case erases all of it.
func (s *Records) commit(p *custody.Predicate, r Record) error {
	holder := "device/" + r.Device
	if r.Case != "" {
		holder = CaseHolder(r.Case)
		c, err := s.salts.Commit(holder, "case", r.Case)
		if err != nil {
			return err
		}
		p.Case = &custody.CaseLink{Case: c}
	}
	for name, value := range map[string]string{"patient": r.Patient, "operator": r.Operator} {
		if value == "" {
			continue
		}
		c, err := s.salts.Commit(holder, name, value)
		if err != nil {
			return err
		}
		if p.Commitments == nil {
			p.Commitments = map[string]custody.Commitment{}
		}
		p.Commitments[name] = c
	}
	return nil
}

// CaseHolder is the holder of a case's secret, see [Salts].
func CaseHolder(caseID string) string { return "case/" + caseID }

// Case returns the commitment by which a case's entries are found, ErrNotFound where
// nothing was recorded of it.
func (s *Records) Case(caseID string) (custody.Commitment, error) {
	return s.salts.Lookup(CaseHolder(caseID), "case", caseID)
}

// Erase makes the identifiers of a case meaningless for ever; entries and receipts
// stay valid. It reports whether there was something to erase.
func (s *Records) Erase(caseID string) (bool, error) { return s.salts.Erase(CaseHolder(caseID)) }

// RecordSchema returns the JSON Schema (2020-12) of a type's records.
func RecordSchema(t custody.RecordType) map[string]any {
	data := t.Shape()[1:].Schema() // all but type, which stands beside data
	data["properties"].(map[string]any)["other"] = custody.Shape{{Name: "other", Form: custody.Free}}.Schema()["properties"].(map[string]any)["other"]
	token := map[string]any{"type": "string", "pattern": `^[!#-\[\]-~]+$`, "maxLength": custody.MaxName}
	identifier := map[string]any{"type": "string", "maxLength": maxIdentifier, "description": "in clear; only a commitment is kept"}
	return map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Operation record: " + string(t),
		"type": "object", "additionalProperties": false, "required": []any{"id", "type", "time", "device", "data"},
		"properties": map[string]any{
			"id": token, "type": map[string]any{"const": string(t)}, "time": map[string]any{"type": "string", "format": "date-time"}, "device": token,
			"site": token, "theatre": token, "case": identifier, "patient": identifier, "operator": identifier,
			"reason": map[string]any{"type": "string", "maxLength": 1000}, "data": data,
		},
	}
}
