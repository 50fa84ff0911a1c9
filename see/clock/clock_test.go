// SPDX-License-Identifier: Apache-2.0

package clock_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/see/clock"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// day is the morning on which the tests take place.
var day = time.Date(2026, 3, 16, 8, 0, 0, 0, time.UTC)

// ward is a clock with two theatres and what happens there, in words.
type ward struct {
	t     *testing.T
	c     *clock.Clock
	world *scene.World
	said  []string
}

func newWard(t *testing.T) *ward {
	t.Helper()
	cfg := clock.Default()
	cfg.TimeZone = "UTC"
	cfg.Rooms = map[string]string{"SURG THREE": "OR-3"}
	c, err := clock.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	rooms := []theatre.Theatre{{ID: "OR-3", Name: "Theatre 3"}, {ID: "OR-4"}}
	c.Know(rooms)
	w := scene.NewWorld([]device.Device{
		{ID: "carm", Class: device.ClassCArm, Theatre: "OR-3", AETitles: []string{"CARM_3"}},
		{ID: "ws", Class: device.ClassWorkstation, Theatre: "OR-3"},
	}, rooms, nil)
	return &ward{t: t, c: c, world: w}
}

func at(clockTime string) int64 {
	t, err := time.Parse("15:04", clockTime)
	if err != nil {
		panic(err)
	}
	return day.Truncate(24 * time.Hour).Add(time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute).UnixNano()
}

func (w *ward) hear(changes []clock.Change) {
	for _, c := range changes {
		w.said = append(w.said, time.Unix(0, c.At).UTC().Format("15:04")+" "+c.Message)
		if e := c.Event(); e.Class() != event.ClassTheatre || e.Message == "" || e.Detail.(*event.TheatreActivity).Theatre == "" {
			w.t.Errorf("%+v", e)
		}
	}
}

func (w *ward) see(when string, dev string, e event.Event) {
	e.Time = at(when)
	s := scene.Scene{Event: &e, World: w.world, Src: scene.Party{ID: dev, IP: netip.MustParseAddr("10.0.0.1"), Device: w.world.Device(dev)}}
	if s.Src.Device != nil {
		s.Theatre = s.Src.Device.Theatre
	}
	w.hear(w.c.Feed(&s))
}

func (w *ward) until(when string) { w.hear(w.c.Advance(at(when))) }

func siu(trigger, id, room, start, end, status string) event.Event {
	return event.Event{Detail: &event.HL7Message{Type: "SIU", Trigger: trigger, Schedule: &event.HL7Schedule{Appointment: id, Room: room, Start: start, End: end, Status: status}}}
}

func mpps(uid, status string) event.Event {
	return event.Event{Activity: 11, Detail: &event.DICOMOperation{SOPInstance: uid, StepStatus: status}}
}

func image() event.Event {
	return event.Event{Activity: 2, Status: event.StatusSuccess, Detail: &event.DICOMOperation{Command: "C-STORE"}}
}

func worklist(ae, room, start string) event.Event {
	return event.Event{Activity: 3, Detail: &event.DICOMOperation{Scheduled: []event.ScheduledStep{{StationAE: ae, Location: room, Start: start}}}}
}

func (w *ward) is(when string, id string, want theatre.State, source string) {
	w.t.Helper()
	w.until(when)
	s, _, by, _ := w.c.State(id)
	if s != want || !strings.HasPrefix(by, source) {
		w.t.Errorf("%s: %s is %s (%s), want %s (%s); said %q", when, id, s, by, want, source, w.said)
	}
}

