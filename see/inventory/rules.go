// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/see/inventory/catalogue"
	"github.com/goccy/go-yaml"
)

// Bounds of a rule file.
const (
	maxRules     = 10000
	maxRuleBytes = 4 << 20
)

const ruleHint = "docs/devices.md explains the form of a rule"

// Rule is one line of rules.yaml, of which rules_builtin.go is made: what evidence
// votes for which class.
type Rule struct {
	ID     string       `yaml:"id"`
	Class  device.Class `yaml:"class"`
	Weight int          `yaml:"weight"`
	Group  string       `yaml:"group"`
	Why    string       `yaml:"why"`
	All    []Condition  `yaml:"all"`
	Any    []Condition  `yaml:"any"`
	Not    []Condition  `yaml:"not"`
}

// Condition looks for values of one attribute.
type Condition struct {
	Attr   device.Attribute `yaml:"attr"`
	Is     []string         `yaml:"is"`
	Begins []string         `yaml:"begins"`
	Has    []string         `yaml:"has"`
	Word   []string         `yaml:"word"`
	Match  string           `yaml:"match"`
	Source string           `yaml:"source"`
	Least  int              `yaml:"least"`

	re    *regexp.Regexp
	words []string
	attrs attrSet // of which one must be known for the condition to hold
}

// attrSet is a set of attributes, of which several may share a bit: it tells for sure
// only what is not in it.
type attrSet uint64

func setOf(attrs ...device.Attribute) (s attrSet) {
	for _, a := range attrs {
		h := uint32(2166136261)
		for k := range len(a) {
			h = (h ^ uint32(a[k])) * 16777619
		}
		s |= 1 << (h >> 26)
	}
	return s
}

// heard remembers what expressions said of values. Devices of a kind state the
// same, and a device is judged anew with everything new that it states.
type heard map[heardKey]bool

type heardKey struct {
	re    *regexp.Regexp
	value string
}

const maxHeard = 1 << 12

func (h heard) match(re *regexp.Regexp, value string) bool {
	k := heardKey{re, value}
	yes, known := h[k]
	if !known {
		yes = re.MatchString(value)
		if len(h) >= maxHeard {
			clear(h)
		}
		h[k] = yes
	}
	return yes
}

// ruleSet is rules ready for use. It is never changed after it was made.
type ruleSet struct{ rules []Rule }

var builtinRules = sync.OnceValue(func() *ruleSet {
	r := writtenRules()
	if err := prepareRules(r); err != nil {
		panic("BUG: built-in rules: " + err.Error())
	}
	return &ruleSet{rules: r}
})

// with returns the set with rules added; one with a known id replaces it.
func (s *ruleSet) with(add []Rule) *ruleSet {
	out := &ruleSet{rules: append([]Rule(nil), s.rules...)}
	at := map[string]int{}
	for k := range out.rules {
		at[out.rules[k].ID] = k
	}
	for _, r := range add {
		if k, ok := at[r.ID]; ok {
			out.rules[k] = r
			continue
		}
		out.rules = append(out.rules, r)
	}
	return out
}

// parseRules reads and checks rules.
func parseRules(b []byte) ([]Rule, error) {
	if len(b) > maxRuleBytes {
		return nil, config.Invalid("rules", "", "larger than %d bytes", maxRuleBytes)
	}
	var rs []Rule
	if err := yaml.UnmarshalWithOptions(b, &rs, yaml.Strict()); err != nil {
		return nil, config.Invalid("rules", ruleHint, "%v", err)
	}
	if len(rs) > maxRules {
		return nil, config.Invalid("rules", "", "more than %d", maxRules)
	}
	if err := prepareRules(rs); err != nil {
		return nil, err
	}
	return rs, nil
}

