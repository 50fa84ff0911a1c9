// SPDX-License-Identifier: Apache-2.0

package clock

import (
	"strings"
	"time"
	"unicode"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// fold makes names of rooms comparable: "OR 3", "or-3" and "OR3" are one.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

// named finds the theatre that a schedule calls so, "" for none.
func (c *Clock) named(site, name string) string {
	if f := fold(name); f != "" {
		return c.names[placed{site, f}]
	}
	return ""
}

// atSite makes a number that a site gives one that is unique at a hub.
func atSite(s *scene.Scene, number string) string {
	if site := s.Site(); site != "" {
		return site + "/" + number
	}
	return number
}

// appointment takes a scheduling message (HL7 v2.5 chapter 10).
func (c *Clock) appointment(s *scene.Scene, d *event.HL7Message) {
	id := c.named(s.Site(), d.Schedule.Room)
	if id == "" || d.Type != "SIU" {
		return
	}
	r := c.room(id)
	if r == nil {
		return
	}
	r.Schedule = c.now
	key := "siu:" + atSite(s, d.Schedule.Appointment)
	old := r.Slots[key]
	// An appointment that moves to another room leaves this one.
	for other, o := range c.rooms {
		if other != id && o.Slots[key] != nil {
			delete(o.Slots, key)
			c.settle(other, o)
		}
	}
	ref := d.Schedule.Appointment
	detail := event.TheatreActivity{Theatre: id, State: string(orIdle(r.State)), Source: FromSchedule, AppointmentRef: ref}
	status := strings.ToLower(strings.TrimSpace(d.Schedule.Status))
	switch {
	case d.Trigger == "S15" || d.Trigger == "S16" || d.Trigger == "S17" || d.Trigger == "S26",
		status == "cancelled", status == "canceled", status == "deleted", status == "dc", status == "noshow", status == "no show":
		if old != nil {
			delete(r.Slots, key)
			if old.Started || old.Start <= c.now {
				r.Ended = c.now
			}
			detail.Start, detail.End = old.Start/int64(time.Millisecond), old.End/int64(time.Millisecond)
			c.say(Cancelled, finding.Info, detail, "a case in "+id+" was cancelled")
		}
	case status == "complete", status == "completed":
		if old != nil {
			delete(r.Slots, key)
		}
		r.Ended = c.now
	default:
		start, ok1 := c.when(d.Schedule.Start)
		end, ok2 := c.when(d.Schedule.End)
		if old != nil {
			if !ok1 {
				start, ok1 = old.Start, true
			}
			if !ok2 {
				end, ok2 = old.End, true
			}
		}
		if !ok1 {
			break
		}
		if !ok2 || end <= start || end-start > int64(c.cfg.Longest) {
			end = start + int64(2*time.Hour)
		}
		if end <= c.now || start > c.now+int64(60*24*time.Hour) {
			delete(r.Slots, key)
			break
		}
		sl := &slot{Start: start, End: end, Started: status == "started" || old != nil && old.Started, Source: FromSchedule}
		if old == nil || old.Start != start || old.End != end {
			detail.Start, detail.End = start/int64(time.Millisecond), end/int64(time.Millisecond)
			c.say(Scheduled, finding.Info, detail, "a case is planned in "+id)
			c.double(id, r, key, sl)
		}
		c.keep(r, key, sl)
	}
	c.settle(id, r)
}

// double says when two cases are planned in one room at the same time.
func (c *Clock) double(id string, r *room, key string, sl *slot) {
	for k, o := range r.Slots {
		// A worklist and a schedule speak of the same case.
		if k != key && o.Source == sl.Source && o.Start < sl.End && sl.Start < o.End && sl.Source == FromSchedule {
			c.conflict(id, r, "double", FromSchedule, "two cases are planned in "+id+" at the same time", sl)
			return
		}
	}
}

// keep stores a slot; of too many, the one that is furthest away goes.
func (c *Clock) keep(r *room, key string, sl *slot) {
	if r.Slots[key] == nil && len(r.Slots) >= maxSlots {
		last := ""
		for k, o := range r.Slots {
			if last == "" || o.Start > r.Slots[last].Start || o.Start == r.Slots[last].Start && k > last {
				last = k
			}
		}
		if r.Slots[last].Start <= sl.Start {
			return
		}
		delete(r.Slots, last)
	}
	r.Slots[key] = sl
}

// worklist takes what a worklist answered: where a step is planned, and when. How
// long it takes it does not say.
func (c *Clock) worklist(s *scene.Scene, d *event.DICOMOperation) {
	for _, step := range d.Scheduled {
		id := c.named(s.Site(), step.Location)
		if id == "" {
			for _, dev := range s.World.Stations(s.Site(), step.StationAE) {
				if x := s.World.Device(dev); x != nil && x.Theatre != "" {
					id = x.Theatre
					break
				}
			}
		}
		if id == "" {
			continue
		}
		r := c.room(id)
		if r == nil {
			continue
		}
		r.Schedule = c.now
		start, ok := c.when(step.Start)
		if !ok || len(step.Start) < 12 { // a day is no time
			continue
		}
		key := "mwl:" + atSite(s, step.StationAE) + ":" + step.Start
		end := start + int64(2*time.Hour)
		if end <= c.now || start > c.now+int64(60*24*time.Hour) {
			continue
		}
		c.keep(r, key, &slot{Start: start, End: end, Source: FromWorklist})
		c.settle(id, r)
	}
}

// procedure takes a performed procedure step (PS3.4 §F.7).
func (c *Clock) procedure(s *scene.Scene, d *event.DICOMOperation) {
	id := s.Theatre
	r := c.room(id)
	if r == nil || d.SOPInstance == "" {
		return
	}
	planned := r.Schedule > 0 && c.now-r.Schedule < int64(seen)
	r.Schedule = c.now
	switch d.StepStatus {
	case "IN PROGRESS":
		if _, open := r.Steps[d.SOPInstance]; open {
			break
		}
		if planned && len(r.Slots) > 0 && !c.due(r) {
			c.conflict(id, r, "unplanned", FromProcedure, "a procedure began in "+id+" at a time for which no case is planned", nil)
		}
		if len(r.Steps) < maxSteps {
			r.Steps[d.SOPInstance] = c.now
		}
	case "COMPLETED", "DISCONTINUED":
		delete(r.Steps, d.SOPInstance)
		r.Ended = c.now
	}
	c.settle(id, r)
}

// due reports whether a slot is under way or begins or ended within an hour.
func (c *Clock) due(r *room) bool {
	for _, sl := range r.Slots {
		if sl.Start-int64(time.Hour) <= c.now && c.now <= sl.End+int64(time.Hour) {
			return true
		}
	}
	return false
}

// image takes the arrival of an image from a theatre.
func (c *Clock) image(s *scene.Scene) {
	if s.Src.Device == nil || s.Src.Device.Theatre == "" || !s.Src.Device.Class.Medical() {
		return
	}
	id := s.Src.Device.Theatre
	r := c.rooms[id]
	if r == nil || orIdle(r.State) != theatre.Idle || r.Schedule == 0 || c.now-r.Schedule > int64(seen) || c.due(r) {
		return
	}
	if r.Ended > 0 && c.now-r.Ended < int64(c.cfg.Grace+time.Hour) { // the rest of the last case
		return
	}
	c.conflict(id, r, "images", FromSchedule, "images arrive from "+id+", where no case is known", nil)
}

// when reads a time as HL7 (DTM) and DICOM (DA and TM, joined) write it.
func (c *Clock) when(s string) (ns int64, ok bool) {
	s = strings.TrimSpace(s)
	zone := c.zone
	if i := strings.LastIndexAny(s, "+-"); i >= 8 && len(s)-i == 5 {
		off, err := time.Parse("-0700", s[i:])
		if err != nil {
			return 0, false
		}
		zone, s = off.Location(), s[:i]
	}
	s, _, _ = strings.Cut(s, ".")
	const layout = "20060102150405"
	if len(s) < 8 || len(s) > len(layout) || len(s)%2 != 0 {
		return 0, false
	}
	t, err := time.ParseInLocation(layout[:len(s)], s, zone)
	if err != nil || t.Year() < 1990 || t.Year() > 2200 {
		return 0, false
	}
	return t.UnixNano(), true
}
