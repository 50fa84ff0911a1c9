// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"slices"

	"github.com/asepsis/asepsis/guard/gateway/instance"
)

// Trial is a policy that is tried on what came before. What others know now, of worklists, of the case in a room, of the
// instances that are kept, says nothing of then: the rules that ask for it are judged where they met when the instance came, by
// its record. Its methods may be called from any goroutine.
type Trial struct{ f *Firewall }

func newTrial(p *Policy, d Deps) *Trial {
	d.Expected, d.InRoom, d.Known = nil, nil, nil
	return &Trial{New(p, d)}
}

// Policy is the SHA-256 of the policy that is tried.
func (t *Trial) Policy() string { return t.f.Policy() }

// Begin begins to inspect an instance of which a record is kept as it would have been when it came.
func (t *Trial) Begin(r *instance.Record) instance.Inspection {
	a := instance.Arrival{Sender: r.Sender, At: r.Received, SOPClass: r.SOPClass, SOPInstance: r.SOPInstance, TransferSyntax: r.TransferSyntax, Case: r.Case, PreambleKind: preambleOf(r)}
	x := t.f.begin(a, t.f.Current())
	for _, h := range r.Hits {
		if is, known := ruleNamed(h.Rule); known && slices.Contains(remembered[:], is) {
			x.hitAt(is, h.Path, h.Why)
		}
	}
	return x
}

// remembered are the rules that ask others.
var remembered = [...]rule{patientOther, patientUnexpected, patientMissing, identityDuplicate}

// preambleOf is what an instance's preamble was. Records of before it was kept tell by the rules that met.
func preambleOf(r *instance.Record) instance.PreambleKind {
	if r.Preamble.Kind != "" {
		return r.Preamble.Kind
	}
	for _, h := range r.Hits {
		switch is, _ := ruleNamed(h.Rule); is {
		case preambleExecutable:
			if h.Rule == table[preambleExecutable].Name {
				return instance.PreambleExecutable
			}
		case preambleTIFF:
			return instance.PreambleTIFF
		case preambleOther:
			return instance.PreambleOther
		}
	}
	return ""
}
