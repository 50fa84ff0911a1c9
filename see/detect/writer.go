// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/see/detect/alert"
)

// Bounds of writing.
const (
	maxBatch   = 200             // documents of one transaction
	maxCached  = 20_000          // alerts in memory
	maxPending = 10_000          // occurrences of one alert that wait; more are joined
	quietFor   = time.Second     // how often an alert that is known is written
	maxTries   = 10              // against others who change the same alert
	generation = 64              // generations of a group that are looked through
	idleFor    = 2 * time.Minute // an alert that nothing happened to for so long is not kept in memory
)

// writer brings occurrences into the store's documents. It belongs to the goroutine of
// the room.
type writer struct {
	store  store.Store
	log    *slog.Logger
	now    func() time.Time
	cache  map[string]*kept    // by alert key
	due    map[string]struct{} // keys with occurrences that wait
	wrote  []string            // IDs since they were last told
	hidden map[string]tally    // by suppression, since they were last saved
}

// kept is an alert with what waits to be written into it.
type kept struct {
	doc     *alert.Document // nil: not read yet
	rev     uint64
	pending []*alert.Occurrence
	written time.Time
	urgent  bool
}

// tally is what a suppression hid.
type tally struct {
	Count uint64 `json:"count"`
	Last  int64  `json:"last"`
}

func newWriter(st store.Store, log *slog.Logger, now func() time.Time) *writer {
	return &writer{store: st, log: log, now: now, cache: map[string]*kept{}, due: map[string]struct{}{}, hidden: map[string]tally{}}
}

// add takes an occurrence.
func (w *writer) add(o *alert.Occurrence) {
	key := keyOf(o)
	k := w.cache[key]
	if k == nil {
		k = &kept{}
		w.cache[key] = k
	}
	if k.doc != nil && (k.doc.Has(o) || o.More && k.doc.Closed()) {
		return
	}
	k.urgent = k.urgent || k.doc == nil || k.doc.Closed() || o.Severity > k.doc.Alert.Severity
	if n := len(k.pending); n >= maxPending {
		last := k.pending[n-1] // the count stays true; words and evidence are those of the latest
		o.Count += last.Count
		k.pending[n-1] = o
	} else {
		k.pending = append(k.pending, o)
	}
	w.due[key] = struct{}{}
}

