// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/respond/access"
	"github.com/asepsis/asepsis/respond/problem"
	"github.com/asepsis/asepsis/see/inventory"
	"github.com/asepsis/asepsis/see/recorder"
)

// maxEditText bounds what a person writes about a device, in characters.
const (
	maxEditText = 200
	maxNoteText = 2000
	maxParts    = 64
)

// What people set is the recorder's: it has the inventory, it writes the edit
// with its entry in the audit trail, and answers when both are on the disk.

// ask asks the recorder for a change.
func (s *Server) ask(r *http.Request, q recorder.EditRequest) (inventory.Edit, error) {
	if who, ok := access.ActorOf(r.Context()); ok {
		q.Who = who.AuditName()
	}
	q.From = clientAddr(r)
	body, err := json.Marshal(q)
	if err != nil {
		return inventory.Edit{}, problem.Internal(err)
	}
	answer, err := s.dep.Bus.Ask(r.Context(), recorder.SubjectEdit, body)
	if err != nil {
		return inventory.Edit{}, busProblem(err)
	}
	var a recorder.EditAnswer
	if err := json.Unmarshal(answer, &a); err != nil {
		return inventory.Edit{}, problem.Internal(fmt.Errorf("answer of the recorder: %w", err))
	}
	s.know.changed()
	s.tell("devices")
	return a.Edit, nil
}

// askEdits asks the recorder what people set on a device, "" for all.
func (s *Server) askEdits(ctx context.Context, device string) ([]inventory.Edit, error) {
	body, err := json.Marshal(recorder.EditsRequest{Device: device})
	if err != nil {
		return nil, problem.Internal(err)
	}
	answer, err := s.dep.Bus.Ask(ctx, recorder.SubjectEdits, body)
	if err != nil {
		return nil, busProblem(err)
	}
	var out []inventory.Edit
	if err := json.Unmarshal(answer, &out); err != nil {
		return nil, problem.Internal(fmt.Errorf("answer of the recorder: %w", err))
	}
	return out, nil
}

// busProblem says what an error of the recorder means to a client.
func busProblem(err error) error {
	var e *bus.Error
	if !errors.As(err, &e) {
		return problem.Unavailable("The recorder cannot be asked now.", "devices can be changed again when the bus works", 5*time.Second, err)
	}
	switch e.Kind {
	case "not_found", "not-found":
		return problem.New(http.StatusNotFound, sentenceOf(e.Text), e.Help)
	case "invalid":
		return problem.New(http.StatusUnprocessableEntity, sentenceOf(e.Text), e.Help)
	case "conflict":
		return problem.Conflict(sentenceOf(e.Text), e.Help)
	case "unavailable":
		return problem.Unavailable("The change was not made: it could not be stored.", e.Help, 5*time.Second, err)
	case bus.ErrInternal.Kind:
		return problem.Internal(err)
	}
	return problem.Unavailable("The recorder does not answer: nothing was changed.", "devices can be changed again when it runs", 5*time.Second, err)
}

