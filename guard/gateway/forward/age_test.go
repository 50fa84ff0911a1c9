// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// set is a clock that can be set, as NTP and people do.
type set struct{ ahead atomic.Int64 }

// now has no reading of a clock that cannot be set: such a one is not written to the disk either.
func (s *set) now() time.Time { return time.Now().Round(0).Add(time.Duration(s.ahead.Load())) }

const year = 365 * 24 * time.Hour

func TestAClockThatIsSetGivesNothingUp(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after time.Duration // how far the clock is ahead
		restart       bool
	}{
		{"a gateway that starts in 1970 learns the time", -56 * year, 0, false},
		{"the time was never right before a restart", -56 * year, 0, true},
		{"a source of the time is a year ahead", 0, year, false},
		{"it is a year ahead after a restart", 0, year, true},
		{"it is set back after a restart", year, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			k := &set{}
			k.ahead.Store(int64(c.before))
			b.deps.Now = k.now
			port := gatewaytest.FreePort(t)
			d := quick("pacs", port)
			b.start(d)
			came := func(r *instance.Record, a *instance.Arrival, _ *instance.Header) {
				r.Received = k.now()
				a.At = r.Received
			}
			r := b.bring(1, came)
			gatewaytest.Until(t, "the destination is down", func() bool { return b.f.Destinations()[0].State == "backing-off" })
			// It was tried once, and the record says when it is tried again.
			if _, err := b.journal.Change(t.Context(), r.Number, func(r *instance.Record) error {
				r.Deliveries[0].Attempts, r.Deliveries[0].Next = 1, k.now().Add(d.BackoffMax)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if c.restart {
				b.stop()
			}
			k.ahead.Store(int64(c.after))
			if c.restart {
				b.start(d)
			}
			peer := newSCP(t, port)
			if got := b.becomes(r.Number, instance.Delivered); got.Attempts != 2 || len(peer.list()) != 1 {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestWhatWaitedWhileTheGatewayWasOffIsTriedAndWhatWaitedTooLongIsGivenUpAndCanBeRetried(t *testing.T) {
	b := newBench(t)
	port := gatewaytest.FreePort(t)
	d := quick("pacs", port)
	d.Age = 300 * time.Millisecond
	b.start(d)
	r := b.bring(1, func(r *instance.Record, a *instance.Arrival, _ *instance.Header) {
		r.Received = r.Received.Add(-30 * 24 * time.Hour)
	})
	gatewaytest.Until(t, "it was tried", func() bool { return !b.f.Destinations()[0].Failure.IsZero() })
	if got := b.becomes(r.Number, instance.Dead); !strings.Contains(got.Why, "it has waited longer than 300ms: ") {
		t.Errorf("%+v", got)
	}
	peer := newSCP(t, port)
	if err := b.f.Steer("pacs", ActionRetry); err != nil {
		t.Fatal(err)
	}
	b.becomes(r.Number, instance.Delivered)
	if len(peer.list()) != 1 {
		t.Errorf("%d arrived", len(peer.list()))
	}
}