// flush writes what is due; all of it when everything is set.
func (w *writer) flush(ctx context.Context, everything bool) error {
	if len(w.due) == 0 {
		return nil
	}
	now := w.now()
	var keys []string
	for key := range w.due {
		if k := w.cache[key]; everything || k.urgent || now.Sub(k.written) >= quietFor {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for batch := range slices.Chunk(keys, maxBatch) {
		if err := w.write(ctx, batch); err != nil {
			return err
		}
	}
	w.forget(now)
	return nil
}

// write commits some alerts together, and each by itself when somebody else changed
// one of them.
func (w *writer) write(ctx context.Context, keys []string) error {
	for try := 0; ; try++ {
		var writes []store.Write
		var done []func()
		for _, key := range keys {
			k := w.cache[key]
			if k.doc == nil {
				if err := w.read(ctx, key, k); err != nil {
					return err
				}
			}
			ws, then, err := w.prepare(key, k)
			if err != nil {
				return err
			}
			writes, done = append(writes, ws...), append(done, then)
		}
		var err error
		if len(writes) > 0 {
			err = w.store.Commit(ctx, writes)
		}
		switch {
		case err == nil:
			for _, f := range done {
				f()
			}
			return nil
		case !errors.Is(err, store.ErrConflict):
			return err
		case try >= maxTries:
			return fmt.Errorf("alerts changed each time that they were written: %w", err)
		}
		for _, key := range keys {
			w.cache[key].doc = nil
		}
		if len(keys) > 1 {
			for _, key := range keys {
				if err := w.write(ctx, []string{key}); err != nil {
					return err
				}
			}
			return nil
		}
	}
}

// read finds the latest generation of an alert.
func (w *writer) read(ctx context.Context, key string, k *kept) error {
	k.doc, k.rev = nil, 0
	doc, err := w.store.Document(ctx, alert.Kind, key)
	found := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	after, limit := key, 1 // the first may have been removed, and later ones not; most have none
	for range generation {
		later, err := w.store.DocumentsOf(ctx, alert.Kind, after, limit)
		if err != nil {
			return err
		}
		more := false
		for _, d := range later {
			if strings.HasPrefix(d.ID, key+"-") {
				doc, after, limit, found, more = d, d.ID, 100, true, true
			}
		}
		if !more {
			break
		}
	}
	if !found {
		k.doc = alert.New(key)
		return nil
	}
	d, err := alert.Read(doc.Body)
	if err != nil {
		w.log.Error("an alert cannot be read; another one takes its place", "alert", doc.ID, "err", err)
		d = &alert.Document{Alert: finding.Alert{ID: doc.ID}}
	}
	k.doc, k.rev = d, doc.Revision
	return nil
}

// prepare applies what waits, and returns what is to be written and what to do after it was.
func (w *writer) prepare(key string, k *kept) (writes []store.Write, done func(), err error) {
	doc, rev, changed := k.doc.Clone(), k.rev, false
	put := func() error {
		body, err := json.Marshal(doc)
		if err != nil {
			return err
		}
		writes = append(writes, store.Write{Kind: alert.Kind, ID: doc.Alert.ID, Expect: rev, Body: body})
		rev++
		return nil
	}
	hidden := map[string]tally{}
	for _, o := range k.pending {
		if doc.Has(o) || o.More && (doc.Closed() || doc.Fresh()) {
			continue
		}
		if doc.Closed() {
			doc, rev = doc.Next(), 0
		}
		if !doc.Apply(o) {
			continue
		}
		changed = true
		if o.Hidden != "" {
			t := hidden[o.Hidden]
			hidden[o.Hidden] = tally{t.Count + o.Count, max(t.Last, o.Time)}
		}
	}
	if changed {
		if err := put(); err != nil {
			return nil, nil, err
		}
	}
	taken := len(k.pending)
	return writes, func() {
		if changed {
			k.doc, k.rev, k.written = doc, rev, w.now()
			w.wrote = append(w.wrote, doc.Alert.ID)
		}
		k.pending, k.urgent = slices.Delete(k.pending, 0, taken), false
		delete(w.due, key)
		for id, t := range hidden {
			was := w.hidden[id]
			w.hidden[id] = tally{was.Count + t.Count, max(was.Last, t.Last)}
		}
	}, nil
}

// forget drops from memory what nothing happens to.
func (w *writer) forget(now time.Time) {
	if len(w.cache) <= maxCached {
		return
	}
	for key, k := range w.cache {
		if len(k.pending) == 0 && now.Sub(k.written) > idleFor {
			delete(w.cache, key)
		}
	}
	for key, k := range w.cache {
		if len(w.cache) <= maxCached {
			return
		}
		if len(k.pending) == 0 {
			delete(w.cache, key)
		}
	}
}

// told returns the IDs of alerts that were written since it was last called.
func (w *writer) told() []string {
	ids := w.wrote
	w.wrote = nil
	slices.Sort(ids)
	return slices.Compact(ids)
}

// tallies are the documents that say what suppressions hid, with the counts since they were
// last saved added; saved takes them as written.
func (w *writer) tallies(ctx context.Context) (writes []store.Write, saved func(), err error) {
	taken := maps.Clone(w.hidden)
	for _, id := range slices.Sorted(maps.Keys(taken)) {
		var t tally
		rev := uint64(0)
		doc, err := w.store.Document(ctx, TallyKind, id)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return nil, nil, err
		default:
			rev = doc.Revision
			if err := json.Unmarshal(doc.Body, &t); err != nil {
				t = tally{}
			}
		}
		t.Count += taken[id].Count
		t.Last = max(t.Last, taken[id].Last)
		body, err := json.Marshal(t)
		if err != nil {
			return nil, nil, err
		}
		writes = append(writes, store.Write{Kind: TallyKind, ID: id, Expect: rev, Body: body})
	}
	return writes, func() {
		for id := range taken {
			delete(w.hidden, id)
		}
	}, nil
}
