// SPDX-License-Identifier: Apache-2.0

package recorder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/store"
)

// An answer of the store that does not come, because the connection broke at the
// commit or the time was over, leaves open whether an edit was stored. Nobody may be
// told that a change was not made that is there after the next restart, and nobody that
// it was made when it was not. So the recorder makes certain: it writes a void edit
// under the same number. One of the two can be there only, whatever is still on its
// way, and which one it is can be asked again and again, also after a crash.

// resolveFor is how long a person waits for certainty before being told that there
// is none yet.
const resolveFor = 2 * time.Second

// resolveSoon finds out whether an edit was stored that the store gave an error for.
// The caller holds mu.
func (r *Recorder) resolveSoon(ctx context.Context, s savedEdit, why error) (made, known bool) {
	for _, definite := range []error{store.ErrFull, store.ErrTooLarge, store.ErrInvalid} {
		if errors.Is(why, definite) {
			return false, true
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resolveFor)
	defer cancel()
	for {
		made, err := r.resolve(ctx, s)
		if err == nil {
			return made, true
		}
		select {
		case <-ctx.Done():
			return false, false
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// resolve makes certain whether an edit was stored: from then on it was, or never
// will be. The caller holds mu.
func (r *Recorder) resolve(ctx context.Context, s savedEdit) (made bool, err error) {
	void := s
	void.Void = true
	body, err := json.Marshal(void)
	if err != nil {
		return false, err
	}
	err = r.deps.Store.Commit(ctx, []store.Write{{Kind: editKind, ID: editID(s.Number), Expect: 0, Body: body}})
	if err == nil {
		r.edits = s.Number
		return false, nil
	}
	if !errors.Is(err, store.ErrConflict) {
		return false, err
	}
	doc, err := r.deps.Store.Document(ctx, editKind, editID(s.Number))
	if err != nil {
		return false, err
	}
	var is savedEdit
	if err := json.Unmarshal(doc.Body, &is); err != nil {
		return false, fmt.Errorf("edit %d: %w", s.Number, err)
	}
	r.edits = s.Number
	if is.At == s.At && is.Request.Who == s.Request.Who && is.Request.Kind == s.Request.Kind && is.Request.Device == s.Request.Device {
		return !is.Void, nil
	}
	// One of a process before this, which came after all. It is made once the caller has
	// taken back what it tried.
	if !is.Void {
		r.waiting = append(r.waiting, is)
	}
	return false, nil
}

// settle resolves an edit that is in doubt, and makes it where it was stored. The
// caller holds mu.
func (r *Recorder) settle(ctx context.Context) error {
	if r.doubt == nil {
		return nil
	}
	s := *r.doubt
	made, err := r.resolve(ctx, s)
	if err != nil {
		return err
	}
	r.doubt = nil
	if made && !r.again(s) {
		r.waiting = append(r.waiting, s)
	}
	return nil
}

// unsure is the answer while it is not known whether a change was made.
func unsure(err error) error {
	return &bus.Error{Kind: "unavailable", Text: "it is not known yet whether the change was made: the store does not say: " + err.Error(),
		Help: "look at the device again when the store works: it shows the change if it was made"}
}