func TestASlotOfTheScheduleIsACaseWhileItLasts(t *testing.T) {
	w := newWard(t)
	w.see("07:00", "", siu("S12", "a", "or 3", "202603160800", "20260316100000", "Booked"))
	w.is("07:59", "OR-3", theatre.Idle, "")
	w.is("08:00", "OR-3", theatre.InCase, clock.FromSchedule)
	w.is("10:14", "OR-3", theatre.InCase, clock.FromSchedule) // the grace
	w.is("10:15", "OR-3", theatre.Idle, clock.FromSchedule)
	if got, want := fmt.Sprint(w.said), "[07:00 a case is planned in OR-3 08:00 a case is in progress in OR-3, as the schedule says 10:15 the case in OR-3 is over, as the schedule says]"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if _, _, _, ok := w.c.State("OR-4"); ok {
		t.Error("something is said about a theatre of which nothing is known")
	}
}

func TestStartedAndCompleteSayItBetterThanTheSlot(t *testing.T) {
	w := newWard(t)
	w.see("07:00", "", siu("S12", "a", "SURG THREE", "202603160800", "202603161000", "Booked"))
	w.see("07:30", "", siu("S14", "a", "Theatre 3", "202603160800", "202603161000", "Started"))
	w.is("07:31", "OR-3", theatre.InCase, clock.FromSchedule)
	w.is("12:00", "OR-3", theatre.InCase, clock.FromSchedule) // it runs over
	w.see("12:10", "", siu("S14", "a", "OR-3", "", "", "Complete"))
	w.is("12:24", "OR-3", theatre.InCase, "")
	w.is("12:25", "OR-3", theatre.Idle, "")
}

func TestACaseThatIsCancelledMovedOrForgottenDoesNotGoOn(t *testing.T) {
	w := newWard(t)
	w.see("07:00", "", siu("S12", "a", "OR-3", "202603160800", "202603161000", "Booked"))
	w.see("07:10", "", siu("S15", "a", "OR-3", "", "", "Cancelled"))
	w.is("08:30", "OR-3", theatre.Idle, "")

	w.see("08:31", "", siu("S12", "b", "OR-3", "202603160900", "202603161000", "Booked"))
	w.see("08:32", "", siu("S13", "b", "OR-4", "202603160900", "202603161000", "Booked"))
	w.is("09:05", "OR-3", theatre.Idle, "")
	w.is("09:05", "OR-4", theatre.InCase, clock.FromSchedule)

	w.see("11:00", "", siu("S12", "c", "OR-3", "202603161100", "202603161200", "Started")) // and nobody ever completes it
	w.is("15:59", "OR-3", theatre.InCase, "")
	w.is("16:15", "OR-3", theatre.Idle, "")
}

func TestAProcedureStepInProgressIsACase(t *testing.T) {
	w := newWard(t)
	w.see("09:00", "carm", mpps("1.2.3", "IN PROGRESS"))
	w.is("09:00", "OR-3", theatre.InCase, clock.FromProcedure)
	w.see("09:30", "carm", mpps("1.2.4", "IN PROGRESS"))
	w.see("09:40", "carm", mpps("1.2.3", "COMPLETED"))
	w.is("10:30", "OR-3", theatre.InCase, clock.FromProcedure) // the second goes on
	w.see("10:40", "carm", mpps("1.2.4", "DISCONTINUED"))
	w.is("10:54", "OR-3", theatre.InCase, "")
	w.is("10:55", "OR-3", theatre.Idle, "")
	w.see("11:00", "carm", mpps("1.2.5", "IN PROGRESS")) // and is never ended
	w.until("23:59")
	w.c.Advance(at("11:00") + int64(16*time.Hour+16*time.Minute))
	if s, _, _, _ := w.c.State("OR-3"); s != theatre.Idle {
		t.Errorf("a step without an end is still a case after 16 hours: %s", s)
	}
}

