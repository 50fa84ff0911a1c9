// SPDX-License-Identifier: Apache-2.0

package steer

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/asepsis/asepsis/guard/gateway/control"
)

// Overview implements control.Control.
func (s *Steer) Overview(context.Context) (control.Overview, error) {
	o := control.Overview{Name: s.d.Name, Since: s.since, Minutes: s.d.Live.Minutes(), Policy: s.d.Firewall.State(), Ledger: control.Dependency{State: "off"}, Trust: control.Dependency{State: "off"}, Audit: control.Dependency{State: "off"}}
	o.Received, o.Forwarded = s.d.Live.flows()
	t := s.d.Live.Totals()
	o.Flagged, o.Sanitised, o.Quarantined, o.Refused = t.Flagged, t.Sanitised, t.Quarantined, t.Refused
	o.Held = s.d.Vault.Held()
	destinations := s.d.Forward.Destinations()
	for i := range destinations {
		o.Waiting += destinations[i].Waiting
		o.Dead += destinations[i].Dead
	}
	if s.d.Ledger != nil {
		o.Ledger = control.Dependency{State: "ok"}
		if st, err := s.d.Ledger.Status(); err != nil {
			o.Ledger = control.Dependency{State: "down", Why: err.Error()}
		} else if st.Audit.Problem != "" {
			o.Ledger = control.Dependency{State: "down", Why: st.Audit.Problem, Hint: "asepsis ledger fsck says what is damaged, and where"}
		}
	}
	if s.d.Fill != nil {
		s.d.Fill(&o)
	}
	for i := range o.Listeners {
		if o.Listeners[i].Open == 0 {
			o.Listeners[i].Open = s.d.Live.Open(o.Listeners[i].Name)
		}
	}
	o.Advice = append(o.Advice, s.advice(&o, destinations)...)
	slices.SortStableFunc(o.Advice, func(a, b control.Advice) int { return cmp.Compare(rank(a.Severity), rank(b.Severity)) })
	return o, nil
}

func rank(severity string) int {
	if i := slices.Index([]string{"critical", "high", "medium", "low"}, severity); i >= 0 {
		return i
	}
	return 4
}

// advice is what a person should do about what an overview says.
func (s *Steer) advice(o *control.Overview, destinations []control.Destination) []control.Advice {
	var out []control.Advice
	say := func(severity, hint, why, format string, args ...any) {
		out = append(out, control.Advice{Severity: severity, What: fmt.Sprintf(format, args...), Why: why, Hint: hint})
	}
	switch o.Disk.State {
	case "full":
		say("critical", "make room on the disk, or let the destinations take what waits", "", "The gateway’s disk is full: nothing more is taken")
	case "low":
		say("high", "make room on the disk, or let the destinations take what waits", "", "The gateway’s disk is almost full")
	}
	for _, d := range []struct {
		name string
		dep  *control.Dependency
	}{{"ledger", &o.Ledger}, {"certificate trust", &o.Trust}, {"audit trail’s receiver", &o.Audit}} {
		switch d.dep.State {
		case "down":
			say("high", cmp.Or(d.dep.Hint, "see the gateway’s log"), d.dep.Why, "The %s is down", d.name)
		case "degraded":
			say("medium", cmp.Or(d.dep.Hint, "see the gateway’s log"), d.dep.Why, "The %s is degraded", d.name)
		}
	}
	for i := range o.Routes {
		if r := &o.Routes[i]; r.State == "open" {
			say("critical", "mend what failed; what passed meanwhile is marked in its records", r.Why, "The route %s lets images pass although something failed", r.Name)
		} else if r.State == "closed" && slices.Contains(r.Destinations, control.WhoAsks) {
			say("critical", "mend what failed; devices may ask again then", r.Why, "The route %s gives no images to devices that ask for them", r.Name)
		} else if r.State == "closed" {
			say("critical", "mend what failed; senders keep their images and try again", r.Why, "The route %s takes no images", r.Name)
		}
	}
	for i := range o.Listeners {
		l := &o.Listeners[i]
		if l.State == "failed" {
			say("high", "see that nothing else uses the address, and that the certificate is there", l.Why, "The listener %s does not listen", l.Name)
		}
		if l.Plain > 0 {
			say("medium", "give them certificates, and take plain from their bindings", "", "%s may connect to %s in clear", counted(l.Plain, "device"), l.Name)
		}
	}
	if o.Policy.Error != "" {
		say("high", "correct the policy; the one before stays in force until then", o.Policy.Error, "A newer policy of the content firewall cannot be used")
	}
	for i := range destinations {
		d := &destinations[i]
		switch {
		case d.State == control.Gone:
			say(urgency(d), "configure it again, or give up for good what waits for it", "", "%s is not configured any more; %s for it", d.Name, verb(counted(d.Waiting+d.Dead, "image"), d.Waiting+d.Dead, "wait"))
		case d.Dead > 0:
			say("high", "look at why, then retry the destination, or give them up for good", d.Why, "%s for %s %s given up", counted(d.Dead, "image"), d.Name, map[bool]string{true: "was", false: "were"}[d.Dead == 1])
		case d.State == "backing-off" && d.Waiting > 0:
			say(urgency(d), cmp.Or(d.Hint, "try the way to it from the destinations"), d.Why, "%s cannot be reached; %s", d.Name, verb(counted(d.Waiting, "image"), d.Waiting, "wait"))
		case d.State == "paused" && d.Waiting > 0:
			say("medium", "resume it when it may take images again", "", "%s is paused; %s", d.Name, verb(counted(d.Waiting, "image"), d.Waiting, "wait"))
		}
	}
	if o.Held > 0 {
		say("medium", "look at them under quarantine: two people release or destroy each", "", "%s in quarantine", counted(o.Held, "image"))
	}
	return out
}

// urgency of a destination that cannot be reached: with a case in progress it is more.
func urgency(d *control.Destination) string {
	if d.Urgent > 0 {
		return "critical"
	}
	return "high"
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// verb gives counted things what they do.
func verb(things string, n int, what string) string {
	if n == 1 {
		what += "s"
	}
	return things + " " + what
}
