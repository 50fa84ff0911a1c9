// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/journal/vaulttest"
)

func TestOriginalsOfSanitisedInstancesAreKeptForTheirTime(t *testing.T) {
	c := small(t.TempDir())
	c.Originals, c.Retention = 48*time.Hour, time.Hour
	j, k := timed(t, c)
	data := vaulttest.Bytes(1, 50<<10)
	rec := vaulttest.Record(1, data)
	rec.State, rec.Received = instance.Replaced, k.now()
	r := vaulttest.Put(t, j, rec, data)
	if n := j.Counts(); n.Needed != 1 {
		t.Errorf("%+v", n)
	}
	k.turn(47 * time.Hour)
	j.Tidy(t.Context())
	if n := j.Counts(); n.Needed != 1 {
		t.Errorf("%+v", n)
	}
	k.turn(2 * time.Hour)
	j.Tidy(t.Context())
	j.pay(t.Context())
	if n := j.Counts(); n.Needed != 0 || n.Records != 0 {
		t.Errorf("%+v", n)
	}
	if got, err := j.Get(t.Context(), r.Number); err != nil || got.State != instance.Replaced || got.Revision != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestRecordsAreForgottenWhenTheirTimeIsOver(t *testing.T) {
	c := small(t.TempDir())
	c.History = 24 * time.Hour
	j, k := timed(t, c)
	put := func(n int) instance.Record {
		data := vaulttest.Bytes(n, 500)
		rec := vaulttest.Record(n, data, "pacs")
		rec.Received = k.now()
		return vaulttest.Put(t, j, rec, data)
	}
	old, waits := put(1), put(2)
	vaulttest.Deliver(t, j, old.Number, "pacs")
	j.pay(t.Context())
	k.turn(23 * time.Hour)
	late := put(3)
	vaulttest.Deliver(t, j, late.Number, "pacs")
	j.pay(t.Context())
	k.turn(2 * time.Hour)
	j.Tidy(t.Context())
	if _, err := j.Get(t.Context(), old.Number); !errors.Is(err, instance.ErrNotFound) {
		t.Errorf("an old record: %v", err)
	}
	for _, r := range []instance.Record{waits, late} { // what waits is never forgotten
		if _, err := j.Get(t.Context(), r.Number); err != nil {
			t.Errorf("record %d: %v", r.Number, err)
		}
	}
}

func TestADeliveryThatIsAwaitedKeepsItsBytes(t *testing.T) {
	for _, c := range []struct {
		name string
		d    instance.Delivery
		want bool
	}{
		{"waiting", instance.Delivery{State: instance.Waiting}, true},
		{"given up", instance.Delivery{State: instance.Dead}, true},
		{"delivered", instance.Delivery{State: instance.Delivered}, false},
		{"delivered, and commitment or the ledger is awaited", instance.Delivery{State: instance.Delivered, Next: time.Now()}, true},
		{"committed", instance.Delivery{State: instance.Committed}, false},
		{"dropped", instance.Delivery{State: instance.Dropped}, false},
	} {
		if Open(&c.d) != c.want {
			t.Errorf("%s: %v", c.name, !c.want)
		}
	}
}

func TestWatchersAreToldInOrderAndOfWhatIsDurable(t *testing.T) {
	j := must(t, small(t.TempDir()))
	var got []uint64
	stop := j.Watch(func(r instance.Record) { got = append(got, r.Revision) })
	data := vaulttest.Bytes(1, 500)
	r := vaulttest.Put(t, j, vaulttest.Record(1, data, "pacs"), data)
	for range 3 {
		if _, err := j.Change(t.Context(), r.Number, func(*instance.Record) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	vaulttest.Deliver(t, j, r.Number, "pacs")
	if len(got) != 4 || got[0] != 1 || got[3] != 4 {
		t.Errorf("%v", got)
	}
	var waiting []uint64
	other := vaulttest.Put(t, j, vaulttest.Record(2, data, "pacs"), data)
	if err := j.Waiting(t.Context(), func(r instance.Record) error { waiting = append(waiting, r.Number); return nil }); err != nil || len(waiting) != 1 || waiting[0] != other.Number {
		t.Errorf("%v, %v", waiting, err)
	}
}

// Who opens an instance while it is moved and its old segment is given back gets it, from one place or the other.
func TestAnInstanceCanBeOpenedWhileItIsMoved(t *testing.T) {
	c := small(t.TempDir())
	c.Segment, c.Retention = minSegment, 0
	j := must(t, c)
	data := vaulttest.Bytes(1, 100<<10)
	r := vaulttest.Put(t, j, vaulttest.Record(1, data, "pacs"), data)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 60 {
			if err := j.move(t.Context(), r.Number); err != nil {
				t.Error(err)
			}
			for n := range 9 { // fills the segment, so that the next is begun
				d, err := j.Create(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				rec := vaulttest.Record(n, data)
				if _, err = d.Write(data); err == nil {
					_, err = d.Seal(t.Context(), rec)
				}
				if err != nil {
					t.Error(err)
				}
			}
			for j.reclaim(true) {
			}
		}
	}()
	for n := 0; ; n++ {
		if got := vaulttest.Read(t, j, r.Number); !bytes.Equal(got, data) {
			t.Fatal("what is read differs")
		}
		select {
		case <-done:
			return
		default:
		}
	}
}
