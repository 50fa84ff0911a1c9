// SPDX-License-Identifier: Apache-2.0

package clock_test

import (
	"testing"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/see/clock"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// Every hospital has a theatre 1 and an appointment 4711.
func TestTwoSitesAtAHubHaveTheirOwnRoomsAndAppointments(t *testing.T) {
	w := newWard(t)
	rooms := []theatre.Theatre{{ID: "N-1", Name: "Theatre 1", Site: "north"}, {ID: "S-1", Name: "Theatre 1", Site: "south"}}
	w.c.Know(rooms)
	w.world = scene.NewWorld(nil, rooms, nil)
	from := func(site, when string, e event.Event) {
		e.Time = at(when)
		w.hear(w.c.Feed(&scene.Scene{Sensor: record.SensorAt(site, "span-1"), Event: &e, World: w.world}))
	}
	from("north", "07:00", siu("S12", "4711", "Theatre 1", "202603160800", "202603160900", "Booked"))
	w.is("08:10", "N-1", theatre.InCase, clock.FromSchedule)
	w.is("08:10", "S-1", theatre.Idle, "")
	from("south", "08:20", siu("S12", "4711", "theatre 1", "202603160830", "202603161100", "Booked"))
	w.is("08:40", "N-1", theatre.InCase, clock.FromSchedule)
	w.is("08:40", "S-1", theatre.InCase, clock.FromSchedule)
	from("south", "08:50", siu("S15", "4711", "Theatre 1", "", "", "Cancelled"))
	w.is("08:50", "N-1", theatre.InCase, clock.FromSchedule)
	w.is("09:30", "S-1", theatre.Idle, "")
	from("", "09:40", siu("S12", "4712", "Theatre 1", "202603160940", "202603161100", "Started"))
	w.is("09:50", "N-1", theatre.Idle, "")
	w.is("09:50", "S-1", theatre.Idle, "")
}
