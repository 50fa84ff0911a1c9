// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/wire/dicom"
)

// defaultPolicy is a policy with every rule at its default.
//
//go:embed default.yaml
var defaultPolicy []byte

// DefaultYAML returns the text of the embedded policy, with every rule, its default and what it is for.
func DefaultYAML() []byte { return slices.Clone(defaultPolicy) }

// Mode says whether verdicts are carried out.
type Mode string

// The modes.
const (
	Enforce Mode = "enforce"
	Observe Mode = "observe" // every verdict above flag counts as flag
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *Mode) UnmarshalText(text []byte) error {
	switch *m = Mode(text); *m {
	case Enforce, Observe:
		return nil
	}
	return fmt.Errorf("mode %.20q: want enforce or observe", text)
}

// document is a policy as it is written.
type document struct {
	Mode  Mode               `yaml:"mode" doc:"\"enforce\" carries verdicts out; \"observe\" lowers every verdict above flag to flag, to learn what a policy would do."`
	Rules map[string]setting `yaml:"rules" doc:"What each rule does. A rule that is not named has its default."`
}

// setting is what a policy says about one rule.
type setting struct {
	Verdict   *instance.Verdict `yaml:"verdict" doc:"pass, flag, sanitise, quarantine or refuse."`
	Except    []tagText         `yaml:"except" doc:"Elements at which the rule never meets, by keyword or as (gggg,eeee); x stands for any digit."`
	Options   options           `yaml:"options" doc:"Options of this rule."`
	Overrides []override        `yaml:"overrides" doc:"Other verdicts for some devices, theatres and times. The first that fits counts."`
}

// override is another verdict for some.
type override struct {
	Device  string           `yaml:"device" doc:"ID of the device that sends; empty is any."`
	Theatre string           `yaml:"theatre" doc:"Theatre in which it stands; empty is any."`
	Case    caseState        `yaml:"case" doc:"\"in-progress\" or \"none\": whether a case is in progress in the theatre; empty is both."`
	Verdict instance.Verdict `yaml:"verdict" doc:"pass, flag, sanitise, quarantine or refuse."`
}

// options of rules. Which rule has which is in the table.
type options struct {
	Allow     []string       `yaml:"allow" doc:"What is allowed besides the standard; * stands for anything. It replaces the default list."`
	Max       *uint64        `yaml:"max" doc:"The most there may be."`
	Ratio     *uint64        `yaml:"ratio" doc:"How many times its size a deflated data set may grow."`
	Tolerance *time.Duration `yaml:"tolerance" doc:"How far dates may be apart."`
}

// caseState is a condition on the room's case.
type caseState string

const (
	caseInProgress caseState = "in-progress"
	caseNone       caseState = "none"
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *caseState) UnmarshalText(text []byte) error {
	switch *c = caseState(text); *c {
	case caseInProgress, caseNone:
		return nil
	}
	return fmt.Errorf("case %.20q: want in-progress or none", text)
}

// tagText is an element, or a pattern of elements.
type tagText struct {
	value, mask dicom.Tag
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *tagText) UnmarshalText(text []byte) error {
	if t, ok := dicom.TagOf(string(text)); ok {
		p.value, p.mask = t, 0xFFFFFFFF
		return nil
	}
	s := strings.ToLower(strings.Trim(string(text), "()"))
	digits := strings.Replace(s, ",", "", 1)
	if len(digits) != 8 {
		return fmt.Errorf("%.40q is no element: write a keyword, or (gggg,eeee)", text)
	}
	p.value, p.mask = 0, 0
	for _, c := range []byte(digits) {
		p.value, p.mask = p.value<<4, p.mask<<4
		switch d := strings.IndexByte("0123456789abcdef", c); {
		case d >= 0:
			p.value |= dicom.Tag(d)
			p.mask |= 0xF
		case c != 'x':
			return fmt.Errorf("%.40q is no element: write a keyword, or (gggg,eeee)", text)
		}
	}
	return nil
}

