// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/platform/standing"
)

// Destinations says how every destination is, in the order of the configuration, and then those that something
// waits for though they are not configured any more.
func (f *Forwarder) Destinations() []control.Destination {
	out := make([]control.Destination, len(f.dests))
	for i, d := range f.dests {
		out[i] = d.status()
	}
	return append(out, f.orphans.destinations(f.urgent)...)
}

func (d *destination) status() control.Destination {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, now := &d.cfg, d.f.now()
	out := control.Destination{Name: c.Name, Kind: c.Kind, Address: c.Address, CalledAE: c.CalledAE, CallingAE: c.CallingAE, TLS: c.TLS != TLSNone, Deid: c.Deid, Theatre: c.Theatre,
		State: "idle", Waiting: len(d.q.items), Urgent: d.q.urgents(d.f.urgent), Bytes: d.q.bytes, InFlight: d.q.taken, Dead: len(d.dead), Sent: d.sent,
		PerSecond: d.rate.perSecond(now), Oldest: d.q.oldest(), Success: d.success, Failure: d.failure, Commitment: "off"}
	if c.Kind == KindSTOW {
		out.Address = c.Stow.URL
	}
	switch {
	case d.paused:
		out.State = "paused"
	case d.fails > 0:
		out.State, out.Next = "backing-off", d.rest
	case d.q.taken > 0:
		out.State = "sending"
	}
	if d.fails > 0 {
		out.Why, out.Hint = d.why, d.hint
	}
	if c.Commitment {
		out.Commitment = "ok"
		if n := len(d.commit.waiting) + len(d.commit.asked); n > 0 {
			out.Commitment, out.CommitmentWaiting = "waiting", n
		}
	}
	return out
}

// Routes says how every route is.
func (f *Forwarder) Routes() []control.RouteState {
	err := f.ledger.why()
	out := make([]control.RouteState, len(f.routes))
	for i, r := range f.routes {
		out[i] = control.RouteState{Name: r.Name, Match: r.match(), Destinations: r.To, Fail: r.Fail, State: "ok"}
		if err != nil {
			out[i].State, out[i].Why = "closed", "the ledger does not record deliveries: "+err.Error()
			if r.Fail == FailOpen {
				out[i].State = "open"
			}
		}
	}
	return out
}

// Doubts returns how many instances were being sent when the gateway ended last, and how many sendings since the
// start were not the first of their instance.
func (f *Forwarder) Doubts() (inDoubt int, again uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.doubt, f.again
}

// Actions of Steer.
const (
	ActionPause  = "pause"
	ActionResume = "resume"
	ActionRetry  = "retry"
)

// Steer pauses, resumes or retries a destination. Retry also revives what was given up.
func (f *Forwarder) Steer(name, action string) error {
	d := f.byName[name]
	if d == nil {
		return &control.Refused{Code: "not-found", What: fmt.Sprintf("there is no destination %q", name)}
	}
	switch action {
	case ActionPause, ActionResume:
		d.mu.Lock()
		d.paused = action == ActionPause
		if !d.paused {
			d.rest = time.Time{}
		}
		d.signalLocked()
		d.mu.Unlock()
		return f.writePaused()
	case ActionRetry:
		return d.retry()
	}
	return &control.Refused{Code: "invalid", What: fmt.Sprintf("%q is nothing that can be done with a destination", action), Tip: "pause, resume or retry"}
}

// held is how far away the time of a delivery is that waits for something else than time: until the ledger knows
// of the instance, which nobody can hurry.
const held = 10 * 365 * 24 * time.Hour

// retry ends every wait, and revives what was given up.
func (d *destination) retry() error {
	d.mu.Lock()
	d.rest, d.fails = time.Time{}, 0
	dead := make([]uint64, 0, len(d.dead))
	for n := range d.dead {
		dead = append(dead, n)
	}
	now := d.f.now()
	for _, it := range d.q.items {
		if it.state == delayed && it.next.Sub(now) < held {
			it.next = time.Time{}
			d.q.place(it, now)
		}
	}
	for uid, t := range d.commit.open {
		d.commit.again(uid, t, now)
	}
	d.signalLocked()
	d.mu.Unlock()
	slices.Sort(dead)
	_, err := d.f.each(context.Background(), dead, d.cfg.Name, func(_ *instance.Record, v *instance.Delivery) bool {
		if v.State != instance.Dead {
			return false
		}
		v.State, v.Next, v.Attempts = instance.Waiting, time.Time{}, 0
		return true
	})
	return err
}

