// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/platform/config"
)

// Whether a case is in progress, as routes ask.
const (
	caseInProgress = "in-progress"
	caseNone       = "none"
)

// route is a Route that can be asked.
type route struct {
	Route
	schedule schedule
	patterns []string // in lower case
}

func compileRoute(r Route) (*route, error) {
	if r.Fail == "" {
		r.Fail = FailClosed
	}
	s, err := compileSchedule(r.Schedule)
	if err != nil {
		return nil, err
	}
	out := &route{Route: r, schedule: s}
	for _, p := range r.StudyDescription {
		out.patterns = append(out.patterns, strings.ToLower(p))
	}
	return out, nil
}

// Route returns the deliveries of an instance: one for each destination of the routes that match. It
// depends on its arguments alone; the schedule's time is that of the arrival.
func (f *Forwarder) Route(r instance.Record, a instance.Arrival, h instance.Header) []instance.Delivery {
	var out []instance.Delivery
	for _, route := range f.routes {
		if !route.matches(&r, &a, &h) {
			continue
		}
		for _, to := range route.To {
			if slices.ContainsFunc(out, func(d instance.Delivery) bool { return d.Destination == to }) {
				continue
			}
			d := instance.Delivery{Destination: to, Route: route.Name, State: instance.Waiting}
			if dest := f.byName[to]; dest.cfg.Theatre == "" || dest.cfg.Theatre == a.Sender.Theatre {
				d.Urgent = a.Case
			}
			out = append(out, d)
		}
	}
	return out
}

// Open reports whether a route lets pass what ledger or firewall could not see.
func (f *Forwarder) Open(name string) bool {
	if r := f.routeNamed(name); r != nil {
		return r.Fail == FailOpen
	}
	return f.d.Passes != nil && f.d.Passes(name)
}

func (f *Forwarder) routeNamed(name string) *route {
	for _, r := range f.routes {
		if r.Name == name {
			return r
		}
	}
	return nil
}

func (r *route) matches(rec *instance.Record, a *instance.Arrival, h *instance.Header) bool {
	one := func(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }
	class := rec.SOPClass
	if class == "" {
		class = h.SOPClass
	}
	modality := h.Modality
	if modality == "" {
		modality = rec.Modality
	}
	switch {
	case !one(r.Modalities, modality), !one(r.CallingAE, a.Sender.CallingAE), !one(r.CalledAE, a.Sender.CalledAE), !one(r.Devices, a.Sender.Device),
		!one(r.SOPClasses, class), !one(r.Theatres, a.Sender.Theatre):
		return false
	case r.Case == caseInProgress && !a.Case, r.Case == caseNone && a.Case:
		return false
	case !r.schedule.has(a.At):
		return false
	}
	if len(r.patterns) == 0 {
		return true
	}
	text := strings.ToLower(h.StudyDescription)
	return slices.ContainsFunc(r.patterns, func(p string) bool { return glob(p, text) })
}

// Match says in words what a route matches.
func (r *route) match() string {
	var parts []string
	add := func(prefix string, list []string) {
		if len(list) > 0 {
			parts = append(parts, prefix+strings.Join(list, " or "))
		}
	}
	add("", r.Modalities)
	add("SOP class ", r.SOPClasses)
	add("described as ", r.StudyDescription)
	add("from ", r.CallingAE)
	add("from device ", r.Devices)
	add("out of ", r.Theatres)
	add("to ", r.CalledAE)
	switch r.Case {
	case caseInProgress:
		parts = append(parts, "during a case")
	case caseNone:
		parts = append(parts, "while there is no case")
	}
	if s := r.Schedule; s.From != "" || s.To != "" || len(s.Days) > 0 {
		parts = append(parts, strings.TrimSpace(strings.Join(s.Days, ", ")+" "+s.From+"-"+s.To))
	}
	if len(parts) == 0 {
		return "everything"
	}
	return strings.Join(parts, ", ")
}

// glob matches * and ?, in time that grows with the product of the lengths at most.
func glob(pattern, text string) bool {
	p, t := []rune(pattern), []rune(text)
	star, mark, j := -1, 0, 0
	for i := 0; i < len(t); {
		switch {
		case j < len(p) && (p[j] == '?' || p[j] == t[i] && p[j] != '*'):
			i, j = i+1, j+1
		case j < len(p) && p[j] == '*':
			star, mark, j = j, i, j+1
		case star >= 0:
			mark++
			i, j = mark, star+1
		default:
			return false
		}
	}
	for j < len(p) && p[j] == '*' {
		j++
	}
	return j == len(p)
}

// schedule is a Schedule that can be asked.
type schedule struct {
	days     [7]bool
	always   bool
	from, to time.Duration // of the day
	zone     *time.Location
}

var weekdays = [7]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func compileSchedule(c Schedule) (schedule, error) {
	s := schedule{zone: time.UTC, to: 24 * time.Hour, always: c.From == "" && c.To == "" && len(c.Days) == 0}
	for i, d := range c.Days {
		n := slices.Index(weekdays[:], strings.ToLower(d))
		if n < 0 {
			return s, config.Invalid(fmt.Sprintf("schedule.days[%d]", i), "mon, tue, wed, thu, fri, sat, sun", "%q is no day", d)
		}
		s.days[n] = true
	}
	if len(c.Days) == 0 {
		s.days = [7]bool{true, true, true, true, true, true, true}
	}
	for _, f := range [...]struct {
		name, text string
		to         *time.Duration
	}{{"schedule.from", c.From, &s.from}, {"schedule.to", c.To, &s.to}} {
		if f.text == "" {
			continue
		}
		t, err := time.Parse("15:04", f.text)
		if err != nil {
			return s, config.Invalid(f.name, "as 07:00", "%q is no time of the day", f.text)
		}
		*f.to = time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	}
	if c.Zone != "" {
		zone, err := time.LoadLocation(c.Zone)
		if err != nil || c.Zone == "Local" {
			return s, config.Invalid("schedule.zone", "a name of the time zone database, such as Europe/Berlin", "%q is not known", c.Zone)
		}
		s.zone = zone
	}
	return s, nil
}

// has reports whether t is in the schedule.
func (s *schedule) has(t time.Time) bool {
	if s.always {
		return true
	}
	t = t.In(s.zone)
	at := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second
	day := t.Weekday()
	if s.from <= s.to {
		return s.days[day] && at >= s.from && at < s.to
	}
	if at >= s.from {
		return s.days[day]
	}
	return at < s.to && s.days[(day+6)%7]
}
