// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"context"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/standing"
	"github.com/asepsis/asepsis/see/detect/alert"
	"github.com/asepsis/asepsis/see/detect/rule"
)

const (
	toldOver  = "It is not so any more."
	toldAgain = "It is so again."
)

// told makes alerts of what other rooms say is so now, and closes those that are over.
func (r *Room) told(ctx context.Context) error {
	lists, err := standing.All(ctx, r.deps.Store)
	if err != nil {
		return err
	}
	for i := range lists {
		l := &lists[i]
		var present []*alert.Occurrence
		for j := range l.Matters {
			present = append(present, r.ofMatter(l.Family, &l.Matters[j]))
		}
		if err := r.standing(ctx, l.Family+".", present, toldOver, toldAgain); err != nil {
			return err
		}
	}
	return nil
}

// ofMatter makes an occurrence of what a room said.
func (r *Room) ofMatter(family string, m *standing.Matter) *alert.Occurrence {
	of := &rule.Rule{ID: m.Rule, Family: family, Version: 1, Confidence: 100, Severity: rule.Severity{Base: m.Severity}, Title: m.Title, Room: m.Room, Attack: m.Attack, Analyst: m.Analyst, Playbook: m.Playbook}
	at := m.Last
	if at == 0 {
		at = r.deps.Now().UnixNano()
	}
	o := &alert.Occurrence{Rule: of, Group: m.Key, Time: at, Count: max(m.Count, 1), Severity: m.Severity, Title: m.Title, Room: m.Room, Devices: m.Devices, Theatre: m.Theatre}
	if o.Theatre == "" && len(m.Devices) > 0 {
		if d := r.world.Device(m.Devices[0]); d != nil {
			o.Theatre = d.Theatre
		}
	}
	for _, e := range m.Evidence {
		o.Evidence = append(o.Evidence, finding.Evidence{Time: at, Sentence: e})
	}
	return o
}