func sentenceOf(s string) string {
	if s == "" {
		return s
	}
	r, n := utf8.DecodeRuneInString(s)
	s = string(unicode.ToUpper(r)) + s[n:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// patchDevice sets attributes of a device, or gives them back to observation.
// Every attribute is an edit of its own, made in the order of the fields here;
// all are checked before the first is made.
func (s *Server) patchDevice(w http.ResponseWriter, r *http.Request) error {
	type text = problem.Optional[string]
	type request struct {
		Name        text `json:"name"`
		Class       text `json:"class"`
		Vendor      text `json:"vendor"`
		Model       text `json:"model"`
		Theatre     text `json:"theatre"`
		Criticality text `json:"criticality"`
	}
	q, p := problem.DecodeJSON[request](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	var wrong []problem.Field
	fail := func(field, message, hint string) {
		wrong = append(wrong, problem.Field{Field: field, Message: message, Hint: hint})
	}
	type edit struct {
		kind  inventory.EditKind
		value *string
	}
	var edits []edit
	for _, f := range []struct {
		kind inventory.EditKind
		v    text
	}{
		{inventory.EditName, q.Name}, {inventory.EditClass, q.Class}, {inventory.EditVendor, q.Vendor}, {inventory.EditModel, q.Model},
		{inventory.EditTheatre, q.Theatre}, {inventory.EditCriticality, q.Criticality},
	} {
		if !f.v.Given {
			continue
		}
		e := edit{kind: f.kind}
		if v := strings.TrimSpace(f.v.Value); !f.v.Null && v != "" {
			e.value = &v
			switch {
			case utf8.RuneCountInString(v) > maxEditText:
				fail(string(f.kind), fmt.Sprintf("is longer than %d characters", maxEditText), "")
			case strings.IndexFunc(v, func(c rune) bool { return !unicode.IsPrint(c) }) >= 0:
				fail(string(f.kind), "has characters that cannot be shown", "")
			case f.kind == inventory.EditClass && !device.Class(v).Valid():
				fail("class", "is no class of device; there are "+list(classes()), didYouMean(v, classes()))
			case f.kind == inventory.EditCriticality && !slices.Contains(criticalities(), v):
				fail("criticality", "must be one of "+list(criticalities()), didYouMean(v, criticalities()))
			case f.kind == inventory.EditTheatre:
				if _, ok := world.theatre(v); !ok {
					fail("theatre", "is the ID of no theatre", "GET "+prefix+"/theatres lists them")
				}
			}
		}
		edits = append(edits, e)
	}
	if len(wrong) > 0 {
		return fields(wrong)
	}
	if len(edits) == 0 {
		return problem.BadRequest("The request changes nothing.", "send at least one of name, class, vendor, model, theatre, criticality")
	}
	d, err := s.findDevice(r, r.PathValue("id"))
	if err != nil {
		return err
	}
	before, err := s.dep.Store.DevicesRevision(r.Context())
	if err != nil {
		return err
	}
	set := map[inventory.EditKind]*string{}
	for i, e := range edits {
		set[e.kind] = e.value
		if _, err := s.ask(r, recorder.EditRequest{Kind: string(e.kind), Device: d.ID, Value: e.value}); err != nil {
			p := problem.From(err)
			if i > 0 {
				var done []string
				for _, e := range edits[:i] {
					done = append(done, string(e.kind))
				}
				p.Detail += " These were set before: " + list(done) + "."
			}
			return p
		}
	}
	return s.edited(w, r, d.ID, before, set)
}

func criticalities() []string {
	return []string{string(device.CriticalityLow), string(device.CriticalityMedium), string(device.CriticalityHigh), string(device.CriticalityLife)}
}

// edited answers with a device after edits. The recorder publishes a change a
// moment after it has answered; who changed a name shall read the new one, so the
// answer waits for that a little, and shows what was set in any case.
func (s *Server) edited(w http.ResponseWriter, r *http.Request, id string, before uint64, set map[inventory.EditKind]*string) error {
	wait := time.NewTimer(editShown)
	defer wait.Stop()
	look := time.NewTicker(40 * time.Millisecond)
	defer look.Stop()
	for waiting := true; waiting; {
		select {
		case <-r.Context().Done():
			return r.Context().Err()
		case <-wait.C:
			waiting = false
		case <-look.C:
			now, err := s.dep.Store.DevicesRevision(r.Context())
			if err != nil {
				return err
			}
			if now == before {
				continue
			}
			d, err := s.findDevice(r, id)
			if err != nil {
				return err
			}
			waiting = !shows(&d, set)
		}
	}
	s.know.changed()
	d, err := s.findDevice(r, id)
	if err != nil {
		return err
	}
	world, err := s.know.get(r.Context())
	if err != nil {
		return err
	}
	for kind, v := range set {
		if v != nil {
			*attribute(&d, kind) = *v
		}
	}
	return send(w, r, http.StatusOK, fullDevice(&d, world, s.now()))
}

// attribute is where a device has what an edit sets.
func attribute(d *device.Device, kind inventory.EditKind) *string {
	switch kind {
	case inventory.EditName:
		return &d.Name
	case inventory.EditClass:
		return (*string)(&d.Class)
	case inventory.EditVendor:
		return &d.Vendor
	case inventory.EditModel:
		return &d.Model
	case inventory.EditTheatre:
		return &d.Theatre
	case inventory.EditCriticality:
		return (*string)(&d.Criticality)
	}
	panic("BUG: api: no attribute of an edit of kind " + string(kind))
}

func shows(d *device.Device, set map[inventory.EditKind]*string) bool {
	for kind, v := range set {
		if v != nil && *attribute(d, kind) != *v {
			return false
		}
	}
	return true
}

// editShown is how long an answer waits for an edit to be published.
const editShown = 1500 * time.Millisecond

func editOf(e inventory.Edit) Edit {
	out := Edit{Seq: e.Seq, Kind: string(e.Kind), Device: e.Device, Value: e.Value, Keys: e.Keys, Who: e.Who, At: stamp(e.At), UndoneBy: e.UndoneBy}
	if e.UndoneAt != 0 {
		out.UndoneAt = stamp(e.UndoneAt)
	}
	return out
}

// getEdits answers with what people set on a device, newest first.
func (s *Server) getEdits(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	d, err := s.findDevice(r, r.PathValue("id"))
	if err != nil {
		return err
	}
	l, err := s.askEdits(r.Context(), d.ID)
	if err != nil {
		return err
	}
	out := []Edit{}
	for _, e := range l {
		out = append(out, editOf(e))
	}
	slices.SortFunc(out, func(a, b Edit) int { return int(min(max(int64(b.Seq)-int64(a.Seq), -1), 1)) })
	return send(w, r, http.StatusOK, out)
}

// postNote adds a remark to a device.
func (s *Server) postNote(w http.ResponseWriter, r *http.Request) error {
	type request struct {
		Text string `json:"text"`
	}
	q, p := problem.DecodeJSON[request](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	text := strings.TrimSpace(q.Text)
	switch {
	case text == "":
		return fields([]problem.Field{{Field: "text", Message: "is needed"}})
	case utf8.RuneCountInString(text) > maxNoteText:
		return fields([]problem.Field{{Field: "text", Message: fmt.Sprintf("is longer than %d characters", maxNoteText)}})
	}
	return s.editDevice(w, r, recorder.EditRequest{Kind: string(inventory.EditNote), Value: &text})
}

// postMerge says that two records are one device.
func (s *Server) postMerge(w http.ResponseWriter, r *http.Request) error {
	type request struct {
		With string `json:"with"`
	}
	q, p := problem.DecodeJSON[request](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	if q.With == "" || len(q.With) > 256 {
		return fields([]problem.Field{{Field: "with", Message: "must be the ID of the other device"}})
	}
	return s.editDevice(w, r, recorder.EditRequest{Kind: string(inventory.EditMerge), Value: &q.With})
}

// postSplit says that a part of a record is another device.
func (s *Server) postSplit(w http.ResponseWriter, r *http.Request) error {
	type request struct {
		Parts []string `json:"parts"`
	}
	q, p := problem.DecodeJSON[request](r, int64(s.cfg.MaxBody))
	if p != nil {
		return p
	}
	if len(q.Parts) == 0 || len(q.Parts) > maxParts {
		return fields([]problem.Field{{Field: "parts", Message: fmt.Sprintf("must have 1 to %d MACs or addresses of the device", maxParts)}})
	}
	for i, part := range q.Parts {
		if part == "" || len(part) > 256 {
			return fields([]problem.Field{{Field: fmt.Sprintf("parts[%d]", i), Message: "must be a MAC or an address of the device"}})
		}
	}
	return s.editDevice(w, r, recorder.EditRequest{Kind: string(inventory.EditSplit), Parts: q.Parts})
}

func (s *Server) editDevice(w http.ResponseWriter, r *http.Request, q recorder.EditRequest) error {
	d, err := s.findDevice(r, r.PathValue("id"))
	if err != nil {
		return err
	}
	q.Device = d.ID
	e, err := s.ask(r, q)
	if err != nil {
		return err
	}
	return send(w, r, http.StatusCreated, editOf(e))
}

// postUndo takes an edit back.
func (s *Server) postUndo(w http.ResponseWriter, r *http.Request) error {
	if err := s.params(r).end(); err != nil {
		return err
	}
	seq, ok := parseUint(r.PathValue("seq"))
	if !ok {
		return problem.NotFound("There is no edit with this number.")
	}
	e, err := s.ask(r, recorder.EditRequest{Kind: "undo", Seq: seq})
	if err != nil {
		return err
	}
	return send(w, r, http.StatusOK, editOf(e))
}