// unreachableAlarm is how long a destination may be away before it is a matter, while no case waits for it.
const unreachableAlarm = 2 * time.Minute

// Matters says what needs a person now, for platform/standing: rules of the family "gateway".
func (f *Forwarder) Matters() []standing.Matter {
	now := f.now()
	var out []standing.Matter
	add := func(rule, key, theatre string, severity finding.Severity, count int, since time.Time, title, room, analyst string, playbook ...string) {
		if since.IsZero() {
			since = now
		}
		at := since.UnixNano()
		out = append(out, standing.Matter{Key: key, Theatre: theatre, Analyst: analyst, Playbook: playbook, Finding: finding.Finding{Rule: "gateway." + rule, Severity: severity, Title: title,
			Room: room, Devices: []string{}, Count: uint64(max(count, 1)), First: at, Last: at, Attack: []string{}, Evidence: []string{}}})
	}
	for _, d := range f.dests {
		s := d.status()
		d.mu.Lock()
		fails, since, paused, owed := d.fails, d.since, d.paused, len(d.owed)
		d.mu.Unlock()
		urgent := s.Urgent > 0
		room := ""
		if urgent {
			room = "New images do not reach " + s.Name + " at the moment. What is already there is not affected. Call the security engineer."
		}
		if fails > 0 && s.Waiting > 0 && (urgent || now.Sub(since) >= unreachableAlarm) {
			severity := finding.Medium
			if urgent {
				severity = finding.Critical
			}
			add("destination-unreachable", s.Name, s.Theatre, severity, s.Waiting, since, fmt.Sprintf("%s takes no instances; %d wait for it", s.Name, s.Waiting), room,
				s.Why, s.Hint, "Try it: gateway, destinations, try.", "What waits is kept, and sent when the destination answers.")
		} else if !s.Oldest.IsZero() && now.Sub(s.Oldest) > f.cfg.Lag {
			severity := finding.Medium
			if urgent {
				severity = finding.High
			}
			add("destination-lag", s.Name, s.Theatre, severity, s.Waiting, s.Oldest.Add(f.cfg.Lag), fmt.Sprintf("Instances wait for %s for more than %v", s.Name, f.cfg.Lag), room,
				map[bool]string{true: "Somebody paused the destination.", false: "The destination takes less than comes."}[paused], "Resume the destination if it is paused.", "Allow more associations, or find out why it is slow.")
		}
		if s.Dead > 0 {
			add("dead-letters", s.Name, s.Theatre, finding.High, s.Dead, s.Failure, fmt.Sprintf("%d instances for %s were given up", s.Dead, s.Name),
				"Some images did not reach "+s.Name+". Call the security engineer.", "Each record says why. Their bytes are kept.", "Look at the instances that were given up, and why.", "Mend the cause, then retry the destination.")
		}
		if s.CommitmentWaiting > 0 {
			d.mu.Lock()
			late := d.commit.late(now, d.cfg.CommitWithin)
			d.mu.Unlock()
			if late > 0 {
				add("commitment-overdue", s.Name, s.Theatre, finding.Medium, late, now, fmt.Sprintf("%s has not said that it stored %d instances for good", s.Name, late), "",
					"The destination was asked for storage commitment and did not report.", "Is the gateway known to the destination, with its address and AE title, so that it can report?")
			}
		}
		if owed > 0 {
			add("delivery-unrecorded", s.Name, s.Theatre, finding.High, owed, now, fmt.Sprintf("%d deliveries to %s are not in the ledger yet", owed, s.Name), "",
				"The ledger did not record when they were made. They are told as soon as it does.", "Look at the ledger.")
		}
	}
	for _, d := range f.orphans.destinations(f.urgent) {
		severity, room := finding.High, ""
		if d.Urgent > 0 {
			room = "Some images do not reach " + d.Name + ", which the gateway does not know any more. Call the security engineer."
		}
		n := d.Waiting + d.Dead
		add("destination-missing", d.Name, "", severity, n, d.Oldest, fmt.Sprintf("%s for %s, which is not configured any more", waitFor(n), d.Name), room,
			"They are kept until somebody decides.", "Configure the destination again, or give up for good what waits for it: gateway, destinations.")
	}
	return out
}

// late counts what was delivered long ago and not reported on, however often it was asked for since.
func (c *commits) late(now time.Time, within time.Duration) int {
	n := 0
	for _, at := range c.since {
		if now.Sub(at) > 2*within {
			n++
		}
	}
	return n
}
