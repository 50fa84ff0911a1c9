// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/custody"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/prove/ledger"
)

// What can happen to an instance, in the order in which it does.
const (
	saidReceived    = "received"
	saidRefused     = "refused"
	saidQuarantined = "quarantined"
	saidSanitised   = "sanitised"
	saidReleased    = "released"
	saidDestroyed   = "destroyed"
	saidForwarded   = "forwarded"
	saidCommitted   = "committed"
	saidWaiting     = "waiting"
	saidFailed      = "failed"
	saidDropped     = "dropped"
)

// storyteller says what happened to instances, from the scanner to the processor.
type storyteller struct {
	world   *world
	proof   *proof
	gateway *gateway
	steps   map[stepKey]*ImagingStep
}

type stepKey struct{ what, device, destination string }

// events are what happened to an instance, in its order. What the gateway knows is
// joined with the ledger's entries about it; an entry that fits nothing is not
// shown here, it is in the detail of the instance.
func (t *storyteller) events(rec *instance.Record) []ImagingEvent {
	used := make([]bool, len(rec.Entries))
	// take finds the first entry of the kind that is not used yet; several deliveries can
	// be in one entry, which then is used by all of them.
	take := func(kind custody.Kind, destination string) *instance.Entry {
		for i := range rec.Entries {
			e := &rec.Entries[i]
			if used[i] || e.Kind != string(kind) || e.Destination != "" && e.Destination != destination {
				continue
			}
			used[i] = e.Destination != "" || destination == ""
			return e
		}
		return nil
	}
	var out []ImagingEvent
	say := func(what, sentence, destination string, at time.Time, e *instance.Entry) *ImagingEvent {
		x := ImagingEvent{What: what, Sentence: sentence, Destination: destination, At: at.UTC()}
		if t.proof.Origin != "" {
			x.Custody = custodyNone
		}
		if e != nil {
			if index := e.Index; t.proof.Origin != "" {
				x.Entry, x.Custody = &index, t.proof.of(index)
				if x.Custody != string(ledger.Recorded) {
					x.Receipt = t.gateway.link("/imaging/entries/" + strconv.FormatUint(index, 10) + "/receipt")
				}
			}
			if what != saidReceived && !e.At.IsZero() {
				x.At = e.At.UTC()
			}
		}
		out = append(out, x)
		return &out[len(out)-1]
	}
	from := cmp.Or(t.world.nameIfKnown(rec.Sender.Device), rec.Sender.CallingAE, rec.Sender.Device, rec.Sender.Address)
	rules := rulesOf(rec)
	switch {
	case rec.State == instance.Refused:
		say(saidRefused, "Refused from "+from+rules, "", rec.Received, take(custody.Decision, "")).Custody = t.decided(rec)
		return out
	case rec.Original != 0:
		say(saidSanitised, fmt.Sprintf("Made of instance %d by taking out what the firewall met%s", rec.Original, rules), "", rec.Received, take(custody.Altered, "")).Other = rec.Original
	default:
		say(saidReceived, "Received from "+from+flagged(rec, rules), "", rec.Received, take(custody.Received, ""))
	}
	if rec.Verdict == instance.Quarantine {
		say(saidQuarantined, "Held in quarantine"+rules, "", rec.Received, take(custody.Decision, ""))
	}
	switch rec.State {
	case instance.Replaced:
		say(saidSanitised, fmt.Sprintf("Kept in quarantine; instance %d goes on in its place%s", rec.Copy, rules), "", rec.Received, take(custody.Decision, "")).Other = rec.Copy
	case instance.Released:
		say(saidReleased, "Released by two people", "", rec.Received, last(rec.Entries, custody.Override))
	case instance.Destroyed:
		say(saidDestroyed, "Destroyed by two people", "", rec.Received, last(rec.Entries, custody.Override))
	case instance.Accepted, instance.Quarantined, instance.Refused:
	}
	for i := range rec.Deliveries {
		d := &rec.Deliveries[i]
		to := d.Destination
		switch d.State {
		case instance.Delivered, instance.Committed:
			x := say(saidForwarded, "Sent to "+to+changed(rec, d), to, d.At, take(custody.Forwarded, to))
			if e := take(custody.Altered, to); e != nil && t.proof.Origin != "" {
				index := e.Index
				x.Alteration, x.Custody = &index, weaker(x.Custody, t.proof.of(index))
			}
			if d.State == instance.Committed {
				c := say(saidCommitted, to+" took responsibility for it (storage commitment)", to, d.At, nil)
				c.Custody = ""
			}
		case instance.Waiting:
			x := say(saidWaiting, waiting(d), to, cmp.Or(d.At, rec.Received), nil)
			x.Custody = ""
		case instance.Dead:
			x := say(saidFailed, "Given up for "+to+phrase(": ", d.Why), to, d.At, nil)
			x.Custody = ""
		case instance.Dropped:
			e := decidedOf(rec.Entries, to)
			x := say(saidDropped, "Not sent to "+to+" any more"+phrase(": ", d.Why), to, cmp.Or(d.At, rec.Received), e)
			if e == nil {
				x.Custody = "" // its profile said so, and nobody decided
			}
		}
	}
	slices.SortStableFunc(out, func(a, b ImagingEvent) int { return a.At.Compare(b.At) })
	return out
}