// prepareRules checks rules and makes them ready for use.
func prepareRules(rs []Rule) error {
	seen := map[string]bool{}
	for k := range rs {
		r := &rs[k]
		bad := func(f string, a ...any) error {
			return config.Invalid("rules", ruleHint, "rule %q: %s", r.ID, fmt.Sprintf(f, a...))
		}
		switch {
		case r.ID == "":
			return bad("rule %d has no id", k+1)
		case seen[r.ID]:
			return bad("is there twice")
		case !r.Class.Valid() || r.Class == device.ClassUnknown:
			return bad("class %q is not in the taxonomy", r.Class)
		case r.Weight < 1 || r.Weight > 95:
			return bad("weight %d is not in 1 to 95", r.Weight)
		case r.Why == "":
			return bad("does not say why")
		case len(r.All)+len(r.Any) == 0:
			return bad("has no condition")
		}
		seen[r.ID] = true
		if r.Group == "" {
			r.Group = r.ID
		}
		for _, list := range [][]Condition{r.All, r.Any, r.Not} {
			for j := range list {
				c := &list[j]
				if c.Attr == "" || len(c.Is)+len(c.Begins)+len(c.Has)+len(c.Word) == 0 && c.Match == "" {
					return bad("condition %d looks for nothing", j+1)
				}
				for _, l := range [][]string{c.Is, c.Begins, c.Has} {
					for n := range l {
						l[n] = strings.ToLower(l[n])
					}
				}
				c.attrs = setOf(c.Attr)
				if c.Attr == device.AttrHostname {
					c.attrs |= setOf(attrNameOnly)
				}
				for _, w := range c.Word {
					c.words = append(c.words, " "+strings.Join(catalogue.Words(w), " ")+" ")
				}
				if c.Match != "" {
					// Values are compared in lower case, which is faster than
					// folding; classes such as \D must keep theirs.
					expr := "(?i)" + c.Match
					if !upperEscape(c.Match) {
						expr = strings.ToLower(c.Match)
					}
					re, err := regexp.Compile(expr)
					if err != nil {
						return bad("%v", err)
					}
					c.re = re
				}
			}
		}
	}
	return nil
}

// upperEscape reports an escape or group flag that lower case would change.
func upperEscape(expr string) bool {
	for k := 0; k+1 < len(expr); k++ {
		if expr[k] == '\\' && expr[k+1] >= 'A' && expr[k+1] <= 'Z' || expr[k] == '(' && expr[k+1] == '?' || expr[k] == '[' && expr[k+1] == '[' {
			return true
		}
	}
	return false
}

// matches reports whether a value satisfies the condition.
func (c *Condition) matches(x *clue, h heard) bool {
	if c.Source != "" && !strings.HasPrefix(x.source, c.Source) {
		return false
	}
	for _, s := range c.Is {
		if x.lower == s {
			return true
		}
	}
	for _, s := range c.Begins {
		if strings.HasPrefix(x.lower, s) {
			return true
		}
	}
	for _, s := range c.Has {
		if strings.Contains(x.lower, s) {
			return true
		}
	}
	if len(c.words) > 0 {
		w := " " + strings.Join(catalogue.Words(x.lower), " ") + " "
		for _, s := range c.words {
			if strings.Contains(w, s) {
				return true
			}
		}
	}
	return c.re != nil && h.match(c.re, x.lower)
}

// holds returns the first clue that satisfies the condition, nil when fewer
// than Least values do.
func (c *Condition) holds(d *dossier) *clue {
	if c.attrs&d.attrs == 0 {
		return nil
	}
	var first *clue
	n := 0
	look := func(l []clue) bool {
		for k := range l {
			if x := &l[k]; c.matches(x, d.heard) {
				if first == nil {
					first = x
				}
				if n++; n >= c.Least {
					return true
				}
			}
		}
		return false
	}
	if look(d.clues[c.Attr]) || c.Attr == device.AttrHostname && look(d.clues[attrNameOnly]) {
		return first
	}
	return nil
}

// vote is what one rule or statement says about the class.
type vote struct {
	class  device.Class
	weight int
	group  string
	why    string
	source string
}

// votes evaluates all rules.
func (s *ruleSet) votes(d *dossier) []vote {
	var out []vote
next:
	for k := range s.rules {
		r := &s.rules[k]
		var first *clue
		for j := range r.All {
			x := r.All[j].holds(d)
			if x == nil {
				continue next
			}
			if first == nil {
				first = x
			}
		}
		if len(r.Any) > 0 {
			var hit *clue
			for j := range r.Any {
				if hit = r.Any[j].holds(d); hit != nil {
					break
				}
			}
			if hit == nil {
				continue
			}
			if first == nil {
				first = hit
			}
		}
		for j := range r.Not {
			if r.Not[j].holds(d) != nil {
				continue next
			}
		}
		weight := r.Weight
		if first.conf < device.Claimed && !derived(r) {
			weight = weight * 3 / 4
		}
		out = append(out, vote{class: r.Class, weight: weight, group: r.Group, why: strings.ReplaceAll(r.Why, "{value}", first.shown()), source: first.source})
	}
	return out
}

// derived reports that a rule stands on derived attributes, whose weights
// allow for their confidence.
func derived(r *Rule) bool {
	for _, l := range [][]Condition{r.All, r.Any} {
		for k := range l {
			switch l[k].Attr {
			case attrOUIVendor, attrOUIKind, attrOUIName, attrSoleModality, attrBehaviour:
				return true
			}
		}
	}
	return false
}
