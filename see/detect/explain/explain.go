// SPDX-License-Identifier: Apache-2.0

// Package explain says what each rule makes of one event: whether it asks for events
// of this kind, which of its conditions was false and with what values, whether its
// matcher counted the event, and what it found.
//
// It compiles a rule's conditions anew and holds no state; who wants to know what
// a matcher found runs an engine over what came before (see Run).
package explain

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/see/detect"
	"github.com/asepsis/asepsis/see/detect/alert"
	"github.com/asepsis/asepsis/see/detect/analysis"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// Outcome is how far an event came in a rule.
type Outcome string

// The outcomes, the least first.
const (
	Disabled Outcome = "disabled"  // the rule is switched off
	NotAsked Outcome = "not-asked" // the rule asks for other events
	False    Outcome = "false"     // a condition is false
	Failed   Outcome = "failed"    // a condition could not be evaluated, which counts as false
	Selected Outcome = "selected"  // all conditions hold: the matcher was shown it
	Found    Outcome = "found"     // the matcher fired at it
)

// Verdict is what one rule made of an event.
type Verdict struct {
	Rule    string  `json:"rule"`
	Matcher string  `json:"matcher"`
	Outcome Outcome `json:"outcome"`
	// Why is a sentence: which class, protocol or activity it asks for instead, or which condition decided.
	Why   string `json:"why,omitempty"`
	Step  int    `json:"step"` // the selection of the matcher that came furthest, from 0
	Parts []Part `json:"conditions,omitempty"`
	Title string `json:"title,omitempty"` // of what was found
}

// Part is one condition of the chain.
type Part struct {
	Text   string          `json:"text"`
	Holds  bool            `json:"holds"`
	Error  string          `json:"error,omitempty"`
	Fields []finding.Field `json:"fields,omitempty"`
}

// Scene explains what every rule makes of one event by itself.
func Scene(c *detect.Content, s *scene.Scene) []Verdict {
	out := make([]Verdict, 0, len(c.Rules))
	for _, r := range c.Rules {
		out = append(out, one(c, r, s))
	}
	return out
}

func one(c *detect.Content, r *rule.Rule, s *scene.Scene) Verdict {
	v := Verdict{Rule: r.ID, Matcher: r.Match.Kind(), Outcome: NotAsked}
	if r.Disabled {
		v.Outcome, v.Why = Disabled, "the rule is switched off"
		return v
	}
	selects := r.Match.Selects()
	if g := r.Match.Go; g != nil {
		d, ok := analysis.All()[g.Name]
		if !ok {
			v.Why = "there is no analysis " + g.Name
			return v
		}
		selects = g.Selects(d.On)
	}
	for i := range selects {
		x := selected(c, &selects[i], s)
		if i == 0 || rank(x.Outcome) > rank(v.Outcome) {
			x.Rule, x.Matcher, x.Step = v.Rule, v.Matcher, i
			v = x
		}
	}
	return v
}

func rank(o Outcome) int {
	return slices.Index([]Outcome{Disabled, NotAsked, False, Failed, Selected, Found}, o)
}

// selected says how far an event comes in one selection.
func selected(c *detect.Content, on *rule.On, s *scene.Scene) Verdict {
	v := Verdict{Outcome: NotAsked}
	class := s.Event.Class()
	caption := class.ActivityCaption(s.Event.Activity)
	switch {
	case len(on.Class) > 0 && !slices.Contains(on.Class, class.Name()):
		v.Why = fmt.Sprintf("it asks for %s, this is %s", strings.Join(on.Class, ", "), class.Name())
	case len(on.Protocol) > 0 && !slices.Contains(on.Protocol, s.Event.Protocol):
		v.Why = fmt.Sprintf("it asks for the protocol %s, this is %q", strings.Join(on.Protocol, ", "), s.Event.Protocol)
	case len(on.Activity) > 0 && !slices.Contains(on.Activity, caption):
		v.Why = fmt.Sprintf("it asks for %s, this is %s", strings.Join(on.Activity, ", "), caption)
	case on.When == "":
		v.Outcome, v.Why = Selected, "it asks for all such events"
	default:
		return condition(c, on, s)
	}
	return v
}

func condition(c *detect.Content, on *rule.On, s *scene.Scene) Verdict {
	v := Verdict{Outcome: Selected, Why: "all conditions hold"}
	b, err := c.Env.Bool(on.Classes(), on.When)
	if err != nil {
		return Verdict{Outcome: Failed, Why: err.Error()}
	}
	for _, p := range b.Explain(s) {
		x := Part{Text: p.Text, Holds: p.Holds, Fields: p.Fields}
		switch {
		case p.Err != nil:
			x.Error = p.Err.Error()
			if v.Outcome == Selected {
				v.Outcome, v.Why = Failed, p.Text+": "+x.Error
			}
		case !p.Holds && v.Outcome != False:
			v.Outcome, v.Why = False, "false: "+p.Text
			if len(p.Fields) > 0 {
				var have []string
				for _, f := range p.Fields {
					have = append(have, fmt.Sprintf("%s is %q", f.Name, f.Value))
				}
				v.Why += " (" + strings.Join(have, ", ") + ")"
			}
		}
		v.Parts = append(v.Parts, x)
	}
	return v
}

// Run feeds the events of a capture up to one to an engine, and explains that one:
// with what the matchers, which have seen the ones before, found at it. The index counts from 1.
func Run(ctx context.Context, c *detect.Content, events []detect.Recorded, devices []device.Device, index int) (*event.Event, []Verdict, error) {
	if index < 1 || index > len(events) {
		return nil, nil, fmt.Errorf("there is no event %d: the capture has %d", index, len(events))
	}
	titles := map[string]string{}
	at := false
	e, err := detect.NewEngine(detect.Deps{Content: c, Emit: func(o *alert.Occurrence) {
		if at {
			titles[o.Rule.ID] = o.Title
		}
	}})
	if err != nil {
		return nil, nil, err
	}
	world := scene.NewWorld(devices, nil, nil)
	e.World = world
	for i := range events[:index] {
		if i&1023 == 0 && ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		at = i == index-1
		s := world.Scene(&events[i].Record, events[i].Event)
		e.Feed(&s)
	}
	last := &events[index-1]
	s := world.Scene(&last.Record, last.Event)
	out := Scene(c, &s)
	for i := range out {
		if t, ok := titles[out[i].Rule]; ok {
			out[i].Outcome, out[i].Title, out[i].Why = Found, t, "its matcher fired"
		} else if out[i].Outcome == Selected && out[i].Matcher != "trigger" {
			out[i].Why = "it was counted, and not enough for a finding"
		}
	}
	return last.Event, out, nil
}
