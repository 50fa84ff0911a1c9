// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/see/detect/alert"
)

// standings makes alerts of what others keep as documents and what lasts until they take it
// back. One instance does: the one that has partition 0.
func (r *Room) standings(ctx context.Context) error {
	if r.own&1 == 0 {
		return nil
	}
	if err := r.conflicts(ctx); err != nil {
		return err
	}
	if err := r.told(ctx); err != nil {
		return err
	}
	return r.advisories(ctx)
}

// standing brings the alerts of a family of rules to what is so now: what is present has
// an open alert, unless a person closed it; what is not present any more is closed, and opened again when
// it comes back.
func (r *Room) standing(ctx context.Context, family string, present []*alert.Occurrence, over, again string) error {
	now := make(map[string]bool, len(present))
	for _, o := range present {
		key := keyOf(o)
		now[key] = true
		if k := r.write.cache[key]; k != nil && (len(k.pending) > 0 || k.doc != nil && !k.doc.Closed()) {
			continue
		}
		if known := r.latest(key); known == nil {
			r.write.add(o)
		} else if known.Triage.State == finding.Closed && known.Triage.Reason == over {
			if err := r.decide(ctx, known.ID, finding.Open, again); err != nil {
				return err
			}
		}
	}
	rows, _ := r.index.Rows()
	for _, row := range rows {
		if strings.HasPrefix(row.Rule, family) && row.Triage.State != finding.Closed && !now[alert.KeyOf(row.ID)] {
			if err := r.decide(ctx, row.ID, finding.Closed, over); err != nil {
				return err
			}
		}
	}
	return nil
}

// latest is the row of the latest generation of an alert.
func (r *Room) latest(key string) *alert.Row {
	var last *alert.Row
	for n := 0; ; n++ {
		row := r.index.Row(alert.ID(key, n))
		if row == nil {
			return last
		}
		last = row
	}
}

// decide closes or opens an alert for the program itself.
func (r *Room) decide(ctx context.Context, id string, to finding.State, why string) error {
	doc, err := r.deps.Store.Document(ctx, alert.Kind, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	d, err := alert.Read(doc.Body)
	if err != nil {
		return err
	}
	t := &d.Alert.Triage
	at := r.deps.Now().UnixNano()
	action := "close"
	t.State, t.Changed, t.Reason, t.Outcome = to, at, why, finding.TruePositive
	if to == finding.Open {
		action, t.Reason, t.Outcome = "reopen", "", ""
	}
	t.History = append(t.History, finding.Step{At: at, Who: "system", Action: action, Note: why})
	if n := len(t.History); n > finding.MaxHistory {
		t.History = t.History[n-finding.MaxHistory:]
	}
	d.Decisions++
	body, err := json.Marshal(d)
	if err != nil {
		return err
	}
	err = r.deps.Store.Commit(ctx, []store.Write{{Kind: alert.Kind, ID: id, Expect: doc.Revision, Body: body}}, store.Audit{
		Time: at, Who: "system", Action: "finding." + action, Object: "finding:" + id, Result: "done", Note: why})
	if errors.Is(err, store.ErrConflict) {
		return nil // the next look sees
	}
	if err != nil {
		return fmt.Errorf("finding %s: %w", id, err)
	}
	delete(r.write.cache, alert.KeyOf(id))
	r.write.wrote = append(r.write.wrote, id)
	r.tell(ctx)
	return nil
}
