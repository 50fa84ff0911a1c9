// SPDX-License-Identifier: Apache-2.0

package match

import (
	"testing"
	"time"

	"github.com/asepsis/asepsis/see/detect/rule"
)

func absent(t testing.TB, within time.Duration) *player {
	until := dnsOn
	return &player{m: matcher(t, rule.Match{Absence: &rule.Absence{On: dnsOn, By: []string{"src.id"}, Expect: 10, Within: within, Until: &until}}, deps())}
}

func every(p *player, from, pause time.Duration, n int) time.Duration {
	for i := range n {
		p.feed(0, dns(from+time.Duration(i)*pause, "pump", "x"))
	}
	return from + time.Duration(n-1)*pause
}

func TestWhatCameRegularlyIsMissedWhenItStops(t *testing.T) {
	p := absent(t, 20*time.Second)
	last := every(p, 0, 10*time.Second, 30)
	p.wait(49 * time.Second)
	if len(p.hits) != 0 {
		t.Fatalf("missed after less than five pauses: %+v", p.hits)
	}
	p.wait(2 * time.Second)
	if len(p.hits) != 1 || p.hits[0].Time != at(last+50*time.Second) || p.hits[0].Devices[0] != "pump" || p.hits[0].Theatre != "OR-3" || len(p.hits[0].Evidence) != 1 {
		t.Fatalf("hits %+v", p.hits)
	}
	p.wait(time.Hour)
	if len(p.hits) != 1 {
		t.Fatalf("one silence is said %d times", len(p.hits))
	}
	every(p, last+2*time.Hour, 10*time.Second, 3)
	p.wait(time.Hour)
	if len(p.hits) != 2 {
		t.Fatalf("the second silence: %d hits", len(p.hits))
	}
}

func TestVolleysAreOneSign(t *testing.T) {
	p := absent(t, 20*time.Second)
	last := time.Duration(0)
	for i := range 20 { // each minute four events at once
		last = time.Duration(i) * time.Minute
		every(p, last, 100*time.Millisecond, 4)
	}
	p.wait(4 * time.Minute)
	if len(p.hits) != 0 {
		t.Fatalf("what comes by the minute is missed after four: %+v", p.hits)
	}
	p.wait(2 * time.Minute)
	if len(p.hits) != 1 || p.hits[0].Values["usual"] != "59.7 s" {
		t.Fatalf("hits %+v", p.hits)
	}
}

func TestSilenceIsNothingWhile(t *testing.T) {
	for name, play := range map[string]func(p *player){
		"there were too few events to be regular": func(p *player) { every(p, 0, 10*time.Second, 9) },
		"it ended in good order": func(p *player) {
			last := every(p, 0, 10*time.Second, 30)
			p.feed(1, dns(last+time.Second, "pump", "bye"))
		},
		"all sensors were blind": func(p *player) {
			last := every(p, 0, 10*time.Second, 30)
			p.m.(Blinder).Blind("", at(last+5*time.Second), 0)
		},
	} {
		p := absent(t, 20*time.Second)
		play(p)
		p.wait(3 * time.Hour)
		if len(p.hits) != 0 {
			t.Errorf("%s: %+v", name, p.hits)
		}
	}
}

func TestATimeInWhichTheSensorWasBlindComesOnTop(t *testing.T) {
	p := absent(t, 20*time.Second)
	last := every(p, 0, 10*time.Second, 30)
	b := p.m.(Blinder)
	b.Blind("or-3", at(last+10*time.Second), 0)
	b.Blind("or-5", at(last), 0) // of another sensor: it does not matter
	p.wait(10 * time.Minute)
	b.Blind("or-3", at(last+10*time.Second), at(last+10*time.Minute))
	p.wait(39 * time.Second)
	if len(p.hits) != 0 {
		t.Fatalf("missed too early: %+v", p.hits)
	}
	p.wait(30 * time.Second)
	if len(p.hits) != 1 {
		t.Fatalf("not missed: %+v", p.hits)
	}
}

func TestVolleysAreNoSilence(t *testing.T) {
	p := absent(t, time.Second)
	for volley := range 20 {
		for i := range 5 {
			p.feed(0, dns(time.Duration(volley)*time.Minute+time.Duration(i)*100*time.Millisecond, "pump", "x"))
		}
	}
	// The first pause between volleys is not known to be usual yet.
	if n := len(p.hits); n > 1 {
		t.Fatalf("volleys a minute apart were missed %d times", n)
	}
}
