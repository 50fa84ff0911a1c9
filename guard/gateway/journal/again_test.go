// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/journal/vaulttest"
	"github.com/asepsis/asepsis/platform/config"
)

// Between the moment that an instance is in its new place and the one in which readers are shown it, who needs room
// may not take the old place: readers would be told that the bytes are gone, and a delivery would be given up for it.
func TestWhileAnInstanceIsMovedItsOldPlaceIsKeptForReaders(t *testing.T) {
	c := small(t.TempDir())
	c.Segment = 1 * config.MiB
	j := must(t, c)
	data := vaulttest.Bytes(1, 100<<10)
	r := vaulttest.Put(t, j, vaulttest.Record(1, data, "pacs"), data)
	for n := 2; j.segs.active == nil || j.segs.active.id == 1; n++ { // until the next segment is begun
		vaulttest.Deliver(t, j, vaulttest.Put(t, j, vaulttest.Record(n, data, "pacs"), data).Number, "pacs")
	}
	if _, err := j.Get(t.Context(), r.Number); err != nil { // what follows finds it in memory
		t.Fatal(err)
	}
	old := j.segs.byID[1]
	needs := func(s *segment) bool {
		j.segs.mu.Lock()
		defer j.segs.mu.Unlock()
		_, ok := s.needed[r.Number]
		return ok
	}
	j.idx.mu.RLock() // the index cannot be changed
	moved := make(chan error, 1)
	go func() { moved <- j.move(t.Context(), r.Number) }()
	eventually(t, "it is needed in its new place", func() bool { return needs(j.segs.active) })
	if !needs(old) {
		t.Error("readers are shown a place that may be used anew")
	}
	j.idx.mu.RUnlock()
	if err := <-moved; err != nil {
		t.Fatal(err)
	}
	if needs(old) {
		t.Error("the old place is kept for ever")
	}
	if !bytes.Equal(vaulttest.Read(t, j, r.Number), data) {
		t.Error("it differs")
	}
}

// The number of a segment that is gone is not given to the next: what old records say of their bytes, and what is
// erased of them, would be of other instances.
func TestANumberOfASegmentIsNeverUsedAgain(t *testing.T) {
	for _, state := range []instance.State{instance.Accepted, instance.Destroyed} {
		t.Run(string(state), func(t *testing.T) {
			c := small(t.TempDir())
			j := must(t, c)
			data := vaulttest.Bytes(1, 100<<10)
			r := vaulttest.Put(t, j, vaulttest.Record(1, data, "pacs"), data)
			if state == instance.Destroyed {
				if _, err := j.Change(t.Context(), r.Number, func(r *instance.Record) error { r.State = state; return nil }); err != nil {
					t.Fatal(err)
				}
			} else {
				vaulttest.Deliver(t, j, r.Number, "pacs")
			}
			if err := j.beyondDoubt(); err != nil {
				t.Fatal(err)
			}
			crash(j)
			// Its room was given back, and the kill came before the next segment was made.
			if err := os.Remove(j.segs.path(1)); err != nil {
				t.Fatal(err)
			}
			j = must(t, c)
			other := vaulttest.Bytes(2, 100<<10)
			later := vaulttest.Put(t, j, vaulttest.Record(2, other, "pacs"), other)
			crash(j)
			j = running(t, c) // which erases what was destroyed
			eventually(t, "the history has what is done", func() bool { return j.hist.owes() == 0 })
			if !bytes.Equal(vaulttest.Read(t, j, later.Number), other) {
				t.Error("another instance was damaged")
			}
			if _, err := j.Open(t.Context(), r.Number); !errors.Is(err, instance.ErrNotFound) {
				t.Errorf("bytes that are gone are opened: %v", err)
			}
		})
	}
}

// What was delivered may lose its bytes at once. A kill right after that must not bring back that it waits.
func TestADeliveryIsPastDoubtBeforeItsBytesAreGivenUp(t *testing.T) {
	c := small(t.TempDir())
	c.Segment, c.Retention = 1*config.MiB, 0
	j := must(t, c)
	data := vaulttest.Bytes(1, 600<<10)
	first := vaulttest.Put(t, j, vaulttest.Record(1, data, "pacs"), data)
	second := vaulttest.Put(t, j, vaulttest.Record(2, data, "pacs"), data)
	crash(j)
	j = must(t, c)
	third := vaulttest.Put(t, j, vaulttest.Record(3, data, "pacs"), data)
	for _, r := range []instance.Record{third, second, first} {
		vaulttest.Deliver(t, j, r.Number, "pacs")
	}
	for j.reclaim(false) { //nolint:revive // as often as there is something
	}
	crash(j)
	j = must(t, c)
	if r := j.Recovery(); r.Cut > 0 || r.Missing > 0 || r.Lost > 0 {
		t.Errorf("%+v", r)
	}
	for _, r := range []instance.Record{first, second, third} {
		if r, err := j.Get(t.Context(), r.Number); err != nil || r.Deliveries[0].State != instance.Delivered {
			t.Errorf("%+v, %v", r, err)
		}
	}
}
