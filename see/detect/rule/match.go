// SPDX-License-Identifier: Apache-2.0

package rule

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"github.com/asepsis/asepsis/core/event"
)

// Kind is the name of the matcher that is set: "count"; "" when none is.
func (m *Match) Kind() string {
	for _, k := range m.set() {
		return k
	}
	return ""
}

func (m *Match) set() []string {
	var out []string
	for _, k := range []struct {
		name string
		set  bool
	}{
		{"trigger", m.Trigger != nil}, {"count", m.Count != nil}, {"unique", m.Unique != nil}, {"sequence", m.Sequence != nil}, {"absence", m.Absence != nil},
		{"rate", m.Rate != nil}, {"baseline", m.Baseline != nil}, {"ioc", m.IOC != nil}, {"go", m.Go != nil},
	} {
		if k.set {
			out = append(out, k.name)
		}
	}
	return out
}

// Selects are the selections of the matcher in their order: one for most, one for each step
// of a sequence, for absence the events and, where set, the orderly end. None for "go":
// the analysis says what it wants.
func (m *Match) Selects() []On {
	switch {
	case m.Trigger != nil:
		return []On{m.Trigger.On}
	case m.Count != nil:
		return []On{m.Count.On}
	case m.Unique != nil:
		return []On{m.Unique.On}
	case m.Sequence != nil:
		out := make([]On, len(m.Sequence.Steps))
		for i := range m.Sequence.Steps {
			out[i] = m.Sequence.Steps[i].On
		}
		return out
	case m.Absence != nil:
		if m.Absence.Until != nil {
			return []On{m.Absence.On, *m.Absence.Until}
		}
		return []On{m.Absence.On}
	case m.Rate != nil:
		return []On{m.Rate.On}
	case m.Baseline != nil:
		return []On{m.Baseline.On}
	case m.IOC != nil:
		return []On{m.IOC.On}
	}
	return nil
}

// Selects are the selections of an analysis with the rule's own condition.
func (g *Go) Selects(on []On) []On {
	if g.When == "" {
		return on
	}
	out := slices.Clone(on)
	for i := range out {
		if out[i].When != "" {
			out[i].When = "(" + out[i].When + ") && (" + g.When + ")"
		} else {
			out[i].When = g.When
		}
	}
	return out
}

// classNamed finds a class by its name.
func classNamed(name string) (event.Class, bool) {
	i := slices.IndexFunc(event.Classes(), func(c event.Class) bool { return c.Name() == name })
	if i < 0 {
		return 0, false
	}
	return event.Classes()[i], true
}

// Classes are the classes that it selects; none for all. Names that are no class are left out.
func (o *On) Classes() []event.Class {
	var out []event.Class
	for _, n := range o.Class {
		if c, ok := classNamed(n); ok {
			out = append(out, c)
		}
	}
	return out
}

// classesOf are the classes of several selections; none when one of them selects all.
func classesOf(ons []On) []event.Class {
	var out []event.Class
	for i := range ons {
		cs := ons[i].Classes()
		if len(cs) == 0 {
			return nil
		}
		for _, c := range cs {
			if !slices.Contains(out, c) {
				out = append(out, c)
			}
		}
	}
	slices.Sort(out)
	return out
}

// BuiltIn are the names that templates have for every rule, beside the rule's
// values and what its matcher gives.
func BuiltIn() []string {
	return []string{"src", "dst", "device", "peer", "theatre", "protocol", "port", "time", "count", "expected"}
}

// Gives are the names that a matcher adds for templates.
func (m *Match) Gives() []string {
	switch m.Kind() {
	case "count":
		return []string{"count", "window"}
	case "unique":
		return []string{"count", "window", "values"}
	case "sequence":
		return []string{"steps", "took", "window"}
	case "absence":
		return []string{"silence", "usual", "seen", "key"}
	case "rate":
		return []string{"rate", "usual", "limit", "window"}
	case "baseline":
		return []string{"value", "known", "since"}
	case "ioc":
		return []string{"indicator", "field", "list"}
	}
	return nil
}

// Hash identifies what a rule finds: matcher, values and group. State that was
// kept under another hash is of no use to the rule.
func Hash(r *Rule) string {
	data, err := json.Marshal(struct {
		Match  Match
		Values []Value
		Group  Group
	}{r.Match, r.Values, r.Group})
	if err != nil {
		panic("BUG: a rule that JSON cannot write: " + err.Error())
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}

// MaxWindow is the longest time that a matcher looks back.
const MaxWindow = 31 * 24 * time.Hour
