// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"maps"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/see/detect/alert"
	"github.com/asepsis/asepsis/see/detect/match"
	"github.com/asepsis/asepsis/see/detect/rule"
)

// The findings about detection itself. They are rules without a matcher.
var (
	ruleOff = &rule.Rule{
		ID: "sensor.rule-off", Family: "sensor", Version: 1, Confidence: 100, Severity: rule.Severity{Base: finding.Medium},
		Title:    "The rule {rule} is switched off: {why}",
		Analyst:  "A rule failed, or took far more time than it may, for long enough that it was switched off to protect the others. What it would have found is not found until it works again.",
		Room:     "One of many checks does not work at the moment. You can go on; nobody in the room has to do anything.",
		Playbook: []string{"Open the rule and read its last error.", "Correct it, or restore the version before; rules are loaded again when the file changes.", "Run a backtest over the time in which it was off."},
	}
	stateFlood = &rule.Rule{
		ID: "sensor.rule-state-flood", Family: "sensor", Version: 1, Confidence: 80, Severity: rule.Severity{Base: finding.Medium},
		Title:    "Something floods what the rule {rule} keeps count of",
		Analyst:  "More than a fifth of the keys that the rule keeps count of were given up within a minute to make room for new ones. Either there is far more traffic of this kind than usual, or somebody sends made-up addresses or names so that what really happens is forgotten.",
		Room:     "There is unusual traffic on the network. You can go on; the security team looks at it.",
		Attack:   []string{"T1498"},
		Playbook: []string{"Look at the events of the last minutes by source: one or few sources are a flood.", "Find the switch port of the source and have it closed if nobody can explain it."},
	}
	rulesBad = &rule.Rule{
		ID: "sensor.rules-not-loaded", Family: "sensor", Version: 1, Confidence: 100, Severity: rule.Severity{Base: finding.Medium},
		Title:    "Changed rules could not be loaded: {why}",
		Analyst:  "The rules on the disk have a mistake. Detection goes on with those that it had before.",
		Room:     "You can go on; nobody in the room has to do anything.",
		Playbook: []string{"Run asepsis rules test on the directory; it names file, line and what is allowed.", "Correct the file. It is loaded again by itself."},
	}
	findingsMany = &rule.Rule{
		ID: "sensor.too-many-findings", Family: "sensor", Version: 1, Confidence: 100, Severity: rule.Severity{Base: finding.Medium},
		Title:    "There are more findings than can be kept: {why}",
		Analyst:  "Findings are kept until they were closed for a long time. There are so many that closed ones had to go before their time, or that not all can be listed. Open ones are never removed.",
		Room:     "You can go on; nobody in the room has to do anything.",
		Playbook: []string{"List the rules with the most findings, and see which of them are noise here.", "Close what was looked at; suppress, with a reason and an end, what is known and allowed.", "Correct or switch off rules whose findings nobody needs."},
	}
)

// InternalRules are the rules of findings about detection itself.
func InternalRules() []*rule.Rule { return []*rule.Rule{ruleOff, stateFlood, rulesBad, findingsMany} }

// internal emits a finding about detection itself.
func (e *Engine) internal(r *rule.Rule, group string, values map[string]string) {
	p := match.PartitionOf(r.ID + keySep + group)
	word := func(n string) string { return values[n] }
	fill := func(text string) string {
		t, err := parseTemplate(text)
		if err != nil {
			return text
		}
		return t.fill(word)
	}
	o := &alert.Occurrence{Rule: r, Group: group, Time: e.clock, Count: 1, Severity: r.Severity.Base, Partition: p, Seq: e.at, Case: theatre.Idle,
		Title: fill(r.Title), Room: fill(r.Room), Entities: maps.Clone(values)}
	ev := finding.Evidence{Time: e.clock, Sentence: fill(r.Title)}
	for _, n := range []string{"rule", "why"} {
		if values[n] != "" {
			ev.Fields = append(ev.Fields, finding.Field{Name: n, Value: values[n], Decided: true})
		}
	}
	o.Evidence = []finding.Evidence{ev}
	e.emit(o)
}

// Check looks at what matchers report about themselves; once a minute is enough.
func (e *Engine) Check() {
	for _, c := range e.rules {
		if c.off == "" && c.matcher.Stats().Flood {
			e.internal(stateFlood, c.rule.ID, map[string]string{"rule": c.rule.ID})
		}
	}
}
