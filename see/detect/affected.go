// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/see/advisory"
	"github.com/asepsis/asepsis/see/detect/alert"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/inventory"
)

const (
	// maxAffected bounds how many alerts are made of advisories; the worst ones are.
	maxAffected = 5000
	// affectedEvery is the shortest time between two looks at all verdicts.
	affectedEvery = 5 * time.Second

	notAffected   = "The advisory does not apply to the device any more, or the risk was accepted."
	affectedAgain = "The advisory applies to the device again."
)

// affected is what was read of the advisories last.
type affected struct {
	library *advisory.Library
	next    time.Time // not before
	until   time.Time // a decision of a person ends then
	state   uint64
	changed uint64
	print   string
	done    bool
}

// advisories makes alerts of published vulnerabilities that devices of this site have,
// and closes those that do not apply any more. What people decided about an advisory
// counts: not affected, fixed and accepted are no finding.
func (r *Room) advisories(ctx context.Context) error {
	a, st, now := &r.affected, r.deps.Store, r.deps.Now()
	if now.Before(a.next) {
		return nil
	}
	if a.library == nil {
		a.library = advisory.NewLibrary(st)
	}
	_, state, err := advisory.ReadState(ctx, st)
	if err != nil || state == 0 {
		return err // nobody compares devices with advisories here
	}
	shelf, err := a.library.Get(ctx)
	if err != nil {
		return err
	}
	ended := !a.until.IsZero() && !now.Before(a.until)
	if a.done && !ended && state == a.state && shelf.Changed == a.changed && shelf.Print == a.print {
		return nil
	}
	matches, err := advisory.AllMatches(ctx, st, 200_000)
	if err != nil {
		return err
	}
	present := Affected(shelf, matches, r.world.Device, now)
	if n := len(present); n > maxAffected {
		r.problem("advisories", fmt.Sprintf("%d devices and advisories are more findings than are kept; the worst %d are", n, maxAffected))
		present = present[:maxAffected]
	} else {
		r.problem("advisories", "")
	}
	if err := r.standing(ctx, advisory.Rule, present, notAffected, affectedAgain); err != nil {
		return err
	}
	a.until = time.Time{}
	for i := range shelf.Decisions {
		if d := &shelf.Decisions[i]; d.Until != 0 && !d.Expired(now) {
			if t := time.Unix(0, d.Until); a.until.IsZero() || t.Before(a.until) {
				a.until = t
			}
		}
	}
	a.state, a.changed, a.print, a.done, a.next = state, shelf.Changed, shelf.Print, true, now.Add(affectedEvery)
	return nil
}

// Affected makes occurrences of the advisories that apply to devices, the worst first.
func Affected(shelf advisory.Shelf, matches map[string]advisory.Matches, known func(id string) *device.Device, now time.Time) []*alert.Occurrence {
	decisions := map[string][]advisory.Decision{}
	for _, d := range shelf.Decisions {
		decisions[d.Advisory] = append(decisions[d.Advisory], d)
	}
	var out []*alert.Occurrence
	for _, id := range slices.Sorted(maps.Keys(matches)) {
		d := known(id)
		if d == nil {
			continue
		}
		for _, m := range matches[id].Matches {
			var by *advisory.Decision
			if m.Verdict, by = advisory.Decide(m, d, decisions[m.Advisory], now); by != nil && by.Status == advisory.IsAccepted {
				continue
			}
			f, ok := shelf.Base.Finding(m, d, inventory.Title(d))
			if !ok {
				continue
			}
			out = append(out, ofAdvisory(&f, &m, d))
		}
	}
	slices.SortStableFunc(out, func(a, b *alert.Occurrence) int { return int(b.Severity) - int(a.Severity) })
	return out
}

// ofAdvisory makes an occurrence of one advisory that applies to one device.
func ofAdvisory(f *finding.Finding, m *advisory.Match, d *device.Device) *alert.Occurrence {
	r := &rule.Rule{ID: advisory.Rule, Family: "advisory", Version: 1, Confidence: uint8(min(max(m.Confidence, 0), 100)), Severity: rule.Severity{Base: f.Severity}, Title: f.Title, Room: f.Room, Attack: f.Attack,
		Analyst: "A published advisory describes vulnerabilities of this product in this version. The finding says what is known of the device, not that somebody attacks it.",
		Playbook: []string{
			"Open the advisory: it says what the manufacturer advises, and which version is without the fault.",
			"Ask clinical engineering whether the device may be updated, and when no case needs it.",
			"Until then, see that only those devices can reach it that have to.",
			"Write down on the advisory what was decided: affected, not affected and why, fixed, or accepted until when. The finding follows.",
		}}
	at := m.Since
	if at == 0 {
		at = f.Last
	}
	o := &alert.Occurrence{Rule: r, Group: m.Advisory + keySep + d.ID, Time: at, Count: 1, Severity: f.Severity, Title: f.Title, Room: f.Room, Devices: f.Devices, Theatre: d.Theatre,
		Entities: map[string]string{"advisory": m.Advisory, "cves": strings.Join(m.CVEs, ", ")}}
	for _, e := range f.Evidence {
		o.Evidence = append(o.Evidence, finding.Evidence{Time: at, Sentence: e})
	}
	return o
}