func TestAWorklistSaysWhenAndWhere(t *testing.T) {
	w := newWard(t)
	w.see("07:00", "carm", worklist("CARM_3", "", "202603160830"))      // by its station
	w.see("07:00", "carm", worklist("OTHER", "OR 4", "20260316090000")) // by its room
	w.see("07:00", "carm", worklist("OTHER", "OR 9", "202603160700"))   // nowhere
	w.see("07:00", "carm", worklist("CARM_3", "", "20260316"))          // a day is no time
	w.is("08:29", "OR-3", theatre.Idle, "")
	w.is("08:30", "OR-3", theatre.InCase, clock.FromWorklist)
	w.is("09:00", "OR-4", theatre.InCase, clock.FromWorklist)
	w.is("10:46", "OR-3", theatre.Idle, clock.FromWorklist)
}

func TestWhatAPersonSetsHoldsUntilSomethingNewIsSeen(t *testing.T) {
	w := newWard(t)
	hand := func(when string, s theatre.State) {
		w.until(when)
		w.c.Know([]theatre.Theatre{{ID: "OR-3", State: s, Since: at(when), Source: "person:b.moser"}, {ID: "OR-4"}})
	}
	w.see("07:00", "", siu("S12", "a", "OR-3", "202603160800", "202603161000", "Booked"))
	hand("08:30", theatre.Idle) // the case was done early
	w.is("08:31", "OR-3", theatre.Idle, "person:b.moser")
	w.see("08:40", "carm", mpps("1.2", "IN PROGRESS")) // it was not
	w.is("08:41", "OR-3", theatre.InCase, clock.FromProcedure)
	w.see("08:50", "carm", mpps("1.2", "COMPLETED"))
	hand("10:30", theatre.InCase)
	w.is("11:30", "OR-3", theatre.InCase, "person:b.moser")
	hand("12:00", theatre.Maintenance)
	w.see("12:10", "carm", mpps("1.3", "IN PROGRESS")) // a technician tries the machine
	w.is("12:11", "OR-3", theatre.Maintenance, "person:b.moser")
	w.see("12:20", "carm", mpps("1.3", "COMPLETED"))
	hand("13:00", theatre.Idle)
	w.is("13:01", "OR-3", theatre.Idle, "person:b.moser")
	if text := fmt.Sprint(w.said); !strings.Contains(text, "12:00 OR-3 is in maintenance") && !strings.Contains(text, "OR-3 is in maintenance, as b.moser says") {
		t.Error(text)
	}
}

func TestImagesWithoutACaseAreAConflictWhereAScheduleIsSeen(t *testing.T) {
	w := newWard(t)
	w.see("06:00", "carm", image())
	if len(w.said) != 0 {
		t.Errorf("a conflict without a schedule: %q", w.said)
	}
	w.see("07:00", "", siu("S12", "a", "OR-3", "202603161200", "202603161300", "Booked"))
	w.see("08:00", "carm", image())
	w.see("08:01", "carm", image())
	w.see("08:02", "ws", image())   // a workstation sends old studies
	w.see("11:30", "carm", image()) // before the case: positioning
	w.see("12:30", "carm", image()) // in the case
	w.see("13:20", "carm", image()) // the last of it
	w.see("15:00", "carm", image())
	var conflicts []string
	for _, s := range w.said {
		if strings.Contains(s, "no case is known") {
			conflicts = append(conflicts, s[:5])
		}
	}
	if fmt.Sprint(conflicts) != "[08:00 15:00]" {
		t.Errorf("%q", w.said)
	}
}

func TestTwoCasesAtOnceAndAProcedureThatNobodyPlannedAreConflicts(t *testing.T) {
	w := newWard(t)
	w.see("07:00", "", siu("S12", "a", "OR-3", "202603161200", "202603161300", "Booked"))
	w.see("07:01", "", siu("S12", "b", "OR-3", "202603161300", "202603161400", "Booked")) // after it
	if strings.Contains(fmt.Sprint(w.said), "at the same time") {
		t.Error(w.said)
	}
	w.see("07:02", "", siu("S12", "c", "OR-3", "202603161230", "202603161330", "Booked"))
	if !strings.Contains(fmt.Sprint(w.said), "two cases are planned in OR-3 at the same time") {
		t.Error(w.said)
	}
	w.see("08:00", "carm", mpps("1.9", "IN PROGRESS"))
	if !strings.Contains(fmt.Sprint(w.said), "no case is planned") {
		t.Error(w.said)
	}
}

