// SPDX-License-Identifier: Apache-2.0

package rule

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/see/detect/expr"
)

// Bounds of a rule.
const (
	maxTitle   = 200  // bytes of a title's template
	maxWords   = 2000 // bytes of another text
	maxOver    = 1_000_000
	maxSteps   = 8
	maxKeys    = 8
	maxValues  = 32
	maxSamples = 50
)

var (
	idForm     = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*\.[a-z0-9]+(-[a-z0-9]+)*$`)
	attackForm = regexp.MustCompile(`^T(0[0-9]{3}|1[0-9]{3}(\.[0-9]{3})?)$`)
	nameForm   = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	needs      = []string{"policy", "schedule", "baseline", "inventory", "theatres"}
	origins    = []string{"", "sigma", "suricata"}
)

// checker collects what is wrong with a rule.
type checker struct {
	r    *Rule
	env  *expr.Env
	errs []error
}

func (c *checker) fail(field, hint, format string, args ...any) {
	c.errs = append(c.errs, config.Invalid(field, hint, format, args...))
}

// expression reports the error of an expression with its hint.
func (c *checker) expression(field string, err error) {
	if err == nil {
		return
	}
	var e *expr.Error
	if errors.As(err, &e) && e.Help != "" {
		c.fail(field, e.Help, "%s", strings.TrimSuffix(e.Error(), " ("+e.Help+")"))
		return
	}
	c.fail(field, "", "%v", err)
}

// Check says everything that is wrong with a rule, by the names of its fields in YAML.
func Check(r *Rule, env *expr.Env) error {
	c := &checker{r: r, env: env}
	c.texts()
	c.severity()
	c.match()
	c.values()
	c.templates()
	c.samples()
	return errors.Join(c.errs...)
}

func (c *checker) texts() {
	r := c.r
	if !idForm.MatchString(r.ID) {
		c.fail("id", "write <family>.<name> in small letters, digits and hyphens: dicom.move-unknown-destination", "%q is not the ID of a rule", r.ID)
	}
	if r.Version < 1 {
		c.fail("version", "the first is 1", "is missing")
	}
	for _, t := range []struct {
		field, text string
		most        int
	}{{"title", r.Title, maxTitle}, {"analyst", r.Analyst, maxWords}, {"room", r.Room, maxWords}} {
		if strings.TrimSpace(t.text) == "" {
			c.fail(t.field, "", "is missing")
		} else if len(t.text) > t.most {
			c.fail(t.field, "", "is longer than %d bytes", t.most)
		}
	}
	if r.Confidence < 1 || r.Confidence > 100 {
		c.fail("confidence", "percent, how sure it is that it is what it says when it fires", "want 1 to 100, have %d", r.Confidence)
	}
	for i, a := range r.Attack {
		if !attackForm.MatchString(a) {
			c.fail(fmt.Sprintf("attack[%d]", i), "T0846 of ATT&CK for ICS, T1046 or T1110.001 of Enterprise", "%q is not the ID of a technique", a)
		}
	}
	for _, l := range []struct {
		field string
		texts []string
		want  bool
	}{{"references", r.References, false}, {"playbook", r.Playbook, true}, {"false_positives", r.FalsePositives, true}} {
		if l.want && len(l.texts) == 0 {
			c.fail(l.field, "", "is missing")
		}
		for i, t := range l.texts {
			if strings.TrimSpace(t) == "" || len(t) > maxWords {
				c.fail(fmt.Sprintf("%s[%d]", l.field, i), "", "is empty or too long")
			}
		}
	}
	for i, n := range r.Needs {
		if !slices.Contains(needs, n) {
			c.fail(fmt.Sprintf("needs[%d]", i), "there are "+strings.Join(needs, ", "), "%q is not something a rule can need", n)
		}
	}
	if !slices.Contains(origins, r.Origin) {
		c.fail("origin", "leave it out", "%q is not where a rule can come from", r.Origin)
	}
}

func (c *checker) severity() {
	s := c.r.Severity
	if s.Base == finding.Unknown {
		c.fail("severity.base", "write info, low, medium, high or critical", "is missing")
	}
	for level := range s.Criticality {
		switch device.Criticality(level) {
		case device.CriticalityLow, device.CriticalityMedium, device.CriticalityHigh, device.CriticalityLife:
		default:
			c.fail("severity.criticality", "there are low, medium, high, life-supporting", "%q is not a criticality of devices", level)
		}
	}
}

func (c *checker) match() {
	m := &c.r.Match
	set := m.set()
	if len(set) != 1 {
		have := "none"
		if len(set) > 0 {
			have = strings.Join(set, " and ")
		}
		c.fail("match", "one of trigger, count, unique, sequence, absence, rate, baseline, ioc, go", "want one matcher, have %s", have)
		return
	}
	p := "match." + set[0]
	switch {
	case m.Trigger != nil:
		c.on(p, m.Trigger.On)
	case m.Count != nil:
		c.on(p, m.Count.On)
		c.keys(p+".by", m.Count.By, m.Count.Classes())
		c.window(p+".window", m.Count.Window)
		c.over(p+".over", m.Count.Over, 1)
	case m.Unique != nil:
		c.on(p, m.Unique.On)
		c.keys(p+".by", m.Unique.By, m.Unique.Classes())
		c.text(p+".of", m.Unique.Of, m.Unique.Classes())
		c.window(p+".window", m.Unique.Window)
		c.over(p+".over", m.Unique.Over, 2)
	case m.Sequence != nil:
		c.sequence(p, m.Sequence)
	case m.Absence != nil:
		c.absence(p, m.Absence)
	case m.Rate != nil:
		c.rate(p, m.Rate)
	case m.Baseline != nil:
		c.on(p, m.Baseline.On)
		c.keys(p+".by", m.Baseline.By, m.Baseline.Classes())
		if len(m.Baseline.Of) == 0 {
			c.fail(p+".of", "", "is missing")
		}
		c.keys(p+".of", m.Baseline.Of, m.Baseline.Classes())
		c.learn(p+".learn", m.Baseline.Learn)
	case m.IOC != nil:
		c.ioc(p, m.IOC)
	case m.Go != nil:
		if !idForm.MatchString("x." + m.Go.Name) {
			c.fail(p+".name", "", "%q is not the name of an analysis", m.Go.Name)
		}
		if m.Go.When != "" { // against the classes of the analysis it is checked when that is made
			_, err := c.env.Bool(event.Classes(), m.Go.When)
			c.expression(p+".when", err)
		}
	}
}

// on checks a selection.
func (c *checker) on(p string, o On) {
	for i, name := range o.Class {
		if _, ok := classNamed(name); !ok {
			c.fail(fmt.Sprintf("%s.class[%d]", p, i), "there are "+strings.Join(classNames(), ", "), "there is no class %q", name)
		}
	}
	classes := o.Classes()
	if len(classes) == 0 && len(o.Protocol) == 0 {
		c.fail(p+".class", "a rule that looks at every event costs too much", "want a class or a protocol")
	}
	for i, name := range o.Protocol {
		if name == "" || strings.ToLower(name) != name {
			c.fail(fmt.Sprintf("%s.protocol[%d]", p, i), "protocols are written in small letters", "%q is not a protocol", name)
		}
	}
	for i, name := range o.Activity {
		if _, ok := activityNamed(classes, name); !ok {
			c.fail(fmt.Sprintf("%s.activity[%d]", p, i), "there are "+strings.Join(activityNames(classes), ", "), "no class here has an activity %q", name)
		}
	}
	if o.When != "" {
		_, err := c.env.Bool(classes, o.When)
		c.expression(p+".when", err)
	}
}

func classNames() []string {
	var out []string
	for _, k := range event.Classes() {
		out = append(out, k.Name())
	}
	return out
}

func activityNames(classes []event.Class) []string {
	if len(classes) == 0 {
		classes = event.Classes()
	}
	var out []string
	for _, k := range classes {
		for _, id := range k.Activities() {
			if n := k.ActivityCaption(id); !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	return out
}

// activityNamed finds the activity of that caption in the first class that has it.
func activityNamed(classes []event.Class, name string) (uint8, bool) {
	if len(classes) == 0 {
		classes = event.Classes()
	}
	for _, k := range classes {
		for _, id := range k.Activities() {
			if k.ActivityCaption(id) == name {
				return id, true
			}
		}
	}
	return 0, false
}

func (c *checker) keys(p string, by []string, classes []event.Class) {
	if len(by) > maxKeys {
		c.fail(p, "", "there are %d, want at most %d", len(by), maxKeys)
	}
	for i, text := range by {
		c.text(fmt.Sprintf("%s[%d]", p, i), text, classes)
	}
}

func (c *checker) text(p, text string, classes []event.Class) {
	_, err := c.env.Text(classes, text)
	c.expression(p, err)
}

func (c *checker) window(p string, d time.Duration) {
	if d < time.Second || d > MaxWindow {
		c.fail(p, "", "want 1s to %s, have %s", MaxWindow, d)
	}
}

func (c *checker) over(p string, n, least int) {
	if n < least || n > maxOver {
		c.fail(p, "", "want %d to %d, have %d", least, maxOver, n)
	}
}

func (c *checker) sequence(p string, q *Sequence) {
	if len(q.Steps) < 2 || len(q.Steps) > maxSteps {
		c.fail(p+".steps", "", "want 2 to %d steps, have %d", maxSteps, len(q.Steps))
	}
	c.window(p+".window", q.Window)
	for i, s := range q.Steps {
		at := fmt.Sprintf("%s.steps[%d]", p, i)
		c.on(at, s.On)
		by := s.By
		if len(by) == 0 {
			by = q.By
		} else if len(by) != len(q.By) {
			c.fail(at+".by", "", "the key of a step has as many parts as that of the sequence: %d", len(q.By))
		}
		c.keys(at+".by", by, s.Classes())
		if s.Times < 0 || s.Times > 10_000 {
			c.fail(at+".times", "", "want 1 to 10000, have %d", s.Times)
		}
		if s.Not && (i == 0 || i == len(q.Steps)-1) {
			c.fail(at+".not", "", "what must not happen stands between two steps")
		}
	}
}

func (c *checker) absence(p string, a *Absence) {
	c.on(p, a.On)
	c.keys(p+".by", a.By, a.Classes())
	if a.Expect < 2 || a.Expect > maxOver {
		c.fail(p+".expect", "events that must have come before it counts as regular", "want 2 to %d, have %d", maxOver, a.Expect)
	}
	c.window(p+".within", a.Within)
	if a.Factor != 0 && (a.Factor < 1.5 || a.Factor > 1000) {
		c.fail(p+".factor", "leave it out for 5", "want 1.5 to 1000, have %g", a.Factor)
	}
	if a.Until != nil {
		c.on(p+".until", *a.Until)
		c.keys(p+".by", a.By, a.Until.Classes())
	}
}

func (c *checker) rate(p string, r *Rate) {
	c.on(p, r.On)
	c.keys(p+".by", r.By, r.Classes())
	if r.Value != "" {
		_, err := c.env.Number(r.Classes(), r.Value)
		c.expression(p+".value", err)
	}
	if r.Bucket < time.Second || r.Bucket > 24*time.Hour {
		c.fail(p+".bucket", "", "want 1s to 24h, have %s", r.Bucket)
	}
	if r.Deviations < 2 || r.Deviations > 1000 {
		c.fail(p+".deviations", "", "want 2 to 1000, have %g", r.Deviations)
	}
	if r.Floor < 0 || r.Floor > 0 && !r.Below {
		c.fail(p+".floor", "it belongs to below: true", "has no use here")
	}
	c.learn(p+".learn", r.Learn)
}

func (c *checker) learn(p string, l Learn) {
	if l.For < 0 || l.For > MaxWindow {
		c.fail(p+".for", "", "want at most %s, have %s", MaxWindow, l.For)
	}
	if l.Samples < 0 || l.Samples > maxOver {
		c.fail(p+".samples", "", "want at most %d, have %d", maxOver, l.Samples)
	}
	if l.For == 0 && l.Samples == 0 {
		c.fail(p, "say for how long or from how many samples", "is missing")
	}
	if l.Forget < 0 {
		c.fail(p+".forget", "", "must not be negative")
	}
}

func (c *checker) ioc(p string, m *IOC) {
	c.on(p, m.On)
	if len(m.Of) == 0 {
		c.fail(p+".of", "", "is missing")
	}
	for i, text := range m.Of {
		_, err := c.env.Texts(m.Classes(), text)
		c.expression(fmt.Sprintf("%s.of[%d]", p, i), err)
	}
	if !c.env.HasList(m.List) {
		c.fail(p+".list", "there are "+strings.Join(c.env.ListNames(), ", "), "there is no list %q in rules/lists", m.List)
	}
}
