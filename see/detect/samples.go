// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
)

// SampleResult says what became of a sample of a rule.
type SampleResult struct {
	Rule     string
	Sample   string
	Fires    bool
	Expected string // in words
	Found    string
	Err      error // why it did not hold, nil when it did
	Alerts   []finding.Alert
}

// Captured gives the events and devices of a capture.
type Captured func(name string) ([]Recorded, []device.Device, error)

// RunSamples runs all samples of rules, each by itself: the rule that it belongs to over
// its events and nothing else. captures holds those that samples name; each is analysed once.
// The results are in the order of the rules and their samples.
func RunSamples(ctx context.Context, content *Content, rules []*rule.Rule, captures fs.FS) []SampleResult {
	type job struct {
		r *rule.Rule
		s *rule.Sample
	}
	var jobs []job
	for _, r := range rules {
		for i := range r.Samples {
			jobs = append(jobs, job{r, &r.Samples[i]})
		}
	}
	cache := &captureCache{sys: captures, by: map[string]*captured{}}
	out := make([]SampleResult, len(jobs))
	var wg sync.WaitGroup
	next := make(chan int)
	for range 2 {
		wg.Go(func() {
			for i := range next {
				out[i] = runSample(ctx, content, jobs[i].r, jobs[i].s, cache)
			}
		})
	}
	for i := range jobs {
		next <- i
	}
	close(next)
	wg.Wait()
	return out
}

// captureCache analyses each capture once.
type captureCache struct {
	sys fs.FS

	mu sync.Mutex
	by map[string]*captured
}

type captured struct {
	once    sync.Once
	records []Recorded
	devices []device.Device
	err     error
}

func (c *captureCache) get(ctx context.Context, name string) ([]Recorded, []device.Device, error) {
	c.mu.Lock()
	x := c.by[name]
	if x == nil {
		x = &captured{}
		c.by[name] = x
	}
	c.mu.Unlock()
	x.once.Do(func() {
		if c.sys == nil {
			x.err = fmt.Errorf("capture %s: no captures are at hand", name)
			return
		}
		x.records, x.devices, x.err = Capture(ctx, c.sys, name)
	})
	return x.records, x.devices, x.err
}

// runSample runs one.
func runSample(ctx context.Context, content *Content, r *rule.Rule, s *rule.Sample, cache *captureCache) (res SampleResult) {
	res = SampleResult{Rule: r.ID, Sample: s.Name, Fires: s.Fires != nil}
	res.Expected = expectation(s)
	stage, err := s.Stage()
	if err != nil {
		res.Err = err
		return res
	}
	events := make([]Recorded, 0, len(stage.Events))
	for i := range stage.Events {
		events = append(events, Recorded{Record: stage.Events[i].Record, Event: stage.Events[i].Event})
	}
	devices := stage.Devices
	if s.Capture != "" {
		seen, devs, err := cache.get(ctx, s.Capture)
		if err != nil {
			res.Err = err
			return res
		}
		events, devices = seen, joined(devs, stage.Devices)
	}
	res.Alerts, res.Err = play(ctx, content.Only(r), events, devices, stage, s.Settings)
	if res.Err == nil {
		res.Found = found(res.Alerts)
		res.Err = verify(s, res.Alerts)
	}
	return res
}

// joined puts what a sample says about devices over what the capture shows: a device of
// the sample takes the place of the one with its address.
func joined(seen, said []device.Device) []device.Device {
	out := slices.Clone(seen)
	for _, d := range said {
		at := slices.IndexFunc(out, func(x device.Device) bool {
			return x.ID == d.ID || slices.ContainsFunc(x.Interfaces, func(n device.Interface) bool {
				return slices.ContainsFunc(d.Interfaces, func(m device.Interface) bool {
					return !m.MAC.IsZero() && m.MAC == n.MAC || slices.ContainsFunc(m.IPs, func(ip ipAddr) bool { return slices.Contains(n.IPs, ip) })
				})
			})
		})
		if at < 0 {
			out = append(out, d)
			continue
		}
		x := out[at]
		x.Aliases = append(slices.Clone(x.Aliases), x.ID)
		x.ID = d.ID
		if d.Name != "" {
			x.Name = d.Name
		}
		if d.Class != "" {
			x.Class = d.Class
		}
		if d.Theatre != "" {
			x.Theatre = d.Theatre
		}
		if d.Zone != "" {
			x.Zone = d.Zone
		}
		if d.Criticality != "" {
			x.Criticality = d.Criticality
		}
		if len(d.AETitles) > 0 {
			x.AETitles = d.AETitles
		}
		out[at] = x
	}
	return out
}