func TestARestartChangesNothing(t *testing.T) {
	script := func(w *ward, restart bool) string {
		again := func() {
			if !restart {
				return
			}
			b, err := w.c.Save()
			if err != nil {
				t.Fatal(err)
			}
			cfg := clock.Default()
			cfg.TimeZone = "UTC"
			if w.c, err = clock.New(cfg); err != nil {
				t.Fatal(err)
			}
			if err := w.c.Load(b); err != nil {
				t.Fatal(err)
			}
			w.c.Know([]theatre.Theatre{{ID: "OR-3"}, {ID: "OR-4"}})
		}
		w.see("07:00", "", siu("S12", "a", "OR-3", "202603160800", "202603161000", "Started"))
		again()
		w.see("08:10", "carm", mpps("1.1", "IN PROGRESS"))
		again()
		w.until("11:00")
		w.see("11:10", "carm", mpps("1.1", "COMPLETED"))
		again()
		w.see("11:20", "", siu("S14", "a", "OR-3", "", "", "Complete"))
		again()
		w.until("12:00")
		return fmt.Sprint(w.said)
	}
	if a, b := script(newWard(t), false), script(newWard(t), true); a != b || !strings.Contains(a, "is over") {
		t.Errorf("%s\n%s", a, b)
	}
}

func TestADamagedStateIsRefusedAndChangesNothing(t *testing.T) {
	w := newWard(t)
	w.see("09:00", "carm", mpps("1.2.3", "IN PROGRESS"))
	for _, bad := range []string{"", "{", `{"version":9}`, `{"version":1,"rooms":{"a":null}}`, `{"version":1,"rooms":{"a":{"state":"x"}}}`, `{"version":1,"rooms":{"a":{"slots":{"k":null}}}}`} {
		if err := w.c.Load([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
	w.is("09:01", "OR-3", theatre.InCase, clock.FromProcedure)
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	w := newWard(t)
	for i := range 5000 {
		w.see("07:00", "", siu("S12", fmt.Sprint(i), "OR-3", time.Date(2026, 3, 16, 8, i, 0, 0, time.UTC).Format("200601021504"), "", "Booked"))
		w.see("07:00", "carm", mpps(fmt.Sprint("1.2.", i), "IN PROGRESS"))
	}
	b, err := w.c.Save()
	if err != nil || len(b) > 64<<10 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

func TestAConfigurationThatCannotBeIsRefused(t *testing.T) {
	for field, change := range map[string]func(*clock.Config){
		"grace": func(c *clock.Config) { c.Grace = -1 }, "overrun": func(c *clock.Config) { c.Overrun = 25 * time.Hour },
		"longest": func(c *clock.Config) { c.Longest = time.Minute }, "time_zone": func(c *clock.Config) { c.TimeZone = "Middle/Earth" },
	} {
		c := clock.Default()
		change(&c)
		if _, err := clock.New(c); err == nil || !strings.HasPrefix(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestWhatIsSetLaterSaysNothingOfThePast(t *testing.T) {
	w := newWard(t)
	w.c.Know([]theatre.Theatre{{ID: "OR-3", State: theatre.Maintenance, Since: at("12:00"), Source: clock.ByHand + ":ada"}})
	w.hear(w.c.Advance(at("10:00")))
	if s, _, _, _ := w.c.State("OR-3"); s != theatre.Idle {
		t.Errorf("at ten it is %s, which is set at noon", s)
	}
	w.hear(w.c.Advance(at("12:01")))
	if s, _, _, _ := w.c.State("OR-3"); s != theatre.Maintenance {
		t.Errorf("after noon it is %s", s)
	}
}
