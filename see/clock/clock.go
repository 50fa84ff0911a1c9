// SPDX-License-Identifier: Apache-2.0

// Package clock knows what goes on in each theatre: idle, in case, or in
// maintenance. It learns that from what passes by: HL7 scheduling messages (SIU),
// answers of the modality worklist, performed procedure steps (MPPS); and it is told what
// people set by hand.
//
// # What counts
//
// A procedure step that is in progress is a case, whoever says otherwise. A slot
// of the schedule is a case from its start to its end, and from "Started" to
// "Complete" where the scheduling system says so. After the last of them a case
// lasts for Grace, because patients leave later than machines stop. What a person
// set holds until something new is seen; maintenance, until a person ends it.
//
// Where nothing is known about a theatre it is idle, and nothing is said about it.
//
// # Conflicts
//
// Images from a theatre in which no case is known, two cases in one room at the
// same time, a procedure that nobody scheduled: each is an event of its own, at
// most once an hour for a theatre, and only where a schedule is seen at all.
//
// A Clock is used by one goroutine. The time is that of the events: the same
// events give the same answers in a replay.
package clock

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// Config says how a schedule is read.
type Config struct {
	Grace    time.Duration     `yaml:"grace" doc:"How long a case lasts after its procedure or its slot has ended."`
	Overrun  time.Duration     `yaml:"overrun" doc:"How long a case that was started and not completed goes on beyond its slot."`
	Longest  time.Duration     `yaml:"longest" doc:"The longest case: a procedure step that has no end by then is given up, and so is what a person set."`
	Rooms    map[string]string `yaml:"rooms" doc:"Names of rooms in schedules, and the theatre each is. What differs only in case, spaces and punctuation needs no entry."`
	TimeZone string            `yaml:"time_zone" doc:"Zone of times in schedules that name none, as in Europe/Berlin. Empty: that of this machine."`
}

// Default holds the documented defaults.
func Default() Config {
	return Config{Grace: 15 * time.Minute, Overrun: 4 * time.Hour, Longest: 16 * time.Hour}
}

// Validate reports the first field that cannot be used.
func (c Config) Validate() error {
	switch {
	case c.Grace < 0 || c.Grace > 4*time.Hour:
		return config.Invalid("grace", "15m is usual", "%s is not within 0s..4h", c.Grace)
	case c.Overrun < 0 || c.Overrun > 24*time.Hour:
		return config.Invalid("overrun", "4h is usual", "%s is not within 0s..24h", c.Overrun)
	case c.Longest < time.Hour || c.Longest > 72*time.Hour:
		return config.Invalid("longest", "16h is usual", "%s is not within 1h..72h", c.Longest)
	case len(c.Rooms) > maxRooms:
		return config.Invalid("rooms", "", "has %d entries, more than %d", len(c.Rooms), maxRooms)
	}
	if _, err := time.LoadLocation(c.TimeZone); err != nil {
		return config.Invalid("time_zone", "a name such as Europe/Berlin", "%q is not known here", c.TimeZone)
	}
	return nil
}

// Bounds of what is remembered.
const (
	maxRooms = 1000
	maxSlots = 200 // of one theatre
	maxSteps = 50
	// seen is for how long a theatre whose schedule was seen counts as one that has one.
	seen = 7 * 24 * time.Hour
	// again is how soon the same conflict may be said again.
	again = time.Hour
)

// Sources of what is known.
const (
	FromSchedule  = "hl7.siu"
	FromWorklist  = "dicom.mwl"
	FromProcedure = "dicom.mpps"
	ByHand        = "person" // followed by a colon and the name
)

// Change is something that became known.
type Change struct {
	At       int64
	Activity uint8 // of event.TheatreActivity
	Severity finding.Severity
	Message  string
	Detail   event.TheatreActivity
}

// Event makes the event of a change.
func (c *Change) Event() *event.Event {
	d := c.Detail
	return &event.Event{Time: c.At, Activity: c.Activity, Severity: c.Severity, Protocol: "theatre", Message: c.Message, Detail: &d}
}

// Activities of event.TheatreActivity.
const (
	Start uint8 = 1 + iota
	End
	Scheduled
	Cancelled
	Conflict
	Maintenance
)

// Clock is what is known of all theatres.
type Clock struct {
	cfg   Config
	zone  *time.Location
	rooms map[string]*room
	names map[placed]string // theatre ID
	now   int64
	out   []Change
}

