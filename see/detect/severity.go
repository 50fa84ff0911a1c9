// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/see/detect/alert"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
	"github.com/asepsis/asepsis/see/detect/suppress"
)

// severityOf is the severity of an occurrence, and why it is not the rule's own. The
// highest that applies counts. Maintenance wins over all, except that it
// never lowers the loss of something that a patient depends on during a case: what a
// window says of that is empty, see suppress.Set.Check.
func severityOf(r *rule.Rule, o *alert.Occurrence, w *scene.World, v suppress.Verdict) (sev finding.Severity, why []string) {
	sev = r.Severity.Base
	if o.Case == theatre.InCase && r.Severity.InCase > sev {
		sev = r.Severity.InCase
		why = []string{"a case is in progress in " + theatreName(w, o.Theatre)}
	}
	for _, id := range o.Devices {
		if w == nil {
			break
		}
		d := w.Device(id)
		if d == nil || d.Criticality == device.CriticalityUnset {
			continue
		}
		if s := r.Severity.Criticality[string(d.Criticality)]; s > sev {
			sev = s
			why = []string{"how much care depends on " + deviceTitle(w, id) + ": " + string(d.Criticality)}
		}
	}
	if m := r.Severity.Maintenance; m != 0 {
		switch {
		case v.Maintenance != "":
			return m, []string{v.Why}
		case o.Case == theatre.Maintenance:
			return m, []string{theatreName(w, o.Theatre) + " is in maintenance"}
		}
	} else if v.Maintenance != "" && v.Hidden == "" && sev > finding.Low {
		// A rule that does not say what maintenance means to it is not silent
		// during it, but waits.
		return finding.Low, []string{v.Why}
	}
	if v.Why != "" && v.Hidden != "" {
		why = append(why, v.Why)
	}
	return sev, why
}
