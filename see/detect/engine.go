// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/see/clock"
	"github.com/asepsis/asepsis/see/detect/alert"
	"github.com/asepsis/asepsis/see/detect/match"
	"github.com/asepsis/asepsis/see/detect/scene"
	"github.com/asepsis/asepsis/see/detect/suppress"
)

// Bounds of the engine.
const (
	// MaxNew is how many alerts one rule may begin in one partition and hour.
	MaxNew = 64
	// maxLeap is the longest time that the clock follows second by second.
	maxLeap = 48 * time.Hour
	// maxPlans bounds the combinations of class, protocol and activity that are
	// remembered; the sensor has some hundreds.
	maxPlans = 8192
)

// Deps is what an engine works with.
type Deps struct {
	Content *Content                // rules and lists, see Load
	Limits  match.Limits            // of each rule
	Learner match.Learner           // nil: nothing is distrusted
	Trained func(time int64) bool   // see match.Deps
	Emit    func(*alert.Occurrence) // is called for each occurrence, in their order; it may keep it
	Log     *slog.Logger            // nil for none
	Secret  [16]byte                // see match.Deps

	// Clock knows the state of cases; nil: it is that of the world. Changed is told
	// what becomes known, so that it is recorded and comes back as an event; where it is
	// nil, rules see it at once.
	Clock   *clock.Clock
	Changed func(clock.Change)
}

// Engine runs rules over events. It is used by one goroutine.
type Engine struct {
	deps  Deps
	rules []*compiled
	index map[event.Class][]selector // what may ask for events of a class
	plans map[planKey][]selector     // what does, by protocol and activity
	own   uint32                     // partitions that are ours
	set   *suppress.Set

	clock  int64 // ns; of the newest event
	at     uint64
	n      uint64
	scene  *scene.Scene      // while an event is shown
	tail   map[string]uint32 // occurrences by alert key at the event of at
	blind  map[string]int64  // sensors that see less than they should, since when
	titles scene.Titles      // that events used, whom the world does not know yet
	depth  int               // of events that the clock made of an event

	// World is what is known now, for what happens without an event.
	World *scene.World
	Stats EngineStats
}

// EngineStats counts what an engine did.
type EngineStats struct {
	Events      uint64
	Evaluations uint64
	Hits        uint64
	Learning    uint64 // hits of baselines that were not ready: no alert
	Hidden      uint64
	Gathered    uint64 // occurrences that went into the alert of a rule with too many groups
}

// selector is one On of a rule.
type selector struct {
	c    *compiled
	step int
	on   *on
}

type planKey struct {
	class    event.Class
	activity uint8
	protocol string
}

