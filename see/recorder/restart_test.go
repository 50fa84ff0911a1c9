// SPDX-License-Identifier: Apache-2.0

package recorder

import (
	"context"
	"testing"

	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
)

// swap gives the running recorder another store.
func (b *bench) swap(s store.Store) { b.rec.deps.Store.(*switched).to.Store(&s) }

// current is the store that the recorder uses now.
func (b *bench) current() store.Store { return *b.rec.deps.Store.(*switched).to.Load() }

func TestWhatIsReadAgainIsNotStoredAgainWithWhatIsNew(t *testing.T) {
	b := newBench(t)
	b.start(nil)
	b.publish("or3", twoDevices()...)
	eventually(t, "the events are stored", func() bool { return len(b.events()) == 5 })
	b.crash() // there is no snapshot: all is read again
	b.publish("or3", connection(9, 2, 1, 1, begin+1e9))
	b.start(nil) // what is read again and what is new come within one batch of the store
	eventually(t, "the new event is stored", func() bool { return b.rec.Report().Position == 2 })
	if got := b.events(); len(got) != 6 {
		t.Errorf("%d events are stored, want 6: %q", len(got), got)
	}
}

// readOnlyEvents is a store that takes documents and no events.
type readOnlyEvents struct{ store.Store }

func (readOnlyEvents) Append(context.Context, store.Position, []record.Record) error { return errDead }

func TestASnapshotAheadOfTheEventsLosesNone(t *testing.T) {
	b := newBench(t)
	b.start(nil)
	b.publish("or3", twoDevices()...)
	eventually(t, "the events are stored", func() bool { return len(b.events()) == 5 })
	b.swap(readOnlyEvents{b.store})
	b.publish("or3", connection(9, 2, 1000, 1, begin+1e9))
	eventually(t, "the event is seen, and not stored", func() bool {
		b.rec.mu.Lock()
		defer b.rec.mu.Unlock()
		return b.rec.observed.Seq == 2 && b.rec.stored.Seq == 1
	})
	b.rec.snapshot(t.Context())
	b.crash()
	b.start(nil)
	eventually(t, "the event is stored", func() bool { return len(b.events()) == 6 })
	if got := len(b.rec.inv.Devices()); got != 2 {
		t.Errorf("%d devices", got)
	}
}

func TestAChangeDuringTheRestartComesAfterThoseBeforeIt(t *testing.T) {
	b := newBench(t)
	b.start(nil)
	b.publish("or3", twoDevices()...)
	eventually(t, "the devices are published", func() bool { _, ok := b.deviceAt(archive.IP); return ok })
	ct, _ := b.deviceAt(scanner.IP)
	before, after := "before", "after"
	b.rec.mu.Lock()
	old := savedEdit{Number: b.rec.edits + 1, Stream: b.rec.observed.Stream, Position: b.rec.observed.Seq + 1000, At: begin, Request: EditRequest{Who: "anna", Kind: "name", Device: ct.ID, Value: &before}}
	b.rec.redo = []savedEdit{old} // as restore leaves it until the stream has come so far
	b.rec.mu.Unlock()
	if _, err := b.edit(EditRequest{Who: "bert", Kind: "name", Device: ct.ID, Value: &after}); err != nil {
		t.Fatal(err)
	}
	if d, _ := b.rec.inv.Device(ct.ID); d.Name != after {
		t.Errorf("the device is called %q", d.Name)
	}
	if got := len(b.rec.inv.Edits(ct.ID)); got != 2 {
		t.Errorf("%d edits are on record, want both", got)
	}
}
