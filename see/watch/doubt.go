// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"fmt"
	"time"

	"github.com/asepsis/asepsis/see/sensor"
)

// clockStep is how far the clock must have been set to be told. Time services that
// slew stay a thousand times below.
const clockStep = 500 * time.Millisecond

// clocks is one moment, by the clock that can be set and by the one that cannot.
type clocks struct {
	wall   int64         // ns since the Unix epoch
	steady time.Duration // since some moment
}

func (w *Watch) clocks() clocks {
	return clocks{time.Now().UnixNano(), time.Since(w.started)}
}

// stepTo is by how much the clock was set in between, 0 when it was not. A host that
// slept looks as if it had been.
func (c clocks) stepTo(now clocks) time.Duration {
	by := time.Duration(now.wall-c.wall) - (now.steady - c.steady)
	if by.Abs() < clockStep {
		return 0
	}
	return by
}

func stepped(by time.Duration) sensor.BlindSpot {
	which := "forward"
	if by < 0 {
		which = "back"
	}
	return sensor.BlindSpot{What: fmt.Sprintf("the order of events: %s %s", by.Abs().Round(time.Millisecond), which), Why: "the clock of the sensor's host was set",
		Hint: "look at what set it: its time service, a person, a host that slept"}
}

// silence notes since when no packet has come.
type silence struct {
	of      *sensor.Sensor
	packets uint64
	at      time.Time
}

// since is for how long a sensor that had seen packets has seen none, 0 when it does.
func (q *silence) since(s *sensor.Sensor, packets uint64, now time.Time) time.Duration {
	if q.of != s || q.packets != packets || packets == 0 {
		*q = silence{s, packets, now}
		return 0
	}
	return now.Sub(q.at)
}

func silent(since time.Duration) sensor.BlindSpot {
	return sensor.BlindSpot{What: "everything, now", Why: "no packet has arrived for " + since.Round(time.Second).String(),
		Hint: "check that the mirror port is still configured, and the cable"}
}
