// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"testing"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/guard/gateway/journal/vaulttest"
)

func TestTheRoomThatADeviceTakesInQuarantineIsKnownAfterACrashToo(t *testing.T) {
	c := small(t.TempDir())
	j := must(t, c)
	put := func(n int, device string, state instance.State) instance.Record {
		data := vaulttest.Bytes(n, 1000)
		r := vaulttest.Record(n, data, "xr")
		if r.Sender.Device, r.State = device, state; state != instance.Accepted {
			r.Deliveries = nil
		}
		return vaulttest.Put(t, j, r, data)
	}
	first := put(1, "ct-1", instance.Quarantined)
	second := put(2, "ct-1", instance.Quarantined)
	put(3, "ct-1", instance.Replaced)
	put(4, "ct-1", instance.Accepted)
	put(5, "mr-2", instance.Quarantined)
	want := func(when string, ct, mr int64) {
		t.Helper()
		for device, bytes := range map[string]int64{"ct-1": ct, "mr-2": mr, "us-7": 0} {
			if held, all := j.Room(device); held != bytes || all <= held {
				t.Errorf("%s: %s has %d of %d, want %d", when, device, held, all, bytes)
			}
		}
	}
	change := func(r instance.Record, state instance.State) {
		t.Helper()
		if _, err := j.Change(t.Context(), r.Number, func(r *instance.Record) error { r.State = state; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	want("held", 3000, 1000)
	change(first, instance.Destroyed)
	want("one was destroyed", 2000, 1000)
	change(second, instance.Accepted)
	want("one was released", 1000, 1000)
	crash(j)
	j = must(t, c)
	want("after a crash", 1000, 1000)
}
