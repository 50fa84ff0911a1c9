// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// TestWhatWasGivenUpIsDroppedAndTheRestIsNot has a destination refuse two of four instances for good, while one is
// delivered and one waits.
func TestWhatWasGivenUpIsDroppedAndTheRestIsNot(t *testing.T) {
	b := newBench(t)
	peer := newSCP(t, "0")
	peer.status = func(n int, _ string) dimse.Status {
		if n <= 2 {
			return 0xA900
		}
		return 0
	}
	f := b.start(quick("pacs", peer.port))
	first, second := b.bring(1), b.bring(2)
	b.becomes(first.Number, instance.Dead)
	b.becomes(second.Number, instance.Dead)
	delivered := b.bring(3)
	b.becomes(delivered.Number, instance.Delivered)
	if err := f.Steer("pacs", ActionPause); err != nil {
		t.Fatal(err)
	}
	waits := b.bring(4)
	gatewaytest.Until(t, "it waits", func() bool { return f.Destinations()[0].Waiting == 1 })
	if got := f.Stuck("pacs"); !slices.Equal(got, []uint64{first.Number, second.Number}) {
		t.Fatalf("stuck are %v", got)
	}
	entry := instance.Entry{Index: 77, Kind: "decision", Destination: "pacs"}
	all := []uint64{first.Number, second.Number, delivered.Number, waits.Number, 4711}
	if n, err := f.Drop(t.Context(), "pacs", all, &entry); err != nil || n != 2 {
		t.Fatalf("%d were dropped, %v", n, err)
	}
	for number, want := range map[uint64]instance.DeliveryState{first.Number: instance.Dropped, second.Number: instance.Dropped, delivered.Number: instance.Delivered, waits.Number: instance.Waiting} {
		r := b.get(number)
		if told := slices.Contains(r.Entries, entry); r.Deliveries[0].State != want || told != (want == instance.Dropped) {
			t.Errorf("%d is %s with the entries %+v, want %s", number, r.Deliveries[0].State, r.Entries, want)
		}
	}
	if d := f.Destinations()[0]; d.Dead != 0 || d.Waiting != 1 {
		t.Errorf("afterwards %d were given up and %d wait", d.Dead, d.Waiting)
	}
	if n, err := f.Drop(t.Context(), "pacs", f.Stuck("pacs"), nil); err != nil || n != 0 {
		t.Errorf("again: %d, %v", n, err)
	}
	if err := f.Steer("pacs", ActionRetry); err != nil {
		t.Fatal(err)
	}
	if err := f.Steer("pacs", ActionResume); err != nil {
		t.Fatal(err)
	}
	b.becomes(waits.Number, instance.Delivered)
	if r := b.get(first.Number); r.Deliveries[0].State != instance.Dropped {
		t.Errorf("a retry revived what was dropped: %s", r.Deliveries[0].State)
	}
	if n := b.journal.Counts(); n.Dead != 0 || n.Waiting != 0 {
		t.Errorf("the journal counts %+v", n)
	}
}