// play runs an engine over events, as a sample asks for it.
func play(ctx context.Context, content *Content, events []Recorded, devices []device.Device, stage *rule.Stage, set rule.Settings) ([]finding.Alert, error) {
	world := scene.NewWorld(devices, stage.Theatres, stage.Policy)
	world.Guard(stage.Guards)
	c := NewCollector()
	var first int64
	if len(events) > 0 {
		first = events[0].Event.Time
	}
	cases, err := newClock(Default())
	if err != nil {
		return nil, err
	}
	cases.Know(stage.Theatres)
	deps := Deps{Content: content, Learner: c, Emit: c.Add, Clock: cases}
	if set.Learned {
		until := first + int64(set.Until)
		deps.Trained = func(t int64) bool { return t >= until }
	}
	e, err := NewEngine(deps)
	if err != nil {
		return nil, err
	}
	e.World = world
	for i := range events {
		if i&1023 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		s := world.Scene(&events[i].Record, events[i].Event)
		e.Feed(&s)
	}
	if set.Wait > 0 {
		e.Advance(e.Clock() + int64(set.Wait))
	}
	for _, h := range e.Health() {
		if h.Error != "" {
			return nil, fmt.Errorf("an expression failed on %d of %d events: %s", h.Errors, h.Evaluations, h.Error)
		}
		if h.Off != "" {
			return nil, fmt.Errorf("the rule was switched off: %s", h.Off)
		}
	}
	return c.Alerts(), nil
}

func expectation(s *rule.Sample) string {
	if s.Fires == nil {
		return "nothing"
	}
	x := s.Fires
	parts := []string{plural(max(x.Alerts, 1), "finding")}
	if x.Severity != 0 {
		parts = append(parts, x.Severity.String())
	}
	if x.Count != 0 {
		parts = append(parts, fmt.Sprintf("count %d", x.Count))
	}
	if x.Title != "" {
		parts = append(parts, fmt.Sprintf("title with %q", x.Title))
	}
	for _, k := range slices.Sorted(maps.Keys(x.Entities)) {
		parts = append(parts, k+" = "+x.Entities[k])
	}
	return strings.Join(parts, ", ")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func found(alerts []finding.Alert) string {
	if len(alerts) == 0 {
		return "nothing"
	}
	a := &alerts[0]
	parts := []string{plural(len(alerts), "finding"), a.Severity.String(), fmt.Sprintf("count %d", a.Count), fmt.Sprintf("%q", a.Title)}
	for _, k := range slices.Sorted(maps.Keys(a.Entities)) {
		parts = append(parts, k+" = "+a.Entities[k])
	}
	return strings.Join(parts, ", ")
}

// verify compares what a sample expects with what was found.
func verify(s *rule.Sample, alerts []finding.Alert) error {
	if s.Fires == nil {
		if len(alerts) > 0 {
			return fmt.Errorf("it is to be quiet, and found %s", found(alerts))
		}
		return nil
	}
	x := s.Fires
	var wrong []string
	if n := max(x.Alerts, 1); len(alerts) != n {
		wrong = append(wrong, fmt.Sprintf("%s, not %d", plural(len(alerts), "finding"), n))
	}
	if len(alerts) > 0 {
		a := &alerts[0]
		if x.Count != 0 && a.Count != x.Count {
			wrong = append(wrong, fmt.Sprintf("count %d, not %d", a.Count, x.Count))
		}
		if x.Severity != 0 && a.Severity != x.Severity {
			wrong = append(wrong, fmt.Sprintf("severity %s, not %s", a.Severity, x.Severity))
		}
		if !strings.Contains(a.Title, x.Title) {
			wrong = append(wrong, fmt.Sprintf("title %q has no %q", a.Title, x.Title))
		}
		for _, k := range slices.Sorted(maps.Keys(x.Entities)) {
			if a.Entities[k] != x.Entities[k] {
				wrong = append(wrong, fmt.Sprintf("%s = %q, not %q", k, a.Entities[k], x.Entities[k]))
			}
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("found %s", strings.Join(wrong, "; "))
	}
	return nil
}

// SampleDeadline is how long all samples of a rule may take when a person waits.
const SampleDeadline = 20 * time.Second
