// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"context"
	"encoding/json"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/see/detect/alert"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/recorder"
)

// conflictFamily begins the rules of what the inventory cannot reconcile.
const conflictFamily = "inventory."

// reconciled is why an alert about a device that disagrees is closed.
const reconciled = "The evidence about the device agrees again."

// conflicts makes alerts of what the inventory cannot reconcile, and closes those that
// are reconciled.
func (r *Room) conflicts(ctx context.Context) error {
	docs, err := r.deps.Store.DocumentsOf(ctx, recorder.FindingKind, "", 10_000)
	if err != nil {
		return err
	}
	var present []*alert.Occurrence
	for _, d := range docs {
		var f recorder.Finding
		if err := json.Unmarshal(d.Body, &f); err == nil {
			present = append(present, OfConflict(&f, d.ID))
		}
	}
	return r.standing(ctx, conflictFamily, present, reconciled, "It disagrees again.")
}

// OfConflict makes an occurrence of what the inventory cannot reconcile.
func OfConflict(f *recorder.Finding, id string) *alert.Occurrence {
	r := &rule.Rule{ID: f.Rule, Family: "inventory", Version: 1, Confidence: 80, Severity: rule.Severity{Base: f.Severity}, Title: f.Title, Room: f.Room, Attack: f.Attack,
		Analyst:  "What was seen of a device cannot all be true. Two devices may share an address or a name, somebody may pretend to be a device, or a device was replaced.",
		Playbook: []string{"Open the device and compare the evidence: which sources say what, and since when.", "Find out where each of the addresses is plugged in.", "If it is one device, merge the two; if it was replaced, write that down."},
	}
	o := &alert.Occurrence{Rule: r, Group: id, Time: f.Last, Count: max(f.Count, 1), Severity: f.Severity, Title: f.Title, Room: f.Room, Devices: f.Devices, Theatre: f.Theatre}
	for _, e := range f.Evidence {
		o.Evidence = append(o.Evidence, finding.Evidence{Time: f.Last, Sentence: e})
	}
	return o
}
