// SPDX-License-Identifier: Apache-2.0

package match

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/detect/expr"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

var start = time.Date(2026, 3, 16, 8, 0, 0, 0, time.UTC)

// at is a time after the start of a test.
func at(d time.Duration) int64 { return start.Add(d).UnixNano() }

type lists map[string][]string

func (l lists) Has(list string) bool         { return l[list] != nil }
func (l lists) Contains(list, v string) bool { return slices.Contains(l[list], v) }
func (l lists) Names() []string              { return nil }

type openAlerts map[string]bool

func (o openAlerts) Open(device string) bool { return o[device] }

var env = func() *expr.Env {
	e, err := expr.NewEnv()
	if err != nil {
		panic(err)
	}
	return e
}()

func deps() Deps {
	return Deps{Env: env, Lists: lists{"bad-names": {"evil.example"}}, Secret: [16]byte{1, 2, 3}}
}

// matcher makes the matcher of a rule, or ends the test.
func matcher(t testing.TB, m rule.Match, d Deps) Matcher {
	t.Helper()
	out, err := New(&rule.Rule{ID: "test.rule", Match: m}, d)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// dns is a scene in which a device asks for a name.
func dns(d time.Duration, device, name string) *scene.Scene {
	return &scene.Scene{Seq: uint64(d), Sensor: "or-3", Theatre: "OR-3",
		Src: scene.Party{ID: device, IP: netip.MustParseAddr("10.0.0.1"), Internal: true}, Dst: scene.Party{ID: "dns", IP: netip.MustParseAddr("10.0.0.53"), Internal: true},
		Event: &event.Event{UID: fmt.Sprint("u", d), Time: at(d), Activity: 6, Protocol: "dns", Message: device + " asked for " + name, Flow: &event.Flow{Proto: 17},
			Detail: &event.DNS{Query: name, Type: "A"}}}
}

var dnsOn = rule.On{Class: []string{"dns_activity"}}

// play feeds scenes and gives the hits. Time goes on with the events, in steps of a second.
type player struct {
	m    Matcher
	now  int64
	hits []Hit
}

func (p *player) feed(step int, scenes ...*scene.Scene) *player {
	for _, s := range scenes {
		p.until(s.Event.Time)
		p.m.Feed(s, step, p.hit)
	}
	return p
}

func (p *player) hit(h Hit) { p.hits = append(p.hits, h) }

func (p *player) until(t int64) *player {
	if p.now == 0 {
		p.now = t
	}
	for p.now < t {
		p.now = min(t, p.now+int64(time.Second))
		p.m.Advance(p.now, p.hit)
	}
	return p
}

func (p *player) wait(d time.Duration) *player { return p.until(p.now + int64(d)) }

// news are the hits that are not More and not Learning.
func (p *player) news() (out []Hit) {
	for _, h := range p.hits {
		if !h.More && !h.Learning {
			out = append(out, h)
		}
	}
	return out
}

func (p *player) sum() (n uint64) {
	for _, h := range p.hits {
		n += max(h.Count, 1)
	}
	return n
}

// moved is the matcher's state in a new matcher of the same rule.
func moved(t testing.TB, from, to Matcher) Matcher {
	t.Helper()
	for p := range Partitions {
		var b bytes.Buffer
		if err := from.Save(p, &b); err != nil {
			t.Fatal(err)
		}
		if err := to.Load(p, &b); err != nil {
			t.Fatalf("partition %d: %v", p, err)
		}
	}
	return to
}
