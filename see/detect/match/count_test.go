// SPDX-License-Identifier: Apache-2.0

package match

import (
	"testing"
	"time"

	"github.com/asepsis/asepsis/see/detect/rule"
)

func counter(t testing.TB, over int, window time.Duration) *player {
	return &player{m: matcher(t, rule.Match{Count: &rule.Count{On: dnsOn, By: []string{"src.id"}, Window: window, Over: over}}, deps())}
}

func TestCountFiresWhenTheThresholdIsReachedWithinTheWindow(t *testing.T) {
	p := counter(t, 5, time.Minute)
	for i := range 4 {
		p.feed(0, dns(time.Duration(i)*10*time.Second, "a", "x"))
	}
	if len(p.hits) != 0 {
		t.Fatalf("fired early: %+v", p.hits)
	}
	p.feed(0, dns(45*time.Second, "b", "x"), dns(60*time.Second, "a", "x"))
	if len(p.hits) != 1 || p.hits[0].Key != "a" || p.hits[0].Count != 5 || p.hits[0].More {
		t.Fatalf("hits %+v", p.hits)
	}
}

func TestCountIsQuietWhenTheEventsAreSpreadFurther(t *testing.T) {
	p := counter(t, 5, time.Minute)
	for i := range 200 {
		p.feed(0, dns(time.Duration(i)*15001*time.Millisecond, "a", "x"))
	}
	if len(p.hits) != 0 {
		t.Fatalf("%d hits of 4 events a minute", len(p.hits))
	}
}

func TestTheHitsOfACountAddUpToAllEvents(t *testing.T) {
	for _, n := range []int{10, 11, 57, 1000, 5000} {
		p := counter(t, 10, time.Minute)
		for i := range n {
			p.feed(0, dns(time.Duration(i)*100*time.Millisecond, "a", "x"))
		}
		p.wait(3 * time.Minute)
		if p.sum() != uint64(n) {
			t.Errorf("%d events became %d", n, p.sum())
		}
		if len(p.news()) != 1 {
			t.Errorf("%d events are %d bursts", n, len(p.news()))
		}
		if len(p.hits) > 20 {
			t.Errorf("%d events made %d hits", n, len(p.hits))
		}
	}
}

func TestABurstThatComesAgainIsNews(t *testing.T) {
	p := counter(t, 3, 10*time.Second)
	for burst := range 3 {
		for i := range 4 {
			p.feed(0, dns(time.Duration(burst)*time.Minute+time.Duration(i)*time.Second, "a", "x"))
		}
	}
	if len(p.news()) != 3 {
		t.Fatalf("%d bursts found: %+v", len(p.news()), p.hits)
	}
}

func TestLateEventsCountWhereTheyBelong(t *testing.T) {
	p := counter(t, 5, 10*time.Second)
	for _, s := range []int{20, 12, 17, 14, 11} {
		p.m.Feed(dns(time.Duration(s)*time.Second, "a", "x"), 0, p.hit)
	}
	if len(p.hits) != 1 {
		t.Fatalf("five events within 9 s, out of order: %+v", p.hits)
	}
	p = counter(t, 5, 10*time.Second)
	for _, s := range []int{20, 12, 17, 14, 9} {
		p.m.Feed(dns(time.Duration(s)*time.Second, "a", "x"), 0, p.hit)
	}
	if len(p.hits) != 0 {
		t.Fatalf("five events within 11 s: %+v", p.hits)
	}
}

func TestALargeThresholdIsExactToAPartOfTheWindow(t *testing.T) {
	feed := func(n int, within time.Duration) *player {
		p := counter(t, 5000, time.Minute)
		for i := range n {
			p.m.Feed(dns(within*time.Duration(i)/time.Duration(n), "a", "x"), 0, p.hit)
		}
		return p
	}
	if p := feed(5000, 58*time.Second); len(p.news()) != 1 {
		t.Errorf("5000 in 58 s: %d", len(p.news()))
	}
	if p := feed(5000, 63*time.Second); len(p.news()) != 0 {
		t.Errorf("5000 in 63 s: %d", len(p.news()))
	}
}

func TestAnEventWithoutAKeyBelongsToNobody(t *testing.T) {
	p := counter(t, 2, time.Minute)
	for i := range 10 {
		p.feed(0, dns(time.Duration(i)*time.Second, "", "x"))
	}
	if len(p.hits) != 0 || p.m.Stats().Keys != 0 {
		t.Fatalf("hits %+v of %d keys", p.hits, p.m.Stats().Keys)
	}
}