// placed is a folded name of a room at a site: every hospital has an "OR 1".
type placed struct{ site, name string }

// room is what is known of one theatre.
type room struct {
	State    theatre.State    `json:"state"`
	Since    int64            `json:"since,omitempty"`
	Source   string           `json:"source,omitempty"`
	Steps    map[string]int64 `json:"steps,omitempty"` // procedure steps in progress -> when they began
	Slots    map[string]*slot `json:"slots,omitempty"` // by appointment
	Ended    int64            `json:"ended,omitempty"` // when the last step or slot ended, 0 when no grace runs
	Hand     theatre.State    `json:"hand,omitempty"`  // what a person set and nothing new has overruled
	HandAt   int64            `json:"hand_at,omitempty"`
	HandBy   string           `json:"hand_by,omitempty"`
	Schedule int64            `json:"schedule,omitempty"` // when a schedule of it was last seen
	Said     map[string]int64 `json:"said,omitempty"`     // conflicts -> when they were said
}

// slot is a case in the schedule.
type slot struct {
	Start   int64  `json:"start"`
	End     int64  `json:"end"`
	Started bool   `json:"started,omitempty"` // the scheduling system says that it began
	Source  string `json:"source"`
}

// New makes a clock.
func New(c Config) (*Clock, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	zone := time.Local
	if c.TimeZone != "" {
		zone, _ = time.LoadLocation(c.TimeZone) // Validate has loaded it
	}
	return &Clock{cfg: c, zone: zone, rooms: map[string]*room{}, names: map[placed]string{}}, nil
}

// Know tells which theatres there are and what people set in them. It may be
// called again whenever that changes.
func (c *Clock) Know(rooms []theatre.Theatre) {
	c.names = map[placed]string{}
	for _, t := range rooms {
		c.names[placed{t.Site, fold(t.ID)}] = t.ID
		if t.Name != "" {
			c.names[placed{t.Site, fold(t.Name)}] = t.ID
		}
		if who, ok := strings.CutPrefix(t.Source, ByHand); ok && t.State.Valid() {
			if r := c.room(t.ID); r != nil && t.Since > r.HandAt {
				r.Hand, r.HandAt, r.HandBy = t.State, t.Since, ByHand+who
			}
		}
	}
	for name, id := range c.cfg.Rooms {
		c.names[placed{"", fold(name)}] = id
	}
}

// State returns what goes on in a theatre, since when, and who says so; ok is
// false where nothing is known.
func (c *Clock) State(id string) (s theatre.State, since int64, source string, ok bool) {
	r := c.rooms[id]
	if r == nil || r.State == "" {
		return theatre.Idle, 0, "", false
	}
	return r.State, r.Since, r.Source, true
}

// Feed shows it an event and returns what became known by it. The slice is
// valid until the next call.
func (c *Clock) Feed(s *scene.Scene) []Change {
	c.out = c.out[:0]
	if s.Event.Time > c.now {
		c.advance(s.Event.Time)
	}
	switch d := s.Event.Detail.(type) {
	case *event.HL7Message:
		if d.Schedule != nil {
			c.appointment(s, d)
		}
	case *event.DICOMOperation:
		switch {
		case len(d.Scheduled) > 0:
			c.worklist(s, d)
		case d.StepStatus != "":
			c.procedure(s, d)
		case s.Event.Activity == store && s.Event.Status == event.StatusSuccess:
			c.image(s)
		}
	}
	return c.out
}

// store is the activity of a C-STORE.
const store = 2

// Advance tells it the time.
func (c *Clock) Advance(now int64) []Change {
	c.out = c.out[:0]
	if now > c.now {
		c.advance(now)
	}
	return c.out
}

func (c *Clock) advance(now int64) {
	whole := c.now/int64(time.Second) == now/int64(time.Second)
	c.now = now
	if whole {
		return
	}
	ids := make([]string, 0, len(c.rooms))
	for id := range c.rooms {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		c.settle(id, c.rooms[id])
	}
}

// room returns what is known of a theatre, nil when there are too many.
func (c *Clock) room(id string) *room {
	r := c.rooms[id]
	if r == nil && id != "" && len(c.rooms) < maxRooms {
		r = &room{Steps: map[string]int64{}, Slots: map[string]*slot{}, Said: map[string]int64{}}
		c.rooms[id] = r
	}
	return r
}

