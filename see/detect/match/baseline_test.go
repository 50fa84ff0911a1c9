// SPDX-License-Identifier: Apache-2.0

package match

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/see/detect/rule"
)

func baseliner(t testing.TB, d Deps) *player {
	return &player{m: matcher(t, rule.Match{Baseline: &rule.Baseline{On: dnsOn, By: []string{"src.id"}, Of: []string{"dns.query"},
		Learn: rule.Learn{For: time.Hour, Samples: 5, Forget: 30 * 24 * time.Hour}}}, d)}
}

// taught has asked for a, b and c for two hours.
func taught(t testing.TB, d Deps) *player {
	p := baseliner(t, d)
	for i := range 24 {
		p.feed(0, dns(time.Duration(i)*5*time.Minute, "ct", string(rune('a'+i%3))))
	}
	return p
}

func TestABaselineFiresOnWhatIsNewWhenItHasLearned(t *testing.T) {
	p := taught(t, deps())
	if n := len(p.news()); n != 0 || len(p.hits) != 3 {
		t.Fatalf("%d hits while learning, %d of them alerts", len(p.hits), n)
	}
	p.feed(0, dns(3*time.Hour, "ct", "b"), dns(3*time.Hour+1, "ct", "evil"))
	if n := p.news(); len(n) != 1 || n[0].Values["value"] != "evil" || !strings.HasPrefix(n[0].Expected, "it has had a, b, c") && !strings.HasPrefix(n[0].Expected, "it has had b, a, c") {
		t.Fatalf("hits %+v", n)
	}
}

func TestALearningBaselineIsReadyByTimeAndSamples(t *testing.T) {
	p := baseliner(t, deps())
	p.feed(0, dns(0, "ct", "a"), dns(2*time.Hour, "ct", "b"))
	if len(p.news()) != 0 {
		t.Fatalf("ready after one sample")
	}
	if s := p.m.Stats(); s.Learning != 1 || s.Ready != 0 {
		t.Fatalf("stats %+v", s)
	}
	d := deps()
	d.Trained = func(now int64) bool { return now >= at(time.Minute) }
	p = baseliner(t, d)
	p.feed(0, dns(0, "ct", "a"), dns(time.Minute, "ct", "b"))
	if len(p.news()) != 1 || p.m.Stats().Ready != 1 {
		t.Fatalf("not ready when told so: %+v", p.hits)
	}
}

func TestANewValueStaysNewUntilItIsAccepted(t *testing.T) {
	p := taught(t, deps())
	for i := range 1000 {
		p.feed(0, dns(3*time.Hour+time.Duration(i)*time.Second, "ct", "evil"))
	}
	n := len(p.hits) - 3
	if len(p.news()) != 1 || n < 9 || n > 11 {
		t.Fatalf("a thousand times new: %d hits, %d news", n, len(p.news()))
	}
	l := p.m.(Learning)
	if b := l.Baselines("ct", 10); len(b) != 1 || len(b[0].Values) != 4 || !b[0].Values[3].Distrusted || b[0].Ready == 0 {
		t.Fatalf("review %+v", b)
	}
	if err := l.Accept("ct", "evil"); err != nil {
		t.Fatal(err)
	}
	before := len(p.hits)
	p.feed(0, dns(9*time.Hour, "ct", "evil"))
	if len(p.hits) != before || p.m.Stats().Distrusts != 0 {
		t.Fatalf("accepted and still new")
	}
	if err := l.Remove("ct", "evil"); err != nil {
		t.Fatal(err)
	}
	p.feed(0, dns(10*time.Hour, "ct", "evil"))
	if len(p.news()) != 2 {
		t.Fatalf("removed and not new again")
	}
	if err := l.Remove("ct", "never"); !errors.Is(err, ErrNoBaseline) {
		t.Errorf("removing nothing: %v", err)
	}
}

func TestWhatIsLearnedDuringAnAlertIsNotTrusted(t *testing.T) {
	open := openAlerts{"ct": true}
	d := deps()
	d.Learner = open
	for _, trust := range []bool{true, false} {
		open["ct"] = false
		p := baseliner(t, d)
		for i := range 24 {
			open["ct"] = i == 10
			name := "usual"
			if i >= 10 {
				name = "exfil"
			}
			p.feed(0, dns(time.Duration(i)*2*time.Minute, "ct", name))
		}
		if s := p.m.Stats(); s.Distrusts != 1 {
			t.Fatalf("stats %+v", s)
		}
		p.m.(Learning).Settle("ct", trust)
		p.feed(0, dns(3*time.Hour, "ct", "exfil"))
		if got := len(p.news()); got != 1-truth(trust) {
			t.Errorf("settled with trust %v: %d alerts", trust, got)
		}
	}
	// not settled: it fires when the baseline is ready
	open["ct"] = true
	p := baseliner(t, d)
	for i := range 24 {
		p.feed(0, dns(time.Duration(i)*5*time.Minute, "ct", "exfil"))
	}
	if len(p.news()) == 0 {
		t.Error("it became usual while the alert was open")
	}
}

func TestAValueNotSeenForLongIsNewAgain(t *testing.T) {
	p := taught(t, deps())
	p.m.Feed(dns(20*24*time.Hour, "ct", "a"), 0, p.hit)
	p.m.Feed(dns(40*24*time.Hour, "ct", "a"), 0, p.hit)
	p.m.Feed(dns(40*24*time.Hour, "ct", "b"), 0, p.hit)
	if n := p.news(); len(n) != 1 || n[0].Values["value"] != "b" {
		t.Fatalf("news %+v", n)
	}
}

func TestAFrozenBaselineLearnsNothing(t *testing.T) {
	p := baseliner(t, deps())
	p.feed(0, dns(0, "ct", "a"))
	l := p.m.(Learning)
	if err := l.Freeze("ct", true); err != nil {
		t.Fatal(err)
	}
	samples := l.Baselines("", 0)[0].Samples
	for i := range 10 {
		p.feed(0, dns(time.Duration(i+1)*time.Minute, "ct", "a"))
	}
	if got := l.Baselines("", 0)[0]; got.Samples != samples || !got.Frozen || got.Values[0].Count != 1 {
		t.Fatalf("frozen: %+v", got)
	}
}

func TestTheValuesOfAKeyAreBounded(t *testing.T) {
	d := deps()
	d.Limits.Values = 100
	p := taught(t, d)
	l := p.m.(Learning)
	if err := l.Accept("ct", "kept"); err != nil {
		t.Fatal(err)
	}
	for i := range 10_000 {
		p.m.Feed(dns(3*time.Hour+time.Duration(i), "ct", fmt.Sprint("n", i)), 0, p.hit)
	}
	b := l.Baselines("ct", 1)[0]
	if len(b.Values) > 100 || b.Lost < 9000 {
		t.Fatalf("%d values, %d lost", len(b.Values), b.Lost)
	}
	kept := map[string]bool{}
	for _, v := range b.Values {
		kept[v.Value] = true
	}
	for _, v := range []string{"a", "b", "c", "kept"} {
		if !kept[v] {
			t.Errorf("%q was given up for values that came once", v)
		}
	}
	if err := l.Reset("ct"); err != nil || p.m.Stats().Keys != 0 {
		t.Errorf("reset: %v, %d keys", err, p.m.Stats().Keys)
	}
}
