// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/store"
)

// MaxIndexed bounds how many alerts an Index knows; the latest by ID order beyond that are
// left out.
const MaxIndexed = 50_000

// ErrUnreadable is wrapped by the error of Load when all that failed is that alerts cannot be
// read. The others are there.
var ErrUnreadable = errors.New("left out of the list")

// Row is an alert as lists show it: without its pace, and with the latest evidence alone.
type Row struct {
	finding.Alert
	Decisions uint64
	stored    uint64 // revision of the document
	changed   int64  // when it was written: one that was removed and made again begins at 1
}

// Index keeps the rows of all alerts in memory. Its methods may be called
// concurrently.
type Index struct {
	store store.Documents

	mu   sync.Mutex
	rows map[string]*Row // a row does not change once it is here
	sum  uint64          // of all rows, in any order
	list []*Row          // in the order of their IDs; nil: to be made again. It does not change: readers have it
}

// newer reports whether a row was read from a later state of its document.
func (r *Row) newer(than *Row) bool {
	return cmp.Or(cmp.Compare(r.changed, than.changed), cmp.Compare(r.stored, than.stored)) > 0
}

// Revision is that of the document.
func (r *Row) Revision() uint64 { return r.stored }

// NewIndex makes an empty index.
func NewIndex(st store.Documents) *Index { return &Index{store: st, rows: map[string]*Row{}} }

// rowOf makes the row of a document.
func rowOf(d store.Document) (*Row, error) {
	x, err := Read(d.Body)
	if err != nil {
		return nil, err
	}
	a := x.Alert
	a.Pace = nil
	if n := len(a.Evidence); n > 3 {
		a.Evidence = slices.Clone(a.Evidence[n-3:])
	}
	for i := range a.Evidence {
		a.Evidence[i].Fields = nil
	}
	a.Triage.History = nil
	return &Row{Alert: a, Decisions: x.Decisions, stored: d.Revision, changed: d.Changed}, nil
}

// Load reads all alerts. What cannot be read is left out, and is part of the error.
func (x *Index) Load(ctx context.Context) error {
	x.mu.Lock()
	known := maps.Clone(x.rows)
	x.mu.Unlock()
	rows := make(map[string]*Row, len(known))
	var bad error
	for after := ""; len(rows) < MaxIndexed; {
		docs, err := x.store.DocumentsOf(ctx, Kind, after, 500)
		if err != nil {
			return err
		}
		if len(docs) == 0 {
			break
		}
		for _, d := range docs {
			after = d.ID
			if r := known[d.ID]; r != nil && r.stored == d.Revision && r.changed == d.Changed {
				rows[d.ID] = r
				continue
			}
			r, err := rowOf(d)
			if err != nil {
				bad = fmt.Errorf("alert %s: %w: %w", d.ID, ErrUnreadable, err)
				continue
			}
			rows[d.ID] = r
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	// What a call of Refresh put here meanwhile is newer.
	for id, r := range x.rows {
		if k := rows[id]; k != nil && r.newer(k) {
			rows[id] = r
		}
	}
	x.rows, x.list, x.sum = rows, nil, 0
	for _, r := range rows {
		x.sum += r.mark()
	}
	return bad
}

// mark is what a row adds to the revision.
func (r *Row) mark() uint64 {
	h := fnv.New64a()
	_, _ = h.Write(strconv.AppendUint([]byte(r.ID+" "), r.stored, 10))
	return h.Sum64()
}

// Refresh reads some alerts again.
func (x *Index) Refresh(ctx context.Context, ids []string) error {
	fresh := make(map[string]*Row, len(ids)) // nil: it is gone
	for _, id := range ids {
		d, err := x.store.Document(ctx, Kind, id)
		if errors.Is(err, store.ErrNotFound) {
			fresh[id] = nil
			continue
		}
		if err != nil {
			return err
		}
		if fresh[id], err = rowOf(d); err != nil {
			return err
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	list := slices.Clone(x.list)
	for id, r := range fresh {
		was := x.rows[id]
		if r == nil && was == nil || r != nil && was != nil && !r.newer(was) {
			continue
		}
		if was != nil {
			x.sum -= was.mark()
		}
		at, found := slices.BinarySearchFunc(list, id, func(r *Row, id string) int { return cmp.Compare(r.ID, id) })
		switch {
		case r == nil:
			delete(x.rows, id)
			if found {
				list = slices.Delete(list, at, at+1)
			}
			continue
		case found:
			list[at] = r
		case x.list != nil:
			list = slices.Insert(list, at, r)
		}
		x.rows[id] = r
		x.sum += r.mark()
	}
	x.list = list
	return nil
}

// Rows returns all rows in the order of their IDs, and a revision that changes with
// any of them. The rows are shared and must not be changed.
func (x *Index) Rows() ([]*Row, uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.list == nil {
		x.list = make([]*Row, 0, len(x.rows))
		for _, id := range slices.Sorted(maps.Keys(x.rows)) {
			x.list = append(x.list, x.rows[id])
		}
	}
	return x.list, x.sum >> 11 // 53 bits: a number in JavaScript too
}

// Row returns one row, nil when there is none.
func (x *Index) Row(id string) *Row {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.rows[id]
}
