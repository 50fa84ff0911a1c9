// SPDX-License-Identifier: Apache-2.0

package recorder

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/store"
)

// unclear is a store whose connection breaks at the commit of the next change by a
// person: before or after the commit was made.
type unclear struct {
	store.Store
	make bool // it is made
	away bool // from then on nothing is answered

	mu       sync.Mutex
	broken   bool
	withheld func(context.Context) error // the commit, if it was not made
}

var errBroke = errors.New("the connection broke at the commit")

func (u *unclear) Commit(ctx context.Context, w []store.Write, a ...store.Audit) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.broken && u.away:
		return errBroke
	case u.broken || len(a) == 0:
		return u.Store.Commit(ctx, w, a...)
	}
	u.broken = true
	if u.make {
		if err := u.Store.Commit(ctx, w, a...); err != nil {
			return err
		}
	} else {
		u.withheld = func(ctx context.Context) error { return u.Store.Commit(ctx, w, a...) }
	}
	return errBroke
}

func (u *unclear) Document(ctx context.Context, kind, id string) (store.Document, error) {
	u.mu.Lock()
	away := u.broken && u.away
	u.mu.Unlock()
	if away {
		return store.Document{}, errBroke
	}
	return u.Store.Document(ctx, kind, id)
}

// inDoubt is a recorder that knows two devices, before an unclear store, and a
// change of a name that it was asked for.
func inDoubt(t *testing.T, u *unclear) (b *bench, ct string, err error) {
	t.Helper()
	b = newBench(t)
	b.start(nil)
	b.publish("or3", twoDevices()...)
	eventually(t, "the devices are published", func() bool { _, ok := b.deviceAt(archive.IP); return ok })
	d, _ := b.deviceAt(scanner.IP)
	u.Store = b.store
	b.swap(u)
	_, err = b.edit(name(d.ID, "anna", "in doubt"))
	return b, d.ID, err
}

func name(device, who, value string) EditRequest {
	return EditRequest{Who: who, Kind: "name", Device: device, Value: &value}
}

// wantNames checks what a device is called, and the values that its edits gave it.
func (b *bench) wantNames(ct string, want ...string) {
	b.t.Helper()
	eventually(b.t, "the recorder is ready", func() bool { return b.rec.Ready(b.t.Context()) == nil })
	called := ""
	if len(want) > 0 {
		called = want[len(want)-1]
	}
	eventually(b.t, "the device is called "+called, func() bool {
		d, ok := b.rec.inv.Device(ct)
		return ok && (len(want) == 0 || d.Name == called)
	})
	got := []string{}
	for _, e := range b.rec.inv.Edits(ct) {
		got = append(got, e.Value)
	}
	if strings.Join(got, ",") != strings.Join(want, ",") {
		b.t.Errorf("edits on record: %q, want %q", got, want)
	}
	trail, err := b.store.AuditTrail(b.t.Context(), store.AuditQuery{Action: "device.", Limit: 10})
	if err != nil {
		b.t.Fatal(err)
	}
	if len(trail) != len(want) {
		b.t.Errorf("the audit trail has %d entries, want %d: %+v", len(trail), len(want), trail)
	}
}

func isUnavailable(err error, text string) bool {
	var e *bus.Error
	return errors.As(err, &e) && e.Kind == "unavailable" && strings.Contains(e.Text, text)
}

func TestAChangeWhoseAnswerWasLostIsFoundToBeMade(t *testing.T) {
	b, ct, err := inDoubt(t, &unclear{make: true})
	if err != nil {
		t.Fatalf("the change is stored, and the person is told: %v", err)
	}
	b.wantNames(ct, "in doubt")
	b.crash()
	b.start(nil)
	b.wantNames(ct, "in doubt")
}

func TestAChangeThatWasSaidNotToBeMadeIsNotMadeLater(t *testing.T) {
	u := &unclear{}
	b, ct, err := inDoubt(t, u)
	if !isUnavailable(err, "was not made") {
		t.Fatalf("the change is not stored, and the person is told: %v", err)
	}
	if err := u.withheld(t.Context()); !errors.Is(err, store.ErrConflict) {
		t.Errorf("the commit that was on its way for long gives %v", err)
	}
	b.wantNames(ct)
	if e, err := b.edit(name(ct, "bert", "made")); err != nil || e.Seq != 1 {
		t.Fatalf("the next change is number %d, %v", e.Seq, err)
	}
	b.wantNames(ct, "made")
	b.crash()
	b.start(nil)
	b.wantNames(ct, "made")
}

func TestAChangeInDoubtAtACrashIsWhatTheStoreHas(t *testing.T) {
	for _, made := range []bool{true, false} {
		u := &unclear{make: made, away: true}
		b, ct, err := inDoubt(t, u)
		if !isUnavailable(err, "not known yet") {
			t.Fatalf("nobody knows, and the person is told: %v", err)
		}
		if d, _ := b.rec.inv.Device(ct); d.Name == "in doubt" {
			t.Error("a change is shown of which nobody knows whether it is kept")
		}
		b.crash()
		b.start(nil)
		eventually(t, "the recorder is ready", func() bool { return b.rec.Ready(t.Context()) == nil })
		eventually(t, "the device was seen again", func() bool { _, ok := b.rec.inv.Device(ct); return ok })
		want := []string{}
		if made {
			want = append(want, "in doubt")
		} else if err := u.withheld(t.Context()); err != nil { // it comes after the restart
			t.Fatal(err)
		} else if _, err := b.edit(name(ct, "bert", "first")); !isUnavailable(err, "was not made") {
			t.Fatalf("a change in the place of an older one gives %v", err)
		} else {
			want = append(want, "in doubt")
		}
		if _, err := b.edit(name(ct, "bert", "after")); err != nil {
			t.Fatal(err)
		}
		b.wantNames(ct, append(want, "after")...)
	}
}

func TestAChangeInDoubtIsSettledWhenTheStoreIsBack(t *testing.T) {
	for _, made := range []bool{true, false} {
		u := &unclear{make: made, away: true}
		b, ct, err := inDoubt(t, u)
		if !isUnavailable(err, "not known yet") {
			t.Fatalf("nobody knows, and the person is told: %v", err)
		}
		b.swap(b.store)
		eventually(t, "it is settled", func() bool {
			b.rec.mu.Lock()
			defer b.rec.mu.Unlock()
			return b.rec.doubt == nil
		})
		if made {
			b.wantNames(ct, "in doubt")
		} else {
			b.wantNames(ct)
			if err := u.withheld(t.Context()); !errors.Is(err, store.ErrConflict) {
				t.Errorf("the commit that was on its way for long gives %v", err)
			}
		}
	}
}