// settle decides what goes on in a theatre now, and says so when it changed.
func (c *Clock) settle(id string, r *room) {
	for k, began := range r.Steps {
		if c.now-began > int64(c.cfg.Longest) {
			delete(r.Steps, k)
			r.Ended = max(r.Ended, began+int64(c.cfg.Longest))
		}
	}
	for k, s := range r.Slots {
		end := s.End
		if s.Started {
			end += int64(c.cfg.Overrun)
		}
		if c.now >= end {
			delete(r.Slots, k)
			r.Ended = max(r.Ended, end)
		}
	}
	if r.Hand != "" && r.Hand != theatre.Maintenance && c.now-r.HandAt > int64(c.cfg.Longest) {
		r.Hand = ""
	}
	state, source, since := c.decide(r)
	if state == r.State || state == theatre.Idle && r.State == "" && r.Schedule == 0 && r.Hand == "" {
		r.Source = source
		return
	}
	before := r.State
	r.State, r.Source, r.Since = state, source, since
	d := event.TheatreActivity{Theatre: id, State: string(state), Before: string(before), Source: source}
	switch {
	case state == theatre.InCase:
		c.say(Start, finding.Info, d, "a case is in progress in "+id+", as "+words(source)+" says")
	case state == theatre.Maintenance:
		c.say(Maintenance, finding.Info, d, id+" is in maintenance, as "+words(source)+" says")
	case before == theatre.InCase:
		c.say(End, finding.Info, d, "the case in "+id+" is over, as "+words(source)+" says")
	case before != "":
		c.say(End, finding.Info, d, id+" is idle again, as "+words(source)+" says")
	}
}

// decide says what goes on, and who says so.
func (c *Clock) decide(r *room) (s theatre.State, source string, since int64) {
	set := r.Hand != "" && r.HandAt <= c.now // while the past is read, what people set later is to come
	if set && r.Hand == theatre.Maintenance {
		return r.Hand, r.HandBy, r.HandAt
	}
	newest := int64(0) // what was last seen that says that a case goes on
	for _, began := range r.Steps {
		if s != theatre.InCase || source != FromProcedure || began < since {
			s, source, since = theatre.InCase, FromProcedure, began
		}
		newest = max(newest, began)
	}
	if s == "" {
		for _, sl := range r.Slots {
			if sl.Start <= c.now || sl.Started {
				if s == "" || sl.Start < since || sl.Start == since && sl.Source < source {
					s, source, since = theatre.InCase, sl.Source, sl.Start
				}
				newest = max(newest, sl.Start)
			}
		}
	}
	switch {
	case set && r.HandAt >= max(newest, r.Ended):
		return r.Hand, r.HandBy, r.HandAt
	case s != "":
		return s, source, since
	case r.State == theatre.InCase && r.Ended > 0 && c.now < r.Ended+int64(c.cfg.Grace):
		return theatre.InCase, r.Source, r.Since
	}
	source = r.Source
	if source == "" || strings.HasPrefix(source, ByHand) {
		source = FromSchedule
	}
	return theatre.Idle, source, c.now
}

func (c *Clock) say(activity uint8, sev finding.Severity, d event.TheatreActivity, message string) {
	c.out = append(c.out, Change{At: c.now, Activity: activity, Severity: sev, Message: message, Detail: d})
}

// conflict says that what is seen contradicts what is known, once an hour.
func (c *Clock) conflict(id string, r *room, kind, source, why string, sl *slot) {
	if at, ok := r.Said[kind]; ok && c.now-at < int64(again) {
		return
	}
	r.Said[kind] = c.now
	d := event.TheatreActivity{Theatre: id, State: string(orIdle(r.State)), Source: source, Conflict: why}
	if sl != nil {
		d.Start, d.End = sl.Start/int64(time.Millisecond), sl.End/int64(time.Millisecond)
	}
	c.say(Conflict, finding.Medium, d, why)
}

func orIdle(s theatre.State) theatre.State {
	if s == "" {
		return theatre.Idle
	}
	return s
}

// words names a source for people.
func words(source string) string {
	switch source {
	case FromSchedule:
		return "the schedule"
	case FromWorklist:
		return "the worklist"
	case FromProcedure:
		return "the imaging device"
	}
	if _, who, ok := strings.Cut(source, ":"); ok {
		return who
	}
	return fmt.Sprintf("%q", source)
}
