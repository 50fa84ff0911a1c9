// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/asepsis/asepsis/see/detect/expr"
	"github.com/asepsis/asepsis/see/detect/indicator"
	"github.com/asepsis/asepsis/see/detect/rule"
)

// Content is what is looked for: rules, and the indicator lists that they ask. It is
// immutable once made, and may be used by several engines.
type Content struct {
	Rules []*rule.Rule // in the order of their IDs
	Lists Lists
	Env   *expr.Env
}

// Lists are indicator lists; of a name that several have, the last counts.
type Lists []*indicator.Lists

// Has reports whether there is a list.
func (l Lists) Has(list string) bool {
	return slices.ContainsFunc(l, func(x *indicator.Lists) bool { return x.Has(list) })
}

// Contains reports whether a value is in a list.
func (l Lists) Contains(list, value string) bool {
	for _, x := range slices.Backward(l) {
		if x.Has(list) {
			return x.Contains(list, value)
		}
	}
	return false
}

// Names returns the names of all lists in their order.
func (l Lists) Names() []string {
	var out []string
	for _, x := range l {
		out = append(out, x.Names()...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Load reads rules and lists. Of a rule that several have, the one of the later file
// system counts, so that a site can replace ours. All mistakes are found, not the
// first alone; with an error there is no content.
func Load(systems ...fs.FS) (*Content, error) {
	c := &Content{}
	var errs []error
	for i, sys := range systems {
		l, err := indicator.Load(sys, "lists")
		switch {
		case errors.Is(err, fs.ErrNotExist) && i > 0:
		case err != nil:
			errs = append(errs, err)
		case l != nil:
			c.Lists = append(c.Lists, l)
		}
	}
	if err := c.prepare(); err != nil {
		return nil, err
	}
	by := map[string]*rule.Rule{}
	for _, sys := range systems {
		rs, err := rule.Read(sys, c.Env)
		if err != nil {
			errs = append(errs, err)
		}
		for _, r := range rs {
			by[r.ID] = r
		}
	}
	for _, r := range by {
		c.Rules = append(c.Rules, r)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	c.sort()
	return c, nil
}

func (c *Content) sort() {
	slices.SortFunc(c.Rules, func(a, b *rule.Rule) int { return cmp.Compare(a.ID, b.ID) })
}

// prepare makes the environment in which rules are compiled.
func (c *Content) prepare() error {
	var err error
	if c.Env, err = expr.NewEnv(expr.WithLists(c.Lists)); err != nil {
		return fmt.Errorf("expressions: %w", err)
	}
	return nil
}

// With returns content in which rules are replaced or added, and those with IDs in
// off are disabled.
func (c *Content) With(more []*rule.Rule, off map[string]bool) *Content {
	by := map[string]*rule.Rule{}
	for _, l := range [][]*rule.Rule{c.Rules, more} {
		for _, r := range l {
			by[r.ID] = r
		}
	}
	out := &Content{Lists: c.Lists, Env: c.Env}
	for _, r := range by {
		if off[r.ID] && !r.Disabled {
			r2 := *r
			r2.Disabled = true
			r = &r2
		}
		out.Rules = append(out.Rules, r)
	}
	out.sort()
	return out
}

// Only returns content of some rules.
func (c *Content) Only(rules ...*rule.Rule) *Content {
	return &Content{Rules: rules, Lists: c.Lists, Env: c.Env}
}

// Rule returns a rule by its ID, nil when there is none.
func (c *Content) Rule(id string) *rule.Rule {
	for _, r := range c.Rules {
		if r.ID == id {
			return r
		}
	}
	for _, r := range InternalRules() {
		if r.ID == id {
			return r
		}
	}
	return nil
}
