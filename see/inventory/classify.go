// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/device"
)

// parent gives the wider class that a class is a case of. Evidence for the
// wider one supports the narrower one.
func parent(c device.Class) device.Class {
	switch c {
	case device.ClassCT, device.ClassMR, device.ClassUltrasound, device.ClassXRay, device.ClassCArm, device.ClassAngiography, device.ClassNuclear, device.ClassEndoscopy:
		return device.ClassModality
	case device.ClassPACS, device.ClassImageProcessor, device.ClassXRProcessor, device.ClassInterfaceEngine, device.ClassEHR, device.ClassRTLS:
		return device.ClassServer
	case device.ClassXRHeadset:
		return device.ClassMobile
	}
	return ""
}

// narrowerFrom is the score from which a narrower class is preferred to the
// wider one it is a case of.
const narrowerFrom = 0.30

// rivalry is how much a contradicting class takes from the confidence.
const rivalry = 0.35

// judgeClass weighs all votes.
//
// Votes of one group for one class are one witness: the heaviest counts.
// Independent witnesses add up as chances do (one minus the product of the
// doubts). A wider class supports its narrower ones by 40 %. What an unrelated
// class gets is taken off, and what stays under Config.UnknownBelow is not
// stated as a class at all.
func (i *Inventory) judgeClass(d *dossier, c *component, j *judgement) {
	votes := append(d.votes, i.rules.votes(d)...)
	for k := range d.clues[device.AttrClass] {
		x := &d.clues[device.AttrClass][k]
		if cl := device.Class(x.value); cl.Valid() && cl != device.ClassUnknown {
			votes = append(votes, vote{class: cl, weight: int(min(x.conf, 90)), group: "stated." + family(x.source), why: saysSo + " (" + x.source + ")", source: x.source})
		}
	}
	if len(votes) == 0 {
		j.class, j.why = device.ClassUnknown, "Nothing seen so far tells what it is for."
		return
	}
	slices.SortFunc(votes, func(a, b vote) int {
		return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.class, b.class), cmp.Compare(a.group, b.group), cmp.Compare(a.why, b.why))
	})
	type witness struct {
		class device.Class
		group string
	}
	heard := map[witness]bool{}
	doubt := map[device.Class]float64{}
	var kept []vote
	for _, v := range votes {
		w := witness{v.class, v.group}
		if heard[w] {
			continue
		}
		heard[w] = true
		if _, ok := doubt[v.class]; !ok {
			doubt[v.class] = 1
		}
		doubt[v.class] *= 1 - float64(v.weight)/100
		kept = append(kept, v)
	}
	type score struct {
		class device.Class
		s     float64
	}
	var scores []score
	for cl, q := range doubt {
		if p := parent(cl); p != "" {
			if pq, ok := doubt[p]; ok {
				q *= 1 - 0.4*(1-pq)
			}
		}
		scores = append(scores, score{cl, 1 - q})
	}
	slices.SortFunc(scores, func(a, b score) int {
		return cmp.Or(cmp.Compare(b.s, a.s), cmp.Compare(a.class, b.class))
	})
	top := scores[0]
	for _, s := range scores[1:] {
		if parent(s.class) == top.class && s.s >= narrowerFrom {
			top = s
			break
		}
	}
	rival := score{}
	for _, s := range scores {
		if s.class != top.class && parent(s.class) != top.class && parent(top.class) != s.class && s.s > rival.s {
			rival = s
		}
	}
	conf := top.s * (1 - rivalry*rival.s)
	j.class, j.conf = top.class, device.Confidence(min(95, int(conf*100+0.5)))
	var because []string
	for _, v := range kept {
		if (v.class == top.class || v.class == parent(top.class)) && len(because) < 4 && !slices.Contains(because, v.why) {
			because = append(because, v.why)
		}
	}
	j.why = sentence(foldStatements(because))
	// Whether a computer is a workstation or a server matters to nobody's care.
	if rival.s >= 0.5 && rival.s >= top.s-0.15 && (top.class.Medical() || rival.class.Medical()) {
		j.conflicts = append(j.conflicts, device.Conflict{Attribute: device.AttrClass, Values: []string{string(top.class), string(rival.class)}, Why: "the evidence speaks for both"})
	}
	if j.conf < i.cfg.UnknownBelow {
		j.why = fmt.Sprintf("Too weak to say: at best %s (%d %%), because it %s", j.class, j.conf, lowerFirst(j.why))
		j.class = device.ClassUnknown
	}
}

// saysSo begins the reason of a class that a device states itself.
const saysSo = "says so in its own messages"

// foldStatements makes one clause of what a device states in several protocols.
func foldStatements(clauses []string) []string {
	var out []string
	at := -1
	for _, c := range clauses {
		source, ok := strings.CutPrefix(c, saysSo+" (")
		switch {
		case !ok:
			out = append(out, c)
		case at < 0:
			at = len(out)
			out = append(out, c)
		default:
			out[at] = strings.TrimSuffix(out[at], ")") + ", " + source
		}
	}
	return out
}

// sentence joins clauses into one.
func sentence(clauses []string) string {
	if len(clauses) == 0 {
		return ""
	}
	s := strings.Join(clauses, "; ") + "."
	return strings.ToUpper(s[:1]) + s[1:]
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