// decided is the custody of what was refused: the entry of the decision, where there is one.
func (t *storyteller) decided(rec *instance.Record) string { return t.proof.weakest(rec.Entries) }

// decidedOf finds the newest decision about the delivery to a destination.
func decidedOf(list []instance.Entry, destination string) *instance.Entry {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].Kind == string(custody.Decision) && list[i].Destination == destination {
			return &list[i]
		}
	}
	return nil
}

// last finds the newest entry of a kind.
func last(list []instance.Entry, kind custody.Kind) *instance.Entry {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].Kind == string(kind) {
			return &list[i]
		}
	}
	return nil
}

func rulesOf(rec *instance.Record) string {
	var names []string
	for _, h := range rec.Hits {
		if h.Verdict == rec.Verdict && !slices.Contains(names, h.Rule) {
			names = append(names, h.Rule)
		}
	}
	if len(names) == 0 {
		return ""
	}
	more := ""
	if n := len(names) - 3; n > 0 {
		more, names = " and "+itoa(n)+" more", names[:3]
	}
	return ": " + strings.Join(names, ", ") + more
}

func flagged(rec *instance.Record, rules string) string {
	switch rec.Verdict {
	case instance.Flag:
		return ", flagged" + rules
	case instance.Pass:
		return ", nothing met"
	case instance.Sanitise, instance.Quarantine, instance.Refuse:
	}
	return ""
}

func changed(rec *instance.Record, d *instance.Delivery) string {
	switch {
	case d.Forwarded == "":
		return ""
	case d.Forwarded == rec.DataSet:
		return ", bit for bit as it was received"
	}
	return ", changed as its profile says"
}

func waiting(d *instance.Delivery) string {
	switch {
	case d.Attempts == 0 && d.Urgent:
		return "Waits to be sent to " + d.Destination + ", first: a case is in progress"
	case d.Attempts == 0:
		return "Waits to be sent to " + d.Destination
	}
	return fmt.Sprintf("Waits to be sent to %s again after %d attempts%s", d.Destination, d.Attempts, phrase(": ", d.Why))
}

// add counts what happened to an instance into the steps.
func (t *storyteller) add(rec *instance.Record) {
	if t.steps == nil {
		t.steps = map[stepKey]*ImagingStep{}
	}
	for _, e := range t.events(rec) {
		k := stepKey{what: e.What, destination: e.Destination}
		if e.Destination == "" {
			k.device = rec.Sender.Device
		}
		x := t.steps[k]
		if x == nil {
			x = &ImagingStep{What: e.What, Device: k.device, DeviceName: t.world.nameIfKnown(k.device), Destination: k.destination, First: e.At, Last: e.At}
			t.steps[k] = x
		}
		x.Instances++
		x.Bytes += rec.Bytes
		if e.At.Before(x.First) {
			x.First = e.At
		}
		if e.At.After(x.Last) {
			x.Last = e.At
		}
		x.Custody = weaker(x.Custody, e.Custody)
		if e.Entry != nil {
			x.Entries++
		}
	}
}

// sum returns the steps in the order of their first moment.
func (t *storyteller) sum() []ImagingStep {
	out := make([]ImagingStep, 0, len(t.steps))
	for _, x := range t.steps {
		x.Sentence = stepSentence(x)
		out = append(out, *x)
	}
	order := []string{saidReceived, saidRefused, saidQuarantined, saidSanitised, saidReleased, saidDestroyed, saidForwarded, saidCommitted, saidWaiting, saidFailed, saidDropped}
	slices.SortFunc(out, func(a, b ImagingStep) int {
		return cmp.Or(a.First.Compare(b.First), cmp.Compare(slices.Index(order, a.What), slices.Index(order, b.What)), cmp.Compare(a.Device, b.Device), cmp.Compare(a.Destination, b.Destination))
	})
	return out
}

func stepSentence(x *ImagingStep) string {
	n := "1 image"
	if x.Instances != 1 {
		n = itoa(x.Instances) + " images"
	}
	from := cmp.Or(x.DeviceName, x.Device)
	was := "was"
	if x.Instances != 1 {
		was = "were"
	}
	switch x.What {
	case saidReceived:
		return n + " received" + phrase(" from ", from)
	case saidRefused:
		return n + " refused" + phrase(" from ", from)
	case saidQuarantined:
		return n + " held in quarantine"
	case saidSanitised:
		return n + " sanitised"
	case saidReleased:
		return n + " released by two people"
	case saidDestroyed:
		return n + " destroyed by two people"
	case saidForwarded:
		return n + " sent to " + x.Destination
	case saidCommitted:
		return x.Destination + " took responsibility for " + n
	case saidWaiting:
		return n + " waiting for " + x.Destination
	case saidFailed:
		return n + " " + was + " given up for " + x.Destination
	}
	return n + " not sent to " + x.Destination + " any more"
}
