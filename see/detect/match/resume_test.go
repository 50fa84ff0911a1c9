// SPDX-License-Identifier: Apache-2.0

package match

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/asepsis/asepsis/see/detect/match/keyed"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// kinds are matchers with state, each with a rule that mixed finds something with.
func kinds() map[string]rule.Match {
	by := []string{"src.id"}
	return map[string]rule.Match{
		"count":       {Count: &rule.Count{On: dnsOn, By: by, Window: 20 * time.Second, Over: 6}},
		"count-large": {Count: &rule.Count{On: dnsOn, Window: time.Hour, Over: 1100}},
		"unique":      {Unique: &rule.Unique{On: dnsOn, By: by, Of: "dns.query", Window: time.Minute, Over: 8}},
		"sequence":    {Sequence: &rule.Sequence{By: by, Window: time.Minute, Steps: []rule.Step{{On: dnsOn}, {On: dnsOn, Times: 2}, {On: dnsOn}}}},
		"absence":     {Absence: &rule.Absence{On: dnsOn, By: by, Expect: 5, Within: 5 * time.Second, Factor: 2}},
		"rate":        {Rate: &rule.Rate{On: dnsOn, By: by, Bucket: 30 * time.Second, Deviations: 3, Min: 2, Below: true, Learn: rule.Learn{For: 3 * time.Minute, Samples: 4}}},
		"baseline":    {Baseline: &rule.Baseline{On: dnsOn, By: by, Of: []string{"dns.query"}, Learn: rule.Learn{For: 5 * time.Minute, Samples: 20}}},
	}
}

type step struct {
	scene *scene.Scene
	step  int
}

// mixed is half an hour of twelve devices that ask for names, in bursts and pauses.
func mixed(kind string) []step {
	r := rand.New(rand.NewPCG(1, 2))
	var out []step
	for i := range 3000 {
		d := time.Duration(i)*600*time.Millisecond + time.Duration(r.IntN(500))*time.Millisecond
		dev := fmt.Sprint("dev", min(r.IntN(12), r.IntN(12)))
		if i/500%2 == 1 && r.IntN(3) > 0 {
			dev = "dev0"
		}
		s := dns(d, dev, fmt.Sprint("n", r.IntN(1+i/60)))
		if i%97 == 0 { // out of order
			s.Event.Time -= int64(4 * time.Second)
		}
		n := 0
		if kind == "sequence" {
			n = r.IntN(3)
		}
		out = append(out, step{s, n})
	}
	return out
}

func (p *player) play(list []step) {
	for _, s := range list {
		p.feed(s.step, s.scene)
	}
}

func TestAMatcherThatWasSavedAndLoadedFindsTheSame(t *testing.T) {
	for kind, m := range kinds() {
		t.Run(kind, func(t *testing.T) {
			events := mixed(kind)
			whole := &player{m: matcher(t, m, deps())}
			whole.play(events)
			whole.wait(10 * time.Minute)
			if len(whole.hits) == 0 {
				t.Fatal("the sample finds nothing")
			}
			for _, cut := range []int{1, 700, 1500, 2222, 2999} {
				p := &player{m: matcher(t, m, deps())}
				p.play(events[:cut])
				p.m = moved(t, p.m, matcher(t, m, deps()))
				p.play(events[cut:])
				p.wait(10 * time.Minute)
				if !reflect.DeepEqual(p.hits, whole.hits) {
					t.Fatalf("cut at %d: %d hits, without a cut %d; first difference %v", cut, len(p.hits), len(whole.hits), difference(p.hits, whole.hits))
				}
			}
		})
	}
}

func difference(a, b []Hit) string {
	for i := range min(len(a), len(b)) {
		if !reflect.DeepEqual(a[i], b[i]) {
			return fmt.Sprintf("\n%+v\n%+v", a[i], b[i])
		}
	}
	return "one has more"
}

