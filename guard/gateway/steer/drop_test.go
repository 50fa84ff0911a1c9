// SPDX-License-Identifier: Apache-2.0

package steer_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/steer/steertest"
	"github.com/asepsis/asepsis/prove/ledger"
)

// stranded has n instances that the archive did not take.
func (f *fixture) stranded(t *testing.T, destination string, n int) []instance.Record {
	t.Helper()
	var out []instance.Record
	for i := range n {
		r, err := f.Put(t.Context(), steertest.Image(20, i+1, ""), nil)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
		if err := f.Forward.Strand(t.Context(), destination, r.Number); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func (f *fixture) find(t *testing.T, kind custody.Kind, what string) []ledger.Entry {
	t.Helper()
	list, err := f.ledger.Find(t.Context(), ledger.Query{Kind: kind, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(list, func(e ledger.Entry) bool { return e.Statement.Predicate.Detail["what"] != what })
}

// TestWhatIsGivenUpForGoodIsInTheLedgerUnderItsContent has more instances than a statement is about.
func TestWhatIsGivenUpForGoodIsInTheLedgerUnderItsContent(t *testing.T) {
	f := newFixture(t)
	const many = custody.MaxSubjects + 6
	list := f.stranded(t, "archive", many)
	d := control.Drop{Destination: "archive", Reason: "the archive was replaced", User: "ada"}
	for _, x := range []struct {
		name   string
		change func(*control.Drop)
		code   string
	}{
		{"nobody", func(d *control.Drop) { d.User = "" }, control.Invalid},
		{"without a reason", func(d *control.Drop) { d.Reason = " \t" }, control.Invalid},
		{"with a reason that is too long", func(d *control.Drop) { d.Reason = strings.Repeat("x", 501) }, control.Invalid},
		{"with a reason of two lines", func(d *control.Drop) { d.Reason = "one\ntwo" }, control.Invalid},
		{"of a destination that nobody knows", func(d *control.Drop) { d.Destination = "none" }, control.NotFound},
	} {
		wrong := d
		x.change(&wrong)
		if done, err := f.Drop(t.Context(), wrong); code(err) != x.code || done.Deliveries != 0 {
			t.Errorf("%s: %+v, %v", x.name, done, err)
		}
	}
	if err := f.Steer(t.Context(), "archive", "drop", "ada"); code(err) != control.Invalid || !strings.Contains(err.(*control.Refused).Tip, "destinations drop") { //nolint:errorlint // it comes bare
		t.Errorf("by steering: %v", err)
	}
	if done, err := f.Drop(t.Context(), d); err != nil || done.Deliveries != many {
		t.Fatalf("%+v, %v", done, err)
	}
	entries := f.find(t, custody.Decision, "delivery-drop")
	if len(entries) != 2 {
		t.Fatalf("%d statements", len(entries))
	}
	at := map[string]uint64{}
	for _, e := range entries {
		p := &e.Statement.Predicate
		if p.Actor.User != "ada" || p.Reason != d.Reason || p.Detail["why"] != "not sent to archive any more" || p.Theatre != "OR-3" || p.Device != "dev-ct" {
			t.Errorf("a statement is %+v", p)
		}
		for _, s := range e.Statement.Subject {
			at[s.Digest["sha256"]] = e.Index
		}
	}
	for _, r := range list {
		now, err := f.Instance(t.Context(), r.Number)
		if err != nil || now.Deliveries[0].State != instance.Dropped {
			t.Fatalf("%+v, %v", now, err)
		}
		if e := now.Entries[len(now.Entries)-1]; e.Index != at[r.DataSet] || e.Kind != string(custody.Decision) || e.Destination != "archive" {
			t.Errorf("the last entry about %d is %+v, and the statement is %d", r.Number, e, at[r.DataSet])
		}
	}
	if len(f.find(t, custody.Override, "case-in-progress")) != 0 {
		t.Error("an override was recorded, and there was no case")
	}
	if done, err := f.Drop(t.Context(), d); err != nil || done.Deliveries != 0 || len(f.find(t, custody.Decision, "delivery-drop")) != 2 {
		t.Errorf("again: %+v, %v", done, err)
	}
}

func TestDuringACaseDroppingIsAnOverrideToo(t *testing.T) {
	f := newFixture(t)
	f.stranded(t, "xr-3", 2)
	if done, err := f.Drop(t.Context(), control.Drop{Destination: "xr-3", Reason: "the headset is broken", User: "ada", InCase: true}); err != nil || done.Deliveries != 2 {
		t.Fatalf("%+v, %v", done, err)
	}
	over := f.find(t, custody.Override, "case-in-progress")
	if len(over) != 1 || over[0].Statement.Predicate.Detail["outcome"] != "dropped" || len(over[0].Statement.Subject) != 2 || over[0].Statement.Predicate.Reason != "the headset is broken" {
		t.Errorf("the overrides are %+v", over)
	}
}

func TestADestinationThatIsGoneIsNeitherSteeredNorTriedButDropped(t *testing.T) {
	f := newFixture(t)
	f.stranded(t, "old", 3)
	o, err := f.Overview(t.Context())
	if err != nil || o.Waiting != 5 || !slices.ContainsFunc(o.Advice, func(a control.Advice) bool {
		return a.What == "old is not configured any more; 3 images wait for it" && strings.Contains(a.Hint, "give up for good")
	}) {
		t.Errorf("the overview is %+v, %v", o.Advice, err)
	}
	if err := f.Steer(t.Context(), "old", "pause", "ada"); code(err) != control.Conflict {
		t.Errorf("pausing: %v", err)
	}
	if _, err := f.EchoTo(t.Context(), "old"); code(err) != control.Conflict {
		t.Errorf("trying: %v", err)
	}
	if done, err := f.Drop(t.Context(), control.Drop{Destination: "old", Reason: "it was replaced", User: "ada"}); err != nil || done.Deliveries != 3 {
		t.Errorf("%+v, %v", done, err)
	}
	if list, err := f.Destinations(t.Context()); err != nil || len(list) != 2 {
		t.Errorf("afterwards: %+v, %v", list, err)
	}
}

// TestWhatTheLedgerDoesNotKeepIsNotGivenUp has the ledger away from the start, and after the first statement.
func TestWhatTheLedgerDoesNotKeepIsNotGivenUp(t *testing.T) {
	f := newFixture(t)
	const many = 2*custody.MaxSubjects + 1
	f.stranded(t, "archive", many)
	d := control.Drop{Destination: "archive", Reason: "it was replaced", User: "ada"}
	f.flaky.set(ledger.ErrClosed)
	if done, err := f.Drop(t.Context(), d); code(err) != control.Unavailable || done.Deliveries != 0 || len(f.Forward.Stuck("archive")) != many {
		t.Fatalf("without a ledger: %+v, %v", done, err)
	}
	f.flaky.after(1, ledger.ErrFull)
	done, err := f.Drop(t.Context(), d)
	if code(err) != control.Unavailable || done.Deliveries != custody.MaxSubjects || !strings.Contains(err.Error(), fmt.Sprintf("%d of %d were given up", custody.MaxSubjects, many)) {
		t.Fatalf("away after the first: %+v, %v", done, err)
	}
	if left := len(f.Forward.Stuck("archive")); left != many-custody.MaxSubjects {
		t.Errorf("%d are left", left)
	}
	f.flaky.set(nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if done, err := f.Drop(ctx, d); err == nil || done.Deliveries != 0 {
		t.Errorf("by somebody who went away: %+v, %v", done, err)
	}
	if done, err := f.Drop(t.Context(), d); err != nil || done.Deliveries != many-custody.MaxSubjects {
		t.Errorf("the rest: %+v, %v", done, err)
	}
}

func TestAllThatIsHeldIsCounted(t *testing.T) {
	f := newFixture(t)
	for n := range 1100 {
		d, err := f.Vault.Create(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Seal(t.Context(), instance.Record{State: instance.Quarantined, SOPInstance: fmt.Sprintf("1.2.%d", n)}); err != nil {
			t.Fatal(err)
		}
	}
	if o, err := f.Overview(t.Context()); err != nil || o.Held != 1101 {
		t.Errorf("%d are held, %v", o.Held, err)
	}
}
