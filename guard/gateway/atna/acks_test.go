// SPDX-License-Identifier: Apache-2.0

package atna

import (
	"testing"
	"time"
)

func TestWhatArrivedCountsThoughThereIsAlwaysMoreOnItsWay(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	var a acks
	messages, most := 0, 0
	for n := range 1000 {
		now = now.Add(20 * time.Millisecond)
		a.wrote(mark{segment: 1, at: int64(n + 1)}, 1, 1000, now)
		a.heard(2*1022, now) // the last two, as TLS carries them
		if behind, n, some := a.settled(now, time.Second); some {
			messages += n
			if behind.at != int64(messages) {
				t.Fatalf("%d delivered, and %v is behind", messages, behind)
			}
		}
		most = max(most, len(a.open))
	}
	if messages < 900 || most > 60 {
		t.Errorf("%d delivered, %d open", messages, most)
	}
	for range a.open {
		now = now.Add(time.Second)
		a.heard(2*1022, now)
		a.settled(now, time.Second)
	}
	if len(a.open) != 3 { // the last two, and one of which that is not sure
		t.Errorf("%d of what did not arrive counts", 3-len(a.open))
	}
}

func TestARepositoryThatAcknowledgesNothingIsToldFromASlowOne(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	var a acks
	if a.stalled(now) != 0 {
		t.Error("nothing was written")
	}
	a.wrote(mark{at: 1}, 1, 10000, now)
	for left := 10000; left > 5000; left -= 1000 {
		now = now.Add(time.Minute)
		a.heard(left, now)
	}
	if got := a.stalled(now); got != 0 {
		t.Errorf("it is slow, and was called deaf for %v", got)
	}
	now = now.Add(time.Minute)
	a.heard(6000, now)
	if got := a.stalled(now); got != time.Minute {
		t.Errorf("deaf for %v", got)
	}
	a.heard(0, now)
	now = now.Add(time.Hour)
	if got := a.stalled(now); got != 0 {
		t.Errorf("all has arrived, and it is deaf for %v", got)
	}
	a.wrote(mark{at: 2}, 1, 1000, now)
	if got := a.stalled(now.Add(time.Second)); got != time.Second {
		t.Errorf("deaf for %v", got)
	}
}