func TestThreeInstancesFindTogetherWhatOneFinds(t *testing.T) {
	for kind, m := range kinds() {
		t.Run(kind, func(t *testing.T) {
			events := mixed(kind)
			one := &player{m: matcher(t, m, deps())}
			one.play(events)
			one.wait(10 * time.Minute)
			var all []Hit
			for i := range 3 {
				mask := uint32(0)
				for p := range Partitions {
					if p%3 == i {
						mask |= 1 << p
					}
				}
				p := &player{m: matcher(t, m, deps())}
				p.m.Own(mask)
				p.play(events)
				p.wait(10 * time.Minute)
				for _, h := range p.hits {
					if mask>>PartitionOf(h.Key)&1 == 0 {
						t.Fatalf("instance %d found something about %q, which is not its own", i, h.Key)
					}
				}
				all = append(all, p.hits...)
			}
			order := func(a, b Hit) int {
				return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Count, b.Count), cmp.Compare(fmt.Sprint(a.Values), fmt.Sprint(b.Values)))
			}
			slices.SortStableFunc(all, order)
			slices.SortStableFunc(one.hits, order)
			if !reflect.DeepEqual(all, one.hits) {
				t.Fatalf("%d hits of three, %d of one: %s", len(all), len(one.hits), difference(all, one.hits))
			}
		})
	}
}

func TestStateOfAnotherRuleOrDamagedStateIsRefused(t *testing.T) {
	all := kinds()
	p := &player{m: matcher(t, all["count"], deps())}
	p.play(mixed("count")[:100])
	part := PartitionOf("dev0")
	var b bytes.Buffer
	if err := p.m.Save(part, &b); err != nil {
		t.Fatal(err)
	}
	other := all["count"]
	c := *other.Count
	c.By = []string{"dst.id"}
	m := matcher(t, rule.Match{Count: &c}, deps())
	if err := m.Load(part, bytes.NewReader(b.Bytes())); !errors.Is(err, keyed.ErrOtherKind) {
		t.Errorf("of another key: %v", err)
	}
	same := matcher(t, all["count"], deps())
	if err := same.Load(part+1, bytes.NewReader(b.Bytes())); !errors.Is(err, keyed.ErrOtherKind) {
		t.Errorf("of another partition: %v", err)
	}
	for i := range b.Len() {
		damaged := bytes.Clone(b.Bytes())
		damaged[i] ^= 0x10
		if err := same.Load(part, bytes.NewReader(damaged)); err == nil {
			t.Fatalf("byte %d is wrong and nobody noticed", i)
		}
		if err := same.Load(part, bytes.NewReader(b.Bytes()[:i])); err == nil && i > 0 {
			t.Fatalf("it ends at byte %d and nobody noticed", i)
		}
	}
	if same.Stats().Keys != 0 {
		t.Errorf("%d keys are left of damaged state", same.Stats().Keys)
	}
	over := *all["count"].Count
	over.Over = 7
	if err := matcher(t, rule.Match{Count: &over}, deps()).Load(part, bytes.NewReader(b.Bytes())); err != nil {
		t.Errorf("another threshold needs no other state: %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	all := kinds()
	names := slices.Sorted(func(yield func(string) bool) {
		for k := range all {
			if !yield(k) {
				return
			}
		}
	})
	for i, kind := range names {
		p := &player{m: matcher(f, all[kind], deps())}
		p.play(mixed(kind)[:400])
		var b bytes.Buffer
		if err := p.m.Save(PartitionOf("dev0"), &b); err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), b.Bytes())
	}
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		name := names[int(kind)%len(names)]
		p := &player{m: matcher(t, all[name], deps())}
		part := PartitionOf("dev0")
		if err := p.m.Load(part, bytes.NewReader(keyed.Sealed(data))); err != nil {
			if p.m.Stats().Keys != 0 {
				t.Fatalf("%d keys after %v", p.m.Stats().Keys, err)
			}
		}
		p.now = at(0)
		p.play(mixed(name)[:50])
		p.wait(time.Minute)
		var b bytes.Buffer
		if err := p.m.Save(part, &b); err != nil {
			t.Fatal(err)
		}
		if err := matcher(t, all[name], deps()).Load(part, &b); err != nil {
			t.Fatalf("what it saved itself is refused: %v", err)
		}
	})
}
