// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/see/detect/alert"
)

const (
	archiveEvery = time.Hour
	// mostFindings is how many are kept before closed ones go early.
	mostFindings = alert.MaxIndexed * 9 / 10
	// leastKept is how long a closed finding is kept in any case.
	leastKept = 24 * time.Hour
)

// archive removes findings that were closed long ago; where there are too many, closed
// ones go before their time, the longest closed first. An open one never goes. One instance
// does: the one that has partition 0.
func (r *Room) archive(ctx context.Context) error {
	if r.own&1 == 0 {
		return nil
	}
	if err := r.loadAlerts(ctx); err != nil {
		return err
	}
	rows, _ := r.index.Rows()
	old, early := Archivable(rows, r.deps.Now(), r.cfg.KeepClosed, mostFindings)
	if err := r.remove(ctx, append(old, early...)); err != nil {
		return err
	}
	if left := len(rows) - len(old) - len(early); len(early) > 0 || left > mostFindings {
		r.engine.internal(findingsMany, "", map[string]string{
			"why": fmt.Sprintf("%d are kept, of at most %d; %d closed ones were removed before their time", left, alert.MaxIndexed, len(early))})
	}
	return nil
}

// Archivable says which findings are to be removed: those that were closed longer than keep ago, and
// of the other closed ones as many as are over most.
func Archivable(rows []*alert.Row, now time.Time, keep time.Duration, most int) (old, early []*alert.Row) {
	var closed []*alert.Row
	for _, row := range rows {
		age := now.UnixNano() - max(row.Triage.Changed, row.Last)
		switch {
		case row.Triage.State != finding.Closed:
		case age > int64(keep):
			old = append(old, row)
		case age > int64(leastKept):
			closed = append(closed, row)
		}
	}
	over := len(rows) - len(old) - most
	if over <= 0 {
		return old, nil
	}
	slices.SortFunc(closed, func(a, b *alert.Row) int {
		return cmp.Or(cmp.Compare(a.Triage.Changed, b.Triage.Changed), cmp.Compare(a.ID, b.ID))
	})
	return old, closed[:min(over, len(closed))]
}

// remove removes findings, each only as it was read: one that a person opens again meanwhile
// stays.
func (r *Room) remove(ctx context.Context, rows []*alert.Row) error {
	removed := 0
	for _, row := range rows {
		err := r.deps.Store.Commit(ctx, []store.Write{{Kind: alert.Kind, ID: row.ID, Expect: row.Revision(), Delete: true}})
		if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		removed++
		delete(r.write.cache, alert.KeyOf(row.ID))
		r.write.wrote = append(r.write.wrote, row.ID)
	}
	if removed == 0 {
		return nil
	}
	r.deps.Log.Info("findings that were closed long ago were removed", "findings", removed)
	if err := r.deps.Store.Commit(ctx, nil, store.Audit{Time: r.deps.Now().UnixNano(), Who: "system", Action: "finding.archive", Object: "findings", Result: "done",
		Note: strconv.Itoa(removed) + " closed findings were removed"}); err != nil {
		return err
	}
	r.tell(ctx)
	return nil
}