// Validate implements config.Validator.
func (d document) Validate() error {
	var errs []error
	for name, s := range d.Rules {
		r, ok := ruleNamed(name)
		if !ok {
			errs = append(errs, config.Invalid("rules."+name, hintFor(name), "there is no such rule"))
			continue
		}
		errs = append(errs, s.check("rules."+name, &table[r])...)
	}
	return errors.Join(errs...)
}

func (s *setting) check(path string, r *Rule) (errs []error) {
	can := func(field string, v instance.Verdict) {
		if v == instance.Sanitise && r.Action == "" {
			errs = append(errs, config.Invalid(path+field, "choose quarantine: the instance is kept, and two people can release it", "%s cannot sanitise: there is no element whose change would mend it", r.Name))
		}
	}
	if s.Verdict != nil {
		can(".verdict", *s.Verdict)
	}
	for i := range s.Overrides {
		o := &s.Overrides[i]
		at := fmt.Sprintf(".overrides[%d]", i)
		can(at+".verdict", o.Verdict)
		if o.Device == "" && o.Theatre == "" && o.Case == "" {
			errs = append(errs, config.Invalid(path+at, "name a device, a theatre or a case, or set the rule's own verdict", "an override for everything"))
		}
	}
	for _, o := range []struct {
		name string
		set  bool
	}{{"allow", s.Options.Allow != nil}, {"max", s.Options.Max != nil}, {"ratio", s.Options.Ratio != nil}, {"tolerance", s.Options.Tolerance != nil}} {
		if o.set && !slices.Contains(r.Options, o.name) {
			hint := r.Name + " has no options"
			if len(r.Options) > 0 {
				hint = "its options are " + strings.Join(r.Options, ", ")
			}
			errs = append(errs, config.Invalid(path+".options."+o.name, hint, "%s has no such option", r.Name))
		}
	}
	if s.Options.Max != nil && *s.Options.Max == 0 {
		errs = append(errs, config.Invalid(path+".options.max", "to refuse nothing, set the verdict pass", "must not be 0"))
	}
	if r.Name == table[structureDepth].Name && s.Options.Max != nil && *s.Options.Max > dicom.MaxDepth {
		errs = append(errs, config.Invalid(path+".options.max", "real objects nest fewer than ten", "must not be more than %d", dicom.MaxDepth))
	}
	if s.Options.Ratio != nil && *s.Options.Ratio == 0 {
		errs = append(errs, config.Invalid(path+".options.ratio", "to refuse nothing, set the verdict pass", "must not be 0"))
	}
	if s.Options.Tolerance != nil && *s.Options.Tolerance < 0 {
		errs = append(errs, config.Invalid(path+".options.tolerance", "", "must not be negative"))
	}
	return errs
}

// hintFor finds the rule that was meant.
func hintFor(name string) string {
	family, _, _ := strings.Cut(name, ".")
	var same []string
	for i := range table {
		n := table[i].Name
		if strings.HasPrefix(n, family+".") {
			same = append(same, n)
		}
		if _, last, _ := strings.Cut(n, "."); strings.EqualFold(n, name) || last == name || strings.ReplaceAll(n, "-", "_") == name {
			return "did you mean " + n + "?"
		}
	}
	if len(same) > 0 {
		return "the rules of this family are " + strings.Join(same, ", ")
	}
	return "docs/firewall.md has every rule"
}

// Policy is what a firewall does. It never changes; use it from any goroutine.
type Policy struct {
	text []byte
	sum  string
	mode Mode
	base [ruleCount]instance.Verdict
	// overrides, in the order in which they are tried.
	overrides []compiledOverride
	except    [ruleCount][]tagText
	allow     [ruleCount]patterns
	max       [ruleCount]uint64
	ratio     uint64
	tolerance [ruleCount]time.Duration
}

type compiledOverride struct {
	rule rule
	override
}

