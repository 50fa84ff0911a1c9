// SPDX-License-Identifier: Apache-2.0

package recorder

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/asepsis/asepsis/platform/store"
)

// The documents that the recorder keeps for itself.
const (
	snapshotKind = "inventory"
	snapshotID   = "snapshot"
	editKind     = "inventory-edit"
)

// savedFlow is what an open flow had reported when the snapshot was made.
type savedFlow struct {
	ID  uint64 `json:"id"`
	Out uint64 `json:"out"`
	In  uint64 `json:"in"`
}

// header begins a snapshot: where in the stream it was made. The inventory's
// own snapshot follows. Both are compressed together.
type header struct {
	Version  int               `json:"version"`
	Position store.Position    `json:"position"`
	Edits    uint64            `json:"edits"`
	Waiting  []savedEdit       `json:"waiting,omitempty"` // edits of devices not seen again yet
	Flows    []savedFlow       `json:"flows"`
	Lost     map[string]uint64 `json:"lost"` // by run
	// Sites are the inventories that follow, in version 2. In version 1 one follows,
	// of this site.
	Sites []savedSite `json:"sites,omitempty"`
}

// A snapshot with one site has version 1, so that an older program reads it.
const (
	headerVersion      = 1
	headerVersionSites = 2
)

// maxSnapshot bounds a decompressed snapshot.
const maxSnapshot = 1 << 30

// restore makes the inventory as it was, as far as the last snapshot knows it.
// What came after is read from the bus again. A snapshot that cannot be used is
// left behind with an error in the log: what a person set is made again from the
// edits, and the rest is learned from the traffic.
func (r *Recorder) restore(ctx context.Context) error {
	inv, err := newSites(r.deps.Inventory)
	if err != nil {
		return err
	}
	r.inv = inv
	stream, err := retry(ctx, r, "the bus cannot be reached", func() (string, error) { return r.deps.Bus.Stream(ctx) })
	if err != nil {
		return err
	}
	h := header{}
	doc, err := retry(ctx, r, "the store cannot be read", func() (store.Document, error) {
		d, err := r.deps.Store.Document(ctx, snapshotKind, snapshotID)
		if errors.Is(err, store.ErrNotFound) {
			return store.Document{}, nil
		}
		return d, err
	})
	if err != nil {
		return err
	}
	if doc.Revision > 0 {
		if h, err = r.load(doc.Body); err != nil {
			r.deps.Log.Error("the saved inventory cannot be used; devices are learned again from the traffic, and what people set is kept", "err", err)
			h = header{}
			if r.inv, err = newSites(r.deps.Inventory); err != nil {
				return err
			}
		}
	}
	edits, err := retry(ctx, r, "the store cannot be read", func() ([]savedEdit, error) { return r.editsAfter(ctx, h.Edits) })
	if err != nil {
		return err
	}
	stored, err := retry(ctx, r, "the store cannot be read", func() (uint64, error) { return r.deps.Store.Position(ctx, stream) })
	if err != nil {
		return err
	}
	if err := r.readTheatres(ctx); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rep.Stream, r.rep.Position, r.rep.Error = stream, stored, ""
	r.stored = store.Position{Stream: stream, Seq: stored}
	r.edits, r.redo = h.Edits, edits
	r.observed = store.Position{Stream: stream}
	if h.Position.Stream == stream {
		r.observed = h.Position
	}
	for _, f := range h.Flows {
		r.flows[f.ID] = flowTotals{out: f.Out, in: f.In}
	}
	for run, lost := range h.Lost {
		r.runs[run] = runState{lost: lost, salt: saltOf(run), at: h.Position.Seq}
	}
	r.waiting = h.Waiting
	for i := range r.redo {
		if r.redo[i].Stream != stream {
			r.redo[i].Position = 0 // the bus was made anew: its numbers say nothing here
		}
	}
	r.redoEdits(r.observed.Seq)
	return nil
}

// load reads a snapshot into the inventory.
func (r *Recorder) load(body []byte) (header, error) {
	z, err := zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderMaxMemory(maxSnapshot), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return header{}, err
	}
	defer z.Close()
	d := json.NewDecoder(io.LimitReader(z, maxSnapshot))
	var h header
	if err := d.Decode(&h); err != nil {
		return header{}, fmt.Errorf("read the head: %w", err)
	}
	if h.Version != headerVersion && h.Version != headerVersionSites {
		return header{}, fmt.Errorf("version %d, this program reads %d and %d", h.Version, headerVersion, headerVersionSites)
	}
	rest := bufio.NewReader(io.MultiReader(d.Buffered(), z))
	if c, err := rest.ReadByte(); err == nil && c != '\n' { // the head ends with one, which the decoder leaves
		_ = rest.UnreadByte()
	}
	return h, r.inv.load(h.Sites, rest)
}

// snapshot saves the inventory with its place in the stream, and removes the
// edits that it holds from the list of those to be made again.
func (r *Recorder) snapshot(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := r.save(ctx); err != nil && ctx.Err() == nil {
		r.deps.Log.Error("the inventory was not saved; it will be tried again, and a restart reads more from the bus", "err", err)
	}
}

func (r *Recorder) save(ctx context.Context) error {
	var buf bytes.Buffer
	z, err := zstd.NewWriter(&buf, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	h, err := func() (header, error) {
		r.mu.Lock() // so that the inventory and its position belong together
		defer r.mu.Unlock()
		h := header{Version: headerVersion, Position: r.observed, Edits: r.edits, Waiting: r.waiting, Lost: map[string]uint64{}}
		for id, f := range r.flows {
			h.Flows = append(h.Flows, savedFlow{id, f.out, f.in})
		}
		for run, s := range r.runs {
			if s.lost > 0 {
				h.Lost[run] = s.lost
			}
		}
		return h, r.inv.save(z, func(parts []savedSite) error {
			if len(parts) > 0 {
				h.Version, h.Sites = headerVersionSites, parts
			}
			return json.NewEncoder(z).Encode(h)
		})
	}()
	if err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	if err := r.deps.Store.Commit(ctx, []store.Write{{Kind: snapshotKind, ID: snapshotID, Expect: store.AnyRevision, Body: buf.Bytes()}}); err != nil {
		return err
	}
	return r.forgetEdits(ctx, h.Edits)
}

// retry calls f until it succeeds or ctx ends, and says meanwhile what is wrong.
func retry[T any](ctx context.Context, r *Recorder, what string, f func() (T, error)) (T, error) {
	for pause := 200 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		v, err := f()
		if err == nil || ctx.Err() != nil || errors.Is(err, store.ErrNewer) {
			return v, err
		}
		r.failing(what, err)
		select {
		case <-ctx.Done():
			return v, ctx.Err()
		case <-time.After(pause):
		}
	}
}
