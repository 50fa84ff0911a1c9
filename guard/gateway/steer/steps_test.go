// SPDX-License-Identifier: Apache-2.0

package steer_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/steer/steertest"
	"github.com/asepsis/asepsis/prove/ledger"
)

func TestAPersonEndsAProcedureStepAndTheLedgerKnowsWhy(t *testing.T) {
	f := newFixture(t)
	end := control.EndStep{UID: steertest.StepOpen, Reason: "the C-arm was switched off", User: "ada"}
	for name, x := range map[string]struct {
		change func(*control.EndStep)
		code   string
	}{
		"nobody":                 {func(e *control.EndStep) { e.User = "" }, control.Invalid},
		"without a reason":       {func(e *control.EndStep) { e.Reason = " " }, control.Invalid},
		"with a book":            {func(e *control.EndStep) { e.Reason = strings.Repeat("why ", 200) }, control.Invalid},
		"one that is none":       {func(e *control.EndStep) { e.UID = "1.2.3" }, control.NotFound},
		"one that ended already": {func(e *control.EndStep) { e.UID = steertest.StepEnded }, control.Conflict},
	} {
		e := end
		x.change(&e)
		if _, err := f.EndStep(t.Context(), e); code(err) != x.code {
			t.Errorf("%s: %v, want %s", name, err, x.code)
		}
	}
	// Without the ledger nothing is done; without the disk the word is kept, and counts once.
	f.flaky.set(ledger.ErrClosed)
	if _, err := f.EndStep(t.Context(), end); code(err) != control.Unavailable {
		t.Errorf("without a ledger: %v", err)
	}
	f.flaky.set(nil)
	f.Rooms.Fail(errors.New("the disk is away"))
	if _, err := f.EndStep(t.Context(), end); code(err) != control.Unavailable {
		t.Errorf("without a disk: %v", err)
	}
	if list, err := f.Steps(t.Context()); err != nil || len(list) != 2 || !list[0].Ended.IsZero() {
		t.Errorf("the steps are %+v, %v", list, err)
	}
	f.Rooms.Fail(nil)
	x, err := f.EndStep(t.Context(), end)
	if err != nil || x.By != "ada" || x.Held != 3 || x.Ended.IsZero() {
		t.Fatalf("%+v, %v", x, err)
	}
	if _, err := f.EndStep(t.Context(), end); code(err) != control.Conflict {
		t.Errorf("twice: %v", err)
	}
	list, err := f.ledger.Find(t.Context(), ledger.Query{Kind: custody.Override, Limit: 10})
	if err != nil || len(list) != 1 {
		t.Fatalf("the ledger has %d, %v", len(list), err)
	}
	p := list[0].Statement.Predicate
	if p.Actor.User != "ada" || p.Reason != end.Reason || p.Theatre != "OR-3" || p.Device != "dev-ct" || p.Detail["what"] != "procedure-step" || p.Detail["outcome"] != "ended" {
		t.Errorf("the ledger has %+v", p)
	}
	// What was held because of it is still held: people decide about it.
	if r, err := f.Instance(t.Context(), f.held.Number); err != nil || r.State != f.held.State {
		t.Errorf("what was held is %v, %v", r.State, err)
	}
}
