// SPDX-License-Identifier: Apache-2.0

package match

import (
	"testing"
	"time"

	"github.com/asepsis/asepsis/see/detect/rule"
)

func rater(t testing.TB, d Deps, below bool) *player {
	return &player{m: matcher(t, rule.Match{Rate: &rule.Rate{On: dnsOn, By: []string{"src.id"}, Bucket: time.Minute, Min: 5, Below: below, Learn: rule.Learn{For: 10 * time.Minute, Samples: 5}}}, d)}
}

// perMinute feeds so many events in each minute from a time on.
func perMinute(p *player, from time.Duration, minutes []int) time.Duration {
	for i, n := range minutes {
		for k := range n {
			p.feed(0, dns(from+time.Duration(i)*time.Minute+time.Duration(k)*50*time.Millisecond, "cam", "x"))
		}
	}
	return from + time.Duration(len(minutes))*time.Minute
}

func steady(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = 40 + i%7
	}
	return out
}

func TestARateOffItsLevelFiresOnceInItsBucket(t *testing.T) {
	p := rater(t, deps(), false)
	now := perMinute(p, 0, steady(30))
	if len(p.hits) != 0 {
		t.Fatalf("a steady rate fires: %+v", p.hits)
	}
	perMinute(p, now, []int{300})
	if len(p.hits) != 1 || p.hits[0].Values["usual"] == "" {
		t.Fatalf("hits %+v", p.hits)
	}
	perMinute(p, now+time.Minute, steady(10))
	if len(p.hits) != 1 {
		t.Fatalf("the steady rate after it fires: %+v", p.hits[1:])
	}
}

func TestARateThatIsStillLearnedDoesNotFire(t *testing.T) {
	p := rater(t, deps(), false)
	perMinute(p, 0, []int{5, 500, 6, 5})
	if len(p.hits) != 0 {
		t.Fatalf("hits %+v", p.hits)
	}
	if s := p.m.Stats(); s.Learning != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestARateThatFallsFiresWhereThatMatters(t *testing.T) {
	for _, below := range []bool{true, false} {
		p := rater(t, deps(), below)
		now := perMinute(p, 0, steady(30))
		perMinute(p, now, []int{2, 45, 44})
		if got := len(p.hits); got != truth(below) {
			t.Errorf("below %v: %+v", below, p.hits)
		}
		p.wait(2 * time.Hour) // and when nothing comes any more
		if got := len(p.hits); below && got < 2 || !below && got != 0 {
			t.Errorf("silence, below %v: %d hits", below, got)
		}
	}
}

func TestSilenceIsNoFallWhereSomethingHasToCome(t *testing.T) {
	p := &player{m: matcher(t, rule.Match{Rate: &rule.Rate{On: dnsOn, By: []string{"src.id"}, Bucket: time.Minute, Min: 5, Below: true, Floor: 1, Learn: rule.Learn{For: 10 * time.Minute, Samples: 5}}}, deps())}
	now := perMinute(p, 0, steady(30))
	now = perMinute(p, now, []int{2, 45, 44})
	if len(p.hits) != 1 {
		t.Errorf("a fall: %+v", p.hits)
	}
	perMinute(p, now, steady(20))
	p.wait(2 * time.Hour)
	if len(p.hits) != 1 {
		t.Errorf("silence after it: %+v", p.hits)
	}
}

func TestWhatHappensEveryNightIsUsualAtNight(t *testing.T) {
	p := &player{m: matcher(t, rule.Match{Rate: &rule.Rate{On: dnsOn, By: []string{"src.id"}, Bucket: time.Hour, Min: 5, Learn: rule.Learn{For: 8 * 24 * time.Hour, Samples: 5}}}, deps())}
	fires := map[int]int{}
	for h := range 24 * 14 {
		n := 10
		if (h+8)%24 == 2 {
			n = 400
		}
		before := len(p.hits)
		for k := range n {
			p.m.Feed(dns(time.Duration(h)*time.Hour+time.Duration(k)*time.Second, "nas", "x"), 0, p.hit)
		}
		fires[h/24] += len(p.hits) - before
	}
	for day := 9; day < 14; day++ {
		if fires[day] != 0 {
			t.Errorf("the backup of night %d fires", day)
		}
	}
	before := len(p.hits)
	for k := range 400 {
		p.m.Feed(dns(14*24*time.Hour+4*time.Hour+time.Duration(k)*time.Second, "nas", "x"), 0, p.hit)
	}
	if len(p.hits) != before+1 {
		t.Errorf("the same at noon does not fire")
	}
}

func TestBucketsDuringAnAlertAreLearnedWhenItIsSettled(t *testing.T) {
	open := openAlerts{}
	d := deps()
	d.Learner = open
	p := rater(t, d, false)
	now := perMinute(p, 0, steady(5))
	open["cam"] = true
	now = perMinute(p, now, steady(4))
	l := p.m.(Learning)
	samples := l.Baselines("cam", 1)[0].Samples
	open["cam"] = false
	l.Settle("cam", true)
	if got := l.Baselines("cam", 1)[0].Samples; got <= samples {
		t.Errorf("%d samples before, %d after it was settled at %v", samples, got, now)
	}
}
