// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"context"
	"testing"

	"github.com/asepsis/asepsis/core/event"
)

func TestHealthReportsTheCountsAndEachBlindSpot(t *testing.T) {
	tr := &trace{}
	k := tr.tcp(50000, 1234)
	k.say(0, "LINE a\n")
	s, _ := newSensor(t, one(), linesProtocol())
	if err := s.Run(context.Background(), tr); err != nil {
		t.Fatal(err)
	}
	st := s.Stats()
	spots := st.BlindSpots()
	if len(spots) == 0 {
		t.Fatal("a connection without its opening is no blind spot")
	}
	events := s.Health("or-3", 42)
	if len(events) != 1+len(spots) {
		t.Fatalf("%d events, want a report and %d blind spots", len(events), len(spots))
	}
	uids := map[string]bool{}
	for i, e := range events {
		h := e.Detail.(*event.SensorHealth)
		if h.Packets != 2 || h.Sensor != "or-3" || e.Time != 42 || uids[e.UID] {
			t.Errorf("event %d: %+v of %+v", i, e, h)
		}
		uids[e.UID] = true
		if i > 0 && (h.What != spots[i-1].What || h.Hint == "" || e.Activity != healthDegrade) {
			t.Errorf("event %d: %+v", i, h)
		}
	}
}
