// SPDX-License-Identifier: Apache-2.0

package recorder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/see/inventory"
)

// Subjects of requests that the recorder answers.
const (
	SubjectEdit  = "inventory.edit"  // EditRequest -> EditAnswer
	SubjectEdits = "inventory.edits" // EditsRequest -> []inventory.Edit
)

// EditRequest asks for one change of a device by a person.
type EditRequest struct {
	Who    string   `json:"who"`
	From   string   `json:"from,omitempty"` // address that the person's request came from
	Kind   string   `json:"kind"`           // an inventory.EditKind, or "undo"
	Device string   `json:"device,omitempty"`
	Value  *string  `json:"value"` // null gives the attribute back to observation; merge: the other device
	Parts  []string `json:"parts,omitempty"`
	Seq    uint64   `json:"seq,omitempty"` // undo: which edit
}

// EditAnswer is the edit as it is recorded now.
type EditAnswer struct {
	Edit inventory.Edit `json:"edit"`
}

// EditsRequest asks for the edits of one device, or of all.
type EditsRequest struct {
	Device string `json:"device"`
}

// savedEdit is an edit as it is kept until a snapshot holds it: what was asked
// for, and where in the stream.
type savedEdit struct {
	Number   uint64      `json:"number"`
	Stream   string      `json:"stream"` // of the bus
	Position uint64      `json:"position"`
	At       int64       `json:"at"`
	Request  EditRequest `json:"request"`
	// Void takes the place of an edit that was not made, see Recorder.resolve.
	Void bool `json:"void,omitempty"`
}

// serve answers requests until the function that it returns is called.
func (r *Recorder) serve() (stop func(), err error) {
	stopEdit, err := r.deps.Bus.Serve(SubjectEdit, r.answerEdit)
	if err != nil {
		return nil, err
	}
	stopEdits, err := r.deps.Bus.Serve(SubjectEdits, r.answerEdits)
	if err != nil {
		stopEdit()
		return nil, err
	}
	return func() { stopEdit(); stopEdits() }, nil
}

func (r *Recorder) answerEdits(_ context.Context, body []byte) ([]byte, error) {
	var q EditsRequest
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, &bus.Error{Kind: "invalid", Text: err.Error()}
	}
	edits := r.inv.Edits(q.Device)
	if edits == nil {
		edits = []inventory.Edit{}
	}
	return json.Marshal(edits)
}

// answerEdit makes an edit. It is on the disk, with its entry in the audit trail,
// before it is answered; when it cannot be written it is taken back. Where the store
// does not say whether it has it, the answer says so.
func (r *Recorder) answerEdit(ctx context.Context, body []byte) ([]byte, error) {
	var q EditRequest
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, &bus.Error{Kind: "invalid", Text: err.Error()}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.settle(ctx); err != nil {
		return nil, unavailable(err)
	}
	// What was asked for before a crash comes before what is asked for now.
	r.redoEdits(math.MaxUint64)
	r.waiting = slices.DeleteFunc(r.waiting, r.again)
	now := r.deps.Now().UnixNano()
	before, _ := r.inv.Device(q.Device)
	edit, err := r.try(q, now)
	if err != nil {
		return nil, err
	}
	saved := savedEdit{Number: r.edits + 1, Stream: r.observed.Stream, Position: r.observed.Seq, At: now, Request: q}
	if err := r.keep(ctx, saved, edit, &before); err != nil {
		switch made, known := r.resolveSoon(ctx, saved, err); {
		case !known:
			r.takeBack(q, edit)
			r.doubt = &saved
			return nil, unsure(err)
		case !made:
			r.takeBack(q, edit)
			return nil, unavailable(err)
		}
	}
	if q.Kind == "undo" {
		if _, err := r.apply(q, now); err != nil {
			return nil, err
		}
	}
	r.edits = saved.Number
	r.rooms.stale = true
	return json.Marshal(EditAnswer{edit})
}

// try makes an edit, so that it is known to be possible before it is stored. An
// undo, which cannot itself be taken back, is only looked at.
func (r *Recorder) try(q EditRequest, at int64) (inventory.Edit, error) {
	if q.Kind != "undo" {
		return r.apply(q, at)
	}
	for _, e := range r.inv.Edits("") {
		if e.Seq != q.Seq {
			continue
		}
		if e.UndoneBy != "" {
			return e, &bus.Error{Kind: "conflict", Text: fmt.Sprintf("edit %d is undone already, by %s", e.Seq, e.UndoneBy)}
		}
		e.UndoneBy, e.UndoneAt = q.Who, at
		return e, nil
	}
	return inventory.Edit{}, &bus.Error{Kind: "not-found", Text: fmt.Sprintf("there is no edit %d", q.Seq)}
}

// apply makes an edit in the inventory and returns it as recorded.
func (r *Recorder) apply(q EditRequest, at int64) (inventory.Edit, error) {
	by, value := inventory.By{Who: q.Who, At: at}, ""
	if q.Value != nil {
		value = *q.Value
	}
	edit, err := r.inv.make(q, value, by)
	switch {
	case errors.Is(err, inventory.ErrNotFound):
		return inventory.Edit{}, &bus.Error{Kind: "not-found", Text: err.Error()}
	case err != nil:
		return inventory.Edit{}, &bus.Error{Kind: "invalid", Text: strings.TrimPrefix(err.Error(), inventory.ErrEdit.Error()+": ")}
	}
	return edit, nil
}

