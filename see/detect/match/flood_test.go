// SPDX-License-Identifier: Apache-2.0

package match

import (
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// asker is one scene that is changed and fed again.
type asker struct {
	s    scene.Scene
	e    event.Event
	d    event.DNS
	time int64
}

func newAsker() *asker {
	a := &asker{time: at(0)}
	a.d.Type = "A"
	a.e = event.Event{Protocol: "dns", Activity: 6, Message: "a device asked for a name", Flow: &event.Flow{Proto: 17}, Detail: &a.d}
	a.s = scene.Scene{Event: &a.e, Sensor: "or-3", Src: scene.Party{IP: netip.MustParseAddr("10.0.0.1")}}
	return a
}

func (a *asker) ask(device, name string, step time.Duration) *scene.Scene {
	a.time += int64(step)
	a.s.Src.ID, a.d.Query, a.e.Time = device, name, a.time
	return &a.s
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Millions of invented keys: memory stays within the bound, the flood is
// signalled, and a device that is active is still watched.
func TestAFloodOfKeysIsBoundedSeenAndDoesNotHideTheActive(t *testing.T) {
	n := 150_000
	if v, err := strconv.Atoi(os.Getenv("ASEPSIS_FLOOD_KEYS")); err == nil { // 5000000 takes a minute
		n = v
	}
	kinds := map[string]rule.Match{
		"count":    {Count: &rule.Count{On: dnsOn, By: []string{"src.id"}, Window: 10 * time.Minute, Over: 50}},
		"unique":   {Unique: &rule.Unique{On: dnsOn, By: []string{"src.id"}, Of: "dns.query", Window: 10 * time.Minute, Over: 50}},
		"sequence": {Sequence: &rule.Sequence{By: []string{"src.id"}, Window: 10 * time.Minute, Steps: []rule.Step{{On: dnsOn, Times: 50}, {On: dnsOn}}}},
		"absence":  {Absence: &rule.Absence{On: dnsOn, By: []string{"src.id"}, Expect: 20, Within: 10 * time.Second}},
		"rate":     {Rate: &rule.Rate{On: dnsOn, By: []string{"src.id"}, Bucket: 10 * time.Second, Min: 5, Learn: rule.Learn{For: time.Minute, Samples: 4}}},
		"baseline": {Baseline: &rule.Baseline{On: dnsOn, By: []string{"src.id"}, Of: []string{"dns.query"}, Learn: rule.Learn{For: time.Minute, Samples: 20}}},
	}
	for kind, m := range kinds {
		t.Run(kind, func(t *testing.T) {
			d := deps()
			d.Limits = Limits{Keys: 20_000, Bytes: 8 << 20}
			p := &player{m: matcher(t, m, d)}
			a, r := newAsker(), rand.New(rand.NewPCG(3, 4))
			before := heap()
			victim := 0
			hits := 0
			hit := func(h Hit) {
				if h.Key == "victim" && !h.Learning {
					hits++
				}
			}
			for i := range n {
				p.m.Feed(a.ask("x"+strconv.FormatUint(r.Uint64(), 36), "n", time.Millisecond), 0, hit)
				if i%1000 == 0 { // once a second
					victim++
					name := "n" + strconv.Itoa(victim)
					if kind == "baseline" && victim > 2 && i < n*9/10 {
						name = "n1"
					}
					p.m.Feed(a.ask("victim", name, 0), 0, hit)
				}
				if i%1000 == 0 {
					p.m.Advance(a.time, hit)
				}
			}
			switch kind {
			case "sequence":
				p.m.Feed(a.ask("victim", "n", 0), 1, hit)
			case "rate":
				for range 500 {
					p.m.Feed(a.ask("victim", "n", 0), 0, hit)
				}
			}
			if kind == "absence" {
				for range 100 {
					a.time += int64(time.Second)
					p.m.Advance(a.time, hit)
				}
			}
			after := heap()
			st := p.m.Stats()
			if after > before+24<<20 {
				t.Errorf("%d keys took %d MB", n, (after-before)>>20)
			}
			if st.Keys > 20_000 || st.Bytes > 8<<20 || st.Evicted < uint64(n/2) {
				t.Errorf("stats %+v", st)
			}
			if !st.Flood && kind != "absence" {
				t.Errorf("the flood is not seen: %+v", st)
			}
			if hits == 0 {
				t.Error("the active device was forgotten")
			}
			runtime.KeepAlive(p)
		})
	}
}

func BenchmarkFeed(b *testing.B) {
	names := make([]string, 64)
	devices := make([]string, 500)
	for i := range names {
		names[i] = "name-" + strconv.Itoa(i) + ".example"
	}
	for i := range devices {
		devices[i] = "dev-" + strconv.Itoa(i)
	}
	for kind, m := range map[string]rule.Match{
		"count":    {Count: &rule.Count{On: dnsOn, By: []string{"src.id", "dst.id"}, Window: time.Minute, Over: 100}},
		"unique":   {Unique: &rule.Unique{On: dnsOn, By: []string{"src.id"}, Of: "dns.query", Window: time.Hour, Over: 100}},
		"absence":  {Absence: &rule.Absence{On: dnsOn, By: []string{"src.id"}, Expect: 20, Within: time.Hour}},
		"rate":     {Rate: &rule.Rate{On: dnsOn, By: []string{"src.id"}, Bucket: time.Minute, Min: 1e9, Learn: rule.Learn{For: time.Minute}}},
		"baseline": {Baseline: &rule.Baseline{On: dnsOn, By: []string{"src.id"}, Of: []string{"dns.query"}, Learn: rule.Learn{For: 20 * time.Hour}}},
	} {
		b.Run(kind, func(b *testing.B) {
			mm := matcher(b, m, deps())
			a := newAsker()
			hit := func(Hit) {}
			i := 0
			feed := func() {
				i++
				mm.Feed(a.ask(devices[i*7%500], names[(i/500)%64], 3*time.Millisecond), 0, hit)
			}
			for range 200_000 {
				feed()
			}
			b.ReportAllocs()
			for b.Loop() {
				feed()
			}
		})
	}
}
