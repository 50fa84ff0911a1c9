// SPDX-License-Identifier: Apache-2.0

package rule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/see/detect/expr"
)

// Names returns the names in braces of a template, each once, in their order. "{{"
// and "}}" are braces that mean themselves.
func Names(template string) ([]string, error) {
	var out []string
	for i := 0; i < len(template); i++ {
		switch {
		case strings.HasPrefix(template[i:], "{{"), strings.HasPrefix(template[i:], "}}"):
			i++
		case template[i] == '}':
			return nil, fmt.Errorf("column %d: a brace closes that none opened", i+1)
		case template[i] == '{':
			name, _, ok := strings.Cut(template[i+1:], "}")
			if !ok || name == "" {
				return nil, fmt.Errorf("column %d: a name in braces does not end, or is empty", i+1)
			}
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
			i += len(name) + 1
		}
	}
	return out, nil
}

// TemplateNames are the names that the templates of a rule may use.
func (r *Rule) TemplateNames() []string {
	out := append(BuiltIn(), r.Match.Gives()...)
	for _, v := range r.Values {
		out = append(out, v.Name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// values checks the named expressions and the group.
func (c *checker) values() {
	r := c.r
	classes := classesOf(r.Match.Selects())
	if len(r.Values) > maxValues {
		c.fail("values", "", "there are %d, want at most %d", len(r.Values), maxValues)
	}
	seen := map[string]bool{}
	for i, v := range r.Values {
		at := fmt.Sprintf("values[%d]", i)
		switch {
		case !nameForm.MatchString(v.Name):
			c.fail(at+".name", "small letters, digits and _", "%q is not a name", v.Name)
		case slices.Contains(BuiltIn(), v.Name) && v.Name != "count":
			c.fail(at+".name", "choose another", "%q is a name that every rule has", v.Name)
		case seen[v.Name]:
			c.fail(at+".name", "", "%q is given twice", v.Name)
		}
		seen[v.Name] = true
		_, err := c.env.Texts(classes, v.Expr)
		c.expression(at+".expr", err)
	}
	if len(r.Group.By) > maxKeys {
		c.fail("group.by", "", "there are %d, want at most %d", len(r.Group.By), maxKeys)
	}
	for i, text := range r.Group.By {
		_, err := c.env.Texts(classes, text)
		c.expression(fmt.Sprintf("group.by[%d]", i), err)
	}
	for i, d := range r.Group.Devices {
		if d != "src" && d != "dst" {
			c.fail(fmt.Sprintf("group.devices[%d]", i), "write src or dst", "%q is not an end of a conversation", d)
		}
	}
}

func (c *checker) templates() {
	known := c.r.TemplateNames()
	open := c.r.Match.Go != nil // an analysis gives names of its own
	type worded struct{ field, text string }
	texts := []worded{{"title", c.r.Title}, {"analyst", c.r.Analyst}, {"room", c.r.Room}}
	for i, s := range c.r.Playbook {
		texts = append(texts, worded{fmt.Sprintf("playbook[%d]", i), s})
	}
	for i, s := range c.r.FalsePositives {
		texts = append(texts, worded{fmt.Sprintf("false_positives[%d]", i), s})
	}
	for _, t := range texts {
		names, err := Names(t.text)
		if err != nil {
			c.fail(t.field, "", "%v", err)
			continue
		}
		for _, n := range names {
			switch {
			case slices.Contains(known, n):
			case !nameForm.MatchString(n):
				c.fail(t.field, "", "%q is not a name", n)
			case !open:
				c.fail(t.field, expr.Nearest(n, known), "there is no value %q", n)
			}
		}
	}
}

// samples checks that the rule is proved: at least one sample that fires and one
// that is quiet, each of them fit to run.
func (c *checker) samples() {
	r := c.r
	fires, quiet := false, false
	names := map[string]bool{}
	for i := range r.Samples {
		s := &r.Samples[i]
		at := fmt.Sprintf("samples[%d]", i)
		if strings.TrimSpace(s.Name) == "" {
			c.fail(at+".name", "what happens, in a sentence", "is missing")
		} else if names[s.Name] {
			c.fail(at+".name", "", "two samples have this name")
		}
		names[s.Name] = true
		if (s.Fires != nil) == s.Quiet {
			c.fail(at, "write fires: or quiet: true", "want one of the two")
		}
		fires, quiet = fires || s.Fires != nil, quiet || s.Quiet
		switch {
		case (s.Capture != "") == (len(s.Events) > 0):
			c.fail(at, "", "want either a capture or events")
		case s.Capture != "" && (strings.HasPrefix(s.Capture, "/") || strings.Contains(s.Capture, "..")):
			c.fail(at+".capture", "", "want a path below testdata/captures")
		}
		if s.Fires != nil && s.Fires.Alerts < 0 {
			c.fail(at+".fires.alerts", "", "must not be negative")
		}
		if s.Settings.Until < 0 || s.Settings.Wait < 0 || s.Settings.Wait > MaxWindow {
			c.fail(at+".settings", "", "times are from 0 to %s", MaxWindow)
		}
		s.check(at, c)
	}
	if len(r.Samples) > maxSamples {
		c.fail("samples", "", "there are %d, want at most %d", len(r.Samples), maxSamples)
	}
	if r.Origin != "" && len(r.Samples) == 0 {
		return
	}
	if !fires {
		c.fail("samples", "a rule is proved by a sample that fires", "none fires")
	}
	if !quiet {
		c.fail("samples", "a rule is proved by a sample that looks alike and is quiet", "none is quiet")
	}
}
