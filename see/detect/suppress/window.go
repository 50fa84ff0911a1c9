// SPDX-License-Identifier: Apache-2.0

package suppress

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Effect is what a maintenance window does to findings that fall into it.
type Effect string

// The effects.
const (
	Lower Effect = "lower" // severity becomes the rule's own for maintenance
	Hide  Effect = "hide"  // kept as suppressed
)

// Repeat is how often a window comes.
type Repeat string

// The repetitions.
const (
	Once    Repeat = "once"
	Daily   Repeat = "daily"
	Weekly  Repeat = "weekly"  // on Weekdays
	Monthly Repeat = "monthly" // on the Nth of Weekdays[0]
)

// Window is a time in which work is done on rooms or devices.
//
// Times of day are those of the clock on the wall in Zone. A window that begins at a
// time which the clock skips in spring begins when the clock goes on; of a time
// that comes twice in autumn, the first counts. Its length is time that
// passes: four hours are four hours in that night too.
type Window struct {
	ID       string         `json:"id"`
	Name     string         `json:"name"`
	Theatres []string       `json:"theatres"`
	Devices  []string       `json:"devices"`
	Rules    []string       `json:"rules"` // empty for all
	Effect   Effect         `json:"effect"`
	Repeat   Repeat         `json:"repeat"`
	From     string         `json:"from"`  // first day, "2026-11-22"; of Once the day
	Until    string         `json:"until"` // last day on which one begins, "" for no end
	At       string         `json:"at"`    // "22:30"
	Minutes  int            `json:"minutes"`
	Weekdays []time.Weekday `json:"weekdays"` // 0 is Sunday
	Nth      int            `json:"nth"`      // 1 to 4, or -1 for the last
	Zone     string         `json:"zone"`     // IANA name
	Owner    string         `json:"owner"`
	Reason   string         `json:"reason"`

	Created   int64  `json:"created"`
	CreatedBy string `json:"created_by"`

	loc    *time.Location
	h, m   int
	day0   time.Time // From, at noon in Zone
	dayEnd time.Time // Until, at noon; zero for none
}

const dateForm = "2006-01-02"

// Prepare checks the window and makes it ready to be asked.
func (w *Window) Prepare() error {
	bad := func(field, hint, format string, args ...any) error {
		return &Invalid{field, fmt.Sprintf(format, args...), hint}
	}
	var err error
	switch {
	case strings.TrimSpace(w.Name) == "" || utf8.RuneCountInString(w.Name) > 100:
		return bad("name", "", "must have 1 to 100 characters")
	case len(w.Theatres)+len(w.Devices) == 0:
		return bad("theatres", "the whole site is never in maintenance: name its rooms", "or devices must name something")
	case len(w.Theatres) > MaxValues || len(w.Devices) > MaxValues || len(w.Rules) > MaxValues:
		return bad("devices", "", "or another list has more than %d values", MaxValues)
	case w.Effect != Lower && w.Effect != Hide:
		return bad("effect", "", "must be lower or hide")
	case w.Minutes < 1 || w.Minutes > 24*60:
		return bad("minutes", "", "must be from 1 to 1440")
	case strings.TrimSpace(w.Owner) == "":
		return bad("owner", "", "is needed: who answers for it")
	case strings.TrimSpace(w.Reason) == "" || utf8.RuneCountInString(w.Reason) > MaxReason:
		return bad("reason", "", "must have 1 to %d characters", MaxReason)
	}
	if w.loc, err = time.LoadLocation(w.Zone); err != nil || w.Zone == "" || w.Zone == "Local" {
		return bad("zone", "for example Europe/Zurich", "is no time zone")
	}
	at, err := time.Parse("15:04", w.At)
	if err != nil {
		return bad("at", "for example 22:30", "must be a time of day")
	}
	w.h, w.m = at.Hour(), at.Minute()
	if w.day0, err = w.noon(w.From); err != nil {
		return bad("from", "for example 2026-11-22", "must be a day")
	}
	w.dayEnd = time.Time{}
	if w.Until != "" {
		if w.dayEnd, err = w.noon(w.Until); err != nil || w.dayEnd.Before(w.day0) {
			return bad("until", "for example 2026-12-31", "must be a day that is not before the first")
		}
	}
	for _, d := range w.Weekdays {
		if d < time.Sunday || d > time.Saturday {
			return bad("weekdays", "0 is Sunday", "must be from 0 to 6")
		}
	}
	switch w.Repeat {
	case Once, Daily:
	case Weekly:
		if len(w.Weekdays) == 0 {
			return bad("weekdays", "0 is Sunday", "is needed for a weekly window")
		}
	case Monthly:
		if len(w.Weekdays) != 1 || w.Nth == 0 || w.Nth < -1 || w.Nth > 4 {
			return bad("nth", "the third Tuesday is nth 3 with weekdays [2]; -1 is the last", "and one weekday are needed for a monthly window")
		}
	default:
		return bad("repeat", "", "must be one of once, daily, weekly, monthly")
	}
	return nil
}

