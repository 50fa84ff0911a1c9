// SPDX-License-Identifier: Apache-2.0

package steer_test

import (
	"errors"
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/query"
	"github.com/asepsis/asepsis/guard/gateway/steer/steertest"
)

// TestWhatAMoveAskedForIsReleasedToWhereItAsked has an instance that a C-MOVE brought, in quarantine: today's routes
// have no say in it.
func TestWhatAMoveAskedForIsReleasedToWhereItAsked(t *testing.T) {
	f := newFixture(t)
	there := f.Forward.Destinations()[0].Name
	held := func(n int, to string) instance.Record {
		t.Helper()
		r, err := f.Put(t.Context(), steertest.Image(8, n, steertest.Script), func(r *instance.Record) {
			r.State, r.Verdict, r.MovedTo = instance.Quarantined, instance.Quarantine, to
		})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	release := func(r instance.Record) (control.Held, error) {
		t.Helper()
		first, err := f.Decide(t.Context(), control.Decide{Number: r.Number, Action: "release", Reason: "it is ours", User: "anna", Revision: r.Revision})
		if err != nil {
			t.Fatal(err)
		}
		return f.Decide(t.Context(), control.Decide{Number: r.Number, Action: "release", Reason: "I looked at it", User: "boris", Revision: first.Revision})
	}
	out, err := release(held(1, there))
	if err != nil || out.State != instance.Released || len(out.Deliveries) != 1 || out.Deliveries[0].Destination != there || out.Deliveries[0].Route != query.RouteMove || out.Deliveries[0].State != instance.Waiting {
		t.Errorf("%v: it is %s, and goes to %+v", err, out.State, out.Deliveries)
	}
	var refused *control.Refused
	if _, err := release(held(2, "nobody-any-more")); !errors.As(err, &refused) || refused.Code != control.Conflict || refused.Tip == "" {
		t.Errorf("to a destination that is not there: %v", err)
	}
}