// TestADestinationThatIsGoneIsListedAsLongAsItIsWaitedFor has instances wait for one that the next
// configuration does not have, one of them given up before.
func TestADestinationThatIsGoneIsListedAsLongAsItIsWaitedFor(t *testing.T) {
	b := newBench(t)
	peer := newSCP(t, "0")
	peer.status = func(int, string) dimse.Status { return 0xA900 }
	f := b.start(quick("pacs", peer.port))
	dead := b.bring(1)
	b.becomes(dead.Number, instance.Dead)
	if err := f.Steer("pacs", ActionPause); err != nil {
		t.Fatal(err)
	}
	waits := []instance.Record{b.bring(2), b.bring(3)}
	b.stop()
	b.cfg.Routes = nil
	f = b.start(quick("other", gatewaytest.FreePort(t)))
	gatewaytest.Until(t, "it is listed", func() bool { return len(f.Destinations()) == 2 && f.Destinations()[1].Waiting == 2 })
	b.cases.Store("OR-3", true)
	d := f.Destinations()[1]
	if d.Name != "pacs" || d.State != control.Gone || d.Dead != 1 || d.Urgent != 2 || d.Bytes != waits[0].Bytes+waits[1].Bytes || !d.Oldest.Equal(dead.Received) || d.Why == "" || d.Hint == "" {
		t.Errorf("it is %+v", d)
	}
	var matter string
	for _, m := range f.Matters() {
		if m.Key == "pacs" {
			matter = m.Title + " " + m.Room
		}
	}
	if !strings.Contains(matter, "3 instances wait for pacs, which is not configured any more") || !strings.Contains(matter, "Call the security engineer") {
		t.Errorf("the matter is %q", matter)
	}
	for _, action := range []string{ActionPause, ActionResume, ActionRetry} {
		var no *control.Refused
		if err := f.Steer("pacs", action); !errors.As(err, &no) || no.Code != control.NotFound {
			t.Errorf("%s: %v", action, err)
		}
	}
	if n, err := f.Drop(t.Context(), "pacs", f.Stuck("pacs")[:2], nil); err != nil || n != 2 {
		t.Fatalf("%d were dropped, %v", n, err)
	}
	if d := f.Destinations()[1]; d.Waiting+d.Dead != 1 {
		t.Errorf("then it is %+v", d)
	}
	// What is left is there after a restart too.
	b.stop()
	f = b.start(quick("other", gatewaytest.FreePort(t)))
	gatewaytest.Until(t, "one is left", func() bool { return len(f.Stuck("pacs")) == 1 })
	if n, err := f.Drop(t.Context(), "pacs", f.Stuck("pacs"), nil); err != nil || n != 1 {
		t.Fatalf("%d were dropped, %v", n, err)
	}
	if list := f.Destinations(); len(list) != 1 || ruleNames(f) != "" {
		t.Errorf("afterwards they are %+v, with %s", list, ruleNames(f))
	}
	for _, r := range append(waits, dead) {
		if got := b.get(r.Number).Deliveries[0].State; got != instance.Dropped {
			t.Errorf("%d is %s", r.Number, got)
		}
	}
}

func TestNothingIsDroppedWithoutAJournal(t *testing.T) {
	b := newBench(t)
	b.start(quick("pacs", gatewaytest.FreePort(t)))
	r := b.bring(1)
	b.stop()
	b.cfg.Routes = nil
	f := b.start(quick("other", gatewaytest.FreePort(t)))
	gatewaytest.Until(t, "it waits", func() bool { return len(f.Stuck("pacs")) == 1 })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := f.Drop(ctx, "pacs", []uint64{r.Number}, nil); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d, %v", n, err)
	}
	if err := b.journal.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := f.Drop(t.Context(), "pacs", []uint64{r.Number}, nil); n != 0 || err == nil {
		t.Errorf("%d, %v", n, err)
	}
	if len(f.Stuck("pacs")) != 1 {
		t.Error("it is not waited for any more")
	}
}

// TestARetryDoesNotHurryWhatWaitsForTheLedger: such a delivery has a time far away, and must not go before.
func TestARetryDoesNotHurryWhatWaitsForTheLedger(t *testing.T) {
	b := newBench(t)
	peer := newSCP(t, "0")
	f := b.start(quick("pacs", peer.port))
	if err := f.Steer("pacs", ActionPause); err != nil {
		t.Fatal(err)
	}
	later, waits := b.bring(1), b.bring(2)
	for number, next := range map[uint64]time.Time{later.Number: time.Now().Add(time.Hour), waits.Number: time.Now().Add(100 * 365 * 24 * time.Hour)} {
		if _, err := b.journal.Change(t.Context(), number, func(r *instance.Record) error { r.Deliveries[0].Next = next; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if d := f.Destinations()[0]; d.Waiting != 2 {
		t.Errorf("%d wait", d.Waiting)
	}
	b.cases.Store("OR-3", true)
	if d := f.Destinations()[0]; d.Urgent != 2 {
		t.Errorf("%d are urgent, and both wait for a theatre with a case", d.Urgent)
	}
	if err := f.Steer("pacs", ActionRetry); err != nil {
		t.Fatal(err)
	}
	if err := f.Steer("pacs", ActionResume); err != nil {
		t.Fatal(err)
	}
	b.becomes(later.Number, instance.Delivered)
	if _, err := b.journal.Change(t.Context(), waits.Number, func(r *instance.Record) error { r.Deliveries[0].Next = time.Time{}; return nil }); err != nil {
		t.Fatal(err)
	}
	b.becomes(waits.Number, instance.Delivered)
	if got := peer.list(); len(got) != 2 || got[0].uid != later.SOPInstance {
		t.Errorf("what arrived: %d, the first is %s", len(got), got[0].uid)
	}
}
