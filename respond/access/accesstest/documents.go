// SPDX-License-Identifier: Apache-2.0

// Package accesstest helps tests of what uses package access: documents kept in
// memory with the exact meaning of store.Documents.
//
// Everything is gone with the process. Concurrent use is fine. It is not for
// production: nothing here is bounded.
package accesstest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/asepsis/asepsis/platform/store"
)

// Documents is a store.Documents in memory.
type Documents struct {
	// Now is the clock of Document.Changed; nil for time.Now.
	Now func() time.Time
	// Fail, when it is set, is asked before each call and may return an error
	// instead: the database is away, the disk is full.
	Fail func(call string) error

	mu    sync.Mutex
	docs  map[[2]string]store.Document
	audit []store.Audit
	reads int
}

var _ store.Documents = (*Documents)(nil)

func (d *Documents) fail(ctx context.Context, call string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d.Fail != nil {
		return d.Fail(call)
	}
	return nil
}

// Reads returns how often a document was read.
func (d *Documents) Reads() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.reads
}

// Document returns one, or store.ErrNotFound.
func (d *Documents) Document(ctx context.Context, kind, id string) (store.Document, error) {
	if err := d.fail(ctx, "Document"); err != nil {
		return store.Document{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reads++
	doc, ok := d.docs[[2]string{kind, id}]
	if !ok {
		return store.Document{}, fmt.Errorf("document %s %q: %w", kind, id, store.ErrNotFound)
	}
	doc.Body = bytes.Clone(doc.Body)
	return doc, nil
}

// DocumentsOf returns documents of a kind in the order of their IDs.
func (d *Documents) DocumentsOf(ctx context.Context, kind, after string, limit int) ([]store.Document, error) {
	if err := d.fail(ctx, "DocumentsOf"); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []store.Document
	for k, doc := range d.docs {
		if k[0] == kind && k[1] > after {
			doc.Body = bytes.Clone(doc.Body)
			out = append(out, doc)
		}
	}
	slices.SortFunc(out, func(a, b store.Document) int { return strings.Compare(a.ID, b.ID) })
	return out[:min(len(out), limit)], nil
}

// Commit makes all writes or none.
func (d *Documents) Commit(ctx context.Context, writes []store.Write, audit ...store.Audit) error {
	if err := d.fail(ctx, "Commit"); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now
	if d.Now != nil {
		now = d.Now
	}
	next := map[[2]string]store.Document{}
	for _, w := range writes {
		k := [2]string{w.Kind, w.ID}
		have, ok := next[k]
		if !ok {
			have = d.docs[k]
		}
		switch {
		case w.Kind == "" || len(w.Kind) > 64 || w.ID == "" || len(w.ID) > 256:
			return fmt.Errorf("document %q %q: not a name", w.Kind, w.ID)
		case len(w.Body) > store.MaxDocument:
			return store.ErrTooLarge
		case w.Expect != store.AnyRevision && w.Expect != have.Revision:
			return fmt.Errorf("document %s %q: %w", w.Kind, w.ID, store.ErrConflict)
		case w.Delete:
			next[k] = store.Document{}
		default:
			next[k] = store.Document{Kind: w.Kind, ID: w.ID, Revision: have.Revision + 1, Changed: now().UnixNano(), Body: bytes.Clone(w.Body)}
		}
	}
	if d.docs == nil {
		d.docs = map[[2]string]store.Document{}
	}
	for k, doc := range next {
		if doc.Revision == 0 {
			delete(d.docs, k)
		} else {
			d.docs[k] = doc
		}
	}
	for _, e := range audit {
		e.Seq = uint64(len(d.audit)) + 1
		d.audit = append(d.audit, e)
	}
	return nil
}

// AuditTrail returns audit entries, newest first.
func (d *Documents) AuditTrail(ctx context.Context, q store.AuditQuery) ([]store.Audit, error) {
	if err := d.fail(ctx, "AuditTrail"); err != nil {
		return nil, err
	}
	if q.Limit < 1 || q.Limit > 1000 {
		return nil, fmt.Errorf("limit %d is not from 1 to 1000", q.Limit)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []store.Audit
	for _, e := range slices.Backward(d.audit) {
		switch {
		case q.Before > 0 && e.Seq >= q.Before, q.Who != "" && e.Who != q.Who, q.Object != "" && e.Object != q.Object,
			q.From > 0 && e.Time < q.From, q.To > 0 && e.Time >= q.To:
			continue
		case q.Action != "" && e.Action != q.Action && !(strings.HasSuffix(q.Action, ".") && strings.HasPrefix(e.Action, q.Action)):
			continue
		}
		if out = append(out, e); len(out) == q.Limit {
			break
		}
	}
	return out, nil
}
