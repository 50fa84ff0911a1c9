// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Note is something about a policy that is not wrong, but that somebody should
// look at.
type Note struct {
	Path    string
	Level   string // "warning", "note"
	Message string
}

// soon is how long before its end a conduit is mentioned.
const soon = 30 * 24 * time.Hour

// Lint says what somebody should look at, at a time (ns since the Unix epoch).
func (p *Policy) Lint(at int64) []Note {
	var out []Note
	note := func(level, path, format string, args ...any) {
		out = append(out, Note{path, level, fmt.Sprintf(format, args...)})
	}
	used, usedServices := map[string]bool{}, map[string]bool{}
	for i := range p.spec.Conduits {
		c, path := &p.spec.Conduits[i], fmt.Sprintf("conduits[%d]", i)
		for _, z := range append(slices.Clone(c.From), c.To...) {
			used[z] = true
		}
		for _, s := range c.Services {
			usedServices[s] = true
		}
		switch {
		case c.Expires.over(at):
			note("warning", path+".expires", "%s expired on %s: remove it, or renew it with a reason", c.ID, c.Expires)
		case c.Expires.over(at + int64(soon)):
			note("note", path+".expires", "%s expires on %s", c.ID, c.Expires)
		}
		if slices.Contains(c.Services, "any") {
			note("warning", path+".services", "%s allows every service", c.ID)
		}
		if slices.Contains(c.From, Internet) {
			note("warning", path+".from", "%s lets the Internet ask %s", c.ID, strings.Join(c.To, ", "))
		}
		if slices.Contains(c.To, Internet) && slices.Contains(c.Services, "any") {
			note("warning", path+".to", "%s lets %s talk to everything outside", c.ID, strings.Join(c.From, ", "))
		}
		for k := range i {
			if p.covers(&p.spec.Conduits[k], c) {
				note("note", path, "%s adds nothing: %s allows it already", c.ID, p.spec.Conduits[k].ID)
				break
			}
		}
	}
	for i := range p.spec.Zones {
		z := &p.spec.Zones[i]
		if z.Within == "listed" && len(p.between[[2]string{z.ID, z.ID}]) == 0 {
			note("note", fmt.Sprintf("zones[%d].within", i), "%s lists what its members may say to each other, and no conduit does", z.ID)
		}
		if !used[z.ID] && len(p.spec.Conduits) > 0 {
			note("note", fmt.Sprintf("zones[%d]", i), "no conduit leads to or from %s", z.ID)
		}
		if strings.TrimSpace(z.Owner) == "" && !p.spec.Proposed {
			note("note", fmt.Sprintf("zones[%d].owner", i), "%s has no owner", z.ID)
		}
	}
	for i := range p.spec.Services {
		if id := p.spec.Services[i].ID; !usedServices[id] {
			note("note", fmt.Sprintf("services[%d]", i), "no conduit uses %s", id)
		}
	}
	return out
}

// covers reports whether a allows all that b does, for at least as long.
func (p *Policy) covers(a, b *Conduit) bool {
	in := func(all, some []string) bool {
		return !slices.ContainsFunc(some, func(v string) bool { return !slices.Contains(all, v) })
	}
	if !in(a.From, b.From) || !in(a.To, b.To) || b.Direction == "both" && a.Direction != "both" {
		return false
	}
	if !slices.Contains(a.Services, "any") && !in(a.Services, b.Services) {
		return false
	}
	return a.Expires.IsZero() || !b.Expires.IsZero() && !a.Expires.t.Before(b.Expires.t)
}