// NewEngine makes an engine with all partitions. A rule that cannot be compiled is an error
// that names it.
func NewEngine(deps Deps) (*Engine, error) {
	if deps.Emit == nil || deps.Content == nil {
		return nil, errors.New("BUG: detect: engine without content or Emit")
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	e := &Engine{deps: deps, own: ^uint32(0), index: map[event.Class][]selector{}, plans: map[planKey][]selector{}, tail: map[string]uint32{}, blind: map[string]int64{}}
	var errs []error
	for _, r := range deps.Content.Rules {
		if r.Disabled {
			continue
		}
		c, err := e.compile(r)
		if err != nil {
			errs = append(errs, fmt.Errorf("rule %s: %w", r.ID, err))
			continue
		}
		e.rules = append(e.rules, c)
		for step := range c.ons {
			o := &c.ons[step]
			for _, class := range o.classes {
				e.index[class] = append(e.index[class], selector{c, step, o})
			}
		}
	}
	return e, errors.Join(errs...)
}

// Suppress sets what hides findings from now on.
func (e *Engine) Suppress(s *suppress.Set) { e.set = s }

// Own says which partitions are this engine's: bit p stands for partition p. State of
// others is dropped.
func (e *Engine) Own(mask uint32) {
	for _, c := range e.rules {
		for p := range match.Partitions {
			if e.own&(1<<p) != 0 && mask&(1<<p) == 0 {
				c.matcher.Drop(p)
				c.drop(p)
			}
		}
		if o, ok := c.matcher.(interface{ Own(uint32) }); ok {
			o.Own(mask)
		}
	}
	e.own = mask
}

// Clock is the time that the engine has come to.
func (e *Engine) Clock() int64 { return e.clock }

// Feed shows an event to the rules. Events come in the order of their sequence
// numbers.
func (e *Engine) Feed(s *scene.Scene) {
	if t := s.Event.Time; t > e.clock {
		e.Advance(t)
	}
	if s.Seq != e.at || s.Seq == 0 {
		e.at = s.Seq
		clear(e.tail)
	}
	e.show(s)
}

// show shows an event to the clock of the theatres, and then to the rules.
func (e *Engine) show(s *scene.Scene) {
	var changes []clock.Change
	if c := e.deps.Clock; c != nil {
		changes = slices.Clone(c.Feed(s))
		if st, _, _, ok := c.State(s.Theatre); ok && s.Theatre != "" {
			s.Case = st
		}
	}
	e.Stats.Events++
	e.n++
	e.scene = s
	s.Titles = &e.titles
	e.titles.Note(s)
	if h, ok := s.Event.Detail.(*event.SensorHealth); ok {
		e.health(s, h)
	}
	plan := e.plan(s.Event)
	for from := 0; from < len(plan); {
		from = e.run(plan, from, s)
	}
	e.scene = nil
	e.changed(changes, s.World)
}

// changed passes on what became known about cases.
func (e *Engine) changed(changes []clock.Change, w *scene.World) {
	for i := range changes {
		if e.deps.Changed != nil {
			e.deps.Changed(changes[i])
			continue
		}
		if w == nil || e.depth > 0 {
			continue // what the clock says does not tell the clock anything
		}
		ev := changes[i].Event()
		s := w.Scene(&record.Record{Seq: e.at, Time: ev.Time, Sensor: "clock", Theatre: changes[i].Detail.Theatre}, ev)
		e.depth++
		e.show(&s)
		e.depth--
	}
}

// plan returns who asks for events like this.
func (e *Engine) plan(ev *event.Event) []selector {
	key := planKey{ev.Class(), ev.Activity, ev.Protocol}
	if p, ok := e.plans[key]; ok {
		return p
	}
	var p []selector
	for _, s := range e.index[key.class] {
		if s.on.selects(key) {
			p = append(p, s)
		}
	}
	if len(e.plans) >= maxPlans {
		clear(e.plans)
	}
	e.plans[key] = p
	return p
}

// run shows a scene to the rules of a plan, from one on, and returns where to go on: after
// the one that panicked, or at the end.
func (e *Engine) run(plan []selector, from int, s *scene.Scene) (next int) {
	i := from
	defer func() {
		if p := recover(); p != nil {
			e.panicked(plan[i].c, p)
			next = i + 1
		}
	}()
	timed := e.n&63 == 0
	for ; i < len(plan); i++ {
		sel := &plan[i]
		c := sel.c
		if c.off != "" {
			continue
		}
		c.cost.Evaluations++
		var began time.Time
		if timed {
			began = time.Now()
		}
		ok := true
		if sel.on.when != nil {
			var err error
			if ok, err = sel.on.when.Eval(s); err != nil {
				c.erred(err)
				ok = false
			}
		}
		if ok {
			c.cost.Selected++
			c.step = sel.step
			c.matcher.Feed(s, sel.step, c.hit)
		}
		if timed {
			c.cost.sample(time.Since(began))
		}
		if c.cost.Evaluations&4095 == 0 {
			e.judge(c)
		}
	}
	e.Stats.Evaluations += uint64(len(plan) - from)
	return len(plan)
}

// Advance moves the clock on and lets rules find what did not happen: each time that a
// second is over, so that it does not matter how many events came in it.
func (e *Engine) Advance(now int64) {
	if now <= e.clock {
		return
	}
	if e.clock == 0 || now-e.clock > int64(maxLeap) {
		e.clock = now - int64(time.Second)
	}
	e.scene = nil
	for e.clock < now {
		before := e.clock
		e.clock = min(e.clock+int64(time.Second), now)
		if before/int64(time.Second) == e.clock/int64(time.Second) {
			continue
		}
		if c := e.deps.Clock; c != nil {
			e.changed(slices.Clone(c.Advance(e.clock)), e.World)
			e.scene = nil
		}
		for i := 0; i < len(e.rules); {
			i = e.tick(i)
		}
	}
}

// tick gives the time to the rules from one on, and returns where to go on.
func (e *Engine) tick(from int) (next int) {
	i := from
	defer func() {
		if p := recover(); p != nil {
			e.panicked(e.rules[i], p)
			next = i + 1
		}
	}()
	for ; i < len(e.rules); i++ {
		if c := e.rules[i]; c.off == "" && c.timed {
			c.matcher.Advance(e.clock, c.hit)
		}
	}
	return i
}

// panicked switches a rule off that panicked.
func (e *Engine) panicked(c *compiled, p any) {
	e.deps.Log.Error("a rule panicked and is switched off", "rule", c.rule.ID, "panic", p, "stack", string(debug.Stack()))
	e.switchOff(c, fmt.Sprintf("it failed inside: %v", p))
}

// health tells rules that wait for something when a sensor does not see.
func (e *Engine) health(s *scene.Scene, h *event.SensorHealth) {
	const degrade, recovered = 2, 3
	name := h.Sensor
	if name == "" {
		name = s.Sensor
	} else if record.SiteOf(name) == "" {
		name = record.SensorAt(s.Site(), name)
	}
	from, to := s.Event.Time, int64(0)
	switch s.Event.Activity {
	case degrade:
		if _, known := e.blind[name]; known || len(e.blind) > 1000 {
			return
		}
		e.blind[name] = from
	case recovered:
		since, known := e.blind[name]
		if !known {
			return
		}
		delete(e.blind, name)
		from, to = since, s.Event.Time
	default:
		return
	}
	e.Blind(name, from, to)
}

// Blind says that a sensor saw nothing, or not all, in a time; to is 0 until it is
// told. What stops then has not stopped for sure.
func (e *Engine) Blind(sensor string, from, to int64) {
	for _, c := range e.rules {
		if b, ok := c.matcher.(interface {
			Blind(sensor string, from, to int64)
		}); ok {
			b.Blind(sensor, from, to)
		}
	}
}