func (w *Window) noon(day string) (time.Time, error) {
	t, err := time.ParseInLocation(dateForm, day, w.loc)
	if err != nil {
		return t, err
	}
	if t.Year() < 2000 || t.Year() > 2200 {
		return t, fmt.Errorf("year %d", t.Year())
	}
	return time.Date(t.Year(), t.Month(), t.Day(), 12, 0, 0, 0, w.loc), nil
}

// names reports whether the window is about a finding's room, devices and rule.
func (w *Window) names(c *Case) bool {
	if len(w.Rules) > 0 && !slices.ContainsFunc(w.Rules, func(r string) bool { return MatchRule(r, c.Rule) }) {
		return false
	}
	return slices.Contains(w.Theatres, c.Theatre) && c.Theatre != "" ||
		slices.ContainsFunc(w.Devices, func(d string) bool { return slices.Contains(c.Devices, d) })
}

// Covers reports whether a time lies in the window. Preconditions: Prepare said
// that it is right.
func (w *Window) Covers(at int64) bool {
	if w.loc == nil {
		return false
	}
	t := time.Unix(0, at).In(w.loc)
	// It is at most a day long: it began today or yesterday.
	for back := range 2 {
		begin, ok := w.on(t.AddDate(0, 0, -back))
		if ok && !t.Before(begin) && t.Before(begin.Add(time.Duration(w.Minutes)*time.Minute)) {
			return true
		}
	}
	return false
}

// on returns when the window begins on the day of t, if it does on that day.
func (w *Window) on(t time.Time) (time.Time, bool) {
	day := time.Date(t.Year(), t.Month(), t.Day(), 12, 0, 0, 0, w.loc)
	if day.Before(w.day0) || !w.dayEnd.IsZero() && day.After(w.dayEnd) {
		return time.Time{}, false
	}
	switch w.Repeat {
	case Once:
		if !day.Equal(w.day0) {
			return time.Time{}, false
		}
	case Weekly:
		if !slices.Contains(w.Weekdays, day.Weekday()) {
			return time.Time{}, false
		}
	case Monthly:
		if day.Weekday() != w.Weekdays[0] {
			return time.Time{}, false
		}
		last := day.AddDate(0, 0, 7).Month() != day.Month()
		if w.Nth == -1 && !last || w.Nth > 0 && (day.Day()-1)/7+1 != w.Nth {
			return time.Time{}, false
		}
	}
	return w.begin(day), true
}

// begin is when the clock on the wall shows the time of the window on a day, for
// the first time, or where it never does, when it goes on.
func (w *Window) begin(day time.Time) time.Time {
	t := time.Date(day.Year(), day.Month(), day.Day(), w.h, w.m, 0, 0, w.loc)
	if t.Hour() == w.h && t.Minute() == w.m {
		// time.Date may give either of two; the first has the same reading an hour or
		// less before.
		for _, d := range []time.Duration{time.Hour, 30 * time.Minute} {
			if e := t.Add(-d); e.Hour() == w.h && e.Minute() == w.m && e.Day() == t.Day() {
				return e
			}
		}
		return t
	}
	// Skipped: the clock goes on at the end of the offset before.
	_, end := t.Add(-12 * time.Hour).ZoneBounds()
	if !end.IsZero() {
		return end
	}
	return t
}

// Next returns when the window begins next, at or after a time, and its end; ok is
// false when it does not within a year.
func (w *Window) Next(at int64) (begin, end int64, ok bool) {
	t := time.Unix(0, at).In(w.loc)
	for d := range 367 {
		if b, on := w.on(t.AddDate(0, 0, d)); on && b.UnixNano() >= at {
			return b.UnixNano(), b.Add(time.Duration(w.Minutes) * time.Minute).UnixNano(), true
		}
	}
	return 0, 0, false
}