// Parse reads a policy. What is not in it has its default. The name stands for the file in errors, which are
// config.Errors: with line, column and hint.
func Parse(name string, yaml []byte) (*Policy, error) {
	d, err := config.Decode(name, yaml, document{Mode: Enforce})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(yaml)
	p := &Policy{text: slices.Clone(yaml), sum: hex.EncodeToString(sum[:]), mode: d.Mode}
	for i := range table {
		r := rule(i)
		p.base[r] = table[r].Default
		p.max[r], p.tolerance[r], p.allow[r] = defaultMax(r), defaultTolerance(r), patterns(defaultAllow(r))
	}
	p.ratio = dicom.MaxInflateRatio
	for i := range table {
		s, ok := d.Rules[table[i].Name]
		if ok {
			p.apply(rule(i), &s)
		}
	}
	return p, nil
}

func (p *Policy) apply(r rule, s *setting) {
	if s.Verdict != nil {
		p.base[r] = *s.Verdict
	}
	for _, o := range s.Overrides {
		p.overrides = append(p.overrides, compiledOverride{r, o})
	}
	p.except[r] = s.Except
	if s.Options.Allow != nil {
		p.allow[r] = s.Options.Allow
	}
	if s.Options.Max != nil {
		p.max[r] = *s.Options.Max
	}
	if s.Options.Ratio != nil {
		p.ratio = *s.Options.Ratio
	}
	if s.Options.Tolerance != nil {
		p.tolerance[r] = *s.Options.Tolerance
	}
}

// Default returns the embedded policy.
func Default() *Policy { return embedded() }

var embedded = sync.OnceValue(func() *Policy {
	p, err := Parse("default.yaml", defaultPolicy)
	if err != nil {
		panic("BUG: the embedded policy: " + err.Error())
	}
	return p
})

// SHA256 is the sum of the policy's text, hexadecimal.
func (p *Policy) SHA256() string { return p.sum }

// YAML returns the policy's text.
func (p *Policy) YAML() []byte { return slices.Clone(p.text) }

// Mode returns whether verdicts are carried out.
func (p *Policy) Mode() Mode { return p.mode }

// Verdict returns what a rule does for an arrival; false when there is no such rule.
func (p *Policy) Verdict(name string, a instance.Arrival) (instance.Verdict, bool) {
	r, ok := ruleNamed(name)
	if !ok {
		return 0, false
	}
	v := p.verdicts(&a)
	return v[r], true
}

// verdicts returns what each rule does for an arrival.
func (p *Policy) verdicts(a *instance.Arrival) [ruleCount]instance.Verdict {
	out := p.base
	var done [ruleCount]bool
	for i := range p.overrides {
		o := &p.overrides[i]
		if !done[o.rule] && o.fits(a) {
			out[o.rule], done[o.rule] = o.Verdict, true
		}
	}
	if p.mode == Observe {
		for i, v := range out {
			out[i] = min(v, instance.Flag)
		}
	}
	return out
}

func (o *override) fits(a *instance.Arrival) bool {
	return (o.Device == "" || o.Device == a.Sender.Device) && (o.Theatre == "" || o.Theatre == a.Sender.Theatre) && (o.Case == "" || (o.Case == caseInProgress) == a.Case)
}

// excepts reports that a rule never meets at an element.
func (p *Policy) excepts(r rule, t dicom.Tag) bool {
	for _, e := range p.except[r] {
		if t&e.mask == e.value {
			return true
		}
	}
	return false
}

// patterns are texts in which * stands for anything.
type patterns []string

func (p patterns) match(s string) bool {
	for _, one := range p {
		if glob(one, s) {
			return true
		}
	}
	return false
}

// glob matches without regard to case, in time that is linear for each star.
func glob(pattern, s string) bool {
	pi, si, star, mark := 0, 0, -1, 0
	for si < len(s) {
		switch {
		case pi < len(pattern) && pattern[pi] == '*':
			star, mark = pi, si
			pi++
		case pi < len(pattern) && lower(pattern[pi]) == lower(s[si]):
			pi++
			si++
		case star >= 0:
			mark++
			pi, si = star+1, mark
		default:
			return false
		}
	}
	for pi < len(pattern) && pattern[pi] == '*' {
		pi++
	}
	return pi == len(pattern)
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