func unavailable(err error) error {
	return &bus.Error{Kind: "unavailable", Text: "the change was not made: it could not be stored: " + err.Error(), Help: "try again when the store works"}
}

// takeBack makes an edit that could not be stored never to have been: numbers of
// edits are the same when they are made again after a crash.
func (r *Recorder) takeBack(q EditRequest, e inventory.Edit) {
	if q.Kind == "undo" {
		return // nothing was done yet
	}
	if err := r.inv.Retract(e.Seq); err != nil {
		r.deps.Log.Error("a change that was not stored could not be taken back", "edit", e.Seq, "err", err)
	}
}

// keep stores an edit with its audit entry.
func (r *Recorder) keep(ctx context.Context, s savedEdit, e inventory.Edit, before *device.Device) error {
	body, err := json.Marshal(s)
	if err != nil {
		return err
	}
	after, err := json.Marshal(e)
	if err != nil {
		return err
	}
	a := store.Audit{Time: s.At, Who: s.Request.Who, From: s.Request.From, Action: "device." + s.Request.Kind, Object: e.Device, After: after, Result: "done"}
	if was := attributeOf(before, inventory.EditKind(s.Request.Kind)); was != "" {
		if a.Before, err = json.Marshal(was); err != nil {
			return err
		}
	}
	return r.deps.Store.Commit(ctx, []store.Write{{Kind: editKind, ID: editID(s.Number), Expect: 0, Body: body}}, a)
}

// attributeOf is what an edit of a kind changes, as it is before.
func attributeOf(d *device.Device, k inventory.EditKind) string {
	switch k {
	case inventory.EditName:
		return d.Name
	case inventory.EditClass:
		return string(d.Class)
	case inventory.EditVendor:
		return d.Vendor
	case inventory.EditModel:
		return d.Model
	case inventory.EditTheatre:
		return d.Theatre
	case inventory.EditCriticality:
		return string(d.Criticality)
	}
	return ""
}

func editID(n uint64) string { return fmt.Sprintf("%020d", n) }

// redoEdits makes those edits of a crashed process again that were made at or
// before a position in the stream. Those of devices that have not been seen again
// wait until they are. The caller holds mu.
func (r *Recorder) redoEdits(pos uint64) {
	for len(r.redo) > 0 && r.redo[0].Position <= pos {
		// Those that wait come first: of two names, the later one stays.
		r.waiting = slices.DeleteFunc(r.waiting, r.again)
		s := r.redo[0]
		r.redo = r.redo[1:]
		r.edits = max(r.edits, s.Number)
		if !s.Void && !r.again(s) {
			r.waiting = append(r.waiting, s)
		}
	}
}

// retryEdits tries edits again whose devices had not been seen, and to settle one in
// doubt.
func (r *Recorder) retryEdits(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, resolveFor)
	defer cancel()
	_ = r.settle(ctx) // it is tried again
	r.waiting = slices.DeleteFunc(r.waiting, r.again)
}

// again makes an edit once more. It reports false when its device is not there yet.
func (r *Recorder) again(s savedEdit) bool {
	_, err := r.apply(s.Request, s.At)
	var e *bus.Error
	switch {
	case err == nil:
		r.rooms.stale = true
	case errors.As(err, &e) && e.Kind == "not-found" && s.Request.Kind != "undo":
		return false
	default:
		r.deps.Log.Error("a change by a person could not be made again after the restart", "who", s.Request.Who, "kind", s.Request.Kind, "device", s.Request.Device, "err", err)
	}
	return true
}

// editsAfter returns kept edits with numbers above n, in their order.
func (r *Recorder) editsAfter(ctx context.Context, n uint64) ([]savedEdit, error) {
	var out []savedEdit
	after := editID(n)
	for {
		docs, err := r.deps.Store.DocumentsOf(ctx, editKind, after, 500)
		if err != nil || len(docs) == 0 {
			return out, err
		}
		for _, d := range docs {
			var s savedEdit
			if err := json.Unmarshal(d.Body, &s); err != nil {
				return nil, fmt.Errorf("edit %s: %w", d.ID, err)
			}
			out, after = append(out, s), d.ID
		}
	}
}

// forgetEdits removes kept edits that a snapshot holds.
func (r *Recorder) forgetEdits(ctx context.Context, upTo uint64) error {
	for {
		docs, err := r.deps.Store.DocumentsOf(ctx, editKind, "", 500)
		if err != nil {
			return err
		}
		var writes []store.Write
		for _, d := range docs {
			if d.ID <= editID(upTo) {
				writes = append(writes, store.Write{Kind: editKind, ID: d.ID, Expect: store.AnyRevision, Delete: true})
			}
		}
		if len(writes) == 0 {
			return nil
		}
		if err := r.deps.Store.Commit(ctx, writes); err != nil {
			return err
		}
	}
}
