// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"strconv"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
)

// Activities of event.SensorHealth.
const (
	healthReport  = 1
	healthDegrade = 2
)

// Health returns the sensor's own state as events: one report with all counts,
// and one for each blind spot. at is the time they are given, ns since the Unix
// epoch; name is the sensor's. It may be called while Run is running.
func (s *Sensor) Health(name string, at int64) []*event.Event {
	st := s.Stats()
	counts := counted(name, &st)
	s.mu.Lock()
	defer s.mu.Unlock()
	report := counts
	out := []*event.Event{{UID: s.healthUID(), Time: at, Activity: healthReport, Severity: finding.Info, Status: event.StatusSuccess,
		Message: "The sensor saw " + some(st.Packets, "packet") + " in " + some(st.Flows+st.ActiveFlows, "flow"), Detail: &report}}
	for _, b := range st.BlindSpots() {
		out = append(out, s.blind(counts, at, b))
	}
	return out
}

// Blind returns the event that says of something, which the counts do not show, that it
// was not seen. Whoever runs the sensor knows of it.
func (s *Sensor) Blind(name string, at int64, b BlindSpot) *event.Event {
	st := s.Stats()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.blind(counted(name, &st), at, b)
}

func (s *Sensor) blind(d event.SensorHealth, at int64, b BlindSpot) *event.Event {
	d.What, d.Why, d.Hint = b.What, b.Why, b.Hint
	return &event.Event{UID: s.healthUID(), Time: at, Activity: healthDegrade, Severity: finding.Low, Status: event.StatusFailure,
		Message: "Not seen: " + b.What + ": " + b.Why, Detail: &d}
}

func (s *Sensor) healthUID() string {
	s.healths++
	return strconv.FormatUint(s.run, 36) + "-h-" + strconv.FormatUint(s.healths, 36)
}

// counted is the counts as a health event has them.
func counted(name string, st *Stats) event.SensorHealth {
	return event.SensorHealth{
		Sensor: name, Packets: st.Packets, Bytes: st.Bytes, Dropped: st.Dropped, Undecoded: st.Undecoded, Flows: st.ActiveFlows,
		FlowsEvicted: st.FlowsEvicted, StreamsEvicted: st.TCP.Evicted + st.AnalysesEvicted, Gaps: st.TCP.Gaps, GapBytes: st.TCP.GapBytes,
		AnalyserPanics: st.Panics, AnalyserBudget: st.OverBudget, OneSided: st.OneSided, MidStream: st.MidStream,
	}
}
