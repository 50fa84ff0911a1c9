// SPDX-License-Identifier: Apache-2.0

package match

import (
	"testing"
	"time"

	"github.com/asepsis/asepsis/see/detect/rule"
)

// sequenced plays events named by letters: a digit is the step that an event is of.
// "0 0 1 2" are four events, a second apart; "." lets a second pass; "01" is one event of two steps.
func sequenced(t *testing.T, steps []rule.Step, window time.Duration, events string) *player {
	t.Helper()
	for i := range steps {
		steps[i].On = dnsOn
	}
	p := &player{m: matcher(t, rule.Match{Sequence: &rule.Sequence{By: []string{"src.id"}, Window: window, Steps: steps}}, deps())}
	now := time.Duration(0)
	var s = dns(0, "a", "x")
	for _, c := range events {
		switch {
		case c == ' ' || c == '.':
			now += time.Second
			s = dns(now, "a", "x")
		default:
			p.m.Feed(s, int(c-'0'), p.hit)
		}
	}
	return p
}

func TestASequenceFiresOnItsStepsInTheirOrder(t *testing.T) {
	three := []rule.Step{{}, {}, {}}
	thrice := []rule.Step{{Times: 3}, {}}
	unless := []rule.Step{{}, {Not: true}, {}}
	for _, tt := range []struct {
		name   string
		steps  []rule.Step
		window time.Duration
		events string
		want   int
	}{
		{"in order", three, 10 * time.Second, "0 1 2", 1},
		{"in order with others between", three, 10 * time.Second, "0 0 1 1 . 2", 1},
		{"not when the order is another", three, 10 * time.Second, "2 1 0", 0},
		{"not when a step is missing", three, 10 * time.Second, "0 2 0 2", 0},
		{"not when it takes too long", three, 3 * time.Second, "0 . . 1 . . 2", 0},
		{"when a later beginning fits", three, 3 * time.Second, "0 . . . 0 1 2", 1},
		{"again after all steps came again", three, 10 * time.Second, "0 1 2 0 1 2", 2},
		{"once, when only the last step comes again", three, 10 * time.Second, "0 1 2 2 2", 1},
		{"one event counts for one step", three, 10 * time.Second, "012 . .", 0},
		{"one event of two steps and its follower", []rule.Step{{}, {}}, 10 * time.Second, "01 01", 1},
		{"after the times that a step demands", thrice, 10 * time.Second, "0 0 0 1", 1},
		{"not with fewer", thrice, 10 * time.Second, "0 0 1 0 1", 1},
		{"not with two of three", thrice, 10 * time.Second, "0 0 1", 0},
		{"not when what must not happen does", unless, 10 * time.Second, "0 1 2", 0},
		{"when it happens before", unless, 10 * time.Second, "1 0 2", 1},
		{"when a choice of events without it exists", unless, 10 * time.Second, "0 1 0 2", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := sequenced(t, tt.steps, tt.window, tt.events)
			if len(p.hits) != tt.want {
				t.Errorf("%q gives %d hits, want %d: %+v", tt.events, len(p.hits), tt.want, p.hits)
			}
		})
	}
}

func TestANotIsJudgedByTheEventsThatAreChosen(t *testing.T) {
	// A, B, no C, D: the second B comes after a C, the first does not, but D follows only with a C between.
	steps := []rule.Step{{}, {Not: true}, {}, {}}
	if p := sequenced(t, steps, time.Minute, "0 2 1 2 3"); len(p.hits) != 1 {
		t.Errorf("hits %+v", p.hits)
	}
}

func TestASequenceShowsTheEventsThatLedToIt(t *testing.T) {
	p := sequenced(t, []rule.Step{{Times: 2}, {}}, time.Minute, "0 0 1")
	if len(p.hits) != 1 || len(p.hits[0].Evidence) != 2 || p.hits[0].Count != 3 || p.hits[0].Values["took"] != "2 s" {
		t.Fatalf("hits %+v", p.hits)
	}
}

func TestStepsThatCannotBeAreRefused(t *testing.T) {
	for name, steps := range map[string][]rule.Step{
		"one step":           {{}},
		"it begins with not": {{Not: true}, {}},
		"it ends with not":   {{}, {Not: true}},
		"too many times":     {{Times: 65}, {}},
	} {
		if _, err := New(&rule.Rule{ID: "x.y", Match: rule.Match{Sequence: &rule.Sequence{Window: time.Minute, Steps: steps}}}, deps()); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
