// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"slices"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/detect/analysis"
	"github.com/asepsis/asepsis/see/detect/expr"
	"github.com/asepsis/asepsis/see/detect/match"
	"github.com/asepsis/asepsis/see/detect/rule"
)

// compiled is a rule ready to run.
type compiled struct {
	rule    *rule.Rule
	hash    string
	matcher match.Matcher
	ons     []on
	values  []value
	group   []*expr.Texts
	title   *template
	room    *template
	text    *template // for the analyst
	steps   []*template
	benign  []*template
	timed   bool // what it waits for may happen without an event
	safety  bool
	hit     func(match.Hit)

	step   int // the On that selected the event, for evidence
	off    string
	cost   Cost
	last   int64                               // when it fired last
	errMsg string                              // of its last error
	recent [match.Partitions]map[string]int64  // groups that began within the last hour
	groups [match.Partitions]map[string]string // group by matcher key, where they differ
}

// on is one selection of events.
type on struct {
	classes   []event.Class
	protocols []string
	captions  []string
	when      *expr.Bool
}

type value struct {
	rule.Value
	expr *expr.Texts
}

// selects reports whether events of a kind are asked for, whatever they hold.
func (o *on) selects(k planKey) bool {
	if len(o.protocols) > 0 && !slices.Contains(o.protocols, k.protocol) {
		return false
	}
	return len(o.captions) == 0 || slices.Contains(o.captions, k.class.ActivityCaption(k.activity))
}

// compileOn compiles a selection.
func compileOn(env *expr.Env, r rule.On) (on, error) {
	o := on{protocols: r.Protocol, captions: r.Activity}
	for _, name := range r.Class {
		i := slices.IndexFunc(event.Classes(), func(c event.Class) bool { return c.Name() == name })
		if i < 0 {
			return o, fmt.Errorf("there is no class %q", name)
		}
		o.classes = append(o.classes, event.Classes()[i])
	}
	if len(o.classes) == 0 {
		o.classes = event.Classes()
	}
	if r.When != "" {
		var err error
		if o.when, err = env.Bool(o.classes, r.When); err != nil {
			return o, fmt.Errorf("when: %w", err)
		}
	}
	return o, nil
}

// compile makes a rule ready to run.
func (e *Engine) compile(r *rule.Rule) (*compiled, error) {
	content := e.deps.Content
	c := &compiled{rule: r, hash: rule.Hash(r), safety: Safety(r)}
	selects := r.Match.Selects()
	deps := match.Deps{Env: content.Env, Lists: content.Lists, Limits: e.deps.Limits, Learner: e.deps.Learner, Trained: e.deps.Trained, Secret: e.deps.Secret}
	var err error
	if g := r.Match.Go; g != nil {
		d, ok := analysis.All()[g.Name]
		if !ok {
			return nil, fmt.Errorf("there is no analysis %q", g.Name)
		}
		selects = g.Selects(d.On)
		c.matcher, err = d.New(g.Settings, deps)
	} else {
		c.matcher, err = match.New(r, deps)
	}
	if err != nil {
		return nil, err
	}
	var classes []event.Class
	for _, s := range selects {
		o, err := compileOn(content.Env, s)
		if err != nil {
			return nil, err
		}
		c.ons = append(c.ons, o)
		for _, k := range o.classes {
			if !slices.Contains(classes, k) {
				classes = append(classes, k)
			}
		}
	}
	for _, v := range r.Values {
		x, err := content.Env.Texts(classes, v.Expr)
		if err != nil {
			return nil, fmt.Errorf("value %s: %w", v.Name, err)
		}
		c.values = append(c.values, value{v, x})
	}
	for _, g := range r.Group.By {
		x, err := content.Env.Texts(classes, g)
		if err != nil {
			return nil, fmt.Errorf("group: %w", err)
		}
		c.group = append(c.group, x)
	}
	if c.title, err = parseTemplate(r.Title); err != nil {
		return nil, fmt.Errorf("title: %w", err)
	}
	if c.room, err = parseTemplate(r.Room); err != nil {
		return nil, fmt.Errorf("room: %w", err)
	}
	if c.text, err = parseTemplate(r.Analyst); err != nil {
		return nil, fmt.Errorf("analyst: %w", err)
	}
	for _, l := range []struct {
		name  string
		texts []string
		to    *[]*template
	}{{"playbook", r.Playbook, &c.steps}, {"false_positives", r.FalsePositives, &c.benign}} {
		for i, text := range l.texts {
			t, err := parseTemplate(text)
			if err != nil {
				return nil, fmt.Errorf("%s[%d]: %w", l.name, i, err)
			}
			*l.to = append(*l.to, t)
		}
	}
	c.timed = r.Match.Trigger == nil && r.Match.IOC == nil
	c.hit = func(h match.Hit) { e.hit(c, &h) }
	return c, nil
}

// drop forgets what belongs to a partition.
func (c *compiled) drop(p int) { c.recent[p], c.groups[p] = nil, nil }

// safetyTechniques are techniques of ATT&CK for ICS whose effect is that something
// which care depends on does not work, or cannot be seen or controlled.
var safetyTechniques = []string{"T0813", "T0814", "T0815", "T0816", "T0826", "T0827", "T0829", "T0837", "T0880"}

// Safety reports whether a rule is about the loss of something that a patient may
// depend on. No maintenance hides that during a case.
func Safety(r *rule.Rule) bool {
	return slices.ContainsFunc(r.Attack, func(t string) bool { return slices.Contains(safetyTechniques, t) })
}
